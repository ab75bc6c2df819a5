// Tensors in files: a reader and a writer for the safetensors format.
//
// A file is: the length of the header (8 bytes, little-endian), the header (JSON: one entry per
// tensor with its type, shape and byte range, plus free text under "__metadata__"), and the
// numbers. Files may come from strangers. Everything in the header is checked before a number is
// touched, and whatever is wrong becomes one sentence that names the file and the tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/disk.hpp"
#include "core/files/safetensors_header.hpp"
#include "kernels/tensor.hpp"

namespace xlab {

class FolderSave;

/// A named tensor as it stands in a file. Copies share the bytes.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::int64_t> shape;    ///< empty for a single number
  std::span<const std::byte> bytes;   ///< little-endian, row-major, aligned to nothing
  std::shared_ptr<const void> owner;  ///< keeps `bytes` alive

  std::int64_t elements() const;
};

/// The tensors and the text of one file.
class SafetensorsFile {
 public:
  /// Name for messages: the path it was read from.
  const std::string& name() const { return name_; }
  /// The text under "__metadata__".
  const Metadata& metadata() const { return metadata_; }
  /// Sorted by place in the file.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// The tensor of that name, or nullptr.
  const StoredTensor* find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// The tensor of that name; throws when there is none.
  const StoredTensor& at(std::string_view name) const;

  /// Takes over the tensors of another file, of which this one must have none.
  void add(const SafetensorsFile& other);
  /// What stands under a prefix, tensors and metadata, by the rest of its name. Shares the numbers.
  SafetensorsFile under(std::string_view prefix) const;

  /// The numbers of a tensor, converted to T: float, double, std::int64_t, std::int32_t or
  /// std::uint8_t. Throws when an integer is asked for and the file holds fractions, or a number
  /// that T cannot hold.
  template <typename T>
  std::vector<T> values_as(std::string_view name) const;

  /// The tensor on the host, converted to `dtype`, in its stored shape; a single number gets the
  /// shape (1). Throws for more than five axes.
  Tensor tensor(std::string_view name, DType dtype) const;

 private:
  friend SafetensorsFile parse_safetensors(std::span<const std::byte>, const std::string&);
  friend SafetensorsFile read_safetensors(const std::filesystem::path&);
  SafetensorsFile(std::string name, Metadata metadata, std::vector<StoredTensor> tensors);
  void sort_names();

  std::string name_;
  Metadata metadata_;
  std::vector<StoredTensor> tensors_;
  std::vector<std::size_t> by_name_;  // indices into tensors_, sorted by name
};

/// Converts numbers as they stand in a file to `out`'s type (floating-point, or blocks); as many as
/// it has elements.
void convert_numbers(StoredType type, std::span<const std::byte> bytes, const Tensor& out);

/// The header of an open file, read without its numbers, which begin at byte `data_begin`.
struct HeaderOfFile {
  SafetensorsHeader header;
  std::uint64_t data_begin = 0;
};
HeaderOfFile read_safetensors_header(const InputFile& file, const std::string& name);

/// Reads a file. Throws `Error` when it cannot be read or is no sound safetensors file. Numbers may
/// be anything, infinite and NaN included.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

/// The same for a file that is already in memory; `name` is for messages. Copies the numbers.
SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name);

/// A tensor to be written. Shares the memory of `tensor` (copied to the host if need be).
StoredTensor stored(std::string name, const Tensor& tensor);
/// Host numbers to be written; T is std::uint8_t, std::int32_t, std::int64_t, float or double.
template <typename T>
StoredTensor stored(std::string name, std::vector<std::int64_t> shape, std::vector<T> values);

/// Writes a file, atomically (see files.hpp). The same tensors and metadata always give the same
/// bytes, in whatever order the tensors are listed: wide types come first, then names decide.
void write_safetensors(const std::filesystem::path& path, std::vector<StoredTensor> tensors,
                       const Metadata& metadata = {});
/// The same as one of several files that are saved together.
void write_safetensors(FolderSave& folder, const std::string& name,
                       std::vector<StoredTensor> tensors, const Metadata& metadata = {});

}  // namespace xlab
