// Going from room to room, and from one perspective of a room to another: each keeps how it was
// left.
#include <QActionGroup>
#include <QMenu>

#include "app/main_window.hpp"

namespace xlab::app {

int MainWindow::layout_key(Room room, Perspective perspective) {
  const bool other = room == Room::explore && perspective != Perspective::memory;
  return other ? kRooms - 1 + static_cast<int>(perspective) : static_cast<int>(room);
}

QString MainWindow::layout_name(int key) {
  if (key < kRooms) return name_of(static_cast<Room>(key));
  return name_of(Room::explore) + "_" + name_of(static_cast<Perspective>(key - kRooms + 1));
}

void MainWindow::set_room(Room room) {
  show_place(room, perspective_);
}

void MainWindow::set_perspective(Perspective perspective) {
  show_place(Room::explore, perspective);
}

void MainWindow::show_place(Room room, Perspective perspective) {
  if (room == room_ && perspective == perspective_ && shown_) return;
  restore_others();
  hide_panels(false);
  if (shown_) layouts_[layout_key()] = present_layout();
  room_ = room;
  perspective_ = perspective;
  perspectives_->actions()[static_cast<int>(perspective)]->setChecked(true);
  rooms_->actions()[static_cast<int>(room)]->setChecked(true);
  fit_tool_bar();
  if (shown_) show_room();
}

void MainWindow::show_room() {
  at_scale_.clear();
  at_fit_.clear();
  dragged_ = {};
  show_layout(layouts_.value(layout_key()));
  give_keys_back();
}

void MainWindow::make_perspectives_menu(QMenu* view) {
  QMenu* menu = view->addMenu(tr("&Perspectives"));
  perspectives_ = new QActionGroup(this);
  const QString titles[kPerspectives] = {tr("&Memory"), tr("&Stabilizer"), tr("&Two faces"),
                                         tr("&Write budget"), tr("M&ap")};
  for (int one = 0; one < kPerspectives; ++one) {
    auto* action = menu->addAction(titles[one]);
    connect(action, &QAction::triggered, this,
            [this, one] { set_perspective(static_cast<Perspective>(one)); });
    action->setCheckable(true);
    perspectives_->addAction(action);
  }
  perspectives_->actions().first()->setChecked(true);
}

}  // namespace xlab::app
