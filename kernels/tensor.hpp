// Dense row-major tensors on one device, and what they hold.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "kernels/bf16.hpp"
#include "kernels/blocks.hpp"
#include "kernels/check.hpp"
#include "kernels/device/device.hpp"

namespace xlab {

/// What a tensor holds, a run-time property; templates stay inside the kernels. Blocks (see
/// kernels/blocks.hpp) are pieces of the last axis, which is a multiple of their length then.
enum class DType : std::uint8_t { f32, f64, i32, bf16, block8, block4 };

/// Bytes of one number. Throws for blocks, which have no such size.
std::size_t size_of(DType dtype);
/// Bytes of so many numbers; of blocks a whole number of these.
std::size_t bytes_of(DType dtype, std::int64_t count);
/// How many numbers lie together: 1, but for blocks.
std::int64_t block_of(DType dtype);
const char* name_of(DType dtype);

template <typename T>
inline constexpr DType dtype_of = [] {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                std::is_same_v<T, std::int32_t> || std::is_same_v<T, Bf16> || kIsBlock<T>);
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, Bf16>) return DType::bf16;
  if constexpr (std::is_same_v<T, Block8>) return DType::block8;
  if constexpr (std::is_same_v<T, Block4>) return DType::block4;
  return DType::i32;
}();

/// Up to five extents, outermost first.
class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  /// Extent of an axis; negative axes count from the last one.
  std::int64_t operator[](int axis) const {
    return extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  std::int64_t elements() const;
  bool operator==(const Shape& other) const;
  /// "(2, 16, 4)"
  std::string text() const;

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

/// A cheap handle on shared memory: copying a Tensor copies the handle, never the numbers.
/// Always dense and row-major; reshape and slices along the first axis are views.
class Tensor {
 public:
  /// An undefined tensor: the way to say "absent" for optional inputs and outputs.
  Tensor() = default;
  static Tensor empty(const Shape& shape, DType dtype, Device device = Device::cpu());
  static Tensor zeros(const Shape& shape, DType dtype, Device device = Device::cpu());
  /// Copies values from host memory, converting to `dtype`.
  template <typename T>
  static Tensor from(const Shape& shape, std::span<const T> values, DType dtype = dtype_of<T>);

  bool defined() const { return buffer_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const { return shape_; }
  std::int64_t extent(int axis) const { return shape_[axis]; }
  int rank() const { return shape_.rank(); }
  DType dtype() const { return dtype_; }
  Device device() const;
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return bytes_of(dtype_, elements()); }

  /// The numbers themselves, where they lie: in host memory only if that is the tensor's device.
  /// Throws when T is not the tensor's scalar type.
  template <typename T>
  T* data() const {
    if (!defined() || dtype_ != dtype_of<T>) [[unlikely]] {
      check(defined(), "An undefined tensor has no data.");
      throw Error(
          fmt::format("This tensor holds {}, not {}.", name_of(dtype_), name_of(dtype_of<T>)));
    }
    return static_cast<T*>(raw());
  }
  void* raw() const;
  /// The numbers, or blocks, as a span. Throws when they are not in host memory.
  template <typename T>
  std::span<T> span() const {
    check(device() == Device::cpu(), "These numbers lie on {}: bring them to the CPU to read them.",
          name_of(device()));
    return {data<T>(), static_cast<std::size_t>(elements() / block_of(dtype_))};
  }

  /// The same numbers under another shape with as many elements. Blocks stay whole.
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, end) of the first axis, as a view.
  Tensor slice(std::int64_t begin, std::int64_t end) const;
  /// A new tensor with the same numbers.
  Tensor clone() const;
  /// A new tensor with the numbers converted to another type; into blocks and out of them by way of
  /// float32.
  Tensor to(DType dtype) const;
  /// The same numbers on another device: this tensor itself where they already are. An absent
  /// tensor stays absent.
  Tensor to(Device device) const;
  /// Overwrites the numbers with those of `source` (same number of elements and scalar type), from
  /// whatever device.
  void copy_from(const Tensor& source) const;
  void fill_zero() const;

 private:
  Shape shape_;
  DType dtype_ = DType::f32;
  std::shared_ptr<Buffer> buffer_;
  std::int64_t offset_ = 0;  // in elements
};

}  // namespace xlab

/// Shapes can stand in a sentence as they are: check("... {} ...", t.shape()) then makes no text
/// unless it fails.
template <>
struct fmt::formatter<xlab::Shape> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const xlab::Shape& shape, Context& context) const {
    return fmt::formatter<std::string>::format(shape.text(), context);
  }
};
