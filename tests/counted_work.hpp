// How much a thread computes, so that a test can tell little work from much on a busy machine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

namespace xlab::tests {

/// Processor time that this thread spends on an action, in seconds. Waiting does not count.
template <typename Action>
double processor_seconds(Action action) {
  const auto now = [] {
    std::timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  action();
  return now() - start;
}

/// The work of an action, in mebibytes that this thread reads byte by byte in the same time. What
/// that takes is timed beside it.
template <typename Action>
double work_of(Action action) {
  static const std::string mebibyte(std::size_t{1} << 20, 'x');
  [[maybe_unused]] static volatile std::uint32_t result = 0;
  const auto read = [] {
    std::uint32_t hash = 2166136261u;
    for (const char c : mebibyte) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    result = hash;
  };
  const double before = processor_seconds(read);
  const double spent = processor_seconds(action);
  return spent / std::max(1e-5, std::min(before, processor_seconds(read)));
}

}  // namespace xlab::tests
