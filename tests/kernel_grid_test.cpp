// Gates far beyond what exp can take, in f32: every form of the cells stays finite and keeps to the
// equations, evaluated here once more, plainly and in long double.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "cell_calls.hpp"
#include "kernels/mlstm/chunkwise.hpp"
#include "kernels/mlstm/parallel.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {
namespace {

using Real = long double;
using kernels::ForgetGate;
using kernels::MlstmOptions;
using kernels::SlstmOptions;

constexpr double kGrid[] = {-1e4, -200.0, -120.0, -100.0, -89.0, -50.0,
                            0.0,  50.0,   89.0,   100.0,  200.0, 1e4};
constexpr std::int64_t kLengths[] = {1, 2, 7, 33};
/// How far results may be from the equations, relative to what they are made of.
constexpr double kAllowed = 1e-5;

double drawn(Random& random) {
  return kGrid[static_cast<std::size_t>(12.0 * random.uniform())];
}

/// One number and the size of the terms it is a sum of: what rounding can be measured by.
struct Number {
  Real value = 0.0L, terms = 0.0L;

  void add(Real term, Real size) {
    value += term;
    terms += size;
  }
  void add(Real term) { add(term, std::abs(term)); }
};
using Numbers = std::vector<Number>;

Real log_forget_of(ForgetGate gate, Real f) {
  if (gate == ForgetGate::exponential) return f;
  return std::min(f, 0.0L) - std::log1p(std::exp(-std::abs(f)));
}
Real forget_slope_of(ForgetGate gate, Real f) {
  return gate == ForgetGate::exponential ? 1.0L : 1.0L / (1.0L + std::exp(f));
}

/// The worst errors of everything that was compared under one name.
class Figures {
 public:
  /// Compares a tensor with what it should be. Below the smallest normal f32, each of the `count`
  /// terms of a number counts as 0.
  void compare(const std::string& name, const Tensor& seen, const Numbers& wanted,
               std::int64_t count, const std::string& where) {
    const auto values = seen.span<float>();
    ASSERT_EQ(values.size(), wanted.size()) << name;
    Real difference = 0.0L, largest = 0.0L, terms = 0.0L;
    for (std::size_t j = 0; j < wanted.size(); ++j) {
      ASSERT_TRUE(std::isfinite(values[j])) << name << "[" << j << "] at " << where;
      difference = std::max(difference, std::abs(values[j] - wanted[j].value));
      largest = std::max(largest, std::abs(wanted[j].value));
      terms = std::max(terms, wanted[j].terms);
    }
    const Real least = count * Real{std::numeric_limits<float>::min()};
    difference = std::max(difference - least, 0.0L);
    if (difference == 0.0L) return;
    Worst& worst = find(name);
    // Where the terms cancel by the nature of the equations, a result is only as good as they are.
    const auto of_terms = static_cast<double>(difference / terms);
    if (of_terms > worst.of_terms) {
      worst.of_terms = of_terms;
      worst.where = where;
    }
    if (largest > 1e-2L * terms) {
      worst.of_values = std::max(worst.of_values, static_cast<double>(difference / largest));
    }
  }

  void report(const std::string& what, int cases) const {
    fmt::print("{}: {} cases, all finite\n", what, cases);
    for (const auto& [name, worst] : worst_) {
      fmt::print("  {:28} {:.1e} of its terms, {:.1e} of its values   {}\n", name, worst.of_terms,
                 worst.of_values, worst.where);
      EXPECT_LE(worst.of_terms, kAllowed) << what << ": " << name << " at " << worst.where;
      EXPECT_LE(worst.of_values, kAllowed) << what << ": " << name;
    }
  }

 private:
  struct Worst {
    double of_terms = 0.0, of_values = 0.0;
    std::string where;
  };

  Worst& find(const std::string& name) {
    for (auto& [known, worst] : worst_) {
      if (known == name) return worst;
    }
    return worst_.emplace_back(name, Worst{}).second;
  }

  std::vector<std::pair<std::string, Worst>> worst_;
};

Tensor numbers_of(const Shape& shape, double low, double high, std::uint64_t seed) {
  const Tensor t = Tensor::empty(shape, DType::f32);
  kernels::fill_uniform(t, low, high, 17, seed);
  return t;
}

// ---------------------------------------------------------------- mLSTM

constexpr std::int64_t kHeads = 2, kKeys = 5, kValues = 6;

struct MlstmInputs {
  Tensor q, k, v, i, f, dh;
  std::int64_t T;

  /// Keys and queries point the same way, so that their products do not cancel.
  explicit MlstmInputs(std::int64_t steps)
      : q(numbers_of({1, steps, kHeads, kKeys}, 0.2, 1.0, 1)),
        k(numbers_of({1, steps, kHeads, kKeys}, 0.2, 1.0, 2)),
        v(numbers_of({1, steps, kHeads, kValues}, -1.0, 1.0, 3)),
        i(Tensor::zeros({1, steps, kHeads}, DType::f32)),
        f(Tensor::zeros({1, steps, kHeads}, DType::f32)),
        dh(numbers_of({1, steps, kHeads, kValues}, -1.0, 1.0, 4)),
        T(steps) {}
};

struct MlstmResults {
  Tensor h, dq, dk, dv, di, df;
};

struct MlstmReference {
  Numbers h, dq, dk, dv, di, df;
};

/// h_t = num / (max(|s|, exp(-m)) + eps) and its gradient as sums over pairs of steps.
MlstmReference mlstm_reference(const MlstmOptions& options, const MlstmInputs& in) {
  const auto at = [&](std::int64_t t, std::int64_t head, std::int64_t width, std::int64_t x) {
    return static_cast<std::size_t>((t * kHeads + head) * width + x);
  };
  const auto size = [&](std::int64_t width) {
    return static_cast<std::size_t>(in.T * kHeads * width);
  };
  MlstmReference out{Numbers(size(kValues)), Numbers(size(kKeys)), Numbers(size(kKeys)),
                     Numbers(size(kValues)), Numbers(size(1)),     Numbers(size(1))};
  const auto q = in.q.span<float>(), k = in.k.span<float>(), v = in.v.span<float>(),
             i = in.i.span<float>(), f = in.f.span<float>(), dh = in.dh.span<float>();
  const Real scale = options.query_scale, eps = options.eps;
  for (std::int64_t head = 0; head < kHeads; ++head) {
    Numbers dlog_forget(static_cast<std::size_t>(in.T));
    for (std::int64_t t = 0; t < in.T; ++t) {
      // L_tj, from j = t downwards: forgetting adds up on the way back.
      std::int64_t winner = -1;
      std::vector<Real> L(static_cast<std::size_t>(t) + 1), P(L.size()), D(L.size()), dP(L.size()),
          dP_terms(L.size());
      Real forgotten = 0.0L, m = -std::numeric_limits<Real>::infinity();
      for (std::int64_t j = t; j >= 0; --j) {
        L[static_cast<std::size_t>(j)] = forgotten + i[at(j, head, 1, 0)];
        if (L[static_cast<std::size_t>(j)] >= m) {
          m = L[static_cast<std::size_t>(j)];
          winner = j;
        }
        forgotten += log_forget_of(options.forget_gate, f[at(j, head, 1, 0)]);
      }
      if (options.forget_gate == ForgetGate::sigmoid && forgotten >= m) {
        m = forgotten;
        winner = -1;
      }
      Real s = 0.0L;
      for (std::size_t j = 0; j < L.size(); ++j) {
        Real score = 0.0L;
        for (std::int64_t x = 0; x < kKeys; ++x) {
          score += scale * q[at(t, head, kKeys, x)] *
                   k[at(static_cast<std::int64_t>(j), head, kKeys, x)];
        }
        D[j] = std::exp(L[j] - m);
        P[j] = score * D[j];
        s += P[j];
      }
      const bool sum_decides = std::abs(s) >= std::exp(-m);
      const Real read = 1.0L / (std::max(std::abs(s), std::exp(-m)) + eps);
      Real r = 0.0L, r_terms = 0.0L;
      for (std::int64_t x = 0; x < kValues; ++x) {
        Number& h = out.h[at(t, head, kValues, x)];
        for (std::size_t j = 0; j < L.size(); ++j) {
          h.add(P[j] * read * v[at(static_cast<std::int64_t>(j), head, kValues, x)]);
        }
        if (!sum_decides || options.constant_denominator) continue;
        const Real u = dh[at(t, head, kValues, x)] * read;
        r -= std::copysign(1.0L, s) * u * h.value;
        r_terms += std::abs(u) * h.terms;
      }
      for (std::size_t j = 0; j < L.size(); ++j) {
        dP[j] = r;
        dP_terms[j] = r_terms;
        for (std::int64_t x = 0; x < kValues; ++x) {
          const std::size_t value = at(static_cast<std::int64_t>(j), head, kValues, x);
          const Real u = dh[at(t, head, kValues, x)] * read;
          dP[j] += u * v[value];
          dP_terms[j] += std::abs(u * v[value]);
          out.dv[value].add(P[j] * u);
        }
        for (std::int64_t x = 0; x < kKeys; ++x) {
          const std::size_t query = at(t, head, kKeys, x),
                            key = at(static_cast<std::int64_t>(j), head, kKeys, x);
          out.dq[query].add(scale * dP[j] * D[j] * k[key],
                            std::abs(scale * dP_terms[j] * D[j] * k[key]));
          out.dk[key].add(scale * dP[j] * D[j] * q[query],
                          std::abs(scale * dP_terms[j] * D[j] * q[query]));
        }
        const Real w = dP[j] * P[j], w_terms = std::abs(dP_terms[j] * P[j]);
        out.di[at(static_cast<std::int64_t>(j), head, 1, 0)].add(w, w_terms);
        for (std::size_t x = j + 1; x < L.size(); ++x) dlog_forget[x].add(w, w_terms);
      }
      if (options.constant_denominator) continue;
      // m is in h by eps alone.
      Real dm = 0.0L;
      for (std::int64_t x = 0; x < kValues; ++x) {
        const std::size_t value = at(t, head, kValues, x);
        dm -= dh[value] * out.h[value].value * eps * read;
      }
      if (winner >= 0) out.di[at(winner, head, 1, 0)].add(dm);
      for (std::int64_t x = winner + 1; x <= t; ++x) {
        dlog_forget[static_cast<std::size_t>(x)].add(dm);
      }
    }
    for (std::int64_t t = 0; t < in.T; ++t) {
      const std::size_t place = at(t, head, 1, 0);
      const Real slope = forget_slope_of(options.forget_gate, f[place]);
      const Number& sum = dlog_forget[static_cast<std::size_t>(t)];
      out.df[place].add(slope * sum.value, slope * sum.terms);
    }
  }
  return out;
}

MlstmResults recurrent(const MlstmOptions& options, const MlstmInputs& in) {
  const kernels::MlstmForward forward = mlstm_call(in.q, in.k, in.v, in.i, in.f);
  kernels::mlstm_forward(options, forward);
  const kernels::MlstmBackward back = mlstm_way_back(forward, in.dh);
  kernels::mlstm_backward(options, back);
  return {forward.h, back.dq, back.dk, back.dv, back.di, back.df};
}

template <std::int64_t Chunk>
MlstmResults chunkwise(const MlstmOptions& options, const MlstmInputs& in) {
  const kernels::MlstmForward forward = mlstm_call(in.q, in.k, in.v, in.i, in.f);
  kernels::mlstm_chunkwise_forward(options, forward, Chunk);
  const kernels::MlstmBackward back = mlstm_way_back(forward, in.dh);
  kernels::mlstm_chunkwise_backward(options, back, Chunk);
  return {forward.h, back.dq, back.dk, back.dv, back.di, back.df};
}

MlstmResults parallel(const MlstmOptions& options, const MlstmInputs& in) {
  MlstmResults out{zeros_like(in.v), zeros_like(in.q), zeros_like(in.k),
                   zeros_like(in.v), zeros_like(in.i), zeros_like(in.f)};
  kernels::mlstm_parallel_forward(
      options, {.q = in.q, .k = in.k, .v = in.v, .i = in.i, .f = in.f, .h = out.h});
  kernels::mlstm_parallel_backward(options, {.q = in.q,
                                             .k = in.k,
                                             .v = in.v,
                                             .i = in.i,
                                             .f = in.f,
                                             .dh = in.dh,
                                             .dq = out.dq,
                                             .dk = out.dk,
                                             .dv = out.dv,
                                             .di = out.di,
                                             .df = out.df});
  return out;
}

struct MlstmForm {
  const char* name;
  MlstmResults (*run)(const MlstmOptions&, const MlstmInputs&);
};
constexpr MlstmForm kForms[] = {{"recurrent", recurrent},
                                {"parallel", parallel},
                                {"chunks of 5", chunkwise<5>},
                                {"chunks of 16", chunkwise<16>}};

void run_mlstm_grid(const std::string& what, const MlstmOptions& options) {
  Figures figures;
  int cases = 0;
  const auto check_gates = [&](const MlstmInputs& in, const std::string& where) {
    const MlstmReference wanted = mlstm_reference(options, in);
    for (const MlstmForm& form : kForms) {
      const MlstmResults seen = form.run(options, in);
      const auto compare = [&](const char* name, const Tensor& x, const Numbers& reference) {
        figures.compare(fmt::format("{} {}", form.name, name), x, reference, in.T, where);
      };
      compare("h", seen.h, wanted.h);
      compare("dq", seen.dq, wanted.dq);
      compare("dk", seen.dk, wanted.dk);
      compare("dv", seen.dv, wanted.dv);
      compare("di", seen.di, wanted.di);
      compare("df", seen.df, wanted.df);
    }
    ++cases;
  };
  for (const std::int64_t T : kLengths) {
    for (const double i : kGrid) {
      for (const double f : kGrid) {
        const MlstmInputs in(T);
        std::ranges::fill(in.i.span<float>(), static_cast<float>(i));
        std::ranges::fill(in.f.span<float>(), static_cast<float>(f));
        check_gates(in, fmt::format("i {}, f {}, {} steps", i, f, T));
      }
    }
    Random random(static_cast<std::uint64_t>(T));
    for (int round = 0; round < 200; ++round) {
      const MlstmInputs in(T);
      for (float& x : in.i.span<float>()) x = static_cast<float>(drawn(random));
      for (float& x : in.f.span<float>()) x = static_cast<float>(drawn(random));
      check_gates(in, fmt::format("mixed gates {}, {} steps", round, T));
    }
  }
  figures.report(what, cases);
}

TEST(Grid, Mlstm) {
  run_mlstm_grid("mLSTM", {.query_scale = 0.4});
}
TEST(Grid, MlstmWithConstantDenominator) {
  run_mlstm_grid("mLSTM, constant denominator", {.query_scale = 0.4, .constant_denominator = true});
}
TEST(Grid, MlstmWithExponentialForgetGate) {
  run_mlstm_grid("mLSTM, exponential forget gate",
                 {.query_scale = 0.4, .forget_gate = ForgetGate::exponential});
}

// ---------------------------------------------------------------- sLSTM

constexpr std::int64_t kSequences = 3, kUnits = 4, kWidth = kHeads * kUnits;

struct SlstmInputs {
  Tensor wx, r, b, dy;
  std::int64_t T;

  /// Input and forget gates are what `wx` says: mixing goes to the other two.
  explicit SlstmInputs(std::int64_t steps)
      : wx(numbers_of({kSequences, steps, 4, kWidth}, -2.0, 2.0, 5)),
        r(numbers_of({kHeads, 4 * kUnits, kUnits}, -0.7, 0.7, 6)),
        b(numbers_of({4 * kWidth}, -1.0, 1.0, 7)),
        dy(numbers_of({kSequences, steps, kHeads, kUnits}, -1.0, 1.0, 8)),
        T(steps) {
    for (std::int64_t head = 0; head < kHeads; ++head) {
      std::ranges::fill(r.slice(head, head + 1).span<float>().first(2 * kUnits * kUnits), 0.0F);
    }
    std::ranges::fill(b.span<float>().first(2 * kWidth), 0.0F);
  }
  void set(std::int64_t gate, const std::function<double()>& value) const {
    for (std::int64_t row = 0; row < kSequences * T; ++row) {
      for (std::int64_t x = 0; x < kWidth; ++x) {
        wx.span<float>()[static_cast<std::size_t>((row * 4 + gate) * kWidth + x)] =
            static_cast<float>(value());
      }
    }
  }
};

struct SlstmReference {
  Numbers y, dwx, dr, db;
};

SlstmReference slstm_reference(const SlstmOptions& options, const SlstmInputs& in) {
  SlstmReference out{Numbers(static_cast<std::size_t>(kSequences * in.T * kWidth)),
                     Numbers(static_cast<std::size_t>(in.wx.elements())),
                     Numbers(static_cast<std::size_t>(in.r.elements())),
                     Numbers(static_cast<std::size_t>(in.b.elements()))};
  const auto wx = in.wx.span<float>(), r = in.r.span<float>(), b = in.b.span<float>(),
             dy = in.dy.span<float>();
  struct Step {
    Real gates[4], input, forget, z, o, c, n, m;
  };
  for (std::int64_t sequence = 0; sequence < kSequences; ++sequence) {
    const auto unit = [&](std::int64_t t, std::int64_t x) {
      return static_cast<std::size_t>((sequence * in.T + t) * kWidth + x);
    };
    const auto pre = [&](std::int64_t t, std::int64_t gate, std::int64_t x) {
      return static_cast<std::size_t>(((sequence * in.T + t) * 4 + gate) * kWidth + x);
    };
    /// r[head][gate * units + out][in] for two units of the whole width, of the same head.
    const auto mixing = [&](std::int64_t gate, std::int64_t to, std::int64_t from) {
      const std::int64_t head = to / kUnits;
      return static_cast<std::size_t>(((head * 4 + gate) * kUnits + to % kUnits) * kUnits +
                                      from % kUnits);
    };
    std::vector<std::array<Step, kWidth>> steps(static_cast<std::size_t>(in.T));
    for (std::int64_t t = 0; t < in.T; ++t) {
      for (std::int64_t x = 0; x < kWidth; ++x) {
        Step& now = steps[static_cast<std::size_t>(t)][static_cast<std::size_t>(x)];
        const Step* before =
            t > 0 ? &steps[static_cast<std::size_t>(t - 1)][static_cast<std::size_t>(x)] : nullptr;
        for (std::int64_t gate = 0; gate < 4; ++gate) {
          now.gates[gate] = static_cast<Real>(wx[pre(t, gate, x)]) +
                            b[static_cast<std::size_t>(gate * kWidth + x)];
          for (std::int64_t from = x / kUnits * kUnits; t > 0 && from < (x / kUnits + 1) * kUnits;
               ++from) {
            now.gates[gate] += r[mixing(gate, x, from)] * out.y[unit(t - 1, from)].value;
          }
        }
        now.z = std::tanh(now.gates[2]);
        now.o = 1.0L / (1.0L + std::exp(-now.gates[3]));
        const Real a = before == nullptr
                           ? -std::numeric_limits<Real>::infinity()
                           : log_forget_of(options.forget_gate, now.gates[1]) + before->m;
        now.m = std::max(now.gates[0], a);
        now.input = std::exp(now.gates[0] - now.m);
        now.forget = std::exp(a - now.m);
        now.c = now.input * now.z + (before == nullptr ? 0.0L : now.forget * before->c);
        now.n = now.input + (before == nullptr ? 0.0L : now.forget * before->n);
        out.y[unit(t, x)].add(now.o * now.c / now.n, now.o);
      }
    }
    std::array<Number, kWidth> carried_y{}, carried_c{}, carried_n{};
    for (std::int64_t t = in.T - 1; t >= 0; --t) {
      std::array<Number, kWidth> next_y{};
      for (std::int64_t x = 0; x < kWidth; ++x) {
        const auto place = static_cast<std::size_t>(x);
        const Step& now = steps[static_cast<std::size_t>(t)][place];
        const Real y = out.y[unit(t, x)].value;
        Number g = carried_y[place], &dc = carried_c[place], &dn = carried_n[place];
        g.add(dy[unit(t, x)]);
        dc.add(g.value * now.o / now.n, g.terms * now.o / now.n);
        dn.add(-g.value * y / now.n, g.terms * std::abs(y) / now.n);
        std::array<Number, 4> d{};
        d[0].add(now.input * (dc.value * now.z + dn.value),
                 now.input * (dc.terms * std::abs(now.z) + dn.terms));
        if (t > 0) {
          const Step& before = steps[static_cast<std::size_t>(t - 1)][place];
          const Real by = now.forget * forget_slope_of(options.forget_gate, now.gates[1]);
          d[1].add(by * (dc.value * before.c + dn.value * before.n),
                   by * (dc.terms * std::abs(before.c) + dn.terms * before.n));
        }
        const Real slope = now.input * (1.0L - now.z * now.z);
        d[2].add(dc.value * slope, dc.terms * slope);
        d[3].add(g.value * y * (1.0L - now.o), g.terms * std::abs(y) * (1.0L - now.o));
        for (std::int64_t gate = 0; gate < 4; ++gate) {
          const Number& own = d[static_cast<std::size_t>(gate)];
          out.dwx[pre(t, gate, x)].add(own.value, own.terms);
          out.db[static_cast<std::size_t>(gate * kWidth + x)].add(own.value, own.terms);
          for (std::int64_t from = x / kUnits * kUnits; t > 0 && from < (x / kUnits + 1) * kUnits;
               ++from) {
            const Real y_prev = out.y[unit(t - 1, from)].value, w = r[mixing(gate, x, from)];
            out.dr[mixing(gate, x, from)].add(own.value * y_prev, own.terms * std::abs(y_prev));
            next_y[static_cast<std::size_t>(from)].add(own.value * w, own.terms * std::abs(w));
          }
        }
        dc = {now.forget * dc.value, now.forget * dc.terms};
        dn = {now.forget * dn.value, now.forget * dn.terms};
      }
      carried_y = next_y;
    }
  }
  return out;
}

void run_slstm_grid(const std::string& what, const SlstmOptions& options) {
  Figures figures;
  int cases = 0;
  const auto check_gates = [&](const SlstmInputs& in, const std::string& where) {
    const SlstmReference wanted = slstm_reference(options, in);
    const kernels::SlstmForward forward = slstm_call(in.wx, in.r, in.b);
    kernels::slstm_forward(options, forward);
    const kernels::SlstmBackward back = slstm_way_back(forward, in.dy);
    kernels::slstm_backward(options, back);
    figures.compare("y", forward.y, wanted.y, in.T, where);
    figures.compare("dr", back.dr, wanted.dr, in.T, where);
    figures.compare("db", back.db, wanted.db, in.T, where);
    // Every gate is measured by itself.
    for (std::int64_t gate = 0; gate < 4; ++gate) {
      const Tensor own = Tensor::empty({kSequences * in.T, kWidth}, DType::f32);
      Numbers reference;
      for (std::int64_t row = 0; row < kSequences * in.T; ++row) {
        for (std::int64_t x = 0; x < kWidth; ++x) {
          const auto place = static_cast<std::size_t>((row * 4 + gate) * kWidth + x);
          own.span<float>()[reference.size()] = back.dwx.span<float>()[place];
          reference.push_back(wanted.dwx[place]);
        }
      }
      figures.compare(fmt::format("d{}", "ifzo"[gate]), own, reference, in.T, where);
    }
    ++cases;
  };
  for (const std::int64_t T : kLengths) {
    for (const double i : kGrid) {
      for (const double f : kGrid) {
        const SlstmInputs in(T);
        in.set(0, [&] { return i; });
        in.set(1, [&] { return f; });
        check_gates(in, fmt::format("i {}, f {}, {} steps", i, f, T));
      }
    }
    Random random(static_cast<std::uint64_t>(T));
    for (int round = 0; round < 200; ++round) {
      const SlstmInputs in(T);
      in.set(0, [&] { return drawn(random); });
      in.set(1, [&] { return drawn(random); });
      check_gates(in, fmt::format("mixed gates {}, {} steps", round, T));
    }
  }
  figures.report(what, cases);
}

TEST(Grid, Slstm) {
  run_slstm_grid("sLSTM", {});
}
TEST(Grid, SlstmWithExponentialForgetGate) {
  run_slstm_grid("sLSTM, exponential forget gate", {.forget_gate = ForgetGate::exponential});
}

}  // namespace
}  // namespace xlab::tests
