// Memory of a device that is kept apart from what everybody shares.
#pragma once

#include <cstddef>
#include <map>

#include "kernels/device/device.hpp"

namespace xlab {

/// Memory of one device that is kept for a purpose of its own: as long as it lives nobody else gets
/// what was given back to it.
class MemoryReserve {
 public:
  explicit MemoryReserve(Device device) : device_(device) {}
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;

  /// While this lives, what the thread asks for on the device is taken from the reserve where it
  /// has a block of that size, and what the thread gives back goes there.
  class Use {
   public:
    explicit Use(MemoryReserve& reserve);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    MemoryReserve* outer_;
  };

  Device device() const { return device_; }
  void* take(std::size_t capacity);
  void put(void* block, std::size_t capacity) { blocks_.emplace(capacity, block); }

 private:
  const Device device_;
  std::multimap<std::size_t, void*> blocks_;
};

}  // namespace xlab
