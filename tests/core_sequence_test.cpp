// Sequences: going back, branching and editing compute exactly what is needed, and give exactly
// what a fresh computation gives.
#include "core/generation/sequence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "core/available_memory.hpp"
#include "core/engine/live_run.hpp"
#include "core/generation/clamped_sequence.hpp"
#include "core/generation/sampler.hpp"
#include "core/run.hpp"
#include "core/tasks/task.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;

class Sequences : public testing::Test {
 protected:
  Sequences() { sequence_.set_tokens(tokens_); }

  Sequence fresh(const std::vector<int>& tokens, std::vector<Clamp> clamps = {}) const {
    Sequence sequence(model_);
    sequence.set_tokens(tokens);
    sequence.set_clamps(std::move(clamps));
    sequence.compute_all();
    return sequence;
  }
  static Clamp clamp(int begin, int end, float value = 5.0f) {
    return {"block0/mlstm/input_gate_pre", 0, 0, begin, end, value, true};
  }
  /// Everything that can be seen of two sessions is the same, bit for bit.
  static void expect_same(const Sequence& a, const Sequence& b) {
    EXPECT_EQ(a.tokens(), b.tokens());
    ASSERT_EQ(a.computed(), b.computed());
    for (std::size_t t = 0; t < a.steps().size(); ++t) {
      EXPECT_EQ(a.steps()[t].logits, b.steps()[t].logits) << t;
      EXPECT_EQ(a.steps()[t].surprise, b.steps()[t].surprise) << t;
      const auto& x = a.steps()[t].trace->values;
      const auto& y = b.steps()[t].trace->values;
      ASSERT_EQ(x.size(), y.size());
      for (const auto& [path, value] : x) EXPECT_EQ(value.values, y.at(path).values) << path;
    }
  }

  const std::vector<int> tokens_ = some_tokens(10, 7);
  const Model model_ = filled_model(small_mixed(), DType::f32);
  Sequence sequence_{model_};
};

TEST_F(Sequences, ComputeOneTokenAtATime) {
  EXPECT_EQ(sequence_.length(), 10);
  for (int t = 0; t < 10; ++t) {
    EXPECT_EQ(sequence_.computed(), t);
    EXPECT_FALSE(sequence_.complete());
    EXPECT_TRUE(sequence_.compute_one());
    EXPECT_EQ(sequence_.trace()->length(), t + 1);
  }
  EXPECT_TRUE(sequence_.complete());
  EXPECT_FALSE(sequence_.compute_one());
  EXPECT_EQ(sequence_.computed(), 10);
}

TEST_F(Sequences, AnEmptyOneIsCompleteAndCannotBreak) {
  Sequence empty(model_);
  EXPECT_TRUE(empty.complete());
  EXPECT_FALSE(empty.compute_one());
  EXPECT_EQ(empty.trace()->length(), 0);
  EXPECT_EQ(empty.full_reason(), "");
  empty.truncate(3);
  empty.invalidate();
  empty.set_clamps({clamp(0, 5)});
  EXPECT_EQ(empty.length(), 0);
}

TEST_F(Sequences, SurpriseIsTheNegativeLogProbability) {
  sequence_.compute_all();
  EXPECT_EQ(sequence_.steps()[0].surprise, 0.0f);
  for (std::size_t t = 1; t < tokens_.size(); ++t) {
    const auto p = probabilities_of(sequence_.steps()[t - 1].logits);
    EXPECT_NEAR(sequence_.steps()[t].surprise, -std::log(p[static_cast<std::size_t>(tokens_[t])]),
                1e-6);
  }
}

TEST_F(Sequences, GoingBackKeepsWhatWasComputed) {
  sequence_.compute_all();
  const Sequence whole = sequence_;
  sequence_.truncate(6);
  EXPECT_EQ(sequence_.length(), 6);
  EXPECT_EQ(sequence_.computed(), 6);
  EXPECT_EQ(sequence_.steps()[5].after, whole.steps()[5].after) << "the state is shared";
  for (int t = 6; t < 10; ++t) sequence_.append(tokens_[static_cast<std::size_t>(t)]);
  EXPECT_EQ(sequence_.computed(), 6);
  sequence_.compute_all();
  expect_same(sequence_, whole);
  sequence_.truncate(-5);
  EXPECT_EQ(sequence_.length(), 0);
  sequence_.truncate(100);
  EXPECT_EQ(sequence_.length(), 0);
}

TEST_F(Sequences, ACopyIsABranch) {
  sequence_.compute_all();
  const Sequence whole = sequence_;
  Sequence branch = sequence_;
  branch.truncate(4);
  branch.append((tokens_[4] + 1) % 7);
  branch.compute_all();
  expect_same(sequence_, whole);
  std::vector<int> expected(tokens_.begin(), tokens_.begin() + 4);
  expected.push_back((tokens_[4] + 1) % 7);
  expect_same(branch, fresh(expected));
  for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(branch.steps()[t].after, whole.steps()[t].after);
}

TEST_F(Sequences, NewTokensKeepTheCommonBeginning) {
  sequence_.compute_all();
  std::vector<int> changed = tokens_;
  changed[7] = (changed[7] + 1) % 7;
  sequence_.set_tokens(changed);
  EXPECT_EQ(sequence_.computed(), 7);
  sequence_.compute_all();
  expect_same(sequence_, fresh(changed));

  sequence_.set_tokens({changed.begin(), changed.begin() + 3});
  EXPECT_EQ(sequence_.computed(), 3);
  sequence_.set_tokens(changed);
  EXPECT_EQ(sequence_.computed(), 3);
  sequence_.compute_all();
  sequence_.set_tokens(changed);
  EXPECT_EQ(sequence_.computed(), 10);
  changed.front() = (changed.front() + 1) % 7;
  sequence_.set_tokens(changed);
  EXPECT_EQ(sequence_.computed(), 0);
}

TEST_F(Sequences, ClampsComputeOnlyWhatTheyChange) {
  sequence_.compute_all();
  const auto after_setting = [&](std::vector<Clamp> clamps) {
    sequence_.set_clamps(clamps);
    const int kept = sequence_.computed();
    sequence_.compute_all();
    expect_same(sequence_, fresh(tokens_, clamps));
    return kept;
  };
  EXPECT_EQ(after_setting({clamp(6, 8)}), 6);
  EXPECT_EQ(after_setting({clamp(6, 8)}), 10) << "the same again";
  EXPECT_EQ(after_setting({clamp(6, 8, 1.0f)}), 6) << "another value";
  EXPECT_EQ(after_setting({clamp(6, 8, 1.0f), clamp(9, 10)}), 9) << "one more";
  EXPECT_EQ(after_setting({clamp(9, 10)}), 6) << "one less";
  Clamp off = clamp(2, 3);
  off.enabled = false;
  EXPECT_EQ(after_setting({clamp(9, 10), off}), 10) << "a disabled one has no effect";
  EXPECT_EQ(after_setting({clamp(9, 10), clamp(2, 3)}), 2) << "until it is enabled";
  EXPECT_EQ(after_setting({clamp(9, 10), off}), 2) << "and disabled again";
  EXPECT_EQ(after_setting({clamp(9, 10), clamp(50, 60)}), 10) << "beyond the end";
  EXPECT_EQ(after_setting({clamp(9, 10), clamp(-5, 1)}), 0) << "from before the beginning";
  EXPECT_EQ(after_setting({}), 0);
}

TEST_F(Sequences, RemovingClampsGivesBackTheSameBits) {
  sequence_.compute_all();
  const Sequence plain = sequence_;
  sequence_.set_clamps({clamp(3, 7)});
  sequence_.compute_all();
  EXPECT_NE(sequence_.steps()[9].logits, plain.steps()[9].logits);
  sequence_.set_clamps({});
  sequence_.compute_all();
  expect_same(sequence_, plain);
}

TEST_F(Sequences, OldStatesAreNeverWrittenTo) {
  sequence_.compute_all();
  const auto state = sequence_.steps()[4].after;
  std::vector<Tensor> copies;
  for (const CellState& cell : state->cells)
    for (const auto& [name, tensor] : cell.tensors()) copies.push_back(tensor.clone());
  sequence_.set_clamps({clamp(0, 10)});
  sequence_.compute_all();
  sequence_.truncate(5);
  sequence_.append(3);
  sequence_.compute_all();
  std::size_t at = 0;
  for (const CellState& cell : state->cells)
    for (const auto& [name, tensor] : cell.tensors())
      EXPECT_EQ(std::memcmp(tensor.raw(), copies[at++].raw(), tensor.bytes()), 0) << name;
}

TEST_F(Sequences, InvalidatingComputesEverythingAgain) {
  sequence_.compute_all();
  const Sequence before = sequence_;
  sequence_.invalidate();
  EXPECT_EQ(sequence_.computed(), 0);
  EXPECT_EQ(sequence_.trace()->length(), 0);
  sequence_.compute_all();
  expect_same(sequence_, before);
}

TEST_F(Sequences, RefusedTokensChangeNothing) {
  sequence_.compute_all();
  const Sequence before = sequence_;
  EXPECT_THROW(sequence_.set_tokens({0, 7}), Error);
  EXPECT_THROW(sequence_.set_tokens({-1}), Error);
  EXPECT_THROW(sequence_.append(7), Error);
  EXPECT_THROW(sequence_.append(-1), Error);
  expect_same(sequence_, before);
  EXPECT_THROW(sequence_.set_clamps(std::vector<Clamp>(Sequence::kMostClamps + 1)), Error);
  EXPECT_TRUE(sequence_.clamps().empty());
}

/// What a sequence really holds: states, logits and recordings.
double bytes_held(const Sequence& sequence) {
  std::size_t bytes = 0;
  for (const SequenceStep& step : sequence.steps()) {
    bytes += step.after ? step.after->bytes() : step.vectors->bytes();
    bytes += step.logits.size() * sizeof(float);
    for (const auto& [path, value] : step.trace->values)
      bytes += path.size() + value.values.size() * sizeof(float);
  }
  return static_cast<double>(bytes);
}

TEST_F(Sequences, TokensOfBeforeAlwaysHaveRoom) {
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const Model model = filled_model(spec, DType::f32);
    const KeptBytes kept = kept_bytes(model);
    const auto little = static_cast<std::size_t>(20.0 * kept.token + 8.0 * kept.matrices);
    const std::vector<int> tokens = some_tokens(70, spec.vocab_size);
    Sequence sequence(model, little), wide(model);
    EXPECT_THROW(sequence.set_tokens(tokens), Error);
    EXPECT_EQ(sequence.length(), 0);
    sequence.put_back(tokens);
    EXPECT_EQ(sequence.tokens(), tokens);
    EXPECT_EQ(sequence.most_tokens(), 70);
    EXPECT_NE(sequence.full_reason(), "");
    wide.set_tokens(tokens);
    while (sequence.compute_one())
      ASSERT_LE(sequence.bytes(), sequence.most_bytes()) << sequence.computed();
    EXPECT_LE(sequence.bytes(), sequence.least_bytes()) << "no more than they need";
    wide.compute_all();
    expect_same(sequence, wide);
    // As by a run that takes the place of another one.
    Sequence other(model, little);
    sequence.set_clamps({{"block0/mlstm/v", 0, 1, 3, 9, 0.5f, true}});
    other.take_over(sequence);
    EXPECT_EQ(other.tokens(), tokens);
    EXPECT_EQ(other.clamps(), sequence.clamps());
    EXPECT_EQ(other.most_bytes(), sequence.most_bytes());
  }
}

TEST_F(Sequences, StatesThatWereBroughtBackCountToo) {
  const int length = 2 * Sequence::kAllOfTheLast;
  const Sequence roomy = fresh(some_tokens(length, 7));
  const std::size_t before = roomy.bytes();
  roomy.state_after(20, 0);
  EXPECT_GT(roomy.bytes(), before);
  // Where there is no room they are not kept.
  const KeptBytes kept = kept_bytes(model_);
  Sequence full(model_, static_cast<std::size_t>(length * kept.token + 4.0 * kept.matrices));
  full.put_back(roomy.tokens());
  full.compute_all();
  for (const int t : {20, 21, 300, 19, 100, 480}) {
    State seen, wanted;
    seen.cells = {full.state_after(t, 2)};
    wanted.cells = {roomy.state_after(t, 2)};
    const Tensor a = seen.cells[0].get("C"), b = wanted.cells[0].get("C");
    EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0) << t;
    EXPECT_LE(full.bytes(), full.most_bytes()) << t;
  }
}

TEST_F(Sequences, FitIntoTheirMemory) {
  for (const auto& [name, spec] : small_models()) {
    SCOPED_TRACE(name);
    const Model model = filled_model(spec, DType::f32);
    EXPECT_GT(Sequence(model).most_tokens(), 10'000);
    EXPECT_EQ(Sequence(model).most_bytes(), std::size_t{1} << 30);
    const KeptBytes kept = kept_bytes(model);
    const auto memory = static_cast<std::size_t>(60.0 * kept.token + 5.0 * kept.matrices);
    Sequence sequence(model, memory);
    ASSERT_GE(sequence.most_tokens(), 20);
    ASSERT_LE(sequence.most_tokens(), 100);
    sequence.set_tokens(some_tokens(sequence.most_tokens(), spec.vocab_size));
    while (sequence.compute_one()) {
      ASSERT_LE(bytes_held(sequence), static_cast<double>(sequence.bytes()));
      ASSERT_LE(sequence.bytes(), memory) << sequence.computed();
    }
    EXPECT_GT(sequence.bytes(), memory / 2) << "no more is wasted than that";
    EXPECT_NE(sequence.full_reason(), "");
  }
}

/// Bit for bit, all of it.
void expect_same_state(const State& seen, const State& wanted) {
  ASSERT_EQ(seen.cells.size(), wanted.cells.size());
  for (std::size_t b = 0; b < wanted.cells.size(); ++b) {
    ASSERT_EQ(seen.cells[b].tensors().size(), wanted.cells[b].tensors().size());
    for (const auto& [name, tensor] : wanted.cells[b].tensors()) {
      const Tensor again = seen.cells[b].get(name);
      ASSERT_TRUE(again.defined()) << name;
      ASSERT_EQ(again.shape(), tensor.shape()) << name;
      EXPECT_EQ(std::memcmp(again.data<float>(), tensor.data<float>(), tensor.bytes()), 0)
          << "block " << b << " " << name;
    }
  }
}

TEST(Matrices, AreWrittenAgainAsTheyWere) {
  for (const auto& [name, small] : small_models()) {
    SCOPED_TRACE(name);
    // Matrices take more memory than all else only where heads are wide.
    ModelSpec spec = small;
    if (spec.mlstm) spec.mlstm->proj_factor = 24;
    if (spec.large) spec.embedding_dim = 256;
    const Model model = filled_model(spec, DType::f32);
    const std::vector<int> tokens = some_tokens(40, spec.vocab_size);
    const BlockCard card = model.cards().front();
    // What is held by hand was written, and so it is again.
    const std::vector<Clamp> clamps = {
        {card.path(card.values->cards.front().name), card.heads - 1, 0, 5, 21, 1.5f, true}};
    Sequence all(model), few(model, 1);
    const auto set = [&](Sequence& sequence) {
      sequence.set_tokens({tokens[0]});
      sequence.set_clamps(clamps);
      sequence.compute_all();
    };
    const KeptBytes kept = kept_bytes(model);
    few = Sequence(model, static_cast<std::size_t>(45.0 * kept.token + 3.0 * kept.matrices));
    set(all);
    set(few);
    for (std::size_t t = 1; t < tokens.size(); ++t) {
      for (Sequence* sequence : {&all, &few}) {
        sequence->append(tokens[t]);
        sequence->compute_all();
      }
    }
    int whole = 0;
    for (int t = 0; t < 40; ++t) {
      const auto at = static_cast<std::size_t>(t);
      ASSERT_TRUE(all.steps()[at].after) << "tokens are few, states are small";
      whole += few.steps()[at].after ? 1 : 0;
    }
    if (kept.matrices > 0.0) {
      EXPECT_LE(whole, 3);
    }
    for (const int t : {39, 38, 0, 1, 2, 17, 16, 15, 30, 3}) {
      SCOPED_TRACE(t);
      const auto at = static_cast<std::size_t>(t);
      expect_same_state(*few.state_after(t), *all.steps()[at].after);
      for (int b = spec.num_blocks; b-- > 0;) {
        State seen, wanted;
        seen.cells = {few.state_after(t, b)};
        wanted.cells = {all.steps()[at].after->cells[static_cast<std::size_t>(b)]};
        expect_same_state(seen, wanted);
      }
    }
    // Scrubbing through one block, as a person does.
    for (int t = 40; t-- > 0;) {
      State seen, wanted;
      seen.cells = {few.state_after(t, 0)};
      wanted.cells = {all.steps()[static_cast<std::size_t>(t)].after->cells[0]};
      expect_same_state(seen, wanted);
    }
    // Going on from there.
    for (Sequence* sequence : {&all, &few}) {
      sequence->truncate(22);
      sequence->append(1);
      sequence->compute_all();
    }
    EXPECT_EQ(few.steps().back().logits, all.steps().back().logits);
    expect_same_state(*few.steps().back().after, *all.steps().back().after);
  }
}

TEST(Matrices, ThatWereBroughtBackAreForgottenWithTheirToken) {
  ModelSpec spec = small_mlstm();
  spec.mlstm->proj_factor = 24;
  const Model model = filled_model(spec, DType::f32);
  const KeptBytes kept = kept_bytes(model);
  std::vector<int> tokens = some_tokens(40, spec.vocab_size);
  Sequence few(model, static_cast<std::size_t>(45.0 * kept.token + 3.0 * kept.matrices));
  few.set_tokens(tokens);
  few.compute_all();
  constexpr int kLooked = 20;
  few.state_after(kLooked, 0);
  tokens[kLooked] = (tokens[kLooked] + 1) % spec.vocab_size;
  few.set_tokens(tokens);
  few.compute_all();
  ASSERT_FALSE(few.steps()[kLooked].after) << "it has to be written again";
  Sequence all(model);
  all.set_tokens(tokens);
  all.compute_all();
  for (const int t : {kLooked, kLooked + 1, kLooked - 1}) {
    SCOPED_TRACE(t);
    State seen, wanted;
    seen.cells = {few.state_after(t, 0)};
    wanted.cells = {all.state_after(t, 0)};
    expect_same_state(seen, wanted);
  }
}

/// A model whose states take 4096 x 4096 numbers.
ModelSpec of_one_wide_head() {
  ModelSpec spec = small_mlstm();
  spec.num_blocks = 1;
  spec.embedding_dim = 64;
  spec.mlstm = MlstmSpec{.num_heads = 1, .proj_factor = 64, .round_proj_up_to_multiple_of = 64};
  return spec;
}

TEST(SequenceLimits, AFullSequenceSaysSo) {
  // Of three states there is memory, and for few tokens.
  const ModelSpec spec = of_one_wide_head();
  const Model model(spec);  // zeros will do
  const KeptBytes kept = kept_bytes(model);
  Sequence sequence(model, static_cast<std::size_t>(3.0 * kept.matrices + 9.5 * kept.token));
  const int most = sequence.most_tokens();
  ASSERT_EQ(most, 9);
  const auto tokens = [](int count) { return std::vector<int>(static_cast<std::size_t>(count)); };
  sequence.set_tokens(tokens(most - 1));
  EXPECT_EQ(sequence.full_reason(), "");
  sequence.append(1);
  EXPECT_THAT(sequence.full_reason(), HasSubstr("full"));
  EXPECT_THROW(sequence.append(1), Error);
  EXPECT_EQ(sequence.length(), most);
  EXPECT_THROW(sequence.set_tokens(tokens(most + 1)), Error);
  EXPECT_EQ(sequence.length(), most);
  sequence.truncate(most - 1);
  EXPECT_EQ(sequence.full_reason(), "");
  sequence.append(2);
}

TEST(SequenceLimits, NoMoreMemoryIsTakenThanIsFree) {
  ModelSpec spec = small_mlstm();
  spec.vocab_size = 2'000'000;
  const Model model(spec);  // zeros will do
  const auto free = static_cast<double>(available_memory());
  if (4096.0 * kept_bytes(model).token < free)
    GTEST_SKIP() << "this computer has memory for more tokens than anybody wants";
  EXPECT_LT(static_cast<double>(memory_for_going_back(model)), 0.8 * free);
}

TEST(GoingOnFarBack, LargeMatricesAreBroughtBackPieceByPieceBeforeTheyAreNeeded) {
  const ModelSpec spec = of_one_wide_head();
  const Model model(spec);  // zeros will do
  const KeptBytes kept = kept_bytes(model);
  Sequence sequence(model, static_cast<std::size_t>(3.0 * kept.matrices + 20.5 * kept.token));
  sequence.set_tokens(some_tokens(12, spec.vocab_size));
  sequence.compute_all();
  EXPECT_TRUE(sequence.ready_to_go_on());
  sequence.prepare_to_go_on();
  EXPECT_TRUE(sequence.complete()) << "there is nothing to bring back";
  sequence.truncate(7);
  EXPECT_TRUE(sequence.complete());
  ASSERT_FALSE(sequence.ready_to_go_on());
  sequence.prepare_to_go_on();
  EXPECT_FALSE(sequence.complete());
  EXPECT_TRUE(sequence.compute_one()) << "it is more than one piece";
  EXPECT_FALSE(sequence.complete());
  while (sequence.compute_one()) {
  }
  EXPECT_TRUE(sequence.complete());
  EXPECT_TRUE(sequence.ready_to_go_on());
  EXPECT_EQ(sequence.computed(), 7) << "and no token";
}

TEST(GoingOnFarBack, AStateOnItsWayIsForgottenWithItsTokens) {
  const ModelSpec spec = of_one_wide_head();
  Model model(spec);
  model.params().initialise(1);
  const KeptBytes kept = kept_bytes(model);
  Sequence sequence(model, static_cast<std::size_t>(3.0 * kept.matrices + 20.5 * kept.token));
  std::vector<int> tokens = some_tokens(12, spec.vocab_size);
  sequence.set_tokens(tokens);
  sequence.compute_all();
  sequence.truncate(7);
  sequence.prepare_to_go_on();
  ASSERT_TRUE(sequence.compute_one());
  ASSERT_FALSE(sequence.complete()) << "it is on its way, beyond the second token";
  tokens[2] = (tokens[2] + 1) % spec.vocab_size;
  tokens.resize(4);
  sequence.set_tokens(tokens);
  sequence.compute_all();
  Sequence fresh(model);
  fresh.set_tokens(tokens);
  fresh.compute_all();
  EXPECT_EQ(sequence.steps().back().logits, fresh.steps().back().logits);
  expect_same_state(*sequence.steps().back().after, *fresh.steps().back().after);
}

TEST(GoingOnFarBack, TheNextTokenWaitsForTheStateBeforeIt) {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  LiveRun run(make_run(make_task("parity"), spec));
  run.wake();
  const std::atomic<bool> stop = false;
  const auto compute = [&] {
    while (run.outstanding()) run.compute_slice(stop);
  };
  const std::vector<int> tokens = some_tokens(2 * Sequence::kAllOfTheLast, 2);
  run.show_tokens({tokens.begin(), tokens.begin() + 105});
  compute();
  EXPECT_FALSE(run.must_compute_first()) << "all is there";
  std::optional<TokensBefore> before = run.show_tokens(tokens);
  compute();
  run.exchange(*before);
  EXPECT_FALSE(run.outstanding());
  ASSERT_FALSE(run.sequence().ready_to_go_on());
  EXPECT_TRUE(run.must_compute_first());
  EXPECT_TRUE(run.outstanding());
  compute();
  EXPECT_TRUE(run.sequence().ready_to_go_on());
  EXPECT_FALSE(run.must_compute_first());
  // What could not be brought back is not asked for again and again: the step itself says why.
  run.exchange(*before);
  compute();
  run.exchange(*before);
  EXPECT_TRUE(run.must_compute_first());
  run.give_up_the_rest();
  EXPECT_FALSE(run.outstanding());
  EXPECT_FALSE(run.must_compute_first());
  run.step_forward();
  EXPECT_EQ(run.sequence().length(), 106);
  EXPECT_TRUE(run.sequence().complete());
}

// ---- the sequence on screen: an edited session and its unclamped twin ---------------------------

TEST_F(Sequences, ASequenceHasATwinWhileThereAreClamps) {
  sequence_.compute_all();
  ClampedSequence sequence(sequence_);
  const auto task = make_task("parity");
  Snapshot snapshot;
  sequence.describe(*task, snapshot);
  sequence.describe_cursor(9, 0, model_, {}, snapshot);
  EXPECT_EQ(snapshot.unclamped, nullptr);
  EXPECT_TRUE(snapshot.next->unclamped.empty());
  EXPECT_EQ(snapshot.next->kl_nats, 0.0);
  const auto plain = *snapshot.next;

  sequence.set_clamps({clamp(4, 10)});
  EXPECT_FALSE(sequence.complete());
  EXPECT_EQ(sequence.computed(), 4);
  sequence.compute_all();
  sequence.describe(*task, snapshot);
  sequence.describe_cursor(9, 0, model_, {}, snapshot);
  ASSERT_NE(snapshot.unclamped, nullptr);
  EXPECT_EQ(snapshot.unclamped->length(), 10);
  EXPECT_EQ(snapshot.next->unclamped, plain.probabilities);
  EXPECT_NE(snapshot.next->probabilities, plain.probabilities);
  double kl = 0.0;
  for (std::size_t i = 0; i < plain.probabilities.size(); ++i)
    kl += plain.probabilities[i] *
          std::log(plain.probabilities[i] / static_cast<double>(snapshot.next->probabilities[i]));
  EXPECT_NEAR(snapshot.next->kl_nats, kl, 1e-6);
  EXPECT_GT(snapshot.next->kl_nats, 0.0);

  sequence.append(2);
  sequence.compute_all();
  sequence.truncate(10);
  sequence.set_clamps({});
  EXPECT_TRUE(sequence.complete()) << "the unclamped world is known already";
  sequence.describe(*task, snapshot);
  sequence.describe_cursor(9, 0, model_, {}, snapshot);
  EXPECT_EQ(snapshot.unclamped, nullptr);
  EXPECT_EQ(snapshot.next->logits, plain.logits);
}

TEST_F(Sequences, TheMatrixMemoryIsShownWithTheOneBefore) {
  sequence_.compute_all();
  const ClampedSequence sequence(sequence_);
  const auto at = [&](int cursor, int block) {
    Snapshot snapshot;
    sequence.describe_cursor(cursor, block, model_, {}, snapshot);
    return snapshot.memory;
  };
  const auto first = at(0, 0), fourth = at(3, 2), fifth = at(4, 2);
  ASSERT_TRUE(first && fourth && fifth);
  EXPECT_EQ(first->previous, std::vector<float>(first->C.size(), 0.0f));
  EXPECT_EQ(fifth->previous, fourth->C);
  EXPECT_EQ(fifth->C.size(),
            static_cast<std::size_t>(fifth->heads * fifth->key_dim * fifth->value_dim));
  EXPECT_EQ(at(4, 1), nullptr) << "an sLSTM block has none";
  for (const int block : {-1, 3, 1 << 30}) EXPECT_EQ(at(4, block), nullptr);
  for (const int cursor : {-1, 10, 1 << 30}) EXPECT_EQ(at(cursor, 0), nullptr);
}

TEST_F(Sequences, ExpectedAnswersStandOneAhead) {
  const auto task = make_task("recall");
  const Model model = filled_model(task->default_model(), DType::f32);
  Sequence sequence(model);
  sequence.set_tokens(task->encode("a 3 b 7 a ? 3 c"));
  Snapshot snapshot;
  ClampedSequence(sequence).describe(*task, snapshot);
  const int three = task->encode("3").front();
  EXPECT_EQ(snapshot.sequence.expected, (std::vector<int>{-1, -1, -1, -1, -1, -1, three, -1, -1}));
  EXPECT_EQ(snapshot.sequence.surprise.size(), snapshot.sequence.tokens.size());
}

TEST_F(Sequences, ATwinTakesItsMemoryFromTheSequence) {
  ModelSpec spec = small_mlstm();
  spec.mlstm->proj_factor = 24;
  const Model model = filled_model(spec, DType::f32);
  const KeptBytes kept = kept_bytes(model);
  const auto memory = static_cast<std::size_t>(80.0 * kept.token + 24.0 * kept.matrices);
  const auto task = make_task("parity");
  ClampedSequence sequence{Sequence(model, memory)};
  const auto described = [&] {
    Snapshot snapshot;
    sequence.describe(*task, snapshot);
    return snapshot.sequence;
  };
  sequence.set_tokens(some_tokens(9, 7));
  sequence.compute_all();
  const SequenceStatus alone = described();
  EXPECT_EQ(alone.most_kept_bytes, memory);
  EXPECT_EQ(alone.kept_bytes, sequence.edited().bytes());
  sequence.set_clamps({clamp(4, 10)});
  while (sequence.edited().full_reason().empty()) {
    sequence.append(sequence.length() % 7);
    while (sequence.compute_one()) ASSERT_LE(described().kept_bytes, memory);
    sequence.edited().state_after(sequence.length() / 2, 0);
    ASSERT_LE(described().kept_bytes, memory);
  }
  const SequenceStatus both = described();
  EXPECT_GT(both.kept_bytes, sequence.edited().bytes() + memory / 4) << "both are told";
  EXPECT_LE(both.most_kept_bytes, memory);
  EXPECT_LE(2.0 * both.most_tokens * kept.token, static_cast<double>(memory));
  EXPECT_GT(4.0 * both.most_tokens * kept.token, static_cast<double>(memory)) << "nor half of it";
  // Without clamps all of it is there again; and with them nothing of a long text is refused.
  sequence.set_clamps({});
  EXPECT_EQ(described().most_kept_bytes, memory);
  EXPECT_EQ(described().most_tokens, alone.most_tokens);
  while (sequence.edited().full_reason().empty()) sequence.append(1);
  EXPECT_EQ(sequence.length(), alone.most_tokens);
  sequence.set_clamps({clamp(4, 10)});
  EXPECT_EQ(sequence.length(), alone.most_tokens);
  EXPECT_NE(described().full_reason, "");
}

/// A run whose sequence may take memory for so many tokens, and what it shows.
struct SmallRoom {
  explicit SmallRoom(int tokens) {
    RunSpec spec;
    spec.model = small_mixed();
    spec.model->vocab_size = 0;
    spec.train = TrainSpec{.batch_size = 2, .sequence_length = 8, .warmup_steps = 2};
    auto made = make_run(make_task("parity"), spec);
    const KeptBytes kept = kept_bytes(*made->model);
    memory = static_cast<std::size_t>(tokens * kept.token + 3.0 * kept.matrices);
    made->sequence = std::make_unique<Sequence>(*made->model, memory);
    run.emplace(std::move(made));
    run->wake();
  }
  void compute() {
    while (run->outstanding()) {
      run->compute_slice(stop);
      expect_room();
    }
  }
  void expect_room() {
    Snapshot snapshot;
    run->describe(snapshot);
    EXPECT_LE(snapshot.sequence.kept_bytes, memory);
    most = std::max(most, snapshot.sequence.kept_bytes);
  }
  std::size_t memory = 0, most = 0;
  const std::atomic<bool> stop = false;
  std::optional<LiveRun> run;
};

TEST(Refreshing, TakesNoMoreMemoryThanThereIs) {
  for (const int length : {300, 700}) {
    SCOPED_TRACE(length);
    SmallRoom room(1000);
    LiveRun& run = *room.run;
    run.show_tokens(some_tokens(length, 2));
    room.compute();
    room.most = 0;
    for (int step = 0; step < 3; ++step) run.run().train_step();
    run.note_training();
    const std::vector<float> old = run.sequence().steps().back().logits;
    const std::atomic<bool> at_once = true;
    run.refresh_if_due(at_once);
    EXPECT_EQ(run.refreshing(), length == 300) << "beside what is shown";
    if (run.refreshing()) {
      Snapshot both;
      run.describe(both);
      EXPECT_GE(both.sequence.kept_bytes, run.sequence().bytes()) << "what is shown counts too";
    }
    EXPECT_EQ(run.outstanding(), length == 700) << "in its place";
    while (run.stale() || run.outstanding()) {
      run.refresh_if_due(room.stop);
      room.expect_room();
      room.compute();
    }
    EXPECT_EQ(run.sequence().length(), length);
    ASSERT_TRUE(run.sequence().complete());
    EXPECT_NE(run.sequence().steps().back().logits, old);
    Sequence wanted(*run.run().model);
    wanted.set_tokens(run.sequence().tokens());
    wanted.compute_all();
    EXPECT_EQ(run.sequence().steps().back().logits, wanted.steps().back().logits);
    EXPECT_EQ(run.sequence().most_bytes(), room.memory) << "it stands alone again";
    EXPECT_GT(room.most, room.memory / 4);
  }
}

TEST(Refreshing, CountsTheUnclampedTwinToo) {
  // Of the edited sequence alone there would be room for two.
  constexpr int kLength = 280;
  SmallRoom room(1000);
  LiveRun& run = *room.run;
  run.show_tokens(some_tokens(kLength, 2));
  run.set_clamps({{"block0/mlstm/input_gate_pre", 0, 0, 100, 200, 5.0f, true}});
  room.compute();
  run.run().train_step();
  run.note_training();
  run.refresh_if_due(room.stop);
  EXPECT_FALSE(run.refreshing());
  EXPECT_TRUE(run.outstanding()) << "in its place";
  while (run.stale() || run.outstanding()) {
    run.refresh_if_due(room.stop);
    room.expect_room();
    room.compute();
  }
  EXPECT_EQ(run.sequence().length(), kLength);
  EXPECT_TRUE(run.sequence().complete());
}

TEST(Refreshing, InItsPlaceLeavesTimeForTrainingToo) {
  SmallRoom room(1000);
  LiveRun& run = *room.run;
  run.show_tokens(some_tokens(700, 2));
  room.compute();
  run.state = TrainState::running;
  run.run().train_step();
  run.note_training();
  const auto begun = LiveRun::Clock::now();
  run.refresh_if_due(room.stop);
  ASSERT_TRUE(run.outstanding());
  room.compute();
  EXPECT_GE(run.refresh_due(), begun + std::chrono::milliseconds(100));
}

TEST_F(Sequences, AnAnswerIsJudgedByTheModelsOwnChoice) {
  // In parity the token that comes next is a bit and never the answer.
  const auto task = make_task("parity");
  const Model model = filled_model(task->default_model(), DType::f32);
  Sequence sequence(model);
  sequence.set_tokens(task->encode("1 0 1 1 odd"));
  const auto described = [&] {
    Snapshot snapshot;
    ClampedSequence(sequence).describe(*task, snapshot);
    return snapshot.sequence;
  };
  // Nothing is computed yet: nothing is known.
  EXPECT_EQ(described().top_choice, (std::vector<int>(6, -1)));
  EXPECT_EQ(described().answer_surprise, (std::vector<float>(6, 0.0f)));
  sequence.compute_all();
  const SequenceStatus seen = described();
  const int even = 2, odd = 3;
  ASSERT_EQ(seen.expected, (std::vector<int>{-1, odd, odd, even, odd, -1}));
  ASSERT_EQ(seen.top_choice.size(), 6u);
  ASSERT_EQ(seen.answer_surprise.size(), 6u);
  EXPECT_EQ(seen.top_choice[0], -1);
  for (std::size_t t = 0; t < 5; ++t) {
    const std::vector<float>& logits = sequence.steps()[t].logits;
    EXPECT_EQ(seen.top_choice[t + 1],
              std::max_element(logits.begin(), logits.end()) - logits.begin());
    const int answer = seen.expected[t + 1];
    const float wanted =
        answer < 0 ? 0.0f : -std::log(probabilities_of(logits)[static_cast<std::size_t>(answer)]);
    EXPECT_NEAR(seen.answer_surprise[t + 1], wanted, 1e-5) << t;
  }
  // The bit that came is another question.
  EXPECT_NE(seen.answer_surprise[3], seen.surprise[3]);
}

TEST_F(Sequences, NumbersThatAreNoneAreNoAnswer) {
  const auto task = make_task("copy");
  Model model = filled_model(task->default_model(), DType::f32);
  const Tensor head = model.params()[model.params().find("lm_head.weight")].value;
  head.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  Sequence sequence(model);
  sequence.set_tokens(task->encode("a b | a b"));
  sequence.compute_all();
  Snapshot snapshot;
  ClampedSequence(sequence).describe(*task, snapshot);
  EXPECT_EQ(snapshot.sequence.top_choice, (std::vector<int>(6, -1)));
  EXPECT_EQ(snapshot.sequence.expected[3], task->encode("a").front());
  EXPECT_TRUE(std::isnan(snapshot.sequence.answer_surprise[3]));
  EXPECT_EQ(snapshot.sequence.answer_surprise[1], 0.0f) << "nothing is asked there";
}

TEST_F(Sequences, OlderStatesAreComputedAgainWhenTheyAreAskedFor) {
  const int length = 2 * Sequence::kAllOfTheLast + 100;
  const std::vector<int> tokens = some_tokens(length, 7);
  const Clamp held = clamp(30, 500);
  const Sequence sequence = fresh(tokens, {held});
  ASSERT_EQ(sequence.computed(), length);
  int kept = 0;
  for (int t = 0; t < length; ++t)
    kept += sequence.steps()[static_cast<std::size_t>(t)].after ? 1 : 0;
  EXPECT_LE(kept,
            Sequence::kAllOfTheLast + (length - Sequence::kAllOfTheLast) / Sequence::kKeptEvery);
  EXPECT_GE(kept, Sequence::kAllOfTheLast);
  // In any order, the states are those of a session that has just got there.
  const auto expect_state = [&](int t) {
    const Sequence there = fresh({tokens.begin(), tokens.begin() + t + 1}, {held});
    const auto wanted = there.steps().back().after, seen = sequence.state_after(t);
    EXPECT_TRUE(sequence.has_state(t));
    ASSERT_EQ(seen->cells.size(), wanted->cells.size());
    for (std::size_t b = 0; b < wanted->cells.size(); ++b) {
      for (const char* name : {"C", "n", "m", "c", "y"}) {
        const Tensor a = seen->cells[b].get(name), c = wanted->cells[b].get(name);
        ASSERT_EQ(a.defined(), c.defined()) << name;
        if (!a.defined()) continue;
        EXPECT_EQ(std::memcmp(a.data<float>(), c.data<float>(), a.bytes()), 0) << t << " " << name;
      }
    }
  };
  for (const int t : {length - 1, 0, 14, 15, 16, 17, 100, 99, 98, 112, 111, 40, 41, 300}) {
    SCOPED_TRACE(t);
    expect_state(t);
  }
}

TEST_F(Sequences, GoingBackFarComputesOnlyWhatIsMissing) {
  const int length = 2 * Sequence::kAllOfTheLast;
  std::vector<int> tokens = some_tokens(length, 7);
  Sequence sequence = fresh(tokens);
  sequence.truncate(104);
  tokens.resize(104);
  EXPECT_EQ(sequence.computed(), 104);
  sequence.append(3);
  tokens.push_back(3);
  EXPECT_TRUE(sequence.compute_one());
  expect_same(sequence, fresh(tokens));
  // Held values change what comes after them, wherever they begin.
  sequence.set_clamps({clamp(50, 60)});
  EXPECT_EQ(sequence.computed(), 50);
  sequence.compute_all();
  expect_same(sequence, fresh(tokens, {clamp(50, 60)}));
}

TEST_F(Sequences, TheMatrixMemoryOfOldTokensIsThatOfOnesJustWritten) {
  const int length = 2 * Sequence::kAllOfTheLast;
  const std::vector<int> tokens = some_tokens(length, 7);
  const ClampedSequence sequence(fresh(tokens));
  Snapshot snapshot;
  sequence.describe_cursor(40, 2, model_, {}, snapshot);
  Snapshot wanted;
  ClampedSequence(fresh({tokens.begin(), tokens.begin() + 41}))
      .describe_cursor(40, 2, model_, {}, wanted);
  EXPECT_EQ(snapshot.memory->C, wanted.memory->C);
  EXPECT_EQ(snapshot.memory->previous, wanted.memory->previous);
  // Other weights change nothing of what was written.
  Model model = filled_model(small_mixed(), DType::f32);
  Sequence trained(model);
  trained.set_tokens(tokens);
  trained.compute_all();
  model.params().initialise(77);
  ClampedSequence(trained).describe_cursor(40, 2, model, {}, snapshot);
  EXPECT_EQ(snapshot.memory->C, wanted.memory->C);
  // With other equations it cannot be told what a token wrote: what was shown stays, or goes.
  const auto shown = snapshot.memory;
  CellVariant variant = model.cards()[2].variant;
  variant.stabilizer = false;
  model.set_variant("mlstm", variant);
  ClampedSequence(trained).describe_cursor(40, 2, model, {}, snapshot);
  EXPECT_EQ(snapshot.memory, shown);
  ClampedSequence(trained).describe_cursor(40, 0, model, {}, snapshot);
  EXPECT_EQ(snapshot.memory, nullptr) << "that of another block goes";
  snapshot.memory = shown;
  ClampedSequence(trained).describe_cursor(41, 2, model, {}, snapshot);
  EXPECT_EQ(snapshot.memory, nullptr);
}

TEST_F(Sequences, ATextHasChoicesAndNoAnswers) {
  const auto task = make_text_task(text_from_bytes(
      std::as_bytes(std::span(std::string_view("to be or not to be"))), "text", nullptr));
  const Model model = filled_model(task->default_model(), DType::f32);
  Sequence sequence(model);
  sequence.set_tokens(task->encode("to be"));
  sequence.compute_all();
  Snapshot snapshot;
  ClampedSequence(sequence).describe(*task, snapshot);
  EXPECT_TRUE(snapshot.sequence.expected.empty());
  EXPECT_TRUE(snapshot.sequence.answer_surprise.empty());
  ASSERT_EQ(snapshot.sequence.top_choice.size(), 6u);
  EXPECT_EQ(snapshot.sequence.top_choice[5], sequence.steps()[4].top_choice);
  EXPECT_GE(snapshot.sequence.top_choice[5], 0);
}

}  // namespace
}  // namespace xlab::tests
