// The matrix, its axes, the sums of its rows, and what the mouse does on it.
#include "ui/faces_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr float kSums = 86.0f, kLamp = 9.0f;

std::string token_at(const Scene& scene, int step) {
  const std::vector<int>& tokens = scene.snapshot.sequence.tokens;
  if (step < 0 || step >= static_cast<int>(tokens.size())) return {};
  return token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(step)]);
}

}  // namespace

const char* factor_name(FacesFactor factor) {
  switch (factor) {
    case FacesFactor::overlap:
      return "q·k";
    case FacesFactor::decay:
      return "D";
    case FacesFactor::product:
      return "q·k D";
    case FacesFactor::weight:
      break;
  }
  return "A";
}

const char* factor_sentence(FacesFactor factor) {
  switch (factor) {
    case FacesFactor::overlap:
      return "q·k: how well the query of step t meets the key of step s.";
    case FacesFactor::decay:
      return "D: what is left at step t of the weight with which step s was written: its input "
             "gate times all forget gates since.";
    case FacesFactor::product:
      return "q·k D: what step s contributes to the answer of step t before it is divided by the "
             "normalizer.";
    case FacesFactor::weight:
      break;
  }
  return "A = q·k D / (N + ε): the weight of the value of step s in the answer of step t. It is "
         "signed and is not a probability: no softmax stands in it, and a row need not sum to 1.";
}

double factor_value(const ImpliedAttention& attention, FacesFactor factor, int t, int s) {
  switch (factor) {
    case FacesFactor::overlap:
      return attention.overlap(t, s);
    case FacesFactor::decay:
      return attention.decay(t, s);
    case FacesFactor::product:
      return attention.product(t, s);
    case FacesFactor::weight:
      break;
  }
  return attention.weight(t, s);
}

void FacesPicture::arrange(const Scene& scene, Painter& painter, int length, int most,
                           const Box& box) {
  const float line = painter.line_height();
  Box rest = box;
  foot_ = rest.height() > 9 * line ? rest.cut_bottom(line) : Box{};
  if (!foot_.empty()) rest.cut_bottom(painter.px(4));
  const bool wide = rest.width() > painter.px(220);
  right_ = wide ? rest.cut_right(painter.px(kSums)) : Box{};
  left_ = rest.cut_left(wide ? painter.px(44) : painter.px(20));
  top_ = rest.cut_top(line + painter.px(2));
  const float side = std::floor(std::max(1.0f, std::min(rest.width(), rest.height())));
  map_ = {rest.min, {rest.min.x + side, rest.min.y + side}};
  const float narrowest = std::max(1.0f, side / static_cast<float>(std::max(most, 1)));
  window_.update(length, scene.snapshot.sequence.cursor, map_, narrowest, painter.px(120), most);
  // As large as its columns make it.
  const float used = window_.column_width() * static_cast<float>(window_.count());
  map_.max = {map_.min.x + used, map_.min.y + used};
  left_.min.y = right_.min.y = map_.min.y;
  left_.max.y = right_.max.y = map_.max.y;
  const float sums = right_.width();
  right_.min.x = map_.max.x + painter.px(8);
  right_.max.x = right_.min.x + sums - painter.px(8);
  top_.max.x = map_.max.x;
}

Box FacesPicture::row(int t) const {
  const float height = window_.column_width();
  const float y = map_.min.y + static_cast<float>(t - window_.first()) * height;
  return {{map_.min.x, y}, {map_.max.x, y + height}};
}

Box FacesPicture::recorded() const {
  const float side = window_.column_width() * static_cast<float>(count_);
  return {map_.min, {map_.min.x + side, map_.min.y + side}};
}

void FacesPicture::prepare(const Scene& scene, const ImpliedAttention& attention,
                           FacesFactor factor) {
  const Snapshot& snapshot = scene.snapshot;
  const std::string prefix = snapshot.model ? std::to_string(scene.focus.block) : std::string();
  const bool same = snapshot.trace_id == trace_id_ && snapshot.run_id == run_ &&
                    prefix == prefix_ && scene.focus.head == head_ && attention.first() == first_ &&
                    attention.count() == count_ && factor == factor_ && map_.width() == side_ &&
                    palette_ == &scene.palette;
  if (same) return;
  // What was looked at is of one head.
  if (snapshot.run_id != run_ || prefix != prefix_ || scene.focus.head != head_) written_ = -1;
  trace_id_ = snapshot.trace_id;
  run_ = snapshot.run_id;
  prefix_ = prefix;
  head_ = scene.focus.head;
  first_ = attention.first();
  count_ = attention.count();
  factor_ = factor;
  side_ = map_.width();
  palette_ = &scene.palette;
  const auto n = static_cast<std::size_t>(count_);
  values_.assign(n * n, 0.0f);
  largest_sum_ = 0.0;
  double low = 0.0, high = 0.0;
  for (int t = first_; t < first_ + count_; ++t) {
    for (int s = first_; s <= t; ++s) {
      const double value = factor_value(attention, factor, t, s);
      values_[static_cast<std::size_t>(t - first_) * n + static_cast<std::size_t>(s - first_)] =
          static_cast<float>(value);
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const double sum = attention.row(t).sum;
    if (std::isfinite(sum)) largest_sum_ = std::max(largest_sum_, std::abs(sum));
  }
  // Shares of a stabilised cell lie between 0 and 1, but for rounding.
  const bool share = factor == FacesFactor::decay && low >= 0.0 && high <= 1.0 + 1e-5;
  colours_ = {share ? MapName::unit : MapName::signed_values,
              share ? 1.0 : std::max(std::max(-low, high), 1e-30)};
  const ColourScale scale(scene.palette, colours_.map, 0.0, colours_.range);
  outside_ = outside(values_, scale);
  const int pixels = std::max(1, static_cast<int>(recorded().width()));
  pixels_ = heat_pixels(values_, count_, count_, pixels, pixels, scale);
}

void FacesPicture::draw(Scene& scene, Painter& painter, const BlockCard& block,
                        const ImpliedAttention& attention, FacesFactor factor, HoverCard& card,
                        std::optional<ValueRef>& hovered) {
  const Palette& palette = painter.palette();
  if (attention.count() == 0 || map_.width() < 8.0f) return;
  prepare(scene, attention, factor);
  const ColourScale scale(palette, colours_.map, 0.0, colours_.range);
  draw_heat(painter, scene.images, "faces/matrix", recorded(), values_, count_, count_, scale,
            pixels_);
  // What comes later has no part in an answer: that is not zero, it is nothing.
  for (int t = attention.first(); t + 1 < attention.first() + attention.count(); ++t) {
    Box later = row(t);
    later.min.x = window_.column(t).max.x;
    painter.fill(later, palette.panel);
  }
  cross(scene, painter, attention);
  axes(scene, painter);
  if (!right_.empty()) sums(scene, painter, block, attention, card, hovered);
  interact(scene, painter, block, attention, factor, card, hovered);
  if (foot_.empty()) return;
  if (!right_.empty()) lamp_legend(painter, attention);
  Legend legend{fmt::format("{}, row t × column s", factor_name(factor)), "all shown", "",
                outside_};
  legend.brief = factor_name(factor);
  if (pixels_.reduced) legend.transform = "largest |x| of a pixel";
  draw_legend(painter, foot_, scale, legend);
  explain_legend(scene, foot_, scale, legend);
}

/// What the lamps say, where there is one.
void FacesPicture::lamp_legend(Painter& painter, const ImpliedAttention& attention) {
  const Palette& palette = painter.palette();
  int lit = 0;
  for (int t = attention.first(); t < attention.first() + attention.count(); ++t)
    lit += attention.row(t).floor ? 1 : 0;
  if (lit == 0) return;
  const std::string words[] = {fmt::format("floor in use in {} of {} rows", lit, attention.count()),
                               "floor in use", "floor"};
  const float lamp = painter.px(kLamp + 3);
  const std::string shown = painter.fit_first(words, foot_.width() / 3);
  const float width = lamp + painter.measure(shown).x;
  if (width > foot_.width() / 2) return;
  Box box = foot_.cut_right(width);
  foot_.cut_right(painter.px(8));
  const float y = box.centre().y, half = painter.px(3.5f);
  painter.fill({{box.min.x, y - half}, {box.min.x + 2 * half, y + half}}, palette.warning);
  box.cut_left(lamp);
  painter.text_in(box, palette.muted_text, shown);
}

/// The answer of the cursor's step, and who reads what was written at the step that is looked at.
void FacesPicture::cross(const Scene& scene, Painter& painter,
                         const ImpliedAttention& attention) const {
  const Palette& palette = painter.palette();
  const int cursor = scene.snapshot.sequence.cursor;
  const int end = attention.first() + attention.count();
  if (cursor >= attention.first() && cursor < end) {
    Box answer = row(cursor);
    answer.max.x = window_.column(cursor).max.x;
    painter.outline({{answer.min.x - 1, answer.min.y - 1}, {answer.max.x + 1, answer.max.y + 1}},
                    palette.cursor, painter.line_width());
  }
  if (written_ >= attention.first() && written_ < end) {
    Box readers = window_.column(written_);
    readers.min.y = row(written_).min.y;
    readers.max.y = map_.max.y;
    painter.outline(
        {{readers.min.x - 1, readers.min.y - 1}, {readers.max.x + 1, readers.max.y + 1}},
        gate_style(palette, 'i').colour, 1.3f * painter.line_width());
  }
}

void FacesPicture::axes(const Scene& scene, Painter& painter) const {
  const Palette& palette = painter.palette();
  const float line = painter.line_height();
  const int cursor = scene.snapshot.sequence.cursor;
  const bool tokens = window_.column_width() >= line;
  const float widest = painter.measure(std::to_string(window_.length())).x + painter.px(8);
  const int across = tokens ? 1 : window_.label_stride(widest);
  const int down = tokens ? 1 : window_.label_stride(line);
  const int end = window_.first() + window_.count();
  const auto colour = [&](int step) { return step == cursor ? palette.text : palette.muted_text; };
  for (int t = window_.first(); t < end; ++t) {
    if (t % down != 0) continue;
    Box label{{left_.min.x, row(t).centre().y - line / 2},
              {left_.max.x - painter.px(4), row(t).centre().y + line / 2}};
    std::vector<std::string> words;
    if (tokens) words.push_back(fmt::format("{}: {}", t, token_at(scene, t)));
    words.push_back(tokens ? token_at(scene, t) : std::to_string(t));
    words.push_back(std::to_string(t));
    painter.first_in(label, colour(t), words, Align::right,
                     t == cursor ? Weight::bold : Weight::regular);
  }
  for (int s = window_.first(); s < end; ++s) {
    if (s % across != 0) continue;
    const float half = tokens ? window_.column_width() / 2 : widest / 2;
    const Box label{{window_.x(s) - half, top_.min.y}, {window_.x(s) + half, top_.max.y}};
    const std::string words[] = {tokens ? token_at(scene, s) : std::to_string(s),
                                 std::to_string(s)};
    // The caption of the sums stands beside the last one.
    if (label.max.x <= map_.max.x + painter.px(2))
      painter.first_in(label, colour(s), words, Align::centre,
                       s == cursor ? Weight::bold : Weight::regular);
  }
  painter.outline({{map_.min.x - 1, map_.min.y - 1}, {map_.max.x + 1, map_.max.y + 1}},
                  palette.grid);
}

/// The sum of every row as a bar from zero, or as a number where a row has room for one, and a lamp
/// where the floor stands in for |q·n|.
void FacesPicture::sums(Scene& scene, Painter& painter, const BlockCard& block,
                        const ImpliedAttention& attention, HoverCard& card,
                        std::optional<ValueRef>& hovered) {
  const Palette& palette = painter.palette();
  const float line = painter.line_height(), height = window_.column_width();
  Box bars = right_;
  const Box lamps = bars.cut_right(painter.px(kLamp));
  bars.cut_right(painter.px(4));
  const Box caption{{bars.min.x, top_.min.y}, {lamps.max.x, top_.max.y}};
  const std::string names[] = {"row sum", "sum", "Σ"};
  painter.first_in(caption, palette.muted_text, names, Align::left);
  const bool numbers = height >= line;
  const float zero = bars.centre().x;
  if (!numbers) painter.line({zero, bars.min.y}, {zero, bars.max.y}, {palette.grid, painter.px(1)});
  const ColourScale colours(palette, MapName::signed_values, 0.0, 1.0);
  for (int t = attention.first(); t < attention.first() + attention.count(); ++t) {
    const AttentionRow& now = attention.row(t);
    const Box place = row(t);
    const Box box{{bars.min.x, place.min.y}, {bars.max.x, place.max.y}};
    if (!std::isfinite(now.sum)) {
      painter.fill({box.min, {box.max.x, std::max(box.max.y, box.min.y + 1)}}, kNotANumber);
    } else if (!(numbers && painter.number_in(box, palette.text, now.sum, Align::right)) &&
               largest_sum_ > 0.0) {
      // No room for a number: a bar.
      const float length = static_cast<float>(now.sum / largest_sum_) * bars.width() / 2;
      painter.fill({{std::min(zero, zero + length), box.min.y},
                    {std::max(zero, zero + length), std::max(box.max.y, box.min.y + 1)}},
                   colours(now.sum > 0.0 ? 0.8 : -0.8));
    }
    if (!now.floor) continue;
    const float size = std::min(painter.px(7), std::max(height - 1, 1.0f));
    const float y = place.centre().y;
    painter.fill({{lamps.min.x, y - size / 2}, {lamps.min.x + painter.px(7), y + size / 2}},
                 palette.warning);
  }
  const Box area{{right_.min.x, map_.min.y}, {right_.max.x, map_.max.y}};
  const Touch mouse = touch("sums", area);
  if (!mouse.hovered) return;
  const int t =
      std::clamp(window_.first() + static_cast<int>((mouse.mouse.y - map_.min.y) / height),
                 attention.first(), attention.first() + attention.count() - 1);
  const AttentionRow& now = attention.row(t);
  hovered = ValueRef{block.path("normalizer"), t, focused_head(block, scene.focus), 0};
  card.set({{fmt::format("row sum Σ A = {}", short_number(now.sum)), true},
            {fmt::format("t = {}, token {}", t, token_at(scene, t))},
            {fmt::format("⟨q, n⟩ / (N + ε), N + ε = {}", short_number(now.denominator))}});
  if (now.floor) card.add("The floor is in use: |⟨q, n⟩| is below it, so the answer is shrunk.");
  if (attention.first() > 0)
    card.add(fmt::format("{} of it stands left of the first column.", short_number(now.before)));
}

void FacesPicture::interact(Scene& scene, Painter& painter, const BlockCard& block,
                            const ImpliedAttention& attention, FacesFactor factor, HoverCard& card,
                            std::optional<ValueRef>& hovered) {
  const Touch mouse = touch("matrix", map_);
  const float height = window_.column_width();
  const int s = window_.step_at(mouse.mouse.x);
  const int t =
      std::clamp(window_.first() + static_cast<int>((mouse.mouse.y - map_.min.y) / height),
                 window_.first(), window_.first() + window_.count() - 1);
  if (mouse.hovered && ImGui::GetIO().MouseWheel != 0.0f)
    window_.zoom(ImGui::GetIO().MouseWheel > 0.0f ? 0.8f : 1.25f, s);
  const int end = attention.first() + attention.count();
  const bool inside = s >= attention.first() && t < end && t >= attention.first() && s <= t;
  if (mouse.held) {
    const bool again = written_ == s && scene.snapshot.sequence.cursor == t;
    if (mouse.pressed && inside) written_ = again ? -1 : s;
    drag_.to(scene, t);
  } else {
    drag_.let_go();
  }
  if (!mouse.hovered) return;
  if (!inside) {
    card.set({{t < end && s < end ? "What comes later has no part in an answer."
                                  : "This step was not recorded."}});
    return;
  }
  Box cell = row(t);
  cell.min.x = window_.column(s).min.x;
  cell.max.x = window_.column(s).max.x;
  painter.outline(cell, painter.palette().text, painter.px(1));
  hovered = ValueRef{block.path("input_gate"), s, focused_head(block, scene.focus), 0};
  card.set({{fmt::format("{} = {}", factor_name(factor),
                         short_number(factor_value(attention, factor, t, s))),
             true},
            {fmt::format("A = q·k D / (N + ε) = {} · {} / {} = {}",
                         short_number(attention.overlap(t, s)), short_number(attention.decay(t, s)),
                         short_number(attention.row(t).denominator),
                         short_number(attention.weight(t, s)))},
            {fmt::format("answer of t = {}, token {}", t, token_at(scene, t))},
            {fmt::format("written at s = {}, token {}", s, token_at(scene, s))},
            {"click: look at this write and this answer · wheel: more or fewer steps"}});
}

}  // namespace xlab::ui
