// Builds the title bar; Qt keeps moving, tabbing and floating the dock by it.
#include "app/dock.hpp"

#include <QAction>
#include <QScreen>
#include <QStyle>
#include <QTimer>
#include <algorithm>

namespace xlab::app {

Dock::Dock(Stage& stage, const QString& name, const QString& title, QWidget* parent)
    : QDockWidget(title, parent), stage_(stage), title_(title) {
  setObjectName(name);
  auto* body = new QWidget;
  body->setObjectName("dock_body");
  body_ = new QVBoxLayout(body);
  body_->setContentsMargins(2, 0, 2, 2);
  setWidget(body);

  auto* bar = new QWidget;
  bar->setObjectName("dock_title");
  bar_ = new QHBoxLayout(bar);
  bar_->setSpacing(2);
  caption_ = new QLabel(title);
  bar_->addWidget(caption_, 1);
  setTitleBarWidget(bar);

  menu_ = new QMenu(this);
  more_ = add_button(Shape::more, tr("More about %1").arg(title), false);
  more_->setPopupMode(QToolButton::InstantPopup);
  more_->setMenu(menu_);
  QAction* detached = menu_->addAction(tr("Detach or dock"));
  connect(detached, &QAction::triggered, this, [this] { detach(!isFloating()); });
  QAction* hide = menu_->addAction(tr("Close"));
  connect(hide, &QAction::triggered, this, &QDockWidget::close);

  connect(&stage, &Stage::look_changed, this, &Dock::follow_look);
  connect(this, &QDockWidget::topLevelChanged, this, &Dock::follow_floating);
  follow_look();
}

/// A floating dock has a frame and a title in the colour of what is selected. One that was sent out
/// by its menu goes beside the window; one that was dragged stays where the hand put it.
void Dock::follow_floating(bool floating) {
  for (QWidget* part : {widget(), titleBarWidget()}) part->setProperty("floating", floating);
  // What stands in the title follows from what the title is, which Qt does not notice.
  QList<QWidget*> changed = titleBarWidget()->findChildren<QWidget*>();
  changed += {widget(), titleBarWidget()};
  for (QWidget* part : changed) {
    part->style()->unpolish(part);
    part->style()->polish(part);
  }
  follow_look();
  if (floating && detached_by_menu_) place_beside();
  detached_by_menu_ = false;
}

void Dock::show_focus(bool focused) {
  QWidget* body = widget();
  if (body->property("focused").toBool() == focused) return;
  body->setProperty("focused", focused);
  body->style()->unpolish(body);
  body->style()->polish(body);
}

void Dock::detach(bool floating) {
  detached_by_menu_ = floating;
  setFloating(floating);
}

void Dock::place_beside() {
  const QRect window = parentWidget()->window()->frameGeometry();
  const QRect room = screen()->availableGeometry();
  const QSize wanted = size().boundedTo(room.size());
  const int gap = scaled(stage_.look(), 12);
  const int right = room.right() - window.right(), left = window.left() - room.left();
  const int below = room.bottom() - window.bottom();
  QPoint at;
  if (right >= wanted.width() + gap) {
    at = {window.right() + gap, window.top()};
  } else if (left >= wanted.width() + gap) {
    at = {window.left() - gap - wanted.width(), window.top()};
  } else if (below >= wanted.height() + gap) {
    at = {window.left(), window.bottom() + gap};
  } else {
    // The window fills the screen: over its lower right corner, so that most of it stays in sight.
    at = {room.right() - gap - wanted.width(), room.bottom() - gap - wanted.height()};
  }
  at.setX(std::clamp(at.x(), room.left(), std::max(room.left(), room.right() - wanted.width())));
  at.setY(std::clamp(at.y(), room.top(), std::max(room.top(), room.bottom() - wanted.height())));
  resize(wanted);
  move(at);
}

/// Qt's tabs say what the title of the window is.
void Dock::show_tab_word(bool shown) {
  const QString wanted = shown && !tab_word_.isEmpty() && !isFloating() ? tab_word_ : title_;
  if (windowTitle() == wanted) return;
  setWindowTitle(wanted);
  toggleViewAction()->setText(title_);
}

void Dock::set_title(const QString& title) {
  if (title == title_) return;
  title_ = title;
  caption_->setText(title);
  setWindowTitle(title);
  toggleViewAction()->setText(title);
}

void Dock::set_contents(QWidget* contents) {
  body_->addWidget(contents);
}

QSize Dock::sizeHint() const {
  return {scaled(stage_.look(), hint_.width()), scaled(stage_.look(), hint_.height())};
}

QToolButton* Dock::add_button(Shape shape, const QString& text, bool checkable) {
  auto* button = new QToolButton;
  button->setToolTip(text);
  button->setAccessibleName(text);
  button->setCheckable(checkable);
  button->setAutoRaise(true);
  button->setFocusPolicy(Qt::TabFocus);
  // The menu stays at the far right.
  bar_->insertWidget(buttons_.isEmpty() ? -1 : bar_->count() - 1, button);
  buttons_.append({button, shape});
  follow_look();
  return button;
}

void Dock::follow_look() {
  const CanvasLook& look = stage_.look();
  const Theme colours = theme(look.palette);
  const QColor colour = isFloating() ? colours.accent_text : colours.muted;
  bar_->setContentsMargins(scaled(look, 9), scaled(look, 3), scaled(look, 4), scaled(look, 3));
  for (const auto& [button, shape] : buttons_) {
    button->setIcon(icon(shape, colour));
    button->setIconSize(QSize(scaled(look, 14), scaled(look, 14)));
  }
  updateGeometry();
}

}  // namespace xlab::app
