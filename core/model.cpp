// The paper's language model.
#include "core/model.hpp"

#include <cmath>

#include "core/ops.hpp"

namespace xlab {
namespace {

kernels::Activation feedforward_activation(const std::string& name) {
  using kernels::Activation;
  if (name == "relu") return Activation::relu;
  if (name == "relu^2") return Activation::relu_squared;
  if (name == "sigmoid") return Activation::sigmoid;
  if (name == "swish") return Activation::silu;
  if (name == "selu") return Activation::selu;
  check(name == "gelu", "The feed-forward activation '{}' is unknown.", name);
  return Activation::gelu;
}

constexpr kernels::NormOptions kLayerNorm{
    .kind = kernels::NormKind::layer, .groups = 1, .eps = 1e-5};

}  // namespace

Model::Model(const ModelSpec& spec, DType dtype) : Model(spec, dtype, WithoutMemory{}) {
  params_.allocate();
}

std::vector<ParamInfo> Model::parameters_of(const ModelSpec& spec) {
  return Model(spec, DType::f32, WithoutMemory{}).params_.infos();
}

Model::Model(const ModelSpec& spec, DType dtype, WithoutMemory) : spec_(spec), params_(dtype) {
  validate(spec);
  const std::int64_t D = spec.embedding_dim;
  const double std = std::sqrt(2.0 / (5.0 * static_cast<double>(D)));
  const double out_std = 2.0 / spec.num_blocks / std::sqrt(static_cast<double>(D));
  const auto add = [&](const std::string& name, const Shape& shape, Init init) {
    return params_.declare(name, shape, decays(spec, name), std::move(init));
  };
  embedding_ = add("token_embedding.weight", {spec.vocab_size, D}, Init::normal(std));
  for (int b = 0; b < spec.num_blocks; ++b) {
    Block block;
    block.parameter_prefix = fmt::format("xlstm_block_stack.blocks.{}.", b);
    const std::string& prefix = block.parameter_prefix;
    block.norm = add(prefix + "xlstm_norm.weight", {D}, Init::constant(0));
    block.cell = make_cell(spec, {b, prefix}, params_);
    if (spec.is_slstm(b) && spec.feedforward) {
      const FeedforwardSpec& f = *spec.feedforward;
      const std::int64_t U = rounded_width(f.proj_factor, spec.embedding_dim,
                                           f.round_proj_up_dim_up, f.round_proj_up_to_multiple_of);
      block.ffn_norm = add(prefix + "ffn_norm.weight", {D}, Init::constant(0));
      block.ffn_up = add(prefix + "ffn.proj_up.weight", {2 * U, D}, Init::normal(std));
      if (f.bias) block.ffn_up_bias = add(prefix + "ffn.proj_up.bias", {2 * U}, Init::constant(0));
      block.ffn_down = add(prefix + "ffn.proj_down.weight", {D, U}, Init::normal(out_std));
      if (f.bias) block.ffn_down_bias = add(prefix + "ffn.proj_down.bias", {D}, Init::constant(0));
    }
    blocks_.push_back(std::move(block));
  }
  if (spec.add_post_blocks_norm)
    post_norm_ = add("xlstm_block_stack.post_blocks_norm.weight", {D}, Init::constant(0));
  if (!spec.tie_weights) head_ = add("lm_head.weight", {spec.vocab_size, D}, Init::normal(std));
}

Var Model::feedforward(Tape& tape, const Params& params, const Block& block, Var x) const {
  const auto at = [&](int index) { return index < 0 ? Param{} : params[index]; };
  const Param up = at(block.ffn_up), bias = at(block.ffn_up_bias);
  const std::int64_t U = up.value.extent(0) / 2;
  const Var gate = ops::linear(tape, x, up.rows(0, U), bias.rows(0, U));
  const Var value = ops::linear(tape, x, up.rows(U, 2 * U), bias.rows(U, 2 * U));
  const Var inner =
      ops::gated(tape, feedforward_activation(spec_.feedforward->act_fn), gate, value);
  return ops::linear(tape, inner, at(block.ffn_down), at(block.ffn_down_bias));
}

Var Model::forward(Tape& tape, const Params& params, const Tensor& ids, const State& before,
                   State& after) const {
  const std::vector<CellState> fresh(before.cells.empty() ? blocks_.size() : 0);
  const std::vector<CellState>& from = before.cells.empty() ? fresh : before.cells;
  check(from.size() == blocks_.size(),
        "The state belongs to a model of {} blocks, this one has {}.", from.size(), blocks_.size());
  after.cells.assign(blocks_.size(), {});

  Var x = ops::embed(tape, ids, params[embedding_]);
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Block& block = blocks_[b];
    tape.set_prefix(
        fmt::format("block{}/{}", b, spec_.is_slstm(static_cast<int>(b)) ? "slstm" : "mlstm"));
    const Var inner = ops::norm(tape, kLayerNorm, x, params[block.norm]);
    x = ops::add(tape, x, block.cell->forward(tape, params, inner, from[b], after.cells[b]));
    if (block.ffn_up >= 0) {
      const Var normed = ops::norm(tape, kLayerNorm, x, params[block.ffn_norm]);
      x = ops::add(tape, x, feedforward(tape, params, block, normed));
    }
  }
  if (post_norm_ >= 0) x = ops::norm(tape, kLayerNorm, x, params[post_norm_]);
  return ops::linear(tape, x, params[head_ >= 0 ? head_ : embedding_]);
}

std::vector<BlockCard> Model::cards() const {
  std::vector<BlockCard> cards;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    BlockCard card = blocks_[b].cell->card();
    card.prefix = fmt::format("block{}/{}", b, card.kind);
    for (const ParamInfo& info : params_.infos())
      if (info.name.starts_with(blocks_[b].parameter_prefix))
        card.parameters += info.shape.elements();
    cards.push_back(std::move(card));
  }
  return cards;
}

}  // namespace xlab
