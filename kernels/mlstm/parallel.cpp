// The matrix memory as attention on the CPU: one row of weights at a time, heads in parallel.
#include "kernels/mlstm/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/gates.hpp"
#include "kernels/lanes.hpp"
#include "kernels/mlstm/on_cuda.hpp"
#include "kernels/mlstm/parallel_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

constexpr const char* kOp = "mlstm parallel";

struct Sizes {
  std::int64_t B, T, H, K, V;
};

/// The inputs of one head of one sequence: rows of a (B, T, H, width) tensor, one per step.
template <typename T>
struct Steps {
  Steps(const Tensor& x, const Sizes& z, std::int64_t head, std::int64_t width)
      : step(z.H * width),
        first(x.defined() ? x.data<T>() + (head / z.H * z.T * z.H + head % z.H) * width : nullptr) {
  }
  T* at(std::int64_t t) const { return first + t * step; }
  explicit operator bool() const { return first != nullptr; }

  std::int64_t step;
  T* first;
};

/// One head, row by row: the weights of step t on all steps up to it.
template <typename T>
class Rows {
 public:
  Rows(const MlstmOptions& options, const Sizes& z, const Tensor& q, const Tensor& k,
       const Tensor& i, const Tensor& f, std::int64_t head)
      : log_decay(static_cast<std::size_t>(z.T)),
        decay(log_decay.size()),
        scores(log_decay.size()),
        weights(log_decay.size()),
        options_(options),
        width_(z.K),
        q_(q, z, head, z.K),
        k_(k, z, head, z.K),
        i_(i, z, head, 1),
        f_(f, z, head, 1),
        total_(log_decay.size() + 1) {
    for (std::int64_t t = 0; t < z.T; ++t) {
      const auto pre = static_cast<double>(*f_.at(t));
      total_[at(t) + 1] =
          total_[at(t)] + (options.forget_gate == ForgetGate::sigmoid ? log_sigmoid(pre) : pre);
    }
  }

  /// Fills everything below for step t.
  void go_to(std::int64_t t) {
    row_max = -std::numeric_limits<double>::infinity();
    winner = -1;
    for (std::int64_t j = 0; j <= t; ++j) {
      const double x = (total_[at(t) + 1] - total_[at(j) + 1]) + static_cast<double>(*i_.at(j));
      log_decay[at(j)] = x;
      if (x > row_max || std::isnan(x)) {
        row_max = x;
        winner = j;
      }
    }
    m = row_max;
    if (options_.forget_gate == ForgetGate::sigmoid && total_[at(t) + 1] >= m) {
      m = total_[at(t) + 1];
      winner = -1;
    }
    if (!options_.stabilizer) m = 0.0;

    double sum = 0.0;
    for (std::int64_t j = 0; j <= t; ++j) {
      decay[at(j)] = static_cast<T>(std::exp(log_decay[at(j)] - m));
      scores[at(j)] = score(t, j);
      weights[at(j)] = scores[at(j)] * decay[at(j)];
      sum += static_cast<double>(weights[at(j)]);
    }
    s = static_cast<T>(sum);

    // N = max(|s|, floor), everything times exp(m) where m < 0, so that nothing overflows.
    const double eps = options_.eps, size = options_.normalize ? std::abs(sum) : 0.0;
    const bool one = options_.floor == DenominatorFloor::one || !options_.stabilizer;
    const double down = one ? 1.0 : std::exp(std::min(m, 0.0));
    const double floor = one ? 1.0 : std::exp(-std::max(m, 0.0));
    sum_decides = options_.normalize && size * down >= floor;
    read = static_cast<T>(down / (std::max(size * down, floor) + eps * down));
    const double least = static_cast<double>(std::numeric_limits<T>::min());
    normalizer = static_cast<T>(std::max(size, std::min(floor / down, 1.0 / least)));
  }

  T score(std::int64_t t, std::int64_t j) const {
    return static_cast<T>(options_.query_scale) * dot(q_.at(t), k_.at(j), width_);
  }

  // Of the current step t; entry j of a row belongs to step j <= t.
  std::vector<double> log_decay;  ///< L
  std::vector<T> decay;           ///< D
  std::vector<T> scores;          ///< <q~, k>
  std::vector<T> weights;         ///< P
  double row_max = 0.0, m = 0.0;
  std::int64_t winner = 0;  ///< the step that m comes from, -1 for the state before the first
  T s{}, normalizer{};
  T read{};                  ///< 1 / (N + eps)
  bool sum_decides = false;  ///< whether N = |s|

 private:
  static std::size_t at(std::int64_t t) { return static_cast<std::size_t>(t); }

  const MlstmOptions& options_;
  std::int64_t width_;
  Steps<T> q_, k_, i_, f_;
  std::vector<double> total_;  ///< F before every step, and at the end
};

template <typename T>
void forward_head(const MlstmOptions& options, const MlstmParallelForward& args, const Sizes& z,
                  std::int64_t head) {
  const Steps<T> v(args.v, z, head, z.V), h(args.h, z, head, z.V);
  const Steps<T> m(args.m, z, head, 1), row_max(args.row_max, z, head, 1), s(args.s, z, head, 1),
      normalizer(args.normalizer, z, head, 1);
  const auto row_of = [&](const Tensor& x, std::int64_t t) {
    return x.data<T>() + (head * z.T + t) * z.T;
  };
  Rows<T> rows(options, z, args.q, args.k, args.i, args.f, head);
  for (std::int64_t t = 0; t < z.T; ++t) {
    rows.go_to(t);
    T* const out = h.at(t);
    std::fill_n(out, z.V, T(0));
    for (std::int64_t j = 0; j <= t; ++j) {
      add(v.at(j), out, z.V, rows.weights[static_cast<std::size_t>(j)]);
    }
    for (std::int64_t x = 0; x < z.V; ++x) out[x] *= rows.read;

    if (m) *m.at(t) = static_cast<T>(rows.m);
    if (row_max) *row_max.at(t) = static_cast<T>(rows.row_max);
    if (s) *s.at(t) = rows.s;
    if (normalizer) *normalizer.at(t) = rows.normalizer;
    const auto begin = rows.weights.begin();
    if (args.log_decay) {
      T* const row = row_of(args.log_decay, t);
      std::copy_n(rows.log_decay.begin(), t + 1, row);
      std::fill(row + t + 1, row + z.T, -std::numeric_limits<T>::infinity());
    }
    if (args.decay) {
      T* const row = row_of(args.decay, t);
      std::copy_n(rows.decay.begin(), t + 1, row);
      std::fill(row + t + 1, row + z.T, T(0));
    }
    if (args.scores) {
      T* const row = row_of(args.scores, t);
      std::copy_n(rows.scores.begin(), t + 1, row);
      for (std::int64_t j = t + 1; j < z.T; ++j) row[j] = rows.score(t, j);
    }
    if (args.attention) {
      T* const row = row_of(args.attention, t);
      std::transform(begin, begin + t + 1, row, [&](T weight) { return weight * rows.read; });
      std::fill(row + t + 1, row + z.T, T(0));
    }
  }
}

template <typename T>
void backward_head(const MlstmOptions& options, const MlstmParallelBackward& args, const Sizes& z,
                   std::int64_t head) {
  const Steps<T> q(args.q, z, head, z.K), k(args.k, z, head, z.K), v(args.v, z, head, z.V),
      f(args.f, z, head, 1), dh(args.dh, z, head, z.V);
  const Steps<T> dq(args.dq, z, head, z.K), dk(args.dk, z, head, z.K), dv(args.dv, z, head, z.V),
      di(args.di, z, head, 1), df(args.df, z, head, 1);
  const T scale = static_cast<T>(options.query_scale);
  const auto steps = static_cast<std::size_t>(z.T);
  std::vector<double> input(steps), log_forget(steps);  // gradients
  std::vector<T> dp(steps);

  Rows<T> rows(options, z, args.q, args.k, args.i, args.f, head);
  for (std::int64_t t = 0; t < z.T; ++t) {
    rows.go_to(t);
    double along = 0.0;  // <dh, h>
    for (std::int64_t j = 0; j <= t; ++j) {
      const auto at = static_cast<std::size_t>(j);
      dp[at] = rows.read * dot(dh.at(t), v.at(j), z.V);
      along += static_cast<double>(dp[at]) * static_cast<double>(rows.weights[at]);
    }
    T slope = T(0);  // the gradient of s
    if (rows.sum_decides && !options.constant_denominator) {
      slope = rows.read * static_cast<T>(along);
      if (rows.s > T(0)) slope = -slope;
    }
    double crossing = 0.0;  // what this row says to the forget gate between j and j + 1
    for (std::int64_t j = 0; j <= t; ++j) {
      const auto at = static_cast<std::size_t>(j);
      log_forget[at] += crossing;
      const T weight = rows.weights[at], total = dp[at] + slope;
      const T ds = scale * total * rows.decay[at];
      add(k.at(j), dq.at(t), z.K, ds);
      add(q.at(t), dk.at(j), z.K, ds);
      add(dh.at(t), dv.at(j), z.V, weight * rows.read);
      const double w = static_cast<double>(total) * static_cast<double>(weight);
      input[at] += w;
      crossing += w;
    }
    // What is left of m in h: eps is not stabilised, and h = exp(-m) times what m has no part in
    // where a floor of 1 decides.
    if (!options.stabilizer || options.constant_denominator) continue;
    const bool whole = options.floor == DenominatorFloor::one && !rows.sum_decides;
    const double dm = -along * (whole ? 1.0 : options.eps * static_cast<double>(rows.read));
    if (rows.winner >= 0) input[static_cast<std::size_t>(rows.winner)] += dm;
    for (std::int64_t x = rows.winner + 1; x <= t; ++x) {
      log_forget[static_cast<std::size_t>(x)] += dm;
    }
  }
  for (std::int64_t t = 0; t < z.T; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const auto pre = static_cast<double>(*f.at(t));
    const double slope = options.forget_gate == ForgetGate::sigmoid ? sigmoid(-pre) : 1.0;
    *di.at(t) += static_cast<T>(input[at]);
    *df.at(t) += static_cast<T>(slope * log_forget[at]);
  }
}

/// Checks what both directions read.
Sizes sizes_of(const MlstmOptions& options, const Tensor& q, const Tensor& k, const Tensor& v,
               const Tensor& i, const Tensor& f) {
  check(q.defined() && v.defined() && q.rank() == 4 && v.rank() == 4,
        "[{}] needs q and k of shape (batch, time, heads, width) and v with its own width.", kOp);
  const Sizes z{q.extent(0), q.extent(1), q.extent(2), q.extent(3), v.extent(3)};
  check(q.elements() > 0 && z.V > 0,
        "[{}] has nothing to do: batch {}, time {}, heads {}, key width {}, value width {}.", kOp,
        z.B, z.T, z.H, z.K, z.V);
  check(options.format == NumberFormat::native,
        "[{}] computes in the numbers of its tensors: only the scan has a choice of formats.", kOp);
  require(kOp, "k", k, q.shape(), q.dtype());
  require(kOp, "v", v, {z.B, z.T, z.H, z.V}, q.dtype());
  require(kOp, "i", i, {z.B, z.T, z.H}, q.dtype());
  require(kOp, "f", f, {z.B, z.T, z.H}, q.dtype());
  return z;
}

/// How many heads make one piece of work: enough that handing it to another thread pays.
std::int64_t grain(const Sizes& z) {
  return std::max<std::int64_t>(1, 100'000 / (z.T * z.T * (z.K + z.V)));
}

}  // namespace

void mlstm_parallel_forward(const MlstmOptions& options, const MlstmParallelForward& args) {
  const Sizes z = sizes_of(options, args.q, args.k, args.v, args.i, args.f);
  const DType dtype = args.q.dtype();
  require(kOp, "h", args.h, args.v.shape(), dtype);
  for (const Tensor* x : {&args.m, &args.row_max, &args.s, &args.normalizer}) {
    require_if_present(kOp, "an output per step", *x, {z.B, z.T, z.H}, dtype);
  }
  for (const Tensor* x : {&args.log_decay, &args.decay, &args.scores, &args.attention}) {
    require_if_present(kOp, "an output per pair of steps", *x, {z.B, z.H, z.T, z.T}, dtype);
  }
  visit_float(args.q, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (on_cuda(kOp, args.q, args.k, args.v, args.i, args.f, args.h, args.m, args.row_max, args.s,
                  args.normalizer, args.log_decay, args.decay, args.scores, args.attention)) {
        return cuda::mlstm_parallel_forward<T>(rules_of(options, z),
                                               {.q = data_or_null<T>(args.q),
                                                .k = data_or_null<T>(args.k),
                                                .v = data_or_null<T>(args.v),
                                                .i = data_or_null<T>(args.i),
                                                .f = data_or_null<T>(args.f),
                                                .h = data_or_null<T>(args.h),
                                                .m = data_or_null<T>(args.m),
                                                .row_max = data_or_null<T>(args.row_max),
                                                .s = data_or_null<T>(args.s),
                                                .normalizer = data_or_null<T>(args.normalizer),
                                                .log_decay = data_or_null<T>(args.log_decay),
                                                .decay = data_or_null<T>(args.decay),
                                                .scores = data_or_null<T>(args.scores),
                                                .attention = data_or_null<T>(args.attention)});
      }
    }
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t head = begin; head < end; ++head) {
        forward_head<T>(options, args, z, head);
      }
    });
  });
}

void mlstm_parallel_backward(const MlstmOptions& options, const MlstmParallelBackward& args) {
  const Sizes z = sizes_of(options, args.q, args.k, args.v, args.i, args.f);
  const DType dtype = args.q.dtype();
  require(kOp, "dh", args.dh, args.v.shape(), dtype);
  require(kOp, "dq", args.dq, args.q.shape(), dtype);
  require(kOp, "dk", args.dk, args.q.shape(), dtype);
  require(kOp, "dv", args.dv, args.v.shape(), dtype);
  require(kOp, "di", args.di, args.i.shape(), dtype);
  require(kOp, "df", args.df, args.f.shape(), dtype);
  visit_float(args.q, [&]<typename T>(T) {
    if constexpr (kHasCuda) {
      if (on_cuda(kOp, args.q, args.k, args.v, args.i, args.f, args.dh, args.dq, args.dk, args.dv,
                  args.di, args.df)) {
        return cuda::mlstm_parallel_backward<T>(rules_of(options, z),
                                                {.q = data_or_null<T>(args.q),
                                                 .k = data_or_null<T>(args.k),
                                                 .v = data_or_null<T>(args.v),
                                                 .i = data_or_null<T>(args.i),
                                                 .f = data_or_null<T>(args.f),
                                                 .dh = data_or_null<T>(args.dh),
                                                 .dq = data_or_null<T>(args.dq),
                                                 .dk = data_or_null<T>(args.dk),
                                                 .dv = data_or_null<T>(args.dv),
                                                 .di = data_or_null<T>(args.di),
                                                 .df = data_or_null<T>(args.df)});
      }
    }
    parallel_ranges(z.B * z.H, grain(z), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t head = begin; head < end; ++head) {
        backward_head<T>(options, args, z, head);
      }
    });
  });
}

}  // namespace xlab::kernels
