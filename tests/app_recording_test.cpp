// The recording of the sequence on screen: the file holds its numbers to the bit, clamps included,
// and the window goes on while it is written.
#include <QElapsedTimer>
#include <QFile>
#include <QStatusBar>
#include <QTimer>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/beside_writer.hpp"
#include "app_answers.hpp"
#include "app_files.hpp"
#include "app_window.hpp"
#include "core/files/recording.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/recorded_step.hpp"
#include "kernels/config.hpp"

namespace xlab::tests {
namespace {

class Recordings : public WindowTest {
 protected:
  QString path(const char* name) const { return folder_.filePath(name); }
  void ask(const char* name) {
    Answers answers;
    answers.files = {path(name)};
    menu_actions(*window_)["File/Export recording…"]->trigger();
    EXPECT_TRUE(answers.files.isEmpty());
    EXPECT_EQ(answers.file_dialogs, QStringList{"Export recording"});
  }
  bool written(const char* name) {
    const auto said = [&] {
      return window_->statusBar()->currentMessage().contains("Wrote " + path(name));
    };
    return QTest::qWaitFor(said, 60000);
  }
  std::string content(const char* name) const {
    QFile file(path(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
  }
  /// What `xlstm trace` writes of the run in a file.
  void trace(const char* run_name, const std::vector<int>& tokens, const char* name) {
    const auto run = load_run(path(run_name).toStdString());
    const RecordingPlan plan(*model_card(*run), tokens, {},
                             {.program = std::string("xLSTM Lab ") + kVersion});
    RecordingFile file(plan, path(name).toStdString());
    State state;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      TokenTrace seen;
      State after;
      recorded_step(*run->model, tokens[t], static_cast<int>(t), {}, state, after, seen);
      state = std::move(after);
      file.add(seen);
    }
    file.finish();
  }

  static constexpr int kLong = 12000;  // tokens
  QTemporaryDir folder_;
};

TEST_F(Recordings, HoldWhatIsOnScreenClampsIncluded) {
  window_->stage().send(command::SetPrompt{"a 3 b 7 a 5 c 1 b"});
  const std::uint64_t saves = now().saves;
  window_->stage().send(command::Save{path("run.xlab").toStdString()});
  // What is told of that comes before what is waited for next.
  ASSERT_TRUE(QTest::qWaitFor([&] { return now().saves > saves; }, 60000));
  ask("plain.safetensors");
  ASSERT_TRUE(written("plain.safetensors")) << qPrintable(window_->banner().sentence());
  trace("run.xlab", now().sequence.tokens, "traced.safetensors");
  EXPECT_TRUE(content("plain.safetensors") == content("traced.safetensors"));

  const std::string prefix = now().model->blocks[0].prefix;
  const Clamp clamp{
      .path = prefix + "/forget_gate_pre", .head = 1, .begin = 3, .end = 6, .value = -2.5f};
  window_->stage().send(command::SetClamp{clamp});
  settle();
  // The name gets its extension.
  ask("held");
  ASSERT_TRUE(written("held.safetensors")) << qPrintable(window_->banner().sentence());
  const Snapshot& shown = now();
  const SafetensorsFile file = read_safetensors(path("held.safetensors").toStdString());
  EXPECT_EQ(file.values_as<std::int32_t>("ids"), shown.sequence.tokens);
  std::size_t compared = 0;
  bool other = false;
  for (const auto& [name, value] : shown.trace->steps.front()->values) {
    const std::vector<float> all = file.values_as<float>(name);
    ASSERT_EQ(all.size(), value.values.size() * shown.sequence.tokens.size()) << name;
    for (int t = 0; t < shown.trace->length(); ++t) {
      const std::vector<float>& here = shown.trace->find(t, name)->values;
      ASSERT_EQ(std::memcmp(all.data() + static_cast<std::size_t>(t) * here.size(), here.data(),
                            here.size() * sizeof(float)),
                0)
          << name << " at " << t;
      other = other || here != shown.unclamped->find(t, name)->values;
      ++compared;
    }
  }
  EXPECT_GT(compared, 100u);
  EXPECT_TRUE(other) << "the clamp changes something";
  const std::vector<float> f = file.values_as<float>(clamp.path);
  const auto heads = static_cast<std::size_t>(shown.model->blocks[0].heads);
  for (const std::size_t t : {3u, 4u, 5u}) EXPECT_EQ(f[t * heads + 1], -2.5f);
  EXPECT_NE(f[6 * heads + 1], -2.5f);
  EXPECT_EQ(file.tensors().size(), compared / shown.sequence.tokens.size() + 1);
  EXPECT_TRUE(file.metadata().contains("clamps"));
  EXPECT_TRUE(window_->statusBar()->currentMessage().contains("9 tokens of"))
      << qPrintable(window_->statusBar()->currentMessage());
}

TEST_F(Recordings, TheWindowGoesOnWhileOneIsWritten) {
  std::string prompt;
  for (int i = 0; i < kLong; ++i) prompt += i % 2 ? "3 " : "a ";
  window_->stage().send(command::SetPrompt{prompt});
  ASSERT_EQ(now().sequence.tokens.size(), static_cast<std::size_t>(kLong)) << now().failure.what;
  QElapsedTimer clock;
  clock.start();
  {
    const Snapshot& shown = now();
    const RecordingPlan plan(*shown.model, shown.sequence.tokens, {}, {.program = "here"});
    write_recording(plan, *shown.trace, path("here.safetensors").toStdString(), false);
  }
  const qint64 writing = clock.elapsed();
  // From when it begins to be written: the dialog before that takes its time, too.
  qint64 longest = 0;
  bool begun = false;
  QTimer beat;
  QObject::connect(&beat, &QTimer::timeout, &beat,
                   [&] { longest = std::max(longest, clock.restart()); });
  QObject::connect(window_->findChild<app::BesideWriter*>(QString(), Qt::FindDirectChildrenOnly),
                   &app::BesideWriter::begun, &beat, [&] {
                     begun = true;
                     clock.restart();
                     beat.start(5);
                   });
  ask("long.safetensors");
  longest = std::max(longest, clock.restart());
  ASSERT_TRUE(begun);
  ASSERT_TRUE(written("long.safetensors"));
  EXPECT_LT(longest, std::max<qint64>(writing / 2, 100)) << "writing takes " << writing << " ms";
  EXPECT_GT(content("long.safetensors").size(), 1000u * kLong);
}

TEST_F(Recordings, WhatIsNoRecordingIsNeverReplaced) {
  // As the weights of a model are called.
  write_safetensors(path("weights.safetensors").toStdString(), {}, {{"format", "pt"}});
  const std::string weights = content("weights.safetensors");
  {
    Answers answers;
    answers.word = "Replace";
    answers.files = {path("weights.safetensors")};
    menu_actions(*window_)["File/Export recording…"]->trigger();
    EXPECT_EQ(answers.questions.size(), 1);
  }
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000));
  const QString said = window_->banner().sentence();
  EXPECT_TRUE(said.contains(path("weights.safetensors") + " exists and is no recording"))
      << qPrintable(said);
  EXPECT_TRUE(said.contains("another name")) << qPrintable(said);
  EXPECT_TRUE(content("weights.safetensors") == weights);
  // An earlier recording is.
  ask("there.safetensors");
  ASSERT_TRUE(written("there.safetensors"));
  const std::string earlier = content("there.safetensors");
  window_->stage().send(command::SetPrompt{"a 3 b 7 a"});
  settle();
  Answers answers;
  answers.word = "Replace";
  answers.files = {path("there.safetensors")};
  menu_actions(*window_)["File/Export recording…"]->trigger();
  ASSERT_TRUE(QTest::qWaitFor([&] { return content("there.safetensors") != earlier; }, 10000));
  EXPECT_TRUE(is_recording(path("there.safetensors").toStdString()));
}

TEST_F(Recordings, NumbersThatAreNotFiniteAreTold) {
  window_->stage().send(command::SetPrompt{"a 3 b 7 a 5 c 1 b"});
  const BlockCard block = now().model->blocks[0];
  CellVariant variant = block.variant;
  variant.stabilizer = false;
  window_->stage().send(command::SetVariant{block.kind, variant});
  window_->stage().send(command::SetClamp{
      {.path = block.path("input_gate_pre"), .head = 1, .begin = 3, .end = 6, .value = 300.0f}});
  settle();
  ask("raw.safetensors");
  ASSERT_TRUE(written("raw.safetensors")) << qPrintable(window_->banner().sentence());
  const SafetensorsFile file = read_safetensors(path("raw.safetensors").toStdString());
  std::int64_t not_finite = 0;
  for (const auto& tensor : file.tensors()) {
    if (tensor.name == "ids") continue;
    for (const float x : file.values_as<float>(tensor.name)) not_finite += !std::isfinite(x);
  }
  ASSERT_GT(not_finite, 1);
  const QString said = window_->statusBar()->currentMessage();
  EXPECT_TRUE(said.contains(QString("%1 of the numbers written are not finite, because the "
                                    "stabilizer of")
                                .arg(not_finite)))
      << qPrintable(said);
}

TEST_F(Recordings, OneIsThereWhenTheWindowIsClosedAtOnce) {
  settle();
  ask("last.safetensors");
  Answers answers;
  answers.button = QMessageBox::Discard;
  window_->close_unasked();
  window_.reset();
  EXPECT_TRUE(is_recording(path("last.safetensors").toStdString()));
}

TEST_F(Recordings, WhatCannotBeWrittenIsSaidUntilAnotherFileIs) {
  ask("no/such/folder.safetensors");
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000));
  EXPECT_TRUE(window_->banner().sentence().contains("folder.safetensors"))
      << qPrintable(window_->banner().sentence());
  ask("there.safetensors");
  ASSERT_TRUE(written("there.safetensors"));
  EXPECT_EQ(window_->banner().sentence(), "");
  // Another file of that name is replaced only after a question.
  Answers answers;
  answers.files = {path("there.safetensors")};
  menu_actions(*window_)["File/Export recording…"]->trigger();
  EXPECT_EQ(answers.questions.size(), 1);
}

}  // namespace
}  // namespace xlab::tests
