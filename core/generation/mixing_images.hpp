// The recurrent matrices of a model as the window sees them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// R and b of all blocks together are shown up to this size: they are copied whenever recordings
/// are made with other weights.
inline constexpr double kMostMixingBytes = 64.0 * 1024 * 1024;

/// One for each block, null where nothing is mixed. `step`: the training step of the weights as
/// they are. Where all of them together need more than `most_bytes` they say so instead of their
/// numbers.
std::vector<std::shared_ptr<const MixingImage>> mixing_images(const Model& model, std::int64_t step,
                                                              double most_bytes = kMostMixingBytes);

}  // namespace xlab
