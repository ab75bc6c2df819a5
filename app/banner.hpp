// Lines over the docks: what went wrong, until it is closed; an offer, until it is answered; how
// far the reading of a large model is.
#pragma once

#include <QToolBar>
#include <cstdint>
#include <vector>

class QLabel;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace xlab::app {

class Stage;

/// What a message speaks of: it is closed when that is over.
enum class About {
  run,        ///< another run is opened
  training,   ///< training goes on, or another run is opened
  sequence,   ///< other tokens are on the screen, or another run is opened
  saving,     ///< the run is saved, or another run is opened
  keeping,    ///< what is not saved is kept again
  writing,    ///< another picture or table is written
  exporting,  ///< a model is exported again
  device,     ///< a device is chosen again, or another run is opened
  opening,    ///< a run is opened by a person
};

/// Not modal: everything else goes on. A later sentence takes the place of the one before; an offer
/// stays beside it.
class Banner : public QToolBar {
  Q_OBJECT

 public:
  explicit Banner(Stage& stage, QWidget* parent = nullptr);
  void tell(const QString& sentence, About about);
  /// A file was written.
  void written();
  QString sentence() const;
  /// The next run is opened by the program, in place of the one the message is about.
  void expect_first_scene() { first_scene_to_come_ = true; }

  /// Asks whether to accept something, until the person answers or it is withdrawn.
  void offer(const QString& sentence, const QString& accept, const QString& decline);
  void withdraw();
  /// Empty when nothing is offered.
  QString offered() const;

 signals:
  /// After `withdraw`.
  void accepted();
  void declined();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fit();
  void follow_snapshot();
  void follow_opening();
  void follow_run();
  void show_rows();
  void end_message();

  Stage& stage_;
  About about_ = About::run;
  std::uint64_t saves_ = 0;
  std::vector<int> tokens_;
  bool first_scene_to_come_ = false;
  QWidget *box_, *message_, *offer_, *opening_;
  QLabel *text_, *question_, *how_far_;
  QProgressBar* bar_;
  QPushButton* cancel_;
  QToolButton* close_;
  QPushButton *accept_, *decline_;
};

}  // namespace xlab::app
