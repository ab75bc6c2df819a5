// Memory that runs out when a test says so: the program's operator new is the test's own.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>

namespace xlab::tests {

/// Requests for at least so many bytes fail.
inline std::atomic<std::size_t> largest_memory{std::numeric_limits<std::size_t>::max()};
/// So many requests more are granted to threads that say `memory_may_fail`, then one fails; below
/// zero: none does.
inline std::atomic<long> granted_memory{-1};
inline thread_local bool memory_may_fail = false;
/// How many have failed.
inline std::atomic<long> failed_memory{0};

}  // namespace xlab::tests
