// How findings are measured: a piece of the recordings at a time, so that nobody has to wait for
// all of them at once. For the files of this folder alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/analysis/findings.hpp"
#include "core/snapshot.hpp"

namespace xlab {

/// What the sentences are made from, in their words.
struct Seen {
  std::shared_ptr<const ModelCard> model;
  std::shared_ptr<const Trace> trace;  ///< of one token at least, and of no more than `tokens`
  std::vector<int> tokens;

  int length() const { return trace->length(); }
  const BlockCard& block(int b) const { return model->blocks[static_cast<std::size_t>(b)]; }
  /// "Block 1 (sLSTM)".
  std::string block_name(int b) const;
  /// A token as its label in quotes.
  std::string token(int step) const;
  /// "t = 3, "b"".
  std::string place(int step) const;
};

/// Something that is measured over the recordings.
class Measurement {
 public:
  virtual ~Measurement() = default;
  /// Into how many pieces it is cut.
  virtual int pieces() const = 0;
  /// What a piece costs at most, in multiplications; to look up what was recorded counts as many.
  virtual double work() const = 0;
  /// Takes the next piece, from 0 on. False: it is not recorded or no number, and nothing is told.
  virtual bool take(int piece) = 0;
  /// After the last piece: adds what there is to tell.
  virtual void tell(std::vector<Finding>& out) const = 0;
};

/// To look up one recorded value costs as much as so many multiplications.
inline constexpr double kLookUp = 300.0;

// Of one block each; null where the block has nothing of the kind.

/// How long memories last: of every forget gate the half-life that its tokens have together.
std::unique_ptr<Measurement> measured_half_lives(const Seen& seen, int block);
/// Which tokens open the input gate most and least, by the mean over heads and units.
std::unique_ptr<Measurement> measured_input_gates(const Seen& seen, int block);
/// Heads whose answers are mostly divided by the floor.
std::unique_ptr<Measurement> measured_floors(const Seen& seen, int block);
/// Units whose output gate is shut at every step.
std::unique_ptr<Measurement> measured_shut_units(const Seen& seen, int block);
/// How much of each matrix memory is in use after the last token.
std::unique_ptr<Measurement> measured_fills(const Seen& seen, int block);
/// Which past write the answer after token `last` hangs on most, over all blocks and heads.
std::unique_ptr<Measurement> measured_answer(const Seen& seen, int last);

}  // namespace xlab
