// How the engine writes runs into their files: the one on screen, or all of them into one.
#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "core/bench_file.hpp"
#include "core/engine/worker.hpp"
#include "core/utf8.hpp"

namespace xlab {

bool Engine::Worker::is_bench_of_live(const std::string& path) const {
  if (!live->in_bench) return false;
  return path.empty() || is_file(live->path, path);
}

std::string Engine::Worker::why_bench_not_saved() const {
  for (const auto& run : runs) {
    if (!run->cannot_save().empty())
      return fmt::format("'{}' keeps the runs from being saved as one file. {}",
                         printable(run->name(), 80), run->cannot_save());
  }
  return {};
}

BenchRecord Engine::Worker::bench_record(std::vector<bool>& own_numbers) {
  BenchRecord bench;
  bench.focus = static_cast<int>(place_of_run(*live));
  own_numbers.clear();
  for (const auto& run : runs) {
    auto [record, own] = record_now(*run);
    const int sequence = another_in_group(*run) ? run->group : 0;
    bench.runs.push_back({std::move(record), run->colour, run->shown, sequence});
    own_numbers.push_back(own);
  }
  return bench;
}

void Engine::Worker::check_nobody_is_in(const std::string& path) const {
  for (const auto& other : runs) {
    check(other.get() == live || !is_file(other->path, path) || other->unsaved,
          "'{}' holds the run '{}', which is open too, and is not overwritten. Save this run under "
          "another name with Save as.",
          path, printable(other->name(), 80));
  }
}

void Engine::Worker::save_to(const std::string& path, std::uint64_t ticket) {
  // A file that holds other runs too is never written with one of them alone.
  if (is_bench_of_live(path)) {
    save_bench_to(live->path, false, ticket);
    return;
  }
  if (!live->cannot_save().empty()) throw Error(live->cannot_save());
  const std::string target = path.empty() ? live->path : path;
  check(!target.empty(), "The run has no file yet: choose a name to save it under.");
  begin_saving({.path = target, .runs = {}, .named = !path.empty(), .ticket = ticket});
}

void Engine::Worker::save_bench_to(const std::string& path, bool named, std::uint64_t ticket) {
  if (const std::string reason = why_bench_not_saved(); !reason.empty()) throw Error(reason);
  check(!path.empty(), "The runs have no file yet: choose a name to save them under.");
  begin_saving({.path = path, .runs = {}, .bench = true, .named = named, .ticket = ticket});
}

void Engine::Worker::begin_saving(Saving begun) {
  const auto stands = stamp_of(begun.path);
  check(begun.named || !stands || !live->stamp || stands == live->stamp,
        "'{}' was changed by another program since this run was opened or saved here, and is not "
        "overwritten. {}",
        begun.path,
        begun.bench ? "Save the runs under another name with Save all runs as."
                    : "Save this run under another name with Save as.");
  if (!begun.named && !begun.bench) check_nobody_is_in(begun.path);
  std::vector<LiveRun*> all;
  if (begun.bench) {
    for (const auto& run : runs) all.push_back(run.get());
  } else {
    all.push_back(live);
  }
  const auto write = [&] {
    begun.runs.clear();
    for (const LiveRun* of : all)
      begun.runs.push_back({of->id, of->run().trainer->steps_done(), of->changes,
                            std::make_shared<const LiveRun::Work>(of->work_now())});
    if (begun.bench) {
      std::vector<bool> own_numbers;
      BenchRecord record = bench_record(own_numbers);
      autosave.save(std::move(record), begun.path, own_numbers);
    } else {
      auto [record, own_numbers] = record_now(*live);
      autosave.save(std::move(record), begun.path, own_numbers);
    }
  };
  try {
    write();
  } catch (const DeviceLost& e) {
    leave_lost_device(e.what());
    write();
  }
  saving = std::move(begun);
  for (LiveRun* of : all) of->unkept.clear();
}

std::string Engine::Worker::finish_save() {
  const std::optional<Autosave::Saved> saved = saving ? autosave.take_saved() : std::nullopt;
  if (!saved) return {};
  const Saving done = *std::exchange(saving, {});
  urgent = dirty = true;
  if (!saved->problem.empty()) {
    for (const Saving::Part& part : done.runs) {
      LiveRun& of = run_with(part.run);
      if (of.unsaved) of.unkept.note_change();
    }
    fail("save", saved->problem);
    return saved->problem;
  }
  // Whose file it was until now, and is not any more.
  history.file_written(done.path, saved->stamp);
  for (const auto& run : runs) run->file_written(done.path, saved->stamp);
  std::shared_ptr<const OpenNote> note_on_it;
  for (const Saving::Part& part : done.runs) {
    LiveRun& of = run_with(part.run);
    const bool own_file = !of.path.empty() && of.path != done.path;
    if (done.named || !own_file) {
      if (of.path != done.path || of.in_bench != done.bench) {
        if (!note_on_it) note_on_it = note_on(done.path);
        of.open_note = note_on_it;
      }
      of.path = done.path;
      of.in_bench = of.stored_in_bench = done.bench;
      of.stamp = saved->stamp;
    }
    of.saved_step = part.step;
    if (is_file(of.path, done.path)) of.replaced_steps = 0;
    of.note_in_file(part.work);
    if (of.changes != part.changes) {
      of.unsaved = true;
      continue;
    }
    of.unsaved = false;
    of.unkept.clear();
    autosave.drop(of.run().kept_as);
  }
  ++draft.saves;
  draft.saved = done.ticket;
  note(done.bench ? fmt::format("Saved {} run{} to {}", done.runs.size(),
                                done.runs.size() == 1 ? "" : "s", done.path)
                  : fmt::format("Saved to {}", done.path));
  if (live->path == done.path)
    tell_of_others("It has what was saved here only when it opens the file again.");
  return {};
}

}  // namespace xlab
