// The language model of either family, and the model that foretells series.
#pragma once

#include <memory>
#include <vector>

#include "core/cells/cell.hpp"
#include "core/params.hpp"
#include "core/spec.hpp"
#include "core/state.hpp"
#include "core/tape.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/norm.hpp"

namespace xlab {

class Model {
 public:
  /// Throws when the specification is impossible. Parameters are zero until initialised or loaded.
  Model(const ModelSpec& spec, DType dtype = DType::f32);
  /// A model of the large family, or one that foretells series, that is only read: no gradients,
  /// and a type for every parameter, halves and blocks for matrices only. Nothing is set; its size
  /// is not limited.
  Model(const ModelSpec& spec, const std::vector<DType>& types);
  /// A second model that reads the parameters of one that is only read, for passes on another
  /// thread: without memory of its own, with the equations of that one as they are now.
  static Model sharing(const Model& other);
  /// Names and shapes of the parameters such a model has, without their memory, however large.
  static std::vector<ParamInfo> parameters_of(const ModelSpec& spec);
  /// Its blocks, likewise.
  static std::vector<BlockCard> cards_of(const ModelSpec& spec);

  /// Where its parameters lie, and everything that is computed with them.
  Device device() const { return params_.device(); }
  /// Brings the parameters and their gradients to a device. Throws when there is no room for them
  /// there; then they stay where they are.
  void move_to(Device device) { params_ = params_.on(device); }

  /// What a forecasting model reads from now on, f32 (patches, 2 * patch): the numbers of each
  /// patch of a series, then 1 for each that is there and 0 for one that is not. Its tokens are
  /// their rows. Throws when the width is another.
  void set_patches(const Tensor& patches);

  /// Logits (B, T, vocab) of ids i32 (B, T), from `before` (no cells: the start of a sequence) to
  /// `after`. Ids and the state may come from any device; what is made lies where the parameters
  /// are.
  Var forward(Tape& tape, const Tensor& ids, const State& before, State& after) const {
    return forward(tape, params_, ids, before, after);
  }
  /// The same with other numbers or another place for gradients; `params` is of a model like this.
  Var forward(Tape& tape, const Params& params, const Tensor& ids, const State& before,
              State& after) const {
    return pass(tape, params, ids, before, nullptr, after);
  }
  /// The same, on a tape without gradients, for a state that is of no use any more: each block's is
  /// given up as soon as there is the next one, so that there is hardly more than one state at a
  /// time. When it throws, `before` is lost.
  Var go_on(Tape& tape, const Tensor& ids, State&& before, State& after) const {
    return pass(tape, params_, ids, before, &before, after);
  }

  /// What the cell of one block makes of what the block reads, x (B, T, D), from the start of a
  /// sequence, its norm included: what is added to x, (B, T, D).
  Var cell_of(Tape& tape, int block, Var x) const;

  /// Completes the state of a block after a token: see Cell::write_again.
  void write_again(int block, const TokenTrace& seen, const CellState& before,
                   CellState& after) const;

  /// What mixes the units of a block's heads: see Cell::mixing.
  Mixing mixing(int block) const;

  /// Other equations for all blocks of a kind (see BlockCard); the weights stay. Throws a
  /// sentence, and changes nothing, when there is no such block or choice.
  void set_variant(const std::string& kind, const CellVariant& variant);

  const ModelSpec& spec() const { return spec_; }
  /// How often the equations were changed.
  std::int64_t revision() const { return revision_; }
  Params& params() { return params_; }
  const Params& params() const { return params_; }
  std::vector<BlockCard> cards() const;

 private:
  /// `used`: that state once more, where it is given up block by block.
  Var pass(Tape& tape, const Params& params, const Tensor& ids, const State& before, State* used,
           State& after) const;
  /// Indices of a matrix, or a norm's scale, and of what is added; -1: there is none.
  struct Weights {
    int weight = -1, bias = -1;
  };
  /// Two layers, and one past them.
  struct Residual {
    Weights hidden, output, past;
  };
  struct Block {
    std::unique_ptr<Cell> cell;
    Weights norm, ffn_norm;
    /// Without a gate of its own, the first half of `up` is the gate. No `down`: no such layer.
    Weights gate, up, down;
    std::string parameter_prefix;
  };
  struct WithoutMemory {};
  Model(const ModelSpec& spec, DType dtype, WithoutMemory);
  void declare_paper();
  void declare_large();
  void declare_series();
  /// "block0/mlstm": first part of the paths of a block's values.
  std::string path_of(int block) const;
  static Var norm(Tape& tape, const Params& params, const kernels::NormOptions& options,
                  const Weights& weights, Var x);
  Var feedforward(Tape& tape, const Params& params, const Block& block, Var x) const;
  Var residual(Tape& tape, const Params& params, const Residual& layer, Var x) const;
  Var linear(Tape& tape, const Params& params, const Weights& weights, Var x) const;
  Var embedded(Tape& tape, const Params& params, const Tensor& ids) const;
  Var put_out(Tape& tape, const Params& params, Var x) const;

  ModelSpec spec_;
  std::int64_t revision_ = 0;
  Params params_;
  std::vector<Block> blocks_;
  kernels::NormOptions norm_, last_norm_options_;
  kernels::Activation activation_ = kernels::Activation::gelu;  // of the feed-forward layers
  int embedding_ = -1, head_ = -1;
  Weights last_norm_;
  // Of forecasting models.
  Residual patch_in_, patch_out_;
  kernels::Activation patch_activation_ = kernels::Activation::relu;
  Tensor patches_;
};

}  // namespace xlab
