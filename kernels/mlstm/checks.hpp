// What every mLSTM call is checked for, and the sizes it comes to.
#pragma once

#include <cstdint>

#include "kernels/mlstm/mlstm.hpp"

namespace xlab::kernels {

struct MlstmSizes {
  std::int64_t B, T, H, K, V;
};

/// Either throws a sentence or returns the sizes of a call whose tensors all fit.
MlstmSizes checked_sizes(const MlstmForward& args);
MlstmSizes checked_sizes(const MlstmBackward& args);

}  // namespace xlab::kernels
