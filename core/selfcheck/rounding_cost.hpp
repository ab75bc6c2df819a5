// What it costs to hold a model's weights in fewer bits: how far its expectations move.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/files/hf_folder.hpp"
#include "core/model.hpp"

namespace xlab {

/// One comparison of next-token distributions, p of the weights as they are and q with some of them
/// rounded, over the tokens of a text.
struct RoundingCost {
  std::string rounded;      ///< "block 3", "embedding and head" or "all"
  double divergence = 0.0;  ///< mean over the tokens of KL(p || q) = sum p log(p / q), in nats
  double largest = 0.0;     ///< that of the token where it is largest
  double same_first = 0.0;  ///< the share of tokens after which the likeliest next one is the same
  double bytes_before = 0.0;   ///< what these weights take as they are
  double bytes_rounded = 0.0;  ///< and rounded
};

/// Rounds the weights of each block alone, those of embedding and head alone, and then all of them,
/// as ModelFolder::read does for `use` (8 or 4 bits), and compares after every token. All weights
/// are rounded afterwards. The model is one that is only read; beside it there is room needed for
/// the weights of one block and for the logits of all tokens twice. `done` is called with every
/// comparison as it is made; `cancel` gives up with `Cancelled`, and leaves some weights rounded. A
/// divergence is NaN where numbers are not finite.
std::vector<RoundingCost> round_and_compare(
    Model& model, FolderUse use, std::span<const int> tokens,
    const std::function<void(const RoundingCost&)>& done = {},
    const std::atomic<bool>* cancel = nullptr);

}  // namespace xlab
