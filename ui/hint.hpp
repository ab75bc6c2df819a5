// One sentence beside the mouse, for what carries no number of its own: legends, chips, words.
#pragma once

#include <string_view>

#include "ui/paint.hpp"

namespace xlab::ui {

/// Shows the sentence on a card while the mouse rests on `box`; what follows a newline is quieter.
/// Shows nothing while something is dragged. Returns whether it is shown.
bool hint(const Scene& scene, const Box& box, std::string_view sentence);

}  // namespace xlab::ui
