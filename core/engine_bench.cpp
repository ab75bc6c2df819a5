// The bench: which runs the engine has, and which one is on screen.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "core/engine_worker.hpp"
#include "core/last_copy.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

constexpr std::size_t kMostOpen = 32;

}  // namespace

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
    live->playing = false;
    live->stop_refreshing();
  }
  live = &on;
  draft.screen = nullptr;
  draft.only_selected = false;
  ++draft.run_id;
  checks.stop();
  draft.health = nullptr;
  urgent = dirty = true;
}

void Engine::Worker::focus(LiveRun& on) {
  if (&on == live) return;
  look_at(on);
  draft.device = card_of(live->device());
  draft.only_selected = true;
  show_saved_screen();
}

void Engine::Worker::insert(std::size_t place, std::unique_ptr<LiveRun> added) {
  LiveRun& run = *added;
  runs.insert(runs.begin() + static_cast<std::ptrdiff_t>(std::min(place, runs.size())),
              std::move(added));
  use_trainer(run);
  look_at(run);
}

std::unique_ptr<LiveRun> Engine::Worker::take_off(LiveRun& of) {
  check(runs.size() > 1, "The last run stays: open another one in its place.");
  const std::size_t place = place_of_run(of);
  std::unique_ptr<LiveRun> taken = set_aside(of);
  check(taken != nullptr,
        "'{}' is too large to be kept for Undo, so it is not removed. Open another run in its "
        "place.",
        printable(of.name(), 80));
  runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(place));
  if (live != taken.get()) {
    dirty = urgent = true;
    return taken;
  }
  live = nullptr;
  focus(*runs[std::min(place, runs.size() - 1)]);
  return taken;
}

void Engine::Worker::add_beside(std::unique_ptr<LiveRun> added, const char* name,
                                std::size_t place) {
  check(runs.size() < kMostOpen, "There are {} runs already, and no more are held at once.",
        runs.size());
  added->id = ++last_run;
  added->colour = free_colour();
  if (added->unsaved) added->note_change();
  RunPlace before;
  before.place = place;
  insert(place, std::move(added));
  remember(name, std::move(before));
  go_to_device();
  limit_kept_runs();
}

void Engine::Worker::duplicate_run(const command::DuplicateRun& c) {
  LiveRun& of = run_with(c.run);
  of.note_place();
  const Run& run = of.run();
  const auto any = [this](auto is_so) { return std::any_of(runs.begin(), runs.end(), is_so); };
  // Asked for again and again, it is another one each time.
  std::uint64_t seed = run.trainer->spec().seed + 1;
  while (any([&](const auto& r) { return r->run().trainer->spec().seed == seed; })) ++seed;
  auto made = std::make_unique<LiveRun>(c.other_seed ? restart_run(run, seed) : duplicate(run));
  const std::string name =
      fmt::format("{}, {}", of.name(), c.other_seed ? fmt::format("seed {}", seed) : "copy");
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
  add_beside(std::move(made), c.other_seed ? "another seed beside" : "duplicate",
             place_of_run(of) + 1);
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
  LiveRun& of = run_with(c.run);
  RunPlace before;
  before.place = place_of_run(of);
  before.run = take_off(of);
  Edit edit{.name = "removing a run", .before = std::move(before), .run = c.run};
  if (!history.add(std::move(edit), Clock::now()))
    tell("The removed run could not be kept: there is no way back to it with Undo.");
  limit_kept_runs();
}

void Engine::Worker::exchange(RunPlace& before, int run) {
  if (!before.run) {
    before.run = take_off(run_with(run));
    return;
  }
  runs.reserve(runs.size() + 1);
  before.run->wake();
  before.run->open_note = OpenNote(autosave.root(), before.run->path);
  // The place is empty after that, and asks for the run to be taken off again.
  insert(before.place, std::move(before.run));
}

}  // namespace xlab
