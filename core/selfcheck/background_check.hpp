// A model's self-check on a thread of its own, on a copy: training and the sequence go on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

class BackgroundCheck {
 public:
  /// `news` is called on the checking thread whenever `report` has changed.
  explicit BackgroundCheck(std::function<void()> news) : news_(std::move(news)) {}
  /// Gives up what is running.
  ~BackgroundCheck() { stop(); }
  BackgroundCheck(const BackgroundCheck&) = delete;
  BackgroundCheck& operator=(const BackgroundCheck&) = delete;

  /// Gives up what is running and checks a copy of this model, `step` training steps old, on these
  /// tokens (none: some are drawn). A model too large to be copied is not checked, and the report
  /// says so.
  void start(const Model& model, std::int64_t step, std::vector<int> tokens);
  void stop();
  /// What is known so far; null before the first start.
  std::shared_ptr<const HealthReport> report() const;

 private:
  void publish(const HealthReport& report);

  std::function<void()> news_;
  std::thread thread_;
  std::atomic<bool> cancel_ = false;
  mutable std::mutex mutex_;
  std::shared_ptr<const HealthReport> report_;
};

}  // namespace xlab
