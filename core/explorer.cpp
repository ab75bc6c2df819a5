// Stories become clamps, and the model they are told with.
#include "core/explorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/cells/scalar.hpp"
#include "core/edits.hpp"
#include "core/spec.hpp"
#include "kernels/check.hpp"

namespace xlab::explorer {
namespace {

/// +1 or −1: the pattern of an item, orthogonal to that of another one in widths of a power of two.
float sign_in(int item, int unit) {
  return std::popcount(static_cast<unsigned>(item & unit)) % 2 == 0 ? 1.0f : -1.0f;
}

/// A direction for each step: 1 in the unit of the item, 0 elsewhere.
void hold_directions(const BlockCard& block, const ValueCard& card, const std::vector<int>& items,
                     std::vector<Clamp>& clamps) {
  const auto units = static_cast<int>(block.numbers(card.extent));
  clamps.push_back(drawn(block, card, Clamp::kAll, std::vector<float>(items.size(), 0.0f)));
  for (int unit = 0; unit < units; ++unit) {
    std::vector<float> curve;
    for (const int item : items) curve.push_back(item % units == unit ? 1.0f : 0.0f);
    if (std::ranges::find(curve, 1.0f) != curve.end())
      clamps.push_back(drawn(block, card, unit, std::move(curve)));
  }
}

void hold_values(const BlockCard& block, const ValueCard& card, const Story& story,
                 std::vector<Clamp>& clamps) {
  const auto units = static_cast<int>(block.numbers(card.extent));
  for (int unit = 0; unit < units; ++unit) {
    std::vector<float> curve;
    for (std::size_t step = 0; step < story.z.size(); ++step)
      curve.push_back(std::tanh(story.z[step]) * sign_in(story.item[step], unit));
    clamps.push_back(drawn(block, card, unit, std::move(curve)));
  }
}

bool holds_the_same(const Clamp& a, const Clamp& b) {
  return a.path == b.path && a.head == b.head && a.unit == b.unit && a.begin == b.begin &&
         a.end == b.end && a.change == b.change;
}

/// Where a value that has one number a head, or the same for all units, is held.
int every_unit(const ValueCard& card) {
  return card.extent == Extent::head ? 0 : Clamp::kAll;
}

}  // namespace

Clamp drawn(const BlockCard& block, const ValueCard& card, int unit, std::vector<float> curve) {
  const bool flat = std::ranges::all_of(curve, [&](float x) { return x == curve.front(); });
  return {.path = block.path(card.name),
          .head = Clamp::kAll,
          .unit = unit,
          .begin = 0,
          .end = static_cast<int>(curve.size()),
          .value = curve.front(),
          .curve = flat ? std::vector<float>() : std::move(curve)};
}

std::vector<Clamp> drawn_together(const std::vector<BlockCard>& blocks, const std::string& value,
                                  const std::vector<float>& curve) {
  std::vector<Clamp> clamps;
  for (const BlockCard& block : blocks) {
    const ValueCard* card = block.values->find(value);
    if (card && card->clampable && card->role == Role::pre_activation)
      clamps.push_back(drawn(block, *card, every_unit(*card), curve));
  }
  return clamps;
}

const std::vector<float>* curve_of(const Story& story, const std::string& value) {
  const std::array<std::pair<const char*, const std::vector<float>*>, 4> curves = {
      {{"input_gate_pre", &story.i},
       {"forget_gate_pre", &story.f},
       {"cell_input_pre", &story.z},
       {"output_gate_pre", &story.o}}};
  for (const auto& [name, curve] : curves)
    if (value == name) return curve;
  return nullptr;
}

std::vector<Clamp> clamps_of(const Story& story, const std::vector<BlockCard>& blocks) {
  std::vector<Clamp> clamps;
  for (const BlockCard& block : blocks) {
    for (const ValueCard& card : block.values->cards) {
      if (!card.clampable) continue;
      if (const std::vector<float>* curve = curve_of(story, card.name)) {
        clamps.push_back(drawn(block, card, every_unit(card), *curve));
      } else if (card.name == "k") {
        hold_directions(block, card, story.item, clamps);
      } else if (card.name == "q") {
        hold_directions(block, card, story.asked, clamps);
      } else if (card.name == "v") {
        hold_values(block, card, story, clamps);
      }
    }
  }
  return clamps;
}

std::vector<command::SetVariant> variants_of(const Story& story,
                                             const std::vector<BlockCard>& blocks) {
  std::vector<command::SetVariant> variants;
  for (const BlockCard& block : blocks) {
    if (std::ranges::any_of(variants, [&](const auto& v) { return v.kind == block.kind; }))
      continue;
    CellVariant variant = block.usual;
    if (block.values->has(Choice::stabilizer)) variant.stabilizer = story.stabilizer;
    if (block.values->has(Choice::number_format)) variant.number_format = story.format;
    variants.push_back({.kind = block.kind, .variant = variant});
  }
  return variants;
}

command::HoldAll tell(const Story& story, const std::vector<BlockCard>& blocks) {
  command::HoldAll all{.clamps = clamps_of(story, blocks),
                       .variants = variants_of(story, blocks),
                       .tokens = {},
                       .name = "story",
                       .about = story.title};
  for (int step = 0; step < kSteps; ++step) all.tokens.push_back(step);
  return all;
}

command::HoldAll over_all(const std::vector<Clamp>& clamps, int steps) {
  check(steps >= 1 && steps <= kMostSteps, "The gate explorer has 1 to {} steps, not {}.",
        kMostSteps, steps);
  command::HoldAll all{.clamps = {},
                       .variants = {},
                       .tokens = {},
                       .name = "number of steps",
                       .about = fmt::format("{} steps", steps)};
  for (const Clamp& clamp : clamps)
    all.clamps.push_back(clamp.begin == 0 ? over_steps(clamp, 0, steps) : clamp);
  for (int step = 0; step < steps; ++step) all.tokens.push_back(step);
  return all;
}

const Story* told_by(const std::vector<Clamp>& clamps, const std::vector<BlockCard>& blocks) {
  for (const Story& story : stories()) {
    const auto variants = variants_of(story, blocks);
    const bool same = std::ranges::all_of(blocks, [&](const BlockCard& block) {
      return std::ranges::any_of(variants, [&](const command::SetVariant& v) {
        return v.kind == block.kind && v.variant == block.variant;
      });
    });
    if (same && clamps_of(story, blocks) == clamps) return &story;
  }
  return nullptr;
}

std::vector<Clamp> held_again(const std::vector<Clamp>& clamps,
                              const std::vector<BlockCard>& before,
                              const std::vector<BlockCard>& after) {
  for (const Story& story : stories())
    if (clamps_of(story, before) == clamps) return clamps_of(story, after);
  std::vector<Clamp> all = clamps_of(stories().front(), after);
  for (const Clamp& clamp : clamps) {
    const auto block = std::ranges::find_if(
        after, [&](const BlockCard& b) { return b.value_at(clamp.path) != nullptr; });
    if (block == after.end()) continue;
    if (clamp.unit >= block->numbers(block->value_at(clamp.path)->extent)) continue;
    const auto same =
        std::ranges::find_if(all, [&](const Clamp& c) { return holds_the_same(c, clamp); });
    if (same == all.end()) {
      all.push_back(clamp);
    } else {
      *same = clamp;
    }
  }
  return all;
}

std::string spec_of_width(int width) {
  check(width >= kNarrowest && width <= kWidest,
        "The head of the gate explorer is {} to {} wide, not {}.", kNarrowest, kWidest, width);
  ModelSpec spec;
  spec.vocab_size = kMostSteps;
  spec.embedding_dim = 1;  // one unit
  spec.context_length = kMostSteps;
  spec.mlstm = MlstmSpec{.num_heads = 1,
                         .conv1d_kernel_size = 2,
                         .qkv_proj_blocksize = 1,
                         .proj_factor = static_cast<double>(width),
                         .round_proj_up_to_multiple_of = 1};
  spec.slstm = SlstmSpec{.num_heads = 1, .conv1d_kernel_size = 0, .bias_init = "zeros"};
  // The first unit, the head with the matrix, and a unit of everything else that there is.
  spec.slstm_at = {0};
  spec.num_blocks = 2;
  for (const ScalarCell* cell : scalar_cells()) {
    if (cell->memory == spec.slstm->memory) continue;
    spec.slstm_at.push_back(spec.num_blocks);
    spec.slstm->others.push_back(
        {.memory = cell->memory, .blocks = {spec.num_blocks}, .variant = {}});
    ++spec.num_blocks;
  }
  return "{\"model\": " + to_json(spec) + "}";
}

int width_of(const std::vector<BlockCard>& blocks) {
  for (const BlockCard& block : blocks)
    if (block.has_matrix) return block.key_dim;
  return 0;
}

}  // namespace xlab::explorer
