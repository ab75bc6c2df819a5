// Palettes, colour maps and the fixed looks of the gates.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <imgui.h>

namespace xlab::ui {

enum class PaletteName { light, dark, projector };

/// The colours of the window's canvases. `projector` is light with stronger lines and larger
/// contrast.
struct Palette {
  PaletteName name = PaletteName::light;
  ImU32 background = 0, panel = 0, text = 0, muted_text = 0, grid = 0, accent = 0, cursor = 0,
        warning = 0;
  ImU32 control = 0;          ///< face of buttons, tabs and slider grooves
  ImU32 control_hovered = 0;  ///< the same under the mouse
  ImU32 zero = 0;             ///< exact zero of signed values
  float line_width = 1.5f;
};

const Palette& palette(PaletteName name);
/// Throws when the name is not light, dark or projector.
PaletteName palette_name(const std::string& text);

/// The same colour at another opacity, 0..1.
ImU32 with_alpha(ImU32 colour, float alpha);
/// Linear mix of two colours; t = 0 gives a, t = 1 gives b.
ImU32 mix(ImU32 a, ImU32 b, float t);
/// Black or white, whichever reads better on `colour`.
ImU32 readable_on(ImU32 colour);

/// What kind of number a colour stands for.
enum class MapName {
  signed_values,  ///< diverging around exact zero: blue positive, orange negative
  unit,           ///< cividis: gates, shares, probabilities
  log_domain,     ///< sequential: log weights, nats
};

/// A colour map over a range. Signed ranges are symmetric: only `high` counts.
class ColourScale {
 public:
  ColourScale(const Palette& palette, MapName map, double low, double high);

  MapName map() const { return map_; }
  double low() const { return low_; }
  double high() const { return high_; }
  /// Values outside the range get the colour of its end. NaN and infinities are magenta.
  ImU32 operator()(double value) const;

 private:
  MapName map_;
  double low_, high_;
  std::array<ImU32, 257> table_;  ///< odd, so that zero has an entry of its own
};

/// What marks a value that is no number. Always drawn with a hatch on top.
inline constexpr ImU32 kNotANumber = IM_COL32(214, 0, 170, 255);

enum class Dash { solid, dashed, dotted, dash_dot };

/// How one gate or state is drawn everywhere: colour, letter and line style together.
struct GateStyle {
  std::string letter;
  ImU32 colour;
  Dash dash = Dash::solid;
  float width = 1.0f;  ///< times the palette's line width
  bool stepped = false;
};

/// How the curve of a run is drawn everywhere.
struct RunStyle {
  ImU32 colour = 0;
  Dash dash = Dash::solid;
};

/// The look of `RunCard::colour`; beyond the last one they begin again. Two that are hard to tell
/// apart, for whomever, have another dash.
RunStyle run_style(const Palette& palette, int index);

/// Of i f o z c n m; 'C' draws like 'c'. Any other letter is drawn like text.
GateStyle gate_style(const Palette& palette, char letter);

/// The colour of a token where tokens lie side by side as parts of one thing: the same for a token
/// wherever it is drawn, and another one for each of its neighbours, by lightness too.
ImU32 part_colour(int token);

}  // namespace xlab::ui
