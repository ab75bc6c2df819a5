// Numbers as people read them; always with a point, whatever the locale.
#include "app/facts.hpp"

#include <QApplication>
#include <QClipboard>
#include <QCoreApplication>
#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QLocale>
#include <QMenu>
#include <QTextDocument>
#include <algorithm>
#include <cmath>

#include "ui/number.hpp"

namespace xlab::app {
namespace {

struct FactWords {
  Q_DECLARE_TR_FUNCTIONS(xlab::app::Facts)
};

constexpr const char* kFull = "full";
constexpr int kApart = 12;

}  // namespace

Facts::Facts(const QList<FactRow>& rows, QWidget* parent)
    : QWidget(parent), grid_(new QGridLayout(this)) {
  grid_->setContentsMargins(0, 0, 0, 0);
  grid_->setHorizontalSpacing(kApart);
  grid_->setVerticalSpacing(3);
  grid_->setColumnStretch(1, 1);
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
    value->setWordWrap(!row.large);
    if (row.large) value->setMinimumWidth(1);
    value->setContextMenuPolicy(Qt::CustomContextMenu);
    connect(value, &QWidget::customContextMenuRequested, value, [value](QPoint at) {
      QMenu menu(value);
      const QString full = value->property(kFull).toString();
      connect(menu.addAction(tr("Copy %1").arg(full)), &QAction::triggered, value,
              [full] { QApplication::clipboard()->setText(full); });
      menu.exec(value->mapToGlobal(at));
    });
    // Two lines of the grid for each; the second is empty unless the value stands below.
    const int at = 2 * static_cast<int>(values_.size());
    grid_->addWidget(caption, at, 0, row.large ? Qt::AlignVCenter : Qt::AlignTop);
    grid_->addWidget(value, at, 1);
    captions_.append(caption);
    values_.append(value);
    large_.append(row.large);
  }
}

void Facts::set(int row, const QString& value, const QString& full) {
  const QString copied = full.isEmpty() ? value : full;
  if (values_[row]->property(kFull) != copied) values_[row]->setProperty(kFull, copied);
  if (values_[row]->text() == value) return;
  values_[row]->setText(value);
  if (large_[row]) fit();
}

void Facts::fit() {
  int captions = 0;
  for (const QLabel* caption : captions_)
    captions = std::max(captions, caption->sizeHint().width());
  for (qsizetype i = 0; i < values_.size(); ++i) {
    if (!large_[i]) continue;
    QLabel* value = values_[i];
    value->ensurePolished();
    const bool beside = captions + kApart + value->sizeHint().width() <= width();
    int line = 0, column = 0, lines = 0, columns = 0;
    grid_->getItemPosition(grid_->indexOf(value), &line, &column, &lines, &columns);
    if (beside == (column == 1)) continue;
    grid_->removeWidget(value);
    // Beside its caption it does not hold the panel open, so that it can go below.
    value->setMinimumWidth(beside ? 1 : 0);
    const int at = 2 * static_cast<int>(i);
    if (beside) {
      grid_->addWidget(value, at, 1);
    } else {
      grid_->addWidget(value, at + 1, 0, 1, 2);
    }
  }
}

void Facts::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fit();
}

void Facts::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit();
}

QString as_tool_tip(const QString& text) {
  return Qt::mightBeRichText(text) ? Qt::convertFromPlainText(text) : text;
}

QString grouped(long long number) {
  // Qt's own locale without a country leaves the commas out.
  QString digits = QString::number(number);
  const qsizetype first = number < 0 ? 1 : 0;
  for (qsizetype at = digits.size() - 3; at > first; at -= 3) digits.insert(at, ',');
  return digits;
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
  if (whole < 60) return FactWords::tr("%1 s").arg(QLocale::c().toString(seconds, 'f', 1));
  if (whole < 3600) {
    return FactWords::tr("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QChar('0'));
  }
  return FactWords::tr("%1 h %2 min").arg(whole / 3600).arg(whole / 60 % 60, 2, 10, QChar('0'));
}

}  // namespace xlab::app
