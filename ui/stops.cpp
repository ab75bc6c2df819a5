// The controls of a drawing, as the keyboard goes through them.
#include "ui/stops.hpp"

#include <algorithm>
#include <utility>

namespace xlab::ui {

std::size_t Stops::place() const {
  const auto at = std::ranges::find(controls_, chosen_, &Control::id);
  return at != controls_.end() ? static_cast<std::size_t>(at - controls_.begin())
                               : std::min(place_, controls_.size());
}

bool Stops::there(std::size_t place) const {
  return place < controls_.size() && controls_[place].id == chosen_;
}

std::size_t Stops::first_of_group(std::size_t place) const {
  const ImGuiID group = controls_[place].group;
  while (group != 0 && place > 0 && controls_[place - 1].group == group) --place;
  return place;
}

void Stops::choose(std::size_t place) {
  leave();
  chosen_ = controls_[place].id;
  place_ = place;
  arrived_ = true;
}

bool Stops::go(bool forward) {
  if (chosen_ == 0 && !forward) return false;
  std::size_t at = chosen_ == 0 ? 0 : place();
  if (forward) {
    if (there(at)) {
      const ImGuiID group = controls_[at++].group;
      while (group != 0 && at < controls_.size() && controls_[at].group == group) ++at;
    }
    leave();
    if (at >= controls_.size()) return false;
    choose(at);
    return true;
  }
  if (there(at)) at = first_of_group(at);
  // From the first control back to the drawing itself.
  leave();
  if (at > 0) choose(first_of_group(at - 1));
  return true;
}

void Stops::go_to_last() {
  leave();
  if (!controls_.empty()) choose(first_of_group(controls_.size() - 1));
}

void Stops::arrow(bool forward) {
  if (arrows_ == Arrows::turn) {
    notches_ += forward ? 1 : -1;
    return;
  }
  const std::size_t at = place();
  if (arrows_ == Arrows::none || !there(at) || (!forward && at == 0)) return;
  const std::size_t next = forward ? at + 1 : at - 1;
  if (next >= controls_.size() || controls_[next].group != controls_[at].group) return;
  const Arrows arrows = arrows_;
  choose(next);
  arrows_ = arrows;
}

void Stops::leave() {
  chosen_ = 0;
  place_ = 0;
  arrows_ = Arrows::none;
  presses_ = arrived_ = false;
  notches_ = 0;
  ring_.reset();
}

void Stops::begin_frame() {
  drawn_.clear();
  ring_.reset();
}

Stops::Keys Stops::control(ImGuiID id, ImVec2 min, ImVec2 max, Arrows arrows, ImGuiID group) {
  drawn_.push_back({id, group});
  if (id != chosen_) return {};
  place_ = drawn_.size() - 1;
  arrows_ = arrows;
  ring_ = Ring{min, max};
  return {.chosen = true,
          .arrived = std::exchange(arrived_, false),
          .pressed = std::exchange(presses_, false),
          .notches = std::exchange(notches_, 0)};
}

void Stops::end_frame() {
  std::swap(controls_, drawn_);
  presses_ = false;
  notches_ = 0;
}

}  // namespace xlab::ui
