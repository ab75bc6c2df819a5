// One sentence beside the mouse, for what carries no number of its own: legends, chips, words.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

/// Shows the sentence on a card while the mouse rests on `box`; what follows a newline is quieter.
/// Shows nothing while something is dragged. Returns whether it is shown.
bool hint(const Scene& scene, const Box& box, std::string_view sentence);

/// What the card beside the mouse says in this frame, gathered while a view is drawn.
class HoverCard {
 public:
  /// Call at the beginning of the frame; while something is dragged nothing is explained.
  void begin(bool dragging) {
    lines_.clear();
    dragging_ = dragging;
  }
  void add(std::string text, bool strong = false) { lines_.push_back({std::move(text), strong}); }
  void set(std::initializer_list<CardLine> lines) { lines_.assign(lines); }
  /// Says what lies under the mouse where it rests on `box`, unless something there has said more
  /// already.
  void explain(const Box& box, std::initializer_list<CardLine> lines);
  bool empty() const { return lines_.empty(); }
  /// Call at the end of the frame.
  void draw(const Scene& scene) const {
    if (!lines_.empty()) hover_card(scene, lines_);
  }

 private:
  std::vector<CardLine> lines_;
  bool dragging_ = false;
};

}  // namespace xlab::ui
