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
  std::size_t at = place();
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
  const bool inside = chosen_ != 0 || place_ != 0;
  if (there(at)) at = first_of_group(at);
  // From the first control back to the drawing itself, and from there to what comes before it.
  leave();
  if (at > 0) choose(first_of_group(at - 1));
  return inside;
}

void Stops::go_to_last() {
  leave();
  if (!controls_.empty()) choose(first_of_group(controls_.size() - 1));
}

void Stops::arrow(bool forward) {
  if (arrows_ == Arrows::turn) {
    notches_ = (turned_ == chosen_ ? notches_ : 0) + (forward ? 1 : -1);
    turned_ = chosen_;
    return;
  }
  if (arrows_ == Arrows::none) return;
  std::size_t at = place();
  if (!there(at)) return;
  // Others may stand between two of a group.
  const ImGuiID group = controls_[at].group;
  do {
    if (at == (forward ? controls_.size() - 1 : 0)) return;
    at += forward ? 1 : static_cast<std::size_t>(-1);
  } while (controls_[at].group != group);
  const Arrows arrows = arrows_;
  choose(at);
  arrows_ = arrows;
}

void Stops::leave() {
  chosen_ = 0;
  place_ = 0;
  arrows_ = Arrows::none;
  arrived_ = false;
  ring_.reset();
}

void Stops::begin_frame() {
  drawn_.clear();
  ring_.reset();
}

Stops::Keys Stops::control(ImGuiID id, const Ring& place, Arrows arrows, ImGuiID group) {
  drawn_.push_back({id, group});
  Keys keys;
  if (id == pressed_) {
    keys.pressed = true;
    pressed_ = 0;
  }
  if (id == turned_) {
    keys.notches = std::exchange(notches_, 0);
    turned_ = 0;
  }
  if (id != chosen_) return keys;
  place_ = drawn_.size() - 1;
  arrows_ = arrows;
  ring_ = place;
  keys.chosen = true;
  keys.arrived = std::exchange(arrived_, false);
  return keys;
}

void Stops::end_frame() {
  std::swap(controls_, drawn_);
  pressed_ = turned_ = 0;
  notches_ = 0;
  if (chosen_ == 0 || ring_) return;
  const std::size_t was = place_;
  leave();
  place_ = was;
}

}  // namespace xlab::ui
