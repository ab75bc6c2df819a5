// What the parts of the memory mixing share in a frame.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/analysis/mixing.hpp"
#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/values.hpp"

namespace xlab::ui {

/// What is looked at.
struct MixingPlace {
  int head = 0;
  int to = 0;             ///< the unit whose pre-activations are shown
  int from = 0;           ///< the unit whose influence is shown
  bool products = false;  ///< maps show R · h at the cursor, not R
};

struct MixingFrame {
  Scene& scene;
  const BlockCard& block;
  const Trace& trace;
  const MixingImage& image;
  MixingPlace& place;  ///< a click changes it
  int step = 0;        ///< the time cursor, within the recordings
  std::optional<ValueRef>& value;
  HoverCard& card;

  int gates() const { return image.gates; }
  const MixedGate& gate(int number) const {
    return block.values->mixing.gates[static_cast<std::size_t>(number)];
  }
  /// "i", "f", "z", "o".
  std::string symbol(int number) const {
    const ValueCard* card_of = block.values->find(gate(number).pre);
    return card_of ? card_of->symbol : gate(number).pre;
  }
  MixedPlace mixed(int number) const { return {number, step, place.head, place.to}; }
  ValueRef ref(const std::string& name, int unit) const {
    return {block.path(name), step, place.head, unit};
  }
};

}  // namespace xlab::ui
