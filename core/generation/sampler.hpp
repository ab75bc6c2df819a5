// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab {

/// softmax(logits), computed in double.
std::vector<float> probabilities_of(std::span<const float> logits);

/// log of the sum of exp(logits), computed in double; NaN where the logits are not all numbers.
double log_total(std::span<const float> logits);

/// The largest of the logits, the first one in a tie; -1 where they are not all finite.
int top_choice(std::span<const float> logits);

/// What is drawn from: softmax(logits / temperature), then the top_k largest, then the smallest set
/// of largest probabilities that reaches top_p, renormalised. Greedy (and temperature 0): all on
/// the largest logit, the first one in a tie.
std::vector<float> sampling_distribution(std::span<const float> logits,
                                         const SamplerSettings& settings);

/// Draws token number `position` of a sequence: a function of the distribution, the seed and the
/// position alone.
int draw(std::span<const float> distribution, std::uint64_t seed, std::uint64_t position);

/// Throws a sentence when a setting is out of range.
void validate(const SamplerSettings& settings);

}  // namespace xlab
