// Which curves the loss view draws, and how each looks.
#include "ui/loss_lines.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace xlab::ui {

std::size_t nearest_point(const LossCurve& losses, double step) {
  const auto* const after = std::lower_bound(
      losses.begin(), losses.end(), step,
      [](const LossPoint& point, double s) { return static_cast<double>(number_of(point)) < s; });
  if (after == losses.end()) return losses.size() - 1;
  const auto i = static_cast<std::size_t>(after - losses.begin());
  if (i == 0) return 0;
  const double before = step - static_cast<double>(number_of(losses[i - 1]));
  return before <= static_cast<double>(number_of(*after)) - step ? i - 1 : i;
}

std::vector<LossLine> loss_lines(const Snapshot& snapshot, const Palette& palette) {
  std::vector<LossLine> lines;
  for (const auto& run : snapshot.runs) {
    if (!run->shown || !run->losses || run->losses->empty()) continue;
    lines.push_back({.run = run->id,
                     .name = run->name,
                     .task = run->task,
                     .style = run_style(palette, run->colour),
                     .focused = run->id == snapshot.focused_run,
                     .losses = run->losses.get()});
  }
  if (snapshot.runs.empty() && snapshot.losses && !snapshot.losses->empty())
    lines.push_back(
        {.style = run_style(palette, 0), .focused = true, .losses = snapshot.losses.get()});
  return lines;
}

std::vector<LossLine> LossLines::of(const Snapshot& snapshot, const Palette& palette, int columns) {
  std::vector<LossLine> lines = loss_lines(snapshot, palette);
  std::map<int, ThinLosses> kept;
  for (LossLine& line : lines) {
    ThinLosses& thin = kept[line.run];
    if (const auto before = thin_.find(line.run); before != thin_.end())
      thin = std::move(before->second);
    thin.follow(*line.losses, columns);
  }
  thin_ = std::move(kept);
  for (LossLine& line : lines) line.thin = &thin_.at(line.run);
  std::stable_partition(lines.begin(), lines.end(),
                        [](const LossLine& line) { return !line.focused; });
  return lines;
}

std::size_t LossLines::looked_at() const {
  std::size_t all = 0;
  for (const auto& [run, thin] : thin_) all += thin.looked_at();
  return all;
}

bool of_different_tasks(const std::vector<LossLine>& lines) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const LossLine& line) { return line.task != lines.front().task; });
}

Stroke every_step(const Painter& painter, const LossLine& line) {
  // Steps go up and down, so dashes would be dust.
  return {mix(line.style.colour, painter.palette().panel, 0.35f),
          std::max(1.0f, painter.line_width() * 0.7f)};
}

Stroke smoothed_line(const Painter& painter, const LossLine& line) {
  return {line.style.colour, painter.line_width() * (line.focused ? 1.6f : 1.0f), line.style.dash};
}

}  // namespace xlab::ui
