// The titles of the stabilizer lab's lanes, and the marks that they explain.
#include "ui/stabilizer_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "ui/number.hpp"
#include "ui/symbol_card.hpp"

namespace xlab::ui {
namespace {

struct LabKey {
  std::string word, meaning;
  std::function<void(const Box&)> mark;
};

std::function<void(const Box&)> key_line(Painter& painter, const Stroke& stroke) {
  return [&painter, stroke](const Box& box) {
    painter.line({box.min.x, box.centre().y}, {box.max.x, box.centre().y}, stroke);
  };
}

/// The title, and right of it as many keys as there is room for.
void title_and_keys(const StabilizerFrame& frame, Painter& painter, Box row,
                    std::span<const std::string> titles, const char* meaning,
                    const std::vector<LabKey>& keys) {
  row = row.inset(0, painter.px(1));
  float needed = 0.0f;
  const auto width_of = [&](const LabKey& key) {
    return painter.measure(key.word).x + painter.px(38);
  };
  for (const LabKey& key : keys) needed += width_of(key);
  // The shortest title stays; a longer one where all keys have room beside it.
  std::string title = titles.back();
  for (const std::string& text : titles) {
    if (painter.measure(text, Weight::bold).x + painter.px(14) + needed > row.width()) continue;
    title = text;
    break;
  }
  const Box name = row.cut_left(painter.measure(title, Weight::bold).x + painter.px(14));
  painter.text_in(name, painter.palette().text, title, Align::left, Weight::bold);
  explain_symbol(frame.card, painter, frame.block, name, title, Weight::bold);
  frame.card.explain(name, {{titles.front(), true}, {meaning}});
  for (const LabKey& key : keys) {
    const float width = width_of(key);
    if (width > row.width()) return;
    Box box = row.cut_left(width);
    frame.card.explain(box, {{key.word, true}, {key.meaning}});
    key.mark(box.cut_left(painter.px(22)).inset(0, painter.px(3)));
    box.cut_left(painter.px(5));
    painter.text_in(box, painter.palette().muted_text, key.word);
  }
}

std::function<void(const Box&)> key_zone(Painter& painter, Agreement agreement,
                                         const StabilizerStyles& look) {
  return [&painter, agreement, look](const Box& box) { draw_zone(painter, box, agreement, look); };
}

}  // namespace

std::string percent(double share) {
  const double hundredths = 100.0 * share;
  const bool plain = hundredths == 0.0 || (hundredths >= 0.001 && hundredths < 1000.0);
  return fmt::format("{} %", plain ? fmt::format("{:.3g}", hundredths) : short_number(hundredths));
}

std::string not_a_number(double value) {
  return std::isnan(value) ? "NaN" : value > 0.0 ? "inf" : "−inf";
}

void draw_winner(Painter& painter, const Box& bar, ScaleWinner winner,
                 const StabilizerStyles& look) {
  Box part = bar;
  switch (winner) {
    case ScaleWinner::input:
      painter.fill(part, look.input.colour);
      return;
    case ScaleWinner::decayed:
      painter.fill(part.cut_bottom(std::ceil(bar.height() / 3)), look.decayed.colour);
      return;
    case ScaleWinner::first:
      painter.outline(bar.inset(0.5f, 0.5f), look.input.colour, 1.5f);
      return;
    case ScaleWinner::none:
      painter.fill(bar, kNotANumber);
      painter.hatch(bar, IM_COL32_BLACK);
      return;
  }
}

void draw_zone(Painter& painter, const Box& zone, Agreement agreement,
               const StabilizerStyles& look) {
  Box rest = zone;
  if (agreement == Agreement::wrong) {
    painter.fill(zone, with_alpha(look.wrong, 0.14f));
    painter.fill(rest.cut_top(painter.px(3)), look.wrong);
  } else if (agreement == Agreement::format) {
    painter.fill(zone, with_alpha(look.format, 0.12f));
    painter.line({zone.min.x, zone.min.y + 1.0f}, {zone.max.x, zone.min.y + 1.0f},
                 {look.format, painter.px(1.5f), Dash::dotted});
  } else if (agreement == Agreement::bad) {
    painter.fill(zone, with_alpha(look.bad, 0.10f));
    const Box edge = rest.cut_top(painter.px(4));
    painter.fill(edge, look.bad);
    painter.hatch(edge, IM_COL32_BLACK);
  }
}

std::vector<std::string> zone_words(Agreement agreement, NumberFormat format) {
  switch (agreement) {
    case Agreement::wrong:
      return {"quietly wrong", "wrong"};
    case Agreement::format:
      return {fmt::format("digits of {}", xlab::name_of(format)), "digits"};
    case Agreement::bad:
      return {"no number any more", "no number"};
    case Agreement::same:
    case Agreement::unknown:
      break;
  }
  return {""};
}

std::vector<std::string> bad_words(const StabilizerFrame& frame, const BadNumber& bad) {
  const std::string value = not_a_number(bad.value);
  if (bad.what == CellQuantity::given)
    return {fmt::format("t = {}: what comes in is no number", bad.step),
            fmt::format("t = {}: no number", bad.step)};
  return {
      fmt::format("t = {}: {} is {}", bad.step, xlab::name_of(bad.what, frame.block, false), value),
      fmt::format("t = {}: {}", bad.step, value)};
}

void draw_scale_keys(const StabilizerFrame& frame, Painter& painter, Box row) {
  const StabilizerStyles look = stabilizer_styles(painter);
  const std::string decayed = fmt::format("{} + m₋₁", frame.log_keep());
  const bool off = !frame.block.variant.stabilised();
  const std::string m = fmt::format("m = max({}, i)", decayed);
  const std::string titles[] = {
      off ? fmt::format("stabilizer {}: off in the model, drawn is what it would be", m)
          : fmt::format("stabilizer {}", m),
      off ? fmt::format("{}, off in the model", m) : m, off ? "off" : "stabilizer"};
  const auto bar = [&](ScaleWinner winner) {
    return [&painter, winner, look](const Box& box) {
      draw_winner(painter, box.inset(painter.px(5), 0), winner, look);
    };
  };
  const std::vector<LabKey> keys = {
      {"m", "The scale of the memory, as a natural logarithm: all is stored divided by exp(m).",
       key_line(painter, look.m)},
      {"i", "The input gate's pre-activation: the logarithm of the weight of what is written.",
       key_line(painter, look.input)},
      {decayed, "What is left of the scale of before, as a logarithm.",
       key_line(painter, look.decayed)},
      {"i wins", "What is written now sets the scale: a bar as high as its strip.",
       bar(ScaleWinner::input)},
      {"memory wins", "The memory keeps its scale, decayed: a low bar.",
       bar(ScaleWinner::decayed)}};
  title_and_keys(frame, painter, row, titles,
                 "Both arguments of the maximum, and which of them is larger.", keys);
}

void draw_exponent_keys(const StabilizerFrame& frame, Painter& painter, Box row) {
  const StabilizerStyles look = stabilizer_styles(painter);
  const std::string titles[] = {"exponents with m: never above 0", "exponents, never above 0",
                                "exponents"};
  const std::vector<LabKey> keys = {
      {"i − m", "The stabilised input gate is exp of it, at most 1.",
       key_line(painter, look.input)},
      {fmt::format("{} + m₋₁ − m", frame.log_keep()),
       "The stabilised forget gate is exp of it, at most 1.", key_line(painter, look.decayed)}};
  title_and_keys(
      frame, painter, row, titles,
      "What is left in the exponentials once m is taken off: one of the two is always 0, "
      "so that none of them can overflow.",
      keys);
}

void draw_answer_keys(const StabilizerFrame& frame, Painter& painter, Box row) {
  const StabilizerStyles look = stabilizer_styles(painter);
  const char* const format = xlab::name_of(frame.choice.format);
  const int unit = frame.shown.place().unit;
  const std::string titles[] = {
      fmt::format("answer h of {} {}, computed in {}", frame.unit_word(), unit, format),
      fmt::format("h[{}] in {}", unit, format), "h"};
  std::vector<LabKey> keys = {
      {"with m", "The cell with its stabilizer, from the recorded pre-activations.",
       key_line(painter, look.stabilised)},
      {"without m", "The same cell with the stabilizer switched off, from the same inputs.",
       key_line(painter, look.plain)},
      {fmt::format("quietly wrong, > {}", percent(frame.choice.threshold)),
       "Finite, but further than this from the answer in fp64 with the stabilizer, and more than "
       "twice as far as the stabilised cell in this format.",
       key_zone(painter, Agreement::wrong, look)}};
  if (frame.shown.count(Agreement::format) > 0)
    keys.push_back({fmt::format("digits of {}", format),
                    "Off as well, but about as far with the stabilizer: this format has no more "
                    "digits.",
                    key_zone(painter, Agreement::format, look)});
  if (frame.shown.plain().bad)
    keys.push_back({"no number", "The plain cell is NaN or infinite.",
                    key_zone(painter, Agreement::bad, look)});
  title_and_keys(frame, painter, row, titles,
                 "Every operation is rounded to the format, as the model's own kernels do it.",
                 keys);
}

}  // namespace xlab::ui
