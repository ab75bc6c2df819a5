// What every sLSTM call is checked for, and the sizes it comes to.
#pragma once

#include <cstdint>

#include "kernels/slstm/slstm.hpp"

namespace xlab::kernels {

struct SlstmSizes {
  static constexpr int kGates = 4;
  std::int64_t B, T, H, D;
  std::int64_t width() const { return H * D; }
};

/// Either throws a sentence or returns the sizes of a call whose tensors all fit.
SlstmSizes checked_sizes(const SlstmOptions& options, const SlstmForward& args);
SlstmSizes checked_sizes(const SlstmOptions& options, const SlstmBackward& args);

}  // namespace xlab::kernels
