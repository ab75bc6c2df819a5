// Opening files, and everything else that puts another run in the place of the one that is open.
#include <QFileInfo>
#include <QMetaObject>
#include <QStatusBar>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "app/banner.hpp"
#include "app/main_window.hpp"
#include "app/unsaved_work.hpp"
#include "app/weights_question.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/openable.hpp"

namespace xlab::app {

struct MainWindow::Looking {
  explicit Looking(MainWindow* asking) : window(asking) {}
  std::mutex mutex;
  MainWindow* window;  // until it goes
};

void MainWindow::replace_run(const QString& question, std::function<bool()> look,
                             std::function<void()> go_on, std::function<void()> beside) {
  // The run that goes comes back, by Undo, as it is shown now.
  tell_screen();
  // What was asked for last counts: a look that is not over leads to nothing any more.
  const int number = ++looks_;
  statusBar()->clearMessage();
  // Where nothing can be lost nobody is asked, and the engine looks for itself.
  if (!work_->any() && (!look || work_->others().isEmpty())) {
    go_on();
    return;
  }
  if (!look) {
    work_->keep_then(question, std::move(go_on), beside);
    return;
  }
  // By a thread that nobody waits for: a disk may hang, also when the program ends.
  if (!looking_) looking_ = std::make_shared<Looking>(this);
  statusBar()->showMessage(tr("Looking at the file…"));
  std::thread([looking = looking_, number, question, look = std::move(look),
               go_on = std::move(go_on), beside = std::move(beside)] {
    QString problem;
    bool all_go = false;
    try {
      all_go = look();
    } catch (const std::exception& e) {
      problem = QString::fromStdString(e.what());
    }
    const std::lock_guard lock(looking->mutex);
    MainWindow* window = looking->window;
    if (!window) return;
    QMetaObject::invokeMethod(
        window,
        [window, number, question, problem, all_go, go_on, beside] {
          if (number != window->looks_) return;
          window->statusBar()->clearMessage();
          if (!problem.isEmpty()) {
            window->banner_->tell(problem, About::opening);
          } else if (all_go) {
            window->work_->keep_all_then(question, go_on, beside);
          } else {
            window->work_->keep_then(question, go_on, beside);
          }
        },
        Qt::QueuedConnection);
  }).detach();
}

void MainWindow::stop_looking() {
  if (!looking_) return;
  const std::lock_guard lock(looking_->mutex);
  looking_->window = nullptr;
}

void MainWindow::open_model_folder(const std::string& path, bool beside,
                                   std::optional<SeriesChoice> series) {
  const bool asks = !series && reads_series(path);
  if (asks) series = ask_for_series(path, this);
  if (series) {
    stage_.send(command::OpenFolder{
        .path = path, .beside = beside, .series = series->file, .column = series->column});
  }
  if (asks || series) return;
  if (!may_be_large(path)) {
    stage_.send(command::OpenFolder{path, beside});
    return;
  }
  const int number = ++looks_;
  if (!looking_) looking_ = std::make_shared<Looking>(this);
  statusBar()->showMessage(tr("Looking at the file…"));
  std::thread([looking = looking_, number, path, beside] {
    std::optional<WeightsToHold> weights;
    try {
      weights = look_at_weights(path);
    } catch (const std::exception&) {  // opening it says what is wrong
    }
    const std::lock_guard lock(looking->mutex);
    MainWindow* window = looking->window;
    if (!window) return;
    QMetaObject::invokeMethod(
        window,
        [window, number, path, beside, weights] {
          if (number != window->looks_) return;
          window->statusBar()->clearMessage();
          const std::optional<int> bits = weights ? ask_for_bits(path, *weights, window) : 0;
          if (bits) window->stage_.send(command::OpenFolder{path, beside, *bits});
        },
        Qt::QueuedConnection);
  }).detach();
}

void MainWindow::open_series(const QString& folder, const QString& csv, const QString& column) {
  open_named(folder, false,
             SeriesChoice{QFileInfo(csv).absoluteFilePath().toStdString(), column.toStdString()});
}

void MainWindow::open(const QString& named, bool beside) {
  open_named(named, beside, {});
}

void MainWindow::open_named(const QString& named, bool beside,
                            const std::optional<SeriesChoice>& series) {
  // Saved later, when the program may run somewhere else.
  const QString path = QFileInfo(named).absoluteFilePath();
  const std::string file = path.toStdString();
  std::function<bool()> look;
  std::function<void(bool)> ask_engine;
  // A folder is one, whatever its name ends in, and so is its configuration.
  if (const QFileInfo info(path); series || info.isDir() || info.fileName() == "config.json" ||
                                  (info.suffix() == "yaml" && model_folder_of(file))) {
    look = [file] {
      look_at_folder(file);
      return false;
    };
    ask_engine = [this, file, series](bool apart) { open_model_folder(file, apart, series); };
  } else if (path.endsWith(".xlab")) {
    look = [file] { return look_at_run(file); };
    ask_engine = [this, file](bool apart) {
      stage_.send(command::OpenRun{.path = file, .bytes = nullptr, .beside = apart});
    };
  } else {
    look = [file] {
      look_at_text(file);
      return false;
    };
    ask_engine = [this, file](bool apart) {
      to_train_ = true;
      stage_.send(command::OpenText{.path = file, .beside = apart});
    };
  }
  if (beside) {
    tell_screen();
    ask_engine(true);
    return;
  }
  replace_run(
      tr("Open another run?"), std::move(look), [ask_engine] { ask_engine(false); },
      [ask_engine] { ask_engine(true); });
}

}  // namespace xlab::app
