// Boxes, text and lines on an ImGui draw list, in the colours and at the size of a scene.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <imgui.h>

#include "ui/view.hpp"

namespace xlab::ui {

/// An axis-aligned rectangle in screen pixels. Cutting keeps every part non-negative.
struct Box {
  ImVec2 min{0, 0}, max{0, 0};

  float width() const { return max.x - min.x; }
  float height() const { return max.y - min.y; }
  ImVec2 size() const { return {width(), height()}; }
  ImVec2 centre() const { return {(min.x + max.x) / 2, (min.y + max.y) / 2}; }
  bool empty() const { return width() < 1.0f || height() < 1.0f; }
  bool contains(ImVec2 p) const {
    return p.x >= min.x && p.x < max.x && p.y >= min.y && p.y < max.y;
  }
  Box inset(float x, float y) const;
  /// Takes a part away from one side and returns it.
  Box cut_top(float height);
  Box cut_bottom(float height);
  Box cut_left(float width);
  Box cut_right(float width);
};

enum class Align { left, centre, right };
enum class Weight { regular, bold };

struct Stroke {
  ImU32 colour = 0;
  float width = 1.0f;
  Dash dash = Dash::solid;
  bool stepped = false;  ///< holds each value until the next point
};

/// The pixel size of all text at a scale: 13 at 100 %, never less than 12 (9 pt). Where the current
/// ImGui font was built for (nearly) this size it is taken as it is, so that glyphs stay sharp.
float text_pixels(float scale);

class Painter {
 public:
  /// Paints into the current ImGui window.
  explicit Painter(const Scene& scene);

  ImDrawList& list() { return *list_; }
  /// Where what is drawn is written down; null: nowhere.
  DrawLog* log() { return log_; }
  const Palette& palette() const { return palette_; }
  /// How the keyboard reaches the controls; null: it does not.
  Stops* stops() const { return stops_; }
  /// Whether this is a picture to keep, which holds no buttons.
  bool exporting() const { return exporting_; }
  /// Logical pixels at 100 % in pixels of this scene.
  float px(float logical) const { return logical * scale_; }
  /// Width of the palette's lines at this scale.
  float line_width() const { return palette_.line_width * scale_; }
  float line_height() const;

  ImVec2 measure(std::string_view text, Weight weight = Weight::regular) const;
  /// The text, shortened with an ellipsis to at most `width` pixels; empty when nothing fits.
  std::string fit(std::string_view text, float width, Weight weight = Weight::regular) const;
  /// The first of the texts that fits into `width`, else the last one shortened.
  std::string fit_first(std::span<const std::string> texts, float width,
                        Weight weight = Weight::regular) const;

  /// The number with as many digits as fit into `width` pixels after the words before it ("m = "),
  /// see `number_forms`; empty when not even one digit does.
  std::string fit_number(double value, float width, std::string_view before = {},
                         Weight weight = Weight::regular) const;

  /// The text in lines of at most `width` pixels, broken at spaces.
  std::vector<std::string> broken(std::string_view text, float width,
                                  Weight weight = Weight::regular) const;

  void text(ImVec2 at, ImU32 colour, std::string_view text, Weight weight = Weight::regular);
  /// One line, vertically centred in the box and shortened to it.
  void text_in(const Box& box, ImU32 colour, std::string_view text, Align align = Align::left,
               Weight weight = Weight::regular);
  /// A number, vertically centred in the box, with as many digits as fit; never cut. Returns
  /// whether any did: where none does, nothing is drawn and the value is left to the hover.
  bool number_in(const Box& box, ImU32 colour, double value, Align align = Align::left,
                 Weight weight = Weight::regular, std::string_view before = {});
  /// The first of the texts that fits into the box; nothing when none does.
  bool first_in(const Box& box, ImU32 colour, std::span<const std::string> texts,
                Align align = Align::left, Weight weight = Weight::regular);
  /// The same as `text_in`, turned to read upwards: left is the bottom of the box.
  void text_up(const Box& box, ImU32 colour, std::string_view text, Align align = Align::centre);
  /// Text broken into lines; returns the height it needs. Drawn only when `draw`.
  float paragraph(ImVec2 at, float width, ImU32 colour, std::string_view text,
                  Weight weight = Weight::regular, bool draw = true);

  void fill(const Box& box, ImU32 colour, float rounding = 0.0f);
  void outline(const Box& box, ImU32 colour, float width = 1.0f, float rounding = 0.0f);
  void line(ImVec2 a, ImVec2 b, const Stroke& stroke);
  /// A curve through the points; a point that is not finite makes a gap.
  void curve(std::span<const ImVec2> points, const Stroke& stroke);
  /// A filled shape without dents, its corners in the direction of the clock.
  void polygon(std::span<const ImVec2> corners, ImU32 colour);
  void disc(ImVec2 centre, float radius, ImU32 colour);
  void ring(ImVec2 centre, float radius, ImU32 colour, float width);
  /// Diagonal lines over a box: the mark of what is no number.
  void hatch(const Box& box, ImU32 colour);
  /// A filled badge with a letter, as gates carry it.
  float badge(ImVec2 at, const GateStyle& style);

 private:
  void write(ImVec2 at, ImU32 colour, std::string_view shown, std::string_view wanted,
             Weight weight);
  Box clip() const;
  /// How many bytes of a text fit on one line of a paragraph.
  std::size_t line_end(std::string_view line, float width, Weight weight) const;
  void dashed(std::span<const ImVec2> points, const Stroke& stroke);

  ImDrawList* list_;
  DrawLog* log_;
  Stops* stops_;
  const Palette& palette_;
  ImFont* font(Weight weight) const;

  float scale_;
  float pixels_;
  bool exporting_;
};

/// A box of lines near the mouse, kept inside the canvas, on top of everything. Long lines are
/// broken at spaces.
struct CardLine {
  std::string text;
  bool strong = false;
};
void hover_card(const Scene& scene, std::span<const CardLine> lines);

}  // namespace xlab::ui
