// The cases of the recurrent cells.
#include <cmath>
#include <limits>

#include "cases.hpp"
#include "cell_calls.hpp"
#include "kernels/mlstm/parallel.hpp"
#include "kernels/route.hpp"

namespace xlab::tests {
namespace {

using Tensors = std::vector<Tensor>;

/// x * exp(m), each number of m standing for as many of x as it takes. What a state means does not
/// depend on the stabilizer only in this form, so only in this form can it be differentiated by
/// trying.
Tensor unstabilised(const Tensor& x, const Tensor& m) {
  const Tensor out = x.clone().to(Device::cpu()), exponent = m.to(Device::cpu());
  visit_float(out, [&]<typename T>(T) {
    const std::size_t width = static_cast<std::size_t>(x.elements() / m.elements());
    for (std::size_t j = 0; j < out.span<T>().size(); ++j) {
      out.span<T>()[j] *= std::exp(exponent.span<T>()[j / width]);
    }
  });
  return out.to(x.device());
}

struct MlstmSizes {
  std::int64_t B, T, H, K, V;
};

struct MlstmParts {
  bool initial = false;    ///< begin with a given state
  bool last = false;       ///< the last state is an output too
  std::int64_t chunk = 0;  ///< length of the chunks, or 0: the scan
  double eps = 0.0;        ///< in this way alone h depends on the stabilizer
};

/// The equations that differ from the reference's, in words.
template <typename Options>
std::string variant_of(const Options& options) {
  std::string name;
  if (options.forget_gate == kernels::ForgetGate::exponential) name += " exp forget gate";
  if (!options.stabilizer) name += " plain";
  if (options.format == kernels::NumberFormat::fp64) name += " in fp64";
  if constexpr (std::is_same_v<Options, kernels::SlstmOptions>) {
    if (options.memory == kernels::ScalarMemory::lstm) name += " LSTM";
    if (options.gate_soft_cap > 0.0) name += " capped";
  }
  if constexpr (std::is_same_v<Options, kernels::MlstmOptions>) {
    if (options.floor == kernels::DenominatorFloor::one) name += " floor 1";
    if (!options.normalize) name += " floor alone";
  }
  return name;
}

Case mlstm_case(const MlstmSizes& z, MlstmParts parts, kernels::MlstmOptions options = {}) {
  options.query_scale = 1.0 / std::sqrt(static_cast<double>(z.K));
  options.eps = parts.eps;
  // Exponential gates must not let the last state grow until trying has no digits left.
  const bool exponential = options.forget_gate == kernels::ForgetGate::exponential;
  const auto call = [=](const Tensors& in) {
    const auto initial =
        parts.initial ? kernels::MlstmState{in[5], in[6], in[7]} : kernels::MlstmState{};
    const kernels::MlstmForward forward = mlstm_call(in[0], in[1], in[2], in[3], in[4], initial);
    run_mlstm(options, forward, parts.chunk);
    return forward;
  };
  Case c{.name = "mlstm" + Shape{z.B, z.T, z.H, z.K, z.V}.text() +
                 (parts.initial ? " from a state" : "") + (parts.last ? " to a state" : "") +
                 (parts.chunk > 0 ? fmt::format(" in chunks of {}", parts.chunk) : "") +
                 (parts.eps > 0.0 ? " eps" : "") + variant_of(options),
         .inputs = {{"q", {z.B, z.T, z.H, z.K}, -2.0, 2.0},
                    {"k", {z.B, z.T, z.H, z.K}, -2.0, 2.0},
                    {"v", {z.B, z.T, z.H, z.V}},
                    {"i", {z.B, z.T, z.H}, -2.0, 3.0},
                    {"f", {z.B, z.T, z.H}, -2.0, exponential ? 1.0 : 4.0}}};
  if (parts.initial) {
    c.inputs.push_back({"C0", {z.B, z.H, z.K, z.V}});
    c.inputs.push_back({"n0", {z.B, z.H, z.K}});
    c.inputs.push_back({"m0", {z.B, z.H}});
  }
  c.forward = [=](const Tensors& in) {
    const kernels::MlstmForward forward = call(in);
    Tensors out{forward.h};
    if (parts.last) {
      out.push_back(unstabilised(forward.last.C, forward.last.m));
      out.push_back(unstabilised(forward.last.n, forward.last.m));
    }
    return out;
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    const kernels::MlstmForward forward = call(in);
    kernels::MlstmState dlast;
    if (parts.last) {
      dlast.C = unstabilised(g[1], forward.last.m);
      dlast.n = unstabilised(g[2], forward.last.m);
    }
    const kernels::MlstmBackward back = mlstm_way_back(forward, g[0], dlast);
    run_mlstm_back(options, back, parts.chunk);
    Tensors d{back.dq, back.dk, back.dv, back.di, back.df};
    if (parts.initial) {
      d.insert(d.end(), {back.dinitial.C, back.dinitial.n, back.dinitial.m});
    }
    return d;
  };
  // Where s is small against its parts, h loses digits.
  c.f32_tolerance = 1e-4;
  return c;
}

/// The parallel form.
Case mlstm_parallel_case(const MlstmSizes& z, kernels::MlstmOptions options = {}) {
  options.query_scale = 1.0 / std::sqrt(static_cast<double>(z.K));
  const bool exponential = options.forget_gate == kernels::ForgetGate::exponential;
  Case c{.name = "mlstm parallel" + Shape{z.B, z.T, z.H, z.K, z.V}.text() + variant_of(options),
         .inputs = {{"q", {z.B, z.T, z.H, z.K}, -2.0, 2.0},
                    {"k", {z.B, z.T, z.H, z.K}, -2.0, 2.0},
                    {"v", {z.B, z.T, z.H, z.V}},
                    {"i", {z.B, z.T, z.H}, -2.0, 3.0},
                    {"f", {z.B, z.T, z.H}, -2.0, exponential ? 1.0 : 4.0}}};
  c.forward = [=](const Tensors& in) {
    const kernels::MlstmParallelForward forward{
        .q = in[0], .k = in[1], .v = in[2], .i = in[3], .f = in[4], .h = zeros_like(in[2])};
    kernels::mlstm_parallel_forward(options, forward);
    return Tensors{forward.h};
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    const kernels::MlstmParallelBackward back{.q = in[0],
                                              .k = in[1],
                                              .v = in[2],
                                              .i = in[3],
                                              .f = in[4],
                                              .dh = g[0],
                                              .dq = zeros_like(in[0]),
                                              .dk = zeros_like(in[1]),
                                              .dv = zeros_like(in[2]),
                                              .di = zeros_like(in[3]),
                                              .df = zeros_like(in[4])};
    kernels::mlstm_parallel_backward(options, back);
    return Tensors{back.dq, back.dk, back.dv, back.di, back.df};
  };
  c.f32_tolerance = 1e-4;
  return c;
}

struct SlstmSizes {
  std::int64_t B, T, H, D;
};

enum class Begin {
  nothing,             ///< no state at all
  any,                 ///< random numbers
  nothing_remembered,  ///< given, with n = c = 0 in every other unit: those take their first step
};

struct SlstmParts {
  Begin begin = Begin::nothing;
  bool last = false;   ///< the last state is an output too
  bool clamp = false;  ///< every fifth pre-activation is a given number
};

Case slstm_case(const SlstmSizes& z, SlstmParts parts, kernels::SlstmOptions options = {}) {
  const bool initial = parts.begin != Begin::nothing;
  const bool lstm = options.memory == kernels::ScalarMemory::lstm;
  const Shape state{z.B, z.H, z.D}, pre{z.B, z.T, 4, z.H * z.D};
  Case c{
      .name = "slstm" + Shape{z.B, z.T, z.H, z.D}.text(),
      .inputs = {
          {"wx", pre, -2.0, 2.0}, {"r", {z.H, 4 * z.D, z.D}, -0.7, 0.7}, {"b", {4 * z.H * z.D}}}};
  if (initial) {
    const bool random = parts.begin == Begin::any;
    CaseInput y{"y0", state}, c0{"c0", state}, n{"n0", state, 0.5, 2.0}, m{"m0", state};
    if (!random) {
      // Across n = 0 the cell is not smooth: nothing to differentiate.
      c0.differentiable = n.differentiable = m.differentiable = false;
      c0.value = [](std::int64_t j) { return j % 2 == 0 ? 0.0 : 0.4; };
      n.value = [](std::int64_t j) { return j % 2 == 0 ? 0.0 : 1.5; };
      m.value = [](std::int64_t j) { return j % 3 == 0 ? 0.0 : 2.0; };
    }
    c.inputs.insert(c.inputs.end(), {y, c0});
    if (!lstm) c.inputs.insert(c.inputs.end(), {n, m});
  }
  if (parts.clamp) {
    const auto clamp = [](std::int64_t j) {
      return j % 5 == 0 ? 0.25 * static_cast<double>(j % 7) - 0.5
                        : std::numeric_limits<double>::quiet_NaN();
    };
    c.inputs.push_back({.name = "clamp", .shape = pre, .differentiable = false, .value = clamp});
  }
  c.name += std::string(parts.begin == Begin::any                  ? " from a state"
                        : parts.begin == Begin::nothing_remembered ? " from a half empty state"
                                                                   : "") +
            (parts.last ? " to a state" : "") + (parts.clamp ? " clamped" : "") +
            variant_of(options);

  const auto call = [=](const Tensors& in) {
    kernels::SlstmState from;
    if (initial) from = {in[3], in[4]};
    if (initial && !lstm) from = {in[3], in[4], in[5], in[6]};
    const kernels::SlstmForward forward =
        slstm_call(in[0], in[1], in[2], from, parts.clamp ? in.back() : Tensor(), options.memory);
    kernels::slstm_forward(options, forward);
    return forward;
  };
  c.forward = [=](const Tensors& in) {
    const kernels::SlstmForward forward = call(in);
    Tensors out{forward.y};
    if (parts.last) {
      out.push_back(forward.last.y);
      out.push_back(lstm ? forward.last.c : unstabilised(forward.last.c, forward.last.m));
      if (!lstm) out.push_back(unstabilised(forward.last.n, forward.last.m));
    }
    return out;
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    const kernels::SlstmForward forward = call(in);
    kernels::SlstmState dlast;
    if (parts.last) {
      dlast.y = g[1];
      dlast.c = lstm ? g[2] : unstabilised(g[2], forward.last.m);
      if (!lstm) dlast.n = unstabilised(g[3], forward.last.m);
    }
    const kernels::SlstmBackward back = slstm_way_back(forward, g[0], dlast);
    kernels::slstm_backward(options, back);
    Tensors d{back.dwx, back.dr, back.db};
    if (parts.begin == Begin::any) {
      d.insert(d.end(), {back.dinitial.y, back.dinitial.c});
      if (!lstm) d.insert(d.end(), {back.dinitial.n, back.dinitial.m});
    } else if (initial) {
      d.insert(d.end(), {back.dinitial.y, Tensor(), Tensor(), Tensor()});
    }
    if (parts.clamp) d.emplace_back();
    return d;
  };
  return c;
}

}  // namespace

std::vector<Case> cell_cases() {
  const kernels::ForgetGate exponential = kernels::ForgetGate::exponential;
  const kernels::DenominatorFloor one = kernels::DenominatorFloor::one;
  const kernels::ScalarMemory lstm = kernels::ScalarMemory::lstm;
  return {
      mlstm_case({1, 3, 1, 1, 1}, {}),
      mlstm_case({2, 1, 2, 4, 8}, {}),
      mlstm_case({2, 1, 2, 3, 5}, {.initial = true, .last = true}),
      mlstm_case({2, 9, 2, 4, 4}, {}),
      mlstm_case({2, 11, 3, 5, 7}, {}),
      mlstm_case({2, 8, 2, 6, 3}, {.initial = true}),
      mlstm_case({1, 7, 3, 3, 6}, {.last = true}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true}),
      mlstm_case({1, 6, 1, 37, 21}, {.initial = true, .last = true}),
      mlstm_case({1, 37, 2, 16, 32}, {}),
      mlstm_case({2, 9, 2, 4, 4}, {.eps = 0.3}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true, .eps = 0.3}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true, .eps = 0.3}, {.floor = one}),
      mlstm_case({2, 9, 2, 4, 4}, {}, {.forget_gate = exponential}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true}, {.forget_gate = exponential}),
      mlstm_case({2, 9, 2, 4, 4}, {}, {.stabilizer = false}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true}, {.stabilizer = false}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true},
                 {.forget_gate = exponential, .stabilizer = false}),
      mlstm_case({2, 9, 2, 4, 4}, {}, {.floor = one}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true}, {.floor = one}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true},
                 {.forget_gate = exponential, .floor = one}),
      mlstm_case({2, 9, 2, 4, 4}, {}, {.stabilizer = false, .normalize = false}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true}, {.normalize = false}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true, .eps = 0.3},
                 {.floor = one, .normalize = false}),
      mlstm_parallel_case({1, 1, 2, 3, 5}),
      mlstm_parallel_case({2, 11, 3, 5, 7}),
      mlstm_parallel_case({2, 7, 2, 4, 4}, {.eps = 0.3}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.forget_gate = exponential}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.stabilizer = false}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.floor = one}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.forget_gate = exponential, .floor = one}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.stabilizer = false, .normalize = false}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.normalize = false}),
      mlstm_parallel_case({2, 9, 2, 4, 4}, {.eps = 0.3, .floor = one, .normalize = false}),
      mlstm_case({2, 9, 2, 4, 4}, {}, {.format = kernels::NumberFormat::fp64}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true, .eps = 0.3},
                 {.floor = one, .normalize = false, .format = kernels::NumberFormat::fp64}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true, .eps = 0.3},
                 {.floor = one, .format = kernels::NumberFormat::fp64}),
      mlstm_case(
          {2, 6, 2, 5, 9}, {.initial = true, .last = true},
          {.forget_gate = exponential, .stabilizer = false, .format = kernels::NumberFormat::fp64}),
      mlstm_case({1, 3, 1, 1, 1}, {.chunk = 1}),
      mlstm_case({2, 1, 2, 3, 5}, {.initial = true, .last = true, .chunk = 4}),
      mlstm_case({2, 11, 3, 5, 7}, {.chunk = 4}),
      mlstm_case({2, 8, 2, 6, 3}, {.initial = true, .chunk = 3}),
      mlstm_case({1, 7, 3, 3, 6}, {.last = true, .chunk = 2}),
      mlstm_case({1, 6, 1, 37, 21}, {.initial = true, .last = true, .chunk = 8}),
      mlstm_case({1, 37, 2, 16, 32}, {.initial = true, .last = true, .chunk = 16}),
      mlstm_case({1, 41, 1, 24, 40}, {.chunk = 32}),
      mlstm_case({2, 9, 2, 5, 9}, {.initial = true, .last = true, .chunk = 4},
                 {.forget_gate = exponential}),
      mlstm_case({2, 6, 2, 5, 9}, {.initial = true, .last = true, .chunk = 4},
                 {.stabilizer = false}),
      mlstm_case({2, 9, 2, 4, 4}, {.initial = true, .last = true, .chunk = 5}, {.floor = one}),
      mlstm_case({2, 9, 2, 5, 9}, {.initial = true, .last = true, .chunk = 4},
                 {.stabilizer = false, .normalize = false}),
      mlstm_case({2, 9, 2, 4, 4}, {.initial = true, .last = true, .chunk = 5},
                 {.normalize = false}),
      slstm_case({1, 1, 1, 1}, {}),
      slstm_case({2, 1, 2, 3}, {}),
      slstm_case({3, 1, 2, 5}, {.begin = Begin::any, .last = true}),
      slstm_case({2, 9, 2, 4}, {}),
      slstm_case({2, 7, 3, 5}, {.begin = Begin::any}),
      slstm_case({2, 6, 2, 3}, {.begin = Begin::any, .last = true}),
      slstm_case({2, 6, 1, 4}, {.begin = Begin::nothing_remembered, .last = true}),
      slstm_case({2, 8, 2, 3}, {.last = true, .clamp = true}),
      slstm_case({3, 4, 2, 3}, {.begin = Begin::any, .last = true, .clamp = true}),
      slstm_case({5, 6, 1, 17}, {.begin = Begin::any, .last = true}),
      slstm_case({9, 5, 2, 8}, {}),
      slstm_case({72, 3, 1, 2}, {.last = true}),
      slstm_case({1, 40, 2, 2}, {.begin = Begin::any, .last = true}),
      slstm_case({8, 3, 1, 32}, {}),
      slstm_case({2, 9, 2, 4}, {}, {.forget_gate = exponential}),
      slstm_case({2, 6, 2, 3}, {.begin = Begin::any, .last = true}, {.forget_gate = exponential}),
      slstm_case({2, 9, 2, 4}, {}, {.gate_soft_cap = 1.5}),
      slstm_case({2, 8, 2, 3}, {.last = true, .clamp = true}, {.gate_soft_cap = 1.5}),
      slstm_case({2, 8, 2, 3}, {.last = true, .clamp = true},
                 {.gate_soft_cap = 1.5, .format = kernels::NumberFormat::fp64}),
      slstm_case({2, 9, 2, 4}, {}, {.stabilizer = false}),
      slstm_case({3, 4, 2, 3}, {.begin = Begin::any, .last = true, .clamp = true},
                 {.format = kernels::NumberFormat::fp64}),
      slstm_case(
          {2, 6, 1, 4}, {.begin = Begin::nothing_remembered, .last = true},
          {.forget_gate = exponential, .stabilizer = false, .format = kernels::NumberFormat::fp64}),
      slstm_case({2, 6, 2, 3}, {.begin = Begin::any, .last = true}, {.stabilizer = false}),
      slstm_case({2, 6, 1, 4}, {.begin = Begin::nothing_remembered, .last = true},
                 {.forget_gate = exponential, .stabilizer = false}),
      slstm_case({1, 1, 1, 1}, {}, {.memory = lstm}),
      slstm_case({3, 1, 2, 5}, {.begin = Begin::any, .last = true}, {.memory = lstm}),
      slstm_case({2, 9, 2, 4}, {}, {.memory = lstm}),
      slstm_case({2, 6, 2, 3}, {.begin = Begin::any, .last = true}, {.memory = lstm}),
      slstm_case({2, 8, 2, 3}, {.last = true, .clamp = true}, {.memory = lstm}),
      slstm_case({3, 4, 2, 3}, {.begin = Begin::any, .last = true, .clamp = true},
                 {.memory = lstm, .gate_soft_cap = 1.5}),
      slstm_case({5, 6, 1, 17}, {.begin = Begin::any, .last = true}, {.memory = lstm}),
      slstm_case({72, 3, 1, 2}, {.last = true}, {.memory = lstm}),
      slstm_case({8, 3, 1, 32}, {}, {.memory = lstm}),
      slstm_case({3, 4, 2, 3}, {.begin = Begin::any, .last = true, .clamp = true},
                 {.memory = lstm, .gate_soft_cap = 1.5, .format = kernels::NumberFormat::fp64}),
  };
}

std::vector<Case> cell_timing_cases() {
  return {
      mlstm_case({16, 128, 4, 32, 32}, {}),
      mlstm_case({16, 128, 4, 32, 32}, {.chunk = 16}),
      mlstm_case({16, 128, 4, 32, 32}, {.chunk = 32}),
      mlstm_case({16, 128, 4, 32, 32}, {.chunk = 64}),
      mlstm_case({8, 256, 4, 128, 128}, {}),
      mlstm_case({8, 256, 4, 128, 128}, {.chunk = 16}),
      mlstm_case({8, 256, 4, 128, 128}, {.chunk = 32}),
      mlstm_case({8, 256, 4, 128, 128}, {.chunk = 64}),
      mlstm_case({1, 512, 2, 256, 512}, {}),
      mlstm_case({1, 512, 2, 256, 512}, {.chunk = 32}),
      mlstm_case({1, 512, 2, 256, 512}, {.chunk = 64}),
      mlstm_case({1, 512, 2, 256, 512}, {.chunk = 128}),
      mlstm_case({1, 1, 4, 32, 32}, {.initial = true}),
      mlstm_case({1, 1, 4, 128, 128}, {.initial = true}),
      slstm_case({16, 128, 4, 16}, {}),
      slstm_case({8, 256, 4, 64}, {}),
      slstm_case({1, 1, 4, 16}, {.begin = Begin::any}),
      slstm_case({1, 1, 4, 64}, {.begin = Begin::any}),
  };
}

}  // namespace xlab::tests
