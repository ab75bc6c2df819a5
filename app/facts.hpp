// Rows of caption and value, aligned.
#pragma once

#include <QString>
#include <QStringList>
#include <QWidget>

class QLabel;

namespace xlab::app {

/// A caption, and a sentence that says what the value means.
struct FactRow {
  QString caption;
  QString meaning;
  bool large = false;  ///< the one that is looked for first
};

/// Every value can be selected and copied; a right click copies it with all its digits.
class Facts : public QWidget {
  Q_OBJECT

 public:
  explicit Facts(const QList<FactRow>& rows, QWidget* parent = nullptr);
  /// Sets the value of a row; an unchanged one costs nothing. `full` is what is copied, where that
  /// is more than what is shown.
  void set(int row, const QString& value, const QString& full = {});

 private:
  QList<QLabel*> values_;
};

/// "1,234,567"
QString grouped(long long number);
/// Three significant digits, written as everywhere on the screen.
QString three_digits(double number);
/// "0.0 %" to "100 %", three digits at most.
QString percent(double share);
/// Reading it back gives the same number.
QString full_digits(double number);
/// "2 min 05 s"
QString duration(double seconds);

}  // namespace xlab::app
