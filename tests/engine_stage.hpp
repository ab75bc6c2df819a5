// An engine on the CPU for tests: commands in, what they came to out.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/engine/engine.hpp"
#include "core/run.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// A small run's specification: a training step takes less than a millisecond.
inline std::string quick_spec() {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = TrainSpec{.batch_size = 2, .sequence_length = 8, .warmup_steps = 2};
  return "{\"model\": " + to_json(*spec.model) + ", \"train\": " + to_json(*spec.train) + "}";
}

class EngineStage : public testing::Test {
 protected:
  static constexpr auto kPatience = std::chrono::seconds(120);  // for what happens or never does

  EngineStage()
      : engine_(
            [this] {
              const std::lock_guard lock(mutex_);
              changed_.notify_all();
            },
            "cpu") {}

  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_.send(std::move(commands)), ...);
    engine_.flush();
    return engine_.snapshot();
  }
  SnapshotPtr open_quick(const std::string& task = "recall") {
    const auto snapshot = after(command::NewRun{task, quick_spec()});
    EXPECT_EQ(snapshot->failure.what, "");
    return snapshot;
  }
  SnapshotPtr train(int steps) {
    SnapshotPtr snapshot;
    for (int i = 0; i < steps; ++i) snapshot = after(command::TrainOneStep{});
    return snapshot;
  }
  void wait_until(const std::function<bool(const Snapshot&)>& wanted) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return wanted(*engine_.snapshot()); }));
  }
  /// Saves the run, and says what weights the file has.
  std::uint64_t signature() {
    const auto path = folder_ / "signature.xlab";
    after(command::Save{path});
    return load_run(path)->model->params().signature();
  }

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Engine engine_;
};

}  // namespace xlab::tests
