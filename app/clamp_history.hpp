// Undo for what is held by hand: remembers lists of clamps and finds the way back.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <optional>
#include <vector>

#include "app/stage.hpp"

namespace xlab::app {

/// The commands that turn one list of clamps into another.
std::vector<Command> clamp_commands(const std::vector<Clamp>& from, const std::vector<Clamp>& to);

/// Watches the snapshots. A drag changes one clamp many times and is undone as one edit.
class ClampHistory : public QObject {
  Q_OBJECT

 public:
  explicit ClampHistory(Stage& stage, QObject* parent = nullptr);
  bool can_undo() const { return !past_.empty(); }
  bool can_redo() const { return !future_.empty(); }
  void undo();
  void redo();

 signals:
  void changed();

 private:
  using Clamps = std::vector<Clamp>;
  void follow_snapshot();
  void clear();
  void go_to(Clamps target);

  Stage& stage_;
  std::vector<Clamps> past_, future_;
  Clamps now_;
  std::optional<Clamps> expected_;  ///< where an undo is leading; not an edit by hand
  QElapsedTimer since_edit_;
};

}  // namespace xlab::app
