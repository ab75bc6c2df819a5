// Rebuilt only when another model is opened.
#include "app/panel_model.hpp"

#include <QBoxLayout>
#include <QDialog>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QTreeWidget>
#include <algorithm>

#include "app/facts.hpp"
#include "app/panel_equation.hpp"
#include "app/panel_reading.hpp"
#include "app/theme.hpp"

namespace xlab::app {
namespace {

enum ModelFact { kName, kWeights, kParameters, kWidth, kContext, kVocabulary, kDevice };

QString weights_text(const ModelCard& model, std::int64_t steps) {
  const QString step = grouped(steps);
  if (model.came_with_weights) {
    return steps == 0 ? ModelPanel::tr("came with the model")
                      : ModelPanel::tr("came with the model, trained on to step %1").arg(step);
  }
  return steps == 0 ? ModelPanel::tr("not trained yet")
                    : ModelPanel::tr("trained to step %1").arg(step);
}

}  // namespace

ModelPanel::ModelPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  facts_ = new Facts({
      {tr("Model"), tr("The name of the model, as its file has it")},
      {tr("Weights"), tr("Where the weights are from, and how many steps they were trained here")},
      {tr("Parameters"), tr("How many numbers training can change")},
      {tr("Embedding"), tr("How many numbers stand for a token on its way through the blocks")},
      {tr("Context"), tr("The longest sequence the model was made for. Its memory has one size, "
                         "whatever the length.")},
      {tr("Vocabulary"), tr("How many different tokens there are")},
      {tr("Device"), tr("Where the model computes; the chip at the lower right moves it")},
  });
  column->addWidget(facts_);

  blocks_ = new QTreeWidget;
  blocks_->setAccessibleName(tr("Blocks of the model; choose one to look into"));
  blocks_->setToolTip(tr("Choose the block that all views show"));
  blocks_->setHeaderLabels({tr("Block"), tr("Heads"), tr("Weights")});
  const QString meanings[] = {
      tr("The blocks from the bottom to the top, counted from 0, and what kind each of them is"),
      tr("How many memories of its own a block has, and how large each of them is. Of a matrix: "
         "numbers of a key × numbers of a value; else the units of a head"),
      tr("How many numbers of this block training can change")};
  for (int column_of = 0; column_of < 3; ++column_of)
    blocks_->headerItem()->setToolTip(column_of, meanings[column_of]);
  blocks_->setRootIsDecorated(false);
  blocks_->setUniformRowHeights(true);
  blocks_->header()->setSectionResizeMode(QHeaderView::ResizeToContents);
  blocks_->header()->setStretchLastSection(true);
  // A narrow panel is scrolled: a number is not cut.
  blocks_->setHorizontalScrollBarPolicy(Qt::ScrollBarAsNeeded);
  column->addWidget(blocks_);

  auto* specification = new QPushButton(tr("Specification…"));
  specification->setAccessibleName(tr("Specification of the model"));
  specification->setToolTip(tr("Shows the complete specification of the model as JSON"));
  specification->setFocusPolicy(Qt::TabFocus);
  column->addWidget(new EquationGroup(stage));
  column->addWidget(specification, 0, Qt::AlignLeft);
  column->addWidget(new ReadingGroup(stage));
  column->addStretch(1);

  connect(specification, &QPushButton::clicked, this, &ModelPanel::show_specification);
  connect(blocks_, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
    if (item) stage_.set_block(blocks_->indexOfTopLevelItem(item));
  });
  // Columns get their width when they are seen first.
  connect(blocks_->header(), &QHeaderView::sectionResized, this, &ModelPanel::fit_blocks);
  connect(&stage.engine(), &EngineLink::changed, this, &ModelPanel::follow_snapshot);
  connect(&stage, &Stage::focus_changed, this, &ModelPanel::follow_focus);
  follow_snapshot();
}

void ModelPanel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  facts_->set(kDevice, QString::fromStdString(now.device.name));
  if (now.model) facts_->set(kWeights, weights_text(*now.model, now.train.step));
  if (now.model == shown_ || !now.model) return;
  shown_ = now.model;
  facts_->set(kName, QString::fromStdString(shown_->name));
  facts_->set(kParameters, grouped(shown_->parameters));
  facts_->set(kWidth, tr("%1 numbers a token").arg(shown_->embedding_dim));
  facts_->set(kContext, shown_->context_length > 0 ? tr("%1 tokens").arg(shown_->context_length)
                                                   : tr("any number of tokens"));
  facts_->set(kVocabulary, tr("%1 tokens").arg(shown_->vocabulary.size()));

  const QSignalBlocker quiet(blocks_);
  blocks_->clear();
  for (std::size_t i = 0; i < shown_->blocks.size(); ++i) {
    const BlockCard& block = shown_->blocks[i];
    const bool matrix = block.has_matrix;
    const QString kind = QString::fromStdString(block.title);
    auto* item = new QTreeWidgetItem(
        blocks_,
        {QString("%1 %2").arg(i).arg(kind),
         matrix ? tr("%1 of %2×%3").arg(block.heads).arg(block.key_dim).arg(block.value_dim)
                : tr("%1 of %2 units").arg(block.heads).arg(block.value_dim),
         grouped(block.parameters)});
    for (int i_column = 0; i_column < 3; ++i_column)
      item->setToolTip(i_column, tr("Choose this block: all views show it"));
    item->setTextAlignment(2, Qt::AlignRight);
  }
  fit_blocks();
  follow_focus();
}

/// As high as its rows, but for deep models: a list that scrolls in a panel that scrolls is a slit.
void ModelPanel::fit_blocks() {
  const int rows = std::clamp(blocks_->topLevelItemCount(), 2, 8);
  int height = blocks_->header()->sizeHint().height() + rows * blocks_->sizeHintForRow(0) +
               2 * blocks_->frameWidth() + 4;
  if (blocks_->header()->length() > blocks_->viewport()->width())
    height += blocks_->horizontalScrollBar()->sizeHint().height();
  if (blocks_->height() != height) blocks_->setFixedHeight(height);
}

void ModelPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fit_blocks();
}

void ModelPanel::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit_blocks();
}

void ModelPanel::follow_focus() {
  const QSignalBlocker quiet(blocks_);
  blocks_->setCurrentItem(blocks_->topLevelItem(stage_.focus().block));
}

void ModelPanel::show_specification() {
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Model specification"));
  auto* column = new QVBoxLayout(dialog);
  auto* text = new QPlainTextEdit(shown_ ? QString::fromStdString(shown_->spec_json) : QString());
  text->setReadOnly(true);
  text->setAccessibleName(tr("Model specification"));
  column->addWidget(text);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
  column->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::close);
  dialog->resize(scaled(stage_.look(), 460), scaled(stage_.look(), 520));
  dialog->show();
}

}  // namespace xlab::app
