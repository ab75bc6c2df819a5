// Numbers of many tensors brought to the host together.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/tensor.hpp"

namespace xlab {

/// Collects tensors (floating-point, each on any device) and brings all of them over as f32: what
/// lies on a card in one copy, waiting for it once.
class Readback {
 public:
  /// Asks for the numbers of a tensor; returns which one it is. They must not be written to before
  /// `fetch`.
  std::size_t add(const Tensor& t);
  /// The numbers of everything asked for, in that order. Nothing is asked for afterwards.
  std::vector<std::vector<float>> fetch();

 private:
  std::vector<Tensor> tensors_;
};

/// The numbers of one tensor.
std::vector<float> floats_of(const Tensor& t);

}  // namespace xlab
