// The trainer panel: start, pause and step the training, and read how it goes.
#pragma once

#include <QWidget>

#include "app/stage.hpp"

class QLabel;
class QPushButton;
class QSlider;
class QSpinBox;

namespace xlab::app {

class Facts;

class TrainerPanel : public QWidget {
  Q_OBJECT

 public:
  explicit TrainerPanel(Stage& stage, QWidget* parent = nullptr);

 private:
  void follow_snapshot();

  Stage& stage_;
  QPushButton* run_;
  QSlider* rate_;
  QLabel* rate_text_;
  QSpinBox* limit_;
  Facts* facts_;
};

}  // namespace xlab::app
