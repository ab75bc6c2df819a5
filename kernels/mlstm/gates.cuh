// What both forms of the mLSTM share on CUDA devices: the gates and denominators of every head over
// time, and the gradients of the gates; mlstm_head.hpp is the same for the CPU. For .cu files only.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/device/cuda.cuh"
#include "kernels/gates.hpp"
#include "kernels/mlstm/cuda.hpp"

namespace xlab::cuda {

/// Place of a head's step t in a (B, T, H) tensor; `head` counts through B and H.
__device__ inline std::int64_t mlstm_row(const MlstmRules& r, std::int64_t head, std::int64_t t) {
  return (head / r.H * r.T + t) * r.H + head % r.H;
}

/// The gates of every head and step, at [head * T + t].
template <typename T>
struct MlstmGateArrays {
  T *input_gate, *forget_gate;
  T *log_forget, *forget_slope;  ///< and d log_forget / d f
  T* m_before;                   ///< m before the step
};

/// What the way back knows of every head and step besides, at [head * T + t].
template <typename T>
struct MlstmStepArrays {
  T* normalizer;  ///< N
  T* read;        ///< query_scale / (N + eps)
  T* sum_slope;   ///< query_scale times the gradient of s
  T* along;       ///< <dh, h>, 0 where N is taken for a constant
};

/// Device memory for the gates, and for what else is known of steps if `with_steps`.
template <typename T>
class MlstmSpace {
 public:
  MlstmSpace(const MlstmRules& r, bool with_steps)
      : count_(r.B * r.H * r.T),
        memory_(static_cast<std::size_t>(count_ * (with_steps ? 9 : 5)) * sizeof(T)) {}
  MlstmGateArrays<T> gates() const { return {at(0), at(1), at(2), at(3), at(4)}; }
  MlstmStepArrays<T> steps() const { return {at(5), at(6), at(7), at(8)}; }

 private:
  T* at(std::int64_t array) const { return memory_.template as<T>() + array * count_; }

  std::int64_t count_;
  Scratch memory_;
};

// ---- gates

/// Whether a row is absent or 0 throughout; asked by a whole warp.
template <typename T>
__device__ inline bool is_zero(const T* x, std::int64_t size) {
  constexpr int kAtOnce = 8;
  if (x == nullptr) return true;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (std::int64_t begin = 0; begin < size; begin += kAtOnce * kWarp) {
    bool other = false;
    for (int j = 0; j < kAtOnce; ++j) {
      const std::int64_t at = begin + j * kWarp + lane;
      if (at < size && !(x[at] == T(0))) other = true;
    }
    if (__any_sync(kAllLanes, other)) return false;
  }
  return true;
}

/// m before the first step, which below all numbers lets the first input gate decide; asked by a
/// whole warp.
template <typename T>
__device__ inline T mlstm_first_m(const MlstmRules& r, const MlstmMemory<const T>& initial,
                                  std::int64_t head) {
  if (r.stabilizer && r.exponential_forget) {
    const std::int64_t size = r.K * r.V;
    if (is_zero(initial.n == nullptr ? nullptr : initial.n + head * r.K, r.K) &&
        is_zero(initial.C == nullptr ? nullptr : initial.C + head * size, size)) {
      constexpr T lowest = -std::numeric_limits<T>::infinity();
      return lowest;
    }
  }
  return initial.m != nullptr ? initial.m[head] : T(0);
}

/// What a forward pass hands out of the gates, each absent or of a tensor's own layout.
template <typename T>
struct MlstmGateOutputs {
  T *m = nullptr, *last_m = nullptr;
  T *input_gate = nullptr, *forget_gate = nullptr;
};

/// The gates of every head, a block of one warp for each. m comes from `known_m` if that is there
/// (B, T, H), else from its recurrence.
template <typename T>
__global__ void mlstm_gates(MlstmRules r, const T* i, const T* f, MlstmMemory<const T> initial,
                            const T* known_m, MlstmGateArrays<T> to, MlstmGateOutputs<T> out) {
  __shared__ T pre[kWarp], kept[kWarp];
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t head = blockIdx.x;
  T m = mlstm_first_m(r, initial, head);
  for (std::int64_t begin = 0; begin < r.T; begin += kWarp) {
    const std::int64_t t = begin + lane, row = mlstm_row(r, head, t);
    const bool there = t < r.T;
    const T i_t = there ? i[row] : T(0), f_t = there ? f[row] : T(0);
    const T log_forget = r.exponential_forget ? f_t : log_sigmoid(f_t);
    T before = m;
    if (known_m != nullptr) {
      if (there && t > 0) before = known_m[row - r.H];
    } else {
      // One step after the other, every lane the same, so that nobody waits for anybody.
      pre[lane] = i_t;
      kept[lane] = log_forget;
      __syncwarp();
      const int steps = static_cast<int>(r.T - begin < kWarp ? r.T - begin : kWarp);
      for (int j = 0; j < steps; ++j) {
        if (j == lane) before = m;
        const T a = kept[j] + m;
        m = !r.stabilizer ? T(0) : pre[j] > a ? pre[j] : a;
      }
      __syncwarp();
    }
    if (!there) continue;
    StabilisedGates<T> gates = stabilise(i_t, log_forget, before);
    if (!r.stabilizer) gates = {T(0), std::exp(i_t), std::exp(log_forget + before)};
    const std::int64_t at = head * r.T + t;
    to.input_gate[at] = gates.input_gate;
    to.forget_gate[at] = gates.forget_gate;
    to.log_forget[at] = log_forget;
    to.forget_slope[at] = r.exponential_forget ? T(1) : sigmoid(-f_t);
    to.m_before[at] = before;
    if (out.m != nullptr) out.m[row] = gates.m;
    if (out.last_m != nullptr && t + 1 == r.T) out.last_m[head] = gates.m;
    if (out.input_gate != nullptr) out.input_gate[row] = gates.input_gate;
    if (out.forget_gate != nullptr) out.forget_gate[row] = gates.forget_gate;
  }
}

/// Starts mlstm_gates.
template <typename T>
void open_mlstm_gates(const char* name, const MlstmRules& r, const T* i, const T* f,
                      const MlstmMemory<const T>& initial, const T* known_m,
                      const MlstmGateArrays<T>& to, const MlstmGateOutputs<T>& out = {}) {
  launch(name, mlstm_gates<T>, {dim3(static_cast<unsigned>(r.B * r.H)), kWarp}, r, i, f, initial,
         known_m, to, out);
}

// ---- denominators

/// exp(-|x|), 0 where that is below the normal numbers.
template <typename T>
__device__ inline T exp_below(T x) {
  constexpr T least = std::numeric_limits<T>::min();
  const T e = std::exp(-std::abs(x));
  return e < least ? T(0) : e;
}

template <typename T>
struct MlstmDenominator {
  T normalizer;  ///< N = max(|s|, exp(-m))
  T read;        ///< what the read-out is multiplied with: query_scale / (N + eps)
};

/// Of one step. Below m = 0 everything is taken times exp(m), so that nothing overflows: a factor
/// too small for a number is 0, N stays finite. A sum that is no number decides, as torch.maximum
/// has it.
template <typename T>
__device__ inline MlstmDenominator<T> mlstm_divide(const MlstmRules& r, T s, T m) {
  constexpr T least = std::numeric_limits<T>::min();
  const T eps = static_cast<T>(r.eps), scale = static_cast<T>(r.query_scale);
  const T size = r.normalize ? std::abs(s) : T(0);
  if (r.floor_of_one || !r.stabilizer) {
    const T N = size < T(1) ? T(1) : size;
    return {N, scale / (N + eps)};
  }
  const T e = exp_below(m), floor = e > least ? e : least;
  if (m < T(0)) {
    const T inverse = T(1) / floor, product = e * size;
    const T scaled = product < T(1) ? T(1) : product;
    return {size < inverse ? inverse : size, scale * (e / (scaled + eps * e))};
  }
  const T N = size < floor ? floor : size;
  return {N, scale * (T(1) / (N + eps))};
}

/// The denominators of a forward call once more, and the gradient of s: a warp for each head and
/// step, with dh, h and V of this call.
template <typename T>
__global__ void mlstm_sum_slopes(MlstmRules r, const T* dh, const T* h, const T* m, const T* s,
                                 MlstmStepArrays<T> to) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t at = global_thread() / kWarp;  // the same for the whole warp
  if (at >= r.B * r.H * r.T) return;
  const std::int64_t head = at / r.T, row = mlstm_row(r, head, at % r.T);
  T along = T(0);
  if (!r.constant_denominator) {
    for (std::int64_t x = lane; x < r.V; x += kWarp) along += dh[row * r.V + x] * h[row * r.V + x];
    along = warp_sum(along);
  }
  if (lane != 0) return;
  // d N / d s = sign(s) where |s| decides; h = C^T q / (N + eps) gives dN = -<dh, h> / (N + eps).
  const T own = s[row];
  const MlstmDenominator<T> d = mlstm_divide(r, own, m[row]);
  const T slope = r.normalize && std::abs(own) >= d.normalizer ? d.read * along : T(0);
  to.normalizer[at] = d.normalizer;
  to.read[at] = d.read;
  to.sum_slope[at] = own > T(0) ? -slope : slope;
  to.along[at] = along;
}

/// Gates and denominators for the way back.
template <typename T>
void open_mlstm_way_back(const char* name, const MlstmRules& r, const MlstmBackwardCall<T>& call,
                         const MlstmSpace<T>& space) {
  open_mlstm_gates(name, r, call.i, call.f, call.initial, call.m, space.gates());
  constexpr int warps = kEmulated ? 1 : 4;
  launch(name, mlstm_sum_slopes<T>,
         {dim3(static_cast<unsigned>((r.B * r.H * r.T + warps - 1) / warps)), warps * kWarp}, r,
         call.dh, call.h, call.m, call.s, space.steps());
}

// ---- gradients of the gates

/// What a way back found out: sums that several blocks had a part in.
template <typename T>
struct MlstmProducts {
  const T *q, *k;                 ///< <q, dq> and <k, dk> of every step, [part][head * T + t]
  std::int64_t q_parts, k_parts;  ///< their sum is the product
  /// <[C n], d[C n]> after the last step and before the first one (the gradient there before it is
  /// multiplied with the first forget gate), [head][part]; null is 0.
  const double *at_end, *at_begin;
  std::int64_t end_parts, begin_parts;
};

template <typename T>
__device__ inline T sum_of_parts(const T* x, std::int64_t parts, std::int64_t apart,
                                 std::int64_t at) {
  T sum = T(0);
  for (std::int64_t part = 0; part < parts; ++part) sum += x[part * apart + at];
  return sum;
}

template <typename T>
__device__ inline T larger_of(T a, T b) {
  return a > b ? a : b;
}

/// The gradient of every log_forget, in `dlog_forget`: what a forget gate does to the memory, all
/// later steps and the end state feel. Where hardly anything is remembered, nearly all of that
/// cancels, and its digits with it: then `cancels` is 1. A block of one warp for each head.
template <typename T>
__global__ void mlstm_forget_sums(MlstmRules r, MlstmGateArrays<T> gates, MlstmStepArrays<T> steps,
                                  MlstmProducts<T> found, T* dlog_forget, int* cancels) {
  __shared__ double change[kWarp];
  __shared__ T size[kWarp];
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t head = blockIdx.x, all = r.B * r.H * r.T;
  double carried = 0.0;
  if (found.at_end != nullptr) {
    carried = sum_of_parts(found.at_end + head * found.end_parts, found.end_parts, 1, 0);
  }
  T largest = static_cast<T>(std::abs(carried)), kept = T(0), summed = T(0);
  for (std::int64_t end = r.T; end > 0; end -= kWarp) {
    // Lane 0 has the last step.
    const std::int64_t t = end - 1 - lane, at = head * r.T + t;
    change[lane] = 0.0;
    size[lane] = T(0);
    if (t >= 0) {
      const T by_query = sum_of_parts(found.q, found.q_parts, all, at),
              by_key = sum_of_parts(found.k, found.k_parts, all, at);
      change[lane] = static_cast<double>(by_query) - static_cast<double>(by_key);
      size[lane] =
          larger_of(larger_of(std::abs(by_query), std::abs(by_key)), std::abs(steps.along[at]));
    }
    __syncwarp();
    T own = T(0), own_largest = T(0);
    for (int j = 0; j < kWarp; ++j) {
      carried += change[j];
      largest = larger_of(largest, size[j]);
      if (j == lane) {
        own = static_cast<T>(carried);
        own_largest = largest;
      }
    }
    __syncwarp();
    if (t < 0) continue;
    dlog_forget[at] = own;
    if (t == 0) continue;
    const T slope = gates.forget_slope[at];
    kept = larger_of(kept, std::abs(slope * own));
    summed = larger_of(summed, slope * own_largest);
  }
  kept = warp_max(kept);
  summed = warp_max(summed);
  if (lane == 0) cancels[head] = kept < T(0.03) * summed ? 1 : 0;
}

/// How the gradient of log_forget by its definition is spread out.
struct MlstmRecall {
  std::int64_t stretch, stretches;  ///< steps between two memories that are kept, and these
  std::int64_t slices;              ///< blocks per head
  int threads;                      ///< of a block
  XLAB_HD std::int64_t warps() const { return threads / kWarp; }
  XLAB_HD std::int64_t memories() const { return stretch + stretches; }
};

inline MlstmRecall mlstm_recall(const MlstmRules& r) {
  MlstmRecall plan{};
  plan.stretch = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(r.T))));
  plan.stretches = (r.T + plan.stretch - 1) / plan.stretch;
  plan.threads = kEmulated ? kWarp : 256;
  // Enough blocks for a large device, as few as possible for their memory.
  const std::int64_t pieces = (r.K * (r.V + 1) + plan.threads - 1) / plan.threads,
                     wanted = 256 / (r.B * r.H);
  plan.slices = pieces < wanted ? pieces : wanted;
  if (plan.slices < 1) plan.slices = 1;
  return plan;
}

/// <C_{t-1}, dC_t> and the same of n for the heads where the short way cancels, in parts
/// [slice * warps + warp][head * T + t]. That needs memories that run forwards and gradients that
/// run backwards at the same time: a thread takes one number of the memory after the other, keeps
/// it before some stretches of steps in `room`, and makes the others again. Blocks are
/// (head, slice).
template <typename T>
__global__ void mlstm_forget_by_definition(MlstmRules r, MlstmRecall plan,
                                           MlstmBackwardCall<T> call, MlstmGateArrays<T> gates,
                                           MlstmStepArrays<T> steps, const int* cancels, T* room,
                                           T* parts) {
  const std::int64_t head = blockIdx.x, slice = blockIdx.y;
  if (cancels[head] == 0) return;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp;
  T* const begins = room + (head * plan.slices + slice) * plan.memories() * plan.threads + thread;
  T* const memories = begins + plan.stretches * plan.threads;
  T* const part = parts + (slice * plan.warps() + thread / kWarp) * r.B * r.H * r.T + head * r.T;
  const T *const input = gates.input_gate + head * r.T, *const forget =
                                                            gates.forget_gate + head * r.T;
  const T *const read = steps.read + head * r.T, *const sum_slope = steps.sum_slope + head * r.T;

  // C and n side by side, as one matrix with a column more.
  const std::int64_t columns = r.V + 1, size = r.K * columns;
  bool first = true;
  for (std::int64_t begin = slice * plan.threads; begin < size;
       begin += plan.slices * plan.threads, first = false) {
    const bool there = begin + thread < size;  // the others take part in sums
    const std::int64_t at = there ? begin + thread : 0, row = at / columns, x = at % columns;
    const bool in_C = x < r.V;
    const auto start = [&](const MlstmMemory<const T>& from) {
      if (from.C == nullptr || !there) return T(0);
      return in_C ? from.C[(head * r.K + row) * r.V + x] : from.n[head * r.K + row];
    };
    const auto step = [&](std::int64_t t, T c) {
      const std::int64_t place = mlstm_row(r, head, t);
      const T written = input[t] * call.k[place * r.K + row];
      return forget[t] * c + (in_C ? written * call.v[place * r.V + x] : written);
    };
    T c = start(call.initial);
    for (std::int64_t t = 0; t < r.T; ++t) {
      if (t % plan.stretch == 0) begins[t / plan.stretch * plan.threads] = c;
      c = step(t, c);
    }
    T G = start(call.dlast), decay = T(1);
    for (std::int64_t low = (plan.stretches - 1) * plan.stretch; low >= 0; low -= plan.stretch) {
      const std::int64_t high = low + plan.stretch < r.T ? low + plan.stretch : r.T;
      c = begins[low / plan.stretch * plan.threads];
      for (std::int64_t t = low; t < high; ++t) {
        memories[(t - low) * plan.threads] = c;
        c = step(t, c);
      }
      for (std::int64_t t = high - 1; t >= low; --t) {
        const std::int64_t place = mlstm_row(r, head, t);
        const T q = call.q[place * r.K + row];
        G = decay * G + (in_C ? read[t] * q * call.dh[place * r.V + x] : sum_slope[t] * q);
        decay = forget[t];
        const T sum = warp_sum(there ? memories[(t - low) * plan.threads] * G : T(0));
        if (lane == 0) part[t] = first ? sum : part[t] + sum;
      }
    }
  }
}

/// Adds the gradients of the gates, and of m before the first step. A block of one warp for each
/// head.
template <typename T>
__global__ void mlstm_add_gate_gradients(MlstmRules r, MlstmBackwardCall<T> call,
                                         MlstmGateArrays<T> gates, MlstmStepArrays<T> steps,
                                         MlstmProducts<T> found, const T* dlog_forget,
                                         const int* cancels, const T* parts,
                                         std::int64_t part_count) {
  __shared__ T term[kWarp];
  __shared__ bool ends[kWarp];
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t head = blockIdx.x, all = r.B * r.H * r.T;
  const bool by_definition = cancels[head] != 0;
  const bool has_initial = call.initial.C != nullptr && found.at_begin != nullptr;
  const T eps = static_cast<T>(r.eps);

  double at_end = 0.0, at_begin = 0.0;
  if (found.at_end != nullptr) {
    at_end = sum_of_parts(found.at_end + head * found.end_parts, found.end_parts, 1, 0);
  }
  if (has_initial) {
    at_begin = sum_of_parts(found.at_begin + head * found.begin_parts, found.begin_parts, 1, 0);
  }
  const T dm0 = gates.forget_gate[head * r.T] * static_cast<T>(at_begin);

  // What is left of m in h: eps is not stabilised, and h = exp(-m) times what m has no part in
  // where a floor of 1 decides. What m_t gets belongs to the gate that made it.
  T dm = T(0);
  if (call.dlast.m != nullptr) dm = call.dlast.m[head] - static_cast<T>(at_end);
  for (std::int64_t end = r.T; end > 0; end -= kWarp) {
    // Lane 0 has the last step.
    const std::int64_t t = end - 1 - lane, at = head * r.T + t, row = mlstm_row(r, head, t);
    const bool there = t >= 0;
    bool input_decides = false;
    T di = T(0), df = T(0), slope = T(0), lost = T(0);
    if (there) {
      slope = gates.forget_slope[at];
      di = sum_of_parts(found.k, found.k_parts, all, at);
      if (t > 0) {
        df = slope * (by_definition
                          ? gates.forget_gate[at] * sum_of_parts(parts, part_count, all, at)
                          : dlog_forget[at]);
      } else if (has_initial) {
        df = slope * dm0;
      }
      const T N = steps.normalizer[at];
      const bool whole = r.floor_of_one && !(r.normalize && std::abs(call.s[row]) >= N);
      lost = steps.along[at] * (whole ? T(1) : eps / (N + eps));
      input_decides = call.i[row] > gates.log_forget[at] + gates.m_before[at];
    }
    if (r.stabilizer) {
      term[lane] = lost;
      ends[lane] = input_decides;
      __syncwarp();
      const int count = static_cast<int>(end < kWarp ? end : kWarp);
      T own = T(0);
      for (int j = 0; j < count; ++j) {
        dm -= term[j];
        if (j == lane) own = dm;
        if (ends[j]) dm = T(0);
      }
      __syncwarp();
      if (input_decides) {
        di += own;
      } else {
        df += slope * own;
      }
    }
    if (!there) continue;
    call.di[row] += di;
    call.df[row] += df;
  }
  if (lane == 0 && call.dinitial.m != nullptr) {
    T gradient = r.stabilizer ? dm : T(0);
    if (has_initial) gradient += dm0;
    call.dinitial.m[head] += gradient;
  }
}

/// Adds the gradients of i, f and m before the first step, from what the way back found.
template <typename T>
void add_mlstm_gate_gradients(const char* name, const MlstmRules& r,
                              const MlstmBackwardCall<T>& call, const MlstmSpace<T>& space,
                              const MlstmProducts<T>& found) {
  const std::int64_t heads = r.B * r.H, all = heads * r.T;
  const MlstmRecall plan = mlstm_recall(r);
  const std::int64_t parts = plan.slices * plan.warps(),
                     room = heads * plan.slices * plan.memories() * plan.threads;
  const Scratch numbers(static_cast<std::size_t>(all * (1 + parts) + room) * sizeof(T));
  const Scratch flags(static_cast<std::size_t>(heads) * sizeof(int));
  T* const dlog_forget = numbers.as<T>();
  T* const by_definition = dlog_forget + all;
  int* const cancels = flags.as<int>();
  const dim3 per_head(static_cast<unsigned>(heads));
  launch(name, mlstm_forget_sums<T>, {per_head, kWarp}, r, space.gates(), space.steps(), found,
         dlog_forget, cancels);
  launch(name, mlstm_forget_by_definition<T>,
         {dim3(static_cast<unsigned>(heads), static_cast<unsigned>(plan.slices)), plan.threads}, r,
         plan, call, space.gates(), space.steps(), cancels, by_definition + all * parts,
         by_definition);
  launch(name, mlstm_add_gate_gradients<T>, {per_head, kWarp}, r, call, space.gates(),
         space.steps(), found, dlog_forget, cancels, by_definition, parts);
}

}  // namespace xlab::cuda
