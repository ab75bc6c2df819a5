// The numbers of a matrix memory at one step, as they are shown.
#include "ui/memory_shown.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/analysis/recorded_head.hpp"

namespace xlab::ui {
namespace {

std::span<const float> part(const std::vector<float>& all, int index, int size) {
  const auto n = static_cast<std::size_t>(size);
  return {all.data() + static_cast<std::size_t>(index) * n, n};
}

/// Takes what was stored in the pinned state off what is stored now, head by head.
void take_off(const Snapshot& snapshot, const PinnedMemory& pinned, const BlockCard& block,
              MemoryShown& shown) {
  const MemoryCard& card = block.values->memory;
  const Snapshot& reference = *pinned.state();
  const int then = reference.sequence.cursor;
  std::vector<float> cells = std::move(shown.cells), n = std::move(shown.n);
  shown.cells.clear();
  shown.n.clear();
  if (cells.empty() || pinned.C().size() != cells.size()) return;
  const auto number = [&](const Snapshot& of, const std::string& name, int step, int head,
                          int dim) {
    return recorded_head(*of.trace, block, name.c_str(), step, head, dim);
  };
  const auto less = [](float now, double by, float before, double factor) {
    return static_cast<float>(by * static_cast<double>(now) - factor * static_cast<double>(before));
  };
  const auto size = static_cast<std::size_t>(shown.keys) * static_cast<std::size_t>(shown.values);
  for (int head = 0; head < shown.heads; ++head) {
    double by = 1.0, factor = 1.0;
    if (!card.scale.empty()) {
      const float *m = number(snapshot, card.scale, shown.step, head, 1),
                  *m_then = number(reference, card.scale, then, head, 1);
      if (!m || !m_then) return;
      const double larger = std::max(static_cast<double>(*m), static_cast<double>(*m_then));
      by = std::exp(static_cast<double>(*m) - larger);
      factor = std::exp(static_cast<double>(*m_then) - larger);
    }
    const std::size_t first = static_cast<std::size_t>(head) * size;
    for (std::size_t i = first; i < first + size; ++i)
      cells[i] = less(cells[i], by, pinned.C()[i], factor);
    const float* n_then = number(reference, card.keys, then, head, shown.keys);
    if (!n_then) n.clear();
    for (int key = 0; !n.empty() && key < shown.keys; ++key) {
      float& one = n[static_cast<std::size_t>(head * shown.keys + key)];
      one = less(one, by, n_then[key], factor);
    }
  }
  shown.cells = std::move(cells);
  shown.n = std::move(n);
}

/// f' C of the step before, head by head; empty where something is missing.
std::vector<float> decayed(const BlockCard& block, const MemoryImage& image, const Trace* trace) {
  const ValueCard* state = block.values->find(block.values->memory.state);
  if (!state || state->inputs.empty() || !trace || image.previous.size() != image.C.size())
    return {};
  const Recorded* forget = trace->find(image.step, block.path(state->inputs.front()));
  if (!forget || forget->dim != 1 || forget->heads != image.heads) return {};
  const auto size =
      static_cast<std::size_t>(image.key_dim) * static_cast<std::size_t>(image.value_dim);
  std::vector<float> left;
  left.reserve(image.previous.size());
  // Nothing is left of nothing, whatever stands in the gate.
  for (std::size_t i = 0; i < image.previous.size(); ++i)
    left.push_back(image.step == 0 ? 0.0f
                                   : forget->values[i / std::max<std::size_t>(size, 1)] *
                                         image.previous[i]);
  return left;
}

}  // namespace

std::span<const float> MemoryShown::cells_of(int head) const {
  return part(cells, head, keys * values);
}

std::span<const float> MemoryShown::n_of(int head) const {
  return part(n, head, keys);
}

const std::string& shown_value(const BlockCard& block, MemoryMode mode) {
  const MemoryCard& memory = block.values->memory;
  return mode == MemoryMode::write ? memory.write : memory.state;
}

std::string symbol_of(const BlockCard& block, const std::string& name) {
  const ValueCard* card = block.values->find(name);
  return card ? card->symbol : name;
}

std::vector<const ValueCard*> write_factors(const BlockCard& block) {
  std::vector<const ValueCard*> factors;
  const ValueCard* write = block.values->find(block.values->memory.write);
  if (!write) return factors;
  for (const std::string& name : write->inputs) {
    const ValueCard* factor = block.values->find(name);
    if (!factor || !factor->recorded) return {};
    factors.push_back(factor);
  }
  return factors;
}

int unit_of(const ValueCard& factor, int key, int value) {
  if (factor.extent == Extent::key) return key;
  return factor.extent == Extent::value ? value : 0;
}

void PinnedMemory::follow(const std::shared_ptr<const Snapshot>& reference, const BlockCard& block,
                          int index) {
  if (state_ == reference && prefix_ == block.prefix) return;
  state_ = reference;
  prefix_ = block.prefix;
  C_.clear();
  if (!state_ || !state_->trace) return;
  const int cursor = state_->sequence.cursor;
  const MemoryImage* image = state_->memory.get();
  if (image && image->block == index && image->step == cursor) {
    C_ = image->C;
    return;
  }
  const std::size_t size =
      static_cast<std::size_t>(block.key_dim) * static_cast<std::size_t>(block.value_dim);
  for (int head = 0; head < block.heads; ++head) {
    std::vector<float> memory(size);
    for (int step = 0; step <= cursor; ++step) {
      if (write_recorded(*state_->trace, block, step, head, memory)) continue;
      C_.clear();
      return;
    }
    C_.insert(C_.end(), memory.begin(), memory.end());
  }
}

MemoryShown memory_shown(const Snapshot& snapshot, const BlockCard& block, const MemoryImage& image,
                         MemoryMode mode, const PinnedMemory& pinned) {
  MemoryShown shown{image.step, image.heads, image.key_dim, image.value_dim, {}, {}};
  const auto size = static_cast<std::size_t>(shown.heads) * static_cast<std::size_t>(shown.keys) *
                    static_cast<std::size_t>(shown.values);
  const Trace* trace = snapshot.trace.get();
  const auto find = [&](const std::string& name, std::int64_t dim) -> const Recorded* {
    const Recorded* r = trace ? trace->find(image.step, block.path(name)) : nullptr;
    return r && r->heads == image.heads && r->dim == dim ? r : nullptr;
  };
  if (const Recorded* n = find(block.values->memory.keys, shown.keys)) shown.n = n->values;
  if (mode != MemoryMode::write) {
    if (image.C.size() == size)
      shown.cells = mode == MemoryMode::decayed ? decayed(block, image, trace) : image.C;
    if (mode == MemoryMode::difference && pinned.state() && trace)
      take_off(snapshot, pinned, block, shown);
    return shown;
  }
  const std::vector<const ValueCard*> factors = write_factors(block);
  std::vector<const Recorded*> numbers;
  for (const ValueCard* factor : factors) {
    numbers.push_back(find(factor->name, block.numbers(factor->extent)));
    if (!numbers.back()) return shown;
  }
  if (factors.empty()) return shown;
  shown.cells.reserve(size);
  for (int head = 0; head < shown.heads; ++head) {
    for (int key = 0; key < shown.keys; ++key) {
      for (int value = 0; value < shown.values; ++value) {
        float product = 1.0f;
        for (std::size_t f = 0; f < factors.size(); ++f) {
          product *= numbers[f]->at(head, unit_of(*factors[f], key, value));
        }
        shown.cells.push_back(product);
      }
    }
  }
  return shown;
}

}  // namespace xlab::ui
