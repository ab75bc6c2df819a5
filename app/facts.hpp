// Rows of caption and value, aligned.
#pragma once

#include <QString>
#include <QStringList>
#include <QWidget>

class QLabel;

namespace xlab::app {

class Facts : public QWidget {
  Q_OBJECT

 public:
  explicit Facts(const QStringList& captions, QWidget* parent = nullptr);
  /// Sets the value of a row; an unchanged one costs nothing.
  void set(int row, const QString& value);

 private:
  QList<QLabel*> values_;
};

/// "1,234,567"
QString grouped(long long number);
/// Three significant digits, as everywhere on the screen.
QString three_digits(double number);
/// "2 min 05 s"
QString duration(double seconds);

}  // namespace xlab::app
