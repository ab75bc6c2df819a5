// The loss over training: every step, and the smoothed course over it.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/plot.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// A step is counted like the steps that were made: the first one is step 1.
std::int64_t number_of(const LossPoint& point) {
  return point.step + 1;
}

class LossView : public View {
 public:
  std::string name() const override { return "loss"; }
  std::string title() const override { return "Loss"; }
  ImVec2 minimum_size() const override { return {260, 140}; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "loss", size);
    Painter painter(scene);
    if (!panel.usable()) return;
    Box rest = panel.content().inset(painter.px(8), painter.px(6));
    const Snapshot& snapshot = scene.snapshot;
    if (!snapshot.model) {
      say_no_run(painter, rest, "train it to see its loss here");
      return;
    }
    if (!snapshot.losses || snapshot.losses->empty()) {
      say(painter, rest,
          snapshot.model->came_with_weights
              ? "This model came with its weights and has not been trained here. Start training "
                "and "
                "the loss of every step appears here."
              : "This model is not trained yet. Start training and the loss of every step appears "
                "here.");
      return;
    }
    header(scene, painter, rest.cut_top(painter.line_height() + painter.px(4)));
    rest.cut_top(painter.px(4));
    plot(scene, painter, rest);
  }

  Table table(const Scene& scene) const override {
    Table table;
    table.columns = {"training step", "loss (nats per token)", "smoothed (nats per token)"};
    if (!scene.snapshot.losses) return table;
    for (const LossPoint& point : *scene.snapshot.losses) {
      table.rows.push_back(
          {std::to_string(number_of(point)), full_number(point.loss), full_number(point.smoothed)});
    }
    return table;
  }

 private:
  void header(Scene& scene, Painter& painter, Box row) {
    const Palette& palette = painter.palette();
    const LossPoint& last = scene.snapshot.losses->back();
    const std::string scales[] = {"linear", "log"};
    float width = painter.px(2);
    for (const std::string& label : scales) width += painter.measure(label).x + painter.px(18);
    Box right = row.cut_right(width <= row.width() * 0.6f ? width : 0.0f);
    row.cut_right(right.empty() ? 0.0f : painter.px(8));
    const Box whole = right;
    logarithmic_ = choose_at(painter, "scale", right, scales, logarithmic_ ? 1 : 0) == 1;
    hint(scene, whole,
         "Whether equal distances on the axis are equal differences (linear) or equal factors "
         "(log).");
    const std::string smoothed = short_number(last.smoothed), raw = short_number(last.loss);
    const std::string texts[] = {
        fmt::format("step {}: loss {}, smoothed {} nats per token", number_of(last), raw, smoothed),
        fmt::format("step {}: loss {} nats per token", number_of(last), raw),
        fmt::format("step {}: loss {} nats", number_of(last), raw),
        fmt::format("loss {} nats", raw), painter.fit_number(last.loss, row.width())};
    painter.first_in(row, palette.text, texts);
    hint(scene, row,
         fmt::format("Training step {}. Loss: mean cross-entropy of this step's batch, {} nats per "
                     "token. Smoothed: mean over the steps before it, recent ones counting more, "
                     "{}.",
                     number_of(last), raw, smoothed));
  }

  /// A logarithmic axis goes no deeper: below this the loss is rounding. Smaller values, and 0,
  /// stand at the lower edge.
  static constexpr double kFloor = 1e-8;

  Axis vertical(const std::vector<LossPoint>& losses, double uniform) const {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const LossPoint& point : losses) {
      for (const float value : {point.loss, point.smoothed}) {
        if (!std::isfinite(value) || (logarithmic_ && value <= 0.0f)) continue;
        low = std::min(low, static_cast<double>(value));
        high = std::max(high, static_cast<double>(value));
      }
    }
    if (low > high) return {logarithmic_ ? 0.01 : 0.0, std::max(1.0, uniform), logarithmic_};
    if (!logarithmic_) {
      Axis axis = padded(std::min(low, 0.0), high);
      if (low >= 0.0) axis.low = 0.0;
      return axis;
    }
    low = std::max(low, kFloor);
    return {low * 0.8, std::max(high * 1.15, low * 1.2), true};
  }

  void plot(Scene& scene, Painter& painter, Box rest) {
    const Palette& palette = painter.palette();
    const std::vector<LossPoint>& losses = *scene.snapshot.losses;
    const float line = painter.line_height();
    const double uniform = std::log(
        std::max<double>(2.0, static_cast<double>(scene.snapshot.model->vocabulary.size())));
    const Axis axis = vertical(losses, uniform);

    const bool names = rest.width() > painter.px(200) && rest.height() > 5 * line;
    const Box name_y = names ? rest.cut_left(line) : Box{};
    rest.cut_right(painter.px(6));
    rest.cut_top(line * 0.4f);
    Box name_x = names ? rest.cut_bottom(line) : Box{};
    Box ticks_x = rest.height() > 3 * line ? rest.cut_bottom(line) : Box{};
    const float wanted = axis_margin(painter, rest.height(), axis);
    const float margin = rest.width() > 3 * wanted ? wanted : 0.0f;
    for (Box* box : {&rest, &name_x, &ticks_x}) box->cut_left(margin);
    if (rest.empty()) return;
    draw_axis(painter, rest, axis, margin);
    painter.outline(rest, palette.grid);

    const auto first = static_cast<double>(number_of(losses.front()));
    const double span = std::max(1.0, static_cast<double>(number_of(losses.back())) - first);
    const auto x_of = [&](double step) {
      return rest.min.x + rest.width() * static_cast<float>((step - first) / span);
    };
    if (!ticks_x.empty()) steps_axis(painter, ticks_x, rest, {first, first + span}, x_of);
    if (names) {
      painter.text_up(name_y, palette.muted_text, "nats per token");
      keys(scene, painter, name_x);
      hint(scene, name_y,
           "Mean cross-entropy of the batch of each training step, in nats per token.");
    }
    std::vector<float> xs, raw, smoothed;
    xs.reserve(losses.size());
    raw.reserve(losses.size());
    smoothed.reserve(losses.size());
    // On a logarithmic axis what lies below it stands on its lower edge.
    const auto shown = [&](float value) {
      return axis.logarithmic && std::isfinite(value)
                 ? std::max(value, static_cast<float>(axis.low))
                 : value;
    };
    for (const LossPoint& point : losses) {
      xs.push_back(x_of(static_cast<double>(number_of(point))));
      raw.push_back(shown(point.loss));
      smoothed.push_back(shown(point.smoothed));
    }
    const bool guessed = uniform > axis.low && uniform < axis.high;
    const float guess_y = guessed ? std::floor(axis.y(uniform, rest)) + 0.5f : NAN;
    if (guessed) {
      painter.line({rest.min.x, guess_y}, {rest.max.x, guess_y},
                   {palette.muted_text, painter.line_width() * 0.8f, Dash::dashed});
    }
    draw_curve(painter, rest, axis, xs, raw, every_step(painter));
    draw_curve(painter, rest, axis, xs, smoothed, smoothed_line(painter));
    // Over all lines, and on grounds of their own, so that none goes through a word.
    Drawn drawn{rest, axis, xs, {raw, smoothed}, guess_y};
    const Box number = current(painter, drawn, losses.back().loss);
    if (guessed) guess(painter, drawn, uniform, number);

    const Touch mouse = touch("plot", rest);
    if (!mouse.hovered && !mouse.held) return;
    const auto nearest = std::min_element(xs.begin(), xs.end(), [&](float a, float b) {
      return std::abs(a - mouse.mouse.x) < std::abs(b - mouse.mouse.x);
    });
    const auto i = static_cast<std::size_t>(nearest - xs.begin());
    painter.line({xs[i], rest.min.y}, {xs[i], rest.max.y}, {palette.muted_text, 1.0f});
    for (const float value : {raw[i], smoothed[i]}) {
      const float y = axis.y(value, rest);
      if (!std::isfinite(value) || y < rest.min.y || y > rest.max.y) continue;
      painter.list().AddCircle({xs[i], y}, painter.px(4.5f), palette.text, 16, painter.px(1.5f));
    }
    const CardLine lines[] = {
        {fmt::format("training step {}", number_of(losses[i])), true},
        {fmt::format("loss {} nats per token", short_number(losses[i].loss))},
        {fmt::format("smoothed {} nats per token", short_number(losses[i].smoothed))},
        {fmt::format("a uniform guess: {} nats", short_number(uniform))}};
    hover_card(scene, lines);
  }

  template <typename Place>
  static void steps_axis(Painter& painter, const Box& row, const Box& box, const Axis& range,
                         Place x_of) {
    const Palette& palette = painter.palette();
    const float widest = painter.measure(tick_number(range.high, 1.0)).x + painter.px(16);
    const std::vector<double> marks =
        ticks(range, std::clamp(static_cast<int>(row.width() / widest), 2, 10));
    float last = -FLT_MAX;
    for (const double mark : marks) {
      if (mark != std::round(mark)) continue;  // there is no half step
      const float x = std::floor(x_of(mark)) + 0.5f;
      painter.line({x, box.min.y}, {x, box.max.y}, {palette.grid, 1.0f});
      const float half = painter.measure(tick_number(mark, 1.0)).x / 2 + 1;
      const float centre =
          std::clamp(x, row.min.x + half, std::max(row.min.x + half, row.max.x - half));
      if (centre - half < last + painter.px(6)) continue;
      last = centre + half;
      painter.text_in({{centre - half, row.min.y}, {centre + half, row.max.y}}, palette.muted_text,
                      tick_number(mark, 1.0), Align::centre);
    }
  }

  static Stroke every_step(const Painter& painter) {
    return {painter.palette().accent, std::max(1.0f, painter.line_width() * 0.7f)};
  }
  static Stroke smoothed_line(const Painter& painter) {
    return {painter.palette().text, painter.line_width() * 1.3f};
  }

  /// The name of the axis, and which line is which.
  static void keys(const Scene& scene, Painter& painter, Box row) {
    const Palette& palette = painter.palette();
    const float swatch = painter.px(18), apart = painter.px(10);
    const auto key = [&](const char* word, const Stroke& stroke, const char* meaning) {
      const float width = painter.measure(word).x + 1.0f;
      if (row.width() < swatch + width + apart) return;
      const Box text = row.cut_right(width);
      const Box sample = row.cut_right(swatch);
      painter.line({sample.min.x, sample.centre().y},
                   {sample.max.x - painter.px(4), sample.centre().y}, stroke);
      painter.text_in(text, palette.muted_text, word, Align::left);
      hint(scene, {sample.min, text.max}, meaning);
      row.cut_right(apart);
    };
    key("smoothed", smoothed_line(painter),
        "The mean of the losses so far, recent ones counting more: where training is going.");
    key("each step", every_step(painter),
        "The loss of each training step's own batch. The number at its end is the last one.");
    const std::string name[] = {"training step", "step"};
    painter.first_in(row, palette.muted_text, name);
  }

  /// What the labels have to keep clear of.
  struct Drawn {
    const Box& box;
    const Axis& axis;
    const std::vector<float>& xs;
    std::span<const float> ys[2];
    float guess_y;  ///< of the line of a uniform guess, NaN where there is none

    /// How much of the lines lies under a label, in pixels of width.
    float under(const Box& label) const {
      float covered = 0.0f;
      for (const std::span<const float> values : ys) {
        for (std::size_t i = 0; i < values.size(); ++i) {
          const float before = values[i > 0 ? i - 1 : i], now = values[i];
          if (!std::isfinite(before) || !std::isfinite(now)) continue;
          const float left = std::max(xs[i > 0 ? i - 1 : i], label.min.x);
          const float right = std::min(xs[i], label.max.x);
          const float a = axis.y(before, box), b = axis.y(now, box);
          if (right < left || std::max(a, b) < label.min.y || std::min(a, b) > label.max.y)
            continue;
          covered += std::max(right - left, 1.0f);
        }
      }
      const bool crossed = guess_y > label.min.y && guess_y < label.max.y;
      return covered + (crossed ? label.width() : 0.0f);
    }
  };

  /// Of several places for a label the one that covers least of the lines; the first of equals.
  static Box clearest(const Drawn& drawn, std::span<const Box> places) {
    Box best;
    float least = std::numeric_limits<float>::infinity();
    for (const Box& place : places) {
      const float covered = drawn.under(place);
      if (covered >= least) continue;
      least = covered;
      best = place;
    }
    return best;
  }

  /// A label on the ground of the panel.
  static void put_label(Painter& painter, const Box& place, ImU32 colour, const std::string& label,
                        Weight weight) {
    painter.fill(place, painter.palette().panel, painter.px(2));
    painter.text({place.min.x + painter.px(3), place.min.y}, colour, label, weight);
  }

  /// The last loss, large, at the end of its curve. Returns what it covers.
  static Box current(Painter& painter, const Drawn& drawn, float loss) {
    const Palette& palette = painter.palette();
    const Box& box = drawn.box;
    const float x = drawn.xs.back();
    float y = box.centre().y;
    if (std::isfinite(loss)) {
      y = std::clamp(drawn.axis.y(loss, box), box.min.y, box.max.y);
      painter.list().AddCircleFilled({x, y}, painter.px(3.5f), palette.accent, 16);
    }
    const std::string label =
        painter.fit_number(loss, box.width() / 2 - painter.px(6), {}, Weight::bold);
    if (label.empty()) return {};
    const ImVec2 size = painter.measure(label, Weight::bold);
    const float right =
        std::max(box.min.x + size.x + painter.px(6), std::min(x - painter.px(3), box.max.x));
    std::vector<Box> places;
    const auto offer = [&](float top) {
      const Box place{{right - size.x - painter.px(6), top}, {right, top + size.y}};
      if (place.min.y >= box.min.y && place.max.y <= box.max.y) places.push_back(place);
    };
    // Above or below its point, else above or below the line of a uniform guess beside it.
    offer(y - size.y - painter.px(8));
    offer(y + painter.px(6));
    if (std::abs(drawn.guess_y - y) < 2 * size.y) {
      offer(drawn.guess_y - size.y - painter.px(4));
      offer(drawn.guess_y + painter.px(4));
    }
    if (places.empty()) return {};
    const Box place = clearest(drawn, places);
    put_label(painter, place, palette.text, label, Weight::bold);
    return place;
  }

  /// The name of the line of a uniform guess, where it does not touch the last loss and covers
  /// least of the curves.
  static void guess(Painter& painter, const Drawn& drawn, double uniform, const Box& number) {
    const Box& box = drawn.box;
    const std::string label = fmt::format("uniform guess {}", short_number(uniform));
    const float width = painter.measure(label).x + painter.px(6), line = painter.line_height();
    const float away = painter.px(3);
    std::vector<Box> places;
    const float lefts[] = {box.max.x - away - width, box.min.x + away, box.centre().x - width / 2,
                           box.min.x + box.width() / 4 - width / 2};
    for (const float left : lefts) {
      for (const float top : {drawn.guess_y - line - 1, drawn.guess_y + 1}) {
        const Box place{{left, top}, {left + width, top + line}};
        const bool inside = left >= box.min.x && top >= box.min.y && place.max.y <= box.max.y &&
                            place.max.x <= box.max.x;
        const bool apart = place.max.x < number.min.x - away || place.min.x > number.max.x + away ||
                           place.max.y < number.min.y || place.min.y > number.max.y;
        if (!inside || !(apart || number.empty())) continue;
        places.push_back(place);
      }
    }
    if (places.empty()) return;
    put_label(painter, clearest(drawn, places), painter.palette().muted_text, label,
              Weight::regular);
  }

  bool logarithmic_ = false;
};

}  // namespace

std::unique_ptr<View> make_loss_view() {
  return std::make_unique<LossView>();
}

}  // namespace xlab::ui
