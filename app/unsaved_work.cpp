// Saving is done by the engine's thread, so what follows it waits for a snapshot that says so.
#include "app/unsaved_work.hpp"

#include <QFileInfo>
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
  const bool failed = now.failure.id != failure_;
  // What followed the save did not come about: training goes on as if nothing had been asked.
  if (paused_in_ != 0 &&
      (now.run_id != paused_in_ || failed || now.train.state == TrainState::running)) {
    const bool same_run = now.run_id == std::exchange(paused_in_, 0);
    // Another run in the place of this one leaves those beside it as they were.
    if (!same_run) std::erase(paused_, asked_in_);
    if (!same_run || failed) train_on();
    paused_.clear();
  }
  if (!then_) return;
  if (now.saved == ticket_) {
    if (!paused_.empty()) paused_in_ = now.run_id;
    std::exchange(then_, {})();
  } else if (failed) {
    // The banner tells why. Training goes on as if nothing had been asked.
    then_ = {};
    train_on();
  }
}

void UnsavedWork::train_on() {
  for (const int run : std::exchange(paused_, {})) {
    const auto& runs = stage_.snapshot().runs;
    if (std::any_of(runs.begin(), runs.end(), [run](const auto& one) { return one->id == run; }))
      stage_.send(command::TrainRun{.run = run, .on = true});
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
  if (stage_.snapshot().keeping_fails)
    return tr("What you do not save is lost: it could not be kept for later either.");
  return tr("What you do not save is kept for up to %1 days under File > Reopen.").arg(kKeptDays);
}

void UnsavedWork::keep_then(const QString& question, std::function<void()> go_on,
                            const std::function<void()>& beside) {
  if (!any()) {
    go_on();
  } else {
    ask(question, {}, false, std::move(go_on), beside);
  }
}

void UnsavedWork::keep_all_then(const QString& question, std::function<void()> go_on,
                                const std::function<void()>& beside) {
  const QStringList names = others();
  if (names.isEmpty() && !any()) {
    go_on();
    return;
  }
  constexpr qsizetype kMostNames = 8;
  QString list = QStringList(names.mid(0, kMostNames)).join("; ");
  if (names.size() > kMostNames) list += tr("; and %1 more").arg(names.size() - kMostNames);
  ask(question, list, true, std::move(go_on), beside);
}

void UnsavedWork::ask(const QString& question, const QString& others, bool all,
                      std::function<void()> go_on, const std::function<void()>& beside) {
  const Snapshot& now = stage_.snapshot();
  const QString no_save = QString::fromStdString(now.cannot_save);
  const bool several = !others.isEmpty();
  const bool can_save = any() && no_save.isEmpty();
  const bool can_save_all = several && now.cannot_save_bench.empty();
  QStringList first{question}, below;
  if (any()) first.append(can_save ? sentence() : tr("Its prompt and its edits cannot be kept."));
  if (any() && !can_save) below.append(no_save);
  // Nothing is said of the steps of others: they may have files with some of them.
  if (several) {
    QString names =
        (any() ? tr("Not saved either: %1.") : tr("These runs are not saved: %1.")).arg(others);
    if (!kept_) names += " " + tr("They are lost.");
    (any() ? below : first).append(names);
  }
  if (several && !can_save_all) below.append(QString::fromStdString(now.cannot_save_bench));
  const auto words_below = [&] {
    QStringList all = below;
    if (can_save || several) all.append(kept_for());
    all.removeAll({});
    return all.join("\n\n");
  };
  // Whether the last steps can be kept shows when it is tried.
  if (kept_) stage_.engine().engine().keep_soon();

  QMessageBox box(QMessageBox::Warning, tr("Unsaved work"), first.join(" "),
                  QMessageBox::Discard | QMessageBox::Cancel, window_);
  box.setTextFormat(Qt::PlainText);
  box.setInformativeText(words_below());
  bool saved_meanwhile = false;
  const auto asked_about = now.focused_run;
  const auto asked_run = now.run_id;
  connect(&stage_.engine(), &EngineLink::changed, &box, [&, asked_about, asked_run] {
    // A save that was under way has ended: now nobody would be asked. Another run that has come on
    // the screen meanwhile answers nothing.
    const Snapshot& then = stage_.snapshot();
    if (then.focused_run == asked_about && then.run_id == asked_run && !any() &&
        (!all || this->others().isEmpty())) {
      saved_meanwhile = true;
      box.close();
      return;
    }
    if (const QString words = words_below(); words != box.informativeText())
      box.setInformativeText(words);
  });
  box.button(QMessageBox::Discard)->setText(can_save || several ? tr("Do&n't save") : tr("&Leave"));
  box.setDefaultButton(QMessageBox::Cancel);
  // A file that holds all runs is never written with one of them alone.
  if (can_save && !(can_save_all && now.file_holds_bench)) {
    box.addButton(QMessageBox::Save);
    if (several) box.button(QMessageBox::Save)->setText(tr("&Save this run"));
    box.setDefaultButton(QMessageBox::Save);
  }
  if (can_save_all) {
    box.addButton(QMessageBox::SaveAll)->setText(tr("Save &all runs"));
    box.setDefaultButton(QMessageBox::SaveAll);
  }
  QPushButton* other = nullptr;
  if (beside) {
    other = box.addButton(tr("Open &beside"), QMessageBox::ActionRole);
    other->setToolTip(tr("This run stays as it is, and the other one is opened beside it"));
  }
  const int answer = box.exec();
  if (saved_meanwhile) {
    go_on();
    return;
  }
  if (other && box.clickedButton() == other) {
    beside();
    return;
  }
  if (answer == QMessageBox::Discard)
    go_on();
  else if (answer == QMessageBox::Save)
    save(false, std::move(go_on));
  else if (answer == QMessageBox::SaveAll)
    save_all(false, std::move(go_on));
}

bool UnsavedWork::may_replace_training(bool& other_file) const {
  const Snapshot& now = stage_.snapshot();
  if (now.replaced_steps == 0) return true;
  const QString file = QFileInfo(QString::fromStdString(now.run_path)).fileName();
  const QString steps = now.replaced_steps == 1
                            ? tr("1 training step")
                            : tr("%1 training steps").arg(grouped(now.replaced_steps));
  QMessageBox box(QMessageBox::Question, tr("Replace the training in the file"),
                  now.file_holds_bench
                      ? tr("%1 holds a run after %2, from before it was restarted. Replace that?")
                            .arg(file, steps)
                      : tr("%1 holds this run after %2, from before it was restarted. Replace that "
                           "by what it is now, after %3?")
                            .arg(file, steps,
                                 now.train.step == 1 ? tr("1 step")
                                                     : tr("%1 steps").arg(grouped(now.train.step))),
                  QMessageBox::Cancel, window_);
  box.setTextFormat(Qt::PlainText);
  QPushButton* replace = box.addButton(tr("&Replace"), QMessageBox::DestructiveRole);
  QPushButton* other = box.addButton(tr("Save &as…"), QMessageBox::AcceptRole);
  box.setDefaultButton(other);
  box.exec();
  other_file = box.clickedButton() == other;
  return other_file || box.clickedButton() == replace;
}

void UnsavedWork::save(bool ask, std::function<void()> then) {
  if (!ask && !may_replace_training(ask)) return;
  QString path;
  if (ask || stage_.snapshot().run_path.empty()) {
    path = ask_where_to_write(window_, {.title = tr("Save run"),
                                        .suggestion = "run.xlab",
                                        .filter = tr("Runs (*.xlab)"),
                                        .extension = "xlab",
                                        .strict = false});
    if (path.isEmpty()) return;
  }
  send_save(command::Save{path.toStdString()}, stage_.snapshot().file_holds_bench, std::move(then));
}

void UnsavedWork::save_all(bool ask, std::function<void()> then) {
  if (!ask && stage_.snapshot().file_holds_bench && !may_replace_training(ask)) return;
  if (!ask && stage_.snapshot().file_holds_bench) {
    send_save(command::Save{}, true, std::move(then));
    return;
  }
  const QString path = ask_where_to_write(window_, {.title = tr("Save all runs"),
                                                    .suggestion = "runs.xlab",
                                                    .filter = tr("Runs (*.xlab)"),
                                                    .extension = "xlab",
                                                    .strict = false});
  if (path.isEmpty()) return;
  send_save(command::SaveBench{path.toStdString()}, true, std::move(then));
}

void UnsavedWork::send_save(Command save, bool all, std::function<void()> then) {
  ++ticket_;
  std::visit(
      [this](auto& command) {
        if constexpr (requires { command.ticket; }) command.ticket = ticket_;
      },
      save);
  if (then) {
    const Snapshot& now = stage_.snapshot();
    train_on();  // what an earlier question let rest
    asked_in_ = now.focused_run;
    for (const auto& run : now.runs) {
      if (run->state != TrainState::running || (!all && run->id != now.focused_run)) continue;
      paused_.push_back(run->id);
      stage_.send(command::TrainRun{.run = run->id, .on = false});
    }
    stage_.send(command::StopPlaying{});
    failure_ = stage_.engine().engine().snapshot()->failure.id;
    then_ = std::move(then);
  }
  emit about_to_save();
  stage_.send(std::move(save));
}

}  // namespace xlab::app
