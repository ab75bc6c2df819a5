// Which run is on screen, in the status bar, where there are several; pressing it offers the
// others.
#pragma once

#include <QToolButton>

class QMenu;

namespace xlab::app {

class Stage;

class RunChip : public QToolButton {
  Q_OBJECT

 public:
  explicit RunChip(Stage& stage, QWidget* parent = nullptr);

 private:
  void follow_snapshot();
  void fill_menu();

  Stage& stage_;
  QMenu* menu_;
  int colour_ = -1;  ///< of the swatch that is shown
};

}  // namespace xlab::app
