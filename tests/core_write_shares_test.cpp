// What a memory is made of: the parts of its tokens add up to what models of every kind recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/activity.hpp"
#include "core/analysis/forgetting.hpp"
#include "core/analysis/write_shares.hpp"
#include "core/generation/sequence.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

/// The recordings of a block, kept together with the trace they are of.
struct BlockSteps {
  BlockSteps(std::shared_ptr<const Trace> of, const BlockCard& block, const WritingCell& cell)
      : trace(std::move(of)) {
    const std::string names[] = {cell.kept,    cell.weight, cell.value, cell.state,
                                 cell.divisor, cell.key,    cell.query, cell.answer};
    for (std::size_t i = 0; i < std::size(names); ++i)
      for (int t = 0; t < trace->length(); ++t)
        if (!names[i].empty()) steps[i].push_back(trace->find(t, block.path(names[i])));
  }
  WriteRecordings all() const {
    return {steps[0], steps[1], steps[2], steps[3], steps[4], steps[5], steps[6], steps[7]};
  }

  std::shared_ptr<const Trace> trace;
  std::vector<const Recorded*> steps[8];
};

std::shared_ptr<const Trace> run_through(const Model& model, int tokens,
                                         std::vector<Clamp> clamps = {}) {
  Sequence sequence(model);
  sequence.set_tokens(some_tokens(tokens, model.spec().vocab_size, 3));
  sequence.set_clamps(std::move(clamps));
  sequence.compute_all();
  return sequence.trace();
}

/// A clamp of each gate of a block, at other steps, units and heads.
std::vector<Clamp> some_clamps(const BlockCard& block) {
  const int head = block.heads - 1;
  const int unit = block.has_matrix ? 0 : block.value_dim - 1;
  return {{block.path("input_gate_pre"), head, unit, 3, 4, 4.0f},
          {block.path("forget_gate_pre"), head, unit, 6, 8, -3.0f},
          {block.path("input_gate_pre"), 0, 0, 0, 1, -5.0f}};
}

class WriteShares : public testing::TestWithParam<std::size_t> {
 protected:
  static ModelSpec spec() { return small_models()[GetParam()].second; }
};

void check_unit(const WritingCell& cell, const WriteBudget& budget, const BlockSteps& steps,
                int head, int unit) {
  double sum = 0.0, total = 0.0;
  for (std::size_t i = 0; i < budget.weights.size(); ++i) {
    const int s = budget.first + static_cast<int>(i);
    EXPECT_GE(budget.weights[i], 0.0);
    sum += budget.share(s, cell);
    total += budget.factors[i] * budget.values[i];
    EXPECT_EQ(budget.values[i],
              static_cast<double>(steps.steps[2][static_cast<std::size_t>(s)]->at(head, unit)));
  }
  // To a millionth of what is there: a normalizer without stabilizer may be large.
  EXPECT_NEAR(sum, 1.0, 1e-6);
  EXPECT_NEAR(budget.share_sum(cell), 1.0, 1e-6);
  EXPECT_NEAR(total, budget.recorded, 2e-6 * std::max(1.0, std::abs(budget.recorded)));
  EXPECT_NEAR(budget.total, total, 1e-12 * std::max(1.0, std::abs(total)));
  EXPECT_NEAR(budget.difference, std::abs(budget.total - budget.recorded), 1e-15);
  const auto at = static_cast<std::size_t>(budget.step);
  const double c = steps.steps[3][at]->at(head, unit);
  EXPECT_EQ(budget.recorded,
            cell.divisor.empty() ? c : c / static_cast<double>(steps.steps[4][at]->at(head, unit)));
}

void check_head(const WriteBudget& budget, const BlockSteps& steps, int head, int channel) {
  const auto at = static_cast<std::size_t>(budget.step);
  double sum = 0.0;
  for (std::size_t i = 0; i < budget.parts.size(); ++i) sum += budget.parts[i];
  double largest = 1.0;
  for (int c = 0; c < steps.steps[7][at]->dim; ++c)
    largest = std::max(largest, std::abs(static_cast<double>(steps.steps[7][at]->at(head, c))));
  EXPECT_NEAR(sum, static_cast<double>(steps.steps[7][at]->at(head, channel)), 5e-6 * largest);
  EXPECT_LT(budget.difference, 5e-6 * largest);
  EXPECT_EQ(budget.recorded, static_cast<double>(steps.steps[7][at]->at(head, channel)));
}

TEST_P(WriteShares, AddUpToWhatTheModelRecorded) {
  const Model model = filled_model(spec(), DType::f32);
  for (const BlockCard& block : model.cards()) {
    const auto cell = writing_cell(block);
    ASSERT_TRUE(cell) << block.prefix;
    EXPECT_EQ(cell->matrix(), block.has_matrix);
    const double eps = block.variant.added();
    for (const bool held : {false, true}) {
      const BlockSteps steps(
          run_through(model, 11, held ? some_clamps(block) : std::vector<Clamp>{}), block, *cell);
      for (const int step : {0, 1, 6, 10}) {
        for (int head = 0; head < block.heads; ++head) {
          for (int unit = 0; unit < block.value_dim; ++unit) {
            SCOPED_TRACE(block.prefix + ", t = " + std::to_string(step) + ", head " +
                         std::to_string(head) + ", unit " + std::to_string(unit));
            const auto budget = block.has_matrix
                                    ? head_budget(*cell, steps.all(), eps, step, head, unit)
                                    : unit_budget(*cell, steps.all(), step, head, unit);
            ASSERT_TRUE(budget);
            ASSERT_EQ(budget->weights.size(), static_cast<std::size_t>(step) + 1);
            if (block.has_matrix) {
              check_head(*budget, steps, head, unit);
            } else {
              check_unit(*cell, *budget, steps, head, unit);
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, WriteShares, testing::Range<std::size_t>(0, small_models().size()),
                         [](const auto& one) { return small_models()[one.param].first; });

struct BlockOfScene {
  explicit BlockOfScene(const Snapshot& s, std::size_t number)
      : block(s.model->blocks[number]), cell(*writing_cell(block)), steps(s.trace, block, cell) {}
  const BlockCard& block;
  WritingCell cell;
  BlockSteps steps;
};

TEST(WriteBudgets, AreWrittenOutByHand) {
  // Two tokens kept by a half and a quarter, as gates and as products.
  const std::vector<double> kept{0.9, 0.5, 0.25}, weight{0.8, 0.4, 0.2};
  EXPECT_EQ(write_weights(kept, weight, 0, 2),
            (std::vector<double>{0.8 * (0.25 * 0.5), 0.4 * 0.25, 0.2}));
  EXPECT_EQ(write_weights(kept, weight, 1, 2), (std::vector<double>{0.4 * 0.25, 0.2}));
  const std::vector<double> sums = weight_sums(kept, weight, 0);
  EXPECT_DOUBLE_EQ(sums[0], 0.8);
  EXPECT_DOUBLE_EQ(sums[2], 0.8 * 0.125 + 0.4 * 0.25 + 0.2);
  EXPECT_EQ(weight_sums(kept, weight, 1)[0], 0.0);
  EXPECT_EQ(weight_sums(kept, weight, 1)[1], 0.4);
}

TEST(WriteBudgets, OfAnLstmAreWeightsAndNoShares) {
  const Snapshot s = lstm_scene();
  const BlockOfScene of(s, 1);
  EXPECT_FALSE(of.cell.shares());
  EXPECT_TRUE(of.cell.divisor.empty());
  const auto budget = unit_budget(of.cell, of.steps.all(), 9, 2, 3);
  ASSERT_TRUE(budget);
  EXPECT_EQ(budget->divisor, 1.0);
  EXPECT_GT(std::abs(budget->weight_sum - 1.0), 1e-3) << "nothing makes them sum to 1";
  EXPECT_NEAR(budget->total, static_cast<double>(s.trace->find(9, of.block.path("c"))->at(2, 3)),
              1e-6);
}

TEST(WriteBudgets, AsLengthsAreSignedAsTheReadOutIs) {
  const Snapshot s = recall_scene();
  const BlockOfScene of(s, 0);
  const auto lengths = head_budget(of.cell, of.steps.all(), 1e-6, 15, 1, -1);
  const auto channel = head_budget(of.cell, of.steps.all(), 1e-6, 15, 1, 4);
  ASSERT_TRUE(lengths && channel);
  EXPECT_EQ(lengths->factors, channel->factors);
  EXPECT_EQ(lengths->difference, channel->difference) << "over all channels, whichever is shown";
  int negative = 0;
  for (std::size_t i = 0; i < lengths->parts.size(); ++i) {
    double squares = 0.0;
    for (int c = 0; c < of.block.value_dim; ++c) {
      const double v = of.steps.steps[2][i]->at(1, c);
      squares += v * v;
    }
    EXPECT_NEAR(lengths->parts[i], lengths->factors[i] * std::sqrt(squares), 1e-12);
    negative += lengths->parts[i] < 0.0 ? 1 : 0;
  }
  EXPECT_GT(negative, 0);
  double h = 0.0;
  for (int c = 0; c < of.block.value_dim; ++c) {
    const double x = s.trace->find(15, of.block.path("h"))->at(1, c);
    h += x * x;
  }
  EXPECT_NEAR(lengths->recorded, std::sqrt(h), 1e-12);
  EXPECT_NEAR(lengths->total, lengths->recorded, 1e-6);
  // The eps that is added to N counts.
  const auto other = head_budget(of.cell, of.steps.all(), 0.5, 15, 1, 4);
  ASSERT_TRUE(other);
  EXPECT_GT(other->difference, 1e-3);
}

TEST(WriteBudgets, KnowWhereRecordingsBegin) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  trace->steps[4] = nullptr;
  s.trace = trace;
  const BlockOfScene of(s, 1);
  const auto budget = unit_budget(of.cell, of.steps.all(), 12, 0, 2);
  ASSERT_TRUE(budget);
  EXPECT_EQ(budget->first, 5);
  EXPECT_EQ(budget->last(), 12);
  EXPECT_EQ(budget->weights.size(), 8u);
  EXPECT_LT(budget->share_sum(of.cell), 1.0 - 1e-4) << "what is missing is not made up";
  EXPECT_TRUE(std::isnan(budget->share(4, of.cell)));
  EXPECT_FALSE(unit_budget(of.cell, of.steps.all(), 4, 0, 2));
  EXPECT_FALSE(unit_budget(of.cell, of.steps.all(), 99, 0, 2));
}

TEST(WriteBudgets, AreNoneForACellThatIsDescribedOtherwise) {
  BlockCard block = recall_scene().model->blocks[1];
  EXPECT_TRUE(writing_cell(block));
  auto values = std::make_shared<CellValues>(*block.values);
  for (ValueCard& card : values->cards)
    if (card.name == "c") card.inputs = {"forget_gate", "c@-1", "cell_input"};
  block.values = values;
  EXPECT_FALSE(writing_cell(block)) << "its write has no weight of its own";
  values = std::make_shared<CellValues>(*recall_scene().model->blocks[1].values);
  for (ValueCard& card : values->cards)
    if (card.name == "n") card.inputs = {"forget_gate", "n@-1", "output_gate"};
  block.values = values;
  EXPECT_FALSE(writing_cell(block)) << "it is divided by something else than its weights";
  EXPECT_FALSE(writing_cell(BlockCard{}));
}

TEST(WriteBudgets, StandAlongABarAsLongAsTheyAre) {
  const std::vector<double> kept{1.0, 0.5, 0.5}, weight{0.8, 0.4, 0.4};
  const std::vector<double> sums = weight_sums(kept, weight, 0);  // 0.2 + 0.2 + 0.4 = 0.8
  EXPECT_EQ(tokens_along(kept, weight, 0, 2, sums[2], 0.8, 4), (std::vector<int>{0, 1, 2, 2}));
  EXPECT_EQ(tokens_along(kept, weight, 0, 0, sums[0], 0.8, 3), (std::vector<int>{0, 0, 0}));
  // Of a whole that is more than all of them, the oldest part is nobody's.
  EXPECT_EQ(tokens_along(kept, weight, 0, 2, sums[2], 1.0, 5),
            (std::vector<int>{kNoToken, 0, 1, 2, 2}));
  EXPECT_EQ(tokens_along(kept, weight, 0, 2, std::nan(""), 0.8, 2),
            (std::vector<int>{kNoNumber, kNoNumber}));
  EXPECT_EQ(tokens_along(kept, weight, 0, 2, sums[2], 0.0, 1), (std::vector<int>{kNoNumber}));
  const TokenBand band = token_band(kept, weight, sums, sums, 1, 2);
  ASSERT_EQ(band.begin.size(), 2u);
  EXPECT_DOUBLE_EQ(band.begin[0], 0.5);
  EXPECT_DOUBLE_EQ(band.end[0], 1.0);
  EXPECT_DOUBLE_EQ(band.begin[1], 0.25);
  EXPECT_DOUBLE_EQ(band.end[1], 0.5);
}

TEST(WriteBudgets, BandsAreThePlacesOfTheBar) {
  const Snapshot s = recall_scene();
  const BlockOfScene of(s, 1);
  const std::vector<double> kept = numbers_of(of.steps.steps[0], 1, 3);
  const std::vector<double> weight = numbers_of(of.steps.steps[1], 1, 3);
  const std::vector<double> n = numbers_of(of.steps.steps[4], 1, 3);
  const std::vector<double> sums = weight_sums(kept, weight, 0);
  constexpr int kPlaces = 997;
  for (const int token : {0, 3, 11}) {
    const TokenBand band = token_band(kept, weight, sums, n, token, 16);
    for (int t = token; t <= 16; ++t) {
      const auto i = static_cast<std::size_t>(t - token);
      const auto places = tokens_along(kept, weight, 0, t, sums[static_cast<std::size_t>(t)],
                                       n[static_cast<std::size_t>(t)], kPlaces);
      const auto count = std::count(places.begin(), places.end(), token);
      EXPECT_NEAR(static_cast<double>(count) / kPlaces, band.end[i] - band.begin[i], 1.5 / kPlaces);
      EXPECT_NEAR(unit_budget(of.cell, of.steps.all(), t, 1, 3)->share(token, of.cell),
                  band.end[i] - band.begin[i], 1e-9);
    }
  }
}

TEST(Forgetting, MeansAreOfRepeatedForgetting) {
  const Snapshot s = recall_scene();
  for (const BlockCard& block : s.model->blocks) {
    std::vector<double> logs;
    for (const auto& step : s.trace->steps)
      add_log_shares(*step->find(block.path("forget_gate_pre")), block.variant.forget_gate, logs);
    const int dim = s.trace->find(0, block.path("forget_gate_pre"))->dim;
    ASSERT_EQ(logs.size(), static_cast<std::size_t>(block.heads * dim));
    double product = 1.0;
    for (int t = 0; t < 17; ++t) product *= share_kept(*s.trace, block, t, 1, dim - 1);
    const double mean = mean_half_life(logs[static_cast<std::size_t>(2 * dim - 1)], 17);
    EXPECT_NEAR(mean, half_life(std::pow(product, 1.0 / 17)), 1e-9 * mean);
    const std::vector<double> now = half_lives(*s.trace, block, 3);
    ASSERT_EQ(now.size(), logs.size());
    EXPECT_EQ(now[static_cast<std::size_t>(dim)], half_life(share_kept(*s.trace, block, 3, 1, 0)));
    EXPECT_TRUE(half_lives(*s.trace, block, 99).empty());
  }
  std::vector<double> logs;
  add_log_shares({1, 2, {-800.0f, 2.0f}}, ForgetGate::sigmoid, logs);
  EXPECT_DOUBLE_EQ(logs[0], -800.0) << "no exponential overflows";
  add_log_shares({1, 2, {1.0f, 2.0f}}, ForgetGate::exponential, logs);
  EXPECT_DOUBLE_EQ(logs[0], -799.0);
}

TEST(Forgetting, ManyHalfLivesInThree) {
  const double inf = std::numeric_limits<double>::infinity();
  const double numbers[] = {5.0, std::nan(""), 1.0, inf, 3.0};
  const Spread four = spread_of(numbers);
  EXPECT_EQ(four.count, 4);
  EXPECT_EQ(four.unknown, 1);
  EXPECT_EQ(four.low, 1.0);
  EXPECT_EQ(four.median, 4.0) << "the mean of the two in the middle";
  EXPECT_EQ(median_of({4.0, 1.0, inf, inf}), inf);
  EXPECT_EQ(median_of({3.0, 9.0, 1.0}), 3.0);
  EXPECT_EQ(four.high, inf);
  EXPECT_EQ(spread_of(std::vector<double>{7.0}).median, 7.0);
  EXPECT_TRUE(std::isnan(spread_of({}).median));
}

TEST(Activity, IsTheLengthsThatWereRecorded) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const auto trace = run_through(model, 5);
  ModelCard card;
  card.blocks = model.cards();
  const Recorded& lengths = *trace->find(4, kResidualNorm);
  for (int b = 0; b < 3; ++b) {
    const BlockActivity activity = block_activity(*trace, card, b, 4);
    EXPECT_EQ(activity.before, static_cast<double>(lengths.at(0, b)));
    EXPECT_EQ(activity.after, static_cast<double>(lengths.at(0, b + 1)));
    EXPECT_EQ(activity.change(), activity.after - activity.before);
    const BlockCard& block = card.blocks[static_cast<std::size_t>(b)];
    ASSERT_TRUE(read_out_of(block));
    EXPECT_EQ(read_out_of(block)->name, "h");
    double squares = 0.0;
    for (const float x : trace->find(4, block.path("h"))->values)
      squares += static_cast<double>(x) * static_cast<double>(x);
    EXPECT_DOUBLE_EQ(activity.read_out, std::sqrt(squares));
  }
  EXPECT_TRUE(std::isnan(block_activity(*trace, card, 1, 9).after));
  EXPECT_TRUE(std::isnan(block_activity(*trace, card, 7, 4).before));
  card.blocks.pop_back();
  EXPECT_TRUE(std::isnan(block_activity(*trace, card, 1, 4).after)) << "lengths of another model";
}

TEST(Activity, FeedForwardLayersAreOnTheCards) {
  const std::vector<BlockCard> blocks = filled_model(small_mixed(), DType::f32).cards();
  EXPECT_EQ(blocks[0].feedforward_width, 0);
  EXPECT_EQ(blocks[1].feedforward_width, 16) << "1.3 of 8, rounded up to eights";
  const std::vector<BlockCard> large = filled_model(small_large(), DType::f32).cards();
  EXPECT_EQ(large[1].feedforward_width, 24);
}

}  // namespace
}  // namespace xlab::tests
