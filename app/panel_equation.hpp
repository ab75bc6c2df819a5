// The choices in the equations of the focused block's kind, with the reference's marked.
#pragma once

#include <QWidget>
#include <functional>
#include <optional>
#include <vector>

#include "app/stage.hpp"

class QComboBox;
class QLabel;
class QPushButton;

namespace xlab::app {

class EquationGroup : public QWidget {
  Q_OBJECT

 public:
  explicit EquationGroup(Stage& stage, QWidget* parent = nullptr);

 private:
  /// One value of a choice: what it is called, and what it makes of a variant.
  struct Option {
    QString label;
    std::function<void(CellVariant&)> apply;
  };
  struct Row {
    QLabel* caption;
    QComboBox* box;
    std::vector<Option> options;
    Choice choice;  ///< shown for the cells that have it
  };

  void add_choices();
  void add_numbers();
  void add_row(const QString& caption, const QString& hint, Choice choice,
               std::vector<Option> options);
  void follow();
  void show_row(Row& row, const BlockCard& block);
  void choose(std::size_t row, int option);
  const BlockCard* block() const;

  Stage& stage_;
  QLabel* title_;
  QLabel* formula_;
  QPushButton* usual_;
  std::vector<Row> rows_;
  std::shared_ptr<const ModelCard> shown_;
  int shown_block_ = -1;
  std::optional<CellVariant> wanted_;  ///< sent, not yet seen
};

}  // namespace xlab::app
