// Lists the devices, and keeps freed memory for the next request of the same size.
#include "kernels/device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>

#include "kernels/check.hpp"
#include "kernels/config.hpp"
#include "kernels/device_cuda.hpp"
#include "kernels/threads.hpp"

namespace xlab {
namespace {

// Cache line and AVX-512 register: every row block can be loaded aligned.
constexpr std::align_val_t kAlignment{64};
constexpr std::size_t kSmallest = 64;

// Under the address sanitizer every request is a fresh block of exactly its size, filled with NaN,
// so that reads past the end and of unwritten memory are found instead of hidden by recycling.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kRecycle = false;
#else
constexpr bool kRecycle = true;
#endif
constexpr std::size_t kCacheLimit = std::size_t{1} << 30;

// Eight size classes per power of two: at most an eighth of a block is unused, and requests of
// nearly the same size share a class.
constexpr int kStepsPerPower = 8;
constexpr std::size_t kClasses = 64 * kStepsPerPower;

std::size_t rounded_capacity(std::size_t bytes) {
  if (bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes) / kStepsPerPower);
  return (bytes + step - 1) / step * step;
}

std::size_t class_of(std::size_t capacity) {
  const auto power = static_cast<std::size_t>(std::bit_width(capacity) - 1);
  const std::size_t within = (capacity - (std::size_t{1} << power)) * kStepsPerPower >> power;
  return power * kStepsPerPower + within;
}

/// Freed blocks by size class. Any thread may call any member at any time.
class Cache {
 public:
  /// A block of `capacity` bytes, or null when none is at hand.
  void* take(std::size_t capacity) {
    const std::lock_guard lock(mutex_);
    auto& blocks = free_[class_of(capacity)];
    if (blocks.empty()) return nullptr;
    void* block = blocks.back();
    blocks.pop_back();
    held_ -= capacity;
    return block;
  }

  void put(void* block, std::size_t capacity) {
    if (capacity > kCacheLimit) {
      ::operator delete(block, kAlignment);
      return;
    }
    const std::lock_guard lock(mutex_);
    // Past the bound everything goes back: what lies here then are sizes of work long finished.
    if (held_ + capacity > kCacheLimit) release_locked();
    free_[class_of(capacity)].push_back(block);
    held_ += capacity;
  }

  void release() {
    const std::lock_guard lock(mutex_);
    release_locked();
  }

 private:
  void release_locked() {
    for (auto& blocks : free_) {
      for (void* block : blocks) ::operator delete(block, kAlignment);
      blocks.clear();
    }
    held_ = 0;
  }

  std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  std::size_t held_ = 0;
};

Cache& cache() {
  // Never destroyed: tensors in static objects give their memory back after main has ended.
  static Cache& instance = *new Cache;
  return instance;
}

// Blocks from here on get large pages where the system has them: they are read in long runs, and
// looking up small pages takes a fifth of the time.
constexpr std::size_t kLargePages = std::size_t{8} << 20;

/// Asks for large pages for the whole pages of a fresh block; refusal does no harm.
void* with_large_pages(void* block, std::size_t capacity) {
#if defined(MADV_HUGEPAGE)
  if (capacity >= kLargePages) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGE_SIZE));
    const auto first = reinterpret_cast<std::uintptr_t>(block);
    const std::uintptr_t begin = (first + page - 1) / page * page;
    const std::uintptr_t end = (first + capacity) / page * page;
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  }
#endif
  return block;
}

void* allocate_block(std::size_t capacity) {
  try {
    return with_large_pages(::operator new(capacity, kAlignment), capacity);
  } catch (const std::bad_alloc&) {
    release_cached_memory();
  }
  void* block = ::operator new(capacity, kAlignment, std::nothrow);
  check(block != nullptr,
        "The computer has no {:.0f} MiB of free memory left: use a smaller model, batch or "
        "sequence.",
        static_cast<double>(capacity) / (1 << 20));
  return block;
}

}  // namespace

std::vector<DeviceInfo> devices() {
  const auto pages = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES));
  const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE));
  std::vector<DeviceInfo> found;
  found.push_back({Device::cpu(),
                   fmt::format("CPU (Eigen, {} thread{})", threads(), threads() == 1 ? "" : "s"),
                   pages * page_bytes});
  if constexpr (kHasCuda) {
    int index = 0;
    for (const CudaDeviceInfo& card : cuda_devices()) {
      found.push_back({Device::cuda(index++), card.name, card.memory_bytes});
    }
  }
  return found;
}

std::shared_ptr<Buffer> Buffer::allocate(std::size_t bytes, Device device) {
  check(device.kind == Device::Kind::cpu,
        "This build keeps no tensors on CUDA devices: choose the CPU.");
  const std::size_t capacity = kRecycle ? rounded_capacity(bytes) : std::max<std::size_t>(bytes, 1);
  void* data = kRecycle ? cache().take(capacity) : nullptr;
  if (data == nullptr) data = allocate_block(capacity);
  if (!kRecycle) std::memset(data, 0xff, capacity);
  return std::shared_ptr<Buffer>(new Buffer(data, bytes, capacity, device));
}

Buffer::~Buffer() {
  if (kRecycle) {
    cache().put(data_, capacity_);
  } else {
    ::operator delete(data_, kAlignment);
  }
}

void release_cached_memory() {
  cache().release();
}

}  // namespace xlab
