// Collecting tensors and bringing their numbers to the host.
#include "kernels/device/readback.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "kernels/device/pinned.hpp"
#include "kernels/device/readback_cuda.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

/// One tensor in host memory.
std::vector<float> converted(const Tensor& t) {
  std::vector<float> out(static_cast<std::size_t>(t.elements()));
  visit_float(t, [&]<typename T>(T) {
    std::transform(t.data<T>(), t.data<T>() + t.elements(), out.begin(),
                   [](T x) { return static_cast<float>(x); });
  });
  return out;
}

#if XLAB_HAS_CUDA
/// Tensors of one card: gathered there into one block, copied once.
void fetch_from(Device device, const std::vector<Tensor>& tensors,
                std::vector<std::vector<float>>& out) {
  std::vector<cuda::GatherPiece> pieces;
  std::int64_t total = 0;
  for (const Tensor& t : tensors) {
    if (t.device() != device) continue;
    visit_float(t, [&]<typename T>(T) {
      for (std::int64_t at = 0; at < t.elements(); at += cuda::kGatherPiece) {
        const std::int64_t count = std::min(cuda::kGatherPiece, t.elements() - at);
        pieces.push_back({t.data<T>() + at, total + at, static_cast<std::int32_t>(count),
                          std::is_same_v<T, double>});
      }
    });
    total += t.elements();
  }
  if (total == 0) return;
  cuda::use(device.index);
  const std::size_t list_bytes = pieces.size() * sizeof(cuda::GatherPiece);
  const Pinned list(list_bytes), landed(static_cast<std::size_t>(total) * sizeof(float));
  std::copy(pieces.begin(), pieces.end(), list.as<cuda::GatherPiece>());
  const cuda::Scratch list_on_card(list_bytes);
  const Tensor block = Tensor::empty({total}, DType::f32, device);
  cuda::copy_to_device(list_on_card.as<void>(), list.as<void>(), list_bytes);
  cuda::gather(list_on_card.as<cuda::GatherPiece>(), static_cast<std::int64_t>(pieces.size()),
               block.data<float>());
  cuda::copy_to_pinned(landed.as<void>(), block.raw(), block.bytes());
  cuda::synchronise();
  const float* from = landed.as<float>();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].device() != device) continue;
    out[i].assign(from, from + tensors[i].elements());
    from += tensors[i].elements();
  }
}

#endif

}  // namespace

std::size_t Readback::add(const Tensor& t) {
  check(t.defined(), "Numbers that are to be read are missing.");
  tensors_.push_back(t);
  return tensors_.size() - 1;
}

std::vector<std::vector<float>> Readback::fetch() {
  const std::vector<Tensor> tensors = std::exchange(tensors_, {});
  std::vector<std::vector<float>> out(tensors.size());
  std::vector<Device> cards;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Device device = tensors[i].device();
    if (device == Device::cpu()) {
      out[i] = converted(tensors[i]);
    } else if (std::find(cards.begin(), cards.end(), device) == cards.end()) {
      cards.push_back(device);
    }
  }
#if XLAB_HAS_CUDA
  for (const Device card : cards) fetch_from(card, tensors, out);
#endif
  return out;
}

std::vector<float> floats_of(const Tensor& t) {
  Readback readback;
  readback.add(t);
  return std::move(readback.fetch().front());
}

}  // namespace xlab
