// The model of either family, and the one that foretells series.
#include "core/model.hpp"

#include <cmath>

#include "core/cells/kind.hpp"
#include "core/ops.hpp"
#include "core/scan_watch.hpp"

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

/// The parameter of an index; absent for -1.
Param param(const Params& params, int index) {
  return index < 0 ? Param{} : params[index];
}

}  // namespace

Model::Model(const ModelSpec& spec, DType dtype) : Model(spec, dtype, WithoutMemory{}) {
  validate(spec);
  params_.allocate();
}

Model::Model(const ModelSpec& spec, const std::vector<DType>& types)
    : Model(spec, DType::f32, WithoutMemory{}) {
  check(spec.large || spec.series,
        "Only models of the large family and forecasting models can be read without gradients.");
  params_.allocate_values(types);
}

Model Model::sharing(const Model& other) {
  check(!other.params_.trainable(), "Weights that are trained are not shared.");
  Model second(other.spec_, other.params_.dtype(), WithoutMemory{});
  second.params_ = other.params_;
  return second;
}

std::vector<ParamInfo> Model::parameters_of(const ModelSpec& spec) {
  return Model(spec, DType::f32, WithoutMemory{}).params_.infos();
}

Model::Model(const ModelSpec& spec, DType dtype, WithoutMemory) : spec_(spec), params_(dtype) {
  check_sizes(spec);
  if (spec.series) {
    declare_series();
  } else if (spec.large) {
    declare_large();
  } else {
    declare_paper();
  }
}

void Model::declare_paper() {
  const ModelSpec& spec = spec_;
  const std::int64_t D = spec.embedding_dim;
  const double std = std::sqrt(2.0 / (5.0 * static_cast<double>(D)));
  const double out_std = 2.0 / spec.num_blocks / std::sqrt(static_cast<double>(D));
  const auto add = [&](const std::string& name, const Shape& shape, Init init) {
    return params_.declare(name, shape, decays(spec, name), std::move(init));
  };
  norm_ = {.kind = kernels::NormKind::layer, .groups = 1, .eps = 1e-5, .scale_offset = 1.0};
  last_norm_options_ = norm_;
  if (spec.feedforward) activation_ = feedforward_activation(spec.feedforward->act_fn);
  embedding_ = add("token_embedding.weight", {spec.vocab_size, D}, Init::normal(std));
  for (int b = 0; b < spec.num_blocks; ++b) {
    Block block;
    block.parameter_prefix = fmt::format("xlstm_block_stack.blocks.{}.", b);
    const std::string& prefix = block.parameter_prefix;
    block.norm.weight = add(prefix + "xlstm_norm.weight", {D}, Init::constant(0));
    block.cell = kind_of(spec, b).make(spec, {b, prefix}, params_);
    if (spec.is_slstm(b) && spec.feedforward) {
      const FeedforwardSpec& f = *spec.feedforward;
      const std::int64_t U = rounded_width(f.proj_factor, spec.embedding_dim,
                                           f.round_proj_up_dim_up, f.round_proj_up_to_multiple_of);
      block.ffn_norm.weight = add(prefix + "ffn_norm.weight", {D}, Init::constant(0));
      block.up.weight = add(prefix + "ffn.proj_up.weight", {2 * U, D}, Init::normal(std));
      if (f.bias) block.up.bias = add(prefix + "ffn.proj_up.bias", {2 * U}, Init::constant(0));
      block.down.weight = add(prefix + "ffn.proj_down.weight", {D, U}, Init::normal(out_std));
      if (f.bias) block.down.bias = add(prefix + "ffn.proj_down.bias", {D}, Init::constant(0));
    }
    blocks_.push_back(std::move(block));
  }
  if (spec.add_post_blocks_norm)
    last_norm_.weight = add("xlstm_block_stack.post_blocks_norm.weight", {D}, Init::constant(0));
  if (!spec.tie_weights) head_ = add("lm_head.weight", {spec.vocab_size, D}, Init::normal(std));
}

void Model::declare_large() {
  const ModelSpec& spec = spec_;
  const LargeSpec& large = *spec.large;
  const std::int64_t D = spec.embedding_dim, U = large_feedforward_width(spec);
  const double std = std::sqrt(2.0 / (5.0 * static_cast<double>(D)));
  const double down_std = 2.0 / spec.num_blocks / std::sqrt(static_cast<double>(U));
  const auto add = [&](const std::string& name, const Shape& shape, Init init) {
    return params_.declare(name, shape, decays(spec, name), std::move(init));
  };
  const auto biased = [&](const std::string& name, const Shape& shape, Init init, bool bias) {
    const int weight = add(name + ".weight", shape, std::move(init));
    return Weights{weight, bias ? add(name + ".bias", {shape[0]}, Init::constant(0)) : -1};
  };
  norm_ = {.kind = kernels::NormKind::rms, .groups = 1, .eps = large.norm_eps, .scale_offset = 0.0};
  last_norm_options_ = norm_;
  activation_ = kernels::Activation::silu;
  embedding_ = add("backbone.embeddings.weight", {spec.vocab_size, D}, Init::normal(std));
  for (int b = 0; b < spec.num_blocks; ++b) {
    Block block;
    block.parameter_prefix = fmt::format("backbone.blocks.{}.", b);
    const std::string& prefix = block.parameter_prefix;
    const bool bias = large.use_bias;
    block.norm = biased(prefix + "norm_mlstm", {D}, Init::constant(1), bias);
    block.cell = kind_of(spec, b).make(spec, {b, prefix}, params_);
    block.ffn_norm = biased(prefix + "norm_ffn", {D}, Init::constant(1), bias);
    // As in the official recipe, closed at first: the layer starts as nothing.
    block.gate = biased(prefix + "ffn.proj_up_gate", {U, D}, Init::constant(0), bias);
    block.up = biased(prefix + "ffn.proj_up", {U, D}, Init::normal(std), bias);
    block.down = biased(prefix + "ffn.proj_down", {D, U}, Init::normal(down_std), bias);
    blocks_.push_back(std::move(block));
  }
  if (large.add_out_norm)
    last_norm_ = biased("backbone.out_norm", {D}, Init::constant(1), large.out_norm_bias);
  if (!spec.tie_weights) head_ = add("lm_head.weight", {spec.vocab_size, D}, Init::normal(std));
}

void Model::declare_series() {
  const ModelSpec& spec = spec_;
  const SeriesSpec& series = *spec.series;
  const FeedforwardSpec& f = *spec.feedforward;
  const std::int64_t D = spec.embedding_dim;
  const std::int64_t U = rounded_width(f.proj_factor, spec.embedding_dim, f.round_proj_up_dim_up,
                                       f.round_proj_up_to_multiple_of);
  const auto weight = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    const double std = std::sqrt(2.0 / (5.0 * static_cast<double>(in)));
    return params_.declare(name + ".weight", {out, in}, true, Init::normal(std));
  };
  const auto layer = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    const int index = weight(name, out, in);
    return Weights{index, params_.declare(name + ".bias", {out}, false, Init::constant(0))};
  };
  const auto residual = [&](const std::string& name, std::int64_t in, std::int64_t inner,
                            std::int64_t out) {
    return Residual{layer(name + ".hidden_layer", inner, in),
                    layer(name + ".output_layer", out, inner),
                    layer(name + ".residual_layer", out, in)};
  };
  const auto scale = [&](const std::string& name) {
    return Weights{params_.declare(name + ".weight", {D}, false, Init::constant(1)), -1};
  };
  const bool first = series.program == SeriesProgram::tirex;
  norm_ = {
      .kind = kernels::NormKind::rms, .groups = 1, .eps = series.norm_eps, .scale_offset = 0.0};
  activation_ = feedforward_activation(f.act_fn);
  patch_activation_ = feedforward_activation(series.act_fn);
  patch_in_ =
      residual("input_patch_embedding", 2 * std::int64_t{series.patch}, series.input_width, D);
  for (int b = 0; b < spec.num_blocks; ++b) {
    Block block;
    block.parameter_prefix =
        first ? fmt::format("block_stack.blocks.{}.", b) : fmt::format("stack.{}.time_mixer.", b);
    const std::string& prefix = block.parameter_prefix;
    block.norm = scale(prefix + (first ? "norm_slstm" : "norm_lstm"));
    block.cell = kind_of(spec, b).make(spec, {b, prefix}, params_);
    block.ffn_norm = scale(prefix + "norm_ffn");
    block.gate.weight = weight(prefix + "ffn.proj_up_gate", U, D);
    block.up.weight = weight(prefix + "ffn.proj_up", U, D);
    block.down.weight = weight(prefix + "ffn.proj_down", D, U);
    blocks_.push_back(std::move(block));
  }
  last_norm_options_ = norm_;
  if (series.out_norm_eps) {
    last_norm_options_.eps = *series.out_norm_eps;
    last_norm_ = scale(first ? "block_stack.out_norm" : "stack_out_norm");
  }
  patch_out_ = residual("output_patch_embedding", D, series.output_width, spec.vocab_size);
}

void Model::set_patches(const Tensor& patches) {
  check(spec_.series.has_value(), "Only forecasting models read patches of a series.");
  const std::int64_t width = 2 * std::int64_t{spec_.series->patch};
  check(patches.rank() == 2 && patches.extent(1) == width && patches.dtype() == DType::f32,
        "This model reads patches of {} numbers.", spec_.series->patch);
  patches_ = patches.to(device());
}

std::string Model::path_of(int block) const {
  return fmt::format("block{}/{}", block,
                     blocks_[static_cast<std::size_t>(block)].cell->card().prefix);
}

Var Model::norm(Tape& tape, const Params& params, const kernels::NormOptions& options,
                const Weights& weights, Var x) {
  return ops::norm(tape, options, x, param(params, weights.weight), param(params, weights.bias));
}

Var Model::linear(Tape& tape, const Params& params, const Weights& weights, Var x) const {
  return ops::linear(tape, x, param(params, weights.weight), param(params, weights.bias));
}

Var Model::residual(Tape& tape, const Params& params, const Residual& layer, Var x) const {
  const Var inner = ops::activation(tape, patch_activation_, linear(tape, params, layer.hidden, x));
  return ops::add(tape, linear(tape, params, layer.output, inner),
                  linear(tape, params, layer.past, x));
}

Var Model::embedded(Tape& tape, const Params& params, const Tensor& ids) const {
  if (!spec_.series) return ops::embed(tape, ids.to(params.device()), params[embedding_]);
  check(patches_.defined() && !tape.needs_gradients(),
        "A forecasting model reads the patches of a series, and is not trained here.");
  return residual(
      tape, params, patch_in_,
      ops::embed(tape, ids.to(params.device()), Param{patches_.to(params.device()), {}}));
}

Var Model::put_out(Tape& tape, const Params& params, Var x) const {
  if (last_norm_.weight >= 0) x = norm(tape, params, last_norm_options_, last_norm_, x);
  if (spec_.series) return residual(tape, params, patch_out_, x);
  const Var logits = ops::linear(tape, x, params[head_ >= 0 ? head_ : embedding_]);
  return spec_.large ? ops::soft_cap(tape, logits, spec_.large->output_logit_soft_cap) : logits;
}

Var Model::feedforward(Tape& tape, const Params& params, const Block& block, Var x) const {
  Param gate = param(params, block.gate.weight), gate_bias = param(params, block.gate.bias);
  Param up = param(params, block.up.weight), up_bias = param(params, block.up.bias);
  if (block.gate.weight < 0) {
    const std::int64_t U = up.value.extent(0) / 2;
    gate = up.rows(0, U);
    gate_bias = up_bias.rows(0, U);
    up = up.rows(U, 2 * U);
    up_bias = up_bias.rows(U, 2 * U);
  }
  const Var open = ops::linear(tape, x, gate, gate_bias);
  const Var value = ops::linear(tape, x, up, up_bias);
  const Var inner = ops::gated(tape, activation_, open, value);
  return ops::linear(tape, inner, param(params, block.down.weight), param(params, block.down.bias));
}

Var Model::pass(Tape& tape, const Params& params, const Tensor& ids, const State& before,
                State* used, State& after) const {
  const Device device = params.device();
  const std::vector<CellState> fresh(before.cells.empty() ? blocks_.size() : 0);
  const State brought = before.elsewhere(device) ? before.on(device) : State();
  const std::vector<CellState>& from = !brought.cells.empty() ? brought.cells
                                       : before.cells.empty() ? fresh
                                                              : before.cells;
  check(from.size() == blocks_.size(),
        "The state belongs to a model of {} blocks, this one has {}.", from.size(), blocks_.size());
  after.cells.assign(blocks_.size(), {});

  Var x = embedded(tape, params, ids);
  const int lengths = static_cast<int>(blocks_.size()) + 1;
  if (tape.observed()) tape.record_length(kResidualNorm, x, 0, lengths);
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Block& block = blocks_[b];
    if (tape.observed()) tape.set_prefix(path_of(static_cast<int>(b)));
    const Var into = x;
    if (ScanWatch* watch = tape.scan_watch()) watch->input = into;
    const Var inner = norm(tape, params, norm_, block.norm, x);
    x = ops::add(tape, x, block.cell->forward(tape, params, inner, from[b], after.cells[b]));
    if (block.down.weight >= 0)
      x = ops::add(tape, x,
                   feedforward(tape, params, block, norm(tape, params, norm_, block.ffn_norm, x)));
    if (tape.observed()) tape.record_length(kResidualNorm, x, static_cast<int>(b) + 1, lengths);
    // A long prompt of a large model makes more in a few blocks than there is memory.
    if (!tape.needs_gradients()) tape.drop(into, x);
    if (used && !used->cells.empty()) used->cells[b] = {};
  }
  return put_out(tape, params, x);
}

Var Model::cell_of(Tape& tape, int block, Var x) const {
  const Block& of = blocks_.at(static_cast<std::size_t>(block));
  if (tape.observed()) tape.set_prefix(path_of(block));
  CellState after;
  return of.cell->forward(tape, params_, norm(tape, params_, norm_, of.norm, x), {}, after);
}

std::vector<BlockCard> Model::cards_of(const ModelSpec& spec) {
  return Model(spec, DType::f32, WithoutMemory{}).cards();
}

void Model::write_again(int block, const TokenTrace& seen, const CellState& before,
                        CellState& after) const {
  blocks_[static_cast<std::size_t>(block)].cell->write_again(seen, path_of(block), device(), before,
                                                             after);
}

Mixing Model::mixing(int block) const {
  return blocks_[static_cast<std::size_t>(block)].cell->mixing(params_);
}

void Model::set_variant(const std::string& kind, const CellVariant& variant) {
  ModelSpec changed = spec_;
  bool known = false, other = false;
  for (const Block& block : blocks_) {
    const BlockCard card = block.cell->card();
    if (card.kind != kind) continue;
    other = other || !(card.variant == variant);
    block.cell->variant_in(changed) = variant;
    known = true;
  }
  check(known, "This model has no blocks of kind '{}'.", kind);
  // Reading it back refuses what does not exist, with the sentence of a wrong file.
  changed = model_spec_from_json(to_json(changed));
  // What was computed with these equations already stays known.
  if (!other) return;
  spec_ = changed;
  ++revision_;
  for (Block& block : blocks_) {
    if (block.cell->card().kind == kind) block.cell->set_variant(variant);
  }
}

std::vector<BlockCard> Model::cards() const {
  std::vector<BlockCard> cards;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    BlockCard card = blocks_[b].cell->card();
    card.prefix = path_of(static_cast<int>(b));
    if (blocks_[b].down.weight >= 0) {
      const Shape& down = params_.infos()[static_cast<std::size_t>(blocks_[b].down.weight)].shape;
      card.feedforward_width = static_cast<int>(down[1]);
    }
    for (const ParamInfo& info : params_.infos())
      if (info.name.starts_with(blocks_[b].parameter_prefix))
        card.parameters += info.shape.elements();
    cards.push_back(std::move(card));
  }
  return cards;
}

}  // namespace xlab
