// Host memory that devices copy to and from without a detour.
#pragma once

#include <cstddef>

namespace xlab {

/// A block of it, for one owner. Blocks come from a store that is kept, because asking the system
/// takes longer than a small copy.
class Pinned {
 public:
  /// Throws when there is none left.
  explicit Pinned(std::size_t bytes);
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
  std::size_t capacity_;
};

}  // namespace xlab
