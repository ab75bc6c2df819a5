// The emulated cuBLAS: products of column-major matrices in device memory. It refuses what the real
// one refuses, and insists on a stream and a workspace of the caller's.
#include "cublas_v2.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "emulation.hpp"

struct EmulatedCublas {
  cudaStream_t stream = nullptr;
  bool has_workspace = false;
  cublasMath_t mode = CUBLAS_DEFAULT_MATH;
};

namespace emulation {
namespace {

int newest_version = CUBLAS_VER_MAJOR;
bool refuses = false;
long product_count = 0;

cublasStatus_t create(cublasHandle_t* handle) {
  *handle = new EmulatedCublas;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t destroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_stream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  handle->has_workspace = false;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_workspace(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  if (workspace == nullptr || bytes == 0) return CUBLAS_STATUS_INVALID_VALUE;
  handle->has_workspace = true;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_math_mode(cublasHandle_t handle, cublasMath_t mode) {
  handle->mode = mode;
  return CUBLAS_STATUS_SUCCESS;
}

/// x rounded to nearest with so many bits behind the point.
float rounded(float x, int bits) {
  if (!std::isfinite(x)) return x;
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, bits + 1)), exponent - bits - 1);
}

template <typename T>
T as_factor(T x, cublasComputeType_t type) {
  if (type == CUBLAS_COMPUTE_32F_FAST_TF32)
    return static_cast<T>(rounded(static_cast<float>(x), 10));
  if (type == CUBLAS_COMPUTE_32F_FAST_16BF)
    return static_cast<T>(rounded(static_cast<float>(x), 7));
  return x;
}

/// Matrices of a product: where they begin and how far their columns and neighbours lie apart.
template <typename T>
struct Matrix {
  T* data;
  long long column, next;
};

/// c = a b + beta c for one product: m x k by k x n.
template <typename T>
void multiply(long long m, long long n, long long k, const Matrix<const T>& a, bool a_turned,
              const Matrix<const T>& b, bool b_turned, T beta, const Matrix<T>& c,
              cublasComputeType_t type) {
  std::vector<T> columns(static_cast<std::size_t>(m * k)), sums(static_cast<std::size_t>(m));
  for (long long p = 0; p < k; ++p) {
    for (long long i = 0; i < m; ++i)
      columns[static_cast<std::size_t>(p * m + i)] =
          as_factor(a.data[a_turned ? i * a.column + p : p * a.column + i], type);
  }
  for (long long j = 0; j < n; ++j) {
    T* const sum = sums.data();
    for (long long i = 0; i < m; ++i) sum[i] = T(0);
    for (long long p = 0; p < k; ++p) {
      const T factor = as_factor(b.data[b_turned ? p * b.column + j : j * b.column + p], type);
      const T* const column = columns.data() + p * m;
      for (long long i = 0; i < m; ++i) sum[i] += factor * column[i];
    }
    T* const out = c.data + j * c.column;
    // What c held before does not count where it is not wanted, not even a NaN.
    for (long long i = 0; i < m; ++i) out[i] = beta == T(0) ? sum[i] : beta * out[i] + sum[i];
  }
}

template <typename T>
cublasStatus_t product(cublasOperation_t a_as, cublasOperation_t b_as, int m, int n, int k,
                       const void* alpha, Matrix<const void> a, Matrix<const void> b,
                       const void* beta, Matrix<void> c, int count, cublasComputeType_t type) {
  const T start = *static_cast<const T*>(beta);
  if (*static_cast<const T*>(alpha) != T(1)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const int error = launch("cublas", dim3(1), 1, 0, [=] {
    for (long long index = 0; index < count; ++index) {
      multiply<T>(m, n, k, {static_cast<const T*>(a.data) + index * a.next, a.column, a.next},
                  a_as == CUBLAS_OP_T,
                  {static_cast<const T*>(b.data) + index * b.next, b.column, b.next},
                  b_as == CUBLAS_OP_T, start,
                  {static_cast<T*>(c.data) + index * c.next, c.column, c.next}, type);
    }
  });
  if (error != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  ++product_count;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t gemm_batch(cublasHandle_t handle, cublasOperation_t a_as, cublasOperation_t b_as,
                          int m, int n, int k, const void* alpha, const void* a,
                          cudaDataType a_type, int a_column, long long a_next, const void* b,
                          cudaDataType b_type, int b_column, long long b_next, const void* beta,
                          void* c, cudaDataType c_type, int c_column, long long c_next, int count,
                          cublasComputeType_t type, cublasGemmAlgo_t) {
  if (handle == nullptr || handle->stream == nullptr || !handle->has_workspace)
    return CUBLAS_STATUS_NOT_INITIALIZED;
  if (refuses) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool possible = m >= 0 && n >= 0 && k >= 0 && count >= 0 &&
                        a_column >= (a_as == CUBLAS_OP_N ? m : k) &&
                        b_column >= (b_as == CUBLAS_OP_N ? k : n) && c_column >= m;
  if (!possible) return CUBLAS_STATUS_INVALID_VALUE;
  if (a_type != c_type || b_type != c_type) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool pedantic = type == CUBLAS_COMPUTE_32F_PEDANTIC || type == CUBLAS_COMPUTE_64F_PEDANTIC;
  if (pedantic != (handle->mode == CUBLAS_PEDANTIC_MATH)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if ((type == CUBLAS_COMPUTE_64F_PEDANTIC) != (c_type == CUDA_R_64F))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto run = c_type == CUDA_R_64F ? product<double> : product<float>;
  return run(a_as, b_as, m, n, k, alpha, {a, a_column, a_next}, {b, b_column, b_next}, beta,
             {c, c_column, c_next}, count, type);
}

cublasStatus_t gemm(cublasHandle_t handle, cublasOperation_t a_as, cublasOperation_t b_as, int m,
                    int n, int k, const void* alpha, const void* a, cudaDataType a_type,
                    int a_column, const void* b, cudaDataType b_type, int b_column,
                    const void* beta, void* c, cudaDataType c_type, int c_column,
                    cublasComputeType_t type, cublasGemmAlgo_t algorithm) {
  return gemm_batch(handle, a_as, b_as, m, n, k, alpha, a, a_type, a_column, 0, b, b_type, b_column,
                    0, beta, c, c_type, c_column, 0, 1, type, algorithm);
}

}  // namespace

void* open_library(const char* name) {
  static int library = 0;
  const std::string own = "libcublas.so." + std::to_string(newest_version);
  return newest_version > 0 && name == own ? &library : nullptr;
}

void* find_function(void*, const char* name) {
  const auto is = [&](const char* wanted) { return std::strcmp(name, wanted) == 0; };
  if (is("cublasCreate_v2")) return reinterpret_cast<void*>(create);
  if (is("cublasDestroy_v2")) return reinterpret_cast<void*>(destroy);
  if (is("cublasSetStream_v2")) return reinterpret_cast<void*>(set_stream);
  if (is("cublasSetWorkspace_v2")) return reinterpret_cast<void*>(set_workspace);
  if (is("cublasSetMathMode")) return reinterpret_cast<void*>(set_math_mode);
  if (is("cublasGemmEx")) return reinterpret_cast<void*>(gemm);
  if (is("cublasGemmStridedBatchedEx")) return reinterpret_cast<void*>(gemm_batch);
  return nullptr;
}

void set_cublas_version(int major) {
  newest_version = major;
}
void set_cublas_refuses(bool wanted) {
  refuses = wanted;
}
long cublas_products() {
  return product_count;
}

}  // namespace emulation
