// The rows of the model map: which blocks stand in which row, and their numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/activity.hpp"
#include "core/analysis/forgetting.hpp"
#include "core/snapshot.hpp"

namespace xlab::ui {

/// One block, or neighbours that share a row.
struct MapRow {
  int first = 0, last = 0;  ///< blocks

  bool one() const { return first == last; }
  int blocks() const { return last - first + 1; }
};

/// Boxes drawn at most.
inline constexpr int kMostBoxes = 200;

/// The parts of a block, in the order in which a token goes through them.
std::vector<std::string> block_parts(const BlockCard& block);
/// "m", "s" or another first letter of what people call it.
std::string block_letter(const BlockCard& block);
/// "3 mLSTM, 1 sLSTM", in the order in which they are met.
std::string kinds_in(const ModelCard& model, const MapRow& row);
/// The letters of neighbours: "mmsm".
std::string letters_in(const ModelCard& model, const MapRow& row);

/// The rows: each block its own where so many have room, else groups of 2, 4, 8, ... neighbours, of
/// which the one with the focused block is opened. Never more than `kMostBoxes` boxes, a row's
/// parts counted where `parts` are drawn.
struct MapPlan {
  std::vector<MapRow> rows;
  int group = 1;  ///< blocks in a group
  int boxes = 0;
};
MapPlan map_plan(const ModelCard& model, int focused, int most_rows, bool parts);

/// The numbers of a row at a step. Of a group: from its first block to its last one.
struct MapNumbers {
  BlockActivity activity;  ///< read_out: the largest
  Spread lives;            ///< half-lives of all forget gates, in tokens
  std::int64_t parameters = 0, state = 0;
};

/// Prepares them once for the same recordings, model and step.
class MapShown {
 public:
  void use(const Snapshot& snapshot);
  /// Of one block.
  const MapNumbers& of(int block) const { return blocks_[static_cast<std::size_t>(block)]; }
  MapNumbers of(const MapRow& row) const;
  double embedding_length() const { return embedding_; }  ///< NaN where it is not recorded
  double longest() const {
    return longest_;
  }  ///< of all lengths that are numbers; 0: there is none
  double longest_life() const { return longest_life_; }  ///< likewise
  int step() const { return step_; }

 private:
  std::shared_ptr<const Trace> trace_;
  std::shared_ptr<const ModelCard> model_;
  int step_ = -2;
  std::vector<MapNumbers> blocks_;
  std::vector<std::vector<double>> lives_;
  double embedding_ = 0.0, longest_ = 0.0, longest_life_ = 0.0;
};

/// "12,345", "1.23 M", "6.87 G".
std::string count_words(std::int64_t count);

}  // namespace xlab::ui
