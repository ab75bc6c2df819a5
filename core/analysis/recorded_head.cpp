// Finding a head's numbers, and replaying a write.
#include "core/analysis/recorded_head.hpp"

#include <cstddef>

namespace xlab {

const float* recorded_head(const Trace& trace, const BlockCard& block, const char* name, int step,
                           int head, int dim) {
  const Recorded* r = trace.find(step, block.path(name));
  if (!r || r->dim != dim || head < 0 || head >= r->heads) return nullptr;
  return r->values.data() + static_cast<std::size_t>(head) * static_cast<std::size_t>(dim);
}

bool write_recorded(const Trace& trace, const BlockCard& block, int step, int head,
                    std::vector<float>& memory) {
  const auto find = [&](const char* name, int dim) {
    return recorded_head(trace, block, name, step, head, dim);
  };
  const float *forget = find("forget_gate", 1), *input = find("input_gate", 1);
  const float *k = find("k", block.key_dim), *v = find("v", block.value_dim);
  if (!forget || !input || !k || !v) return false;
  float* row = memory.data();
  for (int key = 0; key < block.key_dim; ++key, row += block.value_dim) {
    const float written = *input * k[key];
    for (int value = 0; value < block.value_dim; ++value)
      row[value] = (step == 0 ? 0.0f : *forget * row[value]) + written * v[value];
  }
  return true;
}

}  // namespace xlab
