// The model panel: what the model is made of, and which of its blocks is looked at.
#pragma once

#include <QWidget>

#include "app/stage.hpp"

class QTreeWidget;

namespace xlab::app {

class Facts;

class ModelPanel : public QWidget {
  Q_OBJECT

 public:
  explicit ModelPanel(Stage& stage, QWidget* parent = nullptr);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void fit_blocks();
  void follow_snapshot();
  void follow_focus();
  void show_specification();

  Stage& stage_;
  Facts* facts_;
  QTreeWidget* blocks_;
  std::shared_ptr<const ModelCard> shown_;
};

}  // namespace xlab::app
