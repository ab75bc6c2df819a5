// The list of runs: which of its columns have room, and names that are typed in place.
#pragma once

#include <QTreeView>

#include "app/stage.hpp"

namespace xlab::app {

class RunsModel;

/// Numbers are never cut: what has no room is left out, the least important column first. State,
/// task and model then stand below the name, where the list is high enough for rows of two lines;
/// all of a run is in the tool tip of its row. Words are shortened with an ellipsis.
class RunsView : public QTreeView {
  Q_OBJECT

 public:
  RunsView(Stage& stage, RunsModel& model, QWidget* parent = nullptr);

  bool editing() const { return state() == EditingState; }
  /// What stands in the second line of a row; empty where rows have one.
  QString second_line(int row) const;
  int row_height() const;
  /// Height of the first of two lines; 0 where rows have one.
  int first_line() const;
  /// Around what stands in a cell, on either side.
  int margin() const;
  QSize minimumSizeHint() const override;
  /// With room for the step and the loss beside a name.
  QSize sizeHint() const override;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;
  void drawRow(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
  void mousePressEvent(QMouseEvent* event) override;
  /// Space ticks the chosen run, whichever of its cells was clicked.
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void fit_columns();
  int width_of(int column) const;
  int height_of(int lines) const;
  /// Of a name of these letters, with its swatch.
  int name_width(const char* letters) const;

  Stage& stage_;
  RunsModel& runs_;
  bool two_lines_ = false;
};

}  // namespace xlab::app
