// Where memory runs out in the middle of taking another run, all of the one before or all of the
// new one is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/generation/stepper.hpp"
#include "tests/engine_stage.hpp"
#include "tests/failing_memory.hpp"

namespace {

/// Pieces of this size and its multiples are always there: values of the JSON library are as large,
/// and it puts them into lists in destructors, where nobody can be told that there is no memory.
constexpr std::size_t kAlwaysThere = 16;

bool granted(std::size_t size) {
  using namespace xlab::tests;
  bool fails = size >= largest_memory;
  if (memory_may_fail && size % kAlwaysThere != 0 && granted_memory >= 0)
    fails = granted_memory-- == 0 || fails;
  if (fails) ++failed_memory;
  return !fails;
}

}  // namespace

// Not inlined: compilers would take what is made in one and given back in the other for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = granted(size) ? std::malloc(size == 0 ? 1 : size) : nullptr;
  if (!memory) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  void* memory = nullptr;
  if (!granted(size) || ::posix_memalign(&memory, step, size == 0 ? step : size) != 0)
    throw std::bad_alloc();
  return memory;
}
// Those that throw nothing too: else they and the ones below would not be of one family where a
// sanitizer has its own.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return granted(size) ? std::malloc(size == 0 ? 1 : size) : nullptr;
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  const auto step = static_cast<std::size_t>(alignment);
  void* memory = nullptr;
  const bool given = granted(size) && ::posix_memalign(&memory, step, size == 0 ? step : size) == 0;
  return given ? memory : nullptr;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace xlab::tests {
namespace {

using namespace command;

/// What a person sees of a run.
struct Seen {
  std::string task, path, undo, redo;
  std::size_t vocabulary = 0, losses = 0;
  std::vector<int> tokens, choices;
  std::int64_t step = 0, saved_step = 0;
  int cursor = -1;
  bool unsaved = false;

  explicit Seen(const Snapshot& s)
      : task(s.data->task),
        path(s.run_path),
        undo(s.undo_label),
        redo(s.redo_label),
        vocabulary(s.model->vocabulary.size()),
        losses(s.losses->size()),
        tokens(s.sequence.tokens),
        choices(s.sequence.top_choice),
        step(s.train.step),
        saved_step(s.train.saved_step),
        cursor(s.sequence.cursor),
        unsaved(s.unsaved) {}
  bool operator==(const Seen&) const = default;
};

class NoMemory : public testing::Test {
 protected:
  NoMemory() : engine_([] { memory_may_fail = true; }, "cpu") {}
  ~NoMemory() override { granted_memory = -1; }

  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_.send(std::move(commands)), ...);
    engine_.flush();
    return engine_.snapshot();
  }
  /// The same, where the engine gets memory so many times and then once none. Nothing once memory
  /// is no longer asked for, or not for the command itself.
  SnapshotPtr without_memory(long times, Command command) {
    const std::uint64_t failures = engine_.snapshot()->failure.id;
    granted_memory = times;
    engine_.send(std::move(command));
    engine_.flush();
    const bool failed = granted_memory.exchange(-1) == -1;
    SnapshotPtr now = engine_.snapshot();
    const bool told = now->failure.id != failures;
    const std::string& where = now->failure.where;
    if (!failed || (told && (where == "sequence" || where == "refresh"))) return nullptr;
    return now;
  }

  TemporaryFolder folder_;
  Engine engine_;
};

TEST(NoMemoryForAPass, AStepperWhoseStateIsLostSaysSo) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const std::vector<int> token = {3};
  int lost = 0;
  for (long times = 0; times < 400; ++times) {
    Stepper stepper(model);
    (void)stepper.feed(token);
    memory_may_fail = true;
    granted_memory = times;
    bool failed = false;
    try {
      (void)stepper.feed(token);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    granted_memory = -1;
    memory_may_fail = false;
    if (!failed) break;
    // It goes on from the whole state, or not at all.
    try {
      const std::vector<float> seen = stepper.feed(token);
      Stepper whole(model);
      (void)whole.feed(token);
      EXPECT_EQ(seen, whole.feed(token)) << times;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr("begin again"));
      ++lost;
    }
  }
  EXPECT_GT(lost, 5);
}

TEST_F(NoMemory, AnotherRunIsBroughtBackWholeOrNotAtAll) {
  after(NewRun{"recall", quick_spec()}, SetPrompt{"a 3 b 7 a ?"}, TrainOneStep{},
        Save{folder_ / "mine.xlab"}, TrainOneStep{});
  const Seen one(*after(SetCursor{3}));
  const Seen opened(*after(NewRun{"parity", quick_spec()}, SetPrompt{"1 0 1"}, Undo{}));
  ASSERT_EQ(opened.task, "parity");
  const Seen first(*after(Undo{})), other(*after(Redo{}));
  EXPECT_EQ(first.tokens, one.tokens);
  ASSERT_EQ(other.task, "parity");
  long times = 0;
  for (; const auto now = without_memory(times, Undo{}); ++times) {
    const Seen seen(*now);
    ASSERT_TRUE(seen == first || seen == other)
        << "after " << times << ": " << seen.task << ", " << now->failure.where << ": "
        << now->failure.what << " " << testing::PrintToString(seen.choices) << seen.undo
        << seen.redo;
    if (seen == other) continue;
    ASSERT_TRUE(Seen(*after(Redo{})) == other) << times;
  }
  std::printf("[ memory   ] %ld requests of taking a run back failed\n", times);
  EXPECT_GT(times, 5) << "nothing was tried";
  while (after()->data->task != "recall") after(Undo{});
  EXPECT_EQ(after(TrainOneStep{})->train.step, 3);
}

TEST_F(NoMemory, ARunIsOpenedWholeOrNotAtAll) {
  after(NewRun{"parity", quick_spec()}, SetPrompt{"1 0 1"}, TrainOneStep{},
        Save{folder_ / "other.xlab"});
  const Seen other(*after());
  after(NewRun{"recall", quick_spec()}, SetPrompt{"a 3 b 7 a ?"}, TrainOneStep{}, SetCursor{3});
  const Seen first(*after(Save{folder_ / "mine.xlab"}));
  const auto same_run = [](const Seen& a, const Seen& b) {
    return a.task == b.task && a.path == b.path && a.vocabulary == b.vocabulary &&
           a.losses == b.losses && a.tokens == b.tokens && a.choices == b.choices &&
           a.step == b.step && a.saved_step == b.saved_step && a.unsaved == b.unsaved;
  };
  long times = 0, opened = 0;
  for (; const auto now = without_memory(times, OpenRun{folder_ / "other.xlab", nullptr});
       ++times) {
    const Seen seen(*now);
    const bool is_other = seen.task == "parity";
    ASSERT_TRUE(same_run(seen, is_other ? other : first))
        << "after " << times << ": " << seen.task << ", " << now->failure.what;
    if (!is_other) continue;
    ++opened;
    // There is a way back, behind what the file itself can undo, or none and a word about it.
    SnapshotPtr back = now;
    while (back->data->task == "parity" && !back->undo_label.empty()) back = after(Undo{});
    if (back->data->task != "parity") {
      ASSERT_TRUE(same_run(Seen(*back), first)) << times;
    } else {
      ASSERT_NE(now->notice.find("no way back"), std::string::npos) << times;
      after(OpenRun{folder_ / "mine.xlab", nullptr});
    }
  }
  std::printf("[ memory   ] %ld requests of opening a run failed, %ld after it was shown\n", times,
              opened);
  EXPECT_GT(times, 20) << "nothing was tried";
  EXPECT_GT(opened, 0) << "the last requests are those after the run is shown";
}

}  // namespace
}  // namespace xlab::tests
