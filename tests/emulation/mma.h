// Products of matrices by a whole warp, for tests only: what the kernels of this project use of
// NVIDIA's header of the same name. Every lane's fragment holds all numbers of its matrix.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cuda_runtime.h"

/// The upper half of a float.
struct __nv_bfloat16 {
  std::uint16_t bits;
};

namespace emulation {
/// The number that has `digits` fewer bits, ties to even.
inline float rounded(float x, int digits) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) {
    const std::uint32_t half = 1u << (digits - 1);
    bits += half - 1 + (bits >> digits & 1u);
    bits &= ~((half << 1) - 1);
  }
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
}  // namespace emulation

inline __nv_bfloat16 __float2bfloat16(float x) {
  const float rounded = emulation::rounded(x, 16);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &rounded, sizeof bits);
  return {static_cast<std::uint16_t>(bits >> 16)};
}

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32 {};
}  // namespace precision

inline float __float_to_tf32(float x) {
  return emulation::rounded(x, 13);
}

template <typename Use, int M, int N, int K, typename Number, typename Layout = void>
struct fragment {
  static constexpr int rows = std::is_same_v<Use, matrix_b> ? K : M;
  static constexpr int columns = std::is_same_v<Use, matrix_a> ? K : N;
  static constexpr int num_elements = rows * columns;
  float x[num_elements];
};

template <typename Fragment>
void fill_fragment(Fragment& to, float value) {
  for (float& x : to.x) x = value;
}

inline float as_float(float x) {
  return emulation::rounded(x, 13);  // the bits of a float that tensor cores look at
}
inline float as_float(__nv_bfloat16 x) {
  return __int_as_float(static_cast<int>(std::uint32_t{x.bits} << 16));
}

template <typename Use, int M, int N, int K, typename Number, typename Layout, typename From>
void load_matrix_sync(fragment<Use, M, N, K, Number, Layout>& to, const From* from, unsigned line) {
  using Fragment = fragment<Use, M, N, K, Number, Layout>;
  constexpr bool by_rows = std::is_same_v<Layout, row_major>;
  for (int r = 0; r < Fragment::rows; ++r) {
    for (int c = 0; c < Fragment::columns; ++c) {
      const unsigned at = by_rows ? r * line + c : c * line + r;
      to.x[r * Fragment::columns + c] = as_float(from[at]);
    }
  }
}

template <int M, int N, int K>
void load_matrix_sync(fragment<accumulator, M, N, K, float>& to, const float* from, unsigned line,
                      layout_t) {
  for (int r = 0; r < M; ++r) {
    for (int c = 0; c < N; ++c) to.x[r * N + c] = from[r * line + c];
  }
}
template <int M, int N, int K>
void store_matrix_sync(float* to, const fragment<accumulator, M, N, K, float>& from, unsigned line,
                       layout_t) {
  for (int r = 0; r < M; ++r) {
    for (int c = 0; c < N; ++c) to[r * line + c] = from.x[r * N + c];
  }
}

template <int M, int N, int K, typename Number, typename A, typename B>
void mma_sync(fragment<accumulator, M, N, K, float>& to,
              const fragment<matrix_a, M, N, K, Number, A>& a,
              const fragment<matrix_b, M, N, K, Number, B>& b,
              const fragment<accumulator, M, N, K, float>& from) {
  for (int r = 0; r < M; ++r) {
    for (int c = 0; c < N; ++c) {
      float sum = from.x[r * N + c];
      for (int k = 0; k < K; ++k) sum += a.x[r * K + k] * b.x[k * N + c];
      to.x[r * N + c] = sum;
    }
  }
}

}  // namespace nvcuda::wmma
