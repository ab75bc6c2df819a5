// What the model says about itself: one row for every comparison, its largest difference against
// what is allowed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// The log scale of all rows: a rounding in double precision to the numbers themselves.
constexpr double kLow = 1e-17, kHigh = 1.0;

/// Place of a difference on the scale, 0..1; what is smaller than the scale lies at its beginning.
float place(double difference) {
  if (!(difference > kLow)) return std::isnan(difference) ? 1.0f : 0.0f;
  return static_cast<float>(
      std::clamp(std::log(difference / kLow) / std::log(kHigh / kLow), 0.0, 1.0));
}

class HealthView : public View {
 public:
  std::string name() const override { return "health"; }
  std::string title() const override { return "Proof"; }
  ImVec2 minimum_size() const override { return {280, 150}; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "health", size, true);
    Painter painter(scene);
    if (!panel.usable()) return;
    Box rest = panel.content().inset(painter.px(10), painter.px(6));
    const Snapshot& snapshot = scene.snapshot;
    if (!snapshot.model) {
      say(painter, rest, "No run is open. Open one to see whether it agrees with itself.");
      return;
    }
    const float line = painter.line_height();
    header(scene, painter, rest.cut_top(line + painter.px(6)));
    rest.cut_top(painter.px(4));
    const HealthReport* report = snapshot.health.get();
    if (report == nullptr) {
      say(painter, rest, "Not checked yet.");
      return;
    }
    if (!report->failure.empty()) {
      say(painter, rest, report->failure);
      return;
    }
    const bool scaled = rest.height() > 8 * line && !report->checks.empty();
    const auto count = static_cast<float>(std::max<std::size_t>(report->checks.size(), 8));
    const float height = std::clamp((rest.height() - (scaled ? line : 0.0f)) / count,
                                    line + painter.px(2), line + painter.px(12));
    for (std::size_t j = 0; j < report->checks.size(); ++j) {
      const Box row = rest.cut_top(height);
      if (row.height() < line) break;
      draw_row(scene, painter, row, report->checks[j], j);
    }
    if (scaled) draw_scale(painter, rest.cut_top(line + painter.px(4)));
  }

  Table table(const Scene& scene) const override {
    Table table;
    table.columns = {"check", "largest difference", "allowed", "passed", "what"};
    if (!scene.snapshot.health) return table;
    for (const Check& row : scene.snapshot.health->checks) {
      table.rows.push_back({row.name, full_number(row.largest),
                            row.limit == 0.0 ? "same bits" : full_number(row.limit),
                            row.passed ? "yes" : "no", row.sentence});
    }
    return table;
  }

 private:
  struct Columns {
    Box mark, name, track, number;
  };

  static Columns columns_of(const Painter& painter, Box row) {
    Columns columns;
    columns.mark = row.cut_left(painter.px(20));
    columns.number = row.cut_right(painter.measure("1.00e−16").x);
    row.cut_right(painter.px(12));
    const float names = painter.measure("Recurrent = chunkwise = parallel").x + painter.px(14);
    columns.name = row.cut_left(std::min(names, row.width() * 0.68f));
    columns.track = row;
    return columns;
  }

  static void header(Scene& scene, Painter& painter, Box row) {
    const Palette& palette = painter.palette();
    const HealthReport* report = scene.snapshot.health.get();
    const std::string word = "Check again";
    const bool running = report != nullptr && report->running;
    const Box button = row.cut_right(painter.measure(word).x + painter.px(18));
    if (button_at(painter, "again", button, report == nullptr ? "Check" : word, !running)) {
      scene.send(command::Selfcheck{});
    }
    row.cut_right(painter.px(8));
    if (report == nullptr || report->checks.empty()) {
      painter.text_in(row, palette.text,
                      running ? "Comparing…" : "Does the model agree with itself?", Align::left,
                      Weight::bold);
      return;
    }
    const auto passed = std::count_if(report->checks.begin(), report->checks.end(),
                                      [](const Check& check) { return check.passed; });
    const bool all = passed == static_cast<std::ptrdiff_t>(report->checks.size());
    const std::string count =
        all ? fmt::format("{} of {} agree", passed, report->checks.size())
            : fmt::format("{} of {} do not agree", report->checks.size() - passed,
                          report->checks.size());
    const std::string when = running ? "comparing…" : age(scene.snapshot, *report);
    painter.text_in(row, all ? palette.text : palette.warning,
                    painter.fit(count, row.width(), Weight::bold), Align::left, Weight::bold);
    row.cut_left(painter.measure(count, Weight::bold).x + painter.px(10));
    if (row.width() > painter.px(40)) painter.text_in(row, palette.muted_text, when);
  }

  /// Which weights were checked.
  static std::string age(const Snapshot& snapshot, const HealthReport& report) {
    const std::int64_t since = snapshot.train.step - report.step;
    if (since <= 0) return "with the weights of now";
    return fmt::format("{} training step{} ago", since, since == 1 ? "" : "s");
  }

  static void draw_row(Scene& scene, Painter& painter, const Box& row, const Check& check,
                       std::size_t number) {
    const Palette& palette = painter.palette();
    const Touch mouse = touch(fmt::format("row{}", number).c_str(), row);
    if (mouse.hovered) painter.fill(row, with_alpha(palette.control_hovered, 0.5f), painter.px(3));
    const Columns columns = columns_of(painter, row);
    draw_mark(painter, columns.mark, check.passed);
    painter.text_in(columns.name, palette.text, check.name);
    const std::string largest = std::isnan(check.largest) ? "no number"
                                : check.largest == 0.0    ? "0"
                                                          : short_number(check.largest);
    painter.text_in(columns.number, check.passed ? palette.text : palette.warning, largest,
                    Align::right, check.passed ? Weight::regular : Weight::bold);
    draw_track(painter, columns.track, check);
    if (!mouse.hovered) return;
    const CardLine lines[] = {
        {check.name, true},
        {check.sentence},
        {check.limit == 0.0 ? fmt::format("largest difference {}; every bit has to be the same",
                                          full_number(check.largest))
                            : fmt::format("largest difference {} of {} allowed, relative",
                                          full_number(check.largest), full_number(check.limit))}};
    hover_card(scene, lines);
  }

  /// A tick, or a cross: form and colour together.
  static void draw_mark(Painter& painter, const Box& box, bool passed) {
    const Palette& palette = painter.palette();
    const ImVec2 centre{box.min.x + painter.px(7), box.centre().y};
    const float r = painter.px(3.5f);
    const Stroke stroke{passed ? palette.accent : palette.warning, painter.px(1.8f)};
    if (passed) {
      const std::array<ImVec2, 3> tick = {ImVec2{centre.x - r, centre.y},
                                          ImVec2{centre.x - r * 0.2f, centre.y + r * 0.8f},
                                          ImVec2{centre.x + r * 1.1f, centre.y - r}};
      painter.curve(tick, stroke);
    } else {
      painter.line({centre.x - r, centre.y - r}, {centre.x + r, centre.y + r}, stroke);
      painter.line({centre.x - r, centre.y + r}, {centre.x + r, centre.y - r}, stroke);
    }
  }

  /// What is allowed as a band that ends in a line, and the difference as a dot.
  static void draw_track(Painter& painter, const Box& box, const Check& check) {
    const Palette& palette = painter.palette();
    if (box.width() < painter.px(30)) return;
    const float y = box.centre().y;
    const auto x_of = [&](double difference) {
      return box.min.x + box.width() * place(difference);
    };
    painter.line({box.min.x, y}, {box.max.x, y}, {palette.grid, 1.0f});
    const float limit = x_of(check.limit);
    if (check.limit > 0.0) {
      const float half = painter.px(3);
      painter.fill({{box.min.x, y - half}, {limit, y + half}}, with_alpha(palette.accent, 0.18f));
    }
    const float tall = painter.px(6);
    painter.line({limit, y - tall}, {limit, y + tall}, {palette.muted_text, painter.px(1.5f)});
    const ImU32 colour = check.passed ? palette.accent : palette.warning;
    if (check.limit == 0.0 && check.passed) {
      Box words = box;
      words.cut_left(painter.px(14));
      const std::string texts[] = {"every bit the same", "same bits", ""};
      const std::string text = painter.fit_first(texts, words.width());
      words.max.x = words.min.x + painter.measure(text).x + painter.px(8);
      painter.fill(words, palette.panel);
      painter.text_in(words, palette.muted_text, text);
    }
    painter.list().AddCircleFilled({x_of(check.largest), y}, painter.px(4), colour, 16);
  }

  /// Powers of ten under the tracks.
  static void draw_scale(Painter& painter, const Box& row) {
    const Palette& palette = painter.palette();
    const Columns columns = columns_of(painter, row);
    const std::string texts[] = {"largest difference, | allowed", "difference, | allowed", ""};
    painter.text_in(columns.name, palette.muted_text,
                    painter.fit_first(texts, columns.name.width() - painter.px(12)));
    for (const int power : {-17, -12, -8, -4, 0}) {
      // The scale begins where nothing can be told from 0.
      const std::string label = power == 0     ? "1"
                                : power == -17 ? "0"
                                               : fmt::format("1e−{}", -power);
      const float x = columns.track.min.x + columns.track.width() * place(std::pow(10.0, power));
      const float half = painter.measure(label).x / 2 + 1;
      if (columns.track.width() < painter.px(170) && power % 8 == -4) continue;
      painter.text_in({{x - half, row.min.y}, {x + half, row.max.y}}, palette.muted_text, label,
                      Align::centre);
    }
  }
};

}  // namespace

std::unique_ptr<View> make_health_view() {
  return std::make_unique<HealthView>();
}

}  // namespace xlab::ui
