// Rows of a table by token number.
#include "kernels/embed.hpp"

#include <algorithm>

#include "kernels/embed_cuda.hpp"
#include "kernels/product/blocks_cuda.hpp"
#include "kernels/rows.hpp"

namespace xlab::kernels {
namespace {

// Columns per chunk of the gradient: whole cache lines, so that chunks never share one.
constexpr std::int64_t kColumns = 64;

/// Checks shapes, and every id that is in host memory; returns the number of ids.
std::int64_t checked_count(const char* op, const Tensor& ids, const Tensor& table,
                           const char* table_name, const Tensor& rows, const char* rows_name,
                           DType rows_type) {
  check(table.defined() && table.rank() == 2,
        "[{}] needs {} of two axes (vocabulary, width), but it has shape {}.", op, table_name,
        table.shape());
  const std::int64_t found = rows_of(op, rows_name, rows);
  check(ids.defined(), "[{}] needs ids, but they are missing.", op);
  require_dtype(op, "ids", ids, DType::i32);
  check(ids.elements() == found, "[{}] ids has shape {}, but {} has shape {}: one row per id.", op,
        ids.shape(), rows_name, rows.shape());
  require(op, rows_name, rows, with_last(rows.shape(), table.extent(1)), rows_type);
  // Reading ids that lie on a card would mean waiting for it.
  if (ids.device() != Device::cpu()) return found;
  const std::int32_t* id = ids.data<std::int32_t>();
  for (std::int64_t n = 0; n < found; ++n) {
    check(id[n] >= 0 && id[n] < table.extent(0),
          "[{}] id {} at position {} is outside the vocabulary of {}.", op, id[n], n,
          table.extent(0));
  }
  return found;
}

/// Rows of `blocks` blocks.
template <typename B>
void unpack_rows(std::int64_t count, std::int64_t blocks, const std::int32_t* ids, const B* table,
                 float* out) {
  for (std::int64_t n = 0; n < count; ++n) {
    const B* const row = table + ids[n] * blocks;
    for (std::int64_t b = 0; b < blocks; ++b, out += kBlock) unpack_block(row[b], out);
  }
}

}  // namespace

void embed_forward(const Tensor& ids, const Tensor& table, const Tensor& out) {
  const bool halves = table.defined() && table.dtype() == DType::bf16;
  const bool blocks = table.defined() && block_of(table.dtype()) > 1;
  const std::int64_t count = checked_count("embed_forward", ids, table, "table", out, "out",
                                           halves || blocks ? DType::f32 : table.dtype());
  const std::int64_t width = table.extent(1);
  const std::int32_t* id = ids.data<std::int32_t>();
  if (halves) {
    if constexpr (kHasCuda) {
      if (on_cuda("embed_forward", table, ids, out))
        return cuda::embed_forward_bf16(count, table.extent(0), width, id,
                                        static_cast<const std::uint16_t*>(table.raw()),
                                        out.data<float>());
    }
    const Bf16* from = table.data<Bf16>();
    float* to = out.data<float>();
    for (std::int64_t n = 0; n < count; ++n) {
      const Bf16* row = from + id[n] * width;
      std::transform(row, row + width, to + n * width,
                     [](Bf16 x) { return static_cast<float>(x); });
    }
    return;
  }
  if (blocks) {
    if constexpr (kHasCuda) {
      if (on_cuda("embed_forward", table, ids, out))
        return cuda::embed_forward_blocks(table.dtype() == DType::block8 ? 8 : 4, count,
                                          table.extent(0), width, id, table.raw(),
                                          out.data<float>());
    }
    if (table.dtype() == DType::block8) {
      unpack_rows(count, width / kBlock, id, table.data<Block8>(), out.data<float>());
    } else {
      unpack_rows(count, width / kBlock, id, table.data<Block4>(), out.data<float>());
    }
    return;
  }
  visit_float(table, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("embed_forward", table, ids, out))
        return cuda::embed_forward<T>(count, table.extent(0), width, id, table.data<T>(),
                                      out.data<T>());
    }
    const T* from = table.data<T>();
    T* to = out.data<T>();
    for_ranges(count, rows_per_chunk(kPlainGrain, width),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t n = begin; n < end; ++n) {
                   std::copy_n(from + id[n] * width, width, to + n * width);
                 }
               });
  });
}

void embed_backward(const Tensor& ids, const Tensor& dout, const Tensor& dtable) {
  const std::int64_t count =
      checked_count("embed_backward", ids, dtable, "dtable", dout, "dout", dtable.dtype());
  const std::int64_t width = dtable.extent(1);
  const std::int32_t* id = ids.data<std::int32_t>();
  visit_float(dtable, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kHasCuda) {
      if (on_cuda("embed_backward", dtable, ids, dout))
        return cuda::embed_backward<T>(count, dtable.extent(0), width, id, dout.data<T>(),
                                       dtable.data<T>());
    }
    const T* from = dout.data<T>();
    T* to = dtable.data<T>();
    const std::int64_t grain = std::max(kColumns, rows_per_chunk(kPlainGrain, count));
    for_ranges(width, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = 0; n < count; ++n) {
        T* row = to + id[n] * width;
        const T* add = from + n * width;
        for (std::int64_t j = begin; j < end; ++j) row[j] += add[j];
      }
    });
  });
}

}  // namespace xlab::kernels
