// A tool bar row, so that it pushes the docks down instead of covering them.
#include "app/banner.hpp"

#include <QBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <algorithm>

#include "app/stage.hpp"
#include "app/theme.hpp"

namespace xlab::app {

Banner::Banner(Stage& stage, QWidget* parent) : QToolBar(parent) {
  setObjectName("banner_bar");
  setWindowTitle(tr("Message"));
  setMovable(false);
  box_ = new QWidget;
  box_->setObjectName("banner");
  auto* row = new QHBoxLayout(box_);
  row->setContentsMargins(12, 5, 6, 5);
  text_ = new QLabel;
  text_->setWordWrap(true);
  text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  text_->setAccessibleName(tr("Message"));
  close_ = new QToolButton;
  close_->setAutoRaise(true);
  close_->setToolTip(tr("Close this message"));
  close_->setAccessibleName(tr("Close this message"));
  row->addWidget(text_, 1);
  row->addWidget(close_, 0, Qt::AlignTop);
  box_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  addWidget(box_);
  hide();
  connect(close_, &QToolButton::clicked, this, &QWidget::hide);
  const auto follow_look = [this, &stage] {
    close_->setIcon(icon(Shape::close, theme(stage.look().palette).text));
    close_->setIconSize(QSize(scaled(stage.look(), 12), scaled(stage.look(), 12)));
  };
  connect(&stage, &Stage::look_changed, this, follow_look);
  follow_look();
}

void Banner::tell(const QString& sentence) {
  text_->setText(sentence);
  show();
  fit();
}

/// A tool bar does not ask how high a text gets at its width.
void Banner::fit() {
  const int width = contentsRect().width() - 2 * layout()->contentsMargins().left();
  box_->setFixedHeight(std::max(20, box_->layout()->heightForWidth(width)));
}

void Banner::resizeEvent(QResizeEvent* event) {
  QToolBar::resizeEvent(event);
  fit();
}

QString Banner::sentence() const {
  return isHidden() ? QString() : text_->text();
}

}  // namespace xlab::app
