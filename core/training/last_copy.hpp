// What is kept in host memory of a run on a graphics card, in case the card is lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/run.hpp"

namespace xlab {

/// The weights and the optimizer of a run as they were at one step. Everything else a run is made
/// of lies in host memory anyway.
class LastCopy {
 public:
  /// How much training may be lost with a card.
  static constexpr std::int64_t kMostSteps = 200;
  static constexpr std::chrono::seconds kLongest{30};

  /// Takes the place of the copy before. Of a run on the CPU nothing is copied: its numbers are
  /// held, and must not change any more (as when it moves to a card right after).
  void take(const Run& run);
  void drop() { *this = {}; }
  bool empty() const { return values_.empty(); }

  /// Whether so much has been trained since that another copy has to be taken.
  bool due(const Run& run) const;
  std::int64_t step() const { return step_; }

  /// Puts the copied numbers into the record of a run that is trained, in the place of those on the
  /// card. They do not change any more.
  void put_into(RunRecord& record) const;

  /// The run as it was, on the CPU; it shares nothing with `lost` but the data. Throws when the
  /// computer has no memory for that.
  std::unique_ptr<Run> revive(const Run& lost) const;

 private:
  std::vector<Tensor> values_;  ///< the block of a model that is trained, else every parameter
  Tensor first_moment_, second_moment_;
  std::int64_t step_ = 0;
  std::chrono::steady_clock::time_point taken_{};
};

/// A run of its own with the same numbers, on the CPU; it has no file.
std::unique_ptr<Run> duplicate(const Run& run);

}  // namespace xlab
