// What the actions of the menus, of the tool bar and of keys do.
#include <QActionGroup>
#include <QApplication>
#include <QDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QToolBar>
#include <QToolButton>
#include <QTreeWidget>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string>

#include "app/banner.hpp"
#include "app/beside_writer.hpp"
#include "app/file_dialogs.hpp"
#include "app/files.hpp"
#include "app/first_run.hpp"
#include "app/main_window.hpp"
#include "app/panel_runs.hpp"
#include "app/recovery.hpp"
#include "app/run_look.hpp"
#include "app/save_dialog.hpp"
#include "app/unsaved_work.hpp"
#include "core/bytes_text.hpp"
#include "core/explorer.hpp"
#include "core/files/openable.hpp"
#include "core/files/recording.hpp"
#include "core/selfcheck/verdict.hpp"
#include "core/tasks/task.hpp"
#include "kernels/config.hpp"

namespace xlab::app {
namespace {

constexpr double kSlowest = 0.25, kFastest = 64.0;

}  // namespace

void MainWindow::back_to_start() {
  replace_run(tr("Go back to the first scene?"), {}, [this] {
    set_perspective(Perspective::memory);
    first_run_->begin();
  });
}

void MainWindow::start_task(const QString& task, bool beside) {
  const auto start = [this, task](bool apart) {
    stage_.send(command::NewRun{.task = task.toStdString(), .spec_json = {}, .beside = apart});
    if (task == explorer::kTask) set_perspective(Perspective::explorer);
  };
  if (task == "text") {
    open_dialog(false, beside);
  } else if (beside) {
    tell_screen();
    start(true);
  } else {
    replace_run(
        tr("Start a new run?"), {}, [start] { start(false); }, [start] { start(true); });
  }
}

void MainWindow::train_model_on(const QString& task) {
  const bool text = task == "text";
  QString path;
  if (text) {
    path = ask_what_to_open(this, tr("Train this model on a text"),
                            tr("Texts (*.txt *.md *.csv);;All files (*)"));
    if (path.isEmpty()) return;
  }
  const std::string file = path.toStdString();
  std::function<bool()> look;
  if (text) {
    look = [file] {
      look_at_text(file);
      return false;
    };
  }
  const auto start = [this, task, text, file](bool apart) {
    to_train_ = true;
    if (text) {
      stage_.send(command::OpenText{.path = file, .from_model = true, .beside = apart});
    } else {
      stage_.send(command::NewRun{
          .task = task.toStdString(), .spec_json = {}, .from_model = true, .beside = apart});
    }
  };
  replace_run(
      tr("Train this model on something else?"), std::move(look), [start] { start(false); },
      [start] { start(true); });
}

void MainWindow::read_text_again(QString tokens) {
  if (tokens == "file") {
    tokens = ask_what_to_open(this, tr("Open tokenizer"),
                              tr("Tokenizers and model folders (*.json);;All files (*)"));
    if (tokens.isEmpty()) return;
    // Stands for the folder, as it does where models are opened.
    const QFileInfo file(tokens);
    if (file.fileName() == "config.json") tokens = file.path();
  }
  replace_run(
      tr("Read the text again for a new run?"),
      [name = tokens.toStdString()] {
        look_at_tokenizer(name);
        return false;
      },
      [this, name = tokens.toStdString()] {
        stage_.send(command::OpenText{.path = {}, .tokenizer = name});
      },
      [this, name = tokens.toStdString()] {
        stage_.send(command::OpenText{.path = {}, .tokenizer = name, .beside = true});
      });
}

void MainWindow::open_dialog(bool run, bool beside) {
  const QString path = ask_what_to_open(
      this, run ? tr("Open run") : tr("Open text"),
      run ? tr("Runs and models (*.xlab config.json config.yaml model.yaml);;All files (*)")
          : tr("Texts (*.txt *.md *.csv);;All files (*)"));
  if (!path.isEmpty()) open(path, beside);
}

void MainWindow::open_folder_dialog(bool beside) {
  const QString path = ask_for_folder(this, tr("Open model folder"));
  if (!path.isEmpty()) open(path, beside);
}

void MainWindow::export_folder_dialog() {
  const QString path = ask_which_folder_to_write(this, tr("Export model folder"), "model");
  if (!path.isEmpty()) stage_.send(command::ExportFolder{path.toStdString()});
}

void MainWindow::export_recording_dialog() {
  const QString path = ask_where_to_write(this, {.title = tr("Export recording"),
                                                 .suggestion = "recording.safetensors",
                                                 .filter = tr("Recordings (*.safetensors)"),
                                                 .extension = "safetensors"});
  if (path.isEmpty()) return;
  // What is on screen now, whatever comes while it is written.
  writer_->write(
      path,
      [path, snapshot = stage_.engine().snapshot()](QString& note,
                                                    const std::atomic<bool>& stop) -> std::string {
        if (!snapshot->model || !snapshot->trace)
          return tr("There is no run: open a file or a task first.").toStdString();
        // The weights of a model end in the same way.
        if (QFileInfo::exists(path) && !is_recording(path.toStdString()))
          return tr("%1 exists and is no recording, so it stays as it is: choose another name for "
                    "the recording, or remove that file first.")
              .arg(path)
              .toStdString();
        const RecordingPlan plan(*snapshot->model, snapshot->sequence.tokens,
                                 snapshot->sequence.clamps,
                                 {.program = std::string("xLSTM Lab ") + kVersion});
        const std::uint64_t not_finite =
            write_recording(plan, *snapshot->trace, path.toStdString(), stop);
        note = (plan.tokens() == 1 ? tr("%1 token of %2 values: %3")
                                   : tr("%1 tokens of %2 values: %3"))
                   .arg(plan.tokens())
                   .arg(plan.values())
                   .arg(QString::fromStdString(bytes_text(static_cast<double>(plan.bytes()))));
        if (not_finite > 0) {
          const QString reason = QString::fromStdString(why_not_finite(snapshot->model->blocks));
          note += ". " + (reason.isEmpty()
                              ? tr("%1 of the numbers written are not finite").arg(not_finite)
                              : tr("%1 of the numbers written are not finite, because %2")
                                    .arg(not_finite)
                                    .arg(reason));
        }
        return {};
      });
}

void MainWindow::save_all_dialog() {
  work_->save_all(true);
}

void MainWindow::toggle_training() {
  if (stage_.snapshot().train.state == TrainState::running) {
    stage_.send(command::Pause{});
  } else {
    stage_.send(command::Train{});
  }
  train_->setChecked(stage_.snapshot().train.state == TrainState::running);
}

void MainWindow::move_run(int places) {
  const auto& runs = stage_.snapshot().runs;
  const auto count = static_cast<int>(runs.size());
  for (int i = 0; i < count; ++i) {
    if (runs[static_cast<std::size_t>(i)]->id != stage_.snapshot().focused_run) continue;
    const int to = (i + places + count) % count;
    stage_.send(command::FocusRun{runs[static_cast<std::size_t>(to)]->id});
    return;
  }
}

void MainWindow::toggle_playing() {
  if (stage_.snapshot().sequence.playing) {
    stage_.send(command::StopPlaying{});
  } else {
    stage_.send(command::Play{});
  }
  play_->setChecked(stage_.snapshot().sequence.playing);
}

void MainWindow::move_cursor(int steps) {
  const SequenceStatus& sequence = stage_.snapshot().sequence;
  const int last = static_cast<int>(sequence.tokens.size()) - 1;
  if (last < 0) return;
  const long long wanted = static_cast<long long>(sequence.cursor) + steps;
  stage_.send(command::SetCursor{static_cast<int>(std::clamp<long long>(wanted, 0, last))});
}

void MainWindow::change_speed(double factor) {
  const double speed = stage_.snapshot().sequence.tokens_per_second * factor;
  stage_.send(command::SetPlaySpeed{std::clamp(speed, kSlowest, kFastest)});
}

void MainWindow::export_active(Exported how) {
  auto* dock = qobject_cast<ViewDock*>(active_dock());
  if (!dock) dock = views_.first();
  switch (how) {
    case Exported::pixels:
      return dock->export_picture(2.0);
    case Exported::lines:
      return dock->export_svg();
    case Exported::numbers:
      return dock->export_csv();
  }
}

}  // namespace xlab::app
