// The only switches on scalar type and device.
#pragma once

#include <type_traits>

#include "kernels/config.hpp"
#include "kernels/device/cuda.hpp"
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

/// Throws unless every tensor that is there lies on the device of `main`.
template <typename... Others>
void require_same_device(const char* op, const Tensor& main, const Others&... others) {
  [[maybe_unused]] const auto look = [&](const Tensor& t) {
    check(!t.defined() || t.device() == main.device(),
          "[{}] got numbers on {} and on {}: move them to one device first.", op,
          name_of(main.device()), name_of(t.device()));
  };
  (look(others), ...);
}

/// Whether an operation has to run on a card. If so, the calling thread works with that card from
/// now on. `main` is the main input; all others that are there have to lie where it does. Asked
/// inside `if constexpr (kHasCuda)`.
template <typename... Others>
bool on_cuda(const char* op, const Tensor& main, const Others&... others) {
  require_same_device(op, main, others...);
  if (main.device().kind != Device::Kind::cuda) return false;
  if constexpr (kHasCuda) cuda::use(main.device().index);
  return true;
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

/// Both the shape and the scalar type.
inline void require(const char* op, const char* what, const Tensor& t, const Shape& shape,
                    DType dtype) {
  require_shape(op, what, t, shape);
  require_dtype(op, what, t, dtype);
}

inline void require_if_present(const char* op, const char* what, const Tensor& t,
                               const Shape& shape, DType dtype) {
  if (t) require(op, what, t, shape, dtype);
}

/// The numbers of a tensor, or null where it is absent.
template <typename T>
T* data_or_null(const Tensor& t) {
  return t ? t.data<std::remove_const_t<T>>() : nullptr;
}

}  // namespace xlab
