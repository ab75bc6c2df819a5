// One sequence that several runs share: the same tokens and one cursor, each with its own weights
// and clamps. What is done to it is done to that of the run on screen, and the others follow.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/worker.hpp"
#include "core/utf8.hpp"

namespace xlab {

LiveRun* Engine::Worker::another_in_group(const LiveRun& of) const {
  if (of.group == 0) return nullptr;
  const auto found = std::find_if(runs.begin(), runs.end(), [&](const auto& run) {
    return run.get() != &of && run->group == of.group;
  });
  return found == runs.end() ? nullptr : found->get();
}

void Engine::Worker::leave_group(LiveRun& of, const std::string& why) {
  of.group = 0;
  of.dirty = true;
  tell(
      fmt::format("'{}' no longer follows the shared sequence. {}", printable(of.name(), 80), why));
}

void Engine::Worker::follow_or_leave(LiveRun& of, const LiveRun& leader) {
  std::string why;
  try {
    if (of.model().vocabulary != leader.model().vocabulary) {
      why = "It has other tokens.";
    } else {
      of.follow(leader);
      return;
    }
  } catch (const DeviceLost&) {
    throw;
  } catch (const std::exception& e) {
    why = e.what();
  }
  leave_group(of, why);
}

void Engine::Worker::follow_sequence(const command::FollowSequence& c) {
  LiveRun& of = run_with(c.run);
  FollowBefore before{.run = of.id,
                      .groups = {{of.id, of.group}, {live->id, live->group}},
                      .tokens = of.tokens_now()};
  if (!c.on) {
    if (!another_in_group(of)) return;
    before.groups.resize(1);
    of.group = 0;
  } else {
    check(&of != live,
          "The run on screen has the sequence that others can follow: choose another.");
    if (of.group != 0 && of.group == live->group) return;
    check(!of.run().task->series() && !live->run().task->series(),
          "Models that foretell a series do not follow one another.");
    check(of.model().vocabulary == live->model().vocabulary,
          "'{}' has other tokens than '{}', so it cannot follow its sequence.",
          printable(of.name(), 80), printable(live->name(), 80));
    of.follow(*live);
    if (live->group == 0) live->group = ++last_group;
    of.group = live->group;
  }
  of.dirty = true;
  of.note_change();
  history.add(
      {c.on ? "following a sequence" : "leaving a shared sequence", std::move(before), of.id},
      Clock::now());
}

void Engine::Worker::exchange(FollowBefore& before) {
  LiveRun& of = run_with(before.run);
  for (const auto& [run, group] : before.groups) run_with(run);
  of.exchange(before.tokens);
  of.note_change();
  for (auto& [run, group] : before.groups) std::swap(run_with(run).group, group);
  // What was written in the shared sequence meanwhile is in it still.
  if (const LiveRun* other = another_in_group(of)) follow_or_leave(of, *other);
  dirty = true;
}

void Engine::Worker::sync_followers() {
  if (!live || live->group == 0) return;
  for (const auto& run : runs)
    if (run.get() != live && run->group == live->group) follow_or_leave(*run, *live);
}

void Engine::Worker::work_on_followers() {
  LiveRun* next = nullptr;  // to be computed again with newer weights
  for (const auto& run : runs) {
    LiveRun& of = *run;
    if (&of == live || live->group == 0 || of.group != live->group) continue;
    if (of.outstanding()) {
      // What failed would fail again.
      guarded(
          "sequence", [&] { of.compute_slice(stop); },
          [&] {
            of.give_up_the_rest();
            leave_group(of, "Its part of the sequence could not be computed.");
          });
      dirty = true;
      if (!outstanding()) urgent = true;
      return;
    }
    if (of.refreshing()) {
      next = &of;
      break;
    }
    if (of.stale() && (!next || of.refresh_due() < next->refresh_due())) next = &of;
  }
  // All that train share the time that the one on screen has for that.
  if (!next || (next->training() && !next->refreshing() && Clock::now() < followers_due)) return;
  guarded(
      "refresh", [&] { next->refresh_if_due(stop); },
      [&] {
        next->give_up_refreshing();
        leave_group(*next, "Its part of the sequence could not be computed.");
      });
  if (!next->stale()) followers_due = next->refresh_due();
}

void Engine::Worker::describe_followers() {
  draft.followers.clear();
  if (live->group == 0) return;
  for (const auto& run : runs)
    if (run.get() != live && run->group == live->group)
      draft.followers.push_back(run->view(live->run().sampler));
}

void Engine::Worker::join_as_in_file(const std::vector<std::unique_ptr<LiveRun>>& fresh,
                                     const std::vector<int>& in_file) {
  std::map<int, LiveRun*> first;
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (in_file[i] == 0) continue;
    LiveRun*& leader = first[in_file[i]];
    if (!leader) {
      leader = fresh[i].get();
      leader->group = ++last_group;
    } else {
      fresh[i]->group = leader->group;
      follow_or_leave(*fresh[i], *leader);
    }
  }
}

}  // namespace xlab
