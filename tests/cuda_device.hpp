// The card that tests of CUDA run on: an emulated one, or the first real one.
#pragma once

#include <gtest/gtest.h>

#include "kernels/device/device.hpp"

#if __has_include(<emulation.hpp>)
#include <cuda_runtime.h>

#include <emulation.hpp>
#endif

namespace xlab::tests {

/// In SetUp or a test's body: leaves the test, with the reason, where there is no card.
#define SKIP_WITHOUT_CUDA() \
  if (::xlab::devices().size() < 2) GTEST_SKIP() << ::xlab::why_no_cuda()

#ifdef XLAB_EMULATION
/// How many orders an emulated card can run its threads in.
inline constexpr int kOrders = 3;

/// The order threads run in as long as it lives.
class OrderOfThreads {
 public:
  explicit OrderOfThreads(int order) { emulation::set_order(static_cast<emulation::Order>(order)); }
  ~OrderOfThreads() { emulation::set_order(emulation::Order::ascending); }
};
#else
/// A real card has its own order, another one each time.
inline constexpr int kOrders = 3;
class OrderOfThreads {
 public:
  explicit OrderOfThreads(int) {}
  ~OrderOfThreads() {}
};
#endif

}  // namespace xlab::tests
