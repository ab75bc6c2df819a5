// Every action of every menu, and every button of the tool bar, with what it does: a table that has
// to be complete.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QDockWidget>
#include <QFile>
#include <QLineEdit>
#include <QMessageBox>
#include <QToolBar>
#include <QToolButton>
#include <functional>
#include <tuple>

#include "app/dock.hpp"
#include "app/files.hpp"
#include "app_answers.hpp"
#include "app_commands.hpp"
#include "app_files.hpp"
#include "app_window.hpp"
#include "core/edits.hpp"
#include "core/files/recording.hpp"

namespace xlab::tests {
namespace {

/// What an action does.
struct Row {
  QStringList sent;                  ///< commands in words, see `words_of_command`
  std::function<void()> before;      ///< brings the window to where the action means something
  std::function<bool()> afterwards;  ///< what else can be seen
  QStringList files;                 ///< typed into dialogs for files
};

class Actions : public WindowTest {
 protected:
  void SetUp() override {
    WindowTest::SetUp();
    if (HasFatalFailure()) return;
    fill_table();
  }

  void send(Command command) {
    window_->stage().send(std::move(command));
    settle();
  }

  /// A saved run, paused, at rest, with the cursor at t = 4.
  void reset() {
    window_->reset_layout();
    window_->set_perspective(app::Perspective::memory);
    window_->set_look({});
    // The run that the table speaks of, alone.
    window_->stage().send(command::TrainAll{false});
    const auto runs = now().runs;
    for (const auto& other : runs)
      if (other->id != first_run_ && first_run_ != 0) send(command::RemoveRun{other->id});
    for (const Command& command : std::initializer_list<Command>{
             command::Pause{}, command::StopPlaying{},
             command::NewRun{.task = "recall", .spec_json = {}}, command::SetPlaySpeed{4.0},
             command::Save{files_.path("kept.xlab").toStdString()}}) {
      window_->stage().send(command);
    }
    send(command::SetCursor{4});
    window_->stage().set_block(0);
    window_->activateWindow();
    view("gates").canvas().setFocus();
    settle();
  }

  bool seen(const QString& dock) { return window_->findChild<QDockWidget*>(dock)->isVisible(); }

  /// What opens without being modal, closed again.
  bool closes_dialog(const QString& title) {
    for (QWidget* widget : QApplication::topLevelWidgets()) {
      if (qobject_cast<QDialog*>(widget) && widget->isVisible() && widget->windowTitle() == title) {
        widget->close();
        return true;
      }
    }
    return false;
  }

  void fill_table() {
    first_run_ = now().focused_run;
    const int last = static_cast<int>(now().sequence.tokens.size()) - 1;
    ASSERT_GT(last, 14) << "ten steps on from t = 4 must not end at the last token";
    const QString picture = files_.path("p.png"), drawing = files_.path("d.svg"),
                  csv = files_.path("t.csv"), copy = files_.path("copy.xlab"),
                  all = files_.path("all.xlab"), exported = files_.path("exported"),
                  recording = files_.path("r.safetensors");
    table_["File/New/Associative recall"] = {{"NewRun recall"}, {}, {}, {}};
    table_["File/New/Parity"] = {{"NewRun parity"}, {}, {}, {}};
    table_["File/New/Copy"] = {{"NewRun copy"}, {}, {}, {}};
    const auto explores = [this] { return window_->perspective() == app::Perspective::explorer; };
    table_["File/New/Gate explorer"] = {{"NewRun explorer"}, {}, explores, {}};
    table_["File/Open text…"] = {{"OpenText " + files_.text}, {}, {}, {files_.text}};
    table_["File/Open run…"] = {{"OpenRun " + files_.run}, {}, {}, {files_.run}};
    table_["File/Open model folder…"] = {{"OpenFolder " + files_.model}, {}, {}, {files_.model}};
    const auto two = [this] { return now().runs.size() == 2; };
    table_["File/Open beside/Associative recall"] = {{"NewRun recall beside"}, {}, two, {}};
    table_["File/Open beside/Parity"] = {{"NewRun parity beside"}, {}, two, {}};
    table_["File/Open beside/Copy"] = {{"NewRun copy beside"}, {}, two, {}};
    table_["File/Open beside/Gate explorer"] = {
        {"NewRun explorer beside"}, {}, [=] { return two() && explores(); }, {}};
    table_["File/Open beside/Text…"] = {
        {"OpenText " + files_.text + " beside"}, {}, two, {files_.text}};
    table_["File/Open beside/Run…"] = {
        {"OpenRun " + files_.run + " beside"}, {}, two, {files_.run}};
    table_["File/Open beside/Model folder…"] = {
        {"OpenFolder " + files_.model + " beside"}, {}, two, {files_.model}};
    table_["File/Save"] = {{"Save"}, {}, {}, {}};
    table_["File/Save as…"] = {
        {"Save " + copy}, {}, [=] { return QFile::exists(copy); }, {files_.path("copy")}};
    table_["File/Save all runs as…"] = {{"SaveBench " + all},
                                        [this] { send(command::DuplicateRun{now().focused_run}); },
                                        [=, this] {
                                          const bool named =
                                              menu_actions(*window_).contains("File/Save all runs");
                                          for (const auto& run : now().runs)
                                            if (QString::fromStdString(run->path) != all)
                                              return false;
                                          send(command::Undo{});
                                          return named && QFile::exists(all);
                                        },
                                        {files_.path("all")}};
    table_["File/Export picture…"] = {{}, {}, [=] { return !QImage(picture).isNull(); }, {picture}};
    table_["File/Export SVG…"] = {{},
                                  {},
                                  [=] {
                                    QFile file(drawing);
                                    return file.open(QIODevice::ReadOnly) &&
                                           file.readAll().contains("forget gate");
                                  },
                                  {drawing}};
    table_["File/Export CSV…"] = {{},
                                  {},
                                  [=] {
                                    QFile file(csv);
                                    return file.open(QIODevice::ReadOnly) &&
                                           file.readLine().count(',') > 2 && QImage(csv).isNull();
                                  },
                                  {csv}};
    table_["File/Export recording…"] = {
        {}, {}, [=] { return is_recording(recording.toStdString()); }, {recording}};
    table_["File/Export model folder…"] = {{"ExportFolder " + exported},
                                           {},
                                           [=] { return QFile::exists(exported + "/config.json"); },
                                           {exported}};
    table_["File/Back to start"] = {{"OpenRun bytes", "Rewind", "SetPlaySpeed 4", "Play"},
                                    [this] { window_->set_room(app::Room::train); },
                                    [this] { return window_->room() == app::Room::explore; },
                                    {}};

    const Clamp clamp{.path = now().model->blocks[0].prefix + "/forget_gate_pre",
                      .head = 1,
                      .begin = 3,
                      .end = 5,
                      .value = -2.5f};
    const auto hold = [this, clamp] { send(command::SetClamp{clamp}); };
    table_["Edit/Clear clamps"] = {
        {"ClearClamps"}, hold, [this] { return now().sequence.clamps.empty(); }, {}};
    const auto pin = [this] {
      ui::Focus focus = window_->stage().focus();
      focus.pinned = ui::ValueRef{now().model->blocks[0].path("m"), 4, 0, 0};
      window_->stage().set_focus(focus);
      QApplication::clipboard()->setText("nothing");
    };
    const auto copied = [](const QString& part) {
      return [part] { return QApplication::clipboard()->text().contains(part); };
    };
    table_["Edit/Copy value"] = {
        {}, pin, [=] { return !copied("nothing")() && !copied("m_t")(); }, {}};
    table_["Edit/Copy equation"] = {{}, pin, copied("m_t = max(log σ(f_t)"), {}};
    table_["Edit/Copy as LaTeX"] = {{}, pin, copied("m_{t} &= \\max(\\log \\sigma"), {}};
    table_["Edit/Show in code…"] = {{}, pin, [this] { return closes_dialog("Show in code"); }, {}};

    const auto words_of_edits = [this](const char* gate, int block, int head, int unit, int begin,
                                       int end, const char* name) {
      const BlockCard& card = now().model->blocks[static_cast<std::size_t>(block)];
      return QString("AddClamps %1 head %2 unit %3 %4..%5 = %7 as %6")
          .arg(QString::fromStdString(card.path(gate)))
          .arg(head)
          .arg(unit)
          .arg(begin)
          .arg(end)
          .arg(name)
          .arg(static_cast<double>(card.values->find(gate)->closed_at));
    };
    const auto edits = [this](std::size_t count) {
      return [this, count] { return now().sequence.clamps.size() == count; };
    };
    const auto second_head = [this] { window_->stage().set_head(1); };
    const QString unwritten = "Edit/Token at the cursor/Never written ";
    table_[unwritten + "in this head"] = {
        {words_of_edits("input_gate_pre", 0, 1, 0, 4, 5, "never written")},
        second_head,
        edits(1),
        {}};
    table_[unwritten + "in this block"] = {
        {words_of_edits("input_gate_pre", 0, -1, 0, 4, 5, "never written")}, {}, edits(1), {}};
    table_[unwritten + "in the whole model"] = {
        {words_of_edits("input_gate_pre", 0, -1, 0, 4, 5, "never written") + " and 1 more"},
        {},
        edits(2),
        {}};
    const int steps = kAllSteps;
    table_["Edit/Switch off/This head"] = {
        {words_of_edits("output_gate_pre", 0, 1, -1, 0, steps, "switching off")},
        second_head,
        edits(1),
        {}};
    table_["Edit/Switch off/This block"] = {
        {words_of_edits("output_gate_pre", 0, -1, -1, 0, steps, "switching off")},
        {},
        edits(1),
        {}};
    table_["Edit/History…"] = {{}, {}, [this] { return closes_dialog("History"); }, {}};
    table_["Edit/Pin this state"] = {{},
                                     {},
                                     [this] {
                                       const ui::Focus focus = window_->stage().focus();
                                       return focus.reference &&
                                              focus.reference->sequence.cursor == 4;
                                     },
                                     {}};
    // Of the pre-activation that is pointed at.
    table_["Edit/Hold what is under the mouse"] = {
        // An untrained head has its bias alone there.
        {QString("SetClamp %1 head 1 unit 0 3..4 = 6").arg(QString::fromStdString(clamp.path))},
        [this, clamp] {
          ui::Focus focus = window_->stage().focus();
          focus.hovered = ui::ValueRef{clamp.path, 3, 1, 0};
          window_->stage().set_focus(focus);
        },
        edits(1),
        {}};

    table_["Run/Start training"] = {{"Train"}, {}, {}, {}};
    table_["Run/One step"] = {{"TrainOneStep"}, {}, [this] { return now().train.step == 1; }, {}};
    table_["Run/Restart run"] = {{"RestartRun"}, {}, {}, {}};
    table_["Run/New seed"] = {{"NewSeed"}, {}, {}, {}};
    table_["Run/New sample"] = {{"NewSample"}, {}, {}, {}};

    const int run = now().focused_run;
    const QString this_run = QString::number(run);
    const auto with_another = [this, run] { send(command::DuplicateRun{run}); };
    const auto runs = [this](std::size_t count) {
      return [this, count] { return now().runs.size() == count; };
    };
    table_["Run/Duplicate run"] = {{"DuplicateRun " + this_run}, {}, runs(2), {}};
    table_["Run/Duplicate run with another seed"] = {
        {"DuplicateRun " + this_run + " with another seed"}, {}, runs(2), {}};
    table_["Run/Rename run"] = {
        {}, {}, [this] { return window_->findChild<QLineEdit*>("cell_editor") != nullptr; }, {}};
    table_["Run/Remove run"] = {{"RemoveRun " + this_run},
                                [=, this] {
                                  with_another();
                                  send(command::FocusRun{run});
                                },
                                runs(1),
                                {}};
    table_["Run/Train all runs"] = {{"TrainAll on"}, with_another, {}, {}};
    for (const char* other : {"Run/Next run", "Run/Previous run"}) {
      table_[other] = {{"FocusRun " + this_run},
                       with_another,
                       [this, run] { return now().focused_run == run; },
                       {}};
    }

    table_["Time/Rewind"] = {{"Rewind"}, {}, {}, {}};
    table_["Time/Step back"] = {
        {"StepBack"}, {}, [this] { return now().sequence.cursor == 3; }, {}};
    table_["Time/Play"] = {{"Play"}, {}, {}, {}};
    table_["Time/Step"] = {{"StepForward"}, {}, [this] { return now().sequence.cursor == 5; }, {}};
    table_["Time/Ten back"] = {{"SetCursor 3"}, [this] { send(command::SetCursor{13}); }, {}, {}};
    table_["Time/Ten on"] = {{"SetCursor 14"}, {}, {}, {}};
    table_["Time/First token"] = {{"SetCursor 0"}, {}, {}, {}};
    table_["Time/Last token"] = {{QString("SetCursor %1").arg(last)}, {}, {}, {}};
    table_["Time/Slower"] = {{"SetPlaySpeed 2"}, {}, {}, {}};
    table_["Time/Faster"] = {{"SetPlaySpeed 8"}, {}, {}, {}};

    // A dock that is on the screen is closed, another one comes to the front.
    for (app::Dock* dock :
         window_->findChildren<app::Dock*>(QString(), Qt::FindDirectChildrenOnly)) {
      const auto was = std::make_shared<bool>();
      // One of them has to be computed when it comes there.
      const bool asks = dock->objectName() == "view_reach";
      table_["View/" + dock->title()] = {
          asks ? QStringList{"ComputeReach"} : QStringList{},
          [=] { *was = dock->isVisible() && !dock->visibleRegion().isEmpty(); },
          [=] { return dock->isHidden() == *was; },
          {}};
    }
    table_["View/Show as table"] = {{}, {}, [this] { return view("gates").shows_table(); }, {}};
    table_["View/Maximise view"] = {
        {}, {}, [this] { return seen("view_gates") && !seen("view_memory"); }, {}};
    table_["View/Perspectives/Memory"] = {
        {},
        [this] { window_->set_perspective(app::Perspective::faces); },
        [this] {
          return window_->perspective() == app::Perspective::memory && seen("view_memory");
        },
        {}};
    table_["View/Perspectives/Stabilizer"] = {
        {}, {}, [this] { return seen("view_stabilizer") && seen("panel_model"); }, {}};
    table_["View/Perspectives/Write budget"] = {
        {}, {}, [this] { return seen("view_budget") && seen("view_gates"); }, {}};
    table_["View/Perspectives/Map"] = {
        {}, {}, [this] { return seen("view_map") && seen("view_memory"); }, {}};
    table_["View/Perspectives/Mixing"] = {
        {}, {}, [this] { return seen("view_mixing") && seen("view_gates"); }, {}};
    table_["View/Perspectives/Gate explorer"] = {
        {}, {}, [this] { return seen("view_explorer") && seen("view_inspector"); }, {}};
    table_["View/Perspectives/Two faces"] = {
        {},
        {},
        [this] { return seen("view_faces") && seen("view_inspector") && !seen("panel_prompt"); },
        {}};
    table_["View/Hide panels"] = {{}, {}, [this] { return !seen("panel_prompt"); }, {}};
    const auto head = [this](int head) {
      return [this, head] { return window_->stage().focus().head == head; };
    };
    table_["View/Previous head"] = {{}, [this] { window_->stage().set_head(1); }, head(0), {}};
    table_["View/Next head"] = {{}, [this] { window_->stage().set_head(0); }, head(1), {}};
    table_["View/Block above"] = {{"Focus 0"}, [this] { window_->stage().set_block(1); }, {}, {}};
    table_["View/Block below"] = {{"Focus 1"}, {}, {}, {}};

    const auto room = [this](app::Room room) {
      return [this, room] { return window_->room() == room; };
    };
    table_["Window/Explore"] = {
        {}, [this] { window_->set_room(app::Room::train); }, room(app::Room::explore), {}};
    table_["Window/Train"] = {{}, {}, room(app::Room::train), {}};
    table_["Window/Generate"] = {{}, {}, room(app::Room::generate), {}};
    const auto palette = [this](ui::PaletteName name) {
      return [this, name] { return window_->stage().look().palette == name; };
    };
    table_["Window/Palette/Light"] = {
        {},
        [this] { window_->set_look({.palette = ui::PaletteName::dark}); },
        palette(ui::PaletteName::light),
        {}};
    table_["Window/Palette/Dark"] = {{}, {}, palette(ui::PaletteName::dark), {}};
    table_["Window/Palette/Projector"] = {{}, {}, palette(ui::PaletteName::projector), {}};
    const auto scale = [this](float scale) {
      return [this, scale] { return window_->stage().look().scale == scale; };
    };
    const auto larger = [this] { window_->set_look({.scale = 1.5f}); };
    for (const int percent : {100, 125, 150, 175, 200, 250}) {
      table_[QString("Window/Size of text/%1 %").arg(percent)] = {
          {}, larger, scale(static_cast<float>(percent) / 100.0f), {}};
    }
    table_["Window/Larger text"] = {{}, larger, scale(1.75f), {}};
    table_["Window/Smaller text"] = {{}, larger, scale(1.25f), {}};
    table_["Window/Reset layout"] = {
        {}, [this] { view("next").hide(); }, [this] { return seen("view_next"); }, {}};
    table_["Help/Keys"] = {{}, {}, [this] { return closes_dialog("Keys"); }, {}};
    table_["Help/Glossary"] = {{}, {}, [this] { return closes_dialog("Glossary"); }, {}};
    table_["Help/About xLSTM Lab"] = {
        {}, {}, [this] { return closes_dialog("About xLSTM Lab"); }, {}};
  }

  /// By its key where it has one, which is how most people reach it.
  void trigger(QAction* action) {
    const QKeySequence keys = action->shortcut();
    if (keys.isEmpty()) {
      action->trigger();
    } else {
      QTest::keyClick(window_->windowHandle(), keys[0].key(), keys[0].keyboardModifiers());
    }
  }

  QMap<QString, Row> table_;
  int first_run_ = 0;
  Files files_;
};

TEST_F(Actions, EveryActionOfEveryMenuDoesWhatTheTableSays) {
  const QMap<QString, QAction*> actions = menu_actions(*window_);
  ASSERT_GT(actions.size(), 60);
  // What needs a history, a session from before or the end of the program has tests of its own.
  // The words of undo and redo say what they would do.
  const auto has_a_test_of_its_own = [](const QString& path) {
    return path == "File/Quit" || path.startsWith("File/Reopen") ||
           path.startsWith("File/Open beside/Reopen") || path.startsWith("Edit/Undo") ||
           path.startsWith("Edit/Redo");
  };
  for (auto it = table_.cbegin(); it != table_.cend(); ++it)
    EXPECT_TRUE(actions.contains(it.key())) << qPrintable(it.key()) << " is in no menu";
  for (auto it = actions.cbegin(); it != actions.cend(); ++it) {
    if (has_a_test_of_its_own(it.key())) continue;
    if (!table_.contains(it.key())) {
      ADD_FAILURE() << "The table does not say what this does: " << qPrintable(it.key());
      continue;
    }
    SCOPED_TRACE(it.key().toStdString());
    const Row& row = table_[it.key()];
    reset();
    if (row.before) row.before();
    settle();
    Answers answers;
    answers.files = row.files;
    QStringList words;
    {
      Sent sent(window_->stage().engine());
      trigger(it.value());
      QTest::qWait(60);
      words = words_of_commands(sent.commands);
      // Training never rests.
      window_->stage().send(command::Pause{});
      settle();
    }
    EXPECT_EQ(words.join(", ").toStdString(), row.sent.join(", ").toStdString());
    if (row.afterwards) {
      EXPECT_TRUE(QTest::qWaitFor(row.afterwards, 3000));
    }
    EXPECT_TRUE(answers.questions.isEmpty()) << qPrintable(answers.questions.join(' '));
    EXPECT_TRUE(answers.files.isEmpty()) << "no dialog asked for a file";
    window_->stage().send(command::Pause{});
  }
}

TEST_F(Actions, EveryButtonOfTheToolBarIsOneOfTheseActions) {
  const QList<QAction*> actions = menu_actions(*window_).values();
  auto* bar = window_->findChild<QToolBar*>("tool_bar");
  ASSERT_NE(bar, nullptr);
  int buttons = 0;
  for (QToolButton* button : bar->findChildren<QToolButton*>()) {
    if (button->objectName() == "qt_toolbar_ext_button") continue;
    EXPECT_FALSE(button->accessibleName().isEmpty());
    EXPECT_FALSE(button->toolTip().isEmpty()) << qPrintable(button->accessibleName());
    if (button->menu()) continue;
    ++buttons;
    EXPECT_TRUE(actions.contains(button->defaultAction()))
        << qPrintable(button->accessibleName()) << " is in no menu";
  }
  EXPECT_GE(buttons, 9);
}

TEST_F(Actions, AnUndoneEditIsGoneAfterANewOne) {
  reset();
  const auto clamp = [&](int step, float value) {
    return Clamp{.path = now().model->blocks[0].prefix + "/forget_gate_pre",
                 .head = 1,
                 .begin = step,
                 .end = step + 1,
                 .value = value};
  };
  send(command::SetClamp{clamp(2, -4.0f)});
  key(Qt::Key_Z, Qt::ControlModifier);
  ASSERT_TRUE(now().sequence.clamps.empty());
  key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  ASSERT_EQ(now().sequence.clamps.size(), 1u);
  key(Qt::Key_Z, Qt::ControlModifier);
  ASSERT_TRUE(now().sequence.clamps.empty());
  const Clamp other = clamp(7, 1.5f);
  send(command::SetClamp{other});
  key(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  EXPECT_EQ(now().sequence.clamps, std::vector<Clamp>{other}) << "redo leads nowhere any more";
}

TEST_F(Actions, TrainingAndPlayingStopAgain) {
  reset();
  for (const auto& [path, on, off] : {std::tuple{"Run/Start training", "Train", "Pause"},
                                      std::tuple{"Time/Play", "Play", "StopPlaying"}}) {
    QAction* action = menu_actions(*window_)[path];
    Sent sent(window_->stage().engine());
    for (int i = 0; i < 2; ++i) {
      trigger(action);
      window_->stage().engine().flush();
      QTest::qWait(60);
    }
    EXPECT_EQ(words_of_commands(sent.commands).join(", ").toStdString(),
              std::string(on) + ", " + off);
  }
}

}  // namespace
}  // namespace xlab::tests
