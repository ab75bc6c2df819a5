// Small pictures of a memory, as many as there is room for.
#include "ui/memory_reel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "ui/ground.hpp"
#include "ui/memory_shown.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr float kSmallestPicture = 46.0f, kLargestPicture = 150.0f, kGap = 6.0f;

/// "C / exp(m)": what is drawn.
std::string drawn_value(const BlockCard& block) {
  const MemoryCard& memory = block.values->memory;
  const std::string symbol = symbol_of(block, memory.state);
  return memory.scale.empty() ? symbol
                              : fmt::format("{} / exp({})", symbol, symbol_of(block, memory.scale));
}

/// What stands under a picture: the step, and its token where there is room.
std::vector<std::string> labels_of(const Scene& scene, int step) {
  std::vector<std::string> labels;
  const SequenceStatus& sequence = scene.snapshot.sequence;
  if (step < static_cast<int>(sequence.tokens.size()))
    labels.push_back(fmt::format(
        "{}: {}", step,
        token_label(scene.snapshot.model.get(), sequence.tokens[static_cast<std::size_t>(step)])));
  labels.push_back(std::to_string(step));
  return labels;
}

}  // namespace

std::vector<int> spread_steps(int length, int most, const std::vector<int>& wanted) {
  std::vector<int> steps;
  const int count = std::clamp(most, 0, length);
  for (int i = 0; i < count; ++i)
    steps.push_back(count == 1 ? length - 1
                               : static_cast<int>(std::lround(static_cast<double>(i) *
                                                              (length - 1) / (count - 1))));
  // The nearest one gives way, but the ends only where nothing else can.
  for (const int step : wanted) {
    if (step < 0 || step >= length || steps.empty()) continue;
    if (std::find(steps.begin(), steps.end(), step) != steps.end()) continue;
    auto nearest = steps.end();
    for (auto it = steps.begin(); it != steps.end(); ++it) {
      const bool end = it == steps.begin() || it + 1 == steps.end();
      const bool taken = std::find(wanted.begin(), wanted.end(), *it) != wanted.end();
      if (taken || (end && steps.size() > 3)) continue;
      if (nearest == steps.end() || std::abs(*it - step) < std::abs(*nearest - step)) nearest = it;
    }
    if (nearest != steps.end()) *nearest = step;
    std::sort(steps.begin(), steps.end());
  }
  return steps;
}

void MemoryReel::draw(Scene& scene, Painter& painter, const BlockCard& block,
                      const MemoryFilm& film, const ReelMarks& marks, Box box, HoverCard& card) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  if (box.height() > 6 * line) {
    const std::string titles[] = {"memory after each step", "memory"};
    painter.first_in(box.cut_top(line), palette.text, titles, Align::left, Weight::bold);
    box.cut_top(painter.px(3));
  }
  Box foot = box.height() > 5 * line ? box.cut_bottom(line) : Box{};
  box.cut_bottom(painter.px(3));
  const float aspect = film.columns() > 0
                           ? static_cast<float>(film.rows()) / static_cast<float>(film.columns())
                           : 1.0f;
  const float gap = painter.px(kGap);
  // As large as they can be with all steps, at least so large.
  float width = painter.px(kSmallestPicture), height = 0.0f;
  int columns = 1, rows = 1;
  const auto arrange = [&](float wide) {
    width = wide;
    height = std::max(painter.px(10), width * aspect);
    columns = std::max(1, static_cast<int>((box.width() + gap) / (width + gap)));
    rows = std::max(1, static_cast<int>((box.height() + gap) / (height + line + gap)));
  };
  for (float wide = std::min(painter.px(kLargestPicture), box.width());
       wide > painter.px(kSmallestPicture); wide -= painter.px(2)) {
    arrange(wide);
    if (columns * rows >= film.length() &&
        static_cast<float>(rows) * (height + line + gap) <= box.height() + gap)
      break;
  }
  if (columns * rows < film.length()) arrange(std::min(painter.px(kSmallestPicture), box.width()));
  const std::vector<int> steps =
      spread_steps(film.length(), columns * rows, {marks.read, marks.written});
  const double range = film.largest() > 0.0 ? film.largest() : 1.0;
  const ColourScale colours(palette, MapName::signed_values, 0.0, range);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto column = static_cast<float>(i % static_cast<std::size_t>(columns));
    const auto row = static_cast<float>(i / static_cast<std::size_t>(columns));
    const ImVec2 at{box.min.x + column * (width + gap), box.min.y + row * (height + line + gap)};
    picture(scene, painter, film, colours, marks, steps[i],
            {at, {at.x + width, at.y + height + line}}, card);
  }
  if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) drag_.let_go();
  if (foot.empty()) return;
  Outside beyond;
  for (const int step : steps) {
    const Outside here = outside(film.picture(step), colours);
    beyond.nan += here.nan;
    beyond.plus_inf += here.plus_inf;
    beyond.minus_inf += here.minus_inf;
  }
  Legend legend{drawn_value(block), "one range for all steps", "", beyond};
  legend.brief = "one range";
  if (film.reduced()) legend.transform = "largest |x| of a pixel";
  if (static_cast<int>(steps.size()) < film.length())
    legend.more = fmt::format("{} of {} steps are shown.", steps.size(), film.length());
  draw_legend(painter, foot, colours, legend);
  explain_legend(scene, foot, colours, legend);
}

void MemoryReel::picture(Scene& scene, Painter& painter, const MemoryFilm& film,
                         const ColourScale& colours, const ReelMarks& marks, int step,
                         const Box& cell, HoverCard& card) {
  const Palette& palette = painter.palette();
  Box map = cell;
  const Box label = map.cut_bottom(painter.line_height());
  const bool read = step == marks.read, written = step == marks.written;
  draw_heat(painter, scene.images, fmt::format("faces/{}", step), map, film.picture(step),
            film.rows(), film.columns(), colours);
  painter.outline({{map.min.x - 1, map.min.y - 1}, {map.max.x + 1, map.max.y + 1}},
                  read      ? palette.cursor
                  : written ? gate_style(palette, 'i').colour
                            : palette.grid,
                  read || written ? 1.6f * painter.line_width() : 1.0f);
  const std::vector<std::string> labels = labels_of(scene, step);
  painter.first_in(label, read || written ? palette.text : palette.muted_text, labels,
                   Align::centre, read || written ? Weight::bold : Weight::regular);
  const Touch mouse = touch(fmt::format("reel{}", step).c_str(), cell);
  if (mouse.pressed) drag_.to(scene, step);
  if (!mouse.hovered) return;
  card.set({{fmt::format("memory after t = {}", labels.front()), true},
            {std::isfinite(film.largest(step))
                 ? fmt::format("largest |x| = {}", short_number(film.largest(step)))
                 : std::string("it holds numbers that are none")}});
  if (written) card.add("what was written here is looked at");
  card.add("click: move the cursor");
}

}  // namespace xlab::ui
