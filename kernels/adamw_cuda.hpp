// AdamW and sums over whole gradients on CUDA devices; contracts in adamw.hpp. C++17 only, because
// nvcc reads it too. T is float or double.
#pragma once

#include <cstdint>

namespace xlab::cuda {

/// Neighbouring ranges of a flat block, each with a weight decay of its own: as many as a kernel
/// can be given along with its arguments.
struct DecayTable {
  static constexpr int kMost = 120;
  std::int64_t begin = 0;
  int count = 0;
  std::int64_t end[kMost];  ///< of each range, counted from the start of the block
  double weight_decay[kMost];
};

/// What is the same for every parameter. One minus the powers of both betas are the corrections.
struct AdamWNumbers {
  double learning_rate, correction1, correction2, beta1, beta2, eps, gradient_scale;
};

/// The parameters of one table, updated.
template <typename T>
void adamw_step(const AdamWNumbers& numbers, const DecayTable& table, T* parameters,
                const T* gradients, T* first_moment, T* second_moment);

/// What decides whether a step counts.
struct Guard {
  const double* numbers;       ///< learning rate, first and second correction
  const double* loss_sums;     ///< sum, counted, correct
  const double* squared_norm;  ///< of the gradients
  double* outcome;             ///< gradient norm, 1 or 0
  double beta1, beta2, eps, gradient_clip, largest_gradient;
};

/// outcome = the norm, and whether loss and gradients are sound.
void judge_gradients(const Guard& guard);
/// The parameters of one table, unless the gradients were judged unsound; those before it go to
/// `previous`. Marks the outcome when one is no longer finite.
template <typename T>
void adamw_step_guarded(const Guard& guard, const DecayTable& table, T* parameters,
                        const T* gradients, T* first_moment, T* second_moment, T* previous);
/// After all tables: takes the update back where the outcome was marked, and settles the outcome.
template <typename T>
void take_back(const Guard& guard, std::int64_t size, T* parameters, T* first_moment,
               T* second_moment, const T* previous);

/// *sum = sum of x^2, in double.
template <typename T>
void sum_of_squares(std::int64_t count, const T* x, double* sum);
/// *sum = 0 when every number is finite, NaN otherwise.
template <typename T>
void sum_of_zeros(std::int64_t count, const T* x, double* sum);

}  // namespace xlab::cuda
