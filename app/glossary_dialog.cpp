// The glossary as a text that is written anew with every letter of the search.
#include "app/glossary_dialog.hpp"

#include <QBoxLayout>
#include <QDialogButtonBox>
#include <QLabel>
#include <QLineEdit>
#include <QStringList>
#include <QTextBrowser>
#include <algorithm>
#include <utility>

#include "app/theme.hpp"

namespace xlab::app {
namespace {

bool has_words(const GlossaryEntry& entry, const QStringList& words) {
  const QString text =
      QString::fromStdString(entry.symbol + " " + entry.term + " " + entry.sentence);
  return std::all_of(words.begin(), words.end(),
                     [&](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
}

QString html_of(const GlossaryEntry& entry) {
  const QString symbol = QString::fromStdString(entry.symbol).toHtmlEscaped();
  const QString term = QString::fromStdString(entry.term).toHtmlEscaped();
  const QString sentence = QString::fromStdString(entry.sentence).toHtmlEscaped();
  return QString("<p style=\"margin:0 0 8px 0\"><b>%1%2</b><br>%3</p>")
      .arg(symbol.isEmpty() ? QString() : symbol + "&nbsp;&nbsp; ", term, sentence);
}

}  // namespace

GlossaryDialog::GlossaryDialog(std::vector<GlossaryEntry> entries, const CanvasLook& look,
                               QWidget* parent)
    : QDialog(parent), entries_(std::move(entries)), list_(new QTextBrowser), none_(new QLabel) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("Glossary"));
  auto* column = new QVBoxLayout(this);
  auto* field = new QLineEdit;
  field->setPlaceholderText(tr("Search"));
  field->setClearButtonEnabled(true);
  field->setAccessibleName(tr("Search in the glossary"));
  column->addWidget(field);
  list_->setAccessibleName(tr("Symbols and terms with what they mean"));
  list_->setOpenLinks(false);
  list_->setTabChangesFocus(true);
  column->addWidget(list_, 1);
  none_->setObjectName("caption");
  none_->setText(tr("Nothing has these words."));
  column->addWidget(none_);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  column->addWidget(buttons);
  connect(field, &QLineEdit::textChanged, this, &GlossaryDialog::search);
  search({});
  field->setFocus();
  resize(scaled(look, 460), scaled(look, 560));
}

void GlossaryDialog::search(const QString& words) {
  const QStringList wanted = words.split(' ', Qt::SkipEmptyParts);
  QString html;
  for (const GlossaryEntry& entry : entries_)
    if (has_words(entry, wanted)) html += html_of(entry);
  none_->setVisible(html.isEmpty());
  list_->setHtml(html);
}

}  // namespace xlab::app
