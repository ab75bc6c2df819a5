// The first hint: a pulsing ring on a curve that can be dragged, and a sentence beside it.
#include "ui/first_hint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr double kPulse = 60.0;  ///< seconds the hint moves

bool in_block(const Scene& scene) {
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  return block && !scene.focus.hint_target.empty() &&
         value_prefix(scene.focus.hint_target) == block->prefix;
}

}  // namespace

void FirstHint::follow(const Scene& scene) {
  lane_ = {};
  if (scene.focus.hint_target.empty()) scrolled_to_.clear();
  if (!in_block(scene)) return;
  const double now = ImGui::GetTime();
  if (pulsing_ != scene.focus.hint_target) {
    pulsing_ = scene.focus.hint_target;
    pulse_began_ = now;
    pulsed_out_ = false;
  }
  pulsed_out_ = pulsed_out_ || now - pulse_began_ >= kPulse;
}

bool FirstHint::animating(const Scene& scene) const {
  return in_block(scene) && !(pulsed_out_ && pulsing_ == scene.focus.hint_target);
}

bool FirstHint::is_about(const Scene& scene, const std::string& path) {
  const std::string& target = scene.focus.hint_target;
  return !target.empty() && (target == path || target + "_pre" == path);
}

void FirstHint::bring_into_view(const Scene& scene, const std::string& path, const Box& lane) {
  if (!is_about(scene, path)) return;
  const ImVec2 size = ImGui::GetWindowSize();
  const std::string now = fmt::format("{} {} {} {}", path, size.x, size.y, scene.scale);
  if (scrolled_to_ == now) return;
  scrolled_to_ = now;
  ImGui::SetScrollFromPosY(lane.centre().y - ImGui::GetWindowPos().y, 0.5f);
}

void FirstHint::draw(const Scene& scene, Painter& painter, const TimeWindow& window,
                     const Box& seen) const {
  if (!lane_.lane) return;
  const int last = window.first() + window.count() - 1;
  const int step = std::clamp(scene.snapshot.sequence.cursor, window.first(), last);
  const float* value = nullptr;
  for (const DrawnCurve& curve : lane_.lane->curves) {
    if (curve.main) value = value_at(curve.series, step);
  }
  if (!value || !std::isfinite(*value)) return;
  const Palette& palette = painter.palette();
  const ImVec2 at{window.x(step), lane_.axis.y(*value, lane_.box)};
  const float beat =
      pulsed_out_ ? 0.5f : 0.5f + 0.5f * static_cast<float>(std::sin(ImGui::GetTime() * 4.0));
  painter.ring(at, painter.px(6.0f + 5.0f * beat), with_alpha(palette.accent, 1.0f - 0.6f * beat),
               painter.px(2.5f));
  painter.disc(at, painter.px(4.5f), palette.accent);
  if (!scene.focus.hint.empty()) bubble(scene, painter, window, seen, at);
}

/// The sentence, in as many lines as its lane is narrow.
void FirstHint::bubble(const Scene& scene, Painter& painter, const TimeWindow& window,
                       const Box& seen, ImVec2 at) const {
  const Palette& palette = painter.palette();
  const Box& box = lane_.box;
  const float line = painter.line_height();
  float pad = painter.px(7);
  std::vector<std::string> words;
  ImVec2 size;
  const auto break_for = [&](const Box& within) {
    words =
        painter.broken(scene.focus.hint, std::max(within.width() - 2 * pad, line), Weight::bold);
    float widest = 0.0f;
    for (const std::string& row : words)
      widest = std::max(widest, painter.measure(row, Weight::bold).x);
    size = {widest + 2 * pad, line * static_cast<float>(words.size()) + painter.px(4)};
  };
  break_for(box);
  const bool in_lane = size.y <= box.height();
  // Where it is higher than its lane it has fewer and longer lines, so that it leaves the gate to
  // be seen.
  const Box all{seen.min, {box.max.x, seen.max.y}};
  if (!in_lane) {
    pad = painter.px(3);
    break_for(all);
  }
  const Box room = in_lane ? box : all;
  const Box best = free_place(painter, window, room, size, at);
  const ImVec2 joint{std::clamp(at.x, best.min.x, best.max.x),
                     std::clamp(at.y, best.min.y, best.max.y)};
  painter.line(at, joint, {palette.accent, painter.px(1.5f)});
  painter.fill(best, palette.accent, painter.px(5));
  Box rows = best;
  rows.cut_top(painter.px(2));
  for (const std::string& row : words) {
    painter.text_in(rows.cut_top(line), readable_on(palette.accent), row, Align::centre,
                    Weight::bold);
  }
}

/// Where a bubble of this size beside `at` covers least of the curves.
Box FirstHint::free_place(const Painter& painter, const TimeWindow& window, const Box& room,
                          ImVec2 size, ImVec2 at) const {
  const float away = painter.px(16);
  const float tops[] = {at.y + away, at.y - away - size.y, at.y - size.y / 2};
  const float lefts[] = {at.x - size.x - away, at.x + away, at.x - size.x / 2};
  Box best;
  int fewest = std::numeric_limits<int>::max();
  for (const float top : tops) {
    for (const float left : lefts) {
      Box bubble;
      bubble.min = {std::clamp(left, room.min.x, std::max(room.min.x, room.max.x - size.x)),
                    std::clamp(top, room.min.y, std::max(room.min.y, room.max.y - size.y))};
      bubble.max = {bubble.min.x + size.x, bubble.min.y + size.y};
      const Box guard = {{bubble.min.x - 3, bubble.min.y - 3},
                         {bubble.max.x + 3, bubble.max.y + 3}};
      int covered = guard.contains(at) ? 1000 : 0;
      for (const DrawnCurve& curve : lane_.lane->curves) {
        for (std::size_t i = 0; i < curve.series.steps.size(); ++i) {
          const ImVec2 p{window.x(curve.series.steps[i]),
                         lane_.axis.y(curve.series.values[i], lane_.box)};
          if (guard.contains(p)) covered += curve.main ? 10 : 1;
        }
      }
      if (covered < fewest) {
        fewest = covered;
        best = bubble;
      }
    }
  }
  return best;
}

}  // namespace xlab::ui
