// A text to read and to copy, in a window of its own that nothing waits for.
#pragma once

#include <QDialog>
#include <QString>

#include "app/canvas.hpp"

namespace xlab::app {

class TextDialog : public QDialog {
  Q_OBJECT

 public:
  struct Words {
    QString title;      ///< of the window
    QString heading;    ///< what the text is about
    QString explained;  ///< a sentence
    QString text;       ///< written in letters of one width
  };
  /// Goes away by itself when it is closed.
  TextDialog(const Words& words, const CanvasLook& look, QWidget* parent);

 signals:
  void copied();
};

}  // namespace xlab::app
