// Layer, per-head and RMS normalisation, slice by slice.
#include "kernels/norm.hpp"

#include <cmath>

#include "kernels/along.hpp"
#include "kernels/norm_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// A slice is read three times while it lies in the first-level cache.
constexpr std::int64_t kGrain = kPlainGrain / 2;

/// Where one slice of a row lies.
struct Slice {
  std::int64_t begin;   ///< its first number in x
  std::int64_t column;  ///< its first column, which is also its place in the weight
  std::int64_t index;   ///< its place in mean and rstd
};

/// Calls `body` for every slice of rows [begin, end).
template <typename Body>
void for_slices(std::int64_t begin, std::int64_t end, std::int64_t groups, std::int64_t length,
                Body&& body) {
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t index = row * groups + group;
      body(Slice{index * length, group * length, index});
    }
  }
}

std::int64_t checked_rows(const char* op, const NormOptions& options, const Tensor& x,
                          const Tensor& weight, const Tensor& mean, const Tensor& rstd) {
  const std::int64_t rows = rows_of(op, "x", x);
  const std::int64_t width = x.extent(-1);
  check(options.groups > 0 && width % options.groups == 0 && width > 0,
        "[{}] x of shape {} cannot be cut into {} equal groups.", op, x.shape(), options.groups);
  require_if_present(op, "weight", weight, {width}, x.dtype());
  require(op, "mean", mean, {rows, options.groups}, x.dtype());
  require(op, "rstd", rstd, {rows, options.groups}, x.dtype());
  return rows;
}

[[maybe_unused]] cuda::NormSlices slices_of(const NormOptions& options, std::int64_t rows,
                                            std::int64_t length) {
  return {rows,        options.groups,      length, options.kind == NormKind::layer,
          options.eps, options.scale_offset};
}

}  // namespace

void norm_forward(const NormOptions& options, const Tensor& x, const Tensor& weight,
                  const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  constexpr const char* op = "norm_forward";
  const std::int64_t rows = checked_rows(op, options, x, weight, mean, rstd);
  require(op, "y", y, x.shape(), x.dtype());
  const std::int64_t width = x.extent(-1), length = width / options.groups;
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, weight, y, mean, rstd))
        return cuda::norm_forward<T>(slices_of(options, rows, length), x.data<T>(),
                                     data_or_null<T>(weight), y.data<T>(), mean.data<T>(),
                                     rstd.data<T>());
    }
    const T eps = static_cast<T>(options.eps), offset = static_cast<T>(options.scale_offset);
    const T share = T(1) / static_cast<T>(length);
    const T *xs = x.data<T>(), *ws = data_or_null<T>(weight);
    T *ys = y.data<T>(), *means = mean.data<T>(), *rstds = rstd.data<T>();
    const bool centred = options.kind == NormKind::layer;
    for_ranges(rows, rows_per_chunk(kGrain, width), [&](std::int64_t begin, std::int64_t end) {
      for_slices(begin, end, options.groups, length, [&](const Slice& slice) {
        const T* in = xs + slice.begin;
        T* out = ys + slice.begin;
        Sum<T> sum, squares;
        if (centred) along<T>(length, [&](auto at) { sum.add(at.load(in)); });
        const T mu = sum.total() * share;
        along<T>(length, [&](auto at) {
          const auto centre = at.load(in) - mu;
          squares.add(centre * centre);
        });
        const T r = T(1) / std::sqrt(squares.total() * share + eps);
        means[slice.index] = mu;
        rstds[slice.index] = r;
        if (ws != nullptr) {
          const T* w = ws + slice.column;
          along<T>(length,
                   [&](auto at) { at.store(out, (at.load(in) - mu) * r * (at.load(w) + offset)); });
        } else {
          along<T>(length, [&](auto at) { at.store(out, (at.load(in) - mu) * r); });
        }
      });
    });
  });
}

void norm_backward(const NormOptions& options, const Tensor& x, const Tensor& weight,
                   const Tensor& mean, const Tensor& rstd, const Tensor& dy, const Tensor& dx,
                   const Tensor& dweight) {
  constexpr const char* op = "norm_backward";
  const std::int64_t rows = checked_rows(op, options, x, weight, mean, rstd);
  const std::int64_t width = x.extent(-1), length = width / options.groups;
  require(op, "dy", dy, x.shape(), x.dtype());
  require_if_present(op, "dx", dx, x.shape(), x.dtype());
  require_if_present(op, "dweight", dweight, {width}, x.dtype());
  visit_float(x, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda(op, x, weight, mean, rstd, dy, dx, dweight))
        return cuda::norm_backward<T>(slices_of(options, rows, length), x.data<T>(),
                                      data_or_null<T>(weight), mean.data<T>(), rstd.data<T>(),
                                      dy.data<T>(), data_or_null<T>(dx), data_or_null<T>(dweight));
    }
    const T offset = static_cast<T>(options.scale_offset);
    const T share = T(1) / static_cast<T>(length);
    const T *xs = x.data<T>(), *ws = data_or_null<T>(weight), *dys = dy.data<T>();
    const T *means = mean.data<T>(), *rstds = rstd.data<T>();
    T* dxs = data_or_null<T>(dx);
    const bool centred = options.kind == NormKind::layer;

    const Tensor scale_tensor = Tensor::empty({width}, x.dtype());
    T* scales = scale_tensor.data<T>();
    for (std::int64_t j = 0; j < width; ++j) scales[j] = ws == nullptr ? T(1) : ws[j] + offset;
    sum_over_rows(rows, rows_per_chunk(kGrain, width), dweight ? width : 0,
                  data_or_null<T>(dweight), [&](std::int64_t begin, std::int64_t end, T* sums) {
                    for_slices(begin, end, options.groups, length, [&](const Slice& slice) {
                      const T *in = xs + slice.begin, *g = dys + slice.begin;
                      const T* scale = scales + slice.column;
                      const T mu = means[slice.index], r = rstds[slice.index];
                      if (dweight) {
                        T* total = sums + slice.column;
                        along<T>(length, [&](auto at) {
                          at.store(total, at.load(total) + at.load(g) * ((at.load(in) - mu) * r));
                        });
                      }
                      if (dxs == nullptr) return;
                      Sum<T> sum_g, sum_gx;
                      along<T>(length, [&](auto at) {
                        const auto scaled = at.load(g) * at.load(scale);
                        sum_g.add(scaled);
                        sum_gx.add(scaled * ((at.load(in) - mu) * r));
                      });
                      const T mean_g = centred ? sum_g.total() * share : T(0);
                      const T mean_gx = sum_gx.total() * share;
                      T* out = dxs + slice.begin;
                      along<T>(length, [&](auto at) {
                        const auto scaled = at.load(g) * at.load(scale);
                        const auto xhat = (at.load(in) - mu) * r;
                        at.store(out, at.load(out) + r * (scaled - mean_g - xhat * mean_gx));
                      });
                    });
                  });
  });
}

}  // namespace xlab::kernels
