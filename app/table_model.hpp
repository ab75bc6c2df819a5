// A view's table for Qt, so that screen readers and the keyboard reach its numbers.
#pragma once

#include <QAbstractTableModel>
#include <QColor>
#include <vector>

#include "ui/table.hpp"

namespace xlab::app {

/// Shows what there is: columns and rows without a value are left out and counted. Numbers are
/// short on the screen and complete where they are copied or read out.
class TableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Role { kFullText = Qt::UserRole };

  explicit TableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

  void set(ui::Table table);
  /// Marks the rows of a time step; -1: none.
  void mark(int step, const QColor& ground);
  /// The first row of a time step; -1 when it has none or the table knows no time.
  int row_of(int step) const;
  int empty_rows() const { return static_cast<int>(table_.rows.size() - rows_.size()); }
  int empty_columns() const { return static_cast<int>(table_.columns.size() - columns_.size()); }
  /// The longest text in a column, to measure its room; of a column of numbers the longest there
  /// can be.
  QString widest(int column) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  const std::string& cell(int row, int column) const;
  int step_of(int row) const;

  ui::Table table_;
  std::vector<int> rows_, columns_;  ///< which of the table's are shown
  std::vector<bool> numbers_;        ///< whether a shown column holds numbers
  int step_ = -1;
  QColor ground_;
};

}  // namespace xlab::app
