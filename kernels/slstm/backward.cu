// The way back of the sLSTM on CUDA devices: the recurrence, and after it what all steps together
// mean for R and b.
#include "kernels/device/column_sums.cuh"
#include "kernels/slstm/scan.cuh"

namespace xlab::cuda {
namespace {

/// Rows of R that a thread holds in registers.
template <typename T>
constexpr int kHeldRows = kSlstmGates* static_cast<int>(slstm_most_units_in_registers<T>) / kWarp;

/// Numbers from one row of R to the next in shared memory: rows begin at whole chunks, and eight of
/// them one after the other have no bank in common.
__host__ __device__ inline int padded_row(std::int64_t D) {
  const int fours = (static_cast<int>(D) + kWarpUnits - 1) / kWarpUnits;
  return (fours + (fours % 2 == 0 ? 1 : 0)) * kWarpUnits;
}

/// Numbers of a line of gradients in shared memory.
template <typename T>
__host__ __device__ inline int padded_line(SlstmPlace place, std::int64_t D) {
  return place == SlstmPlace::registers ? kHeldRows<T> * kWarp : kSlstmGates * static_cast<int>(D);
}

template <typename T>
std::size_t shared_bytes(SlstmPlace place, std::int64_t D, int sequences) {
  if (place == SlstmPlace::global) return 0;
  const auto rows =
      static_cast<std::size_t>(place == SlstmPlace::shared ? kSlstmGates * D * padded_row(D) : 0);
  const auto line = static_cast<std::size_t>(padded_line<T>(place, D));
  return (rows + 2 * static_cast<std::size_t>(sequences) * line) * sizeof(T);
}

/// What one step of one unit is made of, as saved.
template <typename T>
struct Step {
  T pre[kSlstmGates], dy, c_prev, n_prev, m_prev;
};

/// Of the recurrence for itself alone.
template <typename T>
struct BackwardScratch {
  T* dpre;     ///< (B, T, H, 4*D): gradients of the pre-activations of this call
  T *dc, *dn;  ///< (B, H, D): on their way to the step before, unless registers hold them
};

/// Four numbers from `from` on, and zeros after the first `valid`.
template <typename T>
__device__ inline void load_four(const T* from, int valid, bool aligned, T (&out)[kWarpUnits]) {
#pragma unroll
  for (int j = 0; j < kWarpUnits; j += kChunk<T>) {
    const Chunk<T> chunk = load_chunk(from + j, valid - j, aligned);
#pragma unroll
    for (int e = 0; e < kChunk<T>; ++e) out[j + e] = chunk.at[e];
  }
}

template <typename T, int G, SlstmPlace P>
__global__ void __launch_bounds__(kMostSlstmThreads)
    slstm_backward_kernel(SlstmBackwardArgs<T> args, BackwardScratch<T> scratch, bool aligned) {
  XLAB_SHARED(T, memory);
  constexpr bool kOnce = P == SlstmPlace::registers;
  const SlstmSizes& z = args.sizes;
  const SlstmThread<G> at(z);
  const int D = static_cast<int>(z.D), rows = kSlstmGates * D;
  const int mixing_row = padded_row(z.D), line = padded_line<T>(P, z.D);
  const T* const r = args.r + at.head * rows * D;

  // Shared memory: R, then two times the gradients, of the step after and of this one.
  T* const mixing = memory;
  T* const lines = memory + (P == SlstmPlace::shared ? rows * mixing_row : 0);
  T held[kHeldRows<T>][kWarpUnits];
  if constexpr (kOnce) {
#pragma unroll
    for (int j = 0; j < kHeldRows<T>; ++j) {
      const int row = j * kWarp + at.lane;
#pragma unroll
      for (T& weight : held[j]) weight = T(0);
      if (row < rows) {
        load_four(r + row * D + at.first_unit, D - at.first_unit, aligned, held[j]);
      }
    }
  }
  if constexpr (P == SlstmPlace::shared) {
    for (int j = static_cast<int>(threadIdx.x); j < rows * mixing_row;
         j += static_cast<int>(blockDim.x)) {
      mixing[j] = j % mixing_row < D ? r[j / mixing_row * D + j % mixing_row] : T(0);
    }
  }
  if constexpr (P != SlstmPlace::global) {
    for (int j = static_cast<int>(threadIdx.x); j < 2 * G * line;
         j += static_cast<int>(blockDim.x)) {
      lines[j] = T(0);
    }
    __syncthreads();
  }

  /// What the gradients of step t mean for the y that R took: for the unit of the lane, of its own
  /// sequence. The whole warp takes part.
  const auto mixed_back = [&](std::int64_t t, int first_unit) {
    T sums[kWarpUnits * G] = {};
    const T* from = lines + t % 2 * G * line;
    std::int64_t from_row = line;
    int there = G;
    if constexpr (P == SlstmPlace::global) {
      from = scratch.dpre + ((at.first * z.T + t) * z.H + at.head) * rows;
      from_row = z.T * z.H * rows;
      there = at.rows;
    }
    const auto add_row = [&](int row, const T(&weights)[kWarpUnits]) {
#pragma unroll
      for (int g = 0; g < G; ++g) {
        const T slope = from[(g < there ? g : 0) * from_row + row];
#pragma unroll
        for (int u = 0; u < kWarpUnits; ++u) {
          sums[u * G + g] = std::fma(weights[u], slope, sums[u * G + g]);
        }
      }
    };
    if constexpr (kOnce) {
#pragma unroll
      for (int j = 0; j < kHeldRows<T>; ++j) {
        if (j * kWarp < rows) add_row(j * kWarp + at.lane, held[j]);
      }
    } else {
      for (int row = at.lane; row < rows; row += kWarp) {
        T weights[kWarpUnits];
        if constexpr (P == SlstmPlace::shared) {
          load_four(mixing + row * mixing_row + first_unit, kWarpUnits, true, weights);
        } else {
          load_four(r + std::int64_t{row} * D + first_unit, D - first_unit, aligned, weights);
        }
        add_row(row, weights);
      }
    }
    scatter_sums<kWarpUnits * G, kWarp / 2>(sums, at.lane);
    return sums[0];
  };
  const bool lstm = args.gates.memory == kernels::ScalarMemory::lstm;
  const auto place_of = [&](std::int64_t t, int unit) {
    return ((at.sequence * z.T + t) * z.H + at.head) * D + unit;
  };
  const auto gate_place_of = [&](std::int64_t t, int gate, int unit) {
    return (((at.sequence * z.T + t) * kSlstmGates + gate) * z.H + at.head) * D + unit;
  };
  const auto state_of = [&](int unit) { return (at.sequence * z.H + at.head) * D + unit; };
  const auto load_step = [&](std::int64_t t, int unit) {
    Step<T> step = {};
#pragma unroll
    for (int gate = 0; gate < kSlstmGates; ++gate) {
      step.pre[gate] = args.pre[gate_place_of(t, gate, unit)];
    }
    step.dy = args.dy[place_of(t, unit)];
    if (t > 0) {
      step.c_prev = args.c[place_of(t - 1, unit)];
      if (!lstm) {
        step.n_prev = args.n[place_of(t - 1, unit)];
        step.m_prev = args.m[place_of(t - 1, unit)];
      }
    } else if (args.initial.y != nullptr) {
      step.c_prev = args.initial.c[state_of(unit)];
      if (!lstm) {
        step.n_prev = args.initial.n[state_of(unit)];
        step.m_prev = args.initial.m[state_of(unit)];
      }
    }
    return step;
  };

  // The slope of cap * tanh(x / cap) is 1 - (its value / cap)^2.
  const T inverse_cap =
      args.gates.soft_cap > 0.0 ? static_cast<T>(1.0 / args.gates.soft_cap) : T(0);
  T dc = T(0), dn = T(0), c = T(0), n = T(0);
  Step<T> now = {}, ahead = {};
  for (std::int64_t t = z.T - 1; t >= 0; --t) {
    const bool last = t + 1 == z.T;
    for (int first_unit = at.first_unit; first_unit < D; first_unit += at.step) {
      const int unit = first_unit + at.lane / kUnitLanes;
      const bool active = at.owner && unit < D;

      // What the cell will need is on its way while the product is worked out.
      if (active) {
        if (!kOnce || last) {
          c = args.c[place_of(t, unit)];
          if (!lstm) n = args.n[place_of(t, unit)];
          dc = dn = T(0);
          if (!last) {
            dc = scratch.dc[state_of(unit)];
            dn = scratch.dn[state_of(unit)];
          } else if (args.dlast.y != nullptr) {
            dc = args.dlast.c[state_of(unit)];
            if (!lstm) dn = args.dlast.n[state_of(unit)];
          }
          now = load_step(t, unit);
        } else {
          now = ahead;
        }
        if (kOnce && t > 0) ahead = load_step(t - 1, unit);
      }

      T dy = T(0);
      if (!last) {
        dy = mixed_back(t + 1, first_unit);
      } else if (active && args.dlast.y != nullptr) {
        dy = args.dlast.y[state_of(unit)];
      }
      if (!active) continue;

      dy += now.dy;
      const OpenGate<T> open =
          open_gates(args.gates, now.pre[0], now.pre[1], now.m_prev, now.n_prev);
      const T forget_slope =
          args.gates.forget_gate == kernels::ForgetGate::sigmoid ? sigmoid(-now.pre[1]) : T(1);
      const T value = std::tanh(now.pre[2]), output = sigmoid(now.pre[3]);
      T y;
      if (lstm) {
        const T read = std::tanh(c);
        y = output * read;
        dc = std::fma(dy, output * std::fma(-read, read, T(1)), dc);
      } else {
        const T inverse = T(1) / n, read = output * inverse;  // y = read c
        y = read * c;
        dc = std::fma(dy, read, dc);
        dn = std::fma(-dy * y, inverse, dn);
      }
      const T input_slope = lstm ? sigmoid(-now.pre[0]) : T(1);
      const T i = now.pre[0] * inverse_cap, f = now.pre[1] * inverse_cap;
      T d[kSlstmGates];
      d[0] = open.input_gate * std::fma(dc, value, dn) * (input_slope * std::fma(-i, i, T(1)));
      d[1] = open.forget_gate * std::fma(dc, now.c_prev, dn * now.n_prev) *
             (forget_slope * std::fma(-f, f, T(1)));
      d[2] = dc * open.input_gate * std::fma(-value, value, T(1));
      d[3] = dy * y * sigmoid(-now.pre[3]);
      dc *= open.forget_gate;
      dn *= open.forget_gate;
      c = now.c_prev;
      n = now.n_prev;
#pragma unroll
      for (int gate = 0; gate < kSlstmGates; ++gate) {
        const std::int64_t place = gate_place_of(t, gate, unit);
        if (args.clamp != nullptr) {
          const T clamped = args.clamp[place];
          if (clamped == clamped) d[gate] = T(0);  // not NaN
        }
        args.dwx[place] += d[gate];
        scratch.dpre[place_of(t, 0) * kSlstmGates + gate * D + unit] = d[gate];
        if constexpr (P != SlstmPlace::global) {
          lines[(t % 2 * G + at.row) * line + gate * D + unit] = d[gate];
        }
      }
      if constexpr (!kOnce) {
        scratch.dc[state_of(unit)] = dc;
        scratch.dn[state_of(unit)] = dn;
      }
    }
    // The one meeting of a step: its gradients are there, and nobody reads the old ones any more.
    __syncthreads();
  }

  if (args.dinitial.y == nullptr) return;
  for (int first_unit = at.first_unit; first_unit < D; first_unit += at.step) {
    const int unit = first_unit + at.lane / kUnitLanes;
    const T dy = mixed_back(0, first_unit);
    if (!at.owner || unit >= D) continue;
    const std::int64_t state = state_of(unit);
    if constexpr (!kOnce) {
      dc = scratch.dc[state];
      dn = scratch.dn[state];
      const bool given = args.initial.y != nullptr;
      c = given ? args.initial.c[state] : T(0);
      n = given && !lstm ? args.initial.n[state] : T(0);
    }
    args.dinitial.y[state] += dy;
    args.dinitial.c[state] += dc;
    if (lstm) continue;
    args.dinitial.n[state] += dn;
    args.dinitial.m[state] += std::fma(dc, c, dn * n);
  }
}

/// Sides of what one block works out of dR, rows it takes at a time, and its threads in a line.
constexpr int kTile = 64, kDepth = 16, kAcross = 16;

/// dr[head] (4*D x D) = sum over all steps of dpre^T y_prev, for one tile, one head and one piece
/// of the steps of all sequences. `shares` is (pieces, H, 4*D, D).
template <typename T>
__global__ void __launch_bounds__(kAcross* kAcross)
    add_up_mixing(SlstmBackwardArgs<T> args, const T* dpre, T* shares, std::int64_t piece_rows) {
  __shared__ T slopes[kDepth][kTile];
  __shared__ T inputs[kDepth][kTile];
  constexpr int kOwn = kTile / kAcross;
  const SlstmSizes& z = args.sizes;
  const std::int64_t D = z.D, height = kSlstmGates * D, head = blockIdx.y;
  const std::int64_t tiles_across = (D + kTile - 1) / kTile;
  const std::int64_t first_out = blockIdx.x / tiles_across * kTile,
                     first_in = blockIdx.x % tiles_across * kTile;
  const std::int64_t begin = blockIdx.z * piece_rows,
                     end = begin + piece_rows < z.B * z.T ? begin + piece_rows : z.B * z.T;
  const int thread = static_cast<int>(threadIdx.x), down = thread / kAcross,
            across = thread % kAcross;

  T sums[kOwn][kOwn] = {};
  for (std::int64_t row = begin; row < end; row += kDepth) {
    for (int j = thread; j < kDepth * kTile; j += kAcross * kAcross) {
      const std::int64_t n = row + j / kTile, out = first_out + j % kTile,
                         in = first_in + j % kTile;
      slopes[j / kTile][j % kTile] =
          n < end && out < height ? dpre[(n * z.H + head) * height + out] : T(0);
      T y = T(0);
      if (n < end && in < D) {
        // The y that R took: of the step before.
        if (n % z.T > 0) {
          y = args.y[((n - 1) * z.H + head) * D + in];
        } else if (args.initial.y != nullptr) {
          y = args.initial.y[(n / z.T * z.H + head) * D + in];
        }
      }
      inputs[j / kTile][j % kTile] = y;
    }
    __syncthreads();
    for (int depth = 0; depth < kDepth; ++depth) {
#pragma unroll
      for (int a = 0; a < kOwn; ++a) {
#pragma unroll
        for (int b = 0; b < kOwn; ++b) {
          sums[a][b] = std::fma(slopes[depth][down * kOwn + a], inputs[depth][across + b * kAcross],
                                sums[a][b]);
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int a = 0; a < kOwn; ++a) {
#pragma unroll
    for (int b = 0; b < kOwn; ++b) {
      const std::int64_t out = first_out + down * kOwn + a, in = first_in + across + b * kAcross;
      if (out < height && in < D) {
        shares[((blockIdx.z * z.H + head) * height + out) * D + in] = sums[a][b];
      }
    }
  }
}

template <typename T, int G>
void start(SlstmPlace place, const SlstmBackwardArgs<T>& args, const BackwardScratch<T>& scratch) {
  const SlstmSizes& z = args.sizes;
  const bool aligned = z.D % kWarpUnits == 0 && is_aligned(args.r);
  const Layout layout{dim3(slstm_blocks(z, G)), slstm_threads(z.D), shared_bytes<T>(place, z.D, G)};
  const char* const name = "slstm_backward";
  switch (place) {
    case SlstmPlace::registers:
      return launch(name, slstm_backward_kernel<T, G, SlstmPlace::registers>, layout, args, scratch,
                    aligned);
    case SlstmPlace::shared:
      return launch(name, slstm_backward_kernel<T, G, SlstmPlace::shared>, layout, args, scratch,
                    aligned);
    case SlstmPlace::global:
      return launch(name, slstm_backward_kernel<T, G, SlstmPlace::global>, layout, args, scratch,
                    aligned);
  }
}

}  // namespace

/// dr and db, from the gradients of all pre-activations.
template <typename T>
void add_weight_gradients(const SlstmBackwardArgs<T>& args, const T* dpre) {
  const SlstmSizes z = args.sizes;
  const std::int64_t D = z.D, H = z.H, height = kSlstmGates * D, rows = z.B * z.T;
  // Enough blocks to keep a card at work, none with few rows.
  constexpr std::int64_t wanted_blocks = 512, least_rows = 256;
  const std::int64_t tiles = (height + kTile - 1) / kTile * ((D + kTile - 1) / kTile);
  std::int64_t pieces = (wanted_blocks + tiles * H - 1) / (tiles * H);
  const std::int64_t most_pieces = (rows + least_rows - 1) / least_rows;
  if (pieces > most_pieces) pieces = most_pieces;
  const std::int64_t piece_rows = ((rows + pieces - 1) / pieces + kDepth - 1) / kDepth * kDepth;
  pieces = (rows + piece_rows - 1) / piece_rows;
  const std::int64_t count = H * height * D;
  const Scratch scratch(static_cast<std::size_t>(pieces * count) * sizeof(T));
  T *const shares = scratch.as<T>(), *const dr = args.dr;
  launch(
      "slstm_backward", add_up_mixing<T>,
      {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(H), static_cast<unsigned>(pieces)),
       kAcross * kAcross},
      args, dpre, shares, piece_rows);
  for_each("slstm_backward", count, [=] __device__(std::int64_t j) {
    T sum = T(0);
    for (std::int64_t piece = 0; piece < pieces; ++piece) sum += shares[piece * count + j];
    dr[j] += sum;
  });
  // b[gate][head][unit] against dpre[row][head][gate][unit].
  add_column_sums("slstm_backward", rows, H * height, args.db,
                  [=] __device__(std::int64_t row, std::int64_t j) {
                    const std::int64_t gate = j / (H * D), head = j / D % H;
                    return dpre[((row * H + head) * kSlstmGates + gate) * D + j % D];
                  });
}

template <typename T>
SlstmPlan slstm_backward_plan(const SlstmSizes& z) {
  const int sequences = slstm_sequences(z);
  if (z.D <= slstm_most_units_in_registers<T>) return {SlstmPlace::registers, sequences};
  const bool fits =
      z.D < 1024 && shared_bytes<T>(SlstmPlace::shared, z.D, sequences) <= most_shared_bytes();
  return {fits ? SlstmPlace::shared : SlstmPlace::global, sequences};
}

template <typename T>
void slstm_backward(const SlstmPlan& plan, const SlstmBackwardArgs<T>& args) {
  const SlstmSizes& z = args.sizes;
  const std::int64_t units = z.B * z.H * z.D;
  const Scratch dpre(static_cast<std::size_t>(units * z.T * kSlstmGates) * sizeof(T));
  const std::int64_t carried = plan.place == SlstmPlace::registers ? 0 : units;
  const Scratch states(static_cast<std::size_t>(2 * carried + 1) * sizeof(T));
  const BackwardScratch<T> scratch{dpre.as<T>(), states.as<T>(), states.as<T>() + carried};
  switch (plan.sequences) {
    case 1:
      start<T, 1>(plan.place, args, scratch);
      break;
    case 2:
      start<T, 2>(plan.place, args, scratch);
      break;
    case 4:
      start<T, 4>(plan.place, args, scratch);
      break;
    default:
      start<T, 8>(plan.place, args, scratch);
  }
  add_weight_gradients(args, dpre.as<T>());
}

#define XLAB_INSTANTIATE(T)                                     \
  template SlstmPlan slstm_backward_plan<T>(const SlstmSizes&); \
  template void slstm_backward(const SlstmPlan&, const SlstmBackwardArgs<T>&);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
