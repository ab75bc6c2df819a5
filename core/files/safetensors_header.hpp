// The header of a safetensors file: what it announces, checked before a number is touched.
//
// It is JSON: one object per tensor with its type, shape and byte range, and free text under
// "__metadata__".
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// Scalar types of stored numbers, in the order in which the format sorts them.
enum class StoredType : std::uint8_t {
  boolean,
  u8,
  i8,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  f64,
  i64,
  u64
};

/// Bytes per number.
std::size_t size_of(StoredType type);
/// The name used in files: "F32", "BF16", ...
const char* name_of(StoredType type);

/// Limits that no honest file comes near.
inline constexpr std::uint64_t kMostHeaderBytes = 16u << 20;
inline constexpr std::size_t kMostTensors = 65536;
inline constexpr std::size_t kMostNameBytes = 1024;
inline constexpr std::size_t kMostStoredRank = 8;
/// Of one value in the header, as it is written there (with quotes and escapes).
inline constexpr std::size_t kMostValueBytes = 4u << 20;

/// Free text in a file, by key.
using Metadata = std::map<std::string, std::string>;

/// One tensor as the header announces it; begin and end are in bytes from the start of the numbers.
struct AnnouncedTensor {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  Metadata metadata;
  std::vector<AnnouncedTensor> tensors;  ///< sorted by place
};

/// Makes the sentences about one file: "Cannot read 'model.safetensors': tensor 'w' ...".
class Complaint {
 public:
  explicit Complaint(std::string file) : file_(std::move(file)) {}

  template <typename... Args>
  [[noreturn]] void operator()(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(fmt::format("Cannot read '{}': {}.", printable(file_, 512),
                            fmt::format(format, std::forward<Args>(args)...)));
  }

 private:
  std::string file_;
};

/// The bytes that stand before the header and hold its length.
inline constexpr std::size_t kHeaderLengthBytes = 8;

/// Length of the header, from the first bytes of a file of `file_bytes` bytes. Complains when the
/// file cannot be a safetensors file.
std::uint64_t read_header_length(std::span<const std::byte> head, std::uint64_t file_bytes,
                                 const Complaint& complain);

/// The header in `text`, after which `data_bytes` bytes of numbers follow. Complains unless it is
/// sound: known types, no name twice, and byte ranges that fill the file without gap or overlap,
/// each exactly as long as type and shape ask for.
SafetensorsHeader parse_header(std::string_view text, std::uint64_t data_bytes,
                               const Complaint& complain);

/// The length and the header as they stand in a file, padded so that the numbers start at a
/// multiple of eight.
std::string encode_header(const SafetensorsHeader& header);

/// The header of a file that is to be written to `path`: wide types first, then by name, one tensor
/// behind the other, with `begin` and `end` filled in. Throws `Error` for what the reader would
/// refuse.
SafetensorsHeader lay_out(const std::string& path, std::vector<AnnouncedTensor> tensors,
                          Metadata metadata);
/// The same as it stands in the file. Throws `Error` where it is larger than a reader takes.
std::string encode_for(const std::string& path, const SafetensorsHeader& header);

/// Bytes that numbers of this type and shape take, or nothing when that is more than any computer
/// holds.
std::optional<std::uint64_t> bytes_needed(StoredType type, const std::vector<std::int64_t>& shape);

/// "(2, 3)"
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace xlab
