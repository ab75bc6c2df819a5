// Layer, per-head and RMS normalisation, slice by slice.
#include "kernels/norm.hpp"

#include <cmath>

#include "kernels/arrays.hpp"
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
  require_cpu(op, x);
  const std::int64_t width = x.extent(-1);
  check(options.groups > 0 && width % options.groups == 0 && width > 0,
        "[{}] x of shape {} cannot be cut into {} equal groups.", op, x.shape().text(),
        options.groups);
  require_if_present(op, "weight", weight, {width}, x.dtype());
  require(op, "mean", mean, {rows, options.groups}, x.dtype());
  require(op, "rstd", rstd, {rows, options.groups}, x.dtype());
  return rows;
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
    const T eps = static_cast<T>(options.eps), offset = static_cast<T>(options.scale_offset);
    const T share = T(1) / static_cast<T>(length);
    const T *xs = x.data<T>(), *ws = data_or_null<T>(weight);
    T *ys = y.data<T>(), *means = mean.data<T>(), *rstds = rstd.data<T>();
    const bool centred = options.kind == NormKind::layer;
    for_ranges(rows, rows_per_chunk(kGrain, width), [&](std::int64_t begin, std::int64_t end) {
      for_slices(begin, end, options.groups, length, [&](const Slice& slice) {
        const ConstValues<T> in(xs + slice.begin, length);
        const T mu = centred ? in.sum() * share : T(0);
        const T r = T(1) / std::sqrt((in - mu).square().sum() * share + eps);
        means[slice.index] = mu;
        rstds[slice.index] = r;
        Values<T> out(ys + slice.begin, length);
        if (ws != nullptr) {
          out = (in - mu) * r * (ConstValues<T>(ws + slice.column, length) + offset);
        } else {
          out = (in - mu) * r;
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
    const T offset = static_cast<T>(options.scale_offset);
    const T share = T(1) / static_cast<T>(length);
    const T *xs = x.data<T>(), *ws = data_or_null<T>(weight), *dys = dy.data<T>();
    const T *means = mean.data<T>(), *rstds = rstd.data<T>();
    T* dxs = data_or_null<T>(dx);
    const bool centred = options.kind == NormKind::layer;

    const auto backward = [&](const Slice& slice, const auto& g, const auto& xhat) {
      const T mean_g = centred ? g.sum() * share : T(0);
      const T mean_gx = (g * xhat).sum() * share;
      Values<T>(dxs + slice.begin, length) += rstds[slice.index] * (g - mean_g - xhat * mean_gx);
    };
    sum_over_rows(
        rows, rows_per_chunk(kGrain, width), dweight ? width : 0, data_or_null<T>(dweight),
        [&](std::int64_t begin, std::int64_t end, T* sums) {
          for_slices(begin, end, options.groups, length, [&](const Slice& slice) {
            const ConstValues<T> in(xs + slice.begin, length), g(dys + slice.begin, length);
            const auto xhat = (in - means[slice.index]) * rstds[slice.index];
            if (dweight) Values<T>(sums + slice.column, length) += g * xhat;
            if (dxs == nullptr) return;
            if (ws != nullptr) {
              backward(slice, g * (ConstValues<T>(ws + slice.column, length) + offset), xhat);
            } else {
              backward(slice, g, xhat);
            }
          });
        });
  });
}

}  // namespace xlab::kernels
