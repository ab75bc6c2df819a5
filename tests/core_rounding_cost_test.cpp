// What rounding weights costs: divergences against ones computed apart, and the model afterwards.
#include "core/selfcheck/rounding_cost.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/generation/recorded_step.hpp"
#include "core/generation/stepper.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;

class RoundingCosts : public testing::Test {
 protected:
  RoundingCosts() {
    spec_ = small_large();
    spec_.vocab_size = 70;
    spec_.embedding_dim = 128;
    spec_.large->ffn_round_up_to_multiple_of = 64;
    write_model_folder(filled_model(spec_, DType::f32), temporary_.path());
    tokens_ = some_tokens(20, spec_.vocab_size);
  }
  std::unique_ptr<Model> read(FolderUse use) const {
    return ModelFolder(temporary_.path()).read(use);
  }
  std::vector<float> logits(const Model& model) const {
    return Stepper(model).feed_for_all(tokens_);
  }
  /// Mean and largest KL, and the share of equal first choices, straight from the definition.
  RoundingCost wanted(const std::vector<float>& before, const std::vector<float>& after) const {
    const auto width = static_cast<std::size_t>(spec_.vocab_size);
    RoundingCost cost;
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      std::vector<double> p(width), q(width);
      double p_sum = 0.0, q_sum = 0.0;
      for (std::size_t j = 0; j < width; ++j) {
        p_sum += p[j] = std::exp(static_cast<double>(before[t * width + j]));
        q_sum += q[j] = std::exp(static_cast<double>(after[t * width + j]));
      }
      double kl = 0.0;
      std::size_t p_first = 0, q_first = 0;
      for (std::size_t j = 0; j < width; ++j) {
        kl += p[j] / p_sum * std::log(p[j] / p_sum / (q[j] / q_sum));
        if (p[j] > p[p_first]) p_first = j;
        if (q[j] > q[q_first]) q_first = j;
      }
      cost.divergence += kl / static_cast<double>(tokens_.size());
      cost.largest = std::max(cost.largest, kl);
      cost.same_first += (p_first == q_first ? 1.0 : 0.0) / static_cast<double>(tokens_.size());
    }
    return cost;
  }
  static void expect_equal(const RoundingCost& seen, const RoundingCost& wanted) {
    EXPECT_NEAR(seen.divergence, wanted.divergence, 1e-4 * wanted.divergence + 1e-9);
    EXPECT_NEAR(seen.largest, wanted.largest, 1e-4 * wanted.largest + 1e-9);
    EXPECT_NEAR(seen.same_first, wanted.same_first, 1e-9);
  }

  TemporaryFolder temporary_;
  ModelSpec spec_;
  std::vector<int> tokens_;
};

TEST_F(RoundingCosts, AreTheDivergencesOfTheModelWithThatRounded) {
  for (const FolderUse use : {FolderUse::read_8bit, FolderUse::read_4bit}) {
    SCOPED_TRACE(name_of_blocks(use));
    const auto model = read(FolderUse::read);
    const std::vector<float> before = logits(*model);
    std::vector<std::string> told;
    const std::vector<RoundingCost> costs = round_and_compare(
        *model, use, tokens_, [&](const RoundingCost& cost) { told.push_back(cost.rounded); });
    EXPECT_EQ(told, (std::vector<std::string>{"embedding and head", "block 0", "block 1", "all"}));
    ASSERT_EQ(costs.size(), 4u);

    const auto rounded = read(use);
    double bytes = 0.0;
    for (std::size_t c = 0; c < 3; ++c) {
      SCOPED_TRACE(costs[c].rounded);
      // A model with only these weights rounded.
      const auto part = read(FolderUse::read);
      for (std::size_t p = 0; p < part->params().infos().size(); ++p) {
        const std::string& name = part->params().infos()[p].name;
        const bool of_block = name.find("blocks.") != name.npos,
                   here = c == 0 ? !of_block
                                 : name.find(fmt::format("blocks.{}.", c - 1)) != name.npos;
        const int index = static_cast<int>(p);
        if (here)
          part->params()[index].value.copy_from(rounded->params()[index].value.to(DType::f32));
      }
      expect_equal(costs[c], wanted(before, logits(*part)));
      EXPECT_GT(costs[c].divergence, 0.0);
      EXPECT_LT(costs[c].bytes_rounded, 0.3 * costs[c].bytes_before);
      bytes += costs[c].bytes_rounded;
    }
    expect_equal(costs[3], wanted(before, logits(*rounded)));
    EXPECT_EQ(costs[3].bytes_rounded, bytes);
    EXPECT_EQ(model->params().signature(), rounded->params().signature())
        << "afterwards all is rounded";
  }
}

TEST_F(RoundingCosts, FewerBitsCostMore) {
  const auto eight = read(FolderUse::read), four = read(FolderUse::read);
  EXPECT_LT(100.0 * round_and_compare(*eight, FolderUse::read_8bit, tokens_).back().divergence,
            round_and_compare(*four, FolderUse::read_4bit, tokens_).back().divergence);
}

TEST_F(RoundingCosts, BrokenNumbersAreNoSmallCost) {
  const auto model = read(FolderUse::read);
  const Params& params = model->params();
  params[params.find("backbone.blocks.0.mlstm_layer.igate_preact.weight")].value.data<float>()[0] =
      std::numeric_limits<float>::quiet_NaN();
  for (const RoundingCost& cost : round_and_compare(*model, FolderUse::read_8bit, tokens_)) {
    EXPECT_TRUE(std::isnan(cost.divergence)) << cost.rounded;
    EXPECT_TRUE(std::isnan(cost.largest)) << cost.rounded;
  }
}

TEST_F(RoundingCosts, RefusalsSayWhatIsMissing) {
  const auto model = read(FolderUse::read);
  EXPECT_THAT(complaint([&] { round_and_compare(*model, FolderUse::read_8bit, {}); }),
              HasSubstr("no token"));
  EXPECT_THAT(complaint([&] { round_and_compare(*model, FolderUse::read_halves, tokens_); }),
              HasSubstr("nothing to compare"));
  EXPECT_THAT(
      complaint([&] { round_and_compare(*model, FolderUse::read_8bit, std::vector<int>{70}); }),
      HasSubstr("70"));
  const auto trained = read(FolderUse::train);
  EXPECT_THAT(complaint([&] { round_and_compare(*trained, FolderUse::read_8bit, tokens_); }),
              HasSubstr("only read"));
  std::atomic<bool> cancel = true;
  EXPECT_THROW(round_and_compare(*model, FolderUse::read_8bit, tokens_, {}, &cancel), Cancelled);
}

}  // namespace
}  // namespace xlab::tests
