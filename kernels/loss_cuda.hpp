// Softmax and cross-entropy on CUDA devices; contracts in loss.hpp. C++17 only, because nvcc reads
// it too. T is float or double.
#pragma once

#include <cstdint>

namespace xlab::cuda {

template <typename T>
void softmax(std::int64_t rows, std::int64_t width, const T* logits, T* p, double temperature);

/// *factor = scale / max(1, how many targets are not negative).
void mean_factor(std::int64_t rows, const std::int32_t* targets, double scale, double* factor);
/// Per row: its cross-entropy in `exact` and whether the target has the largest logit in `hit`.
/// `dlogits` (with *factor) and `row_loss` may be null.
template <typename T>
void cross_entropy_rows(std::int64_t rows, std::int64_t width, const T* logits,
                        const std::int32_t* targets, const double* factor, T* dlogits, T* row_loss,
                        double* exact, std::int32_t* hit);
/// sums = sum of `exact`, number of targets that are not negative, sum of `hit`; all NaN when a
/// target is `classes` or larger.
void sum_cross_entropy(std::int64_t rows, std::int64_t classes, const std::int32_t* targets,
                       const double* exact, const std::int32_t* hit, double* sums);

}  // namespace xlab::cuda
