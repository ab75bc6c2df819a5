// Looking and listing are done by threads that nobody waits for: a disk may hang.
#include "app/recovery.hpp"

#include <QDateTime>
#include <QFileInfo>
#include <QLocale>
#include <QMenu>
#include <QStringList>
#include <algorithm>
#include <cstddef>
#include <limits>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "app/facts.hpp"

namespace xlab::app {
namespace {

// A bench of 32 runs is in it, and what was there before.
constexpr std::size_t kMostEntries = 80;
constexpr int kMostLetters = 60;       // of a name in the menu
constexpr std::size_t kMostNames = 3;  // in an offer

QString when(std::int64_t seconds) {
  const QDateTime then = QDateTime::fromSecsSinceEpoch(seconds);
  const QString time = QLocale().toString(then.time(), QLocale::ShortFormat);
  const qint64 days = then.date().daysTo(QDate::currentDate());
  if (days == 0) return Recovery::tr("today at %1").arg(time);
  if (days == 1) return Recovery::tr("yesterday at %1").arg(time);
  return Recovery::tr("%1 at %2").arg(QLocale().toString(then.date(), QLocale::ShortFormat), time);
}

}  // namespace

QString words_of(const KeptRun& run) {
  const auto short_name = [](const QString& name) {
    return name.size() <= kMostLetters
               ? name
               : name.left(kMostLetters / 2) + "…" + name.right(kMostLetters / 2 - 1);
  };
  const QString title = short_name(QString::fromStdString(run.title));
  const QString file = short_name(QFileInfo(QString::fromStdString(run.run_path)).fileName());
  // The file of a bench says nothing of which of its runs it was.
  const QString name = run.run_path.empty() ? title
                       : run.in_bench       ? Recovery::tr("%1 of %2").arg(title, file)
                                            : file;
  return Recovery::tr("%1, step %2, %3").arg(name, grouped(run.step), when(run.kept_at));
}

struct Recovery::Listener {
  std::mutex mutex;
  Recovery* recovery = nullptr;  // until it goes
};

Recovery::Recovery(Stage& stage, Banner& banner, std::filesystem::path root, Replace replace,
                   QObject* parent)
    : QObject(parent),
      stage_(stage),
      banner_(banner),
      root_(std::move(root)),
      replace_(std::move(replace)),
      listener_(std::make_shared<Listener>()),
      answers_(new BesideWriter(this)) {
  listener_->recovery = this;
  connect(&banner_, &Banner::accepted, this, &Recovery::accept);
  connect(&banner_, &Banner::declined, this, &Recovery::decline);
  connect(&stage_.engine(), &EngineLink::changed, this, &Recovery::follow_snapshot);
}

Recovery::~Recovery() {
  const std::lock_guard lock(listener_->mutex);
  listener_->recovery = nullptr;
}

template <typename Work, typename Take>
void Recovery::beside(Work work, Take take) {
  std::thread([listener = listener_, root = root_, work, take] {
    auto found = std::make_shared<decltype(work(root))>(work(root));
    const std::lock_guard lock(listener->mutex);
    Recovery* recovery = listener->recovery;
    if (!recovery) return;
    QMetaObject::invokeMethod(
        recovery, [recovery, found, take] { (recovery->*take)(std::move(*found)); },
        Qt::QueuedConnection);
  }).detach();
}

void Recovery::look() {
  beside([](const std::filesystem::path& root) { return claim_lost_runs(root); }, &Recovery::take);
}

void Recovery::list() {
  list_again_ = listing_;
  if (std::exchange(listing_, true)) return;
  beside([](const std::filesystem::path& root) { return kept_runs(root).runs; },
         &Recovery::take_list);
}

void Recovery::take_list(std::vector<KeptRun> runs) {
  kept_ = std::move(runs);
  listing_ = false;
  emit listed();
  if (std::exchange(list_again_, false)) list();
}

void Recovery::take(LostRuns found) {
  looked_ = true;
  list();
  for (LostRun& run : found.runs) lost_.push_back(std::move(run));
  if (!found.problems.empty()) {
    QString sentences;
    for (const std::string& problem : found.problems)
      sentences += (sentences.isEmpty() ? "" : " ") + QString::fromStdString(problem);
    banner_.tell(sentences, About::opening);
  }
  offer_next();
}

void Recovery::offer_next() {
  if (lost_.empty()) return;
  if (lost_.size() == 1) {
    banner_.offer(tr("The program ended before this was saved: %1. Later it can be reopened from "
                     "the File menu.")
                      .arg(words_of(lost_.front().about())),
                  tr("Reopen"), tr("Not now"));
    return;
  }
  QStringList names;
  for (const LostRun& run : lost_) {
    if (static_cast<std::size_t>(names.size()) == kMostNames) break;
    names.append(words_of(run.about()));
  }
  if (lost_.size() > kMostNames) names.append(tr("%1 more").arg(lost_.size() - kMostNames));
  banner_.offer(tr("The program ended before these runs were saved: %1. Later they can be reopened "
                   "from the File menu.")
                    .arg(names.join("; ")),
                tr("Reopen all"), tr("Not now"));
}

void Recovery::accept() {
  if (lost_.empty()) return;
  if (lost_.size() > 1) {
    reopen_all();
    return;
  }
  reopen({lost_.front().about()}, false);
  // Until it is opened the offer stands: the person may keep the open run after all.
  offer_next();
}

/// A run of now that is worth nothing gives its place.
void Recovery::reopen_all() {
  std::vector<KeptRun> runs;
  for (const LostRun& run : lost_) runs.push_back(run.about());
  open_all(runs, stage_.snapshot().unsaved || stage_.snapshot().runs.size() > 1);
}

/// Those of a session as they stood there; the newest session comes last.
void Recovery::open_all(std::vector<KeptRun> runs, bool beside) {
  const auto place = [](const KeptRun& run) {
    const std::size_t stood =
        run.stood ? run.stood->place : std::numeric_limits<std::size_t>::max();
    return std::tuple(run.session, stood, run.number);
  };
  std::ranges::sort(runs, {}, place);
  Opening& next = opening_.emplace_back();
  next.ticket = ++last_ticket_;
  command::ReopenRuns reopen{.beside = beside, .ticket = next.ticket};
  for (const KeptRun& run : runs) {
    reopen.kept.push_back(run.file.string());
    const auto offered = std::ranges::find_if(
        lost_, [&](const LostRun& lost) { return lost.about().file == run.file; });
    if (offered == lost_.end()) continue;
    next.lost.push_back(std::move(*offered));
    lost_.erase(offered);
  }
  if (!next.lost.empty()) {
    banner_.withdraw();
    offer_next();
  }
  stage_.send(std::move(reopen));
}

void Recovery::decline() {
  if (lost_.empty()) return;
  answer(std::vector<LostRun>(lost_.begin(), lost_.end()));
  lost_.clear();
}

void Recovery::answer(std::vector<LostRun> runs) {
  answers_->write_unseen([runs = std::move(runs)]() mutable {
    for (LostRun& run : runs) run.answer();
  });
}

void Recovery::reopen(const std::vector<KeptRun>& runs, bool beside) {
  // Where several are open all of them stay.
  if (beside || (runs.size() > 1 && stage_.snapshot().runs.size() > 1)) {
    open_all(runs, true);
    return;
  }
  replace_(
      runs.size() == 1 ? tr("Reopen %1?").arg(words_of(runs[0]))
                       : tr("Reopen %1 runs?").arg(runs.size()),
      [this, runs] { open_all(runs, false); }, [this, runs] { open_all(runs, true); });
}

void Recovery::follow_snapshot() {
  while (!opening_.empty() && opening_.front().ticket <= stage_.snapshot().reopened) {
    if (!opening_.front().lost.empty()) answer(std::move(opening_.front().lost));
    opening_.pop_front();
  }
}

void Recovery::fill(QMenu* menu, bool beside) {
  menu->clear();
  const auto add = [&](QString text, std::vector<KeptRun> runs) {
    connect(menu->addAction(text.replace("&", "&&")), &QAction::triggered, this,
            [this, runs = std::move(runs), beside] { reopen(runs, beside); });
  };
  for (std::size_t i = 0; i < std::min(kept_.size(), kMostEntries); ++i) {
    const KeptRun& run = kept_[i];
    if (i == 0 || kept_[i - 1].session != run.session) {
      // What stood side by side at the end comes back so.
      std::vector<KeptRun> together;
      for (const KeptRun& other : kept_)
        if (other.session == run.session && !other.replaced) together.push_back(other);
      if (i != 0) menu->addSeparator();
      if (together.size() > 1) {
        const QString text =
            tr("All %1 runs, %2").arg(QString::number(together.size()), when(together[0].kept_at));
        add(text, std::move(together));
      }
    }
    add(run.replaced ? tr("%1 (replaced or removed)").arg(words_of(run)) : words_of(run), {run});
  }
}

}  // namespace xlab::app
