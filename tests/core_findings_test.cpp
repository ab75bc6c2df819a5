// What is told of a sequence, held against its recordings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/findings.hpp"
#include "core/analysis/forgetting.hpp"
#include "core/analysis/implied_attention.hpp"
#include "tests/scenes.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<Finding> found(const Snapshot& scene) {
  return findings(*scene.model, scene.trace, scene.sequence.tokens);
}

/// The finding about this in a block, or one without a sentence.
Finding about(const Snapshot& scene, const std::string& what, int block) {
  for (const Finding& finding : found(scene))
    if (finding.about == what && finding.block == block) return finding;
  return {};
}

double number(const Finding& finding, const std::string& name) {
  for (const auto& [key, value] : finding.numbers)
    if (key == name) return value;
  ADD_FAILURE() << finding.about << " has no number '" << name << "'";
  return 0.0;
}

/// The scene with other numbers of a value at every step.
void record(Snapshot& scene, const std::string& path, float (*change)(float, int)) {
  auto trace = std::make_shared<Trace>(*scene.trace);
  for (auto& step : trace->steps) {
    auto copy = std::make_shared<TokenTrace>(*step);
    Recorded& recorded = copy->values.at(path);
    for (std::size_t u = 0; u < recorded.values.size(); ++u)
      recorded.values[u] = change(recorded.values[u], static_cast<int>(u));
    step = copy;
  }
  scene.trace = trace;
}

TEST(Findings, HalfLivesAreThoseOfAllTokensTogether) {
  const Snapshot scene = recall_scene();
  const BlockCard& block = scene.model->blocks[0];
  std::vector<double> lives;
  for (int head = 0; head < block.heads; ++head) {
    double kept = 1.0;
    for (int t = 0; t < scene.trace->length(); ++t)
      kept *= share_kept(*scene.trace, block, t, head, 0);
    lives.push_back(half_life(std::pow(kept, 1.0 / scene.trace->length())));
  }
  const Finding finding = about(scene, "half-life", 0);
  EXPECT_NEAR(number(finding, "shortest"), *std::min_element(lives.begin(), lives.end()), 1e-9);
  EXPECT_NEAR(number(finding, "longest"), *std::max_element(lives.begin(), lives.end()), 1e-9);
  const auto longest = std::max_element(lives.begin(), lives.end()) - lives.begin();
  EXPECT_EQ(finding.evidence->head, longest);
  EXPECT_THAT(finding.sentence, HasSubstr("in head " + std::to_string(longest) + ", the longest"));
  EXPECT_THAT(about(scene, "half-life", 1).sentence, HasSubstr("unit "));
  Snapshot keeps = scene;
  record(keeps, "block0/mlstm/forget_gate_pre", [](float, int) { return 1000.0f; });
  EXPECT_TRUE(std::isinf(number(about(keeps, "half-life", 0), "longest")));
  EXPECT_THAT(about(keeps, "half-life", 0).sentence, HasSubstr("would be gone never in head"));
}

TEST(Findings, TokensThatOpenTheInputGateAreNamed) {
  const Snapshot scene = recall_scene();
  const Finding finding = about(scene, "input gate", 0);
  // Of this scene answers are written, and letters hardly: the last tokens before are digits.
  EXPECT_GT(number(finding, "most"), 1.0);
  EXPECT_LT(number(finding, "least"), -2.0);
  ASSERT_TRUE(finding.evidence);
  const int step = finding.evidence->step;
  const int token = scene.sequence.tokens[static_cast<std::size_t>(step)];
  EXPECT_GE(token, 8);
  EXPECT_LT(token, 18);
  double sum = 0.0;
  int seen = 0;
  for (int t = 0; t < scene.trace->length(); ++t) {
    if (scene.sequence.tokens[static_cast<std::size_t>(t)] != token) continue;
    const Recorded* i = scene.trace->find(t, "block0/mlstm/input_gate_pre");
    for (int head = 0; head < i->heads; ++head) sum += i->at(head, 0);
    seen += i->heads;
  }
  EXPECT_NEAR(number(finding, "most"), sum / seen, 1e-5);
  EXPECT_THAT(finding.sentence,
              HasSubstr("\"" + scene.model->vocabulary[static_cast<std::size_t>(token)] +
                        "\" opens the input gate widest"));
}

TEST(Findings, FloorsAreNamedFromHalfOfTheAnswersOn) {
  Snapshot scene = recall_scene();
  const auto used = [&](int head) {
    int count = 0;
    for (int t = 0; t < scene.trace->length(); ++t)
      count += std::abs(scene.trace->find(t, "block0/mlstm/s")->at(head, 0)) <
               scene.trace->find(t, "block0/mlstm/normalizer")->at(head, 0);
    return count;
  };
  const Finding finding = about(scene, "floor", 0);
  for (int head = 0; head < 3; ++head) {
    const std::string named = "head " + std::to_string(head) + " at " + std::to_string(used(head)) +
                              " of " + std::to_string(scene.trace->length()) + " steps";
    if (2 * used(head) >= scene.trace->length()) {
      EXPECT_THAT(finding.sentence, HasSubstr(named));
    } else {
      EXPECT_THAT(finding.sentence, Not(HasSubstr(named)));
    }
  }
  record(scene, "block0/mlstm/s", [](float, int) { return -1e9f; });
  EXPECT_THAT(about(scene, "floor", 0).sentence, HasSubstr("no head divides by the floor"));
  EXPECT_FALSE(about(scene, "floor", 0).evidence);
  // An sLSTM has none.
  EXPECT_EQ(about(scene, "floor", 1).sentence, "");
}

TEST(Findings, UnitsThatNeverOpenAreCounted) {
  Snapshot scene = recall_scene();
  record(scene, "block1/slstm/output_gate", [](float open, int unit) {
    return unit == 13 || unit == 22 ? 0.003f : std::max(open, 0.02f);
  });
  const Finding finding = about(scene, "saturation", 1);
  EXPECT_EQ(number(finding, "shut units"), 2.0);
  EXPECT_EQ(number(finding, "units"), 40.0);
  EXPECT_EQ(finding.evidence->head, 1);
  EXPECT_EQ(finding.evidence->unit, 3);
}

TEST(Findings, TheFillOfAMemoryIsItsParticipationRatio) {
  // diag(2, 1, 1): (4 + 1 + 1)² / (16 + 1 + 1) = 2; with a column of zeros, and turned around.
  const std::vector<float> wide = {2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
  const std::vector<float> tall = {2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
  EXPECT_NEAR(effective_rank(wide, 3, 4), 2.0, 1e-12);
  EXPECT_NEAR(effective_rank(tall, 4, 3), 2.0, 1e-12);
  EXPECT_NEAR(effective_rank({1, 2, 2, 4}, 2, 2), 1.0, 1e-12);
  EXPECT_EQ(effective_rank({0, 0, 0, 0}, 2, 2), 0.0);
  Snapshot scene = recall_scene();
  // The picture of a memory after the last token is that of the cursor.
  scene.trace = [&] {
    auto trace = std::make_shared<Trace>(*scene.trace);
    trace->steps.resize(static_cast<std::size_t>(scene.sequence.cursor) + 1);
    return trace;
  }();
  const MemoryImage& image = *scene.memory;
  std::vector<double> ranks;
  for (int head = 0; head < image.heads; ++head) {
    const auto size = static_cast<std::ptrdiff_t>(image.key_dim) * image.value_dim;
    ranks.push_back(
        effective_rank({image.C.begin() + head * size, image.C.begin() + (head + 1) * size},
                       image.key_dim, image.value_dim));
  }
  const Finding finding = about(scene, "fill", 0);
  EXPECT_NEAR(number(finding, "most"), *std::max_element(ranks.begin(), ranks.end()), 1e-4);
  EXPECT_NEAR(number(finding, "least"), *std::min_element(ranks.begin(), ranks.end()), 1e-4);
  EXPECT_EQ(number(finding, "of"), 12.0);
}

TEST(Findings, TheLastAnswerHangsOnTheLargestWeight) {
  Snapshot scene = recall_scene();
  // Turned away from, an answer hangs on the same write.
  for (const float sign : {1.0f, -1.0f}) {
    if (sign < 0.0f) record(scene, "block0/mlstm/q", [](float q, int) { return -q; });
    const int last = scene.trace->length() - 1;
    double largest = 0.0;
    int head_of = -1, written = -1;
    for (int head = 0; head < 3; ++head) {
      ImpliedAttention attention;
      attention.follow(scene.trace, scene.model->blocks[0], head, 0, last + 1);
      for (int s = 0; s <= last; ++s) {
        if (std::abs(attention.weight(last, s)) <= std::abs(largest)) continue;
        largest = attention.weight(last, s);
        head_of = head;
        written = s;
      }
    }
    EXPECT_GT(sign * largest, 0.0);
    const Finding finding = about(scene, "answer", 0);
    EXPECT_DOUBLE_EQ(number(finding, "weight"), largest);
    EXPECT_EQ(number(finding, "written at"), written);
    EXPECT_EQ(*finding.evidence, (Evidence{"block0/mlstm/input_gate", written, head_of, 0}));
    EXPECT_THAT(finding.sentence, HasSubstr("written at t = " + std::to_string(written)));
  }
}

/// Findings in words, with all of their numbers.
std::vector<std::string> written(const std::vector<Finding>& all) {
  std::vector<std::string> lines;
  for (const Finding& finding : all) {
    std::string line = finding.about + " " + std::to_string(finding.block) + finding.sentence;
    for (const auto& [name, value] : finding.numbers) line += name + std::to_string(value);
    if (finding.evidence) line += finding.evidence->path + std::to_string(finding.evidence->step);
    lines.push_back(line);
  }
  return lines;
}

TEST(Findings, PieceByPieceAreTheSame) {
  for (const Snapshot& scene : {recall_scene(), lstm_scene(), broken_scene(), tiny_scene()}) {
    FindingsInPieces pieces(scene.model, scene.trace, scene.sequence.tokens);
    int rounds = 0;
    double share = 0.0;
    for (; !pieces.complete(); ++rounds) {
      ASSERT_LT(rounds, 1000);
      pieces.go_on(1.0);
      EXPECT_GT(pieces.share(), share - 1e-12);
      share = pieces.share();
    }
    EXPECT_EQ(share, 1.0);
    EXPECT_EQ(written(pieces.found()), written(found(scene)));
    // A piece is one token of a block, or one head.
    EXPECT_GT(rounds, scene.trace->length());
  }
  FindingsInPieces none(nullptr, nullptr, {});
  EXPECT_TRUE(none.complete());
  EXPECT_TRUE(none.found().empty());
}

TEST(Findings, WorkIsDoneAsMuchAsIsAskedFor) {
  const Snapshot scene = recall_scene();
  const auto rounds = [&](double work) {
    FindingsInPieces pieces(scene.model, scene.trace, scene.sequence.tokens);
    int count = 0;
    for (; !pieces.complete(); ++count) pieces.go_on(work);
    return count;
  };
  EXPECT_EQ(rounds(1e12), 1);
  const int many = rounds(1e4), few = rounds(1e5);
  EXPECT_GT(few, 1);
  EXPECT_GT(many, 4 * few);
  EXPECT_LT(many, 100 * few);
}

TEST(Findings, TheLastAnswerIsTheLastThatIsAskedFor) {
  Snapshot scene = recall_scene();
  EXPECT_EQ(last_asked(scene.sequence), 15);
  scene.sequence.expected.assign(18, -1);
  EXPECT_EQ(last_asked(scene.sequence), -1);
  scene.sequence.expected[1] = 3;
  EXPECT_EQ(last_asked(scene.sequence), 0);
  // Before the first token nothing can be answered.
  scene.sequence.expected.assign(18, -1);
  scene.sequence.expected[0] = 3;
  EXPECT_EQ(last_asked(scene.sequence), -1);
  scene.sequence.expected.clear();
  EXPECT_EQ(last_asked(scene.sequence), -1);
}

TEST(Findings, WhatAHeadIsWorthIsASentence) {
  const Snapshot scene = recall_scene();
  const auto told = [&](int block, int head, double without, double loss) {
    return finding_of(*scene.model, {block, head, without}, loss);
  };
  const Finding costs = told(1, 2, 0.75, 0.5);
  EXPECT_EQ(costs.sentence,
            "Without head 2 of block 1 (sLSTM) the loss is 0.750 nats instead of 0.500: that "
            "costs 0.250.");
  EXPECT_EQ(costs.about, "ablation");
  EXPECT_EQ(costs.block, 1);
  EXPECT_EQ(number(costs, "loss"), 0.75);
  EXPECT_EQ(number(costs, "costs"), 0.25);
  EXPECT_EQ(*costs.evidence, (Evidence{"block1/slstm/output_gate_pre", 0, 2, 0}));
  EXPECT_THAT(told(0, -1, 0.25, 0.5).sentence,
              testing::AllOf(HasSubstr("all heads of block 0 (mLSTM)"), HasSubstr("gains 0.250.")));
  const double none = std::nan("");
  EXPECT_THAT(told(0, 0, none, 0.5).sentence, HasSubstr("is no number; as it is, it is 0.500."));
  EXPECT_THAT(told(0, 0, 0.5, none).sentence, HasSubstr("is 0.500; as it is, it is no number."));
}

TEST(Findings, OfNothingThereAreNone) {
  Snapshot scene = recall_scene();
  EXPECT_THAT(findings(*scene.model, nullptr, scene.sequence.tokens), IsEmpty());
  EXPECT_THAT(findings(*scene.model, std::make_shared<Trace>(), {}), IsEmpty());
  EXPECT_THAT(findings(*scene.model, scene.trace, {1, 2}), IsEmpty());
  // Numbers that are none make no sentences, and end nothing.
  for (const char* path : {"block0/mlstm/forget_gate_pre", "block0/mlstm/input_gate_pre",
                           "block0/mlstm/k", "block0/mlstm/s"})
    record(scene, path, [](float, int) { return std::numeric_limits<float>::quiet_NaN(); });
  for (const Finding& finding : found(scene))
    EXPECT_THAT(finding.sentence, Not(HasSubstr("nan"))) << finding.sentence;
  EXPECT_EQ(about(scene, "half-life", 0).sentence, "");
  EXPECT_EQ(about(scene, "fill", 0).sentence, "");
  for (const Snapshot& other : {broken_scene(), tiny_scene(), one_token_scene(), lstm_scene()})
    EXPECT_FALSE(found(other).empty());
}

}  // namespace
}  // namespace xlab::tests
