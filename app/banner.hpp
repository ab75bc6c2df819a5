// A line over the docks that says what went wrong, until it is closed.
#pragma once

#include <QToolBar>

class QLabel;
class QToolButton;

namespace xlab::app {

class Stage;

/// Not modal: everything else goes on. A later sentence takes the place of the one before.
class Banner : public QToolBar {
  Q_OBJECT

 public:
  explicit Banner(Stage& stage, QWidget* parent = nullptr);
  void tell(const QString& sentence);
  QString sentence() const;

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fit();

  QWidget* box_;
  QLabel* text_;
  QToolButton* close_;
};

}  // namespace xlab::app
