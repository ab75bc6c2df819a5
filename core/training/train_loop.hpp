// Training a run, one step after the other: the same in the window and on the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/run.hpp"
#include "core/training/last_copy.hpp"

namespace xlab {

/// What a training that goes on knows besides its run: how far it is to go, how fast it is, which
/// steps went wrong, and the copy that is left when a graphics card is lost. Belongs to the thread
/// that trains.
class TrainLoop {
 public:
  using Clock = std::chrono::steady_clock;
  /// Training stops by itself after so many steps in a row without finite numbers.
  static constexpr int kBadStepsInARow = 3;

  /// Another run from now on, or this one with other weights; `last` is what its last step did.
  void begin(const StepResult& last = {});

  /// How far to train: up to this number of steps, and for so long since `begin`; 0: no end.
  std::int64_t last_step = 0;
  double seconds = 0.0;
  bool reached_end(const Run& run) const;
  double elapsed() const;

  /// Trains one step. Of a run on a card a copy is taken when one is due. Throws what Trainer::step
  /// throws; after `DeviceLost` the run goes on as `revive` gives it.
  const StepResult& step(Run& run);

  const StepResult& last() const { return last_; }
  /// Tokens a second of the steps so far, the last ones counting most; 0 before the first.
  double tokens_per_second() const { return tokens_per_second_; }
  /// Whether a step since `begin` gave finite numbers, and so new weights.
  bool any_good() const { return any_good_; }
  /// Whether the last step was one without finite numbers too many. Counting begins again then.
  bool too_many_bad() const { return too_many_bad_; }
  /// "three steps in a row, 10 to 12, gave numbers that are not finite", of the last ones.
  std::string bad_steps_text() const;

  /// The run in host memory, for a run on a card.
  LastCopy copy;
  /// The run as it was when it was copied last, on the CPU, and trained there from now on.
  std::unique_ptr<Run> revive(const Run& lost);
  /// What a file of the run holds now, and whether its numbers are already copies: those of a run
  /// on a card are. May throw `DeviceLost`.
  std::pair<RunRecord, bool> record(const Run& run);

 private:
  Clock::time_point begun_ = Clock::now();
  StepResult last_;
  double tokens_per_second_ = 0.0;
  int bad_in_a_row_ = 0;
  bool any_good_ = false, too_many_bad_ = false;
};

/// Why a run gives numbers that are not finite, to go on a sentence: "because ...", or that the
/// weights are finite and how large they are.
std::string why_steps_are_bad(const Run& run);

}  // namespace xlab
