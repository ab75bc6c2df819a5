// A tape of operations: values on the way forward, gradients on the way back, and the one seam for
// seeing and changing what happens inside: tap.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/params.hpp"
#include "core/snapshot.hpp"
#include "core/trace.hpp"
#include "kernels/device/readback.hpp"
#include "kernels/tensor.hpp"

namespace xlab {

/// A value on a tape.
struct Var {
  int id = -1;
};

struct ScanWatch;

/// Who is watching tokens pass through the model, and which values are held by hand. With a trace,
/// one token of one sequence; without one, any number of both.
struct Observer {
  TokenTrace* trace = nullptr;    ///< receives every tapped value
  std::span<const Clamp> clamps;  ///< change tapped values at their steps
  int step = 0;                   ///< time step of the token, of several the first one's
  ScanWatch* scan = nullptr;      ///< receives what one block's scan does; null: nobody asks

  /// The clamps on a value that act at one of so many steps from `step` on, in their order.
  std::vector<const Clamp*> acting_on(const std::string& path, std::int64_t steps) const;
};

/// A pass was given up half-way because somebody asked for it.
struct Cancelled : Error {
  Cancelled() : Error("The computation was cancelled.") {}
};

/// Lives for one forward (and backward) pass. Not shared between threads.
class Tape {
 public:
  enum class Mode {
    inference,  ///< values only
    gradient    ///< also what `backward` needs
  };

  /// Throws `Cancelled` at the next operation once `cancel` (may be null) has become true.
  explicit Tape(Mode mode, const Observer* observer = nullptr,
                const std::atomic<bool>* cancel = nullptr)
      : mode_(mode), observer_(observer), cancel_(cancel) {}

  bool needs_gradients() const { return mode_ == Mode::gradient; }

  /// Puts a value on the tape. `backward` receives the value's gradient and adds to those of its
  /// inputs; it is dropped in inference mode.
  template <typename Backward>
  Var push(Tensor value, Backward&& backward) {
    stop_if_cancelled();
    Node node{std::move(value), {}, {}};
    if (needs_gradients()) node.backward = std::forward<Backward>(backward);
    nodes_.push_back(std::move(node));
    return {static_cast<int>(nodes_.size()) - 1};
  }
  /// The same for a tape that needs no gradients: a closure with tensors in it has its price.
  Var push(Tensor value) {
    stop_if_cancelled();
    return constant(std::move(value));
  }
  /// A value whose gradient nobody asks for.
  Var constant(Tensor value) {
    nodes_.push_back({std::move(value), {}, {}});
    return {static_cast<int>(nodes_.size()) - 1};
  }

  const Tensor& value(Var x) const { return nodes_[static_cast<std::size_t>(x.id)].value; }
  /// Lets go of the values from `first` on up to `end`, which stays. On a tape that needs no
  /// gradients, of what nobody asks for any more.
  void drop(Var first, Var end);
  /// The gradient that backward functions add to; zeros at first.
  const Tensor& grad(Var x);
  /// Runs the tape backwards from the output with this gradient.
  void backward(Var output, const Tensor& gradient);

  /// Names what follows: "block0/mlstm".
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  /// Shows a (B, T, heads * dim) value to the observer under "<prefix>/<name>", and changes what is
  /// clamped. Without an observer it is free. Numbers that are set pass no gradient, those that are
  /// multiplied pass it multiplied.
  Var tap(const std::string& name, Var x, int heads);

  /// True when somebody watches, and may hold values by hand.
  bool observed() const { return observer_ != nullptr; }
  /// True when operations are to record what happens inside them.
  bool recording() const { return observer_ != nullptr && observer_->trace != nullptr; }
  const Observer* observer() const { return observer_; }
  /// Who asks what the scan of the block that is passed through just now does; null: nobody.
  ScanWatch* scan_watch() const;
  /// "<prefix>/<name>"
  std::string path(const std::string& name) const { return prefix_ + "/" + name; }
  /// Hands an inner value of an operation to the observer; one that lies on a card comes with the
  /// next `read`. Nobody may write to it before.
  void record(const std::string& name, const Tensor& value, int heads);
  /// Hands the length of a value to the observer, as one of the `count` numbers under `path`.
  void record_length(const std::string& path, Var x, int place, int count);
  /// The numbers of a value, and with them those that were recorded so far: all in one copy from a
  /// card.
  std::vector<float> read(Var x);

 private:
  struct Node {
    Tensor value, grad;
    std::function<void(const Tensor&)> backward;
  };

  void stop_if_cancelled() const {
    if (cancel_ && cancel_->load(std::memory_order_relaxed)) throw Cancelled();
  }

  Mode mode_;
  const Observer* observer_;
  const std::atomic<bool>* cancel_;
  std::string prefix_;
  std::vector<Node> nodes_;
  /// What was recorded on a card: the places in the trace, in the order of `readback_`. With a
  /// length, that number of the place is the length of what comes.
  struct Awaited {
    Recorded* place = nullptr;
    int length = -1;
  };
  std::vector<Awaited> awaited_;
  Readback readback_;
};

}  // namespace xlab
