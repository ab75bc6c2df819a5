// How calls of the mLSTM become what its CUDA files take; for .cpp files of this folder only.
#pragma once

#include <type_traits>

#include "kernels/mlstm.hpp"
#include "kernels/mlstm_cuda.hpp"

namespace xlab::kernels {

/// `Sizes` has B, T, H, K and V.
template <typename Sizes>
cuda::MlstmRules rules_of(const MlstmOptions& options, const Sizes& z) {
  return {.B = z.B,
          .T = z.T,
          .H = z.H,
          .K = z.K,
          .V = z.V,
          .query_scale = options.query_scale,
          .eps = options.eps,
          .exponential_forget = options.forget_gate == ForgetGate::exponential,
          .stabilizer = options.stabilizer,
          .floor_of_one = options.floor == DenominatorFloor::one,
          .constant_denominator = options.constant_denominator};
}

/// The numbers of a tensor, or null.
template <typename T>
T* numbers(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

template <typename X, typename T = std::remove_const_t<X>>
cuda::MlstmMemory<X> memory_of(const MlstmState& state) {
  return {numbers<T>(state.C), numbers<T>(state.n), numbers<T>(state.m)};
}

}  // namespace xlab::kernels
