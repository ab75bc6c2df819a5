// Gives Qt's widgets the colours and sizes of the canvases.
#pragma once

#include <QColor>
#include <QIcon>
#include <QString>

#include "app/canvas.hpp"

namespace xlab::app {

/// Colours of the widgets, derived from the palette of the views.
struct Theme {
  QColor window, panel, raised, text, muted, line, accent, accent_text, warning;
};

Theme theme(ui::PaletteName palette);
/// Palette, font and style sheet of the whole application.
void apply_look(const CanvasLook& look);
/// `pixels` at 100 %, grown with the text.
int scaled(const CanvasLook& look, double pixels);

enum class Shape { rewind, back, play, pause, forward, undo, redo, more, table, maximise, close };
/// A plain symbol in the colour of the text.
QIcon icon(Shape shape, const QColor& colour);

}  // namespace xlab::app
