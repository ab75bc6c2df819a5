// Training a run, one step after the other.
#include "core/training/train_loop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/selfcheck/verdict.hpp"
#include "core/training/weights.hpp"

namespace xlab {
namespace {

constexpr double kNewestShare = 0.1;  // of the last step in the speed

}  // namespace

void TrainLoop::begin(const StepResult& last) {
  begun_ = Clock::now();
  last_ = last;
  tokens_per_second_ = 0.0;
  bad_in_a_row_ = 0;
  any_good_ = too_many_bad_ = false;
}

double TrainLoop::elapsed() const {
  return std::chrono::duration<double>(Clock::now() - begun_).count();
}

bool TrainLoop::reached_end(const Run& run) const {
  return (last_step > 0 && run.trainer->steps_done() >= last_step) ||
         (seconds > 0.0 && elapsed() >= seconds);
}

const StepResult& TrainLoop::step(Run& run) {
  const double before = run.seconds;
  last_ = run.train_step();
  const double now = static_cast<double>(last_.tokens) / std::max(run.seconds - before, 1e-9);
  tokens_per_second_ = tokens_per_second_ == 0.0
                           ? now
                           : (1.0 - kNewestShare) * tokens_per_second_ + kNewestShare * now;
  any_good_ = any_good_ || last_.finite;
  bad_in_a_row_ = last_.finite ? 0 : bad_in_a_row_ + 1;
  too_many_bad_ = bad_in_a_row_ >= kBadStepsInARow;
  if (too_many_bad_) bad_in_a_row_ = 0;
  if (run.model->device() != Device::cpu() && copy.due(run)) copy.take(run);
  return last_;
}

std::string TrainLoop::bad_steps_text() const {
  const std::int64_t done = last_.step + 1;
  return fmt::format("three steps in a row, {} to {}, gave numbers that are not finite",
                     done - kBadStepsInARow + 1, done);
}

std::unique_ptr<Run> TrainLoop::revive(const Run& lost) {
  std::unique_ptr<Run> run = copy.revive(lost);
  copy.drop();
  return run;
}

std::pair<RunRecord, bool> TrainLoop::record(const Run& run) {
  RunRecord record = record_of(run);
  const bool on_card = run.model->device() != Device::cpu();
  if (on_card) {
    if (copy.empty() || copy.step() != run.trainer->steps_done()) copy.take(run);
    copy.put_into(record);
  }
  return {std::move(record), on_card};
}

std::string why_steps_are_bad(const Run& run) {
  const WeightsGlance weights = glance_at(run.model->params());
  if (!weights.not_finite.empty())
    return fmt::format("because the weights are not ({})", weights.not_finite);
  const std::string reason = why_not_finite(run.model->cards());
  return reason.empty()
             ? fmt::format("although the weights are: the largest is {:.3g}", weights.largest)
             : "because " + reason;
}

}  // namespace xlab
