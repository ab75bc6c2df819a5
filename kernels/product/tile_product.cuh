// Products of 64 x 64 tiles that a whole block makes together: what kernels of many small matrix
// products are built of. For .cu files only.
#pragma once

#include <mma.h>

#include "kernels/device/cuda.cuh"
#include "kernels/product/precision.hpp"

namespace xlab::cuda {

/// Rows, and columns, of a tile.
inline constexpr int kTile = 64;
/// Threads of a block that makes one: 8 warps, each with 16 rows and 32 columns.
inline constexpr int kTileThreads = 256;
/// From one row of a tile in shared memory to the next: no two threads meet in one bank, and four
/// numbers can be read at once.
inline constexpr int kTileLine = kTile + 4;
/// How deep the pieces of both factors are that lie in shared memory at a time.
template <typename T>
inline constexpr int kTileDepth = sizeof(T) == 4 ? 32 : 16;

/// Numbers of shared memory that a product needs, and one whose result is laid out there.
template <typename T>
inline constexpr int kFactorNumbers = 2 * kTileDepth<T>* kTileLine;
template <typename T>
inline constexpr int kProductNumbers =
    kFactorNumbers<T> > kTile* kTileLine ? kFactorNumbers<T> : kTile* kTileLine;

/// One factor of a product sum_i a[i, row] b[i, column], in global memory. Numbers outside of it
/// are zeros.
template <typename T>
struct Factor {
  const T* first = nullptr;
  std::int64_t inner_step = 0, outer_step = 0;  ///< one of them is 1
  std::int64_t inner = 0, outer = 0;            ///< how many there are from the first on
  const T* inner_weight = nullptr;              ///< what all numbers of one i are multiplied with
  const T* outer_weight = nullptr;              ///< the same of one row or column
};

/// Where in a tile a thread works: four rows and four columns.
struct TilePlace {
  int row, column;
};
__device__ inline TilePlace tile_place() {
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  return {warp / 2 * 16 + lane / 8 * 4, warp % 2 * 32 + lane % 8 * 4};
}

/// Four numbers side by side that begin where a vector may.
__device__ inline void load_four(const float* from, float (&x)[4]) {
  const float4 all = *reinterpret_cast<const float4*>(from);
  x[0] = all.x, x[1] = all.y, x[2] = all.z, x[3] = all.w;
}
__device__ inline void load_four(const double* from, double (&x)[4]) {
  const double2 low = *reinterpret_cast<const double2*>(from);
  const double2 high = *reinterpret_cast<const double2*>(from + 2);
  x[0] = low.x, x[1] = low.y, x[2] = high.x, x[3] = high.y;
}
__device__ inline void store_four(const float (&x)[4], float* to) {
  float4 all;
  all.x = x[0], all.y = x[1], all.z = x[2], all.w = x[3];
  *reinterpret_cast<float4*>(to) = all;
}
__device__ inline void store_four(const double (&x)[4], double* to) {
  double2 low, high;
  low.x = x[0], low.y = x[1], high.x = x[2], high.y = x[3];
  *reinterpret_cast<double2*>(to) = low;
  *reinterpret_cast<double2*>(to + 2) = high;
}

/// The numbers that one thread brings from a factor to shared memory: the first one's place in a
/// piece of the factor, and the way from one to the next. Neighbouring threads read neighbours;
/// where they write across lines, they do so 8 x 4 at a time, and meet in no bank.
struct Share {
  int inner, outer, inner_by, outer_by;
};
template <typename T>
__device__ inline Share share_of(const Factor<T>& f) {
  constexpr int kAcross = kTileDepth<T> / 8, kWarps = kTileThreads / kWarp;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  if (f.inner_step != 1) return {thread / kTile, thread % kTile, kTileThreads / kTile, 0};
  return {warp % kAcross * 8 + lane % 8, warp / kAcross * 4 + lane / 8, 0, kWarps / kAcross * 4};
}

/// The numbers themselves, on their way.
template <typename T>
struct Piece {
  static constexpr int kRounds = kTileDepth<T> * kTile / kTileThreads;
  T numbers[kRounds];

  __device__ void fetch(const Factor<T>& f, const Share& own, std::int64_t begin) {
    const std::int64_t i = begin + own.inner;
    const T* from = f.first + i * f.inner_step + own.outer * f.outer_step;
    const std::int64_t by = own.inner_by * f.inner_step + own.outer_by * f.outer_step;
#pragma unroll
    for (int n = 0; n < kRounds; ++n, from += by) {
      const std::int64_t inner = i + n * own.inner_by;
      const int outer = own.outer + n * own.outer_by;
      T x = T(0);
      if (inner < f.inner && outer < f.outer) {
        x = *from;
        if (f.inner_weight != nullptr) x *= f.inner_weight[inner];
        if (f.outer_weight != nullptr) x *= f.outer_weight[outer];
      }
      numbers[n] = x;
    }
  }
  /// Into lines of `line` numbers, made what they are there by `rounded`.
  template <typename To, typename Round>
  __device__ void put(const Share& own, int line, To* to, Round rounded) const {
    to += own.inner * line + own.outer;
#pragma unroll
    for (int n = 0; n < kRounds; ++n) {
      to[n * (own.inner_by * line + own.outer_by)] = rounded(numbers[n]);
    }
  }
};

/// The sum of products that a block builds up in its registers, starting with zeros.
template <typename T>
class ExactProduct {
 public:
  /// `memory` is shared memory for kFactorNumbers, or kProductNumbers where `spread` is called.
  __device__ explicit ExactProduct(T* memory) : memory_(memory) {}

  /// this += sum_i a[i, row] b[i, column]; both factors are equally deep.
  __device__ void add(const Factor<T>& a, const Factor<T>& b) {
    constexpr int kDepth = kTileDepth<T>;
    T* const a_lines = memory_;
    T* const b_lines = memory_ + kDepth * kTileLine;
    const TilePlace own = tile_place();
    const Share a_share = share_of(a), b_share = share_of(b);
    Piece<T> next_a, next_b;
    next_a.fetch(a, a_share, 0);
    next_b.fetch(b, b_share, 0);
    for (std::int64_t begin = 0; begin < a.inner; begin += kDepth) {
      __syncthreads();  // whoever still reads what lies there
      next_a.put(a_share, kTileLine, a_lines, [](T x) { return x; });
      next_b.put(b_share, kTileLine, b_lines, [](T x) { return x; });
      __syncthreads();
      if (begin + kDepth < a.inner) {
        next_a.fetch(a, a_share, begin + kDepth);
        next_b.fetch(b, b_share, begin + kDepth);
      }
#pragma unroll 8
      for (int i = 0; i < kDepth; ++i) {
        T x[4], y[4];
        load_four(a_lines + i * kTileLine + own.row, x);
        load_four(b_lines + i * kTileLine + own.column, y);
#pragma unroll
        for (int r = 0; r < 4; ++r) {
#pragma unroll
          for (int c = 0; c < 4; ++c) sums_[r][c] += x[r] * y[c];
        }
      }
    }
  }

  __device__ void scale(T factor) {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
#pragma unroll
      for (int c = 0; c < 4; ++c) sums_[r][c] *= factor;
    }
  }

  /// Begins with the tile that lies in the memory of this product, in lines of kTileLine.
  __device__ void take() {
    const TilePlace own = tile_place();
#pragma unroll
    for (int r = 0; r < 4; ++r)
      load_four(memory_ + (own.row + r) * kTileLine + own.column, sums_[r]);
  }

  /// Lays the sums out in the memory of this product, in lines of kTileLine, for all threads.
  __device__ const T* spread() {
    __syncthreads();
    const TilePlace own = tile_place();
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      store_four(sums_[r], memory_ + (own.row + r) * kTileLine + own.column);
    }
    __syncthreads();
    return memory_;
  }

  /// Calls `body(r, row, column, four)` for r in [0, 4) with four sums that lie side by side; the
  /// same places of a tile come to the same thread in every product.
  template <typename Body>
  __device__ void visit(Body body) {
    const TilePlace own = tile_place();
#pragma unroll
    for (int r = 0; r < 4; ++r) body(r, own.row + r, own.column, sums_[r]);
  }

 private:
  T* memory_;
  T sums_[4][4] = {};
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
/// What tensor cores make of f32 factors.
template <MatrixPrecision P>
struct Rounding;
template <>
struct Rounding<MatrixPrecision::tf32> {
  using Number = float;
  using Element = nvcuda::wmma::precision::tf32;
  static constexpr int kSteps = 8, kLine = kTileLine;
  __device__ static Number of(float x) { return nvcuda::wmma::__float_to_tf32(x); }
};
template <>
struct Rounding<MatrixPrecision::bf16> {
  using Number = __nv_bfloat16;
  using Element = __nv_bfloat16;
  static constexpr int kSteps = 16, kLine = kTile + 8;  // fragments begin at every 32 bytes
  __device__ static Number of(float x) { return __float2bfloat16(x); }
};

/// The same as ExactProduct<float>, by tensor cores that round the factors.
template <MatrixPrecision P>
class RoundedProduct {
 public:
  __device__ explicit RoundedProduct(float* memory) : memory_(memory) {
    for (auto& sum : sums_) nvcuda::wmma::fill_fragment(sum, 0.0f);
  }

  __device__ void add(const Factor<float>& a, const Factor<float>& b) {
    using nvcuda::wmma::fragment;
    using Number = typename Rounding<P>::Number;
    using Element = typename Rounding<P>::Element;
    constexpr int kDepth = kTileDepth<float>, kLine = Rounding<P>::kLine,
                  kSteps = Rounding<P>::kSteps;
    Number* const a_lines = reinterpret_cast<Number*>(memory_);
    Number* const b_lines = a_lines + kDepth * kLine;
    const auto round = [](float x) { return Rounding<P>::of(x); };
    const Share a_share = share_of(a), b_share = share_of(b);
    Piece<float> next_a, next_b;
    next_a.fetch(a, a_share, 0);
    next_b.fetch(b, b_share, 0);
    for (std::int64_t begin = 0; begin < a.inner; begin += kDepth) {
      __syncthreads();  // whoever still reads what lies there
      next_a.put(a_share, kLine, a_lines, round);
      next_b.put(b_share, kLine, b_lines, round);
      __syncthreads();
      if (begin + kDepth < a.inner) {
        next_a.fetch(a, a_share, begin + kDepth);
        next_b.fetch(b, b_share, begin + kDepth);
      }
#pragma unroll
      for (int i = 0; i < kDepth; i += kSteps) {
        fragment<nvcuda::wmma::matrix_a, 16, 16, kSteps, Element, nvcuda::wmma::col_major> x;
        nvcuda::wmma::load_matrix_sync(x, a_lines + i * kLine + row(), kLine);
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          fragment<nvcuda::wmma::matrix_b, 16, 16, kSteps, Element, nvcuda::wmma::row_major> y;
          nvcuda::wmma::load_matrix_sync(y, b_lines + i * kLine + column(c), kLine);
          nvcuda::wmma::mma_sync(sums_[c], x, y, sums_[c]);
        }
      }
    }
  }

  __device__ void scale(float factor) {
    for (auto& sum : sums_) {
#pragma unroll
      for (int e = 0; e < sum.num_elements; ++e) sum.x[e] *= factor;
    }
  }

  __device__ void take() {
    for (int c = 0; c < 2; ++c) {
      nvcuda::wmma::load_matrix_sync(sums_[c], memory_ + row() * kTileLine + column(c), kTileLine,
                                     nvcuda::wmma::mem_row_major);
    }
  }

  __device__ const float* spread() {
    __syncthreads();
    store();
    __syncthreads();
    return memory_;
  }

  template <typename Body>
  __device__ void visit(Body body) {
    __syncthreads();
    store();
    __syncwarp();  // a warp visits what it has made itself
    const TilePlace own = tile_place();
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      float four[4];
      load_four(memory_ + (own.row + r) * kTileLine + own.column, four);
      body(r, own.row + r, own.column, four);
    }
  }

 private:
  __device__ static int row() {
    return static_cast<int>(threadIdx.x) / kWarp / 2 * 16;
  }
  __device__ static int column(int c) {
    return static_cast<int>(threadIdx.x) / kWarp % 2 * 32 + c * 16;
  }
  __device__ void store() {
    for (int c = 0; c < 2; ++c) {
      nvcuda::wmma::store_matrix_sync(memory_ + row() * kTileLine + column(c), sums_[c], kTileLine,
                                      nvcuda::wmma::mem_row_major);
    }
  }

  float* memory_;
  nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, Rounding<P>::kSteps, float> sums_[2];
};
#else
/// Older cards have no tensor cores for these numbers.
template <MatrixPrecision P>
class RoundedProduct : public ExactProduct<float> {
 public:
  using ExactProduct<float>::ExactProduct;
};
#endif

}  // namespace xlab::cuda
