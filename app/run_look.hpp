// How a run is named and marked wherever the window lists it.
#pragma once

#include <QIcon>
#include <QString>

#include "app/canvas.hpp"
#include "core/snapshot.hpp"

namespace xlab::app {

/// A piece of its curve: colour and dash, as in the drawings.
QIcon run_swatch(const CanvasLook& look, int colour);
/// Its size on the screen.
QSize swatch_size(const CanvasLook& look);

/// "training", "paused", "finished", "failed"; "not possible" where it cannot be trained.
QString state_word(TrainState state, bool can_train);
/// All that is known of a run, in lines.
QString words_of(const RunCard& card);
/// The run on screen; null where there is none.
const RunCard* focused(const Snapshot& snapshot);
/// Its place among the runs, counted from 1.
int place_of(const Snapshot& snapshot);
/// Whether every run that can be trained is being trained.
bool all_train(const Snapshot& snapshot);

}  // namespace xlab::app
