// What passes through the recurrent scan of one block, for whoever asks what its gradients are.
#pragma once

#include <optional>
#include <string>

#include "core/tape.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/slstm/slstm.hpp"
#include "kernels/tensor.hpp"

namespace xlab {

/// Handed to a pass by its observer. What a pass forward knows is filled by that, the gradients by
/// `Tape::backward`.
struct ScanWatch {
  struct Mlstm {
    kernels::MlstmOptions options;
    kernels::MlstmForward forward;
  };
  struct Slstm {
    kernels::SlstmOptions options;
    kernels::SlstmForward forward;  ///< with what it saved for the way back
    /// What it puts out is sigmoid(o) tanh(c), without n and m; else sigmoid(o) c / n.
    bool squashed = false;
  };

  std::string prefix;          ///< of the block that is watched: BlockCard::prefix
  Var input;                   ///< what the block reads, before its norm: (B, T, D)
  Var h;                       ///< what the scan puts out: (B, T, heads * dim)
  std::optional<Mlstm> mlstm;  ///< of a matrix memory
  std::optional<Slstm> slstm;  ///< of one number a unit
  Tensor dh;                   ///< gradient of h, without what goes on inside the scan
  Tensor dpre;  ///< of the scalar cells: gradient of the pre-activations, (B, T, 4, heads * dim)
};

}  // namespace xlab
