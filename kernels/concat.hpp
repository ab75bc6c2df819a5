// Joining tensors along their last axis.
#pragma once

#include <vector>

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// out[..., :] = parts[0][..., :], parts[1][..., :], ... All parts have the same leading extents.
void concat_forward(const std::vector<Tensor>& parts, const Tensor& out);
/// dparts[p] += the slice of dout that part p filled.
void concat_backward(const Tensor& dout, const std::vector<Tensor>& dparts);

}  // namespace xlab::kernels
