// The thread that computes: takes commands, trains and generates, publishes immutable snapshots.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/command.hpp"
#include "core/keeping/keeping.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// Owns everything that computes: up to 32 runs, of which one is on screen. All of them may train;
/// they share the time evenly, whatever a step of each takes, but the one on screen gets twice as
/// much. Each trains to the same bits as alone. Thread rules: `send`, `snapshot` and `flush` may be
/// called from any thread; `on_publish` is called on the engine's thread, must return at once and
/// must not call back. Runs on a graphics card that is lost go on on the CPU from copies at most
/// `LastCopy::kMostSteps` steps old. What is not saved is kept as `Keeping` says; a run that is
/// replaced before it was saved is kept too. Commands take effect between units of work (one
/// training step or one token), in order. A command that fails leaves the run as it was and is
/// reported in the snapshot.
class Engine {
 public:
  /// `device` is where runs are to compute: "auto" (the first graphics card there is), "cpu",
  /// "cuda:0". One that is not there is reported like a command that failed, and the CPU taken.
  explicit Engine(std::function<void()> on_publish, std::string device = "auto",
                  Keeping keeping = {});
  /// Gives up the training step at hand and stops; pending commands are dropped. For what is kept
  /// this is like a crash.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void send(Command command);
  /// The newest snapshot; never null.
  std::shared_ptr<const Snapshot> snapshot() const;
  /// Waits until every command sent before has taken effect, the sequence is computed, and both
  /// were published. Training and playing that go on are not waited for.
  void flush();
  /// Keeps what is unsaved without waiting until it is due, so that the snapshot soon says whether
  /// it can be kept (Snapshot::keeping_fails).
  void keep_soon();
  /// Stops training and playing, a training step at hand included, keeps unsaved work among the
  /// session's runs, and ends the session in order. Returns what went wrong, or an empty string.
  /// Used when the window closes; from one thread, and commands sent afterwards have no effect.
  /// `screen`: see command::SetScreen; empty: as it was set. `offered`: nobody was asked about that
  /// work, so the next start offers it as after a crash.
  std::string keep_and_stop(const std::string& screen = {}, bool offered = false);

 private:
  struct Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace xlab
