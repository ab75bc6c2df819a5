// A text that can be read, selected and copied; Escape closes it.
#include "app/text_dialog.hpp"

#include <QApplication>
#include <QBoxLayout>
#include <QClipboard>
#include <QDialogButtonBox>
#include <QFontDatabase>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QStyle>
#include <QTextDocument>
#include <algorithm>

#include "app/theme.hpp"

namespace xlab::app {

TextDialog::TextDialog(const Words& words, const CanvasLook& look, QWidget* parent)
    : QDialog(parent) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(words.title);
  auto* column = new QVBoxLayout(this);
  auto* heading = new QLabel(words.heading);
  heading->setTextFormat(Qt::PlainText);
  heading->setWordWrap(true);
  QFont bold = heading->font();
  bold.setBold(true);
  heading->setFont(bold);
  column->addWidget(heading);
  auto* explained = new QLabel(words.explained);
  explained->setObjectName("caption");
  explained->setTextFormat(Qt::PlainText);
  explained->setWordWrap(true);
  column->addWidget(explained);

  auto* text = new QPlainTextEdit(words.text);
  text->setReadOnly(true);
  text->setLineWrapMode(QPlainTextEdit::NoWrap);
  // The keyboard selects in it, and Tab leaves it.
  text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  text->setTabChangesFocus(true);
  text->setAccessibleName(words.title);
  QFont fixed = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  fixed.setPointSizeF(font().pointSizeF());
  if (font().pixelSize() > 0) fixed.setPixelSize(font().pixelSize());
  text->setFont(fixed);
  column->addWidget(text, 1);

  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
  QPushButton* copy = buttons->addButton(tr("Copy"), QDialogButtonBox::ActionRole);
  copy->setDefault(true);
  connect(copy, &QPushButton::clicked, this, [this, all = words.text] {
    QApplication::clipboard()->setText(all);
    emit copied();
  });
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  column->addWidget(buttons);
  copy->setFocus();

  // As wide as its longest line and as high as its lines are, where the screen has room for that.
  // The size of its letters is known when the look of the window has come to it.
  text->ensurePolished();
  int widest = 0;
  const QStringList lines = words.text.split('\n');
  for (const QString& line : lines)
    widest = std::max(widest, text->fontMetrics().horizontalAdvance(line));
  const int bar = style()->pixelMetric(QStyle::PM_ScrollBarExtent);
  const int inside = static_cast<int>(2 * text->document()->documentMargin()) +
                     2 * text->frameWidth() + bar + 3 * text->fontMetrics().averageCharWidth();
  const QMargins margins = column->contentsMargins();
  const int height = static_cast<int>(lines.size() + 1) * text->fontMetrics().lineSpacing() + bar;
  text->setMinimumHeight(std::min(height, scaled(look, 160)));
  resize(std::clamp(widest + inside + margins.left() + margins.right(), scaled(look, 420),
                    scaled(look, 900)),
         std::clamp(height + scaled(look, 130), scaled(look, 220), scaled(look, 560)));
}

}  // namespace xlab::app
