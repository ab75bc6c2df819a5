// Tensors in files: a reader and a writer for the safetensors format.
#include "core/files/safetensors.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <new>
#include <numeric>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/files/disk.hpp"
#include "core/files/folder_save.hpp"
#include "core/utf8.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

/// Hands every announced tensor its part of the numbers, which `owner` keeps alive.
std::vector<StoredTensor> attach(std::vector<AnnouncedTensor> announced,
                                 const std::shared_ptr<const std::byte[]>& owner) {
  std::vector<StoredTensor> tensors;
  tensors.reserve(announced.size());
  for (AnnouncedTensor& tensor : announced) {
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

/// Of what stands in files, to which blocks do not belong.
StoredType stored_type_of(DType dtype) {
  check(block_of(dtype) == 1, "Numbers in {} have no place in a safetensors file.", name_of(dtype));
  switch (dtype) {
    case DType::f32:
      return StoredType::f32;
    case DType::f64:
      return StoredType::f64;
    case DType::bf16:
      return StoredType::bf16;
    case DType::i32:
    case DType::block8:
    case DType::block4:
      break;
  }
  return StoredType::i32;
}

template <typename T>
constexpr StoredType stored_type = [] {
  if constexpr (std::is_same_v<T, std::uint8_t>) return StoredType::u8;
  if constexpr (std::is_same_v<T, std::int32_t>) return StoredType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) return StoredType::i64;
  if constexpr (std::is_same_v<T, float>) return StoredType::f32;
  if constexpr (std::is_same_v<T, double>) return StoredType::f64;
}();

/// All bytes of a file that is to be written, in their order: views of `header`, which is filled
/// in, and of the tensors, which are sorted.
std::vector<std::span<const std::byte>> pieces_of(const std::string& path,
                                                  std::vector<StoredTensor>& tensors,
                                                  const Metadata& metadata, std::string& header) {
  std::vector<AnnouncedTensor> announced;
  announced.reserve(tensors.size());
  for (const StoredTensor& tensor : tensors)
    announced.push_back({tensor.name, tensor.type, tensor.shape, 0, 0});
  const SafetensorsHeader laid_out = lay_out(path, std::move(announced), metadata);
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(b.type, a.name) < std::tie(a.type, b.name);
  });
  header = encode_for(path, laid_out);
  std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(header))};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const AnnouncedTensor& place = laid_out.tensors[i];
    check(place.end - place.begin == tensors[i].bytes.size(),
          "Could not save '{}': tensor '{}' of type {} and shape {} comes with {} bytes.",
          printable(path, 512), place.name, name_of(place.type), shape_text(place.shape),
          tensors[i].bytes.size());
    pieces.push_back(tensors[i].bytes);
  }
  return pieces;
}

}  // namespace

std::int64_t StoredTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

SafetensorsFile::SafetensorsFile(std::string name, Metadata metadata,
                                 std::vector<StoredTensor> tensors)
    : name_(std::move(name)), metadata_(std::move(metadata)), tensors_(std::move(tensors)) {
  sort_names();
}

void SafetensorsFile::add(const SafetensorsFile& other) {
  for (const StoredTensor& tensor : other.tensors_) {
    check(!contains(tensor.name), "'{}' and '{}' both hold a tensor '{}'.", printable(name_, 512),
          printable(other.name_, 512), printable(tensor.name));
  }
  tensors_.insert(tensors_.end(), other.tensors_.begin(), other.tensors_.end());
  sort_names();
}

SafetensorsFile SafetensorsFile::under(std::string_view prefix) const {
  Metadata metadata;
  for (const auto& [key, value] : metadata_)
    if (key.starts_with(prefix)) metadata[key.substr(prefix.size())] = value;
  std::vector<StoredTensor> tensors;
  for (const StoredTensor& tensor : tensors_) {
    if (!tensor.name.starts_with(prefix)) continue;
    tensors.push_back(tensor);
    tensors.back().name = tensor.name.substr(prefix.size());
  }
  return SafetensorsFile(name_, std::move(metadata), std::move(tensors));
}

void SafetensorsFile::sort_names() {
  by_name_.resize(tensors_.size());
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
  std::vector<T> values(tensor.bytes.size() / size_of(tensor.type));
  T* next = values.data();
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
        // NOLINTNEXTLINE(bugprone-signed-char-misuse): a number of one byte, not a letter
        *next++ = static_cast<T>(value);
      }
    } else {
      *next++ = static_cast<T>(value);
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
  const auto make = [&]<typename T>(T) { return Tensor::from<T>(shape, values_as<T>(name)); };
  if (source.type != stored_type_of(dtype)) {
    switch (dtype) {
      case DType::f32:
        return make(float{});
      case DType::f64:
        return make(double{});
      case DType::i32:
        return make(std::int32_t{});
      case DType::bf16:
      case DType::block8:
      case DType::block4:
        return make(float{}).to(dtype);
    }
  }
  Tensor same = Tensor::empty(shape, dtype);
  std::copy(source.bytes.begin(), source.bytes.end(), static_cast<std::byte*>(same.raw()));
  return same;
}

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  const Complaint complain(name);
  const std::uint64_t length = read_header_length(bytes, bytes.size(), complain);
  const auto text = bytes.subspan(kHeaderLengthBytes, length);
  const auto data = bytes.subspan(kHeaderLengthBytes + length);
  SafetensorsHeader header = parse_header({reinterpret_cast<const char*>(text.data()), text.size()},
                                          data.size(), complain);
  const auto owned = allocate(data.size(), complain);
  std::copy(data.begin(), data.end(), owned.get());
  return SafetensorsFile(name, std::move(header.metadata),
                         attach(std::move(header.tensors), owned));
}

void convert_numbers(StoredType type, std::span<const std::byte> bytes, const Tensor& out) {
  check(bytes.size() == static_cast<std::size_t>(out.elements()) * size_of(type),
        "{} bytes of {} are not the numbers of a tensor of shape {}.", bytes.size(), name_of(type),
        out.shape());
  if (block_of(out.dtype()) > 1) {
    const Tensor wide = Tensor::empty(out.shape(), DType::f32);
    convert_numbers(type, bytes, wide);
    out.copy_from(wide.to(out.dtype()));
    return;
  }
  if (type == stored_type_of(out.dtype())) {
    std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(out.raw()));
    return;
  }
  const auto fill = [&]<typename T>(T* next) {
    visit_values({.type = type, .bytes = bytes}, [&](auto value) {
      if constexpr (std::is_same_v<T, Bf16>) {
        *next++ = Bf16(static_cast<float>(value));
      } else {
        *next++ = static_cast<T>(value);
      }
    });
  };
  if (out.dtype() == DType::bf16) {
    fill(out.data<Bf16>());
  } else {
    visit_float(out, [&]<typename T>(T) { fill(out.data<T>()); });
  }
}

HeaderOfFile read_safetensors_header(const InputFile& file, const std::string& name) {
  const Complaint complain(name);
  // Enough to see what else the file may be; the header follows once its length has been checked.
  std::string head(256, '\0');
  head.resize(file.read_at(0, std::as_writable_bytes(std::span(head))));
  const std::uint64_t length =
      read_header_length(std::as_bytes(std::span(head)), file.size(), complain);
  std::string text(length, '\0');
  if (file.read_at(kHeaderLengthBytes, std::as_writable_bytes(std::span(text))) != length) {
    complain("it became shorter while it was read");
  }
  const std::uint64_t begin = kHeaderLengthBytes + length;
  return {parse_header(text, file.size() - begin, complain), begin};
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Complaint complain(name);
  const InputFile file(path);
  HeaderOfFile opened = read_safetensors_header(file, name);
  const std::uint64_t data_bytes = file.size() - opened.data_begin;
  const auto data = allocate(data_bytes, complain);
  if (file.read_at(opened.data_begin, {data.get(), data_bytes}) != data_bytes) {
    complain("it became shorter while it was read");
  }
  return SafetensorsFile(name, std::move(opened.header.metadata),
                         attach(std::move(opened.header.tensors), data));
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
  result.type = stored_type_of(host.dtype());
  for (int axis = 0; axis < host.rank(); ++axis) result.shape.push_back(host.extent(axis));
  result.bytes = {static_cast<const std::byte*>(host.raw()), host.bytes()};
  result.owner = std::make_shared<Tensor>(host);
  return result;
}

template <typename T>
StoredTensor stored(std::string name, std::vector<std::int64_t> shape, std::vector<T> values) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return {std::move(name), stored_type<T>, std::move(shape), std::as_bytes(std::span(*owner)),
          owner};
}

template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<std::uint8_t>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<std::int32_t>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<std::int64_t>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<float>);
template StoredTensor stored(std::string, std::vector<std::int64_t>, std::vector<double>);

void write_safetensors(const std::filesystem::path& path, std::vector<StoredTensor> tensors,
                       const Metadata& metadata) {
  std::string header;
  write_file_atomically(path, pieces_of(path.string(), tensors, metadata, header));
}

void write_safetensors(FolderSave& folder, const std::string& name,
                       std::vector<StoredTensor> tensors, const Metadata& metadata) {
  std::string header;
  folder.write(name, pieces_of((folder.folder() / name).string(), tensors, metadata, header));
}

}  // namespace xlab
