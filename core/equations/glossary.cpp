// The texts of the glossary that no card of a value has.
#include "core/equations/glossary.hpp"

#include <algorithm>
#include <set>

namespace xlab {
namespace {

/// What stands in equations without being a value of a cell.
std::vector<GlossaryEntry> list_of_symbols() {
  return {
      {"t", "time step", "The place of a token in its sequence; the first one is 0."},
      {"x", "input of the cell", "What comes from the blocks below at this token, a vector."},
      {"w", "weights of a gate", "The trained vector whose product with x gives a pre-activation."},
      {"W", "weight matrix", "The trained matrix that makes a vector of x."},
      {"R", "recurrent weights",
       "The trained matrix through which a head's units see what it put out one token before."},
      {"b", "bias", "A trained number that is added whatever the token is."},
      {"c", "soft cap", "Pre-activations are kept between −c and c, by c · tanh(x / c)."},
      {"K", "width of a key", "How many numbers a key and a query have in each head."},
      {"V", "width of a value", "How many numbers a value has in each head."},
      {"ε", "epsilon", "A small number that is added so that nothing is divided by 0."},
      {"σ", "sigmoid", "σ(x) = 1 / (1 + exp(−x)) makes a share between 0 and 1 of any number."},
      {"exp", "exponential", "exp(x) is e^x: above 0, and 1 at x = 0."},
      {"log", "natural logarithm", "The logarithm to the base e; log exp(x) = x."},
      {"ln", "natural logarithm", "The logarithm to the base e; ln exp(x) = x."},
      {"tanh", "hyperbolic tangent", "Squashes any number to between −1 and 1."},
      {"SiLU", "sigmoid linear unit", "SiLU(x) = x σ(x): near 0 below, near x above."},
      {"max", "maximum", "The larger of the two."},
      {"ᵀ", "transposed", "Rows become columns: Cᵀ q is the vector that C answers to the query q."},
      {"⟨", "scalar product", "⟨q, n⟩ is the sum of the products of all numbers of two vectors."},
      {"√", "square root",
       "1/√K keeps products of keys and queries near 1, however wide they are."},
      {"Σ", "sum", "The sum over all tokens of the vocabulary."},
      {"z", "logit",
       "The model's score for this token; exp(z) is in proportion to its probability."},
      {"z'", "logits", "The scores of all tokens of the vocabulary, one after the other."},
      {"p", "probability", "How likely the model finds a token, between 0 and 1."},
  };
}

/// What is met in views, panels and findings, in the order of the alphabet.
std::vector<GlossaryEntry> list_of_terms() {
  return {
      {{}, "accuracy", "The share of asked answers that the model's first choice gets right."},
      {{},
       "attention",
       "The weight with which each earlier token enters what is read now; an mLSTM's memory stands "
       "for one."},
      {{},
       "block",
       "One layer of the model: it reads the residual stream and adds its own part to it."},
      {{}, "cell", "The part of a block that remembers: mLSTM, sLSTM or LSTM."},
      {{},
       "channel",
       "One of the numbers of a key or of a value: a row or a column of the matrix memory."},
      {{},
       "clamp",
       "A value changed by hand over some tokens: held, added to, multiplied or drawn; the "
       "untouched world stays as a ghost."},
      {{},
       "context length",
       "How many tokens of a sequence the model was trained to read at once."},
      {{}, "cursor", "The token at which all views show their numbers."},
      {{},
       "effective rank",
       "How many directions of a matrix are in use: the participation ratio of its squared "
       "singular "
       "values, (Σ σ²)² / Σ σ⁴."},
      {{},
       "embedding",
       "The trained vector that stands for a token when it enters the first block."},
      {{},
       "entropy",
       "How undecided a distribution is, in nats: 0 when one token is certain, ln of their number "
       "when all are equal."},
      {{}, "epoch", "One pass over the whole training text."},
      {{},
       "floor",
       "What a denominator is at least: exp(−m), which stands for 1 before stabilisation, or 1."},
      {{}, "forget gate", "How much of what is stored is kept from one token to the next."},
      {{},
       "gate",
       "A number that says how much passes: into the memory, on to the next token, or out."},
      {{},
       "ghost",
       "What the same tokens give without clamps, or a state that was pinned, drawn thin beside "
       "what there is now."},
      {{}, "gradient", "How the loss changes with each weight; training goes a step against it."},
      {{},
       "greedy",
       "The likeliest token is taken every time, so that the same prompt gives the same text."},
      {{},
       "half-life",
       "After how many tokens half of what was written is left, as the forget gates stand."},
      {{}, "head", "One of several memories side by side in a block, each with gates of its own."},
      {{}, "input gate", "How strongly what comes in now is written into the memory."},
      {{},
       "KL divergence",
       "How far one distribution is from another, in nats: the surprise that it costs to expect "
       "the "
       "one where the other holds; 0 when they are equal."},
      {{}, "key", "The address under which a token is written into a matrix memory."},
      {{}, "learning rate", "How far one step of training moves the weights."},
      {{},
       "logit",
       "The model's score for a token; the exponentials of all logits, divided by their sum, are "
       "the "
       "probabilities."},
      {{}, "loss", "The mean surprise at the right tokens, in nats per token; training lowers it."},
      {{}, "LSTM", "The classic cell of 1997: one number a unit, and gates between 0 and 1."},
      {{},
       "matrix memory",
       "What an mLSTM remembers: a matrix C of key by value channels in each head."},
      {{}, "mLSTM", "The cell with a matrix for a memory, written by keys and read by queries."},
      {{}, "NaN", "Not a number: the result of arithmetic that has none, as ∞ − ∞."},
      {{},
       "nats",
       "The unit of information with the natural logarithm; 1 nat is 1.44 bits, ln 2 nats are one "
       "bit."},
      {{},
       "normalizer",
       "What is read is divided by it, so that an answer does not grow with how much was written."},
      {{}, "output gate", "How much of what is read from the memory leaves the cell."},
      {{}, "perplexity", "exp(loss): among how many equally likely tokens the model is undecided."},
      {{},
       "pre-activation",
       "A gate's number before it is squashed; the one that a clamp changes."},
      {{}, "query", "What a matrix memory is asked for at a token."},
      {{}, "read-out", "What the memory answers to the query, a vector of value channels."},
      {{},
       "residual stream",
       "The vector of a token that runs through all blocks, to which each of them adds."},
      {{}, "seed", "The number from which everything random of a run follows."},
      {{},
       "sLSTM",
       "The cell with one number a unit, exponential gates, and units that see each other's "
       "output."},
      {{},
       "softmax",
       "Makes probabilities of logits: their exponentials, divided by the sum of these."},
      {{},
       "stabilizer",
       "The scale m of the memory, as a logarithm: everything is stored divided by exp(m), so that "
       "no exponential overflows."},
      {{}, "state", "What a cell carries from one token to the next."},
      {{}, "surprise", "−ln p of the token that came, in nats: 0 when it was certain."},
      {{},
       "temperature",
       "What logits are divided by before a token is drawn: below 1 the likely ones win more "
       "often."},
      {{}, "token", "A piece of a text that the model reads as one: a character, a byte, a word."},
      {{}, "top-k", "Only the k likeliest tokens are drawn from."},
      {{},
       "top-p",
       "Only the likeliest tokens that together have the probability p are drawn from."},
      {{}, "unit", "One of the numbers of a head that are treated alike."},
      {{}, "value", "What a token writes into a matrix memory, a vector."},
      {{}, "vocabulary", "All tokens that the model knows."},
      {{},
       "write share",
       "How much of what a memory holds came from one token, after all forgetting since."},
  };
}

const std::vector<GlossaryEntry>& symbols() {
  static const std::vector<GlossaryEntry> all = list_of_symbols();
  return all;
}
const std::vector<GlossaryEntry>& terms() {
  static const std::vector<GlossaryEntry> all = list_of_terms();
  return all;
}

}  // namespace

std::vector<GlossaryEntry> glossary(const std::vector<BlockCard>& blocks) {
  std::vector<GlossaryEntry> all = terms();
  all.insert(all.end(), symbols().begin(), symbols().end());
  std::set<std::string> seen;
  for (const BlockCard& block : blocks) {
    if (!seen.insert(block.kind).second) continue;
    for (const ValueCard& card : block.values->cards)
      all.push_back({card.symbol, card.title + " (" + block.title + ")", card.words});
  }
  return all;
}

SymbolMeaning meaning_of(const BlockCard& block, std::string_view symbol, std::string_view index) {
  if (!index.empty()) {
    for (const ValueCard& card : block.values->cards)
      if (card.symbol == symbol) return {card.title, card.words, &card};
  }
  for (const GlossaryEntry& entry : symbols())
    if (entry.symbol == symbol) return {entry.term, entry.sentence, nullptr};
  return {};
}

const GlossaryEntry* term_named(std::string_view term) {
  const auto found = std::find_if(terms().begin(), terms().end(),
                                  [&](const GlossaryEntry& entry) { return entry.term == term; });
  return found == terms().end() ? nullptr : &*found;
}

}  // namespace xlab
