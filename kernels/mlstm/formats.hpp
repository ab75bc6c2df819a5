// The mLSTM in a number format of choice; for .cpp files of this folder only.
#pragma once

#include "kernels/mlstm/head.hpp"

namespace xlab::kernels {

/// mlstm_forward and mlstm_backward for `options.format` other than native; the calls are checked.
void mlstm_forward_in_format(const MlstmOptions& options, const MlstmForward& args,
                             const MlstmSizes& z);
void mlstm_backward_in_format(const MlstmOptions& options, const MlstmBackward& args,
                              const MlstmSizes& z);

}  // namespace xlab::kernels
