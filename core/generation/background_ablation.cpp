// Ablations beside everything else.
#include "core/generation/background_ablation.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/tape.hpp"
#include "core/tasks/task.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

/// Numbers of a model that may be copied for this without being asked.
constexpr std::int64_t kMostCopied = 50'000'000;

/// Weights that change are copied, others are shared.
std::shared_ptr<Model> model_beside(const Model& model) {
  const Params& params = model.params();
  if (!params.trainable()) return std::make_shared<Model>(Model::sharing(model));
  auto copy = std::make_shared<Model>(model.spec(), params.dtype());
  copy->params().values().copy_from(params.values());
  return copy;
}

}  // namespace

void BackgroundAblation::publish(const AblationReport& report) {
  {
    const std::lock_guard lock(mutex_);
    report_ = std::make_shared<const AblationReport>(report);
  }
  if (news_) news_();
}

std::shared_ptr<const AblationReport> BackgroundAblation::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void BackgroundAblation::end_thread() noexcept {
  cancel_ = true;
  if (thread_.joinable()) thread_.join();
  cancel_ = false;
}

void BackgroundAblation::forget() noexcept {
  end_thread();
  const std::lock_guard lock(mutex_);
  report_.reset();
}

void BackgroundAblation::stop() {
  end_thread();
  const std::lock_guard lock(mutex_);
  if (!report_ || !report_->running) return;
  auto given_up = std::make_shared<AblationReport>(*report_);
  given_up->running = false;
  report_ = std::move(given_up);
}

void BackgroundAblation::measure(const Model& model, const Probe& probe, AblationReport& report) {
  report.loss = probe_loss(model, probe, {}, &cancel_);
  publish(report);
  ablations(
      model, probe,
      [&](const Ablation& one, int count) {
        report.total = count;
        report.without.push_back(one);
        publish(report);
      },
      &cancel_);
}

void BackgroundAblation::start(const Model& model, std::int64_t step, const Task& task,
                               std::vector<int> tokens) {
  end_thread();
  AblationReport report;
  report.step = step;
  report.loss = std::numeric_limits<double>::quiet_NaN();
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(kMostTokens)));
  const Params& params = model.params();
  if (task.series()) {
    report.failure =
        "What heads are worth is a loss on tokens; this model reads a series of numbers.";
  } else if (tokens.size() < 2) {
    report.failure = "At least two tokens are needed: the loss is that of the next one.";
  } else if (params.trainable() && params.elements() > kMostCopied) {
    report.failure =
        "This model is too large to be copied beside itself. On the command line, xlstm findings "
        "measures what its heads are worth.";
  }
  if (!report.failure.empty()) {
    publish(report);
    return;
  }
  Probe probe = probe_of_tokens(task, std::move(tokens));
  report.tokens = probe.tokens;
  report.answers = answers_in(probe);
  report.every_token = asks_every_token(probe);
  report.running = true;
  std::shared_ptr<Model> beside = model_beside(model);
  publish(report);
  thread_ = std::thread([this, measured = std::move(beside), device = model.device(), report,
                         probe = std::move(probe)]() mutable {
    try {
      measured->move_to(device);
      measure(*measured, probe, report);
    } catch (const Cancelled&) {
      return;
    } catch (const std::exception& e) {
      report.failure = e.what();
    }
    report.running = false;
    publish(report);
  });
}

}  // namespace xlab
