// A click brings a run on the screen; the buttons and the menu are about the row that is chosen.
#include "app/panel_runs.hpp"

#include <QAction>
#include <QBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QToolButton>
#include <algorithm>

#include "app/flow_layout.hpp"
#include "app/run_look.hpp"
#include "app/runs_model.hpp"
#include "app/runs_view.hpp"
#include "app/theme.hpp"
#include "core/bench_file.hpp"

namespace xlab::app {

RunsPanel::RunsPanel(Stage& stage, QWidget* parent)
    : QWidget(parent), stage_(stage), model_(new RunsModel(stage, this)) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  auto* buttons = new QWidget;
  auto* flow = new FlowLayout(6, buttons);
  all_ = new QPushButton(tr("Train all"));
  duplicate_ = new QPushButton(tr("Duplicate"));
  duplicate_->setAccessibleName(tr("Duplicate the run"));
  more_ = new QToolButton;
  more_->setObjectName("menu_button");
  more_->setText(tr("More"));
  more_->setAccessibleName(tr("What else can be done with this run"));
  more_->setToolTip(more_->accessibleName());
  more_->setPopupMode(QToolButton::InstantPopup);
  for (QWidget* button : std::initializer_list<QWidget*>{all_, duplicate_, more_}) {
    button->setFocusPolicy(Qt::TabFocus);
    flow->addWidget(button);
  }
  column->addWidget(buttons);
  view_ = new RunsView(stage, *model_);
  column->addWidget(view_, 1);
  alone_ = new QLabel(
      tr("This is the only run. Duplicate it, or use File > Open beside, to train and compare "
         "several."));
  alone_->setObjectName("caption");
  alone_->setWordWrap(true);
  column->addWidget(alone_);
  make_menu();

  connect(all_, &QPushButton::clicked, this,
          [this] { stage_.send(command::TrainAll{!all_train(stage_.snapshot())}); });
  connect(duplicate_, &QPushButton::clicked, this, [this] {
    if (const RunCard* run = current()) stage_.send(command::DuplicateRun{.run = run->id});
  });
  connect(view_, &QTreeView::clicked, this,
          [this](const QModelIndex& index) { clicked(index.row(), index.column()); });
  connect(view_, &QTreeView::activated, this, [this](const QModelIndex& index) {
    stage_.send(command::FocusRun{model_->run_at(index.row())});
  });
  connect(view_, &QTreeView::customContextMenuRequested, this, [this](QPoint at) {
    fit_menu();
    menu_->popup(view_->viewport()->mapToGlobal(at));
  });
  connect(&stage.engine(), &EngineLink::changed, this, &RunsPanel::follow_snapshot);
  follow_snapshot();
}

void RunsPanel::make_menu() {
  menu_ = new QMenu(this);
  menu_->setToolTipsVisible(true);
  const auto add = [this](const QString& text, auto act) {
    QAction* action = menu_->addAction(text);
    connect(action, &QAction::triggered, this, [this, act] {
      if (const RunCard* run = current()) act(*run);
    });
    return action;
  };
  train_ = add(tr("Start &training"), [this](const RunCard& run) { toggle(run); });
  menu_->addSeparator();
  copies_[0] = add(tr("&Duplicate"), [this](const RunCard& run) {
    stage_.send(command::DuplicateRun{.run = run.id});
  });
  copies_[1] = add(tr("Duplicate with another &seed"), [this](const RunCard& run) {
    stage_.send(command::DuplicateRun{.run = run.id, .other_seed = true});
  });
  add(tr("Re&name"), [this](const RunCard& run) { rename(run.id); });
  curve_ = add(tr("Show its &loss"), [this](const RunCard& run) {
    stage_.send(command::ShowCurve{run.id, !run.shown});
  });
  curve_->setCheckable(true);
  follow_ = add(tr("Read the sequence on s&creen"), [this](const RunCard& run) {
    stage_.send(command::FollowSequence{run.id, !shares(run)});
  });
  follow_->setCheckable(true);
  menu_->addSeparator();
  remove_ =
      add(tr("&Remove"), [this](const RunCard& run) { stage_.send(command::RemoveRun{run.id}); });
  more_->setMenu(menu_);
  connect(menu_, &QMenu::aboutToShow, this, &RunsPanel::fit_menu);
}

const RunCard* RunsPanel::current() const {
  const RunCard* chosen = model_->card(view_->currentIndex().row());
  return chosen ? chosen : focused(stage_.snapshot());
}

void RunsPanel::fit_menu() {
  const RunCard* run = current();
  for (QAction* action : menu_->actions()) action->setEnabled(run != nullptr);
  if (!run) return;
  const QString problem = QString::fromStdString(run->cannot_train);
  train_->setText(run->state == TrainState::running ? tr("Pause &training")
                                                    : tr("Start &training"));
  train_->setEnabled(problem.isEmpty());
  train_->setToolTip(problem);
  curve_->setChecked(run->shown);
  const bool on_screen = run->id == stage_.snapshot().focused_run;
  follow_->setChecked(shares(*run));
  follow_->setEnabled(!on_screen || run->sequence != 0);
  follow_->setToolTip(
      follow_->isEnabled()
          ? tr("The same tokens, prompt and cursor, each with its own weights and clamps; what it "
               "expects stands in Next token too")
          : tr("This is the run on screen: choose another one to read its tokens too"));
  const QString full = full_bench();
  for (QAction* copy : copies_) copy->setEnabled(full.isEmpty());
  copies_[0]->setToolTip(full.isEmpty() ? copy_words() : full);
  copies_[1]->setToolTip(full.isEmpty()
                             ? tr("The same run before its first step, with a seed that no run has")
                             : full);
  const bool last = model_->rowCount() < 2;
  remove_->setEnabled(!last);
  remove_->setToolTip(last ? tr("The last run stays: open another one in its place")
                           : tr("Takes the run away; Undo brings it back"));
}

QString RunsPanel::copy_words() {
  return tr("Another run with the same weights, data and edits beside this one");
}

QString RunsPanel::full_bench() const {
  return stage_.snapshot().runs.size() < kMostRuns
             ? QString()
             : tr("There are %1 runs, as many as fit: remove one first").arg(kMostRuns);
}

bool RunsPanel::shares(const RunCard& run) const {
  const RunCard* shown = focused(stage_.snapshot());
  return shown && run.sequence != 0 && run.sequence == shown->sequence;
}

void RunsPanel::toggle(const RunCard& run) {
  if (run.cannot_train.empty())
    stage_.send(command::TrainRun{run.id, run.state != TrainState::running});
}

void RunsPanel::clicked(int row, int column) {
  const RunCard* run = model_->card(row);
  if (!run || column == RunsModel::kShown) return;  // a tick is taken by the model
  if (column == RunsModel::kTraining) {
    toggle(*run);
  } else if (run->id != stage_.snapshot().focused_run) {
    stage_.send(command::FocusRun{run->id});
  }
}

void RunsPanel::rename(int run) {
  const QModelIndex name = model_->index(model_->row_of(run), RunsModel::kName);
  if (!name.isValid()) return;
  view_->setFocus();
  view_->setCurrentIndex(name);
  view_->edit(name);
}

void RunsPanel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const bool running = all_train(now);
  const bool can = std::any_of(now.runs.begin(), now.runs.end(),
                               [](const auto& run) { return run->cannot_train.empty(); });
  all_->setText(running ? tr("Pause all") : tr("Train all"));
  all_->setAccessibleName(running ? tr("Pause all runs") : tr("Train all runs"));
  all_->setToolTip(running ? tr("Pauses the training of every run")
                           : tr("Trains every run; they share the time"));
  all_->setEnabled(can);
  const QString full = full_bench();
  duplicate_->setEnabled(!now.runs.empty() && full.isEmpty());
  duplicate_->setToolTip(full.isEmpty() ? copy_words() : full);
  more_->setEnabled(!now.runs.empty());
  alone_->setVisible(now.runs.size() == 1);
  // The list goes where the screen goes; what is being typed there stays.
  if (now.focused_run == focused_ || view_->editing()) return;
  const QModelIndex row = model_->index(model_->row_of(now.focused_run), RunsModel::kName);
  if (!row.isValid()) return;
  focused_ = now.focused_run;
  view_->setCurrentIndex(row);
}

}  // namespace xlab::app
