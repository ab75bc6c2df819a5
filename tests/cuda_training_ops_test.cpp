// On a card: what the cases leave out of normalisation, embedding, convolution, loss, update and
// random numbers, against the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cuda_device.hpp"
#include "kernels/adamw.hpp"
#include "kernels/concat.hpp"
#include "kernels/conv1d.hpp"
#include "kernels/embed.hpp"
#include "kernels/loss.hpp"
#include "kernels/norm.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

using namespace kernels;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const Device kCard = Device::cuda();

Tensor random(const Shape& shape, DType dtype, std::uint64_t stream) {
  const Tensor t = Tensor::empty(shape, dtype);
  fill_uniform(t, -1.0, 1.0, 9, stream);
  return t;
}

Tensor of(const std::vector<double>& values) {
  return Tensor::from<double>({static_cast<std::int64_t>(values.size())}, values);
}

Tensor ids(const std::vector<std::int32_t>& values) {
  return Tensor::from<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
}

Tensor back(const Tensor& t) {
  return t.to(Device::cpu());
}

void expect_same_bits(const Tensor& on_card, const Tensor& wanted) {
  const Tensor a = back(on_card), b = back(wanted);
  ASSERT_EQ(a.bytes(), b.bytes());
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0);
}

/// |a - b| <= tolerance * max |b|
void expect_near(const Tensor& on_card, const Tensor& wanted, double tolerance) {
  const Tensor a = back(on_card).to(DType::f64), b = wanted.to(DType::f64);
  ASSERT_EQ(a.shape(), b.shape());
  double largest = 0.0, error = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(a.elements()); ++j) {
    ASSERT_TRUE(std::isfinite(a.span<double>()[j])) << j;
    largest = std::max(largest, std::abs(b.span<double>()[j]));
    error = std::max(error, std::abs(a.span<double>()[j] - b.span<double>()[j]));
  }
  EXPECT_LE(error, tolerance * largest);
}

class CudaTraining : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_F(CudaTraining, LongSlicesAndManyRowsAreNormalisedAsOnTheCpu) {
  struct Case {
    Shape shape;
    std::int64_t groups;
  };
  for (const auto& [shape, groups] : {Case{{2, 1100}, 1}, Case{{2, 1200}, 2}, Case{{521, 6}, 2}}) {
    for (const NormKind kind : {NormKind::layer, NormKind::rms}) {
      const NormOptions options{.kind = kind, .groups = groups};
      const Shape statistics{shape[0], groups};
      std::vector<Tensor> results[2];
      for (const Device device : {Device::cpu(), kCard}) {
        const auto made = [&](const Shape& s, std::uint64_t stream) {
          return random(s, DType::f64, stream).to(device);
        };
        const Tensor x = made(shape, 1), w = made({shape[1]}, 2), dy = made(shape, 3);
        const Tensor y = Tensor::empty(shape, DType::f64, device);
        const Tensor mean = Tensor::empty(statistics, DType::f64, device);
        const Tensor rstd = Tensor::empty(statistics, DType::f64, device);
        const Tensor dx = made(shape, 4), dw = made({shape[1]}, 5);
        norm_forward(options, x, w, y, mean, rstd);
        norm_backward(options, x, w, mean, rstd, dy, dx, dw);
        results[device == kCard] = {y, rstd, dx, dw};
      }
      for (std::size_t j = 0; j < results[0].size(); ++j) {
        expect_near(results[1][j], results[0][j], 1e-12);
      }
    }
  }
}

TEST_F(CudaTraining, TheConvolutionCarriesItsWindow) {
  for (const std::int64_t time : {1, 2, 3, 9}) {
    for (const bool carried : {false, true}) {
      const Tensor x = random({2, time, 5}, DType::f32, 1), w = random({5, 4}, DType::f32, 2),
                   b = random({5}, DType::f32, 3);
      const Tensor window = carried ? random({2, 4, 5}, DType::f32, 4) : Tensor();
      const Tensor wanted = Tensor::empty({2, 4, 5}, DType::f32);
      conv1d_forward(x, window, w, b, Tensor::empty(x.shape(), DType::f32), wanted);
      const Tensor seen = Tensor::empty({2, 4, 5}, DType::f32, kCard);
      conv1d_forward(x.to(kCard), window.to(kCard), w.to(kCard), b.to(kCard),
                     Tensor::empty(x.shape(), DType::f32, kCard), seen);
      expect_same_bits(seen, wanted);
    }
  }
}

TEST_F(CudaTraining, RowsAreTakenFromHalves) {
  const Tensor table = random({7, 33}, DType::f32, 1).to(DType::bf16), id = ids({6, 0, 3, 3});
  const Tensor wanted = Tensor::empty({4, 33}, DType::f32);
  embed_forward(id, table, wanted);
  const Tensor seen = Tensor::empty({4, 33}, DType::f32, kCard);
  embed_forward(id.to(kCard), table.to(kCard), seen);
  expect_same_bits(seen, wanted);
}

TEST_F(CudaTraining, AnIdThatIsNoRowGivesNaNAndNoGradient) {
  const Tensor table = random({4, 3}, DType::f32, 1), id = ids({1, 4, -1, 3, 4});
  const Tensor out = Tensor::empty({5, 3}, DType::f32, kCard);
  embed_forward(id.to(kCard), table.to(kCard), out);
  const Tensor seen = back(out);
  for (std::size_t j = 0; j < 15; ++j) {
    const std::size_t n = j / 3;
    EXPECT_EQ(std::isnan(seen.span<float>()[j]), n == 1 || n == 2 || n == 4) << j;
  }
  const Tensor dtable = Tensor::zeros({4, 3}, DType::f32, kCard);
  embed_backward(id.to(kCard), Tensor::from<float>({5, 3}, std::vector<float>(15, 1.0f)).to(kCard),
                 dtable);
  const Tensor gradient = back(dtable);
  for (std::size_t j = 0; j < 12; ++j) {
    EXPECT_EQ(gradient.span<float>()[j], j / 3 == 1 || j / 3 == 3 ? 1.0f : 0.0f) << j;
  }
}

TEST_F(CudaTraining, RowsOfTheTableAreSummedInOneOrder) {
  // Ids that are everywhere, ids that come again after a long while, and some that come once.
  for (const std::int32_t vocabulary : {2, 60, 1000}) {
    std::vector<std::int32_t> list(420);
    for (std::size_t n = 0; n < list.size(); ++n) {
      list[n] = static_cast<std::int32_t>(n * n % 71 * (1 + n / 200)) % vocabulary;
    }
    const Tensor id = ids(list), dout = random({420, 3}, DType::f64, 1);
    const Tensor start = random({vocabulary, 3}, DType::f64, 2), wanted = start.clone();
    embed_backward(id, dout, wanted);
    const auto run = [&] {
      const Tensor dtable = start.clone().to(kCard);
      embed_backward(id.to(kCard), dout.to(kCard), dtable);
      return dtable;
    };
    const Tensor seen = run();
    expect_near(seen, wanted, 1e-14);
    for (int other = 1; other < kOrders; ++other) {
      const OrderOfThreads order(other);
      expect_same_bits(run(), seen);
    }
  }
}

TEST_F(CudaTraining, PartsOfAnyWidthAreJoined) {
  std::vector<Tensor> parts, there, gradients, gradients_there;
  std::uint64_t stream = 0;
  for (const std::int64_t width : {3, 1, 7}) {
    parts.push_back(random({2, 3, width}, DType::f32, ++stream));
    there.push_back(parts.back().to(kCard));
    gradients.push_back(random({2, 3, width}, DType::f32, ++stream));
    gradients_there.push_back(gradients.back().clone().to(kCard));
  }
  const Tensor whole = Tensor::empty({2, 3, 11}, DType::f32);
  const Tensor whole_there = Tensor::empty({2, 3, 11}, DType::f32, kCard);
  concat_forward(parts, whole);
  concat_forward(there, whole_there);
  expect_same_bits(whole_there, whole);
  concat_backward(whole, gradients);
  concat_backward(whole_there, gradients_there);
  for (std::size_t p = 0; p < 3; ++p) expect_same_bits(gradients_there[p], gradients[p]);
  EXPECT_THROW(concat_forward(parts, whole_there), Error);
}

TEST_F(CudaTraining, TheLossSaysWhatItSaysOnTheCpu) {
  for (const std::int64_t classes : {5, 700}) {
    const Tensor logits = random({9, classes}, DType::f64, 1);
    // A tie, which only the first of the largest wins.
    logits.data<double>()[2] = logits.data<double>()[3] = 4.0;
    logits.data<double>()[classes + 2] = logits.data<double>()[classes + 3] = 4.0;
    const Tensor targets = ids({2, 3, -1, 0, 1, 4, -3, 2, 1});
    const Tensor dlogits = Tensor::empty(logits.shape(), DType::f64);
    const Tensor row_loss = Tensor::empty({9}, DType::f64);
    const CrossEntropy wanted = cross_entropy(logits, targets, dlogits, row_loss, 2.0);
    const Tensor dlogits_there = Tensor::empty(logits.shape(), DType::f64, kCard);
    const Tensor row_loss_there = Tensor::empty({9}, DType::f64, kCard);
    const CrossEntropy seen =
        cross_entropy(logits.to(kCard), targets.to(kCard), dlogits_there, row_loss_there, 2.0);
    EXPECT_NEAR(seen.loss, wanted.loss, 1e-13);
    EXPECT_EQ(seen.counted, 7);
    EXPECT_EQ(seen.correct, wanted.correct);
    expect_near(dlogits_there, dlogits, 1e-13);
    expect_near(row_loss_there, row_loss, 1e-13);

    const Tensor sums = Tensor::empty({3}, DType::f64, kCard);
    const Tensor again = Tensor::empty(logits.shape(), DType::f64, kCard);
    cross_entropy_sums(logits.to(kCard), targets.to(kCard), of({2.0 / 7.0}).to(kCard), again, sums);
    expect_same_bits(again, dlogits_there);
    const Tensor total = back(sums);
    EXPECT_EQ(total.data<double>()[0] / 7.0, seen.loss);
    EXPECT_EQ(total.data<double>()[1], 7.0);
    EXPECT_EQ(total.data<double>()[2], static_cast<double>(seen.correct));
  }
}

TEST_F(CudaTraining, ATargetThatIsNoClassIsNamedOrGivesNaN) {
  const Tensor logits = random({3, 4}, DType::f32, 1).to(kCard),
               targets = ids({1, 4, -1}).to(kCard);
  try {
    cross_entropy(logits, targets, {}, {});
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("target 4 at position 1"), std::string::npos)
        << error.what();
  }
  const Tensor sums = Tensor::zeros({3}, DType::f64, kCard);
  const Tensor gradient = Tensor::zeros({3, 4}, DType::f32, kCard);
  cross_entropy_sums(logits, targets, of({1}).to(kCard), gradient, sums);
  const Tensor seen = back(sums), rows = back(gradient);
  for (const double sum : seen.span<double>()) EXPECT_TRUE(std::isnan(sum));
  EXPECT_TRUE(std::isfinite(rows.data<float>()[3]));
  EXPECT_TRUE(std::isnan(rows.data<float>()[4]));
  EXPECT_EQ(rows.data<float>()[8], 0.0f);
}

TEST_F(CudaTraining, ManyRowsOfLossAreSummedTheSameWayEveryTime) {
  const Tensor logits = random({1100, 3}, DType::f32, 1).to(kCard);
  std::vector<std::int32_t> list(1100);
  for (std::size_t n = 0; n < list.size(); ++n) list[n] = static_cast<std::int32_t>(n % 4) - 1;
  const Tensor targets = ids(list).to(kCard);
  const auto run = [&] {
    const Tensor sums = Tensor::empty({3}, DType::f64, kCard);
    cross_entropy_sums(logits, targets, of({1}).to(kCard), {}, sums);
    return sums;
  };
  const Tensor once = run();
  EXPECT_EQ(back(once).data<double>()[1], 825.0);
  for (int other = 1; other < kOrders; ++other) {
    const OrderOfThreads order(other);
    expect_same_bits(run(), once);
  }
}

TEST_F(CudaTraining, WholeGradientsAreMeasured) {
  // Two pieces and a bit.
  const Tensor g = random({40000}, DType::f32, 1);
  const double wanted = gradient_norm(g), seen = gradient_norm(g.to(kCard));
  EXPECT_NEAR(seen, wanted, 1e-12 * wanted);
  for (int other = 1; other < kOrders; ++other) {
    const OrderOfThreads order(other);
    EXPECT_EQ(gradient_norm(g.to(kCard)), seen);
  }
  EXPECT_TRUE(all_finite(g.to(kCard)));
  for (const double bad : {kNaN, kInfinity, -kInfinity}) {
    for (const std::int64_t at : {0, 16384, 39999}) {
      const Tensor x = g.clone();
      x.data<float>()[at] = static_cast<float>(bad);
      EXPECT_FALSE(all_finite(x.to(kCard)));
    }
  }
}

TEST_F(CudaTraining, RandomNumbersHaveTheBitsOfTheCpu) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor here = Tensor::empty({20011}, dtype), there = Tensor::empty({20011}, dtype, kCard);
    fill_normal(here, 0.3, 0.02, 11, 4);
    fill_normal(there, 0.3, 0.02, 11, 4);
    expect_same_bits(there, here);
    fill_uniform(here, -0.7, 1.9, 5, 6);
    fill_uniform(there, -0.7, 1.9, 5, 6);
    expect_same_bits(there, here);
  }
}

/// An update of some parameters at the third step, on a device.
struct Step {
  GuardedUpdate update;

  Step(DType dtype, std::int64_t size, std::vector<DecayRange> ranges, Device device) {
    const auto made = [&](std::uint64_t stream) {
      return random({size}, dtype, stream).to(device);
    };
    update.numbers = of({0.01, 1.0 - std::pow(0.9, 3.0), 1.0 - std::pow(0.95, 3.0)}).to(device);
    update.beta2 = 0.95;
    update.gradient_clip = 1.0;
    update.loss_sums = of({12.0, 4.0, 1.0}).to(device);
    update.squared_norm = Tensor::empty({1}, DType::f64, device);
    update.parameters = made(1);
    update.gradients = made(2);
    update.first_moment = made(3);
    const Tensor squares = Tensor::empty({size}, dtype);
    fill_uniform(squares, 0.0, 1.0, 9, 4);
    update.second_moment = squares.to(device);
    update.previous = Tensor::zeros({size}, dtype, device);
    update.ranges = std::move(ranges);
    update.outcome = Tensor::empty({2}, DType::f64, device);
    squared_norm(update.gradients, update.squared_norm);
  }

  AdamWOptions plain(double norm) const {
    const double clip = update.gradient_clip;
    return {.learning_rate = 0.01,
            .beta1 = 0.9,
            .beta2 = 0.95,
            .gradient_scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0,
            .step = 3};
  }
  double outcome(int which) const { return back(update.outcome).data<double>()[which]; }

  void expect_refused() {
    const Tensor p = update.parameters.clone(), m = update.first_moment.clone(),
                 v = update.second_moment.clone();
    adamw_step_guarded(update);
    EXPECT_EQ(outcome(1), 0.0);
    expect_same_bits(p, update.parameters);
    expect_same_bits(m, update.first_moment);
    expect_same_bits(v, update.second_moment);
  }
};

/// More ranges than one kernel is given, some of them empty, neighbours now and then alike.
std::vector<DecayRange> many_ranges(std::int64_t size) {
  std::vector<DecayRange> ranges;
  std::int64_t at = 0;
  for (int j = 0; j < 290; ++j) {
    const std::int64_t end = std::min<std::int64_t>(size, at + j % 4);
    ranges.push_back({at, end, j % 7 == 0 ? 0.0 : 0.01 * (j % 3)});
    at = end;
  }
  ranges.push_back({at, size, 0.1});
  return ranges;
}

TEST_F(CudaTraining, TheUpdateIsTheCpusAndTheGuardedOneHasItsBits) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const double clip : {0.0, 0.5, 1e6}) {
      const std::vector<DecayRange> ranges = many_ranges(611);
      Step here(dtype, 611, ranges, Device::cpu()), there(dtype, 611, ranges, kCard),
          guarded(dtype, 611, ranges, kCard);
      here.update.gradient_clip = there.update.gradient_clip = guarded.update.gradient_clip = clip;
      const auto step = [&](Step& s, double norm) {
        adamw_step(s.plain(norm), s.update.ranges, s.update.parameters, s.update.gradients,
                   s.update.first_moment, s.update.second_moment);
      };
      const Tensor before = guarded.update.parameters.clone();
      const double norm = gradient_norm(there.update.gradients);
      step(here, norm);
      step(there, norm);
      const double tolerance = dtype == DType::f64 ? 1e-14 : 1e-6;
      expect_near(there.update.parameters, here.update.parameters, tolerance);
      expect_near(there.update.first_moment, here.update.first_moment, tolerance);
      expect_near(there.update.second_moment, here.update.second_moment, tolerance);

      adamw_step_guarded(guarded.update);
      EXPECT_EQ(guarded.outcome(0), norm);
      EXPECT_EQ(guarded.outcome(1), 1.0);
      expect_same_bits(guarded.update.parameters, there.update.parameters);
      expect_same_bits(guarded.update.first_moment, there.update.first_moment);
      expect_same_bits(guarded.update.second_moment, there.update.second_moment);
      expect_same_bits(guarded.update.previous, before);
    }
  }
}

TEST_F(CudaTraining, AnUnsoundStepChangesNothing) {
  Step step(DType::f32, 100, {{0, 100, 0.1}}, kCard);
  for (const double bad : {kNaN, kInfinity, -kInfinity}) {
    step.update.loss_sums = of({bad, 4.0, 1.0}).to(kCard);
    step.expect_refused();
    EXPECT_EQ(step.outcome(0), 0.0);
    step.update.loss_sums = of({1.0, 4.0, 1.0}).to(kCard);
    const Tensor norm = step.update.squared_norm;
    step.update.squared_norm = of({bad}).to(kCard);
    step.expect_refused();
    step.update.squared_norm = norm;
  }
  step.update.loss_sums = of({kNaN, kNaN, kNaN}).to(kCard);
  step.expect_refused();
  step.update.loss_sums = of({0.0, 0.0, 0.0}).to(kCard);
  step.update.largest_gradient = 0.5;
  step.expect_refused();
  EXPECT_GT(step.outcome(0), 1.0);
  step.update.largest_gradient = 1.5;
  adamw_step_guarded(step.update);
  EXPECT_EQ(step.outcome(1), 1.0);
}

TEST_F(CudaTraining, AnUpdateThatOverflowsIsTakenBack) {
  for (int other = 0; other < kOrders; ++other) {
    const OrderOfThreads order(other);
    for (const std::int64_t at : {0, 77, 610}) {
      Step step(DType::f32, 611, many_ranges(611), kCard);
      GuardedUpdate& u = step.update;
      const Tensor moment = back(u.first_moment).clone();
      moment.data<float>()[at] = static_cast<float>(at == 77 ? kInfinity : kNaN);
      u.first_moment = moment.to(kCard);
      const Tensor before = u.parameters.clone();
      adamw_step_guarded(u);
      EXPECT_EQ(step.outcome(1), 0.0);
      EXPECT_EQ(step.outcome(0), gradient_norm(u.gradients));
      expect_same_bits(u.parameters, before);
      expect_same_bits(u.first_moment, Tensor::zeros({611}, DType::f32));
      expect_same_bits(u.second_moment, Tensor::zeros({611}, DType::f32));
    }
  }
}

#ifdef XLAB_EMULATION
TEST_F(CudaTraining, AStepNeverWaitsForTheCard) {
  Step step(DType::f32, 611, many_ranges(611), kCard);
  const Tensor logits = random({6, 11}, DType::f32, 1).to(kCard);
  const Tensor targets = ids({3, -1, 0, 10, 5, -7}).to(kCard);
  const Tensor factor = of({0.25}).to(kCard), dlogits = Tensor::empty({6, 11}, DType::f32, kCard);
  const Tensor table = random({11, 6}, DType::f32, 2).to(kCard);
  const Tensor rows = Tensor::empty({6, 6}, DType::f32, kCard);
  const long waits = emulation::synchronisations(), copies = emulation::copies_to_host();
  embed_forward(targets, table, rows);
  cross_entropy_sums(logits, targets, factor, dlogits, step.update.loss_sums);
  embed_backward(targets, rows, table);
  squared_norm(step.update.gradients, step.update.squared_norm);
  adamw_step_guarded(step.update);
  EXPECT_EQ(emulation::synchronisations(), waits);
  EXPECT_EQ(emulation::copies_to_host(), copies);
  EXPECT_EQ(step.outcome(1), 1.0);
}
#endif

}  // namespace
}  // namespace xlab::tests
