// Element-wise arithmetic and activations on CUDA devices.
#include "kernels/elementwise_cuda.hpp"

#include "kernels/device/column_sums.cuh"

namespace xlab::cuda {
namespace {

template <typename T>
struct Evaluated {
  T value, slope;
};

/// f(x) and f'(x); the unused one costs nothing.
template <typename T>
__device__ inline Evaluated<T> evaluate(Activation f, T cap, T x) {
  constexpr T one = 1;
  switch (f) {
    case Activation::sigmoid: {
      const T s = sigmoid(x);
      return {s, s * (one - s)};
    }
    case Activation::silu: {
      const T s = sigmoid(x), y = x * s;
      return {y, s + y * (one - s)};
    }
    case Activation::gelu: {
      constexpr T half = T(0.5), root_half = T(0.70710678118654752440);
      constexpr T density = T(0.56418958354775628695) * root_half;  // 1 / sqrt(2 pi)
      const T below = half + half * std::erf(x * root_half);
      return {x * below, below + x * density * std::exp(-half * x * x)};
    }
    case Activation::tanh: {
      const T y = std::tanh(x);
      return {y, one - y * y};
    }
    case Activation::log_sigmoid:
      return {log_sigmoid(x), sigmoid(-x)};
    case Activation::relu:
      return {x < T(0) ? T(0) : x, x > T(0) ? one : T(0)};
    case Activation::relu_squared: {
      const T positive = x < T(0) ? T(0) : x;
      return {positive * positive, T(2) * positive};
    }
    case Activation::selu: {
      constexpr T scale = T(kernels::kSeluScale),
                  bend = T(kernels::kSeluScale * kernels::kSeluAlpha);
      const T curve = bend * std::expm1(x > T(0) ? T(0) : x);
      return {x > T(0) ? scale * x : curve, x > T(0) ? scale : curve + bend};
    }
    case Activation::exponential: {
      const T y = std::exp(x);
      return {y, y};
    }
    case Activation::soft_cap:
      break;
  }
  const T bent = std::tanh(x / cap);
  return {cap * bent, one - bent * bent};
}

}  // namespace

template <typename T>
void add(std::int64_t count, const T* a, const T* b, T* out) {
  for_each("add", count, [=] __device__(std::int64_t j) { out[j] = a[j] + b[j]; });
}

template <typename T>
void accumulate(std::int64_t count, T* acc, const T* x, double scale) {
  const T factor = static_cast<T>(scale);
  for_each("accumulate", count, [=] __device__(std::int64_t j) { acc[j] += factor * x[j]; });
}

template <typename T>
void scale(std::int64_t count, const T* x, double scale, T* out) {
  const T factor = static_cast<T>(scale);
  for_each("scale", count, [=] __device__(std::int64_t j) { out[j] = factor * x[j]; });
}

template <typename T>
void scale_columns(std::int64_t rows, std::int64_t width, const T* x, const T* w, T* out) {
  for_each("scale_columns", rows * width,
           [=] __device__(std::int64_t j) { out[j] = x[j] * w[j % width]; });
}

template <typename T>
void scale_columns_backward(std::int64_t rows, std::int64_t width, const T* x, const T* w,
                            const T* dout, T* dx, T* dw) {
  if (dx != nullptr) {
    for_each("scale_columns_backward", rows * width,
             [=] __device__(std::int64_t j) { dx[j] += dout[j] * w[j % width]; });
  }
  if (dw != nullptr) {
    add_column_sums("scale_columns_backward", rows, width, dw,
                    [=] __device__(std::int64_t n, std::int64_t j) {
                      return dout[n * width + j] * x[n * width + j];
                    });
  }
}

template <typename T>
void add_columns(std::int64_t rows, std::int64_t width, const T* x, const T* b, T* out) {
  for_each("add_columns", rows * width,
           [=] __device__(std::int64_t j) { out[j] = x[j] + b[j % width]; });
}

template <typename T>
void add_row_sums(std::int64_t rows, std::int64_t width, const T* x, T* out) {
  add_column_sums("add_row_sums", rows, width, out,
                  [=] __device__(std::int64_t n, std::int64_t j) { return x[n * width + j]; });
}

template <typename T>
void activation_forward(Activation f, std::int64_t count, const T* x, T* y, double cap) {
  const T bound = static_cast<T>(cap);
  for_each("activation_forward", count,
           [=] __device__(std::int64_t j) { y[j] = evaluate(f, bound, x[j]).value; });
}

template <typename T>
void activation_backward(Activation f, std::int64_t count, const T* x, const T* dy, T* dx,
                         double cap) {
  const T bound = static_cast<T>(cap);
  for_each("activation_backward", count,
           [=] __device__(std::int64_t j) { dx[j] += dy[j] * evaluate(f, bound, x[j]).slope; });
}

template <typename T>
void gated_forward(Activation f, std::int64_t count, const T* gate, const T* value, T* y) {
  for_each("gated_forward", count,
           [=] __device__(std::int64_t j) { y[j] = evaluate(f, T(0), gate[j]).value * value[j]; });
}

template <typename T>
void gated_backward(Activation f, std::int64_t count, const T* gate, const T* value, const T* dy,
                    T* dgate, T* dvalue) {
  for_each("gated_backward", count, [=] __device__(std::int64_t j) {
    const Evaluated<T> open = evaluate(f, T(0), gate[j]);
    const T g = dy[j], v = value[j];
    dgate[j] += g * v * open.slope;
    dvalue[j] += g * open.value;
  });
}

#define XLAB_INSTANTIATE(T)                                                                      \
  template void add(std::int64_t, const T*, const T*, T*);                                       \
  template void accumulate(std::int64_t, T*, const T*, double);                                  \
  template void scale(std::int64_t, const T*, double, T*);                                       \
  template void scale_columns(std::int64_t, std::int64_t, const T*, const T*, T*);               \
  template void scale_columns_backward(std::int64_t, std::int64_t, const T*, const T*, const T*, \
                                       T*, T*);                                                  \
  template void add_columns(std::int64_t, std::int64_t, const T*, const T*, T*);                 \
  template void add_row_sums(std::int64_t, std::int64_t, const T*, T*);                          \
  template void activation_forward(Activation, std::int64_t, const T*, T*, double);              \
  template void activation_backward(Activation, std::int64_t, const T*, const T*, T*, double);   \
  template void gated_forward(Activation, std::int64_t, const T*, const T*, T*);                 \
  template void gated_backward(Activation, std::int64_t, const T*, const T*, const T*, T*, T*);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
