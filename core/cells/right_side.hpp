// Right-hand sides of equations with the numbers of one place in them, as the descriptions of cells
// write them. Standard types only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// A right-hand side: the formula with numbers, and what it comes to.
struct Side {
  std::string text;
  double value = 0.0;
};

/// One step, head and unit of one block's recordings. Remembers whether anything was missing; what
/// is missing is NaN.
class Place {
 public:
  /// Both must outlive it. Any step, head and unit may be asked for.
  Place(const Trace& trace, const BlockCard& block, int step, int head, int unit)
      : trace_(trace), block_(block), step_(step), head_(head), unit_(unit) {}

  const CellVariant& variant() const { return block_.variant; }
  int step() const { return step_; }
  int unit() const { return unit_; }
  bool complete() const { return complete_; }

  /// The whole head's values of a step, `dim` of them, or null.
  const float* head_values(const std::string& name, int step, int* dim);
  /// One number; values with one number a head have the same one for every unit.
  double at(const std::string& name, int step, int unit);
  double now(const std::string& name) { return at(name, step_, unit_); }
  /// One step earlier. States start at 0.
  double before(const std::string& name) { return step_ == 0 ? 0.0 : at(name, step_ - 1, unit_); }

 private:
  const Trace& trace_;
  const BlockCard& block_;
  int step_, head_, unit_;
  bool complete_ = true;
};

/// A number in a formula, and one in brackets where it is negative.
std::string number(double value);
std::string term(double value);

/// σ(x) of the value of this name.
Side sigmoid_side(Place& p, const char* name);
/// x σ(x).
Side silu_side(Place& p, const char* name);
Side exponential_side(Place& p, const char* name);
Side tanh_side(Place& p, const char* name);
/// forget · before + input · value.
Side mixed(double forget, double before, double input, double value);
/// Sum over two vectors of the place's head and step.
double dot(Place& p, const char* a, const char* b);

/// Of exponential gates: the logarithm of the forget gate before stabilisation, and what the
/// stabilizer makes of the gates.
double log_forget(Place& p);
Side stabilizer_side(Place& p);
Side stabilised_input_side(Place& p);
Side stabilised_forget_side(Place& p);

/// (key, value) of a unit of a value with the extent `key_by_value`, whose keys and values are
/// recorded as "k" and "v".
std::optional<std::pair<int, int>> matrix_cell(Place& p);
/// One column of a matrix memory after step `last`, replayed from its writes
/// C = forget_gate C + input_gate k vᵀ: (K), empty when one of them is missing.
std::vector<double> memory_column(Place& p, int last, int value);

}  // namespace xlab
