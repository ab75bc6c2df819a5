// Gathering the numbers of many tensors into one block on CUDA devices.
#include "kernels/device/readback_cuda.hpp"

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {
namespace {

__global__ void gather_pieces(const GatherPiece* pieces, std::int64_t count, float* out) {
  for (std::int64_t p = blockIdx.x; p < count; p += gridDim.x) {
    const GatherPiece piece = pieces[p];
    float* const to = out + piece.to;
    for (int j = static_cast<int>(threadIdx.x); j < piece.count;
         j += static_cast<int>(blockDim.x)) {
      to[j] = piece.is_double != 0 ? static_cast<float>(static_cast<const double*>(piece.from)[j])
                                   : static_cast<const float*>(piece.from)[j];
    }
  }
}

}  // namespace

void gather(const GatherPiece* pieces, std::int64_t count, float* out) {
  if (count <= 0) return;
  constexpr int threads = kEmulated ? 1 : 128;
  constexpr std::int64_t most_blocks = 1 << 16;
  launch("gather", gather_pieces,
         {dim3(static_cast<unsigned>(count < most_blocks ? count : most_blocks)), threads}, pieces,
         count, out);
}

}  // namespace xlab::cuda
