// The list of cells: an entry for everything that a block can be, with what a specification says of
// it. What an entry names stands in the room of its cell.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/value.hpp"
#include "core/variant.hpp"
#include "kernels/cell_options.hpp"

namespace xlab {

class Cell;
class Params;
struct BlockPlace;
struct CellKind;
struct ModelSpec;
struct ScalarCell;

// -- mLSTM, of the paper's family -----------------------------------------------------------------

/// Options of the mLSTM blocks; names and defaults as in the paper's configuration files.
struct MlstmSpec {
  int num_heads = 4;
  int conv1d_kernel_size = 4;  ///< at least 2
  int qkv_proj_blocksize = 4;
  double proj_factor = 2.0;
  bool round_proj_up_dim_up = true;
  int round_proj_up_to_multiple_of = 64;
  CellVariant variant;
};

const CellKind& mlstm_kind();
std::unique_ptr<Cell> make_mlstm_cell(const ModelSpec& spec, const BlockPlace& place,
                                      Params& params);
CellValues mlstm_values(const CellVariant& variant);

// -- sLSTM, with what can remember in its place ---------------------------------------------------

/// Options of the sLSTM blocks.
struct SlstmSpec {
  /// What they remember with, the entry of `scalar_cells` ("function" in the files).
  kernels::ScalarMemory memory = kernels::ScalarMemory::slstm;
  int num_heads = 4;
  int conv1d_kernel_size = 4;  ///< 0: no convolution
  bool group_norm_weight = true;
  std::string bias_init = "powerlaw_blockdependent";  ///< or small_init, standard, zeros
  std::string recurrent_weight_init = "zeros";        ///< or standard
  CellVariant variant;

  /// Blocks among these that remember with something else, and its equations.
  struct Other {
    kernels::ScalarMemory memory = kernels::ScalarMemory::slstm;
    std::vector<int> blocks;  ///< rising
    CellVariant variant;
  };
  std::vector<Other> others;

  /// What a block remembers with, and its equations.
  kernels::ScalarMemory memory_of(int block) const;
  const CellVariant& variant_of(int block) const;
  CellVariant& variant_of(int block);
};

/// The gated feed-forward layer of the sLSTM blocks.
struct FeedforwardSpec {
  double proj_factor = 1.3;
  std::string act_fn = "gelu";  ///< or relu, relu^2, sigmoid, swish, selu
  bool bias = false;
  bool round_proj_up_dim_up = true;
  int round_proj_up_to_multiple_of = 64;
};

const CellKind& slstm_kind();
std::unique_ptr<Cell> make_slstm_cell(const ModelSpec& spec, const BlockPlace& place,
                                      Params& params);
const ScalarCell& slstm_cell();
const ScalarCell& lstm_cell();

// -- mLSTM, of the large family -------------------------------------------------------------------

/// Options of the large family (xLSTM-large, the 7B): mLSTM blocks with a feed-forward layer each,
/// RMS norms and soft caps. Names and defaults as in its configuration files.
struct LargeSpec {
  static CellVariant reference_variant() {
    return {.scale = Scaled::queries, .gate_soft_cap = 15.0};
  }

  int num_heads = 8;
  bool use_bias = false;  ///< biases in the projections and the norms; the gates always have them
  double norm_eps = 1e-6;
  bool add_out_norm = true;
  bool out_norm_bias = false;  ///< some checkpoints with `use_bias` have one
  double qk_dim_factor = 0.5;  ///< width of queries and keys, as a share of the model's
  double v_dim_factor = 1.0;   ///< width of values and output gate
  double ffn_proj_factor = 2.667;
  int ffn_round_up_to_multiple_of = 64;
  double output_logit_soft_cap = 30.0;  ///< 0: none
  CellVariant variant = reference_variant();
  int pad_token_id = 1, bos_token_id = 0;
  std::vector<int> eos_token_ids = {2};  ///< each of them ends a text; empty: none does
  bool force_bos_token_insert = false;   ///< prompts begin with token `bos_token_id`
};

const CellKind& large_kind();
std::unique_ptr<Cell> make_large_cell(const ModelSpec& spec, const BlockPlace& place,
                                      Params& params);
CellValues large_values(const CellVariant& variant);

// -- All of them ----------------------------------------------------------------------------------

/// What a specification says of each kind of block.
struct CellSpecs {
  std::optional<MlstmSpec> mlstm;
  std::optional<SlstmSpec> slstm;
  std::optional<FeedforwardSpec> feedforward;  ///< absent: sLSTM blocks without one
  std::optional<LargeSpec> large;              ///< the other family
};

/// A block is of the first kind here that takes it.
inline auto cell_kinds() {
  return std::array{&mlstm_kind(), &slstm_kind(), &large_kind()};
}
/// What can stand behind the gates of the sLSTM's blocks.
inline auto scalar_cells() {
  return std::array{&slstm_cell(), &lstm_cell()};
}

}  // namespace xlab
