// The choices in a cell's equations that papers and programs make differently. Standard types only.
#pragma once

#include <cstdint>

#include "kernels/cell_options.hpp"

namespace xlab {

using kernels::DenominatorFloor;
using kernels::ForgetGate;
using kernels::NumberFormat;

/// What a token is written with: exp(i), or σ(i) (Beck et al. 2025, "Tiled Flash Linear Attention":
/// mLSTMsig), which cannot overflow and needs no stabilizer.
enum class InputGate : std::uint8_t { exponential, sigmoid };

/// What is divided by the root of the key width before keys and queries meet the memory.
enum class Scaled : std::uint8_t { keys, queries };

/// Defaults are those of the paper's program. What a kind of cell has no use for stays as it is:
/// the sLSTM has no other input gate, normalizer, floor, scale and eps.
struct CellVariant {
  ForgetGate forget_gate = ForgetGate::sigmoid;
  bool stabilizer = true;  ///< without it exponentials are taken as they are
  InputGate input_gate = InputGate::exponential;
  bool normalizer = true;  ///< without it N is its floor alone and eps is not added
  DenominatorFloor denominator_floor = DenominatorFloor::stabilizer;
  Scaled scale = Scaled::keys;
  double eps = 1e-6;           ///< added to the denominator
  double gate_soft_cap = 0.0;  ///< of input and forget gate before squashing; 0: none
  NumberFormat number_format = NumberFormat::native;  ///< of the arithmetic

  bool operator==(const CellVariant&) const = default;

  /// Whether there is an m.
  bool stabilised() const { return stabilizer && input_gate == InputGate::exponential; }
  /// Whether a gate can overflow.
  bool has_raw_exponentials() const {
    return !stabilised() &&
           (input_gate == InputGate::exponential || forget_gate == ForgetGate::exponential);
  }
  /// What is added to N.
  double added() const { return normalizer ? eps : 0.0; }
};

/// Their names, as specifications have them and people read them.
constexpr const char* name_of(ForgetGate gate) {
  return gate == ForgetGate::exponential ? "exponential" : "sigmoid";
}
constexpr const char* name_of(InputGate gate) {
  return gate == InputGate::sigmoid ? "sigmoid" : "exponential";
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
