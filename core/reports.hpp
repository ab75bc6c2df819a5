// What the engine found out about a model beside everything else: plain values. Standard types
// only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clamp.hpp"
#include "core/variant.hpp"

namespace xlab {

/// One comparison of two ways to the same numbers.
struct Check {
  std::string name;      ///< a few words, e.g. "Step by step = whole sequence"
  double largest = 0.0;  ///< largest difference, relative to the largest number; NaN: not a number
  double limit = 0.0;    ///< largest difference allowed; 0: every bit must be the same
  bool passed = false;
  std::string sentence;  ///< what was compared, and where it differs most
};

/// One comparison of next-token distributions, p of the weights as they are and q with some of them
/// rounded, over the tokens of a text.
struct RoundingCost {
  std::string rounded;      ///< "block 3", "embedding and head" or "all"
  double divergence = 0.0;  ///< mean over the tokens of KL(p || q) = sum p log(p / q), in nats
  double largest = 0.0;     ///< that of the token where it is largest
  double same_first = 0.0;  ///< the share of tokens after which the likeliest next one is the same
  double bytes_before = 0.0;   ///< what these weights take as they are
  double bytes_rounded = 0.0;  ///< and rounded
};

/// What a model's comparisons with itself came to.
struct HealthReport {
  std::int64_t step = 0;  ///< training step of the weights that were checked
  bool running = false;   ///< more checks are to come
  std::vector<Check> checks;
  /// What it costs that the weights are held in fewer bits than they are stored in; empty where
  /// they are not.
  std::vector<RoundingCost> rounding;
  std::string rounded_to;     ///< "8 bits" or "4 bits"; empty where they are not
  int rounding_tokens = 0;    ///< after how many tokens expectations were compared
  bool tokens_drawn = false;  ///< nobody had chosen any: these were drawn at random
  std::string failure;        ///< why there are no more; empty when nothing went wrong
};

/// Which token's loss is asked about.
enum class ReachTarget : std::uint8_t {
  answer,  ///< the right token, where the task asks for one
  next,    ///< the token that follows in the sequence
  choice,  ///< where nothing follows: the one the model itself holds likeliest
};

/// How far back the gradient of one step reaches in one block: sizes (Euclidean lengths) as natural
/// logarithms, -inf for exactly 0, NaN for no number. T is the step.
///
/// States are measured in the units in which the block stores them after step T: C_t exp(-m_T), not
/// C_t exp(-m_t), and so n and c. Stored numbers of different steps cannot be compared, their
/// scales are not the same; in these units what is kept from one step to the next is multiplied by
/// the forget gate (sigmoid(f) or exp(f)) and by nothing else.
struct ReachReport {
  // What was asked.
  std::uint64_t run_id = 0;     ///< as in Snapshot
  std::int64_t train_step = 0;  ///< of the weights
  int block = 0;
  int head = 0;                       ///< whose output `input` is about
  int step = 0;                       ///< T
  std::vector<int> tokens;            ///< 0..T
  std::vector<Clamp> clamps;          ///< those that are on; what they hold passes no gradient
  std::vector<CellVariant> variants;  ///< of each block
  int target = -1;
  ReachTarget target_is = ReachTarget::choice;

  // What was found.
  double loss = 0.0;  ///< -log p(target) after T, nats
  int heads = 0;
  std::string state;  ///< which states are taken together: "C, n", "c, n" or "c"
  /// d loss / d state_t, t = 0..T, of each head, (heads, T + 1); the state after what was written
  /// at t, before it is read.
  std::vector<double> memory;
  /// What of it there would be if nothing but the memory itself led from t to T, likewise: d loss /
  /// d state_T times the forget gates of t+1..T, of a scalar memory unit by unit.
  std::vector<double> alone;
  /// d loss / d h_t, likewise: of what is read at t and goes on from there, by later blocks and, in
  /// a scalar memory, by R.
  std::vector<double> output;
  /// d h_T / d x_t of the head, x being what the block reads, before its norm: Frobenius norm, t =
  /// 0..T. Of the first `outputs` numbers of h_T.
  std::vector<double> input;
  int outputs = 0, all_outputs = 0;
  std::string computed_in;  ///< "float64" or "float32"
  std::string failure;      ///< why there is nothing, as a sentence; empty where there is
};

/// The loss with the answers of a head switched off.
struct Ablation {
  int block = 0, head = 0;  ///< head Clamp::kAll: all of the block
  double loss = 0.0;        ///< without it, in nats
};

/// What heads are worth on a sequence: the loss as it is, and without each of them. Nothing that is
/// held by hand is in it.
struct AblationReport {
  std::int64_t step = 0;    ///< training step of the weights it was measured with
  std::vector<int> tokens;  ///< the beginning of the sequence that was read, or all of it
  /// The loss is the mean over so many answers: those that the task asks for, or every next token.
  int answers = 0;
  bool every_token = false;
  bool running = false;           ///< more is to come
  int total = 0;                  ///< how many there will be in `without`; 0: not known yet
  double loss = 0.0;              ///< as it is; NaN: not known yet, or no number
  std::vector<Ablation> without;  ///< in the order of the model, as far as they are known
  std::string failure;            ///< why there are no more; empty when nothing went wrong
};

}  // namespace xlab
