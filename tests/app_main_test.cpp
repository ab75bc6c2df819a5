// Starts the tests of the window: one QApplication for all, and folders that are nobody's own.
#include <gtest/gtest.h>

#include <QApplication>
#include <QLoggingCategory>
#include <QStyleFactory>
#include <QSurfaceFormat>
#include <QTemporaryDir>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
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
