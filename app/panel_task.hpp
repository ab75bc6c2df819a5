// The task panel: what the model is trained on, with examples and the answers that count.
#pragma once

#include <QWidget>

#include "app/stage.hpp"

class QComboBox;
class QLabel;
class QPushButton;
class QTextBrowser;
class QToolButton;

namespace xlab::app {

class TaskPanel : public QWidget {
  Q_OBJECT

 public:
  explicit TaskPanel(Stage& stage, QWidget* parent = nullptr);

 signals:
  /// Another task was chosen: one that makes its own data, or "text".
  void task_wanted(const QString& task);
  /// The model that is open is to learn this task.
  void training_wanted(const QString& task);
  /// The open text is to be read by "characters", "bytes" or what a "file" says.
  void tokens_wanted(const QString& tokens);

 private:
  void follow_snapshot();
  void show_tokens();

  Stage& stage_;
  QComboBox* chooser_;
  QPushButton* another_;
  QToolButton* onward_;
  QLabel* title_;
  QLabel* tokens_caption_;
  QComboBox* tokens_;
  QLabel* description_;
  QLabel* remember_;
  QTextBrowser* examples_;
  std::shared_ptr<const DataCard> shown_;
};

}  // namespace xlab::app
