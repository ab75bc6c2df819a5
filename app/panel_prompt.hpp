// The prompt panel: set the sequence, generate, and list what is held by hand.
#pragma once

#include <QWidget>
#include <vector>

#include "app/stage.hpp"

class QBoxLayout;
class QLabel;
class QMenu;
class QPushButton;
class QToolButton;

namespace xlab::app {

class EditRow;
class PromptField;

class PromptPanel : public QWidget {
  Q_OBJECT

 public:
  explicit PromptPanel(Stage& stage, QWidget* parent = nullptr);

 private:
  void follow_snapshot();
  void set_prompt();
  void show_clamps(const std::vector<Clamp>& clamps);
  void offer_values();

  Stage& stage_;
  PromptField* prompt_;
  QPushButton* play_;
  QPushButton* one_;
  QLabel* full_;
  QLabel* sampler_;
  QLabel* no_clamps_;
  QToolButton* hold_;
  QMenu* values_;
  QPushButton* clear_;
  QBoxLayout* list_;
  std::vector<EditRow*> rows_;
  std::vector<Clamp> shown_;
  std::vector<int> prompt_tokens_;
  std::shared_ptr<const ModelCard> model_;
};

}  // namespace xlab::app
