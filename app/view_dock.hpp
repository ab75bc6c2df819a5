// One view in a dock: its canvas, its text twin, and its export.
#pragma once

#include <QAbstractTableModel>
#include <QImage>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <memory>

#include "app/canvas.hpp"
#include "app/dock.hpp"
#include "ui/view.hpp"

namespace xlab::app {

/// A view's table for Qt, so that screen readers and the keyboard reach its numbers.
class TableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  void set(ui::Table table);
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  ui::Table table_;
};

class ViewDock : public Dock {
  Q_OBJECT

 public:
  ViewDock(Stage& stage, std::unique_ptr<ui::View> view, QWidget* parent = nullptr);

  QString view_name() const;
  Canvas& canvas() { return *canvas_; }
  void show_table(bool table);
  bool shows_table() const;
  /// Whether canvas or table are on the screen, not behind a tab.
  bool seen() const;

  /// The view as a picture, without window and mouse.
  QImage picture(QSize size, const CanvasLook& look, double density = 1.0);
  /// Asks for a file and writes the view as it stands, `density` times as many pixels a side.
  void export_picture(double density);
  void export_csv();

 signals:
  void maximise_wanted();
  void failed(const QString& sentence);
  void noticed(const QString& sentence);

 private:
  /// Whether the drawing moves by itself.
  bool draw(ui::Images& images, ImVec2 size, float scale, ui::PaletteName palette,
            ui::Focus& focus);
  void follow_snapshot();
  ui::Table table() const;
  void fill_table();

  Stage& stage_;
  std::unique_ptr<ui::View> view_;
  QStackedWidget* pages_;
  Canvas* canvas_;
  QTableView* table_view_;
  TableModel* model_;
  QToolButton* table_button_;
  QTimer table_timer_;
};

}  // namespace xlab::app
