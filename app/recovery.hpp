// Offers what a crash left, and lists what was kept without being saved.
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "app/banner.hpp"
#include "app/beside_writer.hpp"
#include "app/stage.hpp"
#include "core/keeping/kept_runs.hpp"
#include "core/keeping/lost_runs.hpp"

class QMenu;

namespace xlab::app {

/// A kept run in words: what it is, its training step, and when it was kept.
QString words_of(const KeptRun& run);

/// Looks for lost runs beside everything else; they are offered in the banner, several together,
/// never in a dialog. Closing the window while an offer stands declines nothing: it stands again at
/// the next start.
class Recovery : public QObject {
  Q_OBJECT

 public:
  /// Asks, if need be, whether the open run may be replaced, and goes on when it may, or with what
  /// leaves it there.
  using Replace = std::function<void(const QString& question, std::function<void()> go_on,
                                     std::function<void()> beside)>;
  Recovery(Stage& stage, Banner& banner, std::filesystem::path root, Replace replace,
           QObject* parent = nullptr);
  ~Recovery() override;

  /// Begins to look. Offers follow when something is found.
  void look();
  /// Whether looking has ended.
  bool looked() const { return looked_; }
  /// Begins to list what can be reopened; `listed` says when that is done.
  void list();
  /// Fills a menu with what could be reopened when it was listed last, the newest first, and where
  /// several runs of a session stood side by side with all of them.
  /// `beside`: the open run stays when one of them is chosen.
  void fill(QMenu* menu, bool beside);
  /// Whether there is anything to fill a menu with.
  bool anything() const { return !kept_.empty(); }

 signals:
  void listed();

 private:
  /// What the looking thread may still speak to.
  struct Listener;
  /// Does something slow with the folder by a thread that nobody waits for, and then the rest.
  template <typename Work, typename Take>
  void beside(Work work, Take take);
  void take(LostRuns found);
  void take_list(std::vector<KeptRun> runs);
  void offer_next();
  void accept();
  void decline();
  /// Notes it for the next start, without waiting for the disk.
  void answer(std::vector<LostRun> runs);
  /// `beside`: nobody has to be asked.
  void reopen(const std::vector<KeptRun>& runs, bool beside);
  void reopen_all();
  /// Asks for the runs, as they stood. Those that stand in the banner are taken out there, and are
  /// answered when they are open or cannot be opened.
  void open_all(std::vector<KeptRun> runs, bool beside);
  void follow_snapshot();

  Stage& stage_;
  Banner& banner_;
  std::filesystem::path root_;
  Replace replace_;
  std::shared_ptr<Listener> listener_;
  BesideWriter* answers_;
  std::deque<LostRun> lost_;  // offered together
  /// Accepted, and not open yet.
  struct Opening {
    std::uint64_t ticket = 0;
    std::vector<LostRun> lost;  // not those that were chosen from the menu
  };
  std::deque<Opening> opening_;
  std::uint64_t last_ticket_ = 0;
  bool looked_ = false;
  std::vector<KeptRun> kept_;  // as listed last
  bool listing_ = false, list_again_ = false;
};

}  // namespace xlab::app
