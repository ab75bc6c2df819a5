// Work of a card that is recorded once and repeated.
#include "kernels/device/graph.hpp"

#include <mutex>

#include "kernels/config.hpp"
#include "kernels/device/cuda.hpp"
#include "kernels/device/graph_cuda.hpp"

namespace xlab {

DeviceGraph::DeviceGraph(Device card, const std::function<void()>& work)
    : card_(card), memory_(card) {
  check(card.kind == Device::Kind::cuda, "Only what a card does can be recorded.");
  if constexpr (kHasCuda) {
    static std::mutex& recording = *new std::mutex;
    const std::lock_guard one_at_a_time(recording);
    const MemoryReserve::Use use(memory_);
    cuda::use(card.index);
    cuda::begin_recording();
    try {
      work();
    } catch (...) {
      cuda::end_recording(false);
      throw;
    }
    recording_ = cuda::end_recording(true);
  }
}

DeviceGraph::~DeviceGraph() {
  if constexpr (kHasCuda) {
    if (recording_ != nullptr) cuda::discard(recording_);
  }
}

void DeviceGraph::launch() const {
  if constexpr (kHasCuda) {
    cuda::use(card_.index);
    cuda::repeat(recording_);
  }
}

}  // namespace xlab
