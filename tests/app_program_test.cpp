// The program from outside: arguments, exit codes, pictures, signals.
#include <gtest/gtest.h>

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QImage>
#include <QProcess>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <algorithm>
#include <csignal>
#include <cstring>

#include "app/facts.hpp"
#include "app_window.hpp"
#include "core/engine/engine.hpp"

namespace xlab::tests {
namespace {

struct Result {
  int code = -1;
  QString out, error;
};

QProcessEnvironment without_display() {
  QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
  for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}) {
    environment.remove(name);
  }
  return environment;
}

Result run(const QStringList& arguments,
           const QProcessEnvironment& environment = without_display()) {
  QProcess process;
  process.setProcessEnvironment(environment);
  process.start(XLAB_PROGRAM, arguments);
  Result result;
  if (!process.waitForFinished(60000)) {
    process.kill();
    process.waitForFinished();
    return result;
  }
  result.code = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1;
  result.out = QString::fromUtf8(process.readAllStandardOutput());
  result.error = QString::fromUtf8(process.readAllStandardError());
  return result;
}

TEST(Program, TellsItsVersion) {
  const Result result = run({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(result.out.startsWith("xlstm-lab ")) << qPrintable(result.out);
}

TEST(Program, WrongArgumentsAreOneLineAndCodeTwo) {
  const QList<QStringList> wrong = {{"--no-such-thing"},
                                    {"a", "b"},
                                    {"--screenshot", "x.png", "--view", "nothing"},
                                    {"--screenshot", "x.png", "--size", "big"},
                                    {"--screenshot", "x.png", "--size", "3x3"},
                                    {"--screenshot", "x.png", "--palette", "pink"},
                                    {"--screenshot", "x.png", "--scale", "7"},
                                    {"--screenshot", "x.png", "--tour", "y"},
                                    {"--view", "gates"},
                                    {"--canvas", "paper"},
                                    {"--threads", "-1"}};
  for (const QStringList& arguments : wrong) {
    const Result result = run(arguments);
    EXPECT_EQ(result.code, 2) << qPrintable(arguments.join(' '));
    EXPECT_EQ(result.error.count('\n'), 1) << qPrintable(result.error);
  }
  EXPECT_TRUE(run({"--screenshot", "x.png", "--view", "nothing"}).error.contains("memory"))
      << "the views there are should be named";
}

TEST(Program, APictureIsWhatItsNameSaysAndAsLargeAsAsked) {
  const QTemporaryDir folder;
  for (const char* name : {"x.svg", "x.jpg", "x"}) {
    const Result wrong = run({"--screenshot", folder.filePath(name)});
    EXPECT_EQ(wrong.code, 2) << name;
    EXPECT_EQ(wrong.error.count('\n'), 1) << qPrintable(wrong.error);
    EXPECT_TRUE(wrong.error.contains(".png")) << qPrintable(wrong.error);
    EXPECT_FALSE(QFile::exists(folder.filePath(name)));
  }
  // Too small a window is refused with the smallest there is; that one is honoured.
  const Result small = run({"--screenshot", folder.filePath("small.png"), "--size", "100x100"});
  EXPECT_EQ(small.code, 2);
  EXPECT_FALSE(QFile::exists(folder.filePath("small.png")));
  const auto least = QRegularExpression("smaller than ([0-9]+)x([0-9]+)").match(small.error);
  ASSERT_TRUE(least.hasMatch()) << qPrintable(small.error);
  const QSize size(least.captured(1).toInt(), least.captured(2).toInt());
  const QString path = folder.filePath("least.PNG");
  const Result fits =
      run({"--screenshot", path, "--size", QString("%1x%2").arg(size.width()).arg(size.height())});
  EXPECT_EQ(fits.code, 0) << qPrintable(fits.error);
  EXPECT_EQ(QImage(path).size(), size);
}

TEST(Program, WithoutADisplayItSaysSo) {
  const Result result = run({});
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.error.count('\n'), 1) << qPrintable(result.error);
  EXPECT_TRUE(result.error.contains("display"));
}

TEST(Program, PicturesTheWindowAndEachViewWithoutADisplay) {
  const QTemporaryDir folder;
  const QString window = folder.filePath("window.png");
  const Result result =
      run({"--screenshot", window, "--size", "900x600", "--palette", "dark", "--scale", "1.25"});
  EXPECT_EQ(result.code, 0) << qPrintable(result.error);
  EXPECT_EQ(QImage(window).size(), QSize(900, 600));
  EXPECT_GT(colours(QImage(window)), 20);
  for (const char* name :
       {"time", "gates", "memory", "loss", "next", "inspector", "health", "faces", "stabilizer",
        "budget", "map", "mixing", "reach", "findings", "fill", "read", "explorer"}) {
    const QString path = folder.filePath(QString(name) + ".png");
    const Result one = run({"--screenshot", path, "--view", name, "--size", "500x300"});
    EXPECT_EQ(one.code, 0) << qPrintable(one.error);
    EXPECT_EQ(QImage(path).size(), QSize(500, 300));
    EXPECT_GT(colours(QImage(path)), 4) << name;
  }
}

TEST(Program, APictureOfAFileThatIsNotThereFails) {
  const QTemporaryDir folder;
  const QString path = folder.filePath("x.png");
  const Result result = run({"/nowhere/at/all.xlab", "--screenshot", path});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.error.count('\n'), 1) << qPrintable(result.error);
  EXPECT_FALSE(QFile::exists(path));
  const Result unwritable = run({"--screenshot", "/nowhere/at/all.png"});
  EXPECT_EQ(unwritable.code, 1);
}

TEST(Program, ForcedOpenGlWithoutADisplayIsRefused) {
  const QTemporaryDir folder;
  const Result result = run({"--canvas", "gl", "--screenshot", folder.filePath("x.png")});
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.error.count('\n'), 1) << qPrintable(result.error);
}

/// The top choice after the cursor, its probability, and how far it is from the unclamped world.
struct Choice {
  QString label;
  std::size_t token = 0;
  double probability = 0.0, kl = 0.0;
};

Choice choice_of(const Snapshot& now) {
  const auto& p = now.next->probabilities;
  const auto best = std::max_element(p.begin(), p.end());
  Choice choice;
  choice.token = static_cast<std::size_t>(best - p.begin());
  choice.label = QString::fromStdString(now.model->vocabulary[choice.token]);
  choice.probability = static_cast<double>(*best);
  choice.kl = now.next->kl_nats;
  return choice;
}

/// Every number of the report that does not hang on the clock against an engine of our own; those
/// that do against each other.
void check_report(const QString& text) {
  QFile preset(":/presets/recall.xlab");
  ASSERT_TRUE(preset.open(QIODevice::ReadOnly));
  const QByteArray content = preset.readAll();
  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(content.size()));
  std::memcpy(bytes->data(), content.data(), bytes->size());
  Engine engine({}, "cpu");
  engine.send(command::OpenRun{.path = {}, .bytes = bytes});
  engine.flush();
  const int last = static_cast<int>(engine.snapshot()->sequence.tokens.size()) - 1;
  engine.send(command::SetCursor{last});
  engine.flush();
  const Choice before = choice_of(*engine.snapshot());
  const auto expect_line = [&](const QString& line) {
    EXPECT_TRUE(text.contains(line)) << "the report lacks: " << qPrintable(line);
  };
  expect_line(QString("Played to token %1 of %1:").arg(last + 1));
  expect_line(QString("Top choice for the next token: `%1` with probability %2.")
                  .arg(before.label, app::three_digits(before.probability)));
  const BlockCard block = engine.snapshot()->model->blocks[0];
  ASSERT_EQ(block.kind, "mlstm");
  for (int head = 0; head < block.heads; ++head) {
    engine.send(command::SetClamp{Clamp{.path = block.prefix + "/forget_gate_pre",
                                        .head = head,
                                        .begin = last,
                                        .end = last + 1,
                                        .value = -10.0f}});
  }
  engine.flush();
  const Choice held = choice_of(*engine.snapshot());
  EXPECT_GT(held.kl, 0.0);
  const auto& p = engine.snapshot()->next->probabilities;
  const QString words =
      "%1: top choice `%2` with probability %3; `%4`, chosen before, has %5 (it "
      "had %6); KL from the unclamped world %7 nats.";
  expect_line(words.arg("All heads", held.label, app::three_digits(held.probability), before.label,
                        app::three_digits(static_cast<double>(p[before.token])),
                        app::three_digits(before.probability), app::three_digits(held.kl)));
  expect_line(words.arg("Let go again", before.label, app::three_digits(before.probability),
                        before.label, app::three_digits(before.probability),
                        app::three_digits(before.probability), "0"));

  const auto numbers = [&](const char* pattern) {
    const auto match = QRegularExpression(pattern).match(text);
    EXPECT_TRUE(match.hasMatch()) << pattern;
    std::vector<double> found;
    for (int i = 1; i <= match.lastCapturedIndex(); ++i)
      found.push_back(match.captured(i).remove(',').toDouble());
    return found;
  };
  const auto speed =
      numbers("([0-9,]+) steps in ([0-9.]+) s: ([0-9.e+]+) steps/s, ([0-9,]+) tokens/s");
  ASSERT_EQ(speed.size(), 4u);
  EXPECT_GE(speed[0], 1.0);
  EXPECT_NEAR(speed[2], speed[0] / speed[1], 0.02 * speed[2]);
  // A step has as many tokens as a batch.
  const TrainStatus& train = engine.snapshot()->train;
  const double tokens = speed[2] * train.batch_size * train.sequence_length;
  EXPECT_GT(speed[3], 0.3 * tokens);
  EXPECT_LT(speed[3], 3.0 * tokens);
  const auto loss = numbers(
      "Mean loss ([0-9.e−+]+) nats per token before, ([0-9.e−+]+) after; accuracy of the last "
      "batch "
      "([0-9.]+) %");
  ASSERT_EQ(loss.size(), 3u);
  EXPECT_GE(loss[2], 0.0);
  EXPECT_LE(loss[2], 100.0);
  const auto frames = numbers("median ([0-9.]+) ms, 95 % ([0-9.]+) ms, slowest ([0-9.]+) ms");
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_GT(frames[0], 0.0);
  EXPECT_LE(frames[0], frames[1]);
  EXPECT_LE(frames[1], frames[2]);
  const auto made = QRegularExpression("Generated: `([^`]*)`").match(text).captured(1).split(' ');
  EXPECT_EQ(made.size(), 4);
  for (const QString& token : made) {
    const auto& vocabulary = engine.snapshot()->model->vocabulary;
    EXPECT_NE(std::find(vocabulary.begin(), vocabulary.end(), token.toStdString()),
              vocabulary.end())
        << qPrintable(token);
  }
}

TEST(Program, TheTourLeavesPicturesAndAReport) {
  const QTemporaryDir folder;
  const Result result = run({"--tour", folder.filePath("tour")});
  ASSERT_EQ(result.code, 0) << qPrintable(result.error);
  QFile report(folder.filePath("tour/report.md"));
  ASSERT_TRUE(report.open(QIODevice::ReadOnly));
  const QString text = QString::fromUtf8(report.readAll());
  for (const char* word : {"Device", "Top choice", "KL", "steps/s", "Mean loss", "median"}) {
    EXPECT_TRUE(text.contains(word)) << word;
  }
  const QStringList pictures = QDir(folder.filePath("tour")).entryList({"*.png"});
  EXPECT_GE(pictures.size(), 21);
  check_report(text);
}

// What a sanitizer watches takes longer to stand.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kUntilItStands = 10000, kLongestEnd = 10000;
#else
constexpr int kUntilItStands = 1200, kLongestEnd = 2000;
#endif

TEST(Program, SignalsCloseItWithinTwoSeconds) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    const QTemporaryDir folder;
    QProcessEnvironment environment = without_display();
    environment.insert("QT_QPA_PLATFORM", "offscreen");
    environment.insert("XDG_STATE_HOME", folder.path());
    environment.insert("XDG_CONFIG_HOME", folder.path());
    QProcess process;
    process.setProcessEnvironment(environment);
    process.start(XLAB_PROGRAM, {"--canvas", "software"});
    ASSERT_TRUE(process.waitForStarted());
    QTest::qWait(kUntilItStands);
    QElapsedTimer clock;
    clock.start();
    ::kill(static_cast<pid_t>(process.processId()), number);
    EXPECT_TRUE(process.waitForFinished(3 * kLongestEnd));
    EXPECT_LT(clock.elapsed(), kLongestEnd);
    EXPECT_EQ(process.exitStatus(), QProcess::NormalExit);
    EXPECT_EQ(process.exitCode(), 0);
  }
}

}  // namespace
}  // namespace xlab::tests
