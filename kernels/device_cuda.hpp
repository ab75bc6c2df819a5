// What the CUDA side of device.cpp offers; C++17 only, because nvcc reads it too.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace xlab {

struct CudaDeviceInfo {
  std::string name;
  std::size_t memory_bytes = 0;
};

/// The CUDA devices in the order of their index; none when there is no driver or no card.
std::vector<CudaDeviceInfo> cuda_devices();

}  // namespace xlab
