// What heads are worth: a bar for each, from the loss as it is to the loss without it.
#pragma once

#include <functional>

#include "ui/paint.hpp"

namespace xlab::ui {

/// What has been measured, and of what, as a sentence.
std::string worth_words(const Snapshot& snapshot);
/// Why it is not what is on screen: older weights, other tokens, clamps; empty where it is.
std::string worth_apart(const Snapshot& snapshot);

/// One bar of the picture: which it is, and its place.
struct WorthBar {
  std::size_t index = 0;  ///< in AblationReport::without
  bool hovered = false, pressed = false;
};

/// Draws the bars of `Snapshot::worth`, in the order of the model, with the scale they share, and
/// takes what they need from the top of `rest`. `touched` is told of each that the mouse or the
/// keyboard is at. A report without bars takes nothing.
void draw_worth_bars(Scene& scene, Painter& painter, Box& rest,
                     const std::function<void(const WorthBar&)>& touched);

}  // namespace xlab::ui
