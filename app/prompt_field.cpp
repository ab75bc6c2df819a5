// Its height follows its lines, so that a short prompt takes no more room than a line.
#include "app/prompt_field.hpp"

#include <QAbstractTextDocumentLayout>
#include <QKeyEvent>
#include <algorithm>
#include <cmath>

namespace xlab::app {
namespace {

constexpr int kMostLines = 6;

}  // namespace

PromptField::PromptField(QWidget* parent) : QPlainTextEdit(parent) {
  setObjectName("field");
  setTabChangesFocus(true);
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  connect(document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
          &PromptField::fit);
  fit();
}

QSize PromptField::sizeHint() const {
  return {fontMetrics().averageCharWidth() * 12, height_};
}

QString PromptField::text() const {
  // Plain text would have an ordinary blank for each of them.
  return document()->toRawText().replace(QChar::ParagraphSeparator, '\n');
}

void PromptField::keyPressEvent(QKeyEvent* event) {
  if (event->key() != Qt::Key_Return && event->key() != Qt::Key_Enter) {
    QPlainTextEdit::keyPressEvent(event);
  } else if (event->modifiers() & Qt::ShiftModifier) {
    // As a line of its own: the editor would put a line separator, which is no newline.
    insertPlainText("\n");
    ensureCursorVisible();
  } else {
    emit entered();
    // The keys belong to the window again.
    clearFocus();
  }
}

void PromptField::changeEvent(QEvent* event) {
  QPlainTextEdit::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit();
}

void PromptField::resizeEvent(QResizeEvent* event) {
  QPlainTextEdit::resizeEvent(event);
  fit();
}

void PromptField::fit() {
  // The document's height of a plain editor counts lines.
  const int all =
      static_cast<int>(std::lround(document()->documentLayout()->documentSize().height()));
  const int lines = std::clamp(all, 1, kMostLines);
  setVerticalScrollBarPolicy(all > kMostLines ? Qt::ScrollBarAlwaysOn : Qt::ScrollBarAlwaysOff);
  const QMargins inside = contentsMargins();
  const int height = static_cast<int>(std::ceil(lines * QFontMetricsF(font()).lineSpacing() +
                                                2 * document()->documentMargin())) +
                     inside.top() + inside.bottom() + 2;
  if (height == height_) return;
  height_ = height;
  setFixedHeight(height);
}

}  // namespace xlab::app
