// Every control of every panel and every button of every dock, with the commands it sends: a table
// that has to be complete.
#include <QAbstractButton>
#include <QAbstractSlider>
#include <QAbstractSpinBox>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDialog>
#include <QDockWidget>
#include <QFile>
#include <QLineEdit>
#include <QMenu>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeView>
#include <QXmlStreamReader>
#include <functional>
#include <stdexcept>

#include "app/device_chip.hpp"
#include "app/dock.hpp"
#include "app_answers.hpp"
#include "app_commands.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

/// A control, how a hand moves it, and what that sends.
struct ControlRow {
  std::function<void(QWidget&)> move;
  QString sent;
  std::function<bool()> afterwards;
};

bool is_control(const QWidget& widget) {
  const auto* text = qobject_cast<const QPlainTextEdit*>(&widget);
  const auto* line = qobject_cast<const QLineEdit*>(&widget);
  const auto* slider = qobject_cast<const QAbstractSlider*>(&widget);
  // Parts of other controls, and scroll bars.
  const QWidget* parent = widget.parentWidget();
  if (qobject_cast<const QAbstractSpinBox*>(parent) || qobject_cast<const QComboBox*>(parent) ||
      widget.objectName().startsWith("qt_") || widget.inherits("QScrollBar") ||
      widget.inherits("QTableCornerButton")) {
    return false;
  }
  return qobject_cast<const QAbstractButton*>(&widget) || slider ||
         qobject_cast<const QAbstractSpinBox*>(&widget) ||
         qobject_cast<const QComboBox*>(&widget) || (line && !line->isReadOnly()) ||
         (text && !text->isReadOnly()) || qobject_cast<const QTreeView*>(&widget);
}

class Controls : public WindowTest {
 protected:
  QDockWidget* panel(const QString& name) {
    return window_->findChild<QDockWidget*>("panel_" + name);
  }

  /// "trainer/Step limit"; what an edit holds is left out of its name.
  static QString name_of(const QWidget& control) {
    QString dock;
    for (const QWidget* up = &control; up; up = up->parentWidget())
      if (qobject_cast<const QDockWidget*>(up)) dock = up->objectName();
    QString name = control.accessibleName().section(':', 0, 0);
    if (const auto* button = qobject_cast<const QAbstractButton*>(&control);
        button && name.isEmpty())
      name = button->text();
    return dock.remove("panel_") + "/" + name;
  }

  /// A recall run at t = 11 with one clamp, that nobody would miss.
  void reset() {
    window_->stage().send(command::Pause{});
    window_->stage().send(command::StopPlaying{});
    // One run, the first one.
    window_->stage().send(command::TrainAll{false});
    for (std::size_t i = 1; i < now().runs.size();)
      window_->stage().send(command::RemoveRun{now().runs[i]->id});
    window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
    window_->stage().engine().flush();
    settle();
    clamp_ = Clamp{.path = now().model->blocks[0].prefix + "/forget_gate_pre",
                   .head = 1,
                   .begin = 3,
                   .end = 6,
                   .value = -2.5f};
    window_->stage().send(command::SetClamp{clamp_});
    window_->stage().send(command::SetCursor{11});
    window_->stage().set_block(0);
    settle();
    const QTemporaryDir folder;
    window_->stage().send(command::Save{folder.filePath("kept.xlab").toStdString()});
    settle();
  }

  static void click(QWidget& widget) { QTest::mouseClick(&widget, Qt::LeftButton); }
  static void press_key(QWidget& widget, Qt::Key key) {
    widget.setFocus();
    QTest::keyClick(&widget, key);
  }
  static std::function<void(QWidget&)> key(Qt::Key key) {
    return [key](QWidget& widget) { press_key(widget, key); };
  }
  static std::function<void(QWidget&)> type(const QString& text) {
    return [text](QWidget& widget) {
      widget.setFocus();
      QTest::keyClick(&widget, Qt::Key_A, Qt::ControlModifier);
      QTest::keyClicks(&widget, text);
      QTest::keyClick(&widget, Qt::Key_Return);
    };
  }

  QString variant(std::function<void(CellVariant&)> change) {
    const BlockCard& block = now().model->blocks[0];
    CellVariant wanted = block.variant;
    change(wanted);
    return words_of_command(command::SetVariant{block.kind, wanted});
  }
  QString replaced(std::function<void(Clamp&)> change) {
    Clamp wanted = clamp_;
    change(wanted);
    return words_of_command(command::ReplaceClamp{0, wanted});
  }

  Clamp clamp_;
};

TEST_F(Controls, EveryControlOfEveryPanelSendsWhatTheTableSays) {
  reset();
  const std::string first = now().model->vocabulary[1], second = now().model->vocabulary[2];
  const QString prompt = QString::fromStdString(first + " " + second);
  const float input =
      now().trace->find(11, now().model->blocks[0].prefix + "/input_gate_pre")->at(0, 0);
  const QMap<QString, ControlRow> table = {
      {"model/Blocks of the model; choose one to look into", {key(Qt::Key_Down), "Focus 1", {}}},
      {"model/Specification of the model",
       {click, "",
        [] {
          for (QWidget* widget : QApplication::topLevelWidgets())
            if (widget->windowTitle() == "Model specification") return widget->close();
          return false;
        }}},
      {"model/Forget gate",
       {key(Qt::Key_Down),
        variant([](CellVariant& v) { v.forget_gate = ForgetGate::exponential; }),
        {}}},
      {"model/Stabilizer",
       {key(Qt::Key_Down), variant([](CellVariant& v) { v.stabilizer = false; }), {}}},
      {"model/Input gate",
       {key(Qt::Key_Down), variant([](CellVariant& v) { v.input_gate = InputGate::sigmoid; }), {}}},
      {"model/Divided by N",
       {key(Qt::Key_Down), variant([](CellVariant& v) { v.normalizer = false; }), {}}},
      {"model/Floor of N",
       {key(Qt::Key_Down),
        variant([](CellVariant& v) { v.denominator_floor = DenominatorFloor::one; }),
        {}}},
      {"model/1/√K goes to",
       {key(Qt::Key_Down), variant([](CellVariant& v) { v.scale = Scaled::queries; }), {}}},
      {"model/ε", {key(Qt::Key_End), variant([](CellVariant& v) { v.eps = 0.01; }), {}}},
      {"model/Gates capped at",
       {key(Qt::Key_Down), variant([](CellVariant& v) { v.gate_soft_cap = 5.0; }), {}}},
      {"model/Numbers",
       {key(Qt::Key_End),
        variant([](CellVariant& v) { v.number_format = NumberFormat::fp16; }),
        {}}},
      {"task/Task", {key(Qt::Key_Down), "NewRun parity", {}}},
      {"task/New sample of the task", {click, "NewSample", {}}},
      {"runs/Runs; Enter brings one on the screen",
       {key(Qt::Key_Return), QString("FocusRun %1").arg(now().focused_run), {}}},
      {"runs/Train all runs", {click, "TrainAll on", {}}},
      {"runs/Duplicate the run", {click, QString("DuplicateRun %1").arg(now().focused_run), {}}},
      {"runs/What else can be done with this run",
       {[](QWidget& widget) {
          QMenu* menu = qobject_cast<QToolButton*>(&widget)->menu();
          emit menu->aboutToShow();
          menu->actions().value(0)->trigger();
        },
        QString("TrainRun %1 on").arg(now().focused_run),
        {}}},
      {"trainer/Start training", {click, "Train", {}}},
      {"trainer/Train one step", {click, "TrainOneStep", {}}},
      // A quarter of a decade: not e^0.25.
      {"trainer/Learning rate factor, logarithmic from 0.01 to 10",
       {key(Qt::Key_PageUp), "SetLearningRateScale 1.77828", {}}},
      {"trainer/Step limit", {type("40"), "SetStepLimit 40", {}}},
      {"prompt/Prompt", {type(prompt), "SetPrompt " + prompt, {}}},
      {"prompt/Set the prompt",
       {[this](QWidget& button) {
          auto* field = panel("prompt")->findChild<QPlainTextEdit*>();
          field->setFocus();
          QTest::keyClick(field, Qt::Key_A, Qt::ControlModifier);
          QTest::keyClicks(field, "a 1");
          click(button);
        },
        "SetPrompt a 1",
        {}}},
      {"prompt/Play", {click, "Play", {}}},
      {"prompt/Next token", {click, "StepForward", {}}},
      {"prompt/Clear all edits", {click, "ClearClamps", {}}},
      {"prompt/Hold a value",
       {[](QWidget& widget) {
          QMenu* menu = qobject_cast<QToolButton*>(&widget)->menu();
          emit menu->aboutToShow();
          menu->actions().value(0)->trigger();
        },
        words_of_command(
            command::SetClamp{Clamp{.path = now().model->blocks[0].prefix + "/input_gate_pre",
                                    .begin = 11,
                                    .end = 12,
                                    .value = input}}),
        {}}},
      {"prompt/Edit 1", {key(Qt::Key_Space), "EnableClamp 0 off", {}}},
      {"prompt/Remove edit 1", {click, "RemoveClamp 0", {}}},
      {"prompt/How edit 1 holds its value",
       {key(Qt::Key_End),
        replaced([](Clamp& c) {
          c.change = Change::scale;  // the last but one: nothing is drawn
          c.value = 1.0f;
        }),
        {}}},
      {"prompt/Value of edit 1", {type("1.25"), replaced([](Clamp& c) { c.value = 1.25f; }), {}}},
      {"prompt/Head", {type("0"), replaced([](Clamp& c) { c.head = 0; }), {}}},
      {"prompt/First time step", {type("4"), replaced([](Clamp& c) { c.begin = 4; }), {}}},
      {"prompt/Last time step", {type("8"), replaced([](Clamp& c) { c.end = 9; }), {}}},
      {"text/Copy the text",
       {[](QWidget& widget) {
          QApplication::clipboard()->clear();
          click(widget);
        },
        "", [] { return !QApplication::clipboard()->text().isEmpty(); }}},
  };
  // Controls that mean nothing for this run; each has a test of its own.
  const QStringList elsewhere = {"task/Tokens",
                                 "task/Train this model on another task",
                                 "prompt/Unit",
                                 "prompt/Move edit 1 up",
                                 "model/Back to the usual equations",
                                 "prompt/Write past the end of the text",
                                 "model/Everything that was read of the model's folder"};

  QStringList found;
  const auto controls = [&] {
    QMap<QString, QWidget*> all;
    for (QDockWidget* dock : window_->findChildren<QDockWidget*>(QRegularExpression("^panel_"))) {
      for (QWidget* widget : dock->findChildren<QWidget*>()) {
        bool title = false;
        for (const QWidget* up = widget; up; up = up->parentWidget())
          title = title || up->objectName() == "dock_title";
        if (!title && is_control(*widget)) all[name_of(*widget)] = widget;
      }
    }
    return all;
  };
  const QStringList names = controls().keys();
  for (auto it = table.cbegin(); it != table.cend(); ++it)
    EXPECT_TRUE(names.contains(it.key())) << qPrintable(it.key()) << " is in no panel";
  for (const QString& name : names) {
    if (elsewhere.contains(name)) continue;
    if (!table.contains(name)) {
      ADD_FAILURE() << "The table does not say what this sends: " << qPrintable(name);
      continue;
    }
    SCOPED_TRACE(name.toStdString());
    const ControlRow& row = table[name];
    reset();
    QWidget* control = controls().value(name);
    ASSERT_NE(control, nullptr);
    auto* dock = window_->findChild<QDockWidget*>("panel_" + name.section('/', 0, 0));
    dock->show();
    dock->raise();
    settle();
    EXPECT_TRUE(control->isEnabled());
    Answers answers;
    QStringList words;
    {
      Sent sent(window_->stage().engine());
      row.move(*control);
      QTest::qWait(60);
      words = words_of_commands(sent.commands);
      // Training never rests.
      window_->stage().send(command::Pause{});
      settle();
    }
    // On a busy machine the drawing of the memory asks for its block in between.
    if (!row.sent.contains("Focus")) words.removeAll("Focus 0");
    EXPECT_EQ(words.join(", ").toStdString(), row.sent.toStdString());
    if (row.afterwards) {
      EXPECT_TRUE(QTest::qWaitFor(row.afterwards, 3000));
    }
    EXPECT_TRUE(answers.questions.isEmpty());
  }
}

TEST_F(Controls, TheUsualEquationsComeBack) {
  reset();
  const BlockCard block = now().model->blocks[0];
  CellVariant other = block.usual;
  other.forget_gate = ForgetGate::exponential;
  window_->stage().send(command::SetVariant{block.kind, other});
  settle();
  for (QAbstractButton* button : panel("model")->findChildren<QAbstractButton*>()) {
    if (button->accessibleName() != "Back to the usual equations") continue;
    panel("model")->show();
    panel("model")->raise();
    settle();
    Sent sent(window_->stage().engine());
    click(*button);
    settle();
    EXPECT_EQ(words_of_commands(sent.commands).join(", "),
              words_of_command(command::SetVariant{block.kind, block.usual}));
    return;
  }
  ADD_FAILURE() << "there is no such button";
}

TEST_F(Controls, EveryDockHasTheSameButtonsAndEachDoesItsWork) {
  const QTemporaryDir folder;
  for (app::ViewDock* dock : window_->views()) {
    SCOPED_TRACE(dock->view_name().toStdString());
    window_->reset_layout();
    dock->show();
    dock->raise();
    settle();
    QStringList names;
    for (QToolButton* button : dock->titleBarWidget()->findChildren<QToolButton*>())
      names.append(button->accessibleName());
    const QString title = dock->title();
    EXPECT_EQ(names, (QStringList{"More about " + title, "Show " + title + " as a table",
                                  "Maximise " + title + " (F)"}));
    const auto button = [&](const QString& name) -> QToolButton& {
      for (QToolButton* candidate : dock->titleBarWidget()->findChildren<QToolButton*>())
        if (candidate->accessibleName() == name) return *candidate;
      throw std::runtime_error("no such button");
    };
    click(button(names[1]));
    EXPECT_TRUE(dock->shows_table());
    click(button(names[1]));
    EXPECT_FALSE(dock->shows_table());
    click(button(names[2]));
    settle();
    int open = 0;
    for (QDockWidget* other :
         window_->findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly))
      open += !other->isHidden();
    EXPECT_EQ(open, 1);
    click(button(names[2]));
    settle();

    QMap<QString, QAction*> menu;
    walk_menu(dock->menu(), "", menu);
    const bool tells = dock->view_name() == "findings";
    EXPECT_EQ(menu.keys().join(", "),
              QString("/Close, ") + (tells ? "/Copy as text, " : "") +
                  "/Detach or dock, /Export CSV…, /Export SVG…, /Export picture/1x, /Export "
                  "picture/2x, /Export picture/3x, /Export picture/4x, /Show as table");
    if (tells) {
      QApplication::clipboard()->clear();
      menu["/Copy as text"]->trigger();
      const QString text = QApplication::clipboard()->text();
      EXPECT_TRUE(text.startsWith("Block 0 (")) << qPrintable(text);
      EXPECT_GT(text.count(".\n"), 3);
    }
    const QSize size = dock->canvas().size();
    for (const int density : {1, 2, 3, 4}) {
      Answers answers;
      const QString path =
          folder.filePath(QString("%1-%2.png").arg(dock->view_name()).arg(density));
      answers.files = {path};
      menu[QString("/Export picture/%1x").arg(density)]->trigger();
      // It is written beside the window.
      ASSERT_TRUE(QTest::qWaitFor([&] { return QFile::exists(path); }, 10000));
      EXPECT_EQ(QImage(path).size(), size * density);
    }
    {
      Answers answers;
      const QString path = folder.filePath(dock->view_name() + ".csv");
      answers.files = {path};
      menu["/Export CSV…"]->trigger();
      // It is written beside the window.
      ASSERT_TRUE(QTest::qWaitFor([&] { return QFile::exists(path); }, 10000));
      QFile file(path);
      ASSERT_TRUE(file.open(QIODevice::ReadOnly));
      EXPECT_TRUE(file.readLine().contains(','));
    }
    {
      Answers answers;
      const QString path = folder.filePath(dock->view_name() + ".svg");
      answers.files = {path};
      menu["/Export SVG…"]->trigger();
      ASSERT_TRUE(QTest::qWaitFor([&] { return QFile::exists(path); }, 10000));
      QFile file(path);
      ASSERT_TRUE(file.open(QIODevice::ReadOnly));
      QXmlStreamReader xml(&file);
      int texts = 0;
      while (!xml.atEnd())
        texts += xml.readNext() == QXmlStreamReader::StartElement && xml.name() == u"text";
      EXPECT_FALSE(xml.hasError()) << xml.errorString().toStdString();
      EXPECT_GT(texts, 0);
    }
    menu["/Show as table"]->trigger();
    EXPECT_TRUE(dock->shows_table());
    menu["/Show as table"]->trigger();
    EXPECT_FALSE(dock->shows_table());
    menu["/Detach or dock"]->trigger();
    EXPECT_TRUE(dock->isFloating());
    menu["/Detach or dock"]->trigger();
    EXPECT_FALSE(dock->isFloating());
    menu["/Close"]->trigger();
    EXPECT_TRUE(dock->isHidden());
  }
}

TEST_F(Controls, TheDeviceChipOffersTheDevicesAndMovesThere) {
  auto* chip = window_->findChild<app::DeviceChip*>();
  ASSERT_NE(chip, nullptr);
  EXPECT_FALSE(chip->toolTip().isEmpty());
  emit chip->menu()->aboutToShow();
  ASSERT_FALSE(chip->menu()->actions().isEmpty());
  Sent sent(window_->stage().engine());
  chip->menu()->actions().first()->trigger();
  EXPECT_EQ(words_of_commands(sent.commands).join(", "), "UseDevice cpu");
}

}  // namespace
}  // namespace xlab::tests
