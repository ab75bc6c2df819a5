// What each block does to the vector that runs through the model. Standard types only.
#pragma once

#include "core/snapshot.hpp"

namespace xlab {

/// Of one block at one token. NaN where it is not recorded.
struct BlockActivity {
  double before = 0.0;  ///< length of the residual vector that comes in
  double after = 0.0;   ///< and of what goes on to the next block
  /// Length of what its cell reads out, all heads and units together, before output gate and
  /// projection.
  double read_out = 0.0;

  double change() const { return after - before; }
};

/// `block` counts from 0.
BlockActivity block_activity(const Trace& trace, const ModelCard& model, int block, int step);

/// What the cell of a block reads out: the value its equations end with. Null where it
/// describes none that is recorded.
const ValueCard* read_out_of(const BlockCard& block);

/// What the recorded lengths of the residual vector are (kResidualNorm): a value of no block. Its
/// unit b is the length after b blocks.
const ValueCard& residual_card();

}  // namespace xlab
