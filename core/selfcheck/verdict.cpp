// What a comparison of a model with itself came to: three answers, and why the third one is given.
#include "core/selfcheck/verdict.hpp"

#include <fmt/format.h>

#include <cmath>

namespace xlab {

Verdict verdict(const Check& check) {
  if (check.passed) return Verdict::passed;
  return std::isnan(check.largest) ? Verdict::not_comparable : Verdict::failed;
}

std::string why_not_finite(const std::vector<BlockCard>& blocks) {
  std::vector<std::string> off;
  bool exponential = false, switched_off = false;
  for (const BlockCard& block : blocks) {
    if (!block.variant.has_raw_exponentials()) continue;
    off.push_back(block.prefix);
    exponential = exponential || block.variant.forget_gate == ForgetGate::exponential;
    switched_off = switched_off || block.variant.input_gate == InputGate::exponential;
  }
  if (off.empty()) return {};
  const std::string of = off.size() == 1 ? off.front()
                         : off.size() == blocks.size()
                             ? "every block"
                             : fmt::format("{} and {} more", off.front(), off.size() - 1);
  if (!switched_off)
    return fmt::format("the forget gate of {} is exp(f), without a stabilizer", of);
  return fmt::format("the stabilizer of {} is switched off{}", of,
                     exponential ? " and a forget gate is exp(f)" : "");
}

}  // namespace xlab
