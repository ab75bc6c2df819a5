// How far two ways to the same tensor lie apart.
#pragma once

#include <string>

#include "kernels/tensor.hpp"

namespace xlab {

/// What one comparison of tensors found.
struct Difference {
  double largest = 0.0;     ///< of finite numbers, relative to `size`
  bool same_bits = true;    ///< of all tensors; every NaN counts as the same
  bool not_finite = false;  ///< some numbers are not finite, by both ways
  bool torn = false;        ///< some numbers are finite by one way only
  std::string where;        ///< what differs most, empty when nothing does
  std::string where_not_finite;

  void take(const Difference& other) {
    same_bits = same_bits && other.same_bits;
    if (not_finite_anywhere(other) && where_not_finite.empty())
      where_not_finite = other.where_not_finite;
    not_finite = not_finite || other.not_finite;
    torn = torn || other.torn;
    if (other.largest > largest) {
      largest = other.largest;
      where = other.where;
    }
  }

  static bool not_finite_anywhere(const Difference& d) { return d.not_finite || d.torn; }
};

/// Whether raw exponentials may overflow by one way and not by the other.
enum class Exponentials { safe, raw };

/// `wanted` against `seen`, relative to the largest number of `terms`, wherever they lie. `damage`
/// times that number is added to one number of `seen` first, so that it can be tried whether this
/// is noticed. Throws when they have different shapes.
Difference difference(const std::string& where, const Tensor& seen, const Tensor& wanted,
                      const Tensor& terms, double damage,
                      Exponentials exponentials = Exponentials::safe);

}  // namespace xlab
