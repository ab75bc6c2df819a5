// The scalar functions of neural networks, by name. C++17 only, because nvcc reads it too.
#pragma once

namespace xlab::kernels {

/// Scalar functions with their derivatives. `soft_cap` is c * tanh(x / c).
enum class Activation {
  sigmoid,
  silu,
  gelu,
  tanh,
  log_sigmoid,
  relu,
  relu_squared,
  selu,
  exponential,
  soft_cap
};

// Constants of SELU (Klambauer et al. 2017).
inline constexpr double kSeluScale = 1.0507009873554804934193349852946;
inline constexpr double kSeluAlpha = 1.6732632423543772848170429916717;

}  // namespace xlab::kernels
