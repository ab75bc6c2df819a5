// Embedding: rows of a table by token number.
#pragma once

#include "kernels/tensor.hpp"

namespace xlab::kernels {

/// out[n] = table[ids[n]]. ids i32 (N) of any shape with N elements, table (V, D), out (..., D).
/// From a table of bf16, or of blocks, rows come out as f32. An id outside [0, V)
/// throws in host memory; on a card, which is not waited for, its row becomes NaN.
void embed_forward(const Tensor& ids, const Tensor& table, const Tensor& out);
/// dtable[ids[n]] += dout[n]; every row of the table is summed in the order of n, on a card first
/// within pieces of fixed size and then over these, so that the result does not depend on threads.
/// An id outside [0, V) throws in host memory; on a card its row is left out.
void embed_backward(const Tensor& ids, const Tensor& dout, const Tensor& dtable);

}  // namespace xlab::kernels
