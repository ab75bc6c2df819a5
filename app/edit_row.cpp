// Fields set side by side, in as many lines as the panel is narrow.
#include "app/edit_row.hpp"

#include <QBoxLayout>
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStandardItemModel>
#include <QToolButton>
#include <QToolTip>
#include <QValidator>
#include <algorithm>
#include <cmath>
#include <optional>

#include "app/facts.hpp"
#include "app/flow_layout.hpp"
#include "core/edits.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::app {
namespace {

constexpr int kLastStep = 99999;

const ValueCard* card_of(const Snapshot& snapshot, const Clamp& clamp) {
  return snapshot.model ? snapshot.model->value_at(clamp.path) : nullptr;
}

QString title_of(const Snapshot& snapshot, const Clamp& clamp) {
  const ValueCard* card = card_of(snapshot, clamp);
  return QString::fromStdString(card ? card->title : clamp.path);
}

QString block_of(const Clamp& clamp) {
  return QString::fromStdString(clamp.path).section('/', 0, 0);
}

/// A number as people type it: with a point or a comma, with a minus sign or a hyphen.
std::optional<float> typed_number(QString text) {
  text = text.trimmed().replace(QChar(0x2212), '-').replace(',', '.');
  bool ok = false;
  const float number = QLocale::c().toFloat(text, &ok);
  if (!ok || !std::isfinite(number)) return std::nullopt;
  return number;
}

/// With all its digits, so that a field that was not changed does not change the value.
QString editable(float number) {
  return QString::fromStdString(ui::full_number(number)).replace('-', QChar(0x2212));
}

/// Says beside a field why what was typed there was not taken.
void say_beside(const QWidget* field, const QString& sentence) {
  QToolTip::showText(field->mapToGlobal(QPoint(0, field->height())), as_tool_tip(sentence));
}

/// Counts from 0. A minus sign can be typed, so that "-3" does not become 3; then the number stays
/// what it was, and that is said.
class CountBox : public QSpinBox {
 public:
  QValidator::State validate(QString& text, int& place) const override {
    // "all", and as its number what stands for it.
    if (minimum() < 0 && (specialValueText().startsWith(text.trimmed()) || is_negative(text)))
      return QValidator::Acceptable;
    if (is_negative(text)) return QValidator::Intermediate;
    return QSpinBox::validate(text, place);
  }
  int valueFromText(const QString& text) const override {
    const bool all = minimum() < 0 && (is_negative(text) || text.trimmed() == specialValueText());
    return all ? minimum() : QSpinBox::valueFromText(text);
  }
  void fixup(QString& text) const override {
    if (is_negative(text)) say_beside(this, EditRow::tr("This counts from 0."));
    QSpinBox::fixup(text);
  }

 private:
  static bool is_negative(const QString& text) {
    const QString typed = text.trimmed();
    return typed.startsWith('-') || typed.startsWith(QChar(0x2212));
  }
};

QSpinBox* spin_box(const QString& name, const QString& meaning, int most) {
  auto* box = new CountBox;
  box->setRange(0, most);
  box->setKeyboardTracking(false);
  box->setButtonSymbols(QAbstractSpinBox::NoButtons);
  box->setAlignment(Qt::AlignRight);
  box->setAccessibleName(name);
  box->setToolTip(meaning);
  return box;
}

/// One that may stand for all there are, which is one below 0.
QSpinBox* spin_box_or_all(const QString& name, const QString& meaning, int most) {
  QSpinBox* box = spin_box(name, meaning, most);
  box->setMinimum(Clamp::kAll);
  box->setSpecialValueText(EditRow::tr("all"));
  return box;
}

/// A word before a field, kept on one line with it.
QWidget* pair_of(const QString& word, QWidget* field) {
  auto* pair = new QWidget;
  auto* row = new QHBoxLayout(pair);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(5);
  auto* caption = new QLabel(word);
  caption->setObjectName("caption");
  caption->setToolTip(field->toolTip());
  row->addWidget(caption);
  row->addWidget(field);
  return pair;
}

/// The same with one value at all steps, to which the number is set.
Clamp held_at_once(Clamp clamp) {
  if (!clamp.curve.empty()) clamp.value = clamp.curve.front();
  clamp.curve.clear();
  clamp.change = Change::set;
  return clamp;
}

/// What the row is about, in a few words.
QString what_of(const Snapshot& snapshot, const Clamp& clamp) {
  const BlockCard* block = snapshot.model ? snapshot.model->block_at(clamp.path) : nullptr;
  if (!block || !is_never_written(*block, clamp))
    return QString("%1 · %2").arg(title_of(snapshot, clamp), block_of(clamp));
  const auto step = static_cast<std::size_t>(clamp.begin);
  const QString token = step < snapshot.sequence.tokens.size()
                            ? QString::fromStdString(ui::token_label(
                                  snapshot.model.get(), snapshot.sequence.tokens[step]))
                            : QString();
  return EditRow::tr("token %1 %2 never written · %3")
      .arg(clamp.begin)
      .arg(token, block_of(clamp))
      .simplified();
}

/// Whether both hold one value over the same steps, whatever they hold it at.
bool is_same_edit(const Clamp& a, Clamp b) {
  b.value = a.value;
  b.curve = a.curve;
  b.enabled = a.enabled;
  return a == b;
}

}  // namespace

float switched_off(const Snapshot& snapshot, const Clamp& clamp) {
  const ValueCard* card = card_of(snapshot, clamp);
  return card ? card->closed_at : ValueCard{}.closed_at;
}

const float* free_value(const Snapshot& snapshot, const Clamp& clamp) {
  const Trace* trace = snapshot.unclamped ? snapshot.unclamped.get() : snapshot.trace.get();
  const Recorded* recorded = trace ? trace->find(clamp.begin, clamp.path) : nullptr;
  if (!recorded || clamp.change != Change::set || !clamp.curve.empty() || clamp.head < 0 ||
      clamp.head >= recorded->heads || clamp.unit < 0 || clamp.unit >= recorded->dim)
    return nullptr;
  return &recorded->values[static_cast<std::size_t>(clamp.head) *
                               static_cast<std::size_t>(recorded->dim) +
                           static_cast<std::size_t>(clamp.unit)];
}

Hold hold_of(const Snapshot& snapshot, const Clamp& clamp) {
  if (!clamp.curve.empty()) return Hold::drawn;
  if (clamp.change == Change::add) return Hold::plus;
  if (clamp.change == Change::scale) return Hold::times;
  const float* free = free_value(snapshot, clamp);
  if (free && *free == clamp.value) return Hold::frozen;
  return clamp.value == switched_off(snapshot, clamp) ? Hold::off : Hold::value;
}

QString words_of(const Snapshot& snapshot, const Clamp& clamp) {
  const QString heads =
      clamp.head == Clamp::kAll ? EditRow::tr("all heads") : EditRow::tr("head %1").arg(clamp.head);
  const BlockCard* block = snapshot.model ? snapshot.model->block_at(clamp.path) : nullptr;
  if (block && is_never_written(*block, clamp)) {
    return EditRow::tr("token %1 never written in %2, %3")
        .arg(clamp.begin)
        .arg(block_of(clamp), heads);
  }
  const QString unit = clamp.unit == Clamp::kAll ? EditRow::tr(", all units")
                       : clamp.unit > 0          ? EditRow::tr(", unit %1").arg(clamp.unit)
                                                 : QString();
  const QString steps = acts_at_all_steps(clamp) ? EditRow::tr("all steps")
                        : clamp.end - clamp.begin == 1
                            ? EditRow::tr("step %1").arg(clamp.begin)
                            : EditRow::tr("steps %1 to %2").arg(clamp.begin).arg(clamp.end - 1);
  const char* sign = clamp.change == Change::add ? "+" : clamp.change == Change::scale ? "×" : "=";
  const QString value = clamp.curve.empty() ? three_digits(static_cast<double>(clamp.value))
                                            : EditRow::tr("a drawn curve");
  return EditRow::tr("%1 %2 %3 in %4, %5%6, %7")
      .arg(title_of(snapshot, clamp), sign, value, block_of(clamp), heads, unit, steps);
}

EditRow::EditRow(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 2, 0, 4);
  column->setSpacing(3);
  on_ = new QCheckBox;
  on_->setToolTip(tr("Whether this edit acts; switched off it stays in the list"));
  what_ = new QLabel;
  what_->setObjectName("figure");
  what_->setWordWrap(true);
  remove_ = new QToolButton;
  remove_->setText("×");
  remove_->setAutoRaise(true);
  remove_->setFocusPolicy(Qt::TabFocus);
  remove_->setToolTip(tr("Let go of this value and take it off the list"));
  up_ = new QToolButton;
  up_->setText("↑");
  up_->setAutoRaise(true);
  up_->setFocusPolicy(Qt::TabFocus);
  up_->setToolTip(
      tr("Let this edit act before the one above it. Several on one value act one after the other, "
         "from the top of the list down."));
  auto* row = new QHBoxLayout;
  row->addWidget(on_, 0, Qt::AlignTop);
  row->addWidget(what_, 1);
  row->addWidget(up_, 0, Qt::AlignTop);
  row->addWidget(remove_, 0, Qt::AlignTop);
  column->addLayout(row);

  hold_ = new QComboBox;
  hold_->setFocusPolicy(Qt::TabFocus);
  hold_->addItem(tr("held at"));
  hold_->addItem(tr("frozen"));
  hold_->addItem(tr("switched off"));
  hold_->addItem(tr("plus"));
  hold_->addItem(tr("times"));
  hold_->addItem(tr("drawn"));
  hold_->setToolTip(
      tr("How the value is changed. Held at: the number beside it. Frozen: what it was, without "
         "any edit, at the first step of the range. Switched off: the gate is closed. Plus and "
         "times: the number beside it is added to what the model computes, or multiplies it. "
         "Drawn: another value at each step."));
  value_ = new QLineEdit;
  value_->setObjectName("value");
  value_->setAlignment(Qt::AlignRight);
  value_->setToolTip(
      tr("The number that the value is held at, that is added to it, or that it is multiplied "
         "with. Dragging in the Gates view stays between −60 and 60."));
  head_ = spin_box_or_all(tr("Head"),
                          tr("Which head the value is held in, counted from 0, or \"all\""), 999);
  unit_ =
      spin_box_or_all(tr("Unit"), tr("Which unit of the head, counted from 0, or \"all\""), 9999);
  first_ = spin_box(tr("First time step"), tr("The first time step at which the value is held"),
                    kLastStep);
  last_ = spin_box(tr("Last time step"),
                   tr("The last time step at which the value is held; it may be one that is still "
                      "to be generated"),
                   kLastStep);
  auto* inside = new QWidget;
  auto* flow = new FlowLayout(8, inside);
  flow->addWidget(hold_);
  flow->addWidget(value_);
  flow->addWidget(pair_of(tr("steps"), first_));
  flow->addWidget(pair_of(tr("to"), last_));
  flow->addWidget(pair_of(tr("head"), head_));
  unit_pair_ = pair_of(tr("unit"), unit_);
  flow->addWidget(unit_pair_);
  column->addWidget(inside);
  later_ = new QLabel;
  later_->setObjectName("caption");
  later_->setWordWrap(true);
  later_->hide();
  column->addWidget(later_);

  connect(on_, &QCheckBox::clicked, this, &EditRow::enabled);
  connect(up_, &QToolButton::clicked, this, &EditRow::moved_up);
  connect(remove_, &QToolButton::clicked, this, [this] {
    // A number typed for an edit that goes is meant for no other one.
    value_->setModified(false);
    emit removed();
  });
  connect(hold_, &QComboBox::activated, this, &EditRow::hold);
  connect(value_, &QLineEdit::editingFinished, this, &EditRow::take_value);
  connect(value_, &QLineEdit::textChanged, this, &EditRow::fit_value);
  connect(head_, &QSpinBox::valueChanged, this, [this](int head) {
    Clamp clamp = clamp_;
    clamp.head = head;
    send(clamp);
  });
  connect(unit_, &QSpinBox::valueChanged, this, [this](int unit) {
    Clamp clamp = clamp_;
    clamp.unit = unit;
    send(clamp);
  });
  connect(first_, &QSpinBox::valueChanged, this,
          [this](int step) { send(over_steps(clamp_, step, clamp_.end)); });
  connect(last_, &QSpinBox::valueChanged, this,
          [this](int step) { send(over_steps(clamp_, std::min(clamp_.begin, step), step + 1)); });
  connect(&stage.engine(), &EngineLink::changed, this, &EditRow::follow_snapshot);
  connect(&stage, &Stage::look_changed, this, &EditRow::fit_value);
}

void EditRow::show_clamp(int number, const Clamp& clamp) {
  const bool same_edit = is_same_edit(clamp, clamp_);
  clamp_ = clamp;
  const QString words = words_of(stage_.snapshot(), clamp);
  on_->setChecked(clamp.enabled);
  on_->setAccessibleName(tr("Edit %1: %2").arg(number + 1).arg(words));
  remove_->setAccessibleName(tr("Remove edit %1").arg(number + 1));
  hold_->setAccessibleName(tr("How edit %1 holds its value").arg(number + 1));
  value_->setAccessibleName(tr("Value of edit %1").arg(number + 1));
  up_->setVisible(number > 0);
  up_->setAccessibleName(tr("Move edit %1 up").arg(number + 1));
  const QString what = what_of(stage_.snapshot(), clamp);
  if (what_->text() != what) what_->setText(what);
  what_->setToolTip(words);
  if (!same_edit || !value_->hasFocus() || !value_->isModified()) {
    value_->setText(editable(clamp.value));
    value_->setCursorPosition(0);
  }
  value_->setVisible(clamp.curve.empty());
  const auto set = [](QSpinBox* box, int shown) {
    const QSignalBlocker quiet(box);
    box->setMaximum(std::max(box->maximum(), shown));
    box->setValue(shown);
  };
  set(head_, clamp.head);
  set(unit_, clamp.unit);
  set(first_, clamp.begin);
  set(last_, clamp.end - 1);
  follow_snapshot();
}

void EditRow::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  // How many heads and units there are is known once the value was recorded anywhere.
  const Recorded* recorded = now.trace ? now.trace->find(0, clamp_.path) : nullptr;
  const QSignalBlocker quiet_head(head_), quiet_unit(unit_), quiet_hold(hold_);
  if (recorded) {
    head_->setMaximum(std::max(recorded->heads - 1, clamp_.head));
    unit_->setMaximum(std::max(recorded->dim - 1, clamp_.unit));
    unit_pair_->setVisible(recorded->dim > 1);
  }
  if (const QString what = what_of(now, clamp_); what_->text() != what) what_->setText(what);
  const auto steps = static_cast<int>(now.sequence.tokens.size());
  const bool later = clamp_.begin >= steps;
  if (later) {
    const QString words =
        tr("Acts at a later step: the sequence has %1.")
            .arg(steps == 1 ? tr("1 step so far") : tr("%1 steps so far").arg(grouped(steps)));
    if (later_->text() != words) later_->setText(words);
  }
  later_->setVisible(later);
  hold_->setCurrentIndex(static_cast<int>(hold_of(now, clamp_)));
  // Frozen needs to know what the value was, and a curve is drawn elsewhere.
  const QString unknown = clamp_.head == Clamp::kAll || clamp_.unit == Clamp::kAll
                              ? tr("One head and one unit can be frozen, not all at once.")
                              : tr("Step %1 was not computed yet.").arg(clamp_.begin);
  offer(Hold::frozen, free_value(now, held_at_once(clamp_)) != nullptr, unknown);
  offer(Hold::drawn, !clamp_.curve.empty(),
        tr("A curve is drawn in the Gates view: hold Alt and drag along it."));
}

void EditRow::offer(Hold hold, bool possible, const QString& why_not) {
  auto* items = qobject_cast<QStandardItemModel*>(hold_->model());
  QStandardItem* item = items->item(static_cast<int>(hold));
  if (item->isEnabled() != possible) item->setEnabled(possible);
  const QString words = possible ? QString() : why_not;
  if (item->toolTip() != words) item->setToolTip(words);
}

void EditRow::take_focus_of(const EditRow& other) {
  if (!other.up_->hasFocus()) return;
  // The first row has no such button.
  (up_->isVisibleTo(this) ? static_cast<QWidget*>(up_) : on_)->setFocus();
}

/// What is frozen stays so when it moves to another place.
void EditRow::send(Clamp clamp) {
  const Snapshot& now = stage_.snapshot();
  if (hold_of(now, clamp_) == Hold::frozen) {
    if (const float* free = free_value(now, clamp)) clamp.value = *free;
  }
  if (clamp == clamp_) return;
  clamp_ = clamp;
  emit changed(clamp);
}

void EditRow::hold(int choice) {
  const Snapshot& now = stage_.snapshot();
  Clamp clamp = clamp_;
  const auto chosen = static_cast<Hold>(choice);
  if (chosen != Hold::drawn) clamp = held_at_once(clamp);
  switch (chosen) {
    case Hold::frozen:
      if (const float* free = free_value(now, clamp)) clamp.value = *free;
      break;
    case Hold::off:
      clamp.value = switched_off(now, clamp);
      break;
    case Hold::plus:
      clamp.change = Change::add;
      if (clamp_.change != Change::add) clamp.value = 0.0f;
      break;
    case Hold::times:
      clamp.change = Change::scale;
      if (clamp_.change != Change::scale) clamp.value = 1.0f;
      break;
    case Hold::value:
    case Hold::drawn:
      break;
  }
  const bool typed_next = chosen == Hold::value || chosen == Hold::plus || chosen == Hold::times;
  if (clamp == clamp_) {
    follow_snapshot();
  } else {
    clamp_ = clamp;
    emit changed(clamp);
  }
  if (!typed_next) return;
  value_->setFocus();
  value_->selectAll();
}

void EditRow::take_value() {
  if (!value_->isModified()) return;
  value_->setModified(false);
  const auto number = typed_number(value_->text());
  if (number) {
    Clamp clamp = clamp_;
    clamp.value = *number;
    if (!(clamp == clamp_)) {
      clamp_ = clamp;
      emit changed(clamp);
      return;
    }
  }
  // What is no number changes nothing.
  if (!number) say_beside(value_, tr("\"%1\" is no number.").arg(value_->text()));
  value_->setText(editable(clamp_.value));
}

/// A field as wide as its number.
void EditRow::fit_value() {
  value_->ensurePolished();
  const QFontMetrics metrics(value_->font());
  const int text =
      std::max(metrics.horizontalAdvance(value_->text()), metrics.horizontalAdvance("−00.000"));
  const int around = value_->sizeHint().width() - metrics.horizontalAdvance(QString(17, 'x'));
  value_->setFixedWidth(text + std::max(around, 2 * metrics.horizontalAdvance('0')));
}

}  // namespace xlab::app
