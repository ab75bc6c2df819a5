// What all docks and panels share: the engine, the focus and the look.
#pragma once

#include <QObject>

#include "app/canvas.hpp"
#include "app/engine_link.hpp"
#include "ui/focus.hpp"

namespace xlab::app {

/// One for each window. GUI thread only.
class Stage : public QObject {
  Q_OBJECT

 public:
  /// `device`: where runs compute, as the engine takes it.
  /// `keeping`: where work that is not saved is kept.
  Stage(CanvasKind kind, const std::string& device, const Keeping& keeping = {},
        QObject* parent = nullptr);

  EngineLink& engine() { return engine_; }
  const Snapshot& snapshot() const { return *engine_.snapshot(); }
  void send(Command command) { engine_.send(std::move(command)); }
  CanvasKind canvas_kind() const { return kind_; }

  const ui::Focus& focus() const { return focus_; }
  /// Takes over a changed focus; another block is also asked of the engine.
  void set_focus(const ui::Focus& focus);
  void set_block(int block);
  void set_head(int head);
  /// How many heads the focused block has.
  int heads() const;

  const CanvasLook& look() const { return look_; }
  void set_look(const CanvasLook& look);

 signals:
  void focus_changed();
  void look_changed();

 private:
  void start_run();

  CanvasKind kind_;
  EngineLink engine_;
  ui::Focus focus_;
  CanvasLook look_;
};

}  // namespace xlab::app
