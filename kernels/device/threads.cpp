// A pool of sleeping threads. The caller always takes part, so that a late worker costs nothing
// but its help; waiting spins for a moment at most, because a stalled spin would steal the core
// from whoever is to be waited for.
#include "kernels/device/threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/check.hpp"

namespace xlab {
namespace {

constexpr auto kSpin = std::chrono::microseconds(20);
constexpr int kMostThreads = 1024;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Spins until `ready()` holds or the moment is over.
template <typename Ready>
void spin_briefly(Ready&& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
}

// True on a thread that is running a chunk right now: its own calls run in place.
thread_local bool inside_chunk = false;

/// One call of parallel_for. Lives on the caller's stack.
struct Job {
  const std::function<void(std::int64_t)>& body;
  const std::int64_t chunks;
  std::atomic<std::int64_t> next{0};
  std::mutex failure_mutex{};
  std::exception_ptr failure{};
  std::int64_t failed_chunk = std::numeric_limits<std::int64_t>::max();

  /// Runs chunks until none is left. Chunks are taken in order and a taken one is always finished,
  /// so the failure of the lowest chunk is found whoever ran it.
  void work() {
    const bool outer = std::exchange(inside_chunk, true);
    for (;;) {
      const std::int64_t chunk = next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= chunks) break;
      try {
        body(chunk);
      } catch (...) {
        next.store(chunks, std::memory_order_relaxed);
        const std::lock_guard lock(failure_mutex);
        if (chunk < failed_chunk) {
          failed_chunk = chunk;
          failure = std::current_exception();
        }
      }
    }
    inside_chunk = outer;
  }
};

/// `use_` is held for the length of a job or of a change of size; `mutex_` guards `job_`,
/// `sleeping_` and `stop_`. `round_` and `busy_` change under `mutex_` but are also read by
/// spinning threads.
class Pool {
 public:
  Pool() : count_(cores()) {}
  ~Pool() { stop_workers(); }

  static int cores() {
    return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
  }

  int count() const { return count_.load(std::memory_order_relaxed); }

  void resize(int count) {
    check(count >= 0 && count <= kMostThreads, "{} threads are not possible: give 0 to {}.", count,
          kMostThreads);
    check(!inside_chunk, "The number of threads cannot change from inside parallel work.");
    const std::lock_guard use(use_);
    stop_workers();
    count_ = count == 0 ? cores() : count;
  }

  void run(std::int64_t chunks, const std::function<void(std::int64_t)>& body) {
    if (chunks > 1 && count() > 1 && !inside_chunk) {
      const std::unique_lock use(use_, std::try_to_lock);
      if (use.owns_lock()) {
        share(chunks, body);
        return;
      }
    }
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk);
  }

 private:
  void share(std::int64_t chunks, const std::function<void(std::int64_t)>& body) {
    start_workers();
    Job job{body, chunks};
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      round_.fetch_add(1, std::memory_order_release);
      wake = sleeping_ > 0;
    }
    if (wake) {
      if (chunks == 2) {
        woken_.notify_one();
      } else {
        woken_.notify_all();
      }
    }
    job.work();
    {
      // From here on nobody new can join; whoever has joined still holds a pointer to the job.
      const std::lock_guard lock(mutex_);
      job_ = nullptr;
    }
    const auto idle = [this] { return busy_.load(std::memory_order_acquire) == 0; };
    spin_briefly(idle);
    if (!idle()) {
      std::unique_lock lock(mutex_);
      done_.wait(lock, idle);
    }
    if (job.failure) std::rethrow_exception(job.failure);
  }

  void serve() {
    std::uint64_t seen = 0;
    for (;;) {
      spin_briefly([&] { return round_.load(std::memory_order_acquire) != seen; });
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        ++sleeping_;
        woken_.wait(lock, [&] { return stop_ || round_.load() != seen; });
        --sleeping_;
        if (stop_) return;
        seen = round_.load();
        job = job_;
        if (job != nullptr) busy_.fetch_add(1, std::memory_order_relaxed);
      }
      if (job == nullptr) continue;
      job->work();
      const std::lock_guard lock(mutex_);
      if (busy_.fetch_sub(1, std::memory_order_release) == 1) done_.notify_one();
    }
  }

  void start_workers() {
    while (static_cast<int>(workers_.size()) < count() - 1) {
      workers_.emplace_back([this] { serve(); });
    }
  }

  void stop_workers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      // Also ends the spinning of a worker that has just finished a job.
      round_.fetch_add(1, std::memory_order_release);
    }
    woken_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stop_ = false;
  }

  std::atomic<int> count_;
  std::mutex use_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable woken_, done_;
  Job* job_ = nullptr;
  int sleeping_ = 0;
  bool stop_ = false;
  std::atomic<std::uint64_t> round_{0};
  std::atomic<int> busy_{0};
};

Pool& pool() {
  static Pool instance;
  return instance;
}

}  // namespace

void set_threads(int count) {
  pool().resize(count);
}

int threads() {
  return pool().count();
}

void parallel_for(std::int64_t chunks, const std::function<void(std::int64_t)>& body) {
  pool().run(chunks, body);
}

void parallel_ranges(std::int64_t size, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  check(grain > 0, "Work cannot be cut into pieces of {}.", grain);
  if (size <= 0) return;
  if (size <= grain) {
    body(0, size);
    return;
  }
  parallel_for((size + grain - 1) / grain, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * grain;
    body(begin, std::min(size, begin + grain));
  });
}

}  // namespace xlab
