// Softmax and cross-entropy, row by row.
#include "kernels/loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/arrays.hpp"
#include "kernels/loss_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

std::int64_t rows_of_classes(const char* op, const Tensor& logits) {
  const std::int64_t rows = rows_of(op, "logits", logits);
  check(logits.extent(-1) > 0, "[{}] logits of shape {} have no classes.", op, logits.shape());
  return rows;
}

/// sum_j exp((x[j] - largest) * sharpness), stored into `out` (may be null, may be x). Always in
/// the same pieces, so that storing changes no bit.
template <typename T>
T sum_of_exponentials(const T* x, std::int64_t width, T largest, T sharpness, T* out) {
  T sum = 0;
  for (std::int64_t at = 0; at < width; at += kBlock) {
    const std::int64_t length = std::min(kBlock, width - at);
    const Block<T> e = ((ConstValues<T>(x + at, length) - largest) * sharpness).exp();
    sum += e.sum();
    if (out != nullptr) Values<T>(out + at, length) = e;
  }
  return sum;
}

void check_targets(const char* op, const Tensor& targets, std::int64_t rows) {
  check(targets.defined(), "[{}] needs targets, but they are missing.", op);
  require_dtype(op, "targets", targets, DType::i32);
  check(targets.elements() == rows, "[{}] targets has shape {}, but there are {} rows of logits.",
        op, targets.shape(), rows);
}

/// How many targets count. Throws when one is not a class.
std::int64_t checked_count(const char* op, const Tensor& targets, std::int64_t classes) {
  std::int64_t counted = 0, position = 0;
  for (const std::int32_t target : targets.span<std::int32_t>()) {
    check(target < classes, "[{}] target {} at position {} is not one of the {} classes.", op,
          target, position, classes);
    if (target >= 0) ++counted;
    ++position;
  }
  return counted;
}

/// What the rows have to say: their cross-entropies, and whether the target has the largest logit.
struct RowLosses {
  Tensor exact, hit;

  RowLosses(std::int64_t rows, Device device)
      : exact(Tensor::empty({rows}, DType::f64, device)),
        hit(Tensor::empty({rows}, DType::i32, device)) {}
};

/// Fills `out` and, where they are there, `dlogits` (times `factor`) and `row_loss`. A row whose
/// target is not a class gives NaN.
template <typename T>
void losses_of_rows(const Tensor& logits, const Tensor& targets, double factor,
                    const Tensor& dlogits, const Tensor& row_loss, const RowLosses& out) {
  const std::int64_t width = logits.extent(-1), rows = out.exact.elements();
  const T* xs = logits.data<T>();
  const std::int32_t* target = targets.data<std::int32_t>();
  double* exact = out.exact.data<double>();
  std::int32_t* hit = out.hit.data<std::int32_t>();
  T *gradients = data_or_null<T>(dlogits), *losses = data_or_null<T>(row_loss);
  const T weight = static_cast<T>(factor);
  for_ranges(rows, rows_per_chunk(kExpGrain, width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const T* x = xs + n * width;
      T* gradient = gradients == nullptr ? nullptr : gradients + n * width;
      hit[n] = 0;
      if (target[n] < 0 || target[n] >= width) {
        constexpr T nan = std::numeric_limits<T>::quiet_NaN();
        const T nothing = target[n] < 0 ? T(0) : nan;
        exact[n] = nothing;
        if (gradient != nullptr) std::fill_n(gradient, width, nothing);
      } else {
        const T largest = ConstValues<T>(x, width).maxCoeff();
        const T sum = sum_of_exponentials(x, width, largest, T(1), gradient);
        const T aimed = x[target[n]];
        exact[n] = std::log(static_cast<double>(sum)) - (static_cast<double>(aimed) - largest);
        hit[n] = aimed == largest && std::find(x, x + target[n], largest) == x + target[n];
        if (gradient != nullptr) {
          Values<T>(gradient, width) *= weight / sum;
          gradient[target[n]] -= weight;
        }
      }
      if (losses != nullptr) losses[n] = static_cast<T>(exact[n]);
    }
  });
}

/// As above on a card, and then their sums: cross-entropies, targets that count, correct ones.
template <typename T>
void losses_on_cuda(const Tensor& logits, const Tensor& targets, const Tensor& factor,
                    const Tensor& dlogits, const Tensor& row_loss, const Tensor& sums) {
  const std::int64_t width = logits.extent(-1), rows = targets.elements();
  const RowLosses each(rows, logits.device());
  const std::int32_t* target = targets.data<std::int32_t>();
  cuda::cross_entropy_rows<T>(rows, width, logits.data<T>(), target, factor.data<double>(),
                              data_or_null<T>(dlogits), data_or_null<T>(row_loss),
                              each.exact.data<double>(), each.hit.data<std::int32_t>());
  cuda::sum_cross_entropy(rows, width, target, each.exact.data<double>(),
                          each.hit.data<std::int32_t>(), sums.data<double>());
}

}  // namespace

void softmax(const Tensor& logits, const Tensor& p, double temperature) {
  constexpr const char* op = "softmax";
  const std::int64_t rows = rows_of_classes(op, logits);
  const std::int64_t width = logits.extent(-1);
  require(op, "p", p, logits.shape(), logits.dtype());
  check(temperature > 0.0, "[{}] A temperature of {} is not possible: it must be positive.", op,
        temperature);
  visit_float(logits, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, logits, p))
        return cuda::softmax<T>(rows, width, logits.data<T>(), p.data<T>(), temperature);
    }
    const T* xs = logits.data<T>();
    T* ps = p.data<T>();
    for_ranges(rows, rows_per_chunk(kExpGrain, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin * width; at < end * width; at += width) {
        const T largest = ConstValues<T>(xs + at, width).maxCoeff();
        const T sum =
            sum_of_exponentials(xs + at, width, largest, static_cast<T>(1 / temperature), ps + at);
        Values<T>(ps + at, width) *= T(1) / sum;
      }
    });
  });
}

CrossEntropy cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& dlogits,
                           const Tensor& row_loss, double scale) {
  constexpr const char* op = "cross_entropy";
  const std::int64_t rows = rows_of_classes(op, logits);
  const std::int64_t width = logits.extent(-1);
  require_if_present(op, "dlogits", dlogits, logits.shape(), logits.dtype());
  if (row_loss) {
    require_dtype(op, "row_loss", row_loss, logits.dtype());
    check(row_loss.elements() == rows,
          "[{}] row_loss has shape {}, but there are {} rows of logits.", op, row_loss.shape(),
          rows);
  }
  check_targets(op, targets, rows);
  return visit_float(logits, [&](auto zero) {
    using T = decltype(zero);
    CrossEntropy result;
    if constexpr (kHasCuda) {
      if (on_cuda(op, logits, targets, dlogits, row_loss)) {
        const Tensor factor = Tensor::empty({1}, DType::f64, logits.device());
        const Tensor sums = Tensor::empty({3}, DType::f64, logits.device());
        cuda::mean_factor(rows, targets.data<std::int32_t>(), scale, factor.data<double>());
        losses_on_cuda<T>(logits, targets, factor, dlogits, row_loss, sums);
        const Tensor seen = sums.to(Device::cpu());
        if (std::isnan(seen.data<double>()[1])) checked_count(op, targets.to(Device::cpu()), width);
        result.loss = seen.data<double>()[0];
        result.counted = static_cast<std::int64_t>(seen.data<double>()[1]);
        result.correct = static_cast<std::int64_t>(seen.data<double>()[2]);
        if (result.counted > 0) result.loss /= static_cast<double>(result.counted);
        return result;
      }
    }
    result.counted = checked_count(op, targets, width);
    const RowLosses each(rows, Device::cpu());
    losses_of_rows<T>(logits, targets,
                      scale / static_cast<double>(std::max<std::int64_t>(1, result.counted)),
                      dlogits, row_loss, each);
    for (const double loss : each.exact.span<double>()) result.loss += loss;
    for (const std::int32_t hit : each.hit.span<std::int32_t>()) result.correct += hit;
    if (result.counted > 0) result.loss /= static_cast<double>(result.counted);
    return result;
  });
}

void cross_entropy_sums(const Tensor& logits, const Tensor& targets, const Tensor& factor,
                        const Tensor& dlogits, const Tensor& sums) {
  constexpr const char* op = "cross_entropy_sums";
  const std::int64_t rows = rows_of_classes(op, logits), width = logits.extent(-1);
  check_targets(op, targets, rows);
  require(op, "factor", factor, {1}, DType::f64);
  require_if_present(op, "dlogits", dlogits, logits.shape(), logits.dtype());
  require(op, "sums", sums, {3}, DType::f64);
  visit_float(logits, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, logits, targets, factor, dlogits, sums))
        return losses_on_cuda<T>(logits, targets, factor, dlogits, {}, sums);
    }
    const RowLosses each(rows, Device::cpu());
    losses_of_rows<T>(logits, targets, factor.data<double>()[0], dlogits, {}, each);
    double loss = 0.0, counted = 0.0, correct = 0.0;
    for (const double of_row : each.exact.span<double>()) loss += of_row;
    for (const std::int32_t hit : each.hit.span<std::int32_t>()) correct += hit;
    bool bad = false;
    for (const std::int32_t target : targets.span<std::int32_t>()) {
      if (target >= 0) ++counted;
      bad = bad || target >= width;
    }
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const double found[] = {loss, counted, correct};
    for (int j = 0; j < 3; ++j) sums.data<double>()[j] = bad ? nan : found[j];
  });
}

}  // namespace xlab::kernels
