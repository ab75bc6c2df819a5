// The three layouts, the maximised dock, and what is remembered of them.
#include <QActionGroup>
#include <QApplication>
#include <QMenuBar>
#include <QScreen>
#include <QSettings>
#include <QStatusBar>
#include <QToolBar>
#include <algorithm>
#include <cmath>

#include "app/banner.hpp"
#include "app/main_window.hpp"

namespace xlab::app {
namespace {

/// The time bar with all its rows, in pixels at 100 %.
constexpr int kTimeHeight = 158;
constexpr const char* kRoomNames[] = {"explore", "train", "generate"};

QString palette_text(ui::PaletteName name) {
  switch (name) {
    case ui::PaletteName::dark:
      return "dark";
    case ui::PaletteName::projector:
      return "projector";
    default:
      return "light";
  }
}

QSettings settings() {
  return QSettings("xlstm-lab", "xlstm-lab");
}

}  // namespace

void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  if (shown_) return;
  shown_ = true;
  show_room();
}

void MainWindow::set_room(Room room) {
  if (room == room_ && shown_) return;
  restore_others();
  hide_panels(false);
  if (shown_)
    layouts_[static_cast<int>(room_)] = {saveState(layout_version()), stage_.look().scale};
  room_ = room;
  rooms_->actions()[static_cast<int>(room)]->setChecked(true);
  if (shown_) show_room();
}

void MainWindow::show_room() {
  const Layout kept = layouts_.value(static_cast<int>(room_));
  const bool message = !banner_->isHidden();
  if (kept.state.isEmpty() || !restoreState(kept.state, layout_version())) {
    default_layout(room_);
  } else if (kept.scale != stage_.look().scale) {
    fit_time_bar();
  }
  banner_->setVisible(message);
  // Keys belong to the drawings until a control is chosen.
  view("time")->canvas().setFocus();
}

void MainWindow::reset_layout() {
  restore_others();
  hide_panels(false);
  layouts_.remove(static_cast<int>(room_));
  default_layout(room_);
}

int MainWindow::layout_version() const {
  QStringList names;
  for (const QDockWidget* dock : findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly))
    names.append(dock->objectName());
  names.sort();
  return qChecksum(names.join(' ').toUtf8());
}

void MainWindow::default_layout(Room room) {
  const QList<QDockWidget*> docks = findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly);
  for (QDockWidget* dock : docks) {
    dock->setFloating(false);
    removeDockWidget(dock);
  }
  ViewDock *time = view("time"), *gates = view("gates"), *memory = view("memory"),
           *loss = view("loss"), *next = view("next"), *inspector = view("inspector"),
           *health = view("health");
  QList<QDockWidget*> visible;
  // All docks are placed, so that one shown later appears where it belongs.
  switch (room) {
    case Room::explore:
      addDockWidget(Qt::LeftDockWidgetArea, time);
      splitDockWidget(time, gates, Qt::Vertical);
      splitDockWidget(gates, memory, Qt::Horizontal);
      splitDockWidget(memory, next, Qt::Horizontal);
      splitDockWidget(memory, inspector, Qt::Vertical);
      splitDockWidget(next, prompt_, Qt::Vertical);
      tabifyDockWidget(inspector, health);
      tabifyDockWidget(health, loss);
      tabifyDockWidget(prompt_, model_);
      tabifyDockWidget(model_, task_);
      tabifyDockWidget(task_, trainer_);
      tabifyDockWidget(trainer_, text_);
      visible = {time, gates, memory, next, inspector, health, prompt_, model_};
      break;
    case Room::train:
      addDockWidget(Qt::LeftDockWidgetArea, trainer_);
      splitDockWidget(trainer_, time, Qt::Horizontal);
      splitDockWidget(time, loss, Qt::Vertical);
      splitDockWidget(loss, gates, Qt::Vertical);
      splitDockWidget(gates, memory, Qt::Horizontal);
      splitDockWidget(trainer_, task_, Qt::Vertical);
      splitDockWidget(loss, next, Qt::Horizontal);
      tabifyDockWidget(task_, model_);
      tabifyDockWidget(model_, prompt_);
      tabifyDockWidget(prompt_, text_);
      tabifyDockWidget(memory, inspector);
      tabifyDockWidget(inspector, health);
      visible = {trainer_, time, loss, gates, memory, next, task_, model_};
      break;
    case Room::generate:
      addDockWidget(Qt::LeftDockWidgetArea, text_);
      splitDockWidget(text_, time, Qt::Horizontal);
      splitDockWidget(time, next, Qt::Vertical);
      splitDockWidget(next, memory, Qt::Horizontal);
      splitDockWidget(memory, inspector, Qt::Vertical);
      splitDockWidget(text_, prompt_, Qt::Vertical);
      tabifyDockWidget(prompt_, model_);
      tabifyDockWidget(model_, task_);
      tabifyDockWidget(task_, trainer_);
      tabifyDockWidget(memory, gates);
      tabifyDockWidget(inspector, loss);
      tabifyDockWidget(loss, health);
      visible = {text_, prompt_, time, next, memory, inspector, model_};
      break;
  }
  for (QDockWidget* dock : docks) dock->setVisible(visible.contains(dock));
  const auto sizes = [this](const QList<QDockWidget*>& list, const QList<int>& shares,
                            Qt::Orientation direction) { resizeDocks(list, shares, direction); };
  // Bars above and below the docks take their part first.
  const int w = width();
  const int h = height() - menuBar()->height() - statusBar()->height() - tool_bar_->height();
  const int bar = scaled(stage_.look(), kTimeHeight);
  const int rest = std::max(1, h - bar);
  switch (room) {
    case Room::explore:
      sizes({time, gates}, {bar, rest}, Qt::Vertical);
      sizes({gates, memory, next}, {w * 42 / 100, w * 34 / 100, w * 24 / 100}, Qt::Horizontal);
      sizes({memory, inspector}, {rest * 53 / 100, rest * 47 / 100}, Qt::Vertical);
      sizes({next, prompt_}, {rest * 53 / 100, rest * 47 / 100}, Qt::Vertical);
      prompt_->raise();
      inspector->raise();
      break;
    case Room::train:
      sizes({trainer_, time}, {w * 26 / 100, w * 74 / 100}, Qt::Horizontal);
      sizes({time, loss, gates}, {bar, rest * 45 / 100, rest * 55 / 100}, Qt::Vertical);
      sizes({gates, memory}, {w * 40 / 100, w * 34 / 100}, Qt::Horizontal);
      sizes({loss, next}, {w * 50 / 100, w * 24 / 100}, Qt::Horizontal);
      sizes({trainer_, task_}, {h * 52 / 100, h * 48 / 100}, Qt::Vertical);
      task_->raise();
      break;
    case Room::generate:
      sizes({text_, time}, {w * 27 / 100, w * 73 / 100}, Qt::Horizontal);
      sizes({time, next}, {bar, rest}, Qt::Vertical);
      sizes({next, memory}, {w * 33 / 100, w * 40 / 100}, Qt::Horizontal);
      sizes({memory, inspector}, {rest * 53 / 100, rest * 47 / 100}, Qt::Vertical);
      sizes({text_, prompt_}, {h * 48 / 100, h * 52 / 100}, Qt::Vertical);
      prompt_->raise();
      break;
  }
}

void MainWindow::fit_time_bar() {
  if (!alone_) resizeDocks({view("time")}, {scaled(stage_.look(), kTimeHeight)}, Qt::Vertical);
}

void MainWindow::maximise(QDockWidget* dock) {
  if (alone_) {
    restore_others();
    return;
  }
  if (!dock || dock->isFloating()) return;
  before_maximise_ = saveState(layout_version());
  alone_ = dock;
  for (QDockWidget* other : findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly)) {
    if (other != dock && !other->isFloating()) other->hide();
  }
  dock->show();
  dock->raise();
  if (auto* view = qobject_cast<ViewDock*>(dock)) view->canvas().setFocus();
}

void MainWindow::restore_others() {
  if (!alone_) return;
  alone_ = nullptr;
  const bool message = !banner_->isHidden();
  restoreState(before_maximise_, layout_version());
  banner_->setVisible(message);
}

void MainWindow::hide_panels(bool hidden) {
  if (hidden == panels_hidden_) return;
  panels_hidden_ = hidden;
  panels_->setChecked(hidden);
  if (hidden) {
    hidden_panels_.clear();
    for (QDockWidget* dock : {model_, task_, trainer_, prompt_, text_}) {
      if (!dock->isHidden()) hidden_panels_.append(dock);
      dock->hide();
    }
  } else {
    for (QDockWidget* dock : hidden_panels_) dock->show();
  }
}

void MainWindow::restore_settings() {
  QSettings kept = settings();
  CanvasLook look = options_.look;
  for (const ui::PaletteName name :
       {ui::PaletteName::light, ui::PaletteName::dark, ui::PaletteName::projector}) {
    if (kept.value("palette") == QVariant(palette_text(name))) look.palette = name;
  }
  bool number = false;
  const float scale = kept.value("scale").toFloat(&number);
  if (number && std::isfinite(scale)) look.scale = scale;
  set_look(look);
  for (int room = 0; room < 3; ++room) {
    layouts_[room] = {kept.value(QString("layout/%1").arg(kRoomNames[room])).toByteArray(),
                      stage_.look().scale};
  }
  const QByteArray place = kept.value("geometry").toByteArray();
  if (place.isEmpty() || !restoreGeometry(place)) {
    const QSize room = screen()->availableSize();
    resize(QSize(1360, 860).boundedTo(room * 0.94));
  }
}

void MainWindow::save_settings() {
  restore_others();
  hide_panels(false);
  layouts_[static_cast<int>(room_)] = {saveState(layout_version()), stage_.look().scale};
  QSettings kept = settings();
  kept.setValue("palette", palette_text(stage_.look().palette));
  kept.setValue("scale", stage_.look().scale);
  kept.setValue("geometry", saveGeometry());
  for (int room = 0; room < 3; ++room) {
    kept.setValue(QString("layout/%1").arg(kRoomNames[room]), layouts_.value(room).state);
  }
}

Dock* MainWindow::active_dock() const {
  const auto dock_of = [](QWidget* widget) -> Dock* {
    for (; widget; widget = widget->parentWidget()) {
      if (auto* dock = qobject_cast<Dock*>(widget)) return dock;
    }
    return nullptr;
  };
  if (Dock* under_mouse = dock_of(QApplication::widgetAt(QCursor::pos()))) return under_mouse;
  return dock_of(QApplication::focusWidget());
}

}  // namespace xlab::app
