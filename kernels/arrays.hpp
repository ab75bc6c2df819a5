// Eigen's views on plain memory; for .cpp files of this folder only.
#pragma once

#include <cstdint>

// g++ 12 takes the "undefined" registers inside its own AVX-512 intrinsics for a mistake.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <Eigen/Core>
#include <unsupported/Eigen/SpecialFunctions>
#pragma GCC diagnostic pop

namespace xlab::kernels {

template <typename T>
using Values = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;
template <typename T>
using ConstValues = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;

/// A piece of a row that stays in the first-level cache; lives on the stack.
inline constexpr std::int64_t kBlock = 512;
template <typename T>
using Block = Eigen::Array<T, Eigen::Dynamic, 1, Eigen::ColMajor, kBlock, 1>;

/// 64 bytes side by side: one AVX-512 register, or two or four narrower ones.
template <typename T>
inline constexpr std::int64_t kLanes = 64 / sizeof(T);
template <typename T>
using Lanes = Eigen::Array<T, kLanes<T>, 1>;

template <typename T>
Lanes<T> load(const T* from) {
  return Eigen::Map<const Lanes<T>>(from);
}

template <typename T>
void store(T* to, const Lanes<T>& lanes) {
  Eigen::Map<Lanes<T>>{to} = lanes;
}

}  // namespace xlab::kernels
