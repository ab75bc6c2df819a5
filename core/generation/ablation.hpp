// What a head is worth: the loss with its answers switched off.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "core/model.hpp"
#include "core/snapshot.hpp"

namespace xlab {

class Task;

/// A sequence, and what should follow each of its tokens.
struct Probe {
  std::vector<int> tokens;
  std::vector<int> targets;  ///< as long; -1 where no answer is asked for
};
/// Of a text: after each token the next one is asked for.
Probe probe_of_text(std::vector<int> tokens);
/// Where the task asks for answers on these tokens, only these count: what else comes next is
/// chance. Else every next token does.
Probe probe_of_tokens(const Task& task, std::vector<int> tokens);
/// The last token after which something is asked for; -1: there is none.
int last_asked(const Probe& probe);
/// Whether it is a matter of every next token.
bool asks_every_token(const Probe& probe);
/// How many answers count.
int answers_in(const Probe& probe);

/// Mean of −log p(target | tokens so far) over what is asked for, in nats, with these clamps; NaN
/// where nothing is. Throws `Cancelled` once `cancel` (may be null) has become true, and a sentence
/// for tokens outside the vocabulary.
double probe_loss(const Model& model, const Probe& probe, const std::vector<Clamp>& clamps = {},
                  const std::atomic<bool>* cancel = nullptr);

/// The loss without each head, and where a block has several also without all of them, in order.
/// `told` is called after each, with how many there are in all.
std::vector<Ablation> ablations(const Model& model, const Probe& probe,
                                const std::function<void(const Ablation&, int)>& told,
                                const std::atomic<bool>* cancel = nullptr);

}  // namespace xlab
