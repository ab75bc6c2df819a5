// Going from room to room, and from one perspective of a room to another: each keeps how it was
// left, also under a program that has more docks than there were then.
#include <QActionGroup>
#include <QMenu>
#include <algorithm>
#include <vector>

#include "app/main_window.hpp"

namespace xlab::app {
namespace {

int version_of(QStringList names) {
  names.sort();
  return qChecksum(names.join(' ').toUtf8());
}

/// What docks there were in programs before this one, the newest first.
const std::vector<QStringList>& docks_of_earlier_programs() {
  static const std::vector<QStringList> all = [] {
    const QStringList one_run = {"view_time",  "view_gates",     "view_memory",  "view_loss",
                                 "view_next",  "view_inspector", "view_health",  "panel_model",
                                 "panel_task", "panel_trainer",  "panel_prompt", "panel_text"};
    const QStringList several_runs = one_run + QStringList{"panel_runs"};
    const QStringList perspectives =
        several_runs + QStringList{"view_faces", "view_stabilizer", "view_budget", "view_map"};
    return std::vector<QStringList>{perspectives, several_runs, one_run};
  }();
  return all;
}

QStringList names_of_docks(const QMainWindow& window) {
  QStringList names;
  for (const QDockWidget* dock : window.findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly))
    names.append(dock->objectName());
  return names;
}

}  // namespace

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
  const bool there = room_ == Room::explore && perspective == perspective_ && shown_;
  show_place(Room::explore, perspective);
  if (!there || alone_ || panels_hidden_) return;
  // Asked for once more: what it is about comes to the front again.
  for (const QString& name : layout_of(room_, perspective_).in_front) {
    if (dock(name)->isHidden()) show_again(dock(name));
    dock(name)->raise();
  }
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

int MainWindow::layout_version() const {
  return version_of(names_of_docks(*this));
}

bool MainWindow::knows_layout(int version) const {
  const auto has = [version](const QStringList& docks) { return version_of(docks) == version; };
  return version == layout_version() || std::ranges::any_of(docks_of_earlier_programs(), has);
}

bool MainWindow::restore_docks(const QByteArray& state) {
  if (restoreState(state, layout_version())) return true;
  for (const QStringList& docks : docks_of_earlier_programs()) {
    if (!restoreState(state, version_of(docks))) continue;
    // What has come since stands behind the tab of what it belongs to, in whichever room.
    for (ViewDock* dock : views_) {
      if (docks.contains(dock->objectName())) continue;
      tabifyDockWidget(view(dock->neighbour()), dock);
      dock->hide();
    }
    if (docks.contains(runs_->objectName())) return true;
    const bool trainer_shown = !trainer_->isHidden();
    tabifyDockWidget(trainer_, runs_);
    runs_->setVisible(trainer_shown);
    trainer_->raise();
    return true;
  }
  return false;
}

void MainWindow::make_perspectives_menu(QMenu* view) {
  QMenu* menu = view->addMenu(tr("&Perspectives"));
  perspectives_ = new QActionGroup(this);
  const QString titles[kPerspectives] = {tr("&Memory"),       tr("&Stabilizer"), tr("&Two faces"),
                                         tr("&Write budget"), tr("M&ap"),        tr("M&ixing"),
                                         tr("&Gate explorer")};
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
