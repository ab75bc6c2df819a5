// Softmax and cross-entropy, row by row.
#include "kernels/loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/arrays.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

std::int64_t rows_of_classes(const char* op, const Tensor& logits) {
  const std::int64_t rows = rows_of(op, "logits", logits);
  require_cpu(op, logits);
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

/// How many targets count. Throws when one is not a class.
std::int64_t checked_targets(const Tensor& targets, std::int64_t rows, std::int64_t classes) {
  constexpr const char* op = "cross_entropy";
  check(targets.defined(), "[{}] needs targets, but they are missing.", op);
  require_dtype(op, "targets", targets, DType::i32);
  check(targets.elements() == rows, "[{}] targets has shape {}, but there are {} rows of logits.",
        op, targets.shape(), rows);
  const std::int32_t* target = targets.data<std::int32_t>();
  std::int64_t counted = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    check(target[n] < classes, "[{}] target {} at position {} is not one of the {} classes.", op,
          target[n], n, classes);
    if (target[n] >= 0) ++counted;
  }
  return counted;
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
  CrossEntropy result;
  result.counted = checked_targets(targets, rows, width);
  const std::int32_t* target = targets.data<std::int32_t>();
  const Tensor exact_tensor = Tensor::empty({rows}, DType::f64);
  const Tensor hit_tensor = Tensor::empty({rows}, DType::i32);
  double* exact = exact_tensor.data<double>();
  std::int32_t* hit = hit_tensor.data<std::int32_t>();
  visit_float(logits, [&](auto zero) {
    using T = decltype(zero);
    const T* xs = logits.data<T>();
    T *gradients = data_or_null<T>(dlogits), *losses = data_or_null<T>(row_loss);
    const T weight =
        static_cast<T>(scale / static_cast<double>(std::max<std::int64_t>(1, result.counted)));
    for_ranges(rows, rows_per_chunk(kExpGrain, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const T* x = xs + n * width;
        T* gradient = gradients == nullptr ? nullptr : gradients + n * width;
        exact[n] = 0.0;
        hit[n] = 0;
        if (target[n] < 0) {
          if (gradient != nullptr) std::fill_n(gradient, width, T(0));
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
  });
  for (std::int64_t n = 0; n < rows; ++n) {
    result.loss += exact[n];
    result.correct += hit[n];
  }
  if (result.counted > 0) result.loss /= static_cast<double>(result.counted);
  return result;
}

}  // namespace xlab::kernels
