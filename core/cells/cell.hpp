// The interface of a cell: what stands inside a residual block.
#pragma once

#include <string>

#include "core/params.hpp"
#include "core/snapshot.hpp"
#include "core/spec.hpp"
#include "core/state.hpp"
#include "core/tape.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/slstm/slstm.hpp"

namespace xlab {

/// Where a block stands while its parameters are declared.
struct BlockPlace {
  int index = 0;
  std::string prefix;  ///< of its parameters, ending in a dot
};

/// What mixes the units of a cell's heads: R (heads, gates * units (to), units (from)) and b
/// (gates * heads * units), gates as in its MixingCard.
struct Mixing {
  Tensor R, b;
};

/// One residual block's cell. Written forward-only in the vocabulary of core/ops.hpp.
class Cell {
 public:
  virtual ~Cell() = default;
  /// x (B, T, D) -> (B, T, D), from `before` (empty: the start) to `after`. T = 1 is stepping.
  virtual Var forward(Tape& tape, const Params& params, Var x, const CellState& before,
                      CellState& after) const = 0;
  /// Puts the matrices of the state after a token into `after`, which holds the rest of it: from
  /// the state before the token and what was recorded of it under `path` ("block0/mlstm"). Bit for
  /// bit those that `forward` left, whatever the weights are by now, as long as the equations are
  /// the same and numbers are float32. A cell whose state has no matrices does nothing.
  virtual void write_again(const TokenTrace& seen, const std::string& path, Device device,
                           const CellState& before, CellState& after) const {
    static_cast<void>(seen), static_cast<void>(path), static_cast<void>(device);
    static_cast<void>(before), static_cast<void>(after);
  }
  /// Other equations from now on; the parameters stay what they are.
  virtual void set_variant(const CellVariant& variant) = 0;
  /// Where a specification keeps the equations of this cell.
  virtual CellVariant& variant_in(ModelSpec& spec) const = 0;
  /// Undefined tensors where nothing is mixed.
  virtual Mixing mixing(const Params& params) const {
    static_cast<void>(params);
    return {};
  }
  /// Kind, heads, sizes and values. `prefix` is the last part of it, the model puts the block
  /// before it, and fills in `parameters`.
  virtual BlockCard card() const = 0;
};

/// Whether weight decay applies: the name holds "weight" and not "norm"; the token embedding only
/// when the specification says so.
bool decays(const ModelSpec& spec, const std::string& name);

/// What a variant means to the kernels. Queries and keys enter them scaled already.
kernels::MlstmOptions mlstm_options(const CellVariant& variant);
/// What the mLSTM's kernels take as input gate: i itself, or log σ(i) where it is a sigmoid.
Var log_weight(Tape& tape, const CellVariant& variant, Var input_gate_pre);
/// `Cell::write_again` of the cells with a matrix memory C, `card` being their own.
void write_mlstm_again(const BlockCard& card, const TokenTrace& seen, const std::string& path,
                       Device device, const CellState& before, CellState& after);
kernels::SlstmOptions slstm_options(const CellVariant& variant, kernels::ScalarMemory memory);

}  // namespace xlab
