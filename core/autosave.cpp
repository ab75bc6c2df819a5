// Keeps the work that is in no file.
#include "core/autosave.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace xlab {
namespace {

// Of a change by hand until it is kept: some changes come together, as when a gate is dragged.
constexpr std::chrono::milliseconds kPause{2000};
// Writing takes at most this share of the time.
constexpr int kRestPerWriting = 10;

}  // namespace

void Autosave::Keep::copy() {
  std::call_once(copied, [this] {
    if (!own_numbers) record.detach();
  });
}

Autosave::Autosave(Keeping keeping, std::function<void()> on_news)
    : keeping_(std::move(keeping)), on_news_(std::move(on_news)), folder_(keeping_.root) {
  if (keeps()) thread_ = std::thread([this] { write_jobs(); });
}

Autosave::~Autosave() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Autosave::work(std::optional<Clock::time_point>& since) {
  if (!since) since = Clock::now();
}

void Autosave::saved() {
  trained_.reset();
  changed_.reset();
}

std::optional<Autosave::Clock::time_point> Autosave::due() const {
  if (!keeps() || (!trained_ && !changed_)) return {};
  Clock::duration took;
  bool failed;
  {
    const std::lock_guard lock(mutex_);
    if (writing_ || !jobs_.empty()) return {};
    took = took_;
    failed = failed_;
  }
  std::optional<Clock::time_point> due;
  if (trained_) due = *trained_ + keeping_.interval;
  if (changed_) {
    Clock::duration pause = std::max<Clock::duration>(
        std::min<Clock::duration>(kPause, keeping_.interval / 10), kRestPerWriting * took);
    // A full disk is not asked again and again.
    if (failed) pause = keeping_.interval;
    const auto soon = *changed_ + std::min<Clock::duration>(pause, keeping_.interval);
    due = due ? std::min(*due, soon) : soon;
  }
  return due;
}

void Autosave::keep(RunRecord record, KeptRun about, bool own_numbers) {
  saved();
  if (!keeps()) return;
  auto job = std::make_shared<Keep>();
  job->record = std::move(record);
  job->about = std::move(about);
  job->own_numbers = own_numbers;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
    uncopied_.push_back(job);
  }
  wake_.notify_all();
}

void Autosave::forget(int number) {
  saved();
  if (!keeps() || number == 0) return;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(Forget{number});
  }
  wake_.notify_all();
}

void Autosave::adopt(const KeptRun& run, int number) {
  if (keeps()) folder_.adopt(run, number);
}

void Autosave::settle() {
  for (;;) {
    std::shared_ptr<Keep> job;
    {
      const std::lock_guard lock(mutex_);
      if (uncopied_.empty()) return;
      job = uncopied_.front().lock();
      if (!job) uncopied_.pop_front();
    }
    if (!job) continue;
    // By the writing thread, if it has begun; otherwise here, since that thread may have a slow
    // disk to wait for.
    job->copy();
    const std::lock_guard lock(mutex_);
    if (!uncopied_.empty() && uncopied_.front().lock() == job) uncopied_.pop_front();
  }
}

void Autosave::finish() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return !keeps() || (jobs_.empty() && !writing_); });
}

void Autosave::end() {
  if (!keeps()) return;
  finish();
  try {
    folder_.end();
  } catch (const std::exception& e) {
    const std::lock_guard lock(mutex_);
    problem_ = e.what();
  }
}

std::string Autosave::take_news() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(lost_, false)) work(trained_);
  return std::exchange(problem_, {});
}

void Autosave::write_jobs() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    writing_ = true;
    {
      const Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      if (const auto* keep = std::get_if<std::shared_ptr<Keep>>(&job)) {
        write(**keep);
      } else {
        folder_.remove(std::get<Forget>(job).number);
      }
    }
    lock.lock();
    writing_ = false;
    idle_.notify_all();
    lock.unlock();
    on_news_();
    lock.lock();
  }
}

void Autosave::write(Keep& job) {
  const auto begun = Clock::now();
  std::string problem;
  try {
    job.copy();
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(uncopied_, [&](const std::weak_ptr<Keep>& other) {
        const auto kept = other.lock();
        return !kept || kept.get() == &job;
      });
    }
    folder_.write(job.record, job.about);
  } catch (const std::exception& e) {
    problem = e.what();
  }
  const std::lock_guard lock(mutex_);
  took_ = Clock::now() - begun;
  failed_ = !problem.empty();
  lost_ = lost_ || failed_;
  // The same trouble is told once.
  if (failed_ && problem != last_problem_) {
    problem_ = "What is not saved could not be kept for the case of a crash. " + problem;
  }
  last_problem_ = std::move(problem);
}

}  // namespace xlab
