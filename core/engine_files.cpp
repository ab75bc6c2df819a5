// Which run the engine shows, and how runs come from files and into them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/engine_worker.hpp"
#include "core/kept_runs.hpp"

namespace xlab {

void Engine::Worker::open(std::unique_ptr<Run> fresh, const Opened& as) {
  auto shown = std::make_unique<LiveRun>(std::move(fresh));
  shown->path = as.path;
  shown->stamp = as.stamp;
  shown->unsaved = as.unsaved;
  shown->open_note = OpenNote(autosave.root(), as.path);
  shown->wake();
  if (live && as.beside) {
    add_beside(std::move(shown), as.name, place_of_run(*live) + 1);
    return;
  }
  shown->id = live ? live->id : last_run + 1;
  if (live) {
    shown->colour = live->colour;
    shown->shown = live->shown;
  }
  Edit edit{.name = as.name, .before = {}};
  runs.reserve(runs.size() + 1);
  const bool replaces = live != nullptr;
  const std::size_t place = replaces ? place_of_run(*live) : runs.size();
  std::unique_ptr<LiveRun> before = replaces ? set_aside(*live) : nullptr;
  show(place, std::move(shown));
  const bool kept = !replaces || (before && add_to_history(std::move(edit), std::move(before)));
  if (!kept) history.clear();  // what it holds is of a run that is gone
  go_to_device();
  if (!kept) tell("The run before could not be kept: there is no way back to it with Undo.");
  limit_kept_runs();
}

std::unique_ptr<LiveRun> Engine::Worker::set_aside(LiveRun& of) {
  if (of.unsaved) guarded("autosave", [&] { keep_run(of, true); });
  if (memory_of(of.run()) > History::kMostBytes) {
    // It stays, so what was kept of it is not that of a replaced one.
    if (of.unsaved) of.unkept.note_change();
    return {};
  }
  of.note_place();
  of.state = TrainState::idle;
  of.playing = false;
  of.stop_refreshing();
  if (&of == live) checks.stop();
  guarded("device", [&] {
    of.run().trainer->rest();
    move_run(of.run(), Device::cpu());
  });
  if (of.device() != Device::cpu()) {
    if (of.unsaved) of.unkept.note_change();
    return {};
  }
  of.rest();
  return std::move(runs[place_of_run(of)]);
}

void Engine::Worker::show(std::size_t place, std::unique_ptr<LiveRun> shown) noexcept {
  LiveRun& on = *shown;
  last_run = std::max(last_run, on.id);
  use_trainer(on);
  // What was kept of it says that another run took its place.
  on.unkept.clear();
  if (on.unsaved) on.unkept.note_change();
  live = nullptr;  // it may end here
  if (place < runs.size()) {
    runs[place] = std::move(shown);
  } else {
    runs.push_back(std::move(shown));
  }
  look_at(on);
}

/// Who opens one run after the other does not fill the disk with all of them.
void Engine::Worker::limit_kept_runs() {
  std::vector<int> needed = history.kept_runs();
  for (const auto& run : runs) needed.push_back(run->run().kept_as);
  autosave.limit_replaced(2 * History::kMostRuns, std::move(needed));
}

void Engine::Worker::use_trainer(LiveRun& of) {
  Trainer& trainer = *of.run().trainer;
  trainer.cancel = &stop;
  trainer.before_update = [this] { autosave.settle(); };
}

// ---- opening --------------------------------------------------------------------------------

void Engine::Worker::open_file(const std::string& path, bool beside) {
  const auto stamp = stamp_of(path);
  open(load_run(path), {.name = "opening a run", .beside = beside, .path = path, .stamp = stamp});
  show_saved_screen();
  tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
}

void Engine::Worker::reopen(const std::string& kept, bool beside) {
  Reopened lost = load_kept_run(kept);
  lost.run->kept_as = autosave.next_number();
  open(std::move(lost.run), {.name = "reopening a run",
                             .beside = beside,
                             .path = lost.about.run_path,
                             .unsaved = true,
                             .stamp = lost.about.stamp});
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

void Engine::Worker::tell_of_others(const char* what) {
  if (!live->open_note.others()) return;
  fail("file", fmt::format("'{}' is open in another window too. {}", live->path, what));
}

// ---- saving ---------------------------------------------------------------------------------

std::pair<RunRecord, bool> Engine::Worker::record_now(LiveRun& of) {
  of.note_place();
  return of.loop.record(of.run());
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
  Saving begun{.run = live->id,
               .path = target,
               .step = live->run().trainer->steps_done(),
               .changes = live->changes};
  const auto write = [&] {
    auto [record, own_numbers] = record_now(*live);
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
  live->unkept.clear();
}

std::string Engine::Worker::finish_save() {
  const std::optional<Autosave::Saved> saved = saving ? autosave.take_saved() : std::nullopt;
  if (!saved) return {};
  const Saving done = *std::exchange(saving, {});
  LiveRun& of = run_with(done.run);
  urgent = dirty = true;
  if (!saved->problem.empty()) {
    if (of.unsaved) of.unkept.note_change();
    fail("save", saved->problem);
    return saved->problem;
  }
  if (of.path != done.path) of.open_note = OpenNote(autosave.root(), done.path);
  of.path = done.path;
  of.stamp = saved->stamp;
  of.saved_step = done.step;
  history.file_written(done.path, of.stamp);
  ++draft.saves;
  if (of.changes == done.changes) {
    of.unsaved = false;
    of.unkept.clear();
    autosave.drop(of.run().kept_as);
  }
  note(fmt::format("Saved to {}", done.path));
  if (&of == live) tell_of_others("It has what was saved here only when it opens the file again.");
  return {};
}

// ---- keeping --------------------------------------------------------------------------------

void Engine::Worker::follow_autosave() {
  if (autosave.take_kept() && std::exchange(draft.keeping_fails, false)) urgent = dirty = true;
  const Autosave::News news = autosave.take_news();
  const auto is_in = [](const std::vector<int>& numbers, int number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
  };
  for (const auto& run : runs) {
    const int number = run->run().kept_as;
    if (is_in(news.lost, number)) run->unkept.note_training();
    if (is_in(news.given_up, number)) run->unkept.overdue = true;
  }
  if (!news.problem.empty()) fail("autosave", news.problem);
  guarded("save", [&] { finish_save(); });
}

void Engine::Worker::keep_run(LiveRun& of, bool replaced) {
  Run& run = of.run();
  if (!autosave.keeps() || !run.model->params().trainable()) {
    of.unkept.clear();
    return;
  }
  auto [record, own_numbers] = record_now(of);
  if (run.kept_as == 0) run.kept_as = autosave.next_number();
  autosave.keep(std::move(record),
                {.file = {},
                 .number = run.kept_as,
                 .title = of.name(),
                 .run_path = of.path,
                 .step = run.trainer->steps_done(),
                 .saved_step = of.saved_step,
                 .replaced = replaced,
                 .stamp = of.stamp,
                 .text = {}},
                own_numbers);
  of.unkept.clear();
}

std::optional<Engine::Worker::Clock::time_point> Engine::Worker::keeping_due(
    LiveRun** which) const {
  std::optional<Clock::time_point> first;
  for (const auto& run : runs) {
    const auto due = autosave.due(run->unkept);
    if (!due || (first && *first <= *due)) continue;
    first = due;
    if (which) *which = run.get();
  }
  return first;
}

void Engine::Worker::keep_if_due() {
  LiveRun* of = nullptr;
  const auto due = keeping_due(&of);
  if (!due || Clock::now() < *due) return;
  if (!of->unsaved) {
    of->unkept.clear();
    return;
  }
  guarded(
      "autosave", [&] { keep_run(*of, false); },
      [&] {
        // Not at once again, but later.
        of->unkept.clear();
        of->unkept.note_training();
      });
}

void Engine::Worker::keep_and_end() {
  if (live && !final_screen.empty()) live->run().screen = final_screen;
  for (const auto& run : runs)
    if (run->unsaved) guarded("autosave", [&] { keep_run(*run, false); });
  autosave.end();
  final_error = autosave.take_news().problem;
}

}  // namespace xlab
