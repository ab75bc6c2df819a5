// The runs of the engine as rows for Qt.
#pragma once

#include <QAbstractTableModel>
#include <QIcon>
#include <memory>
#include <vector>

#include "app/stage.hpp"

namespace xlab::app {

/// Follows the engine by itself. A row is told to have changed only where its card is another
/// object, and of it only the cells that say something else: what is selected or being typed stays.
class RunsModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column { kShown, kName, kTraining, kState, kStep, kLoss, kTask, kModel, kColumns };

  explicit RunsModel(Stage& stage, QObject* parent = nullptr);

  /// RunCard::id of a row; 0 where there is none.
  int run_at(int row) const;
  /// Null where there is none.
  const RunCard* card(int row) const;
  /// -1 for a run that is not there.
  int row_of(int run) const;
  /// The longest text that stands in a column of numbers or states, to measure its room.
  QString widest(Column column) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  /// Asks the engine for another name, or to draw the curve or not; what is shown follows it.
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;

 private:
  void follow_snapshot();
  void follow_look();
  void tell_changes(int row, const RunCard& before, const RunCard& now);
  QVariant shown(const RunCard& card, Column column) const;
  QVariant said(const RunCard& card, Column column) const;
  bool is_focused(const RunCard& card) const { return card.id == focused_; }
  bool reads_along(const RunCard& card) const;

  Stage& stage_;
  std::vector<std::shared_ptr<const RunCard>> rows_;
  int focused_ = 0;
  int sequence_ = 0;  // of the run on screen, see RunCard
  std::vector<QIcon> swatches_;
  QIcon play_, pause_;
};

}  // namespace xlab::app
