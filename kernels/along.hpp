// Arithmetic along an array, written once for whole registers and for what is left behind them; for
// .cpp files of this folder only.
#pragma once

#include <cstdint>

#include "kernels/lanes.hpp"

namespace xlab::kernels {

/// A place in an array: `kLanes<T>` numbers from index j on, or the one at j. Arithmetic written
/// for what `load` returns serves both.
template <typename T>
struct LanesAt {
  std::int64_t j;
  Lanes<T> load(const T* from) const { return xlab::load<kLanes<T>>(from + j); }
  void store(T* to, Lanes<T> numbers) const { xlab::store<kLanes<T>>(to + j, numbers); }
};

template <typename T>
struct SingleAt {
  std::int64_t j;
  T load(const T* from) const { return from[j]; }
  void store(T* to, T number) const { to[j] = number; }
};

/// Calls `body(place)` for [0, size): whole registers first, then single numbers. The order does
/// not depend on where the numbers lie in memory.
template <typename T, typename Body>
void along(std::int64_t size, Body&& body) {
  std::int64_t j = 0;
  for (; j + kLanes<T> <= size; j += kLanes<T>) body(LanesAt<T>{j});
  for (; j < size; ++j) body(SingleAt<T>{j});
}

/// A sum of what `load` returns.
template <typename T>
class Sum {
 public:
  void add(Lanes<T> numbers) { lanes_ += numbers; }
  void add(T number) { rest_ += number; }
  T total() const { return sum<T, kLanes<T>>(lanes_) + rest_; }

 private:
  Lanes<T> lanes_{};
  T rest_ = 0;
};

}  // namespace xlab::kernels
