// The list of runs: which of its columns have room, and names that are typed in place.
#pragma once

#include <QTreeView>

#include "app/stage.hpp"

namespace xlab::app {

class RunsModel;

/// Numbers are never cut: what has no room is left out, the least important column first, and is in
/// the tool tip of the row. Names are shortened with an ellipsis.
class RunsView : public QTreeView {
  Q_OBJECT

 public:
  RunsView(Stage& stage, RunsModel& model, QWidget* parent = nullptr);

  bool editing() const { return state() == EditingState; }
  QSize minimumSizeHint() const override;
  /// With room for the step and the loss beside a name.
  QSize sizeHint() const override;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;
  /// Space ticks the chosen run, whichever of its cells was clicked.
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void fit_columns();
  int width_of(int column) const;
  /// Of a name of these letters, with its swatch.
  int name_width(const char* letters) const;

  Stage& stage_;
  RunsModel& runs_;
};

}  // namespace xlab::app
