// The AdamW update in one pass over memory, and checks of whole gradients.
#include "kernels/adamw.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/arrays.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// Seven streams of memory and a root per number.
constexpr std::int64_t kGrain = kPlainGrain / 4;

void check_ranges(const std::vector<DecayRange>& ranges, std::int64_t size) {
  std::int64_t covered = 0;
  for (const DecayRange& range : ranges) {
    check(range.begin == covered && range.end >= range.begin,
          "[adamw_step] the range [{}, {}) must begin where the one before it ended, at {}.",
          range.begin, range.end, covered);
    covered = range.end;
  }
  check(covered == size, "[adamw_step] the ranges cover {} of {} parameters.", covered, size);
}

/// The update of one number, with all factors that do not depend on it at hand.
template <typename T>
struct Update {
  T beta1, beta2, rest1, rest2, eps, gradient_scale, step, root_correction;

  explicit Update(const AdamWOptions& o) {
    const double correction1 = 1.0 - std::pow(o.beta1, static_cast<double>(o.step));
    const double correction2 = 1.0 - std::pow(o.beta2, static_cast<double>(o.step));
    beta1 = static_cast<T>(o.beta1);
    beta2 = static_cast<T>(o.beta2);
    rest1 = static_cast<T>(1.0 - o.beta1);
    rest2 = static_cast<T>(1.0 - o.beta2);
    eps = static_cast<T>(o.eps);
    gradient_scale = static_cast<T>(o.gradient_scale);
    step = static_cast<T>(o.learning_rate / correction1);
    root_correction = static_cast<T>(1.0 / std::sqrt(correction2));
  }

  /// `keep` is 1 - learning rate * weight decay.
  void apply(T keep, const ConstValues<T>& gradient, Values<T> p, Values<T> m, Values<T> v) const {
    const Block<T> g = gradient * gradient_scale;
    m = m * beta1 + g * rest1;
    v = v * beta2 + g.square() * rest2;
    p = p * keep - step * m / (v.sqrt() * root_correction + eps);
  }
};

/// The sum of `term(begin, end)` over fixed pieces, added in order.
template <typename Term>
double sum_of_pieces(std::int64_t size, Term&& term) {
  double sum = 0.0;
  sum_over_rows(size, kPlainGrain, 1, &sum, [&](std::int64_t begin, std::int64_t end, double* out) {
    *out += term(begin, end);
  });
  return sum;
}

}  // namespace

void adamw_step(const AdamWOptions& options, const std::vector<DecayRange>& ranges,
                const Tensor& parameters, const Tensor& gradients, const Tensor& first_moment,
                const Tensor& second_moment) {
  constexpr const char* op = "adamw_step";
  check(parameters.defined() && parameters.rank() == 1,
        "[{}] needs parameters of one axis, but they have shape {}.", op, parameters.shape());
  require_cpu(op, parameters);
  const std::int64_t size = parameters.elements();
  require(op, "gradients", gradients, {size}, parameters.dtype());
  require(op, "first_moment", first_moment, {size}, parameters.dtype());
  require(op, "second_moment", second_moment, {size}, parameters.dtype());
  check(options.step >= 1, "[{}] Updates are counted from 1, not from {}.", op, options.step);
  check_ranges(ranges, size);
  visit_float(parameters, [&](auto zero) {
    using T = decltype(zero);
    const Update<T> update(options);
    const T* g = gradients.data<T>();
    T *p = parameters.data<T>(), *m = first_moment.data<T>(), *v = second_moment.data<T>();
    for_ranges(size, kGrain, [&](std::int64_t begin, std::int64_t end) {
      auto range = std::upper_bound(
          ranges.begin(), ranges.end(), begin,
          [](std::int64_t at, const DecayRange& candidate) { return at < candidate.end; });
      for (std::int64_t at = begin; at < end;) {
        while (range->end <= at) ++range;
        const std::int64_t length = std::min({kBlock, end - at, range->end - at});
        const T keep = static_cast<T>(1.0 - options.learning_rate * range->weight_decay);
        update.apply(keep, {g + at, length}, {p + at, length}, {m + at, length}, {v + at, length});
        at += length;
      }
    });
  });
}

double gradient_norm(const Tensor& gradients) {
  check(gradients.defined(), "[gradient_norm] needs gradients, but they are missing.");
  require_cpu("gradient_norm", gradients);
  return visit_float(gradients, [&](auto zero) {
    using T = decltype(zero);
    const T* g = gradients.data<T>();
    return std::sqrt(sum_of_pieces(gradients.elements(), [&](std::int64_t begin, std::int64_t end) {
      return ConstValues<T>(g + begin, end - begin).template cast<double>().square().sum();
    }));
  });
}

bool all_finite(const Tensor& x) {
  check(x.defined(), "[all_finite] needs a tensor, but it is missing.");
  require_cpu("all_finite", x);
  return visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const T* values = x.data<T>();
    // 0 times a finite number is 0; infinities and NaN make the sum NaN.
    return sum_of_pieces(x.elements(), [&](std::int64_t begin, std::int64_t end) {
             return static_cast<double>((ConstValues<T>(values + begin, end - begin) * T(0)).sum());
           }) == 0.0;
  });
}

}  // namespace xlab::kernels
