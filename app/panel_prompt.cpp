// Rows of clamps are kept while their number stays the same, so that a drag does not rebuild them.
#include "app/panel_prompt.hpp"

#include <QApplication>
#include <QBoxLayout>
#include <QCheckBox>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>
#include <algorithm>

#include "app/edit_row.hpp"
#include "app/facts.hpp"
#include "app/flow_layout.hpp"
#include "app/prompt_field.hpp"
#include "app/scoped_edits.hpp"
#include "app/theme.hpp"
#include "app/token_text.hpp"
#include "core/bytes_text.hpp"

namespace xlab::app {
namespace {

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

constexpr int kManyTokens = 20'000;  // nobody gets there

}  // namespace

PromptPanel::PromptPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  make_prompt(column);
  make_playing(column);
  column->addWidget(line());
  make_clamps(column);
  for (QLabel* label : {unset_, sampler_, full_, room_, no_clamps_}) {
    label->setWordWrap(true);
    label->setObjectName("caption");
  }
  connect(&stage.engine(), &EngineLink::changed, this, &PromptPanel::follow_snapshot);
  follow_snapshot();
}

void PromptPanel::make_prompt(QVBoxLayout* column) {
  prompt_ = new PromptField;
  prompt_->setAccessibleName(tr("Prompt"));
  prompt_->setPlaceholderText(tr("Tokens to begin with"));
  prompt_->setToolTip(
      tr("What the sequence begins with. Return sets it, Shift+Return begins a new "
         "line. In a text \\x0d stands for a byte that is no letter."));
  set_ = new QPushButton(tr("Set"));
  set_->setAccessibleName(tr("Set the prompt"));
  set_->setToolTip(tr("Use this as the sequence (Return in the field)"));
  auto* row = new QHBoxLayout;
  row->addWidget(prompt_, 1);
  row->addWidget(set_, 0, Qt::AlignTop);
  column->addLayout(row);
  unset_ = new QLabel(tr("Not set yet: Return or Set uses it. Play goes on with what was before."));
  unset_->setAccessibleName(tr("The prompt is not set yet"));
  unset_->setToolTip(tr("The sequence does not begin with what stands in the field"));
  unset_->hide();
  column->addWidget(unset_);
  set_->setFocusPolicy(Qt::TabFocus);
  connect(prompt_, &PromptField::entered, this, &PromptPanel::set_prompt);
  connect(set_, &QPushButton::clicked, this, &PromptPanel::set_prompt);
  connect(prompt_, &QPlainTextEdit::textChanged, this, &PromptPanel::mark_unset);
}

void PromptPanel::make_playing(QVBoxLayout* column) {
  play_ = new QPushButton(tr("Play"));
  play_->setObjectName("primary");
  one_ = new QPushButton(tr("Next token"));
  play_->setToolTip(tr("Go on token by token; generates at the end (Space)"));
  one_->setToolTip(tr("One token further; generates one at the end (Right)"));
  auto* row = new QHBoxLayout;
  row->addWidget(play_, 1);
  row->addWidget(one_, 1);
  column->addLayout(row);
  for (QPushButton* button : {play_, one_}) button->setFocusPolicy(Qt::TabFocus);
  one_->setAccessibleName(tr("Next token"));
  sampler_ = new QLabel;
  sampler_->setAccessibleName(tr("How the next token is chosen"));
  sampler_->setToolTip(
      tr("How the next token is chosen when the sequence goes on; the Next token "
         "view changes it."));
  past_end_ = new QCheckBox(tr("Write past the end of the text"));
  past_end_->setAccessibleName(tr("Write past the end of the text"));
  past_end_->setToolTip(
      tr("Off: generation stops where the model ends its text. On: the token that "
         "ends it is written like any other, and generation goes on."));
  past_end_->setFocusPolicy(Qt::TabFocus);
  past_end_->hide();
  connect(past_end_, &QCheckBox::clicked, this, [this](bool on) {
    SamplerSettings settings = stage_.snapshot().sequence.sampler;
    settings.past_end = on;
    stage_.send(command::SetSampler{settings});
  });
  full_ = new QLabel;
  full_->setAccessibleName(tr("Why the sequence cannot go on"));
  full_->setToolTip(tr("Why no more tokens can be added to this sequence"));
  room_ = new QLabel;
  room_->setObjectName("caption");
  room_->setAccessibleName(tr("Memory for going back"));
  room_->setToolTip(tr(
      "What is kept of the tokens, so that one can go back to each of them: what was recorded of "
      "all, and the matrix memories of some. Those between are written again, bit for bit."));
  room_->hide();
  for (QWidget* widget : std::initializer_list<QWidget*>{sampler_, past_end_, full_, room_})
    column->addWidget(widget);
  connect(play_, &QPushButton::clicked, this, [this] {
    if (stage_.snapshot().sequence.playing) {
      stage_.send(command::StopPlaying{});
    } else {
      stage_.send(command::Play{});
    }
  });
  connect(one_, &QPushButton::clicked, this, [this] { stage_.send(command::StepForward{}); });
}

void PromptPanel::make_clamps(QVBoxLayout* column) {
  auto* heading = new QLabel(tr("Held by hand"));
  heading->setObjectName("figure");
  clear_ = new QPushButton(tr("Clear all"));
  clear_->setAccessibleName(tr("Clear all edits"));
  clear_->setToolTip(tr("Let go of everything held by hand"));
  clear_->setFocusPolicy(Qt::TabFocus);
  heading->setToolTip(tr("Values of the model that are held by hand over a range of time steps"));
  hold_ = new QToolButton;
  hold_->setObjectName("menu_button");
  hold_->setText(tr("Hold"));
  hold_->setAccessibleName(tr("Hold a value"));
  hold_->setToolTip(
      tr("Holds a value of the focused block and head at what it is at the time "
         "cursor; then change it below."));
  hold_->setPopupMode(QToolButton::InstantPopup);
  hold_->setFocusPolicy(Qt::TabFocus);
  values_ = new QMenu(hold_);
  hold_->setMenu(values_);
  auto* above = new FlowLayout(8);
  for (QWidget* widget : {static_cast<QWidget*>(heading), static_cast<QWidget*>(hold_),
                          static_cast<QWidget*>(clear_)})
    above->addWidget(widget);
  column->addLayout(above);
  no_clamps_ =
      new QLabel(tr("Nothing yet. Drag a gate up or down in the Gates view to hold it, or "
                    "choose one with Hold."));
  // The panel as a whole scrolls: a list that scrolled inside it would be a slit in a small window.
  list_ = new QVBoxLayout;
  list_->setContentsMargins(0, 0, 0, 0);
  list_->setSpacing(4);
  list_->addWidget(no_clamps_);
  column->addLayout(list_);
  column->addStretch(1);
  connect(values_, &QMenu::aboutToShow, this, &PromptPanel::offer_values);
  connect(clear_, &QPushButton::clicked, this, [this] { stage_.send(command::ClearClamps{}); });
}

void PromptPanel::set_prompt() {
  const SequenceStatus& sequence = stage_.snapshot().sequence;
  // What is set already is not read again: other pieces may make up the same text.
  const bool set_already = static_cast<int>(sequence.tokens.size()) == sequence.prompt_length;
  if (set_already && !prompt_->document()->isModified()) return;
  asked_text_ = prompt_->text();
  failure_ = stage_.snapshot().failure.id;
  mark_unset();
  stage_.send(command::SetPrompt{typed_prompt(stage_.snapshot(), asked_text_)});
}

void PromptPanel::mark_unset() {
  const QString text = prompt_->text();
  const bool unset = text != shown_text_ && text != asked_text_;
  if (unset == !unset_->isHidden()) return;
  unset_->setVisible(unset);
  // The button that is to be pressed next stands out.
  set_->setObjectName(unset ? "primary" : "");
  play_->setObjectName(unset ? "" : "primary");
  for (QPushButton* button : {set_, play_}) {
    button->style()->unpolish(button);
    button->style()->polish(button);
  }
}

void PromptPanel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const SequenceStatus& sequence = now.sequence;
  play_->setText(sequence.playing ? tr("Stop") : tr("Play"));
  play_->setAccessibleName(sequence.playing ? tr("Stop playing") : tr("Play"));
  sampler_->setText(sampler_text(sequence.sampler));
  past_end_->setChecked(sequence.sampler.past_end);
  past_end_->setVisible(now.model && !now.model->ends.empty());
  // A series has no prompt, and its tokens are not chosen.
  const bool series = now.data && now.data->series;
  for (QWidget* widget : std::initializer_list<QWidget*>{prompt_, set_, sampler_})
    widget->setVisible(!series);
  one_->setText(series ? tr("Next patch") : tr("Next token"));
  one_->setAccessibleName(one_->text());
  full_->setText(QString::fromStdString(sequence.full_reason));
  full_->setVisible(!sequence.full_reason.empty());
  follow_room();
  if (now.failure.id != failure_) {
    failure_ = now.failure.id;
    if (now.failure.where == "sequence") asked_text_ = shown_text_;
    mark_unset();
  }
  if (now.model) {
    const auto length =
        std::min(sequence.tokens.size(), static_cast<std::size_t>(sequence.prompt_length));
    const std::vector<int> tokens(sequence.tokens.begin(),
                                  sequence.tokens.begin() + static_cast<std::ptrdiff_t>(length));
    if (tokens != prompt_tokens_ || model_ != now.model) {
      prompt_tokens_ = tokens;
      model_ = now.model;
      const QString text = text_of_tokens(now, length);
      shown_text_ = asked_text_ = text;
      prompt_->setPlainText(text);
      shown_text_ = prompt_->text();
      mark_unset();
    }
  }
  if (sequence.clamps != shown_) show_clamps(sequence.clamps);
  clear_->setEnabled(!sequence.clamps.empty());
  hold_->setEnabled(now.trace && sequence.cursor >= 0 && sequence.cursor < now.trace->length());
}

/// Of models that are so large that it matters.
void PromptPanel::follow_room() {
  const SequenceStatus& sequence = stage_.snapshot().sequence;
  room_->setVisible(sequence.most_tokens > 0 && sequence.most_tokens < kManyTokens);
  if (room_->isHidden()) return;
  const auto size = [](std::size_t bytes) {
    return QString::fromStdString(bytes_text(static_cast<double>(bytes)));
  };
  room_->setText(tr("Kept for going back: %1 of at most %2 tokens, %3 of %4")
                     .arg(grouped(static_cast<long long>(sequence.tokens.size())),
                          grouped(sequence.most_tokens), size(sequence.kept_bytes),
                          size(sequence.most_kept_bytes)));
}

void PromptPanel::show_clamps(const std::vector<Clamp>& clamps) {
  shown_ = clamps;
  while (rows_.size() > clamps.size()) {
    delete rows_.back();
    rows_.pop_back();
  }
  while (rows_.size() < clamps.size()) {
    const int index = static_cast<int>(rows_.size());
    auto* row = new EditRow(stage_);
    list_->addWidget(row);
    rows_.push_back(row);
    connect(row, &EditRow::changed, this, [this, index](const Clamp& clamp) {
      stage_.send(command::ReplaceClamp{index, clamp});
    });
    connect(row, &EditRow::enabled, this, [this, index](bool on) {
      stage_.send(command::EnableClamp{index, on});
    });
    connect(row, &EditRow::moved_up, this, [this, index] {
      for (EditRow* other : rows_) other->take_value();
      stage_.send(command::MoveClamp{index, index - 1});
      // The keys stay with the edit that was moved.
      rows_[static_cast<std::size_t>(index - 1)]->take_focus_of(
          *rows_[static_cast<std::size_t>(index)]);
    });
    connect(row, &EditRow::removed, this, [this, index] {
      // What is being typed elsewhere belongs to the edits as they are numbered now.
      for (EditRow* other : rows_) other->take_value();
      // The row is that of the next edit from now on, which nobody is typing in.
      const QWidget* typed = QApplication::focusWidget();
      if (typed && rows_[static_cast<std::size_t>(index)]->isAncestorOf(typed)) hold_->setFocus();
      stage_.send(command::RemoveClamp{index});
    });
  }
  for (std::size_t i = 0; i < clamps.size(); ++i)
    rows_[i]->show_clamp(static_cast<int>(i), clamps[i]);
  no_clamps_->setVisible(clamps.empty());
}

/// What of the focused block can be held: its pre-activations, each at what it is now, and what
/// goes into its memory, all units of a head at once; and the edits with a name.
void PromptPanel::offer_values() {
  values_->clear();
  const Snapshot& now = stage_.snapshot();
  const int step = now.sequence.cursor;
  const auto block = static_cast<std::size_t>(std::max(0, stage_.focus().block));
  if (!now.model || !now.trace || block >= now.model->blocks.size()) return;
  const BlockCard& focused = now.model->blocks[block];
  for (const ValueCard& value : focused.values->cards) {
    if (!value.clampable) continue;
    Clamp clamp{.path = focused.path(value.name),
                .head = stage_.focus().head,
                .begin = step,
                .end = step + 1};
    const Recorded* recorded = now.trace->find(step, clamp.path);
    if (!recorded || clamp.head < 0 || clamp.head >= recorded->heads) continue;
    const bool projection = value.role == Role::projection;
    if (projection) {
      clamp.unit = Clamp::kAll;
      clamp.change = Change::scale;
    } else {
      clamp.value = recorded->at(clamp.head, 0);
    }
    const QString title = QString::fromStdString(value.title);
    connect(values_->addAction(projection ? tr("%1 times 0").arg(title) : title),
            &QAction::triggered, this, [this, clamp] { stage_.send(command::SetClamp{clamp}); });
  }
  offer_named_edits();
}

void PromptPanel::offer_named_edits() {
  const auto offer = [this](const QString& text, auto clamps, const char* name, Scope scope) {
    connect(values_->addAction(text), &QAction::triggered, this, [this, clamps, name, scope] {
      stage_.send(command::AddClamps{clamps(stage_.snapshot(), stage_.focus(), scope), name});
    });
  };
  const int step = stage_.snapshot().sequence.cursor;
  values_->addSeparator();
  offer(tr("Token %1 never written in this head").arg(step), never_written_in, "never written",
        Scope::head);
  offer(tr("Token %1 never written in this block").arg(step), never_written_in, "never written",
        Scope::block);
  offer(tr("Token %1 never written in the whole model").arg(step), never_written_in,
        "never written", Scope::model);
  values_->addSeparator();
  offer(tr("Switch this head off"), switched_off_in, "switching off", Scope::head);
  offer(tr("Switch this block off"), switched_off_in, "switching off", Scope::block);
}

}  // namespace xlab::app
