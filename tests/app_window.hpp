// A real window for tests, and real events for it.
#pragma once

#include <gtest/gtest.h>

#include <QApplication>
#include <QDir>
#include <QDockWidget>
#include <QImage>
#include <QRect>
#include <QScrollArea>
#include <QTemporaryDir>
#include <QTest>
#include <QWindow>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "app/banner.hpp"
#include "app/dock.hpp"
#include "app/first_run.hpp"
#include "app/main_window.hpp"

namespace xlab::tests {

/// Whether Qt shows windows on a screen (Xvfb counts) or only in memory.
inline bool has_screen() {
  return QGuiApplication::platformName() != "offscreen";
}

/// A recall run, its sequence played to the end, in a window that remembers nothing.
class WindowTest : public testing::Test {
 protected:
  void SetUp() override {
    open_window({.canvas = app::CanvasKind::software, .remember = false});
    window_->begin();
    ASSERT_TRUE(QTest::qWaitFor(
        [&] {
          window_->first_run().skip();
          return window_->first_run().finished();
        },
        20000));
    settle();
  }

  void open_window(const app::WindowOptions& options) {
    if (has_screen()) QCursor::setPos(0, 0);
    app::WindowOptions on_cpu = options;
    on_cpu.device = "cpu";
    window_ = std::make_unique<app::MainWindow>(on_cpu);
    window_->resize(1280, 800);
    window_->show();
    ASSERT_TRUE(QTest::qWaitForWindowExposed(window_.get()));
    window_->activateWindow();
    ASSERT_TRUE(QTest::qWaitForWindowActive(window_.get()));
  }

  /// All commands have taken effect and are drawn.
  void settle() {
    window_->stage().engine().flush();
    QTest::qWait(40);
    EXPECT_TRUE(QTest::qWaitFor([&] { return window_->at_rest(); }, 5000));
  }

  const Snapshot& now() {
    settle();
    return window_->stage().snapshot();
  }

  app::ViewDock& view(const char* name) { return *window_->view(name); }

  void key(Qt::Key key, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
    QTest::keyClick(window_->windowHandle(), key, modifiers);
  }

  app::Dock* dock(const char* name) { return window_->findChild<app::Dock*>(name); }
  /// Brings a panel to the front, wherever its room has it.
  app::Dock& front(const char* name) {
    app::Dock* panel = dock(name);
    panel->show();
    panel->raise();
    settle();
    return *panel;
  }
  /// The widget that a reader of the screen calls so, null where there is none.
  template <typename Widget>
  Widget* named(const QString& name) {
    for (Widget* widget : window_->findChildren<Widget*>()) {
      if (widget->accessibleName() == name) return widget;
    }
    return nullptr;
  }
  /// Where every dock stands; nothing for a closed one.
  std::map<std::string, QRect> places() {
    settle();
    std::map<std::string, QRect> found;
    for (QDockWidget* dock :
         window_->findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly)) {
      const bool seen = dock->isVisible() && !dock->visibleRegion().isEmpty();
      found[dock->objectName().toStdString()] = seen ? dock->geometry() : QRect();
    }
    return found;
  }

  static void show_in_scroll(QWidget* widget) {
    for (QWidget* up = widget->parentWidget(); up; up = up->parentWidget()) {
      if (auto* area = qobject_cast<QScrollArea*>(up)) area->ensureWidgetVisible(widget);
    }
    QTest::qWait(5);
  }
  /// A click through the windowing system's way in, where the widget is on the screen.
  static void click(QWidget* widget) {
    ASSERT_NE(widget, nullptr);
    show_in_scroll(widget);
    QTest::mouseClick(widget->window()->windowHandle(), Qt::LeftButton, Qt::NoModifier,
                      widget->mapTo(widget->window(), widget->rect().center()));
  }
  /// Presses, moves and releases the mouse on a widget through the windowing system's way in.
  static void drag(QWidget* widget, QPoint from, QPoint to) {
    QWindow* window = widget->window()->windowHandle();
    const auto at = [&](QPoint p) { return widget->mapTo(widget->window(), p); };
    QTest::mouseMove(window, at(from));
    QTest::mousePress(window, Qt::LeftButton, Qt::NoModifier, at(from));
    for (int i = 1; i <= 5; ++i) {
      QTest::mouseMove(window, at(from + (to - from) * i / 5));
      QTest::qWait(15);
    }
    QTest::mouseRelease(window, Qt::LeftButton, Qt::NoModifier, at(to));
    QTest::qWait(15);
  }

  std::unique_ptr<app::MainWindow> window_;
};

/// How many colours a picture has, counted up to `most`.
inline int colours(const QImage& picture, int most = 50) {
  std::set<QRgb> seen;
  for (int y = 0; y < picture.height(); ++y) {
    for (int x = 0; x < picture.width(); ++x) {
      seen.insert(picture.pixel(x, y));
      if (static_cast<int>(seen.size()) >= most) return most;
    }
  }
  return static_cast<int>(seen.size());
}

/// Share of pixels of which a channel differs by more than `tolerance`.
inline double difference(const QImage& a, const QImage& b, int tolerance = 16) {
  if (a.size() != b.size()) return 1.0;
  std::int64_t off = 0;
  for (int y = 0; y < a.height(); ++y) {
    for (int x = 0; x < a.width(); ++x) {
      const QRgb p = a.pixel(x, y), q = b.pixel(x, y);
      off += std::abs(qRed(p) - qRed(q)) > tolerance ||
             std::abs(qGreen(p) - qGreen(q)) > tolerance ||
             std::abs(qBlue(p) - qBlue(q)) > tolerance;
    }
  }
  return static_cast<double>(off) / (static_cast<double>(a.width()) * a.height());
}

}  // namespace xlab::tests
