// Edits with a name where the window stands: on one head, on a block, or on the whole model.
#pragma once

#include <vector>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"

namespace xlab::app {

/// How far an edit reaches from what is in focus.
enum class Scope { head, block, model };

/// The token at the cursor leaves nothing in the memories of the scope. Empty where there is no
/// token, and without blocks whose writing can be held.
std::vector<Clamp> never_written_in(const Snapshot& snapshot, const ui::Focus& focus, Scope scope);
/// What the scope answers is gone, at all steps there are and can be.
std::vector<Clamp> switched_off_in(const Snapshot& snapshot, const ui::Focus& focus, Scope scope);

}  // namespace xlab::app
