// Rows of caption and value, aligned.
#pragma once

#include <QString>
#include <QStringList>
#include <QWidget>

class QGridLayout;
class QLabel;

namespace xlab::app {

/// A caption, and a sentence that says what the value means.
struct FactRow {
  QString caption;
  QString meaning;
  /// The one that is looked for first: always on one line, below its caption if need be.
  bool large = false;
};

/// Every value can be selected and copied; a right click copies it with all its digits.
class Facts : public QWidget {
  Q_OBJECT

 public:
  explicit Facts(const QList<FactRow>& rows, QWidget* parent = nullptr);
  /// Sets the value of a row; an unchanged one costs nothing. `full` is what is copied, where that
  /// is more than what is shown.
  void set(int row, const QString& value, const QString& full = {});

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  /// Puts a large value beside its caption, or below it where it would not be whole there.
  void fit();

  QGridLayout* grid_;
  QList<QLabel*> captions_, values_;
  QList<bool> large_;
};

/// A tool tip shows what looks like HTML as HTML; this shows any text as it is.
QString as_tool_tip(const QString& text);
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
