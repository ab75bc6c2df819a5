// What can be had of the value that is looked at: copied, or shown as a program.
#pragma once

#include <QList>
#include <QObject>
#include <optional>

#include "app/stage.hpp"
#include "ui/inspected.hpp"

class QAction;
class QMenu;

namespace xlab::app {

class ValueActions : public QObject {
  Q_OBJECT

 public:
  /// `window`: above which dialogs stand.
  ValueActions(Stage& stage, QWidget* window);

  /// Adds an action for each; where one is not possible its tool tip says why.
  void add_to(QMenu* menu);
  /// Does what a view asks for.
  void fulfil(const ui::Request& request);

 signals:
  void noticed(const QString& sentence);

 private:
  std::optional<ui::ValueRef> subject() const;
  void follow();
  void act(ui::Copied copied);

  struct Entry {
    QAction* action;
    ui::Copied copied;
    QString tip;
  };
  Stage& stage_;
  QWidget* window_;
  QList<Entry> entries_;
};

}  // namespace xlab::app
