// A shown number as a program: a few lines of PyTorch that compute it from its recorded inputs, by
// the equation that is shown. Standard types only.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/equations/inputs.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// A program that runs by itself, or why there is none.
struct TorchCode {
  std::string text;     ///< ends with a line that prints "computed A, recorded B"
  std::string why_not;  ///< a sentence; empty where there is a program
};

/// Vectors with more numbers than `longest` are read from a recording, "recording.safetensors".
TorchCode torch_code(const Trace& trace, const BlockCard& block, const ValuePlace& place,
                     std::size_t longest = 64);

/// Of the probability of one token, the softmax of these logits.
TorchCode softmax_code(const std::vector<float>& logits, int token, float probability,
                       std::size_t longest = 64);

}  // namespace xlab
