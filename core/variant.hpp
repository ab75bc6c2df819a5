// The choices in a cell's equations that papers and programs make differently. Standard types only.
#pragma once

#include <string>

namespace xlab {

/// Defaults are those of the paper's program. What a kind of cell has no use for stays as it is:
/// the sLSTM has no floor, scale and eps.
struct CellVariant {
  std::string forget_gate = "sigmoid";           ///< or exponential
  bool stabilizer = true;                        ///< without it exponentials are taken as they are
  std::string denominator_floor = "stabilizer";  ///< exp(-m); or one: 1 whatever m is
  std::string scale = "keys";  ///< what is divided by the root of the key width; or queries
  double eps = 1e-6;           ///< added to the denominator
  double gate_soft_cap = 0.0;  ///< of input and forget gate before squashing; 0: none
  std::string number_format = "native";  ///< of the arithmetic; or fp64, fp32, bf16, fp16

  bool operator==(const CellVariant&) const = default;
};

}  // namespace xlab
