// What other runs that read the same sequence expect next, beside what the run on screen expects.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

/// One of them, as far as it has computed the place at the cursor.
struct Follower {
  std::string name;  ///< of the run
  const std::vector<float>* probabilities = nullptr;
  int colour = 0;  ///< as in RunCard
  int shape = 0;   ///< the marks of four after each other differ by shape as well as by colour
};

/// In the order of the runs. They point into the snapshot.
std::vector<Follower> followers_of(const Snapshot& snapshot);

/// The mark of one around `centre`, of at most `radius` pixels, with a rim that sets it off from
/// what lies below.
void draw_follower_mark(Painter& painter, const Follower& follower, ImVec2 centre, float radius);
/// All marks of a token: across `track` from 0 to 1, below each other so that none hides another.
void draw_follower_marks(Painter& painter, const std::vector<Follower>& followers, int token,
                         const Box& track);

}  // namespace xlab::ui
