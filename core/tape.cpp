// The tape: running backwards, watching and clamping.
#include "core/tape.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/scan_watch.hpp"
#include "kernels/elementwise.hpp"

namespace xlab {
namespace {

float length_of(const std::vector<float>& numbers) {
  double sum = 0.0;
  for (const float x : numbers) sum += static_cast<double>(x) * static_cast<double>(x);
  return static_cast<float>(std::sqrt(sum));
}

}  // namespace

const Tensor& Tape::grad(Var x) {
  Node& node = nodes_[static_cast<std::size_t>(x.id)];
  if (!node.grad.defined())
    node.grad = Tensor::zeros(node.value.shape(), node.value.dtype(), node.value.device());
  return node.grad;
}

void Tape::drop(Var first, Var end) {
  check(!needs_gradients(), "What gradients need is not dropped.");
  for (int id = first.id; id < end.id; ++id) nodes_[static_cast<std::size_t>(id)].value = {};
}

void Tape::backward(Var output, const Tensor& gradient) {
  assert(needs_gradients());
  kernels::accumulate(grad(output), gradient);
  for (std::size_t i = static_cast<std::size_t>(output.id) + 1; i-- > 0;) {
    Node& node = nodes_[i];
    if (node.backward && node.grad.defined()) {
      stop_if_cancelled();
      node.backward(node.grad);
      // Nobody reads them again: give the memory back for the nodes still to come.
      node.backward = nullptr;
      node.grad = Tensor();
    }
  }
}

void Tape::record(const std::string& name, const Tensor& value, int heads) {
  if (!observer_ || !observer_->trace) return;
  Recorded recorded;
  recorded.heads = heads;
  recorded.dim = static_cast<int>(value.elements()) / heads;
  const bool on_host = value.device() == Device::cpu();
  if (on_host) recorded.values = floats_of(value);
  // Entries of the trace keep their place, whatever is recorded after them.
  Recorded& place =
      observer_->trace->values.insert_or_assign(path(name), std::move(recorded)).first->second;
  if (on_host) return;
  readback_.add(value);
  awaited_.push_back({.place = &place});
}

void Tape::record_length(const std::string& path, Var x, int place, int count) {
  if (!observer_ || !observer_->trace) return;
  Recorded& recorded = observer_->trace->values[path];
  recorded.heads = 1;
  recorded.dim = count;
  recorded.values.resize(static_cast<std::size_t>(count));
  if (value(x).device() == Device::cpu()) {
    recorded.values[static_cast<std::size_t>(place)] = length_of(floats_of(value(x)));
  } else {
    readback_.add(value(x));
    awaited_.push_back({.place = &recorded, .length = place});
  }
}

std::vector<float> Tape::read(Var x) {
  readback_.add(value(x));
  std::vector<std::vector<float>> numbers = readback_.fetch();
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    const auto [place, length] = awaited_[i];
    if (length < 0) {
      place->values = std::move(numbers[i]);
    } else {
      place->values[static_cast<std::size_t>(length)] = length_of(numbers[i]);
    }
  }
  awaited_.clear();
  return std::move(numbers.back());
}

ScanWatch* Tape::scan_watch() const {
  if (!observer_ || !observer_->scan || observer_->scan->prefix != prefix_) return nullptr;
  return observer_->scan;
}

Var Tape::tap(const std::string& name, Var x, int heads) {
  if (!observer_) return x;
  const std::string full = path(name);
  Var out = x;
  for (const Clamp& clamp : observer_->clamps) {
    if (!clamp.enabled || clamp.path != full) continue;
    const std::int64_t begin =
                           std::max<std::int64_t>(std::int64_t{clamp.begin} - observer_->step, 0),
                       end = std::min<std::int64_t>(std::int64_t{clamp.end} - observer_->step,
                                                    value(out).extent(1));
    if (begin >= end) continue;
    const std::int64_t dim = value(out).extent(2) / heads;
    const std::int64_t at = clamp.head * dim + clamp.unit;
    if (clamp.head < 0 || clamp.head >= heads || clamp.unit < 0 || clamp.unit >= dim) continue;
    Tensor replaced = value(out).clone();
    kernels::overwrite(replaced, begin, end, at, at + 1, clamp.value);
    const Var before = out;
    out = push(replaced, [this, before, begin, end, at](const Tensor& g) {
      Tensor passed = g.clone();
      kernels::overwrite(passed, begin, end, at, at + 1, 0.0);
      kernels::accumulate(grad(before), passed);
    });
  }
  record(name, value(out), heads);
  return out;
}

}  // namespace xlab
