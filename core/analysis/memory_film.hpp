// A matrix memory as it fills, step by step, in small pictures. Standard types only.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// The matrix memory of one head after every token of a sequence, replayed from what was recorded:
/// C_t = f'_t C_{t−1} + i'_t k_t v_tᵀ, stored divided by exp(m_t) as the cell does. A memory of
/// more than 32 keys or values is kept smaller: of the cells that share one, the one furthest from
/// zero.
class MemoryFilm {
 public:
  static constexpr int kMost = 32;

  /// Follows these recordings. What they have in common with those before stays.
  void follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block, int head);
  /// Replays further, as long as about so many products take; false when there is nothing left.
  bool advance(double most_products);
  /// How many steps there are pictures of, from the first on.
  int length() const { return static_cast<int>(pictures_.size()); }
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  bool reduced() const { return rows_ < keys_ || columns_ < values_; }
  /// (rows, columns) of a step below `length`.
  std::span<const float> picture(int step) const;
  /// Largest |C| of a step below `length`; NaN where there is a number that is none.
  double largest(int step) const { return largest_[static_cast<std::size_t>(step)]; }
  /// Of all of them so far that hold numbers.
  double largest() const { return largest_of_all_; }

 private:
  void keep();

  std::shared_ptr<const Trace> trace_;
  BlockCard block_;
  int head_ = -1, keys_ = 0, values_ = 0, rows_ = 0, columns_ = 0;
  bool ended_ = false;  // the next step was not recorded
  std::vector<float> memory_;
  std::vector<std::vector<float>> pictures_;
  std::vector<double> largest_;
  double largest_of_all_ = 0.0;
};

}  // namespace xlab
