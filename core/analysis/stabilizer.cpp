// From the recorded pre-activations to m, who sets it, and what it keeps within the range of a
// number format.
#include "core/analysis/stabilizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace xlab {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLogOfZero = -std::numeric_limits<double>::infinity();

double log_sigmoid_of(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}

/// The number of a place, whose value may have one number a head; NaN where it is not recorded.
double number_of(const Recorded* value, ScalePlace place) {
  if (!value || place.head < 0 || place.head >= value->heads || value->dim < 1) return kNan;
  if (value->dim > 1 && (place.unit < 0 || place.unit >= value->dim)) return kNan;
  return value->at(place.head, value->dim > 1 ? place.unit : 0);
}

}  // namespace

std::string why_no_stabilizer(const BlockCard& block) {
  if (block.scan == Scan::other)
    return "This cell has no m: none of its gates is an exponential, so nothing can overflow that "
           "would have to be scaled.";
  if (block.variant.input_gate == InputGate::sigmoid)
    return "This cell has no m: its input gate is σ(i), which is at most 1, so nothing can "
           "overflow that would have to be scaled.";
  return {};
}

std::vector<ScaleStep> scale_steps(const Trace& trace, const BlockCard& block, ScalePlace place) {
  std::vector<ScaleStep> steps;
  extend(steps, trace, block, place, trace.length());
  return steps;
}

bool extend(std::vector<ScaleStep>& steps, const Trace& trace, const BlockCard& block,
            ScalePlace place, int most) {
  const bool none = !why_no_stabilizer(block).empty();
  const bool exponential = block.variant.forget_gate == ForgetGate::exponential;
  const std::string input = block.path("input_gate_pre"), forget = block.path("forget_gate_pre");
  double m = block.scan == Scan::mlstm && !exponential ? 0.0 : kLogOfZero;
  const auto last = std::find_if(steps.rbegin(), steps.rend(), [](const ScaleStep& step) {
    return step.winner != ScaleWinner::none;
  });
  if (last != steps.rend()) m = last->m;
  const int begin = static_cast<int>(steps.size());
  const int end = begin + std::clamp(trace.length() - begin, 0, std::max(most, 0));
  steps.reserve(static_cast<std::size_t>(end));
  for (int t = begin; t < end; ++t) {
    ScaleStep step{kNan, kNan, kNan, kNan, ScaleWinner::none};
    if (!none) {
      step.input = number_of(trace.find(t, input), place);
      const double f = number_of(trace.find(t, forget), place);
      step.log_keep = exponential ? f : log_sigmoid_of(f);
      step.decayed = step.log_keep + m;
    }
    if (std::isfinite(step.input) && !std::isnan(step.decayed)) {
      step.winner = step.decayed == kLogOfZero  ? ScaleWinner::first
                    : step.input > step.decayed ? ScaleWinner::input
                                                : ScaleWinner::decayed;
      m = std::max(step.input, step.decayed);
      step.m = m;
    }
    steps.push_back(step);
  }
  return end < trace.length();
}

FormatLimits limits_of(NumberFormat format) {
  switch (format) {
    case NumberFormat::fp64:
      return {std::numeric_limits<double>::max(), std::numeric_limits<double>::min(),
              std::numeric_limits<double>::denorm_min()};
    case NumberFormat::bf16:
      return {std::ldexp(2.0 - std::ldexp(1.0, -7), 127), std::ldexp(1.0, -126),
              std::ldexp(1.0, -133)};
    case NumberFormat::fp16:
      return {65504.0, std::ldexp(1.0, -14), std::ldexp(1.0, -24)};
    case NumberFormat::fp32:
    case NumberFormat::native:
      break;
  }
  return {std::numeric_limits<float>::max(), std::numeric_limits<float>::min(),
          std::numeric_limits<float>::denorm_min()};
}

std::optional<FloorUse> floor_use(const Trace& trace, const BlockCard& block, int step, int head) {
  if (block.scan != Scan::mlstm) return std::nullopt;
  const double s = number_of(trace.find(step, block.path("s")), {head, 0});
  const double N = number_of(trace.find(step, block.path("normalizer")), {head, 0});
  if (!std::isfinite(s) || !std::isfinite(N)) return std::nullopt;
  const CellVariant& variant = block.variant;
  FloorUse use{.overlap = std::abs(s), .normalizer = N};
  use.floor_one = variant.denominator_floor == DenominatorFloor::one || !variant.stabilised();
  use.always = !variant.normalizer;
  use.uses = use.always || use.normalizer > use.overlap;
  return use;
}

}  // namespace xlab
