// What the parts of the stabilizer lab share while one frame of it is drawn.
#pragma once

#include <optional>
#include <string>

#include "core/snapshot.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/stabilizer_shown.hpp"
#include "ui/time_window.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

struct StabilizerFrame {
  Scene& scene;
  const BlockCard& block;
  const StabilizerShown& shown;
  const StabilizerChoice& choice;
  const TimeWindow& window;
  float gutter = 0.0f;  ///< room left of the lanes, for numbers and names
  int pointed = -1;     ///< the step under the mouse, one frame ago
  // What this frame finds under the mouse.
  int& next_pointed;
  std::optional<ValueRef>& hovered;
  HoverCard& card;
  CursorDrag& drag;

  const Snapshot& snapshot() const { return scene.snapshot; }
  int cursor() const { return scene.snapshot.sequence.cursor; }
  int head() const { return shown.place().head; }
  bool matrix() const { return block.scan == Scan::mlstm; }
  /// What a number of an answer belongs to: "channel" or "unit".
  const char* unit_word() const { return matrix() ? "channel" : "unit"; }
  /// Of the pre-activations: 0 where there is one number a head.
  int scale_unit() const { return matrix() ? 0 : shown.place().unit; }
  /// "log σ(f)", or "f" where the forget gate is an exponential.
  const char* log_keep() const {
    return block.variant.forget_gate == ForgetGate::exponential ? "f" : "log σ(f)";
  }
  /// "t = 5, token "a", head 1".
  std::string where(int step) const;
};

/// How a lane of the lab is drawn.
struct StabilizerStyles {
  Stroke input, decayed, m, stabilised, plain;
  ImU32 wrong = 0, format = 0, bad = 0, floor = 0;
};
StabilizerStyles stabilizer_styles(const Painter& painter);

}  // namespace xlab::ui
