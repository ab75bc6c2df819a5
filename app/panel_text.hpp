// The text panel: the prompt and what was generated as text, to be read, selected and copied.
#pragma once

#include <QWidget>
#include <vector>

#include "app/stage.hpp"

class QLabel;
class QPlainTextEdit;
class QPushButton;
class QTextCharFormat;

namespace xlab::app {

class TextPanel : public QWidget {
  Q_OBJECT

 public:
  explicit TextPanel(Stage& stage, QWidget* parent = nullptr);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void follow_snapshot();
  void write(std::size_t from);
  void mark_cursor();
  void copy();
  QTextCharFormat format(bool given) const;

  Stage& stage_;
  QPlainTextEdit* text_;
  QLabel* counts_;
  QPushButton* copy_;
  // What is written: tokens, where each of them ends, and whether text up to there is final.
  std::vector<int> tokens_;
  std::vector<int> ends_;
  std::vector<bool> complete_;
  std::shared_ptr<const ModelCard> model_;
  bool as_text_ = false;
  int given_ = 0;
  int marked_ = -1;
};

}  // namespace xlab::app
