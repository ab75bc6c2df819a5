// Moves the time cursor while the mouse drags, one command for each step it comes to.
#pragma once

#include "ui/view.hpp"

namespace xlab::ui {

class CursorDrag {
 public:
  /// Asks for the time step under the mouse, unless it was asked for last or the cursor, when the
  /// drag begins, stands there already.
  void to(Scene& scene, int step) {
    if (step == sent_ || (sent_ < 0 && step == scene.snapshot.sequence.cursor)) return;
    sent_ = step;
    scene.send(command::SetCursor{step});
  }
  /// Call while nothing is held: the next drag begins anew.
  void let_go() { sent_ = -1; }

 private:
  int sent_ = -1;  ///< last step asked for during a drag
};

}  // namespace xlab::ui
