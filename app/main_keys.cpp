// Who gets a key: the control that needs it, a field that is typed in, or the window.
#include <QAbstractButton>
#include <QAbstractScrollArea>
#include <QAbstractSlider>
#include <QAbstractSpinBox>
#include <QApplication>
#include <QComboBox>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenuBar>
#include <QPlainTextEdit>
#include <QSlider>
#include <QSpinBox>
#include <QTabBar>
#include <QToolButton>
#include <algorithm>

#include "app/main_window.hpp"

namespace xlab::app {
namespace {

/// Whether keys typed here are letters of a text or digits of a number.
bool is_field(const QWidget* widget) {
  const auto* text = qobject_cast<const QPlainTextEdit*>(widget);
  return (text && !text->isReadOnly()) || qobject_cast<const QLineEdit*>(widget) ||
         qobject_cast<const QAbstractSpinBox*>(widget);
}

/// Puts back what a field showed before it was typed in. A prompt keeps its text: nothing but
/// Return and its button set it.
void give_up_typing(QObject* field) {
  if (auto* box = qobject_cast<QSpinBox*>(field)) {
    box->setValue(box->value());
  } else if (auto* line = qobject_cast<QLineEdit*>(field)) {
    while (line->isUndoAvailable()) line->undo();
  }
}

/// Whether a click on a widget means something there; else it is one on an empty part.
bool takes_clicks(const QWidget* widget) {
  for (; widget && !widget->isWindow(); widget = widget->parentWidget()) {
    if ((widget->focusPolicy() & Qt::ClickFocus) || qobject_cast<const QAbstractButton*>(widget) ||
        qobject_cast<const QTabBar*>(widget) || qobject_cast<const QMenuBar*>(widget) ||
        qobject_cast<const QAbstractSlider*>(widget) || qobject_cast<const QComboBox*>(widget)) {
      return true;
    }
  }
  return false;
}

/// Whether a control needs this key itself, so that the window's shortcut must not take it.
bool control_needs(const QWidget* widget, int key) {
  const bool arrows = key == Qt::Key_Left || key == Qt::Key_Right || key == Qt::Key_Up ||
                      key == Qt::Key_Down || key == Qt::Key_Home || key == Qt::Key_End;
  if (qobject_cast<const QAbstractButton*>(widget)) return key == Qt::Key_Space;
  if (const auto* canvas = qobject_cast<const Canvas*>(widget)) return canvas->needs(key);
  if (qobject_cast<const QAbstractSlider*>(widget) || qobject_cast<const QTabBar*>(widget)) {
    return arrows;
  }
  if (qobject_cast<const QAbstractSpinBox*>(widget) || qobject_cast<const QComboBox*>(widget) ||
      qobject_cast<const QAbstractScrollArea*>(widget)) {
    return arrows || key == Qt::Key_Space;
  }
  return false;
}

}  // namespace

/// A wheel over a control does not move the keys to it.
void MainWindow::leave_keys_to_clicks(QWidget& widget) {
  if (widget.focusPolicy() == Qt::WheelFocus) widget.setFocusPolicy(Qt::StrongFocus);
}

/// Tab goes past what lies behind a tab, which Qt takes for visible.
bool MainWindow::focusNextPrevChild(bool next) {
  const auto behind_a_tab = [](const QWidget* widget) {
    for (; widget; widget = widget->parentWidget()) {
      if (qobject_cast<const Dock*>(widget)) return widget->visibleRegion().isEmpty();
    }
    return false;
  };
  const QWidget* const start = QApplication::focusWidget();
  do {
    if (!QMainWindow::focusNextPrevChild(next)) return false;
  } while (QApplication::focusWidget() != start && behind_a_tab(QApplication::focusWidget()));
  return true;
}

void MainWindow::give_keys_back() {
  ViewDock* seen = nullptr;
  for (ViewDock* dock : views_) {
    if (!seen && dock->seen() && !dock->shows_table()) seen = dock;
  }
  if (seen) {
    seen->canvas().setFocus();
  } else {
    setFocus();
  }
}

bool MainWindow::eventFilter(QObject* object, QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    const auto* key = static_cast<QKeyEvent*>(event);
    const auto* widget = qobject_cast<QWidget*>(object);
    if (widget && widget->hasFocus() &&
        (key->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier &&
        control_needs(widget, key->key())) {
      event->accept();
      return true;
    }
  }
  if (object == this && event->type() == QEvent::MouseButtonPress) follow_separator(true);
  if (object == this && event->type() == QEvent::MouseButtonRelease) {
    // After Qt has let go of it.
    QTimer::singleShot(0, this, [this] { follow_separator(false); });
  }
  if (event->type() == QEvent::Close && object->parent() == this) {
    if (auto* dock = qobject_cast<QDockWidget*>(object)) before_closing(dock);
  }
  if (event->type() == QEvent::Resize && object->parent() == this &&
      qobject_cast<QTabBar*>(object)) {
    fit_tabs_soon();
  }
  // A wheel that scrolls a panel does not change the choices that pass under it, nor does it move
  // the keys to them: Qt would have it give them the focus first.
  if (event->type() == QEvent::Polish) {
    if (auto* polished = qobject_cast<QWidget*>(object)) leave_keys_to_clicks(*polished);
  }
  if (event->type() == QEvent::Wheel &&
      (qobject_cast<QComboBox*>(object) || qobject_cast<QAbstractSpinBox*>(object) ||
       qobject_cast<QSlider*>(object)) &&
      !static_cast<QWidget*>(object)->hasFocus()) {
    event->ignore();
    return true;
  }
  // Return presses a button that has the keys, as Space does.
  if (event->type() == QEvent::KeyPress) {
    const auto* key = static_cast<QKeyEvent*>(event);
    auto* button = qobject_cast<QAbstractButton*>(object);
    const bool returns = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
    if (button && button->window() == this && button->hasFocus() && returns &&
        (key->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier) {
      auto* tool = qobject_cast<QToolButton*>(object);
      if (tool && tool->popupMode() == QToolButton::InstantPopup) {
        QMetaObject::invokeMethod(tool, &QToolButton::showMenu, Qt::QueuedConnection);
      } else if (!key->isAutoRepeat()) {
        button->click();
      }
      return true;
    }
  }
  // After Return or Escape in a field, and after a click beside it, keys are the window's again.
  const auto* widget = qobject_cast<const QWidget*>(object);
  if (widget && widget->window() == this) {
    const bool press = event->type() == QEvent::MouseButtonPress;
    if (event->type() == QEvent::KeyPress) {
      const auto* pressed = static_cast<QKeyEvent*>(event);
      const int key = pressed->key();
      const bool new_line = pressed->modifiers() & Qt::ShiftModifier;
      const bool leaves =
          key == Qt::Key_Escape || ((key == Qt::Key_Return || key == Qt::Key_Enter) && !new_line);
      if (leaves && is_field(widget) && widget->hasFocus()) {
        if (key == Qt::Key_Escape) give_up_typing(object);
        // After the field has taken what was typed; in a row of a list that waits in a queue too.
        QTimer::singleShot(0, this,
                           [this] { QTimer::singleShot(0, this, &MainWindow::give_keys_back); });
      } else if (key == Qt::Key_Escape && widget->hasFocus() && !is_field(widget) &&
                 !qobject_cast<const Canvas*>(widget)) {
        // Out of a list, a box or a button, too.
        QTimer::singleShot(0, this, &MainWindow::give_keys_back);
      }
    } else if (press && is_field(QApplication::focusWidget()) && !takes_clicks(widget)) {
      give_keys_back();
    }
  }
  return QMainWindow::eventFilter(object, event);
}

}  // namespace xlab::app
