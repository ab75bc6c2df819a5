// Edges of the operations: refusals, carried windows, ignored targets, exact values, limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "kernels/adamw.hpp"
#include "kernels/conv1d.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embed.hpp"
#include "kernels/loss.hpp"
#include "kernels/norm.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/random.hpp"
#include "matmul.hpp"

namespace xlab::tests {
namespace {

using namespace kernels;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor random(const Shape& shape, DType dtype = DType::f64, std::uint64_t stream = 1) {
  const Tensor t = Tensor::empty(shape, dtype);
  fill_uniform(t, -1.0, 1.0, 9, stream);
  return t;
}

Tensor of(const Shape& shape, const std::vector<double>& values, DType dtype = DType::f64) {
  return Tensor::from<double>(shape, values, dtype);
}

Tensor ids(const std::vector<std::int32_t>& values) {
  return Tensor::from<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
}

template <typename Action>
void expect_sentence(Action&& action, const std::vector<std::string>& parts) {
  try {
    action();
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' is not in: " << error.what();
    }
  }
}

double largest_difference(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(DType::f64), y = b.to(DType::f64);
  double largest = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(x.elements()); ++j) {
    largest = std::max(largest, std::abs(x.span<double>()[j] - y.span<double>()[j]));
  }
  return largest;
}

TEST(Refusals, NameBothShapes) {
  const Tensor a = random({2, 3}), b = random({3, 2}), out = random({2, 3});
  expect_sentence([&] { add(a, b, out); }, {"[add]", "(3, 2)", "(2, 3)"});
  expect_sentence([&] { accumulate(b, a); }, {"[accumulate]", "(3, 2)", "(2, 3)"});
  expect_sentence([&] { scale(a, 2.0, b); }, {"[scale]", "(3, 2)", "(2, 3)"});
  expect_sentence([&] { scale_columns(a, random({2}), out); }, {"[scale_columns]", "(2)", "(3)"});
  expect_sentence([&] { add_columns(a, random({2}), out); }, {"[add_columns]", "(2)", "(3)"});
  expect_sentence([&] { activation_forward(Activation::silu, a, b); }, {"(3, 2)", "(2, 3)"});
  expect_sentence([&] { gated_forward(Activation::silu, a, b, out); }, {"(3, 2)", "(2, 3)"});
  expect_sentence(
      [&] {
        linear_forward(a, random({5, 4}), Tensor(), out);
      },
      {"[linear_forward]", "w", "(5, 4)", "(5, 3)"});
  expect_sentence([&] { linear_forward(a, random({5, 3}), Tensor(), out); }, {"(2, 3)", "(2, 5)"});
  expect_sentence(
      [&] {
        linear_forward(a, random({5, 3}), random({4}), random({2, 5}));
      },
      {"b", "(4)", "(5)"});
  expect_sentence(
      [&] {
        headwise_forward(a, random({2, 4, 2}), Tensor(), out);
      },
      {"[headwise_forward]", "(2, 3)", "(2, 4, 2)"});
  expect_sentence([&] { norm_forward({.groups = 2}, a, Tensor(), out, out, out); },
                  {"[norm_forward]", "(2, 3)", "2 equal groups"});
  expect_sentence(
      [&] {
        norm_forward({}, a, random({4}), out, random({2, 1}), random({2, 1}));
      },
      {"weight", "(4)", "(3)"});
  expect_sentence(
      [&] {
        conv1d_forward(random({1, 2, 3}), Tensor(), random({4, 4}), random({3}), random({1, 2, 3}),
                       Tensor());
      },
      {"[conv1d_forward]", "(4, 4)", "(3, 4)"});
  expect_sentence([&] { embed_forward(ids({0, 1}), a, random({3, 3})); }, {"(2)", "(3, 3)"});
  expect_sentence([&] { softmax(a, b); }, {"[softmax]", "(3, 2)", "(2, 3)"});
  expect_sentence([&] { cross_entropy(a, ids({0, 1, 2}), Tensor(), Tensor()); }, {"(3)", "2 rows"});
}

TEST(Refusals, NameBothTypesAndWhatIsMissing) {
  const Tensor a = random({2, 3}), narrow = random({2, 3}, DType::f32);
  expect_sentence([&] { add(a, narrow, a); }, {"f32", "f64"});
  expect_sentence(
      [&] {
        linear_forward(a, random({5, 3}, DType::f32), Tensor(), random({2, 5}));
      },
      {"w", "f32", "f64"});
  expect_sentence([&] { add(Tensor(), a, a); }, {"[add]", "missing"});
  expect_sentence([&] { linear_forward(Tensor(), a, Tensor(), a); }, {"x", "missing"});
  expect_sentence([&] { activation_forward(Activation::tanh, a, Tensor()); }, {"y", "missing"});
  const Tensor whole = Tensor::zeros({2, 3}, DType::i32);
  expect_sentence([&] { scale(whole, 2.0, whole); }, {"floating-point", "i32"});
  expect_sentence([&] { embed_forward(a, a, a); }, {"ids", "f64", "i32"});
}

TEST(Gradients, AreAddedToWhatIsThere) {
  const Tensor x = random({6, 8}), g = random({6, 8}, DType::f64, 2), v = random({8});
  const Tensor mean = random({6, 2}), rstd = random({6, 2}), w = random({5, 8}),
               dy = random({6, 5});
  const Tensor sequence = random({2, 3, 8}), taps = random({8, 4}), window = random({2, 4, 8});
  const Tensor small = random({2, 4, 4}), large = random({2, 3, 4}), dlarge = random({6, 6});
  struct Backward {
    const char* name;
    std::vector<Shape> gradients;
    std::function<void(const std::vector<Tensor>&)> run;
  };
  using Into = const std::vector<Tensor>&;
  const std::vector<Backward> all = {
      {"accumulate", {{6, 8}}, [&](Into d) { accumulate(d[0], x, 0.5); }},
      {"scale_columns",
       {{6, 8}, {8}},
       [&](Into d) { scale_columns_backward(x, v, g, d[0], d[1]); }},
      {"add_columns", {{6, 8}, {8}}, [&](Into d) { add_columns_backward(g, d[0], d[1]); }},
      {"activation", {{6, 8}}, [&](Into d) { activation_backward(Activation::gelu, x, g, d[0]); }},
      {"gated",
       {{6, 8}, {6, 8}},
       [&](Into d) { gated_backward(Activation::silu, x, g, g, d[0], d[1]); }},
      {"linear",
       {{6, 8}, {5, 8}, {5}},
       [&](Into d) { linear_backward(x, w, dy, d[0], d[1], d[2]); }},
      {"headwise, small blocks",
       {{6, 8}, {2, 4, 4}, {8}},
       [&](Into d) { headwise_backward(x, small, g, d[0], d[1], d[2]); }},
      {"headwise, large blocks",
       {{6, 8}, {2, 3, 4}, {6}},
       [&](Into d) { headwise_backward(x, large, dlarge, d[0], d[1], d[2]); }},
      {"matmul",
       {{2, 3, 3}},
       [&](Into d) {
         matmul(sequence, sequence, d[0], {.transpose_b = true, .accumulate = true});
       }},
      {"norm",
       {{6, 8}, {8}},
       [&](Into d) { norm_backward({.groups = 2}, x, v, mean, rstd, g, d[0], d[1]); }},
      {"embed",
       {{9, 8}},
       [&](Into d) {
         embed_backward(ids({3, 3, 0, 8, 3, 1}), g, d[0]);
       }},
      {"conv1d",
       {{2, 3, 8}, {8, 4}, {8}, {2, 4, 8}},
       [&](Into d) { conv1d_backward(sequence, window, taps, sequence, d[0], d[1], d[2], d[3]); }},
  };
  for (const Backward& backward : all) {
    SCOPED_TRACE(backward.name);
    std::vector<Tensor> from_zero, from_before, expected;
    for (const Shape& shape : backward.gradients) {
      from_zero.push_back(Tensor::zeros(shape, DType::f64));
      from_before.push_back(random(shape, DType::f64, 40));
      expected.push_back(from_before.back().clone());
    }
    backward.run(from_zero);
    backward.run(from_before);
    for (std::size_t j = 0; j < expected.size(); ++j) {
      add(expected[j], from_zero[j], expected[j]);
      EXPECT_GT(gradient_norm(from_zero[j]), 0.0);
      EXPECT_LT(largest_difference(expected[j], from_before[j]), 1e-13);
    }
  }
}

TEST(Gradients, MayBeLeftOut) {
  const Tensor x = random({4, 6}), w = random({5, 6}), dy = random({4, 5});
  const Tensor dw = Tensor::zeros({5, 6}, DType::f64), dx = Tensor::zeros({4, 6}, DType::f64);
  linear_backward(x, w, dy, Tensor(), dw, Tensor());
  linear_backward(x, w, dy, dx, Tensor(), Tensor());
  EXPECT_TRUE(all_finite(dw));
  const Tensor g = random({4, 6}), v = random({6}), dv = Tensor::zeros({6}, DType::f64);
  scale_columns_backward(x, v, g, Tensor(), dv);
  scale_columns_backward(x, v, g, dx, Tensor());
  add_columns_backward(g, Tensor(), dv);
  add_columns_backward(g, dx, Tensor());
  const Tensor mean = Tensor::empty({4, 2}, DType::f64), rstd = Tensor::empty({4, 2}, DType::f64);
  const NormOptions options{.groups = 2};
  norm_forward(options, x, v, Tensor::empty({4, 6}, DType::f64), mean, rstd);
  norm_backward(options, x, v, mean, rstd, g, Tensor(), dv);
  norm_backward(options, x, v, mean, rstd, g, dx, Tensor());
  const Tensor sequence = random({2, 3, 6}), taps = random({6, 4});
  conv1d_backward(sequence, Tensor(), taps, sequence, Tensor(), Tensor(), dv, Tensor());
  EXPECT_TRUE(all_finite(dx));
  EXPECT_TRUE(all_finite(dv));
}

TEST(Elementwise, MayWorkInPlace) {
  const Tensor a = random({700}), b = random({700}, DType::f64, 2);
  const Tensor sum = Tensor::empty({700}, DType::f64), smooth = Tensor::empty({700}, DType::f64);
  add(a, b, sum);
  activation_forward(Activation::silu, sum, smooth);
  add(a, b, a);
  activation_forward(Activation::silu, a, a);
  EXPECT_EQ(largest_difference(a, smooth), 0.0);
}

TEST(Activations, HaveTheirTextbookValues) {
  const double x = 0.8;
  const auto at = [](Activation f, double value, double cap = 0.0) {
    const Tensor in = of({1}, {value}), out = Tensor::empty({1}, DType::f64);
    activation_forward(f, in, out, cap);
    return out.data<double>()[0];
  };
  EXPECT_NEAR(at(Activation::sigmoid, x), 1 / (1 + std::exp(-x)), 1e-15);
  EXPECT_NEAR(at(Activation::silu, x), x / (1 + std::exp(-x)), 1e-15);
  EXPECT_NEAR(at(Activation::gelu, x), x / 2 * (1 + std::erf(x / std::numbers::sqrt2)), 1e-15);
  EXPECT_NEAR(at(Activation::gelu, -x), -x / 2 * std::erfc(x / std::numbers::sqrt2), 1e-15);
  EXPECT_NEAR(at(Activation::tanh, x), std::tanh(x), 1e-15);
  EXPECT_NEAR(at(Activation::log_sigmoid, x), -std::log1p(std::exp(-x)), 1e-15);
  EXPECT_NEAR(at(Activation::log_sigmoid, -700.0), -700.0, 1e-12);
  EXPECT_EQ(at(Activation::relu, -x), 0.0);
  EXPECT_NEAR(at(Activation::relu_squared, x), x * x, 1e-15);
  EXPECT_NEAR(at(Activation::selu, x), 1.0507009873554805 * x, 1e-15);
  EXPECT_NEAR(at(Activation::selu, -x), 1.0507009873554805 * 1.6732632423543772 * std::expm1(-x),
              1e-15);
  EXPECT_NEAR(at(Activation::soft_cap, 40.0, 30.0), 30.0 * std::tanh(40.0 / 30.0), 1e-14);
  EXPECT_THROW(at(Activation::soft_cap, 1.0, 0.0), Error);
}

TEST(Activations, AreAccurateInF32) {
  // A sweep through the range in which a small model lives, in units of the largest value near by.
  const std::int64_t count = 20000;
  const Tensor x = Tensor::empty({count}, DType::f32);
  for (std::int64_t j = 0; j < count; ++j) {
    x.data<float>()[j] = static_cast<float>(j - count / 2) * 2e-3f;
  }
  for (const Activation f : {Activation::sigmoid, Activation::silu, Activation::gelu,
                             Activation::tanh, Activation::log_sigmoid, Activation::selu}) {
    const Tensor narrow = Tensor::empty({count}, DType::f32);
    const Tensor wide = Tensor::empty({count}, DType::f64);
    activation_forward(f, x, narrow);
    activation_forward(f, x.to(DType::f64), wide);
    for (std::int64_t j = 0; j < count; ++j) {
      const double exact = wide.data<double>()[j];
      ASSERT_NEAR(narrow.data<float>()[j], exact, 1e-6 * std::max(1.0, std::abs(exact)))
          << name_of(f) << " at " << x.data<float>()[j];
    }
  }
}

TEST(Activations, ASigmoidNearZeroKeepsItsDigits) {
  std::vector<double> values;
  for (int j = 0; j <= 80; ++j) values.push_back(-j);
  const Tensor x = of({81}, values, DType::f32), y = Tensor::empty({81}, DType::f32);
  activation_forward(Activation::sigmoid, x, y);
  for (int j = 0; j <= 80; ++j) {
    const double exact = 1.0 / (1.0 + std::exp(-values[static_cast<std::size_t>(j)]));
    EXPECT_NEAR(y.data<float>()[j], exact, 5e-7 * exact) << "at " << -j;
  }
}

TEST(Activations, KeepNaNAndStayFiniteFarOut) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    // Long enough that both the vectorised and the single numbers are met.
    std::vector<double> values(37, kNaN);
    const Tensor nan = of({37}, values, dtype);
    for (std::size_t j = 0; j < values.size(); ++j) values[j] = j % 2 == 0 ? 300.0 : -300.0;
    const Tensor far = of({37}, values, dtype), one = Tensor::zeros({37}, dtype);
    const Tensor y = Tensor::empty({37}, dtype);
    for (int index = 0; index <= static_cast<int>(Activation::soft_cap); ++index) {
      const auto f = static_cast<Activation>(index);
      SCOPED_TRACE(name_of(f));
      activation_forward(f, nan, y, 2.0);
      const Tensor seen = y.to(DType::f64);
      for (const double value : seen.span<double>()) ASSERT_TRUE(std::isnan(value));
      if (f == Activation::exponential) continue;  // e^300 is no number of f32
      activation_forward(f, far, y, 2.0);
      EXPECT_TRUE(all_finite(y));
      const Tensor dx = Tensor::zeros({37}, dtype);
      activation_backward(f, far, far, dx, 2.0);
      EXPECT_TRUE(all_finite(dx));
    }
  }
}

/// out[i, j] = start[i, j] + sum_p a[i, p] b[p, j], in the plainest way.
Tensor plain_product(const Tensor& a, const Tensor& b, const Tensor& start, MatmulOptions options) {
  const std::int64_t m = start.extent(1), n = start.extent(2);
  const std::int64_t k = a.extent(options.transpose_a ? 1 : 2);
  const Tensor out = start.clone();
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = options.accumulate ? start.data<double>()[i * n + j] : 0.0;
      for (std::int64_t p = 0; p < k; ++p) {
        sum += a.data<double>()[options.transpose_a ? p * m + i : i * k + p] *
               b.data<double>()[options.transpose_b ? j * k + p : p * n + j];
      }
      out.data<double>()[i * n + j] = sum;
    }
  }
  return out;
}

TEST(Matmul, EqualsThePlainLoopAtEveryEdge) {
  for (const std::int64_t m : {1, 3, 4, 7, 13, 97}) {
    for (const std::int64_t n : {1, 3, 5, 8, 17, 32, 50}) {
      for (const std::int64_t k : {0, 1, 9, 256, 300}) {
        for (int way = 0; way < 8; ++way) {
          const MatmulOptions options{
              .transpose_a = way % 2 == 1, .transpose_b = way / 2 % 2 == 1, .accumulate = way > 3};
          const Tensor a = random(options.transpose_a ? Shape{1, k, m} : Shape{1, m, k});
          const Tensor b =
              random(options.transpose_b ? Shape{1, n, k} : Shape{1, k, n}, DType::f64, 2);
          const Tensor start = random({1, m, n}, DType::f64, 3);
          const Tensor exact = plain_product(a, b, start, options);
          for (const DType dtype : {DType::f32, DType::f64}) {
            const Tensor out = start.to(dtype);
            matmul(a.to(dtype), b.to(dtype), out, options);
            ASSERT_LT(largest_difference(out, exact), dtype == DType::f32 ? 2e-5 : 1e-13)
                << m << " x " << n << " x " << k << ", way " << way;
          }
        }
      }
    }
  }
}

TEST(Linear, FewRowsAgreeWithMany) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = random({9, 40}, dtype), w = random({70, 40}, dtype), b = random({70}, dtype);
    const Tensor all = Tensor::empty({9, 70}, dtype), one = Tensor::empty({1, 70}, dtype);
    linear_forward(x, w, b, all);
    for (std::int64_t n = 0; n < 9; ++n) {
      linear_forward(x.slice(n, n + 1), w, b, one);
      EXPECT_LT(largest_difference(all.slice(n, n + 1), one), dtype == DType::f32 ? 1e-5 : 1e-14);
    }
  }
}

TEST(Linear, EmptyBatchesPass) {
  const Tensor x = Tensor::zeros({0, 3}, DType::f32), w = random({4, 3}, DType::f32);
  const Tensor y = Tensor::zeros({0, 4}, DType::f32), dw = Tensor::zeros({4, 3}, DType::f32);
  linear_forward(x, w, Tensor(), y);
  linear_backward(x, w, y, Tensor(), dw, Tensor());
  EXPECT_EQ(largest_difference(dw, Tensor::zeros({4, 3}, DType::f32)), 0.0);
}

TEST(Norm, MakesMeanZeroAndVarianceOne) {
  const Tensor x = random({5, 64}, DType::f32), y = Tensor::empty({5, 64}, DType::f32);
  const Tensor mean = Tensor::empty({5, 2}, DType::f32), rstd = Tensor::empty({5, 2}, DType::f32);
  norm_forward({.groups = 2}, x, Tensor(), y, mean, rstd);
  for (int slice = 0; slice < 10; ++slice) {
    double sum = 0.0, squares = 0.0;
    for (int j = 0; j < 32; ++j) {
      const double value = y.data<float>()[slice * 32 + j];
      sum += value;
      squares += value * value;
    }
    EXPECT_NEAR(sum / 32, 0.0, 1e-6);
    EXPECT_NEAR(squares / 32, 1.0, 1e-3);
  }
  norm_forward({.kind = NormKind::rms, .groups = 2}, x, Tensor(), y, mean, rstd);
  EXPECT_EQ(largest_difference(mean, Tensor::zeros({5, 2}, DType::f32)), 0.0);
}

TEST(Norm, AConstantRowGivesZeroAndFiniteGradients) {
  const Tensor x = of({1, 8}, std::vector<double>(8, 3.0), DType::f32);
  const Tensor y = Tensor::empty({1, 8}, DType::f32), dx = Tensor::zeros({1, 8}, DType::f32);
  const Tensor mean = Tensor::empty({1, 1}, DType::f32), rstd = Tensor::empty({1, 1}, DType::f32);
  norm_forward({}, x, Tensor(), y, mean, rstd);
  EXPECT_EQ(largest_difference(y, dx), 0.0);
  norm_backward({}, x, Tensor(), mean, rstd, random({1, 8}, DType::f32), dx, Tensor());
  EXPECT_TRUE(all_finite(dx));
}

TEST(Embed, RefusesIdsOutsideTheTable) {
  const Tensor table = random({4, 3}), out = random({2, 3});
  expect_sentence([&] { embed_forward(ids({1, 4}), table, out); }, {"id 4", "position 1", "4"});
  expect_sentence([&] { embed_forward(ids({-1, 0}), table, out); }, {"id -1", "position 0"});
  expect_sentence([&] { embed_backward(ids({0, 9}), out, table); }, {"id 9", "position 1"});
  embed_forward(ids({3, 0}), table, out);
  EXPECT_EQ(largest_difference(out.slice(0, 1), table.slice(3, 4)), 0.0);
  EXPECT_EQ(largest_difference(out.slice(1, 2), table.slice(0, 1)), 0.0);
}

TEST(Conv1d, CarryingTheWindowEqualsOnePass) {
  const std::int64_t batch = 2, time = 7, features = 5, taps = 4;
  const Tensor x = random({batch, time, features}), w = random({features, taps});
  const Tensor b = random({features}, DType::f64, 3);
  const Tensor whole = Tensor::empty(x.shape(), DType::f64);
  const Tensor end = Tensor::empty({batch, taps, features}, DType::f64);
  conv1d_forward(x, Tensor(), w, b, whole, end);
  // Pieces longer and shorter than the window, and single steps.
  for (const std::vector<std::int64_t>& lengths :
       {std::vector<std::int64_t>{5, 2}, {1, 1, 1, 1, 1, 1, 1}, {2, 1, 4}}) {
    Tensor window;
    std::int64_t begin = 0;
    for (const std::int64_t length : lengths) {
      const Tensor piece = Tensor::empty({batch, length, features}, DType::f64);
      const Tensor expected = Tensor::empty({batch, length, features}, DType::f64);
      for (std::int64_t n = 0; n < batch; ++n) {
        const auto part = [&](const Tensor& t) {
          return t.slice(n, n + 1).reshape({time, features}).slice(begin, begin + length);
        };
        const auto row = [&](const Tensor& t) {
          return t.slice(n, n + 1).reshape({length, features});
        };
        row(piece).copy_from(part(x));
        row(expected).copy_from(part(whole));
      }
      const Tensor y = Tensor::empty(piece.shape(), DType::f64);
      const Tensor next = Tensor::empty({batch, taps, features}, DType::f64);
      conv1d_forward(piece, window, w, b, y, next);
      EXPECT_LT(largest_difference(y, expected), 1e-14);
      window = next;
      begin += length;
    }
    EXPECT_EQ(largest_difference(window, end), 0.0);
  }
  EXPECT_THROW(conv1d_forward(x, end, w, b, whole, end), Error);
}

TEST(CrossEntropy, MatchesTheFormulaAndCountsHits) {
  const Tensor logits = of({3, 3}, {1, 2, 3, 0, 5, 0, 4, 4, 1});
  const Tensor targets = ids({2, 0, 0});
  const Tensor rows = Tensor::empty({3}, DType::f64), gradient = Tensor::empty({3, 3}, DType::f64);
  const CrossEntropy result = cross_entropy(logits, targets, gradient, rows);
  const auto loss_of = [](double a, double b, double c, double aimed) {
    return std::log(std::exp(a) + std::exp(b) + std::exp(c)) - aimed;
  };
  const double expected[] = {loss_of(1, 2, 3, 3), loss_of(0, 5, 0, 0), loss_of(4, 4, 1, 4)};
  for (int n = 0; n < 3; ++n) EXPECT_NEAR(rows.data<double>()[n], expected[n], 1e-14);
  EXPECT_NEAR(result.loss, (expected[0] + expected[1] + expected[2]) / 3, 1e-14);
  EXPECT_EQ(result.counted, 3);
  // The third row is a tie, which its first member wins.
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(cross_entropy(logits, ids({2, 0, 1}), Tensor(), Tensor()).correct, 1);
  EXPECT_EQ(cross_entropy(logits, targets, Tensor(), Tensor()).loss, result.loss);
}

TEST(CrossEntropy, IgnoresNegativeTargets) {
  const Tensor logits = random({4, 5}), gradient = random({4, 5}), rows = random({4});
  const CrossEntropy some = cross_entropy(logits, ids({1, -1, 3, -100}), gradient, rows);
  EXPECT_EQ(some.counted, 2);
  EXPECT_EQ(rows.data<double>()[1], 0.0);
  EXPECT_EQ(largest_difference(gradient.slice(1, 2), Tensor::zeros({1, 5}, DType::f64)), 0.0);
  EXPECT_EQ(largest_difference(gradient.slice(3, 4), Tensor::zeros({1, 5}, DType::f64)), 0.0);
  EXPECT_NEAR(some.loss, (rows.data<double>()[0] + rows.data<double>()[2]) / 2, 1e-15);

  const CrossEntropy none = cross_entropy(logits, ids({-1, -1, -1, -1}), gradient, rows);
  EXPECT_EQ(none.counted, 0);
  EXPECT_EQ(none.loss, 0.0);
  EXPECT_EQ(largest_difference(gradient, Tensor::zeros({4, 5}, DType::f64)), 0.0);
  expect_sentence(
      [&] {
        cross_entropy(logits, ids({1, 5, 0, 0}), gradient, rows);
      },
      {"target 5", "position 1", "5 classes"});
}

TEST(CrossEntropy, SurvivesHugeLogitsAndShowsNaN) {
  const Tensor logits = of({2, 3}, {1e30, 0, -1e30, -3e38, -3e38, -3e38}, DType::f32);
  const Tensor gradient = Tensor::empty({2, 3}, DType::f32);
  const CrossEntropy result = cross_entropy(logits, ids({0, 1}), gradient, Tensor());
  EXPECT_NEAR(result.loss, std::log(3.0) / 2, 1e-6);
  EXPECT_TRUE(all_finite(gradient));
  logits.data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(cross_entropy(logits, ids({0, 1}), gradient, Tensor()).loss));
}

TEST(Softmax, SumsToOneAndObeysTheTemperature) {
  const Tensor logits = of({1, 3}, {1, 2, 4}), p = Tensor::empty({1, 3}, DType::f64);
  softmax(logits, p, 0.5);
  const double sum = std::exp(2.0) + std::exp(4.0) + std::exp(8.0);
  EXPECT_NEAR(p.data<double>()[0], std::exp(2.0) / sum, 1e-15);
  EXPECT_NEAR(p.data<double>()[2], std::exp(8.0) / sum, 1e-15);
  softmax(logits, logits, 0.5);
  EXPECT_EQ(largest_difference(logits, p), 0.0);
  EXPECT_THROW(softmax(logits, p, 0.0), Error);
}

TEST(AdamW, MatchesAComputationByHand) {
  const Tensor p = of({3}, {1.0, -2.0, 0.5}), g = of({3}, {0.4, -0.2, 1.0});
  const Tensor m = of({3}, {0.1, 0.0, -0.3}), v = of({3}, {0.01, 0.0, 0.2});
  const AdamWOptions options{.learning_rate = 0.1,
                             .beta1 = 0.9,
                             .beta2 = 0.95,
                             .eps = 1e-6,
                             .gradient_scale = 0.5,
                             .step = 3};
  const double decay[] = {0.2, 0.2, 0.0};
  double expected[3];
  for (int j = 0; j < 3; ++j) {
    const double gradient = 0.5 * g.data<double>()[j];
    const double first = 0.9 * m.data<double>()[j] + 0.1 * gradient;
    const double second = 0.95 * v.data<double>()[j] + 0.05 * gradient * gradient;
    const double kept = p.data<double>()[j] * (1 - 0.1 * decay[j]);
    expected[j] = kept - 0.1 / (1 - std::pow(0.9, 3)) * first /
                             (std::sqrt(second) / std::sqrt(1 - std::pow(0.95, 3)) + 1e-6);
  }
  adamw_step(options, {{0, 2, 0.2}, {2, 3, 0.0}}, p, g, m, v);
  for (int j = 0; j < 3; ++j) EXPECT_NEAR(p.data<double>()[j], expected[j], 1e-15);
  EXPECT_NEAR(m.data<double>()[0], 0.9 * 0.1 + 0.1 * 0.2, 1e-16);
}

TEST(AdamW, RangesAndThreadsChangeNothing) {
  const std::int64_t size = 100003;
  const auto train = [&](int count, const std::vector<DecayRange>& ranges) {
    set_threads(count);
    const Tensor p = random({size}, DType::f32), g = random({size}, DType::f32, 2);
    const Tensor m = Tensor::zeros({size}, DType::f32), v = Tensor::zeros({size}, DType::f32);
    for (std::int64_t step = 1; step <= 3; ++step) adamw_step({.step = step}, ranges, p, g, m, v);
    set_threads(0);
    return p;
  };
  const Tensor plain = train(1, {{0, size, 0.1}});
  const Tensor cut = train(3, {{0, 64, 0.1}, {64, 64, 0.1}, {64, 50000, 0.1}, {50000, size, 0.1}});
  EXPECT_LT(largest_difference(plain, cut), 1e-6);
  EXPECT_EQ(largest_difference(plain, train(2, {{0, size, 0.1}})), 0.0);
}

TEST(AdamW, RefusesGapsAndWrongCounts) {
  const Tensor t = random({4});
  expect_sentence([&] { adamw_step({}, {{0, 2, 0}, {3, 4, 0}}, t, t, t, t); }, {"[3, 4)", "2"});
  expect_sentence([&] { adamw_step({}, {{0, 3, 0}}, t, t, t, t); }, {"3 of 4"});
  expect_sentence([&] { adamw_step({.step = 0}, {{0, 4, 0}}, t, t, t, t); }, {"from 1"});
  expect_sentence([&] { adamw_step({}, {{0, 4, 0}}, t, random({5}), t, t); }, {"(5)", "(4)"});
}

TEST(GradientNorm, IsTheLengthOnAnyNumberOfThreads) {
  EXPECT_NEAR(gradient_norm(of({2}, {3, 4}, DType::f32)), 5.0, 1e-12);
  const Tensor g = random({300000}, DType::f32);
  double squares = 0.0;
  for (const float value : g.span<float>()) squares += double{value} * double{value};
  set_threads(1);
  const double alone = gradient_norm(g);
  set_threads(3);
  EXPECT_EQ(gradient_norm(g), alone);
  set_threads(0);
  EXPECT_NEAR(alone, std::sqrt(squares), 1e-9);
}

TEST(AllFinite, FindsOneBadNumberAnywhere) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const double bad : {kNaN, kInfinity, -kInfinity}) {
      for (const std::int64_t at : {0, 17, 69999}) {
        const Tensor x = random({70000}, dtype);
        ASSERT_TRUE(all_finite(x));
        x.slice(at, at + 1).copy_from(of({1}, {bad}, dtype));
        ASSERT_FALSE(all_finite(x));
      }
    }
  }
}

}  // namespace
}  // namespace xlab::tests
