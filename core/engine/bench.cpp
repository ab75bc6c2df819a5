// The bench: which runs the engine has, and which one is on screen.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/worker.hpp"
#include "core/training/last_copy.hpp"
#include "core/utf8.hpp"

namespace xlab {
LiveRun& Engine::Worker::run_with(int id) const {
  const auto found =
      std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run->id == id; });
  check(found != runs.end(), "There is no run number {}.", id);
  return **found;
}

std::size_t Engine::Worker::place_of_run(const LiveRun& of) const {
  const auto found =
      std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run.get() == &of; });
  return static_cast<std::size_t>(found - runs.begin());
}

/// The one that the fewest runs have.
int Engine::Worker::free_colour() const {
  std::array<int, RunCard::kColours> used{};
  for (const auto& run : runs) ++used[static_cast<std::size_t>(run->colour)];
  return static_cast<int>(std::min_element(used.begin(), used.end()) - used.begin());
}

void Engine::Worker::look_at(LiveRun& on) noexcept {
  if (live && live != &on) {
    // One sequence plays on, whoever of those that share it is looked at.
    if (live->playing && on.group != 0 && on.group == live->group) {
      on.playing = true;
      on.play_to_end = live->play_to_end;
      on.next_play = live->next_play;
    }
    live->playing = false;
    live->stop_refreshing();
  }
  live = &on;
  draft.screen = nullptr;
  draft.only_selected = false;
  ++draft.run_id;
  forget_check();
  forget_reach();
  forget_worth();
  draft.memory = nullptr;
  draft.mixing = nullptr;
  urgent = dirty = true;
}

void Engine::Worker::focus(LiveRun& on) {
  if (&on == live) return;
  look_at(on);
  draft.device = card_of(live->device());
  draft.only_selected = true;
  show_saved_screen();
}

void Engine::Worker::add_beside(std::vector<std::unique_ptr<LiveRun>> added, const char* name,
                                const LiveRun& behind, std::size_t focus) {
  const std::string more =
      added.size() == 1
          ? "no more are held at once"
          : fmt::format("{} more do not fit: at most {} are held at once", added.size(), kMostRuns);
  check(runs.size() + added.size() <= kMostRuns, "There are {} runs already, and {}.", runs.size(),
        more);
  std::size_t place = place_of_run(behind) + 1;
  runs.reserve(runs.size() + added.size());
  BenchBefore before;
  before.shown = live->id;
  before.go.reserve(added.size());
  LiveRun& shown = *added[focus];
  for (std::unique_ptr<LiveRun>& run : added) {
    run->id = ++last_run;
    run->colour = free_colour();
    if (live->in_bench && run->path.empty()) {
      // It is added to what the file of the others holds.
      run->path = live->path;
      run->in_bench = true;
      run->stamp = live->stamp;
      run->open_note = live->open_note;
      run->unsaved = true;
    }
    if (run->unsaved) run->note_change();
    use_trainer(*run);
    before.go.push_back(run->id);
    runs.insert(runs.begin() + static_cast<std::ptrdiff_t>(place++), std::move(run));
  }
  look_at(shown);
  const std::vector<int> came = before.go;
  history.add({name, std::move(before)}, Clock::now());
  for (const int run : came) go_to_device(run_with(run));
  limit_kept_runs();
}

std::vector<int> Engine::Worker::open_bench(OpenedBench bench, const Opened& as) {
  std::vector<std::unique_ptr<LiveRun>> fresh;
  std::vector<int> sequences;
  const bool beside = live && as.beside;
  const auto note = beside ? nullptr : note_on(as.path);
  for (OpenedBench::Part& part : bench.runs) {
    LiveRun& run = *fresh.emplace_back(std::make_unique<LiveRun>(std::move(part.run)));
    run.colour = part.colour;
    run.shown = part.shown;
    sequences.push_back(part.sequence);
    if (!beside && !as.path.empty()) {
      run.path = as.path;
      run.in_bench = run.stored_in_bench = true;
      run.stamp = as.stamp;
      run.open_note = note;
    }
    run.wake();
    run.note_in_file(std::make_shared<const LiveRun::Work>(run.work_now()));
  }
  join_as_in_file(fresh, sequences);
  const auto focus = static_cast<std::size_t>(bench.focus);
  const int before = last_run;
  if (beside) {
    add_beside(std::move(fresh), "opening runs", *runs.back(), focus);
  } else {
    replace_bench(std::move(fresh), "opening runs", focus);
  }
  std::vector<int> opened;
  for (const auto& run : runs)
    if (run->id > before) opened.push_back(run->id);
  return opened;
}

void Engine::Worker::replace_bench(std::vector<std::unique_ptr<LiveRun>> fresh, const char* name,
                                   std::size_t focus) {
  BenchBefore before;
  before.shown = live ? live->id : 0;
  before.go.reserve(fresh.size());
  before.come.reserve(runs.size());
  const bool replaces = !runs.empty();
  bool kept = true;
  std::size_t bytes = 0;
  for (const auto& run : runs) {
    kept = ready_to_leave(*run) && kept;
    bytes += memory_of(run->run());
  }
  kept = kept && bytes <= History::kMostBytes;
  // From here on nothing can fail.
  std::vector<int> numbers;
  for (std::size_t place = 0; place < runs.size(); ++place) {
    runs[place]->let_go();
    before.come.push_back({place, std::move(runs[place])});
  }
  runs = std::move(fresh);
  live = nullptr;
  for (const auto& run : runs) {
    run->id = ++last_run;
    before.go.push_back(run->id);
    use_trainer(*run);
  }
  look_at(*runs[focus]);
  for (const BenchBefore::Coming& gone : before.come)
    if (gone.run->run().kept_as != 0) numbers.push_back(gone.run->run().kept_as);
  if (replaces) kept = kept && add_to_history({.name = name, .before = std::move(before)});
  if (!kept) {
    history.clear();  // what it holds is of runs that are gone
    dropped = std::move(numbers);
  }
  for (const auto& run : runs) go_to_device(*run);
  if (!kept) tell("The runs before could not be kept: there is no way back to them with Undo.");
  limit_kept_runs();
}

namespace {

constexpr std::string_view kCopy = ", copy", kSeed = ", seed";

/// "Recall" of "Recall, copy 2": a copy of a copy is another copy. With `seeds`, of "Recall, seed
/// 3" too.
std::string without_copies(std::string name, bool seeds) {
  for (;;) {
    const std::size_t comma = name.rfind(", ");
    if (comma == name.npos || comma == 0) return name;
    const std::string_view last = std::string_view(name).substr(comma);
    const std::size_t number = last.find(' ', 2);
    const std::string_view word = last.substr(0, number);
    const bool numbered = number != last.npos;
    const bool whole = !numbered || last.find_first_not_of("0123456789", number + 1) == last.npos;
    if (!whole || (word != kCopy && !(seeds && numbered && word == kSeed))) return name;
    name.resize(comma);
  }
}

}  // namespace

void Engine::Worker::duplicate_run(const command::DuplicateRun& c) {
  LiveRun& of = run_with(c.run);
  of.note_place();
  const Run& run = of.run();
  const auto any = [this](auto is_so) { return std::any_of(runs.begin(), runs.end(), is_so); };
  // Asked for again and again, it is another one each time.
  std::uint64_t seed = run.trainer->spec().seed + 1;
  while (any([&](const auto& r) { return r->run().trainer->spec().seed == seed; })) ++seed;
  auto made = std::make_unique<LiveRun>(c.other_seed ? restart_run(run, seed) : duplicate(run));
  const std::string name = without_copies(of.name(), c.other_seed) +
                           (c.other_seed ? fmt::format("{} {}", kSeed, seed) : std::string(kCopy));
  std::string free = name;
  for (int i = 2; any([&](const auto& r) { return r->name() == free; }); ++i)
    free = fmt::format("{} {}", name, i);
  made->run().name = std::move(free);
  made->unsaved = true;
  made->saved_step = 0;
  made->focus_block = of.focus_block;
  made->cursor = of.cursor;
  made->loop.last_step = of.loop.last_step;
  if (!c.other_seed) made->loop.begin(of.loop.last());
  made->wake();
  std::vector<std::unique_ptr<LiveRun>> added;
  added.push_back(std::move(made));
  add_beside(std::move(added), c.other_seed ? "another seed beside" : "duplicate", of);
}

void Engine::Worker::rename_run(const command::RenameRun& c) {
  LiveRun& of = run_with(c.run);
  check(c.name.size() <= Run::kMostNameBytes && !find_invalid_utf8(c.name),
        "A run's name is at most {} bytes of text.", Run::kMostNameBytes);
  std::string before = std::exchange(of.run().name, c.name);
  if (before == c.name) return;
  of.note_change();
  history.add({"new name", std::move(before), of.id}, Clock::now());
}

void Engine::Worker::remove_run(const command::RemoveRun& c) {
  BenchBefore before;
  before.go = {c.run};
  exchange(before);
  if (!add_to_history({.name = "removing a run", .before = std::move(before)})) {
    history.clear();  // what it holds is of a run that is gone
    tell("The removed run could not be kept: there is no way back to it with Undo.");
  }
  limit_kept_runs();
}

void Engine::Worker::exchange(BenchBefore& before) {
  std::vector<LiveRun*> going;
  std::size_t bytes = 0;
  for (const int id : before.go) {
    going.push_back(&run_with(id));
    bytes += memory_of(going.back()->run());
  }
  check(runs.size() + before.come.size() > going.size(),
        "The last run stays: open another one in its place.");
  if (going.size() == 1)
    check(bytes <= History::kMostBytes,
          "'{}' is too large to be kept for Undo, so it is not removed. Open another run in its "
          "place.",
          printable(going.front()->name(), 80));
  check(bytes <= History::kMostBytes,
        "The runs of now are too large to be kept, so they are not replaced.");
  BenchBefore after;
  after.shown = live->id;
  after.come.reserve(going.size());
  after.go.reserve(before.come.size());
  runs.reserve(runs.size() + before.come.size());
  std::set<std::string> files;  // of benches that these runs stand in
  for (const LiveRun* of : going)
    if (of->stored_in_bench) files.insert(of->path);
  for (const BenchBefore::Coming& coming : before.come)
    if (coming.run->stored_in_bench) files.insert(coming.run->path);
  try {
    std::map<std::string, std::shared_ptr<const OpenNote>> notes;
    for (BenchBefore::Coming& coming : before.come) {
      coming.run->wake();
      auto& note = notes[coming.run->path];
      if (!note) note = note_on(coming.run->path);
      coming.run->open_note = note;
    }
    for (LiveRun* of : going)
      check(ready_to_leave(*of), "'{}' cannot be kept for Undo, so it stays.",
            printable(of->name(), 80));
  } catch (...) {
    for (BenchBefore::Coming& coming : before.come) coming.run->rest();
    // Those that were ready to leave stay.
    for (LiveRun* of : going) {
      if (of->unsaved) of->unkept.note_change();
      guarded("device", [&] { go_to_device(*of); });
    }
    throw;
  }
  // From here on nothing can fail.
  const std::size_t gap = place_of_run(*live);
  for (std::size_t place = 0; place < runs.size(); ++place) {
    if (std::find(going.begin(), going.end(), runs[place].get()) == going.end()) continue;
    runs[place]->let_go();
    after.come.push_back({place, std::move(runs[place])});
  }
  std::erase(runs, nullptr);
  LiveRun* on = std::find(going.begin(), going.end(), live) == going.end() ? live : nullptr;
  live = on;
  if (!before.come.empty()) on = before.come.front().run.get();
  for (BenchBefore::Coming& coming : before.come) {
    LiveRun& run = *coming.run;
    after.go.push_back(run.id);
    use_trainer(run);
    // What was kept of it says that another run took its place.
    run.unkept.clear();
    if (run.unsaved) run.unkept.note_change();
    runs.insert(runs.begin() + static_cast<std::ptrdiff_t>(std::min(coming.place, runs.size())),
                std::move(coming.run));
    if (run.id == before.shown) on = &run;
  }
  if (!on) {
    const auto shown = std::find_if(runs.begin(), runs.end(),
                                    [&](const auto& run) { return run->id == before.shown; });
    on = shown != runs.end() ? shown->get() : runs[std::min(gap, runs.size() - 1)].get();
  }
  before = std::move(after);
  dirty = urgent = true;
  guarded("sequence", [&] { follow_as_now(before.go); });
  guarded("show", [&] { focus(*on); });
  note_other_file(files, before.go);
}

/// Runs that stayed are in files of a bench that hold other runs now than are there. One of them is
/// unsaved then, that on screen where it can be: saving it writes them all.
void Engine::Worker::note_other_file(const std::set<std::string>& files,
                                     const std::vector<int>& came) {
  const auto stays = [&](const LiveRun& run) {
    return run.in_bench && files.contains(run.path) &&
           std::find(came.begin(), came.end(), run.id) == came.end();
  };
  LiveRun* found = stays(*live) ? live : nullptr;
  for (const auto& run : runs)
    if (!found && stays(*run)) found = run.get();
  if (found) found->note_change();
}

/// Who comes back to a shared sequence finds it as it is now.
void Engine::Worker::follow_as_now(const std::vector<int>& came) {
  for (const int id : came) {
    LiveRun& of = run_with(id);
    const auto stayed = std::find_if(runs.begin(), runs.end(), [&](const auto& run) {
      return of.group != 0 && run->group == of.group &&
             std::find(came.begin(), came.end(), run->id) == came.end();
    });
    if (stayed != runs.end()) follow_or_leave(of, **stayed);
  }
}

}  // namespace xlab
