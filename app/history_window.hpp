// The edits in their order as a window: what was done, what was taken back, and the way to each.
#pragma once

#include <QDialog>
#include <memory>

#include "app/stage.hpp"

class QListWidget;

namespace xlab::app {

class HistoryWindow : public QDialog {
  Q_OBJECT

 public:
  explicit HistoryWindow(Stage& stage, QWidget* parent = nullptr);

 private:
  void follow_snapshot();
  /// Takes back or makes again what lies between now and a row.
  void go_to(int row);

  Stage& stage_;
  QListWidget* list_;
  std::shared_ptr<const EditHistory> shown_;
};

}  // namespace xlab::app
