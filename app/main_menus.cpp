// Menus, the tool bar and what they do.
#include <QActionGroup>
#include <QApplication>
#include <QDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QToolBar>
#include <QToolButton>
#include <QTreeWidget>
#include <algorithm>
#include <cmath>

#include "app/banner.hpp"
#include "app/file_dialogs.hpp"
#include "app/files.hpp"
#include "app/first_run.hpp"
#include "app/glossary_dialog.hpp"
#include "app/main_window.hpp"
#include "app/panel_runs.hpp"
#include "app/recovery.hpp"
#include "app/run_look.hpp"
#include "app/save_dialog.hpp"
#include "app/unsaved_work.hpp"
#include "app/value_actions.hpp"
#include "core/explorer.hpp"
#include "core/files/openable.hpp"
#include "core/tasks/task.hpp"
#include "kernels/config.hpp"

namespace xlab::app {
namespace {

QString without_mnemonic(QString text) {
  return text.remove('&');
}

}  // namespace

QAction* MainWindow::add_action(QMenu* menu, const QString& text, const QKeySequence& key) {
  QAction* action = menu->addAction(text);
  action->setShortcut(key);
  action->setToolTip(
      key.isEmpty()
          ? without_mnemonic(text)
          : QString("%1 (%2)").arg(without_mnemonic(text), key.toString(QKeySequence::NativeText)));
  return action;
}

void MainWindow::make_menus() {
  make_file_menu();
  make_edit_menu();
  make_run_menu();
  make_time_menu();
  make_view_menu();
  make_window_menu();
  make_help_menu();
  for (QAction* action : {save_, save_as_, save_all_, train_, one_step_, sample_})
    action->setProperty(kWhatItDoes, action->toolTip());
}

void MainWindow::make_file_menu() {
  QMenu* file = menuBar()->addMenu(tr("&File"));
  QMenu* fresh = file->addMenu(tr("&New"));
  for (const std::string& task : task_names())
    add(fresh, QString::fromStdString(make_task(task)->title()), {},
        [this, task] { start_task(QString::fromStdString(task)); });
  fresh->addSeparator();
  add(fresh, tr("&Gate explorer"), {}, [this] {
    start_task(explorer::kTask);
  })->setStatusTip(tr("One unit or head of each cell, every gate of it drawn by hand"));
  add(file, tr("Open &text…"), {}, [this] { open_dialog(false); });
  add(file, tr("&Open run…"), QKeySequence::Open, [this] { open_dialog(true); });
  add(file, tr("Open &model folder…"), {}, [this] { open_folder_dialog(); });
  make_beside_menu(file);
  QMenu* kept = file->addMenu(tr("&Reopen"));
  kept->menuAction()->setStatusTip(tr("What was not saved when its session ended"));
  const auto follow_kept = [this, kept] { kept->menuAction()->setEnabled(recovery_->anything()); };
  connect(file, &QMenu::aboutToShow, this, [this, follow_kept] {
    follow_kept();
    recovery_->list();
  });
  connect(recovery_, &Recovery::listed, this, follow_kept);
  connect(kept, &QMenu::aboutToShow, this, [this, kept] { recovery_->fill(kept, false); });
  file->addSeparator();
  save_ = add(file, tr("&Save"), QKeySequence::Save, [this] { work_->save(false); });
  save_as_ = add(file, tr("Save &as…"), QKeySequence::SaveAs, [this] { work_->save(true); });
  save_all_ = add(file, tr("Save a&ll runs as…"), {}, [this] { save_all_dialog(); });
  save_all_->setToolTip(tr("One file that holds all runs, with which Save goes on then"));
  file->addSeparator();
  add(file, tr("&Export picture…"), QKeySequence("E"), [this] { export_active(Exported::pixels); });
  add(file, tr("Export S&VG…"), QKeySequence("Ctrl+E"), [this] { export_active(Exported::lines); });
  add(file, tr("Export &CSV…"), QKeySequence("Shift+E"),
      [this] { export_active(Exported::numbers); });
  add(file, tr("Export recordin&g…"), {}, [this] {
    export_recording_dialog();
  })->setStatusTip(tr("Every value of every token on screen, clamps included, as safetensors"));
  add(file, tr("Export mo&del folder…"), {}, [this] {
    export_folder_dialog();
  })->setStatusTip(tr("For the authors' programs and Hugging Face"));
  file->addSeparator();
  start_ = add(file, tr("&Back to start"), QKeySequence("Ctrl+Home"), [this] { back_to_start(); });
  start_->setToolTip(tr("Opens the first scene again, untouched, and plays it (Ctrl+Home)"));
  file->addSeparator();
  add(file, tr("&Quit"), QKeySequence("Ctrl+Q"), [this] { close(); });
}

/// Everything that can be opened, but for the first scene: the runs of now stay.
void MainWindow::make_beside_menu(QMenu* file) {
  QMenu* beside = file->addMenu(tr("Open &beside"));
  beside->menuAction()->setStatusTip(
      tr("Another run; the one on screen stays, and goes on if it trains"));
  for (const std::string& task : task_names())
    add(beside, QString::fromStdString(make_task(task)->title()), {},
        [this, task] { start_task(QString::fromStdString(task), true); });
  add(beside, tr("&Gate explorer"), {}, [this] { start_task(explorer::kTask, true); });
  beside->addSeparator();
  add(beside, tr("&Text…"), {}, [this] { open_dialog(false, true); });
  add(beside, tr("&Run…"), QKeySequence("Ctrl+Shift+O"), [this] { open_dialog(true, true); });
  add(beside, tr("&Model folder…"), {}, [this] { open_folder_dialog(true); });
  QMenu* kept = beside->addMenu(tr("R&eopen"));
  connect(beside, &QMenu::aboutToShow, this,
          [this, kept] { kept->menuAction()->setEnabled(recovery_->anything()); });
  connect(kept, &QMenu::aboutToShow, this, [this, kept] { recovery_->fill(kept, true); });
}

void MainWindow::name_saving() {
  const Snapshot& now = stage_.snapshot();
  const bool several = now.runs.size() > 1;
  save_->setText(now.file_holds_bench ? tr("&Save all runs") : tr("&Save"));
  save_as_->setText(several || now.file_holds_bench ? tr("Save this run &as…") : tr("Save &as…"));
  save_all_->setEnabled(now.model && (several || now.file_holds_bench) &&
                        now.cannot_save_bench.empty());
}

void MainWindow::make_run_menu() {
  QMenu* run = menuBar()->addMenu(tr("&Run"));
  train_ = add(run, tr("Start training"), QKeySequence("T"), [this] { toggle_training(); });
  train_->setCheckable(true);
  one_step_ = add(run, tr("&One step"), QKeySequence("Shift+T"),
                  [this] { stage_.send(command::TrainOneStep{}); });
  run->addSeparator();
  add(run, tr("&Restart run"), QKeySequence("Shift+R"), [this] {
    replace_run(tr("Start this run again, untrained?"), {},
                [this] { stage_.send(command::RestartRun{}); });
  })->setStatusTip(tr("The same seed, untrained"));
  add(run, tr("&New seed"), QKeySequence("Ctrl+R"), [this] {
    replace_run(tr("Start with another seed, untrained?"), {},
                [this] { stage_.send(command::NewSeed{}); });
  })->setStatusTip(tr("Another seed, untrained"));
  sample_ =
      add(run, tr("New &sample"), QKeySequence("N"), [this] { stage_.send(command::NewSample{}); });
  sample_->setStatusTip(tr("Another example of the task under the time cursor"));
  run->addSeparator();
  add(run, tr("&Duplicate run"), QKeySequence("Ctrl+D"), [this] {
    stage_.send(command::DuplicateRun{.run = stage_.snapshot().focused_run});
  })->setStatusTip(tr("The same weights, data and edits beside this run"));
  add(run, tr("Duplicate run with another see&d"), QKeySequence("Ctrl+Shift+D"),
      [this] {
        stage_.send(
            command::DuplicateRun{.run = stage_.snapshot().focused_run, .other_seed = true});
      })
      ->setStatusTip(
          tr("The same run before its first step, with a seed that no run has, beside this one"));
  add(run, tr("Rena&me run"), {}, [this] {
    show_again(runs_);
    runs_panel_->rename(stage_.snapshot().focused_run);
  });
  remove_run_ = add(run, tr("Remo&ve run"), {}, [this] {
    tell_screen();
    stage_.send(command::RemoveRun{stage_.snapshot().focused_run});
  });
  remove_run_->setStatusTip(tr("Takes the run on screen away; Undo brings it back"));
  run->addSeparator();
  train_all_ = add(run, tr("Train &all runs"), QKeySequence("Ctrl+Shift+T"),
                   [this] { stage_.send(command::TrainAll{!all_train(stage_.snapshot())}); });
  next_run_ = add(run, tr("Ne&xt run"), QKeySequence("Ctrl+PgDown"), [this] { move_run(1); });
  previous_run_ =
      add(run, tr("&Previous run"), QKeySequence("Ctrl+PgUp"), [this] { move_run(-1); });
}

void MainWindow::make_time_menu() {
  QMenu* time = menuBar()->addMenu(tr("&Time"));
  QAction* rewind =
      add(time, tr("Re&wind"), QKeySequence("R"), [this] { stage_.send(command::Rewind{}); });
  QAction* back = add(time, tr("Step &back"), QKeySequence("Left"),
                      [this] { stage_.send(command::StepBack{}); });
  play_ = add(time, tr("Play"), QKeySequence("Space"), [this] { toggle_playing(); });
  play_->setCheckable(true);
  QAction* step = add(time, tr("&Step"), QKeySequence("Right"),
                      [this] { stage_.send(command::StepForward{}); });
  icons_ = {{rewind, Shape::rewind},
            {back, Shape::back},
            {step, Shape::forward},
            {undo_, Shape::undo},
            {redo_, Shape::redo}};
  add(time, tr("Ten back"), QKeySequence("Shift+Left"), [this] { move_cursor(-10); });
  add(time, tr("Ten on"), QKeySequence("Shift+Right"), [this] { move_cursor(10); });
  add(time, tr("First token"), QKeySequence("Home"), [this] { move_cursor(-(1 << 30)); });
  add(time, tr("Last token"), QKeySequence("End"), [this] { move_cursor(1 << 30); });
  time->addSeparator();
  add(time, tr("Slower"), QKeySequence(","), [this] { change_speed(0.5); });
  add(time, tr("Faster"), QKeySequence("."), [this] { change_speed(2.0); });
}

void MainWindow::make_view_menu() {
  QMenu* see = menuBar()->addMenu(tr("&View"));
  make_perspectives_menu(see);
  const auto add_dock = [this, see](Dock* dock, const QKeySequence& key) {
    QAction* action = add(see, dock->windowTitle(), key, [this, dock] {
      // A dock behind a tab comes to the front before it is closed.
      if (dock->isVisible() && !dock->visibleRegion().isEmpty()) {
        dock->close();
      } else if (dock->isHidden()) {
        show_again(dock);
      } else {
        dock->raise();
      }
    });
    action->setCheckable(true);
    connect(dock->toggleViewAction(), &QAction::toggled, action, &QAction::setChecked);
    connect(dock, &QDockWidget::visibilityChanged, action,
            [dock, action] { action->setChecked(!dock->isHidden()); });
  };
  for (int i = 0; i < views_.size(); ++i)
    add_dock(views_[i], i < 9 ? QKeySequence(QString::number(i + 1)) : QKeySequence());
  see->addSeparator();
  for (Dock* dock : panels()) add_dock(dock, {});
  see->addSeparator();
  add(see, tr("Show as table"), QKeySequence("Ctrl+T"), [this] {
    if (auto* dock = qobject_cast<ViewDock*>(active_dock())) dock->show_table(!dock->shows_table());
  });
  add(see, tr("Maximise view"), QKeySequence("F"), [this] { maximise(active_dock()); });
  panels_ =
      add(see, tr("Hide panels"), QKeySequence("F9"), [this](bool hidden) { hide_panels(hidden); });
  panels_->setCheckable(true);
  see->addSeparator();
  add(see, tr("Previous head"), QKeySequence("["),
      [this] { stage_.set_head(stage_.focus().head - 1); });
  add(see, tr("Next head"), QKeySequence("]"),
      [this] { stage_.set_head(stage_.focus().head + 1); });
  add(see, tr("Block above"), QKeySequence("Up"),
      [this] { stage_.set_block(stage_.focus().block - 1); });
  add(see, tr("Block below"), QKeySequence("Down"),
      [this] { stage_.set_block(stage_.focus().block + 1); });
}

void MainWindow::make_window_menu() {
  QMenu* window = menuBar()->addMenu(tr("&Window"));
  rooms_ = new QActionGroup(this);
  const QPair<QString, QString> rooms[] = {
      {tr("Explore"), "F2"}, {tr("Train"), "F3"}, {tr("Generate"), "F4"}};
  for (int i = 0; i < 3; ++i) {
    QAction* action = add(window, rooms[i].first, QKeySequence(rooms[i].second),
                          [this, i] { set_room(static_cast<Room>(i)); });
    action->setCheckable(true);
    rooms_->addAction(action);
  }
  rooms_->actions().first()->setChecked(true);
  window->addSeparator();
  QMenu* palettes = window->addMenu(tr("&Palette"));
  auto* palette_group = new QActionGroup(this);
  const QPair<QString, ui::PaletteName> names[] = {{tr("Light"), ui::PaletteName::light},
                                                   {tr("Dark"), ui::PaletteName::dark},
                                                   {tr("Projector"), ui::PaletteName::projector}};
  for (const auto& [text, name] : names) {
    QAction* action = add(palettes, text, {}, [this, name = name] {
      CanvasLook look = stage_.look();
      look.palette = name;
      set_look(look);
    });
    action->setCheckable(true);
    palette_group->addAction(action);
    connect(palettes, &QMenu::aboutToShow, action,
            [this, action, name = name] { action->setChecked(stage_.look().palette == name); });
  }
  QMenu* scales = window->addMenu(tr("&Size of text"));
  auto* scale_group = new QActionGroup(this);
  for (const int percent : {100, 125, 150, 175, 200, 250}) {
    QAction* action = add(scales, tr("%1 %").arg(percent), {}, [this, percent] {
      CanvasLook look = stage_.look();
      look.scale = static_cast<float>(percent) / 100.0f;
      set_look(look);
    });
    action->setCheckable(true);
    scale_group->addAction(action);
    connect(scales, &QMenu::aboutToShow, action, [this, action, percent] {
      action->setChecked(std::lround(stage_.look().scale * 100.0f) == percent);
    });
  }
  const auto zoom = [this](float factor) {
    CanvasLook look = stage_.look();
    look.scale = std::round(look.scale * 4.0f + factor) / 4.0f;
    set_look(look);
  };
  add(window, tr("Larger text"), QKeySequence("Ctrl++"), [zoom] { zoom(1.0f); });
  add(window, tr("Smaller text"), QKeySequence("Ctrl+-"), [zoom] { zoom(-1.0f); });
  window->addSeparator();
  add(window, tr("&Reset layout"), {}, [this] { reset_layout(); });
}

void MainWindow::make_help_menu() {
  QMenu* help = menuBar()->addMenu(tr("&Help"));
  add(help, tr("&Keys"), QKeySequence("?"), [this] { show_keys(); });
  add(help, tr("&Glossary"), {}, [this] { show_glossary(); });
  add(help, tr("&About xLSTM Lab"), {}, [this] { show_about(); });
}

void MainWindow::make_tool_bar() {
  QToolBar* bar = addToolBar(tr("Rooms and time"));
  bar->setObjectName("tool_bar");
  bar->setMovable(false);
  tool_bar_ = bar;
  // Buttons of our own, so that one can leave the bar without its action leaving the menu.
  const auto add_button = [this, bar](const QString& place, QAction* action, bool text) {
    auto* button = new QToolButton;
    button->setDefaultAction(action);
    button->setToolButtonStyle(text ? Qt::ToolButtonTextBesideIcon : Qt::ToolButtonIconOnly);
    button->setFocusPolicy(Qt::TabFocus);
    const auto follow = [button, action] {
      button->setAccessibleName(without_mnemonic(action->text()));
    };
    connect(action, &QAction::changed, button, follow);
    follow();
    bar_[place].append(bar->addWidget(button));
  };
  for (QAction* action : rooms_->actions()) add_button("rooms", action, true);
  room_menu_ = new QToolButton;
  room_menu_->setPopupMode(QToolButton::InstantPopup);
  room_menu_->setToolButtonStyle(Qt::ToolButtonTextOnly);
  room_menu_->setFocusPolicy(Qt::TabFocus);
  room_menu_->setObjectName("room_menu");
  room_menu_->setAccessibleName(tr("Room"));
  room_menu_->setToolTip(tr("The room that is open; press to go to another"));
  auto* rooms = new QMenu(room_menu_);
  rooms->addActions(rooms_->actions());
  room_menu_->setMenu(rooms);
  bar_["room menu"].append(bar->addWidget(room_menu_));
  bar_["transport"].append(bar->addSeparator());
  add_button("transport", icons_[0].first, false);
  add_button("transport", icons_[1].first, false);
  add_button("play", play_, false);
  add_button("play", icons_[2].first, false);
  speed_ = new QLabel;
  speed_->setObjectName("caption");
  speed_->setToolTip(tr("Speed of playing; slower with , and faster with ."));
  bar_["speed"].append(bar->addWidget(speed_));
  bar_["speed"].append(bar->addSeparator());
  add_button("train", train_, true);
  auto* gap = new QWidget;
  gap->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  bar_["gap"].append(bar->addWidget(gap));
  add_button("undo", undo_, false);
  add_button("undo", redo_, false);
  add_button("start", start_, true);
}

void MainWindow::fit_tool_bar() {
  if (!tool_bar_) return;
  for (int i = 0; i < 3; ++i) {
    if (rooms_->actions()[i]->isChecked()) room_menu_->setText(rooms_->actions()[i]->text() + " ▾");
  }
  const auto width_of = [this](const QString& place) {
    int width = 0;
    for (QAction* action : bar_.value(place)) {
      QWidget* widget = tool_bar_->widgetForAction(action);
      if (!widget) continue;
      widget->ensurePolished();
      width += widget->sizeHint().width() + 4;
    }
    return width;
  };
  // By rank, each where there is still room for it. Without their room the rooms are one button.
  QStringList stay = {"room menu", "play", "train", "gap"};
  int used = scaled(stage_.look(), 20);
  for (const QString& place : stay) used += width_of(place);
  for (const QString place : {"transport", "rooms", "undo", "speed", "start"}) {
    const bool rooms = place == "rooms";
    const int more = width_of(place) - (rooms ? width_of("room menu") : 0);
    if (used + more > width()) continue;
    used += more;
    stay.append(place);
    if (rooms) stay.removeOne("room menu");
  }
  for (auto place = bar_.cbegin(); place != bar_.cend(); ++place) {
    for (QAction* action : place.value()) {
      const bool stays = stay.contains(place.key());
      if (action->isVisible() != stays) action->setVisible(stays);
      // Qt enables what it shows again.
      auto* button = qobject_cast<QToolButton*>(tool_bar_->widgetForAction(action));
      if (button && button->defaultAction())
        button->setEnabled(button->defaultAction()->isEnabled());
    }
  }
}

void MainWindow::show_keys() {
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Keys"));
  auto* column = new QVBoxLayout(dialog);
  auto* list = new QTreeWidget;
  list->setAccessibleName(tr("Keys and what they do"));
  list->setHeaderLabels({tr("Action"), tr("Key")});
  list->setRootIsDecorated(false);
  const auto add_row = [](QTreeWidgetItem* parent, const QString& text, const QString& key) {
    auto* item = new QTreeWidgetItem(parent, {text, key});
    return item;
  };
  const std::function<void(QMenu*, QTreeWidgetItem*)> walk = [&](QMenu* menu,
                                                                 QTreeWidgetItem* parent) {
    for (QAction* action : menu->actions()) {
      if (action->menu()) {
        walk(action->menu(), parent);
      } else if (!action->shortcut().isEmpty()) {
        add_row(parent, without_mnemonic(action->text()),
                action->shortcut().toString(QKeySequence::NativeText));
      }
    }
  };
  for (QAction* action : menuBar()->actions()) {
    auto* group = new QTreeWidgetItem(list, {without_mnemonic(action->text())});
    QFont font = list->font();
    font.setBold(true);
    group->setFont(0, font);
    walk(action->menu(), group);
  }
  list->expandAll();
  list->header()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
  column->addWidget(list);
  dialog->resize(scaled(stage_.look(), 420), scaled(stage_.look(), 560));
  dialog->show();
}

/// With the values of the model that is open.
void MainWindow::show_glossary() {
  // Another model has other symbols.
  delete findChild<GlossaryDialog*>();
  const auto& model = stage_.snapshot().model;
  auto* dialog = new GlossaryDialog(glossary(model ? model->blocks : std::vector<BlockCard>{}),
                                    stage_.look(), this);
  dialog->show();
}

void MainWindow::show_about() {
  auto* box = new QMessageBox(
      QMessageBox::NoIcon, tr("About xLSTM Lab"),
      tr("<h3>xLSTM Lab %1</h3><p>Open an xLSTM, drive it by hand and see how it remembers.</p>"
         "<p>Device: %2<br>Drawing: %3<br>Qt %4, Dear ImGui %5</p><p>Apache License 2.0</p>")
          .arg(QString::fromLatin1(kVersion),
               QString::fromStdString(stage_.snapshot().device.name).toHtmlEscaped(),
               stage_.canvas_kind() == CanvasKind::gl ? tr("OpenGL") : tr("CPU"),
               QString::fromLatin1(qVersion()), QString::fromLatin1(IMGUI_VERSION)),
      QMessageBox::Close, this);
  box->setTextFormat(Qt::RichText);
  box->setAttribute(Qt::WA_DeleteOnClose);
  box->setModal(false);
  box->show();
}

}  // namespace xlab::app
