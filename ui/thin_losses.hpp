// A loss curve with few points: what of it can be seen in so many columns of pixels.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "core/loss_curve.hpp"

namespace xlab::ui {

/// Of every so many steps the lowest, the highest and the last loss, and one that cannot be drawn
/// as it is (not positive, no number). Kept from frame to frame: of a curve that grew only what is
/// new is looked at.
class ThinLosses {
 public:
  /// `columns`: of pixels. Short curves are kept whole.
  void follow(const LossCurve& curve, int columns);

  /// Which points to draw of the losses, and of the smoothed ones; ascending.
  std::vector<std::size_t> losses() const { return kept(&Stretch::loss, false); }
  std::vector<std::size_t> smoothed() const { return kept(&Stretch::smoothed, true); }
  /// The lowest and the highest of the losses, or of the smoothed ones, that can be drawn: all
  /// finite ones, or the positive ones among them. The first is above the second when there are
  /// none.
  std::array<double, 2> range(bool of_smoothed, bool positive) const;
  /// How many points were looked at so far.
  std::size_t looked_at() const { return looked_at_; }

 private:
  static constexpr int kNone = -1;
  /// Places in the curve.
  struct Ends {
    int low = kNone;   ///< the smallest positive one
    int high = kNone;  ///< the largest positive one
    int zero = kNone;  ///< the smallest one that is finite and not positive
    int odd = kNone;   ///< one that is no number, or infinite
  };
  struct Stretch {
    Ends loss, smoothed;
    int last = kNone;
  };
  static void add(Ends& ends, int place, float LossPoint::*of, const LossCurve& curve);
  static void join(Ends& ends, const Ends& later, float LossPoint::*of, const LossCurve& curve);
  void halve(const LossCurve& curve);
  std::vector<std::size_t> kept(Ends Stretch::*of, bool last_alone) const;

  const void* storage_ = nullptr;
  std::size_t seen_ = 0, looked_at_ = 0;
  std::size_t width_ = 1;  ///< steps in a stretch
  int columns_ = 0;
  std::vector<Stretch> stretches_;
  LossCurve curve_;  ///< as followed last: keeps its memory
};

}  // namespace xlab::ui
