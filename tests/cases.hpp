// One list of operation cases; it drives the parity test, the gradient test and the timing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/tensor.hpp"

namespace xlab::tests {

/// One input of an operation.
struct CaseInput {
  std::string name;
  Shape shape;
  double low = -1.0, high = 1.0;  ///< values are uniform in [low, high)
  bool differentiable = true;     ///< integers and clamps are not
  DType dtype = DType::f64;       ///< f64 stands for "the floating-point type under test"
  /// Value of element j instead of a random one.
  std::function<double(std::int64_t)> value = nullptr;
};

/// One operation at one shape. `forward` returns every differentiable output; `backward` gets the
/// inputs and one gradient per output and returns one gradient per input (undefined where the input
/// is not differentiable). Both must work in f32 and f64.
struct Case {
  std::string name;
  std::vector<CaseInput> inputs;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> forward;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&, const std::vector<Tensor>&)>
      backward;
  double f32_tolerance = 1e-5;       ///< max |f32 - f64| / max |f64|, per output and gradient
  double gradient_tolerance = 1e-6;  ///< central differences in f64
};

/// What the gradients of `op_cases` hold before `backward` adds to them.
inline double gradient_start = 0.0;

std::vector<Case> op_cases();    ///< element-wise, linear, norm, embed, conv, loss
std::vector<Case> cell_cases();  ///< mLSTM, sLSTM
/// Small shapes for checking: all of the above.
std::vector<Case> all_cases();
/// The same operations at the sizes of a small model, for timing.
std::vector<Case> op_timing_cases();
std::vector<Case> cell_timing_cases();
std::vector<Case> timing_cases();

/// The inputs of a case in one scalar type, made from a fixed seed.
std::vector<Tensor> make_inputs(const Case& c, DType dtype);

}  // namespace xlab::tests
