// The Edit menu: what is taken back, and what a person does to the model's values by hand.
#include <QCoreApplication>
#include <QMenu>
#include <QMenuBar>
#include <QMouseEvent>
#include <QStatusBar>
#include <QToolButton>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/history_window.hpp"
#include "app/main_window.hpp"
#include "app/scoped_edits.hpp"
#include "app/value_actions.hpp"

namespace xlab::app {

void MainWindow::make_edit_menu() {
  QMenu* edit = menuBar()->addMenu(tr("&Edit"));
  // A run that goes away with it comes back as it is shown now.
  undo_ = add(edit, {}, QKeySequence("Ctrl+Z"), [this] {
    tell_screen();
    stage_.send(command::Undo{});
  });
  redo_ = add(edit, {}, QKeySequence("Ctrl+Shift+Z"), [this] {
    tell_screen();
    stage_.send(command::Redo{});
  });
  add(edit, tr("H&istory…"), {}, [this] {
    show_history();
  })->setStatusTip(tr("All edits in their order, and the way to each"));
  edit->addSeparator();
  add(edit, tr("&Hold what is under the mouse"), QKeySequence("C"), [this] {
    hold_hovered();
  })->setStatusTip(tr("Holds a value that can be held at what it is, at its step"));
  token_edits_ = edit->addMenu(tr("&Token at the cursor"));
  off_edits_ = edit->addMenu(tr("Switch &off"));
  const auto scoped = [this](QMenu* menu, const QString& text, const QKeySequence& key,
                             const QString& meaning, auto clamps, const char* name, Scope scope) {
    add(menu, text, key, [this, clamps, name, scope] {
      add_edits(clamps(stage_.snapshot(), stage_.focus(), scope), name);
    })->setStatusTip(meaning);
  };
  const QString unwritten =
      tr("Its input gate is closed at this one step: what it would have written is missing from "
         "then on");
  scoped(token_edits_, tr("Never written in this &head"), {}, unwritten, never_written_in,
         "never written", Scope::head);
  scoped(token_edits_, tr("Never written in this &block"), {}, unwritten, never_written_in,
         "never written", Scope::block);
  scoped(token_edits_, tr("Never written in the whole &model"), QKeySequence("X"), unwritten,
         never_written_in, "never written", Scope::model);
  const QString silent = tr("Output gates are closed at all steps: what it answers is gone");
  scoped(off_edits_, tr("This &head"), QKeySequence("Shift+X"), silent, switched_off_in,
         "switching off", Scope::head);
  scoped(off_edits_, tr("This &block"), {}, silent, switched_off_in, "switching off", Scope::block);
  edit->addSeparator();
  pin_ = add(edit, tr("&Pin this state"), QKeySequence("P"), [this] { pin_state(); });
  clear_clamps_ = add(edit, tr("&Clear clamps"), QKeySequence("Ctrl+Backspace"),
                      [this] { stage_.send(command::ClearClamps{}); });
  edit->addSeparator();
  values_->add_to(edit);
}

void MainWindow::add_edits(std::vector<Clamp> clamps, const char* name) {
  if (clamps.empty()) {
    say(
        tr("Nothing here can be edited so: there is no token at the cursor, or no gate that "
           "can be held."));
    return;
  }
  stage_.send(command::AddClamps{std::move(clamps), name});
}

void MainWindow::hold_hovered() {
  const Snapshot& now = stage_.snapshot();
  const std::optional<ui::ValueRef>& at = stage_.focus().hovered;
  const ValueCard* card = at && now.model ? now.model->value_at(at->path) : nullptr;
  const Recorded* recorded = card && now.trace ? now.trace->find(at->step, at->path) : nullptr;
  if (!card || !card->clampable || !recorded || at->head < 0 || at->head >= recorded->heads ||
      at->unit < 0 || at->unit >= recorded->dim) {
    say(
        tr("There is nothing under the mouse that can be held: pre-activations of gates, "
           "queries, keys and values can."));
    return;
  }
  stage_.send(command::SetClamp{{.path = at->path,
                                 .head = at->head,
                                 .unit = at->unit,
                                 .begin = at->step,
                                 .end = at->step + 1,
                                 .value = recorded->at(at->head, at->unit)}});
}

void MainWindow::show_history() {
  auto* window = findChild<HistoryWindow*>();
  if (!window) {
    window = new HistoryWindow(stage_, this);
    connect(window, &HistoryWindow::about_to_go, this, &MainWindow::tell_screen);
  }
  window->show();
  window->raise();
  window->activateWindow();
}

void MainWindow::pin_state() {
  ui::Focus focus = stage_.focus();
  const std::shared_ptr<const Snapshot> now = stage_.engine().snapshot();
  if (focus.reference) {
    focus.reference = nullptr;
  } else if (now->trace && now->sequence.cursor >= 0) {
    focus.reference = now;
  } else {
    say(tr("There is nothing to pin yet: there are no tokens."));
    return;
  }
  stage_.set_focus(focus);
}

void MainWindow::make_pin_chip() {
  pin_chip_ = new QToolButton;
  pin_chip_->setObjectName("chip");
  pin_chip_->setAccessibleName(tr("Let go of the pinned state"));
  pin_chip_->setFocusPolicy(Qt::TabFocus);
  pin_chip_->setToolTip(
      tr("A state is pinned: grey curves, outlines and the differences of the memory compare the "
         "present one with it. Press to let go of it (P)."));
  connect(pin_chip_, &QToolButton::clicked, this, [this] { pin_state(); });
  statusBar()->addPermanentWidget(pin_chip_);
  connect(&stage_, &Stage::focus_changed, this, &MainWindow::follow_pin);
  follow_pin();
}

void MainWindow::follow_pin() {
  const Snapshot* reference = stage_.focus().reference.get();
  pin_chip_->setVisible(reference != nullptr);
  pin_->setText(reference ? tr("Let go of the &pinned state") : tr("&Pin this state"));
  pin_->setStatusTip(tr("Views compare what comes with the state of now"));
  if (!reference) return;
  const QString words = tr("pinned: t = %1 ×").arg(reference->sequence.cursor);
  pin_chip_->setText(words);
  pin_chip_->setAccessibleName(
      tr("Let go of the state pinned at step %1").arg(reference->sequence.cursor));
}

void MainWindow::say(const QString& sentence) {
  statusBar()->showMessage(sentence, 8000);
}

void MainWindow::show_token_menu(ViewDock& dock, QPoint at) {
  Canvas& canvas = dock.canvas();
  token_edits_->popup(canvas.mapToGlobal(at));
  // The menu gets the release of the button that the canvas has seen pressed.
  QMouseEvent release(QEvent::MouseButtonRelease, at, canvas.mapToGlobal(at), Qt::RightButton,
                      Qt::NoButton, Qt::NoModifier);
  QCoreApplication::sendEvent(&canvas, &release);
}

}  // namespace xlab::app
