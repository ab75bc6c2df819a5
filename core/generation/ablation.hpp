// What a head is worth: the loss with its answers switched off.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// A sequence, and what should follow each of its tokens.
struct Probe {
  std::vector<int> tokens;
  std::vector<int> targets;  ///< as long; -1 where no answer is asked for
};
/// Of a text: after each token the next one is asked for.
Probe probe_of_text(std::vector<int> tokens);

/// Mean of −log p(target | tokens so far) over what is asked for, in nats, with these clamps; NaN
/// where nothing is. Throws `Cancelled` once `cancel` (may be null) has become true, and a sentence
/// for tokens outside the vocabulary.
double probe_loss(const Model& model, const Probe& probe, const std::vector<Clamp>& clamps = {},
                  const std::atomic<bool>* cancel = nullptr);

struct Ablation {
  int block = 0, head = 0;  ///< head `Clamp::kAll`: all of the block
  double loss = 0.0;        ///< without it
};
/// The loss without each head, and where a block has several also without all of them, in order.
/// `told` is called after each, with how many there are in all.
std::vector<Ablation> ablations(const Model& model, const Probe& probe,
                                const std::function<void(const Ablation&, int)>& told,
                                const std::atomic<bool>* cancel = nullptr);

}  // namespace xlab
