// A model's self-check on a thread of its own, on a copy: training and the sequence go on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/files/folder_use.hpp"
#include "core/files/reading.hpp"
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
  /// tokens (none: some are drawn). A model that is only read is read once more, from `origin`, as
  /// its folder holds it, and where its weights are held in fewer bits the report tells what that
  /// costs. Where there is no room for the second one, or no such folder, the report says so.
  void start(const Model& model, std::int64_t step, std::vector<int> tokens,
             const std::optional<FolderOrigin>& origin = {});
  void stop();
  /// What is known so far; null before the first start.
  std::shared_ptr<const HealthReport> report() const;

 private:
  void publish(const HealthReport& report);
  /// What the checking thread does. `as_opened`: the weights that the model on screen has.
  void look(Model& model, HealthReport& report, std::vector<int> tokens, FolderUse use,
            const std::vector<Tensor>& as_opened);

  std::function<void()> news_;
  std::thread thread_;
  std::atomic<bool> cancel_ = false;
  Reading reading_;  // of the folder, by the checking thread
  mutable std::mutex mutex_;
  std::shared_ptr<const HealthReport> report_;
};

}  // namespace xlab
