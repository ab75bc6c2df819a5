// The list of cells, and what their choices mean to the kernels.
#include "core/cells/cell.hpp"

#include <algorithm>

#include "core/ops.hpp"

namespace xlab {

std::unique_ptr<Cell> make_cell(const ModelSpec& spec, const BlockPlace& place, Params& params) {
  if (spec.large) return make_large_cell(spec, place, params);
  return spec.is_slstm(place.index) ? make_slstm_cell(spec, place, params)
                                    : make_mlstm_cell(spec, place, params);
}

kernels::MlstmOptions mlstm_options(const CellVariant& variant) {
  return {.query_scale = 1.0,
          .eps = variant.added(),
          .forget_gate = variant.forget_gate,
          .stabilizer = variant.stabilised(),
          .floor = variant.denominator_floor,
          .normalize = variant.normalizer,
          .format = variant.number_format};
}

Var log_weight(Tape& tape, const CellVariant& variant, Var input_gate_pre) {
  if (variant.input_gate == InputGate::exponential) return input_gate_pre;
  return ops::activation(tape, kernels::Activation::log_sigmoid, input_gate_pre);
}

void write_mlstm_again(const BlockCard& card, const TokenTrace& seen, const std::string& path,
                       Device device, const CellState& before, CellState& after) {
  Tape tape(Tape::Mode::inference);
  const auto recorded = [&](const char* name) {
    const Recorded* value = seen.find(path + "/" + name);
    check(value != nullptr, "'{}/{}' was not recorded.", path, name);
    Tensor numbers =
        Tensor::empty({1, 1, static_cast<std::int64_t>(value->values.size())}, DType::f32);
    std::copy(value->values.begin(), value->values.end(), numbers.data<float>());
    return tape.constant(numbers.to(device));
  };
  const kernels::MlstmState initial{before.get("C"), before.get("n"), before.get("m")};
  kernels::MlstmState last;
  ops::mlstm(tape, mlstm_options(card.variant), card.heads, recorded("q"), recorded("k"),
             recorded("v"), log_weight(tape, card.variant, recorded("input_gate_pre")),
             recorded("forget_gate_pre"), initial, last);
  after.set("C", last.C);
}

kernels::SlstmOptions slstm_options(const CellVariant& variant, kernels::ScalarMemory memory) {
  return {.memory = memory,
          .forget_gate = variant.forget_gate,
          .stabilizer = variant.stabilizer,
          .gate_soft_cap = variant.gate_soft_cap,
          .format = variant.number_format};
}

bool decays(const ModelSpec& spec, const std::string& name) {
  if (name == "token_embedding.weight" || name == "backbone.embeddings.weight")
    return spec.weight_decay_on_embedding;
  return name.find("weight") != std::string::npos && name.find("norm") == std::string::npos;
}

}  // namespace xlab
