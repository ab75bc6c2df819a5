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
#include "app/run_look.hpp"

namespace xlab::app {
namespace {

constexpr double kNotches = 100.0;

enum TrainingFact {
  kLoss,
  kSmoothed,
  kAccuracy,
  kState,
  kStep,
  kRate,
  kGradient,
  kSpeed,
  kTime,
  kBatch,
  kSeed
};

QList<FactRow> rows() {
  const auto tr = [](const char* text) { return TrainerPanel::tr(text); };
  return {
      {tr("Loss"),
       tr("Mean cross-entropy of the last step's batch, in nats per token that is asked for. 0 "
          "would be certain and right."),
       true},
      {tr("Smoothed loss"), tr("The running mean of the losses of the last steps: what the thick "
                               "curve shows.")},
      {tr("Accuracy"), tr("The share of the last batch's answers that were the model's first "
                          "choice.")},
      {tr("State"),
       tr("Whether training runs, waits for you, came to its limit, or stopped because "
          "something failed.")},
      {tr("Step"), tr("How many batches the weights have been changed by so far.")},
      {tr("Learning rate"), tr("How far the next step moves the weights: the schedule times the "
                               "factor above.")},
      {tr("Gradient norm"), tr("The length of the last step's gradient before it was clipped: how "
                               "steep the loss is here.")},
      {tr("Speed"), tr("Tokens trained on in a second: a running mean, or the last one while "
                       "training is paused.")},
      {tr("Time"), tr("Time spent training, all in all.")},
      {tr("Batch"), tr("How many sequences a step looks at, and how long each of them is.")},
      {tr("Seed"), tr("The number that the first weights and the order of the data are drawn from: "
                      "the same seed gives the same run.")},
  };
}

}  // namespace

TrainerPanel::TrainerPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  run_ = new QPushButton(tr("Train"));
  run_->setObjectName("primary");
  one_ = new QPushButton(tr("One step"));
  one_->setAccessibleName(tr("Train one step"));
  for (QPushButton* button : {run_, one_}) button->setFocusPolicy(Qt::TabFocus);
  auto* buttons = new QHBoxLayout;
  buttons->addWidget(run_, 1);
  buttons->addWidget(one_);
  column->addLayout(buttons);
  why_ = new QLabel;
  why_->setWordWrap(true);
  why_->setAccessibleName(tr("Why there can be no training"));
  why_->hide();
  column->addWidget(why_);

  auto* grid = new QGridLayout;
  grid->setColumnStretch(1, 1);
  rate_ = new QSlider(Qt::Horizontal);
  rate_->setRange(static_cast<int>(-2 * kNotches), static_cast<int>(kNotches));
  rate_->setPageStep(static_cast<int>(kNotches / 4));
  rate_->setAccessibleName(tr("Learning rate factor, logarithmic from 0.01 to 10"));
  const QString factor =
      tr("Multiplies the learning rate of the schedule, at once and while "
         "training goes on: from 0.01 to 10.");
  rate_->setToolTip(factor);
  rate_text_ = new QLabel;
  rate_text_->setAccessibleName(tr("Learning rate factor"));
  rate_text_->setToolTip(factor);
  rate_text_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  limit_ = new QSpinBox;
  limit_->setRange(0, 100000000);
  limit_->setSingleStep(100);
  limit_->setSpecialValueText(tr("no limit"));
  limit_->setSuffix(tr(" steps"));
  limit_->setKeyboardTracking(false);
  limit_->setButtonSymbols(QAbstractSpinBox::NoButtons);
  limit_->setAccessibleName(tr("Step limit"));
  const QString pause =
      tr("Training pauses by itself when this step is reached; 0 lets it go on "
         "without a limit.");
  limit_->setToolTip(pause);
  const auto caption = [](const QString& text, const QString& meaning) {
    auto* label = new QLabel(text);
    label->setObjectName("caption");
    label->setToolTip(meaning);
    return label;
  };
  grid->addWidget(caption(tr("Rate factor"), factor), 0, 0);
  grid->addWidget(rate_, 0, 1);
  grid->addWidget(rate_text_, 0, 2);
  grid->addWidget(caption(tr("Pause at"), pause), 1, 0);
  grid->addWidget(limit_, 1, 1, 1, 2);
  column->addLayout(grid);

  facts_ = new Facts(rows());
  column->addWidget(facts_);
  column->addStretch(1);

  connect(run_, &QPushButton::clicked, this, [this] {
    if (stage_.snapshot().train.state == TrainState::running) {
      stage_.send(command::Pause{});
    } else {
      stage_.send(command::Train{});
    }
  });
  connect(one_, &QPushButton::clicked, this, [this] { stage_.send(command::TrainOneStep{}); });
  connect(rate_, &QSlider::valueChanged, this, [this](int value) {
    wanted_rate_ = value;
    stage_.send(command::SetLearningRateScale{std::pow(10.0, value / kNotches)});
  });
  connect(&stage.engine(), &EngineLink::run_changed, this, [this] { wanted_rate_.reset(); });
  connect(&stage.engine(), &EngineLink::failed, this, [this] { wanted_rate_.reset(); });
  connect(limit_, &QSpinBox::valueChanged, this,
          [this](int value) { stage_.send(command::SetStepLimit{value}); });
  connect(&stage.engine(), &EngineLink::changed, this, &TrainerPanel::follow_snapshot);
  // The slider does not move when its factor has another number of digits.
  const auto make_room = [this] {
    rate_text_->setMinimumWidth(rate_text_->fontMetrics().horizontalAdvance("0.0123×"));
  };
  connect(&stage, &Stage::look_changed, this, make_room);
  make_room();
  follow_snapshot();
}

void TrainerPanel::follow_snapshot() {
  const TrainStatus& train = stage_.snapshot().train;
  const bool running = train.state == TrainState::running;
  run_->setText(running ? tr("Pause") : tr("Train"));
  run_->setAccessibleName(running ? tr("Pause training") : tr("Start training"));
  const QString reason = QString::fromStdString(train.cannot_train);
  const bool can = stage_.snapshot().model != nullptr && reason.isEmpty();
  run_->setEnabled(can);
  one_->setEnabled(can);
  run_->setToolTip(!reason.isEmpty() ? reason
                   : running         ? tr("Pauses the training; it can go on at any time (T)")
                                     : tr("Trains until you pause it (T)"));
  one_->setToolTip(reason.isEmpty() ? tr("Trains one step and stops (Shift+T)") : reason);
  if (why_->text() != reason) why_->setText(reason);
  why_->setVisible(!reason.isEmpty());
  rate_text_->setText(three_digits(train.learning_rate_scale) + "×");
  const double scale = std::max(1e-6, train.learning_rate_scale);
  const int notch = static_cast<int>(std::lround(std::log10(scale) * kNotches));
  // What was moved a moment ago may still be on its way.
  if (wanted_rate_ == notch) wanted_rate_.reset();
  if (!rate_->isSliderDown() && !wanted_rate_) {
    const QSignalBlocker quiet(rate_);
    rate_->setValue(notch);
  }
  if (!limit_->hasFocus()) {
    const QSignalBlocker quiet(limit_);
    limit_->setValue(static_cast<int>(std::min<std::int64_t>(train.step_limit, limit_->maximum())));
  }
  const bool trained = train.step > 0;
  // Files from before the last step's were saved with a run do not say them.
  const bool stepped = train.gradient_norm > 0.0;
  const auto set = [&](TrainingFact row, bool known, const QString& form, double number) {
    facts_->set(row, known ? form.arg(three_digits(number)) : "–",
                known ? full_digits(number) : QString());
  };
  set(kLoss, trained, tr("%1 nats"), train.loss);
  set(kSmoothed, trained, tr("%1 nats"), train.smoothed_loss);
  facts_->set(kAccuracy, stepped ? percent(train.accuracy) : "–",
              stepped ? full_digits(train.accuracy) : QString());
  facts_->set(kState, state_word(train.state, can));
  facts_->set(kStep, grouped(train.step));
  set(kRate, trained, "%1", train.learning_rate);
  set(kGradient, stepped, "%1", train.gradient_norm);
  // Lines break between words only.
  const QString speed =
      tr("%1 tokens/s").arg(grouped(std::llround(train.tokens_per_second))).replace('/', "/\u2060");
  facts_->set(kSpeed, train.tokens_per_second <= 0.0 ? "–"
                      : running                      ? speed
                                                     : tr("last %1").arg(speed));
  facts_->set(kTime, duration(train.seconds));
  facts_->set(kBatch, tr("%1 × %2 tokens").arg(train.batch_size).arg(train.sequence_length));
  facts_->set(kSeed, QString::number(train.seed));
}

}  // namespace xlab::app
