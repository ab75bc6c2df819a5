// Keeps the work that is in no file, and writes runs into their files.
#include "core/keeping/autosave.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace xlab {
namespace {

// Of a change by hand until it is kept: some changes come together, as when a gate is dragged.
constexpr std::chrono::milliseconds kPause{2000};
// Writing takes at most this share of the time.
constexpr int kRestPerWriting = 10;

}  // namespace

void Unkept::note_training() {
  if (!trained) trained = std::chrono::steady_clock::now();
}

void Unkept::note_change() {
  if (!changed) changed = std::chrono::steady_clock::now();
}

Tensor Autosave::Handed::copied_of(const Tensor& shared) {
  constexpr std::int64_t kPiece = 1 << 18;
  constexpr std::size_t kPage = 4096;
  Tensor copy = Tensor::empty(shared.shape(), shared.dtype());
  const std::int64_t end = shared.elements();
  const Tensor from = shared.reshape({end}), to = copy.reshape({end});
  for (std::int64_t at = 0; at < end; at += kPiece) {
    const std::int64_t next = std::min(at + kPiece, end);
    const Tensor piece = to.slice(at, next);
    // The system may take its time to give the memory: nobody is to wait for that.
    for (std::size_t byte = 0; byte < piece.bytes(); byte += kPage)
      static_cast<volatile char*>(piece.raw())[byte] = 0;
    const std::lock_guard lock(reading);
    if (!in_time) return {};
    piece.copy_from(from.slice(at, next));
  }
  return copy;
}

void Autosave::Handed::copy() {
  std::call_once(copied, [this] {
    if (own_numbers) return;
    try {
      for (Tensor* numbers : {&record.values, &record.first_moment, &record.second_moment}) {
        if (!numbers->defined() && numbers == &record.first_moment) break;  // nor the second one
        *numbers = copied_of(*numbers);
        given_up = !numbers->defined();
        if (given_up) return;
      }
      own_numbers = true;
    } catch (const std::bad_alloc&) {
      problem = "There is no memory for a copy of the run.";
    } catch (const std::exception& e) {
      problem = e.what();
    }
  });
}

Autosave::Autosave(Keeping keeping, std::function<void()> on_news)
    : keeping_(std::move(keeping)), on_news_(std::move(on_news)), folder_(keeping_.root) {
  thread_ = std::thread([this] { write_jobs(); });
}

Autosave::~Autosave() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Autosave::Clock::time_point> Autosave::due(const Unkept& unkept) const {
  if (!keeps() || (!unkept.trained && !unkept.changed && !unkept.overdue)) return {};
  Clock::duration took;
  bool failed;
  {
    const std::lock_guard lock(mutex_);
    if (writing_ || !jobs_.empty()) return {};
    took = took_;
    failed = failed_;
  }
  if (unkept.overdue) return Clock::time_point{};
  std::optional<Clock::time_point> due;
  if (unkept.trained) due = *unkept.trained + keeping_.interval;
  if (unkept.changed) {
    Clock::duration pause = std::max<Clock::duration>(
        std::min<Clock::duration>(kPause, keeping_.interval / 10), kRestPerWriting * took);
    // A full disk is not asked again and again.
    if (failed) pause = keeping_.interval;
    const auto soon = *unkept.changed + std::min<Clock::duration>(pause, keeping_.interval);
    due = due ? std::min(*due, soon) : soon;
  }
  return due;
}

std::shared_ptr<Autosave::Handed> Autosave::handed(RunRecord record, bool own_numbers,
                                                   bool may_be_lost) {
  auto handed = std::make_shared<Handed>();
  handed->record = std::move(record);
  handed->weights = handed->record.values.raw();
  handed->own_numbers = own_numbers;
  handed->may_be_lost = may_be_lost;
  return handed;
}

void Autosave::add(std::function<void()> job, const std::vector<std::shared_ptr<Handed>>& handed) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    const std::size_t before = unsettled_.size();
    try {
      unsettled_.insert(unsettled_.end(), handed.begin(), handed.end());
    } catch (...) {
      unsettled_.resize(before);
      jobs_.pop_back();
      throw;
    }
  }
  wake_.notify_all();
}

void Autosave::keep(RunRecord record, KeptRun about, bool own_numbers) {
  if (keeps()) {
    const std::size_t bytes = 3 * record.values.bytes();
    const auto job = handed(std::move(record), own_numbers, true);
    // Of a run that another one took the place of there is no later step.
    job->may_be_later = !about.replaced && bytes > kCopiedAtOnce;
    add([this, job, about = std::move(about)] { write_kept(*job, about); }, {job});
  }
}

void Autosave::keep_bench(KeptBench bench) {
  if (keeps()) add([this, bench = std::move(bench)] { folder_.write_bench(bench); });
}

void Autosave::drop(int number) {
  if (keeps() && number != 0) add([this, number] { folder_.remove(number); });
}

void Autosave::limit_replaced(std::size_t most, std::vector<int> needed) {
  if (keeps())
    add([this, most, needed = std::move(needed)] { folder_.limit_replaced(most, needed); });
}

void Autosave::adopt(const KeptRun& run, int number) {
  if (!keeps()) return;
  const auto done = std::make_shared<bool>(false);
  add([this, run, number, done] {
    std::string problem;
    try {
      folder_.adopt(run, number);
    } catch (const std::exception& e) {
      problem = e.what();
    }
    const std::lock_guard lock(mutex_);
    *done = true;
    if (!problem.empty()) tell(problem);
    idle_.notify_all();
  });
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, kLongestWait, [&] { return *done; });
}

void Autosave::save(RunRecord record, std::filesystem::path path, bool own_numbers) {
  const auto job = handed(std::move(record), own_numbers, false);
  add([this, job,
       path = std::move(path)] { write_saved({job}, path, [&] { save_run(job->record, path); }); },
      {job});
}

void Autosave::save(BenchRecord record, std::filesystem::path path,
                    const std::vector<bool>& own_numbers) {
  std::vector<std::shared_ptr<Handed>> all;
  for (std::size_t i = 0; i < record.runs.size(); ++i)
    all.push_back(handed(std::exchange(record.runs[i].run, {}), own_numbers[i], false));
  const auto bench = std::make_shared<BenchRecord>(std::move(record));
  add(
      [this, all, bench, path = std::move(path)] {
        write_saved(all, path, [&] {
          for (std::size_t i = 0; i < all.size(); ++i) bench->runs[i].run = all[i]->record;
          save_bench(*bench, path);
        });
      },
      all);
}

std::optional<Autosave::Saved> Autosave::take_saved() {
  const std::lock_guard lock(mutex_);
  return std::exchange(saved_, {});
}

void Autosave::settle(const void* weights) {
  for (;;) {
    std::shared_ptr<Handed> job;
    bool patient = false;
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::ranges::find_if(
          unsettled_, [&](const auto& other) { return !weights || other->weights == weights; });
      if (found == unsettled_.end()) return;
      job = *found;
      patient = !giving_up_ || Clock::now() - *giving_up_ < keeping_.interval / kPatience;
    }
    if (job->may_be_later && patient) {
      const std::lock_guard lock(job->reading);
      job->in_time = false;
    } else {
      // By the writing thread, if it has begun; otherwise here, since that thread may have a slow
      // disk to wait for.
      job->copy();
    }
    std::unique_lock lock(mutex_);
    // Without memory for a copy a file is written from the run's own numbers.
    idle_.wait(lock, [&] { return job->may_be_lost || job->own_numbers || job->settled; });
    std::erase(unsettled_, job);
  }
}

void Autosave::finish() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return jobs_.empty() && !writing_; });
}

void Autosave::end() {
  finish();
  if (!keeps()) return;
  try {
    folder_.end();
  } catch (const std::exception& e) {
    const std::lock_guard lock(mutex_);
    news_.problem = e.what();
  }
}

Autosave::News Autosave::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

bool Autosave::take_kept() {
  const std::lock_guard lock(mutex_);
  return std::exchange(kept_, false);
}

void Autosave::write_jobs() {
  // When it wakes up it does not push aside the thread that has just handed a run over.
  const sched_param none{};
  (void)::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none);
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    writing_ = true;
    {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      try {
        job();
      } catch (const std::exception& e) {
        const std::lock_guard telling(mutex_);
        tell(e.what());
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

void Autosave::settled(Handed& handed) {
  handed.settled = true;
  std::erase_if(unsettled_, [&](const auto& other) { return other.get() == &handed; });
  idle_.notify_all();
}

void Autosave::write_kept(Handed& handed, const KeptRun& about) {
  const auto begun = Clock::now();
  std::string problem;
  try {
    handed.copy();
    {
      const std::lock_guard lock(mutex_);
      settled(handed);
      if (handed.given_up) {
        news_.given_up.push_back(about.number);
        if (!giving_up_) giving_up_ = Clock::now();
        return;
      }
      giving_up_.reset();
    }
    // Training went on without waiting: what is shared is no longer the run of then.
    if (!handed.problem.empty()) throw Error(handed.problem);
    folder_.write(handed.record, about);
  } catch (const std::exception& e) {
    problem = e.what();
  }
  const std::lock_guard lock(mutex_);
  took_ = Clock::now() - begun;
  failed_ = !problem.empty();
  kept_ = kept_ || !failed_;
  if (failed_) news_.lost.push_back(about.number);
  // The same trouble is told once.
  if (failed_ && problem != last_problem_) tell(problem);
  last_problem_ = std::move(problem);
}

void Autosave::write_saved(const std::vector<std::shared_ptr<Handed>>& handed,
                           const std::filesystem::path& path, const std::function<void()>& write) {
  Saved saved;
  try {
    for (const auto& run : handed) {
      run->copy();
      if (!run->own_numbers) continue;
      const std::lock_guard lock(mutex_);
      settled(*run);
    }
    write();
    saved.stamp = stamp_of(path);
  } catch (const std::exception& e) {
    saved.problem = e.what();
  }
  const std::lock_guard lock(mutex_);
  for (const auto& run : handed) settled(*run);
  saved_ = std::move(saved);
}

void Autosave::tell(const std::string& problem) {
  news_.problem = "What is not saved could not be kept for the case of a crash. " + problem;
}

}  // namespace xlab
