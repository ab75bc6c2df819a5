// Every cell with every choice of its equations: descriptions alone, and small models that have
// computed a sequence.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/generation/sequence.hpp"
#include "tests/described.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {

/// All combinations of the choices that change an equation.
inline std::vector<CellVariant> all_variants() {
  std::vector<CellVariant> all;
  for (int bits = 0; bits < 256; ++bits) {
    const auto bit = [bits](int i) { return (bits >> i & 1) != 0; };
    CellVariant v;
    v.forget_gate = bit(0) ? ForgetGate::exponential : ForgetGate::sigmoid;
    v.stabilizer = !bit(1);
    v.input_gate = bit(2) ? InputGate::sigmoid : InputGate::exponential;
    v.normalizer = !bit(3);
    v.denominator_floor = bit(4) ? DenominatorFloor::one : DenominatorFloor::stabilizer;
    v.scale = bit(5) ? Scaled::queries : Scaled::keys;
    v.eps = bit(6) ? 0.25 : 1e-6;
    v.gate_soft_cap = bit(7) ? 15.0 : 0.0;
    all.push_back(v);
  }
  return all;
}

/// Each card of each cell and variant: a name for messages, and the card.
inline std::vector<std::pair<std::string, ValueCard>> every_card() {
  std::vector<std::pair<std::string, ValueCard>> cards;
  for (const char* prefix : {"b/mlstm", "b/mlstm_large", "b/slstm", "b/lstm"})
    for (const CellVariant& variant : all_variants()) {
      const auto values = values_of(prefix, variant);
      for (const ValueCard& card : values->cards)
        cards.emplace_back(std::string(prefix) + "/" + card.name, card);
    }
  return cards;
}

/// A sequence that a small model has read, with what was recorded of it.
struct Played {
  std::string name;
  std::vector<BlockCard> blocks;
  std::shared_ptr<const Trace> trace;
};

inline Played played(const std::string& name, const ModelSpec& spec, int tokens = 5) {
  const Model model = filled_model(spec, DType::f32);
  Sequence sequence(model);
  sequence.set_tokens(some_tokens(tokens, spec.vocab_size));
  sequence.compute_all();
  return {name, model.cards(), sequence.trace()};
}

/// The small models, which together have every choice, in arithmetic that rounds no more than
/// float32 does.
inline std::vector<Played> every_cell_played() {
  std::vector<Played> all;
  for (const auto& [name, spec] : small_models()) all.push_back(played(name, spec));
  ModelSpec plain = small_mlstm();
  plain.mlstm->variant.forget_gate = ForgetGate::exponential;
  plain.mlstm->variant.stabilizer = false;
  all.push_back(played("exponential_unstabilised", plain));
  ModelSpec undivided = small_mlstm();
  undivided.mlstm->variant.normalizer = false;
  undivided.mlstm->variant.denominator_floor = DenominatorFloor::one;
  all.push_back(played("undivided_from_one", undivided));
  return all;
}

/// The first and the last step of every value, each head, and some units, the first and last among
/// them.
template <typename Body>
void at_every_place(const Played& sequence, Body&& body) {
  for (const BlockCard& block : sequence.blocks)
    for (const ValueCard& card : block.values->cards)
      for (const int step : {0, sequence.trace->length() - 1})
        for (int head = 0; head < block.heads; ++head) {
          const int last = static_cast<int>(block.numbers(card.extent)) - 1;
          for (int i = 0; i <= 5; ++i)
            if (i == 0 || last * i / 5 > last * (i - 1) / 5)
              body(block, card, step, head, last * i / 5);
        }
}

}  // namespace xlab::tests
