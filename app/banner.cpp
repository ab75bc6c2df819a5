// A tool bar row, so that it pushes the docks down instead of covering them.
#include "app/banner.hpp"

#include <QBoxLayout>
#include <QFileInfo>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>
#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "app/stage.hpp"
#include "app/theme.hpp"
#include "core/bytes_text.hpp"

namespace xlab::app {
namespace {

constexpr int kBarSteps = 1000;

}  // namespace

Banner::Banner(Stage& stage, QWidget* parent) : QToolBar(parent), stage_(stage) {
  setObjectName("banner_bar");
  setWindowTitle(tr("Message"));
  setMovable(false);
  box_ = new QWidget;
  box_->setObjectName("banner");
  auto* rows = new QVBoxLayout(box_);
  rows->setContentsMargins(12, 5, 6, 5);
  rows->setSpacing(2);
  const auto add_row = [rows](QWidget*& row, QLabel*& text, const QString& name) {
    row = new QWidget;
    auto* line = new QHBoxLayout(row);
    line->setContentsMargins(0, 0, 0, 0);
    text = new QLabel;
    text->setWordWrap(true);
    text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    text->setAccessibleName(name);
    line->addWidget(text, 1);
    rows->addWidget(row);
    row->hide();
    return line;
  };
  QHBoxLayout* offer = add_row(offer_, question_, tr("Offer"));
  // An offer has words of its own for them.
  accept_ = new QPushButton(tr("Yes"));
  decline_ = new QPushButton(tr("No"));
  for (QPushButton* button : {accept_, decline_}) {
    button->setFocusPolicy(Qt::TabFocus);
    offer->addWidget(button);
  }
  QHBoxLayout* opening = add_row(opening_, how_far_, tr("Opening"));
  bar_ = new QProgressBar;
  bar_->setTextVisible(false);
  bar_->setAccessibleName(tr("How much of the model is read"));
  cancel_ = new QPushButton(tr("Cancel"));
  cancel_->setAccessibleName(tr("Cancel opening"));
  cancel_->setToolTip(tr("Give up reading this model; everything stays as it is"));
  cancel_->setFocusPolicy(Qt::TabFocus);
  opening->addWidget(bar_, 1);
  opening->addWidget(cancel_);
  QHBoxLayout* message = add_row(message_, text_, tr("Message"));
  close_ = new QToolButton;
  close_->setAutoRaise(true);
  close_->setToolTip(tr("Close this message"));
  close_->setAccessibleName(tr("Close this message"));
  message->addWidget(close_, 0, Qt::AlignTop);
  box_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  addWidget(box_);
  hide();
  connect(close_, &QToolButton::clicked, this, &Banner::end_message);
  connect(cancel_, &QPushButton::clicked, this, [this] {
    cancel_->setEnabled(false);
    stage_.send(command::CancelOpening{});
  });
  connect(accept_, &QPushButton::clicked, this, [this] {
    withdraw();
    emit accepted();
  });
  connect(decline_, &QPushButton::clicked, this, [this] {
    withdraw();
    emit declined();
  });
  const auto follow_look = [this, &stage] {
    close_->setIcon(icon(Shape::close, theme(stage.look().palette).text));
    close_->setIconSize(QSize(scaled(stage.look(), 12), scaled(stage.look(), 12)));
  };
  connect(&stage, &Stage::look_changed, this, follow_look);
  connect(&stage.engine(), &EngineLink::changed, this, &Banner::follow_snapshot);
  connect(&stage.engine(), &EngineLink::run_changed, this, &Banner::follow_run);
  connect(&stage.engine(), &EngineLink::sent, this, [this](const Command& command) {
    // Whoever tries again has read it.
    if ((about_ == About::exporting && std::holds_alternative<command::ExportFolder>(command)) ||
        (about_ == About::device && std::holds_alternative<command::UseDevice>(command)))
      end_message();
  });
  follow_look();
}

void Banner::tell(const QString& sentence, About about) {
  about_ = about;
  saves_ = stage_.snapshot().saves;
  tokens_ = stage_.snapshot().sequence.tokens;
  text_->setText(sentence);
  message_->show();
  show_rows();
}

void Banner::offer(const QString& sentence, const QString& accept, const QString& decline) {
  question_->setText(sentence);
  accept_->setText(accept);
  decline_->setText(decline);
  offer_->show();
  show_rows();
}

/// An offer beside it stays.
void Banner::end_message() {
  message_->hide();
  show_rows();
}

void Banner::withdraw() {
  offer_->hide();
  show_rows();
}

void Banner::show_rows() {
  const bool calm = message_->isHidden() && offer_->isHidden();  // nothing to be warned of
  if (box_->property("calm").toBool() != calm) {
    box_->setProperty("calm", calm);
    box_->style()->unpolish(box_);
    box_->style()->polish(box_);
  }
  setVisible(!calm || !opening_->isHidden());
  fit();
}

void Banner::follow_opening() {
  const OpeningStatus* now = stage_.snapshot().opening.get();
  if (now) {
    const auto size = [](std::uint64_t bytes) {
      return QString::fromStdString(bytes_text(static_cast<double>(bytes)));
    };
    const QString name = QFileInfo(QString::fromStdString(now->path)).fileName();
    QString words = tr("Opening '%1'").arg(name);
    if (now->total > 0) words += tr(": %1 of %2").arg(size(now->bytes), size(now->total));
    if (now->seconds_left >= 0.0)
      words += tr(", %1 s left").arg(QString::number(std::ceil(now->seconds_left)));
    how_far_->setText(words);
    // Without a total, the bar only says that something is going on.
    bar_->setRange(0, now->total > 0 ? kBarSteps : 0);
    if (now->total > 0)
      bar_->setValue(static_cast<int>(kBarSteps * static_cast<double>(now->bytes) /
                                      static_cast<double>(now->total)));
  }
  if (opening_->isHidden() == !now) return;
  opening_->setVisible(now != nullptr);
  cancel_->setEnabled(true);
  show_rows();
}

void Banner::follow_snapshot() {
  follow_opening();
  if (message_->isHidden()) return;
  const Snapshot& now = stage_.snapshot();
  const bool over = (about_ == About::training && now.train.state == TrainState::running) ||
                    (about_ == About::saving && now.saves != saves_) ||
                    (about_ == About::keeping && !now.keeping_fails) ||
                    (about_ == About::sequence && now.sequence.tokens != tokens_);
  if (over) end_message();
}

void Banner::follow_run() {
  if (about_ == About::opening && std::exchange(first_scene_to_come_, false)) return;
  if (about_ != About::writing && about_ != About::exporting && about_ != About::keeping)
    end_message();
}

void Banner::written() {
  if (about_ == About::writing) end_message();
}

/// A tool bar does not ask how high a text gets at its width.
void Banner::fit() {
  // What was measured for the text before counts no more.
  for (QWidget* row : {offer_, opening_, message_}) {
    row->layout()->invalidate();
    row->updateGeometry();
  }
  box_->layout()->invalidate();
  const int width = contentsRect().width() - 2 * layout()->contentsMargins().left();
  box_->setFixedHeight(std::max(20, box_->layout()->heightForWidth(width)));
}

void Banner::resizeEvent(QResizeEvent* event) {
  QToolBar::resizeEvent(event);
  fit();
}

QString Banner::sentence() const {
  return isHidden() || message_->isHidden() ? QString() : text_->text();
}

QString Banner::offered() const {
  return isHidden() || offer_->isHidden() ? QString() : question_->text();
}

}  // namespace xlab::app
