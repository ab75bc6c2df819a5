// A dock with a title bar of our own: title, buttons, and a menu.
#pragma once

#include <QBoxLayout>
#include <QDockWidget>
#include <QLabel>
#include <QMenu>
#include <QToolButton>

#include "app/stage.hpp"
#include "app/theme.hpp"

namespace xlab::app {

/// `name` identifies the dock in saved layouts; the title is what people read.
class Dock : public QDockWidget {
  Q_OBJECT

 public:
  Dock(Stage& stage, const QString& name, const QString& title, QWidget* parent = nullptr);
  void set_contents(QWidget* contents);

  /// What its tab says where the titles of all tabs have no room; the title when there is none.
  void set_tab_word(const QString& word) { tab_word_ = word; }
  const QString& title() const { return title_; }
  void set_title(const QString& title);
  void show_tab_word(bool shown);

  QMenu* menu() { return menu_; }
  /// The default size, in pixels at 100 %.
  void set_hint(QSize hint) { hint_ = hint; }
  QSize sizeHint() const override;
  /// Makes a window of its own, beside the main one, or docks it again.
  void detach(bool floating);

 protected:
  /// A button to the left of the menu.
  QToolButton* add_button(Shape shape, const QString& text, bool checkable);
  /// Draws a ring around what the keyboard has reached.
  void show_focus(bool focused);

 private:
  void follow_look();
  void follow_floating(bool floating);
  void place_beside();

  Stage& stage_;
  QString title_, tab_word_;
  bool detached_by_menu_ = false;
  QSize hint_{300, 220};
  QLabel* caption_;
  QBoxLayout* body_;
  QBoxLayout* bar_;
  QToolButton* more_;
  QMenu* menu_;
  QList<QPair<QToolButton*, Shape>> buttons_;
};

}  // namespace xlab::app
