// The self-check beside everything else.
#include "core/selfcheck/background_check.hpp"

#include "core/selfcheck/selfcheck.hpp"

namespace xlab {
namespace {

/// Numbers of a model that may be copied for a check without being asked.
constexpr std::int64_t kMostParameters = 50'000'000;
/// Tokens of the sequence that are read.
constexpr std::size_t kMostChecked = 64;

}  // namespace

void BackgroundCheck::publish(const HealthReport& report) {
  {
    const std::lock_guard lock(mutex_);
    report_ = std::make_shared<const HealthReport>(report);
  }
  if (news_) news_();
}

std::shared_ptr<const HealthReport> BackgroundCheck::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void BackgroundCheck::stop() {
  cancel_ = true;
  if (thread_.joinable()) thread_.join();
  cancel_ = false;
}

void BackgroundCheck::start(const Model& model, std::int64_t step, std::vector<int> tokens) {
  stop();
  HealthReport report;
  report.step = step;
  const Params& params = model.params();
  if (!params.trainable() || params.elements() > kMostParameters) {
    report.failure =
        "This model is too large to be copied beside itself. On the command line, xlstm selfcheck "
        "checks it.";
    publish(report);
    return;
  }
  report.running = true;
  publish(report);
  auto copy = std::make_shared<Model>(model.spec(), params.dtype());
  copy->params().values().copy_from(params.values());
  if (tokens.size() > kMostChecked) tokens.resize(kMostChecked);
  thread_ = std::thread(
      [this, copy, report, device = model.device(), tokens = std::move(tokens)]() mutable {
        try {
          copy->move_to(device);
          const auto done = [&](const Check& row) {
            report.checks.push_back(row);
            publish(report);
          };
          selfcheck(*copy, {.tokens = tokens, .done = done, .cancel = &cancel_});
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
