// Where what is written overflows, no number that is none is taken for one.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/generation/sequence.hpp"
#include "core/model.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

TEST(NoNumber, ANormalizerIsNoneWhereItsOverlapIsNone) {
  int seen = 0;
  for (const NumberFormat format : {NumberFormat::native, NumberFormat::fp64, NumberFormat::fp32,
                                    NumberFormat::bf16, NumberFormat::fp16}) {
    ModelSpec spec = small_mlstm();
    spec.mlstm->variant.stabilizer = false;
    spec.mlstm->variant.number_format = format;
    const Model model = filled_model(spec, DType::f32);
    Sequence sequence(model);
    sequence.set_tokens(some_tokens(9, spec.vocab_size));
    // exp(700) and exp(90) are beyond what these formats and the stored memory hold.
    sequence.set_clamps({{.path = "block0/mlstm/input_gate_pre",
                          .head = 1,
                          .begin = 3,
                          .end = 5,
                          .value = format == NumberFormat::fp64 ? 720.0f : 100.0f}});
    sequence.compute_all();
    for (int t = 0; t < 9; ++t) {
      const float s = sequence.trace()->find(t, "block0/mlstm/s")->at(1, 0);
      const float N = sequence.trace()->find(t, "block0/mlstm/normalizer")->at(1, 0);
      EXPECT_EQ(std::isnan(N), std::isnan(s)) << name_of(format) << " t = " << t;
      seen += std::isnan(s) ? 1 : 0;
    }
  }
  EXPECT_GT(seen, 10);
}

}  // namespace
}  // namespace xlab::tests
