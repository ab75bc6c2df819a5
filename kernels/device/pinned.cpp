// The store of pinned host memory.
#include "kernels/device/pinned.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>

#include "kernels/check.hpp"
#include "kernels/config.hpp"
#include "kernels/device/cuda.hpp"

namespace xlab {
namespace {

constexpr std::size_t kSmallest = 4096;

/// Blocks nobody owns at the moment, by size. Never destroyed: owners may outlive main.
struct Store {
  std::mutex mutex;
  std::multimap<std::size_t, void*> blocks;
};
Store& store() {
  static Store& instance = *new Store;
  return instance;
}

}  // namespace

Pinned::Pinned(std::size_t bytes)
    : data_(nullptr), capacity_(std::bit_ceil(std::max(bytes, kSmallest))) {
  {
    const std::lock_guard lock(store().mutex);
    if (const auto found = store().blocks.find(capacity_); found != store().blocks.end()) {
      data_ = found->second;
      store().blocks.erase(found);
      return;
    }
  }
  if constexpr (kHasCuda) data_ = cuda::allocate_pinned(capacity_);
  check(data_ != nullptr, "The computer has no {} KiB left for copies from and to a device.",
        capacity_ / 1024);
}

Pinned::~Pinned() {
  const std::lock_guard lock(store().mutex);
  store().blocks.emplace(capacity_, data_);
}

}  // namespace xlab
