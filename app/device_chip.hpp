// Where the model computes, in the status bar; pressing it offers the other devices.
#pragma once

#include <QToolButton>

class QMenu;

namespace xlab::app {

class Stage;

class DeviceChip : public QToolButton {
  Q_OBJECT

 public:
  explicit DeviceChip(Stage& stage, QWidget* parent = nullptr);

 private:
  void follow_snapshot();
  void fill_menu();

  Stage& stage_;
  QMenu* menu_;
};

}  // namespace xlab::app
