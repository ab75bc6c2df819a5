// Calls cuBLAS without its headers, so that the timing builds where they are missing.
#include "bench/cublas.hpp"

#include <dlfcn.h>

#include "kernels/cuda.cuh"

namespace xlab::bench {
namespace {

using Status = int;
using Handle = void*;

struct Library {
  Library() {
    void* library = nullptr;
    for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"}) {
      if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (library == nullptr) return;
    const auto create = reinterpret_cast<Status (*)(Handle*)>(dlsym(library, "cublasCreate_v2"));
    const auto use_stream =
        reinterpret_cast<Status (*)(Handle, cudaStream_t)>(dlsym(library, "cublasSetStream_v2"));
    product = reinterpret_cast<Product>(dlsym(library, "cublasSgemm_v2"));
    usable = create != nullptr && use_stream != nullptr && product != nullptr &&
             create(&handle) == 0 && use_stream(handle, cuda::stream()) == 0;
  }

  using Product = Status (*)(Handle, int, int, int, int, int, const float*, const float*, int,
                             const float*, int, const float*, float*, int);
  Handle handle = nullptr;
  Product product = nullptr;
  bool usable = false;
};

}  // namespace

bool cublas_product(int m, int n, int k, const Columns& a, const Columns& b, const Columns& c,
                    bool accumulate) {
  static const Library library;
  const float one = 1.0F, start = accumulate ? 1.0F : 0.0F;
  return library.usable &&
         library.product(library.handle, a.transposed ? 1 : 0, b.transposed ? 1 : 0, m, n, k, &one,
                         a.data, a.stride, b.data, b.stride, &start, c.data, c.stride) == 0;
}

}  // namespace xlab::bench
