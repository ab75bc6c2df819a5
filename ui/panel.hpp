// The ground a view stands on: background, text size and the look of ImGui's controls.
#pragma once

#include <string>
#include <string_view>

#include "ui/paint.hpp"

namespace xlab::ui {

/// Opens a child window of `size` in the palette and scale of the scene, and closes it when it goes
/// out of scope.
class Panel {
 public:
  Panel(const Scene& scene, const char* id, ImVec2 size, bool scrolls = false);
  ~Panel();
  Panel(const Panel&) = delete;
  Panel& operator=(const Panel&) = delete;

  /// Where content goes.
  Box content() const { return content_; }
  /// False when the panel is too small to draw anything useful in.
  bool usable() const { return content_.width() >= 40.0f && content_.height() >= 24.0f; }

 private:
  Box content_;
  int colours_ = 0, variables_ = 0;
};

/// An invisible control over a box; what the mouse does with it.
struct Touch {
  bool hovered = false, pressed = false, held = false, released = false;
  ImVec2 mouse{0, 0};
};
Touch touch(const char* id, const Box& box);

/// A button at a place. Returns whether it was clicked.
bool button_at(const char* label, const Box& box);
/// A row of tabs; returns the index clicked, else `selected`. `used` is its width.
int tabs_at(Painter& painter, const char* id, ImVec2 at, std::span<const std::string> labels,
            int selected, float* used);

/// The sentence shown instead of an empty panel.
void say(Painter& painter, const Box& box, std::string_view sentence);

}  // namespace xlab::ui
