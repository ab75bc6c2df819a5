// The loss over training of all runs that are shown: of the one on screen every step, of each the
// smoothed course.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ui/ground.hpp"
#include "ui/hint.hpp"
#include "ui/loss_labels.hpp"
#include "ui/loss_lines.hpp"
#include "ui/number.hpp"
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
      say_no_run(painter, rest, "train it to see its loss here");
      return;
    }
    // At most two points for a pixel of the plot, which has at least half of the room.
    const std::vector<LossLine> lines =
        lines_.of(snapshot, scene.palette, static_cast<int>(rest.width() / 2));
    const bool trained = snapshot.losses && !snapshot.losses->empty();
    if (lines.empty() && trained) {
      say(painter, rest, "No loss is shown: tick a run in the panel of runs to draw its curve.");
      return;
    }
    if (lines.empty()) {
      say(painter, rest,
          snapshot.model->came_with_weights
              ? "This model came with its weights and has not been trained here. Start training "
                "and "
                "the loss of every step appears here."
              : "This model is not trained yet. Start training and the loss of every step appears "
                "here.");
      return;
    }
    header(scene, painter, rest.cut_top(painter.line_height() + painter.px(4)),
           lines.back().focused);
    rest.cut_top(painter.px(4));
    plot(scene, painter, rest, lines);
  }

  Table table(const Scene& scene) const override {
    const std::vector<LossLine> lines = loss_lines(scene.snapshot, scene.palette);
    const bool several = lines.size() > 1;
    Table table;
    table.columns = {"training step", "loss (nats per token)", "smoothed (nats per token)"};
    if (several) table.columns.insert(table.columns.begin(), "run");
    const std::size_t most =
        scene.most_rows > 0
            ? std::max<std::size_t>(1, scene.most_rows / std::max<std::size_t>(1, lines.size()))
            : std::numeric_limits<std::size_t>::max();
    for (const LossLine& line : lines) {
      const LossCurve& losses = *line.losses;
      const std::size_t first = losses.size() > most ? losses.size() - most : 0;
      if (first > 0) {
        table.note = several
                         ? fmt::format("The last {} steps of each run are listed.", most)
                         : fmt::format("The last {} of {} steps are listed.", most, losses.size());
      }
      for (std::size_t i = first; i < losses.size(); ++i) {
        std::vector<std::string> row = {std::to_string(number_of(losses[i])),
                                        full_number(losses[i].loss),
                                        full_number(losses[i].smoothed)};
        if (several) row.insert(row.begin(), line.name);
        table.rows.push_back(std::move(row));
      }
    }
    return table;
  }

 private:
  /// `drawn`: whether the curve of the run on screen is among those below.
  void header(Scene& scene, Painter& painter, Box row, bool drawn) {
    const Palette& palette = painter.palette();
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
    const Snapshot& snapshot = scene.snapshot;
    const bool trained = snapshot.losses && !snapshot.losses->empty();
    const std::string hidden = trained && !drawn ? " (curve hidden), " : ", ";
    const bool several = snapshot.runs.size() > 1;
    const std::string of = several ? name_on_screen(snapshot) : "";
    const std::string whole_name = several ? of + hidden : "";
    // A long name leaves half of the room to what is said of its run.
    const std::string name =
        several ? middle_cut(painter, of, row.width() / 2, Weight::regular) + hidden : "";
    if (!trained) {
      const std::string texts[] = {name + "not trained yet", "not trained yet"};
      painter.first_in(row, palette.text, texts);
      return;
    }
    const LossPoint& last = snapshot.losses->back();
    const std::string smoothed = short_number(last.smoothed), raw = short_number(last.loss);
    const std::string texts[] = {
        fmt::format("{}step {}: loss {}, smoothed {} nats per token", name, number_of(last), raw,
                    smoothed),
        fmt::format("{}step {}: loss {} nats", name, number_of(last), raw),
        fmt::format("step {}: loss {}, smoothed {} nats per token", number_of(last), raw, smoothed),
        fmt::format("step {}: loss {} nats per token", number_of(last), raw),
        fmt::format("step {}: loss {} nats", number_of(last), raw),
        fmt::format("loss {} nats", raw),
        painter.fit_number(last.loss, row.width())};
    painter.first_in(row, palette.text, texts);
    hint(scene, row,
         fmt::format("{}{}raining step {}. Loss: mean cross-entropy of this step's batch, {} nats "
                     "per token. Smoothed: mean over the steps before it, recent ones counting "
                     "more, {}.",
                     whole_name, whole_name.empty() ? "T" : "t", number_of(last), raw, smoothed));
  }

  /// A logarithmic axis goes no deeper: below this the loss is rounding. Smaller values, and 0,
  /// stand at the lower edge.
  static constexpr double kFloor = 1e-8;

  Axis vertical(const std::vector<LossLine>& lines, double uniform) const {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const LossLine& line : lines) {
      // Of the others only the smoothed losses are drawn.
      for (const bool smoothed : {true, false}) {
        if (!smoothed && !line.focused) continue;
        const auto [least, most] = line.thin->range(smoothed, logarithmic_);
        low = std::min(low, least);
        high = std::max(high, most);
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

  void plot(Scene& scene, Painter& painter, Box rest, const std::vector<LossLine>& lines) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const double uniform = std::log(
        std::max<double>(1.0, static_cast<double>(scene.snapshot.model->vocabulary.size())));
    const Axis axis = vertical(lines, uniform);

    const bool names = rest.width() > painter.px(200) && rest.height() > 5 * line;
    const Box name_y = names ? rest.cut_left(line) : Box{};
    rest.cut_right(painter.px(6));
    Box runs = rest.cut_right(names_width(painter, lines, rest.width()));
    rest.cut_top(line * 0.4f);
    Box name_x = names ? rest.cut_bottom(line) : Box{};
    Box ticks_x = rest.height() > 3 * line ? rest.cut_bottom(line) : Box{};
    const float wanted = axis_margin(painter, rest.height(), axis);
    const float margin = rest.width() > 3 * wanted ? wanted : 0.0f;
    for (Box* box : {&rest, &name_x, &ticks_x}) box->cut_left(margin);
    if (rest.empty()) return;
    draw_axis(painter, rest, axis, margin);
    painter.outline(rest, palette.grid);

    double first = std::numeric_limits<double>::infinity(), last = 0.0;
    for (const LossLine& one : lines) {
      first = std::min(first, static_cast<double>(number_of(one.losses->front())));
      last = std::max(last, static_cast<double>(number_of(one.losses->back())));
    }
    const double span = std::max(1.0, last - first);
    const auto x_of = [&](double step) {
      return rest.min.x + rest.width() * static_cast<float>((step - first) / span);
    };
    if (!ticks_x.empty()) steps_axis(painter, ticks_x, rest, {first, first + span}, x_of);
    const bool focused = lines.back().focused;
    if (names) {
      painter.text_up(name_y, palette.muted_text, "nats per token");
      keys(scene, painter, name_x, lines);
      hint(scene, name_y,
           "Mean cross-entropy of the batch of each training step, in nats per token, each run on "
           "its own task.");
    }
    const std::vector<PlottedLine> plotted = plotted_lines(lines, axis, x_of);
    const bool guessed = focused && uniform > axis.low && uniform < axis.high;
    const float guess_y = guessed ? std::floor(axis.y(uniform, rest)) + 0.5f : NAN;
    if (guessed) {
      painter.line({rest.min.x, guess_y}, {rest.max.x, guess_y},
                   {palette.muted_text, painter.line_width() * 0.8f, Dash::dashed});
    }
    for (const PlottedLine& one : plotted) {
      if (one.line->focused)
        draw_curve(painter, rest, axis, one.xs, one.raw, every_step(painter, *one.line));
      draw_curve(painter, rest, axis, one.smooth_xs, one.smooth, smoothed_line(painter, *one.line));
    }
    // Over all lines, and on grounds of their own, so that none goes through a word.
    const Drawn drawn{rest, axis, plotted, guess_y};
    if (!runs.empty()) {
      runs.min.y = rest.min.y - line * 0.4f;
      runs.max.y = rest.max.y + (ticks_x.empty() ? 0.0f : line);
      write_names(painter, runs, drawn, lines);
    }
    if (focused) {
      const Box number =
          label_last_loss(painter, drawn, plotted.back(), lines.back().losses->back().loss);
      if (guessed) label_guess(painter, drawn, uniform, number);
    }
    point_at(scene, painter, drawn, uniform, x_of, [&](float x) {
      return first + static_cast<double>((x - rest.min.x) / rest.width()) * span;
    });
  }

  /// In pixels and values, of each curve what can be seen of it.
  template <typename Place>
  static std::vector<PlottedLine> plotted_lines(const std::vector<LossLine>& lines,
                                                const Axis& axis, Place x_of) {
    // On a logarithmic axis what lies below it stands on its lower edge.
    const auto shown = [&](float value) {
      return axis.logarithmic && std::isfinite(value)
                 ? std::max(value, static_cast<float>(axis.low))
                 : value;
    };
    std::vector<PlottedLine> plotted;
    for (const LossLine& line : lines) {
      PlottedLine& one = plotted.emplace_back();
      one.line = &line;
      const LossCurve& losses = *line.losses;
      if (line.focused) {
        for (const std::size_t i : line.thin->losses()) {
          one.xs.push_back(x_of(static_cast<double>(number_of(losses[i]))));
          one.raw.push_back(shown(losses[i].loss));
        }
      }
      for (const std::size_t i : line.thin->smoothed()) {
        one.smooth_xs.push_back(x_of(static_cast<double>(number_of(losses[i]))));
        one.smooth.push_back(shown(losses[i].smoothed));
      }
    }
    return plotted;
  }

  /// What the mouse points at: of the curve that is nearest to it the nearest step.
  template <typename Place, typename Step>
  static void point_at(Scene& scene, Painter& painter, const Drawn& drawn, double uniform,
                       Place x_of, Step step_at) {
    const Touch mouse = touch("plot", drawn.box);
    if (!mouse.hovered && !mouse.held) return;
    const Box& box = drawn.box;
    const auto place = [&](const LossPoint& point, float value) {
      const float low = drawn.axis.logarithmic ? static_cast<float>(drawn.axis.low) : value;
      return ImVec2{x_of(static_cast<double>(number_of(point))),
                    drawn.axis.y(std::isfinite(value) ? std::max(value, low) : value, box)};
    };
    const LossLine* nearest = nullptr;
    std::size_t at = 0;
    float least = std::numeric_limits<float>::infinity();
    for (const PlottedLine& one : drawn.lines) {
      const LossCurve& losses = *one.line->losses;
      const std::size_t i = nearest_point(losses, step_at(mouse.mouse.x));
      const ImVec2 p = place(losses[i], losses[i].smoothed);
      float away = std::hypot(p.x - mouse.mouse.x, p.y - mouse.mouse.y);
      if (!std::isfinite(away)) away = 1e9f;
      // Of those in the same place the one on top.
      if (away > least) continue;
      least = away;
      nearest = one.line;
      at = i;
    }
    if (!nearest) return;
    const Palette& palette = painter.palette();
    const LossPoint& point = (*nearest->losses)[at];
    const float x = place(point, point.smoothed).x;
    painter.line({x, box.min.y}, {x, box.max.y}, {palette.muted_text, 1.0f});
    std::vector<float> drawn_here = {point.smoothed};
    if (nearest->focused) drawn_here.push_back(point.loss);
    for (const float value : drawn_here) {
      const ImVec2 p = place(point, value);
      if (!std::isfinite(p.y) || p.y < box.min.y || p.y > box.max.y) continue;
      painter.ring(p, painter.px(4.5f), palette.text, painter.px(1.5f));
    }
    std::vector<CardLine> card;
    const bool several = drawn.lines.size() > 1;
    if (several) card.push_back({nearest->name, true});
    card.push_back({fmt::format("training step {}", number_of(point)), !several});
    card.push_back({fmt::format("loss {} nats per token", short_number(point.loss))});
    card.push_back({fmt::format("smoothed {} nats per token", short_number(point.smoothed))});
    if (nearest->focused)
      card.push_back({fmt::format("a uniform guess: {} nats", short_number(uniform))});
    if (several) card.push_back({"task: " + nearest->task});
    hover_card(scene, card);
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
  static void keys(const Scene& scene, Painter& painter, Box row,
                   const std::vector<LossLine>& lines) {
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
    key("smoothed", smoothed_line(painter, lines.back()),
        "The mean of the losses so far, recent ones counting more: where training is going.");
    if (lines.back().focused) {
      key("each step", every_step(painter, lines.back()),
          "The loss of each training step's own batch, of the run on screen. The number at its end "
          "is the last one.");
    }
    if (of_different_tasks(lines)) {
      const std::string word = "different tasks";
      const float width = painter.measure(word).x + 1.0f;
      if (row.width() > width + apart + painter.measure("training step").x) {
        const Box text = row.cut_right(width);
        painter.text_in(text, palette.muted_text, word, Align::left);
        hint(scene, text,
             "These runs have different tasks. The loss of each is that of its own task: equal "
             "losses need not be equally good.");
      }
    }
    const std::string name[] = {"training step", "step"};
    painter.first_in(row, palette.muted_text, name);
  }

  static std::string name_on_screen(const Snapshot& snapshot) {
    for (const auto& run : snapshot.runs)
      if (run->id == snapshot.focused_run) return run->name;
    return {};
  }

  LossLines lines_;
  bool logarithmic_ = false;
};

}  // namespace

std::unique_ptr<View> make_loss_view() {
  return std::make_unique<LossView>();
}

}  // namespace xlab::ui
