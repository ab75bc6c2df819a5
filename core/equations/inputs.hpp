// What the number of a value is computed from, at one step, head and unit. Standard types only.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// Where a number stands in the recordings of a sequence.
struct ValuePlace {
  std::string path;
  int step = 0, head = 0;
  int unit = 0;  ///< of a matrix key * V + value
};

/// One value that another one is computed from.
struct EquationInput {
  std::string name;     ///< of the value in its block
  ValuePlace place;     ///< of a whole vector the first number
  bool before = false;  ///< its state one step before
  std::string symbol;   ///< of its card: "m"
  std::string title;    ///< "stabilizer, one step before"
  bool whole = false;   ///< all of the head's numbers are taken: of a key, or of a matrix a column
  bool replayed = false;  ///< it stands in a matrix memory, and is replayed from the writes
  /// One, or a whole vector; empty where something is not recorded. States start at 0.
  std::vector<double> numbers;
};

/// Whether the columns of a matrix memory are replayed for values that take one of them: that takes
/// as long as the sequence is.
enum class Columns { left_out, replayed };

/// In the order of the card's inputs; empty for what has none, and for unknown paths.
std::vector<EquationInput> inputs_of(const Trace& trace, const BlockCard& block,
                                     const ValuePlace& place, Columns columns = Columns::left_out);

}  // namespace xlab
