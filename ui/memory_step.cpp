// Before, kept, written, after.
#include "ui/memory_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/symbol_card.hpp"

namespace xlab::ui {
namespace {

struct StepMap {
  std::vector<std::string> titles;  ///< long to short
  std::span<const float> cells;
};

std::array<StepMap, 4> maps_of(const BlockCard& block, const MemoryStep& shown) {
  const std::string C = symbol_of(block, block.values->memory.state);
  const std::string write = symbol_of(block, block.values->memory.write);
  const std::string forget =
      symbol_of(block, block.values->find(block.values->memory.state)->inputs.front());
  const std::string number = short_number(shown.forget);
  return {StepMap{{fmt::format("before: {}₋₁", C), "before"}, shown.before},
          StepMap{{fmt::format("kept: {} {}₋₁, {} = {}", forget, C, forget, number),
                   fmt::format("kept, {} = {}", forget, number), "kept"},
                  shown.kept},
          StepMap{{fmt::format("+ written: {}", write), "+ written", "+"}, shown.written},
          StepMap{{fmt::format("= after: {}", C), "= after", "="}, shown.after}};
}

/// Columns and rows in which four maps are largest.
struct StepGrid {
  int columns = 1;
  float width = 0.0f, height = 0.0f;  ///< of a map
};
StepGrid fit_grid(const Painter& painter, const MemoryStep& shown, const Box& box) {
  const float gap = painter.px(10), line = painter.line_height() + painter.px(3);
  StepGrid best;
  float most = 0.0f;
  for (const int columns : {1, 2, 4}) {
    const auto across = static_cast<float>(columns), down = static_cast<float>(4 / columns);
    const float wide = (box.width() - gap * (across - 1)) / across;
    const float high = (box.height() - (gap + line) * down + gap) / down;
    const float scale =
        std::min(wide / static_cast<float>(shown.values), high / static_cast<float>(shown.keys));
    if (!(scale > most)) continue;
    most = scale;
    best = {columns, std::floor(scale * static_cast<float>(shown.values)),
            std::floor(scale * static_cast<float>(shown.keys))};
  }
  return best;
}

void describe_step(const BlockCard& block, const MemoryStep& shown, int key, int value,
                   HoverCard& card) {
  const auto at = [&](const std::vector<float>& cells) {
    return short_number(
        cells[static_cast<std::size_t>(key) * static_cast<std::size_t>(shown.values) +
              static_cast<std::size_t>(value)]);
  };
  card.set({{fmt::format("{}[{}, {}] = {}", symbol_of(block, block.values->memory.state), key,
                         value, at(shown.after)),
             true},
            {fmt::format("{} · {} + {}", short_number(shown.forget), at(shown.before),
                         at(shown.written))},
            {fmt::format("kept {}, written {}", at(shown.kept), at(shown.written))},
            {fmt::format("head {}, key {}, value {}, t = {}", shown.head, key, value, shown.step)},
            {"click: pin"}});
}

}  // namespace

MemoryStep memory_step(const Snapshot& snapshot, const BlockCard& block, const MemoryImage& image,
                       int head) {
  const ValueCard* state = block.values->find(block.values->memory.state);
  const Trace* trace = snapshot.trace.get();
  const auto size =
      static_cast<std::size_t>(image.key_dim) * static_cast<std::size_t>(image.value_dim);
  const std::size_t all = size * static_cast<std::size_t>(std::max(image.heads, 0));
  if (!state || state->inputs.empty() || !trace || image.C.size() != all ||
      image.previous.size() != all || head < 0 || head >= image.heads)
    return {};
  const auto recorded = [&](const std::string& name, std::int64_t dim) -> const Recorded* {
    const Recorded* r = trace->find(image.step, block.path(name));
    return r && r->dim == dim && head < r->heads ? r : nullptr;
  };
  const Recorded* forget = recorded(state->inputs.front(), 1);
  const std::vector<const ValueCard*> factors = write_factors(block);
  std::vector<const Recorded*> numbers;
  for (const ValueCard* factor : factors)
    numbers.push_back(recorded(factor->name, block.numbers(factor->extent)));
  if (!forget || factors.empty() || std::ranges::count(numbers, nullptr) > 0) return {};
  MemoryStep shown{image.step, head, image.key_dim, image.value_dim, forget->at(head, 0)};
  const auto part = [&](const std::vector<float>& heads) {
    const auto begin = heads.begin() + static_cast<std::ptrdiff_t>(size) * head;
    return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(size));
  };
  shown.before = part(image.previous);
  shown.after = part(image.C);
  shown.kept.reserve(size);
  shown.written.reserve(size);
  // Nothing is kept of nothing, whatever stands in the gate.
  for (const float cell : shown.before)
    shown.kept.push_back(image.step == 0 ? 0.0f : shown.forget * cell);
  for (int key = 0; key < shown.keys; ++key) {
    for (int value = 0; value < shown.values; ++value) {
      float product = 1.0f;
      for (std::size_t f = 0; f < factors.size(); ++f)
        product *= numbers[f]->at(head, unit_of(*factors[f], key, value));
      shown.written.push_back(product);
    }
  }
  return shown;
}

void draw_memory_step(Scene& scene, Painter& painter, const BlockCard& block,
                      const MemoryStep& shown, Box box, std::optional<ValueRef>& hovered,
                      HoverCard& card) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const Box foot = box.height() > 6 * line ? box.cut_bottom(line) : Box{};
  box.cut_bottom(painter.px(4));
  const std::array<StepMap, 4> maps = maps_of(block, shown);
  double range = 0.0;
  for (const StepMap& map : maps) range = std::max(range, largest(map.cells));
  if (range == 0.0) range = 1.0;
  const ColourScale colours(palette, MapName::signed_values, 0.0, range);
  const StepGrid grid = fit_grid(painter, shown, box);
  if (grid.width < 2.0f || grid.height < 2.0f) return;
  Outside beyond;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const auto column = static_cast<float>(i % static_cast<std::size_t>(grid.columns));
    const auto row = static_cast<float>(i / static_cast<std::size_t>(grid.columns));
    const float gap = painter.px(10), title = line + painter.px(3);
    const ImVec2 at{box.min.x + column * (grid.width + gap),
                    box.min.y + row * (grid.height + gap + title)};
    const Box heading{at, {at.x + grid.width, at.y + line}};
    painter.first_in(heading, palette.text, maps[i].titles);
    const auto shown_title = std::find_if(
        maps[i].titles.begin(), maps[i].titles.end(),
        [&](const std::string& text) { return painter.measure(text).x <= heading.width(); });
    if (shown_title != maps[i].titles.end())
      explain_symbol(card, painter, block, heading, *shown_title);
    const Box map{{at.x, at.y + title}, {at.x + grid.width, at.y + title + grid.height}};
    draw_heat(painter, scene.images, fmt::format("memory/step{}", i), map, maps[i].cells,
              shown.keys, shown.values, colours);
    painter.outline({{map.min.x - 1, map.min.y - 1}, {map.max.x + 1, map.max.y + 1}}, palette.grid);
    const Outside here = outside(maps[i].cells, colours);
    beyond.nan += here.nan;
    beyond.plus_inf += here.plus_inf;
    beyond.minus_inf += here.minus_inf;
    const Touch mouse = touch(fmt::format("step{}", i).c_str(), map);
    if (!mouse.hovered && !mouse.held) continue;
    const auto place = [](float from, float size, int count) {
      return std::clamp(static_cast<int>(from / size * static_cast<float>(count)), 0, count - 1);
    };
    const int key = place(mouse.mouse.y - map.min.y, grid.height, shown.keys);
    const int value = place(mouse.mouse.x - map.min.x, grid.width, shown.values);
    const std::string& name = i == 2 ? block.values->memory.write : block.values->memory.state;
    // What was there before belongs to the step before, where there is one.
    const int step = i == 0 ? shown.step - 1 : shown.step;
    describe_step(block, shown, key, value, card);
    if (step < 0) continue;
    hovered = ValueRef{block.path(name), step, shown.head, key * shown.values + value};
    if (mouse.pressed) scene.focus.pinned = hovered;
  }
  if (foot.empty()) return;
  const std::string& scale = block.values->memory.scale;
  const std::string C = symbol_of(block, block.values->memory.state);
  Legend legend{scale.empty() ? C : fmt::format("{} / exp({})", C, symbol_of(block, scale)),
                fmt::format("head {}, one range for all four", shown.head), "", beyond};
  if (!scale.empty())
    legend.more = fmt::format("What was there before is stored divided by the exp({}) of then.",
                              symbol_of(block, scale));
  legend.brief = "one range";
  if (grid.width < static_cast<float>(shown.values)) legend.transform = "largest |x| of a pixel";
  draw_legend(painter, foot, colours, legend);
  explain_legend(scene, foot, colours, legend);
}

}  // namespace xlab::ui
