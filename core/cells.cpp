// The list of cells.
#include "core/cell.hpp"

namespace xlab {

std::unique_ptr<Cell> make_cell(const ModelSpec& spec, const BlockPlace& place, Params& params) {
  if (spec.large) return make_large_cell(spec, place, params);
  return spec.is_slstm(place.index) ? make_slstm_cell(spec, place, params)
                                    : make_mlstm_cell(spec, place, params);
}

namespace {

kernels::ForgetGate forget_gate_of(const CellVariant& variant) {
  return variant.forget_gate == "exponential" ? kernels::ForgetGate::exponential
                                              : kernels::ForgetGate::sigmoid;
}

kernels::NumberFormat number_format_of(const CellVariant& variant) {
  using kernels::NumberFormat;
  const std::string& name = variant.number_format;
  if (name == "fp64") return NumberFormat::fp64;
  if (name == "fp32") return NumberFormat::fp32;
  if (name == "bf16") return NumberFormat::bf16;
  if (name == "fp16") return NumberFormat::fp16;
  check(name == "native", "The number format '{}' is unknown.", name);
  return NumberFormat::native;
}

}  // namespace

kernels::MlstmOptions mlstm_options(const CellVariant& variant) {
  return {.query_scale = 1.0,
          .eps = variant.eps,
          .forget_gate = forget_gate_of(variant),
          .stabilizer = variant.stabilizer,
          .floor = variant.denominator_floor == "one" ? kernels::DenominatorFloor::one
                                                      : kernels::DenominatorFloor::stabilizer,
          .format = number_format_of(variant)};
}

kernels::SlstmOptions slstm_options(const CellVariant& variant, kernels::ScalarMemory memory) {
  return {.memory = memory,
          .forget_gate = forget_gate_of(variant),
          .stabilizer = variant.stabilizer,
          .gate_soft_cap = variant.gate_soft_cap,
          .format = number_format_of(variant)};
}

bool decays(const ModelSpec& spec, const std::string& name) {
  if (name == "token_embedding.weight" || name == "backbone.embeddings.weight")
    return spec.weight_decay_on_embedding;
  return name.find("weight") != std::string::npos && name.find("norm") == std::string::npos;
}

}  // namespace xlab
