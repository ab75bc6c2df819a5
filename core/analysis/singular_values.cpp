// One-sided Jacobi rotations.
#include "core/analysis/singular_values.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace xlab {
namespace {

/// Two vectors are orthogonal when their cosine is below this: an error of its square in σ.
constexpr double kOrthogonal = 1e-8;
/// Below this share of the largest a vector is rounding.
constexpr double kOnlyRounding = 1e-14;
/// Far more than any matrix needs.
constexpr int kMostSweeps = 60;

double product_sum(const double* a, const double* b, std::size_t size) {
  // Four sums, so that they can be made side by side; their order is fixed.
  double sums[4] = {0.0, 0.0, 0.0, 0.0};
  std::size_t i = 0;
  for (; i + 4 <= size; i += 4)
    for (std::size_t part = 0; part < 4; ++part) sums[part] += a[i + part] * b[i + part];
  for (; i < size; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

SingularValues::SingularValues(std::span<const float> matrix, int rows, int columns) {
  const auto R = static_cast<std::size_t>(std::max(rows, 0)),
             C = static_cast<std::size_t>(std::max(columns, 0));
  if (matrix.size() != R * C || matrix.empty()) return;
  broken_ = !std::all_of(matrix.begin(), matrix.end(), [](float x) { return std::isfinite(x); });
  count_ = std::min(R, C);
  length_ = std::max(R, C);
  if (broken_) return;
  // Divided by the largest of its numbers, so that no square is too large or too small.
  for (const float x : matrix) largest_ = std::max(largest_, std::abs(static_cast<double>(x)));
  const double scale = largest_ > 0.0 ? 1.0 / largest_ : 1.0;
  vectors_.reserve(matrix.size());
  for (std::size_t i = 0; i < count_; ++i)
    for (std::size_t j = 0; j < length_; ++j)
      vectors_.push_back(scale *
                         static_cast<double>(R <= C ? matrix[i * C + j] : matrix[j * C + i]));
  done_ = false;
  begin_sweep();
}

/// Squares are made anew, so that errors do not add up.
void SingularValues::begin_sweep() {
  squares_.resize(count_);
  for (std::size_t i = 0; i < count_; ++i) squares_[i] = product_sum(vector(i), vector(i), length_);
  nothing_ = kOnlyRounding * kOnlyRounding * *std::max_element(squares_.begin(), squares_.end());
  p_ = 0;
  q_ = 1;
  turned_ = false;
  if (count_ < 2 || ++sweeps_ > kMostSweeps) done_ = true;
}

void SingularValues::rotate(std::size_t p, std::size_t q) {
  const double a = squares_[p], b = squares_[q];
  if (a <= nothing_ || b <= nothing_) return;
  const double together = product_sum(vector(p), vector(q), length_);
  spent_ += static_cast<double>(length_);
  if (!(std::abs(together) > kOrthogonal * std::sqrt(a) * std::sqrt(b))) return;
  turned_ = true;
  const double half = (b - a) / (2.0 * together);
  const double tangent = std::copysign(1.0, half) / (std::abs(half) + std::hypot(1.0, half));
  const double cosine = 1.0 / std::hypot(1.0, tangent), sine = cosine * tangent;
  double *x = vector(p), *y = vector(q);
  for (std::size_t i = 0; i < length_; ++i) {
    const double before = x[i];
    x[i] = cosine * before - sine * y[i];
    y[i] = sine * before + cosine * y[i];
  }
  squares_[p] = std::max(a - tangent * together, 0.0);
  squares_[q] = std::max(b + tangent * together, 0.0);
  spent_ += 4.0 * static_cast<double>(length_);
}

bool SingularValues::go_on(double products) {
  spent_ = 0.0;
  while (!done_) {
    rotate(p_, q_);
    spent_ += 1.0;
    if (++q_ == count_) q_ = ++p_ + 1;
    if (q_ >= count_) {
      const bool turned = turned_;
      begin_sweep();
      if (!turned) done_ = true;
    }
    if (spent_ >= products) break;
  }
  return done_;
}

std::vector<double> SingularValues::values() const {
  if (broken_) return {};
  std::vector<double> values;
  values.reserve(count_);
  for (const double square : squares_) values.push_back(std::sqrt(std::max(square, 0.0)));
  std::sort(values.begin(), values.end(), std::greater<>());
  const double least = values.empty() ? 0.0 : kOnlyRounding * values.front();
  for (double& value : values) value = value > least ? value * largest_ : 0.0;
  return values;
}

std::vector<double> singular_values(std::span<const float> matrix, int rows, int columns) {
  SingularValues all(matrix, rows, columns);
  all.go_on(std::numeric_limits<double>::infinity());
  return all.values();
}

double participation_ratio(std::span<const double> singular) {
  if (singular.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double largest = *std::max_element(singular.begin(), singular.end());
  if (largest <= 0.0) return 0.0;
  double squares = 0.0, fourth = 0.0;
  for (const double one : singular) {
    const double square = (one / largest) * (one / largest);
    squares += square;
    fourth += square * square;
  }
  return squares * squares / fourth;
}

}  // namespace xlab
