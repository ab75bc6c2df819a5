// The vector registers of the instruction set this file is compiled for; for .cpp files of this
// folder only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace xlab::kernels {

#if defined(__AVX512F__)
inline constexpr std::size_t kRegisterBytes = 64;
inline constexpr int kRegisters = 32;
#elif defined(__AVX__)
inline constexpr std::size_t kRegisterBytes = 32;
inline constexpr int kRegisters = 16;
#else
inline constexpr std::size_t kRegisterBytes = 16;
inline constexpr int kRegisters = 16;
#endif

template <typename T>
struct RegisterOf {
  typedef T type __attribute__((vector_size(kRegisterBytes)));
};

/// kWidth numbers side by side; arithmetic works number by number.
template <typename T>
using Register = typename RegisterOf<T>::type;
template <typename T>
inline constexpr std::int64_t kWidth = kRegisterBytes / sizeof(T);

/// Both take any address.
template <typename T>
void load(const T* from, Register<T>& to) {
  std::memcpy(&to, from, kRegisterBytes);
}

template <typename T>
void store(T* to, const Register<T>& from) {
  std::memcpy(to, &from, kRegisterBytes);
}

/// The sum over all lanes, by halves.
template <typename T>
T lane_sum(Register<T> lanes) {
  const auto fold = [&]<std::size_t... kIndex>(auto half, std::index_sequence<kIndex...>) {
    constexpr std::size_t distance = half;
    lanes += __builtin_shufflevector(lanes, lanes, static_cast<int>(kIndex ^ distance)...);
  };
  constexpr auto all = std::make_index_sequence<kWidth<T>>{};
  if constexpr (kWidth<T> >= 16) fold(std::integral_constant<std::size_t, 8>{}, all);
  if constexpr (kWidth<T> >= 8) fold(std::integral_constant<std::size_t, 4>{}, all);
  if constexpr (kWidth<T> >= 4) fold(std::integral_constant<std::size_t, 2>{}, all);
  fold(std::integral_constant<std::size_t, 1>{}, all);
  return lanes[0];
}

/// A place in an array: `kWidth` numbers from index j on, or the one at j. Arithmetic written for
/// what `load` returns serves both.
template <typename T>
struct RegisterAt {
  std::int64_t j;
  Register<T> load(const T* from) const {
    Register<T> numbers;
    std::memcpy(&numbers, from + j, kRegisterBytes);
    return numbers;
  }
  void store(T* to, Register<T> numbers) const { std::memcpy(to + j, &numbers, kRegisterBytes); }
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
  for (; j + kWidth<T> <= size; j += kWidth<T>) body(RegisterAt<T>{j});
  for (; j < size; ++j) body(SingleAt<T>{j});
}

/// A sum of what `load` returns.
template <typename T>
class Sum {
 public:
  void add(Register<T> numbers) { lanes_ += numbers; }
  void add(T number) { rest_ += number; }
  T total() const { return lane_sum<T>(lanes_) + rest_; }

 private:
  Register<T> lanes_{};
  T rest_ = 0;
};

}  // namespace xlab::kernels
