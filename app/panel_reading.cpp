// Written anew only when the model of another folder is on the screen.
#include "app/panel_reading.hpp"

#include <QBoxLayout>
#include <QDialog>
#include <QDialogButtonBox>
#include <QEvent>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTextBrowser>
#include <QTextDocument>
#include <QTextOption>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "app/theme.hpp"
#include "core/bytes_text.hpp"

namespace xlab::app {
namespace {

QString text_in(const std::string& text) {
  return QString::fromStdString(text);
}

/// The first of them in a line.
QString list_in(const std::vector<std::string>& texts) {
  constexpr std::size_t kMost = 8;
  QStringList list;
  for (std::size_t i = 0; i < std::min(texts.size(), kMost); ++i) list.append(text_in(texts[i]));
  const QString named = list.join(", ");
  return texts.size() <= kMost
             ? named
             : ReadingGroup::tr("%1 and %2 more").arg(named).arg(texts.size() - kMost);
}

QString line_of(const ReadKey& key) {
  const QString line = text_in(text_of(key));
  return key.note.empty() ? line : QString("%1  (%2)").arg(line, text_in(key.note));
}

QString word_for(KeyUse use) {
  switch (use) {
    case KeyUse::followed:
      return ReadingGroup::tr("followed");
    case KeyUse::replaced:
      return ReadingGroup::tr("replaced");
    case KeyUse::assumed:
      return ReadingGroup::tr("assumed");
    case KeyUse::ignored:
      return ReadingGroup::tr("ignored");
    case KeyUse::not_used:
      break;
  }
  return ReadingGroup::tr("not used");
}

constexpr KeyUse kUses[] = {KeyUse::followed, KeyUse::replaced, KeyUse::assumed, KeyUse::ignored,
                            KeyUse::not_used};

}  // namespace

QString short_text(const WhatWasRead& reading) {
  QStringList lines, counts;
  lines.append(ReadingGroup::tr("Read: %1").arg(list_in(reading.files)));
  if (!reading.left.empty())
    lines.append(ReadingGroup::tr("Left alone: %1").arg(list_in(reading.left)));
  for (const KeyUse use : kUses)
    if (const std::size_t count = reading.count(use); count > 0)
      counts.append(QString("%1 %2").arg(count).arg(word_for(use)));
  lines.append(ReadingGroup::tr("Keys: %1").arg(counts.join(", ")));
  for (const ReadKey& key : reading.keys) {
    if (key.use == KeyUse::replaced)
      lines.append(ReadingGroup::tr("Replaced: %1").arg(line_of(key)));
    if (key.use == KeyUse::not_used)
      lines.append(ReadingGroup::tr("Not used: %1").arg(line_of(key)));
  }
  for (const auto* sentences : {&reading.names, &reading.remarks})
    for (const std::string& sentence : *sentences) lines.append(text_in(sentence));
  QStringList texts;
  for (const ShownText& text : reading.texts)
    texts.append(ReadingGroup::tr("%1 (%2)").arg(text_in(text.what), text_in(text.file)));
  if (!texts.isEmpty())
    lines.append(
        ReadingGroup::tr("Shown, neither followed nor executed: %1").arg(texts.join(", ")));
  return lines.join('\n');
}

QString full_text(const WhatWasRead& reading) {
  QStringList lines;
  const auto part = [&](const QString& title, const QStringList& list) {
    if (list.isEmpty()) return;
    if (!lines.isEmpty()) lines.append(QString());
    lines.append(title);
    for (const QString& line : list) lines.append("  " + line);
  };
  const auto plain = [](const std::vector<std::string>& texts) {
    QStringList list;
    for (const std::string& text : texts) list.append(text_in(text));
    return list;
  };
  const auto keys = [&](KeyUse use) {
    QStringList list;
    for (const ReadKey& key : reading.keys)
      if (key.use == use) list.append(line_of(key));
    return list;
  };
  part(ReadingGroup::tr("Folder"), {text_in(reading.folder)});
  part(ReadingGroup::tr("Files that were read"), plain(reading.files));
  part(ReadingGroup::tr("Files that were left alone"), plain(reading.left));
  part(ReadingGroup::tr("Keys that were followed"), keys(KeyUse::followed));
  part(ReadingGroup::tr("Keys that were replaced, because the tensors say otherwise"),
       keys(KeyUse::replaced));
  part(ReadingGroup::tr("Keys that are missing: what usually stands there was taken"),
       keys(KeyUse::assumed));
  part(ReadingGroup::tr("Keys that are known and of no consequence here"), keys(KeyUse::ignored));
  part(ReadingGroup::tr("Keys that nothing here follows"), keys(KeyUse::not_used));
  part(ReadingGroup::tr("Tensors that have other names or forms"), plain(reading.names));
  part(ReadingGroup::tr("What else was chosen"), plain(reading.remarks));
  for (const ShownText& text : reading.texts)
    part(ReadingGroup::tr("%1, %2, %3: shown, neither followed nor executed")
             .arg(text_in(text.what), text_in(text.file),
                  text_in(bytes_text(static_cast<double>(text.bytes)))),
         text_in(text.text).split('\n'));
  return lines.join('\n');
}

ReadingGroup::ReadingGroup(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 6, 0, 0);
  auto* title = new QLabel(tr("What was read"));
  title->setObjectName("figure");
  title->setWordWrap(true);
  title->setToolTip(
      tr("Which files of the model's folder were taken, and how its configuration was"));
  column->addWidget(title);
  words_ = new QTextBrowser;
  words_->setAccessibleName(tr("What was read of the model's folder"));
  words_->setToolTip(
      tr("What the program took of the folder, and what is not as usual in it; can "
         "be selected and copied"));
  words_->setOpenLinks(false);
  words_->setTabChangesFocus(true);
  words_->setUndoRedoEnabled(false);
  words_->setFocusPolicy(Qt::StrongFocus);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  words_->setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
  words_->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  words_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  words_->setMinimumWidth(1);
  words_->document()->setDocumentMargin(0);
  words_->viewport()->installEventFilter(this);
  column->addWidget(words_);
  auto* all = new QPushButton(tr("Every key…"));
  all->setAccessibleName(tr("Everything that was read of the model's folder"));
  all->setToolTip(
      tr("Lists every key of the configuration and what became of it, every file, and "
         "every name that was changed"));
  all->setFocusPolicy(Qt::TabFocus);
  connect(all, &QPushButton::clicked, this, &ReadingGroup::show_all);
  column->addWidget(all, 0, Qt::AlignLeft);
  setVisible(false);
  connect(&stage.engine(), &EngineLink::changed, this, &ReadingGroup::follow);
  follow();
}

void ReadingGroup::follow() {
  const Snapshot& now = stage_.snapshot();
  const auto reading = now.model ? now.model->was_read : nullptr;
  if (reading == shown_) return;
  shown_ = reading;
  setVisible(shown_ != nullptr);
  words_->setPlainText(shown_ ? short_text(*shown_) : QString());
  fit();
}

void ReadingGroup::fit() {
  words_->ensurePolished();
  words_->document()->setTextWidth(words_->viewport()->width());
  const int height = static_cast<int>(std::ceil(words_->document()->size().height())) +
                     2 * words_->frameWidth() + 2;
  if (words_->height() != height) words_->setFixedHeight(height);
}

bool ReadingGroup::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Resize) fit();
  return QWidget::eventFilter(watched, event);
}

void ReadingGroup::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit();
}

void ReadingGroup::show_all() {
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("What was read"));
  auto* column = new QVBoxLayout(dialog);
  auto* text = new QPlainTextEdit(shown_ ? full_text(*shown_) : QString());
  text->setReadOnly(true);
  text->setAccessibleName(tr("Everything that was read"));
  column->addWidget(text);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
  column->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::close);
  dialog->resize(scaled(stage_.look(), 560), scaled(stage_.look(), 560));
  dialog->show();
}

}  // namespace xlab::app
