// The trainer panel: start, pause and step the training, and read how it goes.
#pragma once

#include <QWidget>
#include <optional>

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
  QPushButton* one_;
  QLabel* why_;
  QSlider* rate_;
  QLabel* rate_text_;
  QSpinBox* limit_;
  Facts* facts_;
  std::optional<int> wanted_rate_;  ///< where the slider was moved to, not yet seen
};

}  // namespace xlab::app
