// The field for a prompt: as many lines as it has, up to six; Return sets it, Shift+Return begins a
// new line.
#pragma once

#include <QPlainTextEdit>

namespace xlab::app {

class PromptField : public QPlainTextEdit {
  Q_OBJECT

 public:
  explicit PromptField(QWidget* parent = nullptr);
  /// What was typed, its blanks that do not break included.
  QString text() const;
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 signals:
  /// Return was pressed.
  void entered();

 protected:
  void keyPressEvent(QKeyEvent* event) override;
  void changeEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fit();

  int height_ = 0;
};

}  // namespace xlab::app
