// Knows what would be lost, asks about it in the same words everywhere, and saves.
#pragma once

#include <QObject>
#include <QStringList>
#include <cstdint>
#include <functional>
#include <vector>

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
                 const std::function<void()>& beside = {});
  /// The same before all runs go: names the others that are not saved, says what becomes of them,
  /// and offers to save all in one file.
  void keep_all_then(const QString& question, std::function<void()> go_on,
                     const std::function<void()>& beside = {});
  /// Saves to the file of the run; asks for one when it has none or `ask` is set. `then` is called
  /// when the file is complete, and never when saving fails or no file is chosen.
  void save(bool ask, std::function<void()> then = {});
  /// The same with all runs in one file: theirs, or one that is asked for.
  void save_all(bool ask, std::function<void()> then = {});

 signals:
  /// The run is written next.
  void about_to_save();

 private:
  void follow_snapshot();
  /// `others`: names of other runs that go unsaved too; empty where they stay or are saved.
  void ask(const QString& question, const QString& others, bool all, std::function<void()> go_on,
           const std::function<void()>& beside);
  /// Sends what saves, and remembers what follows. Nothing may happen between the two, so what
  /// would change the runs rests.
  void send_save(Command save, bool all, std::function<void()> then);
  void train_on();
  /// Asks where the run's file holds another training of it. `other_file`: another one is to be
  /// chosen instead.
  bool may_replace_training(bool& other_file) const;
  /// For how long what is not saved can be reopened; empty where nothing is kept.
  QString kept_for() const;

  Stage& stage_;
  bool kept_;
  QWidget* window_;
  /// What waits for the last save, and what the engine had reported when it was asked for.
  std::function<void()> then_;
  std::uint64_t ticket_ = 0;
  std::uint64_t failure_ = 0;
  /// Runs whose training was paused for a save, and what was on screen then, until what followed
  /// came about or failed; 0: it has not begun.
  std::vector<int> paused_;
  int asked_in_ = 0;
  std::uint64_t paused_in_ = 0;
};

}  // namespace xlab::app
