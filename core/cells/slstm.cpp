// The paper's sLSTM layer: scalar memories with memory mixing inside each head (Beck et al. 2024,
// fig. 9). The memory is the sLSTM's, or that of the LSTM, with the same weights.
//
//   xc = SiLU(conv(x))
//   input gate <- fgate(xc), forget gate <- igate(xc)
//   cell input <- zgate(x), output gate <- ogate(x)
//   y = norm(sLSTM(...))
//
// The official code feeds the parameter named `fgate` into the input gate's place and `igate` into
// the forget gate's; checkpoints depend on it, so it is kept.
#include <algorithm>
#include <cmath>
#include <memory>

#include "core/cells/cell.hpp"
#include "core/cells/scalar.hpp"
#include "core/ops.hpp"

namespace xlab {
namespace {

using kernels::Activation;

/// Forget biases from +5 down to -7 over the units of a head, more of them high in early blocks.
std::vector<double> forget_biases(const ModelSpec& spec, int block, int units) {
  std::vector<double> biases;
  const double depth =
      spec.num_blocks > 1 ? static_cast<double>(block) / (spec.num_blocks - 1) : 0.0;
  for (int u = 0; u < units; ++u) {
    const double share = units > 1 ? static_cast<double>(u) / (units - 1) : 0.0;
    biases.push_back(spec.slstm->bias_init == "small_init"
                         ? 3.0 + 3.0 * share
                         : 5.0 - 12.0 * std::pow(share, 0.3 + 1.3 * depth));
  }
  return biases;
}

class SlstmCell : public Cell {
 public:
  SlstmCell(const ModelSpec& spec, const BlockPlace& place, Params& params)
      : heads_(spec.slstm->num_heads),
        window_(spec.slstm->conv1d_kernel_size),
        units_(spec.embedding_dim / heads_),
        block_(place.index),
        of_(&scalar_cell(spec.slstm->memory_of(place.index))),
        variant_(spec.slstm->variant_of(place.index)),
        values_(described()) {
    const std::int64_t D = spec.embedding_dim, DH = units_, H = heads_;
    const double std = std::sqrt(2.0 / (5.0 * static_cast<double>(D)));
    const double wide = 1.0 / std::sqrt(static_cast<double>(D));
    // Forecasting models have other names. TiRex-2 stores the scale of the norm itself.
    const bool tirex2 = spec.series && spec.series->program == SeriesProgram::tirex2;
    if (tirex2) norm_options_ = {.eps = 1e-6, .scale_offset = 0.0};
    const std::string room = tirex2 ? "fwd_cell." : spec.series ? "slstm_layer." : "xlstm.";
    const std::string memory = tirex2 ? "" : "slstm_cell.";
    const auto add = [&](const std::string& name, const Shape& shape, Init init) {
      const std::string full = place.prefix + room + name;
      return params.declare(full, shape, decays(spec, full), std::move(init));
    };
    if (window_ > 0) {
      const double bound = 1.0 / std::sqrt(static_cast<double>(window_));
      conv_ = add("conv1d.conv.weight", {D, 1, window_}, Init::uniform(bound));
      conv_bias_ = add("conv1d.conv.bias", {D}, Init::uniform(bound));
    }
    fgate_ = add("fgate.weight", {H, DH, DH}, Init::normal(std));
    igate_ = add("igate.weight", {H, DH, DH}, Init::normal(std));
    zgate_ = add("zgate.weight", {H, DH, DH}, Init::normal(std));
    ogate_ = add("ogate.weight", {H, DH, DH}, Init::normal(std));
    recurrent_ =
        add(memory + "_recurrent_kernel_", {H, 4 * DH, DH},
            spec.slstm->recurrent_weight_init == "zeros" ? Init::constant(0) : Init::uniform(wide));
    Init bias = Init::uniform(wide);
    if (spec.slstm->bias_init != "standard") {
      std::vector<double> values(static_cast<std::size_t>(4 * D), 0.0);
      const std::vector<double> forget = forget_biases(spec, place.index, units_);
      for (int h = 0; h < heads_ && spec.slstm->bias_init != "zeros"; ++h)
        std::copy(forget.begin(), forget.end(), values.begin() + D + h * units_);
      bias = Init::exactly(std::move(values));
    }
    bias_ = add(memory + "_bias_", {4 * D}, std::move(bias));
    if (spec.slstm->group_norm_weight)
      norm_ = add("group_norm.weight", {D}, Init::constant(tirex2 ? 1 : 0));
    norm_options_.groups = heads_;
  }

  Var forward(Tape& tape, const Params& params, Var x, const CellState& before,
              CellState& after) const override {
    const auto at = [&](int index) { return index < 0 ? Param{} : params[index]; };
    Var xc = x;
    if (window_ > 0) {
      const Tensor& in = tape.value(x);
      const std::int64_t B = in.extent(0), D = in.extent(2);
      Tensor window = Tensor::empty({B, window_, D}, params.dtype(), params.device());
      const Param conv = at(conv_);
      const Param taps{conv.value.reshape({D, window_}), conv.grad.reshape({D, window_})};
      xc = ops::activation(tape, Activation::silu,
                           ops::conv1d(tape, x, before.get("conv"), taps, at(conv_bias_), window));
      after.set("conv", window);
    }
    const Var wx =
        ops::concat(tape, {ops::headwise(tape, xc, at(fgate_)), ops::headwise(tape, xc, at(igate_)),
                           ops::headwise(tape, x, at(zgate_)), ops::headwise(tape, x, at(ogate_))});
    kernels::SlstmState initial{before.get("y"), before.get("c"), before.get("n"), before.get("m")};
    kernels::SlstmState last;
    const Var y = ops::slstm(tape, slstm_options(variant_, of_->memory), heads_, wx, at(recurrent_),
                             at(bias_), initial, last);
    after.set("y", last.y);
    after.set("c", last.c);
    if (last.n.defined()) after.set("n", last.n);
    if (last.m.defined()) after.set("m", last.m);
    return ops::norm(tape, norm_options_, y, at(norm_));
  }

  void set_variant(const CellVariant& variant) override {
    variant_ = variant;
    values_ = described();
  }
  CellVariant& variant_in(ModelSpec& spec) const override { return spec.slstm->variant_of(block_); }

  Mixing mixing(const Params& params) const override {
    return {params[recurrent_].value, params[bias_].value};
  }

  BlockCard card() const override {
    return {.kind = of_->name,
            .title = of_->title,
            .heads = heads_,
            .key_dim = units_,
            .value_dim = units_,
            .window = window_,
            .prefix = of_->name,
            .variant = variant_,
            .scan = of_->scan,
            .values = values_};
  }

 private:
  std::shared_ptr<const CellValues> described() const {
    return std::make_shared<const CellValues>(of_->values(variant_));
  }

  int heads_, window_, units_, block_;
  const ScalarCell* of_;
  CellVariant variant_;
  kernels::NormOptions norm_options_;
  std::shared_ptr<const CellValues> values_;
  int conv_ = -1, conv_bias_ = -1, fgate_, igate_, zgate_, ogate_, recurrent_, bias_, norm_ = -1;
};

}  // namespace

std::unique_ptr<Cell> make_slstm_cell(const ModelSpec& spec, const BlockPlace& place,
                                      Params& params) {
  return std::make_unique<SlstmCell>(spec, place, params);
}

}  // namespace xlab
