// kill -9 at any instant of training, saving and waiting: what was trained comes back but for a
// moment, no file is damaged, nothing is offered twice, nothing piles up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/run.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int kKills = 200;
/// Of work between two copies. The window has 20 s.
constexpr milliseconds kInterval{60};
/// For writing, and for a machine that is busy.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSlower = 6;  // under a sanitizer; else a session would hardly have begun
#else
constexpr int kSlower = 1;
#endif
constexpr milliseconds kWriting{240 * kSlower};

std::int64_t milliseconds_now() {
  return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

/// What a session told until it ended.
struct Told {
  std::vector<std::string> offered, answered, wrong;
  std::int64_t begin = -1;
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;                            // step, at
  std::map<std::string, std::vector<std::pair<std::int64_t, std::int64_t>>> steps_of;  // by run
  std::map<std::string, std::int64_t> came;  // runs that came back, with their steps
  std::int64_t killed_at = 0;
};

/// Runs a session and kills it after some time; without a time, waits for its end.
Told run_session(const std::vector<std::string>& arguments, milliseconds life) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::vector<char*> words;
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  Told told;
  std::thread killer;
  if (life.count() > 0) {
    killer = std::thread([&] {
      std::this_thread::sleep_for(life);
      told.killed_at = milliseconds_now();
      ::kill(child, SIGKILL);
    });
  }
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  if (killer.joinable()) killer.join();
  int status = 0;
  ::waitpid(child, &status, 0);
  const bool as_meant = life.count() > 0 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                         : WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!as_meant)
    told.wrong.push_back("the session ended by itself, status " + std::to_string(status));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    std::string word, rest;
    in >> word;
    if (word == "begin") {
      in >> told.begin;
    } else if (word == "step") {
      std::int64_t step = 0, at = 0;
      in >> step >> at;
      told.steps.emplace_back(step, at);
    } else if (word == "run") {
      std::int64_t step = 0, at = 0;
      in >> step >> at >> rest;
      told.steps_of[rest].emplace_back(step, at);
    } else if (word == "came") {
      std::int64_t step = 0;
      in >> step >> rest;
      if (!told.came.emplace(rest, step).second) told.wrong.push_back("came twice: " + rest);
    } else {
      std::getline(in >> std::ws, rest);
      (word == "offered"    ? told.offered
       : word == "answered" ? told.answered
                            : told.wrong)
          .push_back(rest);
    }
  }
  return told;
}

TEST(Killed, TwoHundredTimesLosesNothingButAMoment) {
  const TemporaryFolder folder;
  const fs::path root = folder / "state", file = folder / "run.xlab";
  std::mt19937 random(20);
  const auto arguments = [&](const char* what) {
    return std::vector<std::string>{XLAB_KILLED_SESSION,
                                    root.string(),
                                    file.string(),
                                    std::to_string(random()),
                                    std::to_string(kInterval.count()),
                                    what};
  };
  std::set<std::string> answered;
  std::int64_t must_have = 0, reached = 0, in_file = 0;
  int offers = 0;
  for (int kill = 0; kill <= kKills; ++kill) {
    const bool last = kill == kKills;
    const Told told = run_session(arguments(last ? "end" : "live"),
                                  last ? milliseconds(0) : milliseconds(20 + random() % 400));
    for (const std::string& wrong : told.wrong)
      ADD_FAILURE() << "session " << kill << ": " << wrong;
    for (const std::string& id : told.offered) {
      EXPECT_FALSE(answered.contains(id)) << "offered again: " << id;
      ++offers;
    }
    answered.insert(told.answered.begin(), told.answered.end());
    if (fs::exists(file)) {
      // Throws when it is damaged.
      const std::int64_t step = load_run(file)->trainer->steps_done();
      EXPECT_GE(step, in_file);
      in_file = step;
    }
    if (told.begin < 0) continue;  // killed before it had begun: nothing is lost by that
    EXPECT_GE(told.begin, must_have) << "session " << kill << " lost training";
    // What was reached a moment before the end has to come back.
    must_have = told.begin;
    for (const auto& [step, at] : told.steps) {
      reached = std::max(reached, step);
      if (at + (kInterval + kWriting).count() <= told.killed_at)
        must_have = std::max(must_have, step);
    }
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(offers, kKills / 20);
  EXPECT_GT(in_file, 0);
  EXPECT_GT(must_have, 0);
  std::cout << "killed " << kKills << " times; offered " << offers << "; step " << reached << '\n';

  // Nothing piles up. Of a session that was killed right after saving, its last copy stays for some
  // days; all others go on in the session after them.
  int sessions = 0, temporary = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    const bool session = entry.is_directory() && name.find_first_not_of("0123456789") == name.npos;
    if (session && !fs::exists(entry.path() / "answered")) ++sessions;
    if (name.ends_with(".tmp")) ++temporary;
  }
  EXPECT_LE(sessions, 1);
  EXPECT_LE(temporary, 1) << "of a save beside the run's file, until the next save there";
  EXPECT_TRUE(!fs::exists(root / "open") || fs::is_empty(root / "open"));
}

TEST(Killed, TwoHundredTimesWithEightRunsTraining) {
  const TemporaryFolder folder;
  const fs::path root = folder / "state";
  std::mt19937 random(21);
  const auto arguments = [&](const char* what) {
    return std::vector<std::string>{XLAB_KILLED_SESSION,
                                    root.string(),
                                    (folder / "none.xlab").string(),
                                    std::to_string(random()),
                                    std::to_string(kInterval.count()),
                                    what};
  };
  std::set<std::string> answered;
  std::map<std::string, std::int64_t> must_have;
  int offers = 0;
  std::size_t most = 0;
  for (int kill = 0; kill <= kKills; ++kill) {
    const bool last = kill == kKills;
    const Told told =
        run_session(arguments(last ? "bench end" : "bench"),
                    last ? milliseconds(0) : kSlower * milliseconds(50 + random() % 900));
    for (const std::string& wrong : told.wrong)
      ADD_FAILURE() << "session " << kill << ": " << wrong;
    for (const std::string& id : told.offered) {
      EXPECT_FALSE(answered.contains(id)) << "offered again: " << id;
      ++offers;
    }
    answered.insert(told.answered.begin(), told.answered.end());
    if (told.begin < 0)
      continue;  // killed before all had come back: the next one goes on with that
    most = std::max(most, told.came.size());
    for (const auto& [name, step] : must_have) {
      const auto came = told.came.find(name);
      EXPECT_GE(came == told.came.end() ? 0 : came->second, step)
          << "session " << kill << " lost training of run " << name;
    }
    must_have = told.came;
    // All runs are written one after the other.
    for (const auto& [name, steps] : told.steps_of) {
      for (const auto& [step, at] : steps) {
        if (at + (kInterval + 8 * kWriting).count() <= told.killed_at)
          must_have[name] = std::max(must_have[name], step);
      }
    }
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_EQ(most, 8u);
  EXPECT_GT(offers, kKills);
  std::int64_t reached = 0;
  for (const auto& [name, step] : must_have) {
    EXPECT_GT(step, 0) << "run " << name;
    reached += step;
  }
  EXPECT_EQ(must_have.size(), 8u);
  std::cout << "killed " << kKills << " times; offered " << offers << "; steps of eight runs "
            << reached << '\n';
}

}  // namespace
}  // namespace xlab::tests
