// Large matrix products by cuBLAS, which is opened when the first one comes and never linked: a
// computer with nothing but NVIDIA's driver runs the same program.
#include "kernels/product/cublas.hpp"

#include <cublas_v2.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <type_traits>

#include "kernels/device/cuda.cuh"
#include "kernels/product/precision.hpp"

#ifdef __CUDACC__
#include <dlfcn.h>
#endif

namespace xlab::cuda {
namespace cublas {

#ifdef __CUDACC__
void* open_library(const char* name) {
  return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}
void* find_function(void* library, const char* name) {
  return dlsym(library, name);
}
#else
using emulation::find_function;
using emulation::open_library;
#endif

/// What is used of cuBLAS. The library's major version may be another one than the header's: these
/// functions have been the same since 11.
struct Functions {
  cublasStatus_t (*create)(cublasHandle_t*) = nullptr;
  cublasStatus_t (*destroy)(cublasHandle_t) = nullptr;
  cublasStatus_t (*set_stream)(cublasHandle_t, cudaStream_t) = nullptr;
  cublasStatus_t (*set_workspace)(cublasHandle_t, void*, std::size_t) = nullptr;
  cublasStatus_t (*set_math_mode)(cublasHandle_t, cublasMath_t) = nullptr;
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                         const void*, const void*, cudaDataType, int, const void*, cudaDataType,
                         int, const void*, void*, cudaDataType, int, cublasComputeType_t,
                         cublasGemmAlgo_t) = nullptr;
  cublasStatus_t (*gemm_batch)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                               const void*, const void*, cudaDataType, int, long long, const void*,
                               cudaDataType, int, long long, const void*, void*, cudaDataType, int,
                               long long, int, cublasComputeType_t, cublasGemmAlgo_t) = nullptr;
  bool there = false;
};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find_function(library, name));
  return function != nullptr;
}

void* open_any_library() {
  for (const int major : {CUBLAS_VER_MAJOR, 13, 12, 11}) {
    void* const library = open_library(("libcublas.so." + std::to_string(major)).c_str());
    if (library != nullptr) return library;
  }
  return open_library("libcublas.so");
}

Functions found_functions() {
  Functions f;
  void* const library = open_any_library();
  f.there = library != nullptr && find(library, "cublasCreate_v2", f.create) &&
            find(library, "cublasDestroy_v2", f.destroy) &&
            find(library, "cublasSetStream_v2", f.set_stream) &&
            find(library, "cublasSetWorkspace_v2", f.set_workspace) &&
            find(library, "cublasSetMathMode", f.set_math_mode) &&
            find(library, "cublasGemmEx", f.gemm) &&
            find(library, "cublasGemmStridedBatchedEx", f.gemm_batch);
  return f;
}

const Functions& functions() {
  static const Functions found = found_functions();
  return found;
}

// What cuBLAS asks for on Hopper; less would do elsewhere. With memory of its own for one stream it
// gives the same bits every time and asks for none while a graph is recorded. An emulated one has
// no use for it.
constexpr std::size_t kWorkspace = kEmulated ? 1 << 12 : std::size_t{32} << 20;
constexpr int kMostDevices = 64;

/// cuBLAS on one device.
struct Opened {
  std::mutex mutex;  // held around calls: a handle serves one thread at a time
  bool tried = false;
  cublasHandle_t handle = nullptr;
  void* workspace = nullptr;
  cudaStream_t stream = nullptr;  // where its work goes
};

Opened& opened_on(int device) {
  // Never destroyed: the driver may be gone by the time static objects are.
  static auto& all = *new std::array<Opened, kMostDevices>;
  return all[static_cast<std::size_t>(device)];
}

bool is_recording() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_call("cudaStreamIsCapturing", cudaStreamIsCapturing(stream(), &status));
  return status != cudaStreamCaptureStatusNone;
}

/// Lets the work go where this thread's other work goes: that is another stream while it is
/// recorded.
bool follow_stream(Opened& device, const Functions& f) {
  if (device.stream == stream()) return true;
  // The stream first: setting it puts the workspace back to one that cuBLAS allocates.
  if (f.set_stream(device.handle, stream()) != CUBLAS_STATUS_SUCCESS ||
      f.set_workspace(device.handle, device.workspace, kWorkspace) != CUBLAS_STATUS_SUCCESS) {
    return false;
  }
  device.stream = stream();
  return true;
}

/// Makes the handle of the device in use; without it there is none from now on.
void open(Opened& device, const Functions& f) {
  device.tried = true;
  device.workspace = allocate(kWorkspace);
  if (device.workspace == nullptr) {
    release_cached_memory();
    device.workspace = allocate(kWorkspace);
  }
  if (device.workspace == nullptr) return;
  if (f.create(&device.handle) == CUBLAS_STATUS_SUCCESS) {
    if (follow_stream(device, f)) return;
    f.destroy(device.handle);
  }
  device.handle = nullptr;
  release(device.workspace);
}

struct Arithmetic {
  cublasComputeType_t type;
  cublasMath_t mode;
};

/// `exact` forbids every shortcut, also those the user's environment asks of cuBLAS.
template <typename T>
Arithmetic arithmetic() {
  if (std::is_same<T, double>::value) return {CUBLAS_COMPUTE_64F_PEDANTIC, CUBLAS_PEDANTIC_MATH};
  switch (matrix_precision()) {
    case MatrixPrecision::tf32:
      return {CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_DEFAULT_MATH};
    case MatrixPrecision::bf16:
      return {CUBLAS_COMPUTE_32F_FAST_16BF, CUBLAS_DEFAULT_MATH};
    case MatrixPrecision::exact:
      break;
  }
  return {CUBLAS_COMPUTE_32F_PEDANTIC, CUBLAS_PEDANTIC_MATH};
}

// Below any of these a stream of numbers or a few tiles are done sooner.
constexpr std::int64_t kLeastWork = 1 << 18, kLeastSide = 8;

template <typename T>
bool suits(const kernels::Product<T>& x, const Batch& batch) {
  const std::int64_t sizes[] = {x.m, x.n, x.k, x.a.stride, x.b.stride, x.c_stride, batch.count};
  for (const std::int64_t size : sizes) {
    if (size > INT_MAX) return false;
  }
  return x.m >= kLeastSide && x.n >= kLeastSide && x.k > 0 &&
         static_cast<double>(x.m) * static_cast<double>(x.n) * static_cast<double>(x.k) >=
             static_cast<double>(kLeastWork);
}

/// Writes the bias to every row of every result.
template <typename T>
void begin_with_bias(const kernels::Product<T>& x, const Batch& batch) {
  const std::int64_t m = x.m, n = x.n, stride = x.c_stride, next = batch.c, bias_next = batch.bias;
  const T* const bias = x.bias;
  T* const c = x.c;
  for_each("product_bias", batch.count * m * n, [=] __device__(std::int64_t at) {
    const std::int64_t j = at % n, i = at / n % m, index = at / n / m;
    c[index * next + i * stride + j] = bias[index * bias_next + j];
  });
}

std::atomic<bool> allowed = true;

}  // namespace cublas

void allow_cublas(bool allowed) {
  cublas::allowed = allowed;
}

template <typename T>
bool cublas_gemm(const kernels::Product<T>& x, const Batch& batch) {
  using namespace cublas;
  if (!cublas::allowed || !suits(x, batch)) return false;
  const Functions& f = functions();
  if (!f.there) return false;
  Opened& device = opened_on(current_device());
  const std::lock_guard<std::mutex> lock(device.mutex);
  if (!device.tried) {
    if (is_recording()) return false;
    open(device, f);
  }
  if (device.handle == nullptr || !follow_stream(device, f)) return false;
  const Arithmetic how = arithmetic<T>();
  if (f.set_math_mode(device.handle, how.mode) != CUBLAS_STATUS_SUCCESS) return false;

  const bool from_bias = !x.accumulate && x.bias != nullptr;
  if (from_bias) begin_with_bias(x, batch);
  // cuBLAS counts along columns first, so that it sees every matrix transposed: c^T = b^T a^T.
  const T one = T(1), start = x.accumulate || from_bias ? T(1) : T(0);
  constexpr cudaDataType type = std::is_same<T, double>::value ? CUDA_R_64F : CUDA_R_32F;
  const cublasOperation_t b_as = x.b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                          a_as = x.a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const int m = static_cast<int>(x.m), n = static_cast<int>(x.n), k = static_cast<int>(x.k),
            a_stride = static_cast<int>(x.a.stride), b_stride = static_cast<int>(x.b.stride),
            c_stride = static_cast<int>(x.c_stride);
  const cublasStatus_t status =
      batch.count == 1
          ? f.gemm(device.handle, b_as, a_as, n, m, k, &one, x.b.data, type, b_stride, x.a.data,
                   type, a_stride, &start, x.c, type, c_stride, how.type, CUBLAS_GEMM_DEFAULT)
          : f.gemm_batch(device.handle, b_as, a_as, n, m, k, &one, x.b.data, type, b_stride,
                         batch.b, x.a.data, type, a_stride, batch.a, &start, x.c, type, c_stride,
                         batch.c, static_cast<int>(batch.count), how.type, CUBLAS_GEMM_DEFAULT);
  if (status == CUBLAS_STATUS_SUCCESS) return true;
  // Its error must not be taken for one of the next call. A lost device says so again.
  cudaGetLastError();
  return false;
}
template bool cublas_gemm(const kernels::Product<float>&, const Batch&);
template bool cublas_gemm(const kernels::Product<double>&, const Batch&);

}  // namespace xlab::cuda
