// Causal depthwise convolution: row by row, with the taps laid out along the features.
#include "kernels/conv1d.hpp"

#include "kernels/along.hpp"
#include "kernels/conv1d_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

struct Sizes {
  std::int64_t batch, time, features, taps;

  std::int64_t rows() const { return batch * time; }
  /// Rows per chunk.
  std::int64_t grain() const { return rows_per_chunk(2 * kPlainGrain, features * taps); }
};

Sizes checked_sizes(const char* op, const Tensor& x, const Tensor& window, const Tensor& w) {
  check(x.defined() && x.rank() == 3,
        "[{}] needs x of three axes (batch, time, features), but it has shape {}.", op, x.shape());
  check(w.defined() && w.rank() == 2,
        "[{}] needs w of two axes (features, taps), but it has shape {}.", op, w.shape());
  const Sizes s{x.extent(0), x.extent(1), x.extent(2), w.extent(1)};
  check(s.taps > 0, "[{}] w of shape {} has no taps.", op, w.shape());
  require(op, "w", w, {s.features, s.taps}, x.dtype());
  require_if_present(op, "window", window, {s.batch, s.taps, s.features}, x.dtype());
  return s;
}

/// x with the window before it: step -1 is the window's last row.
template <typename T>
struct Input {
  const Sizes& s;
  const T* x;
  const T* window;

  /// The features at a step, or null before everything that is known (zeros).
  const T* at(std::int64_t b, std::int64_t step) const {
    if (step >= 0) return x + (b * s.time + step) * s.features;
    if (window == nullptr) return nullptr;
    return window + (b * s.taps + s.taps + step) * s.features;
  }
};

/// w (features, taps) as (taps, features).
template <typename T>
Tensor tap_rows(const Sizes& s, const T* w) {
  Tensor rows = Tensor::empty({s.taps, s.features}, dtype_of<T>);
  T* to = rows.data<T>();
  for (std::int64_t f = 0; f < s.features; ++f) {
    for (std::int64_t u = 0; u < s.taps; ++u) to[u * s.features + f] = w[f * s.taps + u];
  }
  return rows;
}

/// out = start + sum_u rows[u] lines[u], all of one length: `rows` and `lines` step by one length
/// and by `next` from u to u + 1. With kCount the number of terms is known beforehand.
template <std::int64_t kCount, typename T>
void weighted_sum_of(std::int64_t count, std::int64_t length, const T* start, const T* rows,
                     const T* lines, std::int64_t next, T* out) {
  along<T>(length, [&](auto at) {
    auto sum = at.load(start);
#pragma GCC unroll 4
    for (std::int64_t u = 0; u < (kCount > 0 ? kCount : count); ++u) {
      sum += at.load(rows + u * length) * at.load(lines + u * next);
    }
    at.store(out, sum);
  });
}

template <typename T>
void weighted_sum(std::int64_t count, std::int64_t length, const T* start, const T* rows,
                  const T* lines, std::int64_t next, T* out) {
  // Four taps are what all published models have.
  if (count == 4) {
    weighted_sum_of<4>(count, length, start, rows, lines, next, out);
  } else {
    weighted_sum_of<0>(count, length, start, rows, lines, next, out);
  }
}

/// into += sum_u w[u] dy_{step + taps - 1 - u}: what a step of the input receives.
template <typename T>
void add_input_gradient(const Sizes& s, const T* taps, const T* dy, std::int64_t b,
                        std::int64_t step, T* into) {
  // Taps that meet a step inside the sequence, the latest step first.
  const std::int64_t latest = step + s.taps - 1;
  const std::int64_t begin = std::max<std::int64_t>(0, latest - s.time + 1);
  const std::int64_t end = std::min(s.taps, latest + 1);
  if (begin >= end) return;
  weighted_sum(end - begin, s.features, into, taps + begin * s.features,
               dy + (b * s.time + latest - begin) * s.features, -s.features, into);
}

/// sums[u] += g x_{t - taps + 1 + u}: what the taps receive at a step.
template <typename T>
void add_tap_gradient(const Sizes& s, const Input<T>& input, const T* g, std::int64_t b,
                      std::int64_t t, T* sums) {
  for (std::int64_t u = 0; u < s.taps; ++u) {
    const T* in = input.at(b, t - s.taps + 1 + u);
    if (in == nullptr) continue;
    T* sum = sums + u * s.features;
    along<T>(s.features, [&](auto at) { at.store(sum, at.load(sum) + at.load(g) * at.load(in)); });
  }
}

}  // namespace

void conv1d_forward(const Tensor& x, const Tensor& window, const Tensor& w, const Tensor& b,
                    const Tensor& y, const Tensor& window_out) {
  constexpr const char* op = "conv1d_forward";
  const Sizes s = checked_sizes(op, x, window, w);
  require(op, "b", b, {s.features}, x.dtype());
  require(op, "y", y, x.shape(), x.dtype());
  require_if_present(op, "window_out", window_out, {s.batch, s.taps, s.features}, x.dtype());
  check(!window || !window_out || window.raw() != window_out.raw(),
        "[{}] window_out must not be the memory of window.", op);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, window, w, b, y, window_out))
        return cuda::conv1d_forward<T>({s.batch, s.time, s.features, s.taps}, x.data<T>(),
                                       data_or_null<T>(window), w.data<T>(), b.data<T>(),
                                       y.data<T>(), data_or_null<T>(window_out));
    }
    const Tensor tap_tensor = tap_rows(s, w.data<T>());
    const T* taps = tap_tensor.data<T>();
    const Input<T> input{s, x.data<T>(), data_or_null<T>(window)};
    const T* bias = b.data<T>();
    T* ys = y.data<T>();
    for_ranges(s.rows(), s.grain(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t n = row / s.time, t = row % s.time;
        T* out = ys + row * s.features;
        // Taps before the sequence meet the window; the others meet rows that lie side by side.
        const std::int64_t before = std::max<std::int64_t>(0, s.taps - 1 - t);
        const T* start = bias;
        if (before > 0 && input.window != nullptr) {
          weighted_sum(before, s.features, bias, taps, input.at(n, t - s.taps + 1), s.features,
                       out);
          start = out;
        }
        weighted_sum(s.taps - before, s.features, start, taps + before * s.features,
                     input.at(n, t - s.taps + 1 + before), s.features, out);
      }
    });
    if (!window_out) return;
    T* to = window_out.data<T>();
    for (std::int64_t n = 0; n < s.batch; ++n) {
      for (std::int64_t slot = 0; slot < s.taps; ++slot, to += s.features) {
        const T* in = input.at(n, s.time - s.taps + slot);
        if (in != nullptr) {
          std::copy_n(in, s.features, to);
        } else {
          std::fill_n(to, s.features, T(0));
        }
      }
    }
  });
}

void conv1d_backward(const Tensor& x, const Tensor& window, const Tensor& w, const Tensor& dy,
                     const Tensor& dx, const Tensor& dw, const Tensor& db, const Tensor& dwindow) {
  constexpr const char* op = "conv1d_backward";
  const Sizes s = checked_sizes(op, x, window, w);
  require(op, "dy", dy, x.shape(), x.dtype());
  require_if_present(op, "dx", dx, x.shape(), x.dtype());
  require_if_present(op, "dw", dw, w.shape(), x.dtype());
  require_if_present(op, "db", db, {s.features}, x.dtype());
  require_if_present(op, "dwindow", dwindow, {s.batch, s.taps, s.features}, x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, window, w, dy, dx, dw, db, dwindow))
        return cuda::conv1d_backward<T>({s.batch, s.time, s.features, s.taps}, x.data<T>(),
                                        data_or_null<T>(window), w.data<T>(), dy.data<T>(),
                                        data_or_null<T>(dx), data_or_null<T>(dw),
                                        data_or_null<T>(db), data_or_null<T>(dwindow));
    }
    const Tensor tap_tensor = tap_rows(s, w.data<T>());
    const T *taps = tap_tensor.data<T>(), *dys = dy.data<T>();
    if (dx) {
      T* dxs = dx.data<T>();
      for_ranges(s.rows(), s.grain(), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          add_input_gradient(s, taps, dys, row / s.time, row % s.time, dxs + row * s.features);
        }
      });
    }
    if (dwindow) {
      T* dwindows = dwindow.data<T>();
      for (std::int64_t n = 0; n < s.batch; ++n) {
        for (std::int64_t slot = 1; slot < s.taps; ++slot) {
          add_input_gradient(s, taps, dys, n, slot - s.taps,
                             dwindows + (n * s.taps + slot) * s.features);
        }
      }
    }
    if (dw) {
      const Input<T> input{s, x.data<T>(), data_or_null<T>(window)};
      const Tensor sum_tensor = Tensor::zeros({s.taps, s.features}, x.dtype());
      T* total = sum_tensor.data<T>();
      sum_over_rows(s.rows(), s.grain(), s.taps * s.features, total,
                    [&](std::int64_t begin, std::int64_t end, T* sums) {
                      for (std::int64_t row = begin; row < end; ++row) {
                        add_tap_gradient(s, input, dys + row * s.features, row / s.time,
                                         row % s.time, sums);
                      }
                    });
      T* dws = dw.data<T>();
      for (std::int64_t f = 0; f < s.features; ++f) {
        for (std::int64_t u = 0; u < s.taps; ++u) dws[f * s.taps + u] += total[u * s.features + f];
      }
    }
    if (db) add_row_sums(dys, s.rows(), s.features, db.data<T>());
  });
}

}  // namespace xlab::kernels
