// Starts the tests of the window: one QApplication for all, and folders that are nobody's own.
#include <gtest/gtest.h>

#include <QApplication>
#include <QDir>
#include <QLockFile>
#include <QLoggingCategory>
#include <QStyleFactory>
#include <QSurfaceFormat>
#include <QTemporaryDir>
#include <memory>

namespace {

/// A test of those that go to the second display has it for itself where there is one; else the two
/// that may run at a time take turns, as long as this is kept.
std::unique_ptr<QLockFile> choose_display() {
  const QByteArray second = qgetenv("XLAB_SECOND_DISPLAY");
  if (!second.isEmpty()) {
    if (!qEnvironmentVariableIsSet("XLAB_ON_SECOND_DISPLAY")) return nullptr;
    qputenv("DISPLAY", second);
    qputenv("XAUTHORITY", qgetenv("XLAB_SECOND_AUTHORITY"));
    return nullptr;
  }
  auto turn = std::make_unique<QLockFile>(QDir::tempPath() + "/xlab-tests-of-the-window.lock");
  turn->setStaleLockTime(0);  // some tests take long
  turn->lock();
  return turn;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::unique_ptr<QLockFile> turn =
      testing::GTEST_FLAG(list_tests) ? nullptr : choose_display();
  const QTemporaryDir folder;
  qputenv("XDG_CONFIG_HOME", (folder.path() + "/config").toLocal8Bit());
  qputenv("XDG_STATE_HOME", (folder.path() + "/state").toLocal8Bit());
  if (qgetenv("XDG_RUNTIME_DIR").isEmpty()) {
    qputenv("XDG_RUNTIME_DIR", folder.path().toLocal8Bit());
  }
  if (qgetenv("DISPLAY").isEmpty() && qgetenv("WAYLAND_DISPLAY").isEmpty()) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
  }
  QLoggingCategory::setFilterRules("default.warning=false");
  QSurfaceFormat format;
  format.setVersion(3, 3);
  format.setProfile(QSurfaceFormat::CoreProfile);
  format.setDepthBufferSize(0);
  format.setStencilBufferSize(0);
  QSurfaceFormat::setDefaultFormat(format);
  QCoreApplication::setAttribute(Qt::AA_ShareOpenGLContexts);
  QApplication application(argc, argv);
  QApplication::setStyle(QStyleFactory::create("Fusion"));
  QApplication::setQuitOnLastWindowClosed(false);
  return RUN_ALL_TESTS();
}
