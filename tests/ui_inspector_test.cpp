// What the inspector draws, held against the snapshot: every row, number, equation and input.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/described.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/equation.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class InspectorDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, const ValueRef& pinned, ImVec2 size = {520, 900}) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->focus.pinned = pinned;
    stage->frame(*view);
  }
  /// What stands right of a label, on its line.
  std::string beside(const std::string& label) const {
    for (const DrawLog::Text& name : stage->log.texts) {
      if (name.shown != label) continue;
      for (const DrawLog::Text& text : stage->log.texts) {
        if (&text != &name && text.box.min.y == name.box.min.y && text.box.min.x > name.box.max.x) {
          return text.shown;
        }
      }
    }
    return {};
  }
  /// Everything that was written, one line for each text.
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& text : stage->log.texts) words += text.shown + "\n";
    return words;
  }

  std::unique_ptr<View> view = make_inspector_view();
  std::unique_ptr<Stage> stage;
};

TEST_F(InspectorDrawing, EveryRowSaysWhatTheSnapshotHolds) {
  const Snapshot s = clamped_scene();
  for (const auto& [path, step, head, unit] :
       {ValueRef{"block0/mlstm/forget_gate_pre", 9, 0, 0}, ValueRef{"block0/mlstm/m", 7, 2, 0},
        ValueRef{"block0/mlstm/input_gate_pre", 3, 1, 0}, ValueRef{"block0/mlstm/n", 5, 2, 11},
        ValueRef{"block1/slstm/c", 12, 3, 7}, ValueRef{"block1/slstm/h", 4, 1, 9}}) {
    SCOPED_TRACE(path);
    draw(s, {path, step, head, unit});
    const float value = s.trace->find(step, path)->at(head, unit);
    const float free = s.unclamped->find(step, path)->at(head, unit);
    EXPECT_EQ(beside("recorded"), short_number(value));
    EXPECT_EQ(beside("without clamps"), short_number(free));
    const LiveEquation live = live_equation(*s.trace, path, step, head, unit);
    if (live.complete) {
      EXPECT_EQ(beside("evaluated"), short_number(live.evaluated) + " ✓ agrees");
    }
    if (value_name(path) == "m") {
      EXPECT_EQ(beside("as a scale"), log_number(value));
    }
    if (value_name(path) == "input_gate_pre") {
      EXPECT_EQ(beside("as a weight"), log_number(value));
    }
    // The one clamp of the scene is on the first of these.
    const bool held = value_name(path) == "forget_gate_pre";
    EXPECT_EQ(beside("held at"), held ? "−6" : "");
    EXPECT_EQ(beside("range, unit"), explain(path)->range);
    EXPECT_NE(all().find(explain(path)->symbol + "   " + explain(path)->title), std::string::npos);
    EXPECT_TRUE(stumbles(stage->log).empty());
  }
}

TEST_F(InspectorDrawing, EquationsCarryTheNumbersOfTheStep) {
  const Snapshot s = recall_scene();
  const ValueRef ref{"block0/mlstm/forget_gate", 7, 2, 0};
  draw(s, ref, {900, 900});
  const auto at = [&](const char* name, int step) {
    return static_cast<double>(s.trace->find(step, std::string("block0/mlstm/") + name)->at(2, 0));
  };
  const double decay = log_sigmoid(at("forget_gate_pre", 7));
  const double result = std::exp(decay + at("m", 6) - at("m", 7));
  // The terms nearly cancel: they have the digits that their sum needs.
  const auto digits = [](double x) { return typeset_number(fmt::format("{:.4f}", x)); };
  EXPECT_NE(all().find("f'₇ = exp(" + digits(decay) + " + " + digits(at("m", 6)) + " − " +
                       digits(at("m", 7)) + ") = " + short_number(result)),
            std::string::npos)
      << all();
  EXPECT_NE(all().find(typeset_equation(explain(ref.path)->equation)), std::string::npos);
}

TEST_F(InspectorDrawing, InputsAreThoseOfTheSameHeadAndUnitAndTheRightStep) {
  const Snapshot s = recall_scene();
  // c = f' c₋₁ + i' tanh(z), of unit 7 in head 3.
  draw(s, {"block1/slstm/c", 12, 3, 7});
  const auto at = [&](const char* name, int step) {
    return short_number(s.trace->find(step, std::string("block1/slstm/") + name)->at(3, 7));
  };
  EXPECT_EQ(beside("f'"), at("forget_gate", 12));
  EXPECT_EQ(beside("c₋₁"), at("c", 11));
  EXPECT_EQ(beside("i'"), at("input_gate", 12));
  EXPECT_EQ(beside("tanh(z)"), at("cell_input", 12));
  // A cell of the matrix takes its row of k and its column of v: K and V differ here.
  const int K = s.memory->key_dim, V = s.memory->value_dim;
  ASSERT_NE(K, V);
  const int key = 5, value = 17, cell = key * V + value;
  draw(s, {"block0/mlstm/C", 15, 1, cell});
  const auto of = [&](const char* name, int unit) {
    return short_number(s.trace->find(15, std::string("block0/mlstm/") + name)->at(1, unit));
  };
  EXPECT_EQ(beside("k"), of("k", key));
  EXPECT_EQ(beside("v"), of("v", value));
  EXPECT_EQ(beside("value"), short_number(s.memory->C[static_cast<std::size_t>(1 * K * V + cell)]));
  EXPECT_NE(all().find("key 5, value 17"), std::string::npos);
}

TEST_F(InspectorDrawing, NothingIsWrittenOverAnythingHoweverLowItIs) {
  const Snapshot s = recall_scene();
  for (const ImVec2 size : {ImVec2{300, 120}, ImVec2{300, 260}, ImVec2{200, 500}}) {
    for (const float scale : {1.0f, 2.5f}) {
      stage = std::make_unique<Stage>(s);
      stage->size = size;
      stage->scale = scale;
      stage->focus.pinned = ValueRef{"block0/mlstm/h", 7, 1, 3};
      std::string seen;
      for (int i = 0; i < 90; ++i) {
        stage->frame(*view);
        for (const DrawLog::Text& text : stage->log.texts) {
          if (!overlap(text.box, text.clip).empty()) seen += text.shown + "\n";
        }
        EXPECT_EQ(stumbles(stage->log), std::vector<std::string>{}) << size.x << " at " << scale;
        // It scrolls, and the last row is reached.
        stage->move(*view, size.x / 2, size.y / 2);
        stage->wheel(*view, -0.5f);
      }
      EXPECT_NE(all().find("block0"), std::string::npos) << "the path is the last line";
      for (const char* row : {"comp", "\nC\n", "\nq\n", "\nN\n"}) {
        EXPECT_NE(seen.find(row), std::string::npos) << row << " at " << size.x << "\n" << seen;
      }
    }
  }
}

TEST_F(InspectorDrawing, OneFormatOfNumbersOnACard) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[7]);
  step->values["block0/mlstm/forget_gate"].values[1] = 1.9419446e-9f;
  trace->steps[7] = step;
  s.trace = trace;
  draw(s, {"block0/mlstm/forget_gate", 7, 1, 0});
  EXPECT_EQ(beside("recorded"), "1.94e−9");
  EXPECT_EQ(all().find("1.9419"), std::string::npos) << all();
  // What is copied has every digit.
  const Table table = view->table(stage->scene());
  int found = 0;
  for (const auto& row : table.rows) {
    if (row[0] != "value") continue;
    ++found;
    EXPECT_EQ(std::strtof(row[1].c_str(), nullptr), 1.9419446e-9f);
  }
  EXPECT_EQ(found, 1);
}

TEST_F(InspectorDrawing, TheTableHasEveryRow) {
  const Snapshot s = recall_scene();
  const std::string path = "block1/slstm/c";
  draw(s, {path, 12, 3, 7});
  const ValueCard card = *explain(path);
  std::map<std::string, std::string> rows;
  for (const auto& row : view->table(stage->scene()).rows) rows[row[0]] = row[1];
  const auto at = [&](const char* name, int step) {
    return s.trace->find(step, std::string("block1/slstm/") + name)->at(3, 7);
  };
  EXPECT_EQ(rows["path"], path);
  EXPECT_NE(rows["place"].find("t = 12, head 3, unit 7"), std::string::npos);
  EXPECT_EQ(std::strtof(rows["value"].c_str(), nullptr), at("c", 12));
  EXPECT_EQ(rows["symbol"], card.symbol);
  EXPECT_EQ(rows["title"], card.title);
  EXPECT_EQ(rows["meaning"], card.words);
  EXPECT_EQ(rows["equation"], card.equation);
  EXPECT_EQ(rows["range"], card.range);
  EXPECT_EQ(std::strtof(rows["input forget_gate"].c_str(), nullptr), at("forget_gate", 12));
  EXPECT_EQ(std::strtof(rows["input c@-1"].c_str(), nullptr), at("c", 11));
  EXPECT_EQ(std::strtof(rows["input cell_input"].c_str(), nullptr), at("cell_input", 12));
  const LiveEquation live = live_equation(*s.trace, path, 12, 3, 7);
  EXPECT_EQ(rows["with numbers"], live.text);
  EXPECT_EQ(std::strtod(rows["evaluated"].c_str(), nullptr), live.evaluated);
}

TEST_F(InspectorDrawing, APinOfAnotherRunGoesWithIt) {
  Snapshot s = recall_scene();
  const ValueRef pinned{"block0/mlstm/forget_gate", 15, 1, 0};
  draw(s, pinned);
  EXPECT_EQ(stage->focus.pinned, pinned);
  // A run that has this value too keeps the pin; one that never had that step drops it.
  ++s.run_id;
  stage->frame(*view);
  EXPECT_EQ(stage->focus.pinned, pinned);
  s = one_token_scene();
  s.run_id = 7;
  stage->frame(*view);
  EXPECT_EQ(stage->focus.pinned, std::nullopt);
  stage->frame(*view);
  EXPECT_EQ(all().find("t = 15"), std::string::npos) << "nor is it kept as the last one";
  // Generating again in the same run: the value is to come, and nothing is red about it.
  stage->focus.pinned = pinned;
  stage->frame(*view);
  EXPECT_EQ(stage->focus.pinned, pinned);
  EXPECT_NE(all().find("Not computed yet: the sequence has 1 step so far."), std::string::npos);
  for (const DrawLog::Text& text : stage->log.texts) {
    EXPECT_NE(text.colour, stage->scene().palette.warning) << text.shown;
  }
}

TEST_F(InspectorDrawing, ABarOfTheNextTokenHasACard) {
  const Snapshot s = clamped_scene();
  const NextToken& next = *s.next;
  double sum = 0.0;
  for (const float logit : next.logits) sum += std::exp(static_cast<double>(logit));
  stage = std::make_unique<Stage>(s);
  stage->size = {520, 900};
  std::unique_ptr<View> bars = make_next_view();
  // The mouse goes down the bars; the card is always about the one it is on.
  std::set<int> seen;
  for (float y = 0; y < 330; y += 9) {
    stage->size = {500, 330};
    stage->move(*bars, 150, y);
    const std::optional<ValueRef> hovered = stage->focus.hovered;
    if (!hovered) continue;
    ASSERT_EQ(hovered->path, "next/probability");
    const int token = hovered->unit;
    ASSERT_GE(token, 0);
    const auto i = static_cast<std::size_t>(token);
    ASSERT_LT(i, next.probabilities.size());
    // It is the bar whose label stands on the line of the mouse.
    const std::string label = token_label(s.model.get(), token);
    EXPECT_TRUE(std::any_of(stage->log.texts.begin(), stage->log.texts.end(),
                            [&](const DrawLog::Text& text) {
                              return text.shown == label && text.box.min.y <= y + 6 &&
                                     text.box.max.y >= y - 6;
                            }))
        << label << " at " << y;
    if (!seen.insert(token).second) continue;
    stage->size = {520, 900};
    stage->frame(*view);
    EXPECT_NE(all().find("next token " + label + " (number " + std::to_string(token) + ")"),
              std::string::npos)
        << all();
    EXPECT_NE(all().find("after t = " + std::to_string(s.sequence.cursor)), std::string::npos);
    EXPECT_EQ(beside("recorded"), short_number(next.probabilities[i]));
    const std::string evaluated =
        short_number(std::exp(static_cast<double>(next.logits[i])) / sum) + " ✓ agrees";
    EXPECT_EQ(beside("evaluated"), evaluated);
    EXPECT_NE(
        all().find("exp(" + short_number(static_cast<double>(next.logits[i]) - std::log(sum)) +
                   ") = " + short_number(next.probabilities[i])),
        std::string::npos)
        << all();
    EXPECT_EQ(beside("logit z"), short_number(next.logits[i]));
    EXPECT_EQ(beside("ln Σ exp(z')"), short_number(std::log(sum)));
    EXPECT_EQ(beside("without clamps"), short_number(next.unclamped[i]));
    EXPECT_EQ(beside("surprise, −ln p"),
              short_number(-std::log(static_cast<double>(next.probabilities[i]))) + " nats");
    const auto before = std::count_if(next.probabilities.begin(), next.probabilities.end(),
                                      [&](float p) { return p > next.probabilities[i]; });
    EXPECT_EQ(beside("rank"),
              std::to_string(before + 1) + " of " + std::to_string(next.probabilities.size()));
    for (const auto& stumble : stumbles(stage->log)) ADD_FAILURE() << stumble;
    std::map<std::string, std::string> rows;
    for (const auto& row : view->table(stage->scene()).rows) rows[row[0]] = row[1];
    EXPECT_EQ(std::strtof(rows["value"].c_str(), nullptr), next.probabilities[i]);
    EXPECT_EQ(rows["evaluated"], evaluated);
  }
  EXPECT_GE(seen.size(), 8u);
  // The mouse leaves: what was pointed at last stays readable, until the cursor is elsewhere.
  stage->size = {500, 330};
  stage->move(*bars, -FLT_MAX, -FLT_MAX);
  EXPECT_EQ(stage->focus.hovered, std::nullopt);
  stage->size = {520, 900};
  stage->frame(*view);
  EXPECT_NE(all().find("probability of the next token"), std::string::npos);
}

TEST_F(InspectorDrawing, ABarOfAnotherPlaceHasNoCard) {
  Snapshot s = recall_scene();
  draw(s, {});
  stage->focus.pinned.reset();
  stage->focus.hovered = ValueRef{"next/probability", s.sequence.cursor, 0, 3};
  stage->frame(*view);
  ASSERT_NE(all().find("probability of the next token"), std::string::npos);
  stage->focus.hovered.reset();
  s.sequence.cursor -= 1;
  stage->frame(*view);
  EXPECT_EQ(all().find("probability of the next token"), std::string::npos);
  // Nor has a token that does not exist, whatever is asked for.
  for (const int token : {-1, 1 << 20}) {
    stage->focus.hovered = ValueRef{"next/probability", s.sequence.cursor, 0, token};
    stage->frame(*view);
    EXPECT_EQ(all().find("probability of the next token"), std::string::npos);
  }
}

TEST_F(InspectorDrawing, WhatIsNotComputedYetIsNotSaidToBeInTheMemory) {
  const Snapshot snapshot = recall_scene();
  const int length = static_cast<int>(snapshot.sequence.tokens.size());
  draw(snapshot, {"block0/mlstm/forget_gate", length + 3, 1, 0});
  EXPECT_NE(all().find("Not computed yet"), std::string::npos) << all();
  EXPECT_EQ(beside("f"), "not recorded") << all();
  EXPECT_EQ(all().find("matrix memory"), std::string::npos) << all();
  // What is in there is.
  draw(snapshot, {"block0/mlstm/h", 3, 1, 0});
  EXPECT_EQ(beside("C"), "see the matrix memory") << all();
}

}  // namespace
}  // namespace xlab::tests
