// Every branch of the mLSTM's denominator, max(|s|, exp(-m)): overlaps of query and normalizer that
// are large and positive, large and negative, and below the floor, in every form of the cell.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cell_calls.hpp"
#include "kernels/mlstm/parallel.hpp"

namespace xlab::tests {
namespace {

// No two sizes are alike.
constexpr std::int64_t B = 2, T = 7, H = 3, K = 4, V = 5;

struct Scene {
  std::vector<double> q, k, v, i, f;
};

/// Keys that point one way, so that the normalizer does too; queries along it, against it, and so
/// short that the floor holds.
Scene scene() {
  Scene s;
  for (std::int64_t row = 0; row < B * T * H; ++row) {
    const std::int64_t t = row / H % T, h = row % H, b = row / (H * T);
    const double lengths[] = {4.0, -5.0, 0.01, -0.02, -3.0, 2.5};
    const double length = lengths[(t + 2 * h + b) % 6];
    for (std::int64_t d = 0; d < K; ++d) {
      const double wave = std::sin(1.0 + 0.7 * static_cast<double>(row * K + d));
      s.q.push_back(length * (1.0 + 0.2 * wave));
      s.k.push_back(0.8 + 0.3 * std::cos(0.9 * static_cast<double>(row * K + d)));
    }
    for (std::int64_t d = 0; d < V; ++d)
      s.v.push_back(std::sin(0.3 + 1.1 * static_cast<double>(row * V + d)));
    s.i.push_back(0.5 * std::sin(static_cast<double>(row)) - 0.2 * static_cast<double>(h));
    s.f.push_back(1.0 + std::cos(2.0 * static_cast<double>(row)));
  }
  return s;
}

struct Overlaps {
  int above = 0, below = 0, floor = 0;
};

/// The read-out by its definition, without a stabilizer: sums over all tokens so far, divided by
/// the larger one of |s| and 1.
std::vector<double> read_out(const Scene& x, Overlaps* overlaps = nullptr) {
  std::vector<double> out(static_cast<std::size_t>(B * T * H * V), 0.0);
  const auto at = [](std::int64_t b, std::int64_t t, std::int64_t h) {
    return (b * T + t) * H + h;
  };
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t h = 0; h < H; ++h) {
      for (std::int64_t t = 0; t < T; ++t) {
        double s = 0.0;
        std::vector<double> sum(V, 0.0);
        for (std::int64_t j = 0; j <= t; ++j) {
          double weight = x.i[static_cast<std::size_t>(at(b, j, h))];
          for (std::int64_t u = j + 1; u <= t; ++u)
            weight -= std::log1p(std::exp(-x.f[static_cast<std::size_t>(at(b, u, h))]));
          double dot = 0.0;
          for (std::int64_t d = 0; d < K; ++d)
            dot += x.q[static_cast<std::size_t>(at(b, t, h) * K + d)] *
                   x.k[static_cast<std::size_t>(at(b, j, h) * K + d)];
          dot *= std::exp(weight) / std::sqrt(static_cast<double>(K));
          s += dot;
          for (std::int64_t d = 0; d < V; ++d)
            sum[static_cast<std::size_t>(d)] +=
                dot * x.v[static_cast<std::size_t>(at(b, j, h) * V + d)];
        }
        if (overlaps) {
          overlaps->above += s > 1.0;
          overlaps->below += s < -1.0;
          overlaps->floor += std::abs(s) < 1.0;
        }
        for (std::int64_t d = 0; d < V; ++d)
          out[static_cast<std::size_t>(at(b, t, h) * V + d)] =
              sum[static_cast<std::size_t>(d)] / std::max(std::abs(s), 1.0);
      }
    }
  }
  return out;
}

/// The gradient of the outputs' weighted sum.
double weight_of(std::size_t output) {
  return std::cos(0.4 * static_cast<double>(output));
}

double weighted_sum(const Scene& x) {
  double sum = 0.0;
  const std::vector<double> h = read_out(x);
  for (std::size_t j = 0; j < h.size(); ++j) sum += weight_of(j) * h[j];
  return sum;
}

std::vector<double> numbers(const Tensor& x) {
  const Tensor wide = x.to(DType::f64);
  return {wide.data<double>(), wide.data<double>() + wide.elements()};
}

void expect_near(const Tensor& seen, const std::vector<double>& wanted, double tolerance,
                 const char* what) {
  const std::vector<double> ours = numbers(seen);
  ASSERT_EQ(ours.size(), wanted.size()) << what;
  for (std::size_t j = 0; j < ours.size(); ++j)
    EXPECT_NEAR(ours[j], wanted[j], tolerance * (1.0 + std::abs(wanted[j]))) << what << " " << j;
}

/// What a form gives: the read-out and the gradients of q, k, v, i, f.
struct Results {
  Tensor h, dq, dk, dv, di, df;
};

enum class Form { scan, chunks_of_2, chunks_of_3, chunks_of_16, parallel };

Results compute(const Scene& x, DType dtype, Form form) {
  const kernels::MlstmOptions options{.query_scale = 1.0 / std::sqrt(static_cast<double>(K)),
                                      .eps = 0.0};
  const Tensor q = Tensor::from<double>({B, T, H, K}, x.q, dtype),
               k = Tensor::from<double>({B, T, H, K}, x.k, dtype),
               v = Tensor::from<double>({B, T, H, V}, x.v, dtype),
               i = Tensor::from<double>({B, T, H}, x.i, dtype),
               f = Tensor::from<double>({B, T, H}, x.f, dtype);
  std::vector<double> weights(static_cast<std::size_t>(B * T * H * V));
  for (std::size_t j = 0; j < weights.size(); ++j) weights[j] = weight_of(j);
  const Tensor dh = Tensor::from<double>({B, T, H, V}, weights, dtype);
  if (form == Form::parallel) {
    const Tensor h = zeros_like(v);
    kernels::mlstm_parallel_forward(options, {.q = q, .k = k, .v = v, .i = i, .f = f, .h = h});
    const kernels::MlstmParallelBackward back{.q = q,
                                              .k = k,
                                              .v = v,
                                              .i = i,
                                              .f = f,
                                              .dh = dh,
                                              .dq = zeros_like(q),
                                              .dk = zeros_like(k),
                                              .dv = zeros_like(v),
                                              .di = zeros_like(i),
                                              .df = zeros_like(f)};
    kernels::mlstm_parallel_backward(options, back);
    return {h, back.dq, back.dk, back.dv, back.di, back.df};
  }
  const std::int64_t chunk = form == Form::scan          ? 0
                             : form == Form::chunks_of_2 ? 2
                             : form == Form::chunks_of_3 ? 3
                                                         : 16;
  const kernels::MlstmForward forward = mlstm_call(q, k, v, i, f);
  run_mlstm(options, forward, chunk);
  const kernels::MlstmBackward back = mlstm_way_back(forward, dh);
  run_mlstm_back(options, back, chunk);
  return {forward.h, back.dq, back.dk, back.dv, back.di, back.df};
}

class MlstmBranches : public testing::TestWithParam<Form> {};

TEST_P(MlstmBranches, AllAreReadAsDefined) {
  const Scene x = scene();
  Overlaps overlaps;
  const std::vector<double> wanted = read_out(x, &overlaps);
  ASSERT_GE(overlaps.above, 6);
  ASSERT_GE(overlaps.below, 6);
  ASSERT_GE(overlaps.floor, 6);
  expect_near(compute(x, DType::f64, GetParam()).h, wanted, 1e-12, "h in f64");
  expect_near(compute(x, DType::f32, GetParam()).h, wanted, 2e-5, "h in f32");
}

TEST_P(MlstmBranches, AllPassTheirGradients) {
  const Scene x = scene();
  const Results seen = compute(x, DType::f64, GetParam());
  const auto check = [&](std::vector<double> Scene::*part, const Tensor& gradient,
                         const char* what) {
    std::vector<double> wanted;
    for (std::size_t j = 0; j < (x.*part).size(); ++j) {
      constexpr double kStep = 1e-6;
      Scene moved = x;
      (moved.*part)[j] += kStep;
      const double above = weighted_sum(moved);
      (moved.*part)[j] -= 2 * kStep;
      wanted.push_back((above - weighted_sum(moved)) / (2 * kStep));
    }
    expect_near(gradient, wanted, 2e-7, what);
  };
  check(&Scene::q, seen.dq, "dq");
  check(&Scene::k, seen.dk, "dk");
  check(&Scene::v, seen.dv, "dv");
  check(&Scene::i, seen.di, "di");
  check(&Scene::f, seen.df, "df");
}

INSTANTIATE_TEST_SUITE_P(Forms, MlstmBranches,
                         testing::Values(Form::scan, Form::chunks_of_2, Form::chunks_of_3,
                                         Form::chunks_of_16, Form::parallel));

}  // namespace
}  // namespace xlab::tests
