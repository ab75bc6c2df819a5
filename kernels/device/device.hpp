// Devices, and memory on them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels/check.hpp"

namespace xlab {

/// Where a tensor lives.
struct Device {
  enum class Kind : unsigned char { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;

  static constexpr Device cpu() { return {}; }
  static constexpr Device cuda(int index = 0) { return {Kind::cuda, index}; }
  bool operator==(const Device&) const = default;
};

/// One usable device as shown to people, e.g. {"CPU (Eigen, 2 threads)"}.
struct DeviceInfo {
  Device device;
  std::string name;
  std::size_t memory_bytes = 0;
};

/// The CPU.
DeviceInfo host_device();
/// The devices this process can use; the CPU is always first. The first call asks the driver, which
/// may take a while.
std::vector<DeviceInfo> devices();
/// Why there is no CUDA device among them, as a sentence; empty when there is one.
std::string why_no_cuda();

/// The device that "cpu", "cuda" (the first card), "cuda:1" or "auto" (the first card, or the CPU)
/// stands for. Throws when this process cannot use it, with the reason.
Device device_named(const std::string& name);
/// "cpu", "cuda:0": what `device_named` takes.
std::string name_of(Device device);

/// A device answers no longer: whatever it held is gone, and this process cannot use it again.
class DeviceLost : public Error {
 public:
  using Error::Error;
};

/// Waits until the device has done everything asked of it. Nothing to wait for on the CPU.
void synchronise(Device device);

/// A block of memory on one device. `allocate` throws when there is not that much left, and says
/// how much was asked for and is free. It is returned to the device's cache when it is destroyed,
/// so that a training step, which asks for the same sizes every time, causes no fresh page faults
/// and no calls that wait for the device.
class Buffer {
 public:
  static std::shared_ptr<Buffer> allocate(std::size_t bytes, Device device);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  Buffer(void* data, std::size_t bytes, std::size_t capacity, Device device)
      : data_(data), bytes_(bytes), capacity_(capacity), device_(device) {}

  void* data_;
  std::size_t bytes_;
  std::size_t capacity_;
  Device device_;
};

/// Gives the cached memory back to the system.
void release_cached_memory();

}  // namespace xlab
