// Which characters the font of the canvases must hold.
#include "ui/glyphs.hpp"

namespace xlab::ui {

const ImWchar* glyph_ranges() {
  static const ImWchar ranges[] = {
      0x0020, 0x017f,  // Latin, with accents
      0x0370, 0x03ff,  // Greek
      0x0400, 0x04ff,  // Cyrillic
      0x0531, 0x058a,  // Armenian
      0x05b0, 0x05f4,  // Hebrew
      0x0606, 0x06ff,  // Arabic
      0x10a0, 0x10ff,  // Georgian
      0xfb1d, 0xfb4f,  // Hebrew with points
      0xfb50, 0xfdff,  // Arabic, joined
      0xfe70, 0xfefc,  // and more of it
      0x1d40, 0x1d40,  // superscript T
      0x2010, 0x205e,  // dashes, quotes, dots, primes
      0x2070, 0x209f,  // superscripts and subscripts
      0x2190, 0x21ff,  // arrows
      0x2200, 0x22ff,  // mathematical operators
      0x2308, 0x230b,  // ceiling and floor
      0x25a0, 0x25ff,  // geometric shapes
      0x2713, 0x2717,  // tick and cross
      0x27e8, 0x27e9,  // angle brackets
      0xfffd, 0xfffd,  // replacement character
      0,
  };
  return ranges;
}

}  // namespace xlab::ui
