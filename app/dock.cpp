// Builds the title bar; Qt keeps moving, tabbing and floating the dock by it.
#include "app/dock.hpp"

#include <QAction>

namespace xlab::app {

Dock::Dock(Stage& stage, const QString& name, const QString& title, QWidget* parent)
    : QDockWidget(title, parent), stage_(stage) {
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
  bar_->addWidget(new QLabel(title), 1);
  setTitleBarWidget(bar);

  menu_ = new QMenu(this);
  more_ = add_button(Shape::more, tr("More about %1").arg(title), false);
  more_->setPopupMode(QToolButton::InstantPopup);
  more_->setMenu(menu_);
  QAction* detach = menu_->addAction(tr("Detach or dock"));
  connect(detach, &QAction::triggered, this, [this] { setFloating(!isFloating()); });
  QAction* hide = menu_->addAction(tr("Close"));
  connect(hide, &QAction::triggered, this, &QDockWidget::close);

  connect(&stage, &Stage::look_changed, this, &Dock::follow_look);
  follow_look();
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
  const QColor colour = theme(look.palette).muted;
  bar_->setContentsMargins(scaled(look, 9), scaled(look, 3), scaled(look, 4), scaled(look, 3));
  for (const auto& [button, shape] : buttons_) {
    button->setIcon(icon(shape, colour));
    button->setIconSize(QSize(scaled(look, 14), scaled(look, 14)));
  }
  updateGeometry();
}

}  // namespace xlab::app
