// Recorded values of a model, token by token, on the host. Standard types only.
//
// A path names a value: "block<b>/<cell>/<value>". Every value of one token is (heads, dim).
// Which values a block has, and what they are, its card says: core/value.hpp,
// core/cell_*_values.cpp
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace xlab {

/// The one recorded value that belongs to no block: the length (the root of the sum of squares) of
/// the vector that runs through the blocks, before the first block, then after each of them. One
/// head.
inline constexpr const char* kResidualNorm = "residual/norm";

/// One value of one token: (heads, dim), row-major.
struct Recorded {
  int heads = 0;
  int dim = 0;
  std::vector<float> values;

  float at(int head, int unit) const {
    return values[static_cast<std::size_t>(head) * static_cast<std::size_t>(dim) +
                  static_cast<std::size_t>(unit)];
  }
};

/// Everything recorded while one token passed through the model, by path.
struct TokenTrace {
  std::map<std::string, Recorded> values;

  const Recorded* find(const std::string& path) const {
    const auto found = values.find(path);
    return found == values.end() ? nullptr : &found->second;
  }
};

/// The recordings of a sequence; consecutive snapshots share the tokens they have in common.
struct Trace {
  std::vector<std::shared_ptr<const TokenTrace>> steps;

  int length() const { return static_cast<int>(steps.size()); }
  /// The value at a time step, or null when it was not recorded there.
  const Recorded* find(int step, const std::string& path) const {
    if (step < 0 || step >= length() || !steps[static_cast<std::size_t>(step)]) return nullptr;
    return steps[static_cast<std::size_t>(step)]->find(path);
  }
};

}  // namespace xlab
