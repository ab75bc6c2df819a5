// The engine as Qt sees it: signals on the GUI thread instead of calls on the engine's.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>
#include <atomic>
#include <memory>
#include <string>

#include "core/engine/engine.hpp"

namespace xlab::app {

/// Owns the engine. Thread rules: everything here belongs to the GUI thread; the engine's wake-up
/// is the only call from outside. It posts at most one event, however often the engine publishes
/// before Qt comes round to it, so that a busy window gets fewer pictures and never a backlog.
class EngineLink : public QObject {
  Q_OBJECT

 public:
  /// `interval_ms`: the shortest time between two `changed` signals. `device`: where runs compute,
  /// as the engine takes it.
  /// `keeping`: where work that is not saved is kept.
  EngineLink(int interval_ms, const std::string& device, const Keeping& keeping,
             QObject* parent = nullptr);
  ~EngineLink() override;

  void send(Command command);
  /// The newest snapshot taken over; never null, stays the same until `changed`.
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  Engine& engine() { return *engine_; }
  /// Waits for everything sent so far and takes over its snapshot.
  void flush();

 signals:
  /// There is a new snapshot.
  void changed();
  /// Another run is open; follows `changed`.
  void run_changed();
  /// A command or step failed; once for each failure.
  void failed(const QString& sentence);
  /// Something worth telling was done.
  void noticed(const QString& sentence);
  /// A command is on its way to the engine.
  void sent(const xlab::Command& command);

 private:
  void take_over();

  std::atomic<bool> posted_{false};
  int interval_ms_;
  bool asked_ = false;  ///< something was sent: its effect is shown without delay
  QElapsedTimer since_last_;
  QTimer later_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace xlab::app
