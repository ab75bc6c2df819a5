// The ground a view stands on: background, text size and the look of ImGui's controls.
#pragma once

#include <string>
#include <string_view>

#include "ui/paint.hpp"
#include "ui/stops.hpp"

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
  bool chosen = false;  ///< it has the keys
  int notches = 0;      ///< it is turned by so many with them; negative: to the left
  ImVec2 mouse{0, 0};
};
Touch touch(const char* id, const Box& box);
/// How the keyboard comes to a control.
struct Reach {
  bool enabled = true;  ///< whether there is something to press
  Arrows arrows = Arrows::none;
  /// See Stops::control; 1: the titles of a view, one below or beside the other.
  ImGuiID group = 0;
};
/// The same for what a click does something to: the Tab key stops there, Space and Return press it.
Touch control(const Painter& painter, const char* id, const Box& box, const Reach& reach = {});
/// The ring around the control that has the keys, above everything.
void draw_ring(const Scene& scene);

// In a picture to keep (Painter::exporting) the four that follow draw nothing that can be pressed
// and change nothing.

/// A button with a word on it. Returns whether it was pressed.
bool button_at(Painter& painter, const char* id, const Box& box, std::string_view word,
               bool enabled = true);
/// A box to tick, with a word after it. Returns whether it was pressed.
bool check_at(Painter& painter, const char* id, const Box& box, std::string_view word, bool ticked);
/// A slider with its value written on it, never crossed by the handle; changes `value` while it is
/// dragged, and with an arrow key by a twentieth of its way, or by `least` where that is more.
bool slider_at(Painter& painter, const char* id, const Box& box, double& value, double low,
               double high, bool logarithmic, std::string_view text, double least = 0.0);

/// One of several: a row of tabs where there is room for all of them, else the chosen one between
/// two arrows. Takes what it needs from the left of `row`; returns the chosen index.
int choose_at(Painter& painter, const char* id, Box& row, std::span<const std::string> labels,
              int chosen);

/// What `choose_at` takes: with all of its tabs, and as the chosen one between two arrows.
struct ChooserWidths {
  float all = 0.0f, one = 0.0f;
};
ChooserWidths chooser_widths(const Painter& painter, std::span<const std::string> labels);
/// The width `choose_at` needs at least to show the longest of these labels whole.
float chooser_width(const Painter& painter, std::span<const std::string> labels);

/// The sentence shown instead of an empty panel.
void say(Painter& painter, const Box& box, std::string_view sentence);
/// The same where no run is open; `purpose` is what one could do with a run, e.g. "see its gates
/// here".
void say_no_run(Painter& painter, const Box& box, std::string_view purpose);

}  // namespace xlab::ui
