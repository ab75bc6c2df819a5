// Every recorded value has a card, and its equation gives the recorded number.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/described.hpp"
#include "tests/scenes.hpp"

namespace xlab::tests {
namespace {

const char* kMlstm[] = {"input_gate_pre",
                        "forget_gate_pre",
                        "input_gate",
                        "forget_gate",
                        "forget_gate_sigmoid",
                        "m",
                        "s",
                        "normalizer",
                        "q",
                        "k",
                        "n",
                        "v",
                        "h",
                        "output_gate_pre",
                        "output_gate"};
const char* kSlstm[] = {"input_gate_pre",
                        "forget_gate_pre",
                        "cell_input_pre",
                        "output_gate_pre",
                        "input_gate",
                        "forget_gate",
                        "forget_gate_sigmoid",
                        "cell_input",
                        "output_gate",
                        "c",
                        "n",
                        "m",
                        "h"};

const char* kLstm[] = {"input_gate_pre",
                       "forget_gate_pre",
                       "cell_input_pre",
                       "output_gate_pre",
                       "input_gate",
                       "forget_gate",
                       "cell_input",
                       "output_gate",
                       "c",
                       "h"};

std::vector<std::string> lstm_paths() {
  std::vector<std::string> paths;
  for (const char* name : kLstm) paths.push_back(std::string("block1/lstm/") + name);
  return paths;
}

std::vector<std::string> all_paths() {
  std::vector<std::string> paths;
  for (const char* name : kMlstm) paths.push_back(std::string("block0/mlstm/") + name);
  for (const char* name : kSlstm) paths.push_back(std::string("block1/slstm/") + name);
  return paths;
}

TEST(LiveEquation, HasACardForEveryRecordedValue) {
  std::vector<std::string> paths = all_paths();
  for (const std::string& path : lstm_paths()) paths.push_back(path);
  for (const std::string& path : paths) {
    const std::optional<ValueCard> card = explain(path);
    ASSERT_TRUE(card.has_value()) << path;
    EXPECT_FALSE(card->symbol.empty() || card->title.empty() || card->words.empty() ||
                 card->equation.empty() || card->range.empty())
        << path;
    EXPECT_EQ(card->words.back(), '.') << path;
  }
  for (const char* path : {"block3/mlstm/C", "block3/mlstm/write"})
    EXPECT_TRUE(explain(path).has_value()) << path;
  for (const char* name : kMlstm)
    EXPECT_TRUE(explain(std::string("block0/mlstm_large/") + name).has_value()) << name;
  EXPECT_EQ(explain("block0/mlstm_large/output_gate")->symbol, "σ(o)");
  EXPECT_EQ(explain("block0/mlstm_large/m")->words, explain("block0/mlstm/m")->words);
  for (const char* path : {"", "m", "block0/mlstm/nothing", "block0/mlstm_large/nothing",
                           "block1/slstm/C", "block1/lstm/m", "block1/lstm/n", "block0/gru/m"}) {
    EXPECT_FALSE(explain(path).has_value()) << path;
  }
}

TEST(LiveEquation, EveryInputIsARecordedValueItself) {
  std::vector<std::string> paths = all_paths();
  for (const std::string& path : lstm_paths()) paths.push_back(path);
  for (const std::string& path : paths) {
    const std::string prefix = path.substr(0, path.rfind('/') + 1);
    const ValueCard card = *explain(path);
    for (std::string input : card.inputs) {
      if (input.ends_with("@-1")) input.resize(input.size() - 3);
      EXPECT_TRUE(explain(prefix + input).has_value()) << path << " from " << input;
    }
  }
}

void check_right_hand_sides(const Snapshot& s, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    for (int step = 0; step < s.trace->length(); ++step) {
      const Recorded* recorded = s.trace->find(step, path);
      ASSERT_NE(recorded, nullptr) << path;
      for (int head = 0; head < recorded->heads; ++head) {
        for (int unit = 0; unit < recorded->dim; ++unit) {
          const LiveEquation live = live_equation(*s.trace, path, step, head, unit);
          const double value = recorded->at(head, unit);
          EXPECT_EQ(live.value, value) << path;
          EXPECT_NEAR(live.evaluated, value, 2e-5 * std::max(1.0, std::abs(value)))
              << path << " at " << step << ": " << live.text;
          EXPECT_FALSE(live.text.empty()) << path;
          EXPECT_EQ(live.complete, !explain(path)->inputs.empty()) << path;
        }
      }
    }
  }
}

TEST(LiveEquation, RightHandSidesGiveTheRecordedNumbers) {
  check_right_hand_sides(clamped_scene(), all_paths());
  check_right_hand_sides(lstm_scene(), lstm_paths());
}

TEST(LiveEquation, TheMatrixMemoryIsReplayedFromItsWrites) {
  const Snapshot s = clamped_scene();
  const MemoryImage& image = *s.memory;
  const int size = image.key_dim * image.value_dim;
  for (int head = 0; head < image.heads; ++head) {
    for (int cell = 0; cell < size; cell += 5) {
      const LiveEquation live = live_equation(*s.trace, "block0/mlstm/C", image.step, head, cell);
      ASSERT_TRUE(live.complete);
      EXPECT_NEAR(live.value, image.C[static_cast<std::size_t>(head * size + cell)], 1e-5);
      const LiveEquation write =
          live_equation(*s.trace, "block0/mlstm/write", image.step, head, cell);
      ASSERT_TRUE(write.complete);
      const auto at = [&](const char* name, int unit) {
        return s.trace->find(image.step, std::string("block0/mlstm/") + name)->at(head, unit);
      };
      EXPECT_NEAR(
          write.value,
          at("input_gate", 0) * at("k", cell / image.value_dim) * at("v", cell % image.value_dim),
          1e-6);
    }
  }
}

TEST(LiveEquation, WritesTheEquationWithItsNumbers) {
  Trace trace;
  auto token = std::make_shared<TokenTrace>();
  token->values["block0/mlstm/input_gate_pre"] = {1, 1, {-0.5f}};
  token->values["block0/mlstm/m"] = {1, 1, {2.0f}};
  token->values["block0/mlstm/input_gate"] = {1, 1, {std::exp(-2.5f)}};
  trace.steps.push_back(token);
  EXPECT_EQ(live_equation(trace, "block0/mlstm/input_gate", 0, 0, 0).text,
            "i'_0 = exp(−0.500 − 2) = 0.0821");
  // The state before the first token is zero, and a negative term stands in brackets.
  token->values["block0/mlstm/forget_gate_pre"] = {1, 1, {3.0f}};
  token->values["block0/mlstm/forget_gate"] = {1, 1, {0.1f}};
  token->values["block0/mlstm/m"] = {1, 1, {-1.0f}};
  EXPECT_EQ(live_equation(trace, "block0/mlstm/forget_gate", 0, 0, 0).text,
            "f'_0 = exp(−0.0486 + 0 − (−1)) = 2.59");
  EXPECT_EQ(live_equation(trace, "block0/mlstm/forget_gate_sigmoid", 0, 0, 0).text, "");
}

TEST(LiveEquation, TermsThatCancelHaveTheDigitsTheirSumNeeds) {
  Trace trace;
  const auto add = [&](float f, float m) {
    auto token = std::make_shared<TokenTrace>();
    token->values["block0/mlstm/forget_gate_pre"] = {1, 1, {f}};
    token->values["block0/mlstm/input_gate_pre"] = {1, 1, {m}};
    token->values["block0/mlstm/m"] = {1, 1, {m}};
    token->values["block0/mlstm/forget_gate"] = {1, 1, {1.0f}};
    token->values["block0/mlstm/input_gate"] = {1, 1, {1.0f}};
    trace.steps.push_back(token);
  };
  add(3.0f, 1.1352f);
  add(7.8669f, 1.1348f);
  EXPECT_EQ(live_equation(trace, "block0/mlstm/forget_gate", 1, 0, 0).text,
            "f'_1 = exp(−0.0004 + 1.1352 − 1.1348) = 1.00")
      << "1.14 − 1.13 would be 0.01";
  EXPECT_EQ(live_equation(trace, "block0/mlstm/input_gate", 1, 0, 0).text,
            "i'_1 = exp(1.13 − 1.13) = 1");
}

TEST(LiveEquation, TheDenominatorHasItsFloorAndNoSign) {
  struct Row {
    DenominatorFloor floor;
    float s, m;
    double wanted;
    const char* text;
  };
  // Overlaps of either sign, beyond the floor and below it; the floors differ by exp(-m).
  for (const Row& row :
       {Row{DenominatorFloor::one, -3.5f, 2.0f, 3.5, "N_0 = max(|−3.50|, 1) = 3.50"},
        Row{DenominatorFloor::one, 3.5f, 2.0f, 3.5, "N_0 = max(|3.50|, 1) = 3.50"},
        Row{DenominatorFloor::one, -0.25f, 2.0f, 1.0, "N_0 = max(|−0.250|, 1) = 1"},
        Row{DenominatorFloor::one, 0.25f, -2.0f, 1.0, "N_0 = max(|0.250|, 1) = 1"},
        Row{DenominatorFloor::stabilizer, -3.5f, 2.0f, 3.5, "N_0 = max(|−3.50|, exp(−2)) = 3.50"},
        Row{DenominatorFloor::stabilizer, -0.25f, 2.0f, 0.25,
            "N_0 = max(|−0.250|, exp(−2)) = 0.250"},
        Row{DenominatorFloor::stabilizer, 0.0625f, 2.0f, std::exp(-2.0),
            "N_0 = max(|0.0625|, exp(−2)) = 0.135"},
        Row{DenominatorFloor::stabilizer, -0.25f, -1.0f, std::exp(1.0),
            "N_0 = max(|−0.250|, exp(−(−1))) = 2.72"}}) {
    Trace trace;
    auto token = std::make_shared<TokenTrace>();
    token->values["block0/mlstm/s"] = {1, 1, {row.s}};
    token->values["block0/mlstm/m"] = {1, 1, {row.m}};
    token->values["block0/mlstm/normalizer"] = {1, 1, {static_cast<float>(row.wanted)}};
    trace.steps.push_back(token);
    CellVariant variant;
    variant.denominator_floor = row.floor;
    const LiveEquation live = live_equation(trace, "block0/mlstm/normalizer", 0, 0, 0, variant);
    EXPECT_TRUE(live.complete);
    EXPECT_NEAR(live.evaluated, row.wanted, 1e-6) << row.text;
    EXPECT_EQ(live.text, row.text);
  }
}

TEST(LiveEquation, SaysWhenAnInputIsMissing) {
  const Snapshot s = recall_scene();
  auto token = std::make_shared<TokenTrace>(*s.trace->steps[3]);
  token->values.erase("block0/mlstm/forget_gate_pre");
  Trace trace = *s.trace;
  trace.steps[3] = token;
  const LiveEquation live = live_equation(trace, "block0/mlstm/forget_gate", 3, 0, 0);
  EXPECT_FALSE(live.complete);
  EXPECT_EQ(live.value, s.trace->find(3, "block0/mlstm/forget_gate")->at(0, 0));
  EXPECT_NE(live.text.find("f'_3 = "), std::string::npos);
}

TEST(LiveEquation, EverySymbolOfTheLeftSideHasItsStep) {
  const Snapshot s = recall_scene();
  const auto text = [&](const char* path) { return live_equation(*s.trace, path, 5, 1, 3).text; };
  EXPECT_EQ(text("block1/slstm/answer").substr(0, 12), "c_5 / n_5 = ");
  EXPECT_EQ(text("block1/slstm/cell_input").substr(0, 12), "tanh(z_5) = ");
  EXPECT_EQ(text("block0/mlstm/input_gate").substr(0, 7), "i'_5 = ");
  EXPECT_EQ(text("block0/mlstm/write").substr(0, 16), "write_5[0, 3] = ");
}

TEST(LiveEquation, TakesAnyPlaceWithoutHarm) {
  const Snapshot scenes[] = {recall_scene(), broken_scene(), tiny_scene(), Snapshot{}};
  for (const Snapshot& s : scenes) {
    const Trace trace = s.trace ? *s.trace : Trace{};
    std::vector<std::string> paths = all_paths();
    for (const char* odd : {"C", "write", "block0/mlstm/C", "block0/mlstm/write", "", "x/y/z"}) {
      paths.push_back(odd);
    }
    for (const std::string& path : paths) {
      for (const int step : {-1, 0, 5, 16, 17, 100000}) {
        for (const int place : {-1, 0, 1, 255, 256, 100000}) {
          live_equation(trace, path, step, place, place);
          live_equation(trace, path, step, 0, place);
        }
      }
    }
  }
}

TEST(LiveEquation, TheFirstWriteOfAScalarCellForgetsNothing) {
  const Snapshot s = recall_scene();
  const LiveEquation forget = live_equation(*s.trace, "block1/slstm/forget_gate", 0, 1, 3);
  EXPECT_TRUE(forget.complete);
  EXPECT_EQ(forget.evaluated, 0.0);
  const LiveEquation m = live_equation(*s.trace, "block1/slstm/m", 0, 1, 3);
  EXPECT_EQ(m.evaluated, s.trace->find(0, "block1/slstm/input_gate_pre")->at(1, 3));
}

}  // namespace
}  // namespace xlab::tests
