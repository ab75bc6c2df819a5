// One edit in the list: what is held, how, where and when; every part of it can be typed.
#pragma once

#include <QWidget>

#include "app/stage.hpp"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QSpinBox;
class QToolButton;

namespace xlab::app {

/// How a value is held or changed; the first three are told by the value itself.
enum class Hold { value, frozen, off, plus, times, drawn };

/// The pre-activation that switches the clamp's gate off, as the description of its cell has it.
float switched_off(const Snapshot& snapshot, const Clamp& clamp);
/// What the value would be without any edit at the clamp's first step; null when that was not
/// recorded.
const float* free_value(const Snapshot& snapshot, const Clamp& clamp);
/// How this clamp holds its value.
Hold hold_of(const Snapshot& snapshot, const Clamp& clamp);
/// A clamp in words: "forget gate, pre-activation = −3.2 in block0, head 1, steps 3 to 9", "token 4
/// never written in block0, all heads".
QString words_of(const Snapshot& snapshot, const Clamp& clamp);

class EditRow : public QWidget {
  Q_OBJECT

 public:
  explicit EditRow(Stage& stage, QWidget* parent = nullptr);
  /// Shows this clamp, the `number`th of the list, counted from 0. A field that is being typed in
  /// keeps what was typed as long as it is the same edit.
  void show_clamp(int number, const Clamp& clamp);
  /// After an edit was moved here from another row: the keys come with it, where they were on the
  /// button that moved it.
  void take_focus_of(const EditRow& other);
  /// Takes a value that was typed and not entered yet.
  void take_value();

 signals:
  void changed(const Clamp& clamp);
  void enabled(bool on);
  void removed();
  void moved_up();

 private:
  void follow_snapshot();
  void send(Clamp clamp);
  void hold(int choice);
  /// Whether the list of ways offers one, and if not, why.
  void offer(Hold hold, bool possible, const QString& why_not);
  void fit_value();

  Stage& stage_;
  Clamp clamp_;
  QCheckBox* on_;
  QLabel* what_;
  QToolButton *up_, *remove_;
  QComboBox* hold_;
  QLineEdit* value_;
  QSpinBox *head_, *unit_, *first_, *last_;
  QWidget* unit_pair_;
  QLabel* later_;  ///< that its steps are still to come
};

}  // namespace xlab::app
