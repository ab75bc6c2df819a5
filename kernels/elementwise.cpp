// Element-wise arithmetic and activations.
#include "kernels/elementwise.hpp"

#include <cmath>
#include <numbers>

#include "kernels/arrays.hpp"
#include "kernels/elementwise_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

template <typename T>
Values<T> piece(const Tensor& t, std::int64_t begin, std::int64_t end) {
  return {t.data<T>() + begin, end - begin};
}

template <typename T>
ConstValues<T> const_piece(const Tensor& t, std::int64_t begin, std::int64_t end) {
  return {t.data<T>() + begin, end - begin};
}

void require_like(const char* op, const char* what, const Tensor& t, const Tensor& model) {
  require(op, what, t, model.shape(), model.dtype());
}

void require_main(const char* op, const char* what, const Tensor& t) {
  check(t.defined(), "[{}] needs {}, but it is missing.", op, what);
}

// Both keep a NaN, which max(x, 0) on registers may drop. Neither is vectorised together with an
// exponential, so that one is evaluated on its own first.
template <typename T>
auto positive_part(const ConstValues<T>& x) {
  return (x < T(0)).select(T(0), x);
}

template <typename T>
auto negative_part(const ConstValues<T>& x) {
  return (x > T(0)).select(T(0), x);
}

// Eigen's own logistic is a rational function in f32, which is off by 1e-7 of 1 even where the
// result is 1e-4; this one keeps seven digits everywhere. exp may overflow: 1 / infinity is right.
template <typename T, typename X>
auto logistic(const X& x) {
  return (T(1) + (-x).exp()).inverse();
}

/// value = f(x), and slope = f'(x) where kSlope.
template <bool kSlope, typename T>
void evaluate(Activation f, T cap, const ConstValues<T>& x, Block<T>& value, Block<T>& slope) {
  constexpr T one = 1;
  switch (f) {
    case Activation::sigmoid:
      value = logistic<T>(x);
      if constexpr (kSlope) slope = value * (one - value);
      return;
    case Activation::silu: {
      const Block<T> s = logistic<T>(x);
      value = x * s;
      if constexpr (kSlope) slope = s + value * (one - s);
      return;
    }
    case Activation::gelu: {
      constexpr T half = 0.5;
      constexpr T root_half = std::numbers::sqrt2_v<T> / 2;
      constexpr T density = std::numbers::inv_sqrtpi_v<T> * root_half;
      const Block<T> below = half + half * (x * root_half).erf();
      value = x * below;
      if constexpr (kSlope) slope = below + x * density * (-half * x.square()).exp();
      return;
    }
    case Activation::tanh:
      value = x.tanh();
      if constexpr (kSlope) slope = one - value.square();
      return;
    case Activation::log_sigmoid: {
      const Block<T> rest = (-x.abs()).exp().log1p();
      value = negative_part<T>(x) - rest;
      if constexpr (kSlope) slope = logistic<T>(-x);
      return;
    }
    case Activation::relu:
      value = positive_part<T>(x);
      if constexpr (kSlope) {
        slope.resize(x.size());
        for (Eigen::Index j = 0; j < x.size(); ++j) slope[j] = x[j] > T(0) ? one : T(0);
      }
      return;
    case Activation::relu_squared: {
      const Block<T> positive = positive_part<T>(x);
      value = positive.square();
      if constexpr (kSlope) slope = T(2) * positive;
      return;
    }
    case Activation::selu: {
      constexpr T scale = kSeluScale;
      constexpr T bend = kSeluScale * kSeluAlpha;
      const Block<T> negative = negative_part<T>(x);
      const Block<T> curve = bend * negative.expm1();
      value = scale * positive_part<T>(x) + curve;
      if constexpr (kSlope) {
        slope = curve + bend;
        slope = (x > T(0)).select(scale, slope);
      }
      return;
    }
    case Activation::exponential:
      // One by one: every number comes from the library's own function.
      value.resize(x.size());
      for (Eigen::Index j = 0; j < x.size(); ++j) value[j] = std::exp(x[j]);
      if constexpr (kSlope) slope = value;
      return;
    case Activation::soft_cap:
      slope = (x / cap).tanh();
      value = cap * slope;
      if constexpr (kSlope) slope = one - slope.square();
      return;
  }
}

/// Calls `body(block_begin, block_length)` for pieces of [begin, end) that fit a Block.
template <typename Body>
void for_blocks(std::int64_t begin, std::int64_t end, Body&& body) {
  for (std::int64_t at = begin; at < end; at += kBlock) body(at, std::min(kBlock, end - at));
}

void require_cap(const char* op, Activation f, double cap) {
  check(f != Activation::soft_cap || cap > 0.0,
        "[{}] A soft cap of {} is not possible: it must be "
        "positive.",
        op, cap);
}

}  // namespace

void add(const Tensor& a, const Tensor& b, const Tensor& out) {
  require_main("add", "a", a);
  require_like("add", "b", b, a);
  require_like("add", "out", out, a);
  visit_float(a, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("add", a, b, out))
        return cuda::add<T>(a.elements(), a.data<T>(), b.data<T>(), out.data<T>());
    }
    for_ranges(a.elements(), kPlainGrain, [&](std::int64_t begin, std::int64_t end) {
      piece<T>(out, begin, end) = const_piece<T>(a, begin, end) + const_piece<T>(b, begin, end);
    });
  });
}

void accumulate(const Tensor& acc, const Tensor& x, double scale) {
  require_main("accumulate", "x", x);
  require_like("accumulate", "acc", acc, x);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("accumulate", x, acc))
        return cuda::accumulate<T>(x.elements(), acc.data<T>(), x.data<T>(), scale);
    }
    const T factor = static_cast<T>(scale);
    for_ranges(x.elements(), kPlainGrain, [&](std::int64_t begin, std::int64_t end) {
      piece<T>(acc, begin, end) += factor * const_piece<T>(x, begin, end);
    });
  });
}

void scale(const Tensor& x, double scale, const Tensor& out) {
  require_main("scale", "x", x);
  require_like("scale", "out", out, x);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("scale", x, out))
        return cuda::scale<T>(x.elements(), x.data<T>(), scale, out.data<T>());
    }
    const T factor = static_cast<T>(scale);
    for_ranges(x.elements(), kPlainGrain, [&](std::int64_t begin, std::int64_t end) {
      piece<T>(out, begin, end) = factor * const_piece<T>(x, begin, end);
    });
  });
}

void scale_columns(const Tensor& x, const Tensor& w, const Tensor& out) {
  constexpr const char* op = "scale_columns";
  const std::int64_t rows = rows_of(op, "x", x);
  const std::int64_t width = x.extent(-1);
  require(op, "w", w, {width}, x.dtype());
  require_like(op, "out", out, x);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, w, out))
        return cuda::scale_columns<T>(rows, width, x.data<T>(), w.data<T>(), out.data<T>());
    }
    const auto factor = const_piece<T>(w, 0, width);
    for_ranges(rows, rows_per_chunk(kPlainGrain, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin * width; at < end * width; at += width) {
        piece<T>(out, at, at + width) = const_piece<T>(x, at, at + width) * factor;
      }
    });
  });
}

void scale_columns_backward(const Tensor& x, const Tensor& w, const Tensor& dout, const Tensor& dx,
                            const Tensor& dw) {
  constexpr const char* op = "scale_columns_backward";
  const std::int64_t rows = rows_of(op, "x", x);
  const std::int64_t width = x.extent(-1);
  require(op, "w", w, {width}, x.dtype());
  require_like(op, "dout", dout, x);
  require_if_present(op, "dx", dx, x.shape(), x.dtype());
  require_if_present(op, "dw", dw, {width}, x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, w, dout, dx, dw))
        return cuda::scale_columns_backward<T>(rows, width, x.data<T>(), w.data<T>(),
                                               dout.data<T>(), data_or_null<T>(dx),
                                               data_or_null<T>(dw));
    }
    const auto factor = const_piece<T>(w, 0, width);
    sum_over_rows(rows, rows_per_chunk(kPlainGrain, width), dw ? width : 0, data_or_null<T>(dw),
                  [&](std::int64_t begin, std::int64_t end, T* sums) {
                    for (std::int64_t at = begin * width; at < end * width; at += width) {
                      const auto g = const_piece<T>(dout, at, at + width);
                      if (dx) piece<T>(dx, at, at + width) += g * factor;
                      if (dw) Values<T>(sums, width) += g * const_piece<T>(x, at, at + width);
                    }
                  });
  });
}

void add_columns(const Tensor& x, const Tensor& b, const Tensor& out) {
  constexpr const char* op = "add_columns";
  const std::int64_t rows = rows_of(op, "x", x);
  const std::int64_t width = x.extent(-1);
  require(op, "b", b, {width}, x.dtype());
  require_like(op, "out", out, x);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, b, out))
        return cuda::add_columns<T>(rows, width, x.data<T>(), b.data<T>(), out.data<T>());
    }
    const auto shift = const_piece<T>(b, 0, width);
    for_ranges(rows, rows_per_chunk(kPlainGrain, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin * width; at < end * width; at += width) {
        piece<T>(out, at, at + width) = const_piece<T>(x, at, at + width) + shift;
      }
    });
  });
}

void add_columns_backward(const Tensor& dout, const Tensor& dx, const Tensor& db) {
  constexpr const char* op = "add_columns_backward";
  const std::int64_t rows = rows_of(op, "dout", dout);
  require_if_present(op, "dx", dx, dout.shape(), dout.dtype());
  require_if_present(op, "db", db, {dout.extent(-1)}, dout.dtype());
  if (dx) accumulate(dx, dout);
  if (!db) return;
  visit_float(dout, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, dout, dx, db))
        return cuda::add_row_sums<T>(rows, dout.extent(-1), dout.data<T>(), db.data<T>());
    }
    add_row_sums(dout.data<T>(), rows, dout.extent(-1), db.data<T>());
  });
}

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::silu:
      return "silu";
    case Activation::gelu:
      return "gelu";
    case Activation::tanh:
      return "tanh";
    case Activation::log_sigmoid:
      return "log_sigmoid";
    case Activation::relu:
      return "relu";
    case Activation::relu_squared:
      return "relu_squared";
    case Activation::selu:
      return "selu";
    case Activation::exponential:
      return "exponential";
    case Activation::soft_cap:
      break;
  }
  return "soft_cap";
}

void activation_forward(Activation f, const Tensor& x, const Tensor& y, double cap) {
  require_main("activation_forward", "x", x);
  require_like("activation_forward", "y", y, x);
  require_cap("activation_forward", f, cap);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("activation_forward", x, y))
        return cuda::activation_forward<T>(f, x.elements(), x.data<T>(), y.data<T>(), cap);
    }
    for_ranges(x.elements(), kExpGrain, [&](std::int64_t begin, std::int64_t end) {
      Block<T> value, slope;
      for_blocks(begin, end, [&](std::int64_t at, std::int64_t length) {
        evaluate<false>(f, static_cast<T>(cap), const_piece<T>(x, at, at + length), value, slope);
        piece<T>(y, at, at + length) = value;
      });
    });
  });
}

void activation_backward(Activation f, const Tensor& x, const Tensor& dy, const Tensor& dx,
                         double cap) {
  constexpr const char* op = "activation_backward";
  require_main(op, "x", x);
  require_like(op, "dy", dy, x);
  require_like(op, "dx", dx, x);
  require_cap(op, f, cap);
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, dy, dx))
        return cuda::activation_backward<T>(f, x.elements(), x.data<T>(), dy.data<T>(),
                                            dx.data<T>(), cap);
    }
    for_ranges(x.elements(), kExpGrain, [&](std::int64_t begin, std::int64_t end) {
      Block<T> value, slope;
      for_blocks(begin, end, [&](std::int64_t at, std::int64_t length) {
        evaluate<true>(f, static_cast<T>(cap), const_piece<T>(x, at, at + length), value, slope);
        piece<T>(dx, at, at + length) += const_piece<T>(dy, at, at + length) * slope;
      });
    });
  });
}

void gated_forward(Activation f, const Tensor& gate, const Tensor& value, const Tensor& y) {
  constexpr const char* op = "gated_forward";
  require_main(op, "gate", gate);
  require_like(op, "value", value, gate);
  require_like(op, "y", y, gate);
  check(f != Activation::soft_cap, "[{}] A gate cannot be a soft cap: choose an activation.", op);
  visit_float(gate, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, gate, value, y))
        return cuda::gated_forward<T>(f, gate.elements(), gate.data<T>(), value.data<T>(),
                                      y.data<T>());
    }
    for_ranges(gate.elements(), kExpGrain, [&](std::int64_t begin, std::int64_t end) {
      Block<T> open, slope;
      for_blocks(begin, end, [&](std::int64_t at, std::int64_t length) {
        evaluate<false>(f, T(0), const_piece<T>(gate, at, at + length), open, slope);
        piece<T>(y, at, at + length) = open * const_piece<T>(value, at, at + length);
      });
    });
  });
}

void gated_backward(Activation f, const Tensor& gate, const Tensor& value, const Tensor& dy,
                    const Tensor& dgate, const Tensor& dvalue) {
  constexpr const char* op = "gated_backward";
  require_main(op, "gate", gate);
  require_like(op, "value", value, gate);
  require_like(op, "dy", dy, gate);
  require_like(op, "dgate", dgate, gate);
  require_like(op, "dvalue", dvalue, gate);
  check(f != Activation::soft_cap, "[{}] A gate cannot be a soft cap: choose an activation.", op);
  visit_float(gate, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, gate, value, dy, dgate, dvalue))
        return cuda::gated_backward<T>(f, gate.elements(), gate.data<T>(), value.data<T>(),
                                       dy.data<T>(), dgate.data<T>(), dvalue.data<T>());
    }
    for_ranges(gate.elements(), kExpGrain, [&](std::int64_t begin, std::int64_t end) {
      Block<T> open, slope;
      for_blocks(begin, end, [&](std::int64_t at, std::int64_t length) {
        evaluate<true>(f, T(0), const_piece<T>(gate, at, at + length), open, slope);
        const auto g = const_piece<T>(dy, at, at + length);
        piece<T>(dgate, at, at + length) += g * const_piece<T>(value, at, at + length) * slope;
        piece<T>(dvalue, at, at + length) += g * open;
      });
    });
  });
}

}  // namespace xlab::kernels
