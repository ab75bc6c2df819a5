// The loss over training: every step faint, the smoothed course strong.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/plot.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

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
      say(painter, rest, "No run is open. Open or make one and train it to see its loss here.");
      return;
    }
    if (!snapshot.losses || snapshot.losses->empty()) {
      say(painter, rest,
          "This model is not trained yet. Start training and its loss appears here.");
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
          {std::to_string(point.step), full_number(point.loss), full_number(point.smoothed)});
    }
    return table;
  }

 private:
  void header(Scene& scene, Painter& painter, Box row) {
    const Palette& palette = painter.palette();
    const LossPoint& last = scene.snapshot.losses->back();
    const std::string scales[] = {"linear", "log"};
    float width = painter.px(8);
    for (const std::string& label : scales) width += painter.measure(label).x + painter.px(18);
    Box right = row.cut_right(std::min(width, row.width() * 0.5f));
    logarithmic_ = choose_at(painter, "scale", right, scales, logarithmic_ ? 1 : 0) == 1;
    const std::string smoothed = short_number(last.smoothed), raw = short_number(last.loss);
    const std::string texts[] = {
        fmt::format("step {}: smoothed {}, last {} nats per token", last.step, smoothed, raw),
        fmt::format("step {}: {} nats per token", last.step, smoothed),
        fmt::format("step {}: {} nats", last.step, smoothed)};
    painter.text_in(row, palette.text, painter.fit_first(texts, row.width()));
  }

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
    const float margin = rest.width() > painter.px(120) ? painter.px(44) : 0.0f;
    rest.cut_left(margin);
    rest.cut_right(painter.px(6));
    rest.cut_top(line * 0.4f);
    Box name_x = names ? rest.cut_bottom(line) : Box{};
    const Box ticks_x = rest.height() > 3 * line ? rest.cut_bottom(line) : Box{};
    if (rest.empty()) return;
    draw_axis(painter, rest, axis, margin);
    painter.outline(rest, palette.grid);

    const auto first = static_cast<double>(losses.front().step);
    const double span = std::max(1.0, static_cast<double>(losses.back().step) - first);
    const auto x_of = [&](double step) {
      return rest.min.x + rest.width() * static_cast<float>((step - first) / span);
    };
    if (!ticks_x.empty()) steps_axis(painter, ticks_x, rest, {first, first + span}, x_of);
    if (names) {
      painter.text_up(name_y, palette.muted_text, "nats per token");
      keys(painter, name_x);
    }
    if (uniform > axis.low && uniform < axis.high) {
      const float y = std::floor(axis.y(uniform, rest)) + 0.5f;
      painter.line({rest.min.x, y}, {rest.max.x, y},
                   {palette.muted_text, painter.line_width() * 0.8f, Dash::dashed});
      const std::string label = fmt::format("uniform guess {}", short_number(uniform));
      if (rest.width() > painter.measure(label).x + painter.px(60) && rest.height() > 4 * line) {
        const float top = y - line - 1 > rest.min.y ? y - line - 1 : y + 1;
        painter.text_in({{rest.min.x, top}, {rest.max.x - painter.px(6), top + line}},
                        palette.muted_text, label, Align::right);
      }
    }

    std::vector<float> xs, raw, smoothed;
    xs.reserve(losses.size());
    raw.reserve(losses.size());
    smoothed.reserve(losses.size());
    for (const LossPoint& point : losses) {
      xs.push_back(x_of(static_cast<double>(point.step)));
      raw.push_back(point.loss);
      smoothed.push_back(point.smoothed);
    }
    draw_curve(painter, rest, axis, xs, raw,
               {with_alpha(palette.accent, 0.35f), std::max(1.0f, painter.line_width() * 0.7f)});
    draw_curve(painter, rest, axis, xs, smoothed, {palette.accent, painter.line_width() * 1.5f});
    current(painter, rest, axis, {xs.back(), smoothed.back()});

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
        {fmt::format("training step {}", losses[i].step), true},
        {fmt::format("loss {} nats per token", full_number(losses[i].loss))},
        {fmt::format("smoothed {} nats per token", full_number(losses[i].smoothed))}};
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

  /// The name of the axis, and which line is which.
  static void keys(Painter& painter, Box row) {
    const Palette& palette = painter.palette();
    const auto key = [&](const char* word, const Stroke& stroke) {
      const float width = painter.measure(word).x + painter.px(14);
      if (row.width() < width + painter.px(150)) return;
      Box text = row.cut_right(width);
      text.cut_right(painter.px(10));
      const Box sample = row.cut_right(painter.px(18));
      painter.line({sample.min.x, sample.centre().y},
                   {sample.max.x - painter.px(4), sample.centre().y}, stroke);
      painter.text_in(text, palette.muted_text, word, Align::left);
    };
    key("smoothed", {palette.accent, painter.line_width() * 1.5f});
    key("every step", {with_alpha(palette.accent, 0.35f), painter.line_width()});
    painter.text_in(row, palette.muted_text, "training step");
  }

  /// The latest smoothed value at the end of its curve.
  static void current(Painter& painter, const Box& box, const Axis& axis, ImVec2 last) {
    if (!std::isfinite(last.y)) return;
    const Palette& palette = painter.palette();
    const float y = std::clamp(axis.y(last.y, box), box.min.y, box.max.y);
    painter.list().AddCircleFilled({last.x, y}, painter.px(3.5f), palette.accent, 16);
    const std::string label = short_number(last.y);
    const ImVec2 size = painter.measure(label, Weight::bold);
    const float above = y - size.y - painter.px(8);
    const float top = above > box.min.y ? above : y + painter.px(6);
    const float left = std::clamp(last.x - size.x - painter.px(6), box.min.x,
                                  std::max(box.min.x, box.max.x - size.x));
    const Box plate{{left - painter.px(3), top}, {left + size.x + painter.px(3), top + size.y}};
    if (plate.max.y > box.max.y || plate.width() > box.width() / 2) return;
    painter.fill(plate, with_alpha(palette.panel, 0.85f), painter.px(2));
    painter.text({left, top}, palette.text, label, Weight::bold);
  }

  bool logarithmic_ = false;
};

}  // namespace

std::unique_ptr<View> make_loss_view() {
  return std::make_unique<LossView>();
}

}  // namespace xlab::ui
