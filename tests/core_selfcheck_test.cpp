// What a model says about itself, and that it would say so if it were wrong.
#include "core/selfcheck/selfcheck.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/run.hpp"
#include "core/selfcheck/verdict.hpp"
#include "small_models.hpp"

namespace xlab::tests {
namespace {

bool has(const std::vector<Check>& checks, const std::string& name) {
  return std::any_of(checks.begin(), checks.end(),
                     [&](const Check& row) { return row.name == name; });
}

TEST(Selfcheck, EveryModelAgreesWithItself) {
  for (const auto& [name, spec] : small_models()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Model model = filled_model(spec, dtype);
      const std::vector<Check> checks = selfcheck(model);
      EXPECT_EQ(has(checks, "Recurrent = chunkwise = parallel"),
                spec.mlstm.has_value() || spec.large.has_value())
          << name;
      for (const Check& row : checks) {
        EXPECT_TRUE(row.passed) << name << ", " << name_of(dtype) << ": " << row.name << ", "
                                << row.largest << " of " << row.limit << ". " << row.sentence;
        EXPECT_FALSE(row.sentence.empty());
      }
    }
  }
}

TEST(Selfcheck, DamageIsFoundByEveryComparison) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const std::vector<Check> sound = selfcheck(model);
  const std::vector<Check> damaged = selfcheck(model, {.damage = 1e-3});
  ASSERT_EQ(sound.size(), damaged.size());
  EXPECT_EQ(sound.size(), 8U);
  for (std::size_t row = 0; row < damaged.size(); ++row) {
    EXPECT_TRUE(sound[row].passed) << sound[row].name;
    EXPECT_FALSE(damaged[row].passed) << damaged[row].name;
    EXPECT_GT(damaged[row].largest, 1e-4) << damaged[row].name;
    EXPECT_NE(damaged[row].sentence.find("differ most in"), std::string::npos)
        << damaged[row].sentence;
  }
}

TEST(Selfcheck, LimitsAreNotWidenedUnnoticed) {
  // How far two ways may lie apart, relative to the largest number; 0: not in a single bit.
  const std::map<std::string, double> limits = {{"Recurrent = chunkwise = parallel", 1e-5},
                                                {"Gradients of the three forms", 1e-9},
                                                {"Stabilised = plain", 1e-9},
                                                {"Step by step = whole sequence", 1e-4},
                                                {"State saved and read back", 0.0},
                                                {"Weights saved and read back", 0.0},
                                                {"One thread = all threads", 0.0},
                                                {"Watched = unwatched", 0.0}};
  for (const ModelSpec& spec : {small_mixed(), small_large()}) {
    const Model model = filled_model(spec, DType::f32);
    const auto row_of = [&](const std::string& name, double damage) {
      for (const Check& row : selfcheck(model, {.damage = damage}))
        if (row.name == name) return row;
      ADD_FAILURE() << "no row " << name;
      return Check{};
    };
    for (const Check& row : selfcheck(model)) {
      ASSERT_TRUE(limits.contains(row.name)) << row.name;
      EXPECT_LE(row.limit, limits.at(row.name)) << row.name;
    }
    for (const auto& [name, limit] : limits) {
      EXPECT_FALSE(row_of(name, limit > 0.0 ? 2.0 * limit : 1e-12).passed) << name;
      EXPECT_TRUE(row_of(name, 0.1 * limit).passed) << name;
    }
  }
}

TEST(Selfcheck, NumbersThatAreNotFiniteAreNeitherAgreementNorFailure) {
  const Model model = filled_model(small_mixed(), DType::f32);
  model.params().values().span<float>()[3] = std::nanf("");
  std::vector<int> tokens(6, 0);
  const std::vector<Check> checks = selfcheck(model, {.tokens = tokens});
  ASSERT_EQ(checks.size(), 8U);
  for (const Check& row : checks) {
    EXPECT_NE(verdict(row), Verdict::failed) << row.name << ": " << row.sentence;
    // Bits are bits: what was saved comes back as it was, NaN or not.
    EXPECT_EQ(row.passed, row.limit == 0.0) << row.name << ": " << row.sentence;
    EXPECT_EQ(verdict(row) == Verdict::not_comparable, row.limit != 0.0) << row.name;
    EXPECT_EQ(std::isnan(row.largest), row.limit != 0.0) << row.name;
    EXPECT_NE(row.sentence.find("no finite number"), std::string::npos) << row.sentence;
  }
}

TEST(Selfcheck, FiniteByOneWayOnlyIsAFailure) {
  const Model model = filled_model(small_mixed(), DType::f32);
  for (const Check& row : selfcheck(model, {.damage = std::nan("")})) {
    // Raw exponentials may overflow where the stabilizer keeps them finite.
    if (row.name == "Stabilised = plain") {
      EXPECT_EQ(verdict(row), Verdict::not_comparable);
      continue;
    }
    EXPECT_EQ(verdict(row), Verdict::failed) << row.name;
    EXPECT_TRUE(std::isinf(row.largest)) << row.name;
    EXPECT_NE(row.sentence.find("by one way and not by the other"), std::string::npos)
        << row.sentence;
  }
}

TEST(Selfcheck, AStabilizerSwitchedOffIsNoFaultOfTheModel) {
  ModelSpec spec = small_mixed();
  spec.mlstm->variant.stabilizer = spec.slstm->variant.stabilizer = false;
  spec.mlstm->variant.forget_gate = spec.slstm->variant.forget_gate = ForgetGate::exponential;
  const Model model = filled_model(spec, DType::f32);
  // Large enough for raw exponentials to overflow.
  for (float& x : model.params().values().span<float>()) x *= 60.0f;
  const std::vector<Check> checks = selfcheck(model);
  int uncomparable = 0;
  for (const Check& row : checks) {
    EXPECT_NE(verdict(row), Verdict::failed)
        << row.name << ": " << row.largest << ", " << row.sentence;
    uncomparable += verdict(row) == Verdict::not_comparable ? 1 : 0;
  }
  EXPECT_GT(uncomparable, 0);
  EXPECT_EQ(why_not_finite(model.cards()),
            "the stabilizer of every block is switched off and a forget gate is exp(f)");
  std::vector<BlockCard> cards = model.cards();
  cards[0].variant = {};
  cards[1].variant.forget_gate = cards[2].variant.forget_gate = ForgetGate::sigmoid;
  EXPECT_EQ(why_not_finite(cards), "the stabilizer of block1/slstm and 1 more is switched off");
  cards[1].variant = cards[2].variant = {};
  EXPECT_EQ(why_not_finite(cards), "");
  cards[0].variant.input_gate = InputGate::sigmoid;
  EXPECT_EQ(why_not_finite(cards), "") << "two sigmoids cannot overflow";
  cards[0].variant.forget_gate = ForgetGate::exponential;
  EXPECT_EQ(why_not_finite(cards),
            "the forget gate of block0/mlstm is exp(f), without a stabilizer");
}

TEST(Selfcheck, TellsEveryRowAndStopsWhenAsked) {
  const Model model = filled_model(small_mixed(), DType::f32);
  std::atomic<bool> cancel = false;
  std::vector<std::string> names;
  EXPECT_THROW(selfcheck(model, {.done =
                                     [&](const Check& row) {
                                       names.push_back(row.name);
                                       cancel = true;
                                     },
                                 .cancel = &cancel}),
               Cancelled);
  EXPECT_GE(names.size(), 1U);
  EXPECT_LT(names.size(), 8U);
}

TEST(Selfcheck, RefusesTokensTheModelDoesNotKnow) {
  const Model model = filled_model(small_mlstm(), DType::f32);
  EXPECT_THROW(selfcheck(model, {.tokens = {1, 7}}), Error);
  EXPECT_THROW(selfcheck(model, {.tokens = {-1}}), Error);
  // A single token leaves nothing to carry.
  EXPECT_FALSE(has(selfcheck(model, {.tokens = {1}}), "State saved and read back"));
}

}  // namespace
}  // namespace xlab::tests
