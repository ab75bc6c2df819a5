// Which run the engine shows, and how runs come from files and into them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "core/engine/worker.hpp"
#include "core/keeping/kept_runs.hpp"
#include "core/utf8.hpp"

namespace xlab {

void Engine::Worker::open(std::unique_ptr<Run> fresh, const Opened& as) {
  auto shown = std::make_unique<LiveRun>(std::move(fresh));
  shown->path = as.path;
  shown->in_bench = as.in_bench;
  shown->stamp = as.stamp;
  shown->unsaved = as.unsaved;
  shown->open_note = as.in_bench ? live->open_note : note_on(as.path);
  shown->wake();
  if (!shown->unsaved)
    shown->note_in_file(std::make_shared<const LiveRun::Work>(shown->work_now()));
  if (live && as.beside) {
    std::vector<std::unique_ptr<LiveRun>> added;
    added.push_back(std::move(shown));
    add_beside(std::move(added), as.name, *live);
    return;
  }
  // Another run in the place of one that shares a sequence goes on in it.
  if (live && another_in_group(*live)) {
    shown->group = live->group;
    follow_or_leave(*shown, *live);
  }
  shown->id = live ? live->id : last_run + 1;
  if (live) {
    shown->colour = live->colour;
    shown->shown = live->shown;
  }
  runs.reserve(runs.size() + 1);
  // The file of a bench that the run before stands in.
  const std::string bench = live && live->stored_in_bench && !as.in_bench ? live->path : "";
  const bool replaces = live != nullptr;
  const std::size_t place = replaces ? place_of_run(*live) : runs.size();
  std::unique_ptr<LiveRun> before = replaces ? set_aside(*live) : nullptr;
  show(place, std::move(shown));
  const bool kept = !replaces || (before && add_to_history({as.name, std::move(before), live->id}));
  if (!kept) history.clear();  // what it holds is of a run that is gone
  if (!bench.empty()) note_other_file({bench}, {live->id});
  go_to_device(*live);
  if (!kept) tell("The run before could not be kept: there is no way back to it with Undo.");
  limit_kept_runs();
}

std::shared_ptr<const OpenNote> Engine::Worker::note_on(const std::string& path) const {
  return std::make_shared<const OpenNote>(autosave.root(), path);
}

bool Engine::Worker::ready_to_leave(LiveRun& of) {
  // Its file may be written over by the run that takes its place.
  if (of.unsaved || !of.path.empty()) guarded("autosave", [&] { keep_run(of, true); });
  const auto stays = [&] {
    // So what was kept of it is not that of a replaced one.
    if (of.unsaved) of.unkept.note_change();
    return false;
  };
  if (memory_of(of.run()) > History::kMostBytes) return stays();
  of.note_place();
  of.state = TrainState::idle;
  of.playing = false;
  of.stop_refreshing();
  if (&of == live) checks.stop();
  guarded("device", [&] {
    of.run().trainer->rest();
    move_run(of.run(), Device::cpu());
  });
  return of.device() == Device::cpu() || stays();
}

std::unique_ptr<LiveRun> Engine::Worker::set_aside(LiveRun& of) {
  if (!ready_to_leave(of)) return {};
  of.let_go();
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
  needed.insert(needed.end(), dropped.begin(), dropped.end());
  for (const auto& run : runs) needed.push_back(run->run().kept_as);
  autosave.limit_replaced(2 * History::kMostRuns, std::move(needed));
}

void Engine::Worker::use_trainer(LiveRun& of) {
  Trainer& trainer = *of.run().trainer;
  trainer.cancel = &stop;
  trainer.before_update = [this, &of] { autosave.settle(of.run().model->params().values().raw()); };
}

// ---- opening --------------------------------------------------------------------------------

void Engine::Worker::open_file(const std::string& path, bool beside) {
  const auto stamp = stamp_of(path);
  open_tensors(read_safetensors(path),
               {.name = "opening a run", .beside = beside, .path = path, .stamp = stamp});
  tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
}

void Engine::Worker::open_tensors(const SafetensorsFile& file, const Opened& as) {
  const bool replaces = live && !as.beside;
  if (holds_bench(file.metadata(), file.name())) {
    const bool work = replaces && std::any_of(runs.begin(), runs.end(),
                                              [](const auto& run) { return run->unsaved; });
    const std::vector<int> opened = open_bench(load_bench(file), as);
    tell_of_remarks(opened);
    restore_history(opened, work);
  } else {
    const bool work = replaces && live->unsaved;
    open(load_run(file), as);
    tell_of_remarks({live->id});
    restore_history({live->id}, work);
  }
  show_saved_screen();
}

void Engine::Worker::tell_of_remarks(const std::vector<int>& opened) {
  for (const int id : opened) {
    const LiveRun& of = run_with(id);
    if (!of.run().remark.empty())
      tell(fmt::format("'{}': {}", printable(of.name(), 80), of.run().remark));
  }
}

void Engine::Worker::reopen(const std::vector<std::string>& kept, bool beside) {
  std::vector<Reopened> lost;
  std::string problems;
  beside = beside && live;
  const std::size_t room = kMostRuns - (beside ? runs.size() : 0);
  if (kept.size() > room)
    problems =
        fmt::format("At most {} runs are held at once: {} of these stay under File > Reopen.",
                    kMostRuns, kept.size() - room);
  for (const std::string& file : std::span(kept).first(std::min(room, kept.size()))) {
    try {
      lost.push_back(load_kept_run(file));
      lost.back().run->kept_as = autosave.next_number();
    } catch (const std::bad_alloc&) {
      problems += (problems.empty() ? "" : " ") +
                  fmt::format("There is no memory for '{}'.", printable(file, 512));
    } catch (const std::exception& e) {
      problems += (problems.empty() ? "" : " ") + std::string(e.what());
    }
  }
  if (lost.empty()) throw Error(problems);
  for (const Reopened& one : lost)
    if (!one.problem.empty()) problems += (problems.empty() ? "" : " ") + one.problem;
  if (lost.size() == 1) {
    reopen_one(std::move(lost[0]), beside);
  } else {
    reopen_all(std::move(lost), beside);
  }
  if (!problems.empty()) fail("file", problems);
  tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
}

void Engine::Worker::reopen_one(Reopened lost, bool beside) {
  const bool work = live && !beside && live->unsaved;
  open(std::move(lost.run), {.name = "reopening a run",
                             .beside = beside,
                             // The others of its file are not here: it is not written over them.
                             .path = lost.about.in_bench ? "" : lost.about.run_path,
                             .unsaved = true,
                             .stamp = lost.about.in_bench ? std::nullopt : lost.about.stamp});
  tell_of_remarks({live->id});
  restore_history({live->id}, work);
  live->saved_step = lost.about.saved_step;
  show_saved_screen();
  guarded("autosave", [&] { autosave.adopt(lost.about, live->run().kept_as); });
}

namespace {

/// Runs of several sessions, or of one that nobody knows the colours of, get colours that differ:
/// each keeps its own unless another one has that already.
void tell_apart(const std::vector<std::unique_ptr<LiveRun>>& fresh) {
  std::array<int, RunCard::kColours> used{};
  std::vector<LiveRun*> without;
  for (const auto& run : fresh) {
    const bool known = run->colour >= 0 && run->colour < RunCard::kColours;
    int* const uses = known ? &used[static_cast<std::size_t>(run->colour)] : nullptr;
    if (uses && (*uses == 0 || fresh.size() > used.size())) {
      ++*uses;
    } else {
      without.push_back(run.get());
    }
  }
  for (LiveRun* run : without) {
    const auto least = std::ranges::min_element(used);
    run->colour = static_cast<int>(least - used.begin());
    ++*least;
  }
}

}  // namespace

void Engine::Worker::reopen_all(std::vector<Reopened> lost, bool beside) {
  const bool work = !beside && std::any_of(runs.begin(), runs.end(),
                                           [](const auto& run) { return run->unsaved; });
  std::vector<std::unique_ptr<LiveRun>> fresh;
  std::vector<std::pair<KeptRun, int>> adopted;
  // What shared a sequence in one session shares none with runs of another.
  std::map<std::pair<std::string, int>, int> shared;
  std::vector<int> sequences;
  std::size_t focus = lost.size() - 1;
  for (Reopened& one : lost) {
    const KeptRun& about = one.about;
    adopted.emplace_back(about, one.run->kept_as);
    LiveRun& run = *fresh.emplace_back(std::make_unique<LiveRun>(std::move(one.run)));
    const BenchPlace stood = about.stood.value_or(BenchPlace{.colour = -1});
    run.colour = stood.colour;
    run.shown = stood.shown;
    if (stood.focus) focus = fresh.size() - 1;
    const std::pair in_session{about.file.parent_path().string(), stood.sequence};
    sequences.push_back(
        stood.sequence == 0
            ? 0
            : shared.try_emplace(in_session, static_cast<int>(shared.size()) + 1).first->second);
    if (!about.in_bench) {
      run.path = about.run_path;
      run.stamp = about.stamp;
    }
    run.open_note = note_on(run.path);
    run.unsaved = true;
    run.unkept.note_change();
    run.wake();
    run.saved_step = about.saved_step;
  }
  tell_apart(fresh);
  join_as_in_file(fresh, sequences);
  const int before = last_run;
  if (beside) {
    add_beside(std::move(fresh), "reopening runs", *runs.back(), focus);
  } else {
    replace_bench(std::move(fresh), "reopening runs", focus);
  }
  std::vector<int> opened;
  for (const auto& run : runs)
    if (run->id > before) opened.push_back(run->id);
  tell_of_remarks(opened);
  restore_history(opened, work);
  show_saved_screen();
  for (const auto& run : adopted)
    guarded("autosave", [&] { autosave.adopt(run.first, run.second); });
}

void Engine::Worker::show_saved_screen() {
  const std::string& screen = live->run().screen;
  if (!screen.empty()) draft.screen = std::make_shared<const std::string>(screen);
}

void Engine::Worker::tell_of_others(const char* what) {
  if (!live->open_note || !live->open_note->others()) return;
  fail("file", fmt::format("'{}' is open in another window too. {}", live->path, what));
}

std::pair<RunRecord, bool> Engine::Worker::record_now(LiveRun& of) {
  of.note_place();
  of.run().history = history.text(of.id, of.run().trainer->steps_done());
  return of.loop.record(of.run());
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
                 .in_bench = of.in_bench,
                 .in_file = !of.unsaved,
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

void Engine::Worker::keep_bench() {
  if (!autosave.keeps()) return;
  KeptBench bench;
  for (const auto& run : runs) {
    const int number = run->run().kept_as;
    if (number == 0) continue;
    bench.push_back({.number = number,
                     .colour = run->colour,
                     .shown = run->shown,
                     .sequence = another_in_group(*run) ? run->group : 0,
                     .focus = run.get() == live,
                     .place = bench.size()});
  }
  if (bench.empty() || bench == bench_kept) return;
  autosave.keep_bench(bench);
  bench_kept = std::move(bench);
}

void Engine::Worker::keep_and_end() {
  if (live && !final_screen.empty()) live->run().screen = final_screen;
  for (const auto& run : runs)
    if (run->unsaved) guarded("autosave", [&] { keep_run(*run, false); });
  guarded("autosave", [&] { keep_bench(); });
  if (offered_later) {
    autosave.finish();
  } else {
    autosave.end();
  }
  if (final_error.empty()) final_error = autosave.take_news().problem;
}

}  // namespace xlab
