// Runs a case there and back: what the parity and the gradient test have in common.
#pragma once

#include <algorithm>
#include <cctype>
#include <ostream>
#include <string>
#include <vector>

#include "cases.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {

/// Outputs and gradients of one run.
struct CaseRun {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;  ///< one per input, undefined where there is none
};

/// A fixed random gradient for every output.
inline std::vector<Tensor> upstream_of(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> upstream;
  for (const Tensor& output : outputs) {
    const Tensor gradient = Tensor::empty(output.shape(), output.dtype());
    kernels::fill_uniform(gradient, -1.0, 1.0, 77, upstream.size() + 1);
    upstream.push_back(gradient.to(output.device()));
  }
  return upstream;
}

inline CaseRun run_case(const Case& c, const std::vector<Tensor>& inputs) {
  CaseRun run;
  run.outputs = c.forward(inputs);
  run.gradients = c.backward(inputs, upstream_of(run.outputs));
  return run;
}

/// What a failed test prints of its case.
inline void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

/// The name of a case in letters that a test name may have.
inline std::string test_name_of(const Case& c) {
  std::string name = c.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char letter) { return std::isalnum(letter) == 0; },
      '_');
  return name;
}

}  // namespace xlab::tests
