// What was handed out is never written again: new losses go behind it, or into larger memory.
#include "core/loss_curve.hpp"

#include <algorithm>

namespace xlab {

LossCurve::LossCurve(const std::vector<LossPoint>& points) : size_(points.size()) {
  auto own = std::make_shared<LossPoint[]>(points.size());
  std::copy(points.begin(), points.end(), own.get());
  points_ = std::move(own);
}

std::shared_ptr<const LossCurve> GrowingLosses::curve_of(std::span<const LossPoint> all) {
  constexpr std::size_t kLeastRoom = 256;
  if (!points_ || all.size() < size_ || all.size() > room_) {
    // Without memory for it everything stays as it is.
    const std::size_t room = std::max(kLeastRoom, 2 * all.size());
    points_ = std::make_shared<LossPoint[]>(room);
    room_ = room;
    size_ = 0;
  }
  std::copy(all.begin() + static_cast<std::ptrdiff_t>(size_), all.end(), points_.get() + size_);
  copied_ += all.size() - size_;
  size_ = all.size();
  return std::shared_ptr<const LossCurve>(new LossCurve(points_, size_));
}

}  // namespace xlab
