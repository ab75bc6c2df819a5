// Singular values of a matrix, a little at a time. Standard types only, double precision.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace xlab {

/// The singular values of a (rows, columns) matrix A: the roots of the eigenvalues of Aᵀ A, by
/// rotating pairs of its rows or columns, whichever are fewer, until all are orthogonal (one-sided
/// Jacobi). Their number is the smaller of both. What is below 1e-14 of the largest is 0.
class SingularValues {
 public:
  SingularValues() = default;
  SingularValues(std::span<const float> matrix, int rows, int columns);

  /// Goes on for about so many products, and for one pair at least; true when it is done.
  bool go_on(double products);
  /// Products spent by the last call.
  double spent() const { return spent_; }
  bool done() const { return done_; }
  /// The largest first; empty where the matrix holds a number that is none. Needs `done`.
  std::vector<double> values() const;

 private:
  double* vector(std::size_t i) { return vectors_.data() + i * length_; }
  void rotate(std::size_t p, std::size_t q);
  void begin_sweep();

  std::size_t count_ = 0, length_ = 0;  // vectors, and the numbers of each
  std::vector<double> vectors_, squares_;
  std::size_t p_ = 0, q_ = 1;
  int sweeps_ = 0;
  bool turned_ = false;  // in this sweep
  bool broken_ = false, done_ = true;
  double largest_ = 0.0, nothing_ = 0.0, spent_ = 0.0;
};

/// All at once.
std::vector<double> singular_values(std::span<const float> matrix, int rows, int columns);

/// How many of them count: the participation ratio (Σ σ²)² / Σ σ⁴, between 1 and their number; 0
/// where all are 0, NaN where there are none.
double participation_ratio(std::span<const double> singular);

}  // namespace xlab
