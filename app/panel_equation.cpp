// Every choice is a list of named changes of a variant: the chosen one is that which changes
// nothing, the reference's that which changes nothing of the usual variant.
#include "app/panel_equation.hpp"

#include <QBoxLayout>
#include <QComboBox>
#include <QGridLayout>
#include <QLabel>
#include <QPushButton>
#include <QRegularExpression>
#include <QSignalBlocker>

namespace xlab::app {
namespace {

bool is_done(const std::function<void(CellVariant&)>& apply, CellVariant variant) {
  const CellVariant before = variant;
  apply(variant);
  return variant == before;
}

QString formula_of(const BlockCard& block) {
  QStringList lines;
  for (const std::string& name : block.values->formula)
    if (const ValueCard* value = block.values->find(name))
      lines.append(QString::fromStdString(value->equation));
  QString text = lines.join("<br>");
  // m_{t−1} and m_t as subscripts.
  text.replace(QRegularExpression("_(?:\\{([^}]*)\\}|(\\w))"), "<sub>\\1\\2</sub>");
  return text;
}

}  // namespace

EquationGroup::EquationGroup(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 6, 0, 0);
  title_ = new QLabel;
  title_->setObjectName("figure");
  title_->setWordWrap(true);
  title_->setToolTip(
      tr("Other equations for all blocks of this kind; the weights stay as they are. "
         "What differs from the official program is bold."));
  column->addWidget(title_);
  auto* grid = new QGridLayout;
  grid->setColumnStretch(1, 1);
  grid->setVerticalSpacing(3);
  column->addLayout(grid);

  add_choices();
  add_numbers();
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    grid->addWidget(rows_[row].caption, static_cast<int>(row), 0);
    grid->addWidget(rows_[row].box, static_cast<int>(row), 1);
    connect(rows_[row].box, &QComboBox::activated, this,
            [this, row](int option) { choose(row, option); });
  }

  formula_ = new QLabel;
  formula_->setObjectName("caption");
  formula_->setTextFormat(Qt::RichText);
  formula_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  formula_->setWordWrap(true);
  formula_->setAccessibleName(tr("The equations as they are now"));
  formula_->setToolTip(tr("The equations of the focused block with the choices above"));
  column->addWidget(formula_);
  usual_ = new QPushButton(tr("Back to the usual"));
  usual_->setAccessibleName(tr("Back to the usual equations"));
  usual_->setFocusPolicy(Qt::TabFocus);
  usual_->setToolTip(tr("The equations of the official program; the weights stay"));
  connect(usual_, &QPushButton::clicked, this, [this] {
    wanted_.reset();
    if (const BlockCard* now = block())
      stage_.engine().send(command::SetVariant{now->kind, now->usual});
  });
  column->addWidget(usual_, 0, Qt::AlignLeft);

  connect(&stage.engine(), &EngineLink::changed, this, &EquationGroup::follow);
  connect(&stage.engine(), &EngineLink::run_changed, this, [this] { wanted_.reset(); });
  connect(&stage.engine(), &EngineLink::failed, this, [this] { wanted_.reset(); });
  connect(&stage, &Stage::focus_changed, this, &EquationGroup::follow);
  follow();
}

void EquationGroup::add_choices() {
  add_row(tr("Forget gate"),
          tr("What keeps the memory from one token to the next: σ(f) stays below 1, exp(f) may "
             "also let it grow."),
          Choice::forget_gate,
          {{"σ(f)", [](CellVariant& v) { v.forget_gate = ForgetGate::sigmoid; }},
           {"exp(f)", [](CellVariant& v) { v.forget_gate = ForgetGate::exponential; }}});
  add_row(
      tr("Input gate"),
      tr("What a token is written with: exp(i) has no limit and needs the stabilizer, σ(i) stays "
         "below 1 and needs none."),
      Choice::input_gate,
      {{"exp(i)", [](CellVariant& v) { v.input_gate = InputGate::exponential; }},
       {"σ(i)", [](CellVariant& v) { v.input_gate = InputGate::sigmoid; }}});
  add_row(tr("Stabilizer"),
          tr("On: everything is stored divided by exp(m), so that no number gets too large. Off: "
             "as it is; large gates overflow."),
          Choice::stabilizer,
          {{tr("on"), [](CellVariant& v) { v.stabilizer = true; }},
           {tr("off, raw exponentials"), [](CellVariant& v) { v.stabilizer = false; }}});
  add_row(tr("Divided by N"),
          tr("Whether the read-out is divided by how much of what was written the query reaches"),
          Choice::normalizer,
          {{tr("yes"), [](CellVariant& v) { v.normalizer = true; }},
           {tr("no"), [](CellVariant& v) { v.normalizer = false; }}});
  add_row(tr("Floor of N"), tr("What the read-out is divided by at least"),
          Choice::denominator_floor,
          {{"exp(−m)", [](CellVariant& v) { v.denominator_floor = DenominatorFloor::stabilizer; }},
           {"1", [](CellVariant& v) { v.denominator_floor = DenominatorFloor::one; }}});
  add_row(tr("1/√K goes to"),
          tr("Whether keys or queries are scaled by 1/√K before they meet the memory"),
          Choice::scale,
          {{tr("keys"), [](CellVariant& v) { v.scale = Scaled::keys; }},
           {tr("queries"), [](CellVariant& v) { v.scale = Scaled::queries; }}});
}

void EquationGroup::add_numbers() {
  const auto numbers = [](double CellVariant::*field,
                          const QList<std::pair<QString, double>>& values) {
    std::vector<Option> options;
    for (const auto& [label, value] : values)
      options.push_back({label, [field, value = value](CellVariant& v) { v.*field = value; }});
    return options;
  };
  add_row(tr("ε"), tr("Added to what the read-out is divided by"), Choice::eps,
          numbers(&CellVariant::eps,
                  {{"0", 0.0}, {"1e−8", 1e-8}, {"1e−6", 1e-6}, {"1e−4", 1e-4}, {"0.01", 1e-2}}));
  add_row(
      tr("Gates capped at"),
      tr("Keeps the pre-activations of input and forget gate between −c and c: c · tanh(x / c)"),
      Choice::gate_soft_cap,
      numbers(&CellVariant::gate_soft_cap,
              {{tr("no cap"), 0.0}, {"5", 5.0}, {"10", 10.0}, {"15", 15.0}, {"30", 30.0}}));
  const auto format = [](NumberFormat format) {
    return Option{xlab::name_of(format), [format](CellVariant& v) { v.number_format = format; }};
  };
  add_row(tr("Numbers"),
          tr("Every operation of the cell rounds to this format; native is the model's own."),
          Choice::number_format,
          {{tr("native"), format(NumberFormat::native).apply},
           format(NumberFormat::fp64),
           format(NumberFormat::fp32),
           format(NumberFormat::bf16),
           format(NumberFormat::fp16)});
}

void EquationGroup::add_row(const QString& caption, const QString& hint, Choice choice,
                            std::vector<Option> options) {
  auto* label = new QLabel(caption);
  label->setObjectName("caption");
  label->setToolTip(hint);
  auto* box = new QComboBox;
  box->setAccessibleName(caption);
  box->setToolTip(hint);
  box->setFocusPolicy(Qt::TabFocus);
  // No wider than a narrow panel; the list that opens is as wide as its words.
  box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  box->setMinimumContentsLength(6);
  rows_.push_back({label, box, std::move(options), choice});
}

const BlockCard* EquationGroup::block() const {
  const int at = stage_.focus().block;
  if (!shown_ || at < 0 || at >= static_cast<int>(shown_->blocks.size())) return nullptr;
  return &shown_->blocks[static_cast<std::size_t>(at)];
}

void EquationGroup::follow() {
  const Snapshot& now = stage_.snapshot();
  if (now.model == shown_ && stage_.focus().block == shown_block_) return;
  if (stage_.focus().block != shown_block_) wanted_.reset();
  shown_ = now.model;
  shown_block_ = stage_.focus().block;
  const BlockCard* focused = block();
  setVisible(focused != nullptr);
  if (!focused) return;
  if (wanted_ && focused->variant == *wanted_) wanted_.reset();
  title_->setText(tr("Equation of the %1 blocks").arg(QString::fromStdString(focused->title)));
  for (Row& row : rows_) show_row(row, *focused);
  formula_->setText(formula_of(*focused));
  usual_->setEnabled(!(focused->variant == focused->usual));
}

void EquationGroup::show_row(Row& row, const BlockCard& block) {
  const CellValues& values = *block.values;
  const bool used = values.has(row.choice) && !values.is_idle(row.choice);
  row.caption->setVisible(used);
  row.box->setVisible(used);
  const QSignalBlocker quiet(row.box);
  row.box->clear();
  int chosen = -1;
  bool reference = false;
  for (std::size_t option = 0; option < row.options.size(); ++option) {
    const bool usual = is_done(row.options[option].apply, block.usual);
    row.box->addItem(row.options[option].label + (usual ? tr("  · usual") : QString()));
    if (is_done(row.options[option].apply, block.variant)) {
      chosen = static_cast<int>(option);
      reference = usual;
    }
  }
  row.box->setCurrentIndex(chosen);
  // A value that only a file can name is none of the list.
  if (chosen < 0) row.box->setPlaceholderText(tr("as in the file"));
  // What is not the reference's stands out.
  QFont font = row.caption->font();
  font.setBold(!reference);
  row.caption->setFont(font);
}

void EquationGroup::choose(std::size_t row, int option) {
  const BlockCard* now = block();
  if (!now || option < 0) return;
  // What was chosen a moment ago may still be on its way.
  if (!wanted_) wanted_ = now->variant;
  rows_[row].options[static_cast<std::size_t>(option)].apply(*wanted_);
  stage_.engine().send(command::SetVariant{now->kind, *wanted_});
}

}  // namespace xlab::app
