// One training step on a card against the same step in plain doubles over the whole batch at once.
#include <gtest/gtest.h>

#include "cuda_device.hpp"
#include "whole_step.hpp"

namespace xlab::tests {
namespace {

TEST(CudaOneStep, IsThatOfTheWholeBatch) {
  SKIP_WITHOUT_CUDA();
  for (const ModelSpec& spec : {small_mixed(), small_large()}) {
    SCOPED_TRACE(spec.large ? "large" : "mixed");
    check_one_step(spec, uneven_batch(256, 7, {1, 256, 0, 40}),
                   {.learning_rate = 0.01, .gradient_clip = 0.0}, Device::cuda());
    check_one_step(spec, uneven_batch(13, 7, {13, 1, 5, 0, 2}), {.learning_rate = 0.01},
                   Device::cuda());
  }
}

TEST(CudaOneStep, IsClippedToAnyLength) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = uneven_batch(40, 7, {1, 40, 0});
  for (const double head_scale : {1.0, 300.0}) {
    for (const double clip : {0.0, 0.1, 1.0, 10.0, 1000.0}) {
      SCOPED_TRACE(testing::Message() << "clip " << clip << ", head times " << head_scale);
      check_one_step(small_mixed(), batch, {.learning_rate = 0.01, .gradient_clip = clip},
                     Device::cuda(), head_scale);
    }
  }
}

}  // namespace
}  // namespace xlab::tests
