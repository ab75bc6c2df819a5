// How far back a gradient reaches, on a thread of its own and on a copy: training and the sequence
// go on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

class BackgroundReach {
 public:
  /// `news` is called on the computing thread when there is another report.
  explicit BackgroundReach(std::function<void()> news) : news_(std::move(news)) {}
  /// Gives up what is running.
  ~BackgroundReach() { stop(); }
  BackgroundReach(const BackgroundReach&) = delete;
  BackgroundReach& operator=(const BackgroundReach&) = delete;

  /// Gives up what is running and computes what is asked (see `compute_reach`) of a copy of this
  /// model. What goes wrong is said in the report.
  void start(const Model& model, ReachReport asked);
  void stop();
  /// The last one that was finished; null before the first.
  std::shared_ptr<const ReachReport> report() const;
  bool running() const;

 private:
  void publish(std::shared_ptr<const ReachReport> report);

  std::function<void()> news_;
  std::thread thread_;
  std::atomic<bool> cancel_ = false;
  mutable std::mutex mutex_;
  std::shared_ptr<const ReachReport> report_;  // guarded by mutex_, as what follows
  bool running_ = false;
};

}  // namespace xlab
