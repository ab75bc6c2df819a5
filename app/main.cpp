// The program xlstm-lab: reads its arguments, chooses how to draw, and opens the window.
#include <CLI/CLI.hpp>
#include <QApplication>
#include <QIcon>
#include <QLoggingCategory>
#include <QScreen>
#include <QStyleFactory>
#include <QSurfaceFormat>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "app/canvas.hpp"
#include "app/capture.hpp"
#include "app/main_window.hpp"
#include "app/unix_signals.hpp"
#include "kernels/config.hpp"
#include "kernels/device/device.hpp"
#include "kernels/device/threads.hpp"
#include "ui/view.hpp"

namespace {

constexpr int kBadArguments = 2;
constexpr int kNoWindow = 3;

struct Arguments {
  std::string file, series, column, screenshot, view = "window", tour, canvas, palette;
  std::string size_text;
  int width = 0, height = 0;
  float scale = 0.0f;
  int threads = 0;
  std::string device = "auto";
  bool version = false;
};

int refuse(const std::string& sentence, int code) {
  std::fprintf(stderr, "xlstm-lab: %s\n", sentence.c_str());
  return code;
}

bool ends_with(std::string name, const char* ending) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.size() > 4 && name.ends_with(ending);
}

/// What a picture can be made of: the window, or one of its views.
std::vector<std::string> pictured() {
  std::vector<std::string> names;
  for (const auto& view : xlab::ui::make_views()) names.push_back(view->name());
  names.emplace_back("window");
  return names;
}

/// Fills `arguments`; the sentence says what is wrong with them.
std::string read(int argc, char** argv, Arguments& arguments, bool& help, std::string& help_text) {
  CLI::App cli{"Open an xLSTM, drive it by hand and see how it remembers.", "xlstm-lab"};
  Arguments& a = arguments;
  cli.add_option("file", a.file, "a run (.xlab), a model folder, or a text to train on");
  cli.add_option("--series", a.series,
                 "the CSV file with the series that a forecasting model is to read");
  cli.add_option("--column", a.column, "its column: the name in the first line, or the number");
  cli.add_option("--screenshot", a.screenshot,
                 "write a picture of the window, or of one --view also as .svg, and end");
  cli.add_option("--view", a.view, "the view to picture instead of the whole window")
      ->check(CLI::IsMember(pictured()));
  cli.add_option("--size", a.size_text, "size of the window or picture, e.g. 1280x800");
  cli.add_option("--scale", a.scale, "size of text and lines, 1 to 2.5")
      ->check(CLI::Range(1.0, 2.5));
  cli.add_option("--palette", a.palette, "colours")
      ->check(CLI::IsMember({"light", "dark", "projector"}));
  cli.add_option("--canvas", a.canvas, "who draws: the graphics card or the CPU")
      ->check(CLI::IsMember({"gl", "software"}));
  cli.add_option("--threads", a.threads, "threads to compute with, 0 for one per core")
      ->check(CLI::Range(0, 256));
  cli.add_option("--device", a.device, "where models compute: auto, cpu, cuda or cuda:N");
  cli.add_option("--tour", a.tour, "play the first scene, write pictures and a report here, end");
  cli.add_flag("--version", a.version, "print the version and end");
  try {
    cli.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    help = true;
    help_text = cli.help();
    return {};
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  if (!a.size_text.empty()) {
    char rest = 0;
    if (std::sscanf(a.size_text.c_str(), "%dx%d%c", &a.width, &a.height, &rest) != 2 ||
        a.width < 64 || a.height < 64 || a.width > 16384 || a.height > 16384) {
      return "--size: \"" + a.size_text + "\" is no size; write it like 1280x800 (64 to 16384).";
    }
    if (a.view == "window" && (a.width < 640 || a.height < 480))
      return "--size: the window is never smaller than 640x480, but " + a.size_text + " is.";
  }
  if (!a.series.empty() && a.file.empty()) return "--series needs the folder of a model.";
  if (!a.column.empty() && a.series.empty()) return "--column needs --series.";
  if (!a.screenshot.empty() && !a.tour.empty()) {
    return "--screenshot and --tour exclude each other.";
  }
  const bool drawing = a.view != "window" && ends_with(a.screenshot, ".svg");
  if (!a.screenshot.empty() && !drawing && !ends_with(a.screenshot, ".png")) {
    return "--screenshot: pictures are written as PNG, or for one --view as SVG: end the name \"" +
           a.screenshot + "\" in .png or .svg.";
  }
  if (a.screenshot.empty() && a.view != "window") return "--view needs --screenshot.";
  return {};
}

/// Whether Qt could open a window. Without a display it would end the program instead of saying so.
bool has_display() {
  const QByteArray platform = qgetenv("QT_QPA_PLATFORM");
  if (!platform.isEmpty() && !platform.startsWith("xcb") && !platform.startsWith("wayland")) {
    return true;
  }
  return !qgetenv("DISPLAY").isEmpty() || !qgetenv("WAYLAND_DISPLAY").isEmpty();
}

/// Opens what was named. The exit code, where a picture or a tour was all that was asked for.
std::optional<int> begin_as_asked(xlab::app::MainWindow& window, const Arguments& arguments,
                                  QSize size) {
  using namespace xlab;
  const QString file = QString::fromLocal8Bit(arguments.file.c_str());
  const QString series = QString::fromLocal8Bit(arguments.series.c_str());
  const QString column = QString::fromLocal8Bit(arguments.column.c_str());
  if (!arguments.tour.empty()) {
    return app::take_tour(window, QString::fromLocal8Bit(arguments.tour.c_str()));
  }
  if (!arguments.screenshot.empty()) {
    return app::take_picture(window, {.path = QString::fromLocal8Bit(arguments.screenshot.c_str()),
                                      .view = QString::fromStdString(arguments.view),
                                      .size = size,
                                      .file = file,
                                      .series = series,
                                      .column = column});
  }
  if (file.isEmpty()) {
    window.begin();
  } else if (!series.isEmpty()) {
    window.open_series(file, series, column);
  } else {
    window.open(file);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace xlab;
  Arguments arguments;
  bool help = false;
  std::string help_text;
  const std::string wrong = read(argc, argv, arguments, help, help_text);
  if (!wrong.empty()) return refuse(wrong, kBadArguments);
  if (help || arguments.version) {
    std::printf("%s",
                help ? help_text.c_str() : (std::string("xlstm-lab ") + kVersion + "\n").c_str());
    return 0;
  }
  set_threads(arguments.threads);
  if (arguments.device != "auto") {
    try {
      (void)device_named(arguments.device);
    } catch (const Error& e) {
      return refuse(e.what(), kBadArguments);
    }
  }

  const bool unattended = !arguments.screenshot.empty() || !arguments.tour.empty();
  if (!has_display() || (unattended && arguments.canvas != "gl")) {
    if (!unattended) {
      return refuse(
          "There is no display to open a window on. Set DISPLAY or WAYLAND_DISPLAY, or "
          "use --screenshot or --tour.",
          kNoWindow);
    }
    qputenv("QT_QPA_PLATFORM", "offscreen");
    // Qt's remarks about a platform without windows help nobody here.
    QLoggingCategory::setFilterRules("default.warning=false");
  }

  QSurfaceFormat format;
  format.setVersion(3, 3);
  format.setProfile(QSurfaceFormat::CoreProfile);
  format.setDepthBufferSize(0);
  format.setStencilBufferSize(0);
  QSurfaceFormat::setDefaultFormat(format);
  // With shared contexts a floated dock keeps its textures; without OpenGL none is to be made.
  QCoreApplication::setAttribute(Qt::AA_ShareOpenGLContexts, arguments.canvas != "software");
  QCoreApplication::setApplicationName("xlstm-lab");
  QCoreApplication::setApplicationVersion(kVersion);
  QGuiApplication::setApplicationDisplayName("xLSTM Lab");
  QGuiApplication::setDesktopFileName("xlstm-lab");
  int qt_argc = 1;
  QApplication application(qt_argc, argv);
  QApplication::setStyle(QStyleFactory::create("Fusion"));

  app::WindowOptions options{.remember = !unattended, .device = arguments.device};
  if (arguments.canvas != "software") {
    const app::GlProbe probe = app::probe_gl();
    const bool forced = arguments.canvas == "gl";
    if (forced && !probe.usable) {
      return refuse("--canvas gl is not possible: " + probe.problem + ".", kNoWindow);
    }
    if (probe.usable && (forced || !probe.on_cpu)) options.canvas = app::CanvasKind::gl;
  }
  options.look.scale = static_cast<float>(
      std::round(QGuiApplication::primaryScreen()->logicalDotsPerInchY() / 96.0 * 4.0) / 4.0);

  app::MainWindow window(options);
  QGuiApplication::setWindowIcon(QIcon(":/icons/xlstm-lab.svg"));
  app::CanvasLook look = window.stage().look();
  if (!arguments.palette.empty()) look.palette = ui::palette_name(arguments.palette);
  if (arguments.scale > 0.0f) look.scale = arguments.scale;
  window.set_look(look);
  const QSize size = arguments.width > 0 ? QSize(arguments.width, arguments.height)
                     : unattended        ? QSize(1280, 800)
                                         : QSize();
  if (size.isValid()) window.resize(size);

  std::optional<app::UnixSignals> unix_signals;
  if (!unattended) {
    unix_signals.emplace();
    QObject::connect(&*unix_signals, &app::UnixSignals::quit_wanted, &window,
                     &app::MainWindow::close_interrupted);
  }
  window.show();
  if (const auto ended = begin_as_asked(window, arguments, size)) return *ended;
  return QApplication::exec();
} catch (const std::exception& e) {
  return refuse(e.what(), kNoWindow);
}
