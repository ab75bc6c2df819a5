// Equation cards of every recorded value, and the evaluation of their right-hand sides.
#include "core/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

namespace xlab {
namespace {

// -- Numbers as text ------------------------------------------------------------------------------

std::string number(double value) {
  return short_number(value);
}

/// A number inside a formula: negative ones in brackets.
std::string term(double value) {
  const std::string text = number(value);
  return value < 0.0 ? "(" + text + ")" : text;
}

double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}

// -- Looking values up ----------------------------------------------------------------------------

/// One step, head and unit of one block's recordings. Remembers whether anything was missing.
class Place {
 public:
  Place(const Trace& trace, std::string prefix, int step, int head, int unit,
        const CellVariant& variant)
      : trace_(trace),
        prefix_(std::move(prefix)),
        step_(step),
        head_(head),
        unit_(unit),
        variant_(variant) {}

  const CellVariant& variant() const { return variant_; }

  int step() const { return step_; }
  int unit() const { return unit_; }
  bool complete() const { return complete_; }

  /// The whole head's values of a step, or null.
  const float* head_values(const std::string& name, int step, int* dim) {
    const Recorded* r = trace_.find(step, prefix_ + "/" + name);
    if (!r || head_ < 0 || head_ >= r->heads || r->dim < 1 ||
        r->values.size() < static_cast<std::size_t>(r->heads) * static_cast<std::size_t>(r->dim)) {
      complete_ = false;
      return nullptr;
    }
    *dim = r->dim;
    return r->values.data() + static_cast<std::size_t>(head_) * static_cast<std::size_t>(r->dim);
  }

  /// One number; values with one number a head have the same one for every unit.
  double at(const std::string& name, int step, int unit) {
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
  double now(const std::string& name) { return at(name, step_, unit_); }
  /// States start at 0.
  double before(const std::string& name) { return step_ == 0 ? 0.0 : at(name, step_ - 1, unit_); }

 private:
  const Trace& trace_;
  std::string prefix_;
  int step_, head_, unit_;
  const CellVariant& variant_;
  bool complete_ = true;
};

/// A right-hand side: the formula with numbers, and what it comes to.
struct Side {
  std::string text;
  double value = 0.0;
};

// -- The equations --------------------------------------------------------------------------------

struct Entry {
  const char* cell;  ///< "mlstm", "mlstm_large", "slstm" or "lstm"
  const char* name;  ///< last part of the path
  EquationCard card;
  /// Evaluates the right-hand side; empty for values that come from outside the cell.
  std::function<std::optional<Side>(Place&)> side;
  bool (*when)(const CellVariant&) = nullptr;  ///< of which variants; null: of all that are left
};

bool is_exponential(const CellVariant& v) {
  return v.forget_gate == "exponential";
}
bool is_plain(const CellVariant& v) {
  return !v.stabilizer;
}
bool is_plain_exponential(const CellVariant& v) {
  return is_plain(v) && is_exponential(v);
}
bool has_floor_one(const CellVariant& v) {
  return is_plain(v) || v.denominator_floor == "one";
}
bool has_other_eps(const CellVariant& v) {
  return v.eps != CellVariant{}.eps;
}
bool is_capped(const CellVariant& v) {
  return v.gate_soft_cap > 0.0;
}
bool scales_queries(const CellVariant& v) {
  return v.scale == "queries";
}

std::optional<Side> from_outside(Place&) {
  return std::nullopt;
}

Side input_gate_side(Place& p) {
  const double i = p.now("input_gate_pre"), m = p.now("m");
  return {"exp(" + number(i) + " − " + term(m) + ")", std::exp(i - m)};
}

/// The logarithm of the forget gate before stabilisation.
double log_forget(Place& p) {
  const double f = p.now("forget_gate_pre");
  return is_exponential(p.variant()) ? f : log_sigmoid(f);
}

Side forget_gate_side(Place& p) {
  const double m = p.now("m"), before = p.before("m");
  const double decay = log_forget(p);
  return {"exp(" + number(decay) + " + " + term(before) + " − " + term(m) + ")",
          std::exp(decay + before - m)};
}

/// Whether the cell's normalizer was still zero: there is nothing yet to forget.
bool first_write(Place& p) {
  return p.before("n") == 0.0;
}

Side exponential_side(Place& p, const char* pre) {
  const double x = p.now(pre);
  return {"exp(" + number(x) + ")", std::exp(x)};
}

Side stabilizer_side(Place& p) {
  const double decay = log_forget(p), before = p.before("m"), i = p.now("input_gate_pre");
  return {"max(" + number(decay) + " + " + term(before) + ", " + number(i) + ")",
          std::max(decay + before, i)};
}

Side sigmoid_side(Place& p, const char* pre) {
  const double x = p.now(pre);
  return {"σ(" + number(x) + ")", sigmoid(x)};
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

/// One column of the matrix memory after `last`, replayed from the recorded writes: (K).
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

/// (key, value) of a cell of the matrix memory.
std::optional<std::pair<int, int>> matrix_cell(Place& p) {
  int keys = 0, values = 0;
  if (!p.head_values("k", p.step(), &keys) || !p.head_values("v", p.step(), &values)) {
    return std::nullopt;
  }
  if (p.unit() < 0 || p.unit() >= keys * values) return std::nullopt;
  return std::pair{p.unit() / values, p.unit() % values};
}

std::optional<Side> memory_side(Place& p) {
  const auto cell = matrix_cell(p);
  if (!cell) return std::nullopt;
  const auto [key, value] = *cell;
  double before = 0.0;
  if (p.step() > 0) {
    const std::vector<double> column = memory_column(p, p.step() - 1, value);
    if (column.empty()) return std::nullopt;
    before = column[static_cast<std::size_t>(key)];
  }
  const double forget = p.at("forget_gate", p.step(), 0);
  const double input = p.at("input_gate", p.step(), 0);
  const double k = p.at("k", p.step(), key), v = p.at("v", p.step(), value);
  return Side{number(forget) + " · " + term(before) + " + " + number(input) + " · " + term(k) +
                  " · " + term(v),
              forget * before + input * k * v};
}

std::optional<Side> write_side(Place& p) {
  const auto cell = matrix_cell(p);
  if (!cell) return std::nullopt;
  const double input = p.at("input_gate", p.step(), 0);
  const double k = p.at("k", p.step(), cell->first), v = p.at("v", p.step(), cell->second);
  return Side{number(input) + " · " + term(k) + " · " + term(v), input * k * v};
}

std::optional<Side> read_side(Place& p) {
  int keys = 0;
  const float* q = p.head_values("q", p.step(), &keys);
  const std::vector<double> column = memory_column(p, p.step(), p.unit());
  if (!q || static_cast<int>(column.size()) != keys) return std::nullopt;
  double sum = 0.0;
  for (int key = 0; key < keys; ++key) sum += column[static_cast<std::size_t>(key)] * q[key];
  const double N = p.now("normalizer"), eps = p.variant().eps;
  return Side{number(sum) + " / (" + number(N) + " + " + number(eps) + ")", sum / (N + eps)};
}

// clang-format off
const std::vector<Entry>& entries() {
  static const std::vector<Entry> list = {
      // What other equations change; whatever is not here is as below. -----------------------------
      {"mlstm", "input_gate_pre",
       {"i", "input gate, pre-activation",
        "How strongly this token asks to be written, as the logarithm of its weight; softly capped.",
        "i_t = c · tanh((w · x_t + b) / c)", "log weight, −c..c", {}}, from_outside, is_capped},
      {"mlstm", "forget_gate_pre",
       {"f", "forget gate, pre-activation",
        "How much of the memory is kept, before squashing: +5 keeps nearly all, −5 nearly nothing; "
        "softly capped.",
        "f_t = c · tanh((w · x_t + b) / c)", "−c..c", {}}, from_outside, is_capped},
      {"slstm", "input_gate_pre",
       {"i", "input gate, pre-activation",
        "How strongly this token asks to be written, as the logarithm of its weight; softly capped.",
        "i_t = c · tanh((w · x_t + R h_{t−1} + b) / c)", "log weight, −c..c", {}}, from_outside,
       is_capped},
      {"slstm", "forget_gate_pre",
       {"f", "forget gate, pre-activation",
        "How much of the cell is kept, before squashing; softly capped.",
        "f_t = c · tanh((w · x_t + R h_{t−1} + b) / c)", "−c..c", {}}, from_outside, is_capped},
      {"mlstm", "forget_gate_sigmoid",
       {"exp(f)", "forget gate, exponential",
        "What the memory is multiplied with from one token to the next; above 1 it grows.",
        "exp(f_t)", "above 0", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return exponential_side(p, "forget_gate_pre"); },
       is_exponential},
      {"slstm", "forget_gate_sigmoid",
       {"exp(f)", "forget gate, exponential",
        "What the cell is multiplied with from one token to the next; above 1 it grows.",
        "exp(f_t)", "above 0", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return exponential_side(p, "forget_gate_pre"); },
       is_exponential},
      {"mlstm", "m",
       {"m", "stabilizer", "Switched off: the memory is stored as it is.", "m_t = 0", "0", {}},
       from_outside, is_plain},
      {"slstm", "m",
       {"m", "stabilizer", "Switched off: the cell is stored as it is.", "m_t = 0", "0", {}},
       from_outside, is_plain},
      {"mlstm", "m",
       {"m", "stabilizer",
        "The scale of the memory, as a logarithm: everything is stored divided by exp(m). At the "
        "first write it is i itself.",
        "m_t = max(f_t + m_{t−1}, i_t), m_1 = i_1", "logarithm, any number",
        {"forget_gate_pre", "m@-1", "input_gate_pre"}},
       [](Place& p) -> std::optional<Side> {
         if (p.step() == 0) return Side{"i, the first write", p.now("input_gate_pre")};
         return stabilizer_side(p);
       }, is_exponential},
      {"slstm", "m",
       {"m", "stabilizer",
        "The scale of the cell, as a logarithm: everything is stored divided by exp(m). At the first "
        "write it is i itself.",
        "m_t = max(f_t + m_{t−1}, i_t), m_t = i_t where n_{t−1} = 0", "logarithm, any number",
        {"forget_gate_pre", "m@-1", "input_gate_pre", "n@-1"}},
       [](Place& p) -> std::optional<Side> {
         if (first_write(p)) return Side{"i, the first write", p.now("input_gate_pre")};
         return stabilizer_side(p);
       }, is_exponential},
      {"mlstm", "input_gate",
       {"i'", "input gate", "The weight with which this token is written; large ones overflow.",
        "i'_t = exp(i_t)", "above 0", {"input_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return exponential_side(p, "input_gate_pre"); },
       is_plain},
      {"slstm", "input_gate",
       {"i'", "input gate", "The weight with which this token is written; large ones overflow.",
        "i'_t = exp(i_t)", "above 0", {"input_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return exponential_side(p, "input_gate_pre"); },
       is_plain},
      {"mlstm", "forget_gate",
       {"f'", "forget gate", "What the old memory is multiplied with; above 1 it grows.",
        "f'_t = exp(f_t)", "above 0", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return exponential_side(p, "forget_gate_pre"); },
       is_plain_exponential},
      {"mlstm", "forget_gate",
       {"f'", "forget gate", "What the old memory is multiplied with.",
        "f'_t = σ(f_t)", "0..1", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "forget_gate_pre"); }, is_plain},
      {"mlstm", "forget_gate",
       {"f'", "forget gate, stabilised",
        "What the old memory is multiplied with: what is kept, moved to the new scale.",
        "f'_t = exp(f_t + m_{t−1} − m_t), f'_1 = 0", "0..1", {"forget_gate_pre", "m@-1", "m"}},
       [](Place& p) -> std::optional<Side> {
         if (p.step() == 0) return Side{"nothing to keep yet", 0.0};
         return forget_gate_side(p);
       }, is_exponential},
      {"slstm", "forget_gate",
       {"f'", "forget gate", "What the old cell is multiplied with; above 1 it grows.",
        "f'_t = exp(f_t), 0 where n_{t−1} = 0", "above 0", {"forget_gate_pre", "n@-1"}},
       [](Place& p) -> std::optional<Side> {
         if (first_write(p)) return Side{"nothing to keep yet", 0.0};
         return exponential_side(p, "forget_gate_pre");
       }, is_plain_exponential},
      {"slstm", "forget_gate",
       {"f'", "forget gate", "What the old cell is multiplied with.",
        "f'_t = σ(f_t), 0 where n_{t−1} = 0", "0..1", {"forget_gate_pre", "n@-1"}},
       [](Place& p) -> std::optional<Side> {
         if (first_write(p)) return Side{"nothing to keep yet", 0.0};
         return sigmoid_side(p, "forget_gate_pre");
       }, is_plain},
      {"slstm", "forget_gate",
       {"f'", "forget gate, stabilised",
        "What the old cell is multiplied with: what is kept, moved to the new scale.",
        "f'_t = exp(f_t + m_{t−1} − m_t), 0 where n_{t−1} = 0", "0..1",
        {"forget_gate_pre", "m@-1", "m", "n@-1"}},
       [](Place& p) -> std::optional<Side> {
         if (first_write(p)) return Side{"nothing to keep yet", 0.0};
         return forget_gate_side(p);
       }, is_exponential},
      {"mlstm", "normalizer",
       {"N", "normalizer", "What the read-out is divided by; at least 1.",
        "N_t = max(|s_t|, 1)", "1 or more", {"s"}},
       [](Place& p) -> std::optional<Side> {
         const double s = p.now("s");
         return Side{"max(|" + number(s) + "|, 1)", std::max(std::abs(s), 1.0)};
       }, has_floor_one},
      {"mlstm", "h",
       {"h", "read-out", "What the memory answers to the query.",
        "h_t = C_tᵀ q_t / (N_t + ε)", "any number", {"C", "q", "normalizer"}}, read_side,
       has_other_eps},
      {"mlstm", "q",
       {"q", "query",
        "What the memory is asked for at this token, scaled by the root of its width K.",
        "q_t = W x_t / √K", "any number", {}}, from_outside, scales_queries},
      {"mlstm", "k",
       {"k", "key", "The address under which this token is written; not scaled, the query is.",
        "k_t = W x_t", "any number", {}}, from_outside, scales_queries},
      // mLSTM -------------------------------------------------------------------------------------
      {"mlstm", "input_gate_pre",
       {"i", "input gate, pre-activation",
        "How strongly this token asks to be written, as the logarithm of its weight.",
        "i_t = w · x_t + b", "log weight, any number", {}}, from_outside},
      {"mlstm", "forget_gate_pre",
       {"f", "forget gate, pre-activation",
        "How much of the memory is kept, before squashing: +5 keeps nearly all, −5 nearly nothing.",
        "f_t = w · x_t + b", "any number", {}}, from_outside},
      {"mlstm", "forget_gate_sigmoid",
       {"σ(f)", "forget gate",
        "The share of the memory that is kept from one token to the next.",
        "σ(f_t) = 1 / (1 + exp(−f_t))", "0..1", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "forget_gate_pre"); }},
      {"mlstm", "m",
       {"m", "stabilizer",
        "The scale of the memory, as a logarithm: everything is stored divided by exp(m), so that no "
        "exponential overflows.",
        "m_t = max(log σ(f_t) + m_{t−1}, i_t)", "logarithm, any number",
        {"forget_gate_pre", "m@-1", "input_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return stabilizer_side(p); }},
      {"mlstm", "input_gate",
       {"i'", "input gate, stabilised",
        "The weight with which this token is written, relative to the scale of the memory.",
        "i'_t = exp(i_t − m_t)", "0..1", {"input_gate_pre", "m"}},
       [](Place& p) -> std::optional<Side> { return input_gate_side(p); }},
      {"mlstm", "forget_gate",
       {"f'", "forget gate, stabilised",
        "What the old memory is multiplied with: what is kept, moved to the new scale.",
        "f'_t = exp(log σ(f_t) + m_{t−1} − m_t)", "0..1", {"forget_gate_pre", "m@-1", "m"}},
       [](Place& p) -> std::optional<Side> { return forget_gate_side(p); }},
      {"mlstm", "q",
       {"q", "query", "What the memory is asked for at this token.",
        "q_t = W x_t", "any number", {}}, from_outside},
      {"mlstm", "k",
       {"k", "key",
        "The address under which this token is written, scaled by the root of its width K.",
        "k_t = W x_t / √K", "any number", {}}, from_outside},
      {"mlstm", "v",
       {"v", "value", "What is written at this token.", "v_t = W x_t", "any number", {}},
       from_outside},
      {"mlstm", "n",
       {"n", "normalizer vector",
        "The sum of all keys with the same weights as the memory: it says how much was written where.",
        "n_t = f'_t n_{t−1} + i'_t k_t", "divided by exp(m)",
        {"forget_gate", "n@-1", "input_gate", "k"}},
       [](Place& p) -> std::optional<Side> {
         return mixed(p.now("forget_gate"), p.before("n"), p.now("input_gate"), p.now("k"));
       }},
      {"mlstm", "s",
       {"s", "overlap of query and normalizer",
        "How much of what was written the query reaches.",
        "s_t = ⟨q_t, n_t⟩", "divided by exp(m)", {"q", "n"}},
       [](Place& p) -> std::optional<Side> { return Side{"⟨q, n⟩", dot(p, "q", "n")}; }},
      {"mlstm", "normalizer",
       {"N", "normalizer",
        "What the read-out is divided by; the floor exp(−m) stands for 1 before stabilisation.",
        "N_t = max(|s_t|, exp(−m_t))", "above 0", {"s", "m"}},
       [](Place& p) -> std::optional<Side> {
         const double s = p.now("s"), m = p.now("m");
         return Side{"max(|" + number(s) + "|, exp(−" + term(m) + "))",
                     std::max(std::abs(s), std::exp(-m))};
       }},
      {"mlstm", "h",
       {"h", "read-out", "What the memory answers to the query.",
        "h_t = C_tᵀ q_t / (N_t + 1e−6)", "any number", {"C", "q", "normalizer"}}, read_side},
      {"mlstm", "output_gate_pre",
       {"z", "output gate, pre-activation", "The other half of the block, before its activation.",
        "z_t = W x_t", "any number", {}}, from_outside},
      {"mlstm", "output_gate",
       {"SiLU(z)", "output gate", "What the read-out is multiplied with before it leaves the block.",
        "SiLU(z_t) = z_t · σ(z_t)", "above −0.28", {"output_gate_pre"}},
       [](Place& p) -> std::optional<Side> {
         const double z = p.now("output_gate_pre");
         return Side{number(z) + " · σ(" + number(z) + ")", z * sigmoid(z)};
       }},
      {"mlstm", "C",
       {"C", "matrix memory",
        "One cell of the memory: what is stored for one key channel and one value channel.",
        "C_t = f'_t C_{t−1} + i'_t k_t v_tᵀ", "divided by exp(m)",
        {"forget_gate", "C@-1", "input_gate", "k", "v"}}, memory_side},
      {"mlstm", "write",
       {"i' k vᵀ", "last write", "What this token adds to one cell of the memory.",
        "i'_t k_t v_tᵀ", "divided by exp(m)", {"input_gate", "k", "v"}}, write_side},
      // The large family's mLSTM: what differs from the one above ---------------------------------
      {"mlstm_large", "output_gate_pre",
       {"o", "output gate, pre-activation",
        "How much of the read-out leaves the block, before squashing.",
        "o_t = W x_t", "any number", {}}, from_outside},
      {"mlstm_large", "output_gate",
       {"σ(o)", "output gate", "The share of the normed read-out that leaves the block.",
        "σ(o_t) = 1 / (1 + exp(−o_t))", "0..1", {"output_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "output_gate_pre"); }},
      // sLSTM -------------------------------------------------------------------------------------
      {"slstm", "input_gate_pre",
       {"i", "input gate, pre-activation",
        "How strongly this token asks to be written, as the logarithm of its weight; it also sees "
        "what the head put out one token before.",
        "i_t = w · x_t + R h_{t−1} + b", "log weight, any number", {}}, from_outside},
      {"slstm", "forget_gate_pre",
       {"f", "forget gate, pre-activation",
        "How much of the cell is kept, before squashing: +5 keeps nearly all, −5 nearly nothing.",
        "f_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"slstm", "cell_input_pre",
       {"z", "cell input, pre-activation", "What is to be written, before squashing.",
        "z_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"slstm", "output_gate_pre",
       {"o", "output gate, pre-activation", "How far the cell is opened, before squashing.",
        "o_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"slstm", "forget_gate_sigmoid",
       {"σ(f)", "forget gate", "The share of the cell that is kept from one token to the next.",
        "σ(f_t) = 1 / (1 + exp(−f_t))", "0..1", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "forget_gate_pre"); }},
      {"slstm", "cell_input",
       {"tanh(z)", "cell input", "What is written.", "tanh(z_t)", "−1..1", {"cell_input_pre"}},
       [](Place& p) -> std::optional<Side> {
         const double z = p.now("cell_input_pre");
         return Side{"tanh(" + number(z) + ")", std::tanh(z)};
       }},
      {"slstm", "output_gate",
       {"σ(o)", "output gate", "How far the cell is opened.", "σ(o_t) = 1 / (1 + exp(−o_t))", "0..1",
        {"output_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "output_gate_pre"); }},
      {"slstm", "m",
       {"m", "stabilizer",
        "The scale of the cell, as a logarithm: everything is stored divided by exp(m), so that no "
        "exponential overflows. At the first write it is i itself.",
        "m_t = max(log σ(f_t) + m_{t−1}, i_t), m_t = i_t where n_{t−1} = 0",
        "logarithm, any number", {"forget_gate_pre", "m@-1", "input_gate_pre", "n@-1"}},
       [](Place& p) -> std::optional<Side> {
         if (first_write(p)) return Side{"i, the first write", p.now("input_gate_pre")};
         return stabilizer_side(p);
       }},
      {"slstm", "input_gate",
       {"i'", "input gate, stabilised",
        "The weight with which this token is written, relative to the scale of the cell.",
        "i'_t = exp(i_t − m_t)", "0..1", {"input_gate_pre", "m"}},
       [](Place& p) -> std::optional<Side> { return input_gate_side(p); }},
      {"slstm", "forget_gate",
       {"f'", "forget gate, stabilised",
        "What the old cell is multiplied with: what is kept, moved to the new scale.",
        "f'_t = exp(log σ(f_t) + m_{t−1} − m_t), 0 where n_{t−1} = 0", "0..1",
        {"forget_gate_pre", "m@-1", "m", "n@-1"}},
       [](Place& p) -> std::optional<Side> {
         if (first_write(p)) return Side{"nothing to keep yet", 0.0};
         return forget_gate_side(p);
       }},
      {"slstm", "c",
       {"c", "cell", "The weighted sum of everything written so far.",
        "c_t = f'_t c_{t−1} + i'_t tanh(z_t)", "divided by exp(m)",
        {"forget_gate", "c@-1", "input_gate", "cell_input"}},
       [](Place& p) -> std::optional<Side> {
         return mixed(p.now("forget_gate"), p.before("c"), p.now("input_gate"),
                      p.now("cell_input"));
       }},
      {"slstm", "n",
       {"n", "normalizer", "The sum of the weights in the cell; c / n is their weighted mean.",
        "n_t = f'_t n_{t−1} + i'_t", "1 or more", {"forget_gate", "n@-1", "input_gate"}},
       [](Place& p) -> std::optional<Side> {
         const double forget = p.now("forget_gate"), before = p.before("n");
         const double input = p.now("input_gate");
         return Side{number(forget) + " · " + term(before) + " + " + number(input),
                     forget * before + input};
       }},
      {"slstm", "h",
       {"h", "output", "The weighted mean of what was written, as far as the cell is opened.",
        "h_t = σ(o_t) · c_t / n_t", "−1..1", {"output_gate", "c", "n"}},
       [](Place& p) -> std::optional<Side> {
         const double o = p.now("output_gate"), c = p.now("c"), n = p.now("n");
         return Side{number(o) + " · " + term(c) + " / " + number(n), o * c / n};
       }},
      // LSTM --------------------------------------------------------------------------------------
      {"lstm", "input_gate_pre",
       {"i", "input gate, pre-activation",
        "How strongly this token asks to be written, before squashing; softly capped.",
        "i_t = c · tanh((w · x_t + R h_{t−1} + b) / c)", "−c..c", {}}, from_outside, is_capped},
      {"lstm", "forget_gate_pre",
       {"f", "forget gate, pre-activation",
        "How much of the cell is kept, before squashing; softly capped.",
        "f_t = c · tanh((w · x_t + R h_{t−1} + b) / c)", "−c..c", {}}, from_outside, is_capped},
      {"lstm", "input_gate_pre",
       {"i", "input gate, pre-activation",
        "How strongly this token asks to be written, before squashing; it also sees what the head "
        "put out one token before.",
        "i_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"lstm", "forget_gate_pre",
       {"f", "forget gate, pre-activation",
        "How much of the cell is kept, before squashing: +5 keeps nearly all, −5 nearly nothing.",
        "f_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"lstm", "cell_input_pre",
       {"z", "cell input, pre-activation", "What is to be written, before squashing.",
        "z_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"lstm", "output_gate_pre",
       {"o", "output gate, pre-activation", "How far the cell is opened, before squashing.",
        "o_t = w · x_t + R h_{t−1} + b", "any number", {}}, from_outside},
      {"lstm", "input_gate",
       {"σ(i)", "input gate", "The share of the cell input that is written.",
        "σ(i_t) = 1 / (1 + exp(−i_t))", "0..1", {"input_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "input_gate_pre"); }},
      {"lstm", "forget_gate",
       {"σ(f)", "forget gate", "The share of the cell that is kept from one token to the next.",
        "σ(f_t) = 1 / (1 + exp(−f_t))", "0..1", {"forget_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "forget_gate_pre"); }},
      {"lstm", "cell_input",
       {"tanh(z)", "cell input", "What is written.", "tanh(z_t)", "−1..1", {"cell_input_pre"}},
       [](Place& p) -> std::optional<Side> {
         const double z = p.now("cell_input_pre");
         return Side{"tanh(" + number(z) + ")", std::tanh(z)};
       }},
      {"lstm", "output_gate",
       {"σ(o)", "output gate", "How far the cell is opened.", "σ(o_t) = 1 / (1 + exp(−o_t))", "0..1",
        {"output_gate_pre"}},
       [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "output_gate_pre"); }},
      {"lstm", "c",
       {"c", "cell", "What has been written so far, as far as it was kept.",
        "c_t = σ(f_t) c_{t−1} + σ(i_t) tanh(z_t)", "any number",
        {"forget_gate", "c@-1", "input_gate", "cell_input"}},
       [](Place& p) -> std::optional<Side> {
         return mixed(p.now("forget_gate"), p.before("c"), p.now("input_gate"),
                      p.now("cell_input"));
       }},
      {"lstm", "h",
       {"h", "output", "The squashed cell, as far as it is opened.", "h_t = σ(o_t) · tanh(c_t)",
        "−1..1", {"output_gate", "c"}},
       [](Place& p) -> std::optional<Side> {
         const double o = p.now("output_gate"), c = p.now("c");
         return Side{number(o) + " · tanh(" + number(c) + ")", o * std::tanh(c)};
       }},
  };
  return list;
}
// clang-format on

struct PathParts {
  std::string prefix, cell, name;
};

/// "block0/mlstm/forget_gate" in parts. The matrix memory may be named without its block.
PathParts split(const std::string& path) {
  PathParts parts;
  const std::size_t last = path.rfind('/');
  if (last == std::string::npos) {
    parts.name = path;
    parts.cell = path == "C" || path == "write" ? "mlstm" : "";
    return parts;
  }
  parts.name = path.substr(last + 1);
  parts.prefix = path.substr(0, last);
  const std::size_t before = parts.prefix.rfind('/');
  parts.cell = before == std::string::npos ? parts.prefix : parts.prefix.substr(before + 1);
  return parts;
}

const Entry* find_entry(const PathParts& parts, const CellVariant& variant) {
  for (const Entry& entry : entries()) {
    if (parts.cell == entry.cell && parts.name == entry.name &&
        (entry.when == nullptr || entry.when(variant))) {
      return &entry;
    }
  }
  // The large family's cell is the same but for what it lists itself.
  if (parts.cell == "mlstm_large") return find_entry({parts.prefix, "mlstm", parts.name}, variant);
  return nullptr;
}

/// "f'" at step 7 as "f'_7"; a compound symbol as "σ(f_7)".
std::string symbol_at(const std::string& symbol, int step) {
  const std::string index = "_" + std::to_string(step);
  const std::size_t close = symbol.find(')');
  if (close != std::string::npos) return symbol.substr(0, close) + index + symbol.substr(close);
  return symbol + index;
}

}  // namespace

std::string typeset_number(const std::string& plain) {
  std::string text;
  bool leading = false;  // zeros of an exponent that say nothing
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const char c = plain[i];
    if (c == 'e') {
      text += c;
      leading = true;
    } else if (c == '-') {
      text += "−";
    } else if (c == '+' || (leading && c == '0' && i + 1 < plain.size())) {
      continue;
    } else {
      text += c;
      leading = false;
    }
  }
  return text;
}

std::string short_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "−Inf";
  if (value == 0.0) return "0";
  const double size = std::abs(value);
  if (size < 1e5 && value == std::round(value)) return typeset_number(fmt::format("{:.0f}", value));
  if (size >= 99999.5 || size < 9.995e-5) return typeset_number(fmt::format("{:.2e}", value));
  int before = static_cast<int>(std::floor(std::log10(size)));
  // Rounding may add a digit in front: 9.996 is 10.0, not 10.00.
  if (std::round(size * std::pow(10.0, 2 - before)) >= 1000.0) ++before;
  return typeset_number(fmt::format("{:.{}f}", value, std::max(0, 2 - before)));
}

const EquationCard* explain(const std::string& path, const CellVariant& variant) {
  const Entry* entry = find_entry(split(path), variant);
  return entry ? &entry->card : nullptr;
}

LiveEquation live_equation(const Trace& trace, const std::string& path, int step, int head,
                           int unit, const CellVariant& variant) {
  LiveEquation live;
  const PathParts parts = split(path);
  const Entry* entry = find_entry(parts, variant);
  if (!entry) return live;
  Place place(trace, parts.prefix, step, head, unit, variant);
  const bool recorded = parts.name != "C" && parts.name != "write";
  live.value = recorded ? place.now(parts.name) : 0.0;
  const bool has_value = place.complete();
  const std::optional<Side> side = entry->side(place);
  std::string symbol = symbol_at(entry->card.symbol, step);
  if (const auto cell = recorded ? std::nullopt : matrix_cell(place)) {
    const std::string indices =
        "[" + std::to_string(cell->first) + ", " + std::to_string(cell->second) + "]";
    symbol = parts.name == "C" ? symbol + indices : "write_" + std::to_string(step) + indices;
  }
  if (side && place.complete()) {
    live.evaluated = side->value;
    live.complete = true;
    // The matrix memory is not recorded token by token: replaying the writes is its value.
    if (!recorded) live.value = side->value;
    live.text = symbol + " = " + side->text + " = " + number(side->value);
  } else if (has_value && recorded) {
    live.evaluated = live.value;
    live.text = symbol + " = " + number(live.value);
  }
  return live;
}

}  // namespace xlab
