// Only what was added is written, so that a long text costs no more than a short one, and what is
// selected or scrolled to stays where it is.
#include "app/panel_text.hpp"

#include <QApplication>
#include <QBoxLayout>
#include <QClipboard>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QTextCursor>
#include <algorithm>

#include "app/facts.hpp"
#include "app/theme.hpp"
#include "app/token_text.hpp"

namespace xlab::app {

TextPanel::TextPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  text_ = new QPlainTextEdit;
  text_->setObjectName("prose");
  text_->setReadOnly(true);
  text_->setUndoRedoEnabled(false);
  text_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  text_->setAccessibleName(tr("Prompt and continuation"));
  text_->setToolTip(
      tr("The sequence as text: what was given in bold, what was generated after it. "
         "Bytes that are no characters are written as \\x and two digits."));
  // As high as the panel leaves it: what stands below is never scrolled out of a low window.
  text_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Ignored);
  column->addWidget(text_, 1);
  counts_ = new QLabel;
  counts_->setObjectName("caption");
  counts_->setWordWrap(true);
  counts_->setAccessibleName(tr("Tokens given and generated"));
  counts_->setToolTip(tr("How many tokens of the sequence were given and how many generated"));
  copy_ = new QPushButton(tr("Copy"));
  copy_->setAccessibleName(tr("Copy the text"));
  copy_->setToolTip(tr("Copies what is selected or, when nothing is, the whole text"));
  copy_->setFocusPolicy(Qt::TabFocus);
  auto* row = new QHBoxLayout;
  row->addWidget(counts_, 1);
  row->addWidget(copy_);
  column->addLayout(row);

  connect(copy_, &QPushButton::clicked, this, &TextPanel::copy);
  connect(&stage.engine(), &EngineLink::changed, this, &TextPanel::follow_snapshot);
  const auto make_room = [this] {
    text_->ensurePolished();
    text_->setMinimumHeight(4 * text_->fontMetrics().lineSpacing());
  };
  make_room();
  connect(&stage, &Stage::look_changed, this, [this, make_room] {
    make_room();
    model_.reset();
    marked_ = -1;
    follow_snapshot();
  });
}

void TextPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  follow_snapshot();
}

void TextPanel::follow_snapshot() {
  if (!isVisible()) return;
  const Snapshot& now = stage_.snapshot();
  const SequenceStatus& sequence = now.sequence;
  const bool as_text = now.data && now.data->tokens_are_text;
  std::size_t same = 0;
  if (now.model == model_ && as_text == as_text_) {
    const auto [mine, theirs] = std::mismatch(tokens_.begin(), tokens_.end(),
                                              sequence.tokens.begin(), sequence.tokens.end());
    same = static_cast<std::size_t>(mine - tokens_.begin());
    // What was generated and is given now looks different.
    if (given_ != sequence.prompt_length)
      same = std::min(
          same, static_cast<std::size_t>(std::max(0, std::min(given_, sequence.prompt_length))));
  }
  if (now.model != model_ || as_text != as_text_ || given_ != sequence.prompt_length ||
      same < tokens_.size() || same < sequence.tokens.size()) {
    model_ = now.model;
    as_text_ = as_text;
    given_ = sequence.prompt_length;
    write(same);
    const auto total = static_cast<long long>(tokens_.size());
    const long long given = std::min<long long>(given_, total);
    counts_->setText(
        tr("%1 tokens given, %2 generated").arg(grouped(given), grouped(total - given)));
    copy_->setEnabled(total > 0);
  }
  mark_cursor();
}

/// Writes the tokens of now from this one on; those before it stand there already.
void TextPanel::write(std::size_t from) {
  const std::vector<int>& tokens = stage_.snapshot().sequence.tokens;
  // Back to where the text is final: a character may have been cut.
  while (from > 0 && !complete_[from - 1]) --from;
  const int kept = from > 0 ? ends_[from - 1] : 0;
  TokenText writer(model_, as_text_, from == 0);
  tokens_.resize(from);
  ends_.resize(from);
  complete_.resize(from);

  QScrollBar* bar = text_->verticalScrollBar();
  const int scrolled = bar->value();
  const bool at_end = scrolled >= bar->maximum();
  const QTextCursor before = text_->textCursor();
  const int anchor = before.anchor(), position = before.position();
  QTextCursor pen(text_->document());
  pen.beginEditBlock();
  pen.setPosition(kept);
  pen.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
  pen.removeSelectedText();
  int end = kept;
  for (const bool given : {true, false}) {
    const std::size_t until =
        given ? std::min(tokens.size(), static_cast<std::size_t>(std::max(given_, 0)))
              : tokens.size();
    QString text;
    for (std::size_t i = tokens_.size(); i < until; ++i) {
      const QString piece = writer.add(tokens[i]);
      text += piece;
      end += static_cast<int>(piece.size());
      tokens_.push_back(tokens[i]);
      ends_.push_back(end);
      complete_.push_back(writer.complete());
    }
    if (!text.isEmpty()) pen.insertText(text, format(given));
  }
  if (!writer.complete())
    pen.insertText(writer.rest(), format(tokens.size() <= static_cast<std::size_t>(given_)));
  pen.endEditBlock();
  // A selection that reached the end must not grow with the text.
  const int last = std::max(0, text_->document()->characterCount() - 1);
  if (text_->textCursor().anchor() != std::min(anchor, last) ||
      text_->textCursor().position() != std::min(position, last)) {
    QTextCursor back = text_->textCursor();
    back.setPosition(std::min(anchor, last));
    back.setPosition(std::min(position, last), QTextCursor::KeepAnchor);
    text_->setTextCursor(back);
  }
  bar->setValue(at_end ? bar->maximum() : scrolled);
  marked_ = -1;
}

/// The token under the time cursor stands on a ground of its own.
void TextPanel::mark_cursor() {
  const int cursor = stage_.snapshot().sequence.cursor;
  if (cursor == marked_) return;
  marked_ = cursor;
  QList<QTextEdit::ExtraSelection> marks;
  if (cursor >= 0 && cursor < static_cast<int>(ends_.size())) {
    const auto at = static_cast<std::size_t>(cursor);
    QTextEdit::ExtraSelection mark;
    mark.cursor = QTextCursor(text_->document());
    mark.cursor.setPosition(at > 0 ? ends_[at - 1] : 0);
    mark.cursor.setPosition(ends_[at], QTextCursor::KeepAnchor);
    QColor ground = theme(stage_.look().palette).accent;
    ground.setAlphaF(0.3f);
    mark.format.setBackground(ground);
    marks.append(mark);
  }
  text_->setExtraSelections(marks);
}

void TextPanel::copy() {
  const QTextCursor chosen = text_->textCursor();
  if (chosen.hasSelection()) {
    text_->copy();
  } else {
    QApplication::clipboard()->setText(text_->toPlainText());
  }
}

QTextCharFormat TextPanel::format(bool given) const {
  QTextCharFormat format;
  format.setForeground(theme(stage_.look().palette).text);
  if (given) format.setFontWeight(QFont::Bold);
  return format;
}

}  // namespace xlab::app
