// Cards are shared with the snapshot before where nothing has changed, so comparing pointers is
// enough.
#include "app/runs_model.hpp"

#include <QBrush>
#include <QFont>
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "app/facts.hpp"
#include "app/run_look.hpp"
#include "app/theme.hpp"

namespace xlab::app {

RunsModel::RunsModel(Stage& stage, QObject* parent) : QAbstractTableModel(parent), stage_(stage) {
  connect(&stage_.engine(), &EngineLink::changed, this, &RunsModel::follow_snapshot);
  connect(&stage_, &Stage::look_changed, this, &RunsModel::follow_look);
  follow_look();
  follow_snapshot();
}

int RunsModel::run_at(int row) const {
  const RunCard* found = card(row);
  return found ? found->id : 0;
}

const RunCard* RunsModel::card(int row) const {
  return row >= 0 && row < rowCount() ? rows_[static_cast<std::size_t>(row)].get() : nullptr;
}

int RunsModel::row_of(int run) const {
  const auto found =
      std::find_if(rows_.begin(), rows_.end(), [&](const auto& row) { return row->id == run; });
  return found == rows_.end() ? -1 : static_cast<int>(found - rows_.begin());
}

void RunsModel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const auto is_in = [](const auto& cards, int id) {
    return std::any_of(cards.begin(), cards.end(), [&](const auto& one) { return one->id == id; });
  };
  for (int row = rowCount(); row-- > 0;) {
    if (is_in(now.runs, run_at(row))) continue;
    beginRemoveRows({}, row, row);
    rows_.erase(rows_.begin() + row);
    endRemoveRows();
  }
  const int focused_before = std::exchange(focused_, now.focused_run);
  const int sequence_before = sequence_;
  sequence_ = 0;
  for (const auto& run : now.runs)
    if (run->id == focused_) sequence_ = run->sequence;
  for (std::size_t i = 0; i < now.runs.size(); ++i) {
    const int row = static_cast<int>(i);
    const int old = row_of(now.runs[i]->id);
    if (old < 0) {
      beginInsertRows({}, row, row);
      rows_.insert(rows_.begin() + row, now.runs[i]);
      endInsertRows();
      continue;
    }
    if (old != row) {
      beginMoveRows({}, old, old, {}, row);
      std::rotate(rows_.begin() + row, rows_.begin() + old, rows_.begin() + old + 1);
      endMoveRows();
    }
    if (rows_[i] == now.runs[i]) continue;
    const std::shared_ptr<const RunCard> before = std::exchange(rows_[i], now.runs[i]);
    tell_changes(row, *before, *now.runs[i]);
  }
  if (focused_before == focused_ && sequence_before == sequence_) return;
  // Who reads along is another one, too.
  if (rowCount() > 0)
    emit dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1),
                     {Qt::DisplayRole, Qt::FontRole, Qt::ForegroundRole, Qt::AccessibleTextRole});
}

/// Whether it follows the sequence of the run on screen.
bool RunsModel::reads_along(const RunCard& card) const {
  return sequence_ != 0 && card.id != focused_ && card.sequence == sequence_;
}

void RunsModel::tell_changes(int row, const RunCard& before, const RunCard& now) {
  for (int column = 0; column < kColumns; ++column) {
    const auto which = static_cast<Column>(column);
    bool changed =
        shown(before, which) != shown(now, which) || said(before, which) != said(now, which);
    if (which == kShown) changed = before.shown != now.shown;
    if (which == kName) changed = changed || before.colour != now.colour;
    if (changed) emit dataChanged(index(row, column), index(row, column));
  }
}

void RunsModel::follow_look() {
  swatches_.clear();
  for (int colour = 0; colour < RunCard::kColours; ++colour)
    swatches_.push_back(run_swatch(stage_.look(), colour));
  const QColor text = theme(stage_.look().palette).text;
  play_ = icon(Shape::play, text);
  pause_ = icon(Shape::pause, text);
  if (rowCount() > 0) emit dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1));
}

QString RunsModel::widest(Column column) const {
  QString longest = column == kStep ? "99,999" : column == kLoss ? "1.23e−05" : QString();
  for (const auto& row : rows_) {
    const QString text = shown(*row, column).toString();
    if (text.size() > longest.size()) longest = text;
  }
  return longest;
}

int RunsModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(rows_.size());
}

int RunsModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : kColumns;
}

QVariant RunsModel::shown(const RunCard& card, Column column) const {
  switch (column) {
    case kName:
      return QString::fromStdString(card.name) + (reads_along(card) ? " ⇉" : "") +
             (card.unsaved ? " *" : "");
    case kState:
      return state_word(card.state, card.cannot_train.empty());
    case kStep:
      return grouped(card.step);
    case kLoss:
      return card.losses && !card.losses->empty() ? three_digits(card.smoothed_loss) : QString("–");
    case kTask:
      return QString::fromStdString(card.task);
    case kModel:
      return QString::fromStdString(card.model);
    case kShown:
    case kTraining:
    case kColumns:
      break;
  }
  return {};
}

/// What a reader of the screen says of a cell.
QVariant RunsModel::said(const RunCard& card, Column column) const {
  switch (column) {
    case kName: {
      QString words = QString::fromStdString(card.name);
      if (is_focused(card)) words += tr(", on screen");
      if (reads_along(card)) words += tr(", reads the sequence on screen");
      if (card.unsaved) words += tr(", not saved");
      return words;
    }
    case kShown:
      return card.shown ? tr("its loss is drawn") : tr("its loss is not drawn");
    case kTraining:
      if (!card.cannot_train.empty()) return QString::fromStdString(card.cannot_train);
      return card.state == TrainState::running ? tr("Pause training") : tr("Start training");
    case kLoss:
      return tr("smoothed loss %1").arg(shown(card, kLoss).toString());
    default:
      return shown(card, column);
  }
}

QVariant RunsModel::data(const QModelIndex& index, int role) const {
  const RunCard* of = index.isValid() ? card(index.row()) : nullptr;
  if (!of) return {};
  const auto column = static_cast<Column>(index.column());
  switch (role) {
    case Qt::DisplayRole:
      return shown(*of, column);
    case Qt::EditRole:
      return QString::fromStdString(of->name);
    case Qt::AccessibleTextRole:
      return said(*of, column);
    case Qt::CheckStateRole:
      if (column != kShown) return {};
      return static_cast<int>(of->shown ? Qt::Checked : Qt::Unchecked);
    case Qt::DecorationRole:
      if (column == kName)
        return swatches_[static_cast<std::size_t>(of->colour) % swatches_.size()];
      if (column == kTraining && of->cannot_train.empty())
        return of->state == TrainState::running ? pause_ : play_;
      return {};
    case Qt::ToolTipRole:
      if (column == kTraining || column == kShown) return as_tool_tip(said(*of, column).toString());
      if (column == kState && !of->failure.empty())
        return as_tool_tip(QString::fromStdString(of->failure));
      return as_tool_tip(words_of(*of));
    case Qt::TextAlignmentRole:
      return static_cast<int>(
          (column == kStep || column == kLoss ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case Qt::FontRole: {
      QFont font;
      font.setBold(true);
      return is_focused(*of) ? QVariant(font) : QVariant();
    }
    case Qt::ForegroundRole:
      if ((column == kState || column == kName) && of->state == TrainState::failed)
        return QBrush(theme(stage_.look().palette).warning);
      return {};
    default:
      return {};
  }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  struct Head {
    QString title, meaning;
  };
  const std::array<Head, kColumns> heads = {
      Head{QString(), tr("With a tick the loss of a run is drawn (Space)")},
      Head{tr("Run"), tr("Click a run, or press Enter on it, to bring it on the screen; double "
                         "click its name to give it another one. Its loss has this colour. A star: "
                         "it is not saved.")},
      Head{QString(), tr("Starts and pauses the training of a run, whatever is on screen")},
      Head{tr("State"), tr("Whether training runs, waits, came to its limit, or stopped because "
                           "something failed")},
      Head{tr("Step"), tr("How many batches the weights have been changed by so far")},
      Head{tr("Smoothed\nloss"), tr("The running mean of the losses of the last steps, in nats per "
                                    "token")},
      Head{tr("Task"), tr("What the run is trained on")},
      Head{tr("Model"), tr("What is trained")}};
  if (section < 0 || section >= kColumns) return {};
  const Head& head = heads[static_cast<std::size_t>(section)];
  switch (role) {
    case Qt::DisplayRole:
      return head.title;
    case Qt::AccessibleTextRole:
      return section == kShown      ? tr("Loss is drawn")
             : section == kTraining ? tr("Training")
                                    : QString(head.title).replace('\n', ' ');
    case Qt::ToolTipRole:
      return head.meaning;
    case Qt::TextAlignmentRole:
      return static_cast<int>(
          (section == kStep || section == kLoss ? Qt::AlignRight : Qt::AlignLeft) |
          Qt::AlignVCenter);
    default:
      return {};
  }
}

Qt::ItemFlags RunsModel::flags(const QModelIndex& index) const {
  Qt::ItemFlags flags = QAbstractTableModel::flags(index);
  if (index.column() == kShown) flags |= Qt::ItemIsUserCheckable;
  if (index.column() == kName) flags |= Qt::ItemIsEditable;
  return flags;
}

bool RunsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
  const RunCard* of = index.isValid() ? card(index.row()) : nullptr;
  if (!of) return false;
  if (role == Qt::CheckStateRole && index.column() == kShown) {
    stage_.send(command::ShowCurve{of->id, value.toInt() == Qt::Checked});
    return true;
  }
  if (role != Qt::EditRole || index.column() != kName) return false;
  const std::string name = value.toString().trimmed().toStdString();
  if (name != of->name) stage_.send(command::RenameRun{of->id, name});
  return true;
}

}  // namespace xlab::app
