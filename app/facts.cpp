// Numbers as people read them; always with a point, whatever the locale.
#include "app/facts.hpp"

#include <QGridLayout>
#include <QLabel>
#include <QLocale>
#include <cmath>

namespace xlab::app {

Facts::Facts(const QStringList& captions, QWidget* parent) : QWidget(parent) {
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(12);
  grid->setVerticalSpacing(3);
  grid->setColumnStretch(1, 1);
  for (const QString& text : captions) {
    auto* caption = new QLabel(text);
    caption->setObjectName("caption");
    auto* value = new QLabel;
    value->setObjectName("figure");
    value->setAccessibleName(text);
    value->setTextInteractionFlags(Qt::TextSelectableByMouse);
    value->setMinimumWidth(10);
    grid->addWidget(caption, static_cast<int>(values_.size()), 0);
    grid->addWidget(value, static_cast<int>(values_.size()), 1);
    values_.append(value);
  }
}

void Facts::set(int row, const QString& value) {
  if (values_[row]->text() == value) return;
  values_[row]->setText(value);
  values_[row]->setToolTip(value);
}

QString grouped(long long number) {
  return QLocale::c().toString(number);
}

QString three_digits(double number) {
  if (!std::isfinite(number)) return std::isnan(number) ? "NaN" : number > 0 ? "Inf" : "−Inf";
  return QLocale::c().toString(number, 'g', 3).replace('-', QChar(0x2212));
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
