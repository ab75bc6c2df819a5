// What can remember behind the gates of the sLSTM's blocks: one number a unit of everything.
#pragma once

#include <string>
#include <vector>

#include "core/cells/list.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// An entry of `scalar_cells`. Its weights are those of the sLSTM.
struct ScalarCell {
  kernels::ScalarMemory memory;
  const char* name;  ///< its kind, the paths of its values, the word in specifications
  const char* title;
  int states;                   ///< it carries from token to token, its output included
  const char* states_in_words;  ///< a clause, of a refusal
  Scan scan = Scan::other;
  /// Throws a sentence for equations that it has not. Null: it has all of them.
  void (*check)(const CellVariant& variant) = nullptr;
  CellValues (*values)(const CellVariant& variant);
};

const ScalarCell& scalar_cell(kernels::ScalarMemory memory);

/// Parts of what can be seen of such a cell that several of them have.
namespace scalar {

inline constexpr const char* kInputWords =
    "How strongly what comes in now is written into the memory.";
inline constexpr const char* kForgetWords = "How much of what was stored before is kept.";
inline constexpr const char* kCellInputWords = "What is written.";
inline constexpr const char* kOutputWords =
    "How much of what is read from the memory leaves the cell.";
inline constexpr const char* kCellWords = "The memory itself, one number a unit.";

ValueCard pre_activation(const char* name, const char* symbol, const char* title,
                         const char* words);
/// W x of each of the four pre-activations; `cards` behind them.
std::vector<ValueCard> after_token_cards(std::vector<ValueCard> cards);
/// How the units of a head are mixed.
MixingCard mixing_card(const CellVariant& v, SlopesOf slopes);
/// Input and forget gate may be capped.
ValueCard capped(ValueCard card, const char* words, const char* range);
ValueCard forget_pre_card(const CellVariant& v);
ValueCard cell_input_pre_card();
ValueCard output_pre_card();
/// tanh(z).
ValueCard cell_input_card();
/// σ(o).
ValueCard output_gate_card();
/// σ(f), whatever it is called.
ValueCard forget_share_card(const char* name);
/// The cell, without its equation; the output; and what the memory answers.
ValueCard cell_card();
ValueCard output_card();
ValueCard answer_card();
/// A gate `shown` of all units, and its pre-activation and itself of one.
ValueRow squashed_row(char letter, const std::string& title, const std::string& value,
                      const std::string& pre, const std::string& shown, const char* words);
/// A state of all units, and of one.
ValueRow state_row(char letter, std::vector<std::string> titles, const std::string& value,
                   const char* words);

}  // namespace scalar
}  // namespace xlab
