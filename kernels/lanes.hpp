// Several numbers handled at once on the CPU. The order of every sum depends on lengths alone,
// never on where the numbers lie in memory: that keeps results equal from run to run.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace xlab {

/// Bytes of one register of the processor this file is compiled for, and how many there are.
#if defined(__AVX512F__)
inline constexpr int kRegisterBytes = 64, kRegisters = 32;
#elif defined(__AVX__)
inline constexpr int kRegisterBytes = 32, kRegisters = 16;
#else
inline constexpr int kRegisterBytes = 16, kRegisters = 16;
#endif

/// How many T fill one register.
template <typename T>
inline constexpr int kLanes = kRegisterBytes / static_cast<int>(sizeof(T));

template <typename T, int W>
struct LanesOf {
  typedef T Type __attribute__((vector_size(W * sizeof(T))));
};
template <typename T>
struct LanesOf<T, 1> {
  using Type = T;
};

/// W numbers that are added and multiplied like one, also with a plain number.
template <typename T, int W = kLanes<T>>
using Lanes = typename LanesOf<T, W>::Type;

template <int W, typename T>
inline Lanes<T, W> load(const T* from) {
  Lanes<T, W> x;
  std::memcpy(&x, from, sizeof(x));
  return x;
}

template <int W, typename T>
inline void store(T* to, Lanes<T, W> x) {
  std::memcpy(to, &x, sizeof(x));
}

/// One number in all lanes. (Subtracting 0 changes no number, adding it would change -0.)
template <typename T, int W = kLanes<T>>
inline Lanes<T, W> all(T x) {
  return x - Lanes<T, W>{};
}

/// a * b + c, rounded once where the processor can do that. The compiler fuses products and sums by
/// itself, but of two products it may choose another one in every loop; this keeps bits equal.
template <typename T, int W>
inline Lanes<T, W> fused(Lanes<T, W> a, Lanes<T, W> b, Lanes<T, W> c) {
#if defined(__FMA__)
  constexpr bool kNarrow = std::is_same_v<T, float>;
  if constexpr (W == 1) {
    return std::fma(a, b, c);
  } else if constexpr (sizeof(a) == 8) {
    return Lanes<T, W>{std::fma(a[0], b[0], c[0]), std::fma(a[1], b[1], c[1])};
  } else if constexpr (sizeof(a) == 16) {
    if constexpr (kNarrow) {
      return _mm_fmadd_ps(a, b, c);
    } else {
      return _mm_fmadd_pd(a, b, c);
    }
  } else if constexpr (sizeof(a) == 32) {
    if constexpr (kNarrow) {
      return _mm256_fmadd_ps(a, b, c);
    } else {
      return _mm256_fmadd_pd(a, b, c);
    }
  } else {
#if defined(__AVX512F__)
    if constexpr (kNarrow) {
      return _mm512_fmadd_ps(a, b, c);
    } else {
      return _mm512_fmadd_pd(a, b, c);
    }
#endif
  }
#else
  return a * b + c;
#endif
}

/// Asks for numbers that will soon be needed.
template <typename T>
inline void prefetch(const T* from, std::int64_t size) {
  constexpr std::int64_t line = 64 / sizeof(T);
  for (std::int64_t j = 0; j < size; j += line) __builtin_prefetch(from + j);
}

/// Calls `body.template operator()<W>(begin)` for groups of W numbers that together make up
/// [begin, end): full registers, then halves of halves of them.
template <typename T, int W = kLanes<T>, typename Body>
inline void for_lanes(std::int64_t begin, std::int64_t end, Body&& body) {
  for (; begin + W <= end; begin += W) body.template operator()<W>(begin);
  if constexpr (W > 1) for_lanes<T, W / 2>(begin, end, body);
}

template <typename T>
inline void copy(const T* from, T* to, std::int64_t size) {
  for_lanes<T>(0, size, [&]<int W>(std::int64_t j) { store<W>(to + j, load<W>(from + j)); });
}

/// to += factor * from
template <typename T>
inline void add(const T* from, T* to, std::int64_t size, T factor = T(1)) {
  for_lanes<T>(0, size, [&]<int W>(std::int64_t j) {
    store<W>(to + j, load<W>(to + j) + factor * load<W>(from + j));
  });
}

/// The sum of W numbers, by halves.
template <typename T, int W>
inline T sum(Lanes<T, W> x) {
  if constexpr (W == 1) {
    return x;
  } else {
    Lanes<T, W / 2> half[2];
    static_assert(sizeof(half) == sizeof(x));
    std::memcpy(half, &x, sizeof(x));
    return sum<T, W / 2>(half[0] + half[1]);
  }
}

template <typename T>
inline T dot(const T* a, const T* b, std::int64_t size) {
  constexpr int W = kLanes<T>;
  Lanes<T> even{}, odd{};
  std::int64_t j = 0;
  for (; j + 2 * W <= size; j += 2 * W) {
    even += load<W>(a + j) * load<W>(b + j);
    odd += load<W>(a + j + W) * load<W>(b + j + W);
  }
  T rest = T(0);
  for_lanes<T>(j, size, [&]<int N>(std::int64_t k) {
    if constexpr (N == W) {
      even += load<W>(a + k) * load<W>(b + k);
    } else {
      rest += sum<T, N>(load<N>(a + k) * load<N>(b + k));
    }
  });
  return sum<T, W>(even + odd) + rest;
}

}  // namespace xlab
