// What the C++ side of this folder asks of CUDA devices. C++17 only, because nvcc reads it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xlab::cuda {

struct DeviceDescription {
  int index = 0;
  std::string name;
  std::size_t memory_bytes = 0;
};

/// The devices in the order of their index; none when there is no driver or no card. One that was
/// lost is not among them.
std::vector<DeviceDescription> devices();
/// Why `devices` is empty, as a sentence; empty when it is not.
std::string why_no_devices();

/// From now on everything this thread asks for happens on this device, one after the other in one
/// stream. Only `copy_to_host` and `synchronise` wait for it.
void use(int device);
/// The device in use on this thread.
int current_device();

/// Memory on the device in use, or null when it has not that much left.
void* allocate(std::size_t bytes);
void release(void* memory);
/// Gives back what lies unused in the caches of all devices (defined in device.cpp).
void release_cached_memory();
struct MemoryLeft {
  std::size_t free_bytes = 0, total_bytes = 0;
};
MemoryLeft memory_left();

void copy_to_device(void* to, const void* from, std::size_t bytes);
void copy_on_device(void* to, const void* from, std::size_t bytes);
void fill_zero(void* memory, std::size_t bytes);
/// Returns when the numbers are there.
void copy_to_host(void* to, const void* from, std::size_t bytes);
/// Returns when everything asked for so far has been done.
void synchronise();

/// Host memory that the device copies to and from without a detour; null when there is none left.
void* allocate_pinned(std::size_t bytes);
void release_pinned(void* memory);
/// A copy into pinned memory that is there after the next `synchronise`.
void copy_to_pinned(void* to, const void* from, std::size_t bytes);

/// Throws the error for a failed call (defined in device.cpp). A device that is `lost` answers no
/// call any more.
[[noreturn]] void fail(const char* what, const char* reason, bool lost);

/// Memory of the device in use that an operation needs for itself alone. It may be given back while
/// the device still works with it: whoever gets it next comes later in the stream.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
  std::size_t capacity_;
  int device_;
};

/// to[j] = from[j], converted; From and To are float or double.
template <typename From, typename To>
void convert(const From* from, To* to, std::int64_t count);

}  // namespace xlab::cuda
