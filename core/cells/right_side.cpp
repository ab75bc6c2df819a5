// Looking recorded values up, and the formulas that several cells share.
#include "core/cells/right_side.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "core/short_number.hpp"

namespace xlab {
namespace {

double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}

/// The numbers of a sum: where its terms nearly cancel, with so many digits that whoever adds what
/// is written comes to the sum.
class Terms {
 public:
  explicit Terms(std::initializer_list<double> terms) {
    constexpr double kNear = 5e-4;
    constexpr int kMost = 7;
    double sum = 0.0;
    for (const double term : terms) sum += term;
    const auto is_near = [&] {
      double written = 0.0;
      for (const double term : terms) written += value_of(text(term));
      return !(std::abs(written - sum) > kNear * std::max(1.0, std::abs(sum)));
    };
    while (!is_near() && decimals_ < kMost) decimals_ = std::max(decimals_, 3) + 1;
  }
  std::string text(double value) const {
    return decimals_ < 0 || !std::isfinite(value)
               ? number(value)
               : typeset_number(fmt::format("{:.{}f}", value, decimals_));
  }
  /// One that stands behind a sign.
  std::string behind(double value) const {
    return value < 0.0 ? fmt::format("({})", text(value)) : text(value);
  }

 private:
  static double value_of(std::string_view text) {
    constexpr std::string_view kMinus = "−";
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
      const bool minus = text.substr(at).starts_with(kMinus);
      plain += minus ? '-' : text[at];
      at += minus ? kMinus.size() : 1;
    }
    return std::strtod(plain.c_str(), nullptr);
  }

  int decimals_ = -1;  // as everywhere
};

}  // namespace

const float* Place::head_values(const std::string& name, int step, int* dim) {
  const Recorded* r = trace_.find(step, block_.path(name));
  if (!r || head_ < 0 || head_ >= r->heads || r->dim < 1 ||
      r->values.size() < static_cast<std::size_t>(r->heads) * static_cast<std::size_t>(r->dim)) {
    complete_ = false;
    return nullptr;
  }
  *dim = r->dim;
  return r->values.data() + static_cast<std::size_t>(head_) * static_cast<std::size_t>(r->dim);
}

double Place::at(const std::string& name, int step, int unit) {
  int dim = 0;
  const float* values = head_values(name, step, &dim);
  if (!values) return std::numeric_limits<double>::quiet_NaN();
  if (dim == 1) return values[0];
  if (unit < 0 || unit >= dim) {
    complete_ = false;
    return std::numeric_limits<double>::quiet_NaN();
  }
  return values[unit];
}

std::string number(double value) {
  return short_number(value);
}

std::string term(double value) {
  const std::string text = number(value);
  return value < 0.0 ? "(" + text + ")" : text;
}

Side sigmoid_side(Place& p, const char* name) {
  const double x = p.now(name);
  return {"σ(" + number(x) + ")", sigmoid(x)};
}

Side silu_side(Place& p, const char* name) {
  const double x = p.now(name);
  return {number(x) + " · σ(" + number(x) + ")", x * sigmoid(x)};
}

Side exponential_side(Place& p, const char* name) {
  const double x = p.now(name);
  return {"exp(" + number(x) + ")", std::exp(x)};
}

Side tanh_side(Place& p, const char* name) {
  const double x = p.now(name);
  return {"tanh(" + number(x) + ")", std::tanh(x)};
}

Side mixed(double forget, double before, double input, double value) {
  return {number(forget) + " · " + term(before) + " + " + number(input) + " · " + term(value),
          forget * before + input * value};
}

double dot(Place& p, const char* a, const char* b) {
  int size_a = 0, size_b = 0;
  const float* x = p.head_values(a, p.step(), &size_a);
  const float* y = p.head_values(b, p.step(), &size_b);
  if (!x || !y) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (int j = 0; j < std::min(size_a, size_b); ++j) sum += static_cast<double>(x[j]) * y[j];
  return sum;
}

double log_forget(Place& p) {
  const double f = p.now("forget_gate_pre");
  return p.variant().forget_gate == ForgetGate::exponential ? f : log_sigmoid(f);
}

Side stabilizer_side(Place& p) {
  const double decay = log_forget(p), before = p.before("m"), i = p.now("input_gate_pre");
  return {"max(" + number(decay) + " + " + term(before) + ", " + number(i) + ")",
          std::max(decay + before, i)};
}

Side stabilised_input_side(Place& p) {
  const double i = p.now("input_gate_pre"), m = p.now("m");
  const Terms terms({i, -m});
  return {"exp(" + terms.text(i) + " − " + terms.behind(m) + ")", std::exp(i - m)};
}

Side stabilised_forget_side(Place& p) {
  const double m = p.now("m"), before = p.before("m");
  const double decay = log_forget(p);
  const Terms terms({decay, before, -m});
  return {"exp(" + terms.text(decay) + " + " + terms.behind(before) + " − " + terms.behind(m) + ")",
          std::exp(decay + before - m)};
}

std::optional<std::pair<int, int>> matrix_cell(Place& p) {
  int keys = 0, values = 0;
  if (!p.head_values("k", p.step(), &keys) || !p.head_values("v", p.step(), &values))
    return std::nullopt;
  if (p.unit() < 0 || p.unit() >= keys * values) return std::nullopt;
  return std::pair{p.unit() / values, p.unit() % values};
}

std::vector<double> memory_column(Place& p, int last, int value) {
  std::vector<double> column;
  for (int t = 0; t <= last; ++t) {
    int keys = 0;
    const float* k = p.head_values("k", t, &keys);
    const double forget = p.at("forget_gate", t, 0), input = p.at("input_gate", t, 0);
    const double v = p.at("v", t, value);
    if (!k) return {};
    column.resize(static_cast<std::size_t>(keys));
    for (int key = 0; key < keys; ++key) {
      double& cell = column[static_cast<std::size_t>(key)];
      cell = forget * cell + input * k[key] * v;
    }
  }
  return column;
}

}  // namespace xlab
