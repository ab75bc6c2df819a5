// The header of a safetensors file: what it announces, checked before a number is touched.
#include "core/files/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "core/files/file_kind.hpp"
#include "core/files/json_text.hpp"

namespace xlab {
static_assert(std::endian::native == std::endian::little, "Files are little-endian.");

namespace {

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

/// Receives the header's JSON piece by piece and lets through exactly what the format knows: an
/// object of objects. Keys are compared as they come, because a finished JSON value no longer shows
/// that a key stood there twice.
class HeaderReader {
 public:
  explicit HeaderReader(const Complaint& complain) : complain_(complain) {}

  SafetensorsHeader take() { return std::move(header_); }

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
  SafetensorsHeader header_;
  Place place_ = Place::outside;
  bool in_metadata_ = false, has_metadata_ = false;
  AnnouncedTensor tensor_;
  std::string field_;
  int offsets_ = 0;
  std::array<bool, 3> seen_{};
};

/// Refuses endless values, since the JSON parser keeps several copies of the one it is at.
void check_value_lengths(std::string_view text, const Complaint& complain) {
  bool quoted = false;
  std::size_t begin = 0;  // of the current text, or of what stands between two texts
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
      begin = i;
    } else if (!quoted && text[i] == ',') {
      begin = i;
    }
    if (i - begin >= kMostValueBytes) {
      complain("at byte {} of its header begins a value of more than {} MiB", begin,
               kMostValueBytes >> 20);
    }
  }
}

/// Refuses names that stand twice, and byte ranges that do not fill the file from its first number
/// to its last byte, each exactly as long as shape and type ask for.
void check_tensors(SafetensorsHeader& header, std::uint64_t data_bytes, const Complaint& complain) {
  auto& tensors = header.tensors;
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const AnnouncedTensor& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) complain("tensor '{}' stands in it twice", printable(*twice));

  std::sort(tensors.begin(), tensors.end(), [](const AnnouncedTensor& a, const AnnouncedTensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t reached = 0;
  for (const AnnouncedTensor& tensor : tensors) {
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

}  // namespace

std::size_t size_of(StoredType type) {
  return kTypes[static_cast<std::size_t>(type)].bytes;
}
const char* name_of(StoredType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

std::optional<std::uint64_t> bytes_needed(StoredType type, const std::vector<std::int64_t>& shape) {
  // Every intermediate product must fit, axes of length zero aside, so that nothing wraps here or
  // in code that multiplies some of the axes.
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

std::uint64_t read_header_length(std::span<const std::byte> head, std::uint64_t file_bytes,
                                 const Complaint& complain) {
  if (file_bytes == 0) complain("it is empty");
  std::uint64_t length = 0;
  const bool has_length = head.size() > kHeaderLengthBytes;
  if (has_length) std::memcpy(&length, head.data(), kHeaderLengthBytes);
  const bool fits = has_length && length <= file_bytes - kHeaderLengthBytes;
  const bool opens = has_length && head[kHeaderLengthBytes] == std::byte{'{'};
  if (!fits || length > kMostHeaderBytes || !opens) {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    if (const auto known = recognise_foreign_file(text)) complain("{}", known->what);
  }
  if (!has_length)
    complain("it has only {} byte{}, too few for a safetensors file", file_bytes,
             file_bytes == 1 ? "" : "s");
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
  if (length < 2) complain("its header has only {} byte{}", length, length == 1 ? "" : "s");
  if (!opens) complain("its header does not begin with '{{'");
  return length;
}

SafetensorsHeader parse_header(std::string_view text, std::uint64_t data_bytes,
                               const Complaint& complain) {
  const auto last = text.find_last_not_of(' ');
  if (last == text.npos || text[last] != '}') {
    complain("its header does not end with '}}' and spaces");
  }
  text = text.substr(0, last + 1);
  check_value_lengths(text, complain);
  HeaderReader reader(complain);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader)) {
    complain("its header is no valid JSON");
  }
  SafetensorsHeader header = reader.take();
  check_tensors(header, data_bytes, complain);
  return header;
}

SafetensorsHeader lay_out(const std::string& path, std::vector<AnnouncedTensor> tensors,
                          Metadata metadata) {
  const std::string shown = printable(path, 512);
  const auto check_name = [&](const std::string& name) {
    check(name.size() <= kMostNameBytes && name.find('\0') == name.npos && !find_invalid_utf8(name),
          "Could not save '{}': '{}' is no usable name (valid UTF-8, at most {} bytes).", shown,
          printable(name), kMostNameBytes);
  };
  check(tensors.size() <= kMostTensors && metadata.size() <= kMostTensors,
        "Could not save '{}': a file holds at most {} tensors.", shown, kMostTensors);
  std::sort(tensors.begin(), tensors.end(), [](const AnnouncedTensor& a, const AnnouncedTensor& b) {
    return std::tie(b.type, a.name) < std::tie(a.type, b.name);
  });
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (AnnouncedTensor& tensor : tensors) {
    check_name(tensor.name);
    check(!tensor.name.empty() && tensor.name != kMetadataKey,
          "Could not save '{}': a tensor cannot have the name '{}'.", shown, tensor.name);
    const bool possible = tensor.shape.size() <= kMostStoredRank &&
                          std::all_of(tensor.shape.begin(), tensor.shape.end(),
                                      [](std::int64_t extent) { return extent >= 0; });
    const auto bytes = possible ? bytes_needed(tensor.type, tensor.shape) : std::nullopt;
    check(bytes.has_value(), "Could not save '{}': tensor '{}' has the impossible shape {}.", shown,
          tensor.name, shape_text(tensor.shape));
    check(names.insert(tensor.name).second, "Could not save '{}': two tensors have the name '{}'.",
          shown, tensor.name);
    tensor.begin = offset;
    tensor.end = offset += *bytes;
  }
  for (const auto& [key, value] : metadata) {
    check_name(key);
    check(!find_invalid_utf8(value), "Could not save '{}': its metadata '{}' is no valid UTF-8.",
          shown, key);
    // Escapes make a byte at most six bytes long.
    check(value.size() < kMostValueBytes / 6, "Could not save '{}': its metadata '{}' is too long.",
          shown, key);
  }
  return {std::move(metadata), std::move(tensors)};
}

std::string encode_for(const std::string& path, const SafetensorsHeader& header) {
  std::string encoded = encode_header(header);
  check(encoded.size() - kHeaderLengthBytes <= kMostHeaderBytes,
        "Could not save '{}': names and metadata take {} bytes, more than the {} a file may have.",
        printable(path, 512), encoded.size(), kMostHeaderBytes);
  return encoded;
}

std::string encode_header(const SafetensorsHeader& header) {
  const auto quoted = [](const std::string& text) { return json_text(text); };
  std::string json = "{";
  if (!header.metadata.empty()) {
    json += fmt::format("\"{}\":{}", kMetadataKey, json_text(header.metadata));
  }
  for (const AnnouncedTensor& tensor : header.tensors) {
    if (json.size() > 1) json += ',';
    json += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        quoted(tensor.name), name_of(tensor.type), fmt::join(tensor.shape, ","),
                        tensor.begin, tensor.end);
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  std::string encoded(kHeaderLengthBytes, '\0');
  std::memcpy(encoded.data(), &length, kHeaderLengthBytes);
  return encoded + json;
}

}  // namespace xlab
