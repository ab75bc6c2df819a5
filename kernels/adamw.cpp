// The AdamW update in one pass over memory, and checks of whole gradients.
#include "kernels/adamw.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/adamw_cuda.hpp"
#include "kernels/arrays.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// Seven streams of memory and a root per number.
constexpr std::int64_t kGrain = kPlainGrain / 4;

void check_ranges(const char* op, const std::vector<DecayRange>& ranges, std::int64_t size) {
  std::int64_t covered = 0;
  for (const DecayRange& range : ranges) {
    check(range.begin == covered && range.end >= range.begin,
          "[{}] the range [{}, {}) must begin where the one before it ended, at {}.", op,
          range.begin, range.end, covered);
    covered = range.end;
  }
  check(covered == size, "[{}] the ranges cover {} of {} parameters.", op, covered, size);
}

/// The update of one number, with all factors that do not depend on it at hand.
template <typename T>
struct Update {
  T beta1, beta2, rest1, rest2, eps, gradient_scale, step, root_correction;

  explicit Update(const cuda::AdamWNumbers& n) {
    beta1 = static_cast<T>(n.beta1);
    beta2 = static_cast<T>(n.beta2);
    rest1 = static_cast<T>(1.0 - n.beta1);
    rest2 = static_cast<T>(1.0 - n.beta2);
    eps = static_cast<T>(n.eps);
    gradient_scale = static_cast<T>(n.gradient_scale);
    step = static_cast<T>(n.learning_rate / n.correction1);
    root_correction = static_cast<T>(1.0 / std::sqrt(n.correction2));
  }

  /// `keep` is 1 - learning rate * weight decay.
  void apply(T keep, const ConstValues<T>& gradient, Values<T> p, Values<T> m, Values<T> v) const {
    const Block<T> g = gradient * gradient_scale;
    m = m * beta1 + g * rest1;
    v = v * beta2 + g.square() * rest2;
    p = p * keep - step * m / (v.sqrt() * root_correction + eps);
  }
};

/// The tensors of an update, of one length.
struct Blocks {
  const Tensor &parameters, &gradients, &first_moment, &second_moment;
};

std::int64_t checked_size(const char* op, const Blocks& blocks,
                          const std::vector<DecayRange>& ranges) {
  const Tensor& parameters = blocks.parameters;
  check(parameters.defined() && parameters.rank() == 1,
        "[{}] needs parameters of one axis, but they have shape {}.", op, parameters.shape());
  const std::int64_t size = parameters.elements();
  require(op, "gradients", blocks.gradients, {size}, parameters.dtype());
  require(op, "first_moment", blocks.first_moment, {size}, parameters.dtype());
  require(op, "second_moment", blocks.second_moment, {size}, parameters.dtype());
  check_ranges(op, ranges, size);
  return size;
}

/// Never inlined, so that both ways to update are the same code.
template <typename T>
[[gnu::noinline]] void update_all(const cuda::AdamWNumbers& numbers,
                                  const std::vector<DecayRange>& ranges, const Blocks& blocks) {
  const Update<T> update(numbers);
  const T* g = blocks.gradients.data<T>();
  T *p = blocks.parameters.data<T>(), *m = blocks.first_moment.data<T>(),
    *v = blocks.second_moment.data<T>();
  for_ranges(blocks.parameters.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto range = std::upper_bound(
        ranges.begin(), ranges.end(), begin,
        [](std::int64_t at, const DecayRange& candidate) { return at < candidate.end; });
    for (std::int64_t at = begin; at < end;) {
      while (range->end <= at) ++range;
      const std::int64_t length = std::min({kBlock, end - at, range->end - at});
      const T keep = static_cast<T>(1.0 - numbers.learning_rate * range->weight_decay);
      update.apply(keep, {g + at, length}, {p + at, length}, {m + at, length}, {v + at, length});
      at += length;
    }
  });
}

/// Calls `body` with the ranges that are not empty, as many at a time as fit; neighbours of one
/// weight decay count as one.
template <typename Body>
void for_tables(const std::vector<DecayRange>& ranges, Body&& body) {
  cuda::DecayTable table;
  for (const DecayRange& range : ranges) {
    if (range.begin == range.end) continue;
    const int last = table.count - 1;
    if (last >= 0 && table.weight_decay[last] == range.weight_decay) {
      table.end[last] = range.end;
      continue;
    }
    if (table.count == cuda::DecayTable::kMost) {
      body(table);
      table.count = 0;
    }
    if (table.count == 0) table.begin = range.begin;
    table.end[table.count] = range.end;
    table.weight_decay[table.count++] = range.weight_decay;
  }
  if (table.count > 0) body(table);
}

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
  const Blocks blocks{parameters, gradients, first_moment, second_moment};
  checked_size(op, blocks, ranges);
  check(options.step >= 1, "[{}] Updates are counted from 1, not from {}.", op, options.step);
  const cuda::AdamWNumbers numbers{options.learning_rate,
                                   1.0 - std::pow(options.beta1, static_cast<double>(options.step)),
                                   1.0 - std::pow(options.beta2, static_cast<double>(options.step)),
                                   options.beta1,
                                   options.beta2,
                                   options.eps,
                                   options.gradient_scale};
  visit_float(parameters, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, parameters, gradients, first_moment, second_moment))
        return for_tables(ranges, [&](const cuda::DecayTable& table) {
          cuda::adamw_step<T>(numbers, table, parameters.data<T>(), gradients.data<T>(),
                              first_moment.data<T>(), second_moment.data<T>());
        });
    }
    update_all<T>(numbers, ranges, blocks);
  });
}

void adamw_step_guarded(const GuardedUpdate& update) {
  constexpr const char* op = "adamw_step_guarded";
  const Tensor &parameters = update.parameters, &gradients = update.gradients,
               &first_moment = update.first_moment, &second_moment = update.second_moment,
               &previous = update.previous;
  const Blocks blocks{parameters, gradients, first_moment, second_moment};
  const std::int64_t size = checked_size(op, blocks, update.ranges);
  require(op, "previous", previous, {size}, parameters.dtype());
  require(op, "numbers", update.numbers, {3}, DType::f64);
  require(op, "loss_sums", update.loss_sums, {3}, DType::f64);
  require(op, "squared_norm", update.squared_norm, {1}, DType::f64);
  require(op, "outcome", update.outcome, {2}, DType::f64);
  const cuda::Guard guard{update.numbers.data<double>(),
                          update.loss_sums.data<double>(),
                          update.squared_norm.data<double>(),
                          update.outcome.data<double>(),
                          update.beta1,
                          update.beta2,
                          update.eps,
                          update.gradient_clip,
                          update.largest_gradient};
  visit_float(parameters, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, parameters, gradients, first_moment, second_moment, previous, update.numbers,
                  update.loss_sums, update.squared_norm, update.outcome)) {
        cuda::judge_gradients(guard);
        for_tables(update.ranges, [&](const cuda::DecayTable& table) {
          cuda::adamw_step_guarded<T>(guard, table, parameters.data<T>(), gradients.data<T>(),
                                      first_moment.data<T>(), second_moment.data<T>(),
                                      previous.data<T>());
        });
        cuda::take_back<T>(guard, size, parameters.data<T>(), first_moment.data<T>(),
                           second_moment.data<T>(), previous.data<T>());
        return;
      }
    }
    double &norm = guard.outcome[0], &counts = guard.outcome[1];
    norm = counts = 0.0;
    const double counted = guard.loss_sums[1];
    if (!std::isfinite(counted == 0.0 ? 0.0 : guard.loss_sums[0] / counted)) return;
    norm = std::sqrt(*guard.squared_norm);
    const double clip = update.gradient_clip;
    const double scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0;
    if (!(norm * scale <= update.largest_gradient)) return;
    previous.copy_from(parameters);
    update_all<T>({guard.numbers[0], guard.numbers[1], guard.numbers[2], update.beta1, update.beta2,
                   update.eps, scale},
                  update.ranges, blocks);
    if (all_finite(parameters)) {
      counts = 1.0;
      return;
    }
    parameters.copy_from(previous);
    first_moment.fill_zero();
    second_moment.fill_zero();
  });
}

void squared_norm(const Tensor& gradients, const Tensor& out) {
  constexpr const char* op = "squared_norm";
  check(gradients.defined(), "[{}] needs gradients, but they are missing.", op);
  require(op, "out", out, {1}, DType::f64);
  visit_float(gradients, [&](auto zero) {
    using T = decltype(zero);
    const T* g = gradients.data<T>();
    if constexpr (kHasCuda) {
      if (on_cuda(op, gradients, out))
        return cuda::sum_of_squares<T>(gradients.elements(), g, out.data<double>());
    }
    out.data<double>()[0] =
        sum_of_pieces(gradients.elements(), [&](std::int64_t begin, std::int64_t end) {
          return ConstValues<T>(g + begin, end - begin).template cast<double>().square().sum();
        });
  });
}

double gradient_norm(const Tensor& gradients) {
  check(gradients.defined(), "[gradient_norm] needs gradients, but they are missing.");
  const Tensor squares = Tensor::empty({1}, DType::f64, gradients.device());
  squared_norm(gradients, squares);
  return std::sqrt(squares.to(Device::cpu()).data<double>()[0]);
}

bool all_finite(const Tensor& x) {
  check(x.defined(), "[all_finite] needs a tensor, but it is missing.");
  return visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    const T* values = x.data<T>();
    if constexpr (kHasCuda) {
      if (on_cuda("all_finite", x)) {
        const Tensor sum = Tensor::empty({1}, DType::f64, x.device());
        cuda::sum_of_zeros<T>(x.elements(), values, sum.data<double>());
        return sum.to(Device::cpu()).template data<double>()[0] == 0.0;
      }
    }
    // 0 times a finite number is 0; infinities and NaN make the sum NaN.
    return sum_of_pieces(x.elements(), [&](std::int64_t begin, std::int64_t end) {
             return static_cast<double>((ConstValues<T>(values + begin, end - begin) * T(0)).sum());
           }) == 0.0;
  });
}

}  // namespace xlab::kernels
