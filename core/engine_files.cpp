// Which run the engine shows, and how runs come from files and into them.
#include <fmt/format.h>

#include <utility>

#include "core/engine_worker.hpp"
#include "core/kept_runs.hpp"

namespace xlab {

void Engine::Worker::open(std::unique_ptr<Run> fresh, const std::string& path, const char* name,
                          bool unsaved, std::optional<FileStamp> stamp) {
  auto shown = std::make_unique<LiveRun>(std::move(fresh));
  shown->path = path;
  shown->stamp = stamp;
  shown->unsaved = unsaved;
  shown->wake();
  std::optional<OpenNote> note = note_on(path);
  Edit edit{.name = name, .before = {}};
  const bool replaces = live != nullptr;
  std::unique_ptr<LiveRun> before = set_aside();
  show(std::move(shown), std::move(note));
  const bool kept = !replaces || (before && add_to_history(std::move(edit), std::move(before)));
  if (!kept) history.clear();  // what it holds is of a run that is gone
  go_to_device();
  if (!kept) tell("The run before could not be kept: there is no way back to it with Undo.");
  limit_kept_runs();
}

std::unique_ptr<LiveRun> Engine::Worker::set_aside() {
  if (!live) return {};
  if (live->unsaved) guarded("autosave", [&] { keep_run(true); });
  if (memory_of(live->run()) > History::kMostBytes) return {};
  live->note_place();
  live->state = TrainState::idle;
  live->playing = false;
  live->stop_refreshing();
  checks.stop();
  guarded("device", [&] {
    live->run().trainer->rest();
    move_run(live->run(), Device::cpu());
  });
  if (live->device() != Device::cpu()) return {};
  live->rest();
  return std::move(live);
}

/// The run could not be set aside, so it stays: what was kept of it is not that of a replaced one.
void Engine::Worker::go_on_after_all() {
  if (live->unsaved) autosave.changed();
}

void Engine::Worker::show(std::unique_ptr<LiveRun> shown, std::optional<OpenNote> note) noexcept {
  live = std::move(shown);
  if (note) open_note = std::move(*note);
  use_trainer();
  draft.screen = nullptr;
  draft.only_selected = false;
  autosave.saved();
  // What was kept of it says that another run took its place.
  if (live->unsaved) autosave.changed();
  changes_seen = live->changes;
  ++draft.run_id;
  checks.stop();
  draft.health = nullptr;
}

/// Who opens one run after the other does not fill the disk with all of them.
void Engine::Worker::limit_kept_runs() {
  std::vector<int> needed = history.kept_runs();
  needed.push_back(live->run().kept_as);
  autosave.limit_replaced(2 * History::kMostRuns, std::move(needed));
}

void Engine::Worker::use_trainer() {
  Trainer& trainer = *live->run().trainer;
  trainer.cancel = &stop;
  trainer.before_update = [this] { autosave.settle(); };
}

// ---- opening --------------------------------------------------------------------------------

void Engine::Worker::open_file(const std::string& path) {
  const auto stamp = stamp_of(path);
  open(load_run(path), path, "opening a run", false, stamp);
  show_saved_screen();
  tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
}

void Engine::Worker::reopen(const std::string& kept) {
  Reopened lost = load_kept_run(kept);
  lost.run->kept_as = autosave.next_number();
  open(std::move(lost.run), lost.about.run_path, "reopening a run", true, lost.about.stamp);
  live->saved_step = lost.about.saved_step;
  show_saved_screen();
  guarded("autosave", [&] { autosave.adopt(lost.about, live->run().kept_as); });
  if (!lost.problem.empty()) fail("file", lost.problem);
  tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
}

void Engine::Worker::show_saved_screen() {
  const std::string& screen = live->run().screen;
  if (!screen.empty()) draft.screen = std::make_shared<const std::string>(screen);
}

std::optional<OpenNote> Engine::Worker::note_on(const std::string& path) const {
  if (path.empty()) return OpenNote();
  if (live && path == live->path) return {};
  return OpenNote(autosave.root(), path);
}

void Engine::Worker::tell_of_others(const char* what) {
  if (!open_note.others()) return;
  fail("file", fmt::format("'{}' is open in another window too. {}", live->path, what));
}

// ---- saving ---------------------------------------------------------------------------------

std::pair<RunRecord, bool> Engine::Worker::record_now() {
  live->note_place();
  return live->loop.record(live->run());
}

void Engine::Worker::store(const std::string& path) {
  live->note_place();
  try {
    save_run(live->run(), path);
  } catch (const DeviceLost& e) {
    leave_lost_device(e.what());
    save_run(live->run(), path);
  }
}

void Engine::Worker::save_to(const std::string& path) {
  if (const std::string reason = why_not_saved(live->run()); !reason.empty()) throw Error(reason);
  const std::string target = path.empty() ? live->path : path;
  check(!target.empty(), "The run has no file yet: choose a name to save it under.");
  const auto stands = stamp_of(target);
  check(!path.empty() || !stands || !live->stamp || stands == live->stamp,
        "'{}' was changed by another program since this run was opened or saved here, and is not "
        "overwritten. Save this run under another name with Save as.",
        target);
  Saving begun{.path = target, .step = live->run().trainer->steps_done(), .changes = live->changes};
  const auto write = [&] {
    auto [record, own_numbers] = record_now();
    autosave.save(std::move(record), target, own_numbers);
  };
  try {
    write();
  } catch (const DeviceLost& e) {
    leave_lost_device(e.what());
    begun.step = live->run().trainer->steps_done();
    write();
  }
  saving = std::move(begun);
  autosave.saved();
}

std::string Engine::Worker::finish_save() {
  const std::optional<Autosave::Saved> saved = saving ? autosave.take_saved() : std::nullopt;
  if (!saved) return {};
  const Saving done = *std::exchange(saving, {});
  urgent = dirty = true;
  if (!saved->problem.empty()) {
    if (live->unsaved) autosave.changed();
    fail("save", saved->problem);
    return saved->problem;
  }
  if (auto note = note_on(done.path)) open_note = std::move(*note);
  live->path = done.path;
  live->stamp = saved->stamp;
  live->saved_step = done.step;
  history.file_written(done.path, live->stamp);
  ++draft.saves;
  if (live->changes == done.changes) {
    live->unsaved = false;
    autosave.saved();
    autosave.drop(live->run().kept_as);
  }
  note(fmt::format("Saved to {}", done.path));
  tell_of_others("It has what was saved here only when it opens the file again.");
  return {};
}

// ---- keeping --------------------------------------------------------------------------------

void Engine::Worker::follow_autosave() {
  if (autosave.take_kept() && std::exchange(draft.keeping_fails, false)) urgent = dirty = true;
  if (const std::string problem = autosave.take_news(); !problem.empty()) fail("autosave", problem);
  guarded("save", [&] { finish_save(); });
}

void Engine::Worker::keep_run(bool replaced) {
  Run& run = live->run();
  if (!autosave.keeps() || !run.model->params().trainable()) {
    autosave.saved();
    return;
  }
  auto [record, own_numbers] = record_now();
  if (run.kept_as == 0) run.kept_as = autosave.next_number();
  autosave.keep(std::move(record),
                {.file = {},
                 .number = run.kept_as,
                 .title = run.task->title(),
                 .run_path = live->path,
                 .step = run.trainer->steps_done(),
                 .saved_step = live->saved_step,
                 .replaced = replaced,
                 .stamp = live->stamp,
                 .text = {}},
                own_numbers);
}

void Engine::Worker::keep_if_due() {
  const auto due = autosave.due();
  if (!due || Clock::now() < *due) return;
  if (!live || !live->unsaved) {
    autosave.saved();
    return;
  }
  guarded(
      "autosave", [&] { keep_run(false); },
      [&] {
        // Not at once again, but later.
        autosave.saved();
        autosave.trained();
      });
}

void Engine::Worker::keep_and_end() {
  if (live && !final_screen.empty()) live->run().screen = final_screen;
  if (live && live->unsaved) guarded("autosave", [&] { keep_run(false); });
  autosave.end();
  final_error = autosave.take_news();
}

}  // namespace xlab
