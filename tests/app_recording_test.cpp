// The recording of the sequence on screen: the file holds its numbers to the bit, clamps included,
// and the window goes on while it is written.
#include <QElapsedTimer>
#include <QFile>
#include <QStatusBar>
#include <QTimer>
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

  QTemporaryDir folder_;
};

TEST_F(Recordings, HoldWhatIsOnScreenClampsIncluded) {
  window_->stage().send(command::SetPrompt{"a 3 b 7 a 5 c 1 b"});
  window_->stage().send(command::Save{path("run.xlab").toStdString()});
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
  for (int i = 0; i < 3000; ++i) prompt += i % 2 ? "3 " : "a ";
  window_->stage().send(command::SetPrompt{prompt});
  ASSERT_EQ(now().sequence.tokens.size(), 3000u) << now().failure.what;
  QElapsedTimer clock;
  qint64 longest = 0;
  QTimer beat;
  ask("long.safetensors");
  clock.start();
  QObject::connect(&beat, &QTimer::timeout, &beat,
                   [&] { longest = std::max(longest, clock.restart()); });
  beat.start(5);
  ASSERT_TRUE(written("long.safetensors"));
  EXPECT_LT(longest, 100);
  EXPECT_GT(content("long.safetensors").size(), 3'000'000u);
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
