// Rebuilt only when another model is opened.
#include "app/panel_model.hpp"

#include <QBoxLayout>
#include <QDialog>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTreeWidget>
#include <algorithm>

#include "app/facts.hpp"
#include "app/panel_equation.hpp"
#include "app/theme.hpp"

namespace xlab::app {
namespace {

enum Fact { kName, kParameters, kWidth, kContext, kVocabulary, kDevice };

}  // namespace

ModelPanel::ModelPanel(Stage& stage, QWidget* parent) : QWidget(parent), stage_(stage) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 6, 10, 10);
  facts_ = new Facts({tr("Model"), tr("Parameters"), tr("Embedding"), tr("Context"),
                      tr("Vocabulary"), tr("Device")});
  column->addWidget(facts_);

  blocks_ = new QTreeWidget;
  blocks_->setAccessibleName(tr("Blocks of the model; choose one to look into"));
  blocks_->setToolTip(tr("Choose the block that all views show"));
  blocks_->setHeaderLabels({tr("Block"), tr("Heads"), tr("Size"), tr("Weights")});
  blocks_->setRootIsDecorated(false);
  blocks_->setUniformRowHeights(true);
  blocks_->header()->setSectionResizeMode(QHeaderView::ResizeToContents);
  blocks_->header()->setStretchLastSection(true);
  blocks_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  column->addWidget(blocks_);

  auto* specification = new QPushButton(tr("Specification…"));
  specification->setToolTip(tr("The complete model specification as JSON"));
  column->addWidget(new EquationGroup(stage));
  column->addWidget(specification, 0, Qt::AlignLeft);
  column->addStretch(1);

  connect(specification, &QPushButton::clicked, this, &ModelPanel::show_specification);
  connect(blocks_, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
    if (item) stage_.set_block(blocks_->indexOfTopLevelItem(item));
  });
  connect(&stage.engine(), &EngineLink::changed, this, &ModelPanel::follow_snapshot);
  connect(&stage, &Stage::focus_changed, this, &ModelPanel::follow_focus);
  follow_snapshot();
}

void ModelPanel::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  facts_->set(kDevice, QString::fromStdString(now.device.name));
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
    const bool matrix = block.kind == "mlstm";
    const QString kind = matrix                  ? "mLSTM"
                         : block.kind == "slstm" ? "sLSTM"
                                                 : QString::fromStdString(block.kind);
    auto* item = new QTreeWidgetItem(
        blocks_, {QString("%1 %2").arg(i).arg(kind), QString::number(block.heads),
                  matrix ? QString("%1×%2").arg(block.key_dim).arg(block.value_dim)
                         : tr("%1 units").arg(block.value_dim),
                  grouped(block.parameters)});
    item->setTextAlignment(1, Qt::AlignRight);
    item->setTextAlignment(3, Qt::AlignRight);
  }
  // As tall as its rows, but for deep models.
  const int rows = std::clamp(static_cast<int>(shown_->blocks.size()), 2, 8);
  blocks_->setFixedHeight(blocks_->header()->sizeHint().height() +
                          rows * blocks_->sizeHintForRow(0) + 2 * blocks_->frameWidth() + 4);
  follow_focus();
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
