// The large family's mLSTM layer (xLSTM-large, the 7B): a matrix memory over dense projections.
//
//   q = W_q x / sqrt(K)    k = W_k x    v = W_v x    o = W_o x
//   i, f = cap(W_i x + b_i), cap(W_f x + b_f)          cap(a) = c tanh(a / c)
//   y = W_out(sigmoid(o) * norm(mLSTM(q, k, v, i, f)))
#include <cmath>
#include <memory>

#include "core/cells/cell.hpp"
#include "core/ops.hpp"

namespace xlab {
namespace {

using kernels::Activation;

class LargeCell : public Cell {
 public:
  LargeCell(const ModelSpec& spec, const BlockPlace& place, Params& params)
      : spec_(*spec.large),
        keys_(large_key_width(spec)),
        values_(large_value_width(spec)),
        described_(std::make_shared<const CellValues>(large_values(spec_.variant))) {
    const std::int64_t D = spec.embedding_dim, H = spec_.num_heads;
    const double in_std = std::sqrt(2.0 / (5.0 * static_cast<double>(D)));
    const double out_std = 2.0 / spec.num_blocks / std::sqrt(static_cast<double>(D));
    const auto add = [&](const std::string& name, const Shape& shape, Init init) {
      const std::string full = place.prefix + "mlstm_layer." + name;
      return params.declare(full, shape, decays(spec, full), std::move(init));
    };
    const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in,
                            double std) -> Linear {
      const int weight = add(name + ".weight", {out, in}, Init::normal(std));
      return {weight, spec_.use_bias ? add(name + ".bias", {out}, Init::constant(0)) : -1};
    };
    q_ = linear("q", keys_, D, in_std);
    k_ = linear("k", keys_, D, in_std);
    v_ = linear("v", values_, D, in_std);
    o_ = linear("ogate_preact", values_, D, 0.0);
    i_.weight = add("igate_preact.weight", {H, D}, Init::constant(0));
    i_.bias = add("igate_preact.bias", {H}, Init::constant(-10));
    f_.weight = add("fgate_preact.weight", {H, D}, Init::constant(0));
    // Spread over the heads, so that they forget at different speeds.
    std::vector<double> forget(static_cast<std::size_t>(H), 3.0);
    for (std::int64_t h = 1; h < H; ++h)
      forget[static_cast<std::size_t>(h)] =
          3.0 + 3.0 * static_cast<double>(h) / static_cast<double>(H - 1);
    f_.bias = add("fgate_preact.bias", {H}, Init::exactly(std::move(forget)));
    norm_.weight = add("multihead_norm.weight", {values_}, Init::constant(1));
    if (spec_.use_bias) norm_.bias = add("multihead_norm.bias", {values_}, Init::constant(0));
    out_ = linear("out_proj", D, values_, out_std);
  }

  Var forward(Tape& tape, const Params& params, Var x, const CellState& before,
              CellState& after) const override {
    const auto at = [&](int index) { return index < 0 ? Param{} : params[index]; };
    const auto linear = [&](const Linear& l, Var in) {
      return ops::linear(tape, in, at(l.weight), at(l.bias));
    };
    const auto gate = [&](const char* name, const Linear& l) {
      return tape.tap(name, ops::soft_cap(tape, linear(l, x), spec_.variant.gate_soft_cap),
                      spec_.num_heads);
    };
    const int heads = spec_.num_heads;

    // Usually keys enter the memory as they are: what is scaled is the query.
    const auto keys_per_head = keys_ / heads;
    const double root = 1.0 / std::sqrt(static_cast<double>(keys_per_head));
    const bool keys_scaled = spec_.variant.scale == Scaled::keys;
    const auto address = [&](const char* name, const Linear& l, bool scaled) {
      const Var y = linear(l, x);
      return tape.tap(name, scaled ? ops::scale(tape, y, root) : y, heads);
    };
    const Var q = address("q", q_, !keys_scaled);
    const Var k = address("k", k_, keys_scaled);
    const Var v = tape.tap("v", linear(v_, x), heads);
    const Var o = tape.tap("output_gate_pre", linear(o_, x), heads);
    const Var i = gate("input_gate_pre", i_);
    const Var f = gate("forget_gate_pre", f_);
    const Var w = log_weight(tape, spec_.variant, i);

    kernels::MlstmState initial{before.get("C"), before.get("n"), before.get("m")}, last;
    const Var h = tape.tap(
        "h", ops::mlstm(tape, mlstm_options(spec_.variant), heads, q, k, v, w, f, initial, last),
        heads);
    after.set("C", last.C);
    after.set("n", last.n);
    after.set("m", last.m);

    const Var normed =
        ops::norm(tape, {.groups = heads, .eps = spec_.norm_eps, .scale_offset = 0.0}, h,
                  at(norm_.weight), at(norm_.bias));
    const Var out = ops::gated(tape, Activation::sigmoid, o, normed);
    if (tape.recording()) {
      Tensor open = Tensor::empty(tape.value(o).shape(), params.dtype(), params.device());
      kernels::activation_forward(Activation::sigmoid, tape.value(o), open);
      tape.record("output_gate", open, heads);
    }
    return linear(out_, out);
  }

  void write_again(const TokenTrace& seen, const std::string& path, Device device,
                   const CellState& before, CellState& after) const override {
    write_mlstm_again(card(), seen, path, device, before, after);
  }

  void set_variant(const CellVariant& variant) override {
    spec_.variant = variant;
    described_ = std::make_shared<const CellValues>(large_values(variant));
  }
  CellVariant& variant_in(ModelSpec& spec) const override { return spec.large->variant; }

  BlockCard card() const override {
    return {.kind = "mlstm",
            .title = "mLSTM",
            .has_matrix = true,
            .heads = spec_.num_heads,
            .key_dim = static_cast<int>(keys_) / spec_.num_heads,
            .value_dim = static_cast<int>(values_) / spec_.num_heads,
            .prefix = "mlstm_large",  // its output gate is another one than the paper's
            .variant = spec_.variant,
            .usual = LargeSpec::reference_variant(),
            .scan = Scan::mlstm,
            .values = described_};
  }

 private:
  struct Linear {
    int weight = -1, bias = -1;
  };

  LargeSpec spec_;
  std::int64_t keys_, values_;  // widths of all heads together
  std::shared_ptr<const CellValues> described_;
  Linear q_, k_, v_, o_, i_, f_, norm_, out_;
};

}  // namespace

std::unique_ptr<Cell> make_large_cell(const ModelSpec& spec, const BlockPlace& place,
                                      Params& params) {
  return std::make_unique<LargeCell>(spec, place, params);
}

}  // namespace xlab
