// Draws a view from the newest snapshot and hands the focus it changed to the others.
#include "app/view_dock.hpp"

#include <QAction>
#include <QFileDialog>
#include <QHeaderView>

#include "app/files.hpp"

namespace xlab::app {
namespace {

constexpr int kTableIntervalMs = 250;
constexpr int kTitleHeight = 28;
constexpr int kRowHeight = 21;

/// A table needs no textures.
struct NoImages : ui::Images {
  ImTextureID texture(const std::string&, std::uint64_t, int, int,
                      std::span<const std::uint32_t>) override {
    return {};
  }
};

}  // namespace

void TableModel::set(ui::Table table) {
  const bool same_shape =
      table.columns == table_.columns && table.rows.size() == table_.rows.size();
  if (same_shape) {
    table_ = std::move(table);
    if (rowCount() > 0 && columnCount() > 0) {
      emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
    }
  } else {
    beginResetModel();
    table_ = std::move(table);
    endResetModel();
  }
}

int TableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(table_.rows.size());
}

int TableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(table_.columns.size());
}

QVariant TableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || (role != Qt::DisplayRole && role != Qt::AccessibleTextRole)) return {};
  const auto& row = table_.rows[static_cast<std::size_t>(index.row())];
  const auto column = static_cast<std::size_t>(index.column());
  return column < row.size() ? QString::fromStdString(row[column]) : QString();
}

QVariant TableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (role != Qt::DisplayRole) return {};
  if (orientation == Qt::Vertical) return section + 1;
  const auto column = static_cast<std::size_t>(section);
  return column < table_.columns.size() ? QString::fromStdString(table_.columns[column])
                                        : QString();
}

ViewDock::ViewDock(Stage& stage, std::unique_ptr<ui::View> view, QWidget* parent)
    : Dock(stage, "view_" + QString::fromStdString(view->name()),
           QString::fromStdString(view->title()), parent),
      stage_(stage),
      view_(std::move(view)),
      pages_(new QStackedWidget) {
  set_contents(pages_);
  const QString title = windowTitle();
  const auto draw_live = [this](ui::Images& images, ImVec2 size, float scale) {
    ui::Focus focus = stage_.focus();
    const bool moves = draw(images, size, scale, stage_.look().palette, focus);
    stage_.set_focus(focus);
    canvas_->set_animating(moves);
  };
  canvas_ = new Canvas(stage.canvas_kind(), draw_live);
  canvas_->setAccessibleName(title);
  canvas_->setAccessibleDescription(tr("Drawing. Its numbers are in the table of this view."));
  model_ = new TableModel;
  model_->setParent(this);
  table_view_ = new QTableView;
  table_view_->setModel(model_);
  table_view_->setAlternatingRowColors(true);
  table_view_->setShowGrid(false);
  table_view_->setAccessibleName(tr("%1 as a table").arg(title));
  table_view_->verticalHeader()->hide();
  table_view_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  QHeaderView* columns = table_view_->horizontalHeader();
  columns->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  columns->setSectionResizeMode(QHeaderView::ResizeToContents);
  columns->setResizeContentsPrecision(30);
  pages_->addWidget(canvas_);
  pages_->addWidget(table_view_);

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
  auto* csv = new QAction(tr("Export CSV…"), menu());
  connect(csv, &QAction::triggered, this, &ViewDock::export_csv);
  menu()->insertAction(first, csv);
  auto* as_table = new QAction(tr("Show as table"), menu());
  as_table->setCheckable(true);
  connect(as_table, &QAction::toggled, this, &ViewDock::show_table);
  connect(table_button_, &QToolButton::toggled, as_table, &QAction::setChecked);
  menu()->insertAction(first, as_table);
  menu()->insertSeparator(first);
  canvas_->setContextMenuPolicy(Qt::NoContextMenu);

  table_timer_.setSingleShot(true);
  table_timer_.setInterval(kTableIntervalMs);
  connect(&table_timer_, &QTimer::timeout, this, &ViewDock::fill_table);

  const ImVec2 smallest = view_->minimum_size();
  canvas_->setMinimumSize(static_cast<int>(smallest.x / 2), static_cast<int>(smallest.y / 2));
  set_hint(QSize(static_cast<int>(smallest.x), static_cast<int>(smallest.y) + kTitleHeight));
  connect(&stage.engine(), &EngineLink::changed, this, &ViewDock::follow_snapshot);
  connect(&stage, &Stage::focus_changed, this, &ViewDock::follow_snapshot);
  const auto follow_look = [this] {
    canvas_->set_look(stage_.look());
    table_view_->verticalHeader()->setDefaultSectionSize(scaled(stage_.look(), kRowHeight));
  };
  connect(&stage, &Stage::look_changed, this, follow_look);
  connect(canvas_, &Canvas::left, this, [this] {
    ui::Focus focus = stage_.focus();
    focus.hovered.reset();
    stage_.set_focus(focus);
  });
  follow_look();
}

QString ViewDock::view_name() const {
  return QString::fromStdString(view_->name());
}

bool ViewDock::shows_table() const {
  return pages_->currentWidget() == table_view_;
}

bool ViewDock::seen() const {
  if (!shows_table()) return canvas_->seen();
  return table_view_->isVisible() && !table_view_->viewport()->visibleRegion().isEmpty();
}

void ViewDock::show_table(bool table) {
  if (table) fill_table();
  pages_->setCurrentWidget(table ? static_cast<QWidget*>(table_view_) : canvas_);
  table_button_->setChecked(table);
  if (!table) canvas_->refresh();
}

bool ViewDock::draw(ui::Images& images, ImVec2 size, float scale, ui::PaletteName palette,
                    ui::Focus& focus) {
  const std::shared_ptr<const Snapshot> snapshot = stage_.engine().snapshot();
  ui::Scene scene{*snapshot,
                  focus,
                  images,
                  ui::palette(palette),
                  [this](Command command) { stage_.send(std::move(command)); },
                  scale};
  view_->draw(scene, size);
  return view_->animating(scene);
}

QImage ViewDock::picture(QSize size, const CanvasLook& look, double density) {
  ui::Focus focus = stage_.focus();
  focus.hovered.reset();
  return Canvas::picture([&](ui::Images& images, ImVec2 pixels,
                             float scale) { draw(images, pixels, scale, look.palette, focus); },
                         size, look, density);
}

void ViewDock::export_picture(double density) {
  const QString path = QFileDialog::getSaveFileName(this, tr("Export picture"),
                                                    view_name() + ".png", tr("Pictures (*.png)"));
  if (path.isEmpty()) return;
  const std::string problem = save_picture(path, picture(canvas_->size(), stage_.look(), density));
  if (problem.empty()) {
    emit noticed(tr("Wrote %1").arg(path));
  } else {
    emit failed(QString::fromStdString(problem));
  }
}

void ViewDock::export_csv() {
  const QString path = QFileDialog::getSaveFileName(this, tr("Export CSV"), view_name() + ".csv",
                                                    tr("Tables (*.csv)"));
  if (path.isEmpty()) return;
  const std::string problem = save_text(path, table().csv());
  if (problem.empty()) {
    emit noticed(tr("Wrote %1").arg(path));
  } else {
    emit failed(QString::fromStdString(problem));
  }
}

void ViewDock::follow_snapshot() {
  canvas_->refresh();
  if (shows_table() && !table_timer_.isActive()) table_timer_.start();
}

ui::Table ViewDock::table() const {
  ui::Focus focus = stage_.focus();
  NoImages images;
  const std::shared_ptr<const Snapshot> snapshot = stage_.engine().snapshot();
  return view_->table({*snapshot, focus, images, ui::palette(stage_.look().palette), {}});
}

void ViewDock::fill_table() {
  model_->set(table());
}

}  // namespace xlab::app
