// Answers dialogs as a person does: types names of files, presses buttons, and keeps the questions.
#pragma once

#include <gtest/gtest.h>

#include <QApplication>
#include <QDialogButtonBox>
#include <QDir>
#include <QFileDialog>
#include <QInputDialog>
#include <QLineEdit>
#include <QMainWindow>
#include <QMap>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QPointer>
#include <QPushButton>
#include <QTest>
#include <QTimer>
#include <vector>

#include "app/engine_link.hpp"

namespace xlab::tests {

/// Answers every modal dialog while it lives.
class Answers {
 public:
  Answers() {
    QObject::connect(&timer_, &QTimer::timeout, &timer_, [this] { look(); });
    timer_.start(10);
  }

  /// Pressed in message boxes.
  QMessageBox::StandardButton button = QMessageBox::Cancel;
  /// Pressed instead where a box has it, e.g. "Replace".
  QString word;
  /// Chosen from lists of words, the first one first; without one they are cancelled.
  QStringList choices;
  /// Typed into dialogs for files, the first one first; without one they are cancelled.
  QStringList files;

  QStringList questions;       ///< texts of the message boxes so far
  QStringList notes;           ///< what stood below each of them
  QList<QStringList> buttons;  ///< and what could be pressed
  QStringList file_dialogs;    ///< titles of the dialogs for files so far
  QStringList folders;         ///< where each of them began
  QStringList file_buttons;    ///< what could be pressed in each once the name was typed
  QList<QStringList> lists;    ///< the words of the lists so far

 private:
  void look() {
    QWidget* open = QApplication::activeModalWidget();
    if (!open || open == last_) return;
    if (auto* box = qobject_cast<QMessageBox*>(open)) {
      last_ = open;
      EXPECT_NE(box->textFormat(), Qt::AutoText) << "a name may look like HTML";
      questions.append(box->text());
      notes.append(box->informativeText());
      buttons.append(QStringList());
      for (const QAbstractButton* candidate : box->buttons())
        buttons.last().append(candidate->text());
      for (QAbstractButton* candidate : box->buttons()) {
        if (!word.isEmpty() && candidate->text() == word) {
          QTest::mouseClick(candidate, Qt::LeftButton);
          return;
        }
      }
      QAbstractButton* wanted = box->button(button);
      if (!wanted) wanted = box->buttons().first();
      QTest::mouseClick(wanted, Qt::LeftButton);
    } else if (auto* list = qobject_cast<QInputDialog*>(open)) {
      last_ = open;
      lists.append(list->comboBoxItems());
      if (choices.isEmpty()) {
        list->reject();
      } else {
        list->setTextValue(choices.takeFirst());
        list->accept();
      }
    } else if (auto* dialog = qobject_cast<QFileDialog*>(open)) {
      last_ = open;
      file_dialogs.append(dialog->windowTitle());
      folders.append(dialog->directory().absolutePath());
      auto* name = dialog->findChild<QLineEdit*>("fileNameEdit");
      if (files.isEmpty() || !name) {
        dialog->reject();
      } else {
        name->setText(files.takeFirst());
        for (const QAbstractButton* button :
             dialog->findChild<QDialogButtonBox*>("buttonBox")->buttons())
          if (button->text() != "Cancel") file_buttons.append(button->text());
        QTest::keyClick(name, Qt::Key_Return);
      }
    }
  }

  QTimer timer_;
  QPointer<QWidget> last_;
};

/// The actions of a menu and its menus, by their words: "File/New/Recall".
inline void walk_menu(const QMenu* menu, const QString& path, QMap<QString, QAction*>& found) {
  for (QAction* action : menu->actions()) {
    const QString name = path + "/" + QString(action->text()).remove('&');
    if (action->menu()) {
      walk_menu(action->menu(), name, found);
    } else if (!action->isSeparator()) {
      found[name] = action;
    }
  }
}

/// Everything in the menus of a window. Two actions of one name in one menu would be one here.
inline QMap<QString, QAction*> menu_actions(const QMainWindow& window) {
  QMap<QString, QAction*> found;
  for (QAction* action : window.menuBar()->actions())
    walk_menu(action->menu(), QString(action->text()).remove('&'), found);
  return found;
}

/// The commands that go to an engine while it lives.
class Sent {
 public:
  explicit Sent(app::EngineLink& link) {
    connection_ = QObject::connect(&link, &app::EngineLink::sent, &link,
                                   [this](const Command& command) { commands.push_back(command); });
  }
  ~Sent() { QObject::disconnect(connection_); }
  Sent(const Sent&) = delete;
  Sent& operator=(const Sent&) = delete;

  template <typename Kind>
  int count() const {
    int found = 0;
    for (const Command& command : commands) found += std::holds_alternative<Kind>(command);
    return found;
  }
  /// Place of the first command of a kind; -1 when there is none.
  template <typename Kind>
  int first() const {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      if (std::holds_alternative<Kind>(commands[i])) return static_cast<int>(i);
    }
    return -1;
  }

  std::vector<Command> commands;

 private:
  QMetaObject::Connection connection_;
};

}  // namespace xlab::tests
