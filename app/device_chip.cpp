// The devices as a menu.
#include "app/device_chip.hpp"

#include <QActionGroup>
#include <QMenu>

#include "app/stage.hpp"

namespace xlab::app {
namespace {

/// "NVIDIA H100 80GB HBM3 · 79 GiB"
QString described(const DeviceCard& card) {
  const double gibibytes = static_cast<double>(card.memory_bytes) / (1 << 30);
  return QString("%1 · %2 GiB")
      .arg(QString::fromStdString(card.name),
           QString::number(gibibytes, 'f', gibibytes < 10 ? 1 : 0));
}

}  // namespace

DeviceChip::DeviceChip(Stage& stage, QWidget* parent)
    : QToolButton(parent), stage_(stage), menu_(new QMenu(this)) {
  setObjectName("chip");
  setAccessibleName(tr("Device"));
  setToolButtonStyle(Qt::ToolButtonTextOnly);
  setPopupMode(QToolButton::InstantPopup);
  setFocusPolicy(Qt::TabFocus);
  menu_->setToolTipsVisible(true);
  setMenu(menu_);
  connect(menu_, &QMenu::aboutToShow, this, &DeviceChip::fill_menu);
  connect(&stage_.engine(), &EngineLink::changed, this, &DeviceChip::follow_snapshot);
  follow_snapshot();
}

void DeviceChip::follow_snapshot() {
  const QString name = QString::fromStdString(stage_.snapshot().device.name);
  // A long name leaves the others their room, also in large text; the tip has all of it.
  const QString shown = fontMetrics().elidedText(name, Qt::ElideRight, window()->width() * 3 / 7);
  if (shown == text()) return;
  setToolTip(tr("The model computes on %1. Press to see where else it could, and to move it there "
                "while it trains.")
                 .arg(name));
  setText(shown);
  setVisible(!name.isEmpty());
}

void DeviceChip::fill_menu() {
  menu_->clear();
  const Snapshot& now = stage_.snapshot();
  auto* group = new QActionGroup(menu_);
  if (now.devices) {
    for (const DeviceCard& card : *now.devices) {
      QAction* action = menu_->addAction(described(card));
      action->setCheckable(true);
      action->setChecked(card.id == now.device.id);
      group->addAction(action);
      connect(action, &QAction::triggered, this,
              [this, id = card.id] { stage_.send(command::UseDevice{id}); });
    }
  }
  if (!now.no_cuda.empty()) {
    menu_->addSeparator();
    menu_->addAction(QString::fromStdString(now.no_cuda))->setEnabled(false);
  }
}

}  // namespace xlab::app
