// A query put to a memory by hand, and what comes back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/analysis/memory_fill.hpp"
#include "core/snapshot.hpp"

namespace xlab::ui {

/// Where a query comes from.
enum class QuerySource : std::uint8_t {
  token,  ///< the query of the token at the cursor
  key,    ///< the key of a token, brought to the scale of a query
  hand,   ///< dragged
};

/// What a person chose; says itself as a text that is saved with the run.
struct HandQuery {
  QuerySource source = QuerySource::token;
  int token = 0;             ///< whose key
  std::vector<float> drawn;  ///< by hand

  std::string kept() const;
  /// False, and nothing is changed, where the text is none of `kept`.
  bool restore(const std::string& kept);
};

/// What the view draws of it, for the memory of the head in focus at the cursor.
struct ReadShown {
  int step = -1, head = 0;
  QuerySource source = QuerySource::token;  ///< what was taken: a drawn query may not fit a head
  std::vector<double> query;                ///< (K)
  MemoryAnswer answer;
  double length = 0.0;                       ///< of the answer
  std::vector<double> cosines;               ///< to the value of each token up to `step`
  std::vector<int> closest;                  ///< the three tokens with the largest, if any
  std::vector<double> recorded;              ///< h as the model read it, of its own query
  std::optional<double> largest_difference;  ///< between both

  bool empty() const { return answer.h.empty(); }
};
/// Empty where the memory is not here or something was not recorded.
ReadShown read_shown(const Snapshot& snapshot, int block, int head, const HandQuery& query);

/// "h = Cᵀ q / (max(|⟨q, n⟩|, exp(−m)) + ε)", as this cell reads.
std::string reading_formula(const BlockCard& block);

}  // namespace xlab::ui
