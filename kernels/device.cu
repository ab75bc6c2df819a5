// Lists the CUDA devices.
#include <cuda_runtime.h>

#include "kernels/device_cuda.hpp"

namespace xlab {

std::vector<CudaDeviceInfo> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    // A failed probe leaves its error behind, where the next unrelated call would report it.
    cudaGetLastError();
    return {};
  }
  std::vector<CudaDeviceInfo> found;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
      cudaGetLastError();
      continue;
    }
    found.push_back({properties.name, properties.totalGlobalMem});
  }
  return found;
}

}  // namespace xlab
