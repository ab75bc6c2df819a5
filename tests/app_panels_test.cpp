// The Qt panels: every control to its command, every value with its meaning, no number cut.
#include <QAbstractButton>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QFile>
#include <QHeaderView>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QScrollArea>
#include <QScrollBar>
#include <QSlider>
#include <QSpinBox>
#include <QTableView>
#include <QTextBlock>
#include <QTextBrowser>
#include <QToolButton>
#include <QTreeWidget>
#include <QWheelEvent>
#include <algorithm>
#include <clocale>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/dock.hpp"
#include "app/edit_row.hpp"
#include "app/facts.hpp"
#include "app/panel_text.hpp"
#include "app/prompt_field.hpp"
#include "app/table_model.hpp"
#include "app/token_text.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"
#include "core/edits.hpp"
#include "core/engine/engine.hpp"
#include "core/tasks/task.hpp"
#include "counted_work.hpp"

namespace xlab::tests {
namespace {

using app::Room;

class PanelTest : public WindowTest {
 protected:
  void type(QWidget* field, const QString& text) {
    ASSERT_NE(field, nullptr);
    field->setFocus();
    QTest::keyClick(field, Qt::Key_A, Qt::ControlModifier);
    QTest::keyClicks(field, text);
  }
  /// Types into a spin box and leaves it by Return.
  void enter(QWidget* field, const QString& text) {
    type(field, text);
    QTest::keyClick(field, Qt::Key_Return);
  }
  Clamp held(int head = 1, int begin = 2, int end = 5, float value = -1.5f) {
    return {.path = now().model->blocks[0].prefix + "/forget_gate_pre",
            .head = head,
            .begin = begin,
            .end = end,
            .value = value};
  }
  app::EditRow* row(int index) {
    const auto rows = window_->findChildren<app::EditRow*>();
    return index < rows.size() ? rows[index] : nullptr;
  }
  void open_text(const QByteArray& content, const std::string& tokenizer = "characters") {
    const QString path = folder_.filePath("text.txt");
    QFile file(path);
    ASSERT_TRUE(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    file.write(content);
    file.close();
    const auto run = now().run_id;
    window_->stage().send(command::OpenText{.path = path.toStdString(), .tokenizer = tokenizer});
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
        << qPrintable(window_->banner().sentence());
  }

  QTemporaryDir folder_;
};

/// The controls and values of a widget that people point at.
QList<QWidget*> pointed_at(QWidget* inside) {
  QList<QWidget*> found;
  for (QWidget* widget : inside->findChildren<QWidget*>()) {
    // Parts that Qt makes for itself: the field in a spin box, the list of a combo box.
    if (widget->objectName().startsWith("qt_") || widget->window() != inside->window()) continue;
    const auto* label = qobject_cast<QLabel*>(widget);
    const bool value = label && !label->text().isEmpty() &&
                       (label->objectName() == "figure" || label->objectName() == "headline");
    if (value || qobject_cast<QAbstractButton*>(widget) || qobject_cast<QLineEdit*>(widget) ||
        qobject_cast<QComboBox*>(widget) || qobject_cast<QAbstractSlider*>(widget) ||
        qobject_cast<QAbstractSpinBox*>(widget) || qobject_cast<QPlainTextEdit*>(widget) ||
        qobject_cast<QTextBrowser*>(widget) || qobject_cast<QTreeWidget*>(widget)) {
      if (qobject_cast<QScrollBar*>(widget)) continue;
      found.append(widget);
    }
  }
  return found;
}

std::string about(const QWidget* widget) {
  QString text = widget->metaObject()->className();
  if (const auto* button = qobject_cast<const QAbstractButton*>(widget))
    text += " " + button->text();
  if (const auto* label = qobject_cast<const QLabel*>(widget)) text += " " + label->text();
  return (text + " '" + widget->accessibleName() + "'").toStdString();
}

constexpr const char* kPanels[] = {"panel_runs",    "panel_model",  "panel_task",
                                   "panel_trainer", "panel_prompt", "panel_text"};

TEST_F(PanelTest, AnEditOfALaterStepSaysSo) {
  const auto steps = static_cast<int>(now().sequence.tokens.size());
  window_->stage().send(command::SetClamp{held(1, 2, 5)});
  window_->stage().send(command::SetClamp{held(0, steps, steps + 1)});
  settle();
  ASSERT_NE(row(1), nullptr);
  const auto later = [&](int index) {
    for (const QLabel* label : row(index)->findChildren<QLabel*>())
      if (label->text().startsWith("Acts at a later step") && !label->isHidden())
        return label->text();
    return QString();
  };
  EXPECT_EQ(later(0), "");
  EXPECT_EQ(later(1),
            QString("Acts at a later step: the sequence has %1 steps so far.").arg(steps));
  window_->stage().send(command::StepForward{});
  settle();
  EXPECT_EQ(later(1), "") << "now it acts";
}

TEST_F(PanelTest, EverythingPointedAtSaysWhatItIs) {
  window_->stage().send(command::SetClamp{held()});
  window_->stage().send(command::TrainOneStep{});
  settle();
  int seen = 0;
  for (const char* panel : kPanels) {
    for (const QWidget* widget : pointed_at(&front(panel))) {
      ++seen;
      EXPECT_GT(widget->toolTip().size(), 8) << panel << ": " << about(widget);
      const auto* label = qobject_cast<const QLabel*>(widget);
      // A label that is a heading is its own name.
      if (!label || label->textInteractionFlags() & Qt::TextSelectableByMouse) {
        EXPECT_FALSE(widget->accessibleName().isEmpty()) << panel << ": " << about(widget);
      }
    }
  }
  EXPECT_GT(seen, 50);
}

TEST_F(PanelTest, AFactSaysItsMeaningAndIsCopiedInFull) {
  window_->stage().send(command::TrainOneStep{});
  front("panel_trainer");
  auto* loss = named<QLabel>("Loss");
  ASSERT_NE(loss, nullptr);
  const double last = now().train.loss;
  EXPECT_EQ(loss->text(), app::three_digits(last) + " nats");
  EXPECT_TRUE(loss->toolTip().contains("cross-entropy"));
  EXPECT_EQ(loss->property("full").toString().toDouble(), last);
  auto* smoothed = named<QLabel>("Smoothed loss");
  ASSERT_NE(smoothed, nullptr);
  EXPECT_EQ(smoothed->text(), app::three_digits(now().train.smoothed_loss) + " nats");
  EXPECT_GT(loss->fontInfo().pixelSize(), smoothed->fontInfo().pixelSize())
      << "the last loss is the large number";
}

TEST(Numbers, AreWrittenInOneWay) {
  EXPECT_EQ(app::grouped(1234567), "1,234,567");
  EXPECT_EQ(app::grouped(230733), "230,733");
  EXPECT_EQ(app::grouped(-1000), "-1,000");
  EXPECT_EQ(app::grouped(-100), "-100");
  EXPECT_EQ(app::grouped(999), "999");
  EXPECT_EQ(app::grouped(0), "0");
  EXPECT_EQ(app::three_digits(1.9419446e-09), "1.94e−9");
  EXPECT_EQ(app::three_digits(HUGE_VAL), "+Inf");
  EXPECT_EQ(app::three_digits(-HUGE_VAL), "−Inf");
  EXPECT_EQ(app::three_digits(0.25), "0.250");
  EXPECT_EQ(app::three_digits(1000.0), "1000");
  EXPECT_EQ(app::percent(0.5), "50.0 %");
  EXPECT_EQ(app::percent(1.0), "100 %");
  EXPECT_EQ(app::percent(std::nan("")), "NaN");
}

// ---- the trainer
// ---------------------------------------------------------------------------------

TEST_F(PanelTest, TheTrainersControlsReachTheEngine) {
  window_->set_room(Room::train);
  front("panel_trainer");
  const auto before = now().train.step;
  click(named<QPushButton>("Train one step"));
  EXPECT_EQ(now().train.step, before + 1);

  auto* rate = named<QSlider>("Learning rate factor, logarithmic from 0.01 to 10");
  ASSERT_NE(rate, nullptr);
  rate->setFocus();
  QTest::keyClick(rate, Qt::Key_End);
  EXPECT_NEAR(now().train.learning_rate_scale, 10.0, 1e-9);
  QTest::keyClick(rate, Qt::Key_Home);
  EXPECT_NEAR(now().train.learning_rate_scale, 0.01, 1e-9);
  QTest::keyClick(rate, Qt::Key_PageUp);
  EXPECT_NEAR(now().train.learning_rate_scale, std::pow(10.0, -1.75), 1e-9);
  EXPECT_EQ(named<QLabel>("Learning rate factor")->text(), "0.0178×");
  window_->stage().send(command::SetLearningRateScale{1.0});
  settle();
  EXPECT_EQ(rate->value(), 0) << "the slider follows, focused or not";

  enter(named<QSpinBox>("Step limit"), QString::number(before + 4));
  EXPECT_EQ(now().train.step_limit, before + 4);
  click(named<QPushButton>("Start training"));
  ASSERT_TRUE(QTest::qWaitFor(
      [&] { return window_->stage().snapshot().train.state == TrainState::finished; }, 20000));
  EXPECT_EQ(now().train.step, before + 4);
  EXPECT_EQ(named<QLabel>("State")->text(), "finished");
  EXPECT_EQ(named<QLabel>("Step")->text(), app::grouped(before + 4));
}

// ---- tasks
// ---------------------------------------------------------------------------------------

TEST_F(PanelTest, EveryTaskIsInTheListUnderItsTitle) {
  auto* chooser = named<QComboBox>("Task");
  ASSERT_NE(chooser, nullptr);
  ASSERT_EQ(chooser->count(), static_cast<int>(task_names().size()) + 1);
  for (std::size_t i = 0; i < task_names().size(); ++i) {
    const int at = static_cast<int>(i);
    EXPECT_EQ(chooser->itemData(at).toString().toStdString(), task_names()[i]);
    EXPECT_EQ(chooser->itemText(at).toStdString(), make_task(task_names()[i])->title());
  }
}

TEST_F(PanelTest, TheTrainerOfASavedRunSaysWhatItsLastStepWasLike) {
  window_->set_room(Room::train);
  front("panel_trainer");
  for (int i = 0; i < 3; ++i) window_->stage().send(command::TrainOneStep{});
  settle();
  const auto shown = [&](const char* name) { return named<QLabel>(name)->text().toStdString(); };
  std::map<std::string, std::string> before;
  for (const char* name : {"Accuracy", "Gradient norm", "Loss", "Learning rate"})
    before[name] = shown(name);
  EXPECT_NE(before["Gradient norm"], "–");
  const std::string path = folder_.filePath("run.xlab").toStdString();
  window_->stage().send(command::Save{path});
  window_->stage().engine().flush();
  window_->stage().send(command::NewRun{.task = "copy", .spec_json = {}});
  ASSERT_EQ(now().data->task, "copy");
  EXPECT_EQ(shown("Accuracy"), "–") << "no step was made";
  window_->stage().send(command::OpenRun{.path = path});
  ASSERT_EQ(now().run_path, path);
  for (const auto& [name, text] : before) EXPECT_EQ(shown(name.c_str()), text) << name;
  EXPECT_EQ(shown("Speed"), "–") << "nothing was trained here";
}

TEST_F(PanelTest, TheTrainersSpeedIsThatOfTrainingOrNamedTheLastOne) {
  window_->set_room(Room::train);
  front("panel_trainer");
  const auto speed = [&] { return named<QLabel>("Speed")->text(); };
  EXPECT_EQ(speed(), "–");
  window_->stage().send(command::Train{});
  EXPECT_TRUE(QTest::qWaitFor(
      [&] { return speed().endsWith("tokens/\u2060s") && !speed().startsWith("last"); }, 10000))
      << qPrintable(speed());
  window_->stage().send(command::Pause{});
  settle();
  EXPECT_TRUE(speed().startsWith("last ") && speed().endsWith(" tokens/\u2060s"))
      << qPrintable(speed());
  // A run that comes back has not trained since.
  window_->stage().send(command::RestartRun{});
  settle();
  EXPECT_EQ(speed(), "–");
  window_->stage().send(command::Undo{});
  ASSERT_GT(now().train.step, 0);
  EXPECT_EQ(speed(), "–");
}

/// A folder with a small model, for other programs to open.
class LoadedModelTest : public PanelTest {
 protected:
  void open_folder() {
    const std::string path = folder_.filePath("model").toStdString();
    window_->stage().send(command::ExportFolder{path});
    const auto run = now().run_id;
    window_->stage().send(command::OpenFolder{path});
    ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
        << qPrintable(window_->banner().sentence());
    ASSERT_TRUE(now().model->came_with_weights);
  }
};

TEST_F(LoadedModelTest, SaysWhyItCannotBeTrainedAndWhereItsWeightsAreFrom) {
  open_folder();
  window_->set_room(Room::train);
  front("panel_trainer");
  const QString reason = QString::fromStdString(now().train.cannot_train);
  ASSERT_FALSE(reason.isEmpty());
  for (const char* name : {"Start training", "Train one step"}) {
    EXPECT_FALSE(named<QPushButton>(name)->isEnabled()) << name;
    EXPECT_EQ(named<QPushButton>(name)->toolTip(), reason) << name;
  }
  EXPECT_TRUE(named<QLabel>("Why there can be no training")->isVisible());
  EXPECT_EQ(named<QLabel>("State")->text(), "not possible");
  front("panel_task");
  EXPECT_FALSE(named<QPushButton>("New sample of the task")->isEnabled());
  EXPECT_EQ(named<QPushButton>("New sample of the task")->toolTip().toStdString(),
            now().sequence.cannot_sample);
  front("panel_model");
  EXPECT_EQ(named<QLabel>("Weights")->text(), "came with the model");
  // The menu and the tool bar say no more than the panels.
  const QMap<QString, QAction*> actions = menu_actions(*window_);
  for (const char* name : {"Run/Start training", "Run/One step", "Run/New sample"}) {
    const QAction* action = actions.value(name);
    ASSERT_NE(action, nullptr) << name;
    EXPECT_FALSE(action->isEnabled()) << name;
    EXPECT_EQ(action->toolTip().toStdString(), std::string(name) == "Run/New sample"
                                                   ? now().sequence.cannot_sample
                                                   : now().train.cannot_train);
  }
  window_->stage().send(command::NewRun{.task = "recall", .spec_json = {}});
  (void)now();
  for (const char* name : {"Run/Start training", "Run/One step", "Run/New sample"}) {
    EXPECT_TRUE(actions.value(name)->isEnabled()) << name;
    EXPECT_TRUE(actions.value(name)->toolTip().contains('(')) << "its key: " << name;
  }
}

TEST_F(LoadedModelTest, IsTrainedOnATaskFromTheTaskPanel) {
  open_folder();
  const auto run = now().run_id;
  front("panel_task");
  auto* onward = named<QToolButton>("Train this model on another task");
  ASSERT_NE(onward, nullptr);
  EXPECT_TRUE(onward->isEnabled());
  QAction* recall = nullptr;
  for (QAction* action : onward->menu()->actions())
    if (action->text() == "Associative recall") recall = action;
  ASSERT_NE(recall, nullptr);
  recall->trigger();
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
      << qPrintable(window_->banner().sentence());
  EXPECT_EQ(now().data->task, "recall");
  EXPECT_TRUE(now().model->came_with_weights) << "with its weights, not fresh ones";
  EXPECT_TRUE(now().train.cannot_train.empty());
  EXPECT_TRUE(named<QPushButton>("Train one step")->isEnabled());
  EXPECT_TRUE(named<QPushButton>("New sample of the task")->isEnabled());
  window_->stage().send(command::TrainOneStep{});
  settle();
  EXPECT_EQ(named<QLabel>("Weights")->text(), "came with the model, trained on to step 1");
}

TEST_F(LoadedModelTest, WritesPastTheEndOfItsTextWhenItIsTold) {
  front("panel_prompt");
  auto* past = named<QCheckBox>("Write past the end of the text");
  ASSERT_NE(past, nullptr);
  EXPECT_FALSE(past->isVisible()) << "the texts of this run have no end";
  const QString text = folder_.filePath("text.txt");
  QFile file(text);
  ASSERT_TRUE(file.open(QIODevice::WriteOnly));
  file.write(QByteArray("the quick brown fox jumps over the lazy dog. ").repeated(30));
  file.close();
  window_->stage().send(
      command::OpenText{.path = text.toStdString(), .tokenizer = XLAB_TOKENIZERS "/neox.json"});
  const QString model = folder_.filePath("ending");
  window_->stage().send(command::ExportFolder{model.toStdString()});
  settle();
  QFile config(model + "/tokenizer_config.json");
  ASSERT_TRUE(config.open(QIODevice::ReadWrite));
  QJsonObject object = QJsonDocument::fromJson(config.readAll()).object();
  object["eos_token"] = "<|endoftext|>";
  config.resize(0);
  config.write(QJsonDocument(object).toJson());
  config.close();
  window_->stage().send(command::OpenFolder{model.toStdString()});
  settle();
  front("panel_prompt");
  ASSERT_TRUE(past->isVisible()) << now().model->ends.size();
  EXPECT_FALSE(past->isChecked());
  click(past);
  settle();
  EXPECT_TRUE(now().sequence.sampler.past_end);
  EXPECT_TRUE(past->isChecked());
  window_->stage().send(command::Undo{});
  settle();
  EXPECT_FALSE(now().sequence.sampler.past_end);
  EXPECT_FALSE(past->isChecked());
}

TEST_F(LoadedModelTest, IsTrainedOnATextFileFromTheTaskPanel) {
  // A model that has read one text, in a folder with its tokens.
  open_text(QByteArray("the quick brown fox jumps over the lazy dog. ").repeated(30));
  for (int i = 0; i < 3; ++i) window_->stage().send(command::TrainOneStep{});
  settle();
  open_folder();
  const std::string prompt = "the lazy fox";
  const auto logits = [&] {
    window_->stage().send(command::SetPrompt{prompt});
    return now().next->logits;
  };
  Engine reference([] {}, "cpu");
  reference.send(command::OpenFolder{folder_.filePath("model").toStdString()});
  reference.send(command::SetPrompt{prompt});
  reference.flush();
  ASSERT_NE(reference.snapshot()->next, nullptr);
  const std::vector<float> before = reference.snapshot()->next->logits;
  const auto write = [&](const char* name, const QByteArray& content) {
    const QString path = folder_.filePath(name);
    QFile file(path);
    EXPECT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(content);
    return path;
  };
  const QString other =
      write("other.txt", QByteArray("my dog is over the fox. not lazy. ").repeated(40));
  const QString foreign = write("foreign.txt", QByteArray("ΔΣΩ and others ").repeated(20));

  // The button's menu, its last entry, and a name in the dialog.
  const auto train_on = [&](const QString& path, int questions = 0) {
    front("panel_task");
    auto* onward = named<QToolButton>("Train this model on another task");
    Answers answers;
    answers.button = QMessageBox::Discard;
    answers.files = {path};
    bool pressed = false;
    QTimer::singleShot(200, onward, [&pressed, onward] {
      auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
      if (!menu || menu != onward->menu()) return;
      QAction* entry = menu->actions().last();
      pressed = entry->text() == "Text file…";
      QTest::mouseClick(menu->windowHandle(), Qt::LeftButton, Qt::NoModifier,
                        menu->actionGeometry(entry).center());
    });
    click(onward);
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.files.isEmpty(); }, 5000));
    EXPECT_TRUE(pressed);
    // The file is looked at before anybody is asked.
    EXPECT_TRUE(QTest::qWaitFor([&] { return answers.questions.size() >= questions; }, 5000));
    EXPECT_EQ(answers.file_dialogs, QStringList{"Train this model on a text"});
    return answers.questions;
  };
  const auto run = now().run_id;
  // A text in other letters than the model knows is refused, and nothing is replaced.
  EXPECT_TRUE(train_on(foreign).isEmpty());
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000));
  EXPECT_EQ(now().run_id, run);

  EXPECT_TRUE(train_on(other).isEmpty()) << "nothing is lost by it, so nobody is asked";
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().run_id != run; }, 10000))
      << qPrintable(window_->banner().sentence());
  EXPECT_EQ(window_->room(), Room::train);
  EXPECT_EQ(now().data->task, "text");
  EXPECT_TRUE(now().model->came_with_weights) << "with its weights, not fresh ones";
  EXPECT_EQ(now().train.step, 0);
  EXPECT_EQ(now().train.cannot_train, "");
  EXPECT_EQ(logits(), before) << "the same model as in the folder";
  // And it learns: by the button, to a limit.
  front("panel_trainer");
  window_->stage().send(command::SetStepLimit{25});
  click(named<QPushButton>("Start training"));
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().train.step == 25; }, 60000));
  ASSERT_FALSE(now().losses->empty());
  EXPECT_LT(now().losses->back().loss, 0.9 * now().losses->front().loss);
  EXPECT_NE(logits(), before);
  EXPECT_EQ(named<QLabel>("Weights")->text(), "came with the model, trained on to step 25");
  // That training is worth a question.
  const QStringList asked = train_on(other, 1);
  ASSERT_EQ(asked.size(), 1);
  EXPECT_TRUE(asked[0].contains("last 25 training steps")) << qPrintable(asked[0]);
  EXPECT_TRUE(QTest::qWaitFor([&] { return now().train.step == 0; }, 10000));
}

// ---- edits
// ---------------------------------------------------------------------------------------

TEST_F(PanelTest, TheWheelChangesOnlyWhatHasTheFocus) {
  window_->stage().send(command::SetClamp{held(0, 1, 7, 4.0f)});
  // As it comes from the windowing system: Qt gives the focus for such a wheel only.
  const auto wheel_over = [&](QWidget* widget) {
    const QPoint at = widget->rect().center();
    QWheelEvent wheel(widget->mapTo(widget->window(), at), widget->mapToGlobal(at), {}, {0, -120},
                      Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QSpontaneKeyEvent::setSpontaneous(&wheel);
    qApp->notify(widget->window()->windowHandle(), &wheel);
  };
  const auto value = [](const QWidget* control) {
    if (const auto* box = qobject_cast<const QSpinBox*>(control)) return box->value();
    if (const auto* slider = qobject_cast<const QSlider*>(control)) return slider->value();
    return static_cast<const QComboBox*>(control)->currentIndex();
  };
  int controls = 0;
  for (const char* panel : {"panel_prompt", "panel_trainer", "panel_task"}) {
    app::Dock& dock = front(panel);
    QList<QWidget*> all;
    for (auto* box : dock.findChildren<QSpinBox*>()) all.append(box);
    for (auto* slider : dock.findChildren<QSlider*>()) all.append(slider);
    for (auto* box : dock.findChildren<QComboBox*>()) all.append(box);
    for (QWidget* control : all) {
      if (!control->isVisible() || !control->isEnabled()) continue;
      ++controls;
      const std::string name = control->accessibleName().toStdString();
      show_in_scroll(control);
      if (QWidget* focused = QApplication::focusWidget()) focused->clearFocus();
      const int before = value(control);
      for (int notch = 0; notch < 2; ++notch) wheel_over(control);
      EXPECT_EQ(value(control), before) << name;
      EXPECT_FALSE(control->hasFocus()) << name << " has taken the keys";
    }
  }
  EXPECT_GE(controls, 7);
  front("panel_prompt");
  auto* prompt = named<QPlainTextEdit>("Prompt");
  wheel_over(prompt);
  EXPECT_FALSE(prompt->hasFocus());
  EXPECT_EQ(now().sequence.clamps.at(0), held(0, 1, 7, 4.0f));
  // Where somebody has clicked, the wheel is the control's.
  auto* last = named<QSpinBox>("Last time step");
  show_in_scroll(last);
  last->setFocus();
  wheel_over(last);
  EXPECT_EQ(now().sequence.clamps.at(0), held(0, 1, 6, 4.0f));
}

TEST_F(PanelTest, APromptThatIsTypedButNotSetIsMarked) {
  front("panel_prompt");
  auto* prompt = named<QPlainTextEdit>("Prompt");
  auto* mark = named<QLabel>("The prompt is not set yet");
  auto* set = named<QPushButton>("Set the prompt");
  ASSERT_NE(mark, nullptr);
  EXPECT_FALSE(mark->isVisible());
  const QString usual = prompt->toPlainText();
  const auto type_all = [&](const QString& text) {
    prompt->setFocus();
    QTest::keyClick(prompt, Qt::Key_A, Qt::ControlModifier);
    QTest::keyClicks(prompt, text);
  };
  type_all("a 3 b");
  EXPECT_TRUE(mark->isVisible());
  EXPECT_TRUE(mark->text().startsWith("Not set yet"));
  EXPECT_EQ(set->objectName(), "primary") << "the button to press stands out";
  // It stays marked while the old sequence goes on, and is not marked once it is set.
  click(named<QPushButton>("Next token"));
  EXPECT_GT(now().sequence.tokens.size(), 3u);
  EXPECT_TRUE(mark->isVisible());
  click(set);
  EXPECT_EQ(now().sequence.tokens.size(), 3u);
  EXPECT_FALSE(mark->isVisible());
  EXPECT_NE(set->objectName(), "primary");
  // The same tokens written otherwise are set, too, and what is refused is not.
  type_all("a  3  b");
  click(set);
  settle();
  EXPECT_FALSE(mark->isVisible());
  type_all("no such token");
  click(set);
  settle();
  EXPECT_NE(window_->banner().sentence(), "");
  EXPECT_TRUE(mark->isVisible());
  type_all("a 3 b");
  EXPECT_FALSE(mark->isVisible()) << "what is set already";
  EXPECT_NE(usual, prompt->toPlainText());
}

TEST_F(PanelTest, AnEditIsTypedFieldByField) {
  window_->stage().send(command::SetClamp{held(0, 1, 2, 4.0f)});
  window_->stage().send(command::SetClamp{held()});
  front("panel_prompt");
  ASSERT_NE(row(1), nullptr);
  const auto field = [&](const char* name) {
    for (QSpinBox* box : row(1)->findChildren<QSpinBox*>())
      if (box->accessibleName() == name) return box;
    return static_cast<QSpinBox*>(nullptr);
  };
  const auto clamp = [&] { return now().sequence.clamps.at(1); };
  EXPECT_EQ(field("First time step")->value(), 2);
  EXPECT_EQ(field("Last time step")->value(), 4);
  EXPECT_EQ(field("Head")->value(), 1);

  enter(field("First time step"), "3");
  EXPECT_EQ(clamp(), held(1, 3, 5));
  enter(field("Last time step"), "9");
  EXPECT_EQ(clamp(), held(1, 3, 10));
  enter(field("First time step"), "12");
  EXPECT_EQ(clamp(), held(1, 12, 13)) << "a range that would end before it begins moves along";
  enter(field("Last time step"), "6");
  EXPECT_EQ(clamp(), held(1, 6, 7));
  enter(field("Head"), "0");
  EXPECT_EQ(clamp(), held(0, 6, 7));
  EXPECT_LT(field("Head")->maximum(), 8) << "no more heads than there are";
  auto* value = row(1)->findChild<QLineEdit*>("value");
  ASSERT_NE(value, nullptr);
  enter(value, "-75.5");
  EXPECT_EQ(clamp(), held(0, 6, 7, -75.5f)) << "more than dragging reaches";
  enter(value, "2,25");
  EXPECT_EQ(clamp(), held(0, 6, 7, 2.25f));
  enter(value, "much");
  EXPECT_EQ(clamp(), held(0, 6, 7, 2.25f));
  EXPECT_EQ(value->text(), "2.25") << "what is no number is taken back";
  EXPECT_EQ(now().sequence.clamps.at(0), held(0, 1, 2, 4.0f)) << "the other edit is untouched";

  click(row(1)->findChild<QCheckBox*>());
  EXPECT_FALSE(clamp().enabled);
  EXPECT_TRUE(now().sequence.clamps.at(0).enabled);
  click(row(1)->findChild<QCheckBox*>());
  EXPECT_TRUE(clamp().enabled);
  click(named<QToolButton>("Remove edit 1"));
  ASSERT_EQ(now().sequence.clamps.size(), 1u);
  EXPECT_EQ(now().sequence.clamps[0], held(0, 6, 7, 2.25f));
  click(named<QPushButton>("Clear all edits"));
  EXPECT_TRUE(now().sequence.clamps.empty());
}

TEST_F(PanelTest, AnEditIsFrozenOrSwitchedOff) {
  const Clamp at_first = held(1, 2, 5, 30.0f);
  const float free = now().trace->find(2, at_first.path)->at(1, 0);
  const float free_later = now().trace->find(4, at_first.path)->at(1, 0);
  window_->stage().send(command::SetClamp{at_first});
  front("panel_prompt");
  ASSERT_NE(row(0), nullptr);
  auto* hold = row(0)->findChild<QComboBox*>();
  EXPECT_EQ(hold->currentText(), "held at");
  const auto choose = [&](const char* text) {
    hold->setFocus();
    hold->setCurrentIndex(hold->findText(text));
    emit hold->activated(hold->currentIndex());
    settle();
  };
  choose("frozen");
  EXPECT_EQ(now().sequence.clamps[0].value, free);
  EXPECT_EQ(now().trace->find(4, at_first.path)->at(1, 0), free) << "what it was at the first step";
  EXPECT_EQ(hold->currentText(), "frozen");
  for (QSpinBox* box : row(0)->findChildren<QSpinBox*>())
    if (box->accessibleName() == "First time step") enter(box, "4");
  EXPECT_EQ(now().sequence.clamps[0].value, free_later) << "frozen stays frozen";
  choose("switched off");
  EXPECT_EQ(hold->currentText(), "switched off");
  const std::string gate = now().model->blocks[0].prefix + "/forget_gate_sigmoid";
  EXPECT_LT(now().trace->find(4, gate)->at(1, 0), 1e-20f) << "closed";
  EXPECT_GT(now().trace->find(4, gate)->at(0, 0), 1e-20f) << "the other head goes on";
}

TEST_F(PanelTest, EveryGateThatIsSwitchedOffIsClosed) {
  int closed = 0;
  for (const BlockCard& block : std::vector<BlockCard>(now().model->blocks)) {
    for (const char* gate : {"input_gate", "forget_gate", "output_gate", "cell_input"}) {
      const std::string pre = block.prefix + "/" + gate + "_pre";
      if (!now().trace->find(3, pre)) continue;
      window_->stage().send(command::ClearClamps{});
      Clamp clamp{.path = pre, .begin = 3, .end = 4};
      clamp.value = app::switched_off(now(), clamp);
      window_->stage().send(command::SetClamp{clamp});
      const std::string value =
          block.prefix + "/" + (std::string(gate) == "forget_gate" ? "forget_gate_sigmoid" : gate);
      EXPECT_LT(std::abs(now().trace->find(3, value)->at(0, 0)), 1e-20f) << value;
      ++closed;
    }
  }
  EXPECT_GE(closed, 3);
}

TEST_F(PanelTest, AValueIsHeldWithoutAMouse) {
  front("panel_prompt");
  window_->stage().set_head(1);
  window_->stage().send(command::SetCursor{4});
  settle();
  auto* hold = named<QToolButton>("Hold a value");
  ASSERT_NE(hold, nullptr);
  emit hold->menu()->aboutToShow();
  ASSERT_GE(hold->menu()->actions().size(), 2);
  EXPECT_EQ(hold->menu()->actions().at(1)->text(), "forget gate, pre-activation");
  hold->menu()->actions().at(1)->trigger();
  Clamp expected = held(1, 4, 5);
  ASSERT_EQ(now().sequence.clamps.size(), 1u);
  expected.value = now().unclamped->find(4, expected.path)->at(1, 0);
  EXPECT_EQ(now().sequence.clamps[0], expected) << "at what it is now: nothing jumps";
}

TEST_F(PanelTest, AnEditAddsOrMultipliesOnOneHeadOrAll) {
  window_->stage().send(command::SetClamp{held(1, 2, 5, 30.0f)});
  front("panel_prompt");
  ASSERT_NE(row(0), nullptr);
  auto* hold = row(0)->findChild<QComboBox*>();
  auto* value = row(0)->findChild<QLineEdit*>("value");
  const auto choose = [&](const char* text) {
    hold->setFocus();
    hold->setCurrentIndex(hold->findText(text));
    emit hold->activated(hold->currentIndex());
    settle();
  };
  const auto clamp = [&] { return now().sequence.clamps.at(0); };
  const auto free = [&](int head) { return now().unclamped->find(2, clamp().path)->at(head, 0); };
  const auto seen = [&](int head) { return now().trace->find(2, clamp().path)->at(head, 0); };
  choose("plus");
  EXPECT_EQ(clamp().change, Change::add);
  EXPECT_EQ(seen(1), free(1)) << "plus 0, until another number is typed";
  enter(value, "-1.5");
  EXPECT_EQ(seen(1), free(1) - 1.5f);
  choose("times");
  EXPECT_EQ(clamp().change, Change::scale);
  EXPECT_EQ(seen(1), free(1)) << "times 1";
  enter(value, "0.5");
  EXPECT_EQ(seen(1), free(1) * 0.5f);
  for (QSpinBox* box : row(0)->findChildren<QSpinBox*>()) {
    if (box->accessibleName() != "Head") continue;
    box->setValue(Clamp::kAll);
    EXPECT_EQ(box->text(), "all");
  }
  settle();
  EXPECT_EQ(clamp().head, Clamp::kAll);
  EXPECT_EQ(seen(0), free(0) * 0.5f);
  EXPECT_EQ(seen(1), free(1) * 0.5f);
  EXPECT_EQ(hold->currentText(), "times");
  choose("held at");
  EXPECT_EQ(clamp().change, Change::set);
  EXPECT_EQ(seen(0), 0.5f);
}

TEST_F(PanelTest, ANeverWrittenTokenIsOneRowInWords) {
  front("panel_prompt");
  window_->stage().set_block(0);
  window_->stage().set_head(1);
  window_->stage().send(command::SetCursor{4});
  settle();
  auto* hold = named<QToolButton>("Hold a value");
  emit hold->menu()->aboutToShow();
  QStringList offered;
  for (QAction* action : hold->menu()->actions()) offered << action->text();
  EXPECT_TRUE(offered.contains("key times 0"));
  EXPECT_TRUE(offered.contains("Switch this block off"));
  for (QAction* action : hold->menu()->actions())
    if (action->text() == "Token 4 never written in this head") action->trigger();
  settle();
  ASSERT_EQ(now().sequence.clamps.size(), 1u);
  const BlockCard& block = now().model->blocks[0];
  EXPECT_EQ(now().sequence.clamps[0], *never_written(block, 1, 4));
  EXPECT_LT(now().trace->find(4, block.path("input_gate"))->at(1, 0), 1e-20f);
  const QString label = QString::fromStdString(
      now().model->vocabulary[static_cast<std::size_t>(now().sequence.tokens[4])]);
  EXPECT_EQ(row(0)->findChild<QLabel*>("figure")->text(),
            QString("token 4 %1 never written · block0").arg(label));
  EXPECT_EQ(app::words_of(now(), now().sequence.clamps[0]),
            "token 4 never written in block0, head 1");
  EXPECT_EQ(QString::fromStdString(now().undo_label), "Undo never written");
  window_->stage().send(command::Undo{});
  settle();
  EXPECT_TRUE(now().sequence.clamps.empty());
}

TEST_F(PanelTest, EditsActInTheOrderOfTheListAndMoveUp) {
  window_->stage().send(command::SetClamp{held(1, 2, 5, 2.0f)});
  Clamp twice = held(1, 2, 5, 3.0f);
  twice.change = Change::scale;
  window_->stage().send(command::SetClamp{twice});
  front("panel_prompt");
  settle();
  const auto seen = [&] { return now().trace->find(2, twice.path)->at(1, 0); };
  ASSERT_EQ(now().sequence.clamps.size(), 2u) << "one does not take the place of the other";
  EXPECT_EQ(seen(), 6.0f);
  EXPECT_TRUE(named<QToolButton>("Move edit 1 up")->isHidden()) << "the first one is not moved up";
  click(named<QToolButton>("Move edit 2 up"));
  EXPECT_EQ(now().sequence.clamps[0], twice);
  EXPECT_EQ(seen(), 2.0f);
  window_->stage().send(command::Undo{});
  settle();
  EXPECT_EQ(now().sequence.clamps[1], twice);
  EXPECT_EQ(seen(), 6.0f);
}

TEST_F(PanelTest, ACurveOfAnEditMovesWithItsRange) {
  Clamp drawn = held(1, 2, 5, 0.0f);
  drawn.curve = {1.0f, -2.0f, 3.0f};
  window_->stage().send(command::SetClamp{drawn});
  front("panel_prompt");
  auto* hold = row(0)->findChild<QComboBox*>();
  EXPECT_EQ(hold->currentText(), "drawn");
  EXPECT_TRUE(row(0)->findChild<QLineEdit*>("value")->isHidden()) << "there is not one value";
  EXPECT_EQ(now().trace->find(3, drawn.path)->at(1, 0), -2.0f);
  for (QSpinBox* box : row(0)->findChildren<QSpinBox*>()) {
    if (box->accessibleName() == "First time step") enter(box, "3");
    if (box->accessibleName() == "Last time step") enter(box, "5");
  }
  EXPECT_EQ(now().sequence.clamps[0].curve, (std::vector<float>{-2.0f, 3.0f, 3.0f}));
  EXPECT_EQ(now().trace->find(5, drawn.path)->at(1, 0), 3.0f);
  EXPECT_NE(now().trace->find(2, drawn.path)->at(1, 0), 1.0f);
}

// ---- prompt and text
// -----------------------------------------------------------------------------

TEST_F(PanelTest, APromptOfSeveralLinesIsTyped) {
  open_text("one two\nthree four\n one two\nfive six seven\n one two three\n");
  window_->set_room(Room::generate);
  front("panel_prompt");
  auto* prompt = window_->findChild<app::PromptField*>();
  ASSERT_NE(prompt, nullptr);
  const int one_line = [&] {
    type(prompt, "one");
    QTest::qWait(20);
    return prompt->height();
  }();
  type(prompt, "one");
  QTest::keyClick(prompt, Qt::Key_Return, Qt::ShiftModifier);
  QTest::keyClicks(prompt, "two");
  QTest::qWait(20);
  EXPECT_GT(prompt->height(), one_line) << "both lines are seen";
  EXPECT_NE(app::text_of_tokens(now(), 99), "one\ntwo") << "not set yet";
  QTest::keyClick(prompt, Qt::Key_Return);
  EXPECT_EQ(now().sequence.prompt_length, 7);
  EXPECT_EQ(app::text_of_tokens(now(), 99), "one\ntwo");
  EXPECT_EQ(prompt->toPlainText(), "one\ntwo");
  prompt->setFocus();
  QTest::keyClick(prompt, Qt::Key_Tab);
  EXPECT_FALSE(prompt->hasFocus()) << "Tab moves on";
}

TEST_F(PanelTest, TheTextIsReadSelectedAndCopied) {
  window_->set_room(Room::generate);
  front("panel_text");
  auto* text = named<QPlainTextEdit>("Prompt and continuation");
  ASSERT_NE(text, nullptr);
  const auto& vocabulary = now().model->vocabulary;
  const auto words = [&] {
    QStringList labels;
    for (const int token : now().sequence.tokens)
      labels << QString::fromStdString(vocabulary[static_cast<std::size_t>(token)]);
    return labels.join(' ');
  };
  EXPECT_EQ(text->toPlainText(), words());
  const int given = static_cast<int>(text->toPlainText().size());
  // The end is selected, and more is generated.
  QTextCursor chosen(text->document());
  chosen.setPosition(2);
  chosen.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
  text->setTextCursor(chosen);
  const QString selected = text->textCursor().selectedText();
  window_->stage().send(command::SetCursor{static_cast<int>(now().sequence.tokens.size()) - 1});
  for (int i = 0; i < 3; ++i) window_->stage().send(command::StepForward{});
  settle();
  EXPECT_EQ(text->toPlainText(), words());
  EXPECT_GT(text->toPlainText().size(), given);
  EXPECT_EQ(text->textCursor().selectedText(), selected) << "a selection does not grow";
  click(named<QPushButton>("Copy the text"));
  EXPECT_EQ(QApplication::clipboard()->text(), selected);
  text->setTextCursor(QTextCursor(text->document()));
  click(named<QPushButton>("Copy the text"));
  EXPECT_EQ(QApplication::clipboard()->text(), words());
  const auto weight = [&](int at) {
    QTextCursor cursor(text->document());
    cursor.setPosition(at + 1);
    return cursor.charFormat().fontWeight();
  };
  EXPECT_EQ(weight(0), QFont::Bold) << "given";
  EXPECT_EQ(weight(given - 1), QFont::Bold);
  EXPECT_NE(weight(given + 1), QFont::Bold) << "generated";
  // Another token in the middle cuts the text there.
  window_->stage().send(command::SetCursor{3});
  window_->stage().send(command::TakeToken{0});
  settle();
  EXPECT_EQ(text->toPlainText(), words());
}

TEST_F(PanelTest, BytesThatAreNoCharacterAreEscapedUntilTheyBecomeOne) {
  open_text(QString("Zürich – naïve – Ærø – Zürich – naïve\n").repeated(6).toUtf8(), "bytes");
  window_->set_room(Room::generate);
  front("panel_text");
  auto* text = named<QPlainTextEdit>("Prompt and continuation");
  const auto set = [&](const char* prompt) {
    window_->stage().send(command::SetPrompt{prompt});
    settle();
  };
  const auto take = [&](unsigned char byte) {
    const auto& labels = now().model->vocabulary;
    const std::string wanted(1, static_cast<char>(byte));
    const auto found = std::find(labels.begin(), labels.end(), wanted);
    ASSERT_NE(found, labels.end());
    window_->stage().send(command::TakeToken{static_cast<int>(found - labels.begin())});
    settle();
  };
  set("Z");
  EXPECT_EQ(text->toPlainText(), "Z");
  take(0xc3);
  EXPECT_EQ(text->toPlainText(), "Z\\xc3") << "half a character";
  take(0xbc);
  EXPECT_EQ(text->toPlainText(), "Zü");
  take(0xc3);
  take('r');
  EXPECT_EQ(text->toPlainText(), "Zü\\xc3r") << "never completed";
}

TEST_F(PanelTest, ALongTextCostsLittleAndStaysWhereItIs) {
  open_text(QByteArray("the quick brown fox jumps over the lazy dog and on it goes ").repeated(60));
  window_->set_room(Room::generate);
  front("panel_text");
  std::string prompt;
  while (prompt.size() < 2000) prompt += "the quick brown fox jumps over the lazy dog ";
  prompt.resize(2000);
  window_->stage().send(command::SetPrompt{prompt});
  settle();
  ASSERT_EQ(now().sequence.tokens.size(), 2000u);
  auto* text = named<QPlainTextEdit>("Prompt and continuation");
  ASSERT_EQ(text->toPlainText().toStdString(), prompt);
  text->verticalScrollBar()->setValue(3);
  const int scrolled = text->verticalScrollBar()->value();
  int added = 0, removed = 0;
  QObject::connect(text->document(), &QTextDocument::contentsChange, [&](int, int gone, int fresh) {
    removed += gone;
    added += fresh;
  });
  for (int i = 0; i < 21; ++i) {
    window_->stage().send(command::StepForward{});
    settle();
  }
  EXPECT_EQ(removed, 0) << "what stands there is not written again";
  EXPECT_EQ(added, 21);
  EXPECT_EQ(text->toPlainText().size(), static_cast<qsizetype>(now().sequence.tokens.size()));
  EXPECT_EQ(text->verticalScrollBar()->value(), scrolled) << "where it was scrolled to";
}

/// What one token more costs a text panel.
struct CostOfAToken {
  double work = 0.0;  ///< median, in mebibytes read byte by byte
  int written = 0;    ///< most characters written or taken away
};

/// Adds 31 tokens to a sequence of so many.
CostOfAToken cost_of_a_token(int length) {
  app::Stage stage(app::CanvasKind::software, "cpu");
  const QTemporaryDir folder;
  QFile file(folder.filePath("text.txt"));
  EXPECT_TRUE(file.open(QIODevice::WriteOnly));
  file.write(
      QByteArray("the quick brown fox jumps over the lazy dog and on it goes ").repeated(60));
  file.close();
  stage.send(command::OpenText{.path = file.fileName().toStdString()});
  const auto size = static_cast<std::size_t>(length);
  std::string prompt;
  while (prompt.size() < size) prompt += "the quick brown fox jumps over the lazy dog ";
  prompt.resize(size);
  stage.send(command::SetPrompt{prompt});
  app::TextPanel panel(stage);
  panel.resize(340, 300);
  panel.show();
  EXPECT_TRUE(QTest::qWaitForWindowExposed(&panel));
  stage.engine().flush();
  auto* text = panel.findChild<QPlainTextEdit*>();
  EXPECT_EQ(text->toPlainText().toStdString(), prompt);
  CostOfAToken cost;
  int written = 0;
  QObject::connect(text->document(), &QTextDocument::contentsChange,
                   [&](int, int gone, int fresh) { written += gone + fresh; });
  std::vector<double> costs;
  for (int i = 0; i < 31; ++i) {
    stage.send(command::StepForward{});
    stage.engine().engine().flush();
    costs.push_back(work_of([&] {
      stage.engine().flush();
      text->viewport()->repaint();
    }));
    cost.written = std::max(cost.written, std::exchange(written, 0));
  }
  EXPECT_EQ(text->toPlainText().size(), length + 31);
  std::sort(costs.begin(), costs.end());
  cost.work = costs[15];
  return cost;
}

TEST(TextPanel, CostsLittleAtTwoThousandTokens) {
  const CostOfAToken few = cost_of_a_token(100), many = cost_of_a_token(2000);
  fmt::print("a token more costs the text panel {:.2f} MiB read at 100, {:.2f} at 2,000\n",
             few.work, many.work);
  EXPECT_LE(few.written, 1);
  EXPECT_LE(many.written, 1) << "what stands there is not written again";
  EXPECT_LT(many.work, 10.0) << "mebibytes read byte by byte";
}

TEST(TokenText, IsWrittenSoThatItCanBeRead) {
  auto model = std::make_shared<ModelCard>();
  model->vocabulary = {"a", "\xe2", "\x82", "\xac", "\n", std::string(1, '\0'), " b"};
  const auto written = [&](std::vector<int> tokens, bool text) {
    app::TokenText writer(model, text);
    QString all;
    for (const int token : tokens) all += writer.add(token);
    return all + writer.rest();
  };
  EXPECT_EQ(written({0, 1, 2, 3, 4, 6}, true), "a€\n b");
  EXPECT_EQ(written({0, 1, 2}, true), "a\\xe2\\x82");
  EXPECT_EQ(written({1, 0, 3, 5}, true), "\\xe2a\\xac\\x00");
  EXPECT_EQ(written({0, 0, 99}, false), "a a #99");
}

// ---- tables
// --------------------------------------------------------------------------------------

TEST_F(PanelTest, TheTableIsForPeopleAndStartsAtTheCursor) {
  window_->set_room(Room::explore);
  const int cursor = static_cast<int>(now().sequence.tokens.size()) - 1;
  app::ViewDock& gates = view("gates");
  gates.show_table(true);
  settle();
  auto* table = gates.findChild<QTableView*>();
  ASSERT_NE(table, nullptr);
  const QAbstractItemModel* model = table->model();
  QStringList headers;
  for (int c = 0; c < model->columnCount(); ++c)
    headers << model->headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
  EXPECT_TRUE(headers.contains("input gate,\npre-activation\n(i)"))
      << qPrintable(headers.join("|"));
  for (int c = 0; c < model->columnCount(); ++c) {
    EXPECT_FALSE(headers[c].contains('_')) << qPrintable(headers[c]);
    EXPECT_FALSE(model->headerData(c, Qt::Horizontal, Qt::ToolTipRole).toString().isEmpty());
    bool any = false;
    for (int r = 0; r < model->rowCount(); ++r)
      any |= !model->index(r, c).data().toString().isEmpty();
    EXPECT_TRUE(any) << qPrintable(headers[c]) << " is empty";
  }
  const auto step = [&](int r) { return model->index(r, 0).data().toInt(); };
  const int top = table->rowAt(0), bottom = table->rowAt(table->viewport()->height() - 4);
  ASSERT_GE(top, 0);
  EXPECT_LE(step(top), cursor);
  EXPECT_GE(bottom < 0 ? cursor : step(bottom), cursor) << "the cursor's rows are in sight";
  int marked = 0;
  for (int r = 0; r < model->rowCount(); ++r) {
    const bool mark = model->index(r, 0).data(Qt::BackgroundRole).isValid();
    EXPECT_EQ(mark, step(r) == cursor);
    marked += mark;
  }
  EXPECT_GT(marked, 0);
  window_->stage().send(command::SetCursor{0});
  settle();
  EXPECT_TRUE(QTest::qWaitFor([&] { return step(table->rowAt(0)) == 0; }, 2000))
      << "it follows the cursor";
  gates.show_table(false);
}

TEST_F(PanelTest, CellsAreShortOnTheScreenAndWholeWhenCopied) {
  app::ViewDock& next = view("next");
  next.show_table(true);
  settle();
  auto* table = next.findChild<QTableView*>();
  const QAbstractItemModel* model = table->model();
  int column = -1;
  for (int c = 0; c < model->columnCount(); ++c)
    if (model->headerData(c, Qt::Horizontal, Qt::DisplayRole) == "probability") column = c;
  ASSERT_GE(column, 0);
  const QModelIndex cell = model->index(2, column);
  const double full = cell.data(app::TableModel::kFullText).toString().toDouble();
  EXPECT_EQ(cell.data().toString(), app::three_digits(full));
  EXPECT_NE(cell.data().toString(), cell.data(app::TableModel::kFullText).toString());
  table->setCurrentIndex(cell);
  table->setFocus();
  QTest::keyClick(table, Qt::Key_C, Qt::ControlModifier);
  EXPECT_EQ(QApplication::clipboard()->text(), cell.data(app::TableModel::kFullText).toString());
  next.show_table(false);
}

TEST(TableModel, ReadsNumbersWhateverTheDecimalPointOfTheLanguage) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  if (!std::setlocale(LC_NUMERIC, "de_DE.UTF-8") && !std::setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
    GTEST_SKIP() << "no language with a decimal comma is installed";
  ui::Table table;
  table.columns = {"a", "b"};
  table.rows = {{"0.25", "-inf"}, {"-1.23456e-07", "nan"}, {"7", "2.5e3x"}};
  app::TableModel model;
  model.set(table);
  std::setlocale(LC_NUMERIC, before.c_str());
  EXPECT_EQ(model.index(1, 0).data().toString(), "−1.23e−7");
  EXPECT_EQ(model.index(0, 0).data(Qt::TextAlignmentRole).toInt() & Qt::AlignRight,
            static_cast<int>(Qt::AlignRight));
  EXPECT_EQ(model.index(2, 1).data().toString(), "2.5e3x") << "no number";
}

TEST(TableModel, LeavesOutWhatIsEmptyAndCountsIt) {
  ui::Table table;
  table.columns = {"step", "unit", "a", "b", "c"};
  table.places = 2;
  table.step_column = 0;
  table.rows = {
      {"0", "0", "1.5", "", "nan"}, {"0", "1", "", "", ""}, {"3", "0", "-1e-07", "", "2"}};
  app::TableModel model;
  model.set(table);
  EXPECT_EQ(model.rowCount(), 2);
  EXPECT_EQ(model.columnCount(), 4);
  EXPECT_EQ(model.empty_rows(), 1);
  EXPECT_EQ(model.empty_columns(), 1);
  EXPECT_EQ(model.row_of(3), 1);
  EXPECT_EQ(model.row_of(1), -1);
  EXPECT_EQ(model.index(1, 2).data().toString(), "−1.00e−7");
  EXPECT_EQ(model.index(1, 2).data(app::TableModel::kFullText).toString(), "-1e-07");
  EXPECT_EQ(model.index(0, 3).data().toString(), "NaN");
  EXPECT_EQ(model.index(1, 0).data().toString(), "3");
}

// ---- room for numbers
// ----------------------------------------------------------------------------

/// How wide a label must be to show its numbers: a word that has a digit is never broken.
int needed(const QLabel& label) {
  QString text = label.text();
  if (text.contains('<')) text.remove(QRegularExpression("<[^>]*>"));
  const QFontMetrics metrics(label.font());
  int widest = 0;
  for (const QString& part : label.wordWrap() ? text.split(' ') : text.split('\n')) {
    if (part.contains(QRegularExpression("[0-9]")))
      widest = std::max(widest, metrics.horizontalAdvance(part));
  }
  return widest;
}

/// What of a panel is narrower than its numbers; returns how many things were looked at.
int look_for_cut_numbers(const app::Dock& dock, const std::string& where) {
  int looked_at = 0;
  for (const QLabel* label : dock.findChildren<QLabel*>()) {
    if (!label->isVisible() || needed(*label) == 0) continue;
    ++looked_at;
    EXPECT_GE(label->contentsRect().width(), needed(*label))
        << where << ": " << qPrintable(label->text());
  }
  for (const QLineEdit* field : dock.findChildren<QLineEdit*>()) {
    if (!field->isVisible()) continue;
    ++looked_at;
    EXPECT_GE(field->contentsRect().width(), field->fontMetrics().horizontalAdvance(field->text()))
        << where << ": " << qPrintable(field->text());
  }
  for (QWidget* widget : dock.findChildren<QWidget*>()) {
    if (!widget->isVisible() || widget->objectName().startsWith("qt_")) continue;
    if (!qobject_cast<QAbstractButton*>(widget) && !qobject_cast<QAbstractSpinBox*>(widget))
      continue;
    ++looked_at;
    EXPECT_GE(widget->width(), widget->minimumSizeHint().width()) << where << ": " << about(widget);
  }
  // Nothing is out of reach: what is wider than the panel can be scrolled to.
  for (const QScrollArea* area : dock.findChildren<QScrollArea*>()) {
    EXPECT_LE(area->widget()->width() - area->viewport()->width(),
              area->horizontalScrollBar()->maximum() + 1)
        << where;
  }
  return looked_at;
}

TEST_F(PanelTest, NoNumberIsCutAtAnySize) {
  window_->stage().send(command::SetClamp{held(1, 2, 12345, -0.0123456f)});
  window_->stage().send(command::TrainOneStep{});
  settle();
  const QSize sizes[] = {{640, 480},  {800, 600},  {1024, 768},  {1280, 720}, {1280, 800},
                         {1366, 768}, {1600, 900}, {1600, 1000}, {1900, 1150}};
  const float scales[] = {1.0f, 1.5f, 2.5f};
  int looked_at = 0;
  for (int i = 0; i < 9; ++i) {
    for (int j = 0; j < 3; ++j) {
      window_->resize(sizes[i]);
      window_->set_look({.palette = ui::PaletteName::light, .scale = scales[j]});
      // The rooms take turns: each is seen at three sizes with every size of text.
      window_->set_room(static_cast<Room>((i + j) % 3));
      window_->reset_layout();
      for (const char* panel : kPanels) {
        app::Dock& shown = *dock(panel);
        shown.show();
        shown.raise();
        QTest::qWait(10);
        looked_at += look_for_cut_numbers(
            shown, fmt::format("{} in room {} at {} x {}, {} %", panel, (i + j) % 3,
                               sizes[i].width(), sizes[i].height(), 100 * scales[j]));
      }
    }
  }
  EXPECT_GT(looked_at, 800);
}

}  // namespace
}  // namespace xlab::tests
