// What a person is told when something is refused.
#pragma once

#include <string>

#include "kernels/check.hpp"

namespace xlab::tests {

inline constexpr const char* kFine = "nothing to complain about";

/// The sentence with which `body` refuses what it is given, or kFine.
template <class Body>
std::string complaint(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return kFine;
}

}  // namespace xlab::tests
