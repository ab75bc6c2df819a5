// Row 0 is the start, row n is after the nth edit.
#include "app/history_window.hpp"

#include <QBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <cstdlib>

#include "app/theme.hpp"

namespace xlab::app {
namespace {

QString words_of_entry(const EditHistory::Entry& entry, bool several) {
  QString words = QString::fromStdString(entry.name);
  if (!entry.about.empty()) words += ": " + QString::fromStdString(entry.about);
  if (several && entry.run > 0) words += HistoryWindow::tr(" (run %1)").arg(entry.run);
  return words;
}

}  // namespace

HistoryWindow::HistoryWindow(Stage& stage, QWidget* parent) : QDialog(parent), stage_(stage) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("History"));
  auto* column = new QVBoxLayout(this);
  auto* words = new QLabel(
      tr("Every edit, the oldest on top. Press one to go to where it was the last; what comes "
         "after it is taken back, and can be made again as long as nothing else is edited."));
  words->setWordWrap(true);
  words->setObjectName("caption");
  list_ = new QListWidget;
  list_->setAccessibleName(tr("Edits in their order"));
  list_->setUniformItemSizes(true);
  column->addWidget(words);
  column->addWidget(list_, 1);
  auto* close = new QPushButton(tr("Close"));
  close->setAutoDefault(false);
  auto* row = new QHBoxLayout;
  row->addStretch(1);
  row->addWidget(close);
  column->addLayout(row);
  connect(close, &QPushButton::clicked, this, &QDialog::close);
  connect(list_, &QListWidget::itemClicked, this,
          [this](QListWidgetItem* item) { go_to(list_->row(item)); });
  connect(list_, &QListWidget::itemActivated, this,
          [this](QListWidgetItem* item) { go_to(list_->row(item)); });
  connect(&stage.engine(), &EngineLink::changed, this, &HistoryWindow::follow_snapshot);
  follow_snapshot();
  resize(scaled(stage.look(), 380), scaled(stage.look(), 460));
}

void HistoryWindow::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  if (now.history == shown_ && list_->count() > 0) return;
  shown_ = now.history;
  list_->clear();
  list_->addItem(tr("Start"));
  const bool several = now.runs.size() > 1;
  const auto add = [&](const EditHistory::Entry& entry, bool done) {
    auto* item = new QListWidgetItem(words_of_entry(entry, several), list_);
    if (done) return;
    item->setForeground(palette().color(QPalette::Disabled, QPalette::Text));
    item->setToolTip(tr("Taken back; press to make it again"));
  };
  int done = 0;
  if (shown_) {
    for (const EditHistory::Entry& entry : shown_->past) add(entry, true);
    for (const EditHistory::Entry& entry : shown_->future) add(entry, false);
    done = static_cast<int>(shown_->past.size());
  }
  QFont bold = list_->font();
  bold.setBold(true);
  list_->item(done)->setFont(bold);
  list_->setCurrentRow(done);
}

void HistoryWindow::go_to(int row) {
  const int done = shown_ ? static_cast<int>(shown_->past.size()) : 0;
  for (int i = 0; i < std::abs(row - done); ++i) {
    if (row < done) {
      stage_.send(command::Undo{});
    } else {
      stage_.send(command::Redo{});
    }
  }
}

}  // namespace xlab::app
