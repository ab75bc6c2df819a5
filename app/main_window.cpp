// Puts the parts together; the other main_*.cpp are the rest of the window, by purpose.
#include "app/main_window.hpp"

#include <QAbstractButton>
#include <QAbstractScrollArea>
#include <QAbstractSlider>
#include <QAbstractSpinBox>
#include <QApplication>
#include <QBoxLayout>
#include <QCloseEvent>
#include <QComboBox>
#include <QDropEvent>
#include <QFileInfo>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QMenu>
#include <QMenuBar>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPointer>
#include <QSet>
#include <QSlider>
#include <QSpinBox>
#include <QStatusBar>
#include <QTabBar>
#include <QToolButton>
#include <QUrl>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>
#include <utility>

#include "app/banner.hpp"
#include "app/beside_writer.hpp"
#include "app/device_chip.hpp"
#include "app/facts.hpp"
#include "app/files.hpp"
#include "app/first_run.hpp"
#include "app/panel_model.hpp"
#include "app/panel_prompt.hpp"
#include "app/panel_runs.hpp"
#include "app/panel_task.hpp"
#include "app/panel_text.hpp"
#include "app/panel_trainer.hpp"
#include "app/recovery.hpp"
#include "app/run_chip.hpp"
#include "app/run_look.hpp"
#include "app/scroll_area.hpp"
#include "app/unsaved_work.hpp"
#include "app/value_actions.hpp"

namespace xlab::app {
namespace {

constexpr int kMeasureMs = 500;
/// The window is gone two seconds after it was closed, whatever the disk does.
constexpr std::chrono::milliseconds kLongestSave{1700};

About about(const std::string& where) {
  if (where == "open") return About::opening;
  if (where == "save") return About::saving;
  if (where == "autosave") return About::keeping;
  if (where == "export") return About::exporting;
  if (where == "train") return About::training;
  if (where == "sequence" || where == "play") return About::sequence;
  if (where == "device") return About::device;
  return About::run;
}

}  // namespace

MainWindow::MainWindow(const WindowOptions& options, QWidget* parent)
    : QMainWindow(parent),
      options_(options),
      stage_(options.canvas, options.device,
             Keeping{options.remember ? state_folder().toStdString() : std::string(),
                     std::chrono::milliseconds(options.keep_every_ms)}),
      first_run_(new FirstRun(stage_, this)),
      work_(new UnsavedWork(stage_, options.remember, this)),
      values_(new ValueActions(stage_, this)) {
  setWindowTitle("xLSTM Lab[*]");
  setAcceptDrops(true);
  setContentsMargins(5, 0, 5, 0);
  setDockNestingEnabled(true);
  setDockOptions(AllowNestedDocks | AllowTabbedDocks | AnimatedDocks);
  setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
  stage_.set_look(options.look);
  banner_ = new Banner(stage_, this);
  writer_ = new BesideWriter(this);
  tell_of_files(*writer_);
  recovery_ = new Recovery(
      stage_, *banner_, state_folder().toStdString(),
      [this](const QString& question, std::function<void()> go_on, std::function<void()> beside) {
        replace_run(question, {}, std::move(go_on), std::move(beside));
      },
      this);
  make_docks();
  make_menus();
  make_tool_bar();
  addToolBarBreak();
  addToolBar(banner_);
  make_status_bar();
  for (QDockWidget* dock : findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly)) {
    const auto by_hand = [this] {
      if (arranging_ || !shown_) return;
      moved_ = true;
      of_file_ = false;
      before_closed_.clear();
      at_scale_.clear();
    };
    connect(dock, &QDockWidget::dockLocationChanged, this, by_hand);
    connect(dock, &QDockWidget::topLevelChanged, this, by_hand);
    connect(dock, &QDockWidget::topLevelChanged, this, &MainWindow::fit_tabs_soon);
    connect(dock, &QDockWidget::visibilityChanged, this, &MainWindow::fit_tabs_soon);
  }
  qApp->installEventFilter(this);
  // Names of files and runs are shown as they are written.
  for (QLabel* label : findChildren<QLabel*>())
    if (label->textFormat() == Qt::AutoText) label->setTextFormat(Qt::PlainText);
  for (QWidget* widget : findChildren<QWidget*>()) leave_keys_to_clicks(*widget);

  connect(&stage_.engine(), &EngineLink::changed, this, &MainWindow::follow_snapshot);
  connect(&stage_.engine(), &EngineLink::run_changed, this, [this] {
    stage_.engine().send(command::Selfcheck{});
    if (std::exchange(to_train_, false)) set_room(Room::train);
  });
  connect(&stage_.engine(), &EngineLink::run_changed, this, &MainWindow::show_screen);
  connect(work_, &UnsavedWork::about_to_save, this, &MainWindow::tell_screen);
  connect(&stage_.engine(), &EngineLink::failed, this, [this](const QString& sentence) {
    banner_->tell(sentence, about(stage_.snapshot().failure.where));
    to_train_ = false;
    // A file that cannot be opened does not leave an empty window.
    if (!stage_.snapshot().model && !first_run_->begun()) {
      banner_->expect_first_scene();
      begin();
    }
  });
  connect(&stage_.engine(), &EngineLink::noticed, this,
          [this](const QString& sentence) { statusBar()->showMessage(sentence, 8000); });
  connect(values_, &ValueActions::noticed, this,
          [this](const QString& sentence) { statusBar()->showMessage(sentence, 8000); });
  connect(&stage_, &Stage::look_changed, this, &MainWindow::follow_look);
  connect(&measure_timer_, &QTimer::timeout, this, &MainWindow::measure);
  measure_timer_.start(kMeasureMs);
  since_measure_.start();
  if (options_.remember) restore_settings();
  follow_look();
  follow_snapshot();
  if (options_.remember) recovery_->look();
}

MainWindow::~MainWindow() {
  stop_looking();
  qApp->removeEventFilter(this);
  stop_engine();
  // Docks and panels hear from the stage; they go first.
  qDeleteAll(findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly));
}

template <typename Writer>
void MainWindow::tell_of_files(Writer& writer) {
  connect(&writer, &Writer::begun, statusBar(),
          [this](const QString& text) { statusBar()->showMessage(text); });
  connect(&writer, &Writer::failed, this, [this](const QString& text) {
    statusBar()->clearMessage();
    banner_->tell(text, About::writing);
  });
  connect(&writer, &Writer::noticed, this, [this](const QString& text) {
    statusBar()->showMessage(text, 8000);
    banner_->written();
  });
}

void MainWindow::make_docks() {
  for (auto& view : ui::make_views()) {
    auto* dock = new ViewDock(stage_, std::move(view), this);
    connect(dock, &ViewDock::maximise_wanted, this, [this, dock] { maximise(dock); });
    connect(dock, &ViewDock::asked, values_, &ValueActions::fulfil);
    tell_of_files(*dock);
    if (dock->view_name() == "time") {
      dock->canvas().setContextMenuPolicy(Qt::CustomContextMenu);
      connect(&dock->canvas(), &QWidget::customContextMenuRequested, this,
              [this, dock](const QPoint& at) { show_token_menu(*dock, at); });
    }
    views_.append(dock);
  }
  const auto panel = [this](const char* name, const QString& title, QWidget* contents) {
    auto* dock = new Dock(stage_, name, title, this);
    // In a small window a panel scrolls instead of asking for more room.
    auto* scroll = new ScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidget(contents);
    dock->set_contents(scroll);
    return dock;
  };
  runs_panel_ = new RunsPanel(stage_);
  runs_ = panel("panel_runs", tr("Runs"), runs_panel_);
  model_ = panel("panel_model", tr("Model"), new ModelPanel(stage_));
  auto* task = new TaskPanel(stage_);
  connect(task, &TaskPanel::task_wanted, this, [this](const QString& name) { start_task(name); });
  connect(task, &TaskPanel::training_wanted, this, &MainWindow::train_model_on);
  connect(task, &TaskPanel::tokens_wanted, this, &MainWindow::read_text_again);
  task_ = panel("panel_task", tr("Task and data"), task);
  trainer_ = panel("panel_trainer", tr("Trainer"), new TrainerPanel(stage_));
  prompt_ = panel("panel_prompt", tr("Prompt and edits"), new PromptPanel(stage_));
  text_ = panel("panel_text", tr("Text"), new TextPanel(stage_));
  view("memory")->set_tab_word(tr("Memory"));
  view("next")->set_tab_word(tr("Next"));
  task_->set_tab_word(tr("Task"));
  prompt_->set_tab_word(tr("Prompt"));
}

void MainWindow::make_status_bar() {
  steps_ = new QLabel;
  steps_->setToolTip(tr("Training steps in a second, over the last half second"));
  tokens_ = new QLabel;
  tokens_->setToolTip(tr("Tokens trained on in a second, a running mean"));
  frames_ = new QLabel;
  for (QLabel* label : {steps_, tokens_, frames_}) statusBar()->addPermanentWidget(label);
  make_pin_chip();
  statusBar()->addPermanentWidget(new RunChip(stage_));
  statusBar()->addPermanentWidget(new DeviceChip(stage_));
  statusBar()->setSizeGripEnabled(false);
}

ViewDock* MainWindow::view(const QString& name) const {
  for (ViewDock* dock : views_) {
    if (dock->view_name() == name) return dock;
  }
  return nullptr;
}

QDockWidget* MainWindow::dock(const QString& name) const {
  if (ViewDock* found = view(name)) return found;
  return findChild<QDockWidget*>("panel_" + name, Qt::FindDirectChildrenOnly);
}

void MainWindow::begin() {
  first_run_->begin();
}

void MainWindow::set_look(const CanvasLook& look) {
  CanvasLook within = look;
  within.scale = std::clamp(look.scale, 1.0f, 2.5f);
  const float before = stage_.look().scale;
  const bool other_size = within.scale != before && shown_;
  const Arrangement left =
      other_size ? Arrangement{saveState(layout_version()), shown_docks()} : Arrangement{};
  const QPointer<QWidget> had = focusWidget();
  const bool somewhere = had && had->hasFocus();
  stage_.set_look(within);
  if (!other_size) return;
  follow_scale(before, left);
  // Panels that went for a moment have given the keys to the first button there is.
  if (somewhere && had && !had->hasFocus()) {
    had->setFocus();
  } else if (QWidget* now = focusWidget(); !somewhere && now && now->hasFocus()) {
    now->clearFocus();
  }
}

void MainWindow::follow_look() {
  apply_look(stage_.look());
  const QColor colour = theme(stage_.look().palette).text;
  for (const auto& [action, shape] : icons_) action->setIcon(icon(shape, colour));
  const int side = scaled(stage_.look(), 16);
  tool_bar_->setIconSize(QSize(side, side));
  play_->setIcon({});
  train_->setIcon({});
  follow_snapshot();
  fit_tool_bar();
}

void MainWindow::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const bool playing = now.sequence.playing;
  const bool training = now.train.state == TrainState::running;
  const QColor colour = theme(stage_.look().palette).text;
  if (play_->isChecked() != playing || play_->icon().isNull()) {
    play_->setChecked(playing);
    play_->setIcon(icon(playing ? Shape::pause : Shape::play,
                        playing ? theme(stage_.look().palette).accent_text : colour));
    play_->setText(playing ? tr("Pause the cursor") : tr("Play"));
  }
  if (train_->isChecked() != training || train_->icon().isNull()) {
    train_->setChecked(training);
    train_->setIcon(icon(training ? Shape::pause : Shape::play,
                         training ? theme(stage_.look().palette).accent_text : colour));
    train_->setText(training ? tr("Pause training") : tr("Start training"));
    fit_tool_bar();
  }
  speed_->setText(
      tr("%1 tokens/s").arg(QLocale::c().toString(now.sequence.tokens_per_second, 'g', 3)));
  if (now.run_id != run_id_) {
    run_id_ = now.run_id;
    measured_step_ = now.train.step;
  }
  const QString path = QString::fromStdString(now.run_path);
  const RunCard* card = focused(now);
  const QString name = !path.isEmpty() ? QFileInfo(path).fileName()
                       : card          ? QString::fromStdString(card->name)
                                       : QString();
  const QString several = now.runs.size() > 1
                              ? tr(" – run %1 of %2").arg(place_of(now)).arg(now.runs.size())
                              : QString();
  setWindowTitle(name.isEmpty() ? "xLSTM Lab[*]" : name + "[*]" + several + " – xLSTM Lab");
  setWindowModified(now.unsaved);
  const auto show_edit = [](QAction* action, const std::string& label, const QString& nothing) {
    action->setEnabled(!label.empty());
    const QString text = label.empty() ? nothing : QString::fromStdString(label);
    action->setText("&" + text);
    action->setToolTip(
        QString("%1 (%2)").arg(text, action->shortcut().toString(QKeySequence::NativeText)));
  };
  show_edit(undo_, now.undo_label, tr("Undo"));
  show_edit(redo_, now.redo_label, tr("Redo"));
  clear_clamps_->setEnabled(!now.sequence.clamps.empty());
  token_edits_->setEnabled(now.sequence.cursor >= 0);
  off_edits_->setEnabled(now.model != nullptr);
  // What cannot be done says why, here as in the panels.
  QSet<QMenu*> with_reasons, others;
  const auto allow = [&](QAction* action, const std::string& problem) {
    action->setEnabled(problem.empty());
    action->setToolTip(problem.empty() ? action->property(kWhatItDoes).toString()
                                       : QString::fromStdString(problem));
    for (QObject* shown_in : action->associatedObjects()) {
      if (auto* menu = qobject_cast<QMenu*>(shown_in))
        (problem.empty() ? others : with_reasons).insert(menu);
    }
  };
  train_all_->setText(all_train(now) ? tr("Pause &all runs") : tr("Train &all runs"));
  for (QAction* action : {remove_run_, next_run_, previous_run_})
    action->setEnabled(now.runs.size() > 1);
  allow(train_, now.train.cannot_train);
  allow(one_step_, now.train.cannot_train);
  allow(sample_, now.sequence.cannot_sample);
  allow(save_, now.cannot_save);
  allow(save_as_, now.cannot_save);
  allow(save_all_, now.cannot_save_bench);
  if (!now.model) save_->setEnabled(false);
  name_saving();
  // A menu shows no tool tips unless asked to; most of its entries say all in their words.
  for (QMenu* menu : others) menu->setToolTipsVisible(false);
  for (QMenu* menu : with_reasons) menu->setToolTipsVisible(true);
}

void MainWindow::measure() {
  tell_screen();
  const TrainStatus& train = stage_.snapshot().train;
  const double seconds = static_cast<double>(since_measure_.restart()) / 1000.0;
  const auto done = static_cast<double>(train.step - measured_step_);
  measured_step_ = train.step;
  const bool running = train.state == TrainState::running && seconds > 0 && done >= 0;
  steps_->setText(running ? tr("%1 steps/s").arg(three_digits(done / seconds)) : QString());
  tokens_->setText(running ? tr("%1 tokens/s").arg(grouped(std::llround(train.tokens_per_second)))
                           : QString());
  frames_->setText(tr("frame %1 ms").arg(QString::number(frame_ms(), 'f', 1)));
  frames_->setToolTip(frame_break_down());
  fit_status_bar();
}

/// What has no room goes, the least important first; nothing is cut.
void MainWindow::fit_status_bar() {
  if (!frames_) return;
  const int gap = 2 * scaled(stage_.look(), 6);
  int room = statusBar()->contentsRect().width() - gap;
  for (const QToolButton* chip : statusBar()->findChildren<QToolButton*>())
    if (chip->isVisibleTo(statusBar())) room -= chip->sizeHint().width() + gap;
  for (QLabel* label : {steps_, tokens_, frames_}) {
    room -= label->text().isEmpty() ? 0 : label->sizeHint().width() + gap;
    label->setVisible(!label->text().isEmpty() && room >= 0);
  }
}

bool MainWindow::at_rest() const {
  return std::none_of(views_.begin(), views_.end(),
                      [](ViewDock* dock) { return dock->canvas().busy(); });
}

QString MainWindow::frame_break_down() const {
  QStringList lines = {tr("Time to draw each visible view once; the slowest is shown")};
  for (ViewDock* dock : views_) {
    if (dock->canvas().seen()) {
      lines.append(
          tr("%1: %2 ms").arg(dock->title(), QString::number(dock->canvas().frame_ms(), 'f', 1)));
    }
  }
  return lines.join('\n');
}

double MainWindow::frame_ms() const {
  double slowest = 0.0;
  for (ViewDock* dock : views_) {
    if (dock->canvas().seen()) slowest = std::max(slowest, dock->canvas().frame_ms());
  }
  return slowest;
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (!close_agreed_ && (work_->any() || !work_->others().isEmpty())) {
    event->ignore();
    if (std::exchange(quit_asked_, true)) return;
    // Not from within this event: a window that is closing does not begin to close, and while the
    // question stands the system may want it to.
    QTimer::singleShot(0, this, [this] {
      work_->keep_all_then(tr("Quit xLSTM Lab?"),
                           [this] { QTimer::singleShot(0, this, &MainWindow::close_unasked); });
      quit_asked_ = false;
    });
    return;
  }
  tell_screen();  // as it is before everything is hidden
  if (options_.remember) save_settings();
  hide();
  for (QDockWidget* dock : findChildren<QDockWidget*>()) {
    if (dock->isFloating()) dock->hide();
  }
  stop_engine();
  event->accept();
  QCoreApplication::quit();
}

void MainWindow::close_interrupted() {
  interrupted_ = true;
  close_unasked();
}

void MainWindow::close_unasked() {
  close_agreed_ = true;
  // What is asked just now has its answer.
  while (QWidget* dialog = QApplication::activeModalWidget()) {
    if (!dialog->close()) break;
  }
  close();
}

/// Ends the computing and keeps what is not saved. A disk that hangs does not keep the window.
void MainWindow::stop_engine() {
  if (stopped_) return;
  stopped_ = true;
  if (!options_.remember) {
    stage_.send(command::Pause{});
    stage_.send(command::StopPlaying{});
    return;
  }
  std::promise<std::string> promise;
  std::future<std::string> saved = promise.get_future();
  std::thread saver([this, screen = told_screen_, &promise] {
    promise.set_value(stage_.engine().engine().keep_and_stop(screen, interrupted_));
  });
  if (saved.wait_for(kLongestSave) == std::future_status::timeout) {
    std::fprintf(stderr, "xlstm-lab: saving the session takes too long and is given up.\n");
    std::_Exit(1);
  }
  saver.join();
  const std::string problem = saved.get();
  if (!problem.empty()) {
    std::fprintf(stderr, "xlstm-lab: the session was not saved: %s\n", problem.c_str());
  }
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const auto urls = event->mimeData()->urls();
  if (urls.size() == 1 && urls.first().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  const auto urls = event->mimeData()->urls();
  if (urls.size() != 1 || !urls.first().isLocalFile()) return;
  event->acceptProposedAction();
  const QString path = urls.first().toLocalFile();
  // The drag's own loop must end before a question may be asked.
  QTimer::singleShot(0, this, [this, path] { open(path); });
}

}  // namespace xlab::app
