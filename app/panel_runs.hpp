// The runs panel: every run that is open, which one is on screen, and what can be done with each.
#pragma once

#include <QString>
#include <QWidget>
#include <array>

#include "app/stage.hpp"

class QAction;
class QLabel;
class QMenu;
class QPushButton;
class QToolButton;

namespace xlab::app {

class RunsModel;
class RunsView;

class RunsPanel : public QWidget {
  Q_OBJECT

 public:
  explicit RunsPanel(Stage& stage, QWidget* parent = nullptr);

  /// Begins to type another name for a run, in its row.
  void rename(int run);

 private:
  void make_menu();
  void follow_snapshot();
  /// The run that the buttons are about; null when there is none.
  const RunCard* current() const;
  void clicked(int row, int column);
  /// Whether it reads the sequence on screen together with others.
  bool shares(const RunCard& run) const;
  void toggle(const RunCard& run);
  static QString copy_words();
  /// Why no run can be added; empty where one can.
  QString full_bench() const;
  /// What the menu would do with the current run.
  void fit_menu();

  Stage& stage_;
  RunsModel* model_;
  RunsView* view_;
  QLabel* alone_;
  QPushButton *all_, *duplicate_;
  QToolButton* more_;
  QMenu* menu_;
  std::array<QAction*, 2> copies_{};  // with the same seed and with another one
  QAction *train_, *curve_, *follow_, *remove_;
  int focused_ = 0;
};

}  // namespace xlab::app
