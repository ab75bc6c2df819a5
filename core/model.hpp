// The paper's xLSTM language model: embedding, residual blocks, norm, head.
#pragma once

#include <memory>
#include <vector>

#include "core/cell.hpp"
#include "core/params.hpp"
#include "core/spec.hpp"
#include "core/state.hpp"
#include "core/tape.hpp"

namespace xlab {

class Model {
 public:
  /// Throws when the specification is impossible. Parameters are zero until initialised or loaded.
  Model(const ModelSpec& spec, DType dtype = DType::f32);
  /// Names and shapes of the parameters such a model has, without their memory. Throws like the
  /// constructor.
  static std::vector<ParamInfo> parameters_of(const ModelSpec& spec);

  /// Logits (B, T, vocab) of ids i32 (B, T), from `before` (no cells: the start of a sequence) to
  /// `after`.
  Var forward(Tape& tape, const Tensor& ids, const State& before, State& after) const {
    return forward(tape, params_, ids, before, after);
  }
  /// The same with other numbers or another place for gradients; `params` is of a model like this.
  Var forward(Tape& tape, const Params& params, const Tensor& ids, const State& before,
              State& after) const;

  const ModelSpec& spec() const { return spec_; }
  Params& params() { return params_; }
  const Params& params() const { return params_; }
  std::vector<BlockCard> cards() const;

 private:
  struct Block {
    std::unique_ptr<Cell> cell;
    int norm = -1;
    int ffn_norm = -1, ffn_up = -1, ffn_up_bias = -1, ffn_down = -1, ffn_down_bias = -1;
    std::string parameter_prefix;
  };
  struct WithoutMemory {};
  Model(const ModelSpec& spec, DType dtype, WithoutMemory);
  Var feedforward(Tape& tape, const Params& params, const Block& block, Var x) const;

  ModelSpec spec_;
  Params params_;
  std::vector<Block> blocks_;
  int embedding_ = -1, head_ = -1, post_norm_ = -1;
};

}  // namespace xlab
