// NVIDIA's own matrix products, as a ceiling for ours. Found at run time: nothing links to them.
#pragma once

namespace xlab::bench {

/// A matrix in a card's memory, column by column, `stride` numbers from one column to the next.
struct Columns {
  float* data;
  int stride;
  bool transposed = false;
};

/// c (m x n) = op(a) (m x k) op(b) (k x n), or that added to c, in float32 without shortcuts, after
/// everything else asked of the device in use. False where cuBLAS is not installed.
bool cublas_product(int m, int n, int k, const Columns& a, const Columns& b, const Columns& c,
                    bool accumulate);

}  // namespace xlab::bench
