// What other runs that read the same sequence expect next, beside what the run on screen expects.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

struct Follower {
  std::string name;                                   ///< of the run
  const std::vector<float>* probabilities = nullptr;  ///< null: it has not computed the place yet
  int colour = 0;                                     ///< as in RunCard
  int shape = 0;  ///< the marks of four after each other differ by shape as well as by colour
};

/// In the order of the runs. They point into the snapshot.
std::vector<Follower> followers_of(const Snapshot& snapshot);
/// How many marks have room below each other in a row of this height.
int marks_in(const Painter& painter, float height);

/// The mark of one around `centre`, of at most `radius` pixels, with a rim that sets it off from
/// what lies below.
void draw_follower_mark(Painter& painter, const Follower& follower, ImVec2 centre, float radius);
/// All marks of a token: across `track` from 0 to 1, below each other.
void draw_follower_marks(Painter& painter, const std::vector<Follower>& followers, int token,
                         const Box& track);

}  // namespace xlab::ui
