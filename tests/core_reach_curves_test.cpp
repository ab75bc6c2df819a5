// What a report on the reach of a gradient comes to.
#include "core/analysis/reach_curves.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace xlab::tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kNothing = -std::numeric_limits<double>::infinity();

/// Two heads over four tokens; head 1 keeps half of it from token to token.
ReachReport some_report() {
  ReachReport report;
  report.run_id = 3;
  report.train_step = 20;
  report.block = 1;
  report.head = 1;
  report.step = 3;
  report.tokens = {4, 5, 6, 7};
  report.heads = 2;
  report.target = 9;
  report.target_is = ReachTarget::next;
  const double half = std::log(0.5);
  report.memory = {kNothing, -1.0, 0.5, 2.0, 3 * half + 1, 2 * half + 1, half + 1, 1.0};
  report.variants = {CellVariant{}, CellVariant{}};
  return report;
}

Snapshot some_screen() {
  Snapshot snapshot;
  snapshot.run_id = 3;
  snapshot.train.step = 20;
  snapshot.sequence.tokens = {4, 5, 6, 7, 9};
  snapshot.sequence.cursor = 3;
  auto model = std::make_shared<ModelCard>();
  model->blocks.resize(2);
  snapshot.model = model;
  return snapshot;
}

TEST(ReachCurves, AreRelativeToTheLastStepInPowersOfTen) {
  const ReachReport report = some_report();
  EXPECT_EQ(reach_relative(report, report.memory, 1, 3), 0.0);
  EXPECT_NEAR(reach_relative(report, report.memory, 1, 0), 3 * std::log10(0.5), 1e-12);
  EXPECT_EQ(reach_relative(report, report.memory, 0, 0), kNothing);
  EXPECT_NEAR(reach_relative(report, report.memory, 0, 1), -3.0 / std::log(10.0), 1e-12);
  EXPECT_TRUE(std::isnan(reach_relative(report, report.memory, 1, 4)));
  EXPECT_TRUE(std::isnan(reach_relative(report, report.memory, 2, 0)));
  EXPECT_TRUE(std::isnan(reach_relative(report, {}, 0, 0)));
  EXPECT_EQ(reach_zeros(report, report.memory, 0), 1);
  EXPECT_EQ(reach_zeros(report, report.memory, 1), 0);
  // Nothing is relative to nothing.
  ReachReport none = report;
  none.memory[3] = kNothing;
  EXPECT_TRUE(std::isnan(reach_relative(none, none.memory, 0, 1)));
}

TEST(ReachCurves, HalfIsLeftAfterSoManyTokens) {
  ReachReport report = some_report();
  EXPECT_NEAR(half_reach(report, report.memory, 1), 1.0, 1e-9);
  // e^-1.5 is left after one token: half was left before.
  EXPECT_NEAR(half_reach(report, report.memory, 0), std::log(2.0) / 1.5, 1e-9);
  report.memory = {0.9, 0.9, 0.9, 1.0, kNothing, kNothing, 1.0, 1.0};
  EXPECT_EQ(half_reach(report, report.memory, 0), std::numeric_limits<double>::infinity());
  EXPECT_EQ(half_reach(report, report.memory, 1), 2.0);
  report.memory[2] = std::nan("");
  EXPECT_TRUE(std::isnan(half_reach(report, report.memory, 0)));
}

TEST(ReachCurves, SayWhatTheyAreOfWhereThatIsNotOnScreen) {
  const ReachReport report = some_report();
  const Snapshot screen = some_screen();
  EXPECT_THAT(reach_differences(report, screen, 1, 1), IsEmpty());
  EXPECT_THAT(reach_differences(report, screen, 0, 1), ElementsAre("block 1"));
  EXPECT_THAT(reach_differences(report, screen, 1, 0), ElementsAre("head 1"));
  const auto changed = [&](auto&& change) {
    Snapshot other = screen;
    change(other);
    return reach_differences(report, other, 1, 1);
  };
  EXPECT_THAT(changed([](Snapshot& s) { s.run_id = 4; }), ElementsAre("another run"));
  EXPECT_THAT(changed([](Snapshot& s) { s.sequence.cursor = 1; }), ElementsAre("step t = 3"));
  EXPECT_THAT(changed([](Snapshot& s) { s.sequence.cursor = 4; }), ElementsAre("step t = 3"));
  EXPECT_THAT(changed([](Snapshot& s) { s.sequence.tokens[2] = 1; }), ElementsAre("other tokens"));
  EXPECT_THAT(changed([](Snapshot& s) { s.sequence.tokens[4] = 1; }),
              ElementsAre("another target"));
  EXPECT_THAT(changed([](Snapshot& s) { s.sequence.tokens.resize(4); }),
              ElementsAre("another target"));
  EXPECT_THAT(changed([](Snapshot& s) {
                s.sequence.expected = {-1, -1, -1, -1, 2};
              }),
              ElementsAre("another target"));
  EXPECT_THAT(changed([](Snapshot& s) { s.train.step = 21; }),
              ElementsAre("the weights 1 training step ago"));
  EXPECT_THAT(changed([](Snapshot& s) { s.train.step = 19; }), ElementsAre("other weights"));
  const Clamp clamp{.path = "block0/mlstm/forget_gate_pre", .begin = 2, .end = 4};
  EXPECT_THAT(changed([&](Snapshot& s) { s.sequence.clamps = {clamp}; }),
              ElementsAre("other clamps"));
  // What is off, or comes later, holds nothing that counts.
  EXPECT_THAT(changed([&](Snapshot& s) {
                s.sequence.clamps = {clamp, clamp};
                s.sequence.clamps[0].enabled = false;
                s.sequence.clamps[1].begin = 4;
                s.sequence.clamps[1].end = 5;
              }),
              IsEmpty());
  EXPECT_THAT(changed([](Snapshot& s) {
                auto model = std::make_shared<ModelCard>(*s.model);
                model->blocks[0].variant.stabilizer = false;
                s.model = model;
              }),
              ElementsAre("other equations"));
  Snapshot trained = screen;
  trained.train.step = 70;
  EXPECT_THAT(reach_differences(report, trained, 1, 1, false), IsEmpty());
}

}  // namespace
}  // namespace xlab::tests
