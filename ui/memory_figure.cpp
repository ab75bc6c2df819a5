// The memory of one head as a map: keys down, values across, the normalizer as a strip beside it.
#include "ui/memory_figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/analysis/cell_writers.hpp"
#include "ui/ghost.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/key_channel.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr float kStrip = 11.0f, kBetween = 4.0f, kApart = 14.0f;
/// Below this share of the range a map looks empty.
constexpr double kFaint = 0.03;

/// Where the parts of a figure stand.
struct Places {
  Box title, axis, strip, map;
  int keys = 1, values = 1;

  float key_height() const { return map.height() / static_cast<float>(keys); }
  float value_width() const { return map.width() / static_cast<float>(values); }
  int key_at(float y) const {
    return std::clamp(static_cast<int>((y - map.min.y) / key_height()), 0, keys - 1);
  }
  int value_at(float x) const {
    return std::clamp(static_cast<int>((x - map.min.x) / value_width()), 0, values - 1);
  }
};

Places places_of(const Painter& painter, const MemoryShown& shown, const Box& cell,
                 const MemoryGrid& grid) {
  const float line = painter.line_height();
  const float left = grid.with_axes ? line : 0.0f;
  const ImVec2 size{std::max(1.0f, std::floor(grid.scale * static_cast<float>(shown.values))),
                    std::max(1.0f, std::floor(grid.scale * static_cast<float>(shown.keys)))};
  const float whole = left + painter.px(kStrip + kBetween) + size.x;
  // The figure stands in the middle of its cell, so that several look like one row.
  const float x = std::floor(cell.min.x + std::max(0.0f, (cell.width() - whole) / 2));
  Places places;
  places.keys = shown.keys;
  places.values = shown.values;
  places.title = {{x + left, cell.min.y},
                  {std::max(x + whole, cell.max.x - painter.px(kApart / 2)),
                   cell.min.y + (grid.with_title ? line : 0.0f)}};
  const float top = places.title.max.y + (grid.with_title ? 0.0f : painter.px(1));
  places.axis = {{x, top}, {x + left, top + size.y}};
  places.strip = {{x + left, top}, {x + left + painter.px(kStrip), top + size.y}};
  places.map = {{places.strip.max.x + painter.px(kBetween), top},
                {places.strip.max.x + painter.px(kBetween) + size.x, top + size.y}};
  return places;
}

bool is_chosen(const MemoryFrame& frame, int head) {
  return head == focused_head(frame.block, frame.scene.focus) && frame.shown.heads > 1;
}

const Recorded* recorded(const MemoryFrame& frame, const std::string& name) {
  const Trace* trace = frame.scene.snapshot.trace.get();
  return trace ? trace->find(frame.shown.step, frame.block.path(name)) : nullptr;
}

/// The logarithm that a head's memory is stored divided by; none where that was not recorded.
std::optional<float> scale_of(const MemoryFrame& frame, int head) {
  const Recorded* scale = recorded(frame, frame.block.values->memory.scale);
  if (!scale || head >= scale->heads) return std::nullopt;
  return scale->at(head, 0);
}
std::string scale_symbol(const MemoryFrame& frame) {
  return symbol_of(frame.block, frame.block.values->memory.scale);
}

/// The head's name; `alone` where only one head has room, and its name leads to the next one.
void draw_title(MemoryFrame& frame, Painter& painter, int head, const Box& title, bool alone) {
  const Palette& palette = painter.palette();
  const int heads = frame.shown.heads;
  const bool chosen = is_chosen(frame, head);
  const std::optional<float> m = scale_of(frame, head);
  const std::string symbol = scale_symbol(frame);
  const std::string name =
      alone ? fmt::format("head {} of {}", head, heads) : fmt::format("head {}", head);
  const Weight weight = chosen ? Weight::bold : Weight::regular;
  std::vector<std::string> titles;
  if (m) {
    titles.push_back(painter.fit_number(*m, title.width(), name + "   " + symbol + " = ", weight));
  }
  titles.push_back(name);
  titles.push_back(std::to_string(head));
  painter.first_in(title, chosen ? palette.text : palette.muted_text, titles, Align::left, weight);
  if (control(painter, "title", title, {.arrows = Arrows::row, .group = 1}).pressed)
    frame.scene.focus.head = alone ? (head + 1) % heads : head;
  hint(frame.scene, title,
       fmt::format("Head {} of {}.{} {}", head, heads,
                   m ? fmt::format(" {} = {}: its memory is stored divided by exp({}).", symbol,
                                   short_number(*m), symbol)
                     : std::string(),
                   alone ? "There is no room for all heads: click for the next one."
                         : "Click to put it in focus."));
}

void draw_maps(MemoryFrame& frame, Painter& painter, int head, const Places& at) {
  const Palette& palette = painter.palette();
  const MemoryShown& shown = frame.shown;
  const bool chosen = is_chosen(frame, head);
  draw_heat(painter, frame.scene.images, fmt::format("memory/{}", head), at.map,
            shown.cells_of(head), shown.keys, shown.values, frame.colours);
  painter.outline({{at.map.min.x - 1, at.map.min.y - 1}, {at.map.max.x + 1, at.map.max.y + 1}},
                  chosen ? palette.accent : palette.grid, chosen ? painter.line_width() : 1.0f);
  if (shown.n.empty()) return;
  draw_heat(painter, frame.scene.images, fmt::format("memory/n{}", head), at.strip,
            shown.n_of(head), shown.keys, 1, frame.n_colours);
  painter.outline(
      {{at.strip.min.x - 1, at.strip.min.y - 1}, {at.strip.max.x + 1, at.strip.max.y + 1}},
      palette.grid);
}

/// Names and ends of keys and values. Numbers stand at both ends; the name gets what they leave.
void draw_axes(const MemoryFrame& frame, Painter& painter, const Places& at) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height(), apart = painter.px(8);
  const std::string last_key = std::to_string(at.keys - 1);
  const std::string last_value = std::to_string(at.values - 1);
  const std::string key_names[] = {"key k (row)", "key k", "k"};
  const std::string value_names[] = {"value v (column)", "value v", "v"};
  const float digit = painter.measure("0").x;
  const float key_ends = painter.measure(last_key).x + digit + apart;
  const float value_ends = painter.measure(last_value).x + digit + apart;
  if (key_ends <= at.axis.height()) {
    painter.text_up(at.axis, palette.muted_text, "0", Align::right);
    if (at.keys > 1) painter.text_up(at.axis, palette.muted_text, last_key, Align::left);
  }
  const float key_room = at.axis.height() - 2 * (painter.measure(last_key).x + apart);
  for (const std::string& word : key_names) {
    if (painter.measure(word).x > key_room) continue;
    painter.text_up(at.axis, palette.muted_text, word);
    break;
  }
  const Box under{{at.map.min.x, at.map.max.y + 1}, {at.map.max.x, at.map.max.y + 1 + line}};
  if (value_ends <= under.width()) {
    painter.text_in(under, palette.muted_text, "0", Align::left);
    if (at.values > 1) painter.text_in(under, palette.muted_text, last_value, Align::right);
  }
  const Box middle = under.inset(painter.measure(last_value).x + apart, 0);
  painter.first_in(middle, palette.muted_text, value_names, Align::centre);
  const Box n_name{{at.strip.min.x, under.min.y}, {at.map.min.x, under.max.y}};
  const std::string keys = frame.block.values->memory.keys;
  const ValueCard* vector = frame.block.values->find(keys);
  const std::string n[] = {symbol_of(frame.block, keys)};
  if (!frame.shown.n.empty()) painter.first_in(n_name, palette.muted_text, n);
  hint(frame.scene, at.axis, "Rows of the memory: the components of the key, from 0 on top.");
  hint(frame.scene, {{at.map.min.x, under.min.y}, under.max},
       "Columns of the memory: the components of the value, from 0 at the left.");
  if (!vector) return;
  hint(frame.scene, n_name,
       fmt::format("The strip beside the memory is the {} {}, one number per key.", vector->title,
                   vector->symbol));
}

/// Writes the first of the texts that fits over a map.
void say_on(Painter& painter, const Box& map, std::span<const std::string> texts) {
  for (const std::string& text : texts) {
    const ImVec2 size = painter.measure(text);
    if (size.x + painter.px(8) > map.width() || size.y > map.height()) continue;
    const ImVec2 c = map.centre();
    const Box plate{{c.x - size.x / 2 - painter.px(4), c.y - size.y / 2},
                    {c.x + size.x / 2 + painter.px(4), c.y + size.y / 2}};
    painter.fill(plate, with_alpha(painter.palette().panel, 0.8f), painter.px(3));
    painter.text_in(plate, painter.palette().muted_text, text, Align::centre);
    return;
  }
}

/// Says on a map without visible colours why it has none.
void explain_blank(const MemoryFrame& frame, Painter& painter, int head, const Box& map) {
  const std::span<const float> cells = frame.shown.cells_of(head);
  const Outside broken = outside(cells, frame.colours);
  const double most = largest(cells), range = frame.colours.high();
  if (broken.not_numbers() == static_cast<int>(cells.size()) && !cells.empty()) {
    const std::string texts[] = {
        broken.nan == broken.not_numbers() ? "all NaN" : "no finite number", "NaN"};
    say_on(painter, map, texts);
    return;
  }
  if (!frame.locked || most >= kFaint * range) return;
  if (most <= 0.0 && broken.not_numbers() > 0) return;
  const std::string texts[] = {
      most > 0.0 ? fmt::format("|x| ≤ {} of ±{}", short_number(most), short_number(range))
                 : std::string("all 0"),
      most > 0.0 ? fmt::format("≤ {}", short_number(most)) : std::string("0")};
  say_on(painter, map, texts);
}

/// "last write i' k v = 1 · 0.5 · 2 = 1" at a cell; empty where something is missing.
std::string last_write(const MemoryFrame& frame, int head, int key, int value) {
  std::string symbols, numbers;
  double product = 1.0;
  for (const ValueCard* factor : write_factors(frame.block)) {
    const Recorded* r = recorded(frame, factor->name);
    const int unit = unit_of(*factor, key, value);
    if (!r || head >= r->heads || unit >= r->dim) return {};
    const double number = r->at(head, unit);
    product *= number;
    symbols += (symbols.empty() ? "" : " ") + factor->symbol;
    numbers += (numbers.empty() ? "" : " · ") + short_number(number);
  }
  if (symbols.empty()) return {};
  return fmt::format("last write {} = {} = {}", symbols, numbers, short_number(product));
}

/// The tokens that wrote most of what a cell holds.
void tell_writers(MemoryFrame& frame, int head, int key, int value) {
  constexpr int kMostWriters = 5;
  const Snapshot& snapshot = frame.scene.snapshot;
  if (!snapshot.trace) return;
  const CellWriters writers =
      cell_writers(*snapshot.trace, frame.block, frame.shown.step, head, key, value, kMostWriters);
  if (writers.count < 2) return;
  frame.card.add(fmt::format("most of it was written at"));
  for (const CellWriter& one : writers.largest) {
    const std::vector<int>& tokens = snapshot.sequence.tokens;
    const std::string token =
        one.step < static_cast<int>(tokens.size())
            ? token_label(snapshot.model.get(), tokens[static_cast<std::size_t>(one.step)])
            : std::string();
    frame.card.add(fmt::format("t = {} {}: {}", one.step, token, short_number(one.amount)));
  }
  const int others = writers.count - static_cast<int>(writers.largest.size());
  if (others > 0) frame.card.add(fmt::format("{} others: {}", others, short_number(writers.rest)));
}

/// "f' C₋₁ = 0.9 · 0.5": what the number of a cell comes from; empty where something is missing.
std::string left_from(const MemoryFrame& frame, int head, int key, int value) {
  const MemoryImage* image = frame.scene.snapshot.memory.get();
  const ValueCard* state = frame.block.values->find(frame.block.values->memory.state);
  if (!image || image->previous.size() != frame.shown.cells.size() || !state ||
      state->inputs.empty())
    return {};
  const Recorded* forget = recorded(frame, state->inputs.front());
  if (!forget || head >= forget->heads) return {};
  const auto cell = (static_cast<std::size_t>(head) * static_cast<std::size_t>(frame.shown.keys) +
                     static_cast<std::size_t>(key)) *
                        static_cast<std::size_t>(frame.shown.values) +
                    static_cast<std::size_t>(value);
  return fmt::format("{} {}₋₁ = {} · {}", symbol_of(frame.block, state->inputs.front()),
                     state->symbol, short_number(forget->at(head, 0)),
                     short_number(image->previous[cell]));
}

/// What the card beside the mouse says of one cell.
void describe(MemoryFrame& frame, int head, int key, int value) {
  const MemoryShown& shown = frame.shown;
  const float number =
      shown.cells_of(head)[static_cast<std::size_t>(key) * static_cast<std::size_t>(shown.values) +
                           static_cast<std::size_t>(value)];
  const bool of_value = frame.mode == MemoryMode::value;
  const bool of_left = frame.mode == MemoryMode::decayed;
  const bool difference = frame.mode == MemoryMode::difference;
  frame.card.add(fmt::format("{}{}[{}, {}]{} = {}", difference ? "change of " : "",
                             shown_value(frame.block, frame.mode), key, value,
                             of_left ? ", kept" : "", short_number(number)),
                 true);
  if (of_left)
    if (const std::string from = left_from(frame, head, key, value); !from.empty())
      frame.card.add(from);
  if (difference) frame.card.add("less what was " + ghost_words(frame.scene));
  frame.card.add(fmt::format("head {}, key {}, value {}, t = {}", head, key, value, shown.step));
  if (const std::string write = last_write(frame, head, key, value); !write.empty())
    frame.card.add(write);
  if (const std::optional<float> m = scale_of(frame, head); m && of_value) {
    const std::string symbol = scale_symbol(frame);
    frame.card.add(
        fmt::format("stored divided by exp({}), {} = {}", symbol, symbol, short_number(*m)));
  }
  if (of_value) tell_writers(frame, head, key, value);
  frame.card.add(shown.heads < 2   ? "click: pin"
                 : frame.one_large ? "click: pin; double click: all heads alike"
                                   : "click: pin; double click: this head large");
}

/// What is under the mouse, and what a click does.
void interact(MemoryFrame& frame, int head, const Places& at) {
  const MemoryShown& shown = frame.shown;
  const Touch on_map = touch("map", at.map);
  const Touch on_strip = shown.n.empty() ? Touch{} : touch("n", at.strip);
  if (on_map.hovered || on_map.held) {
    const int key = at.key_at(on_map.mouse.y), value = at.value_at(on_map.mouse.x);
    const std::string path = frame.block.path(shown_value(frame.block, frame.mode));
    frame.hovered = ValueRef{path, shown.step, head, key * shown.values + value};
    describe(frame, head, key, value);
  } else if (on_strip.hovered || on_strip.held) {
    const int key = at.key_at(on_strip.mouse.y);
    const std::string& keys = frame.block.values->memory.keys;
    const ValueCard* vector = frame.block.values->find(keys);
    frame.hovered = ValueRef{frame.block.path(keys), shown.step, head, key};
    frame.card.add(
        fmt::format("{}{}[{}] = {}", frame.mode == MemoryMode::difference ? "change of " : "",
                    symbol_of(frame.block, keys), key,
                    short_number(shown.n_of(head)[static_cast<std::size_t>(key)])),
        true);
    frame.card.add(
        fmt::format("{}, head {}, t = {}", vector ? vector->title : keys, head, shown.step));
    frame.card.add("click: pin this key channel");
  }
  if ((on_map.pressed || on_strip.pressed) && frame.hovered) {
    frame.scene.focus.pinned = frame.hovered;
    frame.scene.focus.head = head;
    if (shown.heads > 1 && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left))
      frame.one_large = !frame.one_large;
  }
}

/// Whether a vector over the keys is a part of the picture: drawn beside it, or of what is written.
bool belongs_here(const BlockCard& block, const ValueCard& vector) {
  const std::vector<const ValueCard*> factors = write_factors(block);
  return vector.name == block.values->memory.keys ||
         std::find(factors.begin(), factors.end(), &vector) != factors.end();
}

/// A frame around the cell or the row of a value that is pointed at.
void mark(const MemoryFrame& frame, Painter& painter, int head, const Places& at,
          const std::optional<ValueRef>& ref, float width) {
  if (!ref || ref->head != head || ref->unit < 0) return;
  const ValueCard* card = frame.block.value_at(ref->path);
  const bool matrix = card && card->extent == Extent::key_by_value;
  const bool vector = card && card->extent == Extent::key && belongs_here(frame.block, *card);
  if (!matrix && !vector) return;
  const int key = matrix ? ref->unit / at.values : ref->unit;
  if (key >= at.keys) return;
  const float h = at.key_height(), w = at.value_width();
  const float y = at.map.min.y + h * static_cast<float>(key);
  const float grow = std::max(0.0f, (painter.px(5) - std::min(w, h)) / 2);
  Box box{{at.strip.min.x, y - grow}, {at.strip.max.x, y + h + grow}};
  if (matrix) {
    const float x = at.map.min.x + w * static_cast<float>(ref->unit % at.values);
    box = {{x - grow, y - grow}, {x + w + grow, y + h + grow}};
  }
  painter.outline(box, painter.palette().text, width);
}

/// The key channel that is pinned: in the strip of every head, and its row in the memory of the
/// head that it was pinned in.
void mark_channel(const MemoryFrame& frame, Painter& painter, int head, const Places& at) {
  const std::optional<int> channel = pinned_key_channel(frame.block, frame.scene.focus);
  if (!channel || *channel >= at.keys) return;
  const float h = at.key_height(), y = at.map.min.y + h * static_cast<float>(*channel);
  const float grow = std::max(0.0f, (painter.px(5) - h) / 2);
  const ImU32 colour = painter.palette().accent;
  if (!frame.shown.n.empty())
    painter.outline({{at.strip.min.x, y - grow}, {at.strip.max.x, y + h + grow}}, colour,
                    painter.px(1.5f));
  if (frame.scene.focus.pinned->head == head)
    painter.outline({{at.map.min.x, y - grow}, {at.map.max.x, y + h + grow}}, colour, 1.0f);
}

}  // namespace

MemoryGrid fit_memory_grid(const Painter& painter, const MemoryShown& shown, const Box& box,
                           float taken) {
  struct Detail {
    bool axes, title;
    float least;  ///< pixels of the longer side that make it worth it
  };
  const float line = painter.line_height();
  const Detail details[] = {{true, true, painter.px(72)},
                            {false, true, std::max(40.0f, 1.2f * line)},
                            {false, false, std::min(painter.px(30), 40.0f)}};
  MemoryGrid best;
  for (const int heads : {shown.heads, 1}) {
    for (const Detail& detail : details) {
      best = MemoryGrid{};
      for (int columns = 1; columns <= heads; ++columns) {
        const int rows = (heads + columns - 1) / columns;
        MemoryGrid grid;
        grid.columns = columns;
        grid.heads = heads;
        grid.with_axes = detail.axes;
        grid.with_title = detail.title;
        grid.cell = {box.width() / static_cast<float>(columns),
                     std::max(box.height() - taken, 1.0f) / static_cast<float>(rows)};
        const float across =
            grid.cell.x - painter.px(kStrip + kBetween + kApart) - (detail.axes ? line : 0.0f);
        const float down = grid.cell.y - (detail.title ? line : 0.0f) - painter.px(kBetween) -
                           (detail.axes ? line : 0.0f);
        grid.scale = std::min(across / static_cast<float>(std::max(shown.values, 1)),
                              down / static_cast<float>(std::max(shown.keys, 1)));
        if (columns == 1 || grid.scale > best.scale) best = grid;
      }
      const float side = best.scale * static_cast<float>(std::max(shown.keys, shown.values));
      if (side >= detail.least) return best;
    }
  }
  return best;
}

void draw_memory_figure(MemoryFrame& frame, Painter& painter, int head, const Box& cell,
                        const MemoryGrid& grid) {
  if (grid.scale <= 0.0f) return;
  const Places at = places_of(painter, frame.shown, cell, grid);
  draw_title(frame, painter, head, at.title, grid.heads < frame.shown.heads);
  draw_maps(frame, painter, head, at);
  if (grid.with_axes) draw_axes(frame, painter, at);
  explain_blank(frame, painter, head, at.map);
  interact(frame, head, at);
  mark_channel(frame, painter, head, at);
  mark(frame, painter, head, at, frame.scene.focus.pinned, painter.px(1.5f));
  mark(frame, painter, head, at, frame.scene.focus.hovered, painter.px(2.0f));
}

}  // namespace xlab::ui
