// The gradient of what a cell remembers.
#include "core/training/memory_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/check.hpp"
#include "kernels/gates.hpp"
#include "kernels/tensor.hpp"

namespace xlab {
namespace {

constexpr double kZeroLength = -std::numeric_limits<double>::infinity();
constexpr double kNoLength = std::numeric_limits<double>::quiet_NaN();

std::vector<double> doubles_of(const Tensor& x) {
  const Tensor wide = x.to(Device::cpu()).to(DType::f64);
  const std::span<double> numbers = wide.span<double>();
  return {numbers.begin(), numbers.end()};
}

/// Numbers times e^scale, which neither overflow nor underflow.
class ScaledNumbers {
 public:
  explicit ScaledNumbers(std::size_t size) : numbers_(size, 0.0) {}

  void multiply(double log_factor) { scale_ += log_factor; }
  /// Adds e^log_factor times more of them.
  void add(double log_factor, std::span<const double> more) {
    const double length = log_length(more);
    if (length == kZeroLength) return;
    const double comes = log_factor + length;
    // What is no number stays none.
    if (std::isnan(comes) || std::isnan(scale_)) {
      scale_ = kNoLength;
      return;
    }
    const double scale = std::max(scale_, comes);
    if (scale == kZeroLength) return;
    const double old = std::exp(scale_ - scale);
    const double fresh = std::exp(comes - scale) / std::exp(length);
    for (std::size_t j = 0; j < numbers_.size(); ++j)
      numbers_[j] = old * numbers_[j] + fresh * more[j];
    scale_ = scale;
  }
  double log_size() const {
    return scale_ == kZeroLength ? kZeroLength : scale_ + log_length(numbers_);
  }

 private:
  std::vector<double> numbers_;
  double scale_ = kZeroLength;
};

double log_kept(kernels::ForgetGate gate, double pre) {
  return gate == kernels::ForgetGate::sigmoid ? log_sigmoid(pre) : pre;
}

/// (T, heads, dim) of one sequence, as it lies.
struct Steps {
  std::vector<double> numbers;
  std::size_t heads = 1, dim = 1;

  Steps(const Tensor& x, std::size_t all_heads, std::size_t each)
      : numbers(doubles_of(x)), heads(all_heads), dim(each) {}
  std::span<const double> at(std::size_t t, std::size_t head) const {
    return std::span(numbers).subspan((t * heads + head) * dim, dim);
  }
};

double inner_product_of(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

/// What divides the read-out of a matrix memory, as a logarithm, and whether s decides it:
/// log(max(|s|, floor) + eps).
struct Denominator {
  double log = 0.0;
  bool moves_with_s = false;
};
Denominator denominator(const kernels::MlstmOptions& options, double s, double m) {
  const bool one = options.floor == kernels::DenominatorFloor::one || !options.stabilizer;
  const double floor = one ? 0.0 : -m, size = std::log(std::abs(s));
  const bool moves = options.normalize && size >= floor;
  const double larger = options.normalize && std::isnan(size) ? kNoLength : moves ? size : floor;
  if (options.eps == 0.0) return {larger, moves};
  // log(e^a + eps), whichever of them is larger.
  const double eps = std::log(options.eps);
  return {std::max(larger, eps) + std::log1p(std::exp(-std::abs(larger - eps))), moves};
}

/// C and n of every head: G_t = f_{t+1} G_{t+1} + exp(m_T - m_t) [q dh^T / (N + eps), ds q].
void of_matrices(const ScanWatch& watch, std::size_t heads, const std::atomic<bool>* cancel,
                 MemoryGradient& found) {
  const auto& [options, forward] = *watch.mlstm;
  const auto T = static_cast<std::size_t>(forward.h.extent(1));
  const auto K = static_cast<std::size_t>(forward.q.extent(3)),
             V = static_cast<std::size_t>(forward.v.extent(3));
  const Steps q(forward.q, heads, K), h(forward.h, heads, V), dh(watch.dh, heads, V);
  const Steps f(forward.f, heads, 1), m(forward.m, heads, 1), s(forward.s, heads, 1);
  std::vector<double> read(K * V + K);
  for (std::size_t head = 0; head < heads; ++head) {
    ScaledNumbers G(read.size());
    const double m_T = m.at(T - 1, head)[0];
    double kept = 0.0;
    for (std::size_t t = T; t-- > 0;) {
      if (cancel && cancel->load(std::memory_order_relaxed)) throw Cancelled();
      if (t + 1 < T) {
        const double forget = log_kept(options.forget_gate, f.at(t + 1, head)[0]);
        G.multiply(forget);
        kept += forget;
      }
      const std::span<const double> asked = q.at(t, head), wanted = dh.at(t, head);
      const double m_t = m.at(t, head)[0];
      const Denominator by = denominator(options, s.at(t, head)[0], m_t);
      const double sign = s.at(t, head)[0] > 0.0 ? -1.0 : 1.0;
      const double ds = by.moves_with_s ? sign * inner_product_of(wanted, h.at(t, head)) : 0.0;
      for (std::size_t k = 0; k < K; ++k) {
        const double query = options.query_scale * asked[k];
        for (std::size_t v = 0; v < V; ++v) read[k * V + v] = query * wanted[v];
        read[K * V + k] = query * ds;
      }
      G.add(m_T - m_t - by.log, read);
      const std::size_t at = head * T + t;
      found.memory[at] = G.log_size();
      found.alone[at] = found.memory[head * T + T - 1] + kept;
      found.output[at] = log_length(wanted);
    }
  }
}

/// c and n of every unit: what goes on from h_t is dh_t + R^T dpre_{t+1}, and h = σ(o) c / n, or
/// σ(o) tanh(c) of an LSTM.
void of_units(const ScanWatch& watch, std::size_t heads, const std::atomic<bool>* cancel,
              MemoryGradient& found) {
  const auto& [options, forward, squashed] = *watch.slstm;
  const auto T = static_cast<std::size_t>(forward.y.extent(1)),
             D = static_cast<std::size_t>(forward.y.extent(3));
  const kernels::SlstmRecord& saved = forward.saved;
  const Steps dy(watch.dh, heads, D), c(saved.c, heads, D);
  const Steps n(squashed ? saved.c : saved.n, heads, D), m(squashed ? saved.c : saved.m, heads, D);
  // (T, 4 gates, heads, units)
  const Steps pre(saved.pre, 4 * heads, D), dpre(watch.dpre, 4 * heads, D);
  const std::vector<double> r = doubles_of(forward.r);
  std::vector<double> memory(D), alone(D), at_end(D), goes_on(D);
  for (std::size_t head = 0; head < heads; ++head) {
    std::vector<ScaledNumbers> G(D, ScaledNumbers(squashed ? 1 : 2));
    std::vector<double> kept(D, 0.0);
    for (std::size_t t = T; t-- > 0;) {
      if (cancel && cancel->load(std::memory_order_relaxed)) throw Cancelled();
      const std::span<const double> wanted = dy.at(t, head);
      goes_on.assign(wanted.begin(), wanted.end());
      for (std::size_t gate = 0; t + 1 < T && gate < 4; ++gate) {
        const std::span<const double> back = dpre.at(t + 1, gate * heads + head);
        for (std::size_t out = 0; out < D; ++out)
          for (std::size_t in = 0; in < D; ++in)
            goes_on[in] += r[((head * 4 + gate) * D + out) * D + in] * back[out];
      }
      for (std::size_t u = 0; u < D; ++u) {
        if (t + 1 < T) {
          const double forget = log_kept(options.forget_gate, pre.at(t + 1, heads + head)[u]);
          G[u].multiply(forget);
          kept[u] += forget;
        }
        const double open = sigmoid(pre.at(t, 3 * heads + head)[u]) * goes_on[u];
        const double c_t = c.at(t, head)[u];
        if (squashed) {
          const double y = std::tanh(c_t), d[] = {open * (1.0 - y * y)};
          G[u].add(0.0, d);
        } else {
          const double n_t = n.at(t, head)[u], d[] = {open / n_t, -open * c_t / (n_t * n_t)};
          G[u].add(m.at(T - 1, head)[u] - m.at(t, head)[u], d);
        }
        memory[u] = G[u].log_size();
        if (t + 1 == T) at_end[u] = memory[u];
        alone[u] = at_end[u] + kept[u];
      }
      const std::size_t at = head * T + t;
      found.memory[at] = log_length_of_lengths(memory);
      found.alone[at] = log_length_of_lengths(alone);
      found.output[at] = log_length(goes_on);
    }
  }
}

}  // namespace

double log_length(std::span<const double> numbers) {
  double largest = 0.0;
  for (const double x : numbers) {
    if (std::isnan(x)) return kNoLength;
    largest = std::max(largest, std::abs(x));
  }
  if (largest == 0.0) return kZeroLength;
  if (std::isinf(largest)) return largest;
  double sum = 0.0;
  for (const double x : numbers) sum += (x / largest) * (x / largest);
  return std::log(largest) + 0.5 * std::log(sum);
}

double log_length_of_lengths(std::span<const double> logs) {
  double largest = kZeroLength;
  for (const double x : logs) {
    if (std::isnan(x)) return kNoLength;
    largest = std::max(largest, x);
  }
  if (std::isinf(largest)) return largest;
  double sum = 0.0;
  for (const double x : logs) sum += std::exp(2.0 * (x - largest));
  return largest + 0.5 * std::log(sum);
}

MemoryGradient memory_gradient(const ScanWatch& watch, int heads, const std::atomic<bool>* cancel) {
  check(watch.dh.defined() && (watch.mlstm || watch.slstm),
        "There is no scan whose gradient could be told.");
  const Tensor& h = watch.mlstm ? watch.mlstm->forward.h : watch.slstm->forward.y;
  check(h.extent(0) == 1 && h.extent(2) == heads,
        "The gradient of a memory is that of one sequence.");
  const auto count = static_cast<std::size_t>(h.extent(1) * h.extent(2));
  MemoryGradient found{std::vector<double>(count), std::vector<double>(count),
                       std::vector<double>(count)};
  if (watch.mlstm) {
    of_matrices(watch, static_cast<std::size_t>(heads), cancel, found);
  } else {
    of_units(watch, static_cast<std::size_t>(heads), cancel, found);
  }
  return found;
}

}  // namespace xlab
