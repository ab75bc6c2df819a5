// Knows what would be lost, asks about it in the same words everywhere, and saves.
#pragma once

#include <QObject>
#include <QStringList>
#include <functional>

#include "app/stage.hpp"

class QWidget;

namespace xlab::app {

/// One for each window; GUI thread only. A run has work to lose when the engine calls it unsaved:
/// training, edits, prompts, tokens written. The first scene as it opens has none.
class UnsavedWork : public QObject {
  Q_OBJECT

 public:
  /// `kept`: what is not saved is kept for a while all the same.
  UnsavedWork(Stage& stage, bool kept, QWidget* window);

  bool any() const;
  /// Names of the runs with work to lose that are not on screen.
  QStringList others() const;
  /// Training steps that no file holds.
  std::int64_t steps() const;
  /// What would be lost, as a sentence.
  QString sentence() const;

  /// Calls `go_on` when nothing is lost by it, or a person has said what to do: at once when there
  /// is nothing to lose or it is to be discarded, after it is saved when it is to be saved, never
  /// when the question is cancelled or saving fails. `question` opens the dialog ("Open another
  /// run?"). Where the run cannot be saved, it is to be left or not. `beside`, where there is one,
  /// is offered too: what was asked for, but with the run left where it is.
  void keep_then(const QString& question, std::function<void()> go_on,
                 std::function<void()> beside = {});
  /// The same before all runs go: names the others that are not saved, and says what becomes of
  /// them.
  void keep_all_then(const QString& question, std::function<void()> go_on);
  /// Saves to the file of the run; asks for one when it has none or `ask` is set. `then` is called
  /// when the file is complete, and never when saving fails or no file is chosen.
  void save(bool ask, std::function<void()> then = {});

 signals:
  /// The run is written next.
  void about_to_save();

 private:
  void follow_snapshot();
  void ask(const QString& question, const QString& more, std::function<void()> go_on,
           std::function<void()> beside);
  /// For how long what is not saved can be reopened; empty where nothing is kept.
  QString kept_for() const;

  Stage& stage_;
  bool kept_;
  QWidget* window_;
  std::uint64_t saves_ = 0;
  /// What waits for a save, and what the engine had reported when it was asked for.
  std::function<void()> then_;
  std::uint64_t failure_ = 0;
  bool was_training_ = false;
  /// The run whose training was paused for a save, until what followed it came about or failed; 0:
  /// none.
  std::uint64_t paused_in_ = 0;
};

}  // namespace xlab::app
