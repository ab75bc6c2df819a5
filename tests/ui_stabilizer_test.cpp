// What the stabilizer lab draws, held against its snapshot and against what the recordings say:
// every curve, mark, word and colour, and what its switches ask for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/stabilizer.hpp"
#include "core/analysis/stabilizer_replay.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/stabilizer_shown.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

constexpr int kHead = 1, kUnit = 3;

/// The input gate of a head or a unit, held at one step.
Clamp opened(int block, int step, float at) {
  return {block == 0 ? "block0/mlstm/input_gate_pre" : "block1/slstm/input_gate_pre",
          kHead,
          block == 0 ? 0 : kUnit,
          step,
          step + 1,
          at};
}

class StabilizerDrawing : public ::testing::Test {
 protected:
  void show(Snapshot shown, int block, const std::string& kept = "3 fp16 0.01",
            ImVec2 size = {1180, 760}) {
    snapshot = std::move(shown);
    view = make_stabilizer_view();
    view->restore(kept);
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->focus.block = block;
    stage->focus.head = kHead;
    stage->frame(*view);
    stage->frame(*view);
  }
  /// Other equations than the usual ones.
  template <typename Change>
  Snapshot changed(Snapshot from, Change&& change) const {
    auto model = std::make_shared<ModelCard>(*from.model);
    for (BlockCard& block : model->blocks) change(block.variant);
    from.model = model;
    return from;
  }

  const BlockCard& block() const {
    return snapshot.model->blocks[static_cast<std::size_t>(stage->focus.block)];
  }
  const Palette& palette() const { return stage->scene().palette; }
  std::vector<ScaleStep> scale() const {
    return scale_steps(*snapshot.trace, block(), {kHead, kUnit});
  }
  CellReplay replay(NumberFormat format, bool stabilizer, bool exact = false) const {
    CellReplay replay{.options = {format, stabilizer, exact}, .place = {kHead, kUnit}};
    extend(replay, *snapshot.trace, block());
    return replay;
  }

  const DrawLog::Text* text(const std::string& words) const {
    for (const DrawLog::Text& t : stage->log.texts)
      if (t.shown == words) return &t;
    return nullptr;
  }
  const DrawLog::Text* text_with(const std::string& words) const {
    for (const DrawLog::Text& t : stage->log.texts)
      if (t.shown.find(words) != std::string::npos) return &t;
    return nullptr;
  }
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& t : stage->log.texts) words += t.shown + " ";
    return words;
  }
  /// Everything written, also what is on cards.
  std::string said_at(float x, float y) {
    stage->move(*view, x, y);
    return all();
  }
  /// The curve with these values, in the order of their steps; NaN and infinities count.
  const DrawLog::Curve* curve(const std::vector<double>& values) const {
    for (const DrawLog::Curve& one : stage->log.curves) {
      if (one.ys.size() != values.size()) continue;
      bool all_same = true;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto wanted = static_cast<float>(values[i]);
        all_same &= wanted == one.ys[i] || (std::isnan(wanted) && std::isnan(one.ys[i]));
      }
      if (all_same) return &one;
    }
    return nullptr;
  }
  std::vector<double> answers(const CellReplay& of) const {
    std::vector<double> h;
    for (const ReplayStep& step : of.steps) h.push_back(step.h);
    return h;
  }
  /// Where the steps stand.
  float x_of(int step) const {
    for (const DrawLog::Curve& one : stage->log.curves)
      if (one.xs.size() == snapshot.trace->steps.size())
        return one.xs[static_cast<std::size_t>(step)];
    return NAN;
  }
  /// Fills over a step within a lane of this height.
  std::vector<DrawLog::Fill> fills_at(int step, float top, float bottom) const {
    std::vector<DrawLog::Fill> found;
    const float x = x_of(step);
    for (const DrawLog::Fill& fill : stage->log.fills)
      if (fill.box.min.x <= x && fill.box.max.x >= x && fill.box.min.y >= top &&
          fill.box.max.y <= bottom)
        found.push_back(fill);
    return found;
  }
  void press(const std::string& word, int nth = 0) {
    for (const DrawLog::Text& t : stage->log.texts) {
      if (t.shown != word || nth-- > 0) continue;
      stage->click(*view, t.box.centre().x, t.box.centre().y);
      return;
    }
    ADD_FAILURE() << "nothing says \"" << word << "\"";
  }

  Snapshot snapshot;
  std::unique_ptr<View> view;
  std::unique_ptr<Stage> stage;
};

TEST_F(StabilizerDrawing, BothArgumentsAndTheirMaximum) {
  for (const int of : {0, 1}) {
    show(recall_scene(), of);
    std::vector<double> input, decayed, m, input_left, decayed_left;
    for (const ScaleStep& step : scale()) {
      input.push_back(step.input);
      m.push_back(step.m);
      input_left.push_back(step.input_exponent());
      if (step.winner == ScaleWinner::first) continue;
      decayed.push_back(step.decayed);
      decayed_left.push_back(step.decayed_exponent());
    }
    EXPECT_EQ(decayed.size(), of == 0 ? 17u : 16u) << "a unit's first write has nothing to decay";
    const DrawLog::Curve* const i = curve(input);
    const DrawLog::Curve* const f = curve(decayed);
    const DrawLog::Curve* const both = curve(m);
    ASSERT_TRUE(i && f && both) << of;
    EXPECT_EQ(i->stroke.colour, gate_style(palette(), 'i').colour);
    EXPECT_EQ(f->stroke.colour, gate_style(palette(), 'f').colour);
    EXPECT_EQ(f->stroke.dash, Dash::dashed);
    EXPECT_EQ(both->stroke.colour, gate_style(palette(), 'm').colour);
    EXPECT_TRUE(both->stroke.stepped);
    EXPECT_GT(both->stroke.width, 1.5f * i->stroke.width) << "m is bold";
    EXPECT_LT(both->order, std::min(i->order, f->order)) << "and does not hide its arguments";
    ASSERT_TRUE(curve(input_left) && curve(decayed_left));
    const Axis& axis = curve(input_left)->axis;
    EXPECT_GE(axis.high, 0.0);
    EXPECT_LT(axis.high, 0.2 * -axis.low);
    EXPECT_LE(axis.low, *std::min_element(input_left.begin(), input_left.end()));
    EXPECT_TRUE(text_with("exponents with m: never above 0"));
    EXPECT_EQ(stumbles(stage->log), std::vector<std::string>{});
  }
}

TEST_F(StabilizerDrawing, TheWinnerOfEveryStepHasAFormAndAColour) {
  for (const int of : {0, 1}) {
    show(recall_scene(), of);
    const DrawLog::Text* name = text("winner");
    ASSERT_TRUE(name);
    const float top = name->box.centre().y - 8, bottom = name->box.centre().y + 8;
    int input = 0, decayed = 0, first = 0;
    const auto steps = scale();
    for (std::size_t t = 0; t < steps.size(); ++t) {
      const auto bars = fills_at(static_cast<int>(t), top, bottom);
      SCOPED_TRACE(fmt::format("block {}, t = {}", of, t));
      if (steps[t].winner == ScaleWinner::first) {
        EXPECT_TRUE(bars.empty()) << "hollow";
        ++first;
        continue;
      }
      ASSERT_EQ(bars.size(), 1u);
      const float height = bars[0].box.height();
      if (steps[t].winner == ScaleWinner::input) {
        EXPECT_EQ(bars[0].colour, gate_style(palette(), 'i').colour);
        EXPECT_GT(height, 9.0f);
        ++input;
      } else {
        EXPECT_EQ(bars[0].colour, gate_style(palette(), 'f').colour);
        EXPECT_LT(height, 6.0f);
        ++decayed;
      }
    }
    EXPECT_GT(input, 2);
    EXPECT_GT(decayed, 2);
    EXPECT_EQ(first, of);
  }
}

TEST_F(StabilizerDrawing, BothCellsUntilTheFirstBadNumber) {
  for (const int of : {0, 1}) {
    for (const char* format : {"fp32", "fp16"}) {
      const bool half = std::string(format) == "fp16";
      const float at = half ? 11.2f : 89.0f;
      show(SceneBuilder({}).build({opened(of, 6, at)}), of, fmt::format("3 {} 0.01", format));
      const NumberFormat in = half ? NumberFormat::fp16 : NumberFormat::fp32;
      const CellReplay with = replay(in, true), without = replay(in, false);
      SCOPED_TRACE(fmt::format("block {} in {}", of, format));
      const DrawLog::Curve* const road = curve(answers(with));
      const DrawLog::Curve* const line = curve(answers(without));
      ASSERT_TRUE(road && line);
      EXPECT_EQ(road->stroke.dash, Dash::solid);
      EXPECT_EQ(line->stroke.dash, Dash::dashed);
      EXPECT_GT(road->stroke.width, 2.0f * line->stroke.width);
      EXPECT_LT(road->order, line->order);
      ASSERT_TRUE(without.bad);
      EXPECT_EQ(*without.bad,
                (BadNumber{6, CellQuantity::input_gate, std::numeric_limits<double>::infinity()}));
      // The mark in the lane, and the words beside it.
      EXPECT_TRUE(text("t = 6: input gate exp(i) is inf"));
      EXPECT_TRUE(text(fmt::format("first bad number in {}", format)));
      EXPECT_TRUE(text_with("t = 6, token d, block")) << all();
      EXPECT_TRUE(
          text_with(fmt::format("block {}, head 1, {} 3", of, of == 0 ? "channel" : "unit")));
      EXPECT_TRUE(text("i'ₜ = exp(iₜ)"));
      bool marked = false;
      for (const DrawLog::Line& l : stage->log.lines)
        marked |= l.stroke.colour == kNotANumber && l.points.size() == 2 &&
                  l.points[0].x == x_of(6) && l.points[1].x == x_of(6);
      EXPECT_TRUE(marked);
      // And the way there.
      press("jump there");
      const auto jumps = stage->all<command::SetCursor>();
      ASSERT_EQ(jumps.size(), 1u);
      EXPECT_EQ(jumps[0].step, 6);
      EXPECT_EQ(stumbles(stage->log), std::vector<std::string>{});
    }
  }
}

TEST_F(StabilizerDrawing, NothingIsBadWhereNothingOverflows) {
  show(recall_scene(), 0, "3 fp32 0.01");
  EXPECT_TRUE(text("no bad number in fp32 up to t = 16"));
  EXPECT_TRUE(text("nowhere quietly wrong by more than 1 %"));
  EXPECT_FALSE(text("jump there"));
  for (const DrawLog::Line& l : stage->log.lines) EXPECT_NE(l.stroke.colour, kNotANumber);
}

/// Tiny writes leave subnormal numbers: finite, and wrong.
TEST_F(StabilizerDrawing, QuietlyWrongStepsAreShaded) {
  std::vector<Clamp> clamps;
  for (int t = 0; t < 17; ++t)
    clamps.push_back(opened(1, t, -15.0f - 0.01f * static_cast<float>(t)));
  show(SceneBuilder({}).build(clamps), 1);
  const CellReplay exact = replay(NumberFormat::fp64, true, true);
  const CellReplay with = replay(NumberFormat::fp16, true);
  const CellReplay without = replay(NumberFormat::fp16, false);
  const DrawLog::Curve* const lane = curve(answers(without));
  ASSERT_TRUE(lane);
  int wrong = 0, first = -1;
  for (int t = 0; t < 17; ++t) {
    const auto i = static_cast<std::size_t>(t);
    const bool is = agreement_of(exact.steps[i].h, without.steps[i].h, with.steps[i].h, 0.01) ==
                    Agreement::wrong;
    bool shaded = false;
    for (const DrawLog::Fill& fill : fills_at(t, lane->box.min.y - 1, lane->box.max.y + 1))
      shaded |= fill.colour == with_alpha(palette().warning, 0.14f);
    EXPECT_EQ(shaded, is) << "t = " << t;
    if (is && first < 0) first = t;
    wrong += is ? 1 : 0;
  }
  ASSERT_GT(wrong, 2);
  EXPECT_TRUE(text(fmt::format("quietly wrong at {} steps", wrong))) << all();
  EXPECT_TRUE(text_with(fmt::format("First at t = {}: off by", first)));
  EXPECT_TRUE(text("quietly wrong, > 1 %")) << "the key names the threshold";
  EXPECT_FALSE(without.bad);
  // A finer and a coarser measure.
  show(snapshot, 1, "3 fp16 0.1");
  EXPECT_TRUE(text("quietly wrong, > 10 %"));
}

TEST_F(StabilizerDrawing, SwitchesSendOtherEquations) {
  for (const int of : {0, 1}) {
    show(recall_scene(), of);
    press("off");
    auto sent = stage->all<command::SetVariant>();
    ASSERT_EQ(sent.size(), 1u);
    CellVariant wanted = block().variant;
    wanted.stabilizer = false;
    EXPECT_EQ(sent[0].kind, block().kind);
    EXPECT_EQ(sent[0].variant, wanted);
    stage->sent.clear();
    press("on");
    EXPECT_TRUE(stage->sent.empty()) << "it is on";
    // The first row with formats is the model's, the second the replay's.
    for (const NumberFormat format :
         {NumberFormat::fp64, NumberFormat::fp32, NumberFormat::bf16, NumberFormat::fp16}) {
      stage->sent.clear();
      press(xlab::name_of(format));
      sent = stage->all<command::SetVariant>();
      ASSERT_EQ(sent.size(), 1u) << xlab::name_of(format);
      wanted = block().variant;
      wanted.number_format = format;
      EXPECT_EQ(sent[0].variant, wanted);
    }
    stage->sent.clear();
    press("bf16", 1);
    EXPECT_TRUE(stage->sent.empty()) << "the replay is no model";
    EXPECT_EQ(view->kept(), "3 bf16 0.01");
    EXPECT_TRUE(curve(answers(replay(NumberFormat::bf16, false))));
    press("10 %");
    EXPECT_EQ(view->kept(), "3 bf16 0.1");
  }
}

TEST_F(StabilizerDrawing, ASwitchedOffStabilizerIsToldAsSuch) {
  show(changed(recall_scene(), [](CellVariant& v) { v.stabilizer = false; }), 0);
  EXPECT_TRUE(text_with("off in the model")) << all();
  press("on");
  ASSERT_EQ(stage->all<command::SetVariant>().size(), 1u);
  EXPECT_TRUE(stage->all<command::SetVariant>()[0].variant.stabilizer);
}

TEST_F(StabilizerDrawing, TheGaugeHoldsNeedsAgainstLimits) {
  show(SceneBuilder({}).build({opened(0, 6, 20.0f)}), 0);
  StabilizerShown shown;
  StabilizerChoice choice{.unit = kUnit, .format = NumberFormat::fp16};
  shown.use(snapshot, block(), kHead, choice, 1000);
  EXPECT_EQ(shown.fit(NumberFormat::fp16), (std::pair{Fit::overflows, 6}));
  EXPECT_EQ(shown.fit(NumberFormat::bf16).first, Fit::fits);
  // Bars begin and end where the formats do, on one scale.
  const auto bars = [&](const char* name) {
    const DrawLog::Text* row = nullptr;
    for (const DrawLog::Text& t : stage->log.texts)
      if (t.shown == name) row = &t;  // the last one: those before are tabs
    std::vector<DrawLog::Fill> found;
    for (const DrawLog::Fill& fill : stage->log.fills)
      if (row && std::abs(fill.box.centre().y - row->box.centre().y) < 2 &&
          fill.box.height() < 17 && fill.box.min.x > row->box.max.x)
        found.push_back(fill);
    return found;
  };
  const auto fp32 = bars("fp32"), fp16 = bars("fp16"), bf16 = bars("bf16");
  ASSERT_EQ(fp32.size(), 2u);
  ASSERT_EQ(fp16.size(), 2u);
  ASSERT_EQ(bf16.size(), 2u);
  const auto power = [](double x) { return std::log10(x); };
  const FormatLimits wide = limits_of(NumberFormat::fp32), small = limits_of(NumberFormat::fp16);
  // Pixels a power of ten, from the widest bar; then the place of all other ends.
  const double per =
      (fp32[0].box.max.x - fp32[0].box.min.x) / (power(wide.largest) - power(wide.smallest_normal));
  const auto x = [&](double number) {
    return fp32[0].box.max.x + per * (power(number) - power(wide.largest));
  };
  EXPECT_NEAR(fp32[1].box.min.x, x(wide.smallest), 0.7);
  EXPECT_NEAR(fp16[0].box.max.x, x(small.largest), 0.7);
  EXPECT_NEAR(fp16[0].box.min.x, x(small.smallest_normal), 0.7);
  EXPECT_NEAR(fp16[1].box.min.x, x(small.smallest), 0.7);
  EXPECT_NEAR(bf16[1].box.min.x, x(limits_of(NumberFormat::bf16).smallest), 0.7);
  EXPECT_LT(fp16[1].box.height(), fp16[0].box.height()) << "where digits are lost";
  // The lines of the step at the cursor.
  const auto t = static_cast<std::size_t>(snapshot.sequence.cursor);
  const char letters[] = {'i', 'f', 'c', 'n'};
  for (std::size_t j = 0; j < PlainNeeds::kCount; ++j) {
    const double at = x(std::pow(10.0, shown.needs()[t].log10[j]));
    bool drawn = false;
    for (const DrawLog::Line& l : stage->log.lines)
      drawn |= l.stroke.colour == gate_style(palette(), letters[j]).colour &&
               l.points.size() == 2 && std::abs(l.points[0].x - at) < 1.0 &&
               l.points[1].y - l.points[0].y > 40;
    EXPECT_TRUE(drawn) << letters[j];
  }
  EXPECT_TRUE(text("overflows"));
  EXPECT_TRUE(text("fits"));
  EXPECT_TRUE(text_with("whole sequence: ")) << all();
  EXPECT_NE(said_at(fp16[0].box.min.x - 40, fp16[0].box.centre().y).find("first at t = 6"),
            std::string::npos);
  EXPECT_NE(all().find("largest 65504 = e^11.09"), std::string::npos) << all();
}

TEST_F(StabilizerDrawing, TheFloorLampLightsWhereTheFloorDecides) {
  Snapshot scene = recall_scene();
  const BlockCard& matrix = scene.model->blocks[0];
  int lit = 0, dark = 0;
  for (int t = 0; t < 17; ++t) {
    const bool on = floor_use(*scene.trace, matrix, t, kHead)->uses;
    lit += on ? 1 : 0;
    dark += on ? 0 : 1;
  }
  ASSERT_GT(lit, 0);
  ASSERT_GT(dark, 0);
  for (int cursor = 0; cursor < 17; ++cursor) {
    scene.sequence.cursor = cursor;
    show(scene, 0);
    const auto use = floor_use(*snapshot.trace, block(), cursor, kHead);
    EXPECT_TRUE(text(fmt::format("floor lamp {} at t = {}", use->uses ? "on" : "off", cursor)));
    EXPECT_TRUE(text_with(use->uses ? "decides, |q·n| = " : "decides, it is above the floor"));
    EXPECT_TRUE(text(fmt::format("On at {} of 17 steps.", lit)));
    if (cursor > 0) continue;
    const DrawLog::Text* name = text("floor");
    ASSERT_TRUE(name);
    for (int t = 0; t < 17; ++t) {
      const auto marks = fills_at(t, name->box.centre().y - 8, name->box.centre().y + 8);
      EXPECT_EQ(marks.size(), floor_use(*snapshot.trace, block(), t, kHead)->uses ? 1u : 0u)
          << "t = " << t;
      for (const DrawLog::Fill& mark : marks)
        EXPECT_EQ(mark.colour, gate_style(palette(), 'n').colour);
    }
  }
  show(recall_scene(), 1);
  EXPECT_FALSE(text_with("floor")) << "an sLSTM has none";
}

TEST_F(StabilizerDrawing, CellsWithoutAnMSaySo) {
  show(lstm_scene(), 1);
  EXPECT_NE(all().find("This cell has no m: none of its gates is an exponential"),
            std::string::npos)
      << all();
  EXPECT_TRUE(stage->log.curves.empty());
  EXPECT_TRUE(view->table(stage->scene()).rows.empty());
  show(changed(recall_scene(), [](CellVariant& v) { v.input_gate = InputGate::sigmoid; }), 0);
  EXPECT_NE(all().find("This cell has no m: its input gate is σ(i)"), std::string::npos) << all();
  show(silent_scene(), 0);
  EXPECT_NE(all().find("Nothing is recorded yet."), std::string::npos);
  show(Snapshot{}, 0);
  EXPECT_NE(all().find("see what its stabilizer does"), std::string::npos);
}

TEST_F(StabilizerDrawing, HoveringTellsExactNumbersAndTheInspectorFollows) {
  show(SceneBuilder({}).build({opened(0, 6, 11.2f)}), 0);
  const auto steps = scale();
  std::vector<double> m;
  for (const ScaleStep& step : steps) m.push_back(step.m);
  const DrawLog::Curve lane = *curve(m);
  const std::string at_m = said_at(x_of(9), lane.axis.y(m[9], lane.box));
  EXPECT_NE(at_m.find("m = " + short_number(m[9])), std::string::npos) << at_m;
  EXPECT_NE(at_m.find("i = " + short_number(steps[9].input)), std::string::npos);
  EXPECT_NE(at_m.find("the memory keeps its scale, decayed."), std::string::npos);
  EXPECT_EQ(stage->focus.hovered, (ValueRef{"block0/mlstm/m", 9, kHead, 0}));
  said_at(x_of(9), lane.axis.y(steps[9].input, lane.box));
  EXPECT_EQ(stage->focus.hovered, (ValueRef{"block0/mlstm/input_gate_pre", 9, kHead, 0}));
  const DrawLog::Curve answer = *curve(answers(replay(NumberFormat::fp16, true)));
  const std::string at_h = said_at(x_of(8), answer.box.centre().y);
  EXPECT_NE(at_h.find("without m in fp16: NaN (no number)"), std::string::npos) << at_h;
  EXPECT_NE(at_h.find("It began at t = 6: input gate exp(i) was inf."), std::string::npos);
  EXPECT_EQ(stage->focus.hovered, (ValueRef{"block0/mlstm/h", 8, kHead, kUnit}));
  // A click moves the shared cursor.
  stage->click(*view, x_of(4), answer.box.centre().y);
  const auto moved = stage->all<command::SetCursor>();
  ASSERT_FALSE(moved.empty());
  EXPECT_EQ(moved.back().step, 4);
}

TEST_F(StabilizerDrawing, TheTableHasTheSameNumbers) {
  for (const int of : {0, 1}) {
    show(SceneBuilder({}).build({opened(of, 6, 11.2f)}), of);
    const Table table = view->table(stage->scene());
    ASSERT_EQ(table.rows.size(), 17u);
    const auto column = [&](const std::string& name) {
      return static_cast<std::size_t>(std::find(table.columns.begin(), table.columns.end(), name) -
                                      table.columns.begin());
    };
    const auto steps = scale();
    const CellReplay plain = replay(NumberFormat::fp16, false);
    for (std::size_t t = 0; t < 17; ++t) {
      const auto& row = table.rows[t];
      EXPECT_EQ(row[column("m")], full_number(steps[t].m));
      EXPECT_EQ(row[column("i")], full_number(steps[t].input));
      EXPECT_EQ(row[column("decayed_m")], full_number(steps[t].decayed));
      EXPECT_EQ(row[column("i_minus_m")], full_number(steps[t].input - steps[t].m));
      EXPECT_EQ(row[column("h_without_m")], full_number(plain.steps[t].h));
      EXPECT_EQ(row[column("winner")], steps[t].winner == ScaleWinner::input     ? "input gate"
                                       : steps[t].winner == ScaleWinner::decayed ? "decayed m"
                                                                                 : "first write");
    }
    EXPECT_EQ(table.rows[8][column("without_m")], "no number");
  }
}

TEST_F(StabilizerDrawing, WhatWasChosenIsKeptAndStrangersChangeNothing) {
  const auto kept = make_stabilizer_view();
  EXPECT_EQ(kept->kept(), "0 fp32 0.01");
  kept->restore("7 bf16 0.001");
  EXPECT_EQ(kept->kept(), "7 bf16 0.001");
  for (const char* odd : {"", "x", "-1 fp16 0.01", "1 native 0.01", "1 fp16 0.02", "1 fp8 0.01",
                          "99999999999 fp16 0.01", "1 fp16"}) {
    kept->restore(odd);
    EXPECT_EQ(kept->kept(), "7 bf16 0.001") << odd;
  }
  // A unit that this block has not stays chosen for one that has it.
  show(recall_scene(), 1, "15 fp16 0.01");
  EXPECT_TRUE(text("unit 9 of 10")) << all();
  EXPECT_EQ(view->kept(), "15 fp16 0.01");
}

TEST_F(StabilizerDrawing, AreComputedOnceAndCarriedOn) {
  const Snapshot whole = long_scene();
  const BlockCard& matrix = whole.model->blocks[0];
  StabilizerShown shown;
  const StabilizerChoice choice{.unit = 1, .format = NumberFormat::bf16};
  Snapshot part = whole;
  auto shorter = std::make_shared<Trace>();
  shorter->steps.assign(whole.trace->steps.begin(), whole.trace->steps.begin() + 3000);
  part.trace = shorter;
  EXPECT_TRUE(shown.use(part, matrix, 0, choice, 1000));
  EXPECT_EQ(shown.length(), 1000);
  EXPECT_TRUE(shown.use(part, matrix, 0, choice, 1000));
  EXPECT_FALSE(shown.use(part, matrix, 0, choice, 1000));
  EXPECT_EQ(shown.length(), 3000);
  const int computed = shown.computed();
  EXPECT_FALSE(shown.use(part, matrix, 0, choice, 1000));
  EXPECT_EQ(shown.computed(), computed) << "nothing changed";
  shown.use(whole, matrix, 0, choice, 100000);
  EXPECT_EQ(shown.length(), 5000);
  EXPECT_EQ(shown.computed(), computed + 4 * 2000) << "only what came";
  StabilizerShown fresh;
  fresh.use(whole, matrix, 0, choice, 100000);
  for (int t = 0; t < 5000; ++t) {
    ASSERT_EQ(shown.agreement(t), fresh.agreement(t)) << t;
    ASSERT_EQ(shown.plain().steps[static_cast<std::size_t>(t)].h,
              fresh.plain().steps[static_cast<std::size_t>(t)].h);
  }
  // Other recordings, another head, unit or format: all anew.
  Snapshot held = whole;
  auto other = std::make_shared<Trace>(*whole.trace);
  other->steps[2500] = std::make_shared<TokenTrace>(*other->steps[2500]);
  held.trace = other;
  shown.use(held, matrix, 0, choice, 10);
  EXPECT_EQ(shown.length(), 10) << "what was held by hand changed step 2500";
  const StabilizerChoice half{.unit = 1, .format = NumberFormat::fp16},
      channel{.unit = 2, .format = NumberFormat::bf16};
  for (const auto& [head, anew] : {std::pair{1, choice}, {0, half}, {0, channel}}) {
    shown.use(whole, matrix, head, anew, 10);
    EXPECT_EQ(shown.length(), 10);
    shown.use(whole, matrix, 0, choice, 20);
  }
  BlockCard off = matrix;
  off.variant.eps = 0.5;
  shown.use(whole, off, 0, choice, 10);
  EXPECT_EQ(shown.length(), 10);
  // The view computes over some frames and says that it is not done.
  show(whole, 0);
  EXPECT_TRUE(view->animating(stage->scene()));
  for (int frame = 0; frame < 20; ++frame) stage->frame(*view);
  EXPECT_FALSE(view->animating(stage->scene()));
}

TEST_F(StabilizerDrawing, APictureHasNoButtons) {
  show(SceneBuilder({}).build({opened(0, 6, 11.2f)}), 0);
  EXPECT_TRUE(text("jump there"));
  // Drawn as for a file.
  ImGui::NewFrame();
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(stage->size);
  ImGui::Begin("stage", nullptr, ImGuiWindowFlags_NoDecoration);
  stage->log.clear();
  Scene scene = stage->scene();
  scene.exporting = true;
  view->draw(scene, stage->size);
  ImGui::End();
  ImGui::Render();
  EXPECT_FALSE(text("jump there"));
  EXPECT_TRUE(text("first bad number in fp16"));
  EXPECT_FALSE(text("bf16") && text("bf16")->box.max.y < 90) << "only what is chosen is named";
}

TEST_F(StabilizerDrawing, BrokenRecordingsAreDrawnAsBroken) {
  show(broken_scene(), 0);
  EXPECT_TRUE(stage->finite());
  EXPECT_EQ(stumbles(stage->log), std::vector<std::string>{});
  // Nothing recorded but tokens.
  Snapshot bare = recall_scene();
  auto trace = std::make_shared<Trace>(*bare.trace);
  trace->steps[5] = std::make_shared<TokenTrace>();
  bare.trace = trace;
  show(bare, 0);
  const CellReplay plain = replay(NumberFormat::fp16, false);
  EXPECT_EQ(plain.steps.size(), 5u) << "it ends where something is missing";
  EXPECT_TRUE(text("no bad number in fp16 up to t = 4")) << all();
  EXPECT_FALSE(view->animating(stage->scene())) << "there is nothing more to wait for";
}

}  // namespace
}  // namespace xlab::tests
