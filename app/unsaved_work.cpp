// Saving is done by the engine's thread, so what follows it waits for a snapshot that says so.
#include "app/unsaved_work.hpp"

#include <QMessageBox>
#include <QPushButton>
#include <algorithm>
#include <utility>

#include "app/facts.hpp"
#include "app/save_dialog.hpp"
#include "core/keeping/lost_runs.hpp"

namespace xlab::app {

UnsavedWork::UnsavedWork(Stage& stage, bool kept, QWidget* window)
    : QObject(window), stage_(stage), kept_(kept), window_(window) {
  connect(&stage.engine(), &EngineLink::changed, this, &UnsavedWork::follow_snapshot);
}

void UnsavedWork::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const bool saved = now.saves != saves_;
  saves_ = now.saves;
  // What followed the save did not come about: training goes on as if nothing had been asked.
  if (paused_in_ != 0 && (now.run_id != paused_in_ || now.failure.id != failure_ ||
                          now.train.state == TrainState::running)) {
    const bool failed = now.run_id == paused_in_ && now.failure.id != failure_;
    paused_in_ = 0;
    if (failed) stage_.send(command::Train{});
  }
  if (!then_) return;
  if (saved) {
    if (was_training_) paused_in_ = now.run_id;
    std::exchange(then_, {})();
  } else if (now.failure.id != failure_) {
    // The banner tells why. Training goes on as if nothing had been asked.
    then_ = {};
    if (was_training_) stage_.send(command::Train{});
  }
}

bool UnsavedWork::any() const {
  return stage_.snapshot().unsaved;
}

std::int64_t UnsavedWork::steps() const {
  const TrainStatus& train = stage_.snapshot().train;
  return any() ? std::max<std::int64_t>(0, train.step - train.saved_step) : 0;
}

QString UnsavedWork::sentence() const {
  const std::int64_t lost = steps();
  if (lost == 0) return tr("Changes made since the last save are not saved.");
  return lost == 1 ? tr("The last training step is not saved.")
                   : tr("The last %1 training steps are not saved.").arg(grouped(lost));
}

QStringList UnsavedWork::others() const {
  const Snapshot& now = stage_.snapshot();
  QStringList names;
  for (const auto& run : now.runs) {
    if (run->unsaved && run->id != now.focused_run)
      names.append(tr("%1 (step %2)").arg(QString::fromStdString(run->name), grouped(run->step)));
  }
  return names;
}

QString UnsavedWork::kept_for() const {
  if (!kept_) return {};
  return tr("What you do not save is kept for up to %1 days under File > Reopen.").arg(kKeptDays);
}

void UnsavedWork::keep_then(const QString& question, std::function<void()> go_on,
                            std::function<void()> beside) {
  if (!any()) {
    go_on();
  } else {
    ask(question, {}, std::move(go_on), std::move(beside));
  }
}

void UnsavedWork::keep_all_then(const QString& question, std::function<void()> go_on) {
  const QStringList names = others();
  if (names.isEmpty()) {
    keep_then(question, std::move(go_on));
    return;
  }
  constexpr qsizetype kMostNames = 8;
  QString list = QStringList(names.mid(0, kMostNames)).join("; ");
  if (names.size() > kMostNames) list += tr("; and %1 more").arg(names.size() - kMostNames);
  // Nothing is said of steps: these runs may have files with some of them.
  const QString more =
      (any() ? tr("Not saved either: %1.") : tr("These runs are not saved: %1.")).arg(list) + " " +
      (kept_ ? tr("To save one, bring it on the screen.")
             : tr("They are lost. To save one, bring it on the screen."));
  if (any()) {
    ask(question, more, std::move(go_on), {});
    return;
  }
  QMessageBox box(QMessageBox::Warning, tr("Unsaved work"), question + " " + more,
                  QMessageBox::Discard | QMessageBox::Cancel, window_);
  box.setInformativeText(kept_for());
  box.button(QMessageBox::Discard)->setText(tr("Do&n't save"));
  box.setDefaultButton(QMessageBox::Cancel);
  if (box.exec() == QMessageBox::Discard) go_on();
}

void UnsavedWork::ask(const QString& question, const QString& more, std::function<void()> go_on,
                      std::function<void()> beside) {
  const auto with_more = [&](const QString& text) {
    return text + (text.isEmpty() || more.isEmpty() ? "" : "\n\n") + more;
  };
  const QString no_save = QString::fromStdString(stage_.snapshot().cannot_save);
  const bool can_save = no_save.isEmpty();
  QMessageBox box(
      QMessageBox::Warning, tr("Unsaved work"),
      question + " " + (can_save ? sentence() : tr("Its prompt and its edits cannot be kept.")),
      QMessageBox::Discard | QMessageBox::Cancel, window_);
  box.button(QMessageBox::Discard)->setText(can_save ? tr("Do&n't save") : tr("&Leave"));
  box.setDefaultButton(QMessageBox::Cancel);
  const QString below = can_save ? kept_for() : no_save;
  if (can_save) box.setDefaultButton(box.addButton(QMessageBox::Save));
  QPushButton* other = nullptr;
  if (beside) {
    other = box.addButton(tr("Open &beside"), QMessageBox::ActionRole);
    other->setToolTip(tr("This run stays as it is, and the other one is opened beside it"));
  }
  box.setInformativeText(with_more(below));
  const int answer = box.exec();
  if (other && box.clickedButton() == other) {
    beside();
    return;
  }
  if (answer == QMessageBox::Discard) go_on();
  if (answer == QMessageBox::Save) save(false, std::move(go_on));
}

void UnsavedWork::save(bool ask, std::function<void()> then) {
  QString path;
  if (ask || stage_.snapshot().run_path.empty()) {
    path = ask_where_to_write(window_, {.title = tr("Save run"),
                                        .suggestion = "run.xlab",
                                        .filter = tr("Runs (*.xlab)"),
                                        .extension = "xlab",
                                        .strict = false});
    if (path.isEmpty()) return;
  }
  if (then) {
    // Nothing may happen between the save and what waits for it.
    was_training_ = stage_.snapshot().train.state == TrainState::running;
    if (was_training_) stage_.send(command::Pause{});
    stage_.send(command::StopPlaying{});
    failure_ = stage_.engine().engine().snapshot()->failure.id;
    then_ = std::move(then);
  }
  emit about_to_save();
  stage_.send(command::Save{path.toStdString()});
}

}  // namespace xlab::app
