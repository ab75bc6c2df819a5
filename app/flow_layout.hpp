// A layout that sets widgets side by side and begins a new line where the next would not fit.
#pragma once

#include <QLayout>
#include <QList>

namespace xlab::app {

class FlowLayout : public QLayout {
 public:
  explicit FlowLayout(int gap, QWidget* parent = nullptr);
  ~FlowLayout() override;

  void addItem(QLayoutItem* item) override;
  int count() const override;
  QLayoutItem* itemAt(int index) const override;
  QLayoutItem* takeAt(int index) override;
  Qt::Orientations expandingDirections() const override { return {}; }
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override;
  QSize minimumSize() const override;
  QSize sizeHint() const override { return minimumSize(); }
  void setGeometry(const QRect& rectangle) override;

 private:
  /// Places the items, or only measures; returns the height they take.
  int place(const QRect& rectangle, bool move) const;

  QList<QLayoutItem*> items_;
  int gap_;
};

}  // namespace xlab::app
