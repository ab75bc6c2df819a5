// From the newest write back to the first one.
#include "core/analysis/cell_writers.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace xlab {

CellWriters cell_writers(const Trace& trace, const BlockCard& block, int step, int head, int key,
                         int value, int most) {
  CellWriters writers;
  if (!block.has_matrix || key < 0 || key >= block.key_dim || value < 0 || value >= block.value_dim)
    return writers;
  const std::string input = block.path("input_gate"), forget = block.path("forget_gate"),
                    keys = block.path("k"), values = block.path("v");
  std::vector<CellWriter> all;
  double kept = 1.0;
  for (int s = step; s >= 0; --s) {
    const Recorded *i = trace.find(s, input), *f = trace.find(s, forget), *k = trace.find(s, keys),
                   *v = trace.find(s, values);
    if (!i || !f || !k || !v || head < 0 || head >= i->heads || head >= f->heads ||
        head >= k->heads || head >= v->heads || key >= k->dim || value >= v->dim)
      return writers;
    const double written = static_cast<double>(k->at(head, key)) * v->at(head, value);
    all.push_back({s, kept * i->at(head, 0) * written});
    kept *= static_cast<double>(f->at(head, 0));
  }
  writers.count = static_cast<int>(all.size());
  std::stable_sort(all.begin(), all.end(), [](const CellWriter& a, const CellWriter& b) {
    return std::abs(a.amount) > std::abs(b.amount);
  });
  for (const CellWriter& one : all) {
    if (static_cast<int>(writers.largest.size()) < most) {
      writers.largest.push_back(one);
    } else {
      writers.rest += one.amount;
    }
  }
  return writers;
}

}  // namespace xlab
