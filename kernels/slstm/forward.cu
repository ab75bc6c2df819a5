// The way forward of the sLSTM on CUDA devices.
#include "kernels/slstm/scan.cuh"

namespace xlab::cuda {
namespace {

/// Chunks of every row of R that a thread holds in registers.
constexpr int kHeld = 2;

/// Numbers of a line of y in shared memory, and of a row of R where it lies there too.
template <typename T>
__host__ __device__ inline int padded_units(SlstmPlace place, std::int64_t D) {
  const int whole = place == SlstmPlace::registers ? kHeld * kUnitLanes * kChunk<T> : kChunk<T>;
  return (static_cast<int>(D) + whole - 1) / whole * whole;
}

template <typename T>
std::size_t shared_bytes(SlstmPlace place, std::int64_t D, int sequences) {
  if (place == SlstmPlace::global) return 0;
  const auto width = static_cast<std::size_t>(padded_units<T>(place, D));
  const std::size_t rows = place == SlstmPlace::shared ? static_cast<std::size_t>(4 * D) : 0;
  return (rows + 2 * static_cast<std::size_t>(sequences)) * width * sizeof(T);
}

/// sums[gate][g] += the terms of one chunk of the inner index, one after the other.
template <int G, typename T>
__device__ inline void add_terms(T (&sums)[kSlstmGates][G], const Chunk<T> (&r)[kSlstmGates],
                                 const T* y, std::int64_t y_row, int rows, int valid,
                                 bool aligned) {
#pragma unroll
  for (int g = 0; g < G; ++g) {
    const Chunk<T> line = load_chunk(y + (g < rows ? g : 0) * y_row, valid, aligned);
#pragma unroll
    for (int gate = 0; gate < kSlstmGates; ++gate) {
#pragma unroll
      for (int e = 0; e < kChunk<T>; ++e) {
        sums[gate][g] = std::fma(r[gate].at[e], line.at[e], sums[gate][g]);
      }
    }
  }
}

template <typename T, int G, SlstmPlace P>
__global__ void __launch_bounds__(kMostSlstmThreads)
    slstm_forward_kernel(SlstmForwardArgs<T> args, bool aligned) {
  XLAB_SHARED(T, memory);
  // In registers R allows one round of units only: then the state stays there too.
  constexpr bool kOnce = P == SlstmPlace::registers;
  const SlstmSizes& z = args.sizes;
  const SlstmThread<G> at(z);
  const int D = static_cast<int>(z.D), width = padded_units<T>(P, z.D);
  const T* const r = args.r + at.head * kSlstmGates * D * D;

  // Shared memory: R, then two times the lines of y, of the last step and of this one.
  T* const mixing = memory;
  T* const lines = memory + (P == SlstmPlace::shared ? kSlstmGates * D * width : 0);
  Chunk<T> held[kHeld][kSlstmGates];
  if constexpr (kOnce) {
    const int unit = at.first_unit + at.lane / kUnitLanes;
#pragma unroll
    for (int j = 0; j < kHeld; ++j) {
      const int k = (j * kUnitLanes + at.part) * kChunk<T>;
#pragma unroll
      for (int gate = 0; gate < kSlstmGates; ++gate) {
        held[j][gate] = unit < D && k < D
                            ? load_chunk(r + (gate * D + unit) * D + k, D - k, aligned)
                            : Chunk<T>{};
      }
    }
  }
  if constexpr (P == SlstmPlace::shared) {
    for (int j = static_cast<int>(threadIdx.x); j < kSlstmGates * D * width;
         j += static_cast<int>(blockDim.x)) {
      mixing[j] = j % width < D ? r[j / width * D + j % width] : T(0);
    }
  }
  if constexpr (P != SlstmPlace::global) {
    for (int j = static_cast<int>(threadIdx.x); j < 2 * G * width;
         j += static_cast<int>(blockDim.x)) {
      const int row = j / width, unit = j % width;
      lines[j] = args.initial.y != nullptr && row < at.rows && unit < D
                     ? args.initial.y[((at.first + row) * z.H + at.head) * D + unit]
                     : T(0);
    }
    __syncthreads();
  }

  const bool lstm = args.gates.memory == kernels::ScalarMemory::lstm;
  const T cap = static_cast<T>(args.gates.soft_cap);
  T c = T(0), n = T(0), m = T(0);
  T bias[kSlstmGates] = {}, ahead[kSlstmGates] = {};
  const auto load_wx = [&](std::int64_t t, int unit, T(&wx)[kSlstmGates]) {
#pragma unroll
    for (int gate = 0; gate < kSlstmGates; ++gate) {
      wx[gate] =
          args.wx[(((at.sequence * z.T + t) * kSlstmGates + gate) * z.H + at.head) * D + unit];
    }
  };
  for (std::int64_t t = 0; t < z.T; ++t) {
    for (int first_unit = at.first_unit; first_unit < D; first_unit += at.step) {
      const int unit = first_unit + at.lane / kUnitLanes;
      const bool active = at.owner && unit < D;
      const std::int64_t state = (at.sequence * z.H + at.head) * D + unit;

      // What the cell will need is on its way while the product is worked out.
      T wx[kSlstmGates] = {};
      if (active) {
        if (!kOnce || t == 0) {
#pragma unroll
          for (int gate = 0; gate < kSlstmGates; ++gate) {
            bias[gate] = args.b[(gate * z.H + at.head) * D + unit];
          }
          const bool given = t > 0 || args.initial.y != nullptr;
          c = !given ? T(0) : t > 0 ? args.last.c[state] : args.initial.c[state];
          if (!lstm) {
            n = !given ? T(0) : t > 0 ? args.last.n[state] : args.initial.n[state];
            m = !given ? T(0) : t > 0 ? args.last.m[state] : args.initial.m[state];
          }
          load_wx(t, unit, wx);
        } else {
#pragma unroll
          for (int gate = 0; gate < kSlstmGates; ++gate) wx[gate] = ahead[gate];
        }
        if (kOnce && t + 1 < z.T) load_wx(t + 1, unit, ahead);
      }

      T sums[kSlstmGates][G] = {};
      if constexpr (kOnce) {
        const T* const y = lines + t % 2 * G * width;
#pragma unroll
        for (int j = 0; j < kHeld; ++j) {
          const int begin = j * kUnitLanes * kChunk<T>;
          if (begin < D) {
            add_terms(sums, held[j], y + begin + at.part * kChunk<T>, width, G, kChunk<T>, true);
          }
        }
      } else if (t > 0 || args.initial.y != nullptr) {
        // Threads past the last unit take part in the sums, with the numbers of the last unit.
        const int within = unit < D ? unit : D - 1;
        const T* y = lines + t % 2 * G * width;
        std::int64_t y_row = width;
        int rows = G;
        if constexpr (P == SlstmPlace::global) {
          y = t > 0 ? args.y + ((at.first * z.T + t - 1) * z.H + at.head) * D
                    : args.initial.y + (at.first * z.H + at.head) * D;
          y_row = (t > 0 ? z.T : 1) * z.H * D;
          rows = at.rows;
        }
        for (int k = at.part * kChunk<T>; k < D; k += kUnitLanes * kChunk<T>) {
          Chunk<T> line[kSlstmGates];
#pragma unroll
          for (int gate = 0; gate < kSlstmGates; ++gate) {
            line[gate] =
                P == SlstmPlace::shared
                    ? load_chunk(mixing + (gate * D + within) * width + k, D - k, true)
                    : load_chunk(r + (std::int64_t{gate} * D + within) * D + k, D - k, aligned);
          }
          add_terms(sums, line, y + k, y_row, rows, D - k, P == SlstmPlace::shared || aligned);
        }
      }
#pragma unroll
      for (int gate = 0; gate < kSlstmGates; ++gate) {
        scatter_sums<G, kUnitLanes / 2>(sums[gate], at.lane);
      }

      if (active) {
        const std::int64_t place = ((at.sequence * z.T + t) * z.H + at.head) * D + unit;
        const auto place_of = [&](int gate) {
          return (((at.sequence * z.T + t) * kSlstmGates + gate) * z.H + at.head) * D + unit;
        };
        T pre[kSlstmGates];
#pragma unroll
        for (int gate = 0; gate < kSlstmGates; ++gate) {
          pre[gate] = wx[gate] + (bias[gate] + sums[gate][0]);
          if (gate < 2 && cap > T(0)) pre[gate] = cap * std::tanh(pre[gate] / cap);
          if (args.clamp != nullptr) {
            const T held_at = args.clamp[place_of(gate)];
            if (held_at == held_at) pre[gate] = held_at;  // not NaN
          }
        }
        const OpenGate<T> open = open_gates(args.gates, pre[0], pre[1], m, n);
        c = std::fma(open.forget_gate, c, open.input_gate * std::tanh(pre[2]));
        if (!lstm) {
          n = std::fma(open.forget_gate, n, open.input_gate);
          m = open.m;
        }
        const T y = sigmoid(pre[3]) * (lstm ? std::tanh(c) : c / n);

        if constexpr (P != SlstmPlace::global) {
          lines[((t + 1) % 2 * G + at.row) * width + unit] = y;
        }
        args.y[place] = y;
        for (const SlstmRecording<T>* record : {&args.saved, &args.record}) {
          if (record->pre != nullptr) {
#pragma unroll
            for (int gate = 0; gate < kSlstmGates; ++gate) record->pre[place_of(gate)] = pre[gate];
          }
          if (record->input_gate != nullptr) record->input_gate[place] = open.input_gate;
          if (record->forget_gate != nullptr) record->forget_gate[place] = open.forget_gate;
          if (record->c != nullptr) record->c[place] = c;
          if (record->n != nullptr) record->n[place] = n;
          if (record->m != nullptr) record->m[place] = m;
        }
        // Without room in registers, this is where the state waits for the next step.
        if (!kOnce || t + 1 == z.T) {
          args.last.c[state] = c;
          if (!lstm) {
            args.last.n[state] = n;
            args.last.m[state] = m;
          }
        }
        if (t + 1 == z.T) args.last.y[state] = y;
      }
    }
    // The one meeting of a step: its y are there, and nobody reads the old ones any more.
    __syncthreads();
  }
}

template <typename T, int G>
void start(SlstmPlace place, const SlstmForwardArgs<T>& args) {
  const SlstmSizes& z = args.sizes;
  const bool aligned = z.D % kChunk<T> == 0 && is_aligned(args.r) && is_aligned(args.y) &&
                       is_aligned(args.initial.y);
  const Layout layout{dim3(slstm_blocks(z, G)), slstm_threads(z.D), shared_bytes<T>(place, z.D, G)};
  const char* const name = "slstm_forward";
  switch (place) {
    case SlstmPlace::registers:
      return launch(name, slstm_forward_kernel<T, G, SlstmPlace::registers>, layout, args, aligned);
    case SlstmPlace::shared:
      return launch(name, slstm_forward_kernel<T, G, SlstmPlace::shared>, layout, args, aligned);
    case SlstmPlace::global:
      return launch(name, slstm_forward_kernel<T, G, SlstmPlace::global>, layout, args, aligned);
  }
}

}  // namespace

template <typename T>
SlstmPlan slstm_forward_plan(const SlstmSizes& z) {
  const int sequences = slstm_sequences(z);
  if (z.D <= slstm_most_units_in_registers<T>) return {SlstmPlace::registers, sequences};
  // For few steps it does not pay to bring R closer.
  constexpr std::int64_t few_steps = 4;
  const bool fits =
      z.D < 1024 && shared_bytes<T>(SlstmPlace::shared, z.D, sequences) <= most_shared_bytes();
  return {fits && z.T > few_steps ? SlstmPlace::shared : SlstmPlace::global, sequences};
}

template <typename T>
void slstm_forward(const SlstmPlan& plan, const SlstmForwardArgs<T>& args) {
  switch (plan.sequences) {
    case 1:
      return start<T, 1>(plan.place, args);
    case 2:
      return start<T, 2>(plan.place, args);
    case 4:
      return start<T, 4>(plan.place, args);
    default:
      return start<T, 8>(plan.place, args);
  }
}

#define XLAB_INSTANTIATE(T)                                    \
  template SlstmPlan slstm_forward_plan<T>(const SlstmSizes&); \
  template void slstm_forward(const SlstmPlan&, const SlstmForwardArgs<T>&);
XLAB_INSTANTIATE(float)
XLAB_INSTANTIATE(double)
#undef XLAB_INSTANTIATE

}  // namespace xlab::cuda
