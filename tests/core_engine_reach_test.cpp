// How far back a gradient reaches, asked of the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "core/analysis/reach_curves.hpp"
#include "core/files/hf_folder.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::HasSubstr;
using testing::IsEmpty;

class EngineReach : public EngineStage {
 protected:
  std::shared_ptr<const ReachReport> asked(int block, int head) {
    const auto before = engine_.snapshot()->reach;
    after(ComputeReach{block, head});
    wait_until([&](const Snapshot& s) { return !s.reach_running && s.reach && s.reach != before; });
    return engine_.snapshot()->reach;
  }
};

TEST_F(EngineReach, AnswersWithWhatIsOnScreen) {
  open_quick("recall");
  after(SetPrompt{"a 3 b 7 a ?"}, SetCursor{3});
  EXPECT_EQ(engine_.snapshot()->reach, nullptr);
  const auto first = asked(1, 1);
  ASSERT_EQ(first->failure, "");
  EXPECT_EQ(first->step, 3);
  EXPECT_EQ(first->tokens.size(), 4u);
  EXPECT_EQ(first->target_is, ReachTarget::next);
  EXPECT_EQ(first->target, engine_.snapshot()->sequence.tokens[4]);
  EXPECT_EQ(first->state, "c, n");
  EXPECT_EQ(first->computed_in, "float64");
  EXPECT_NEAR(first->loss, engine_.snapshot()->sequence.surprise[4], 1e-5);
  EXPECT_THAT(reach_differences(*first, *engine_.snapshot(), 1, 1), IsEmpty());
  EXPECT_TRUE(std::isfinite(reach_relative(*first, first->memory, 1, 0)));

  // Where an answer is asked for, that is the target; in the end there may be no other than the
  // likeliest.
  const auto answer = after(SetCursor{5});
  const auto second = asked(0, 0);
  EXPECT_EQ(second->target_is, ReachTarget::answer);
  EXPECT_EQ(second->target, answer->sequence.expected[6]);
  EXPECT_THAT(reach_differences(*second, *engine_.snapshot(), 0, 0), IsEmpty());
  const auto open_end = after(SetPrompt{"a 3 b"}, SetCursor{2});
  const auto third = asked(0, 0);
  EXPECT_EQ(third->target_is, ReachTarget::choice);
  EXPECT_EQ(third->target, open_end->sequence.top_choice[3]);
  EXPECT_THAT(reach_differences(*third, *engine_.snapshot(), 0, 0), IsEmpty());
}

TEST_F(EngineReach, IsOfTheWeightsAndClampsOfThatMoment) {
  open_quick("recall");
  after(SetPrompt{"a 3 b 7 a ?"}, SetCursor{4});
  const auto free = asked(0, 0);
  after(SetClamp{{.path = "block0/mlstm/forget_gate_pre", .head = 0, .end = 6, .value = -4.0f}});
  EXPECT_EQ(reach_differences(*free, *engine_.snapshot(), 0, 0).size(), 1u);
  const auto held = asked(0, 0);
  EXPECT_THAT(reach_differences(*held, *engine_.snapshot(), 0, 0), IsEmpty());
  EXPECT_NEAR(held->alone[0] - held->alone[4], -4.0 * std::log1p(std::exp(4.0)), 1e-6);
  EXPECT_NEAR(held->loss, engine_.snapshot()->sequence.surprise[5], 1e-5);
  EXPECT_EQ(after(TrainOneStep{})->train.step, 1);
  EXPECT_EQ(reach_differences(*held, *engine_.snapshot(), 0, 0).size(), 1u);
}

TEST_F(EngineReach, ChangesNothingElse) {
  open_quick("recall");
  const std::uint64_t before = signature();
  const auto looked = after(SetCursor{3}, ComputeReach{0, 0}, ComputeReach{1, 0});
  EXPECT_EQ(looked->undo_label, "");
  EXPECT_EQ(asked(0, 1)->failure, "");
  EXPECT_EQ(signature(), before);
  EXPECT_FALSE(engine_.snapshot()->unsaved);
}

TEST_F(EngineReach, OfAnotherRunNothingIsSaid) {
  open_quick("recall");
  ASSERT_EQ(asked(0, 0)->failure, "");
  EXPECT_EQ(open_quick("copy")->reach, nullptr);
  // Nor of one that was being computed.
  const auto next = after(ComputeReach{0, 0}, NewRun{"recall", quick_spec()});
  EXPECT_EQ(next->reach, nullptr);
  EXPECT_FALSE(next->reach_running);
  after(ComputeReach{0, 0});
}

TEST_F(EngineReach, WithoutARunThereIsNone) {
  EXPECT_THAT(after(ComputeReach{})->failure.what, HasSubstr("no run"));
}

TEST_F(EngineReach, SaysWhyThereIsNone) {
  open_quick("recall");
  EXPECT_THAT(asked(7, 0)->failure, HasSubstr("no block 7"));
  EXPECT_THAT(asked(0, 7)->failure, HasSubstr("no head 7"));
  CellVariant half = engine_.snapshot()->model->blocks[0].variant;
  half.number_format = NumberFormat::bf16;
  after(SetVariant{"mlstm", half});
  EXPECT_THAT(asked(0, 0)->failure, HasSubstr("rounding to it has no gradient"));
  const TemporaryFolder folder;
  ModelSpec spec = small_large();
  spec.vocab_size = 70;
  spec.embedding_dim = 128;
  spec.large->ffn_round_up_to_multiple_of = 64;
  write_model_folder(filled_model(spec, DType::f32), folder.path());
  after(OpenFolder{.path = folder.path().string(), .bits = 4}, SetPrompt{"3 1 4 1 5"});
  EXPECT_THAT(asked(0, 0)->failure, HasSubstr("only read"));
}

}  // namespace
}  // namespace xlab::tests
