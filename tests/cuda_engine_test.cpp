// The engine with a card: choosing it, moving between devices, and losing it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "core/engine/engine.hpp"
#include "core/run.hpp"
#include "core/training/last_copy.hpp"
#include "cuda_device.hpp"
#include "small_models.hpp"
#include "temporary_folder.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::HasSubstr;
using SnapshotPtr = std::shared_ptr<const Snapshot>;

std::string small_spec() {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = TrainSpec{.batch_size = 2, .sequence_length = 8, .warmup_steps = 2};
  return "{\"model\": " + to_json(*spec.model) + ", \"train\": " + to_json(*spec.train) + "}";
}

class CudaEngine : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_CUDA();
    engine_ = std::make_unique<Engine>([this] {
      const std::lock_guard lock(mutex_);
      ++published_;
      changed_.notify_all();
    });
  }
  void TearDown() override {
    engine_.reset();
#ifdef XLAB_EMULATION
    emulation::restore();
#endif
  }

  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_->send(std::move(commands)), ...);
    engine_->flush();
    return engine_->snapshot();
  }
  SnapshotPtr wait_for(const std::function<bool(const Snapshot&)>& wanted) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const std::uint64_t seen = published_;
      lock.unlock();
      const SnapshotPtr snapshot = engine_->snapshot();
      if (wanted(*snapshot)) return snapshot;
      lock.lock();
      if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return published_ != seen; })) {
        ADD_FAILURE() << "nothing was published any more";
        return snapshot;
      }
    }
  }
  SnapshotPtr open_small() {
    const auto snapshot = after(NewRun{"recall", small_spec()});
    EXPECT_EQ(snapshot->failure.what, "");
    return snapshot;
  }
  std::uint64_t saved_weights(const char* name) {
    const auto path = folder_ / name;
    const auto snapshot = after(Save{path});
    return load_run(path)->model->params().signature();
  }

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t published_ = 0;
  std::unique_ptr<Engine> engine_;
};

TEST_F(CudaEngine, TakesTheCardByItself) {
  const auto snapshot = open_small();
  EXPECT_EQ(snapshot->device.id, "cuda:0");
  EXPECT_NE(snapshot->device.name, "");
  ASSERT_TRUE(snapshot->devices);
  ASSERT_GE(snapshot->devices->size(), 2u);
  EXPECT_EQ(snapshot->devices->front().id, "cpu");
  EXPECT_EQ(snapshot->no_cuda, "");
}

TEST_F(CudaEngine, MovesARunToAndFroWithoutChangingABit) {
  open_small();
  after(TrainOneStep{}, TrainOneStep{}, SetPrompt{"a 3 b 7 a ?"});
  const std::uint64_t weights = saved_weights("card.xlab");
  const auto on_cpu = after(UseDevice{"cpu"});
  EXPECT_EQ(on_cpu->failure.what, "");
  EXPECT_EQ(on_cpu->device.id, "cpu");
  EXPECT_EQ(on_cpu->train.step, 2);
  EXPECT_EQ(on_cpu->sequence.tokens.size(), 6u);
  EXPECT_EQ(saved_weights("cpu.xlab"), weights);
  const auto back = after(UseDevice{"cuda"});
  EXPECT_EQ(back->device.id, "cuda:0");
  EXPECT_EQ(saved_weights("back.xlab"), weights);
  for (std::size_t token = 0; token < on_cpu->next->logits.size(); ++token) {
    EXPECT_NEAR(back->next->logits[token], on_cpu->next->logits[token], 1e-4);
  }
}

TEST_F(CudaEngine, MovesWhileTraining) {
  open_small();
  after(Train{});
  for (const char* id : {"cpu", "cuda:0", "cpu", "auto"}) {
    const auto before = engine_->snapshot()->train.step;
    const auto moved = after(UseDevice{id});
    EXPECT_EQ(moved->failure.what, "");
    EXPECT_EQ(moved->train.state, TrainState::running);
    wait_for([&](const Snapshot& s) { return s.train.step > before + 2; });
  }
  EXPECT_EQ(after(Pause{})->device.id, "cuda:0");
}

TEST_F(CudaEngine, ANewRunGoesWhereTheLastOneWas) {
  open_small();
  after(UseDevice{"cpu"});
  EXPECT_EQ(open_small()->device.id, "cpu");
  after(UseDevice{"cuda"});
  EXPECT_EQ(after(RestartRun{})->device.id, "cuda:0");
}

TEST_F(CudaEngine, ADeviceThatIsNotThereIsRefused) {
  open_small();
  const auto snapshot = after(UseDevice{"cuda:63"});
  EXPECT_THAT(snapshot->failure.what, HasSubstr("There is no device 'cuda:63' here."));
  EXPECT_EQ(snapshot->device.id, "cuda:0");
}

TEST_F(CudaEngine, AnEngineMayBeToldToStayOnTheCpu) {
  engine_ = std::make_unique<Engine>([] {}, "cpu");
  EXPECT_EQ(open_small()->device.id, "cpu");
  engine_ = std::make_unique<Engine>([] {}, "cuda:63");
  const auto snapshot = after(NewRun{"recall", small_spec()});
  EXPECT_THAT(snapshot->failure.what, HasSubstr("'cuda:63'"));
  EXPECT_EQ(snapshot->device.id, "cpu");
}

TEST(LastCopy, IsTheRunAsItWas) {
  SKIP_WITHOUT_CUDA();
  const auto run = make_run(make_task("recall"), run_spec_from_json(small_spec()));
  LastCopy copy;
  EXPECT_TRUE(copy.empty());
  copy.take(*run);
  move_run(*run, Device::cuda());
  run->train_step();
  EXPECT_FALSE(copy.due(*run));
  copy.take(*run);
  const std::uint64_t weights = run->model->params().signature();
  for (int step = 0; step < 3; ++step) run->train_step();
  EXPECT_NE(run->model->params().signature(), weights);
  run->trainer->resume_at(LastCopy::kMostSteps);
  EXPECT_FALSE(copy.due(*run));
  run->trainer->resume_at(LastCopy::kMostSteps + 1);
  EXPECT_TRUE(copy.due(*run));

  const auto again = copy.revive(*run);
  EXPECT_EQ(again->model->device(), Device::cpu());
  EXPECT_EQ(again->model->params().signature(), weights);
  EXPECT_EQ(again->trainer->steps_done(), 1);
  EXPECT_EQ(again->losses.size(), 1u);
  EXPECT_EQ(again->sequence->tokens(), run->sequence->tokens());
  again->train_step();
  EXPECT_EQ(again->trainer->steps_done(), 2);
}

#ifdef XLAB_EMULATION

TEST_F(CudaEngine, WithoutRoomOnTheCardTheRunStaysOnTheCpu) {
  release_cached_memory();
  emulation::set_memory_bytes(4096);
  const auto snapshot = after(NewRun{"recall", small_spec()});
  EXPECT_THAT(snapshot->failure.what, HasSubstr("has no"));
  EXPECT_THAT(snapshot->failure.what, HasSubstr("MiB are free"));
  EXPECT_EQ(snapshot->device.id, "cpu");
  EXPECT_EQ(after(TrainOneStep{})->train.step, 1);
}

TEST_F(CudaEngine, ATrainingStepWithoutRoomIsToldAndTheRunLivesOn) {
  open_small();
  after(TrainOneStep{}, NewRun{"recall", small_spec()});
  const std::uint64_t weights = saved_weights("before.xlab");
  release_cached_memory();
  emulation::set_memory_bytes(emulation::allocated_bytes() + 2048);
  const auto full = after(TrainOneStep{});
  EXPECT_THAT(full->failure.what, HasSubstr("MiB are free"));
  EXPECT_EQ(full->device.id, "cuda:0");
  EXPECT_EQ(full->train.step, 0);
  emulation::set_memory_bytes(std::size_t{1} << 30);
  EXPECT_EQ(saved_weights("after.xlab"), weights);
  EXPECT_EQ(after(TrainOneStep{})->train.step, 1);
}

TEST_F(CudaEngine, WithoutACardTheCpuIsTaken) {
  emulation::set_devices(0);
  engine_ = std::make_unique<Engine>([] {});
  const auto snapshot = open_small();
  EXPECT_EQ(snapshot->device.id, "cpu");
  EXPECT_EQ(snapshot->devices->size(), 1u);
  EXPECT_THAT(snapshot->no_cuda, HasSubstr("no NVIDIA card"));
  const auto refused = after(UseDevice{"cuda"});
  EXPECT_THAT(refused->failure.what,
              HasSubstr("There is no device 'cuda' here. This computer has"));
  EXPECT_EQ(refused->device.id, "cpu");
}

/// Whichever call it is that finds no memory left, once.
TEST_F(CudaEngine, FullMemoryCostsAtMostTheStep) {
  for (long call = 1; call < 60; call += 3) {
    SCOPED_TRACE(testing::Message() << "call " << call);
    const auto before = after(NewRun{"recall", small_spec()}, TrainOneStep{});
    release_cached_memory();
    emulation::fail_call(call, cudaErrorMemoryAllocation);
    const auto full = after(TrainOneStep{});
    const bool told = full->failure.id != before->failure.id;
    EXPECT_EQ(full->device.id, "cuda:0") << full->failure.what;
    EXPECT_EQ(full->train.step, told ? 1 : 2) << full->failure.what;
    const auto next = after(TrainOneStep{});
    EXPECT_EQ(next->failure.id, full->failure.id) << next->failure.what;
    EXPECT_EQ(next->train.step, full->train.step + 1);
    emulation::fail_call(0, 0);
  }
}

/// Whichever call it is that the card does not answer any more.
TEST_F(CudaEngine, ARunOutlivesItsCard) {
  for (const long call : {1, 2, 5, 20, 60, 100, 200, 400}) {
    for (const int error : {cudaErrorIllegalAddress, cudaErrorDevicesUnavailable}) {
      SCOPED_TRACE(testing::Message() << "call " << call << ", error " << error);
      emulation::restore();
      engine_ = std::make_unique<Engine>([this] {
        const std::lock_guard lock(mutex_);
        ++published_;
        changed_.notify_all();
      });
      open_small();
      after(SetClamp{{"block0/slstm/forget_gate_pre", 0, 0, 1, 2, 1.0f, true}}, Train{});
      wait_for([](const Snapshot& s) { return s.train.step >= 3; });
      emulation::fail_call(call, error);
      const auto lost = wait_for([](const Snapshot& s) { return s.failure.id != 0; });
      EXPECT_THAT(lost->failure.what, HasSubstr("The graphics card stopped answering"));
      EXPECT_THAT(lost->failure.what, HasSubstr("The run goes on on the CPU"));
      EXPECT_EQ(lost->device.id, "cpu");
      EXPECT_EQ(lost->devices->size(), 1u);
      EXPECT_THAT(lost->no_cuda, HasSubstr("stopped answering"));
      EXPECT_EQ(lost->train.state, TrainState::running);
      EXPECT_EQ(lost->sequence.clamps.size(), 1u);
      const auto reached = lost->train.step;
      wait_for([&](const Snapshot& s) { return s.train.step >= reached + 3; });
      const auto path = folder_ / "lives.xlab";
      EXPECT_FALSE(after(Pause{}, Save{path})->unsaved);
      const auto run = load_run(path);
      EXPECT_GE(run->trainer->steps_done(), reached + 3);
      EXPECT_LE(run->losses.size(), static_cast<std::size_t>(run->trainer->steps_done()));
    }
  }
}

TEST_F(CudaEngine, ACardLostWhileSavingLosesNoFile) {
  open_small();
  after(TrainOneStep{});
  emulation::fail_call(1, cudaErrorIllegalAddress);
  const auto path = folder_ / "saved.xlab";
  const auto snapshot = after(Save{path});
  EXPECT_THAT(snapshot->failure.what, HasSubstr("The run goes on on the CPU"));
  EXPECT_EQ(load_run(path)->trainer->steps_done(), snapshot->train.step);
}

#endif

}  // namespace
}  // namespace xlab::tests
