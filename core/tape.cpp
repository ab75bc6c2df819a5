// The tape: running backwards, watching and clamping.
#include "core/tape.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/scan_watch.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

float length_of(const std::vector<float>& numbers) {
  double sum = 0.0;
  for (const float x : numbers) sum += static_cast<double>(x) * static_cast<double>(x);
  return static_cast<float>(std::sqrt(sum));
}

}  // namespace

std::vector<const Clamp*> Observer::acting_on(const std::string& path, std::int64_t steps) const {
  std::vector<const Clamp*> acting;
  for (const Clamp& clamp : clamps)
    if (clamp.enabled && clamp.begin < step + steps && clamp.end > step && clamp.path == path)
      acting.push_back(&clamp);
  return acting;
}

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
  const std::int64_t steps = value(x).extent(1);
  const std::vector<const Clamp*> acting = observer_->acting_on(path(name), steps);
  Var out = x;
  if (!acting.empty()) {
    const Tensor original = value(x);
    const Tensor changed = original.to(Device::cpu()).clone();
    // What a gradient is multiplied with on its way back.
    const Tensor passes =
        needs_gradients() ? Tensor::empty(changed.shape(), changed.dtype()) : Tensor();
    visit_float(changed, [&]<typename T>(T) {
      if (passes.defined()) std::fill_n(passes.data<T>(), passes.elements(), T{1});
      const std::int64_t width = changed.extent(2), dim = width / heads;
      for (std::int64_t at = 0; at < changed.elements(); ++at) {
        const int step = observer_->step + static_cast<int>(at / width % steps);
        const std::int64_t unit = at % width;
        for (const Clamp* clamp : acting) {
          if (!clamp->acts_at(step)) continue;
          if (!clamp->is_on(static_cast<int>(unit / dim), static_cast<int>(unit % dim))) continue;
          changed.data<T>()[at] = clamp->applied(changed.data<T>()[at], step);
          if (passes.defined() && clamp->change != Change::add)
            passes.data<T>()[at] *=
                clamp->change == Change::set ? T{0} : static_cast<T>(clamp->value_at(step));
        }
      }
    });
    out = push(changed.to(original.device()), [this, x, passes](const Tensor& g) {
      const Tensor on_host = g.to(Device::cpu()).clone();
      visit_float(on_host, [&]<typename T>(T) {
        for (std::int64_t at = 0; at < on_host.elements(); ++at) {
          const T passed = passes.data<T>()[at];
          on_host.data<T>()[at] = passed == T{0} ? T{0} : on_host.data<T>()[at] * passed;
        }
      });
      kernels::accumulate(grad(x), on_host.to(g.device()));
    });
  }
  record(name, value(out), heads);
  return out;
}

}  // namespace xlab
