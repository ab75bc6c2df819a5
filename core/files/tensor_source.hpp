// Named tensors that lie somewhere else, in memory or in files, and are read one by one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/safetensors.hpp"

namespace xlab {

class TensorSource {
 public:
  struct Entry {
    std::string name;
    StoredType type = StoredType::f32;
    std::vector<std::int64_t> shape;
  };

  virtual ~TensorSource() = default;
  /// Where it lies, for messages.
  virtual std::string name() const = 0;
  /// Sorted by name; no name twice.
  virtual const std::vector<Entry>& entries() const = 0;
  /// Writes the numbers from number `first` on into `out`, converted to its scalar type. Throws
  /// when they cannot be read.
  virtual void read(const Entry& entry, std::int64_t first, const Tensor& out) const = 0;

  /// The entry of that name, or nullptr.
  const Entry* find(std::string_view name) const;
};

/// The tensors of a file in memory, which must outlive it.
class TensorsInMemory : public TensorSource {
 public:
  explicit TensorsInMemory(const SafetensorsFile& file);
  std::string name() const override { return file_->name(); }
  const std::vector<Entry>& entries() const override { return entries_; }
  void read(const Entry& entry, std::int64_t first, const Tensor& out) const override;

 private:
  const SafetensorsFile* file_;
  std::vector<Entry> entries_;
};

}  // namespace xlab
