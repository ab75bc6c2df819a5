// What symbols and terms mean, with a field to search in.
#pragma once

#include <QDialog>
#include <QString>
#include <vector>

#include "app/canvas.hpp"
#include "core/equations/glossary.hpp"

class QLabel;
class QTextBrowser;

namespace xlab::app {

class GlossaryDialog : public QDialog {
  Q_OBJECT

 public:
  /// Goes away by itself when it is closed.
  GlossaryDialog(std::vector<GlossaryEntry> entries, const CanvasLook& look, QWidget* parent);

 private:
  /// Shows the entries that have these words, each of them somewhere.
  void search(const QString& words);

  std::vector<GlossaryEntry> entries_;
  QTextBrowser* list_;
  QLabel* none_;
};

}  // namespace xlab::app
