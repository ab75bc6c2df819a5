// Tables are written beside the window, which goes on meanwhile; and what is said about files and
// times can be said in another language.
#include <QElapsedTimer>
#include <QFile>
#include <QImage>
#include <QTimer>
#include <QTranslator>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "app/beside_writer.hpp"
#include "app/facts.hpp"
#include "app/files.hpp"
#include "app_answers.hpp"
#include "app_files.hpp"
#include "app_window.hpp"
#include "ui/view.hpp"

namespace xlab::tests {
namespace {

struct NoImages : ui::Images {
  ImTextureID texture(const std::string&, std::uint64_t, int, int,
                      std::span<const std::uint32_t>) override {
    return {};
  }
};

class Writing : public WindowTest {
 protected:
  /// The table of the gates as it is now.
  std::string gates_csv() {
    NoImages images;
    ui::Focus focus = window_->stage().focus();
    const ui::Scene scene{
        window_->stage().snapshot(), focus, images, ui::palette(ui::PaletteName::light), {}};
    for (const auto& view : ui::make_views())
      if (view->name() == "gates") return view->table(scene).csv();
    return {};
  }
  /// A sequence so long that its table takes a while.
  void lengthen() {
    std::string prompt;
    for (int i = 0; i < 900; ++i) prompt += i % 2 ? "3 " : "a ";
    window_->stage().send(command::SetPrompt{prompt});
    ASSERT_EQ(now().sequence.tokens.size(), 900u) << now().failure.what;
  }
  QString path(const char* name) const { return folder_.filePath(name); }
  static std::string content(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
  }

  QTemporaryDir folder_;
};

TEST_F(Writing, TheWindowGoesOnWhileALongTableIsWritten) {
  lengthen();
  QElapsedTimer clock;
  clock.start();
  const std::string expected = gates_csv();
  const qint64 making = clock.elapsed();
  ASSERT_GT(expected.size(), 2'000'000u);
  // From when it begins to be written: the dialog before that takes its time, too.
  qint64 longest = 0;
  bool begun = false;
  QTimer beat;
  QObject::connect(&beat, &QTimer::timeout, &beat,
                   [&] { longest = std::max(longest, clock.restart()); });
  QObject::connect(&view("gates"), &app::ViewDock::begun, &beat, [&] {
    begun = true;
    clock.restart();
    beat.start(5);
  });
  Answers answers;
  answers.files = {path("long.csv")};
  view("gates").export_csv();
  longest = std::max(longest, clock.restart());
  ASSERT_TRUE(begun);
  ASSERT_TRUE(QTest::qWaitFor([&] { return QFile::exists(path("long.csv")); }, 60000));
  QTest::qWait(20);
  EXPECT_LT(longest, std::max<qint64>(making / 2, 100)) << "making it takes " << making << " ms";
  EXPECT_EQ(content(path("long.csv")), expected);
  EXPECT_EQ(window_->banner().sentence(), "");
}

TEST_F(Writing, ATableIsThereWhenTheWindowIsClosedAtOnce) {
  lengthen();
  const std::string expected = gates_csv();
  Answers answers;
  answers.files = {path("last.csv")};
  answers.button = QMessageBox::Discard;
  view("gates").export_csv();
  window_->close_unasked();
  window_.reset();
  EXPECT_EQ(content(path("last.csv")), expected);
}

TEST_F(Writing, APictureIsThereWhenTheWindowIsClosedAtOnce) {
  settle();
  const QSize size = view("gates").canvas().size();
  Answers answers;
  answers.files = {path("last.png")};
  answers.button = QMessageBox::Discard;
  view("gates").export_picture(3.0);
  window_->close_unasked();
  window_.reset();
  EXPECT_EQ(QImage(path("last.png")).size(), size * 3);
}

TEST_F(Writing, WhatCannotBeWrittenIsSaid) {
  ASSERT_TRUE(QDir(folder_.path()).mkpath("taken.csv"));
  Answers answers;
  answers.files = {path("taken.csv/no/such/folder.csv")};
  answers.word = "Replace";
  view("gates").export_csv();
  EXPECT_TRUE(QTest::qWaitFor([&] { return !window_->banner().sentence().isEmpty(); }, 5000));
  EXPECT_TRUE(window_->banner().sentence().contains("folder.csv"))
      << qPrintable(window_->banner().sentence());
}

TEST(BesideWriters, WriteWhileTheWindowsThreadGoesOn) {
  app::BesideWriter writer(nullptr);
  QStringList told;
  QObject::connect(&writer, &app::BesideWriter::begun, [&](const QString& text) { told += text; });
  QObject::connect(&writer, &app::BesideWriter::noticed,
                   [&](const QString& text) { told += text; });
  QObject::connect(&writer, &app::BesideWriter::failed, [&](const QString& text) { told += text; });
  std::promise<void> released;
  writer.write("a.csv",
               [wait = std::make_shared<std::future<void>>(released.get_future())](
                   QString& note, const std::atomic<bool>&) -> std::string {
                 if (wait->wait_for(std::chrono::seconds(10)) != std::future_status::ready)
                   return "nobody came by";
                 note = "as it was wanted";
                 return {};
               });
  EXPECT_EQ(told, QStringList{"Writing a.csv…"});
  released.set_value();
  ASSERT_TRUE(QTest::qWaitFor([&] { return told.size() == 2; }, 20000));
  EXPECT_EQ(told.last(), "Wrote a.csv. as it was wanted");
}

TEST(BesideWriters, GiveUpWhenTheProgramCannotWaitAnyLonger) {
  using std::chrono::milliseconds;
  auto writer = std::make_unique<app::BesideWriter>(nullptr);
  struct Seen {
    std::promise<bool> stopped;
    std::atomic<bool> over = false;
  };
  const auto willing = std::make_shared<Seen>(), stubborn = std::make_shared<Seen>();
  std::future<bool> stopped = willing->stopped.get_future(), told = stubborn->stopped.get_future();
  const auto wait = [](const std::atomic<bool>& until) {
    const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!until && std::chrono::steady_clock::now() < latest)
      std::this_thread::sleep_for(milliseconds(1));
    return until.load();
  };
  writer->write("a", [=](QString&, const std::atomic<bool>& stop) {
    willing->stopped.set_value(wait(stop));
    return std::string();
  });
  // A disk that hangs does not hear.
  writer->write("b", [=](QString&, const std::atomic<bool>& stop) {
    wait(stubborn->over);
    stubborn->stopped.set_value(stop);
    return std::string();
  });
  QElapsedTimer clock;
  clock.start();
  writer.reset();
  const qint64 waited = clock.elapsed();
  EXPECT_GE(waited, 1500) << "what is nearly there gets its time";
  EXPECT_LT(waited, 5000) << "and what hangs does not keep the window";
  ASSERT_EQ(stopped.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_TRUE(stopped.get());
  stubborn->over = true;
  ASSERT_EQ(told.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_TRUE(told.get());
}

TEST_F(Writing, WhatIsGivenUpLeavesNoNewFile) {
  QImage image(3, 2, QImage::Format_RGB32);
  image.fill(Qt::red);
  std::atomic<bool> stop = true;
  EXPECT_EQ(app::save_text(path("a.csv"), "new", stop),
            "Writing " + path("a.csv").toStdString() + " was given up.");
  EXPECT_EQ(app::save_picture(path("a.png"), image, stop),
            "Writing " + path("a.png").toStdString() + " was given up.");
  EXPECT_TRUE(QDir(folder_.path()).isEmpty());
  stop = false;
  EXPECT_EQ(app::save_text(path("a.csv"), "new", stop), "");
  EXPECT_EQ(app::save_picture(path("a.png"), image, stop), "");
  EXPECT_EQ(content(path("a.csv")), "new");
  EXPECT_EQ(QImage(path("a.png")).size(), QSize(3, 2));
}

/// Puts every sentence between marks, as a translation would change it.
class Marks : public QTranslator {
 public:
  bool isEmpty() const override { return false; }
  QString translate(const char*, const char* source, const char*, int) const override {
    return "<" + QString::fromUtf8(source) + ">";
  }
};

TEST(Words, OfTimesAndFilesCanBeTranslated) {
  Marks marks;
  ASSERT_TRUE(QCoreApplication::installTranslator(&marks));
  const QString seconds = app::duration(12.5), minutes = app::duration(754),
                hours = app::duration(7260);
  const std::string problem = app::save_picture("/nowhere/p.png", QImage());
  QCoreApplication::removeTranslator(&marks);
  EXPECT_EQ(seconds, "<12.5 s>");
  EXPECT_EQ(minutes, "<12 min 34 s>");
  EXPECT_EQ(hours, "<2 h 01 min>");
  EXPECT_EQ(problem, "<Cannot write /nowhere/p.png: there is no picture to write.>");
  EXPECT_EQ(app::duration(12.5), "12.5 s");
}

}  // namespace
}  // namespace xlab::tests
