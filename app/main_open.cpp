// Opening files, and everything else that puts another run in the place of the one that is open.
#include <QFileInfo>
#include <QFuture>
#include <QPromise>
#include <QThreadPool>
#include <exception>
#include <memory>

#include "app/banner.hpp"
#include "app/main_window.hpp"
#include "app/unsaved_work.hpp"
#include "core/openable.hpp"

namespace xlab::app {

void MainWindow::replace_run(const QString& question, std::function<void()> look,
                             std::function<void()> go_on) {
  // Where nothing can be lost nobody is asked, and the engine looks for itself.
  if (!work_->any()) {
    go_on();
    return;
  }
  if (!look) {
    work_->keep_then(question, std::move(go_on));
    return;
  }
  const auto promise = std::make_shared<QPromise<QString>>();
  promise->start();
  promise->future().then(this, [this, question, go_on = std::move(go_on)](const QString& problem) {
    if (problem.isEmpty()) {
      work_->keep_then(question, go_on);
    } else {
      banner_->tell(problem, About::opening);
    }
  });
  QThreadPool::globalInstance()->start([promise, look = std::move(look)] {
    QString problem;
    try {
      look();
    } catch (const std::exception& e) {
      problem = QString::fromStdString(e.what());
    }
    promise->addResult(problem);
    promise->finish();
  });
}

void MainWindow::open(const QString& path) {
  const std::string file = path.toStdString();
  const QString question = tr("Open another run?");
  if (path.endsWith(".xlab")) {
    replace_run(
        question, [file] { look_at_run(file); },
        [this, file] { stage_.send(command::OpenRun{.path = file, .bytes = nullptr}); });
  } else if (const QFileInfo info(path); info.isDir() || info.fileName() == "config.json") {
    replace_run(
        question, [file] { look_at_folder(file); },
        [this, file] { stage_.send(command::OpenFolder{file}); });
  } else {
    replace_run(
        question, [file] { look_at_text(file); },
        [this, file] {
          train_text_ = true;
          stage_.send(command::OpenText{.path = file});
        });
  }
}

}  // namespace xlab::app
