// What is drawn faint behind the present: the state that was pinned or, without one, the same
// tokens without clamps.
#pragma once

#include <memory>
#include <string>

#include "core/snapshot.hpp"
#include "ui/view.hpp"

namespace xlab::ui {

/// The pinned state as far as it can stand behind what is shown now: null where there is none, and
/// where it is one of another model.
const Snapshot* reference_of(const Scene& scene);
/// The recordings of the ghost; null where there is none.
std::shared_ptr<const Trace> ghost_trace(const Scene& scene);
/// What the ghost is, in a few words: "without clamps", "pinned, t = 5", and after that whether it
/// is of other tokens or of another run.
std::string ghost_words(const Scene& scene);
/// The same of its curves, which have steps of their own.
std::string ghost_curve_words(const Scene& scene);
/// What the model expects next, beside what the ghost does (`unclamped`, `kl_nats`); null where
/// nothing is expected.
std::shared_ptr<const NextToken> next_beside_ghost(const Scene& scene);

}  // namespace xlab::ui
