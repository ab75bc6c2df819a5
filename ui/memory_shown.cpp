// The numbers of a matrix memory at one step, as they are shown.
#include "ui/memory_shown.hpp"

#include <cstddef>

namespace xlab::ui {
namespace {

std::span<const float> part(const std::vector<float>& all, int index, int size) {
  const auto n = static_cast<std::size_t>(size);
  return {all.data() + static_cast<std::size_t>(index) * n, n};
}

}  // namespace

std::span<const float> MemoryShown::cells_of(int head) const {
  return part(cells, head, keys * values);
}

std::span<const float> MemoryShown::n_of(int head) const {
  return part(n, head, keys);
}

MemoryShown memory_shown(const Snapshot& snapshot, const BlockCard& block, const MemoryImage& image,
                         MemoryMode mode) {
  MemoryShown shown{image.step, image.heads, image.key_dim, image.value_dim, {}, {}};
  const auto size = static_cast<std::size_t>(shown.heads) * static_cast<std::size_t>(shown.keys) *
                    static_cast<std::size_t>(shown.values);
  const Trace* trace = snapshot.trace.get();
  const auto find = [&](const char* name, int dim) -> const Recorded* {
    const Recorded* r = trace ? trace->find(image.step, block.prefix + "/" + name) : nullptr;
    return r && r->heads == image.heads && r->dim == dim ? r : nullptr;
  };
  if (const Recorded* n = find("n", shown.keys)) shown.n = n->values;
  if (mode == MemoryMode::value) {
    if (image.C.size() == size) shown.cells = image.C;
    return shown;
  }
  const Recorded* gate = find("input_gate", 1);
  const Recorded* k = find("k", shown.keys);
  const Recorded* v = find("v", shown.values);
  if (!gate || !k || !v) return shown;
  shown.cells.reserve(size);
  for (int head = 0; head < shown.heads; ++head) {
    for (int key = 0; key < shown.keys; ++key) {
      for (int value = 0; value < shown.values; ++value) {
        shown.cells.push_back(gate->at(head, 0) * k->at(head, key) * v->at(head, value));
      }
    }
  }
  return shown;
}

}  // namespace xlab::ui
