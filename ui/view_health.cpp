// What the model says about itself: one row for every comparison, its largest difference against
// what is allowed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/selfcheck/verdict.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/proof_row.hpp"
#include "ui/rounding_rows.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// Of all rows: a rounding in double precision to the numbers themselves.
constexpr LogScale kDifferences{1e-17, 1.0};
constexpr const char* kWidest = "Recurrent = chunkwise = parallel";

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
      say_no_run(painter, rest, "see whether it agrees with itself");
      return;
    }
    const float line = painter.line_height();
    const float bottom = rest.max.y;
    rest.max.y = std::numeric_limits<float>::max() / 4;  // it scrolls: there is always room
    header(scene, painter, rest);
    rest.cut_top(painter.px(4));
    const HealthReport* report = snapshot.health.get();
    const bool nothing = report != nullptr && report->checks.empty() && report->rounding.empty();
    if (report == nullptr || (nothing && !report->failure.empty())) {
      rest.max.y = std::max(bottom, rest.min.y);
      say(painter, rest, report == nullptr ? "Not checked yet." : report->failure);
      return;
    }
    // What was found before it failed stays.
    if (!report->failure.empty())
      rest.cut_top(
          painter.paragraph(rest.min, rest.width(), painter.palette().warning, report->failure) +
          painter.px(4));
    if (const std::string why = excuse(snapshot); !why.empty()) {
      rest.cut_top(painter.paragraph(rest.min, rest.width(), painter.palette().muted_text, why) +
                   painter.px(4));
    }
    const float room = bottom - rest.min.y;
    const bool scaled = room > 8 * line && !report->checks.empty();
    const auto count = static_cast<float>(
        std::max<std::size_t>(report->checks.size() + report->rounding.size(), 8));
    const float height = std::clamp((room - (scaled ? line : 0.0f)) / count, line + painter.px(2),
                                    line + painter.px(12));
    for (std::size_t j = 0; j < report->checks.size(); ++j) {
      draw_row(scene, painter, rest.cut_top(height), report->checks[j], j);
    }
    if (scaled) draw_scale(painter, rest.cut_top(line + painter.px(4)));
    draw_rounding(scene, painter, rest, line + painter.px(4));
    ImGui::SetCursorScreenPos(rest.min);
    ImGui::Dummy({1.0f, 1.0f});
  }

  Table table(const Scene& scene) const override {
    Table table;
    table.columns = {"check", "largest difference", "allowed", "passed", "what"};
    if (!scene.snapshot.health) return table;
    for (const Check& row : scene.snapshot.health->checks) {
      table.rows.push_back({row.name, full_number(row.largest),
                            row.limit == 0.0 ? "same bits" : full_number(row.limit),
                            row.passed                        ? "yes"
                            : verdict(row) == Verdict::failed ? "no"
                                                              : "cannot be compared",
                            row.sentence});
    }
    add_rounding(*scene.snapshot.health, table);
    return table;
  }

 private:
  static std::string counted(const HealthReport& report) {
    std::size_t passed = 0, failed = 0;
    for (const Check& check : report.checks) {
      passed += check.passed ? 1 : 0;
      failed += verdict(check) == Verdict::failed ? 1 : 0;
    }
    const std::size_t all = report.checks.size(), rest = all - passed - failed;
    if (passed == all) return fmt::format("{} of {} agree", passed, all);
    if (rest == 0) return fmt::format("{} of {} do not agree", failed, all);
    const std::string uncompared = fmt::format("{} cannot be compared", rest);
    return failed > 0 ? fmt::format("{} of {} do not agree; {}", failed, all, uncompared)
                      : fmt::format("{} of {} hold; {}", passed, all, uncompared);
  }

  /// Why numbers that are not finite are no fault of the program; empty when all are finite.
  static std::string excuse(const Snapshot& snapshot) {
    const HealthReport& report = *snapshot.health;
    const bool all =
        std::all_of(report.checks.begin(), report.checks.end(),
                    [](const Check& check) { return verdict(check) != Verdict::not_comparable; });
    if (all) return {};
    if (const std::string because = why_not_finite(snapshot.model->blocks); !because.empty()) {
      return "The model's numbers are not finite because " + because +
             ": what both ways compute is no number that could be compared.";
    }
    return "The model's numbers are not finite: what both ways compute is no number that could be "
           "compared. Weights that grew too large in training are the usual reason.";
  }

  /// The answer in words, when it was given, and a button that asks again.
  static void header(Scene& scene, Painter& painter, Box& rest) {
    const Palette& palette = painter.palette();
    const HealthReport* report = scene.snapshot.health.get();
    const bool running = report != nullptr && report->running;
    const bool asked = report != nullptr && !report->checks.empty();
    const std::string answer = asked     ? counted(*report)
                               : running ? "Comparing…"
                                         : "Does the model agree with itself?";
    const bool failed =
        asked && std::any_of(report->checks.begin(), report->checks.end(),
                             [](const Check& check) { return verdict(check) == Verdict::failed; });
    const ImU32 colour = failed ? palette.warning : palette.text;
    const std::string words[] = {report == nullptr ? "Check" : "Check again", "Check"};
    const float pad = painter.px(18), height = painter.line_height() + painter.px(6);
    const float wide = painter.measure(words[0]).x + pad;
    const bool beside =
        painter.measure(answer, Weight::bold).x + painter.px(8) + wide <= rest.width();
    // Where there is no room side by side, the button stands under the answer.
    Box row = beside ? rest.cut_top(height) : Box{};
    if (!beside) {
      rest.cut_top(painter.paragraph(rest.min, rest.width(), colour, answer, Weight::bold));
      row = rest.cut_top(height);
    }
    const std::string word = painter.fit_first(words, row.width() - pad);
    const float width = std::min(painter.measure(word).x + pad, row.width());
    const Box button = beside ? row.cut_right(width) : row.cut_left(width);
    if (button_at(painter, "again", button, word, !running)) scene.send(command::Selfcheck{});
    if (button.contains(ImGui::GetIO().MousePos) && ImGui::IsWindowHovered()) {
      const CardLine lines[] = {
          {"Computes the same numbers by different ways and compares them, on a copy: training and "
           "the sequence go on. A model that is only read is read once more for it; held in fewer "
           "bits, it is compared with its stored weights too."}};
      hover_card(scene, lines);
    }
    if (beside) {
      painter.text_in(row, colour, answer, Align::left, Weight::bold);
      row.cut_left(painter.measure(answer, Weight::bold).x + painter.px(10));
      row.cut_right(painter.px(8));
    } else {
      row.cut_left(painter.px(10));
    }
    if (!asked) return;
    const std::string when[] = {running ? "comparing…" : age(scene.snapshot, *report)};
    painter.first_in(row, palette.muted_text, when);
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
    const ProofColumns columns = proof_columns(painter, row, kWidest);
    draw_mark(painter, columns.mark, check);
    painter.text_in(columns.name, palette.text, check.name);
    const ImU32 colour = check.passed                        ? palette.text
                         : verdict(check) == Verdict::failed ? palette.warning
                                                             : palette.muted_text;
    const Weight weight = verdict(check) == Verdict::failed ? Weight::bold : Weight::regular;
    if (std::isnan(check.largest)) {
      const std::string none[] = {"no number", "NaN", "–"};
      painter.first_in(columns.number, colour, none, Align::right, weight);
    } else {
      painter.number_in(columns.number, colour, check.largest, Align::right, weight);
    }
    draw_track(painter, columns.track, check);
    if (!mouse.hovered) return;
    const CardLine lines[] = {
        {check.name, true},
        {check.sentence},
        {check.limit == 0.0 ? fmt::format("Largest difference {}; every bit has to be the same.",
                                          short_number(check.largest))
         : verdict(check) == Verdict::failed || check.passed
             ? fmt::format("Largest difference {} of {} allowed, relative.",
                           short_number(check.largest), short_number(check.limit))
             : "It neither holds nor fails: there is nothing to compare."}};
    hover_card(scene, lines);
  }

  /// A tick, a cross, or a dash for what cannot be compared: form and colour together.
  static void draw_mark(Painter& painter, const Box& box, const Check& check) {
    const Palette& palette = painter.palette();
    const ImVec2 centre{box.min.x + painter.px(7), box.centre().y};
    const float r = painter.px(3.5f), width = painter.px(1.8f);
    if (check.passed) {
      const std::array<ImVec2, 3> tick = {ImVec2{centre.x - r, centre.y},
                                          ImVec2{centre.x - r * 0.2f, centre.y + r * 0.8f},
                                          ImVec2{centre.x + r * 1.1f, centre.y - r}};
      painter.curve(tick, {palette.accent, width});
    } else if (verdict(check) == Verdict::failed) {
      const Stroke stroke{palette.warning, width};
      painter.line({centre.x - r, centre.y - r}, {centre.x + r, centre.y + r}, stroke);
      painter.line({centre.x - r, centre.y + r}, {centre.x + r, centre.y - r}, stroke);
    } else {
      painter.line({centre.x - r, centre.y}, {centre.x + r, centre.y}, {palette.muted_text, width});
    }
  }

  /// What is allowed as a band that ends in a line, and the difference as a dot.
  static void draw_track(Painter& painter, const Box& box, const Check& check) {
    const Palette& palette = painter.palette();
    if (box.width() < painter.px(30)) return;
    const float y = box.centre().y;
    const auto x_of = [&](double difference) {
      return box.min.x + box.width() * kDifferences.place(difference);
    };
    painter.line({box.min.x, y}, {box.max.x, y}, {palette.grid, 1.0f});
    const float limit = x_of(check.limit);
    if (check.limit > 0.0) {
      const float half = painter.px(3);
      painter.fill({{box.min.x, y - half}, {limit, y + half}}, with_alpha(palette.accent, 0.18f));
    }
    const float tall = painter.px(6);
    painter.line({limit, y - tall}, {limit, y + tall}, {palette.muted_text, painter.px(1.5f)});
    if (verdict(check) == Verdict::not_comparable) return;
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
    painter.disc({x_of(check.largest), y}, painter.px(4), colour);
  }

  /// Powers of ten under the tracks.
  static void draw_scale(Painter& painter, const Box& row) {
    const Palette& palette = painter.palette();
    const ProofColumns columns = proof_columns(painter, row, kWidest);
    const std::string texts[] = {"largest difference, | allowed", "difference, | allowed", ""};
    Box caption = columns.name;
    caption.cut_right(painter.px(12));
    painter.first_in(caption, palette.muted_text, texts);
    if (columns.track.width() < painter.px(30)) return;
    // The ends first; the others where they leave room.
    constexpr int kPowers[] = {-17, 0, -8, -4, -12};
    kDifferences.label(
        painter, {{columns.track.min.x, row.min.y}, {columns.track.max.x, row.max.y}}, kPowers);
  }
};

}  // namespace

std::unique_ptr<View> make_health_view() {
  return std::make_unique<HealthView>();
}

}  // namespace xlab::ui
