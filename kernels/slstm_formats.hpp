// The sLSTM in a number format of choice; for .cpp files of this folder only.
#pragma once

#include "kernels/slstm.hpp"

namespace xlab::kernels {

/// slstm_forward and slstm_backward for `options.format` other than native; the calls are checked.
void slstm_forward_in_format(const SlstmOptions& options, const SlstmForward& args);
void slstm_backward_in_format(const SlstmOptions& options, const SlstmBackward& args);

}  // namespace xlab::kernels
