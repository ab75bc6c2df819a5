// The program from outside: arguments, exit codes, pictures, signals.
#include <gtest/gtest.h>

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QImage>
#include <QProcess>
#include <QTemporaryDir>
#include <csignal>

#include "app_window.hpp"

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
  for (const char* name : {"time", "gates", "memory", "loss", "next", "inspector", "health"}) {
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
}

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
    QTest::qWait(1200);
    QElapsedTimer clock;
    clock.start();
    ::kill(static_cast<pid_t>(process.processId()), number);
    EXPECT_TRUE(process.waitForFinished(5000));
    EXPECT_LT(clock.elapsed(), 2000);
    EXPECT_EQ(process.exitStatus(), QProcess::NormalExit);
    EXPECT_EQ(process.exitCode(), 0);
  }
}

}  // namespace
}  // namespace xlab::tests
