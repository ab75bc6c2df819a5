// What each block does to the vector that runs through the model.
#include "core/analysis/activity.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

namespace xlab {

const ValueCard* read_out_of(const BlockCard& block) {
  if (block.values->formula.empty()) return nullptr;
  const ValueCard* last = block.values->find(block.values->formula.back());
  return last && last->recorded ? last : nullptr;
}

BlockActivity block_activity(const Trace& trace, const ModelCard& model, int block, int step) {
  constexpr double kNotRecorded = std::numeric_limits<double>::quiet_NaN();
  BlockActivity activity{kNotRecorded, kNotRecorded, kNotRecorded};
  if (block < 0 || block >= static_cast<int>(model.blocks.size())) return activity;
  const auto place = static_cast<std::size_t>(block);
  const Recorded* lengths = trace.find(step, kResidualNorm);
  if (lengths && lengths->values.size() == model.blocks.size() + 1) {
    activity.before = static_cast<double>(lengths->values[place]);
    activity.after = static_cast<double>(lengths->values[place + 1]);
  }
  const BlockCard& card = model.blocks[place];
  const ValueCard* last = read_out_of(card);
  const Recorded* read = last ? trace.find(step, card.path(last->name)) : nullptr;
  if (!read) return activity;
  double squares = 0.0;
  for (const float x : read->values) squares += static_cast<double>(x) * static_cast<double>(x);
  activity.read_out = std::sqrt(squares);
  return activity;
}

const ValueCard& residual_card() {
  static const ValueCard card{
      .name = "norm",
      .symbol = "|x|",
      .title = "length of the residual vector",
      .words =
          "The length of the vector that runs through the blocks and that each of them adds "
          "to: unit 0 is the embedding, unit b what b blocks have made of it.",
      .equation = "|x| = √(Σ x²)",
      .range = "0 or more",
      .extent = Extent::unit,
      .role = Role::reading};
  return card;
}

}  // namespace xlab
