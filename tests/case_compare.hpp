// Compares two runs of a case: what the parity test and the test on cards have in common.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "case_runs.hpp"

namespace xlab::tests {

/// Whatever the scalar type of what was seen; `wanted` is of f64. Both in host memory.
inline void expect_near(const Tensor& seen, const Tensor& wanted, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(seen.defined(), wanted.defined()) << what;
  if (!wanted.defined()) return;
  ASSERT_EQ(seen.shape().text(), wanted.shape().text()) << what;
  const Tensor wide = seen.to(DType::f64);
  double largest = 0.0, error = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(wanted.elements()); ++j) {
    const double exact = wanted.span<double>()[j], value = wide.span<double>()[j];
    ASSERT_TRUE(std::isfinite(value)) << what << "[" << j << "] is not finite";
    largest = std::max(largest, std::abs(exact));
    error = std::max(error, std::abs(value - exact));
  }
  EXPECT_LE(error, tolerance * largest) << what;
}

inline void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.defined(), b.defined()) << what;
  if (!a.defined()) return;
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0) << what << " differs";
}

/// Calls `expect(a, b, what)` for all outputs and gradients.
template <typename Expect>
void compare(const Case& c, const CaseRun& a, const CaseRun& b, Expect&& expect) {
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (std::size_t j = 0; j < a.outputs.size(); ++j) {
    expect(a.outputs[j], b.outputs[j], "output " + std::to_string(j));
  }
  ASSERT_EQ(a.gradients.size(), c.inputs.size());
  ASSERT_EQ(b.gradients.size(), c.inputs.size());
  for (std::size_t j = 0; j < c.inputs.size(); ++j) {
    EXPECT_EQ(a.gradients[j].defined(), c.inputs[j].differentiable) << c.inputs[j].name;
    expect(a.gradients[j], b.gradients[j], "gradient of " + c.inputs[j].name);
  }
}

}  // namespace xlab::tests
