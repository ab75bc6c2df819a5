// The runs as a menu.
#include "app/run_chip.hpp"

#include <QActionGroup>
#include <QMenu>

#include "app/facts.hpp"
#include "app/run_look.hpp"
#include "app/stage.hpp"
#include "app/theme.hpp"

namespace xlab::app {

RunChip::RunChip(Stage& stage, QWidget* parent)
    : QToolButton(parent), stage_(stage), menu_(new QMenu(this)) {
  setObjectName("chip");
  setAccessibleName(tr("Run on screen"));
  setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  setPopupMode(QToolButton::InstantPopup);
  setFocusPolicy(Qt::TabFocus);
  menu_->setToolTipsVisible(true);
  setMenu(menu_);
  connect(menu_, &QMenu::aboutToShow, this, &RunChip::fill_menu);
  connect(&stage_.engine(), &EngineLink::changed, this, &RunChip::follow_snapshot);
  connect(&stage_, &Stage::look_changed, this, [this] {
    colour_ = -1;
    follow_snapshot();
  });
  follow_snapshot();
}

void RunChip::follow_snapshot() {
  const RunCard* run = focused(stage_.snapshot());
  const std::size_t runs = stage_.snapshot().runs.size();
  setVisible(run && runs > 1);
  if (!run || runs < 2) return;
  // Apart from its swatch.
  // The chip leaves the others their room, also in large text.
  const int room =
      static_cast<int>(static_cast<float>(window()->width()) / 4 / stage_.look().scale);
  const QString name =
      fontMetrics().elidedText(QString::fromStdString(run->name), Qt::ElideMiddle, room);
  if (const QString text = " " + QString(name).replace("&", "&&"); text != this->text()) {
    setText(text);
    setToolTip(tr("%1 is on screen. Press to see the other runs, and to bring one of them here.")
                   .arg(QString::fromStdString(run->name)));
  }
  if (run->colour == colour_) return;
  colour_ = run->colour;
  setIconSize(swatch_size(stage_.look()));
  setIcon(run_swatch(stage_.look(), colour_));
}

void RunChip::fill_menu() {
  menu_->clear();
  auto* group = new QActionGroup(menu_);
  for (const auto& run : stage_.snapshot().runs) {
    QAction* action = menu_->addAction(run_swatch(stage_.look(), run->colour),
                                       QString::fromStdString(run->name).replace("&", "&&"));
    action->setToolTip(as_tool_tip(words_of(*run)));
    action->setCheckable(true);
    action->setChecked(run->id == stage_.snapshot().focused_run);
    group->addAction(action);
    connect(action, &QAction::triggered, this,
            [this, id = run->id] { stage_.send(command::FocusRun{id}); });
  }
}

}  // namespace xlab::app
