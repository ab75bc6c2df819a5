// A pinned state is a snapshot, which stays as it was.
#include "ui/ghost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/analysis/divergence.hpp"

namespace xlab::ui {
namespace {

/// Whether both have the same blocks, so that a path means the same in both.
bool same_shape(const ModelCard& a, const ModelCard& b) {
  if (a.blocks.size() != b.blocks.size() || a.vocabulary.size() != b.vocabulary.size())
    return false;
  for (std::size_t i = 0; i < a.blocks.size(); ++i) {
    const BlockCard &one = a.blocks[i], &other = b.blocks[i];
    if (one.prefix != other.prefix || one.heads != other.heads || one.key_dim != other.key_dim ||
        one.value_dim != other.value_dim || one.variant.scale != other.variant.scale)
      return false;
  }
  return true;
}

/// What else is another one than now, as an end of a sentence.
const char* otherwise(const Snapshot& reference, const Snapshot& now) {
  if (reference.run_id != now.run_id) return ", another run";
  const std::vector<int>&then = reference.sequence.tokens, &tokens = now.sequence.tokens;
  const auto read = std::min(
      {static_cast<std::size_t>(reference.sequence.cursor + 1), then.size(), tokens.size()});
  return std::equal(then.begin(), then.begin() + static_cast<std::ptrdiff_t>(read), tokens.begin())
             ? ""
             : ", other tokens";
}

}  // namespace

const Snapshot* reference_of(const Scene& scene) {
  const Snapshot* reference = scene.focus.reference.get();
  if (!reference || !reference->model || !scene.snapshot.model) return nullptr;
  return same_shape(*reference->model, *scene.snapshot.model) ? reference : nullptr;
}

std::shared_ptr<const Trace> ghost_trace(const Scene& scene) {
  const Snapshot* reference = reference_of(scene);
  return reference ? reference->trace : scene.snapshot.unclamped;
}

std::string ghost_words(const Scene& scene) {
  const Snapshot* reference = reference_of(scene);
  if (!reference) return "without clamps";
  return fmt::format("pinned, t = {}{}", reference->sequence.cursor,
                     otherwise(*reference, scene.snapshot));
}

std::string ghost_curve_words(const Scene& scene) {
  const Snapshot* reference = reference_of(scene);
  return reference ? fmt::format("pinned{}", otherwise(*reference, scene.snapshot))
                   : "without clamps";
}

std::shared_ptr<const NextToken> next_beside_ghost(const Scene& scene) {
  const std::shared_ptr<const NextToken>& now = scene.snapshot.next;
  const Snapshot* reference = reference_of(scene);
  if (!now || !reference) return now;
  auto beside = std::make_shared<NextToken>(*now);
  beside->unclamped = reference->next ? reference->next->probabilities : std::vector<float>();
  if (beside->unclamped.size() != beside->probabilities.size()) beside->unclamped.clear();
  beside->kl_nats =
      beside->unclamped.empty() ? 0.0 : kl_nats(beside->unclamped, beside->probabilities);
  return beside;
}

}  // namespace xlab::ui
