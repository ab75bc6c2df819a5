// Rows of clamps are kept while their number stays the same, so that a drag does not rebuild them.
#include "app/panel_prompt.hpp"

#include <QBoxLayout>
#include <QCheckBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>

#include <algorithm>

#include "app/facts.hpp"
#include "app/theme.hpp"
#include "core/explain.hpp"

namespace xlab::app {
namespace {

/// The prompt as it can be typed: text of a text model, labels with spaces of a task.
QString prompt_text(const Snapshot& snapshot) {
  const bool text = snapshot.data && snapshot.data->task == "text";
  std::string bytes;  // joined before they become characters: one may need several tokens
  const auto& tokens = snapshot.session.tokens;
  const auto length =
      std::min(tokens.size(), static_cast<std::size_t>(snapshot.session.prompt_length));
  for (std::size_t i = 0; i < length; ++i) {
    const auto token = static_cast<std::size_t>(tokens[i]);
    if (token >= snapshot.model->vocabulary.size()) continue;
    if (!text && !bytes.empty()) bytes += ' ';
    bytes += snapshot.model->vocabulary[token];
  }
  return QString::fromStdString(bytes);
}

QString sampler_text(const SamplerSettings& s) {
  if (s.greedy) return PromptPanel::tr("Takes the most probable token (greedy).");
  QString text = PromptPanel::tr("Draws with temperature %1").arg(three_digits(s.temperature));
  if (s.top_k > 0) text += PromptPanel::tr(", top %1").arg(s.top_k);
  if (s.top_p < 1.0) text += PromptPanel::tr(", top-p %1").arg(three_digits(s.top_p));
  return text + PromptPanel::tr(", seed %1.").arg(s.seed);
}

QFrame* line() {
  auto* frame = new QFrame;
  frame->setFrameShape(QFrame::HLine);
  frame->setFixedHeight(1);
  frame->setObjectName("rule");
  return frame;
}

}  // namespace

QString words_of(const Clamp& clamp) {
  const EquationCard* card = explain(clamp.path);
  const QString what =
      card ? QString::fromStdString(card->title) : QString::fromStdString(clamp.path);
  const QString block = QString::fromStdString(clamp.path).section('/', 0, 0);
  const QString unit = clamp.unit > 0 ? PromptPanel::tr(", unit %1").arg(clamp.unit) : QString();
  const QString steps = clamp.end - clamp.begin == 1
                            ? PromptPanel::tr("step %1").arg(clamp.begin)
                            : PromptPanel::tr("steps %1–%2").arg(clamp.begin).arg(clamp.end - 1);
  return PromptPanel::tr("%1 = %2\n%3, head %4%5, %6")
      .arg(what, three_digits(static_cast<double>(clamp.value)), block)
      .arg(clamp.head)
      .arg(unit, steps);
}

PromptPanel::PromptPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  prompt_ = new QLineEdit;
  prompt_->setAccessibleName(tr("Prompt"));
  prompt_->setPlaceholderText(tr("Tokens to begin with"));
  auto* set = new QPushButton(tr("Set"));
  set->setToolTip(tr("Use this as the sequence (Enter)"));
  auto* row = new QHBoxLayout;
  row->addWidget(prompt_, 1);
  row->addWidget(set);
  column->addLayout(row);

  play_ = new QPushButton(tr("Play"));
  play_->setObjectName("primary");
  one_ = new QPushButton(tr("Next token"));
  play_->setToolTip(tr("Go on token by token; generates at the end (Space)"));
  one_->setToolTip(tr("One token further; generates one at the end (Right)"));
  row = new QHBoxLayout;
  row->addWidget(play_, 1);
  row->addWidget(one_, 1);
  column->addLayout(row);
  for (QPushButton* button : {set, play_, one_}) button->setFocusPolicy(Qt::TabFocus);

  sampler_ = new QLabel;
  full_ = new QLabel;
  for (QLabel* label : {sampler_, full_}) {
    label->setWordWrap(true);
    label->setObjectName("caption");
    column->addWidget(label);
  }
  column->addWidget(line());

  auto* heading = new QLabel(tr("Held by hand"));
  heading->setObjectName("figure");
  clear_ = new QPushButton(tr("Clear all"));
  clear_->setToolTip(tr("Let go of everything held by hand"));
  clear_->setFocusPolicy(Qt::TabFocus);
  row = new QHBoxLayout;
  row->addWidget(heading, 1);
  row->addWidget(clear_);
  column->addLayout(row);
  no_clamps_ = new QLabel(tr("Nothing yet. Drag a gate up or down in the Gates view to hold it."));
  no_clamps_->setObjectName("caption");
  no_clamps_->setWordWrap(true);

  auto* inside = new QWidget;
  list_ = new QVBoxLayout(inside);
  list_->setContentsMargins(0, 0, 0, 0);
  list_->setSpacing(4);
  list_->addWidget(no_clamps_);
  list_->addStretch(1);
  auto* scroll = new QScrollArea;
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setWidget(inside);
  scroll->setMinimumHeight(40);
  column->addWidget(scroll, 1);

  const auto set_prompt = [this] {
    stage_.send(command::SetPrompt{prompt_->text().toStdString()});
    prompt_->setModified(false);
  };
  connect(prompt_, &QLineEdit::returnPressed, this, set_prompt);
  connect(set, &QPushButton::clicked, this, set_prompt);
  connect(play_, &QPushButton::clicked, this, [this] {
    if (stage_.snapshot().session.playing) {
      stage_.send(command::StopPlaying{});
    } else {
      stage_.send(command::Play{});
    }
  });
  connect(one_, &QPushButton::clicked, this, [this] { stage_.send(command::StepForward{}); });
  connect(clear_, &QPushButton::clicked, this, [this] { stage_.send(command::ClearClamps{}); });
  connect(&stage.engine(), &EngineLink::changed, this, &PromptPanel::follow_snapshot);
  follow_snapshot();
}

void PromptPanel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const SessionStatus& session = now.session;
  play_->setText(session.playing ? tr("Stop") : tr("Play"));
  sampler_->setText(sampler_text(session.sampler));
  full_->setText(QString::fromStdString(session.full_reason));
  full_->setVisible(!session.full_reason.empty());
  if (now.model) {
    const auto length =
        std::min(session.tokens.size(), static_cast<std::size_t>(session.prompt_length));
    const std::vector<int> tokens(session.tokens.begin(),
                                  session.tokens.begin() + static_cast<std::ptrdiff_t>(length));
    if (tokens != prompt_tokens_ || model_ != now.model) {
      prompt_tokens_ = tokens;
      model_ = now.model;
      prompt_->setText(prompt_text(now));
      prompt_->setCursorPosition(0);
    }
  }
  if (session.clamps != shown_) show_clamps(session.clamps);
  clear_->setEnabled(!session.clamps.empty());
}

void PromptPanel::show_clamps(const std::vector<Clamp>& clamps) {
  shown_ = clamps;
  while (boxes_.size() > clamps.size()) {
    delete boxes_.back()->parentWidget();
    boxes_.pop_back();
  }
  while (boxes_.size() < clamps.size()) {
    const int index = static_cast<int>(boxes_.size());
    auto* row = new QWidget;
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    auto* box = new QCheckBox;
    auto* remove = new QToolButton;
    remove->setText("×");
    remove->setAutoRaise(true);
    remove->setToolTip(tr("Let go"));
    remove->setAccessibleName(tr("Remove clamp %1").arg(index + 1));
    layout->addWidget(box, 1);
    layout->addWidget(remove, 0, Qt::AlignTop);
    list_->insertWidget(list_->count() - 1, row);
    boxes_.push_back(box);
    connect(box, &QCheckBox::clicked, this, [this, index](bool enabled) {
      stage_.send(command::EnableClamp{index, enabled});
    });
    connect(remove, &QToolButton::clicked, this,
            [this, index] { stage_.send(command::RemoveClamp{index}); });
  }
  for (std::size_t i = 0; i < clamps.size(); ++i) {
    const QString words = words_of(clamps[i]);
    boxes_[i]->setText(words);
    boxes_[i]->setToolTip(words);
    boxes_[i]->setAccessibleName(QString(words).replace('\n', ", "));
    boxes_[i]->setChecked(clamps[i].enabled);
  }
  no_clamps_->setVisible(clamps.empty());
}

}  // namespace xlab::app
