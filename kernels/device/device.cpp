// Lists the devices, and keeps freed memory for the next request of the same size.
#include "kernels/device/device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <new>

#include "kernels/check.hpp"
#include "kernels/config.hpp"
#include "kernels/device/cuda.hpp"
#include "kernels/device/memory_reserve.hpp"
#include "kernels/device/threads.hpp"

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
constexpr std::size_t kStepsPerPower = 8;
constexpr std::size_t kClasses = 64 * kStepsPerPower;

std::size_t rounded_capacity(std::size_t bytes) {
  if (bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes) / kStepsPerPower);
  return (bytes + step - 1) / step * step;
}

std::size_t class_of(std::size_t capacity) {
  const auto power = static_cast<std::size_t>(std::bit_width(capacity) - 1);
  // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a capacity is never 0
  const std::size_t within = (capacity - (std::size_t{1} << power)) * kStepsPerPower >> power;
  return power * kStepsPerPower + within;
}

/// Gives a block of a device back to the system.
void release_block(void* block, Device device) {
  if (device.kind == Device::Kind::cpu) {
    ::operator delete(block, kAlignment);
    return;
  }
  if constexpr (kHasCuda) cuda::release(block);
}

/// Freed blocks of one device by size class. Any thread may call any member at any time.
class Cache {
 public:
  explicit Cache(Device device) : device_(device) {}

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
    if (capacity > limit()) {
      release_block(block, device_);
      return;
    }
    const std::lock_guard lock(mutex_);
    // Past the bound everything goes back: what lies here then are sizes of work long finished.
    if (held_ + capacity > limit()) release_locked();
    free_[class_of(capacity)].push_back(block);
    held_ += capacity;
  }

  void release() {
    const std::lock_guard lock(mutex_);
    release_locked();
  }

 private:
  // Giving memory back to a card waits for the card: only when it has no more is that done.
  std::size_t limit() const {
    return device_.kind == Device::Kind::cpu ? kCacheLimit
                                             : std::numeric_limits<std::size_t>::max() / 2;
  }

  void release_locked() {
    for (auto& blocks : free_) {
      for (void* block : blocks) release_block(block, device_);
      blocks.clear();
    }
    held_ = 0;
  }

  const Device device_;
  std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  std::size_t held_ = 0;
};

Cache& cache(Device device) {
  // Never destroyed: tensors in static objects give their memory back after main has ended.
  static Cache& host = *new Cache(Device::cpu());
  if (device.kind == Device::Kind::cpu) return host;
  static std::mutex& mutex = *new std::mutex;
  static auto& cards = *new std::map<int, Cache>;
  const std::lock_guard lock(mutex);
  return cards.try_emplace(device.index, device).first->second;
}

// Blocks from here on get large pages where the system has them: they are read in long runs, and
// looking up small pages takes a fifth of the time.
constexpr std::size_t kLargePages = std::size_t{8} << 20;

/// Asks for large pages for the first `bytes` of a fresh block; refusal does no harm. What is
/// beyond them would be taken from the system with the last large page, used or not.
void* with_large_pages(void* block, std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  if (bytes >= kLargePages) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGE_SIZE));
    const auto first = reinterpret_cast<std::uintptr_t>(block);
    const std::uintptr_t begin = (first + page - 1) / page * page;
    const std::uintptr_t end = (first + bytes) / page * page;
    (void)::madvise(static_cast<std::byte*>(block) + (begin - first), end - begin, MADV_HUGEPAGE);
  }
#endif
  return block;
}

double mebibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

void* allocate_on_host(std::size_t capacity, std::size_t bytes) {
  try {
    return with_large_pages(::operator new(capacity, kAlignment), bytes);
  } catch (const std::bad_alloc&) {
    cache(Device::cpu()).release();
  }
  void* block = ::operator new(capacity, kAlignment, std::nothrow);
  check(block != nullptr,
        "The computer has no {:.0f} MiB of free memory left: use a smaller model, batch or "
        "sequence.",
        mebibytes(capacity));
  return block;
}

void* allocate_on_card(std::size_t capacity, Device device) {
  if constexpr (kHasCuda) {
    void* block = cuda::allocate(capacity);
    if (block == nullptr) {
      cache(device).release();
      block = cuda::allocate(capacity);
    }
    if (block != nullptr) return block;
    const cuda::MemoryLeft left = cuda::memory_left();
    throw Error(
        fmt::format("The device {} has no {:.1f} MiB left: {:.1f} of its {:.0f} MiB are "
                    "free. Use a smaller model, batch or sequence, or the CPU.",
                    name_of(device), mebibytes(capacity), mebibytes(left.free_bytes),
                    mebibytes(left.total_bytes)));
  }
  throw Error("This program was built without CUDA: choose the CPU.");
}

/// Where this thread takes memory from and gives it back to first, or null.
thread_local MemoryReserve* reserve = nullptr;

bool is_reserved(Device device) {
  return reserve != nullptr && reserve->device() == device;
}

/// A block from the cache of the device, or a fresh one, of which `bytes` are needed.
void* obtain(std::size_t capacity, std::size_t bytes, Device device) {
  if constexpr (kHasCuda) {
    if (device.kind == Device::Kind::cuda) cuda::use(device.index);
  }
  if (is_reserved(device)) {
    if (void* block = reserve->take(capacity)) return block;
  }
  void* block = kRecycle ? cache(device).take(capacity) : nullptr;
  if (block != nullptr) return block;
  return device.kind == Device::Kind::cpu ? allocate_on_host(capacity, bytes)
                                          : allocate_on_card(capacity, device);
}

void give_back(void* block, std::size_t capacity, Device device) {
  if (is_reserved(device)) {
    reserve->put(block, capacity);
  } else if (kRecycle) {
    cache(device).put(block, capacity);
  } else {
    release_block(block, device);
  }
}

std::size_t capacity_for(std::size_t bytes) {
  return kRecycle ? rounded_capacity(bytes) : std::max<std::size_t>(bytes, 1);
}

}  // namespace

DeviceInfo host_device() {
  const auto pages = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES));
  const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE));
  return {Device::cpu(),
          fmt::format("CPU (Eigen, {} thread{})", threads(), threads() == 1 ? "" : "s"),
          pages * page_bytes};
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> found = {host_device()};
  if constexpr (kHasCuda) {
    for (const cuda::DeviceDescription& card : cuda::devices()) {
      found.push_back({Device::cuda(card.index), card.name, card.memory_bytes});
    }
  }
  return found;
}

std::string why_no_cuda() {
  if constexpr (kHasCuda) return cuda::why_no_devices();
  return "This program was built without CUDA.";
}

Device device_named(const std::string& name) {
  const std::vector<DeviceInfo> known = devices();
  if (name == "auto") return known.size() > 1 ? known[1].device : Device::cpu();
  const std::string wanted = name == "cuda" ? "cuda:0" : name;
  std::string names;
  for (const DeviceInfo& info : known) {
    if (name_of(info.device) == wanted) return info.device;
    names += (names.empty() ? "" : ", ") + name_of(info.device);
  }
  const std::string reason =
      known.size() == 1 && wanted.starts_with("cuda") ? " " + why_no_cuda() : "";
  throw Error(
      fmt::format("There is no device '{}' here.{} Choose one of: auto, {}.", name, reason, names));
}

std::string name_of(Device device) {
  return device.kind == Device::Kind::cpu ? "cpu" : fmt::format("cuda:{}", device.index);
}

void synchronise(Device device) {
  if (device.kind == Device::Kind::cpu) return;
  if constexpr (kHasCuda) {
    cuda::use(device.index);
    cuda::synchronise();
  }
}

std::shared_ptr<Buffer> Buffer::allocate(std::size_t bytes, Device device) {
  const std::size_t capacity = capacity_for(bytes);
  void* data = obtain(capacity, bytes, device);
  if (!kRecycle && device.kind == Device::Kind::cpu) std::memset(data, 0xff, capacity);
  return std::shared_ptr<Buffer>(new Buffer(data, bytes, capacity, device));
}

Buffer::~Buffer() {
  give_back(data_, capacity_, device_);
}

MemoryReserve::~MemoryReserve() {
  for (const auto& [capacity, block] : blocks_) give_back(block, capacity, device_);
}

void* MemoryReserve::take(std::size_t capacity) {
  const auto found = blocks_.find(capacity);
  if (found == blocks_.end()) return nullptr;
  void* block = found->second;
  blocks_.erase(found);
  return block;
}

MemoryReserve::Use::Use(MemoryReserve& own) : outer_(reserve) {
  reserve = &own;
}

MemoryReserve::Use::~Use() {
  reserve = outer_;
}

void release_cached_memory() {
  for (const DeviceInfo& info : devices()) cache(info.device).release();
}

namespace cuda {

void release_cached_memory() {
  xlab::release_cached_memory();
}

void fail(const char* what, const char* reason, bool lost) {
  if (lost) {
    throw DeviceLost(fmt::format("The graphics card stopped answering ({}: {}).", what, reason));
  }
  throw Error(fmt::format("The graphics card refused [{}]: {}.", what, reason));
}

#if XLAB_HAS_CUDA
Scratch::Scratch(std::size_t bytes) : capacity_(capacity_for(bytes)), device_(current_device()) {
  data_ = obtain(capacity_, capacity_, Device::cuda(device_));
}

Scratch::~Scratch() {
  give_back(data_, capacity_, Device::cuda(device_));
}
#endif

}  // namespace cuda
}  // namespace xlab
