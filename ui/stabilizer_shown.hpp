// What the stabilizer lab shows of one place of a model, computed once and carried on while tokens
// come.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/stabilizer.hpp"
#include "core/analysis/stabilizer_replay.hpp"
#include "core/snapshot.hpp"

namespace xlab::ui {

/// What a person chose.
struct StabilizerChoice {
  int unit = 0;                              ///< of a unit cell; of a matrix the value channel
  NumberFormat format = NumberFormat::fp32;  ///< that the cell is computed in once more
  double threshold = 0.01;                   ///< relative error from which an answer is wrong

  bool operator==(const StabilizerChoice&) const = default;
};

/// Steps [first, second).
struct StepRange {
  int begin = 0, end = 0;
};

class StabilizerShown {
 public:
  /// Follows a snapshot. Steps that are there already stay as they are, and at most `most` are
  /// computed more of each replay. Returns whether there is more to compute.
  bool use(const Snapshot& snapshot, const BlockCard& block, int head,
           const StabilizerChoice& choice, int most);

  ScalePlace place() const { return place_; }
  const std::vector<ScaleStep>& scale() const { return scale_; }
  /// The floor of the read-out, a step each; empty for cells without one.
  const std::vector<std::optional<FloorUse>>& floors() const { return floors_; }
  /// As the model is, in fp64 without ε and with the floor that means the same; then in the chosen
  /// format with and without the stabilizer.
  const CellReplay& exact() const { return exact_; }
  const CellReplay& stabilised() const { return stabilised_; }
  const CellReplay& plain() const { return plain_; }
  /// Steps at which all of these are known.
  int length() const { return static_cast<int>(agreement_.size()); }
  Agreement agreement(int step) const { return agreement_[static_cast<std::size_t>(step)]; }
  /// Runs of steps that agree alike and are not `same`.
  std::vector<std::pair<Agreement, StepRange>> zones() const;
  int count(Agreement agreement) const;
  int first(Agreement agreement) const;  ///< its first step, −1: there is none
  /// How many steps there are at which the cell's own ε or floor changes its answer by more than
  /// the threshold, in fp64.
  int changed_by_equation() const { return changed_by_equation_; }
  const std::vector<PlainNeeds>& needs() const { return needs_; }
  /// What the whole sequence comes to in a format, and the first step at which it does.
  std::pair<Fit, int> fit(NumberFormat format) const {
    return fits_[static_cast<std::size_t>(format)];
  }

  /// The first step at which the answer of the model itself, in this place, is no finite number;
  /// −1: there is none.
  int broken_from() const { return broken_from_; }
  int broken_steps() const { return broken_steps_; }

  /// How many steps were computed so far, of all replays together: none while nothing changes.
  int computed() const { return computed_; }

 private:
  bool goes_on(const Snapshot& snapshot, const BlockCard& block, ScalePlace place,
               const StabilizerChoice& choice) const;
  void compare();

  std::shared_ptr<const Trace> trace_;
  std::string prefix_;
  CellVariant variant_;
  ScalePlace place_;
  StabilizerChoice choice_;
  std::vector<ScaleStep> scale_;
  std::vector<std::optional<FloorUse>> floors_;
  CellReplay exact_, own_, stabilised_, plain_;
  std::vector<Agreement> agreement_;
  std::vector<PlainNeeds> needs_;
  std::array<std::pair<Fit, int>, 5> fits_{};  ///< by format
  int changed_by_equation_ = 0;
  int broken_from_ = -1, broken_steps_ = 0;
  std::size_t looked_at_ = 0;  ///< steps whose answers were looked at
  int computed_ = 0;
};

}  // namespace xlab::ui
