// What can be seen of the large family's mLSTM: the paper's, but for another output gate.
#include "core/cells/list.hpp"
#include "core/cells/right_side.hpp"

namespace xlab {

CellValues large_values(const CellVariant& variant) {
  CellValues values = mlstm_values(variant);
  for (ValueCard& card : values.cards) {
    if (card.name == "output_gate_pre") {
      card.symbol = std::string("o");
      card.words = "How much of the read-out leaves the block, before squashing.";
      card.equation = "o_t = W x_t";
      card.span = Span::pre_activation;
      card.closed_at = ValueCard{}.closed_at;
    } else if (card.name == "output_gate") {
      card.symbol = "σ(o)";
      card.words = "The share of the normed read-out that leaves the block.";
      card.equation = "σ(o_t) = 1 / (1 + exp(−o_t))";
      card.range = "0..1";
      card.span = Span::share;
      card.side = [](Place& p) -> std::optional<Side> {
        return sigmoid_side(p, "output_gate_pre");
      };
    }
  }
  for (ValueRow& row : values.rows) {
    if (row.letter != 'o') continue;
    row.titles = {"output gate: σ(o) of all units, pre-activation o and σ(o) of one",
                  "output gate: pre-activation o, σ(o)", "output gate: o, σ(o)", "output gate"};
    row.lanes = {{Picture::strip, "output_gate"},
                 {Picture::curve, "output_gate_pre"},
                 {Picture::curve, "output_gate"}};
  }
  return values;
}

}  // namespace xlab
