// The losses of a run over its training, as they are shown: they grow at the end without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace xlab {

/// One training step on the loss curve.
struct LossPoint {
  std::int64_t step = 0;
  float loss = 0.0f;  ///< mean cross-entropy of the step's batch, nats per token
  /// Exponential mean of the losses: each one weighs 0.9 times what the next one does, and the
  /// weights sum to one from the first loss on. It lags behind a loss that falls fast.
  float smoothed = 0.0f;
};

/// The losses up to some step; nothing in it changes any more. Later ones may share its memory, so
/// any thread may read it while the run goes on.
class LossCurve {
 public:
  using value_type = LossPoint;

  LossCurve() = default;
  explicit LossCurve(const std::vector<LossPoint>& points);

  const LossPoint* begin() const { return points_.get(); }
  const LossPoint* end() const { return points_.get() + static_cast<std::ptrdiff_t>(size_); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const LossPoint& operator[](std::size_t i) const {
    return points_[static_cast<std::ptrdiff_t>(i)];
  }
  const LossPoint& front() const { return points_[0]; }
  const LossPoint& back() const { return points_[static_cast<std::ptrdiff_t>(size_ - 1)]; }
  /// Of two curves with the same storage the longer one begins with the shorter one.
  const void* storage() const { return points_.get(); }

 private:
  friend class GrowingLosses;
  LossCurve(std::shared_ptr<const LossPoint[]> points, std::size_t size)
      : points_(std::move(points)), size_(size) {}

  std::shared_ptr<const LossPoint[]> points_;
  std::size_t size_ = 0;
};

/// Makes curves of losses that grow. Belongs to one thread.
class GrowingLosses {
 public:
  /// The next curve has a memory of its own: other losses than before are to be shown.
  void begin_anew() { points_.reset(); }
  /// A curve of all of them. Where they only grew since the last call, what was copied then is
  /// shared; all in all every loss is copied a few times, however often this is called.
  std::shared_ptr<const LossCurve> curve_of(std::span<const LossPoint> all);
  /// How many losses were copied so far.
  std::size_t copied() const { return copied_; }

 private:
  std::shared_ptr<LossPoint[]> points_;
  std::size_t size_ = 0, room_ = 0, copied_ = 0;
};

}  // namespace xlab
