// kill -9 of the program itself, in its window, at any instant: the next start offers what was
// kept, in words that are true, and goes on from there.
#include <gtest/gtest.h>
#include <xcb/xcb.h>

#include <QDateTime>
#include <QElapsedTimer>
#include <QLocale>
#include <QProcess>
#include <QPushButton>
#include <QRegularExpression>
#include <QSettings>
#include <QTemporaryDir>
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "app/facts.hpp"
#include "app/files.hpp"
#include "app/recovery.hpp"
#include "app_window.hpp"
#include "core/keeping/kept_runs.hpp"

namespace xlab::tests {
namespace {

constexpr int kRounds = 6;
/// From a change by hand until it is kept, and for writing it on a machine that is busy.
constexpr int kKeptAfterMs = 2000 + 2000;

template <typename T>
using Reply = std::unique_ptr<T, decltype(&std::free)>;

template <typename T>
Reply<T> reply(T* got) {
  return {got, &std::free};
}

/// The program as a process of its own, reached through the windowing system as by a person.
class OtherProgram {
 public:
  explicit OtherProgram(const QProcessEnvironment& environment)
      : display_(xcb_connect(nullptr, nullptr)) {
    process_.setProcessEnvironment(environment);
    process_.start(XLAB_PROGRAM, {"--canvas", "software", "--device", "cpu", "--size", "1280x800"});
  }
  ~OtherProgram() {
    kill();
    xcb_disconnect(display_);
  }
  OtherProgram(const OtherProgram&) = delete;
  OtherProgram& operator=(const OtherProgram&) = delete;

  /// Whether its window came up, and has the keyboard now.
  bool appears() {
    if (!QTest::qWaitFor([this] { return find_window(); }, 20000)) return false;
    xcb_set_input_focus(display_, XCB_INPUT_FOCUS_PARENT, window_, XCB_CURRENT_TIME);
    xcb_flush(display_);
    return true;
  }

  /// A key that has a letter.
  void type(char letter) {
    const xcb_setup_t* setup = xcb_get_setup(display_);
    const int keys = setup->max_keycode - setup->min_keycode + 1;
    const auto map = reply(xcb_get_keyboard_mapping_reply(
        display_,
        xcb_get_keyboard_mapping(display_, setup->min_keycode, static_cast<std::uint8_t>(keys)),
        nullptr));
    ASSERT_NE(map, nullptr);
    const xcb_keysym_t* symbols = xcb_get_keyboard_mapping_keysyms(map.get());
    for (int key = 0; key < keys; ++key) {
      if (symbols[key * map->keysyms_per_keycode] != static_cast<xcb_keysym_t>(letter)) continue;
      press(setup->min_keycode + key, {10, 10}, XCB_KEY_PRESS, XCB_KEY_RELEASE);
      return;
    }
    FAIL() << "no key for " << letter;
  }

  void click(QPoint at) { press(1, at, XCB_BUTTON_PRESS, XCB_BUTTON_RELEASE); }

  QString title() const { return QString::fromUtf8(property(window_, "_NET_WM_NAME")); }

  bool runs() const { return process_.state() == QProcess::Running; }
  void kill() {
    if (!runs()) return;
    ::kill(static_cast<pid_t>(process_.processId()), SIGKILL);
    process_.waitForFinished();
  }

 private:
  QByteArray property(xcb_window_t window, const char* name) const {
    const QByteArray text(name);
    const auto atom = reply(xcb_intern_atom_reply(
        display_, xcb_intern_atom(display_, 1, static_cast<std::uint16_t>(text.size()), name),
        nullptr));
    if (!atom) return {};
    const auto got = reply(xcb_get_property_reply(
        display_, xcb_get_property(display_, 0, window, atom->atom, XCB_ATOM_ANY, 0, 1024),
        nullptr));
    if (!got) return {};
    return QByteArray(static_cast<const char*>(xcb_get_property_value(got.get())),
                      xcb_get_property_value_length(got.get()));
  }

  bool find_window() {
    root_ = xcb_setup_roots_iterator(xcb_get_setup(display_)).data->root;
    const auto tree =
        reply(xcb_query_tree_reply(display_, xcb_query_tree(display_, root_), nullptr));
    if (!tree) return false;
    const auto pid = static_cast<std::uint32_t>(process_.processId());
    const QByteArray wanted(reinterpret_cast<const char*>(&pid), sizeof pid);
    for (int i = 0; i < xcb_query_tree_children_length(tree.get()); ++i) {
      const xcb_window_t window = xcb_query_tree_children(tree.get())[i];
      if (property(window, "_NET_WM_PID") != wanted) continue;
      const auto shown = reply(xcb_get_window_attributes_reply(
          display_, xcb_get_window_attributes(display_, window), nullptr));
      const auto place =
          reply(xcb_get_geometry_reply(display_, xcb_get_geometry(display_, window), nullptr));
      if (!shown || shown->map_state != XCB_MAP_STATE_VIEWABLE) continue;
      if (!place || place->width != 1280 || place->height != 800) continue;
      window_ = window;
      return true;
    }
    return false;
  }

  /// Keys and buttons travel in events of the same form.
  void press(int detail, QPoint at, int down, int up) {
    for (const int type : {down, up}) {
      xcb_button_press_event_t event{};
      event.response_type = static_cast<std::uint8_t>(type);
      event.detail = static_cast<xcb_button_t>(detail);
      event.root = root_;
      event.event = window_;
      event.root_x = event.event_x = static_cast<std::int16_t>(at.x());
      event.root_y = event.event_y = static_cast<std::int16_t>(at.y());
      event.same_screen = 1;
      event.state = type == XCB_BUTTON_RELEASE ? XCB_BUTTON_MASK_1 : 0;
      xcb_send_event(display_, 0, window_, 0, reinterpret_cast<const char*>(&event));
    }
    xcb_flush(display_);
  }

  xcb_connection_t* display_;
  xcb_window_t root_ = 0, window_ = 0;
  QProcess process_;
};

/// The same person's next start, in this process, so that its banner can be read.
class KilledProgram : public WindowTest {
 protected:
  void SetUp() override {
    if (QGuiApplication::platformName() != "xcb")
      GTEST_SKIP() << "The program is reached through an X server, and there is none.";
    state_ = qgetenv("XDG_STATE_HOME");
    qputenv("XDG_STATE_HOME", folder_.filePath("state").toLocal8Bit());
    QSettings("xlstm-lab", "xlstm-lab").clear();
  }
  void TearDown() override {
    window_.reset();
    if (!state_.isEmpty()) qputenv("XDG_STATE_HOME", state_);
  }

  QProcessEnvironment environment() const {
    QProcessEnvironment own = QProcessEnvironment::systemEnvironment();
    for (const char* name :
         {"XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"})
      own.insert(name, folder_.filePath(QString(name).section('_', 1, 1).toLower()));
    return own;
  }

  static KeptRuns kept() { return kept_runs(app::state_folder().toStdString()); }

  QTemporaryDir folder_;
  QByteArray state_;
};

TEST_F(KilledProgram, OffersItsWorkAtTheNextStart) {
  std::mt19937 random(7);
  const auto below = [&random](int most) {
    return static_cast<int>(random() % static_cast<unsigned>(most));
  };
  std::int64_t first = -1, reached = 0;
  int offers = 0, reopened = 0;
  std::optional<QPoint> reopen;  // where the button stands in the program's window
  QElapsedTimer all;
  all.start();
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    qint64 change = -1;     // the first by hand, in the life of this program
    qint64 changed_at = 0;  // in seconds since 1970
    QElapsedTimer life;
    {
      OtherProgram program(environment());
      ASSERT_TRUE(program.appears());
      life.start();
      // The first one lives long enough to have something to lose.
      const int end = round == 0 ? kKeptAfterMs + 1000 : 100 + below(5000);
      bool open = !reopen, training = false;
      QElapsedTimer since_click;
      qint64 next_change = 0;
      while (life.elapsed() < end) {
        if (!open && (!since_click.isValid() || since_click.elapsed() > 1500)) {
          // At once it may not have looked for lost work yet.
          program.click(*reopen);
          since_click.start();
        }
        // A run with unsaved work is marked in the title.
        if (!open && program.title().contains('*')) {
          open = true;
          ++reopened;
        }
        if (open && program.title().contains("recall") && !training) {
          program.type('t');
          training = true;
        }
        if (training && life.elapsed() >= next_change) {
          program.type('n');
          if (change < 0) {
            change = life.elapsed();
            changed_at = QDateTime::currentSecsSinceEpoch();
          }
          next_change = life.elapsed() + 300 + below(900);
        }
        QTest::qWait(20);
      }
      ASSERT_TRUE(program.runs()) << "it ended by itself";
      program.kill();
    }
    const qint64 lived = life.elapsed();

    const KeptRuns left = kept();
    for (const std::string& problem : left.problems) ADD_FAILURE() << problem;
    // What there was before is there, and what was changed long enough ago is in it.
    ASSERT_FALSE(left.runs.empty());
    EXPECT_GE(left.runs.front().step, reached) << "training was lost";
    if (change >= 0 && lived - change > kKeptAfterMs) {
      EXPECT_GE(left.runs.front().kept_at, changed_at);
    }
    reached = left.runs.front().step;
    if (first < 0) first = reached;

    open_window({.canvas = app::CanvasKind::software, .remember = true});
    ASSERT_TRUE(QTest::qWaitFor([&] { return window_->recovery().looked(); }, 10000));
    EXPECT_EQ(window_->banner().sentence(), "");
    const QString offer = window_->banner().offered();
    const auto words = QRegularExpression(
                           "^The program ended before this was saved: (.+), step ([0-9,.]+), "
                           "(today|yesterday) at (.+)\\. Later")
                           .match(offer);
    ASSERT_TRUE(words.hasMatch()) << qPrintable(offer);
    ++offers;
    EXPECT_EQ(words.captured(1), "Associative recall");
    EXPECT_EQ(words.captured(2), app::grouped(reached));
    const QDateTime then = QDateTime::fromSecsSinceEpoch(left.runs.front().kept_at);
    EXPECT_LE(then.secsTo(QDateTime::currentDateTime()), all.elapsed() / 1000 + 2);
    EXPECT_EQ(words.captured(4), QLocale().toString(then.time(), QLocale::ShortFormat));
    for (QPushButton* button : window_->banner().findChildren<QPushButton*>()) {
      if (button->isVisible() && button->text() == "Reopen")
        reopen = button->mapTo(window_.get(), button->rect().center());
    }
    ASSERT_TRUE(reopen);
    // An offer that is not answered stands again at the next start.
    window_.reset();
  }
  EXPECT_EQ(offers, kRounds);
  EXPECT_GT(reopened, 0) << "no program lived long enough to go on with what was left";
  EXPECT_GT(reached, first) << "training never went on from what was reopened";
  std::cout << "killed " << kRounds << " times in " << all.elapsed() / 1000 << " s; reopened "
            << reopened << " times; step " << first << " to " << reached << '\n';
}

}  // namespace
}  // namespace xlab::tests
