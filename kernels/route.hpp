// The only switches on scalar type and device.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab {

/// Calls `body(T{})` with the floating-point type of `t`.
template <typename Body>
decltype(auto) visit_float(const Tensor& t, Body&& body) {
  switch (t.dtype()) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    default:
      throw Error(
          fmt::format("This operation needs floating-point numbers, not {}.", name_of(t.dtype())));
  }
}

/// Refuses a device this build has no kernels for. Each operation calls it once, on its main input;
/// its CUDA branch goes here too.
inline void require_cpu(const char* op, const Tensor& t) {
  check(t.device() == Device::cpu(),
        "[{}] has no CUDA kernel in this build: move the model to the CPU.", op);
}

/// Refuses a tensor whose shape is not the one the operation needs; prints both.
inline void require_shape(const char* op, const char* what, const Tensor& t, const Shape& wanted) {
  check(t.defined(), "[{}] needs {} of shape {}, but it is missing.", op, what, wanted);
  check(t.shape() == wanted, "[{}] {} has shape {}, but {} is needed.", op, what, t.shape(),
        wanted);
}

/// Refuses a tensor with another scalar type than the operation's main input.
inline void require_dtype(const char* op, const char* what, const Tensor& t, DType wanted) {
  check(t.dtype() == wanted, "[{}] {} holds {}, but {} is needed.", op, what, name_of(t.dtype()),
        name_of(wanted));
}

}  // namespace xlab
