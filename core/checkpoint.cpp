// Tensors in files: a reader and a writer for the safetensors format.
#include "core/checkpoint.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/files.hpp"
#include "core/utf8.hpp"

namespace xlab {
static_assert(std::endian::native == std::endian::little, "Files are little-endian.");

namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

struct TypeRow {
  StoredType type;
  const char* name;
  std::size_t bytes;
};
constexpr std::array<TypeRow, 13> kTypes = {{{StoredType::boolean, "BOOL", 1},
                                             {StoredType::u8, "U8", 1},
                                             {StoredType::i8, "I8", 1},
                                             {StoredType::i16, "I16", 2},
                                             {StoredType::u16, "U16", 2},
                                             {StoredType::f16, "F16", 2},
                                             {StoredType::bf16, "BF16", 2},
                                             {StoredType::i32, "I32", 4},
                                             {StoredType::u32, "U32", 4},
                                             {StoredType::f32, "F32", 4},
                                             {StoredType::f64, "F64", 8},
                                             {StoredType::i64, "I64", 8},
                                             {StoredType::u64, "U64", 8}}};

/// Makes the sentences of one file: "Cannot read 'model.safetensors': tensor 'w' ...".
class Complaint {
 public:
  explicit Complaint(const std::string& file) : file_(file) {}

  template <typename... Args>
  [[noreturn]] void operator()(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(fmt::format("Cannot read '{}': {}.", printable(file_, 512),
                            fmt::format(format, std::forward<Args>(args)...)));
  }

 private:
  const std::string& file_;
};

/// What a file that is no safetensors file seems to be, with what to do about it.
std::optional<std::string_view> recognise(std::string_view head) {
  const auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  const auto letters = head.find_first_not_of(" \t\r\n");
  const std::string_view text = letters == head.npos ? std::string_view{} : head.substr(letters);
  const auto text_starts = [&](std::string_view lower) {
    return text.size() >= lower.size() &&
           std::equal(lower.begin(), lower.end(), text.begin(), [](char want, char have) {
             return want ==
                    (have >= 'A' && have <= 'Z' ? static_cast<char>(have - 'A' + 'a') : have);
           });
  };
  if (starts("PK\x03\x04") || starts("PK\x05\x06")) {
    return "it is a zip archive, as PyTorch (.pt, .pth) and NumPy (.npz) write; convert it with "
           "safetensors.torch.save_file";
  }
  if (head.size() >= 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) {
    return "it is a Python pickle, as old PyTorch files are; a pickle can run code, so convert it "
           "with safetensors.torch.save_file where you trust it";
  }
  if (starts("GGUF") || starts("ggml") || starts("lmgg")) {
    return "it is a GGUF file (llama.cpp); take the safetensors version of the model";
  }
  if (starts("\x89HDF")) return "it is an HDF5 file (Keras); take the safetensors version";
  if (starts("\x93NUMPY"))
    return "it is a NumPy array; convert it with safetensors.numpy.save_file";
  if (head.size() >= 3 && head[0] == '\x08' && head[1] > 0 && head[1] < 0x20 && head[2] == '\x12') {
    return "it is an ONNX model; take the safetensors version";
  }
  if (starts("\x1f\x8b") || starts("BZh") ||
      starts("\xfd"
             "7zXZ") ||
      starts("\x28\xb5\x2f\xfd")) {
    return "it is compressed; unpack it first";
  }
  if (starts("\x7f"
             "ELF") ||
      starts("MZ"))
    return "it is a program, not a model";
  if (text_starts("version https://git-lfs")) {
    return "it is a Git LFS pointer, a note standing for the real file; fetch that with 'git lfs "
           "pull'";
  }
  if (text_starts("<!doctype") || text_starts("<html") || text_starts("<?xml")) {
    return "it is a web page, perhaps saved instead of the model; download the file itself";
  }
  if (text_starts("\xef\xbb\xbf")) return "it is a text file";
  if (text_starts("{") || text_starts("[")) return "it is a JSON text, not a safetensors file";
  return std::nullopt;
}

/// One tensor as the header announces it, in bytes from the start of the numbers.
struct Announced {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

struct Header {
  Metadata metadata;
  std::vector<Announced> tensors;  ///< sorted by place
};

/// Receives the header's JSON piece by piece and lets through exactly what the format knows: an
/// object of objects. Keys are compared as they come, because a finished JSON value no longer shows
/// that a key stood there twice.
class HeaderReader {
 public:
  explicit HeaderReader(const Complaint& complain) : complain_(complain) {}

  Header take() { return std::move(header_); }

  // What nlohmann's parser calls; its names and signatures are given.
  bool null() { unexpected("null"); }
  bool boolean(bool) { unexpected("a truth value"); }
  bool binary(nlohmann::json::binary_t&) { unexpected("binary data"); }
  bool number_float(double, const std::string& text) {
    unexpected(fmt::format("the number {}", printable(text, 40)));
  }
  bool number_integer(std::int64_t value) { unexpected(fmt::format("the number {}", value)); }

  bool number_unsigned(std::uint64_t value) {
    if (place_ == Place::shape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        complain_("tensor '{}' has an axis of {} elements", shown_name(), value);
      }
      if (tensor_.shape.size() == kMostStoredRank) {
        complain_("tensor '{}' has more than {} axes", shown_name(), kMostStoredRank);
      }
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (place_ == Place::offsets) {
      if (offsets_ == 0) tensor_.begin = value;
      if (offsets_ == 1) tensor_.end = value;
      if (++offsets_ > 2) complain_("tensor '{}' has more than two data_offsets", shown_name());
    } else {
      unexpected(fmt::format("the number {}", value));
    }
    return true;
  }

  bool string(std::string& value) {
    if (place_ == Place::metadata) {
      header_.metadata.emplace(field_, std::move(value));
      return true;
    }
    if (place_ != Place::tensor || field_ != "dtype") unexpected("a text");
    const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const TypeRow& type) { return value == type.name; });
    if (row == kTypes.end()) {
      complain_("tensor '{}' is of type '{}', which this program does not know", shown_name(),
                printable(value, 40));
    }
    tensor_.type = row->type;
    return true;
  }

  bool start_object(std::size_t) {
    if (place_ == Place::outside) {
      place_ = Place::top;
    } else if (place_ == Place::top) {
      place_ = in_metadata_ ? Place::metadata : Place::tensor;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(std::string& key) {
    if (place_ == Place::top) {
      begin_entry(key);
    } else if (place_ == Place::tensor) {
      begin_field(key);
    } else {
      check_name("metadata key", key);
      if (header_.metadata.size() == kMostTensors) {
        complain_("its metadata has more than {} entries", kMostTensors);
      }
      if (header_.metadata.contains(key)) {
        complain_("its metadata has the key '{}' twice", printable(key));
      }
      field_ = std::move(key);
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::top) {
      place_ = Place::outside;
      return true;
    }
    if (place_ == Place::tensor) {
      for (std::size_t i = 0; i < kFields.size(); ++i) {
        if (!seen_[i]) complain_("tensor '{}' has no {}", shown_name(), kFields[i]);
      }
      header_.tensors.push_back(std::move(tensor_));
    }
    place_ = Place::top;
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ != Place::tensor || field_ == "dtype") unexpected("a list");
    place_ = field_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() {
    if (place_ == Place::offsets && offsets_ != 2) {
      complain_("tensor '{}' has {} data_offsets instead of two", shown_name(), offsets_);
    }
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    complain_("its header is damaged: byte {} of it is no valid JSON", position);
  }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };
  static constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};

  std::string shown_name() const { return printable(tensor_.name); }

  void check_name(std::string_view what, const std::string& name) const {
    if (name.size() > kMostNameBytes) {
      complain_("the {} '{}' is longer than {} bytes", what, printable(name, 60), kMostNameBytes);
    }
    if (name.find('\0') != name.npos) {
      complain_("the {} '{}' contains a zero byte", what, printable(name));
    }
  }

  void begin_entry(std::string& name) {
    in_metadata_ = name == kMetadataKey;
    tensor_ = {};
    offsets_ = 0;
    seen_ = {};
    field_.clear();
    if (in_metadata_) {
      if (std::exchange(has_metadata_, true)) complain_("it has {} twice", kMetadataKey);
      return;
    }
    check_name("tensor name", name);
    if (name.empty()) complain_("it has a tensor without a name");
    if (header_.tensors.size() == kMostTensors) {
      complain_("it has more than {} tensors", kMostTensors);
    }
    tensor_.name = std::move(name);
  }

  void begin_field(std::string& field) {
    const auto known = std::find(kFields.begin(), kFields.end(), field);
    if (known == kFields.end()) {
      complain_("tensor '{}' has the unknown field '{}'", shown_name(), printable(field, 40));
    }
    if (std::exchange(seen_[static_cast<std::size_t>(known - kFields.begin())], true)) {
      complain_("tensor '{}' has {} twice", shown_name(), field);
    }
    field_ = std::move(field);
  }

  [[noreturn]] void unexpected(std::string_view what) const {
    switch (place_) {
      case Place::outside:
        complain_("its header is {} instead of a JSON object", what);
      case Place::top:
        complain_("its entry '{}' is {} instead of an object",
                  in_metadata_ ? std::string(kMetadataKey) : shown_name(), what);
      case Place::metadata:
        complain_("its metadata entry '{}' is {} instead of a text", printable(field_), what);
      case Place::shape:
      case Place::offsets:
        complain_("tensor '{}' has {} in its {}, where only whole numbers from 0 may stand",
                  shown_name(), what, field_);
      case Place::tensor:
        break;
    }
    complain_("tensor '{}' has {} as its {}", shown_name(), what, field_);
  }

  const Complaint& complain_;
  Header header_;
  Place place_ = Place::outside;
  bool in_metadata_ = false, has_metadata_ = false;
  Announced tensor_;
  std::string field_;
  int offsets_ = 0;
  std::array<bool, 3> seen_{};
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

/// Bytes that numbers of this type and shape take, or nothing when that is more than any computer
/// holds. Nothing wraps: every intermediate product must fit, axes of length zero aside.
std::optional<std::uint64_t> bytes_needed(StoredType type, const std::vector<std::int64_t>& shape) {
  std::int64_t bytes = static_cast<std::int64_t>(size_of(type));
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, extent, &bytes)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

/// Refuses names that stand twice, and byte ranges that do not fill the file from its first number
/// to its last byte, each exactly as long as shape and type ask for.
void check_tensors(Header& header, std::uint64_t data_bytes, const Complaint& complain) {
  auto& tensors = header.tensors;
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const Announced& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) complain("tensor '{}' stands in it twice", printable(*twice));

  std::sort(tensors.begin(), tensors.end(), [](const Announced& a, const Announced& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t reached = 0;
  for (const Announced& tensor : tensors) {
    const std::string name = printable(tensor.name);
    if (tensor.end < tensor.begin) {
      complain("the data_offsets of tensor '{}' run backwards, from {} to {}", name, tensor.begin,
               tensor.end);
    }
    const auto needed = bytes_needed(tensor.type, tensor.shape);
    if (!needed) {
      complain("tensor '{}' claims the shape {}, more numbers than any computer holds", name,
               shape_text(tensor.shape));
    }
    if (tensor.end - tensor.begin != *needed) {
      complain("tensor '{}' of type {} and shape {} needs {} bytes, but its data_offsets span {}",
               name, name_of(tensor.type), shape_text(tensor.shape), *needed,
               tensor.end - tensor.begin);
    }
    if (tensor.begin < reached) complain("tensor '{}' overlaps another one", name);
    if (tensor.begin > reached) {
      complain("there is a gap of {} bytes before tensor '{}'", tensor.begin - reached, name);
    }
    if (tensor.end > data_bytes) {
      complain(
          "it ends within tensor '{}': {} bytes are missing. It may be cut off; download or "
          "copy it again",
          name, tensor.end - data_bytes);
    }
    reached = tensor.end;
  }
  if (reached != data_bytes) {
    complain("{} bytes follow after the last tensor", data_bytes - reached);
  }
}

/// Length of the header, from the first bytes of a file of `file_bytes` bytes.
std::uint64_t header_length(std::span<const std::byte> head, std::uint64_t file_bytes,
                            const Complaint& complain) {
  if (file_bytes == 0) complain("it is empty");
  std::uint64_t length = 0;
  const bool has_length = head.size() > kLengthBytes;
  if (has_length) std::memcpy(&length, head.data(), kLengthBytes);
  const bool fits = has_length && length <= file_bytes - kLengthBytes;
  const bool opens = has_length && head[kLengthBytes] == std::byte{'{'};
  if (!fits || length > kMostHeaderBytes || !opens) {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    if (const auto known = recognise(text)) complain("{}", *known);
  }
  if (!has_length) complain("it has only {} bytes, too few for a safetensors file", file_bytes);
  if (!fits) {
    complain(
        "its header claims {} bytes, but the file has only {}. It may be cut off, or no "
        "safetensors file",
        length, file_bytes);
  }
  if (length > kMostHeaderBytes) {
    complain("its header claims {} bytes, more than the {} this program takes", length,
             kMostHeaderBytes);
  }
  if (length < 2) complain("its header has only {} bytes", length);
  if (!opens) complain("its header does not begin with '{{'");
  return length;
}

Header parse_header(std::string_view text, std::uint64_t data_bytes, const Complaint& complain) {
  const auto last = text.find_last_not_of(' ');
  if (last == text.npos || text[last] != '}') {
    complain("its header does not end with '}}' and spaces");
  }
  text = text.substr(0, last + 1);
  HeaderReader reader(complain);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader)) {
    complain("its header is no valid JSON");
  }
  Header header = reader.take();
  check_tensors(header, data_bytes, complain);
  return header;
}

/// Hands every announced tensor its part of the numbers, which `owner` keeps alive.
std::vector<StoredTensor> attach(std::vector<Announced> announced,
                                 const std::shared_ptr<const std::byte[]>& owner) {
  std::vector<StoredTensor> tensors;
  tensors.reserve(announced.size());
  for (Announced& tensor : announced) {
    tensors.push_back({std::move(tensor.name), tensor.type, std::move(tensor.shape),
                       std::span(owner.get() + tensor.begin, tensor.end - tensor.begin), owner});
  }
  return tensors;
}

std::shared_ptr<std::byte[]> allocate(std::uint64_t bytes, const Complaint& complain) {
  const auto memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (bytes <= memory) {
    try {
      // At least one byte, so that the spans of empty tensors point somewhere.
      return std::shared_ptr<std::byte[]>(new std::byte[std::max<std::uint64_t>(bytes, 1)]);
    } catch (const std::bad_alloc&) {
    }
  }
  complain("its {} bytes do not fit into the memory of this computer", bytes);
}

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

float bf16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

float f16_value(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0) {  // zero and the numbers below 2^-14: a plain multiple of 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

/// Calls `visit` with every number, in the type in which it is stored (half precisions as float).
template <typename Visit>
void visit_values(const StoredTensor& tensor, Visit visit) {
  const auto each = [&]<typename S>(auto convert, S) {
    const std::byte* at = tensor.bytes.data();
    const std::byte* end = at + tensor.bytes.size();
    for (; at != end; at += sizeof(S)) visit(convert(load<S>(at)));
  };
  const auto same = [](auto value) { return value; };
  switch (tensor.type) {
    case StoredType::boolean:
      return each([](std::uint8_t value) -> std::uint8_t { return value != 0; }, std::uint8_t{});
    case StoredType::u8:
      return each(same, std::uint8_t{});
    case StoredType::i8:
      return each(same, std::int8_t{});
    case StoredType::i16:
      return each(same, std::int16_t{});
    case StoredType::u16:
      return each(same, std::uint16_t{});
    case StoredType::f16:
      return each(f16_value, std::uint16_t{});
    case StoredType::bf16:
      return each(bf16_value, std::uint16_t{});
    case StoredType::i32:
      return each(same, std::int32_t{});
    case StoredType::u32:
      return each(same, std::uint32_t{});
    case StoredType::f32:
      return each(same, float{});
    case StoredType::f64:
      return each(same, double{});
    case StoredType::i64:
      return each(same, std::int64_t{});
    case StoredType::u64:
      return each(same, std::uint64_t{});
  }
}

template <typename T>
constexpr StoredType stored_type_of = [] {
  if constexpr (std::is_same_v<T, std::uint8_t>) return StoredType::u8;
  if constexpr (std::is_same_v<T, std::int32_t>) return StoredType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) return StoredType::i64;
  if constexpr (std::is_same_v<T, float>) return StoredType::f32;
  if constexpr (std::is_same_v<T, double>) return StoredType::f64;
}();

/// What the reader would refuse must not be written in the first place.
void check_writable(const std::string& path, const std::vector<StoredTensor>& tensors,
                    const Metadata& metadata) {
  const auto check_name = [&](const std::string& name) {
    check(name.size() <= kMostNameBytes && name.find('\0') == name.npos && !find_invalid_utf8(name),
          "Could not save '{}': '{}' is no usable name (valid UTF-8, at most {} bytes).", path,
          printable(name), kMostNameBytes);
  };
  check(tensors.size() <= kMostTensors && metadata.size() <= kMostTensors,
        "Could not save '{}': a file holds at most {} tensors.", path, kMostTensors);
  std::set<std::string_view> names;
  for (const StoredTensor& tensor : tensors) {
    check_name(tensor.name);
    check(!tensor.name.empty() && tensor.name != kMetadataKey,
          "Could not save '{}': a tensor cannot have the name '{}'.", path, tensor.name);
    check(tensor.shape.size() <= kMostStoredRank &&
              std::all_of(tensor.shape.begin(), tensor.shape.end(),
                          [](std::int64_t extent) { return extent >= 0; }),
          "Could not save '{}': tensor '{}' has the impossible shape {}.", path, tensor.name,
          shape_text(tensor.shape));
    check(bytes_needed(tensor.type, tensor.shape) == tensor.bytes.size(),
          "Could not save '{}': tensor '{}' of type {} and shape {} comes with {} bytes.", path,
          tensor.name, name_of(tensor.type), shape_text(tensor.shape), tensor.bytes.size());
    check(names.insert(tensor.name).second, "Could not save '{}': two tensors have the name '{}'.",
          path, tensor.name);
  }
  for (const auto& [key, value] : metadata) {
    check_name(key);
    check(!find_invalid_utf8(value), "Could not save '{}': its metadata '{}' is no valid UTF-8.",
          path, key);
  }
}

/// The length and the header, padded so that the numbers start at a multiple of eight.
std::string encode_header(const std::vector<StoredTensor>& tensors, const Metadata& metadata) {
  const auto quoted = [](const std::string& text) { return nlohmann::json(text).dump(); };
  std::string json = "{";
  if (!metadata.empty()) {
    json += fmt::format("\"{}\":{}", kMetadataKey, nlohmann::json(metadata).dump());
  }
  std::uint64_t offset = 0;
  for (const StoredTensor& tensor : tensors) {
    if (json.size() > 1) json += ',';
    json += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        quoted(tensor.name), name_of(tensor.type), fmt::join(tensor.shape, ","),
                        offset, offset + tensor.bytes.size());
    offset += tensor.bytes.size();
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  std::string header(kLengthBytes, '\0');
  std::memcpy(header.data(), &length, kLengthBytes);
  return header + json;
}

}  // namespace

std::size_t size_of(StoredType type) {
  return kTypes[static_cast<std::size_t>(type)].bytes;
}
const char* name_of(StoredType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

std::int64_t StoredTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

SafetensorsFile::SafetensorsFile(std::string name, Metadata metadata,
                                 std::vector<StoredTensor> tensors)
    : name_(std::move(name)),
      metadata_(std::move(metadata)),
      tensors_(std::move(tensors)),
      by_name_(tensors_.size()) {
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::size_t i, std::string_view want) { return tensors_[i].name < want; });
  const bool there = found != by_name_.end() && tensors_[*found].name == name;
  return there ? &tensors_[*found] : nullptr;
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  const StoredTensor* tensor = find(name);
  check(tensor != nullptr, "'{}' has no tensor '{}'.", printable(name_, 512), printable(name));
  return *tensor;
}

template <typename T>
std::vector<T> SafetensorsFile::values_as(std::string_view name) const {
  const StoredTensor& tensor = at(name);
  std::vector<T> values;
  values.reserve(tensor.bytes.size() / size_of(tensor.type));
  visit_values(tensor, [&]<typename S>(S value) {
    if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_floating_point_v<S>) {
        throw Error(fmt::format("Tensor '{}' in '{}' holds {} numbers where whole ones are needed.",
                                printable(name), printable(name_, 512), name_of(tensor.type)));
      } else {
        if (!std::in_range<T>(value)) {
          throw Error(fmt::format("Tensor '{}' in '{}' holds {}, which is out of range.",
                                  printable(name), printable(name_, 512), value));
        }
        values.push_back(static_cast<T>(value));
      }
    } else {
      values.push_back(static_cast<T>(value));
    }
  });
  return values;
}

template std::vector<float> SafetensorsFile::values_as(std::string_view) const;
template std::vector<double> SafetensorsFile::values_as(std::string_view) const;
template std::vector<std::int64_t> SafetensorsFile::values_as(std::string_view) const;
template std::vector<std::int32_t> SafetensorsFile::values_as(std::string_view) const;
template std::vector<std::uint8_t> SafetensorsFile::values_as(std::string_view) const;

Tensor SafetensorsFile::tensor(std::string_view name, DType dtype) const {
  const StoredTensor& source = at(name);
  check(source.shape.size() <= Shape::kMaxRank,
        "Tensor '{}' in '{}' has {} axes; at most {} can be used.", printable(name),
        printable(name_, 512), source.shape.size(), Shape::kMaxRank);
  const Shape shape = source.shape.empty() ? Shape{1} : Shape(source.shape);
  const auto make = [&]<typename T>(T) {
    const std::vector<T> values = values_as<T>(name);
    return Tensor::from<T>(shape, values);
  };
  switch (dtype) {
    case DType::f32:
      return make(float{});
    case DType::f64:
      return make(double{});
    case DType::i32:
      return make(std::int32_t{});
  }
  throw Error("A tensor cannot hold this type of number.");
}

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  const Complaint complain(name);
  const std::uint64_t length = header_length(bytes, bytes.size(), complain);
  const auto text = bytes.subspan(kLengthBytes, length);
  const auto data = bytes.subspan(kLengthBytes + length);
  Header header = parse_header({reinterpret_cast<const char*>(text.data()), text.size()},
                               data.size(), complain);
  const auto owned = allocate(data.size(), complain);
  std::copy(data.begin(), data.end(), owned.get());
  return SafetensorsFile(name, std::move(header.metadata),
                         attach(std::move(header.tensors), owned));
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Complaint complain(name);
  InputFile file(path);

  // Enough to see what else the file may be; the header follows once its length has been checked.
  std::string head(256, '\0');
  head.resize(file.read(std::as_writable_bytes(std::span(head))));
  const std::uint64_t length = header_length(std::as_bytes(std::span(head)), file.size(), complain);
  const std::size_t known = std::min<std::size_t>(head.size(), kLengthBytes + length);

  std::string text = head.substr(kLengthBytes, known - kLengthBytes);
  text.resize(length);
  const auto rest = std::as_writable_bytes(std::span(text)).subspan(known - kLengthBytes);
  if (file.read(rest) != rest.size()) complain("it became shorter while it was read");

  const std::uint64_t data_bytes = file.size() - kLengthBytes - length;
  Header header = parse_header(text, data_bytes, complain);

  const auto data = allocate(data_bytes, complain);
  const std::size_t surplus = head.size() - known;  // numbers that came along with the head
  if (surplus > data_bytes) complain("it changed while it was read");
  std::copy_n(reinterpret_cast<const std::byte*>(head.data()) + known, surplus, data.get());
  const std::span unread(data.get() + surplus, data_bytes - surplus);
  if (file.read(unread) != unread.size()) complain("it became shorter while it was read");
  return SafetensorsFile(name, std::move(header.metadata), attach(std::move(header.tensors), data));
}

StoredTensor stored(std::string name, const Tensor& tensor) {
  check(tensor.defined(), "The tensor '{}' that is to be saved is undefined.", name);
  Tensor host = tensor;
  if (tensor.device() != Device::cpu()) {
    host = Tensor::empty(tensor.shape(), tensor.dtype());
    host.copy_from(tensor);
  }
  StoredTensor result;
  result.name = std::move(name);
  result.type = host.dtype() == DType::f32   ? StoredType::f32
                : host.dtype() == DType::f64 ? StoredType::f64
                                             : StoredType::i32;
  for (int axis = 0; axis < host.rank(); ++axis) result.shape.push_back(host.extent(axis));
  result.bytes = {static_cast<const std::byte*>(host.raw()), host.bytes()};
  result.owner = std::make_shared<Tensor>(host);
  return result;
}

template <typename T>
StoredTensor stored(std::string name, std::vector<std::int64_t> shape, std::vector<T> values) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return {std::move(name), stored_type_of<T>, std::move(shape), std::as_bytes(std::span(*owner)),
          owner};
}

template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<std::uint8_t>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<std::int32_t>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<std::int64_t>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<float>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<double>);

void write_safetensors(const std::filesystem::path& path, std::vector<StoredTensor> tensors,
                       const Metadata& metadata) {
  const std::string shown_path = printable(path.string(), 512);
  check_writable(shown_path, tensors, metadata);
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(b.type, a.name) < std::tie(a.type, b.name);
  });
  const std::string header = encode_header(tensors, metadata);
  check(header.size() - kLengthBytes <= kMostHeaderBytes,
        "Could not save '{}': names and metadata take {} bytes, more than the {} a file may have.",
        shown_path, header.size(), kMostHeaderBytes);
  std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(header))};
  for (const StoredTensor& tensor : tensors) pieces.push_back(tensor.bytes);
  write_file_atomically(path, pieces);
}

}  // namespace xlab
