// The losses of several runs: which curves are drawn and how, what is written at them, what they
// cost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/loss_labels.hpp"
#include "ui/loss_lines.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;
using testing::ElementsAre;
using testing::HasSubstr;
using Text = DrawLog::Text;

struct Losses {
  explicit Losses(Snapshot snapshot, ImVec2 size = {760, 360}) : s(std::move(snapshot)), stage(s) {
    stage.size = size;
    stage.frame(*view);
    stage.frame(*view);  // laid out with what was there a frame ago
  }
  const RunCard& run(std::size_t i) const { return *s.runs[i]; }
  std::vector<Text> bold() const {
    std::vector<Text> found;
    for (const Text& text : stage.log.texts)
      if (text.weight == Weight::bold && !text.on_top) found.push_back(text);
    return found;
  }
  std::vector<Text> saying(const std::string& words) const {
    std::vector<Text> found;
    for (const Text& text : stage.log.texts)
      if (text.shown.find(words) != std::string::npos) found.push_back(text);
    return found;
  }
  std::string card() const {
    std::string words;
    for (const Text& text : stage.log.texts)
      if (text.on_top) words += text.shown + "\n";
    return words;
  }

  Snapshot s;
  Stage stage;
  std::unique_ptr<View> view = make_loss_view();
};

/// The same with one of the runs changed.
template <typename Change>
Snapshot changed(Snapshot s, std::size_t run, Change change) {
  RunCard card = *s.runs[run];
  change(card);
  s.runs[run] = std::make_shared<const RunCard>(card);
  return s;
}

TEST(Losses, EveryShownRunHasACurveInItsLookAndTheOneOnScreenLiesOnTop) {
  for (const PaletteName name : {PaletteName::light, PaletteName::dark, PaletteName::projector}) {
    Losses l(several_scene(3));
    l.stage.palette = name;
    l.stage.frame(*l.view);
    const auto& curves = l.stage.log.curves;
    ASSERT_EQ(curves.size(), 4u) << "each run, and every step of the one on screen";
    const std::size_t order[] = {0, 2, 1};
    for (std::size_t i = 0; i < 3; ++i) {
      const RunCard& run = l.run(order[i]);
      const DrawLog::Curve& curve = curves[i < 2 ? i : 3];
      const RunStyle style = run_style(palette(name), run.colour);
      EXPECT_EQ(curve.stroke.colour, style.colour);
      EXPECT_EQ(curve.stroke.dash, style.dash);
      EXPECT_EQ(curve.stroke.width > curves[0].stroke.width, i == 2)
          << "the one on screen is strong";
      // Its numbers are those of the run, at their steps.
      const double last = static_cast<double>(l.run(0).losses->size());
      ASSERT_EQ(curve.xs.size(), curve.ys.size());
      std::size_t found = 0;
      for (std::size_t k = 0; k < curve.xs.size(); ++k) {
        const double share = (curve.xs[k] - curve.box.min.x) / curve.box.width();
        const auto at = static_cast<std::size_t>(std::lround(share * (last - 1.0)));
        ASSERT_LT(at, run.losses->size());
        found += curve.ys[k] == (*run.losses)[at].smoothed;
      }
      EXPECT_GT(found, curve.xs.size() * 9 / 10) << "of steps that are less than a pixel apart";
      EXPECT_LE(curve.xs.size(), 2 * curve.box.width()) << "more would lose its dashes";
      EXPECT_EQ(curve.ys.back(), run.losses->back().smoothed);
      EXPECT_EQ(curve.ys.front(), run.losses->front().smoothed);
    }
    EXPECT_EQ(curves[2].ys.back(), l.run(1).losses->back().loss);
  }
}

TEST(Losses, WhatIsHiddenIsNotDrawnAndOneRunIsDrawnAsEver) {
  const auto hide = [](RunCard& card) { card.shown = false; };
  EXPECT_EQ(Losses(changed(several_scene(3), 0, hide)).stage.log.curves.size(), 3u);
  // Without the one on screen nothing is drawn of every step, and there is no uniform guess of it.
  Losses others(changed(several_scene(3), 1, hide));
  EXPECT_EQ(others.stage.log.curves.size(), 2u);
  EXPECT_TRUE(others.saying("uniform guess").empty());
  // One curve alone is named where it is not that of the run on screen.
  Losses other(changed(several_scene(2), 1, hide));
  ASSERT_EQ(other.stage.log.curves.size(), 1u);
  EXPECT_EQ(other.saying("Associative recall").size(), 2u) << "in the heading and at the curve";
  // The numbers above the curves are then those of none of them, and the heading says so.
  EXPECT_EQ(others.saying("(curve hidden)").size(), 1u);
  EXPECT_TRUE(Losses(several_scene(3)).saying("(curve hidden)").empty());
  Snapshot untrained = several_scene(3);
  untrained.losses = nullptr;
  auto card = std::make_shared<RunCard>(*untrained.runs[1]);
  card->losses = nullptr;
  untrained.runs[1] = card;
  Losses fresh(untrained);
  EXPECT_EQ(fresh.saying("not trained yet").size(), 1u);
  EXPECT_TRUE(fresh.saying("(curve hidden)").empty()) << "it has none";
  Losses none(changed(several_scene(1), 0, hide));
  EXPECT_TRUE(none.stage.log.curves.empty());
  EXPECT_EQ(none.saying("tick a run").size(), 1u);
  Losses one(several_scene(1));
  EXPECT_EQ(one.stage.log.curves.size(), 2u);
  EXPECT_TRUE(one.saying("Associative").empty()) << "one curve needs no name";
  EXPECT_EQ(one.saying("uniform guess").size(), 1u);
}

TEST(Losses, NamesStandBesideTheEndsOfTheirCurves) {
  for (const int count : {3, 8}) {
    Losses l(several_scene(count), {900, 420});
    const Box plot = l.stage.log.curves[0].box;
    std::vector<std::pair<float, float>> ends;  // where a curve ends, where its name stands
    std::vector<Box> boxes;
    for (const auto& run : l.s.runs) {
      const std::string last = run->name.substr(run->name.size() - 5);
      const std::vector<Text> names = l.saying(last);
      const auto here = std::find_if(names.begin(), names.end(), [&](const Text& text) {
        return text.box.min.x > plot.max.x && text.shown.substr(0, 3) == run->name.substr(0, 3) &&
               text.shown.ends_with(last) &&
               std::none_of(boxes.begin(), boxes.end(),
                            [&](const Box& b) { return b.min.y == text.box.min.y; });
      });
      ASSERT_NE(here, names.end()) << run->name;
      EXPECT_EQ(here->weight == Weight::bold, run->id == l.s.focused_run) << run->name;
      EXPECT_LE(here->box.max.x, l.stage.size.x);
      EXPECT_GE(here->box.min.y, 0.0f);
      EXPECT_LE(here->box.max.y, l.stage.size.y);
      for (const Box& other : boxes)
        EXPECT_TRUE(here->box.min.y >= other.max.y - 1 || here->box.max.y <= other.min.y + 1);
      boxes.push_back(here->box);
      // A piece of its curve stands before it.
      const RunStyle style = run_style(palette(PaletteName::light), run->colour);
      EXPECT_TRUE(std::any_of(l.stage.log.lines.begin(), l.stage.log.lines.end(),
                              [&](const DrawLog::Line& line) {
                                return line.stroke.colour == style.colour &&
                                       line.stroke.dash == style.dash &&
                                       line.points[0].x > plot.max.x &&
                                       line.points[0].x < here->box.min.x &&
                                       std::abs(line.points[0].y - here->box.centre().y) < 4;
                              }))
          << run->name;
      const Axis& axis = l.stage.log.curves[0].axis;
      ends.emplace_back(axis.y(run->losses->back().smoothed, plot), here->box.centre().y);
    }
    std::sort(ends.begin(), ends.end());
    EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end(), [](const auto& a, const auto& b) {
      return a.second < b.second;
    })) << "leaders do not cross";
  }
}

TEST(Losses, WhereNamesHaveNoRoomSomeAreLeftOutAndTheOneOnScreenStays) {
  Losses low(several_scene(8), {760, 140});
  const std::vector<Text> more = low.saying("more");
  ASSERT_EQ(more.size(), 1u);
  EXPECT_TRUE(more[0].shown.starts_with("and ")) << more[0].shown;
  const std::vector<Text> bold = low.bold();
  EXPECT_TRUE(std::any_of(bold.begin(), bold.end(), [](const Text& text) {
    return text.shown.find("seed 2") != std::string::npos;
  }));
  // A narrow view keeps its plot.
  Losses narrow(several_scene(8), {190, 300});
  EXPECT_TRUE(narrow.saying("no. ").empty());
  ASSERT_FALSE(narrow.stage.log.curves.empty());
  EXPECT_GT(narrow.stage.log.curves[0].box.width(), 100.0f);
}

TEST(Losses, ANameIsShortenedInItsMiddle) {
  Losses l(several_scene(1));
  const Scene scene = l.stage.scene();
  ImGui::NewFrame();
  ImGui::Begin("measuring");
  const Painter painter(scene);
  const std::string name = "Associative recall, seed 2";
  EXPECT_EQ(middle_cut(painter, name, 1000, Weight::regular), name);
  for (const float width : {120.0f, 90.0f, 70.0f, 50.0f}) {
    const std::string cut = middle_cut(painter, name, width, Weight::regular);
    EXPECT_TRUE(cut.ends_with("ed 2")) << cut;
    EXPECT_THAT(cut, HasSubstr("…"));
    EXPECT_LE(painter.measure(cut).x, width) << cut;
  }
  EXPECT_TRUE(
      middle_cut(painter, "Größenwörter über Äpfel", 70, Weight::regular).ends_with("pfel"));
  ImGui::End();
  ImGui::EndFrame();
}

TEST(Losses, PointingNamesTheNearestCurve) {
  Losses l(several_scene(3));
  const Box plot = l.stage.log.curves[0].box;
  const Axis axis = l.stage.log.curves[0].axis;
  double last = 0.0;
  for (std::size_t i = 0; i < 3; ++i)
    last = std::max(last, static_cast<double>(l.run(i).losses->size()));
  for (std::size_t i = 0; i < 3; ++i) {
    const RunCard& run = l.run(i);
    // A mouse stands on whole pixels.
    const float x = std::floor(plot.min.x + plot.width() * static_cast<float>(150 / (last - 1.0)));
    const auto at = static_cast<std::size_t>(
        std::lround((x - plot.min.x) / plot.width() * static_cast<float>(last - 1.0)));
    const LossPoint& point = (*run.losses)[at];
    l.stage.move(*l.view, x, axis.y(point.smoothed, plot));
    const std::string words = l.card();
    EXPECT_THAT(words, testing::StartsWith(run.name + "\n"));
    EXPECT_THAT(words, HasSubstr("training step " + std::to_string(at + 1) + "\n"));
    EXPECT_THAT(words, HasSubstr("loss " + short_number(point.loss) + " nats"));
    EXPECT_THAT(words, HasSubstr("smoothed " + short_number(point.smoothed) + " nats"));
    EXPECT_THAT(words, HasSubstr("task: " + run.task));
    EXPECT_EQ(words.find("uniform guess") != std::string::npos, run.id == l.s.focused_run);
  }
  // Beyond the end of a short curve its last step is the nearest.
  const LossPoint& end = l.run(2).losses->back();
  const float x = plot.min.x + plot.width() * static_cast<float>((end.step + 20) / (last - 1.0));
  l.stage.move(*l.view, x, axis.y(end.smoothed, plot));
  EXPECT_THAT(l.card(), HasSubstr("training step " + std::to_string(end.step + 1) + "\n"));
  EXPECT_THAT(l.card(), testing::StartsWith(l.run(2).name));
}

TEST(Losses, DifferentTasksAreSaid) {
  EXPECT_EQ(Losses(several_scene(3)).saying("different tasks").size(), 1u);
  EXPECT_TRUE(Losses(several_scene(2)).saying("different tasks").empty());
  // The line of a uniform guess is that of the run on screen.
  EXPECT_EQ(Losses(several_scene(8)).saying("uniform guess").size(), 1u);
}

TEST(Losses, TheTableHasEveryShownRun) {
  Losses l(changed(several_scene(3), 0, [](RunCard& card) { card.shown = false; }));
  const Table table = l.view->table(l.stage.scene());
  EXPECT_THAT(table.columns, ElementsAre("run", "training step", "loss (nats per token)",
                                         "smoothed (nats per token)"));
  ASSERT_EQ(table.rows.size(), l.run(1).losses->size() + l.run(2).losses->size());
  std::size_t row = 0;
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    for (const LossPoint& point : *l.run(i).losses) {
      const std::vector<std::string>& cells = table.rows[row++];
      ASSERT_EQ(cells[0], l.run(i).name);
      ASSERT_EQ(cells[1], std::to_string(point.step + 1));
      ASSERT_EQ(std::stof(cells[2]), point.loss);
      ASSERT_EQ(std::stof(cells[3]), point.smoothed);
    }
  }
  // To look at, it is short and says so.
  Scene scene = l.stage.scene();
  scene.most_rows = 100;
  const Table shown = l.view->table(scene);
  EXPECT_EQ(shown.rows.size(), 100u);
  EXPECT_EQ(shown.rows.back(), table.rows.back());
  EXPECT_THAT(shown.note, HasSubstr("last 50 steps of each run"));
}

TEST(Losses, OfCurvesThatGrewOnlyWhatIsNewIsLookedAt) {
  constexpr int kRuns = 32;
  constexpr std::size_t kSteps = 20000;
  std::vector<LossPoint> points;
  Noise noise(9);
  for (std::size_t i = 0; i < kSteps + 100; ++i) {
    const auto loss = static_cast<float>(2.0 + noise.next());
    points.push_back({static_cast<std::int64_t>(i), loss, loss});
  }
  std::vector<GrowingLosses> growing(kRuns);
  Snapshot s = recall_scene();
  const auto show = [&](std::size_t steps) {
    s.runs.clear();
    for (int i = 0; i < kRuns; ++i) {
      RunCard card;
      card.id = i + 1;
      card.losses = growing[static_cast<std::size_t>(i)].curve_of({points.data(), steps});
      s.runs.push_back(std::make_shared<const RunCard>(card));
    }
  };
  LossLines lines;
  const Palette& colours = palette(PaletteName::light);
  show(kSteps);
  lines.of(s, colours, 640);
  EXPECT_EQ(lines.looked_at(), kRuns * kSteps);
  lines.of(s, colours, 640);
  EXPECT_EQ(lines.looked_at(), kRuns * kSteps) << "nothing is new";
  show(kSteps + 100);
  const auto drawn = lines.of(s, colours, 640);
  EXPECT_EQ(lines.looked_at(), kRuns * (kSteps + 100));
  ASSERT_EQ(drawn.size(), static_cast<std::size_t>(kRuns));
  // What is kept of it is little, and has the lowest and the highest.
  const std::vector<std::size_t> kept = drawn[0].thin->losses();
  EXPECT_LT(kept.size(), 4u * 2 * 640);
  EXPECT_LE(drawn[0].thin->smoothed().size(), 2u * 640 + 1);
  const auto [low, high] =
      std::minmax_element(points.begin(), points.end(),
                          [](const LossPoint& a, const LossPoint& b) { return a.loss < b.loss; });
  for (const auto extreme : {low, high})
    EXPECT_THAT(kept, testing::Contains(static_cast<std::size_t>(extreme - points.begin())));
  EXPECT_EQ(drawn[0].thin->range(false, true)[0], low->loss);
  EXPECT_EQ(drawn[0].thin->range(false, false)[1], high->loss);
  EXPECT_EQ(kept.back(), points.size() - 1);
}

TEST(Losses, OddLossesAreKeptWhereverTheyStand) {
  std::vector<LossPoint> points;
  for (int i = 0; i < 50000; ++i) points.push_back({i, 1.0f, 1.0f});
  points[12345].loss = std::nanf("");
  points[23456].loss = 0.0f;
  points[34567].smoothed = INFINITY;
  const LossCurve curve(points);
  ThinLosses thin;
  thin.follow(curve, 200);
  EXPECT_THAT(thin.losses(), testing::Contains(12345u));
  EXPECT_THAT(thin.losses(), testing::Contains(23456u));
  EXPECT_THAT(thin.smoothed(), testing::Contains(34567u));
  EXPECT_EQ(thin.range(false, true)[0], 1.0);
  EXPECT_EQ(thin.range(false, false)[0], 0.0);
  EXPECT_EQ(thin.range(true, false)[1], 1.0);
}

// -- Colours

double luminance(ImU32 colour) {
  const auto linear = [&](int shift) {
    const double c = ((colour >> shift) & 0xff) / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(0) + 0.7152 * linear(8) + 0.0722 * linear(16);
}

double contrast(ImU32 a, ImU32 b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

/// How far apart two colours are in CIE Lab for somebody whose eyes mix them by these rows (Machado
/// et al. 2009).
double distance(ImU32 a, ImU32 b, const double (&eye)[3][3]) {
  const auto lab = [&](ImU32 colour) {
    double rgb[3], seen[3];
    for (int i = 0; i < 3; ++i) {
      const double c = ((colour >> (8 * i)) & 0xff) / 255.0;
      rgb[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    }
    for (int i = 0; i < 3; ++i)
      seen[i] = std::clamp(eye[i][0] * rgb[0] + eye[i][1] * rgb[1] + eye[i][2] * rgb[2], 0.0, 1.0);
    const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; };
    const double x = f((0.4124 * seen[0] + 0.3576 * seen[1] + 0.1805 * seen[2]) / 0.95047);
    const double y = f(0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2]);
    const double z = f((0.0193 * seen[0] + 0.1192 * seen[1] + 0.9505 * seen[2]) / 1.08883);
    return std::array<double, 3>{116 * y - 16, 500 * (x - y), 200 * (y - z)};
  };
  const auto p = lab(a), q = lab(b);
  return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

TEST(RunColours, StandOutFromTheGroundAndFromEachOtherForEveryEye) {
  const double eyes[][3][3] = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                               {{0.152286, 1.052583, -0.204868},
                                {0.114503, 0.786281, 0.099216},
                                {-0.003882, -0.048116, 1.051998}},
                               {{0.367322, 0.860646, -0.227968},
                                {0.280085, 0.672501, 0.047413},
                                {-0.011820, 0.042940, 0.968881}},
                               {{1.255528, -0.076749, -0.178779},
                                {-0.078411, 0.930809, 0.147602},
                                {0.004733, 0.691367, 0.303900}}};
  for (const PaletteName name : {PaletteName::light, PaletteName::dark, PaletteName::projector}) {
    const Palette& colours = palette(name);
    for (int i = 0; i < RunCard::kColours; ++i) {
      const RunStyle one = run_style(colours, i);
      EXPECT_GE(contrast(one.colour, colours.panel), 3.0) << i;
      for (int j = 0; j < i; ++j) {
        const RunStyle other = run_style(colours, j);
        double least = 1000.0;
        for (const auto& eye : eyes)
          least = std::min(least, distance(one.colour, other.colour, eye));
        EXPECT_GE(least, one.dash == other.dash ? 25.0 : 5.0)
            << i << " and " << j << " in " << static_cast<int>(name);
      }
    }
    EXPECT_EQ(run_style(colours, 8).colour, run_style(colours, 0).colour);
  }
}

}  // namespace
}  // namespace xlab::tests
