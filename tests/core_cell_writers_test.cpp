// What a cell of a matrix memory is made of, against the memory itself.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <memory>

#include "core/analysis/cell_writers.hpp"
#include "core/generation/sequence.hpp"
#include "core/model.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

TEST(CellWriters, AddUpToTheMemoryThatTheModelCarries) {
  int compared = 0;
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const Model model = filled_model(spec, DType::f32);
    Sequence sequence(model);
    sequence.set_tokens(some_tokens(13, spec.vocab_size));
    sequence.compute_all();
    const BlockCard block = model.cards()[0];
    if (!block.has_matrix) continue;
    const Tensor C = sequence.state_after(9, 0).get("C").to(DType::f32);
    for (int head = 0; head < block.heads; ++head) {
      for (int key = 0; key < block.key_dim; ++key) {
        const int value = (3 * key + head) % block.value_dim;
        const CellWriters writers = cell_writers(*sequence.trace(), block, 9, head, key, value, 4);
        EXPECT_EQ(writers.count, 10);
        ASSERT_EQ(writers.largest.size(), 4u);
        double sum = writers.rest;
        for (std::size_t w = 0; w < writers.largest.size(); ++w) {
          sum += writers.largest[w].amount;
          if (w == 0) continue;
          EXPECT_GE(std::abs(writers.largest[w - 1].amount), std::abs(writers.largest[w].amount));
        }
        const float stored =
            C.data<float>()[(head * block.key_dim + key) * block.value_dim + value];
        EXPECT_NEAR(sum, stored, 1e-6 + 3e-6 * std::abs(stored));
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 50);
}

TEST(CellWriters, NameTheStepThatWrote) {
  const Snapshot scene = recall_scene();
  const BlockCard& block = scene.model->blocks[0];
  const CellWriters all = cell_writers(*scene.trace, block, 6, 1, 3, 2, 100);
  ASSERT_EQ(all.largest.size(), 7u);
  EXPECT_EQ(all.rest, 0.0);
  for (const CellWriter& one : all.largest) {
    double left = 1.0;
    for (int t = one.step + 1; t <= 6; ++t)
      left *= scene.trace->find(t, "block0/mlstm/forget_gate")->at(1, 0);
    const double written =
        scene.trace->find(one.step, "block0/mlstm/input_gate")->at(1, 0) *
        static_cast<double>(scene.trace->find(one.step, "block0/mlstm/k")->at(1, 3)) *
        scene.trace->find(one.step, "block0/mlstm/v")->at(1, 2);
    EXPECT_NEAR(one.amount, left * written, 1e-9);
  }
}

TEST(CellWriters, OfWhatIsNotThereAreNone) {
  const Snapshot scene = recall_scene();
  const BlockCard& block = scene.model->blocks[0];
  EXPECT_EQ(cell_writers(*scene.trace, scene.model->blocks[1], 6, 0, 0, 0, 5).count, 0);
  EXPECT_EQ(cell_writers(*scene.trace, block, 6, 9, 0, 0, 5).count, 0);
  EXPECT_EQ(cell_writers(*scene.trace, block, 6, 0, block.key_dim, 0, 5).count, 0);
  EXPECT_EQ(cell_writers(*scene.trace, block, 600, 0, 0, 0, 5).count, 0);
  EXPECT_EQ(cell_writers(*scene.trace, block, -1, 0, 0, 0, 5).count, 0);
}

}  // namespace
}  // namespace xlab::tests
