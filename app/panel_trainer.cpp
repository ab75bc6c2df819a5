// The slider multiplies the learning rate live: 0.01 to 10, a hundred notches a decade.
#include "app/panel_trainer.hpp"

#include <QBoxLayout>
#include <QGridLayout>
#include <QLabel>
#include <QLocale>
#include <QPushButton>
#include <QSlider>
#include <QSpinBox>
#include <algorithm>
#include <cmath>

#include "app/facts.hpp"

namespace xlab::app {
namespace {

constexpr double kNotches = 100.0;

enum Fact {
  kState,
  kStep,
  kLoss,
  kMean,
  kAccuracy,
  kRate,
  kGradient,
  kSpeed,
  kTime,
  kBatch,
  kSeed
};

}  // namespace

TrainerPanel::TrainerPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  run_ = new QPushButton(tr("Train"));
  run_->setObjectName("primary");
  run_->setToolTip(tr("Train or pause (T)"));
  auto* one = new QPushButton(tr("One step"));
  one->setToolTip(tr("Train one step and stop"));
  for (QPushButton* button : {run_, one}) button->setFocusPolicy(Qt::TabFocus);
  auto* buttons = new QHBoxLayout;
  buttons->addWidget(run_, 1);
  buttons->addWidget(one);
  column->addLayout(buttons);

  auto* grid = new QGridLayout;
  grid->setColumnStretch(1, 1);
  rate_ = new QSlider(Qt::Horizontal);
  rate_->setRange(static_cast<int>(-2 * kNotches), static_cast<int>(kNotches));
  rate_->setPageStep(static_cast<int>(kNotches / 4));
  rate_->setAccessibleName(tr("Learning rate scale, logarithmic from 0.01 to 10"));
  rate_->setToolTip(tr("Multiplies the learning rate while training goes on"));
  rate_text_ = new QLabel("1×");
  rate_text_->setMinimumWidth(46);
  rate_text_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  limit_ = new QSpinBox;
  limit_->setRange(0, 100000000);
  limit_->setSingleStep(100);
  limit_->setSpecialValueText(tr("no limit"));
  limit_->setSuffix(tr(" steps"));
  limit_->setKeyboardTracking(false);
  limit_->setButtonSymbols(QAbstractSpinBox::NoButtons);
  limit_->setAccessibleName(tr("Step limit"));
  limit_->setToolTip(tr("Training pauses by itself after this many steps"));
  const auto caption = [](const QString& text) {
    auto* label = new QLabel(text);
    label->setObjectName("caption");
    return label;
  };
  grid->addWidget(caption(tr("Rate scale")), 0, 0);
  grid->addWidget(rate_, 0, 1);
  grid->addWidget(rate_text_, 0, 2);
  grid->addWidget(caption(tr("Pause at")), 1, 0);
  grid->addWidget(limit_, 1, 1, 1, 2);
  column->addLayout(grid);

  facts_ = new Facts({tr("State"), tr("Step"), tr("Loss"), tr("Mean loss"), tr("Accuracy"),
                      tr("Learning rate"), tr("Gradient norm"), tr("Speed"), tr("Time"),
                      tr("Batch"), tr("Seed")});
  column->addWidget(facts_);
  column->addStretch(1);

  connect(run_, &QPushButton::clicked, this, [this] {
    if (stage_.snapshot().train.state == TrainState::running) {
      stage_.send(command::Pause{});
    } else {
      stage_.send(command::Train{});
    }
  });
  connect(one, &QPushButton::clicked, this, [this] { stage_.send(command::TrainOneStep{}); });
  connect(rate_, &QSlider::valueChanged, this, [this](int value) {
    stage_.send(command::SetLearningRateScale{std::pow(10.0, value / kNotches)});
  });
  connect(limit_, &QSpinBox::valueChanged, this,
          [this](int value) { stage_.send(command::SetStepLimit{value}); });
  connect(&stage.engine(), &EngineLink::changed, this, &TrainerPanel::follow_snapshot);
  follow_snapshot();
}

void TrainerPanel::follow_snapshot() {
  const TrainStatus& train = stage_.snapshot().train;
  const bool running = train.state == TrainState::running;
  const QString words[] = {tr("paused"), tr("training"), tr("finished"), tr("failed")};
  run_->setText(running ? tr("Pause") : tr("Train"));
  run_->setAccessibleName(running ? tr("Pause training") : tr("Start training"));
  run_->setEnabled(stage_.snapshot().model != nullptr);
  rate_text_->setText(three_digits(train.learning_rate_scale) + "×");
  if (!rate_->isSliderDown() && !rate_->hasFocus()) {
    const QSignalBlocker quiet(rate_);
    const double scale = std::max(1e-6, train.learning_rate_scale);
    rate_->setValue(static_cast<int>(std::lround(std::log10(scale) * kNotches)));
  }
  if (!limit_->hasFocus()) {
    const QSignalBlocker quiet(limit_);
    limit_->setValue(static_cast<int>(std::min<std::int64_t>(train.step_limit, limit_->maximum())));
  }
  facts_->set(kState, words[static_cast<int>(train.state)]);
  facts_->set(kStep, grouped(train.step));
  const bool trained = train.step > 0;
  // A file keeps the losses, not what the last step was like.
  const bool stepped = train.gradient_norm > 0.0;
  facts_->set(kLoss, trained ? tr("%1 nats").arg(three_digits(train.loss)) : "–");
  facts_->set(kMean, trained ? tr("%1 nats").arg(three_digits(train.smoothed_loss)) : "–");
  facts_->set(kAccuracy,
              stepped ? QLocale::c().toString(100.0 * train.accuracy, 'f', 1) + " %" : "–");
  facts_->set(kRate, trained ? three_digits(train.learning_rate) : "–");
  facts_->set(kGradient, stepped ? three_digits(train.gradient_norm) : "–");
  facts_->set(kSpeed, stepped
                          ? tr("%1 tokens/s").arg(grouped(std::llround(train.tokens_per_second)))
                          : "–");
  facts_->set(kTime, duration(train.seconds));
  facts_->set(kBatch, tr("%1 × %2 tokens").arg(train.batch_size).arg(train.sequence_length));
  facts_->set(kSeed, QString::number(train.seed));
}

}  // namespace xlab::app
