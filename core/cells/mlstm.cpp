// The paper's mLSTM block: pre-up-projection around a matrix memory (Beck et al. 2024, fig. 10).
//
//   [xm, z] = proj_up(x)        xc = SiLU(conv(xm))
//   q, k = q_proj(xc), k_proj(xc)   v = v_proj(xm)     (block-diagonal)
//   i, f = W_i [q; k; v] + b_i, W_f [q; k; v] + b_f
//   y = proj_down((norm(mLSTM(q, k / sqrt(K), v, i, f)) + skip * xc) * SiLU(z))
#include <cmath>
#include <memory>

#include "core/cells/cell.hpp"
#include "core/ops.hpp"

namespace xlab {
namespace {

using kernels::Activation;

class MlstmCell : public Cell {
 public:
  MlstmCell(const ModelSpec& spec, const BlockPlace& place, Params& params)
      : heads_(spec.mlstm->num_heads),
        window_(spec.mlstm->conv1d_kernel_size),
        variant_(spec.mlstm->variant),
        values_(std::make_shared<const CellValues>(mlstm_values(variant_))) {
    const MlstmSpec& s = *spec.mlstm;
    const int D = spec.embedding_dim;
    inner_ = static_cast<int>(
        rounded_width(s.proj_factor, D, s.round_proj_up_dim_up, s.round_proj_up_to_multiple_of));
    const std::int64_t I = inner_, nb = I / s.qkv_proj_blocksize, bs = I / nb;
    const double in_std = std::sqrt(2.0 / (5.0 * D));
    const double out_std = 2.0 / spec.num_blocks / std::sqrt(static_cast<double>(D));
    const double conv_bound = 1.0 / std::sqrt(static_cast<double>(window_));
    const auto add = [&](const std::string& name, const Shape& shape, Init init) {
      const std::string full = place.prefix + "xlstm." + name;
      return params.declare(full, shape, decays(spec, full), std::move(init));
    };
    const auto bias = [&](const std::string& name, std::int64_t size) {
      return spec.bias ? add(name, {size}, Init::constant(0)) : -1;
    };
    up_ = add("proj_up.weight", {2 * I, D}, Init::normal(in_std));
    up_bias_ = bias("proj_up.bias", 2 * I);
    q_ = add("q_proj.weight", {nb, bs, bs}, Init::normal(in_std));
    q_bias_ = bias("q_proj.bias", I);
    k_ = add("k_proj.weight", {nb, bs, bs}, Init::normal(in_std));
    k_bias_ = bias("k_proj.bias", I);
    v_ = add("v_proj.weight", {nb, bs, bs}, Init::normal(in_std));
    v_bias_ = bias("v_proj.bias", I);
    conv_ = add("conv1d.conv.weight", {I, 1, window_}, Init::uniform(conv_bound));
    conv_bias_ = add("conv1d.conv.bias", {I}, Init::uniform(conv_bound));
    i_ = add("mlstm_cell.igate.weight", {heads_, 3 * I}, Init::constant(0));
    i_bias_ = add("mlstm_cell.igate.bias", {heads_}, Init::normal(0.1));
    f_ = add("mlstm_cell.fgate.weight", {heads_, 3 * I}, Init::constant(0));
    // Spread over the heads, so that they forget at different speeds.
    std::vector<double> forget(static_cast<std::size_t>(heads_), 3.0);
    for (int h = 1; h < heads_; ++h)
      forget[static_cast<std::size_t>(h)] = 3.0 + 3.0 * h / (heads_ - 1);
    f_bias_ = add("mlstm_cell.fgate.bias", {heads_}, Init::exactly(std::move(forget)));
    outnorm_ = add("mlstm_cell.outnorm.weight", {I}, Init::constant(0));
    skip_ = add("learnable_skip", {I}, Init::constant(1));
    down_ = add("proj_down.weight", {D, I}, Init::normal(out_std));
    down_bias_ = bias("proj_down.bias", D);
  }

  Var forward(Tape& tape, const Params& params, Var x, const CellState& before,
              CellState& after) const override {
    const auto at = [&](int index) { return index < 0 ? Param{} : params[index]; };
    const Param up = at(up_), up_bias = at(up_bias_);
    const Tensor& in = tape.value(x);
    const std::int64_t B = in.extent(0), I = inner_;

    const Var xm = ops::linear(tape, x, up.rows(0, I), up_bias.rows(0, I));
    const Var z = tape.tap("output_gate_pre",
                           ops::linear(tape, x, up.rows(I, 2 * I), up_bias.rows(I, 2 * I)), heads_);
    Tensor window = Tensor::empty({B, window_, I}, params.dtype(), params.device());
    const Param conv = at(conv_);
    const Param taps{conv.value.reshape({I, window_}), conv.grad.reshape({I, window_})};
    const Var xc =
        ops::activation(tape, Activation::silu,
                        ops::conv1d(tape, xm, before.get("conv"), taps, at(conv_bias_), window));
    after.set("conv", window);

    const Var q = ops::headwise(tape, xc, at(q_), at(q_bias_));
    const Var k = ops::headwise(tape, xc, at(k_), at(k_bias_));
    const Var v = tape.tap("v", ops::headwise(tape, xm, at(v_), at(v_bias_)), heads_);
    const Var qkv = ops::concat(tape, {q, k, v});
    const auto gate = [&](const char* name, int weight, int bias) {
      const Var pre = ops::linear(tape, qkv, at(weight), at(bias));
      return tape.tap(name, ops::soft_cap(tape, pre, variant_.gate_soft_cap), heads_);
    };
    const Var i = gate("input_gate_pre", i_, i_bias_);
    const Var f = gate("forget_gate_pre", f_, f_bias_);
    const Var w = log_weight(tape, variant_, i);

    // Usually the memory holds the scaled keys, and queries enter as they are.
    const auto per_head = inner_ / heads_;
    const double scale = 1.0 / std::sqrt(static_cast<double>(per_head));
    const bool keys_scaled = variant_.scale == Scaled::keys;
    const Var queries = tape.tap("q", keys_scaled ? q : ops::scale(tape, q, scale), heads_);
    const Var keys = tape.tap("k", keys_scaled ? ops::scale(tape, k, scale) : k, heads_);
    kernels::MlstmState initial{before.get("C"), before.get("n"), before.get("m")}, last;
    const Var h = tape.tap(
        "h",
        ops::mlstm(tape, mlstm_options(variant_), heads_, queries, keys, v, w, f, initial, last),
        heads_);
    after.set("C", last.C);
    after.set("n", last.n);
    after.set("m", last.m);

    const Var normed = ops::norm(tape, {.groups = heads_, .eps = 1e-5}, h, at(outnorm_));
    const Var sum = ops::add(tape, normed, ops::scale_columns(tape, xc, at(skip_)));
    const Var out = ops::gated(tape, Activation::silu, z, sum);
    if (tape.recording()) {
      Tensor gate = Tensor::empty(tape.value(z).shape(), params.dtype(), params.device());
      kernels::activation_forward(Activation::silu, tape.value(z), gate);
      tape.record("output_gate", gate, heads_);
    }
    return ops::linear(tape, out, at(down_), at(down_bias_));
  }

  void write_again(const TokenTrace& seen, const std::string& path, Device device,
                   const CellState& before, CellState& after) const override {
    write_mlstm_again(card(), seen, path, device, before, after);
  }

  void set_variant(const CellVariant& variant) override {
    variant_ = variant;
    values_ = std::make_shared<const CellValues>(mlstm_values(variant_));
  }
  CellVariant& variant_in(ModelSpec& spec) const override { return spec.mlstm->variant; }

  BlockCard card() const override {
    return {.kind = "mlstm",
            .title = "mLSTM",
            .has_matrix = true,
            .heads = heads_,
            .key_dim = inner_ / heads_,
            .value_dim = inner_ / heads_,
            .window = window_,
            .prefix = "mlstm",
            .variant = variant_,
            .scan = Scan::mlstm,
            .values = values_};
  }

 private:
  int heads_, window_, inner_ = 0;
  CellVariant variant_;
  std::shared_ptr<const CellValues> values_;
  int up_, up_bias_, q_, q_bias_, k_, k_bias_, v_, v_bias_, conv_, conv_bias_;
  int i_, i_bias_, f_, f_bias_, outnorm_, skip_, down_, down_bias_;
};

}  // namespace

std::unique_ptr<Cell> make_mlstm_cell(const ModelSpec& spec, const BlockPlace& place,
                                      Params& params) {
  return std::make_unique<MlstmCell>(spec, place, params);
}

}  // namespace xlab
