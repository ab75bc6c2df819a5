// The recorded inputs of a cell, given once more to the kernels that compute in a number format of
// choice.
#include "core/analysis/stabilizer_replay.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "kernels/check.hpp"
#include "kernels/mlstm/mlstm.hpp"
#include "kernels/slstm/slstm.hpp"

namespace xlab {
namespace {

/// So many steps at once.
constexpr int kSteps = 256;

Tensor numbers(const Shape& shape) {
  return Tensor::zeros(shape, DType::f64);
}
Tensor numbers(const Shape& shape, const std::vector<double>& from) {
  return Tensor::from<double>(shape, from);
}
std::vector<double> list_of(const Tensor& x) {
  return {x.data<double>(), x.data<double>() + x.elements()};
}

/// What all of these numbers come to: one that is none, else the largest size.
double extreme(const double* from, std::int64_t count) {
  double most = 0.0;
  for (std::int64_t j = 0; j < count; ++j) {
    if (std::isnan(from[j])) return from[j];
    if (std::abs(from[j]) > std::abs(most) || j == 0) most = from[j];
  }
  return count == 1 ? most : std::isinf(most) ? most : std::abs(most);
}

/// Whose numbers a step has: `count` of them, or one.
const float* taken_of(const Trace& trace, int step, const std::string& path, int head, int first,
                      int count) {
  const Recorded* value = trace.find(step, path);
  if (!value || head < 0 || head >= value->heads || first < 0 || first + count > value->dim)
    return nullptr;
  const auto at = static_cast<std::size_t>(head) * static_cast<std::size_t>(value->dim) +
                  static_cast<std::size_t>(first);
  return at + static_cast<std::size_t>(count) <= value->values.size() ? value->values.data() + at
                                                                      : nullptr;
}

/// The inputs of a stretch of steps, one list for each of their names.
struct Given {
  std::vector<std::vector<double>> lists;
  int steps = 0;
};

struct Wanted {
  const char* name;
  int first, count;
};

Given given(const Trace& trace, const BlockCard& block, int begin, int most, int head,
            std::span<const Wanted> wanted) {
  Given all;
  all.lists.resize(wanted.size());
  std::vector<std::string> paths;
  for (const Wanted& one : wanted) paths.push_back(block.path(one.name));
  for (int t = begin; t < std::min(trace.length(), begin + std::min(most, kSteps)); ++t) {
    std::vector<const float*> found;
    for (std::size_t w = 0; w < wanted.size(); ++w)
      found.push_back(taken_of(trace, t, paths[w], head, wanted[w].first, wanted[w].count));
    if (std::find(found.begin(), found.end(), nullptr) != found.end()) break;
    for (std::size_t w = 0; w < wanted.size(); ++w)
      all.lists[w].insert(all.lists[w].end(), found[w], found[w] + wanted[w].count);
    ++all.steps;
  }
  return all;
}

bool finite(const std::vector<double>& list, int step, int count) {
  const auto first = list.begin() + static_cast<std::ptrdiff_t>(step) * count;
  return std::all_of(first, first + count, [](double x) { return std::isfinite(x); });
}

/// Whether all that came in at a step is a number.
bool finite(const Given& in, int step, std::span<const Wanted> wanted) {
  for (std::size_t w = 0; w < wanted.size(); ++w)
    if (!finite(in.lists[w], step, wanted[w].count)) return false;
  return true;
}

/// Notes the first number that is none, in the order in which they are computed.
void look(CellReplay& replay, int step, bool inputs_finite, CellQuantity quotient) {
  if (replay.bad) return;
  const ReplayStep& now = replay.steps.back();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::pair<CellQuantity, double> line[] = {{CellQuantity::given, inputs_finite ? 0.0 : kNan},
                                                  {CellQuantity::input_gate, now.input_gate},
                                                  {CellQuantity::forget_gate, now.forget_gate},
                                                  {CellQuantity::memory, now.memory},
                                                  {CellQuantity::normalizer, now.normalizer},
                                                  {CellQuantity::overlap, now.overlap},
                                                  {quotient, now.h}};
  for (const auto& [what, value] : line) {
    if (std::isfinite(value)) continue;
    replay.bad = BadNumber{step, what, value};
    return;
  }
}

int extend_matrix(CellReplay& replay, const Trace& trace, const BlockCard& block, int most) {
  const int K = block.key_dim;
  const Wanted wanted[] = {{"q", 0, K},
                           {"k", 0, K},
                           {"v", replay.place.unit, 1},
                           {"input_gate_pre", 0, 1},
                           {"forget_gate_pre", 0, 1}};
  const int begin = static_cast<int>(replay.steps.size());
  const Given in = given(trace, block, begin, most, replay.place.head, wanted);
  if (in.steps == 0 || K < 1) return 0;
  const std::int64_t T = in.steps;
  const CellVariant& variant = block.variant;
  const ReplayOptions& wish = replay.options;
  const kernels::MlstmOptions options{
      .query_scale = 1.0,
      .eps = wish.exact ? 0.0 : variant.added(),
      .forget_gate = variant.forget_gate,
      .stabilizer = wish.stabilizer,
      .floor = wish.exact ? DenominatorFloor::stabilizer : variant.denominator_floor,
      .normalize = variant.normalizer,
      .format = wish.format};
  kernels::MlstmForward call{.q = numbers({1, T, 1, K}, in.lists[0]),
                             .k = numbers({1, T, 1, K}, in.lists[1]),
                             .v = numbers({1, T, 1, 1}, in.lists[2]),
                             .i = numbers({1, T, 1}, in.lists[3]),
                             .f = numbers({1, T, 1}, in.lists[4]),
                             .initial = {},
                             .h = numbers({1, T, 1, 1}),
                             .m = numbers({1, T, 1}),
                             .s = numbers({1, T, 1}),
                             .normalizer = numbers({1, T, 1}),
                             .last = {numbers({1, 1, K, 1}), numbers({1, 1, K}), numbers({1, 1})},
                             .record = {numbers({1, T, 1}), numbers({1, T, 1}),
                                        numbers({1, T, 1, K}), numbers({1, T, 1, K})}};
  if (!replay.C.empty())
    call.initial = {numbers({1, 1, K, 1}, replay.C), numbers({1, 1, K}, replay.n),
                    numbers({1, 1}, {replay.m})};
  kernels::mlstm_forward(options, call);

  const double largest = limits_of(wish.format).largest;
  for (int t = 0; t < in.steps; ++t) {
    const double* C = call.record.C.data<double>() + static_cast<std::ptrdiff_t>(t) * K;
    const double* n = call.record.n.data<double>() + static_cast<std::ptrdiff_t>(t) * K;
    const auto at = [t](const Tensor& x) { return x.data<double>()[t]; };
    replay.steps.push_back({at(call.m), at(call.record.input_gate), at(call.record.forget_gate),
                            extreme(C, K), extreme(n, K), at(call.s),
                            at(call.normalizer) + options.eps, at(call.h)});
    // What is read may be too large though all of C is not.
    double reach = 0.0;
    for (int x = 0; x < K; ++x)
      reach +=
          std::abs(C[x] * in.lists[0][static_cast<std::size_t>(t) * static_cast<std::size_t>(K) +
                                      static_cast<std::size_t>(x)]);
    look(replay, begin + t, finite(in, t, wanted),
         reach > largest ? CellQuantity::read : CellQuantity::answer);
  }
  replay.C = list_of(call.last.C);
  replay.n = list_of(call.last.n);
  replay.m = call.last.m.data<double>()[0];
  return in.steps;
}

int extend_unit(CellReplay& replay, const Trace& trace, const BlockCard& block, int most) {
  const int unit = replay.place.unit;
  const Wanted wanted[] = {{"input_gate_pre", unit, 1},
                           {"forget_gate_pre", unit, 1},
                           {"cell_input_pre", unit, 1},
                           {"output_gate_pre", unit, 1}};
  const int begin = static_cast<int>(replay.steps.size());
  const Given in = given(trace, block, begin, most, replay.place.head, wanted);
  if (in.steps == 0) return 0;
  const std::int64_t T = in.steps;
  std::vector<double> pre;
  for (std::size_t t = 0; t < static_cast<std::size_t>(in.steps); ++t)
    for (const std::vector<double>& list : in.lists) pre.push_back(list[t]);
  const kernels::SlstmOptions options{.forget_gate = block.variant.forget_gate,
                                      .stabilizer = replay.options.stabilizer,
                                      .format = replay.options.format};
  // Held as clamps, pre-activations are taken as they were recorded, whatever h is.
  const auto state = [](double c, double n, double m) {
    return kernels::SlstmState{numbers({1, 1, 1}), numbers({1, 1, 1}, {c}), numbers({1, 1, 1}, {n}),
                               numbers({1, 1, 1}, {m})};
  };
  kernels::SlstmForward call{.wx = numbers({1, T, 4, 1}, pre),
                             .r = numbers({1, 4, 1}),
                             .b = numbers({4}),
                             .clamp = numbers({1, T, 4, 1}, pre),
                             .initial = {},
                             .y = numbers({1, T, 1, 1}),
                             .last = state(0.0, 0.0, 0.0),
                             .record = {.pre = {},
                                        .input_gate = numbers({1, T, 1, 1}),
                                        .forget_gate = numbers({1, T, 1, 1}),
                                        .c = numbers({1, T, 1, 1}),
                                        .n = numbers({1, T, 1, 1}),
                                        .m = numbers({1, T, 1, 1})},
                             .saved = {}};
  if (!replay.C.empty()) call.initial = state(replay.C.front(), replay.n.front(), replay.m);
  kernels::slstm_forward(options, call);
  for (int t = 0; t < in.steps; ++t) {
    const auto at = [t](const Tensor& x) { return x.data<double>()[t]; };
    const double n = at(call.record.n);
    replay.steps.push_back({at(call.record.m), at(call.record.input_gate),
                            at(call.record.forget_gate), at(call.record.c), n, 0.0, n, at(call.y)});
    look(replay, begin + t, finite(in, t, wanted), CellQuantity::answer);
  }
  replay.C = list_of(call.last.c);
  replay.n = list_of(call.last.n);
  replay.m = call.last.m.data<double>()[0];
  return in.steps;
}

}  // namespace

bool extend(CellReplay& replay, const Trace& trace, const BlockCard& block, int most) {
  check(replay.options.format != NumberFormat::native,
        "A replay needs a number format: fp64, fp32, bf16 or fp16.");
  if (!why_no_stabilizer(block).empty()) return false;
  while (most > 0) {
    const int done = block.scan == Scan::mlstm ? extend_matrix(replay, trace, block, most)
                                               : extend_unit(replay, trace, block, most);
    if (done == 0) return false;
    most -= done;
  }
  return static_cast<int>(replay.steps.size()) < trace.length();
}

std::string name_of(CellQuantity what, const BlockCard& block, bool stabilizer) {
  const bool matrix = block.scan == Scan::mlstm;
  const bool exponential = block.variant.forget_gate == ForgetGate::exponential;
  switch (what) {
    case CellQuantity::given:
      return "what comes in";
    case CellQuantity::input_gate:
      return stabilizer ? "input gate exp(i − m)" : "input gate exp(i)";
    case CellQuantity::forget_gate:
      if (stabilizer) return "forget gate, stabilised";
      return exponential ? "forget gate exp(f)" : "forget gate σ(f)";
    case CellQuantity::memory:
      return matrix ? "memory C" : "cell c";
    case CellQuantity::normalizer:
      return "normalizer n";
    case CellQuantity::overlap:
      return "overlap s = ⟨q, n⟩";
    case CellQuantity::read:
      return "read-out Cᵀ q";
    case CellQuantity::answer:
      break;
  }
  return matrix ? "quotient Cᵀ q / N" : "quotient c / n";
}

std::string equation_of(CellQuantity what, const BlockCard& block, bool stabilizer) {
  const bool matrix = block.scan == Scan::mlstm;
  const bool exponential = block.variant.forget_gate == ForgetGate::exponential;
  switch (what) {
    case CellQuantity::given:
      return matrix ? "i_t, f_t, q_t, k_t, v_t" : "i_t, f_t, z_t, o_t";
    case CellQuantity::input_gate:
      return stabilizer ? "i'_t = exp(i_t − m_t)" : "i'_t = exp(i_t)";
    case CellQuantity::forget_gate:
      if (stabilizer)
        return exponential ? "f'_t = exp(f_t + m_{t−1} − m_t)"
                           : "f'_t = exp(log σ(f_t) + m_{t−1} − m_t)";
      return exponential ? "f'_t = exp(f_t)" : "f'_t = σ(f_t)";
    case CellQuantity::memory:
      return matrix ? "C_t = f'_t C_{t−1} + i'_t k_t v_tᵀ" : "c_t = f'_t c_{t−1} + i'_t tanh(z_t)";
    case CellQuantity::normalizer:
      return matrix ? "n_t = f'_t n_{t−1} + i'_t k_t" : "n_t = f'_t n_{t−1} + i'_t";
    case CellQuantity::overlap:
      return "s_t = ⟨q_t, n_t⟩";
    case CellQuantity::read:
      return "C_tᵀ q_t";
    case CellQuantity::answer:
      break;
  }
  if (!matrix) return "h_t = σ(o_t) c_t / n_t";
  const bool one = !stabilizer || block.variant.denominator_floor == DenominatorFloor::one;
  const std::string floor = one ? "1" : "exp(−m_t)";
  if (!block.variant.normalizer) return "h_t = C_tᵀ q_t / " + floor;
  return "h_t = C_tᵀ q_t / max(|s_t|, " + floor + ")";
}

double relative_error(double h, double exact) {
  if (!std::isfinite(exact)) return std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(h)) return std::numeric_limits<double>::infinity();
  return h == exact ? 0.0 : std::abs(h - exact) / std::abs(exact);
}

Agreement agreement_of(double exact, double plain, double stabilised, double threshold) {
  if (!std::isfinite(plain)) return Agreement::bad;
  if (!std::isfinite(exact)) return Agreement::unknown;
  const double off = relative_error(plain, exact), beside = relative_error(stabilised, exact);
  if (off <= threshold) return Agreement::same;
  return off > 2.0 * beside ? Agreement::wrong : Agreement::format;
}

PlainNeeds plain_needs(const ScaleStep& scale, const ReplayStep& exact) {
  const double per_e = 1.0 / std::log(10.0);
  return {{scale.input * per_e, scale.log_keep * per_e,
           exact.m * per_e + std::log10(std::abs(exact.memory)),
           exact.m * per_e + std::log10(std::abs(exact.normalizer))}};
}

Fit fit_of(const PlainNeeds& needs, NumberFormat format) {
  const FormatLimits limits = limits_of(format);
  const double high = std::log10(limits.largest), low = std::log10(limits.smallest_normal);
  for (const double need : needs.log10)
    if (need > high) return Fit::overflows;
  // What is exactly 0 needs no digits.
  for (const std::size_t which : {2, 3})
    if (std::isfinite(needs.log10[which]) && needs.log10[which] < low) return Fit::loses;
  return Fit::fits;
}

}  // namespace xlab
