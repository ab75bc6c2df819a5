// The choices in a cell's equations that papers and programs make differently. Standard types only.
#pragma once

#include <cstdint>

#include "kernels/cell_options.hpp"

namespace xlab {

using kernels::DenominatorFloor;
using kernels::ForgetGate;
using kernels::NumberFormat;

/// What is divided by the root of the key width before keys and queries meet the memory.
enum class Scaled : std::uint8_t { keys, queries };

/// Defaults are those of the paper's program. What a kind of cell has no use for stays as it is:
/// the sLSTM has no floor, scale and eps.
struct CellVariant {
  ForgetGate forget_gate = ForgetGate::sigmoid;
  bool stabilizer = true;  ///< without it exponentials are taken as they are
  DenominatorFloor denominator_floor = DenominatorFloor::stabilizer;
  Scaled scale = Scaled::keys;
  double eps = 1e-6;           ///< added to the denominator
  double gate_soft_cap = 0.0;  ///< of input and forget gate before squashing; 0: none
  NumberFormat number_format = NumberFormat::native;  ///< of the arithmetic

  bool operator==(const CellVariant&) const = default;
};

/// Their names, as specifications have them and people read them.
constexpr const char* name_of(ForgetGate gate) {
  return gate == ForgetGate::exponential ? "exponential" : "sigmoid";
}
constexpr const char* name_of(DenominatorFloor floor) {
  return floor == DenominatorFloor::one ? "one" : "stabilizer";
}
constexpr const char* name_of(Scaled scaled) {
  return scaled == Scaled::queries ? "queries" : "keys";
}
constexpr const char* name_of(NumberFormat format) {
  switch (format) {
    case NumberFormat::fp64:
      return "fp64";
    case NumberFormat::fp32:
      return "fp32";
    case NumberFormat::bf16:
      return "bf16";
    case NumberFormat::fp16:
      return "fp16";
    case NumberFormat::native:
      break;
  }
  return "native";
}

}  // namespace xlab
