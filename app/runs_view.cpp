// Columns are as wide as the longest that stands in them; the name has the rest.
#include "app/runs_view.hpp"

#include <QEvent>
#include <QFontMetrics>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMouseEvent>
#include <QPainter>
#include <QStyledItemDelegate>
#include <algorithm>
#include <array>
#include <utility>

#include "app/run_look.hpp"
#include "app/runs_model.hpp"
#include "app/theme.hpp"
#include "core/run.hpp"

namespace xlab::app {
namespace {

/// A name that is being typed is not replaced by what the engine says of the run meanwhile.
class RowDelegate : public QStyledItemDelegate {
 public:
  explicit RowDelegate(RunsView* view) : QStyledItemDelegate(view), view_(view) {}

  QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const override {
    QWidget* editor = QStyledItemDelegate::createEditor(parent, option, index);
    if (editor) {
      editor->setObjectName("cell_editor");
      editor->setAccessibleName(RunsView::tr("Name of the run"));
      if (auto* line = qobject_cast<QLineEdit*>(editor))
        line->setMaxLength(static_cast<int>(Run::kMostNameBytes));
    }
    return editor;
  }
  void setEditorData(QWidget* editor, const QModelIndex& index) const override {
    const auto* line = qobject_cast<QLineEdit*>(editor);
    if (!line || !line->isModified()) QStyledItemDelegate::setEditorData(editor, index);
  }
  void updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option,
                            const QModelIndex& index) const override {
    QStyleOptionViewItem first = option;
    if (view_->first_line() > 0) first.rect.setHeight(option.rect.height() * 5 / 9);
    QStyledItemDelegate::updateEditorGeometry(editor, first, index);
  }
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    return {QStyledItemDelegate::sizeHint(option, index).width(), view_->row_height()};
  }
  /// In rows of two lines, what stands in the cells is in the first one.
  void paint(QPainter* painter, const QStyleOptionViewItem& option,
             const QModelIndex& index) const override {
    const int line = view_->first_line();
    if (line == 0 || index.column() == RunsModel::kShown) {
      QStyledItemDelegate::paint(painter, option, index);
      return;
    }
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    const QStyle& style = *view_->style();
    const auto part = [&](QStyle::SubElement which) {
      const QRect whole = style.subElementRect(which, &item, view_);
      return QRect(whole.left(), option.rect.top() + view_->row_height() / 2 - line, whole.width(),
                   line);
    };
    const int margin = view_->margin();
    const QRect text = part(QStyle::SE_ItemViewItemText).adjusted(margin, 0, -margin, 0);
    const QRect picture = part(QStyle::SE_ItemViewItemDecoration);
    // Background and selection as everywhere, and the line on them.
    QStyleOptionViewItem ground = item;
    ground.text.clear();
    ground.icon = QIcon();
    ground.features &= ~QStyleOptionViewItem::HasDecoration;
    style.drawControl(QStyle::CE_ItemViewItem, &ground, painter, view_);
    item.icon.paint(painter, picture);
    painter->save();
    painter->setFont(item.font);
    painter->setPen(item.palette.color(QPalette::Text));
    painter->drawText(text, static_cast<int>(item.displayAlignment),
                      QFontMetrics(item.font).elidedText(item.text, Qt::ElideMiddle, text.width()));
    painter->restore();
  }

 private:
  RunsView* view_;
};

constexpr int kLeastRows = 3;
constexpr double kTickWidth = 20.0;
constexpr const char* kUsualName = "Recall, seed 2 *";

/// The first stays longest.
constexpr std::array<int, 6> kRank = {RunsModel::kLoss,  RunsModel::kTraining, RunsModel::kStep,
                                      RunsModel::kState, RunsModel::kTask,     RunsModel::kModel};

/// What stands below the name where it has no column.
constexpr std::array<int, 4> kBelow = {RunsModel::kState, RunsModel::kStep, RunsModel::kTask,
                                       RunsModel::kModel};

}  // namespace

RunsView::RunsView(Stage& stage, RunsModel& model, QWidget* parent)
    : QTreeView(parent), stage_(stage), runs_(model) {
  setModel(&model);
  setItemDelegate(new RowDelegate(this));
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
  // A click brings a run on the screen and leaves the keys to the window: Space plays.
  setFocusPolicy(Qt::TabFocus);
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
  const int around = 2 * margin() + scaled(stage_.look(), 8);
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
  const bool hides = std::any_of(kBelow.begin(), kBelow.end(),
                                 [this](int column) { return isColumnHidden(column); });
  const bool two_lines = hides && viewport()->height() >= kLeastRows * height_of(2);
  if (std::exchange(two_lines_, two_lines) != two_lines) scheduleDelayedItemsLayout();
  // What a hidden column says has changed, perhaps.
  if (two_lines) viewport()->update();
}

int RunsView::height_of(int lines) const {
  return fontMetrics().lineSpacing() * (3 * lines + 1) / 3 + scaled(stage_.look(), 2);
}

int RunsView::margin() const {
  return style()->pixelMetric(QStyle::PM_FocusFrameHMargin) + 1;
}

int RunsView::row_height() const {
  return height_of(two_lines_ ? 2 : 1);
}

int RunsView::first_line() const {
  return two_lines_ ? fontMetrics().lineSpacing() : 0;
}

QString RunsView::second_line(int row) const {
  const RunCard* card = two_lines_ ? runs_.card(row) : nullptr;
  if (!card) return {};
  QStringList words;
  for (const int column : kBelow) {
    // A run that nobody named has the name of its task.
    if (!isColumnHidden(column) || (column == RunsModel::kTask && card->name == card->task))
      continue;
    const QString word = runs_.index(row, column).data().toString();
    words.append(column == RunsModel::kStep ? tr("step %1").arg(word) : word);
  }
  return words.join(tr(" · "));
}

void RunsView::drawRow(QPainter* painter, const QStyleOptionViewItem& option,
                       const QModelIndex& index) const {
  QTreeView::drawRow(painter, option, index);
  const QString words = second_line(index.row());
  if (words.isEmpty()) return;
  // Where the name begins: the swatch may be smaller than the room it is given.
  const auto swatch =
      index.siblingAtColumn(RunsModel::kName).data(Qt::DecorationRole).value<QIcon>();
  const int left = columnViewportPosition(RunsModel::kName) +
                   swatch.actualSize(iconSize()).width() + 3 * margin();
  const QRect line(left, option.rect.top() + row_height() / 2,
                   viewport()->width() - left - margin(), first_line());
  painter->save();
  painter->setFont(font());
  painter->setPen(theme(stage_.look().palette).muted);
  painter->drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                    fontMetrics().elidedText(words, Qt::ElideRight, line.width()));
  painter->restore();
}

QSize RunsView::sizeHint() const {
  int width = scaled(stage_.look(), kTickWidth) + name_width(kUsualName);
  for (const int column : {RunsModel::kLoss, RunsModel::kTraining, RunsModel::kStep})
    width += width_of(column);
  return {width, minimumSizeHint().height()};
}

QSize RunsView::minimumSizeHint() const {
  return {scaled(stage_.look(), 150), header()->sizeHint().height() + kLeastRows * height_of(1)};
}

void RunsView::resizeEvent(QResizeEvent* event) {
  QTreeView::resizeEvent(event);
  fit_columns();
}

void RunsView::mousePressEvent(QMouseEvent* event) {
  // Beside all rows there is nothing to choose, and the chosen one stays.
  if (indexAt(event->pos()).isValid()) QTreeView::mousePressEvent(event);
}

void RunsView::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Space && event->modifiers() == Qt::NoModifier && !editing()) {
    const QModelIndex tick = currentIndex().siblingAtColumn(RunsModel::kShown);
    const bool shown = tick.data(Qt::CheckStateRole).toInt() == Qt::Checked;
    model()->setData(tick, static_cast<int>(shown ? Qt::Unchecked : Qt::Checked),
                     Qt::CheckStateRole);
    return;
  }
  if (event->key() == Qt::Key_F10 && event->modifiers() == Qt::ShiftModifier) {
    emit customContextMenuRequested(visualRect(currentIndex()).center());
    return;
  }
  QTreeView::keyPressEvent(event);
}

void RunsView::changeEvent(QEvent* event) {
  QTreeView::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit_columns();
}

}  // namespace xlab::app
