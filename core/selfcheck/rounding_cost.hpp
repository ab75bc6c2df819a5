// What it costs to hold a model's weights in fewer bits: how far its expectations move.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/files/hf_folder.hpp"
#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

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
