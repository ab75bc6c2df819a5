// Columns and scale of the proof's rows.
#include "ui/proof_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace xlab::ui {

ProofColumns proof_columns(const Painter& painter, Box row, std::string_view widest) {
  ProofColumns columns;
  columns.mark = row.cut_left(painter.px(20));
  const float number =
      std::max(painter.measure("1.00e−16").x, painter.measure("no number", Weight::bold).x) + 1;
  columns.number = row.cut_right(std::min(number, row.width() * 0.4f));
  row.cut_right(painter.px(8));
  const float names = painter.measure(widest).x + painter.px(14);
  const bool track = row.width() - names > painter.px(44);
  columns.name = row.cut_left(track ? names : row.width());
  columns.track = row;
  return columns;
}

float LogScale::place(double number) const {
  if (!(number > low)) return std::isnan(number) ? 1.0f : 0.0f;
  return static_cast<float>(std::clamp(std::log(number / low) / std::log(high / low), 0.0, 1.0));
}

void LogScale::label(Painter& painter, const Box& row, std::span<const int> powers) const {
  std::vector<Box> taken;
  for (const int power : powers) {
    const double number = std::pow(10.0, power);
    const bool lowest = place(number) <= 0.0f;
    const std::string label = lowest      ? "0"
                              : power < 0 ? fmt::format("1e−{}", -power)
                                          : fmt::format("{:.0f}", number);
    const float x = row.min.x + row.width() * place(number);
    const float half = painter.measure(label).x / 2 + painter.px(3);
    const Box box{{x - half, row.min.y}, {x + half, row.max.y}};
    const bool free = std::none_of(taken.begin(), taken.end(), [&](const Box& other) {
      return other.min.x < box.max.x && box.min.x < other.max.x;
    });
    if (!free) continue;
    taken.push_back(box);
    painter.text_in(box, painter.palette().muted_text, label, Align::centre);
  }
}

}  // namespace xlab::ui
