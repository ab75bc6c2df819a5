// How the next token is drawn: greedy, temperature, top-k, top-p and the seed.
#pragma once

#include "ui/paint.hpp"

namespace xlab::ui {

/// How wide they are when their words are read whole.
float sampler_settings_width(const Painter& painter);
/// Draws the settings of a run and sends what is changed. What does not fit as a whole is left out.
void draw_sampler_settings(Scene& scene, Painter& painter, Box rest);

}  // namespace xlab::ui
