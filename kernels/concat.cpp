// Joining tensors along their last axis.
#include "kernels/concat.hpp"

#include <algorithm>

#include "kernels/concat_cuda.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/route.hpp"

namespace xlab::kernels {
namespace {

constexpr std::int64_t kRowsPerChunk = 256;

std::int64_t check_parts(const char* op, const std::vector<Tensor>& parts, const Tensor& whole) {
  check(!parts.empty(), "[{}] needs at least one part.", op);
  const std::int64_t rows = whole.elements() / std::max<std::int64_t>(whole.extent(-1), 1);
  std::int64_t width = 0;
  for (const Tensor& part : parts) {
    require_dtype(op, "a part", part, whole.dtype());
    require_same_device(op, whole, part);
    check(part.extent(-1) * rows == part.elements(),
          "[{}] a part has shape {}, which does not fit {} rows of {}.", op, part.shape(), rows,
          whole.shape());
    width += part.extent(-1);
  }
  check(width == whole.extent(-1), "[{}] the parts are {} wide together, but {} is needed.", op,
        width, whole.extent(-1));
  return rows;
}

}  // namespace

void concat_forward(const std::vector<Tensor>& parts, const Tensor& out) {
  const std::int64_t rows = check_parts("concat", parts, out);
  visit_float(out, [&]<typename T>(T) {
    const std::int64_t width = out.extent(-1);
    if constexpr (kHasCuda) {
      if (on_cuda("concat", out)) {
        std::int64_t at = 0;
        for (const Tensor& part : parts) {
          cuda::put_columns<T>(rows, part.extent(-1), part.data<T>(), width, at, out.data<T>());
          at += part.extent(-1);
        }
        return;
      }
    }
    parallel_ranges(rows, kRowsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t at = 0;
      for (const Tensor& part : parts) {
        const std::int64_t w = part.extent(-1);
        const T* source = part.data<T>();
        T* target = out.data<T>() + at;
        for (std::int64_t r = begin; r < end; ++r)
          std::copy_n(source + r * w, w, target + r * width);
        at += w;
      }
    });
  });
}

void concat_backward(const Tensor& dout, const std::vector<Tensor>& dparts) {
  const std::int64_t rows = check_parts("concat", dparts, dout);
  visit_float(dout, [&]<typename T>(T) {
    const std::int64_t width = dout.extent(-1);
    if constexpr (kHasCuda) {
      if (on_cuda("concat", dout)) {
        std::int64_t at = 0;
        for (const Tensor& part : dparts) {
          cuda::add_from_columns<T>(rows, part.extent(-1), part.data<T>(), width, at,
                                    dout.data<T>());
          at += part.extent(-1);
        }
        return;
      }
    }
    parallel_ranges(rows, kRowsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t at = 0;
      for (const Tensor& part : dparts) {
        const std::int64_t w = part.extent(-1);
        T* target = part.data<T>();
        const T* source = dout.data<T>() + at;
        for (std::int64_t r = begin; r < end; ++r)
          for (std::int64_t j = 0; j < w; ++j) target[r * w + j] += source[r * width + j];
        at += w;
      }
    });
  });
}

}  // namespace xlab::kernels
