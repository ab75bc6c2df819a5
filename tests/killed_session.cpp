// A session to be killed: trains, saves and waits with the real engine until somebody ends it, and
// tells on the standard output what it has reached. See core_killed_test.cpp.
//
//   xlab_killed_session ROOT FILE SEED INTERVAL_MS live|end|bench|"bench end"
//
// Lines: "offered ID", "came STEP NAME", "answered ID", "begin STEP", "step STEP MILLISECONDS",
// "run STEP MILLISECONDS NAME", "wrong SENTENCE".
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/engine/engine.hpp"
#include "core/keeping/lost_runs.hpp"
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

/// One writing of a run.
std::string id_of(const LostRun& run) {
  return run.about().file.string() + ":" + std::to_string(run.about().sequence);
}

class KilledSession {
  static constexpr int kRuns = 8;

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
      say("offered " + id_of(run));
      if (&run == &lost.runs.front()) {
        after(command::ReopenRuns{{run.about().file.string()}});
        if (engine_.snapshot()->train.step != run.about().step) say("wrong step reopened");
      }
      run.answer();
      say("answered " + id_of(run));
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

  /// Eight runs that train side by side. What a crash left of them comes back, each as it was kept;
  /// those that were not kept yet begin again.
  void begin_bench() {
    LostRuns lost = claim_lost_runs(root_);
    for (const std::string& problem : lost.problems) say("wrong " + problem);
    // All at once, as a person has them reopened.
    command::ReopenRuns reopen;
    for (const LostRun& run : lost.runs) {
      say("offered " + id_of(run));
      reopen.kept.push_back(run.about().file.string());
    }
    if (!lost.runs.empty()) after(reopen);
    const auto back = engine_.snapshot();
    if (!lost.runs.empty() && back->runs.size() != lost.runs.size())
      say("wrong " + std::to_string(back->runs.size()) + " runs came");
    for (LostRun& run : lost.runs) {
      const auto found = std::ranges::find_if(
          back->runs, [&](const auto& card) { return card->name == run.about().title; });
      if (found == back->runs.end() || (*found)->step != run.about().step) {
        say("wrong step reopened");
      } else {
        say("came " + std::to_string((*found)->step) + " " + run.about().title);
      }
      run.answer();
      say("answered " + id_of(run));
    }
    if (lost.runs.empty()) {
      after(command::NewRun{.task = "recall", .spec_json = small_spec()});
      after(command::RenameRun{engine_.snapshot()->focused_run, "1"});
    }
    std::set<std::string> there;
    const auto opened = engine_.snapshot();
    for (const auto& run : opened->runs) there.insert(run->name);
    if (there.size() != opened->runs.size()) say("wrong one run came twice");
    for (int i = 1; i <= kRuns; ++i) {
      const std::string name = std::to_string(i);
      if (there.contains(name)) continue;
      after(command::DuplicateRun{engine_.snapshot()->runs.front()->id, true});
      after(command::RenameRun{engine_.snapshot()->focused_run, name});
    }
    say("begin 0");
  }

  /// Never returns.
  void live_on_bench() {
    for (;;) {
      engine_.send(command::TrainAll{true});
      for (const auto until = Clock::now() + milliseconds(20 + random_() % 120);
           Clock::now() < until;) {
        report_bench();
        std::this_thread::sleep_for(milliseconds(2));
      }
      const auto now = engine_.snapshot();
      after(command::FocusRun{now->runs[random_() % now->runs.size()]->id});
      if (random_() % 3 == 0) after(command::SetPrompt{"a 3 b 4 a"});
      if (random_() % 4 == 0) after(command::TrainAll{false});
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

  void report_bench() {
    const auto now = std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch());
    const auto snapshot = engine_.snapshot();
    for (const auto& run : snapshot->runs) {
      if (std::exchange(reported_of_[run->name], run->step) != run->step)
        say("run " + std::to_string(run->step) + " " + std::to_string(now.count()) + " " +
            run->name);
    }
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
  std::map<std::string, std::int64_t> reported_of_;
};

}  // namespace
}  // namespace xlab::tests

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  xlab::tests::KilledSession session(argv[1], argv[2],
                                     static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)),
                                     std::chrono::milliseconds(std::atoi(argv[4])));
  const std::string what = argv[5];
  if (what.starts_with("bench")) {
    session.begin_bench();
  } else {
    session.begin();
  }
  if (what.ends_with("end")) {
    session.end();
  } else if (what == "bench") {
    session.live_on_bench();
  } else {
    session.live();
  }
  return 0;
}
