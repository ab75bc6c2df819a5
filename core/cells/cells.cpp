// The list of cells, and what their choices mean to the kernels.
#include "core/cells/cell.hpp"

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
