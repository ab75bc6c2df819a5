// The training of a run, one step after the other.
#include "core/training/train_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <utility>

#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::unique_ptr<xlab::Run> small_run() {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = make_task("recall")->default_training();
  spec.train->batch_size = 2;
  spec.train->sequence_length = 16;
  return make_run(make_task("recall"), spec);
}

class TrainLoops : public testing::Test {
 protected:
  /// Trains a step that gives no numbers, and leaves the weights as they were.
  void bad_step() {
    float& weight = run_->model->params().values().data<float>()[0];
    const float before = std::exchange(weight, std::numeric_limits<float>::quiet_NaN());
    EXPECT_FALSE(loop_.step(*run_).finite);
    run_->model->params().values().data<float>()[0] = before;
  }
  void good_step() { EXPECT_TRUE(loop_.step(*run_).finite); }

  std::unique_ptr<xlab::Run> run_ = small_run();
  TrainLoop loop_;
};

TEST_F(TrainLoops, StopAfterThreeBadStepsInARow) {
  for (int i = 0; i < 3; ++i) {
    bad_step();
    EXPECT_FALSE(loop_.too_many_bad());
    bad_step();
    EXPECT_FALSE(loop_.too_many_bad());
    EXPECT_EQ(loop_.any_good(), i > 0);
    good_step();
    EXPECT_FALSE(loop_.too_many_bad());
    EXPECT_TRUE(loop_.any_good());
  }
  bad_step();
  bad_step();
  bad_step();
  EXPECT_TRUE(loop_.too_many_bad());
  EXPECT_EQ(loop_.bad_steps_text(),
            "three steps in a row, 10 to 12, gave numbers that are not finite");
  EXPECT_THAT(why_steps_are_bad(*run_), HasSubstr("although the weights are: the largest is "));
  bad_step();
  EXPECT_FALSE(loop_.too_many_bad()) << "counting begins again";
  // Another run has no bad steps yet.
  bad_step();
  loop_.begin();
  EXPECT_FALSE(loop_.any_good());
  bad_step();
  EXPECT_FALSE(loop_.too_many_bad());
}

TEST_F(TrainLoops, AreTheRunsOwnStepsWithTheirSpeed) {
  const auto same = small_run();
  for (int i = 0; i < 3; ++i) {
    const StepResult& step = loop_.step(*run_);
    const StepResult expected = same->train_step();
    EXPECT_EQ(step.loss, expected.loss);
    EXPECT_EQ(step.step, i);
    EXPECT_EQ(&step, &loop_.last());
    EXPECT_GT(loop_.tokens_per_second(), 0.0);
  }
  EXPECT_EQ(run_->model->params().signature(), same->model->params().signature());
  loop_.begin(loop_.last());
  EXPECT_EQ(loop_.tokens_per_second(), 0.0) << "nothing is known of the next run's speed";
  EXPECT_EQ(loop_.last().step, 2) << "what its last step did is";
}

TEST_F(TrainLoops, EndWhereTheyWereTold) {
  EXPECT_FALSE(loop_.reached_end(*run_)) << "without an end they go on";
  loop_.last_step = 2;
  good_step();
  EXPECT_FALSE(loop_.reached_end(*run_));
  good_step();
  EXPECT_TRUE(loop_.reached_end(*run_));
  loop_.last_step = 0;
  loop_.seconds = 1e-9;
  EXPECT_TRUE(loop_.reached_end(*run_));
  loop_.seconds = 1e9;
  EXPECT_FALSE(loop_.reached_end(*run_));
}

TEST_F(TrainLoops, RecordsShareTheNumbersOfARunOnTheCpu) {
  good_step();
  const auto [record, own_numbers] = loop_.record(*run_);
  EXPECT_FALSE(own_numbers);
  EXPECT_EQ(record.values.raw(), run_->model->params().values().raw());
  EXPECT_EQ(record.losses.size(), 1u);
}

TEST_F(TrainLoops, SayWhichWeightsAreNoNumbers) {
  run_->model->params().values().data<float>()[0] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(why_steps_are_bad(*run_),
              AllOf(HasSubstr("because the weights are not ("), HasSubstr("token_embedding")));
}

}  // namespace
}  // namespace xlab::tests
