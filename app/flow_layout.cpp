// Items keep their preferred width; only one that is wider than the whole line is narrowed.
#include "app/flow_layout.hpp"

#include <algorithm>

namespace xlab::app {

FlowLayout::FlowLayout(int gap, QWidget* parent) : QLayout(parent), gap_(gap) {
  setContentsMargins(0, 0, 0, 0);
}

FlowLayout::~FlowLayout() {
  while (QLayoutItem* item = takeAt(0)) delete item;
}

void FlowLayout::addItem(QLayoutItem* item) {
  items_.append(item);
}

int FlowLayout::count() const {
  return static_cast<int>(items_.size());
}

QLayoutItem* FlowLayout::itemAt(int index) const {
  return index >= 0 && index < count() ? items_[index] : nullptr;
}

QLayoutItem* FlowLayout::takeAt(int index) {
  return index >= 0 && index < count() ? items_.takeAt(index) : nullptr;
}

int FlowLayout::heightForWidth(int width) const {
  return place(QRect(0, 0, width, 0), false);
}

QSize FlowLayout::minimumSize() const {
  QSize size;
  for (const QLayoutItem* item : items_) {
    if (!item->isEmpty()) size = size.expandedTo(item->minimumSize());
  }
  return size;
}

void FlowLayout::setGeometry(const QRect& rectangle) {
  QLayout::setGeometry(rectangle);
  place(rectangle, true);
}

int FlowLayout::place(const QRect& rectangle, bool move) const {
  const int width = std::max(rectangle.width(), 1);
  int y = 0;
  for (qsizetype first = 0; first < items_.size();) {
    // One line: as many as fit, all in the middle of its height.
    qsizetype end = first;
    int used = 0, height = 0;
    for (; end < items_.size(); ++end) {
      if (items_[end]->isEmpty()) continue;
      const QSize size = items_[end]->sizeHint();
      const int wanted = std::min(size.width(), width) + (used > 0 ? gap_ : 0);
      if (used > 0 && used + wanted > width) break;
      used += wanted;
      height = std::max(height, size.height());
    }
    int x = rectangle.x();
    for (qsizetype i = first; i < end; ++i) {
      if (items_[i]->isEmpty()) continue;
      QSize size = items_[i]->sizeHint();
      size.setWidth(std::min(size.width(), width));
      if (move) {
        items_[i]->setGeometry(
            QRect(QPoint(x, rectangle.y() + y + (height - size.height()) / 2), size));
      }
      x += size.width() + gap_;
    }
    first = end;
    if (height > 0) y += height + (first < items_.size() ? gap_ / 2 : 0);
  }
  return y;
}

}  // namespace xlab::app
