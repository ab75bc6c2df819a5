// The sLSTM on CUDA devices; contract, layouts and letters in slstm.hpp. C++17 only, because nvcc
// reads it too. T is float or double; whatever is absent is null.
//
// A block of threads owns one head of a few sequences for all steps, so that no step waits for
// another block. Where R lies and how many sequences a block has changes no bit of any result.
#pragma once

#include <cstdint>

#include "kernels/cell_options.hpp"

namespace xlab::cuda {

struct SlstmSizes {
  std::int64_t B, T, H, D;
};

/// Where a block keeps R of its head while it goes through the steps.
enum class SlstmPlace {
  registers,  ///< at most `slstm_most_units_in_registers`
  shared,     ///< shared memory, where it fits
  global,     ///< nowhere: read again every step
};

template <typename T>
inline constexpr std::int64_t slstm_most_units_in_registers = 256 / sizeof(T);

/// How the work is spread out.
struct SlstmPlan {
  SlstmPlace place;
  int sequences;  ///< of a block: 1, 2, 4 or 8
};
/// The fastest one that is possible on the device in use.
template <typename T>
SlstmPlan slstm_forward_plan(const SlstmSizes& sizes);
template <typename T>
SlstmPlan slstm_backward_plan(const SlstmSizes& sizes);

struct SlstmGates {
  kernels::ScalarMemory memory;  ///< of the LSTM all n and m are null
  kernels::ForgetGate forget_gate;
  bool stabilizer;
  double soft_cap;  ///< or 0
};

template <typename T>
struct SlstmUnits {
  T *y = nullptr, *c = nullptr, *n = nullptr, *m = nullptr;
};

template <typename T>
struct SlstmRecording {
  T *pre = nullptr, *input_gate = nullptr, *forget_gate = nullptr, *c = nullptr, *n = nullptr,
    *m = nullptr;
};

template <typename T>
struct SlstmForwardArgs {
  SlstmSizes sizes;
  SlstmGates gates;
  const T *wx, *r, *b, *clamp;
  SlstmUnits<const T> initial;
  T* y;
  SlstmUnits<T> last;
  SlstmRecording<T> record, saved;
};
template <typename T>
void slstm_forward(const SlstmPlan& plan, const SlstmForwardArgs<T>& args);

template <typename T>
struct SlstmBackwardArgs {
  SlstmSizes sizes;
  SlstmGates gates;
  const T *r, *clamp;
  SlstmUnits<const T> initial;
  const T *y, *pre, *c, *n, *m;  ///< the last four as saved
  const T* dy;
  SlstmUnits<const T> dlast;
  T *dwx, *dr, *db;
  SlstmUnits<T> dinitial;
};
template <typename T>
void slstm_backward(const SlstmPlan& plan, const SlstmBackwardArgs<T>& args);

}  // namespace xlab::cuda
