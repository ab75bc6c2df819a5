// The cells by each of their forms, on what a model gave them: recorded values in, outputs and
// gradients out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "core/trace.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/slstm/slstm.hpp"
#include "kernels/tensor.hpp"

namespace xlab {

Tensor zeros_like(const Tensor& x);

/// What one mLSTM block was given, on a device: q, k (1, T, H, K), v (1, T, H, V), i, f (1, T, H).
struct MlstmInputs {
  Tensor q, k, v;
  Tensor i;  ///< what the kernels take: log σ(i) for a sigmoid as input gate
  Tensor f;

  /// Throws when the block's values were not recorded.
  MlstmInputs(const std::vector<TokenTrace>& trace, const BlockCard& block, DType dtype,
              Device device);
};

/// Output and gradients by one way, in the shapes of the inputs; gradients are zeros where none
/// were asked for.
struct MlstmResults {
  Tensor h, dq, dk, dv, di, df;

  explicit MlstmResults(const MlstmInputs& in);
};

/// The scan (chunk 0) or the chunkwise form. Without `dh` there are no gradients.
MlstmResults by_recurrence(const kernels::MlstmOptions& options, const MlstmInputs& in,
                           const Tensor& dh, std::int64_t chunk);

/// The parallel form; `attention` (1, H, T, T) receives the implied attention where it is defined.
MlstmResults by_attention(const kernels::MlstmOptions& options, const MlstmInputs& in,
                          const Tensor& dh, const Tensor& attention);

/// sum_j |A_tj v_j|, like h: what h is made of. Where the parts cancel, h itself is small by
/// accident, and no way to it can have more digits than its parts leave.
Tensor parts_of(const Tensor& attention, const Tensor& v);

/// y (1, T, H, D) of an sLSTM that was given these pre-activations, without mixing, computed on a
/// device in double precision.
Tensor slstm_output(const kernels::SlstmOptions& options, const std::vector<TokenTrace>& trace,
                    const std::string& prefix, Device device);

}  // namespace xlab
