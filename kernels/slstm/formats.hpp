// The sLSTM in a number format of choice; for .cpp files of this folder only.
#pragma once

#include "kernels/slstm/slstm.hpp"

namespace xlab::kernels {

/// slstm_forward and slstm_backward for `options.format` other than native; the calls are checked.
/// Numbers on a card are brought to the CPU and the results back.
void slstm_forward_in_format(const SlstmOptions& options, const SlstmForward& args);
void slstm_backward_in_format(const SlstmOptions& options, const SlstmBackward& args);

}  // namespace xlab::kernels
