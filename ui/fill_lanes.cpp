// The pictures of a memory's fill over time.
#include "ui/fill_lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr Axis kCosines{-1.0, 1.0};

/// A number, or that it is none.
std::string said(double number) {
  return std::isnan(number) ? "no number" : short_number(number);
}

ImU32 colour_of_fill(const Painter& painter) {
  return gate_style(painter.palette(), 'C').colour;
}

/// Upright lines at the cursor and at what is pointed at.
void mark_fill_steps(const FillFrame& frame, Painter& painter, const Box& box) {
  const Palette& palette = painter.palette();
  const auto upright = [&](int step, const Stroke& stroke) {
    if (!frame.window.shows(step)) return;
    const float x = frame.window.x(step);
    painter.line({x, box.min.y}, {x, box.max.y}, stroke);
  };
  upright(frame.scene.snapshot.sequence.cursor,
          {with_alpha(palette.cursor, 0.8f), painter.line_width()});
  upright(frame.pointed, {with_alpha(palette.muted_text, 0.6f), 1.0f});
}

/// What the mouse does in a lane: points at a step, and drags the cursor.
int fill_step_under_mouse(FillFrame& frame, const char* id, const Box& box) {
  const Touch mouse = touch(id, box);
  if (mouse.held) {
    frame.drag.to(frame.scene, frame.window.step_at(mouse.mouse.x));
  } else if (mouse.released) {
    frame.drag.let_go();
  }
  if (!mouse.hovered && !mouse.held) return -1;
  frame.next_pointed = frame.window.step_at(mouse.mouse.x);
  return frame.next_pointed;
}

std::string named_step(const FillFrame& frame, int t) {
  const std::vector<int>& tokens = frame.scene.snapshot.sequence.tokens;
  std::string words = fmt::format("t = {}", t);
  if (t >= 0 && t < static_cast<int>(tokens.size()))
    words += ", token " +
             token_label(frame.scene.snapshot.model.get(), tokens[static_cast<std::size_t>(t)]);
  return words;
}

/// The visible steps of which singular values are known.
int known_end(const FillFrame& frame) {
  const MemoryFill& fill = frame.shown.fill();
  return std::min({frame.window.first() + frame.window.count(), fill.length(), fill.next()});
}

void write_title(Painter& painter, const Box& row, std::vector<std::string> titles) {
  painter.text_in(row, painter.palette().text, painter.fit_first(titles, row.width(), Weight::bold),
                  Align::left, Weight::bold);
}

void describe_fill(FillFrame& frame, int t) {
  const FillShown& shown = frame.shown;
  const std::vector<double>* singular = shown.fill().at(t);
  const int taken = shown.fill().taken(t);
  frame.card.add(fmt::format("{}, head {}", named_step(frame, t), shown.head()), true);
  if (!singular) {
    frame.card.add(shown.busy() ? "not computed yet" : "not recorded");
    return;
  }
  if (taken != t) frame.card.add(fmt::format("the step taken before it: t = {}", taken));
  if (singular->empty()) {
    frame.card.add("C holds a number that is none");
    return;
  }
  frame.card.add(
      fmt::format("effective rank {} of {}", said(participation_ratio(*singular)), shown.most()));
  std::string largest;
  for (std::size_t j = 0; j < std::min<std::size_t>(singular->size(), 4); ++j)
    largest += (largest.empty() ? "" : ", ") + short_number((*singular)[j]);
  frame.card.add(fmt::format("largest σ: {}{}", largest, singular->size() > 4 ? ", …" : ""));
  frame.card.add(fmt::format("smallest σ: {}", short_number(singular->back())));
  frame.card.add("drag: move the cursor");
}

void describe_answer(FillFrame& frame, int t) {
  const FillShown& shown = frame.shown;
  const RequeryTest& test = shown.test();
  frame.card.add(fmt::format("{}, head {}", named_step(frame, t), shown.head()), true);
  if (t > test.step()) {
    frame.card.add("not stored yet at the cursor");
    return;
  }
  if (t >= static_cast<int>(test.answers().size())) {
    frame.card.add(shown.busy() ? "not asked yet" : "its key and value were not recorded");
    return;
  }
  const KeyAnswer& answer = test.answers()[static_cast<std::size_t>(t)];
  const double share =
      own_share(*frame.scene.snapshot.trace, frame.block, shown.head(), test.step(), t);
  frame.card.add(fmt::format("cosine of what comes back and v: {}", said(answer.cosine)));
  frame.card.add(fmt::format("its length: {} of that of v", said(answer.length)));
  if (answer.floor) frame.card.add("divided by the floor, not by |⟨q, n⟩|: it is shrunk");
  frame.card.add(fmt::format("share of its own write in that answer: {}", said(share)));
  frame.card.add("drag: move the cursor");
  frame.hovered = ValueRef{frame.block.path("input_gate"), t, shown.head(), 0};
}

}  // namespace

void draw_fill_gauge(FillFrame& frame, Painter& painter, Box row) {
  const Palette& palette = painter.palette();
  const FillShown& shown = frame.shown;
  const std::string rank = said(shown.rank_now());
  const std::string words[] = {
      shown.has_now() ? fmt::format("t = {}: effective rank {} of {} = min(K, V)", shown.step(),
                                    rank, shown.most())
                      : "the memory is on its way",
      shown.has_now() ? fmt::format("rank {} of {}", rank, shown.most()) : "on its way",
      shown.has_now() ? rank : "…"};
  const Box whole = row;
  const std::string text = painter.fit_first(words, row.width(), Weight::bold);
  painter.text_in(row.cut_left(painter.measure(text, Weight::bold).x + painter.px(12)),
                  palette.text, text, Align::left, Weight::bold);
  const double share =
      shown.has_now() && shown.most() > 0 ? shown.rank_now() / shown.most() : std::nan("");
  const std::string percent = std::isfinite(share) ? fmt::format("{:.0f} %", 100.0 * share) : "";
  const float written = painter.measure(percent).x + painter.px(10);
  row.max.x = std::min(row.max.x - written, row.min.x + painter.px(360));
  if (row.width() > painter.px(40)) {
    const float half = painter.px(4);
    const Box groove{{row.min.x, row.centre().y - half}, {row.max.x, row.centre().y + half}};
    painter.fill(groove, palette.control, half);
    if (std::isnan(shown.rank_now()) && shown.has_now()) {
      painter.fill(groove, kNotANumber, half);
      painter.hatch(groove, IM_COL32_BLACK);
    } else if (std::isfinite(share) && share > 0.0) {
      Box bar = groove;
      bar.max.x = bar.min.x + groove.width() * static_cast<float>(std::min(share, 1.0));
      painter.fill(bar, colour_of_fill(painter), half);
    }
    painter.text_in({{row.max.x + painter.px(8), row.min.y}, {row.max.x + written, row.max.y}},
                    palette.muted_text, percent);
  }
  frame.card.explain(
      whole, {{"How full the memory of this head is", true},
              {"Effective rank: the participation ratio (Σ σ²)² / Σ σ⁴ of the singular values σ of "
               "C, about how many directions are in use."},
              {"C is (K, V), so there are min(K, V) directions at most. What is stored beyond "
               "that lies on what is there already."}});
}

void draw_rank_title(FillFrame& frame, Painter& painter, const Box& row) {
  write_title(
      painter, row,
      {"Effective rank (Σ σ²)² / Σ σ⁴ of C over time; dotted: min(K, V), dashed: tokens written",
       "Effective rank (Σ σ²)² / Σ σ⁴ of C over time", "Effective rank of C"});
  frame.card.explain(row, {{"Effective rank over time", true},
                           {"Participation ratio of the squared singular values of C. Dotted: "
                            "min(K, V), the most there can be. Dashed: the number of tokens "
                            "written, as each write adds one direction at most."}});
}

void draw_rank(FillFrame& frame, Painter& painter, const Box& box) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  const FillShown& shown = frame.shown;
  const Axis axis{0.0, std::max(1.0, static_cast<double>(shown.most()) * 1.06)};
  draw_axis(painter, box, axis, box.height() > 2 * painter.line_height() ? frame.gutter : 0.0f);
  painter.outline(box, palette.grid);
  mark_fill_steps(frame, painter, box);
  const float limit = axis.y(shown.most(), box);
  painter.line({box.min.x, limit}, {box.max.x, limit},
               {palette.muted_text, painter.line_width(), Dash::dotted});
  std::vector<float> xs, ys, writes_x, writes_y;
  const int first = frame.window.first(), end = known_end(frame);
  for (int t = first; t < end; ++t) {
    if (shown.fill().taken(t) == t) {
      xs.push_back(frame.window.x(t));
      ys.push_back(static_cast<float>(*shown.rank(t)));
    }
  }
  for (int t = first; t < first + frame.window.count() && t + 1 <= shown.most(); ++t) {
    writes_x.push_back(frame.window.x(t));
    writes_y.push_back(static_cast<float>(t + 1));
  }
  const float width = painter.line_width();
  if (writes_x.size() > 1)
    draw_curve(painter, box, axis, writes_x, writes_y, {palette.muted_text, width, Dash::dashed});
  const ImU32 colour = colour_of_fill(painter);
  if (!xs.empty()) draw_curve(painter, box, axis, xs, ys, {colour, width * 1.6f});
  if (xs.size() == 1 && std::isfinite(ys.front()))
    painter.disc({xs.front(), axis.y(ys.front(), box)}, painter.px(3), colour);
  if (const int t = fill_step_under_mouse(frame, "rank", box); t >= 0) describe_fill(frame, t);
}

void draw_singular_title(FillFrame& frame, Painter& painter, const Box& row) {
  const int stride = frame.shown.fill().stride();
  const std::string every = stride > 1 ? fmt::format(", every {}th step", stride) : "";
  write_title(painter, row,
              {fmt::format("Singular values σ of C over time, largest on top{}", every),
               fmt::format("Singular values of C{}", every), "Singular values"});
  frame.card.explain(
      row, {{"Singular values over time", true},
            {"One row a singular value, the largest of its step on top; one column a step. Colours "
             "say how far each lies below the largest of its step, in powers of ten, so that the "
             "scale exp(m) of a step has no part in it."},
            {"Computed from the recorded keys, values and gates by one-sided Jacobi rotations, in "
             "double precision, a little in every frame."}});
}

void draw_singular(FillFrame& frame, Painter& painter, const Box& box) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  const FillShown& shown = frame.shown;
  const int first = frame.window.first(), count = known_end(frame) - first;
  const ColourScale colours(palette, MapName::log_domain, FillShown::kLowest, 0.0);
  painter.outline(box, palette.grid);
  const float line = painter.line_height();
  if (count > 0 && shown.most() > 0) {
    const Box map{
        box.min,
        {std::min(box.max.x, box.min.x + frame.window.column_width() * static_cast<float>(count)),
         box.max.y}};
    draw_heat(painter, frame.scene.images, "fill/singular", map, shown.relative(first, count),
              shown.most(), count, colours);
  }
  const Box numbers{{box.min.x - frame.gutter, box.min.y}, {box.min.x - painter.px(4), box.max.y}};
  if (numbers.height() > 2 * line && numbers.width() > painter.px(10)) {
    Box rest = numbers;
    painter.text_in(rest.cut_top(line), palette.muted_text, "0", Align::right);
    if (shown.most() > 1)
      painter.text_in(rest.cut_bottom(line), palette.muted_text, std::to_string(shown.most() - 1),
                      Align::right);
  }
  mark_fill_steps(frame, painter, box);
  if (shown.busy() && count < frame.window.count()) {
    const std::string words[] = {
        fmt::format("{} of {} steps so far", shown.fill().next(), shown.fill().length()), "so far"};
    Box rest = box;
    rest.cut_left(frame.window.column_width() * static_cast<float>(std::max(count, 0)) +
                  painter.px(4));
    const auto fits = std::ranges::find_if(words, [&](const std::string& text) {
      return painter.measure(text).x + painter.px(4) <= rest.width();
    });
    if (fits != std::end(words) && rest.height() >= line) {
      // Above the lines of steps.
      const ImVec2 size{painter.measure(*fits).x + painter.px(4), line};
      const Box plate{{rest.min.x, rest.centre().y - size.y / 2},
                      {rest.min.x + size.x, rest.centre().y + size.y / 2}};
      painter.fill(plate, palette.panel);
      painter.text_in(plate, palette.muted_text, *fits, Align::centre);
    }
  }
  if (const int t = fill_step_under_mouse(frame, "singular", box); t >= 0) describe_fill(frame, t);
}

void draw_singular_legend(FillFrame& frame, Painter& painter, const Box& row) {
  const ColourScale colours(painter.palette(), MapName::log_domain, FillShown::kLowest, 0.0);
  const int first = frame.window.first();
  const std::vector<float> values = frame.shown.relative(first, known_end(frame) - first);
  Legend legend{"log₁₀ (σ / largest σ)", "each step by itself", "", outside(values, colours)};
  legend.brief = "log₁₀ σ";
  legend.more = "Below 10⁻⁶ of the largest lies the rounding of float32, or 0.";
  draw_legend(painter, row, colours, legend);
  explain_legend(frame.scene, row, colours, legend);
}

void draw_requery_title(FillFrame& frame, Painter& painter, const Box& row) {
  const int T = frame.shown.step();
  write_title(painter, row,
              {fmt::format("Every stored key asked again at t = {}: cosine of what comes back and "
                           "its value",
                           T),
               fmt::format("Keys asked again at t = {}: cosine to their value", T),
               "Keys asked again: cosine", "Cosine"});
  frame.card.explain(
      row,
      {{"Re-query test", true},
       {"The key of every token up to the cursor is put to the memory of now as a query, by the "
        "cell's own equation, and the answer is held against the value that was stored with it: 1 "
        "where it comes back in its direction."},
       {frame.block.variant.scale == Scaled::keys
            ? "Keys are stored divided by √K here, so a key is taken times √K to be a query."
            : "Queries are divided by √K here, so a key is divided by √K to be one."}});
}

void draw_requery_keys(FillFrame& frame, Painter& painter, Box row) {
  const Palette& palette = painter.palette();
  const RequeryTest& test = frame.shown.test();
  const int stored = test.step() + 1, keys = frame.block.key_dim;
  const bool whole = test.complete();
  const std::string mean = fmt::format("mean {} of {} token{}{}", said(test.mean()), test.counted(),
                                       test.counted() == 1 ? "" : "s", whole ? "" : " so far");
  const std::string random =
      fmt::format("random keys: about 1/√(1 + T/K) = {}", said(random_key_cosine(stored, keys)));
  const auto key = [&](const std::string& words, const Stroke& stroke) {
    const float width = painter.measure(words).x + painter.px(33);
    if (width > row.width()) return;
    Box box = row.cut_left(width + painter.px(14));
    const Box sample = box.cut_left(painter.px(28));
    painter.line({sample.min.x, sample.centre().y}, {sample.max.x, sample.centre().y}, stroke);
    box.cut_left(painter.px(5));
    painter.text_in(box, palette.muted_text, words);
  };
  const Box all = row;
  key(mean, {palette.text, painter.line_width() * 1.4f});
  key(random, {palette.muted_text, painter.line_width(), Dash::dashed});
  frame.card.explain(
      all, {{mean},
            {fmt::format("{} with T = {} tokens and K = {}: what T pairs of random keys and values "
                         "give, all written equally and none forgotten.",
                         random, stored, keys)}});
}

void draw_requery(FillFrame& frame, Painter& painter, const Box& box) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  const RequeryTest& test = frame.shown.test();
  draw_axis(painter, box, kCosines, box.height() > 2 * painter.line_height() ? frame.gutter : 0.0f);
  painter.outline(box, palette.grid);
  const ImU32 colour =
      mix(palette.panel, colour_of_fill(painter), palette.name == PaletteName::dark ? 0.8f : 0.65f);
  const float zero = kCosines.y(0.0, box);
  const int first = frame.window.first();
  const int end = std::min(
      {first + frame.window.count(), test.step() + 1, static_cast<int>(test.answers().size())});
  for (int t = first; t < end; ++t) {
    const double cosine = test.answers()[static_cast<std::size_t>(t)].cosine;
    Box bar = frame.window.column(t);
    const float gap = frame.window.column_width() > painter.px(5) ? painter.px(1) : 0.0f;
    bar.min.x += gap;
    bar.max.x -= gap;
    if (std::isnan(cosine)) {
      bar.min.y = box.min.y;
      bar.max.y = box.max.y;
      painter.fill(bar, kNotANumber);
      painter.hatch(bar, IM_COL32_BLACK);
      continue;
    }
    const float y = std::clamp(kCosines.y(cosine, box), box.min.y, box.max.y);
    bar.min.y = std::min(y, zero);
    bar.max.y = std::max({y, zero, bar.min.y + 1.0f});
    painter.fill(bar, colour);
  }
  painter.line({box.min.x, zero}, {box.max.x, zero}, {palette.muted_text, 1.0f});
  const auto level = [&](double number, const Stroke& stroke) {
    if (!std::isfinite(number)) return;
    const float y = kCosines.y(number, box);
    painter.line({box.min.x, y}, {box.max.x, y}, stroke);
  };
  if (!test.answers().empty()) {
    level(random_key_cosine(test.step() + 1, frame.block.key_dim),
          {palette.muted_text, painter.line_width(), Dash::dashed});
    level(test.mean(), {palette.text, painter.line_width() * 1.4f});
  }
  mark_fill_steps(frame, painter, box);
  if (const int t = fill_step_under_mouse(frame, "requery", box); t >= 0) describe_answer(frame, t);
}

}  // namespace xlab::ui
