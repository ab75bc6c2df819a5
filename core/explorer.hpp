// The gate explorer: a run whose model is one unit or one head of each cell, and whose every
// pre-activation, key, value and query is held by hand over a short sequence, so that no weight
// decides anything. What is held at first, and what tells a story, is data here. Standard types
// only.
#pragma once

#include <string>
#include <vector>

#include "core/command.hpp"
#include "core/snapshot.hpp"

namespace xlab::explorer {

/// `DataCard::task` of such a run.
inline constexpr const char* kTask = "explorer";
/// Steps of a story, and how many tokens there are for longer sequences.
inline constexpr int kSteps = 24, kMostSteps = 64;
/// How wide the head with the matrix can be, and is at first.
inline constexpr int kNarrowest = 2, kWidest = 16, kWidth = 4;
/// A pre-activation that opens or closes a gate as far as can be seen.
inline constexpr float kOpen = 15.0f, kShut = -15.0f;

/// What is held at each step, and what to look at. Of the pre-activations there is one curve for
/// all cells; what is written into a matrix is tanh(z) under the key of an item.
struct Story {
  std::string name;               ///< "slow leak", unique
  std::string title;              ///< "Slow leak"
  std::string look;               ///< what can be seen, in a sentence whose numbers are computed
  std::vector<float> i, f, z, o;  ///< pre-activations, of `kSteps` each
  std::vector<int> item;          ///< under whose key is written, counted from 0
  std::vector<int> asked;         ///< whose key is the query
  bool stabilizer = true;
  NumberFormat format = NumberFormat::native;
};
/// All of them; the first is what a new run holds.
const std::vector<Story>& stories();

/// The curve of a story for a value of this name ("input_gate_pre"); null where it has none.
const std::vector<float>* curve_of(const Story& story, const std::string& value);

/// A value held along a curve from step 0 on, which has at least one; `unit` may be Clamp::kAll.
Clamp drawn(const BlockCard& block, const ValueCard& card, int unit, std::vector<float> curve);
/// The same for the pre-activation of this name in every block that has it, in all units.
std::vector<Clamp> drawn_together(const std::vector<BlockCard>& blocks, const std::string& value,
                                  const std::vector<float>& curve);

/// A story held in these blocks: each value that can be held, over the steps of the story. Keys and
/// queries are of length 1 in one direction; the value under a key is tanh(z) times +1 or −1, unit
/// by unit another pattern for each item, +1 in unit 0.
std::vector<Clamp> clamps_of(const Story& story, const std::vector<BlockCard>& blocks);
/// The equations of each kind of block in it: the usual ones, but for stabilizer and number format
/// where the kind has these choices.
std::vector<command::SetVariant> variants_of(const Story& story,
                                             const std::vector<BlockCard>& blocks);
/// All of that as one edit, over tokens 0 to `kSteps` - 1.
command::HoldAll tell(const Story& story, const std::vector<BlockCard>& blocks);
/// What is held goes on over so many steps, 1 to `kMostSteps`: curves that begin at step 0 are cut
/// there, or go on with their last value; tokens are the steps.
command::HoldAll over_all(const std::vector<Clamp>& clamps, int steps);
/// The story that is held just so, equations included; null when there is none.
const Story* told_by(const std::vector<Clamp>& clamps, const std::vector<BlockCard>& blocks);

/// What is held goes on in the blocks of another width: a story is told there, and else each edit
/// stays that a block has the number for, over those of the first story.
std::vector<Clamp> held_again(const std::vector<Clamp>& clamps,
                              const std::vector<BlockCard>& before,
                              const std::vector<BlockCard>& after);

/// The specification of the run for a head of this width, `kNarrowest` to `kWidest`, for
/// command::NewRun. Throws a sentence outside of that.
std::string spec_of_width(int width);
/// The width of the head with the matrix; 0 when there is none.
int width_of(const std::vector<BlockCard>& blocks);

}  // namespace xlab::explorer
