// One view in a dock: its canvas, its text twin, and its export.
#pragma once

#include <QImage>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <cstdint>
#include <memory>
#include <string>

#include "app/canvas.hpp"
#include "app/dock.hpp"
#include "app/table_model.hpp"
#include "ui/request.hpp"
#include "ui/view.hpp"

namespace xlab::app {

class BesideWriter;

class ViewDock : public Dock {
  Q_OBJECT

 public:
  ViewDock(Stage& stage, std::unique_ptr<ui::View> view, QWidget* parent = nullptr);
  ~ViewDock() override;

  QString view_name() const;
  /// See ui::View.
  QString neighbour() const;
  /// What of the view is saved with a run; see ui::View.
  QString kept() const;
  void restore(const QString& kept);
  Canvas& canvas() { return *canvas_; }
  void show_table(bool table);
  bool shows_table() const;
  /// Asks the engine for what the view has to have before it can show anything, once for each run.
  /// Whether there is nothing like that, or it is there.
  bool ask_once();
  /// Whether canvas or table are on the screen, not behind a tab.
  bool seen() const;

  /// The view as a picture, without window, mouse and, unless wanted, buttons.
  QImage picture(QSize size, const CanvasLook& look, double density = 1.0, bool buttons = false);
  /// Asks for a file and writes the view as it stands, `density` times as many pixels a side, by
  /// another thread: what came of it is told by `noticed` or `failed`.
  void export_picture(double density);
  /// The view as SVG, as `picture` shows it.
  std::string svg(QSize size, const CanvasLook& look);
  void export_svg();
  /// The same for the table, which the other thread makes too.
  void export_csv();

 signals:
  void begun(const QString& sentence);
  void maximise_wanted();
  /// The view wants something copied or shown.
  void asked(const xlab::ui::Request& request);
  void failed(const QString& sentence);
  void noticed(const QString& sentence);

 private:
  /// Whether the drawing moves by itself. `stops`: how the keyboard reaches its controls, or null;
  /// `log`: where what is drawn is written down, or null.
  bool draw(ui::Images& images, ImVec2 size, float scale, ui::PaletteName palette, ui::Focus& focus,
            bool exporting, ui::Stops* stops, ui::DrawLog* log = nullptr);
  void follow_snapshot();
  /// All of it, or what is read on the screen.
  ui::Table table(std::size_t most_rows) const;
  void fill_table();
  /// Brings the rows of the time cursor into view.
  void follow_cursor();
  void fit_columns();
  void copy_cells();
  void copy_sentences();

  Stage& stage_;
  std::unique_ptr<ui::View> view_;
  QStackedWidget* pages_;
  Canvas* canvas_;
  QWidget* table_page_;
  QTableView* table_view_;
  QLabel* empty_;  ///< says what the table leaves out
  TableModel* model_;
  QToolButton* table_button_;
  QTimer table_timer_;
  BesideWriter* writer_;
  std::uint64_t asked_run_ = 0;  ///< Snapshot::run_id of the run that was asked about last
  int table_cursor_ = -1;        ///< the time step the table was last scrolled to
};

}  // namespace xlab::app
