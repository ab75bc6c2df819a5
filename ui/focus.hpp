// What is selected, hovered and pinned: one for the whole window, shared by all views.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace xlab {
struct Snapshot;
}

namespace xlab::ui {

/// One value of the model at one time step.
struct ValueRef {
  /// e.g. "block0/mlstm/forget_gate"; "block0/mlstm/C" and ".../write" for the matrix memory
  std::string path;
  int step = 0;
  int head = 0;
  int unit = 0;  ///< index within the head; for a matrix key * value_dim + value

  bool operator==(const ValueRef&) const = default;
};

struct Focus {
  int block = 0;
  int head = 0;
  std::optional<ValueRef> hovered;  ///< set by the view under the mouse, cleared when it leaves
  std::optional<ValueRef> pinned;   ///< set by a click; keeps updating
  /// The state that all views compare the present one with: see ui/ghost.hpp. Null: none is pinned.
  std::shared_ptr<const Snapshot> reference;
  std::optional<ValueRef>
      inspected;            ///< what the inspector shows; kept when the mouse is elsewhere
  std::string hint_target;  ///< path the first-run sentence points at, empty when it is done
  std::string hint;         ///< the sentence itself

  bool operator==(const Focus&) const = default;
};

}  // namespace xlab::ui
