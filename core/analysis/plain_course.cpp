// What is recorded, times exp(m).
#include "core/analysis/plain_course.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "core/analysis/recorded_head.hpp"

namespace xlab {
namespace {

/// exp(m) of a step, of each of `count` numbers; 1 where the cell has no m.
std::optional<std::vector<double>> scales(const Trace& trace, const BlockCard& block, int step,
                                          int head, int count) {
  std::vector<double> scale(static_cast<std::size_t>(count), 1.0);
  const std::string& name = block.values->memory.scale;
  if (name.empty() || !block.variant.stabilised()) return scale;
  const Recorded* m = trace.find(step, block.path(name));
  if (!m || head >= m->heads || m->dim < 1) return std::nullopt;
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const int unit = m->dim == count ? static_cast<int>(i) : 0;
    scale[i] = std::exp(static_cast<double>(m->at(head, unit)));
  }
  return scale;
}

/// 0 stays 0, however large the scale is.
double scaled(float number, double scale) {
  return number == 0.0f ? 0.0 : static_cast<double>(number) * scale;
}

std::vector<double> recorded_numbers(const Recorded& value, int head) {
  std::vector<double> numbers;
  for (int unit = 0; unit < value.dim; ++unit)
    numbers.push_back(static_cast<double>(value.at(head, unit)));
  return numbers;
}

/// Of one number its size; of none of that kind, where one is none.
double root_of_squares(const std::vector<double>& numbers) {
  double largest = 0.0, sum = 0.0;
  for (const double number : numbers) {
    if (!std::isfinite(number)) return number;
    largest = std::max(largest, std::abs(number));
  }
  if (largest == 0.0) return 0.0;
  for (const double number : numbers) sum += (number / largest) * (number / largest);
  return largest * std::sqrt(sum);
}

double largest_of(const std::vector<std::vector<double>>& steps) {
  double largest = 0.0;
  for (const std::vector<double>& numbers : steps)
    for (const double number : numbers)
      if (std::isfinite(number)) largest = std::max(largest, std::abs(number));
  return largest;
}

}  // namespace

double PlainCourse::size(int step) const {
  return root_of_squares(memory[static_cast<std::size_t>(step)]);
}

double PlainCourse::size_of_normalizer(int step) const {
  return root_of_squares(normalizer[static_cast<std::size_t>(step)]);
}

double PlainCourse::largest_memory() const {
  return largest_of(memory);
}

double PlainCourse::largest_normalizer() const {
  return largest_of(normalizer);
}

PlainCourse plain_course(const Trace& trace, const BlockCard& block, int head) {
  PlainCourse course;
  course.rows = block.has_matrix ? block.key_dim : 1;
  course.columns = block.value_dim;
  const MemoryCard& names = block.values->memory;
  const std::string divisor = block.has_matrix ? names.keys : "n";
  const bool divides = !divisor.empty() && block.values->find(divisor) != nullptr;
  std::vector<float> written(static_cast<std::size_t>(course.rows * course.columns), 0.0f);
  for (int step = 0; step < trace.length(); ++step) {
    const Recorded* output = trace.find(step, block.path("h"));
    const auto scale = scales(trace, block, step, head, block.has_matrix ? 1 : block.value_dim);
    if (!output || head >= output->heads || !scale) break;
    std::vector<double> memory;
    if (block.has_matrix) {
      if (!write_recorded(trace, block, step, head, written)) break;
      for (const float cell : written) memory.push_back(scaled(cell, scale->front()));
    } else {
      const float* state =
          recorded_head(trace, block, names.state.c_str(), step, head, block.value_dim);
      if (!state) break;
      for (std::size_t unit = 0; unit < scale->size(); ++unit)
        memory.push_back(scaled(state[unit], (*scale)[unit]));
    }
    if (divides) {
      const Recorded* n = trace.find(step, block.path(divisor));
      if (!n || head >= n->heads) break;
      std::vector<double> normalizer = recorded_numbers(*n, head);
      for (std::size_t i = 0; i < normalizer.size(); ++i)
        normalizer[i] = scaled(static_cast<float>(normalizer[i]),
                               (*scale)[scale->size() == normalizer.size() ? i : 0]);
      course.normalizer.push_back(std::move(normalizer));
    }
    course.memory.push_back(std::move(memory));
    course.output.push_back(recorded_numbers(*output, head));
  }
  return course;
}

double half_life_between(double before, double after, int steps) {
  const double ratio = after / before;
  if (!std::isfinite(ratio) || ratio == 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (std::abs(ratio) >= 1.0) return std::numeric_limits<double>::infinity();
  return -static_cast<double>(steps) * std::log(2.0) / std::log(std::abs(ratio));
}

}  // namespace xlab
