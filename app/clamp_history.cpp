// An edit is known by comparing the clamps of consecutive snapshots.
#include "app/clamp_history.hpp"

#include <algorithm>
#include <utility>

namespace xlab::app {
namespace {

constexpr std::size_t kMostEdits = 200;
constexpr int kDragPauseMs = 700;

bool same_place(const Clamp& a, const Clamp& b) {
  return a.path == b.path && a.head == b.head && a.unit == b.unit && a.begin == b.begin &&
         a.end == b.end;
}

/// Whether only values differ.
bool same_places(const std::vector<Clamp>& a, const std::vector<Clamp>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Clamp& x, const Clamp& y) {
    return same_place(x, y) && x.enabled == y.enabled;
  });
}

/// Whether both lists hold the same clamps, in any order.
bool same_clamps(const std::vector<Clamp>& a, const std::vector<Clamp>& b) {
  return std::is_permutation(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

std::vector<Command> clamp_commands(const std::vector<Clamp>& from, const std::vector<Clamp>& to) {
  if (to.empty()) return {command::ClearClamps{}};
  std::vector<Command> commands;
  const auto place_in = [](const std::vector<Clamp>& list, const Clamp& clamp) {
    return std::find_if(list.begin(), list.end(),
                        [&](const Clamp& other) { return same_place(clamp, other); });
  };
  for (int i = static_cast<int>(from.size()) - 1; i >= 0; --i) {
    if (place_in(to, from[static_cast<std::size_t>(i)]) == to.end()) {
      commands.emplace_back(command::RemoveClamp{i});
    }
  }
  for (const Clamp& clamp : to) {
    const auto kept = place_in(from, clamp);
    if (kept == from.end() || !(*kept == clamp)) commands.emplace_back(command::SetClamp{clamp});
  }
  return commands;
}

ClampHistory::ClampHistory(Stage& stage, QObject* parent) : QObject(parent), stage_(stage) {
  connect(&stage.engine(), &EngineLink::changed, this, &ClampHistory::follow_snapshot);
  connect(&stage.engine(), &EngineLink::run_changed, this, &ClampHistory::clear);
  since_edit_.start();
}

void ClampHistory::follow_snapshot() {
  const Clamps& clamps = stage_.snapshot().session.clamps;
  if (clamps == now_) return;
  const Clamps before = std::exchange(now_, clamps);
  if (expected_) {
    // Snapshots on the way to where an undo leads are not edits.
    if (same_clamps(clamps, *expected_)) expected_.reset();
    return;
  }
  const bool drag = same_places(before, clamps) && since_edit_.elapsed() < kDragPauseMs;
  since_edit_.restart();
  if (drag && !past_.empty()) return;
  past_.push_back(before);
  if (past_.size() > kMostEdits) past_.erase(past_.begin());
  future_.clear();
  emit changed();
}

void ClampHistory::clear() {
  past_.clear();
  future_.clear();
  expected_.reset();
  now_ = stage_.snapshot().session.clamps;
  emit changed();
}

void ClampHistory::undo() {
  if (past_.empty()) return;
  future_.push_back(now_);
  Clamps target = std::move(past_.back());
  past_.pop_back();
  go_to(std::move(target));
}

void ClampHistory::redo() {
  if (future_.empty()) return;
  past_.push_back(now_);
  Clamps target = std::move(future_.back());
  future_.pop_back();
  go_to(std::move(target));
}

void ClampHistory::go_to(Clamps target) {
  // The newest list counts, also when a drag has moved on since the last picture.
  const Clamps newest = stage_.engine().engine().snapshot()->session.clamps;
  for (Command& command : clamp_commands(newest, target)) stage_.send(std::move(command));
  if (!same_clamps(newest, target)) expected_ = std::move(target);
  emit changed();
}

}  // namespace xlab::app
