// The three layouts, the maximised dock, and what is remembered of them.
#include <QActionGroup>
#include <QApplication>
#include <QMenuBar>
#include <QScreen>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <QStatusBar>
#include <QTabBar>
#include <QTimer>
#include <QToolBar>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/banner.hpp"
#include "app/file_dialogs.hpp"
#include "app/main_window.hpp"
#include "app/panel_runs.hpp"

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

int version_of(QStringList names) {
  names.sort();
  return qChecksum(names.join(' ').toUtf8());
}

QStringList names_of_docks(const QMainWindow& window) {
  QStringList names;
  for (const QDockWidget* dock : window.findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly))
    names.append(dock->objectName());
  return names;
}

QSettings settings() {
  return QSettings("xlstm-lab", "xlstm-lab");
}

}  // namespace

void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  if (shown_) return;
  shown_ = true;
  fit_tool_bar();
  show_room();
}

void MainWindow::resizeEvent(QResizeEvent* event) {
  QMainWindow::resizeEvent(event);
  fit_tool_bar();
  if (!shown_ || alone_ || panels_hidden_ || fit() == shown_fit_) return;
  // After Qt has laid out for the new size; several sizes in a row make one layout.
  QTimer::singleShot(0, this, [this] {
    if (stopped_ || alone_ || panels_hidden_ || fit() == shown_fit_ || arranged_by_hand()) return;
    at_scale_.clear();
    if (!dragged_.state.isEmpty()) at_fit_[static_cast<int>(shown_fit_)] = dragged_;
    dragged_ = at_fit_.value(static_cast<int>(fit()));
    if (dragged_.state.isEmpty()) {
      default_layout(room_);
    } else {
      show_layout(dragged_);
    }
  });
}

void MainWindow::follow_separator(bool pressed) {
  QList<QSize> sizes;
  for (const QDockWidget* dock : shown_docks()) sizes.append(dock->size());
  if (pressed) {
    sizes_before_ = sizes;
  } else if (sizes != sizes_before_ && !alone_ && !panels_hidden_) {
    of_file_ = false;
    before_closed_.clear();
    if (!arranged_by_hand()) dragged_ = present_layout();
  }
}

void MainWindow::set_room(Room room) {
  if (room == room_ && shown_) return;
  restore_others();
  hide_panels(false);
  if (shown_) layouts_[static_cast<int>(room_)] = present_layout();
  room_ = room;
  rooms_->actions()[static_cast<int>(room)]->setChecked(true);
  fit_tool_bar();
  if (shown_) show_room();
}

void MainWindow::show_room() {
  at_scale_.clear();
  at_fit_.clear();
  dragged_ = {};
  show_layout(layouts_.value(static_cast<int>(room_)));
  give_keys_back();
}

MainWindow::Layout MainWindow::present_layout() const {
  return {saveState(layout_version()), stage_.look().scale, shown_fit_, arranged_by_hand(),
          of_file_ && shown_docks() == default_docks_};
}

void MainWindow::show_layout(const Layout& layout) {
  const bool same_scale = layout.scale == stage_.look().scale;
  const bool made_anew =
      layout.state.isEmpty() || (!layout.by_hand && !(same_scale && layout.fit == fit()));
  const bool message = !banner_->isHidden();
  const bool were_arranging = std::exchange(arranging_, true);
  before_closed_.clear();
  of_file_ = layout.of_file;
  if (made_anew || !restore_docks(layout.state)) {
    default_layout(room_);
  } else {
    moved_ = layout.by_hand;
    if (!same_scale) fit_time_bar();
    default_docks_ = shown_docks();
    shown_fit_ = fit();
    fit_tabs_soon();
  }
  arranging_ = were_arranging;
  banner_->setVisible(message);
}

QList<QDockWidget*> MainWindow::shown_docks() const {
  QList<QDockWidget*> shown;
  for (QDockWidget* dock : findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly)) {
    if (!dock->isHidden()) shown.append(dock);
  }
  // Docks come in the order they lie over each other, which changes with the tab in front.
  std::sort(shown.begin(), shown.end());
  return shown;
}

void MainWindow::before_closing(QDockWidget* dock) {
  if (arranging_ || !shown_ || stopped_ || alone_ || dock->isFloating() || dock->isHidden()) return;
  before_closed_.append({shown_docks(), saveState(layout_version()), stage_.look().scale, size()});
}

/// Qt gives a dock that is shown again the size it thinks best, at the cost of the others. Where it
/// was seen before, all are as they were then.
void MainWindow::show_again(QDockWidget* dock) {
  QList<QDockWidget*> wanted = shown_docks();
  if (!wanted.contains(dock)) wanted.append(dock);
  for (qsizetype i = before_closed_.size(); i-- > 0;) {
    const Closed before = before_closed_[i];
    const auto had = [&before](QDockWidget* one) { return before.docks.contains(one); };
    if (before.scale != stage_.look().scale || before.window != size() ||
        !std::all_of(wanted.begin(), wanted.end(), had))
      continue;
    const bool were_arranging = std::exchange(arranging_, true);
    const bool message = !banner_->isHidden();
    setUpdatesEnabled(false);
    if (restoreState(before.state, layout_version())) {
      for (QDockWidget* other : before.docks)
        if (!wanted.contains(other)) other->hide();
    }
    banner_->setVisible(message);
    setUpdatesEnabled(true);
    arranging_ = were_arranging;
    // What was closed after that is open again.
    if (wanted.size() == before.docks.size()) before_closed_.resize(i);
    break;
  }
  dock->show();
  dock->raise();
  fit_tabs_soon();
}

void MainWindow::reset_layout() {
  restore_others();
  hide_panels(false);
  layouts_.remove(static_cast<int>(room_));
  of_file_ = false;
  at_scale_.clear();
  at_fit_.clear();
  dragged_ = {};
  default_layout(room_);
}

int MainWindow::layout_version() const {
  return version_of(names_of_docks(*this));
}

int MainWindow::older_layout_version() const {
  QStringList names = names_of_docks(*this);
  names.removeAll(runs_->objectName());
  return version_of(names);
}

bool MainWindow::restore_docks(const QByteArray& state) {
  if (restoreState(state, layout_version())) return true;
  if (!restoreState(state, older_layout_version())) return false;
  // Behind the tab of what it belongs to, in whichever room.
  const bool trainer_shown = !trainer_->isHidden();
  tabifyDockWidget(trainer_, runs_);
  runs_->setVisible(trainer_shown);
  trainer_->raise();
  return true;
}

Fit MainWindow::fit() const {
  const float scale = stage_.look().scale;
  const auto w = static_cast<float>(width()) / scale, h = static_cast<float>(height()) / scale;
  if (w >= 760 && h >= 520) return Fit::roomy;
  return w >= 560 && h >= 440 ? Fit::compact : Fit::tiny;
}

bool MainWindow::arranged_by_hand() const {
  return moved_ || shown_docks() != default_docks_;
}

void MainWindow::two_columns(QDockWidget* above, const QList<QDockWidget*>& left,
                             const QList<QDockWidget*>& right) {
  if (above) {
    addDockWidget(Qt::LeftDockWidgetArea, above);
    splitDockWidget(above, left.first(), Qt::Vertical);
  } else {
    addDockWidget(Qt::LeftDockWidgetArea, left.first());
  }
  splitDockWidget(left.first(), right.first(), Qt::Horizontal);
  for (const QList<QDockWidget*>& column : {left, right}) {
    for (qsizetype i = 1; i < column.size(); ++i) tabifyDockWidget(column[i - 1], column[i]);
  }
}

void MainWindow::default_layout(Room room) {
  const bool were_arranging = std::exchange(arranging_, true);
  before_closed_.clear();
  const QList<QDockWidget*> docks = findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly);
  for (QDockWidget* dock : docks) {
    dock->setFloating(false);
    removeDockWidget(dock);
  }
  ViewDock *time = view("time"), *gates = view("gates"), *memory = view("memory"),
           *loss = view("loss"), *next = view("next"), *inspector = view("inspector"),
           *health = view("health");
  shown_fit_ = fit();
  const bool roomy = shown_fit_ == Fit::roomy, tiny = shown_fit_ == Fit::tiny;
  QList<QDockWidget*> visible, in_front;
  // All docks are placed, so that one shown later appears where it belongs.
  switch (room) {
    case Room::explore:
      visible = {time, gates, memory, next, inspector, health, prompt_, model_};
      in_front = {gates, memory, prompt_, inspector};
      if (!roomy) {
        QList<QDockWidget*> left = {gates, inspector, health, loss};
        if (tiny) left.append(time);
        two_columns(tiny ? nullptr : time, left,
                    {memory, next, prompt_, model_, task_, trainer_, runs_, text_});
        in_front = {gates, memory};
        break;
      }
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
      tabifyDockWidget(trainer_, runs_);
      tabifyDockWidget(runs_, text_);
      break;
    case Room::train:
      visible = {trainer_, runs_, time, loss, gates, memory, next, task_, model_};
      in_front = {trainer_, task_, memory};
      if (!roomy) {
        QList<QDockWidget*> right = {loss, gates, memory, next, inspector, health};
        if (tiny) right.append(time);
        two_columns(tiny ? nullptr : time, {trainer_, runs_, task_, model_, prompt_, text_}, right);
        in_front = {trainer_, loss};
        break;
      }
      addDockWidget(Qt::LeftDockWidgetArea, trainer_);
      splitDockWidget(trainer_, time, Qt::Horizontal);
      splitDockWidget(time, loss, Qt::Vertical);
      splitDockWidget(loss, gates, Qt::Vertical);
      splitDockWidget(gates, memory, Qt::Horizontal);
      splitDockWidget(trainer_, task_, Qt::Vertical);
      splitDockWidget(loss, next, Qt::Horizontal);
      tabifyDockWidget(trainer_, runs_);
      tabifyDockWidget(task_, model_);
      tabifyDockWidget(model_, prompt_);
      tabifyDockWidget(prompt_, text_);
      tabifyDockWidget(memory, inspector);
      tabifyDockWidget(inspector, health);
      break;
    case Room::generate:
      visible = {text_, prompt_, time, next, memory, inspector, model_};
      in_front = {prompt_};
      if (!roomy) {
        QList<QDockWidget*> right = {next, memory, inspector, gates, loss, health};
        if (tiny) right.append(time);
        two_columns(tiny ? nullptr : time, {text_, prompt_, model_, task_, trainer_, runs_}, right);
        in_front = {text_, next};
        break;
      }
      addDockWidget(Qt::LeftDockWidgetArea, text_);
      splitDockWidget(text_, time, Qt::Horizontal);
      splitDockWidget(time, next, Qt::Vertical);
      splitDockWidget(next, memory, Qt::Horizontal);
      splitDockWidget(memory, inspector, Qt::Vertical);
      splitDockWidget(text_, prompt_, Qt::Vertical);
      tabifyDockWidget(prompt_, model_);
      tabifyDockWidget(model_, task_);
      tabifyDockWidget(task_, trainer_);
      tabifyDockWidget(trainer_, runs_);
      tabifyDockWidget(memory, gates);
      tabifyDockWidget(inspector, loss);
      tabifyDockWidget(loss, health);
      break;
  }
  for (QDockWidget* dock : docks) dock->setVisible(visible.contains(dock));
  share_room(room);
  for (QDockWidget* dock : in_front) dock->raise();
  fit_tabs_soon();
  // Sizes and tabs hold once Qt has laid out what was shown just now.
  const int made = ++layouts_made_;
  QTimer::singleShot(0, this, [this, room, in_front, made] {
    if (stopped_ || made != layouts_made_ || alone_ || panels_hidden_) return;
    share_room(room);
    for (QDockWidget* dock : in_front) dock->raise();
  });
  default_docks_ = shown_docks();
  moved_ = false;
  arranging_ = were_arranging;
}

void MainWindow::fit_tabs_soon() {
  if (std::exchange(tabs_to_fit_, true)) return;
  QTimer::singleShot(0, this, [this] {
    tabs_to_fit_ = false;
    if (!stopped_) fit_tabs();
  });
}

void MainWindow::fit_tabs() {
  const QList<Dock*> docks = findChildren<Dock*>(QString(), Qt::FindDirectChildrenOnly);
  QList<Dock*> in_tabs;
  for (QTabBar* tabs : findChildren<QTabBar*>(QString(), Qt::FindDirectChildrenOnly)) {
    tabs->setElideMode(Qt::ElideNone);
    tabs->setUsesScrollButtons(true);
    if (!tabs->isVisible()) continue;
    const QFontMetrics metrics(tabs->font());
    QList<Dock*> here;
    int needed = 0;
    for (int i = 0; i < tabs->count(); ++i) {
      const QString text = tabs->tabText(i);
      for (Dock* dock : docks) {
        if (dock->isFloating() || dock->windowTitle() != text) continue;
        here.append(dock);
        needed += tabs->tabRect(i).width() - metrics.horizontalAdvance(text) +
                  metrics.horizontalAdvance(dock->title());
        tabs->setTabToolTip(i, dock->title());
      }
    }
    for (Dock* dock : here) dock->show_tab_word(needed > tabs->width());
    in_tabs += here;
  }
  for (Dock* dock : docks) {
    if (!in_tabs.contains(dock)) dock->show_tab_word(false);
  }
}

int MainWindow::form_width(const QList<Dock*>& forms, int percent) const {
  constexpr int kMostPercent = 40;
  int needed = 0;
  for (const Dock* dock : forms) {
    const auto* scroll = dock->findChild<QScrollArea*>();
    if (!scroll || !scroll->widget()) continue;
    // With room for the bar that scrolls down, and for numbers that grow.
    const int bar = scroll->verticalScrollBar()->sizeHint().width();
    needed = std::max(
        needed, scroll->widget()->minimumSizeHint().width() + bar + scaled(stage_.look(), 24));
  }
  return std::clamp(needed, width() * percent / 100, width() * kMostPercent / 100);
}

/// The sizes of the docks of a default layout.
void MainWindow::share_room(Room room) {
  ViewDock *time = view("time"), *gates = view("gates"), *memory = view("memory"),
           *loss = view("loss"), *next = view("next"), *inspector = view("inspector");
  const auto sizes = [this](const QList<QDockWidget*>& list, const QList<int>& shares,
                            Qt::Orientation direction) { resizeDocks(list, shares, direction); };
  // Bars above and below the docks take their part first.
  const int w = width();
  const int h = height() - menuBar()->height() - statusBar()->height() - tool_bar_->height();
  if (shown_fit_ != Fit::roomy) {
    const int bar = std::min(scaled(stage_.look(), kTimeHeight), h * 38 / 100);
    QDockWidget* left = room == Room::explore ? static_cast<QDockWidget*>(gates)
                        : room == Room::train ? trainer_
                                              : text_;
    QDockWidget* right = room == Room::explore ? memory : room == Room::train ? loss : next;
    if (shown_fit_ == Fit::compact) sizes({time, left}, {bar, std::max(1, h - bar)}, Qt::Vertical);
    // Pictures on the right, forms on the left, but for the first room. Forms are not narrower than
    // their longest row.
    const int narrow = w * 46 / 100;
    sizes({left, right}, {narrow, w - narrow}, Qt::Horizontal);
    return;
  }
  const int bar = scaled(stage_.look(), kTimeHeight);
  const int rest = std::max(1, h - bar);
  int forms = 0;
  switch (room) {
    case Room::explore:
      sizes({time, gates}, {bar, rest}, Qt::Vertical);
      forms = form_width({prompt_, model_}, 24);
      sizes({gates, memory, next}, {(w - forms) * 55 / 100, (w - forms) * 45 / 100, forms},
            Qt::Horizontal);
      sizes({memory, inspector}, {rest * 53 / 100, rest * 47 / 100}, Qt::Vertical);
      sizes({next, prompt_}, {rest * 53 / 100, rest * 47 / 100}, Qt::Vertical);
      break;
    case Room::train:
      // The step and the loss of a run stand beside its name, where that leaves enough for
      // pictures.
      forms = std::max(
          form_width({trainer_, task_, model_}, 26),
          std::min(runs_panel_->sizeHint().width() + scaled(stage_.look(), 38), w * 30 / 100));
      sizes({trainer_, time}, {forms, w - forms}, Qt::Horizontal);
      sizes({time, loss, gates}, {bar, rest * 45 / 100, rest * 55 / 100}, Qt::Vertical);
      sizes({gates, memory}, {w * 40 / 100, w * 34 / 100}, Qt::Horizontal);
      sizes({loss, next}, {w * 50 / 100, w * 24 / 100}, Qt::Horizontal);
      sizes({trainer_, task_}, {h * 52 / 100, h * 48 / 100}, Qt::Vertical);
      break;
    case Room::generate:
      forms = form_width({text_, prompt_, model_}, 27);
      sizes({text_, time}, {forms, w - forms}, Qt::Horizontal);
      sizes({time, next}, {bar, rest}, Qt::Vertical);
      sizes({next, memory}, {w * 33 / 100, w * 40 / 100}, Qt::Horizontal);
      sizes({memory, inspector}, {rest * 53 / 100, rest * 47 / 100}, Qt::Vertical);
      sizes({text_, prompt_}, {h * 48 / 100, h * 52 / 100}, Qt::Vertical);
      break;
  }
}

void MainWindow::fit_time_bar() {
  if (!alone_) resizeDocks({view("time")}, {scaled(stage_.look(), kTimeHeight)}, Qt::Vertical);
}

void MainWindow::follow_scale(float before, const Arrangement& left) {
  const auto percent = [](float scale) { return static_cast<int>(std::lround(scale * 100.0f)); };
  fit_tool_bar();
  // What is maximised or without panels is looked at again when it is restored.
  if (alone_ || panels_hidden_) return;
  at_scale_[percent(before)] = left;
  layout()->activate();
  const Arrangement kept = at_scale_.value(percent(stage_.look().scale));
  if (!kept.state.isEmpty() && kept.docks == left.docks) {
    // Once more when the smaller text has made all docks smaller.
    const Layout back{kept.state, stage_.look().scale, fit(), arranged_by_hand(), of_file_};
    show_layout(back);
    const int made = ++layouts_made_;
    QTimer::singleShot(0, this, [this, back, made] {
      if (stopped_ || made != layouts_made_ || alone_ || panels_hidden_) return;
      layout()->activate();
      show_layout(back);
    });
  } else if (!arranged_by_hand()) {
    default_layout(room_);
  } else {
    fit_time_bar();
  }
}

void MainWindow::maximise(QDockWidget* dock) {
  if (alone_) {
    restore_others();
    return;
  }
  if (!dock || dock->isFloating()) return;
  before_maximise_ = present_layout();
  arranging_ = true;
  alone_ = dock;
  for (QDockWidget* other : findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly)) {
    if (other != dock && !other->isFloating()) other->hide();
  }
  dock->show();
  dock->raise();
  arranging_ = false;
  if (auto* view = qobject_cast<ViewDock*>(dock)) view->canvas().setFocus();
}

void MainWindow::restore_others() {
  if (!alone_) return;
  alone_ = nullptr;
  show_layout(before_maximise_);
}

void MainWindow::hide_panels(bool hidden) {
  if (hidden == panels_hidden_) return;
  restore_others();
  panels_hidden_ = hidden;
  panels_->setChecked(hidden);
  if (!hidden) {
    show_layout(before_hiding_);
    return;
  }
  before_hiding_ = present_layout();
  arranging_ = true;
  for (QDockWidget* dock : panels()) dock->hide();
  arranging_ = false;
}

Screen MainWindow::shown() const {
  Screen shown;
  shown.room = kRoomNames[static_cast<int>(room_)];
  // What is maximised while panels are hidden came after they were.
  const Layout arranged = panels_hidden_ ? before_hiding_
                          : alone_       ? before_maximise_
                                         : present_layout();
  shown.layout = arranged.state;
  shown.layout_version = layout_version();
  shown.scale = arranged.scale;
  shown.fit = static_cast<int>(arranged.fit);
  shown.by_hand = arranged.by_hand;
  shown.panels_hidden = panels_hidden_;
  shown.block = stage_.focus().block;
  shown.head = stage_.focus().head;
  shown.pinned = stage_.focus().pinned;
  for (const ViewDock* dock : views_)
    if (const QString kept = dock->kept(); !kept.isEmpty())
      shown.views.insert(dock->view_name(), kept);
  return shown;
}

void MainWindow::tell_screen() {
  if (!stage_.snapshot().model) return;
  std::string text = to_text(shown());
  if (text == told_screen_) return;
  told_screen_ = text;
  stage_.send(command::SetScreen{std::move(text)});
}

void MainWindow::show_screen() {
  told_screen_.clear();
  const std::shared_ptr<const std::string> text = stage_.snapshot().screen;
  if (!text) return;
  const std::optional<Screen> saved = screen_from(*text);
  const auto* const name =
      saved ? std::find(std::begin(kRoomNames), std::end(kRoomNames), saved->room)
            : std::end(kRoomNames);
  if (name == std::end(kRoomNames)) {
    banner_->tell(tr("How the window looked when this run was saved cannot be read and is left "
                     "out. Everything else is there."),
                  About::opening);
    return;
  }
  if (!stage_.snapshot().only_selected)
    show_saved_layout(static_cast<Room>(name - std::begin(kRoomNames)), *saved);
  stage_.set_block(saved->block);
  stage_.set_head(saved->head);
  ui::Focus focus = stage_.focus();
  focus.pinned = saved->pinned;
  stage_.set_focus(focus);
  for (ViewDock* dock : views_)
    if (saved->views.contains(dock->view_name()))
      dock->restore(saved->views.value(dock->view_name()));
}

void MainWindow::show_saved_layout(Room room, const Screen& saved) {
  set_room(room);
  if (saved.layout_version != layout_version() && saved.layout_version != older_layout_version())
    return;
  restore_others();
  hide_panels(false);
  Layout& layout = layouts_[static_cast<int>(room)];
  if (shown_) layout = present_layout();
  if (!layout.of_file) own_layouts_[static_cast<int>(room)] = layout;
  layout = {saved.layout, saved.scale, static_cast<Fit>(std::clamp(saved.fit, 0, 2)), saved.by_hand,
            true};
  if (shown_) show_room();
  hide_panels(saved.panels_hidden);
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
    const QString name = kRoomNames[room];
    layouts_[room] = {kept.value("layout/" + name).toByteArray(),
                      kept.value("layout_scale/" + name, stage_.look().scale).toFloat(),
                      static_cast<Fit>(std::clamp(kept.value("layout_fit/" + name).toInt(), 0, 2)),
                      kept.value("layout_by_hand/" + name, true).toBool()};
  }
  set_last_folder(kept.value("folder").toString());
  const QByteArray place = kept.value("geometry").toByteArray();
  if (place.isEmpty() || !restoreGeometry(place)) {
    const QSize room = screen()->availableSize();
    resize(QSize(1360, 860).boundedTo(room * 0.94));
  }
}

void MainWindow::save_settings() {
  restore_others();
  hide_panels(false);
  layouts_[static_cast<int>(room_)] = present_layout();
  QSettings kept = settings();
  kept.setValue("palette", palette_text(stage_.look().palette));
  kept.setValue("scale", stage_.look().scale);
  kept.setValue("geometry", saveGeometry());
  kept.setValue("folder", last_folder());
  for (int room = 0; room < 3; ++room) {
    const Layout shown = layouts_.value(room);
    // How a run was saved is the run's, unless somebody went on from there.
    const Layout layout = shown.of_file ? own_layouts_.value(room) : shown;
    const QString name = kRoomNames[room];
    kept.setValue("layout/" + name, layout.state);
    kept.setValue("layout_scale/" + name, layout.scale);
    kept.setValue("layout_fit/" + name, static_cast<int>(layout.fit));
    kept.setValue("layout_by_hand/" + name, layout.by_hand);
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
