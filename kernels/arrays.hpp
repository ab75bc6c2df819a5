// Eigen's views on plain memory; for .cpp files of this folder only.
#pragma once

#include <cstdint>

// g++ 12 takes the "undefined" registers inside its own AVX-512 intrinsics for a mistake.
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
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

}  // namespace xlab::kernels
