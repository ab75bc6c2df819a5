// Gates are named as all cells name them.
#include "core/edits.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace xlab {
namespace {

const ValueCard* gate_named(const BlockCard& block, const char* name) {
  const ValueCard* gate = block.values->find(name);
  return gate && gate->clampable ? gate : nullptr;
}

std::optional<Clamp> closed(const BlockCard& block, const char* name, int head, int begin,
                            int end) {
  const ValueCard* gate = gate_named(block, name);
  if (!gate || begin >= end) return std::nullopt;
  return Clamp{.path = block.path(gate->name),
               .head = head,
               .unit = gate->extent == Extent::head ? 0 : Clamp::kAll,
               .begin = begin,
               .end = end,
               .value = gate->closed_at};
}

}  // namespace

std::optional<Clamp> never_written(const BlockCard& block, int head, int step) {
  return closed(block, "input_gate_pre", head, step, step + 1);
}

bool is_never_written(const BlockCard& block, const Clamp& clamp) {
  std::optional<Clamp> same = never_written(block, clamp.head, clamp.begin);
  if (!same) return false;
  same->enabled = clamp.enabled;
  return *same == clamp;
}

std::optional<Clamp> switched_off(const BlockCard& block, int head, int length) {
  return closed(block, "output_gate_pre", head, 0, length);
}

EditedNumber edits_of(std::span<const Clamp> clamps, std::string_view path, int head, int unit,
                      int step) {
  EditedNumber edited;
  for (const Clamp& clamp : clamps) {
    if (!clamp.acts_at(step) || !clamp.is_on(head, unit) || clamp.path != path) continue;
    const double by = static_cast<double>(clamp.value_at(step));
    edited.any = true;
    if (clamp.change == Change::add) {
      edited.plus += by;
    } else {
      edited.scale *= clamp.change == Change::scale ? by : 0.0;
      edited.plus = clamp.change == Change::scale ? edited.plus * by : by;
    }
  }
  return edited;
}

Clamp over_steps(Clamp clamp, int begin, int end) {
  end = std::max(end, begin + 1);
  if (!clamp.curve.empty()) {
    std::vector<float> curve;
    for (int step = begin; step < end; ++step)
      curve.push_back(clamp.value_at(std::clamp(step, clamp.begin, clamp.end - 1)));
    clamp.curve = std::move(curve);
  }
  clamp.begin = begin;
  clamp.end = end;
  return clamp;
}

}  // namespace xlab
