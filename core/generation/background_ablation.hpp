// What heads are worth, measured on a thread of its own: training and the sequence go on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/generation/ablation.hpp"
#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

class BackgroundAblation {
 public:
  /// Of a longer sequence so many tokens are read.
  static constexpr int kMostTokens = 256;

  /// `news` is called on the measuring thread whenever `report` has changed.
  explicit BackgroundAblation(std::function<void()> news) : news_(std::move(news)) {}
  /// Gives up what is running.
  ~BackgroundAblation() { end_thread(); }
  BackgroundAblation(const BackgroundAblation&) = delete;
  BackgroundAblation& operator=(const BackgroundAblation&) = delete;

  /// Gives up what is running and measures this model, `step` training steps old: a copy of it, or,
  /// where its weights are only read, the same ones. What the task asks for on these tokens, or
  /// every next token, is what the loss is of. Where there is no room for a copy, or nothing to
  /// measure, the report says so.
  void start(const Model& model, std::int64_t step, const Task& task, std::vector<int> tokens);
  /// Gives up what is running; what is known stays, and nothing is told of that.
  void stop();
  /// The same, and nothing is known any more.
  void forget() noexcept;
  /// What is known so far; null where nothing was started.
  std::shared_ptr<const AblationReport> report() const;

 private:
  void end_thread() noexcept;
  void publish(const AblationReport& report);
  /// What the measuring thread does.
  void measure(const Model& model, const Probe& probe, AblationReport& report);

  std::function<void()> news_;
  std::thread thread_;
  std::atomic<bool> cancel_ = false;
  mutable std::mutex mutex_;
  std::shared_ptr<const AblationReport> report_;
};

}  // namespace xlab
