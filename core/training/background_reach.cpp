// How far back a gradient reaches, beside everything else.
#include "core/training/background_reach.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "core/training/gradient_reach.hpp"

namespace xlab {

void BackgroundReach::publish(std::shared_ptr<const ReachReport> report) {
  {
    const std::lock_guard lock(mutex_);
    report_ = std::move(report);
    running_ = false;
  }
  if (news_) news_();
}

std::shared_ptr<const ReachReport> BackgroundReach::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

bool BackgroundReach::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void BackgroundReach::stop() {
  cancel_ = true;
  if (thread_.joinable()) thread_.join();
  cancel_ = false;
  const std::lock_guard lock(mutex_);
  running_ = false;
}

void BackgroundReach::start(const Model& model, ReachReport asked) {
  stop();
  auto report = std::make_shared<ReachReport>(std::move(asked));
  std::shared_ptr<Model> copy;
  try {
    copy = copy_for_gradients(model);
  } catch (const std::exception& e) {
    report->failure = e.what();
    publish(std::move(report));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  thread_ = std::thread([this, copy = std::move(copy), report = std::move(report)]() mutable {
    try {
      compute_reach(*copy, *report, &cancel_);
    } catch (const Cancelled&) {
      return;
    } catch (const std::exception& e) {
      report->failure = e.what();
    }
    copy.reset();
    publish(std::move(report));
  });
}

}  // namespace xlab
