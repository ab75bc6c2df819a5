// What the parts of the stabilizer lab share: how things look, and how places are told.
#include "ui/stabilizer_frame.hpp"

#include <fmt/format.h>

#include <cstddef>

#include "ui/values.hpp"

namespace xlab::ui {

std::string StabilizerFrame::where(int step) const {
  const auto& tokens = snapshot().sequence.tokens;
  std::string words = fmt::format("t = {}", step);
  if (step >= 0 && step < static_cast<int>(tokens.size()))
    words += fmt::format(
        ", token {}", token_label(snapshot().model.get(), tokens[static_cast<std::size_t>(step)]));
  return fmt::format("{}, block {}, head {}, {} {}", words, scene.focus.block, head(), unit_word(),
                     shown.place().unit);
}

StabilizerStyles stabilizer_styles(const Painter& painter) {
  const Palette& palette = painter.palette();
  const float width = painter.line_width();
  const GateStyle i = gate_style(palette, 'i'), f = gate_style(palette, 'f');
  const GateStyle m = gate_style(palette, 'm'), n = gate_style(palette, 'n');
  return {.input = {i.colour, 0.9f * width, i.dash, false},
          .decayed = {f.colour, 0.9f * width, f.dash, false},
          .m = {m.colour, 2.6f * width, m.dash, m.stepped},
          // A broad road, and what keeps to it or leaves it.
          .stabilised = {with_alpha(palette.accent, 0.4f), 4.0f * width, Dash::solid, false},
          .plain = {palette.text, 1.3f * width, Dash::dashed, false},
          .wrong = palette.warning,
          .format = palette.muted_text,
          .bad = kNotANumber,
          .floor = n.colour};
}

}  // namespace xlab::ui
