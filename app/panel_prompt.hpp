// The prompt panel: set the sequence, generate, and list what is held by hand.
#pragma once

#include <QWidget>
#include <vector>

#include "app/stage.hpp"

class QBoxLayout;
class QCheckBox;
class QLabel;
class QMenu;
class QPushButton;
class QToolButton;
class QVBoxLayout;

namespace xlab::app {

class EditRow;
class PromptField;

class PromptPanel : public QWidget {
  Q_OBJECT

 public:
  explicit PromptPanel(Stage& stage, QWidget* parent = nullptr);

 private:
  void make_prompt(QVBoxLayout* column);
  void make_playing(QVBoxLayout* column);
  void make_clamps(QVBoxLayout* column);
  void follow_snapshot();
  void set_prompt();
  /// Shows whether the sequence begins with what stands in the field.
  void mark_unset();
  void follow_room();
  void show_clamps(const std::vector<Clamp>& clamps);
  void offer_values();
  void offer_named_edits();

  Stage& stage_;
  PromptField* prompt_;
  QPushButton* set_;
  QLabel* unset_;
  QString shown_text_;         ///< what the sequence begins with, as it stood in the field
  QString asked_text_;         ///< what was to become that, as long as nobody refused it
  std::uint64_t failure_ = 0;  ///< the last one seen
  QPushButton* play_;
  QPushButton* one_;
  QLabel *full_, *room_;
  QLabel* sampler_;
  QCheckBox* past_end_;
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
