// The panel of runs, the menu of runs and what says which one is on screen.
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTextDocument>
#include <QTreeView>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "app/facts.hpp"
#include "app/panel_runs.hpp"
#include "app/run_chip.hpp"
#include "app/run_look.hpp"
#include "app/runs_model.hpp"
#include "app/runs_view.hpp"
#include "app_answers.hpp"
#include "app_commands.hpp"
#include "app_window.hpp"
#include "core/bench_file.hpp"
#include "core/run.hpp"
#include "temporary_folder.hpp"

namespace xlab::tests {
namespace {

using app::RunsModel;

class Runs : public WindowTest {
 protected:
  void SetUp() override {
    WindowTest::SetUp();
    if (HasFatalFailure()) return;
    window_->set_room(app::Room::train);
    settle();
    front("panel_runs");
    list_ = window_->findChild<app::RunsView*>();
    ASSERT_NE(list_, nullptr);
    first_ = now().focused_run;
  }

  void send(Command command) {
    window_->stage().send(std::move(command));
    settle();
  }
  int duplicate(int run, bool other_seed = false) {
    send(command::DuplicateRun{run, other_seed});
    return now().focused_run;
  }
  void train(int run, int steps) {
    send(command::FocusRun{run});
    for (int i = 0; i < steps; ++i) window_->stage().send(command::TrainOneStep{});
    settle();
  }
  const RunCard& card(int run) {
    for (const auto& one : now().runs)
      if (one->id == run) return *one;
    throw std::runtime_error("no such run");
  }
  const RunsModel& model() { return *qobject_cast<RunsModel*>(list_->model()); }
  QString cell(int run, RunsModel::Column column) {
    return model().index(model().row_of(run), column).data().toString();
  }
  QPoint place(int run, RunsModel::Column column) {
    return list_->visualRect(model().index(model().row_of(run), column)).center();
  }
  QPoint tick(int run) { return place(run, RunsModel::kShown); }
  void press(QPoint at, bool twice = false) {
    QWindow* window = window_->windowHandle();
    const QPoint there = list_->viewport()->mapTo(window_.get(), at);
    QTest::mouseClick(window, Qt::LeftButton, Qt::NoModifier, there);
    if (twice) QTest::mouseDClick(window, Qt::LeftButton, Qt::NoModifier, there);
  }
  /// What a click or a key sends.
  QString sent_by(const std::function<void()>& act) {
    Sent sent(window_->stage().engine());
    act();
    // Where runs train nothing comes to rest.
    QTest::qWait(40);
    window_->stage().engine().flush();
    QTest::qWait(40);
    QStringList words = words_of_commands(sent.commands);
    words.erase(std::remove_if(words.begin(), words.end(),
                               [](const QString& w) { return w.startsWith("Focus "); }),
                words.end());
    return words.join(", ");
  }
  QLineEdit* editor() { return list_->findChild<QLineEdit*>("cell_editor"); }
  QPushButton* button(const QString& text) {
    for (QPushButton* one : dock("panel_runs")->findChildren<QPushButton*>())
      if (one->text() == text) return one;
    return nullptr;
  }

  app::RunsView* list_ = nullptr;
  int first_ = 0;
};

TEST_F(Runs, AloneARunSaysHowToGetASecondOne) {
  ASSERT_EQ(model().rowCount(), 1);
  const auto sentence = [&] {
    for (QLabel* label : dock("panel_runs")->findChildren<QLabel*>())
      if (label->isVisible() && label->text().contains("only run")) return label->text();
    return QString();
  };
  EXPECT_TRUE(sentence().contains("Duplicate"));
  const int second = duplicate(first_);
  EXPECT_EQ(sentence(), "");
  ASSERT_EQ(model().rowCount(), 2);
  EXPECT_EQ(model().run_at(1), second);
}

TEST_F(Runs, ARowSaysWhatTheEngineSays) {
  const int second = duplicate(first_), third = duplicate(first_, true);
  train(second, 3);
  train(third, 1);
  send(command::FocusRun{first_});
  ASSERT_EQ(model().rowCount(), 3);
  std::set<QString> losses;
  for (const auto& run : now().runs) {
    EXPECT_EQ(cell(run->id, RunsModel::kName),
              QString::fromStdString(run->name) + (run->unsaved ? " *" : ""));
    EXPECT_EQ(cell(run->id, RunsModel::kTask), QString::fromStdString(run->task));
    EXPECT_EQ(cell(run->id, RunsModel::kModel), QString::fromStdString(run->model));
    EXPECT_EQ(cell(run->id, RunsModel::kStep), app::grouped(run->step));
    EXPECT_EQ(cell(run->id, RunsModel::kState), "paused");
    EXPECT_EQ(cell(run->id, RunsModel::kLoss),
              run->step > 0 ? app::three_digits(run->smoothed_loss) : "–");
    losses.insert(cell(run->id, RunsModel::kLoss));
    const QModelIndex name = model().index(model().row_of(run->id), RunsModel::kName);
    EXPECT_EQ(name.data(Qt::FontRole).value<QFont>().bold(), run->id == first_);
    const QString words = name.data(Qt::ToolTipRole).toString();
    EXPECT_TRUE(words.contains("seed " + QString::number(run->seed))) << qPrintable(words);
  }
  EXPECT_EQ(losses.size(), 3u) << "steps after which the losses are the same say little";
  EXPECT_EQ(model().headerData(RunsModel::kLoss, Qt::Horizontal, Qt::AccessibleTextRole),
            "Smoothed loss");
}

TEST_F(Runs, AClickOrEnterBringsARunOnTheScreen) {
  const int second = duplicate(first_), third = duplicate(first_);
  EXPECT_EQ(list_->currentIndex().row(), model().row_of(third));
  EXPECT_EQ(sent_by([&] { press(place(first_, RunsModel::kName)); }),
            QString("FocusRun %1").arg(first_));
  EXPECT_EQ(now().focused_run, first_);
  EXPECT_EQ(sent_by([&] { press(place(first_, RunsModel::kStep)); }), "") << "it is there already";
  list_->setFocus();
  EXPECT_EQ(sent_by([&] { key(Qt::Key_Down); }), "") << "arrows only choose";
  EXPECT_EQ(model().run_at(list_->currentIndex().row()), third)
      << "a duplicate stands behind its own run";
  EXPECT_EQ(sent_by([&] { key(Qt::Key_Return); }), QString("FocusRun %1").arg(third));
  EXPECT_EQ(now().focused_run, third);
  // What another part of the window brings on the screen is chosen here.
  send(command::FocusRun{second});
  EXPECT_EQ(model().run_at(list_->currentIndex().row()), second);
}

TEST_F(Runs, ATickHidesACurveAndLeavesTheScreenAsItIs) {
  const int second = duplicate(first_);
  EXPECT_EQ(sent_by([&] { press(tick(first_)); }), QString("ShowCurve %1 off").arg(first_));
  EXPECT_FALSE(card(first_).shown);
  EXPECT_EQ(now().focused_run, second);
  EXPECT_EQ(sent_by([&] { press(tick(first_)); }), QString("ShowCurve %1 on").arg(first_));
  EXPECT_TRUE(card(first_).shown);
  // A click leaves the keys to the window.
  EXPECT_EQ(sent_by([&] { press(place(first_, RunsModel::kLoss)); }),
            QString("FocusRun %1").arg(first_));
  EXPECT_FALSE(list_->hasFocus());
  // With the keys Space ticks what is chosen, whichever cell of it was clicked; Escape gives them
  // back.
  list_->setFocus();
  EXPECT_EQ(sent_by([&] { key(Qt::Key_Space); }), QString("ShowCurve %1 off").arg(first_));
  EXPECT_FALSE(now().sequence.playing) << "Space is the list's while it has the keys";
  key(Qt::Key_Escape);
  settle();
  EXPECT_FALSE(list_->hasFocus());
  key(Qt::Key_Space);
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().sequence.playing; }, 5000));
}

TEST_F(Runs, EachIsTrainedByItselfAndAllTogether) {
  const int second = duplicate(first_);
  press(place(first_, RunsModel::kTraining));
  ASSERT_TRUE(QTest::qWaitFor(
      [&] { return window_->stage().snapshot().runs[0]->state == TrainState::running; }, 5000));
  EXPECT_EQ(window_->stage().snapshot().runs[1]->state, TrainState::idle);
  EXPECT_EQ(window_->stage().snapshot().focused_run, second) << "whatever is on screen";
  QTest::qWait(60);
  EXPECT_NE(button("Train all"), nullptr) << "one of two trains";
  ASSERT_TRUE(QTest::qWaitFor([&] { return cell(first_, RunsModel::kState) == "training"; }, 5000));
  EXPECT_EQ(sent_by([&] { press(place(first_, RunsModel::kTraining)); }),
            QString("TrainRun %1 off").arg(first_));
  EXPECT_EQ(card(first_).state, TrainState::idle);
  ASSERT_NE(button("Train all"), nullptr);
  click(button("Train all"));
  ASSERT_TRUE(QTest::qWaitFor([&] { return button("Pause all") != nullptr; }, 5000));
  for (const auto& run : window_->stage().snapshot().runs)
    EXPECT_EQ(run->state, TrainState::running);
  EXPECT_EQ(sent_by([&] { click(button("Pause all")); }), "TrainAll off");
  EXPECT_NE(button("Train all"), nullptr);
}

QStringList warnings;  // of Qt, while they are kept

TEST_F(Runs, ANameIsTypedInPlaceWithoutAWarningOfQt) {
  warnings.clear();
  const auto before = qInstallMessageHandler(
      [](QtMsgType, const QMessageLogContext&, const QString& text) { warnings.append(text); });
  press(place(first_, RunsModel::kName), true);
  if (editor()) {
    QTest::keyClicks(editor(), "Two gates");
    QTest::keyClick(editor(), Qt::Key_Return);
  }
  settle();
  qInstallMessageHandler(before);
  EXPECT_EQ(card(first_).name, "Two gates");
  EXPECT_TRUE(warnings.isEmpty()) << qPrintable(warnings.join(' '));
}

TEST_F(Runs, ANameIsTypedInPlaceWhileTheRunTrains) {
  const int second = duplicate(first_);
  const std::string before = card(second).name;
  window_->stage().send(command::TrainRun{second, true});
  press(place(second, RunsModel::kName), true);
  ASSERT_NE(editor(), nullptr);
  EXPECT_EQ(editor()->text().toStdString(), before) << "without its star";
  QTest::keyClick(editor(), Qt::Key_A, Qt::ControlModifier);
  QTest::keyClicks(editor(), "Two gates");
  const std::int64_t step = window_->stage().snapshot().train.step;
  // Snapshots come, its star comes and goes, and other runs appear.
  const TemporaryFolder folder;
  window_->stage().send(command::Save{folder / "saved.xlab"});
  window_->stage().send(command::DuplicateRun{first_});
  ASSERT_TRUE(QTest::qWaitFor(
      [&] {
        const auto& runs = window_->stage().snapshot().runs;
        return runs.size() == 3 && runs[2]->step > step + 5;
      },
      10000));
  ASSERT_NE(editor(), nullptr);
  EXPECT_EQ(editor()->text(), "Two gates");
  QTest::keyClick(editor(), Qt::Key_Return);
  window_->stage().send(command::TrainAll{false});
  settle();
  EXPECT_EQ(card(second).name, "Two gates");
  EXPECT_EQ(now().undo_label, "Undo new name");
  send(command::Undo{});
  EXPECT_EQ(card(second).name, before);
  // Escape leaves it as it was.
  press(place(second, RunsModel::kName), true);
  ASSERT_NE(editor(), nullptr);
  QTest::keyClicks(editor(), "x");
  EXPECT_EQ(sent_by([&] { QTest::keyClick(editor(), Qt::Key_Escape); }), "");
  EXPECT_EQ(card(second).name, before);
}

TEST_F(Runs, OnlyRowsThatChangedAreTouched) {
  const int second = duplicate(first_);
  send(command::FocusRun{first_});
  const QSignalSpy changed(list_->model(), &QAbstractItemModel::dataChanged);
  const QSignalSpy reset(list_->model(), &QAbstractItemModel::modelReset);
  const std::int64_t wanted = card(second).step + 20;
  window_->stage().send(command::TrainRun{second, true});
  ASSERT_TRUE(
      QTest::qWaitFor([&] { return window_->stage().snapshot().runs[1]->step > wanted; }, 10000));
  send(command::TrainRun{second, false});
  EXPECT_EQ(reset.size(), 0);
  EXPECT_GT(changed.size(), 2);
  for (const auto& arguments : changed) {
    const QModelIndex from = arguments[0].toModelIndex(), to = arguments[1].toModelIndex();
    EXPECT_EQ(from.row(), 1);
    EXPECT_EQ(to.row(), 1);
    EXPECT_NE(from.column(), RunsModel::kTask) << "its task is the same";
  }
  EXPECT_EQ(list_->currentIndex().row(), 0);
}

TEST_F(Runs, TheMenuIsAboutTheChosenRow) {
  const int second = duplicate(first_);
  list_->setFocus();
  key(Qt::Key_Up);
  ASSERT_EQ(model().run_at(list_->currentIndex().row()), first_);
  ASSERT_EQ(now().focused_run, second);
  QMenu* menu = nullptr;
  for (QToolButton* more : dock("panel_runs")->findChildren<QToolButton*>("menu_button"))
    menu = more->menu();
  ASSERT_NE(menu, nullptr);
  emit menu->aboutToShow();
  QMap<QString, QAction*> actions;
  walk_menu(menu, "", actions);
  EXPECT_EQ(actions.keys().join(", "),
            "/Duplicate, /Duplicate with another seed, /Read the sequence on screen, /Remove, "
            "/Rename, /Show its loss, /Start training");
  EXPECT_TRUE(actions["/Show its loss"]->isChecked());
  const auto does = [&](const char* action) {
    return sent_by([&] { actions[action]->trigger(); });
  };
  const QString one = QString::number(first_);
  EXPECT_EQ(does("/Show its loss"), "ShowCurve " + one + " off");
  EXPECT_EQ(does("/Start training"), "TrainRun " + one + " on");
  send(command::TrainAll{false});
  EXPECT_EQ(does("/Remove"), "RemoveRun " + one);
  EXPECT_EQ(model().rowCount(), 1);
  emit menu->aboutToShow();
  EXPECT_FALSE(actions["/Remove"]->isEnabled());
  EXPECT_FALSE(actions["/Remove"]->toolTip().isEmpty());
  send(command::Undo{});
  EXPECT_EQ(model().row_of(first_), 0) << "it comes back where it was";
  list_->setCurrentIndex(model().index(0, 0));
  EXPECT_EQ(does("/Duplicate with another seed"), "DuplicateRun " + one + " with another seed");
  list_->setCurrentIndex(model().index(0, 0));
  EXPECT_EQ(does("/Duplicate"), "DuplicateRun " + one);
  list_->setCurrentIndex(model().index(0, 0));
  EXPECT_EQ(does("/Rename"), "");
  EXPECT_NE(editor(), nullptr);
}

TEST_F(Runs, NamesAreShownAsTheyAreWritten) {
  const QString name = "a <b>bold</b> &amp; %1 name";
  send(command::RenameRun{first_, name.toStdString()});
  for (const QLabel* label : window_->findChildren<QLabel*>())
    EXPECT_NE(label->textFormat(), Qt::AutoText) << qPrintable(label->text());
  const QString tip =
      model().index(model().row_of(first_), RunsModel::kName).data(Qt::ToolTipRole).toString();
  QTextDocument shown;
  shown.setHtml(tip);
  EXPECT_TRUE(shown.toPlainText().contains(name)) << qPrintable(tip);
  window_->banner().tell("Cannot read '" + name + "'.", app::About::opening);
  bool said = false;
  for (const QLabel* label : window_->banner().findChildren<QLabel*>())
    said = said || (label->text().contains(name) && label->textFormat() == Qt::PlainText);
  EXPECT_TRUE(said);
}

TEST_F(Runs, NothingIsDuplicatedWhereNoMoreFit) {
  while (now().runs.size() < kMostRuns) duplicate(first_);
  const auto copies = [&] {
    QStringList enabled;
    for (QAction* action : dock("panel_runs")->findChildren<QAction*>())
      if (action->text().contains("Duplicate") && action->isEnabled())
        enabled.append(action->text());
    return enabled.size();
  };
  const auto open_menu = [&] {
    QMenu* menu = window_->findChild<app::RunsPanel*>()->findChild<QMenu*>();
    emit menu->aboutToShow();
  };
  open_menu();
  EXPECT_FALSE(button("Duplicate")->isEnabled());
  EXPECT_TRUE(button("Duplicate")->toolTip().contains("32 runs"));
  EXPECT_EQ(copies(), 0);
  send(command::RemoveRun{first_});
  open_menu();
  EXPECT_TRUE(button("Duplicate")->isEnabled());
  EXPECT_EQ(copies(), 2);
}

TEST_F(Runs, AnotherRunReadsTheSequenceOnScreenUntilItIsAskedNotTo) {
  const int second = duplicate(first_, true);
  send(command::FocusRun{first_});
  send(command::NewSample{});
  const std::vector<int> tokens = now().sequence.tokens;
  QMap<QString, QAction*> actions;
  const auto choose = [&](int run) {
    list_->setCurrentIndex(model().index(model().row_of(run), RunsModel::kName));
    for (QToolButton* more : dock("panel_runs")->findChildren<QToolButton*>("menu_button")) {
      emit more->menu()->aboutToShow();
      walk_menu(more->menu(), "", actions);
    }
    return actions["/Read the sequence on screen"];
  };
  EXPECT_FALSE(choose(first_)->isEnabled()) << "it is on screen";
  EXPECT_TRUE(actions["/Read the sequence on screen"]->toolTip().contains("on screen"));
  QAction* read = choose(second);
  EXPECT_TRUE(read->isEnabled());
  EXPECT_FALSE(read->isChecked());
  const QString word = "FollowSequence " + QString::number(second);
  EXPECT_EQ(sent_by([&] { read->trigger(); }), word + " on");
  ASSERT_EQ(now().followers.size(), 1u);
  EXPECT_EQ(now().followers[0]->run, second);
  EXPECT_TRUE(app::words_of(card(second)).contains("one sequence"));
  // The list marks who reads along, and so says it.
  const auto name_of = [&](int run, int role) {
    return model().index(model().row_of(run), RunsModel::kName).data(role).toString();
  };
  EXPECT_TRUE(name_of(second, Qt::DisplayRole).contains(" ⇉"));
  EXPECT_TRUE(name_of(second, Qt::AccessibleTextRole).contains("reads the sequence on screen"));
  EXPECT_FALSE(name_of(first_, Qt::DisplayRole).contains("⇉")) << "it is on screen";
  EXPECT_TRUE(choose(second)->isChecked());
  EXPECT_TRUE(choose(first_)->isEnabled()) << "it can leave too";
  send(command::FocusRun{second});
  EXPECT_TRUE(name_of(first_, Qt::DisplayRole).contains(" ⇉"));
  EXPECT_FALSE(name_of(second, Qt::DisplayRole).contains("⇉"));
  EXPECT_EQ(now().sequence.tokens, tokens);
  EXPECT_EQ(sent_by([&] { choose(second)->trigger(); }), word + " off");
  EXPECT_TRUE(now().followers.empty());
  EXPECT_EQ(now().sequence.tokens, tokens) << "it keeps them";
  EXPECT_FALSE(app::words_of(card(second)).contains("one sequence"));
}

TEST_F(Runs, WhatFailedSaysWhy) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.xlab";
  send(command::Save{path});
  const auto bad = load_run(path);
  bad->model->params().values().data<float>()[0] = std::nanf("");
  save_run(*bad, path);
  send(command::OpenRun{.path = path, .bytes = {}, .beside = true});
  const int failing = now().focused_run;
  ASSERT_NE(failing, first_);
  window_->stage().send(command::TrainRun{failing, true});
  ASSERT_TRUE(QTest::qWaitFor([&] { return cell(failing, RunsModel::kState) == "failed"; }, 20000));
  const QModelIndex state = model().index(model().row_of(failing), RunsModel::kState);
  EXPECT_EQ(state.data(Qt::ToolTipRole).toString().toStdString(), card(failing).failure);
  EXPECT_NE(card(failing).failure, "");
  EXPECT_TRUE(state.data(Qt::ForegroundRole).isValid());
  EXPECT_FALSE(
      model().index(model().row_of(first_), RunsModel::kState).data(Qt::ForegroundRole).isValid());
}

TEST_F(Runs, SwatchesHaveTheColoursOfTheCurves) {
  for (const ui::PaletteName palette :
       {ui::PaletteName::light, ui::PaletteName::dark, ui::PaletteName::projector}) {
    window_->set_look({.palette = palette});
    std::set<QRgb> seen;
    for (int colour = 0; colour < RunCard::kColours; ++colour) {
      const QImage swatch =
          app::run_swatch(window_->stage().look(), colour).pixmap(QSize(260, 110)).toImage();
      const ImU32 wanted = ui::run_style(ui::palette(palette), colour).colour;
      const QColor drawn = swatch.pixelColor(2, swatch.height() / 2);
      EXPECT_EQ(drawn.red(), static_cast<int>(wanted & 0xff));
      EXPECT_EQ(drawn.green(), static_cast<int>((wanted >> 8) & 0xff));
      EXPECT_EQ(drawn.blue(), static_cast<int>((wanted >> 16) & 0xff));
      seen.insert(drawn.rgb());
      // Solid lines have no gaps, the others do.
      int gaps = 0;
      for (int x = 0; x < swatch.width(); ++x)
        gaps += swatch.pixelColor(x, swatch.height() / 2).alpha() < 40;
      EXPECT_EQ(gaps == 0, ui::run_style(ui::palette(palette), colour).dash == ui::Dash::solid);
    }
    EXPECT_EQ(seen.size(), 8u);
  }
}

TEST_F(Runs, WhatHasNoColumnStandsInTheSecondLine) {
  const int second = duplicate(first_);
  send(command::NewRun{.task = "parity", .spec_json = {}, .beside = true});
  const int third = now().focused_run;
  send(command::RenameRun{second, "Mine"});
  window_->resize(1280, 800);
  window_->reset_layout();
  settle();
  front("panel_runs");
  const auto line = [&](int run) { return list_->second_line(model().row_of(run)); };
  const QString model_name = QString::fromStdString(card(first_).model);
  ASSERT_TRUE(list_->isColumnHidden(RunsModel::kState));
  ASSERT_TRUE(list_->isColumnHidden(RunsModel::kModel));
  EXPECT_EQ(line(second), "paused · Associative recall · " + model_name);
  EXPECT_EQ(line(third), "paused · " + QString::fromStdString(card(third).model))
      << "a run without a name of its own has that of its task";
  // It is drawn: letters stand there, and they are others for another run.
  const auto drawn = [&](int run) {
    const QRect row = list_->visualRect(model().index(model().row_of(run), RunsModel::kName));
    return list_->viewport()
        ->grab(QRect(row.left() + 60, row.center().y(), 200, row.height() / 2 - 1))
        .toImage();
  };
  EXPECT_GT(list_->visualRect(model().index(0, 0)).height(), 2 * list_->first_line());
  EXPECT_NE(drawn(second), drawn(third));
  const QImage before = drawn(second);
  window_->stage().send(command::TrainRun{.run = second, .on = true});
  ASSERT_TRUE(QTest::qWaitFor([&] { return line(second).startsWith("training"); }, 5000));
  EXPECT_TRUE(QTest::qWaitFor([&] { return drawn(second) != before; }, 5000));
  window_->stage().send(command::TrainAll{false});
  settle();
  // Where all columns have room there is one line.
  dock("panel_runs")->detach(true);
  dock("panel_runs")->resize(900, 400);
  settle();
  EXPECT_EQ(line(second), "");
  EXPECT_EQ(list_->first_line(), 0);
  // The step is there too, where it has no column.
  dock("panel_runs")->resize(230, 420);
  settle();
  if (list_->isColumnHidden(RunsModel::kStep)) {
    EXPECT_TRUE(line(third).contains("step 0")) << qPrintable(line(third));
  }
  // And where three such rows have no room there is one line.
  dock("panel_runs")->resize(330, 190);
  settle();
  EXPECT_TRUE(list_->isColumnHidden(RunsModel::kState));
  EXPECT_EQ(line(second), "");
}

TEST_F(Runs, NoNumberIsCutHoweverNarrowTheDock) {
  const auto look = [&](const std::string& where) {
    const int room = list_->viewport()->width();
    int used = 0;
    bool name = false, loss = false;
    for (int column = 0; column < RunsModel::kColumns; ++column) {
      if (list_->isColumnHidden(column)) continue;
      used += list_->columnWidth(column);
      name = name || column == RunsModel::kName;
      loss = loss || column == RunsModel::kLoss;
      if (column <= RunsModel::kTraining) continue;
      for (int row = 0; row < model().rowCount(); ++row) {
        const QModelIndex index = model().index(row, column);
        QFont font = list_->font();
        font.setBold(index.data(Qt::FontRole).value<QFont>().bold());
        EXPECT_GE(list_->columnWidth(column),
                  QFontMetrics(font).horizontalAdvance(index.data().toString()) + 4)
            << where << ", " << qPrintable(index.data().toString());
      }
    }
    EXPECT_LE(used, room) << where;
    EXPECT_TRUE(name) << where;
    return loss;
  };
  std::vector<int> counts = {1, 3, 8};
  int runs = 1;
  for (const int count : counts) {
    for (; runs < count; ++runs) train(duplicate(first_), runs);
    for (const float scale : {1.0f, 1.5f, 2.0f, 2.5f}) {
      for (const QSize size : {QSize(640, 480), QSize(1280, 800), QSize(1900, 1000)}) {
        window_->resize(size);
        window_->set_look({.scale = scale});
        window_->reset_layout();
        settle();
        front("panel_runs");
        const bool loss = look(std::to_string(count) + " runs, " + std::to_string(scale) + ", " +
                               std::to_string(size.width()));
        // The loss is the last to go.
        EXPECT_TRUE(loss || (scale == 2.5f && size.width() == 640)) << scale << " " << size.width();
      }
    }
  }
  // Where there is room there is everything.
  window_->set_look({.scale = 1.0f});
  dock("panel_runs")->detach(true);
  dock("panel_runs")->resize(900, 400);
  settle();
  for (int column = 0; column < RunsModel::kColumns; ++column)
    EXPECT_FALSE(list_->isColumnHidden(column)) << column;
}

TEST_F(Runs, TheWindowSaysWhichOfSeveralIsOnScreen) {
  auto* chip = window_->findChild<app::RunChip*>();
  ASSERT_NE(chip, nullptr);
  EXPECT_FALSE(chip->isVisible()) << "there is only one";
  EXPECT_FALSE(window_->windowTitle().contains("of"));
  const int second = duplicate(first_);
  send(command::RenameRun{second, "Two & more"});
  EXPECT_TRUE(chip->isVisible());
  EXPECT_EQ(chip->text().trimmed(), "Two && more");
  EXPECT_EQ(window_->windowTitle(), "Two & more[*] – run 2 of 2 – xLSTM Lab");
  emit chip->menu()->aboutToShow();
  ASSERT_EQ(chip->menu()->actions().size(), 2);
  EXPECT_TRUE(chip->menu()->actions()[1]->isChecked());
  EXPECT_EQ(sent_by([&] { chip->menu()->actions()[0]->trigger(); }),
            QString("FocusRun %1").arg(first_));
  EXPECT_EQ(chip->text().trimmed().toStdString(), card(first_).name);
  EXPECT_TRUE(window_->windowTitle().contains("run 1 of 2"));
}

}  // namespace
}  // namespace xlab::tests
