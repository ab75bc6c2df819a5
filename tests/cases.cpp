// Makes the inputs of cases and joins the lists.
#include "cases.hpp"

#include <cmath>
#include <cstdint>

#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

/// FNV-1a: every case draws from its own stream, whatever the order of the list.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char letter : text)
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> all = op_cases();
  for (Case& c : cell_cases()) all.push_back(std::move(c));
  return all;
}

std::vector<Case> timing_cases() {
  std::vector<Case> all = op_timing_cases();
  for (Case& c : cell_timing_cases()) all.push_back(std::move(c));
  return all;
}

std::vector<Tensor> make_inputs(const Case& c, DType dtype) {
  std::vector<Tensor> inputs;
  Random random(2024, hash_of(c.name));
  for (const CaseInput& input : c.inputs) {
    std::vector<double> values(static_cast<std::size_t>(input.shape.elements()));
    for (std::size_t j = 0; j < values.size(); ++j) {
      if (input.value) {
        values[j] = input.value(static_cast<std::int64_t>(j));
        continue;
      }
      const double drawn = input.low + (input.high - input.low) * random.uniform();
      // Both scalar types get the same numbers, so that only the arithmetic is compared.
      values[j] = input.dtype == DType::i32 ? std::floor(drawn) : double{static_cast<float>(drawn)};
    }
    inputs.push_back(
        Tensor::from<double>(input.shape, values, input.dtype == DType::f64 ? dtype : input.dtype));
  }
  return inputs;
}

}  // namespace xlab::tests
