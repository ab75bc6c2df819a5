// Decides once for each table what is shown; cells are written when they are looked at.
#include "app/table_model.hpp"

#include <QFont>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <system_error>

#include "ui/number.hpp"

namespace xlab::app {
namespace {

/// So many cells tell whether a column holds numbers.
constexpr int kLookedAt = 40;

/// "1.5", "-3e-05", "nan", "-inf": what is written shorter on the screen. Whole numbers are not.
bool number_of(const std::string& text, double* number) {
  if (text.empty() || text.find_first_of(".en") == std::string::npos) return false;
  // Whatever the decimal point of the person's language is.
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, *number);
  // Too large and too small for a number is what it is as text.
  return error == std::errc() && read == end;
}

bool is_whole(const std::string& text) {
  long long number = 0;
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, number).ptr == end;
}

}  // namespace

void TableModel::set(ui::Table table) {
  std::vector<int> rows, columns;
  std::vector<bool> used(table.columns.size(), table.rows.empty());
  const auto places = static_cast<std::size_t>(std::max(table.places, 0));
  std::fill_n(used.begin(), std::min(places, used.size()), true);
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::vector<std::string>& row = table.rows[r];
    bool any = false;
    for (std::size_t c = places; c < std::min(row.size(), used.size()); ++c) {
      if (row[c].empty()) continue;
      used[c] = any = true;
    }
    if (any || places == 0 || places >= row.size()) rows.push_back(static_cast<int>(r));
  }
  for (std::size_t c = 0; c < used.size(); ++c) {
    if (used[c]) columns.push_back(static_cast<int>(c));
  }
  std::vector<bool> numbers;
  for (const int c : columns) {
    int looked = 0, long_ones = 0;
    bool all = true;
    for (const int r : rows) {
      const auto& row = table.rows[static_cast<std::size_t>(r)];
      const auto at = static_cast<std::size_t>(c);
      if (at >= row.size() || row[at].empty()) continue;
      double number = 0.0;
      const bool long_one = number_of(row[at], &number);
      long_ones += long_one;
      all = all && (long_one || is_whole(row[at]));
      if (!all || ++looked == kLookedAt) break;
    }
    numbers.push_back(all && long_ones > 0);
  }
  const bool same_shape = table.columns == table_.columns && table.titles == table_.titles &&
                          rows.size() == rows_.size() && columns == columns_;
  if (!same_shape) beginResetModel();
  table_ = std::move(table);
  rows_ = std::move(rows);
  columns_ = std::move(columns);
  numbers_ = std::move(numbers);
  if (!same_shape) {
    endResetModel();
  } else if (rowCount() > 0 && columnCount() > 0) {
    emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
  }
}

void TableModel::mark(int step, const QColor& ground) {
  if (step == step_ && ground == ground_) return;
  step_ = step;
  ground_ = ground;
  if (rowCount() > 0 && columnCount() > 0)
    emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1),
                     {Qt::BackgroundRole, Qt::FontRole});
}

int TableModel::row_of(int step) const {
  for (int row = 0; row < rowCount(); ++row) {
    if (step >= 0 && step_of(row) == step) return row;
  }
  return -1;
}

QString TableModel::widest(int column) const {
  if (numbers_[static_cast<std::size_t>(column)]) return "−1.23e−10";
  QString longest;
  for (int row = 0; row < rowCount(); ++row) {
    const std::string& text = cell(row, column);
    if (static_cast<qsizetype>(text.size()) > longest.size()) {
      const QString candidate = QString::fromStdString(text);
      if (candidate.size() > longest.size()) longest = candidate;
    }
  }
  return longest;
}

int TableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(rows_.size());
}

int TableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(columns_.size());
}

const std::string& TableModel::cell(int row, int column) const {
  static const std::string nothing;
  const auto& cells = table_.rows[static_cast<std::size_t>(rows_[static_cast<std::size_t>(row)])];
  const auto at = static_cast<std::size_t>(columns_[static_cast<std::size_t>(column)]);
  return at < cells.size() ? cells[at] : nothing;
}

int TableModel::step_of(int row) const {
  if (table_.step_column < 0) return -1;
  const auto& cells = table_.rows[static_cast<std::size_t>(rows_[static_cast<std::size_t>(row)])];
  const auto at = static_cast<std::size_t>(table_.step_column);
  return at < cells.size() ? std::atoi(cells[at].c_str()) : -1;
}

QVariant TableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const bool number = numbers_[static_cast<std::size_t>(index.column())];
  switch (role) {
    case Qt::DisplayRole: {
      const std::string& text = cell(index.row(), index.column());
      double value = 0.0;
      if (number && number_of(text, &value)) return QString::fromStdString(ui::short_number(value));
      return QString::fromStdString(text);
    }
    case Qt::ToolTipRole:
    case Qt::AccessibleTextRole:
    case kFullText:
      return QString::fromStdString(cell(index.row(), index.column()));
    case Qt::TextAlignmentRole:
      return static_cast<int>((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case Qt::BackgroundRole:
      if (step_ >= 0 && step_of(index.row()) == step_) return ground_;
      return {};
    case Qt::FontRole:
      if (step_ >= 0 && step_of(index.row()) == step_) {
        QFont font;
        font.setBold(true);
        return font;
      }
      return {};
    default:
      return {};
  }
}

QVariant TableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation == Qt::Vertical) return role == Qt::DisplayRole ? section + 1 : QVariant();
  if (section < 0 || section >= columnCount()) return {};
  const auto column = static_cast<std::size_t>(columns_[static_cast<std::size_t>(section)]);
  const QString title = QString::fromStdString(table_.title(column));
  if (role == Qt::DisplayRole) return QString(title).replace(", ", ",\n").replace(" (", "\n(");
  if (role == Qt::AccessibleTextRole) return title;
  if (role == Qt::ToolTipRole) {
    const QString name = QString::fromStdString(table_.columns[column]);
    return title == name ? title : tr("%1; called %2 in a CSV file").arg(title, name);
  }
  return {};
}

}  // namespace xlab::app
