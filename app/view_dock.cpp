// Draws a view from the newest snapshot and hands the focus it changed to the others.
#include "app/view_dock.hpp"

#include <QAction>
#include <QApplication>
#include <QBuffer>
#include <QByteArray>
#include <QClipboard>
#include <QElapsedTimer>
#include <QHeaderView>
#include <QImage>
#include <QScrollBar>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>

#include "app/beside_writer.hpp"
#include "app/files.hpp"
#include "app/save_dialog.hpp"
#include "ui/draw_log.hpp"
#include "ui/ground.hpp"
#include "ui/svg.hpp"

namespace xlab::app {
namespace {

constexpr int kTableIntervalMs = 250;
constexpr int kTitleHeight = 28;
constexpr int kRowHeight = 21;
/// So many rows are written again while somebody waits for the next picture. A file has all.
constexpr std::size_t kMostRows = 10000;

/// A table needs no textures.
struct NoImages : ui::Images {
  ImTextureID texture(const std::string&, std::uint64_t, int, int,
                      std::span<const std::uint32_t>) override {
    return {};
  }
};

/// What a view of this name lists, by a view that nobody else has.
ui::Table table_of(const std::string& name, const std::string& kept, const Snapshot& snapshot,
                   ui::Focus focus) {
  NoImages images;
  const ui::Scene scene{snapshot, focus, images, ui::palette(ui::PaletteName::light), {}};
  for (const auto& view : ui::make_views()) {
    if (view->name() != name) continue;
    view->restore(kept);
    return view->table(scene);
  }
  return {};
}

}  // namespace

ViewDock::ViewDock(Stage& stage, std::unique_ptr<ui::View> view, QWidget* parent)
    : Dock(stage, "view_" + QString::fromStdString(view->name()),
           QString::fromStdString(view->title()), parent),
      stage_(stage),
      view_(std::move(view)),
      pages_(new QStackedWidget),
      writer_(new BesideWriter(this)) {
  connect(writer_, &BesideWriter::begun, this, &ViewDock::begun);
  connect(writer_, &BesideWriter::failed, this, &ViewDock::failed);
  connect(writer_, &BesideWriter::noticed, this, &ViewDock::noticed);
  set_contents(pages_);
  const QString title = windowTitle();
  const auto draw_live = [this](ui::Images& images, ImVec2 size, float scale) {
    ui::Focus focus = stage_.focus();
    const bool moves =
        draw(images, size, scale, stage_.look().palette, focus, false, &canvas_->stops());
    stage_.set_focus(focus);
    canvas_->set_animating(moves);
    ask_once();
  };
  canvas_ = new Canvas(stage.canvas_kind(), draw_live);
  canvas_->setAccessibleName(title);
  canvas_->setAccessibleDescription(
      tr("Drawing. Its numbers are in the table of this view. Tab goes through its buttons."));
  model_ = new TableModel(this);
  table_view_ = new QTableView;
  table_view_->setModel(model_);
  table_view_->setAlternatingRowColors(true);
  table_view_->setShowGrid(false);
  // Tab goes on to the next control; the arrows go from cell to cell.
  table_view_->setTabKeyNavigation(false);
  table_view_->setAccessibleName(tr("%1 as a table").arg(title));
  table_view_->verticalHeader()->hide();
  table_view_->verticalHeader()->setMinimumSectionSize(1);
  table_view_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  QHeaderView* columns = table_view_->horizontalHeader();
  columns->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  columns->setSectionResizeMode(QHeaderView::Interactive);
  table_view_->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  table_view_->setToolTip(
      tr("The numbers of this view. Ctrl+C copies what is selected, with all digits."));
  auto* copy = new QAction(tr("Copy"), table_view_);
  copy->setShortcut(QKeySequence::Copy);
  copy->setShortcutContext(Qt::WidgetShortcut);
  connect(copy, &QAction::triggered, this, &ViewDock::copy_cells);
  table_view_->addAction(copy);
  table_view_->setContextMenuPolicy(Qt::ActionsContextMenu);
  empty_ = new QLabel;
  empty_->setObjectName("caption");
  empty_->setWordWrap(true);
  empty_->setToolTip(tr("An exported file has them all"));
  table_page_ = new QWidget;
  auto* rows = new QVBoxLayout(table_page_);
  rows->setContentsMargins(0, 0, 0, 0);
  rows->addWidget(table_view_, 1);
  rows->addWidget(empty_);
  pages_->addWidget(canvas_);
  pages_->addWidget(table_page_);

  table_button_ = add_button(Shape::table, tr("Show %1 as a table").arg(title), true);
  connect(table_button_, &QToolButton::toggled, this, &ViewDock::show_table);
  QToolButton* maximise = add_button(Shape::maximise, tr("Maximise %1 (F)").arg(title), false);
  connect(maximise, &QToolButton::clicked, this, &ViewDock::maximise_wanted);

  QAction* first = menu()->actions().value(0);
  auto* pictures = new QMenu(tr("Export picture"), menu());
  for (const int density : {1, 2, 3, 4}) {
    connect(pictures->addAction(tr("%1x").arg(density)), &QAction::triggered, this,
            [this, density] { export_picture(density); });
  }
  menu()->insertMenu(first, pictures);
  auto* drawing = new QAction(tr("Export SVG…"), menu());
  connect(drawing, &QAction::triggered, this, &ViewDock::export_svg);
  menu()->insertAction(first, drawing);
  auto* csv = new QAction(tr("Export CSV…"), menu());
  connect(csv, &QAction::triggered, this, &ViewDock::export_csv);
  menu()->insertAction(first, csv);
  auto* as_table = new QAction(tr("Show as table"), menu());
  as_table->setCheckable(true);
  connect(as_table, &QAction::toggled, this, &ViewDock::show_table);
  connect(table_button_, &QToolButton::toggled, as_table, &QAction::setChecked);
  menu()->insertAction(first, as_table);
  if (view_->has_sentences()) {
    auto* sentences = new QAction(tr("Copy as text"), menu());
    connect(sentences, &QAction::triggered, this, &ViewDock::copy_sentences);
    menu()->insertAction(first, sentences);
  }
  menu()->insertSeparator(first);
  canvas_->setContextMenuPolicy(Qt::NoContextMenu);

  table_timer_.setSingleShot(true);
  table_timer_.setInterval(kTableIntervalMs);
  connect(&table_timer_, &QTimer::timeout, this, &ViewDock::fill_table);

  const ImVec2 smallest = view_->minimum_size();
  // Low enough for a window of 640 x 480 with a message in it, however its docks are arranged.
  canvas_->setMinimumSize(static_cast<int>(smallest.x / 2), static_cast<int>(smallest.y / 3));
  set_hint(QSize(static_cast<int>(smallest.x), static_cast<int>(smallest.y) + kTitleHeight));
  connect(&stage.engine(), &EngineLink::changed, this, &ViewDock::follow_snapshot);
  connect(&stage, &Stage::focus_changed, this, &ViewDock::follow_snapshot);
  // A table behind a tab is not written; one that comes to the front is.
  connect(this, &QDockWidget::visibilityChanged, this, [this](bool visible) {
    if (visible && shows_table()) fill_table();
  });
  const auto follow_look = [this] {
    canvas_->set_look(stage_.look());
    table_view_->verticalHeader()->setDefaultSectionSize(scaled(stage_.look(), kRowHeight));
    if (shows_table()) {
      fit_columns();
      follow_cursor();
    }
  };
  connect(&stage, &Stage::look_changed, this, follow_look);
  connect(canvas_, &Canvas::reached, this, &ViewDock::show_focus);
  connect(canvas_, &Canvas::left, this, [this] {
    ui::Focus focus = stage_.focus();
    focus.hovered.reset();
    stage_.set_focus(focus);
  });
  follow_look();
}

ViewDock::~ViewDock() {
  // A canvas that goes away with the focus says so, to nobody any more.
  canvas_->disconnect(this);
}

QString ViewDock::view_name() const {
  return QString::fromStdString(view_->name());
}

QString ViewDock::neighbour() const {
  return QString::fromStdString(view_->neighbour());
}

QString ViewDock::kept() const {
  return QString::fromStdString(view_->kept());
}

void ViewDock::restore(const QString& kept) {
  view_->restore(kept.toStdString());
  canvas_->refresh();
}

bool ViewDock::shows_table() const {
  return pages_->currentWidget() == table_page_;
}

bool ViewDock::ask_once() {
  const Snapshot& snapshot = stage_.snapshot();
  const std::optional<Command> wanted = view_->wants(snapshot, stage_.focus());
  if (wanted && asked_run_ != snapshot.run_id) {
    asked_run_ = snapshot.run_id;
    stage_.engine().send(*wanted);
  }
  return !wanted;
}

bool ViewDock::seen() const {
  if (!shows_table()) return canvas_->seen();
  return table_view_->isVisible() && !table_view_->viewport()->visibleRegion().isEmpty();
}

void ViewDock::show_table(bool table) {
  if (table) {
    table_cursor_ = -1;
    fill_table();
  }
  pages_->setCurrentWidget(table ? table_page_ : static_cast<QWidget*>(canvas_));
  // Once more: only now its height is known.
  if (table) QTimer::singleShot(0, this, &ViewDock::follow_cursor);
  table_button_->setChecked(table);
  if (!table) canvas_->refresh();
}

bool ViewDock::draw(ui::Images& images, ImVec2 size, float scale, ui::PaletteName palette,
                    ui::Focus& focus, bool exporting, ui::Stops* stops, ui::DrawLog* log) {
  const std::shared_ptr<const Snapshot> snapshot = stage_.engine().snapshot();
  ui::Scene scene{*snapshot,
                  focus,
                  images,
                  ui::palette(palette),
                  [this](Command command) { stage_.send(std::move(command)); },
                  scale};
  scene.exporting = exporting;
  // After the drawing: a dialog is not opened in the middle of it.
  if (!exporting) {
    scene.ask = [this](const ui::Request& request) {
      QTimer::singleShot(0, this, [this, request] { emit asked(request); });
    };
  }
  scene.stops = stops;
  scene.log = log;
  if (stops) stops->begin_frame();
  view_->draw(scene, size);
  if (stops) stops->end_frame();
  ui::draw_ring(scene);
  return view_->animating(scene);
}

QImage ViewDock::picture(QSize size, const CanvasLook& look, double density, bool buttons) {
  ui::Focus focus = stage_.focus();
  focus.hovered.reset();
  return Canvas::picture(
      [&](ui::Images& images, ImVec2 pixels, float scale) {
        draw(images, pixels, scale, look.palette, focus, !buttons, nullptr);
      },
      size, look, density);
}

void ViewDock::export_picture(double density) {
  const QString path = ask_where_to_write(this, {.title = tr("Export picture"),
                                                 .suggestion = view_name() + ".png",
                                                 .filter = tr("Pictures (*.png)"),
                                                 .extension = "png"});
  if (path.isEmpty()) return;
  writer_->write(path, [path, painted = picture(canvas_->size(), stage_.look(), density)](
                           QString&, const std::atomic<bool>& stop) {
    return save_picture(path, painted, stop);
  });
}

std::string ViewDock::svg(QSize size, const CanvasLook& look) {
  ui::Focus focus = stage_.focus();
  focus.hovered.reset();
  ui::DrawLog drawing;
  (void)Canvas::picture(
      [&](ui::Images& images, ImVec2 pixels, float scale) {
        drawing.clear();  // what the last of several frames draws counts
        draw(images, pixels, scale, look.palette, focus, true, nullptr, &drawing);
      },
      size, look, 1.0);
  const ui::SvgPage page{
      .size = {static_cast<float>(size.width()), static_cast<float>(size.height())},
      .text_pixels = ui::text_pixels(look.scale),
      .ground = ui::palette(look.palette).panel,
      .title = view_->title_now(*stage_.engine().snapshot())};
  return ui::svg_of(drawing, page,
                    [](std::span<const std::uint32_t> pixels, int width, int height) {
                      const QImage image(reinterpret_cast<const uchar*>(pixels.data()), width,
                                         height, 4 * width, QImage::Format_RGBA8888);
                      QByteArray bytes;
                      QBuffer buffer(&bytes);
                      buffer.open(QIODevice::WriteOnly);
                      image.save(&buffer, "PNG");
                      return bytes.toStdString();
                    });
}

void ViewDock::export_svg() {
  const QString path = ask_where_to_write(this, {.title = tr("Export SVG"),
                                                 .suggestion = view_name() + ".svg",
                                                 .filter = tr("Drawings (*.svg)"),
                                                 .extension = "svg"});
  if (path.isEmpty()) return;
  writer_->write(
      path, [path, text = svg(canvas_->size(), stage_.look())](
                QString&, const std::atomic<bool>& stop) { return save_text(path, text, stop); });
}

void ViewDock::export_csv() {
  const QString path = ask_where_to_write(this, {.title = tr("Export CSV"),
                                                 .suggestion = view_name() + ".csv",
                                                 .filter = tr("Tables (*.csv)"),
                                                 .extension = "csv"});
  if (path.isEmpty()) return;
  writer_->write(path, [path, snapshot = stage_.engine().snapshot(), focus = stage_.focus(),
                        name = view_->name(),
                        kept = view_->kept()](QString& note, const std::atomic<bool>& stop) {
    try {
      const ui::Table written = table_of(name, kept, *snapshot, focus);
      note = QString::fromStdString(written.note);
      return save_text(path, written.csv(), stop);
    } catch (const std::bad_alloc&) {
      return tr("There is no memory for a table of this length: %1 is not written.")
          .arg(path)
          .toStdString();
    }
  });
}

void ViewDock::follow_snapshot() {
  set_title(QString::fromStdString(view_->title_now(stage_.snapshot())));
  canvas_->refresh();
  if (shows_table() && seen() && !table_timer_.isActive()) table_timer_.start();
}

ui::Table ViewDock::table(std::size_t most_rows) const {
  ui::Focus focus = stage_.focus();
  NoImages images;
  const std::shared_ptr<const Snapshot> snapshot = stage_.engine().snapshot();
  ui::Scene scene{*snapshot, focus, images, ui::palette(stage_.look().palette), {}};
  scene.most_rows = most_rows;
  return view_->table(scene);
}

void ViewDock::fill_table() {
  ask_once();
  QElapsedTimer clock;
  clock.start();
  const int columns = model_->columnCount();
  ui::Table read = table(kMostRows);
  const QString note = QString::fromStdString(read.note);
  model_->set(std::move(read));
  if (model_->columnCount() != columns) {
    table_cursor_ = -1;
    // Other columns begin with their own width and grow from there.
    for (int column = 0; column < model_->columnCount(); ++column)
      table_view_->setColumnWidth(column, 1);
  }
  fit_columns();
  follow_cursor();
  const int no_columns = model_->empty_columns(), no_rows = model_->empty_rows();
  QStringList left_out;
  if (no_columns > 0)
    left_out.append(no_columns == 1 ? tr("1 column") : tr("%1 columns").arg(no_columns));
  if (no_rows > 0) left_out.append(no_rows == 1 ? tr("1 row") : tr("%1 rows").arg(no_rows));
  QStringList sentences;
  if (!note.isEmpty()) sentences.append(note);
  if (!left_out.isEmpty())
    sentences.append(
        tr("Left out: %1 in which nothing was recorded.").arg(left_out.join(tr(" and "))));
  empty_->setText(sentences.join(' '));
  empty_->setVisible(!sentences.isEmpty());
  // A long table is written again less often, so that it never takes more than a tenth of the time.
  table_timer_.setInterval(
      std::max(kTableIntervalMs, static_cast<int>(10 * std::min<qint64>(clock.elapsed(), 1000))));
}

void ViewDock::follow_cursor() {
  const int cursor = stage_.snapshot().sequence.cursor;
  QColor ground = theme(stage_.look().palette).accent;
  ground.setAlphaF(0.22f);
  model_->mark(cursor, ground);
  if (cursor == table_cursor_ && table_view_->isVisible()) return;
  if (table_view_->isVisible()) table_cursor_ = cursor;
  const int row = model_->row_of(cursor);
  if (row < 0) return;
  const int across = table_view_->horizontalScrollBar()->value();
  table_view_->scrollTo(model_->index(row, 0), QAbstractItemView::PositionAtCenter);
  table_view_->horizontalScrollBar()->setValue(across);
}

/// Every column is as wide as its longest number; long words are cut, and are whole when pointed
/// at.
void ViewDock::fit_columns() {
  constexpr int kMostCharacters = 60;
  QFont bold = table_view_->font();
  bold.setBold(true);
  const QFontMetrics metrics(bold);
  for (int column = 0; column < model_->columnCount(); ++column) {
    const int cells = std::min(metrics.horizontalAdvance(model_->widest(column)),
                               kMostCharacters * metrics.averageCharWidth());
    const int wanted = std::max(cells + 2 * metrics.averageCharWidth(),
                                table_view_->horizontalHeader()->sectionSizeHint(column));
    if (table_view_->columnWidth(column) < wanted) table_view_->setColumnWidth(column, wanted);
  }
}

void ViewDock::copy_sentences() {
  ui::Focus focus = stage_.focus();
  NoImages images;
  const std::shared_ptr<const Snapshot> snapshot = stage_.engine().snapshot();
  const ui::Scene scene{*snapshot, focus, images, ui::palette(stage_.look().palette), {}};
  const std::string text = view_->sentences(scene);
  if (!text.empty()) QApplication::clipboard()->setText(QString::fromStdString(text));
}

/// As a spreadsheet takes it: cells between tabs, with all their digits.
void ViewDock::copy_cells() {
  QModelIndexList chosen = table_view_->selectionModel()->selectedIndexes();
  std::sort(chosen.begin(), chosen.end());
  QString text;
  for (qsizetype i = 0; i < chosen.size(); ++i) {
    if (i > 0) text += chosen[i].row() == chosen[i - 1].row() ? '\t' : '\n';
    text += chosen[i].data(TableModel::kFullText).toString();
  }
  if (!text.isEmpty()) QApplication::clipboard()->setText(text);
}

}  // namespace xlab::app
