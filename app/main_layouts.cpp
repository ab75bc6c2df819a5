// How docks stand: the layouts of the rooms, those that somebody arranged, the maximised dock.
#include <QActionGroup>
#include <QApplication>
#include <QMenuBar>
#include <QScrollArea>
#include <QScrollBar>
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
#include "app/main_window.hpp"

namespace xlab::app {
namespace {

/// The time bar with all its rows, in pixels at 100 %.
constexpr int kTimeHeight = 158;

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
  fit_status_bar();
  if (!shown_ || alone_ || panels_hidden_) return;
  if (fit() == shown_fit_) {
    share_room_soon();
    return;
  }
  // After Qt has laid out for the new size; several sizes in a row make one layout.
  QTimer::singleShot(0, this, [this] {
    if (stopped_ || alone_ || panels_hidden_ || fit() == shown_fit_ || arranged_by_hand()) return;
    at_scale_.clear();
    if (!dragged_.state.isEmpty()) at_fit_[static_cast<int>(shown_fit_)] = dragged_;
    dragged_ = at_fit_.value(static_cast<int>(fit()));
    if (dragged_.state.isEmpty()) {
      default_layout();
    } else {
      show_layout(dragged_);
    }
  });
}

/// Where nobody chose sizes, forms stay as wide as their rows need.
void MainWindow::share_room_soon() {
  if (std::exchange(room_to_share_, true)) return;
  QTimer::singleShot(0, this, [this] {
    room_to_share_ = false;
    if (!stopped_ && !alone_ && !panels_hidden_ && own_sizes_ && !arranged_by_hand()) share_room();
  });
}

void MainWindow::follow_separator(bool pressed) {
  QList<QSize> sizes;
  for (const QDockWidget* dock : shown_docks()) sizes.append(dock->size());
  if (pressed) {
    sizes_before_ = sizes;
  } else if (sizes != sizes_before_ && !alone_ && !panels_hidden_) {
    of_file_ = own_sizes_ = false;
    before_closed_.clear();
    if (!arranged_by_hand()) dragged_ = present_layout();
  }
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
    default_layout();
  } else {
    ++layouts_made_;  // what an earlier one has still to do is not done to this one
    moved_ = layout.by_hand;
    own_sizes_ = false;  // somebody may have chosen them
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
  layouts_.remove(layout_key());
  of_file_ = false;
  at_scale_.clear();
  at_fit_.clear();
  dragged_ = {};
  default_layout();
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

void MainWindow::place(const RoomLayout& layout) {
  for (const DockPlace& one : layout.places) {
    QDockWidget *const placed = dock(one.dock), *const beside = dock(one.beside);
    switch (one.how) {
      case DockPlace::How::first:
        addDockWidget(Qt::LeftDockWidgetArea, placed);
        break;
      case DockPlace::How::right_of:
        splitDockWidget(beside, placed, Qt::Horizontal);
        break;
      case DockPlace::How::below:
        splitDockWidget(beside, placed, Qt::Vertical);
        break;
      case DockPlace::How::behind:
        tabifyDockWidget(beside, placed);
        break;
    }
  }
}

void MainWindow::place_in_columns(const RoomLayout& layout) {
  std::vector<QString> left = layout.left, right = layout.right;
  QDockWidget* const time = view("time");
  QDockWidget* const first = dock(left.front());
  if (shown_fit_ == Fit::tiny) {
    (layout.time_bar_left ? left : right).emplace_back("time");
    addDockWidget(Qt::LeftDockWidgetArea, first);
  } else {
    addDockWidget(Qt::LeftDockWidgetArea, time);
    splitDockWidget(time, first, Qt::Vertical);
  }
  splitDockWidget(first, dock(right.front()), Qt::Horizontal);
  for (const std::vector<QString>& column : {left, right}) {
    for (std::size_t i = 1; i < column.size(); ++i)
      tabifyDockWidget(dock(column[i - 1]), dock(column[i]));
  }
}

void MainWindow::default_layout() {
  const bool were_arranging = std::exchange(arranging_, true);
  before_closed_.clear();
  const QList<QDockWidget*> docks = findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly);
  for (QDockWidget* dock : docks) {
    dock->setFloating(false);
    removeDockWidget(dock);
  }
  // All docks are placed, so that one shown later appears where it belongs.
  shown_fit_ = fit();
  const RoomLayout& layout = layout_of(room_, perspective_);
  const bool roomy = shown_fit_ == Fit::roomy;
  roomy ? place(layout) : place_in_columns(layout);
  for (ViewDock* dock : views_) {
    if (dockWidgetArea(dock) == Qt::NoDockWidgetArea)
      tabifyDockWidget(view(dock->neighbour()), dock);
  }
  QList<QDockWidget*> visible, in_front;
  for (const QString& name : layout.shown) visible.append(dock(name));
  for (const QString& name : roomy ? layout.in_front : layout.columns_in_front)
    in_front.append(dock(name));
  for (QDockWidget* dock : docks) dock->setVisible(visible.contains(dock));
  share_room();
  for (QDockWidget* dock : in_front) dock->raise();
  fit_tabs_soon();
  // Sizes and tabs hold once Qt has laid out what was shown just now.
  const int made = ++layouts_made_;
  QTimer::singleShot(0, this, [this, in_front, made] {
    if (stopped_ || made != layouts_made_ || alone_ || panels_hidden_) return;
    share_room();
    for (QDockWidget* dock : in_front) dock->raise();
  });
  default_docks_ = shown_docks();
  moved_ = false;
  own_sizes_ = true;
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

int MainWindow::form_width(const RoomLayout& layout) const {
  constexpr int kMostPercent = 40;
  int needed = 0;
  for (const QString& name : layout.forms) {
    const auto* scroll = dock(name)->findChild<QScrollArea*>();
    if (!scroll || !scroll->widget()) continue;
    // With room for the bar that scrolls down, and for numbers that grow.
    const int bar = scroll->verticalScrollBar()->sizeHint().width();
    needed = std::max(
        needed, scroll->widget()->minimumSizeHint().width() + bar + scaled(stage_.look(), 24));
  }
  needed = std::clamp(needed, width() * layout.forms_percent / 100, width() * kMostPercent / 100);
  if (layout.wide_form.isEmpty()) return needed;
  const auto* scroll = dock(layout.wide_form)->findChild<QScrollArea*>();
  const int wished = scroll->widget()->sizeHint().width() + scaled(stage_.look(), 38);
  return std::max(needed, std::min(wished, width() * layout.wide_form_percent / 100));
}

/// The sizes of the docks of a default layout.
void MainWindow::share_room() {
  const RoomLayout& layout = layout_of(room_, perspective_);
  // Bars above and below the docks take their part first.
  const int w = width();
  const int h = height() - menuBar()->height() - statusBar()->height() - tool_bar_->height();
  int bar = scaled(stage_.look(), kTimeHeight);
  if (shown_fit_ != Fit::roomy) {
    bar = std::min(bar, h * 38 / 100);
    QDockWidget *const left = dock(layout.left.front()), *const right = dock(layout.right.front());
    if (shown_fit_ == Fit::compact)
      resizeDocks({view("time"), left}, {bar, std::max(1, h - bar)}, Qt::Vertical);
    // Pictures on the right, forms on the left, but for the first room. Forms are not narrower than
    // their longest row.
    const int narrow = w * 46 / 100;
    resizeDocks({left, right}, {narrow, w - narrow}, Qt::Horizontal);
    return;
  }
  const int rest = std::max(1, h - bar), forms = form_width(layout);
  const auto measured = [&](const DockSize& size) {
    switch (size.measure) {
      case Measure::time_bar:
        return bar;
      case Measure::forms:
        return forms;
      case Measure::of_height:
        return h * size.percent / 100;
      case Measure::beside_forms:
        return (w - forms) * size.percent / 100;
      case Measure::below_time_bar:
        break;
    }
    return rest * size.percent / 100;
  };
  for (const DockRow& row : layout.rows) {
    QList<QDockWidget*> docks;
    QList<int> sizes;
    for (const DockSize& size : row.sizes) {
      docks.append(dock(size.dock));
      sizes.append(measured(size));
    }
    resizeDocks(docks, sizes, row.direction);
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
    default_layout();
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
