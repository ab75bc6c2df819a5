// CUDA devices: finding them, memory, copies, and one stream for each.
#include <array>
#include <atomic>
#include <mutex>

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {
namespace {

constexpr int kMostDevices = 64;

/// What is known of a device once it has been used.
struct Device {
  cudaStream_t stream = nullptr;
  cudaStream_t recording = nullptr;  // takes what is recorded for later
  std::size_t most_shared_bytes = 0;
  int multiprocessors = 0;
};

std::array<Device, kMostDevices> opened;
std::array<std::once_flag, kMostDevices> opening;
thread_local int in_use = -1;
thread_local bool records = false;

const Device& device_in_use() {
  if (in_use < 0) use(0);
  return opened[static_cast<std::size_t>(in_use)];
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check_call("cudaDeviceGetAttribute", cudaDeviceGetAttribute(&value, which, device));
  return value;
}

/// After these the process has no use of the device any more.
bool is_lost(cudaError_t result) {
  // 900 to 908: what was asked for cannot be recorded.
  if (static_cast<int>(result) >= 900 && static_cast<int>(result) <= 908) return false;
  switch (result) {
    case cudaErrorMemoryAllocation:
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDevice:
    case cudaErrorNotSupported:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorNotPermitted:
    case cudaErrorInvalidDeviceFunction:
      return false;
    default:
      return true;
  }
}

}  // namespace

void check_call(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return;
  // A failed call leaves its error behind, where the next unrelated one would report it.
  cudaGetLastError();
  fail(what, cudaGetErrorString(result), is_lost(result));
}

namespace {

/// Whether a device that was in use still answers.
bool answers(int device) {
  const cudaStream_t own = opened[static_cast<std::size_t>(device)].stream;
  if (own == nullptr) return true;
  const cudaError_t result = cudaStreamQuery(own);
  if (result == cudaSuccess || result == cudaErrorNotReady) return true;
  cudaGetLastError();
  return false;
}

}  // namespace

std::vector<DeviceDescription> devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return {};
  }
  std::vector<DeviceDescription> found;
  for (int index = 0; index < count && index < kMostDevices; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
      cudaGetLastError();
      continue;
    }
    // The kernels are compiled for Turing and later.
    if (properties.major * 10 + properties.minor < 75) continue;
    if (answers(index)) found.push_back({index, properties.name, properties.totalGlobalMem});
  }
  return found;
}

std::string why_no_devices() {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaSuccess && count > 0) {
    if (!devices().empty()) return "";
    for (int index = 0; index < count && index < kMostDevices; ++index) {
      if (!answers(index)) return "The graphics card stopped answering: start the program again.";
    }
    return "The graphics card is too old: this program needs one of the Turing generation or "
           "later.";
  }
  if (result == cudaSuccess) return "This computer has no NVIDIA card.";
  cudaGetLastError();
  if (result == cudaErrorInsufficientDriver) {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      cudaGetLastError();
      return "This computer has no NVIDIA driver.";
    }
    return "The NVIDIA driver knows CUDA up to " + std::to_string(driver / 1000) + "." +
           std::to_string(driver % 1000 / 10) + "; this program needs " +
           std::to_string(CUDART_VERSION / 1000) + "." +
           std::to_string(CUDART_VERSION % 1000 / 10) + ": install a newer driver.";
  }
  if (result == cudaErrorNoDevice) return "This computer has no NVIDIA card that can be used.";
  return std::string("CUDA does not start: ") + cudaGetErrorString(result) + ".";
}

void use(int device) {
  if (device == in_use) return;
  if (device < 0 || device >= kMostDevices) {
    check_call("cudaSetDevice", cudaErrorInvalidDevice);
  }
  in_use = -1;  // whatever happens here, the next call begins anew
  check_call("cudaSetDevice", cudaSetDevice(device));
  const auto index = static_cast<std::size_t>(device);
  std::call_once(opening[index], [&] {
    Device& own = opened[index];
    own.most_shared_bytes =
        static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    own.multiprocessors = attribute(cudaDevAttrMultiProcessorCount, device);
    for (cudaStream_t* stream : {&own.stream, &own.recording})
      check_call("cudaStreamCreate", cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
  });
  in_use = device;
}

int current_device() {
  device_in_use();
  return in_use;
}

cudaStream_t stream() {
  const Device& device = device_in_use();
  return records ? device.recording : device.stream;
}
void set_recording(bool on) {
  records = on;
}
std::size_t most_shared_bytes() {
  return device_in_use().most_shared_bytes;
}
int multiprocessors() {
  return device_in_use().multiprocessors;
}

void* allocate(std::size_t bytes) {
  device_in_use();
  void* memory = nullptr;
  const cudaError_t result = cudaMalloc(&memory, bytes);
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check_call("cudaMalloc", result);
  return memory;
}

void release(void* memory) {
  // Also at the end of the process, and after the device was lost: there is nobody to tell.
  if (cudaFree(memory) != cudaSuccess) cudaGetLastError();
}

MemoryLeft memory_left() {
  device_in_use();
  MemoryLeft left;
  check_call("cudaMemGetInfo", cudaMemGetInfo(&left.free_bytes, &left.total_bytes));
  return left;
}

void copy_to_device(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check_call("cudaMemcpyAsync", cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()));
}

void copy_on_device(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check_call("cudaMemcpyAsync",
             cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()));
}

void fill_zero(void* memory, std::size_t bytes) {
  if (bytes == 0) return;
  check_call("cudaMemsetAsync", cudaMemsetAsync(memory, 0, bytes, stream()));
}

void copy_to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check_call("cudaMemcpyAsync", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()));
  synchronise();
}

void synchronise() {
  check_call("cudaStreamSynchronize", cudaStreamSynchronize(stream()));
}

void* allocate_pinned(std::size_t bytes) {
  device_in_use();
  void* memory = nullptr;
  const cudaError_t result = cudaMallocHost(&memory, bytes);
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check_call("cudaMallocHost", result);
  return memory;
}

void release_pinned(void* memory) {
  if (cudaFreeHost(memory) != cudaSuccess) cudaGetLastError();
}

void copy_to_pinned(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check_call("cudaMemcpyAsync", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()));
}

template <typename From, typename To>
void convert(const From* from, To* to, std::int64_t count) {
  for_each("convert", count, [=] __device__(std::int64_t j) { to[j] = static_cast<To>(from[j]); });
}
template void convert(const float*, double*, std::int64_t);
template void convert(const double*, float*, std::int64_t);

}  // namespace xlab::cuda
