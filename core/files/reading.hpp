// How far the reading of large files is.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/check.hpp"

namespace xlab {

/// Somebody did not want it any more.
struct ReadingCancelled : Error {
  ReadingCancelled() : Error("Reading was cancelled.") {}
};

/// Looked at and cancelled by any thread while another one reads.
struct Reading {
  std::atomic<std::uint64_t> bytes = 0;  ///< read so far
  std::atomic<std::uint64_t> total = 0;  ///< 0 as long as it is not known
  std::atomic<bool> cancelled = false;   ///< the reader soon throws `ReadingCancelled`

  /// For the reader, between two things that take a while.
  void look() const {
    if (cancelled) throw ReadingCancelled();
  }
};

}  // namespace xlab
