// One row of the model map: a block or a group of them, drawn in the columns that have room.
#include "ui/map_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ui/ground.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

constexpr float kBadge = 18.0f;  ///< logical width of the box with a block's letter

struct Wish {
  MapColumn column;
  float width;
};

/// Where a half-life stands on the axis of all of them, from a tenth of a token on, by its
/// logarithm; what never forgets at its end.
float life_place(double life, double longest) {
  constexpr double kLeast = 0.1;
  if (std::isinf(life)) return 1.0f;
  const double top = std::max(longest, 10.0 * kLeast);
  const double t = std::log(std::max(life, kLeast) / kLeast) / std::log(top / kLeast);
  return static_cast<float>(std::clamp(t, 0.0, 1.0));
}

std::string life_number(double life) {
  if (std::isnan(life)) return "NaN";
  return std::isinf(life) ? "∞" : short_number(life);
}

/// Room for the number right of a picture: for all of its digits, but in a narrow column.
float number_width(const Painter& painter, const Box& box) {
  return painter.measure(box.width() > painter.px(100) ? "0.0000" : "00.0").x + painter.px(4);
}

/// The box at its own height, but for a margin, or at this one where it is taller.
Box flat(const Painter& painter, const Box& box, float tallest) {
  const float wanted = std::min(box.height() - 2.0f, painter.px(tallest));
  return box.inset(0, std::max(0.0f, (box.height() - wanted) / 2));
}

void draw_name(Painter& painter, const MapRowLook& look, Box box) {
  const Palette& palette = painter.palette();
  const Box badge = flat(painter, box.cut_left(painter.px(kBadge)), 24.0f);
  const int block = look.row.first;
  const ImU32 colour = kind_colour(look.model, block);
  painter.fill(badge, colour, painter.px(2));
  const BlockCard& card = look.model.blocks[static_cast<std::size_t>(block)];
  const std::string letter[] = {look.row.one() ? block_letter(card)
                                               : fmt::format("{}", look.row.blocks())};
  painter.first_in(badge, readable_on(colour), letter, Align::centre, Weight::bold);
  box.cut_left(painter.px(5));
  std::vector<std::string> texts;
  if (look.row.one()) {
    texts = {fmt::format("block {} {}", block, card.title), fmt::format("{} {}", block, card.title),
             std::to_string(block)};
  } else {
    const std::string range = fmt::format("{}–{}", look.row.first, look.row.last);
    texts = {fmt::format("blocks {}: {}", range, letters_in(look.model, look.row)),
             fmt::format("{}: {}", range, kinds_in(look.model, look.row)), range};
  }
  painter.first_in(box, palette.text, texts, Align::left,
                   look.focused ? Weight::bold : Weight::regular);
}

void draw_residual(Painter& painter, const MapRowLook& look, Box box) {
  const Palette& palette = painter.palette();
  const BlockActivity& activity = look.numbers.activity;
  const Box number = box.cut_right(number_width(painter, box));
  box = flat(painter, box, 16.0f);
  painter.fill(box, mix(palette.panel, palette.control, 0.6f));
  const double longest = look.shown.longest();
  if (!std::isfinite(activity.after)) {
    if (look.shown.step() >= 0) {
      painter.fill(box, kNotANumber);
      painter.hatch(box, IM_COL32_BLACK);
    }
    const std::string none[] = {look.shown.step() >= 0 ? life_number(activity.after) : "–"};
    painter.first_in(number, palette.text, none, Align::right);
    return;
  }
  const auto x = [&](double length) {
    const double share = longest > 0.0 ? std::clamp(length / longest, 0.0, 1.0) : 0.0;
    return box.min.x + box.width() * static_cast<float>(share);
  };
  const double before = std::isfinite(activity.before) ? activity.before : activity.after;
  const float both = x(std::min(before, activity.after));
  const float end = x(std::max(before, activity.after));
  painter.fill({box.min, {both, box.max.y}}, mix(palette.panel, palette.muted_text, 0.55f));
  const ColourScale signs(palette, MapName::signed_values, -1.0, 1.0);
  painter.fill({{both, box.min.y}, {end, box.max.y}}, signs(activity.change() < 0.0 ? -1.0 : 1.0));
  painter.number_in(number, palette.text, activity.after, Align::right);
}

void draw_median(Painter& painter, const Spread& lives, const Box& number) {
  const ImU32 colour = painter.palette().text;
  if (std::isfinite(lives.median)) {
    painter.number_in(number, colour, lives.median, Align::right);
    return;
  }
  const std::string text[] = {lives.count == 0 && lives.unknown == 0 ? "–"
                                                                     : life_number(lives.median)};
  painter.first_in(number, colour, text, Align::right);
}

void draw_lives(Painter& painter, const MapRowLook& look, Box box) {
  const Palette& palette = painter.palette();
  const Spread& lives = look.numbers.lives;
  const Box number = box.cut_right(number_width(painter, box));
  if (box.width() < painter.px(30)) {
    draw_median(painter, lives, number);
    return;
  }
  const ImU32 colour = gate_style(palette, 'f').colour;
  const float y = box.centre().y, tall = std::min(painter.px(5), box.height() / 2 - 1);
  painter.line({box.min.x, y}, {box.max.x, y}, {palette.grid, 1.0f});
  if (lives.unknown > 0) {
    const float wide = lives.count == 0 ? box.width() : painter.px(6);
    const Box mark{{box.min.x, y - tall}, {box.min.x + wide, y + tall}};
    painter.fill(mark, kNotANumber);
    painter.hatch(mark, IM_COL32_BLACK);
  }
  draw_median(painter, lives, number);
  if (lives.count == 0) return;
  const auto x = [&](double life) {
    return box.min.x + box.width() * life_place(life, look.shown.longest_life());
  };
  const float low = x(lives.low), high = std::max(x(lives.high), low + 1);
  painter.fill({{low, y - tall}, {high, y + tall}},
               mix(palette.panel, colour, palette.name == PaletteName::dark ? 0.65f : 0.4f));
  const float middle = x(lives.median);
  painter.line({middle, y - tall - 1}, {middle, y + tall + 1}, {palette.text, painter.px(2)});
}

void draw_parts(Painter& painter, const MapRowLook& look, Box box) {
  const Palette& palette = painter.palette();
  if (!look.row.one()) {
    const std::string texts[] = {kinds_in(look.model, look.row),
                                 fmt::format("{} blocks", look.row.blocks())};
    painter.first_in(box, palette.muted_text, texts);
    return;
  }
  const BlockCard& card = look.model.blocks[static_cast<std::size_t>(look.row.first)];
  for (const std::string& part : block_parts(card)) {
    const float width = painter.measure(part).x + painter.px(8);
    if (width > box.width()) return;
    const Box chip = flat(painter, box.cut_left(width), 24.0f);
    painter.outline(chip, part == "cell" ? kind_colour(look.model, look.row.first) : palette.grid,
                    part == "cell" ? painter.px(1.8f) : 1.0f, painter.px(2));
    painter.text_in(chip, palette.text, part, Align::centre);
    box.cut_left(painter.px(3));
  }
}

/// The widest parts of any block, in pixels.
float parts_width(const Painter& painter, const ModelCard& model) {
  float widest = 0.0f;
  std::vector<std::string> kinds;  // blocks of one kind have the same parts
  for (const BlockCard& block : model.blocks) {
    if (std::find(kinds.begin(), kinds.end(), block.kind) != kinds.end()) continue;
    kinds.push_back(block.kind);
    float width = 0.0f;
    for (const std::string& part : block_parts(block))
      width += painter.measure(part).x + painter.px(11);
    widest = std::max(widest, width);
  }
  return widest;
}

}  // namespace

MapLayout::MapLayout(const Painter& painter, const ModelCard& model, const Box& rows) {
  float title = 0.0f;
  for (const BlockCard& block : model.blocks)
    title = std::max(title, painter.measure(block.title, Weight::bold).x);
  const auto digits = std::string(std::to_string(model.blocks.size()).size(), '0');
  const float badge = painter.px(kBadge + 5);
  const float small =
      badge +
      painter.measure(model.blocks.size() > 24 ? fmt::format("{0}–{0}", digits) : digits).x +
      painter.px(4);
  const float large = badge + painter.measure(fmt::format("block {} ", digits), Weight::bold).x +
                      title + painter.px(8);
  const Wish wishes[] = {{MapColumn::name, rows.width() > painter.px(420) ? large : small},
                         {MapColumn::residual, painter.px(70)},
                         {MapColumn::lives, painter.measure("half-life").x + painter.px(4)},
                         {MapColumn::change, painter.measure("+0.0000").x + painter.px(4)},
                         {MapColumn::parts, parts_width(painter, model)},
                         {MapColumn::read_out, painter.measure("read-out").x + painter.px(4)},
                         {MapColumn::parameters, painter.measure("parameters").x + painter.px(4)},
                         {MapColumn::state, painter.measure("000,000").x + painter.px(4)}};
  const float gap = painter.px(rows.width() < painter.px(260) ? 6 : 10);
  float left = rows.width();
  std::array<float, kMapColumns> widths{};
  for (const Wish& wish : wishes) {
    if (wish.width + gap > left + gap * 0.5f) break;  // by rank: what comes later is not tried
    widths[static_cast<std::size_t>(wish.column)] = wish.width;
    left -= wish.width + gap;
  }
  // Pictures grow with what is left.
  if (widths[1] > 0.0f) {
    const float extra = std::max(left, 0.0f);
    const bool two = widths[2] > 0.0f;
    widths[1] += std::min(two ? extra * 0.65f : extra, painter.px(420));
    if (two) widths[2] += std::min(extra * 0.35f, painter.px(240));
  } else {
    widths[0] = rows.width();
  }
  constexpr MapColumn kOrder[] = {MapColumn::name,       MapColumn::parts,    MapColumn::residual,
                                  MapColumn::change,     MapColumn::read_out, MapColumn::lives,
                                  MapColumn::parameters, MapColumn::state};
  float x = rows.min.x;
  for (const MapColumn column : kOrder) {
    const float width = widths[static_cast<std::size_t>(column)];
    if (width <= 0.0f) continue;
    boxes_[static_cast<std::size_t>(column)] = {{x, rows.min.y},
                                                {std::min(x + width, rows.max.x), rows.max.y}};
    x += width + gap;
  }
}

Box MapLayout::of(MapColumn column, const Box& row) const {
  const Box& box = at(column);
  return {{box.min.x, row.min.y}, {box.max.x, row.max.y}};
}

void draw_map_titles(Painter& painter, const MapLayout& layout, const MapShown& shown,
                     const Box& row) {
  const Palette& palette = painter.palette();
  const auto title = [&](MapColumn column, std::vector<std::string> texts, Align align) {
    if (layout.has(column))
      painter.first_in(layout.of(column, row), palette.muted_text, texts, align);
  };
  const std::string most = short_number(shown.longest());
  const std::string longest = short_number(shown.longest_life());
  title(MapColumn::name, {"block"}, Align::left);
  title(MapColumn::parts, {"parts, in the order of a token"}, Align::left);
  title(MapColumn::residual,
        {fmt::format("length of the residual vector, 0…{}", most),
         fmt::format("residual length, 0…{}", most), fmt::format("|x|, 0…{}", most), "|x|"},
        Align::left);
  title(MapColumn::change, {"change"}, Align::right);
  title(MapColumn::read_out, {"read-out"}, Align::right);
  title(MapColumn::lives,
        {fmt::format("half-lives, 0.1…{} (log)", longest), fmt::format("half-lives …{}", longest),
         "half-lives", "half-life"},
        Align::left);
  title(MapColumn::parameters, {"parameters"}, Align::right);
  title(MapColumn::state, {"state"}, Align::right);
}

void draw_map_row(Painter& painter, const MapRowLook& look, const Box& row) {
  const Palette& palette = painter.palette();
  if (look.under_mouse) painter.fill(row, with_alpha(palette.control_hovered, 0.6f), painter.px(3));
  const MapLayout& layout = look.layout;
  draw_name(painter, look, layout.of(MapColumn::name, row));
  if (layout.has(MapColumn::parts)) draw_parts(painter, look, layout.of(MapColumn::parts, row));
  if (layout.has(MapColumn::residual))
    draw_residual(painter, look, layout.of(MapColumn::residual, row));
  if (layout.has(MapColumn::lives)) draw_lives(painter, look, layout.of(MapColumn::lives, row));
  const auto number = [&](MapColumn column, double value, bool sign) {
    if (!layout.has(column)) return;
    const Box box = layout.of(column, row);
    if (std::isnan(value) && look.shown.step() < 0) {
      const std::string none[] = {"–"};
      painter.first_in(box, palette.muted_text, none, Align::right);
    } else {
      painter.number_in(box, std::isfinite(value) ? palette.text : palette.warning, value,
                        Align::right, Weight::regular, sign && value > 0.0 ? "+" : "");
    }
  };
  number(MapColumn::change, look.numbers.activity.change(), true);
  number(MapColumn::read_out, look.numbers.activity.read_out, false);
  const auto count = [&](MapColumn column, std::int64_t value) {
    const std::string texts[] = {count_words(value), short_number(static_cast<double>(value))};
    if (layout.has(column))
      painter.first_in(layout.of(column, row), palette.text, texts, Align::right);
  };
  count(MapColumn::parameters, look.numbers.parameters);
  count(MapColumn::state, look.numbers.state);
  if (look.focused) painter.outline(row, palette.accent, painter.px(1.8f), painter.px(3));
}

void draw_map_end(Painter& painter, const MapLayout& layout, const MapShown& shown,
                  std::string_view name, double length, const Box& row) {
  const Palette& palette = painter.palette();
  Box box = layout.of(MapColumn::name, row);
  const Box badge = flat(painter, box.cut_left(painter.px(kBadge)), 24.0f);
  painter.fill(badge, palette.control, painter.px(2));
  const std::string mark[] = {"▾"};
  painter.first_in(badge, palette.muted_text, mark, Align::centre);
  box.cut_left(painter.px(5));
  // It may use the room of the parts, which it has none of.
  if (layout.has(MapColumn::parts)) box.max.x = layout.of(MapColumn::parts, row).max.x;
  const std::string texts[] = {std::string(name), std::string(name.substr(0, name.find(' ')))};
  painter.first_in(box, palette.text, texts);
  if (!layout.has(MapColumn::residual) || std::isnan(length)) return;
  Box bar = layout.of(MapColumn::residual, row);
  const Box number = bar.cut_right(number_width(painter, bar));
  bar = flat(painter, bar, 16.0f);
  painter.fill(bar, mix(palette.panel, palette.control, 0.6f));
  const double share = shown.longest() > 0.0 ? std::clamp(length / shown.longest(), 0.0, 1.0) : 0.0;
  if (std::isfinite(length)) {
    bar.max.x = bar.min.x + bar.width() * static_cast<float>(share);
    painter.fill(bar, mix(palette.panel, palette.muted_text, 0.55f));
  } else {
    painter.fill(bar, kNotANumber);
    painter.hatch(bar, IM_COL32_BLACK);
  }
  painter.number_in(number, palette.text, length, Align::right);
}

std::string lives_words(const Spread& lives) {
  if (lives.count == 0)
    return lives.unknown > 0 ? fmt::format("{} half-lives are no number", lives.unknown)
                             : "half-lives are not recorded";
  std::string words = fmt::format("half-lives of {} forget gates: {} to {} tokens, median {}",
                                  lives.count + lives.unknown, life_number(lives.low),
                                  life_number(lives.high), life_number(lives.median));
  if (lives.unknown > 0) words += fmt::format("; {} are no number", lives.unknown);
  return words;
}

ImU32 kind_colour(const ModelCard& model, int block) {
  const std::string& kind = model.blocks[static_cast<std::size_t>(block)].kind;
  std::vector<std::string> kinds;
  for (int b = 0; b <= block; ++b) {
    const std::string& one = model.blocks[static_cast<std::size_t>(b)].kind;
    if (std::find(kinds.begin(), kinds.end(), one) == kinds.end()) kinds.push_back(one);
    if (one == kind) break;
  }
  // The dark and the light ones of the palette of parts in turn.
  return part_colour(2 * static_cast<int>(kinds.size()) - 2);
}

}  // namespace xlab::ui
