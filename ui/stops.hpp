// The controls of a drawing, as the keyboard goes through them.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <imgui.h>

namespace xlab::ui {

/// What the arrow keys do at a control.
enum class Arrows {
  none,
  turn,    ///< left and right turn it, as a slider
  row,     ///< left and right go to its neighbours, as in a row of tabs
  column,  ///< up and down do, as in a list
};

/// Kept by whoever shows a view, from frame to frame: which of its controls has the keys, and what
/// they were pressed for. The controls are those of the last frame, in the order in which they were
/// drawn; one that can do nothing just now is none of them.
class Stops {
 public:
  /// What Tab and Shift+Tab do: goes to the next control, or the one before; a row or a column
  /// counts as one, and is entered at its first. False when there is none in that direction: then
  /// none has the keys.
  bool go(bool forward);
  /// To the last one, as when coming back from what follows the drawing.
  void go_to_last();
  /// None has the keys any more.
  void leave();
  bool any_chosen() const { return chosen_ != 0; }
  bool is_chosen(ImGuiID id) const { return id == chosen_; }
  /// What the arrow keys do at the chosen one.
  Arrows arrows() const { return arrows_; }

  /// Presses the chosen control in the next frame.
  void press() { pressed_ = chosen_; }
  /// What an arrow key does: turns the chosen control by a notch in the next frame, or goes to its
  /// neighbour.
  void arrow(bool forward);

  /// What becomes of one control, told as it is drawn.
  struct Keys {
    bool chosen = false;   ///< has the keys
    bool arrived = false;  ///< since the last frame
    bool pressed = false;
    int notches = 0;  ///< negative: to the left
  };
  struct Ring {
    ImVec2 min, max;            ///< of the control
    ImVec2 seen_min, seen_max;  ///< what is not cut off there
  };
  void begin_frame();
  /// `group`: what the controls of one row or column have in common.
  Keys control(ImGuiID id, const Ring& place, Arrows arrows = Arrows::none, ImGuiID group = 0);
  /// What no control took is forgotten. One that had the keys and is gone leaves them to the
  /// window; Tab goes on from its place.
  void end_frame();

  /// Around the chosen one, where it was drawn last.
  const std::optional<Ring>& ring() const { return ring_; }

 private:
  struct Control {
    ImGuiID id = 0, group = 0;
  };
  /// Where the chosen one is; where it was, when it is gone; else the beginning.
  std::size_t place() const;
  bool there(std::size_t place) const;
  std::size_t first_of_group(std::size_t place) const;
  void choose(std::size_t place);

  std::vector<Control> controls_, drawn_;
  std::size_t place_ = 0;
  ImGuiID chosen_ = 0;  // 0: none
  Arrows arrows_ = Arrows::none;
  bool arrived_ = false;
  ImGuiID pressed_ = 0, turned_ = 0;  // what was, since the last frame
  int notches_ = 0;
  std::optional<Ring> ring_;
};

}  // namespace xlab::ui
