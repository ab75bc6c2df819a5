// The mLSTM scan on CUDA devices: one kernel walks through time with a slice of a memory in its
// registers, and serves the forward pass and all its gradients.
#include "kernels/mlstm/gates.cuh"

namespace xlab::cuda {
namespace {

// ---- n

/// Steps that n goes through at once.
constexpr int kStepsOfN = 16;

/// n through all steps, s, N and the factor of the read-out. A block for each head; a thread owns
/// every blockDim-th number of n, which is in `last.n` between its visits.
template <typename T>
__global__ void mlstm_walk_n(MlstmRules r, MlstmForwardCall<T> call, MlstmGateArrays<T> gates,
                             T* read) {
  __shared__ T partial[kStepsOfN][kWarp];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int lane = thread % kWarp, warp = thread / kWarp, warps = threads / kWarp;
  const std::int64_t head = blockIdx.x;
  const T *const input = gates.input_gate + head * r.T, *const forget =
                                                            gates.forget_gate + head * r.T;
  T* const n = call.last.n + head * r.K;
  const T* from = call.initial.n != nullptr ? call.initial.n + head * r.K : nullptr;
  for (std::int64_t t0 = 0; t0 < r.T; t0 += kStepsOfN, from = n) {
    const int steps = static_cast<int>(r.T - t0 < kStepsOfN ? r.T - t0 : kStepsOfN);
    T sums[kStepsOfN] = {};
    for (std::int64_t row = thread; row < r.K; row += threads) {
      T own = from != nullptr ? from[row] : T(0);
#pragma unroll
      for (int j = 0; j < kStepsOfN; ++j) {
        if (j >= steps) continue;
        const std::int64_t at = mlstm_row(r, head, t0 + j) * r.K + row;
        own = forget[t0 + j] * own + input[t0 + j] * call.k[at];
        sums[j] += call.q[at] * own;
        if (call.n != nullptr) call.n[at] = own;
      }
      n[row] = own;
    }
    __syncthreads();  // whoever still reads the sums of earlier steps
#pragma unroll
    for (int j = 0; j < kStepsOfN; ++j) {
      if (j >= steps) continue;
      const T sum = warp_sum(sums[j]);
      if (lane == 0) partial[j][warp] = sum;
    }
    __syncthreads();
    if (thread >= steps) continue;
    T s = T(0);
    for (int w = 0; w < warps; ++w) s += partial[thread][w];
    s *= static_cast<T>(r.query_scale);
    const std::int64_t at = mlstm_row(r, head, t0 + thread);
    const MlstmDenominator<T> d = mlstm_divide(r, s, call.m[at]);
    call.s[at] = s;
    call.normalizer[at] = d.normalizer;
    read[head * r.T + t0 + thread] = d.read;
  }
}

// ---- the scan

/// A matrix X (rows x columns) of every head that lives through time:
///   X <- decay_t X + write_t a_t b_t^T,   out_t = read_t X^T c_t
/// With (a, b, c) = (k, v, q) this is the memory itself. Its gradients are the same loop with other
/// names, run over C or C^T, forwards or backwards. Beside it a vector may live, as n beside C:
///   state <- decay_t state + state_write_t b_t,   out_t += mix_t state
/// Factors are at [head * T + t], rows of steps in (B, T, H, width) tensors.
template <typename T>
struct Scan {
  std::int64_t rows = 0, columns = 0;
  bool backwards = false;  ///< from the last step to the first; decay_t is then that of step t + 1
  const T *a = nullptr, *b = nullptr, *c = nullptr;
  const T *decay = nullptr, *write = nullptr, *read = nullptr;
  const T *state_write = nullptr, *mix = nullptr;  ///< absent without a state

  /// A number of X lies at row * row_step + column * column_step of its head in all matrices below.
  std::int64_t row_step = 0, column_step = 0;
  const T *from = nullptr, *state_from = nullptr;  ///< before the first step; absent: zeros
  T* to = nullptr;                                 ///< after the last step, or absent
  T *add_to = nullptr, *state_add_to = nullptr;    ///< the same times decay is added, or absent

  T* out = nullptr;
  bool adds = false;        ///< to what is in `out`
  T* record = nullptr;      ///< X after every step, or absent
  const T* with = nullptr;  ///< (B, T, H, columns), or absent
  T* product = nullptr;     ///< <with_t, out_t> of every slice of columns, [slice][head * T + t]

  /// Products of X and the state before the first step with other ones, and of X and the state
  /// after the last step, summed in double: one number for every slice, at [head * parts + part +
  /// slice].
  const T *from_with = nullptr, *state_from_with = nullptr;
  const T *to_with = nullptr, *state_to_with = nullptr;
  double *from_product = nullptr, *to_product = nullptr;
  std::int64_t part = 0, parts = 0;
};

constexpr int kMostScans = 3;
template <typename T>
struct Scans {
  Scan<T> scan[kMostScans];
};

constexpr int kMostWarps = 16;

/// How scans are spread out: a block has 32 columns, a warp of it some rows of these.
struct ScanPlan {
  int rows;   ///< of X in the registers of a thread
  int warps;  ///< of a block
  int steps;  ///< whose rows lie in shared memory at once
};

/// 16 bytes of shared memory at once.
template <typename T>
struct alignas(16) Pack {
  static constexpr int kSize = 16 / static_cast<int>(sizeof(T));
  T at[kSize];
};

/// Numbers in shared memory for each step.
inline std::int64_t shared_numbers(const ScanPlan& plan) {
  return 2 * plan.rows * plan.warps + plan.warps * kWarp + kWarp + 5;
}

/// Blocks are (head, slice of 32 columns, scan). Where a block's warps have not room for all rows,
/// they take some after the others, each through all steps.
template <typename T, int kRows>
__global__ void __launch_bounds__(kMostWarps* kWarp)
    mlstm_scan(MlstmRules r, Scans<T> scans, ScanPlan plan) {
  XLAB_SHARED(T, shared);
  __shared__ double sums[kWarp];
  const Scan<T>& s = scans.scan[blockIdx.z];
  const std::int64_t head = blockIdx.x, slice = blockIdx.y;
  if (slice * kWarp >= s.columns) return;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int lane = thread % kWarp, warp = thread / kWarp;
  const int panel = plan.warps * kRows;  // rows that the block has at once
  T* const a = shared;
  T* const c = a + plan.steps * panel;
  T* const partial = c + plan.steps * panel;  // of out, by warp
  T* const b = partial + plan.steps * plan.warps * kWarp;
  T* const decay = b + plan.steps * kWarp;
  T* const write = decay + plan.steps;
  T* const read = write + plan.steps;
  T* const state_write = read + plan.steps;
  T* const mix = state_write + plan.steps;

  const std::int64_t column = slice * kWarp + lane, all = r.B * r.H * r.T;
  const bool there = column < s.columns, has_state = s.state_write != nullptr;
  const std::int64_t matrix = head * s.rows * s.columns, vector = head * s.columns;
  double from_sum = 0.0, to_sum = 0.0;
  for (std::int64_t top = 0; top < s.rows; top += panel) {
    const std::int64_t own_top = top + warp * kRows;
    T x[kRows];
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      x[j] = T(0);
      const std::int64_t at = matrix + (own_top + j) * s.row_step + column * s.column_step;
      if (s.from == nullptr || !there || own_top + j >= s.rows) continue;
      x[j] = s.from[at];
      if (s.from_with == nullptr) continue;
      from_sum += static_cast<double>(x[j]) * static_cast<double>(s.from_with[at]);
    }
    // Every warp has the state: it is less than to tell the others.
    T state = T(0);
    if (has_state && there && s.state_from != nullptr) {
      state = s.state_from[vector + column];
      if (warp == 0 && top == 0 && s.state_from_with != nullptr) {
        from_sum +=
            static_cast<double>(state) * static_cast<double>(s.state_from_with[vector + column]);
      }
    }

    for (std::int64_t t0 = 0; t0 < r.T; t0 += plan.steps) {
      const int steps = static_cast<int>(r.T - t0 < plan.steps ? r.T - t0 : plan.steps);
      const auto step = [&](int j) { return s.backwards ? r.T - 1 - t0 - j : t0 + j; };
      __syncthreads();  // whoever still reads earlier steps
      for (int j = warp; j < steps; j += plan.warps) {
        const std::int64_t place = mlstm_row(r, head, step(j));
        for (int row = lane; row < panel; row += kWarp) {
          const bool in_rows = top + row < s.rows;
          a[j * panel + row] = in_rows ? s.a[place * s.rows + top + row] : T(0);
          c[j * panel + row] = in_rows ? s.c[place * s.rows + top + row] : T(0);
        }
        b[j * kWarp + lane] = there ? s.b[place * s.columns + column] : T(0);
      }
      for (int j = thread; j < steps; j += threads) {
        const std::int64_t t = step(j), at = head * r.T + t;
        // Nothing is forgotten between the last step and the end state.
        decay[j] = !s.backwards ? s.decay[at] : t + 1 < r.T ? s.decay[at + 1] : T(1);
        write[j] = s.write[at];
        read[j] = s.read[at];
        state_write[j] = has_state ? s.state_write[at] : T(0);
        mix[j] = has_state ? s.mix[at] : T(0);
      }
      __syncthreads();

      for (int j = 0; j < steps; ++j) {
        const T kept = decay[j], written = write[j] * b[j * kWarp + lane];
        const auto* const a_j = reinterpret_cast<const Pack<T>*>(a + j * panel + warp * kRows);
        const auto* const c_j = reinterpret_cast<const Pack<T>*>(c + j * panel + warp * kRows);
        T out = T(0);
#pragma unroll
        for (int group = 0; group < kRows / Pack<T>::kSize; ++group) {
          const Pack<T> a_group = a_j[group], c_group = c_j[group];
#pragma unroll
          for (int e = 0; e < Pack<T>::kSize; ++e) {
            T& own = x[group * Pack<T>::kSize + e];
            own = kept * own + a_group.at[e] * written;
            out += c_group.at[e] * own;
          }
        }
        partial[(j * plan.warps + warp) * kWarp + lane] = out;
        if (s.record != nullptr && there) {
          const std::int64_t place = mlstm_row(r, head, step(j)) * s.rows * s.columns;
#pragma unroll
          for (int e = 0; e < kRows; ++e) {
            if (own_top + e < s.rows) s.record[place + (own_top + e) * s.columns + column] = x[e];
          }
        }
      }
      __syncthreads();

      // The warps take turns with the results of steps.
      int turn = 0;
      for (int j = 0; j < steps; ++j) {
        state = decay[j] * state + state_write[j] * b[j * kWarp + lane];
        const bool mine = turn == warp;
        turn = turn + 1 < plan.warps ? turn + 1 : 0;
        if (!mine) continue;
        T sum = T(0);
        for (int w = 0; w < plan.warps; ++w) sum += partial[(j * plan.warps + w) * kWarp + lane];
        T out = read[j] * sum;
        if (has_state && top == 0) out += mix[j] * state;
        const std::int64_t t = step(j), place = mlstm_row(r, head, t) * s.columns + column;
        if (there) s.out[place] = s.adds || top > 0 ? s.out[place] + out : out;
        if (s.with == nullptr) continue;
        const T product = warp_sum(there ? s.with[place] * out : T(0));
        T* const to = s.product + slice * all + head * r.T + t;
        if (lane == 0) *to = top > 0 ? *to + product : product;
      }
    }

    // What is left belongs to the state after the last step, or, decayed, to that before the first.
    const T left = s.add_to != nullptr ? s.decay[head * r.T] : T(0);
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      const std::int64_t at = matrix + (own_top + j) * s.row_step + column * s.column_step;
      if (!there || own_top + j >= s.rows) continue;
      if (s.to != nullptr) s.to[at] = x[j];
      if (s.add_to != nullptr) s.add_to[at] += left * x[j];
      if (s.to_with == nullptr) continue;
      to_sum += static_cast<double>(x[j]) * static_cast<double>(s.to_with[at]);
    }
    if (has_state && there && warp == 0 && top == 0) {
      if (s.state_add_to != nullptr) s.state_add_to[vector + column] += s.decay[head * r.T] * state;
      if (s.state_to_with != nullptr) {
        to_sum +=
            static_cast<double>(state) * static_cast<double>(s.state_to_with[vector + column]);
      }
    }
  }
  const std::int64_t part = head * s.parts + s.part + slice;
  if (s.from_product != nullptr) {
    const double sum = block_sum(from_sum, sums);
    if (thread == 0) s.from_product[part] = sum;
  }
  if (s.to_product != nullptr) {
    const double sum = block_sum(to_sum, sums);
    if (thread == 0) s.to_product[part] = sum;
  }
}

/// Slices of 32 columns.
std::int64_t slices_of(std::int64_t columns) {
  return (columns + kWarp - 1) / kWarp;
}

template <typename T>
void run_scans(const char* name, const MlstmRules& r, const Scans<T>& scans, int count) {
  std::int64_t rows = 0, columns = 0;
  for (int j = 0; j < count; ++j) {
    if (scans.scan[j].rows > rows) rows = scans.scan[j].rows;
    if (scans.scan[j].columns > columns) columns = scans.scan[j].columns;
  }
  // Few rows per thread keep more warps busy.
  ScanPlan plan{};
  plan.rows = rows <= 16 * kMostWarps ? 16 : 32;
  const std::int64_t warps = (rows + plan.rows - 1) / plan.rows;
  plan.warps = static_cast<int>(warps < kMostWarps ? warps : kMostWarps);
  // What every device has without being asked.
  constexpr std::int64_t room = 40 * 1024;
  const std::int64_t per_step = shared_numbers(plan) * static_cast<std::int64_t>(sizeof(T));
  std::int64_t steps = room / per_step;
  if (steps > 16) steps = 16;
  if (steps > r.T) steps = r.T;
  plan.steps = static_cast<int>(steps);
  const Layout layout{dim3(static_cast<unsigned>(r.B * r.H),
                           static_cast<unsigned>(slices_of(columns)), static_cast<unsigned>(count)),
                      plan.warps * kWarp, static_cast<std::size_t>(steps * per_step)};
  if (plan.rows == 16) {
    launch(name, mlstm_scan<T, 16>, layout, r, scans, plan);
  } else {
    launch(name, mlstm_scan<T, 32>, layout, r, scans, plan);
  }
}

}  // namespace

template <typename T>
void mlstm_forward(const MlstmRules& r, const MlstmForwardCall<T>& call) {
  const char* const name = "mlstm_forward";
  const MlstmSpace<T> space(r, true);
  const MlstmGateArrays<T> gates = space.gates();
  T* const read = space.steps().read;
  open_mlstm_gates<T>(name, r, call.i, call.f, call.initial, nullptr, gates,
                      {call.m, call.last.m, call.input_gate, call.forget_gate});
  const std::int64_t warps = slices_of(r.K) < 8 ? slices_of(r.K) : 8;
  launch(name, mlstm_walk_n<T>,
         {dim3(static_cast<unsigned>(r.B * r.H)), static_cast<int>(warps) * kWarp}, r, call, gates,
         read);

  Scans<T> scans;
  Scan<T>& memory = scans.scan[0];
  memory.rows = r.K;
  memory.columns = r.V;
  memory.a = call.k;
  memory.b = call.v;
  memory.c = call.q;
  memory.decay = gates.forget_gate;
  memory.write = gates.input_gate;
  memory.read = read;
  memory.row_step = r.V;
  memory.column_step = 1;
  memory.from = call.initial.C;
  memory.to = call.last.C;
  memory.out = call.h;
  memory.record = call.C;
  run_scans(name, r, scans, 1);
}

template <typename T>
void mlstm_backward(const MlstmRules& r, const MlstmBackwardCall<T>& call) {
  const char* const name = "mlstm_backward";
  const MlstmSpace<T> space(r, true);
  const MlstmGateArrays<T> gates = space.gates();
  const MlstmStepArrays<T> steps = space.steps();
  open_mlstm_way_back(name, r, call, space);

  const std::int64_t of_keys = slices_of(r.K), of_values = slices_of(r.V);
  const std::int64_t parts = of_keys + of_values, heads = r.B * r.H, all = heads * r.T;
  const Scratch products(static_cast<std::size_t>(2 * of_keys * all) * sizeof(T));
  const Scratch ends(static_cast<std::size_t>(2 * heads * parts) * sizeof(double));
  T *const by_query = products.as<T>(), *const by_key = by_query + of_keys * all;
  double *const at_end = ends.as<double>(), *const at_begin = at_end + heads * parts;
  const bool has_initial = call.initial.C != nullptr, has_last = call.dlast.C != nullptr;

  Scans<T> scans;
  // Forwards, with C transposed: dq_t = read_t C_t dh_t + query_scale ds_t n_t
  Scan<T>& to_queries = scans.scan[0];
  to_queries.rows = r.V;
  to_queries.columns = r.K;
  to_queries.a = call.v;
  to_queries.b = call.k;
  to_queries.c = call.dh;
  to_queries.decay = gates.forget_gate;
  to_queries.write = gates.input_gate;
  to_queries.read = steps.read;
  to_queries.state_write = gates.input_gate;
  to_queries.mix = steps.sum_slope;
  to_queries.row_step = 1;
  to_queries.column_step = r.V;
  to_queries.from = call.initial.C;
  to_queries.state_from = call.initial.n;
  to_queries.out = call.dq;
  to_queries.adds = true;
  to_queries.with = call.q;
  to_queries.product = by_query;

  // Backwards with G, the gradient of C after all later use, and its transpose:
  // G_t = forget_gate_{t+1} G_{t+1} + read_t q_t dh_t^T
  // dv_t = input_gate_t G_t^T k_t,   dk_t = input_gate_t (G_t v_t + dn_t)
  Scan<T>& to_values = scans.scan[1];
  to_values.rows = r.K;
  to_values.columns = r.V;
  to_values.backwards = true;
  to_values.a = call.q;
  to_values.b = call.dh;
  to_values.c = call.k;
  to_values.decay = gates.forget_gate;
  to_values.write = steps.read;
  to_values.read = gates.input_gate;
  to_values.row_step = r.V;
  to_values.column_step = 1;
  to_values.from = call.dlast.C;
  to_values.add_to = call.dinitial.C;
  to_values.out = call.dv;
  to_values.adds = true;
  to_values.parts = parts;
  if (has_last) {
    to_values.from_with = call.last.C;
    to_values.from_product = at_end;
  }
  if (has_initial) {
    to_values.to_with = call.initial.C;
    to_values.to_product = at_begin;
  }

  Scan<T>& to_keys = scans.scan[2];
  to_keys = to_queries;
  to_keys.backwards = true;
  to_keys.a = call.dh;
  to_keys.b = call.q;
  to_keys.c = call.v;
  to_keys.write = steps.read;
  to_keys.read = gates.input_gate;
  to_keys.state_write = steps.sum_slope;
  to_keys.mix = gates.input_gate;
  to_keys.from = call.dlast.C;
  to_keys.state_from = call.dlast.n;
  to_keys.state_add_to = call.dinitial.n;
  to_keys.out = call.dk;
  to_keys.with = call.k;
  to_keys.product = by_key;
  to_keys.part = of_values;
  to_keys.parts = parts;
  if (has_last) {
    to_keys.state_from_with = call.last.n;
    to_keys.from_product = at_end;
  }
  if (has_initial) {
    to_keys.state_to_with = call.initial.n;
    to_keys.to_product = at_begin;
  }
  run_scans(name, r, scans, 3);

  MlstmProducts<T> found{};
  found.q = by_query;
  found.k = by_key;
  found.q_parts = found.k_parts = of_keys;
  found.at_end = has_last ? at_end : nullptr;
  found.at_begin = has_initial ? at_begin : nullptr;
  found.end_parts = found.begin_parts = parts;
  add_mlstm_gate_gradients(name, r, call, space, found);
}

#define XLAB_INSTANTIATE(T)                                                   \
  template void mlstm_forward(const MlstmRules&, const MlstmForwardCall<T>&); \
  template void mlstm_backward(const MlstmRules&, const MlstmBackwardCall<T>&);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
