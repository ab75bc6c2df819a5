// Columns are as wide as the longest that stands in them; the name has the rest.
#include "app/runs_view.hpp"

#include <QEvent>
#include <QFontMetrics>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLineEdit>
#include <QStyledItemDelegate>
#include <algorithm>
#include <array>

#include "app/run_look.hpp"
#include "app/runs_model.hpp"
#include "app/theme.hpp"

namespace xlab::app {
namespace {

/// A name that is being typed is not replaced by what the engine says of the run meanwhile.
class NameDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

  QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const override {
    QWidget* editor = QStyledItemDelegate::createEditor(parent, option, index);
    if (editor) {
      editor->setObjectName("cell_editor");
      editor->setAccessibleName(RunsView::tr("Name of the run"));
    }
    return editor;
  }
  void setEditorData(QWidget* editor, const QModelIndex& index) const override {
    const auto* line = qobject_cast<QLineEdit*>(editor);
    if (!line || !line->isModified()) QStyledItemDelegate::setEditorData(editor, index);
  }
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const QSize size = QStyledItemDelegate::sizeHint(option, index);
    return {size.width(), size.height() + option.fontMetrics.height() / 3};
  }
};

constexpr int kLeastRows = 3;
constexpr double kTickWidth = 20.0;
constexpr const char* kUsualName = "Recall, seed 2 *";

/// The first stays longest.
constexpr std::array<int, 6> kRank = {RunsModel::kLoss,  RunsModel::kTraining, RunsModel::kStep,
                                      RunsModel::kState, RunsModel::kTask,     RunsModel::kModel};

}  // namespace

RunsView::RunsView(Stage& stage, RunsModel& model, QWidget* parent)
    : QTreeView(parent), stage_(stage), runs_(model) {
  setModel(&model);
  setItemDelegate(new NameDelegate(this));
  setObjectName("runs");
  setAccessibleName(tr("Runs; Enter brings one on the screen"));
  setRootIsDecorated(false);
  setUniformRowHeights(true);
  setAllColumnsShowFocus(true);
  setSelectionBehavior(SelectRows);
  setSelectionMode(SingleSelection);
  // F2 is the key of a room.
  setEditTriggers(DoubleClicked);
  // What tells runs apart stands at the end: "..., seed 2".
  setTextElideMode(Qt::ElideMiddle);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setContextMenuPolicy(Qt::CustomContextMenu);
  header()->setSectionsMovable(false);
  header()->setStretchLastSection(false);
  header()->setMinimumSectionSize(1);
  header()->setSectionResizeMode(QHeaderView::Fixed);
  const auto fit = [this] { fit_columns(); };
  connect(&model, &RunsModel::dataChanged, this, fit);
  connect(&model, &RunsModel::rowsInserted, this, fit);
  connect(&model, &RunsModel::rowsRemoved, this, fit);
  connect(&stage, &Stage::look_changed, this, [this, fit] {
    setIconSize(swatch_size(stage_.look()));
    updateGeometry();
    fit();
  });
  setIconSize(swatch_size(stage.look()));
  fit_columns();
}

int RunsView::width_of(int column) const {
  const auto which = static_cast<RunsModel::Column>(column);
  QFont font = this->font();
  font.setBold(true);
  const QFontMetrics bold(font), plain(this->font());
  const int around =
      2 * (style()->pixelMetric(QStyle::PM_FocusFrameHMargin) + 1) + scaled(stage_.look(), 8);
  if (which == RunsModel::kTraining) return iconSize().height() + around + scaled(stage_.look(), 8);
  int widest = bold.horizontalAdvance(runs_.widest(which));
  for (const QString& line :
       runs_.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().split('\n'))
    widest = std::max(widest, plain.horizontalAdvance(line));
  return widest + around;
}

int RunsView::name_width(const char* letters) const {
  return iconSize().width() + scaled(stage_.look(), 12) + fontMetrics().horizontalAdvance(letters);
}

void RunsView::fit_columns() {
  const int room = viewport()->width();
  int used = scaled(stage_.look(), kTickWidth);
  if (columnWidth(RunsModel::kShown) != used) setColumnWidth(RunsModel::kShown, used);
  for (const int column : kRank) {
    const int width = width_of(column);
    // The loss stays as long as a name has a few letters beside it.
    const bool fits =
        used + width + name_width(column == RunsModel::kLoss ? "R…2" : kUsualName) <= room;
    if (fits) used += width;
    if (isColumnHidden(column) == fits) setColumnHidden(column, !fits);
    if (fits && columnWidth(column) != width) setColumnWidth(column, width);
  }
  if (const int rest = std::max(1, room - used); columnWidth(RunsModel::kName) != rest)
    setColumnWidth(RunsModel::kName, rest);
}

QSize RunsView::sizeHint() const {
  int width = scaled(stage_.look(), kTickWidth) + name_width(kUsualName);
  for (const int column : {RunsModel::kLoss, RunsModel::kTraining, RunsModel::kStep})
    width += width_of(column);
  return {width, minimumSizeHint().height()};
}

QSize RunsView::minimumSizeHint() const {
  const int row = fontMetrics().lineSpacing() * 4 / 3 + scaled(stage_.look(), 2);
  return {scaled(stage_.look(), 150), header()->sizeHint().height() + kLeastRows * row};
}

void RunsView::resizeEvent(QResizeEvent* event) {
  QTreeView::resizeEvent(event);
  fit_columns();
}

void RunsView::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Space && event->modifiers() == Qt::NoModifier && !editing()) {
    const QModelIndex tick = currentIndex().siblingAtColumn(RunsModel::kShown);
    const bool shown = tick.data(Qt::CheckStateRole).toInt() == Qt::Checked;
    model()->setData(tick, static_cast<int>(shown ? Qt::Unchecked : Qt::Checked),
                     Qt::CheckStateRole);
    return;
  }
  QTreeView::keyPressEvent(event);
}

void RunsView::changeEvent(QEvent* event) {
  QTreeView::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit_columns();
}

}  // namespace xlab::app
