// A scroll area for panels whose height depends on their width.
#pragma once

#include <QEvent>
#include <QScopedValueRollback>
#include <QScrollArea>

namespace xlab::app {

/// Where words take more lines in a bit more room, as it happens at some widths, Qt has the bar
/// come and go within itself until the stack is full. Here it stops after a few turns.
class ScrollArea : public QScrollArea {
 public:
  using QScrollArea::QScrollArea;

 protected:
  bool eventFilter(QObject* object, QEvent* event) override {
    constexpr int kMostTurns = 8;
    if (event->type() != QEvent::Resize || object != widget())
      return QScrollArea::eventFilter(object, event);
    const QScopedValueRollback<int> turn(turns_, turns_ + 1);
    // NOLINTNEXTLINE(bugprone-parent-virtual-call): QScrollArea's would set the bars once more
    return turns_ > kMostTurns ? QAbstractScrollArea::eventFilter(object, event)
                               : QScrollArea::eventFilter(object, event);
  }

 private:
  int turns_ = 0;
};

}  // namespace xlab::app
