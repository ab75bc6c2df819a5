// Shapes, and making, viewing, copying and converting tensors.
#include "kernels/tensor.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/config.hpp"
#include "kernels/device/cuda.hpp"

namespace xlab {
namespace {

/// Calls `body(T{})` with the type that `dtype` stands for, a scalar or a block.
template <typename Body>
decltype(auto) visit_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::bf16:
      return body(Bf16{});
    case DType::block8:
      return body(Block8{});
    case DType::block4:
      return body(Block4{});
    case DType::i32:
      break;
  }
  return body(std::int32_t{});
}

template <typename To, typename From>
To converted(From x) {
  if constexpr (std::is_same_v<From, Bf16>) {
    return converted<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, Bf16>) {
    return Bf16(static_cast<float>(x));
  } else {
    if constexpr (std::is_same_v<To, std::int32_t> && std::is_floating_point_v<From>) {
      // 2^31 is exact in both types, so the comparison decides without rounding.
      constexpr From limit = From(2147483648.0);
      check(x >= -limit && x < limit, "The number {} does not fit into i32.", x);
    }
    return static_cast<To>(x);
  }
}

/// `count` numbers, of which those of blocks lie together.
template <typename To, typename From>
void convert(const From* from, To* to, std::int64_t count) {
  if constexpr (kIsBlock<From> || kIsBlock<To>) {
    float piece[kBlock];
    for (std::int64_t at = 0; at < count; at += kBlock) {
      if constexpr (kIsBlock<From>) {
        unpack_block(from[at / kBlock], piece);
      } else {
        convert(from + at, piece, kBlock);
      }
      if constexpr (kIsBlock<To>) {
        pack_block(piece, to[at / kBlock]);
      } else {
        convert(piece, to + at, kBlock);
      }
    }
  } else {
    for (std::int64_t j = 0; j < count; ++j) to[j] = converted<To>(from[j]);
  }
}

/// Refuses a shape whose last axis cuts through blocks.
void require_whole_blocks(const Shape& shape, DType dtype) {
  const std::int64_t block = block_of(dtype);
  if (block == 1) return;
  check(shape.rank() > 0 && shape[-1] % block == 0,
        "The last axis of a tensor of shape {} cannot be cut into {}, which are {} numbers long.",
        shape, name_of(dtype), block);
}

}  // namespace

std::size_t size_of(DType dtype) {
  check(block_of(dtype) == 1, "One number of {} has no size of its own.", name_of(dtype));
  return bytes_of(dtype, 1);
}

std::size_t bytes_of(DType dtype, std::int64_t count) {
  const std::size_t bytes = visit_type(dtype, [](auto zero) { return sizeof(zero); });
  return static_cast<std::size_t>(count / block_of(dtype)) * bytes;
}

std::int64_t block_of(DType dtype) {
  return dtype == DType::block8 || dtype == DType::block4 ? kBlock : 1;
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::bf16:
      return "bf16";
    case DType::block8:
      return "blocks of 8 bits";
    case DType::block4:
      return "blocks of 4 bits";
    case DType::i32:
      break;
  }
  return "i32";
}

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  check(extents.size() <= kMaxRank, "A tensor has at most {} axes, not {}.", kMaxRank,
        extents.size());
  std::copy(extents.begin(), extents.end(), extents_.begin());
  std::int64_t bytes = sizeof(double);
  for (const std::int64_t extent : extents) {
    check(extent >= 0, "An axis cannot have {} entries, as in the shape {}.", extent, *this);
    check(!__builtin_mul_overflow(bytes, extent, &bytes),
          "The shape {} has more elements than can be counted.", *this);
  }
}

std::int64_t Shape::elements() const {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= (*this)[axis];
  return count;
}

bool Shape::operator==(const Shape& other) const {
  // Extents past the rank are zero in both.
  return rank_ == other.rank_ && extents_ == other.extents_;
}

std::string Shape::text() const {
  std::string out = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) out += ", ";
    out += std::to_string((*this)[axis]);
  }
  return out + ")";
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  require_whole_blocks(shape, dtype);
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  t.buffer_ = Buffer::allocate(t.bytes(), device);
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  t.fill_zero();
  return t;
}

template <typename T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values, DType dtype) {
  check(static_cast<std::int64_t>(values.size()) == shape.elements(),
        "{} values do not fill a tensor of shape {}.", values.size(), shape);
  Tensor t = empty(shape, dtype);
  visit_type(dtype,
             [&](auto zero) { convert(values.data(), t.data<decltype(zero)>(), t.elements()); });
  return t;
}

template Tensor Tensor::from(const Shape&, std::span<const float>, DType);
template Tensor Tensor::from(const Shape&, std::span<const double>, DType);
template Tensor Tensor::from(const Shape&, std::span<const std::int32_t>, DType);

Device Tensor::device() const {
  return defined() ? buffer_->device() : Device::cpu();
}

void* Tensor::raw() const {
  check(defined(), "An undefined tensor has no data.");
  return static_cast<std::byte*>(buffer_->data()) + bytes_of(dtype_, offset_);
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(defined(), "An undefined tensor cannot be reshaped.");
  check(shape.elements() == elements(), "A tensor of shape {} cannot be seen as {}.", shape_,
        shape);
  require_whole_blocks(shape, dtype_);
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  check(defined() && rank() > 0, "Only a tensor with a first axis can be sliced.");
  check(0 <= begin && begin <= end && end <= extent(0),
        "The slice [{}, {}) is not inside the first axis of a tensor of shape {}.", begin, end,
        shape_);
  std::array<std::int64_t, Shape::kMaxRank> extents{};
  extents[0] = end - begin;
  std::int64_t row = 1;
  for (int axis = 1; axis < Shape::kMaxRank && axis < rank(); ++axis) {
    extents[static_cast<std::size_t>(axis)] = extent(axis);
    row *= extent(axis);
  }
  Tensor view = *this;
  view.shape_ =
      Shape(std::span<const std::int64_t>(extents.data(), static_cast<std::size_t>(rank())));
  require_whole_blocks(view.shape_, dtype_);
  check(begin * row % block_of(dtype_) == 0,
        "The slice [{}, {}) of a tensor of shape {} cuts through {}.", begin, end, shape_,
        name_of(dtype_));
  view.offset_ = offset_ + begin * row;
  return view;
}

Tensor Tensor::clone() const {
  check(defined(), "An undefined tensor cannot be cloned.");
  Tensor copy = empty(shape_, dtype_, device());
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return clone();
  check(defined(), "An undefined tensor cannot be converted.");
  Tensor converted = empty(shape_, dtype, device());
  if (device().kind == Device::Kind::cuda) {
    if constexpr (kHasCuda) {
      if (dtype_ == DType::f32 && dtype == DType::f64) {
        cuda::use(device().index);
        cuda::convert(data<float>(), converted.data<double>(), elements());
        return converted;
      }
      if (dtype_ == DType::f64 && dtype == DType::f32) {
        cuda::use(device().index);
        cuda::convert(data<double>(), converted.data<float>(), elements());
        return converted;
      }
    }
    return to(Device::cpu()).to(dtype).to(device());  // only where weights are loaded
  }
  visit_type(dtype_, [&](auto from) {
    visit_type(dtype, [&](auto to) {
      convert(data<decltype(from)>(), converted.data<decltype(to)>(), elements());
    });
  });
  return converted;
}

void Tensor::copy_from(const Tensor& source) const {
  check(defined() && source.defined(), "An undefined tensor cannot be copied.");
  check(source.elements() == elements(),
        "A tensor of shape {} cannot be copied into one of shape {}.", source.shape(), shape_);
  check(source.dtype() == dtype_, "A tensor of {} cannot be copied into one of {}.",
        name_of(source.dtype()), name_of(dtype_));
  const bool from_card = source.device().kind == Device::Kind::cuda;
  const bool to_card = device().kind == Device::Kind::cuda;
  if (!from_card && !to_card) {
    std::memmove(raw(), source.raw(), bytes());
    return;
  }
  if constexpr (kHasCuda) {
    if (from_card && to_card && source.device() != device()) {
      copy_from(source.to(Device::cpu()));  // from card to card by way of the host
      return;
    }
    cuda::use((to_card ? device() : source.device()).index);
    if (!from_card) {
      cuda::copy_to_device(raw(), source.raw(), bytes());
      // Up to here the driver has taken the numbers; of more it may still read when this returns,
      // and the source may be gone then.
      constexpr std::size_t kTaken = std::size_t{64} << 10;
      if (bytes() > kTaken) cuda::synchronise();
    } else if (!to_card) {
      cuda::copy_to_host(raw(), source.raw(), bytes());
    } else {
      cuda::copy_on_device(raw(), source.raw(), bytes());
    }
  }
}

Tensor Tensor::to(Device device) const {
  if (!defined() || device == this->device()) return *this;
  Tensor copy = empty(shape_, dtype_, device);
  copy.copy_from(*this);
  return copy;
}

void Tensor::fill_zero() const {
  if constexpr (kHasCuda) {
    if (device().kind == Device::Kind::cuda) {
      cuda::use(device().index);
      cuda::fill_zero(raw(), bytes());
      return;
    }
  }
  std::memset(raw(), 0, bytes());
}

}  // namespace xlab
