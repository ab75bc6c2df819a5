// Stretches have as many steps as a power of two; when there are too many of them, two become one.
#include "ui/thin_losses.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace xlab::ui {

void ThinLosses::add(Ends& ends, int place, float LossPoint::*of, const LossCurve& curve) {
  const auto value = [&](int i) { return curve[static_cast<std::size_t>(i)].*of; };
  const float now = value(place);
  if (!std::isfinite(now)) {
    ends.odd = place;
  } else if (now <= 0.0f) {
    if (ends.zero == kNone || now < value(ends.zero)) ends.zero = place;
  } else {
    if (ends.low == kNone || now < value(ends.low)) ends.low = place;
    if (ends.high == kNone || now > value(ends.high)) ends.high = place;
  }
}

void ThinLosses::join(Ends& ends, const Ends& later, float LossPoint::*of, const LossCurve& curve) {
  for (const int place : {later.low, later.high, later.zero, later.odd})
    if (place != kNone) add(ends, place, of, curve);
}

void ThinLosses::halve(const LossCurve& curve) {
  const std::size_t count = (stretches_.size() + 1) / 2;
  for (std::size_t i = 0; i < count; ++i) {
    Stretch joined = stretches_[2 * i];
    if (2 * i + 1 < stretches_.size()) {
      const Stretch& later = stretches_[2 * i + 1];
      join(joined.loss, later.loss, &LossPoint::loss, curve);
      join(joined.smoothed, later.smoothed, &LossPoint::smoothed, curve);
      joined.last = later.last;
    }
    stretches_[i] = joined;
  }
  stretches_.resize(count);
  width_ *= 2;
}

void ThinLosses::follow(const LossCurve& curve, int columns) {
  // Sizes of a window that is being dragged do not each begin again.
  constexpr int kGrain = 64;
  columns = std::max(kGrain, columns / kGrain * kGrain);
  if (curve.storage() != storage_ || curve.size() < seen_ || columns != columns_) {
    storage_ = curve.storage();
    columns_ = columns;
    seen_ = 0;
    width_ = 1;
    stretches_.clear();
  }
  curve_ = curve;
  const std::size_t most = 2 * static_cast<std::size_t>(columns_);
  for (; seen_ < curve.size(); ++seen_, ++looked_at_) {
    if (seen_ / width_ >= most) halve(curve);
    if (seen_ / width_ == stretches_.size()) stretches_.emplace_back();
    Stretch& stretch = stretches_.back();
    const int place = static_cast<int>(seen_);
    add(stretch.loss, place, &LossPoint::loss, curve);
    add(stretch.smoothed, place, &LossPoint::smoothed, curve);
    stretch.last = place;
  }
}

std::vector<std::size_t> ThinLosses::kept(Ends Stretch::*of, bool last_alone) const {
  std::vector<std::size_t> places;
  places.reserve(stretches_.size() * (last_alone ? 2 : 4));
  std::vector<int> here;
  if (!stretches_.empty()) places.push_back(0);
  for (const Stretch& stretch : stretches_) {
    const Ends& ends = stretch.*of;
    // What is smooth already needs no ends, so that dashes along it stay dashes.
    here = {stretch.last, ends.odd};
    if (!last_alone) here.insert(here.end(), {ends.low, ends.high, ends.zero});
    std::sort(here.begin(), here.end());
    for (const int place : here) {
      if (place == kNone) continue;
      const auto i = static_cast<std::size_t>(place);
      if (places.empty() || places.back() != i) places.push_back(i);
    }
  }
  return places;
}

std::array<double, 2> ThinLosses::range(bool of_smoothed, bool positive) const {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Stretch& stretch : stretches_) {
    const Ends& ends = of_smoothed ? stretch.smoothed : stretch.loss;
    for (const int place : {ends.low, ends.high, positive ? kNone : ends.zero}) {
      if (place == kNone) continue;
      const LossPoint& point = curve_[static_cast<std::size_t>(place)];
      const double value = of_smoothed ? point.smoothed : point.loss;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return {low, high};
}

}  // namespace xlab::ui
