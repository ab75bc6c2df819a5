// Numbers as people read them; always with a point, whatever the locale.
#include "app/facts.hpp"

#include <QApplication>
#include <QClipboard>
#include <QGridLayout>
#include <QLabel>
#include <QLocale>
#include <QMenu>
#include <cmath>

#include "ui/number.hpp"

namespace xlab::app {
namespace {

constexpr const char* kFull = "full";

}  // namespace

Facts::Facts(const QList<FactRow>& rows, QWidget* parent) : QWidget(parent) {
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(12);
  grid->setVerticalSpacing(3);
  grid->setColumnStretch(1, 1);
  for (const FactRow& row : rows) {
    auto* caption = new QLabel(row.caption);
    caption->setObjectName("caption");
    auto* value = new QLabel;
    value->setObjectName(row.large ? "headline" : "figure");
    value->setAccessibleName(row.caption);
    value->setAccessibleDescription(row.meaning);
    value->setTextInteractionFlags(Qt::TextSelectableByMouse);
    for (QLabel* label : {caption, value}) label->setToolTip(row.meaning);
    // Words wrap in a narrow panel; a number has no place to break and keeps its width.
    value->setWordWrap(true);
    value->setContextMenuPolicy(Qt::CustomContextMenu);
    connect(value, &QWidget::customContextMenuRequested, value, [value](QPoint at) {
      QMenu menu(value);
      const QString full = value->property(kFull).toString();
      connect(menu.addAction(tr("Copy %1").arg(full)), &QAction::triggered, value,
              [full] { QApplication::clipboard()->setText(full); });
      menu.exec(value->mapToGlobal(at));
    });
    const int at = static_cast<int>(values_.size());
    grid->addWidget(caption, at, 0, row.large ? Qt::AlignVCenter : Qt::AlignTop);
    grid->addWidget(value, at, 1);
    values_.append(value);
  }
}

void Facts::set(int row, const QString& value, const QString& full) {
  const QString copied = full.isEmpty() ? value : full;
  if (values_[row]->property(kFull) != copied) values_[row]->setProperty(kFull, copied);
  if (values_[row]->text() != value) values_[row]->setText(value);
}

QString grouped(long long number) {
  return QLocale::c().toString(number);
}

QString three_digits(double number) {
  return QString::fromStdString(ui::short_number(number));
}

QString percent(double share) {
  if (!std::isfinite(share)) return three_digits(share);
  const double hundredths = 100.0 * share;
  return QLocale::c().toString(hundredths, 'f', hundredths < 99.95 ? 1 : 0) + " %";
}

QString full_digits(double number) {
  return QString::fromStdString(ui::full_number(number));
}

QString duration(double seconds) {
  const auto whole = static_cast<long long>(seconds);
  if (whole < 60) return QString("%1 s").arg(QLocale::c().toString(seconds, 'f', 1));
  if (whole < 3600) {
    return QString("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QChar('0'));
  }
  return QString("%1 h %2 min").arg(whole / 3600).arg(whole / 60 % 60, 2, 10, QChar('0'));
}

}  // namespace xlab::app
