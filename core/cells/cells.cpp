// Who is meant in the list of cells, and what their choices mean to the kernels.
#include "core/cells/cell.hpp"

#include <algorithm>
#include <utility>

#include "core/cells/kind.hpp"
#include "core/cells/scalar.hpp"
#include "core/ops.hpp"

namespace xlab {

const CellKind& kind_of(const ModelSpec& spec, int block) {
  const auto kinds = cell_kinds();
  const auto found =
      std::ranges::find_if(kinds, [&](const CellKind* kind) { return kind->takes(spec, block); });
  check(found != kinds.end(), "Block {} is of no known kind.", block);
  return **found;
}

bool stands_in(const CellKind& kind, const ModelSpec& spec) {
  for (int b = 0; b < spec.num_blocks; ++b)
    if (&kind_of(spec, b) == &kind) return true;
  return false;
}

const ScalarCell& scalar_cell(kernels::ScalarMemory memory) {
  const auto cells = scalar_cells();
  const auto found =
      std::ranges::find_if(cells, [&](const ScalarCell* cell) { return cell->memory == memory; });
  check(found != cells.end(), "There is no cell with such a memory.");
  return **found;
}

kernels::ScalarMemory SlstmSpec::memory_of(int block) const {
  for (const Other& other : others)
    if (std::ranges::binary_search(other.blocks, block)) return other.memory;
  return memory;
}

const CellVariant& SlstmSpec::variant_of(int block) const {
  for (const Other& other : others)
    if (std::ranges::binary_search(other.blocks, block)) return other.variant;
  return variant;
}

CellVariant& SlstmSpec::variant_of(int block) {
  return const_cast<CellVariant&>(std::as_const(*this).variant_of(block));
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
