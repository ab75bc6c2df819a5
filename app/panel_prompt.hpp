// The prompt panel: set the sequence, generate, and list what is held by hand.
#pragma once

#include <QWidget>
#include <vector>

#include "app/stage.hpp"

class QBoxLayout;
class QCheckBox;
class QLabel;
class QLineEdit;
class QPushButton;

namespace xlab::app {

/// A clamp in words on two lines: the value, and where it is held.
QString words_of(const Clamp& clamp);

class PromptPanel : public QWidget {
  Q_OBJECT

 public:
  explicit PromptPanel(Stage& stage, QWidget* parent = nullptr);

 private:
  void follow_snapshot();
  void show_clamps(const std::vector<Clamp>& clamps);

  Stage& stage_;
  QLineEdit* prompt_;
  QPushButton* play_;
  QPushButton* one_;
  QLabel* full_;
  QLabel* sampler_;
  QLabel* no_clamps_;
  QPushButton* clear_;
  QBoxLayout* list_;
  std::vector<QCheckBox*> boxes_;
  std::vector<Clamp> shown_;
  std::vector<int> prompt_tokens_;
  std::shared_ptr<const ModelCard> model_;
};

}  // namespace xlab::app
