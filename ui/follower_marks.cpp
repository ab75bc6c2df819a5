// What other runs that read the same sequence expect next, beside what the run on screen expects.
#include "ui/follower_marks.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "ui/draw_log.hpp"
#include "ui/next_token.hpp"

namespace xlab::ui {
namespace {

constexpr float kSmallest = 5.0f;  // of a mark that can be told from others, in logical pixels

/// Among the runs that read the same sequence: whichever of them is on screen, it is the same.
std::ptrdiff_t place_in_group(const Snapshot& snapshot, const RunCard& run) {
  const auto end =
      std::ranges::find_if(snapshot.runs, [&](const auto& card) { return card->id == run.id; });
  return std::count_if(snapshot.runs.begin(), end,
                       [&](const auto& card) { return card->sequence == run.sequence; });
}

}  // namespace

std::vector<Follower> followers_of(const Snapshot& snapshot) {
  std::vector<Follower> found;
  for (const auto& view : snapshot.followers) {
    const auto card =
        std::ranges::find_if(snapshot.runs, [&](const auto& run) { return run->id == view->run; });
    if (card == snapshot.runs.end()) continue;
    const bool there = view->next && !view->next->probabilities.empty();
    found.push_back({.name = (*card)->name,
                     .probabilities = there ? &view->next->probabilities : nullptr,
                     .colour = (*card)->colour,
                     .shape = static_cast<int>(place_in_group(snapshot, **card) % 4)});
  }
  return found;
}

int marks_in(const Painter& painter, float height) {
  return std::max(1, static_cast<int>(height / painter.px(kSmallest)));
}

void draw_follower_mark(Painter& painter, const Follower& follower, ImVec2 centre, float radius) {
  const float x = centre.x, y = centre.y;
  const ImU32 colour = run_style(painter.palette(), follower.colour).colour;
  const auto shape = [&](float r, ImU32 filled) {
    switch (follower.shape) {
      case 0:
        painter.polygon(
            std::array{ImVec2{x - r, y - 0.8f * r}, ImVec2{x + r, y - 0.8f * r}, ImVec2{x, y + r}},
            filled);
        break;
      case 1:
        painter.polygon(
            std::array{ImVec2{x, y - r}, ImVec2{x + r, y}, ImVec2{x, y + r}, ImVec2{x - r, y}},
            filled);
        break;
      case 2:
        painter.polygon(
            std::array{ImVec2{x - 0.8f * r, y - 0.8f * r}, ImVec2{x + 0.8f * r, y - 0.8f * r},
                       ImVec2{x + 0.8f * r, y + 0.8f * r}, ImVec2{x - 0.8f * r, y + 0.8f * r}},
            filled);
        break;
      default:
        painter.disc(centre, 0.9f * r, filled);
    }
  };
  shape(radius, painter.palette().panel);
  shape(radius * 0.72f, colour);
  if (DrawLog* log = painter.log()) {
    log->fills.push_back({.box = {{x - radius, y - radius}, {x + radius, y + radius}},
                          .clip = {{x - radius, y - radius}, {x + radius, y + radius}},
                          .colour = colour,
                          .order = log->drawn++,
                          .listed = true});
  }
}

void draw_follower_marks(Painter& painter, const std::vector<Follower>& followers, int token,
                         const Box& track) {
  const float each = track.height() / static_cast<float>(followers.size());
  const float radius = std::min(each * 0.6f, painter.px(6));
  float y = track.min.y + each / 2;
  for (const Follower& follower : followers) {
    const float p =
        follower.probabilities ? value_of(*follower.probabilities, token) : std::nanf("");
    if (std::isfinite(p)) {
      const float x = track.min.x + track.width() * std::clamp(p, 0.0f, 1.0f);
      draw_follower_mark(painter, follower, {x, y}, radius);
    }
    y += each;
  }
}

}  // namespace xlab::ui
