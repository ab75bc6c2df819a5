// One training step against the same step in plain doubles over the whole batch at once.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/device/threads.hpp"
#include "tests/whole_step.hpp"

namespace xlab::tests {
namespace {

/// Batches large enough to be cut into parts, whose rows ask very different numbers of questions.
std::vector<Batch> uneven_batches() {
  return {uneven_batch(256, 7, {1, 256, 0, 40}),         // a row a part
          uneven_batch(171, 7, {171, 3, 0, 90, 1, 17}),  // parts of one and of two rows
          uneven_batch(300, 7, {2, 300}),                // two parts
          uneven_batch(13, 7, {13, 1, 5, 0, 2})};        // one part
}

TEST(OneStep, OfSeveralPartsIsThatOfTheWholeBatch) {
  for (const ModelSpec& spec : {small_mixed(), small_large()}) {
    int batch_number = 0;
    for (const Batch& batch : uneven_batches()) {
      SCOPED_TRACE(testing::Message()
                   << "batch " << batch_number++ << (spec.large ? " large" : ""));
      check_one_step(spec, batch, {.learning_rate = 0.01, .gradient_clip = 0.0}, Device::cpu());
    }
  }
  set_threads(1);
  check_one_step(small_mixed(), uneven_batches().front(), {.learning_rate = 0.01}, Device::cpu());
  set_threads(0);
}

TEST(OneStep, IsClippedToAnyLength) {
  const Batch batch = uneven_batch(256, 7, {1, 256, 0, 40});
  for (const double head_scale : {1.0, 300.0}) {
    for (const double clip : {0.0, 0.1, 1.0, 10.0, 1000.0}) {
      SCOPED_TRACE(testing::Message() << "clip " << clip << ", head times " << head_scale);
      const double norm =
          check_one_step(small_mixed(), batch, {.learning_rate = 0.01, .gradient_clip = clip},
                         Device::cpu(), head_scale);
      // Some clips are shorter than the gradient, and some longer: 10 is both in turn.
      if (head_scale == 1.0) {
        EXPECT_GT(norm, 0.15);
        EXPECT_LT(norm, 8.0);
      } else {
        EXPECT_GT(norm, 15.0);
        EXPECT_LT(norm, 1000.0);
      }
    }
  }
}

}  // namespace
}  // namespace xlab::tests
