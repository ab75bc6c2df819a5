// Row 0 is the start, row n is after the nth edit.
#include "app/history_window.hpp"

#include <QBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <cstdlib>

#include "app/theme.hpp"

namespace xlab::app {
namespace {

QString words_of_entry(const Snapshot& now, const EditHistory::Entry& entry) {
  QString words = QString::fromStdString(entry.name);
  if (!entry.about.empty()) words += ": " + QString::fromStdString(entry.about);
  for (const auto& run : now.runs)
    if (now.runs.size() > 1 && run->id == entry.run)
      words += " – " + QString::fromStdString(run->name);
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
  // Return goes to the row that the arrows chose.
  list_->installEventFilter(this);
  connect(&stage.engine(), &EngineLink::changed, this, &HistoryWindow::follow_snapshot);
  follow_snapshot();
  resize(scaled(stage.look(), 380), scaled(stage.look(), 460));
}

void HistoryWindow::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  if (now.history == shown_ && list_->count() > 0) return;
  shown_ = now.history;
  // What was asked for has been done, or something else was.
  if (done_now() == going_to_ || now.failure.id != failure_) going_to_ = -1;
  failure_ = now.failure.id;
  list_->clear();
  list_->addItem(tr("Start"));
  const auto add = [&](const EditHistory::Entry& entry, bool done) {
    auto* item = new QListWidgetItem(words_of_entry(now, entry), list_);
    if (done) return;
    item->setForeground(palette().color(QPalette::Disabled, QPalette::Text));
    item->setToolTip(tr("Taken back; press to make it again"));
  };
  if (shown_) {
    for (const EditHistory::Entry& entry : shown_->past) add(entry, true);
    for (const EditHistory::Entry& entry : shown_->future) add(entry, false);
  }
  QFont bold = list_->font();
  bold.setBold(true);
  list_->item(done_now())->setFont(bold);
  list_->setCurrentRow(done_now());
}

void HistoryWindow::go_to(int row) {
  const int done = going_to_ >= 0 ? going_to_ : done_now();
  if (row == done) return;
  emit about_to_go();
  for (int i = 0; i < std::abs(row - done); ++i) {
    if (row < done) {
      stage_.send(command::Undo{});
    } else {
      stage_.send(command::Redo{});
    }
  }
  going_to_ = row;
}

int HistoryWindow::done_now() const {
  return shown_ ? static_cast<int>(shown_->past.size()) : 0;
}

bool HistoryWindow::eventFilter(QObject* object, QEvent* event) {
  if (object == list_ && event->type() == QEvent::KeyPress) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (key == Qt::Key_Return || key == Qt::Key_Enter) {
      go_to(list_->currentRow());
      return true;
    }
  }
  return QDialog::eventFilter(object, event);
}

}  // namespace xlab::app
