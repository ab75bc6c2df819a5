// The glossary has every symbol that stands in an equation, each once, and a block says exactly
// which equations it has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/equations/formula.hpp"
#include "core/equations/glossary.hpp"
#include "core/equations/variant_words.hpp"
#include "tests/every_equation.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Every symbol, function and sign of a formula, with its index.
void symbols_of(const Formula& f, std::set<std::pair<std::string, std::string>>& symbols) {
  if (f.sign == Sign::symbol) symbols.insert({f.text, f.index});
  if (f.sign == Sign::call || f.sign == Sign::of) symbols.insert({f.text, ""});
  if (f.sign == Sign::transposed) symbols.insert({"ᵀ", ""});
  if (f.sign == Sign::scalar_product) symbols.insert({"⟨", ""});
  if (f.sign == Sign::root) symbols.insert({"√", ""});
  for (const Formula& part : f.parts) symbols_of(part, symbols);
}

TEST(Glossary, KnowsEverySymbolOfEveryEquation) {
  for (const char* prefix : {"b/mlstm", "b/mlstm_large", "b/slstm", "b/lstm"}) {
    for (const CellVariant& variant : all_variants()) {
      const BlockCard block = block_of(std::string(prefix) + "/x", variant);
      for (const ValueCard& card : block.values->cards) {
        std::set<std::pair<std::string, std::string>> symbols;
        symbols_of(formula_of(card.equation), symbols);
        for (const auto& [symbol, index] : symbols) {
          const SymbolMeaning meaning = meaning_of(block, symbol, index);
          EXPECT_FALSE(meaning.term.empty()) << symbol << " of " << prefix << ": " << card.equation;
          ASSERT_FALSE(meaning.sentence.empty()) << symbol;
          EXPECT_EQ(meaning.sentence.back(), '.') << symbol;
        }
      }
    }
  }
}

TEST(Glossary, TellsACellFromACap) {
  const BlockCard block = block_of("b/slstm/x");
  EXPECT_EQ(meaning_of(block, "c", "t").term, "cell");
  EXPECT_EQ(meaning_of(block, "c", "t").value, block.values->find("c"));
  EXPECT_EQ(meaning_of(block, "c", "").term, "soft cap");
  EXPECT_EQ(meaning_of(block, "m", "t−1").value, block.values->find("m"));
  EXPECT_EQ(meaning_of(block, "q", "t").term, "") << "an sLSTM has no queries";
}

TEST(Glossary, HasEveryTermOnceAndTheValuesOfTheBlocks) {
  const Played sequence = played("mixed", small_mixed());
  std::set<std::string> seen;
  const std::vector<GlossaryEntry> all = glossary(sequence.blocks);
  for (const GlossaryEntry& entry : all) {
    EXPECT_TRUE(seen.insert(entry.symbol + " " + entry.term).second) << entry.term;
    ASSERT_FALSE(entry.term.empty() || entry.sentence.empty());
    EXPECT_EQ(entry.sentence.back(), '.') << entry.term;
  }
  for (const char* term :
       {"half-life", "stabilizer", "residual stream", "KL divergence", "logit", "temperature",
        "top-k", "top-p", "effective rank", "surprise", "nats", "floor", "head", "unit", "block"}) {
    EXPECT_TRUE(seen.contains(std::string(" ") + term)) << term;
    ASSERT_NE(term_named(term), nullptr);
    EXPECT_EQ(term_named(term)->term, term);
  }
  EXPECT_EQ(term_named("nothing"), nullptr);
  // Three blocks of two kinds: each kind once, with the words of its cards.
  const std::size_t values =
      sequence.blocks[0].values->cards.size() + sequence.blocks[1].values->cards.size();
  EXPECT_EQ(all.size(), glossary({}).size() + values);
  EXPECT_EQ(all.back().sentence, sequence.blocks[1].values->cards.back().words);
  EXPECT_THAT(all.back().term, HasSubstr("(sLSTM)"));
}

TEST(VariantWords, NameWhatIsOtherwiseFirst) {
  BlockCard block = block_of("b/mlstm/x");
  block.title = "mLSTM";
  EXPECT_EQ(variant_words(block),
            "mLSTM as in the official program: input gate exp(i), forget gate σ(f), stabilizer on, "
            "divided by N, floor exp(−m), keys scaled by 1/√K, ε = 1e−6");
  CellVariant variant;
  variant.forget_gate = ForgetGate::exponential;
  variant.gate_soft_cap = 15.0;
  variant.number_format = NumberFormat::bf16;
  set_variant(block, variant);
  EXPECT_EQ(variant_words(block),
            "mLSTM, other than in the official program: forget gate exp(f), gates capped at 15, "
            "rounded to bf16; as there: input gate exp(i), stabilizer on, divided by N, floor "
            "exp(−m), keys scaled by 1/√K, ε = 1e−6");
  // What changes nothing is not named: nothing is divided, so nothing is added.
  variant = {};
  variant.normalizer = false;
  set_variant(block, variant);
  EXPECT_THAT(variant_words(block), Not(HasSubstr("ε")));
  EXPECT_THAT(variant_words(block), HasSubstr("official program: not divided by N; as there: "));
  // Without the stabilizer its floor is 1, whatever was chosen.
  variant = {};
  variant.stabilizer = false;
  set_variant(block, variant);
  EXPECT_THAT(variant_words(block), HasSubstr("no stabilizer, floor 1; as there"));
  // A cap that the family has always is said too, and one that is missing is named as missing.
  BlockCard large = block_of("b/mlstm_large/x");
  large.title = "mLSTM";
  large.usual = large.variant = LargeSpec::reference_variant();
  EXPECT_THAT(variant_words(large),
              HasSubstr("queries scaled by 1/√K, ε = 1e−6, gates capped at 15"));
  large.variant.gate_soft_cap = 0.0;
  EXPECT_THAT(variant_words(large), HasSubstr("other than in the official program: no cap;"));
  BlockCard lstm = block_of("b/lstm/x");
  lstm.title = "LSTM";
  EXPECT_EQ(variant_words(lstm), "LSTM as in the official program");
}

}  // namespace
}  // namespace xlab::tests
