// The clipboard, and the dialog with the program, for the value that is pinned or was looked at
// last.
#include "app/value_actions.hpp"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QMenu>

#include "app/text_dialog.hpp"

namespace xlab::app {

ValueActions::ValueActions(Stage& stage, QWidget* window)
    : QObject(window), stage_(stage), window_(window) {}

void ValueActions::add_to(QMenu* menu) {
  menu->setToolTipsVisible(true);
  const auto add = [&](const QString& text, ui::Copied copied, const QString& tip) {
    QAction* action = menu->addAction(text);
    connect(action, &QAction::triggered, this, [this, copied] { act(copied); });
    action->setToolTip(tip);
    entries_.append({action, copied, tip});
  };
  add(tr("Copy &value"), ui::Copied::value, tr("The number in the inspector with all its digits"));
  add(tr("Copy &equation"), ui::Copied::equation,
      tr("The equation in the inspector, as it is and with its numbers, as plain text"));
  add(tr("Copy as &LaTeX"), ui::Copied::latex, tr("The same for a paper, in LaTeX"));
  add(tr("Show in &code…"), ui::Copied::code,
      tr("A few lines of PyTorch that compute the number from its recorded inputs"));
  connect(menu, &QMenu::aboutToShow, this, &ValueActions::follow);
}

/// The mouse is in a menu by now, so nothing is hovered.
std::optional<ui::ValueRef> ValueActions::subject() const {
  const ui::Focus& focus = stage_.focus();
  const std::optional<ui::ValueRef>& looked_at = focus.pinned ? focus.pinned : focus.inspected;
  if (!looked_at || !stage_.snapshot().model) return std::nullopt;
  return looked_at;
}

void ValueActions::follow() {
  const std::optional<ui::ValueRef> ref = subject();
  ui::Inspected inspected;
  if (ref) inspected = ui::inspect(stage_.snapshot(), *ref);
  for (const Entry& entry : entries_) {
    const QString why = ref ? QString::fromStdString(ui::why_not_offered(inspected, entry.copied))
                            : tr("Point at a value in a view first: the inspector shows it then.");
    entry.action->setEnabled(why.isEmpty());
    entry.action->setToolTip(why.isEmpty() ? entry.tip : why);
    entry.action->setStatusTip(entry.action->toolTip());
  }
}

void ValueActions::act(ui::Copied copied) {
  const std::optional<ui::ValueRef> ref = subject();
  if (!ref) return;
  const ui::Offer made = ui::offer(stage_.snapshot(), *ref, copied);
  if (made.why_not.empty()) {
    fulfil(made.request);
  } else {
    emit noticed(QString::fromStdString(made.why_not));
  }
}

void ValueActions::fulfil(const ui::Request& request) {
  const QString what = QString::fromStdString(request.what);
  const QString text = QString::fromStdString(request.text);
  switch (request.kind) {
    case ui::Request::Kind::copy:
      QApplication::clipboard()->setText(text);
      emit noticed(tr("Copied %1.").arg(what));
      return;
    case ui::Request::Kind::show: {
      auto* dialog = new TextDialog(
          {.title = tr("Show in code"),
           .heading = what,
           .explained = tr("Runs by itself where PyTorch is installed, and prints the number that "
                           "it computes beside the one that was recorded."),
           .text = text},
          stage_.look(), window_);
      connect(dialog, &TextDialog::copied, this,
              [this, what] { emit noticed(tr("Copied the program for %1.").arg(what)); });
      dialog->show();
      return;
    }
  }
}

}  // namespace xlab::app
