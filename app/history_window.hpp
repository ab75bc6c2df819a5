// The edits in their order as a window: what was done, what was taken back, and the way to each.
#pragma once

#include <QDialog>
#include <cstdint>
#include <memory>

#include "app/stage.hpp"

class QListWidget;

namespace xlab::app {

class HistoryWindow : public QDialog {
  Q_OBJECT

 public:
  explicit HistoryWindow(Stage& stage, QWidget* parent = nullptr);

 signals:
  /// Edits are about to be taken back or made again, and runs may go away with them.
  void about_to_go();

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;

 private:
  void follow_snapshot();
  /// Takes back or makes again what lies between now and a row.
  void go_to(int row);
  /// How many edits are done.
  int done_now() const;

  Stage& stage_;
  QListWidget* list_;
  std::shared_ptr<const EditHistory> shown_;
  int going_to_ = -1;  ///< asked of the engine and not seen yet; -1: nothing is
  std::uint64_t failure_ = 0;
};

}  // namespace xlab::app
