// What a memory is made of at the cursor: one bar, a part for each past token, and what each wrote.
#include "ui/budget_bar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

constexpr float kBar = 30.0f, kCarried = 11.0f, kGap = 3.0f, kNarrow = 2.0f;
/// Relative to what was recorded: beyond it what is drawn is not what the model has.
constexpr double kAgrees = 1e-3;

/// Neighbours in the bar that are drawn as one: a token, or several too narrow to be told apart.
struct Piece {
  int first = 0, last = 0;  ///< tokens
  float left = 0.0f, right = 0.0f;
  double share = 0.0;

  bool one() const { return first == last; }
};

/// The pieces of a bar of some pixels. Together they are as long as their shares.
std::vector<Piece> pieces_of(const BudgetFrame& frame, const Box& box, float narrow) {
  const WriteBudget& budget = *frame.shown.budget();
  std::vector<Piece> pieces;
  double end = 1.0;  // from the newest on, which ends at the right
  for (int s = budget.last(); s >= budget.first; --s) {
    const double share = budget.share(s, frame.cell());
    const auto place = [&](double x) {
      return box.min.x + box.width() * static_cast<float>(std::clamp(x, 0.0, 1.0));
    };
    const Piece piece{s, s, place(end - share), place(end), share};
    end -= share;
    const auto is_narrow = [&](const Piece& p) { return p.right - p.left < narrow; };
    // The one before it in the list is its neighbour to the right, alone or a pile already.
    const bool pile =
        !pieces.empty() && is_narrow(piece) && (!pieces.back().one() || is_narrow(pieces.back()));
    if (!pile) {
      pieces.push_back(piece);
      continue;
    }
    pieces.back().first = s;
    pieces.back().left = piece.left;
    pieces.back().share += share;
  }
  return pieces;
}

std::string share_percent(double share) {
  const double p = 100.0 * share;
  if (p != 0.0 && std::abs(p) < 0.001) return short_number(p) + " %";
  return fmt::format("{:.{}f} %", p, p >= 9.95 ? 1 : p >= 0.0995 ? 2 : 3);
}

ColourScale carried_scale(const BudgetFrame& frame, const Painter& painter) {
  const WriteBudget& budget = *frame.shown.budget();
  if (!frame.cell().matrix()) return {painter.palette(), MapName::signed_values, -1.0, 1.0};
  double most = 0.0;
  for (const double v : budget.values)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  return frame.place.channel < 0
             ? ColourScale(painter.palette(), MapName::log_domain, 0.0, most)
             : ColourScale(painter.palette(), MapName::signed_values, -most, most);
}

/// What a token wrote, in symbols: "tanh(z)", "|v|", "v[3]".
std::string carried_symbol(const BudgetFrame& frame) {
  const std::string value = frame.symbol(frame.cell().value);
  if (!frame.cell().matrix()) return value;
  return frame.place.channel < 0 ? fmt::format("|{}|", value)
                                 : fmt::format("{}[{}]", value, frame.place.channel);
}

void describe(BudgetFrame& frame, const Piece& piece) {
  const WriteBudget& budget = *frame.shown.budget();
  const std::string of = frame.cell().shares() ? frame.answer_symbol() : "all weights";
  if (!piece.one()) {
    frame.card.add(fmt::format("{} others, {} of {}", piece.last - piece.first + 1,
                               share_percent(piece.share), of),
                   true);
    frame.card.add(
        fmt::format("tokens {} to {}, each too narrow to be drawn alone", piece.first, piece.last));
    return;
  }
  const int s = piece.first;
  const auto i = static_cast<std::size_t>(s - budget.first);
  frame.card.add(
      fmt::format("token {} {}: {} of {}", s, frame.token(s), share_percent(piece.share), of),
      true);
  const std::string weight =
      fmt::format("weight {}_{} · f'_{} … f'_{} = {}", frame.symbol(frame.cell().weight), s, s + 1,
                  budget.step, short_number(budget.weights[i]));
  frame.card.add(s == budget.step ? fmt::format("weight {}_{} = {}: written just now",
                                                frame.symbol(frame.cell().weight), s,
                                                short_number(budget.weights[i]))
                                  : weight);
  frame.card.add(
      frame.cell().shares()
          ? fmt::format("divided by {} = {}", frame.symbol(frame.cell().divisor),
                        short_number(budget.divisor))
          : fmt::format("the weights of all tokens sum to {}", short_number(budget.weight_sum)));
  frame.card.add(fmt::format("it wrote {} = {} and adds {} to {}", carried_symbol(frame),
                             short_number(budget.values[i]), short_number(budget.parts[i]),
                             frame.answer_symbol()));
  frame.card.add("click: pin its " + frame.symbol(frame.cell().weight));
}

void draw_pieces(BudgetFrame& frame, Painter& painter, const Box& bar, const Box& carried,
                 const std::vector<Piece>& pieces) {
  const Palette& palette = painter.palette();
  const WriteBudget& budget = *frame.shown.budget();
  const ColourScale scale = carried_scale(frame, painter);
  for (const Piece& piece : pieces) {
    const Box part{{piece.left, bar.min.y}, {piece.right, bar.max.y}};
    const Box under{{piece.left, carried.min.y}, {piece.right, carried.max.y}};
    if (part.width() <= 0.0f) continue;
    if (!piece.one()) {
      painter.fill(part, palette.muted_text);
      painter.fill(under, palette.muted_text);
    } else {
      const double value = budget.values[static_cast<std::size_t>(piece.first - budget.first)];
      painter.fill(part, part_colour(piece.first));
      painter.fill(under, scale(value));
      if (!std::isfinite(value)) painter.hatch(under, IM_COL32_BLACK);
    }
    const ImU32 on = readable_on(piece.one() ? part_colour(piece.first) : palette.muted_text);
    const std::string share = share_percent(piece.share);
    const std::string name = piece.one() ? frame.token(piece.first)
                                         : fmt::format("{} others", piece.last - piece.first + 1);
    const std::string texts[] = {name + "  " + share, name};
    painter.first_in(part.inset(painter.px(2), 0), on, texts, Align::centre);
  }
}

/// A frame around the token that is pointed at here or in another part of the view.
void mark(const BudgetFrame& frame, Painter& painter, const Box& bar,
          const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    if (frame.strong < piece.first || frame.strong > piece.last) continue;
    const float grow = std::max(0.0f, (painter.px(4) - (piece.right - piece.left)) / 2);
    painter.outline({{piece.left - grow, bar.min.y - 1}, {piece.right + grow, bar.max.y + 1}},
                    painter.palette().text, painter.px(1.8f));
  }
}

void interact(BudgetFrame& frame, const Box& box, const std::vector<Piece>& pieces) {
  const Touch mouse = touch("bar", box);
  if (!mouse.hovered && !mouse.held) return;
  for (const Piece& piece : pieces) {
    if (mouse.mouse.x < piece.left || mouse.mouse.x >= piece.right) continue;
    describe(frame, piece);
    if (!piece.one()) return;
    frame.pointed = piece.first;
    frame.value = frame.weight_of(piece.first);
    if (mouse.pressed) frame.scene.focus.pinned = frame.value;
    return;
  }
}

/// Which clamp, if any, holds what the parts would add up to.
bool answer_is_held(const BudgetFrame& frame) {
  const WriteBudget& budget = *frame.shown.budget();
  const std::string path = frame.block.path(frame.cell().answer);
  const auto& clamps = frame.scene.snapshot.sequence.clamps;
  return frame.cell().matrix() && std::any_of(clamps.begin(), clamps.end(), [&](const Clamp& c) {
           return c.enabled && c.path == path && c.is_on_head(frame.place.head) &&
                  c.begin <= budget.step && budget.step < c.end;
         });
}

/// What the parts add up to, as it is written: "c/n", "h[3]", "|h|".
std::string sum_symbol(const BudgetFrame& frame) {
  const std::string answer = frame.answer_symbol();
  if (!frame.cell().matrix()) return answer;
  const int channel = frame.place.channel;
  return channel < 0 ? fmt::format("|{}|", answer) : fmt::format("{}[{}]", answer, channel);
}

/// Whether the parts add up to what the model has, long to short.
struct Agreement {
  std::vector<std::string> texts;
  bool warns = false;
};
Agreement agreement(const BudgetFrame& frame) {
  const WriteBudget& budget = *frame.shown.budget();
  const std::string answer = sum_symbol(frame);
  const std::string difference =
      fmt::format("largest difference {}", short_number(budget.difference));
  const std::string recorded = fmt::format("{} = {}", answer, short_number(budget.recorded));
  const double room = kAgrees * std::max(1.0, std::abs(budget.recorded));
  const bool agrees = budget.difference <= room;
  const NumberFormat format = frame.block.variant.number_format;
  if (answer_is_held(frame))
    return {{fmt::format("{} is held by hand here: the parts add up to what it would be, {}",
                         answer, short_number(budget.total)),
             answer + " is held by hand"}};
  if (budget.first > 0)
    return {{fmt::format("tokens before {} are not recorded: what they wrote is missing here",
                         budget.first),
             fmt::format("tokens before {} are not recorded", budget.first)}};
  if (agrees)
    return {{fmt::format("parts add up to the recorded {}, {}", recorded, difference),
             fmt::format("{}, {}", recorded, difference), recorded}};
  // Rounded at every step, a sum of many steps is another one than that of its parts.
  if (format == NumberFormat::bf16 || format == NumberFormat::fp16)
    return {{fmt::format("the cell rounds to {} at every step: recorded {}, {}", name_of(format),
                         recorded, difference),
             fmt::format("rounded to {}: {}", name_of(format), difference), recorded}};
  return {{fmt::format("the parts do not add up to the recorded {}: {}", answer, difference),
           "the parts do not add up"},
          true};
}

/// What the bar is relative to, and whether its parts add up to what the model has.
void sums(BudgetFrame& frame, Painter& painter, Box row) {
  const WriteBudget& budget = *frame.shown.budget();
  const Palette& palette = painter.palette();
  const std::string sum = short_number(budget.weight_sum);
  const std::string all =
      frame.cell().shares()   ? fmt::format("shares sum to {:.7f}", budget.share_sum(frame.cell()))
      : frame.cell().matrix() ? fmt::format("weights sum to {}, not divided by it", sum)
                              : fmt::format("no normalizer: weights sum to {}, no shares", sum);
  const float width = painter.measure(all).x;
  if (width > row.width()) return;
  painter.text_in(row.cut_left(width + 0.5f), palette.text, all);
  row.cut_left(painter.px(14));
  const Agreement said = agreement(frame);
  painter.first_in(row, said.warns ? palette.warning : palette.text, said.texts);
}

/// How the colours under the bar are read, and what the bar is not.
void legend(BudgetFrame& frame, Painter& painter, const Box& row) {
  Legend words;
  words.unit = frame.cell().matrix() ? carried_symbol(frame) + " of each token"
                                     : carried_symbol(frame) + ", what each token wrote";
  words.scope = frame.cell().matrix() ? "tokens so far" : "fixed range";
  words.brief = carried_symbol(frame);
  const ColourScale scale = carried_scale(frame, painter);
  std::vector<float> values;
  values.reserve(frame.shown.budget()->values.size());
  for (const double v : frame.shown.budget()->values) values.push_back(static_cast<float>(v));
  words.outside = outside(values, scale);
  draw_legend(painter, row, scale, words);
  explain_legend(frame.scene, row, scale, words);
}

}  // namespace

float budget_bar_height(const Painter& painter) {
  return painter.px(kBar + kCarried + 3 * kGap) + 2 * painter.line_height();
}

void draw_budget_bar(BudgetFrame& frame, Painter& painter, Box box) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const Box sum_row = box.cut_bottom(line), legend_row = box.cut_bottom(line);
  box.cut_bottom(painter.px(kGap));
  const Box whole = box;
  const Box carried = box.cut_bottom(painter.px(kCarried));
  box.cut_bottom(painter.px(1));
  const WriteBudget& budget = *frame.shown.budget();
  const double all = budget.share_sum(frame.cell());
  if (!std::isfinite(all) || !std::isfinite(budget.weight_sum)) {
    painter.fill(whole, kNotANumber);
    painter.hatch(whole, IM_COL32_BLACK);
    const std::string texts[] = {
        fmt::format("The weights sum to {} and are divided by {}: their shares are no numbers.",
                    short_number(budget.weight_sum), short_number(budget.divisor)),
        "The shares are no numbers.", "no numbers"};
    painter.first_in(legend_row, palette.warning, texts);
    return;
  }
  painter.fill(box, palette.control);
  const std::vector<Piece> pieces = pieces_of(frame, box, painter.px(kNarrow));
  draw_pieces(frame, painter, box, carried, pieces);
  painter.outline(whole, palette.grid);
  mark(frame, painter, box, pieces);
  interact(frame, whole, pieces);
  if (budget.first > 0) {
    frame.card.explain(whole, {{fmt::format("Tokens before {} are not recorded: the grey part at "
                                            "the left is theirs.",
                                            budget.first)}});
  }
  legend(frame, painter, legend_row);
  sums(frame, painter, sum_row);
}

}  // namespace xlab::ui
