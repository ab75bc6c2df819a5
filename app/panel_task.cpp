// Writes each example as one line of tokens; counted answers stand in colour behind an arrow.
#include "app/panel_task.hpp"

#include <QBoxLayout>
#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QTextBrowser>
#include <QToolButton>

#include <algorithm>

#include "app/facts.hpp"
#include "app/flow_layout.hpp"
#include "app/theme.hpp"
#include "core/tasks/task.hpp"

namespace xlab::app {
namespace {

/// More marked answers than this would hide the example.
constexpr int kMostMarked = 12;

QString label_of(const ModelCard& model, int token) {
  const auto index = static_cast<std::size_t>(token);
  if (token < 0 || index >= model.vocabulary.size()) return QString::number(token);
  const QString label = QString::fromStdString(model.vocabulary[index]);
  if (label == " ") return "␣";
  if (label == "\n") return "⏎";
  return label.toHtmlEscaped();
}

int counted(const ExampleRow& row) {
  return static_cast<int>(std::count_if(row.targets.begin(), row.targets.end(),
                                        [](int target) { return target >= 0; }));
}

/// Tokens of a text as HTML. Their bytes are joined first: a character may need several tokens.
QString text_line(const ExampleRow& row, const ModelCard& model, bool words) {
  std::string bytes;
  for (const int token : row.inputs) {
    const auto index = static_cast<std::size_t>(token);
    if (token < 0 || index >= model.vocabulary.size()) continue;
    if (words && !bytes.empty()) bytes += ' ';
    bytes += model.vocabulary[index];
  }
  return QString::fromStdString(bytes).replace(' ', u'␣').replace('\n', u'⏎').toHtmlEscaped();
}

/// One example as HTML. In a text the answer is the next token, which can be seen anyway.
QString example_line(const ExampleRow& row, const ModelCard& model, const Theme& t,
                     const DataCard& data) {
  if (data.length > 0) return text_line(row, model, !data.tokens_are_text);
  QString line;
  int marked = 0;
  for (std::size_t i = 0; i < row.inputs.size(); ++i) {
    if (marked == kMostMarked) return line + "…";
    line += label_of(model, row.inputs[i]);
    if (i < row.targets.size() && row.targets[i] >= 0) {
      line += QString("&nbsp;<b style=\"color:%1\">→&nbsp;%2</b>")
                  .arg(t.accent.name(), label_of(model, row.targets[i]));
      ++marked;
    }
    line += "&ensp;";
  }
  return line;
}

}  // namespace

TaskPanel::TaskPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  chooser_ = new QComboBox;
  chooser_->setAccessibleName(tr("Task"));
  chooser_->setToolTip(
      tr("What the model learns; another task starts a new run with a fresh model"));
  for (const std::string& name : task_names())
    chooser_->addItem(QString::fromStdString(make_task(name)->title()),
                      QString::fromStdString(name));
  chooser_->addItem(tr("Text file…"), "text");
  another_ = new QPushButton(tr("New sample"));
  another_->setAccessibleName(tr("New sample of the task"));
  another_->setFocusPolicy(Qt::TabFocus);
  chooser_->setPlaceholderText(tr("no task"));
  // A panel in a narrow window is no wider than its fields.
  chooser_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  chooser_->setMinimumContentsLength(13);
  auto* row = new FlowLayout(6);
  row->addWidget(chooser_);
  row->addWidget(another_);
  column->addLayout(row);

  onward_ = new QToolButton;
  onward_->setObjectName("menu_button");
  onward_->setText(tr("Train this model on"));
  onward_->setAccessibleName(tr("Train this model on another task"));
  onward_->setToolTip(
      tr("Starts a new run that goes on with the weights of this model instead of "
         "fresh ones"));
  onward_->setPopupMode(QToolButton::InstantPopup);
  onward_->setFocusPolicy(Qt::TabFocus);
  auto* targets = new QMenu(onward_);
  for (int i = 0; i < chooser_->count(); ++i) {
    connect(targets->addAction(chooser_->itemText(i)), &QAction::triggered, this,
            [this, task = chooser_->itemData(i).toString()] { emit training_wanted(task); });
  }
  onward_->setMenu(targets);
  column->addWidget(onward_, 0, Qt::AlignLeft);

  title_ = new QLabel;
  title_->setObjectName("figure");
  description_ = new QLabel;
  remember_ = new QLabel;
  remember_->setTextFormat(Qt::RichText);
  tokens_caption_ = new QLabel(tr("Tokens"));
  tokens_caption_->setObjectName("caption");
  tokens_caption_->setToolTip(tr("How the text becomes tokens"));
  tokens_ = new QComboBox;
  tokens_->setAccessibleName(tr("Tokens"));
  tokens_->setToolTip(tr("How the text becomes tokens: another choice starts a new run on it"));
  tokens_->setFocusPolicy(Qt::TabFocus);
  // The name of a file does not widen the panel.
  tokens_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  tokens_caption_->hide();
  tokens_->hide();
  auto* tokens_row = new QHBoxLayout;
  tokens_row->addWidget(tokens_caption_);
  tokens_row->addWidget(tokens_, 1);
  title_->setAccessibleName(tr("Task"));
  title_->setToolTip(tr("What the model is trained on, and how long it is"));
  description_->setAccessibleName(tr("What is asked"));
  description_->setToolTip(tr("What is asked of the model"));
  remember_->setAccessibleName(tr("What must be remembered"));
  remember_->setToolTip(tr("What a solver without mistakes has to keep in its memory"));
  for (QLabel* label : {title_, description_, remember_}) {
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(label);
    if (label == title_) column->addLayout(tokens_row);
  }
  examples_ = new QTextBrowser;
  examples_->setAccessibleName(tr("Examples of the task"));
  examples_->setToolTip(
      tr("Ten sequences as training sees them. An arrow leads to an answer that "
         "counts; everything else is given, not guessed."));
  examples_->setMinimumHeight(50);
  column->addWidget(examples_, 1);

  connect(chooser_, &QComboBox::activated, this, [this](int index) {
    emit task_wanted(chooser_->itemData(index).toString());
    // The box shows the task that is open, not the one asked for.
    shown_.reset();
    follow_snapshot();
  });
  connect(tokens_, &QComboBox::activated, this, [this](int index) {
    const QString tokens = tokens_->itemData(index).toString();
    if (tokens != QString::fromStdString(shown_->tokenizer)) emit tokens_wanted(tokens);
    // As above.
    tokens_->setCurrentIndex(tokens_->findData(QString::fromStdString(shown_->tokenizer)));
  });
  connect(another_, &QPushButton::clicked, this, [this] { stage_.send(command::NewSample{}); });
  connect(&stage.engine(), &EngineLink::changed, this, &TaskPanel::follow_snapshot);
  connect(&stage, &Stage::look_changed, this, [this] {
    shown_.reset();
    follow_snapshot();
  });
  follow_snapshot();
}

void TaskPanel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const QString reason = QString::fromStdString(now.sequence.cannot_sample);
  another_->setEnabled(now.model && reason.isEmpty());
  another_->setToolTip(
      reason.isEmpty() ? tr("Puts another example of the task under the time cursor (N)") : reason);
  onward_->setEnabled(now.model != nullptr);
  if (now.data == shown_ || !now.data || !now.model) return;
  shown_ = now.data;
  const Theme t = theme(stage_.look().palette);
  chooser_->setCurrentIndex(chooser_->findData(QString::fromStdString(shown_->task)));
  QString title = QString::fromStdString(shown_->title);
  if (shown_->length > 0)
    title += tr(" (%1 %2)").arg(grouped(shown_->length), QString::fromStdString(shown_->unit));
  title_->setText(title);
  show_tokens();
  description_->setText(QString::fromStdString(shown_->description));
  remember_->setText(
      tr("<span style=\"color:%1\">A perfect solver remembers:</span> %2")
          .arg(t.muted.name(), QString::fromStdString(shown_->must_remember).toHtmlEscaped()));
  QString html;
  for (const ExampleRow& example : shown_->examples) {
    const int answers = counted(example);
    html += QString("<p style=\"margin:0 0 5px 0\">%1 <span style=\"color:%2\">(%3)</span></p>")
                .arg(example_line(example, *now.model, t, *shown_), t.muted.name(),
                     answers == 1 ? tr("1 answer counts") : tr("%1 answers count").arg(answers));
  }
  examples_->setHtml(html);
}

void TaskPanel::show_tokens() {
  const QString tokenizer = QString::fromStdString(shown_->tokenizer);
  tokens_caption_->setVisible(!tokenizer.isEmpty());
  tokens_->setVisible(!tokenizer.isEmpty());
  tokens_->clear();
  tokens_->addItem(tr("Characters"), "characters");
  tokens_->addItem(tr("Bytes"), "bytes");
  if (tokens_->findData(tokenizer) < 0) tokens_->addItem(tokenizer, tokenizer);
  tokens_->addItem(tr("From a tokenizer file…"), "file");
  tokens_->setCurrentIndex(tokens_->findData(tokenizer));
}

}  // namespace xlab::app
