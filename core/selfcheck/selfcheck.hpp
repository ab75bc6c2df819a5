// What a model says about itself: the same answer by different ways, compared.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

struct SelfcheckOptions {
  /// What the model reads; empty: tokens drawn from its vocabulary.
  std::vector<int> tokens;
  std::uint64_t seed = 1;
  /// Added to one number on one side of every comparison, times the largest number there: shows
  /// that a comparison can fail.
  double damage = 0.0;
  /// Called with every check as it is done.
  std::function<void(const Check&)> done;
  const std::atomic<bool>* cancel = nullptr;  ///< gives up with `Cancelled` once true
};

/// Compares, on these tokens:
/// - the recurrent, chunkwise and parallel form of every mLSTM block, on its own q, k, v, i and f,
///   and their gradients; the forms also where <q, n> lies below -1, with what must come out there;
/// - the cells with their stabilizer and without, in double;
/// - the model token by token with the whole sequence at once;
/// - going on from a state, and from weights, that were written to a file and read again;
/// - one thread with all of them, gradients included; of a model on a card instead the same pass
///   twice, and the card with the CPU;
/// - watching every value with not watching.
/// Where the model's own numbers are not finite on both ways, a comparison with a limit says so
/// instead of passing or failing (see `verdict`), and one of bits takes every NaN for the same.
/// Finite on one way only is a failure of infinite size, unless raw exponentials overflow on the
/// other.
/// Checks that a model has no part in are left out. Takes some milliseconds for a small model.
std::vector<Check> selfcheck(const Model& model, const SelfcheckOptions& options = {});

}  // namespace xlab
