// A session to be killed: trains, saves and waits with the real engine until somebody ends it, and
// tells on the standard output what it has reached. See core_killed_test.cpp.
//
//   xlab_killed_session ROOT FILE SEED INTERVAL_MS live|end
//
// Lines: "offered ID", "answered ID", "begin STEP", "step STEP MILLISECONDS", "wrong SENTENCE".
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "core/engine.hpp"
#include "core/kept_runs.hpp"
#include "core/spec.hpp"

namespace xlab::tests {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// A step of its training takes about a millisecond.
std::string small_spec() {
  ModelSpec model;
  model.embedding_dim = 16;
  model.num_blocks = 2;
  model.context_length = 16;
  model.mlstm = MlstmSpec{.num_heads = 2};
  const TrainSpec train{.batch_size = 2, .sequence_length = 12, .warmup_steps = 2};
  return "{\"model\": " + to_json(model) + ", \"train\": " + to_json(train) + "}";
}

/// Whole lines: a kill leaves no half one.
void say(const std::string& line) {
  const std::string whole = line + "\n";
  (void)!::write(STDOUT_FILENO, whole.data(), whole.size());
}

class KilledSession {
 public:
  KilledSession(std::filesystem::path root, std::filesystem::path file, unsigned seed,
                milliseconds interval)
      : root_(std::move(root)),
        file_(std::move(file)),
        random_(seed),
        engine_([] {}, "cpu", Keeping{root_, interval}) {}

  void begin() {
    LostRuns lost = claim_lost_runs(root_);
    for (const std::string& problem : lost.problems) say("wrong " + problem);
    for (LostRun& run : lost.runs) {
      const std::string id = run.about().file.string() + ":" + std::to_string(run.about().sequence);
      say("offered " + id);
      if (&run == &lost.runs.front()) {
        after(command::ReopenRun{run.about().file.string()});
        if (engine_.snapshot()->train.step != run.about().step) say("wrong step reopened");
      }
      run.answer();
      say("answered " + id);
    }
    if (lost.runs.empty()) {
      if (std::filesystem::exists(file_)) {
        after(command::OpenRun{file_.string(), nullptr});
      } else {
        after(command::NewRun{"recall", small_spec()});
      }
    }
    if (!engine_.snapshot()->model) say("wrong nothing is open");
    say("begin " + std::to_string(engine_.snapshot()->train.step));
  }

  /// Never returns.
  void live() {
    for (;;) {
      switch (random_() % 4) {
        case 0:
          after(command::Save{file_.string()});
          report();
          break;
        case 1:
          after(command::SetPrompt{"a 3 b 4 a"});
          wait(milliseconds(20 + random_() % 60));
          break;
        default:
          engine_.send(command::Train{});
          wait(milliseconds(20 + random_() % 120));
          after(command::Pause{});
      }
    }
  }

  void end() {
    if (const std::string problem = engine_.keep_and_stop(); !problem.empty())
      say("wrong " + problem);
  }

 private:
  void after(Command command) {
    engine_.send(std::move(command));
    engine_.flush();
    const Failure& failure = engine_.snapshot()->failure;
    if (failure.id != told_) say("wrong " + failure.what);
    told_ = failure.id;
  }

  void report() {
    const std::int64_t step = engine_.snapshot()->train.step;
    if (step == reported_) return;
    reported_ = step;
    const auto now = std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch());
    say("step " + std::to_string(step) + " " + std::to_string(now.count()));
  }

  void wait(milliseconds time) {
    for (const auto until = Clock::now() + time; Clock::now() < until;) {
      report();
      std::this_thread::sleep_for(milliseconds(2));
    }
  }

  std::filesystem::path root_, file_;
  std::mt19937 random_;
  Engine engine_;
  std::uint64_t told_ = 0;
  std::int64_t reported_ = -1;
};

}  // namespace
}  // namespace xlab::tests

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  xlab::tests::KilledSession session(argv[1], argv[2],
                                     static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)),
                                     std::chrono::milliseconds(std::atoi(argv[4])));
  session.begin();
  if (std::string(argv[5]) == "end") {
    session.end();
  } else {
    session.live();
  }
  return 0;
}
