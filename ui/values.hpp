// Names of values and tokens, and slices of a trace as views draw them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"

namespace xlab::ui {

/// Last part of a path: "forget_gate" of "block0/mlstm/forget_gate".
std::string value_name(const std::string& path);
/// What is before it: "block0/mlstm"; empty when there is nothing.
std::string value_prefix(const std::string& path);

/// A token as people see it: spaces as ·, newlines as ↵, tabs as →, other controls and bytes
/// that are no UTF-8 as \x01.
/// A token without a label is "#<number>".
std::string token_label(const ModelCard* model, int token);

/// What people call these columns of a table: "input gate, pre-activation (i)" for a column with
/// the name of one of the block's values; "" for any other.
std::vector<std::string> column_titles(const std::vector<std::string>& columns,
                                       const BlockCard& block);

/// The number at a place, or null when there is none: any step, head and unit may be asked for.
const float* number_at(const Trace* trace, const ValueRef& ref);

/// Remembers where the values of a trace lie, so that a long sequence is not searched again for
/// every path in every frame. Keeps the trace alive.
class TraceIndex {
 public:
  /// Follows the trace of a snapshot. Steps shared with the one before are not searched again.
  void use(const std::shared_ptr<const Trace>& trace);
  /// The recordings of a path, one a step, null where there is none.
  std::span<const Recorded* const> of(const std::string& path);

 private:
  std::shared_ptr<const Trace> trace_;
  std::map<std::string, std::vector<const Recorded*>> paths_;
};

/// One number per time step. Steps that were not recorded are left out of curves.
struct Series {
  std::vector<float> values;
  std::vector<int> steps;  ///< the time step of each value, ascending
};
Series series(std::span<const Recorded* const> recorded, int head, int unit, int first, int count);

/// The value of a step, null where it is not in the series.
const float* value_at(const Series& series, int step);

/// Values of one head over time, (units, steps); 0 where nothing was recorded. Empty when nothing
/// was recorded at all.
struct Strip {
  int units = 0, steps = 0;
  std::vector<float> values;
};
Strip strip(std::span<const Recorded* const> recorded, int head, int first, int count);

/// The block in focus, null when there is none.
const BlockCard* focused_block(const Snapshot& snapshot, const Focus& focus);
/// The head in focus, within what the block has.
int focused_head(const BlockCard& block, const Focus& focus);

/// Lets a view say what is under the mouse, and take it back when the mouse leaves.
class Hover {
 public:
  /// Call once per frame with what the mouse is over in this view.
  void set(Focus& focus, const std::optional<ValueRef>& now);
  bool active() const { return mine_.has_value(); }

 private:
  std::optional<ValueRef> mine_;
};

}  // namespace xlab::ui
