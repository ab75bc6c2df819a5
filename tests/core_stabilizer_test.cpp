// What the stabilizer does, read from recordings: held against the models that were recorded, run
// with it and without it, in every number format.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/stabilizer.hpp"
#include "core/analysis/stabilizer_replay.hpp"
#include "core/generation/sequence.hpp"
#include "kernels/check.hpp"
#include "tests/scenes.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr NumberFormat kFormats[] = {NumberFormat::fp64, NumberFormat::fp32, NumberFormat::bf16,
                                     NumberFormat::fp16};

/// A small model that has read some tokens.
struct Read {
  std::vector<BlockCard> blocks;
  std::shared_ptr<const Trace> trace;
};

Clamp held(const BlockCard& block, const char* value, int head, int unit, int step, float at) {
  return {block.path(value), head, unit, step, step + 1, at};
}

Read read_by(const ModelSpec& spec, bool stabilizer, NumberFormat format,
             const std::vector<Clamp>& clamps = {}) {
  Model model = filled_model(spec, DType::f32, 3);
  for (const BlockCard& block : model.cards()) {
    CellVariant variant = block.variant;
    variant.stabilizer = stabilizer;
    variant.number_format = format;
    model.set_variant(block.kind, variant);
  }
  Sequence sequence(model);
  sequence.set_tokens(some_tokens(14, 7));
  sequence.set_clamps(clamps);
  sequence.compute_all();
  return {model.cards(), sequence.trace()};
}

CellReplay replayed(const Read& read, const BlockCard& block, ScalePlace place,
                    const ReplayOptions& options) {
  CellReplay replay{.options = options, .place = place};
  extend(replay, *read.trace, block);
  return replay;
}

/// The same for what a model does: between two tokens its memory lies in tensors of float32.
CellReplay replayed_between_tensors(const Read& read, const BlockCard& block, ScalePlace place,
                                    const ReplayOptions& options) {
  CellReplay replay{.options = options, .place = place};
  const auto to_float = [](double& x) { x = static_cast<double>(static_cast<float>(x)); };
  for (int length = 1; length <= read.trace->length(); ++length) {
    Trace part;
    part.steps.assign(read.trace->steps.begin(), read.trace->steps.begin() + length);
    extend(replay, part, block);
    std::for_each(replay.C.begin(), replay.C.end(), to_float);
    std::for_each(replay.n.begin(), replay.n.end(), to_float);
    to_float(replay.m);
  }
  return replay;
}

float number(const Read& read, const BlockCard& block, const char* value, int step, int head,
             int unit) {
  const Recorded* recorded = read.trace->find(step, block.path(value));
  return recorded ? recorded->at(head, recorded->dim > 1 ? unit : 0) : kNan;
}

std::vector<std::pair<std::string, ModelSpec>> cells() {
  ModelSpec exponential = small_mixed();
  exponential.mlstm->variant.forget_gate = exponential.slstm->variant.forget_gate =
      ForgetGate::exponential;
  ModelSpec one = small_mlstm();
  one.mlstm->variant.denominator_floor = DenominatorFloor::one;
  one.mlstm->variant.scale = Scaled::queries;
  ModelSpec undivided = small_mlstm();
  undivided.mlstm->variant.normalizer = false;
  ModelSpec capped = small_mixed();
  capped.mlstm->variant.gate_soft_cap = capped.slstm->variant.gate_soft_cap = 2.0;
  return {{"mixed", small_mixed()},     {"large", small_large()},
          {"exponential", exponential}, {"one", one},
          {"undivided", undivided},     {"capped", capped}};
}

TEST(Stabilizer, IsTheLargerOfItsTwoArguments) {
  for (const auto& [name, spec] : cells()) {
    // The large family's input gates begin nearly closed: one is opened.
    std::vector<Clamp> clamps;
    for (const BlockCard& block : Model(spec).cards())
      clamps.push_back(held(block, "input_gate_pre", block.heads - 1,
                            block.scan == Scan::slstm ? block.value_dim - 1 : 0, 6, 1.5f));
    const Read read = read_by(spec, true, NumberFormat::native, clamps);
    bool input = false, decayed = false;
    for (const BlockCard& block : read.blocks) {
      ASSERT_EQ(why_no_stabilizer(block), "") << name;
      const ScalePlace place{block.heads - 1, block.scan == Scan::slstm ? block.value_dim - 1 : 0};
      const std::vector<ScaleStep> steps = scale_steps(*read.trace, block, place);
      ASSERT_EQ(static_cast<int>(steps.size()), read.trace->length());
      for (int t = 0; t < read.trace->length(); ++t) {
        SCOPED_TRACE(fmt::format("{} {} t = {}", name, block.prefix, t));
        const ScaleStep& step = steps[static_cast<std::size_t>(t)];
        const auto seen = [&](const char* value) {
          return number(read, block, value, t, place.head, place.unit);
        };
        EXPECT_EQ(step.input, seen("input_gate_pre"));
        EXPECT_NEAR(step.m, seen("m"), 1e-6 * (1 + std::abs(step.m)));
        EXPECT_NEAR(std::exp(step.input_exponent()), seen("input_gate"), 1e-5);
        EXPECT_NEAR(std::exp(step.decayed_exponent()), seen("forget_gate"), 1e-5);
        EXPECT_LE(step.input_exponent(), 0.0);
        EXPECT_LE(step.decayed_exponent(), 0.0);
        EXPECT_EQ(std::max(step.input_exponent(), step.decayed_exponent()), 0.0);
        const bool first = t == 0 && (block.scan == Scan::slstm ||
                                      block.variant.forget_gate == ForgetGate::exponential);
        const ScaleWinner winner = first                       ? ScaleWinner::first
                                   : step.input > step.decayed ? ScaleWinner::input
                                                               : ScaleWinner::decayed;
        EXPECT_EQ(step.winner, winner);
        if (first) {
          EXPECT_EQ(step.decayed, -std::numeric_limits<double>::infinity());
        } else {
          const double before = t > 0 ? steps[static_cast<std::size_t>(t - 1)].m : 0.0;
          EXPECT_DOUBLE_EQ(step.decayed, step.log_keep + before);
        }
        input |= step.winner == ScaleWinner::input;
        decayed |= step.winner == ScaleWinner::decayed;
      }
    }
    EXPECT_TRUE(input && decayed) << name << ": both win somewhere, or nothing was tried";
  }
}

TEST(Stabilizer, GoesOnWhereItEnded) {
  const Read read = read_by(small_mixed(), true, NumberFormat::native);
  for (const BlockCard& block : read.blocks) {
    const auto whole = scale_steps(*read.trace, block, {1, 1});
    std::vector<ScaleStep> pieces;
    EXPECT_TRUE(extend(pieces, *read.trace, block, {1, 1}, 1));
    EXPECT_TRUE(extend(pieces, *read.trace, block, {1, 1}, 5));
    EXPECT_EQ(pieces.size(), 6u);
    EXPECT_FALSE(extend(pieces, *read.trace, block, {1, 1}, 100));
    ASSERT_EQ(pieces.size(), whole.size());
    for (std::size_t t = 0; t < whole.size(); ++t) {
      EXPECT_EQ(pieces[t].m, whole[t].m) << block.prefix << " t = " << t;
      EXPECT_EQ(pieces[t].winner, whole[t].winner);
    }
  }
}

TEST(Stabilizer, IsWhatItWouldBeWhereItIsOff) {
  // The first block reads the same in both: its pre-activations do not depend on its own h.
  const Read on = read_by(small_mlstm(), true, NumberFormat::native);
  const Read off = read_by(small_mlstm(), false, NumberFormat::native);
  const auto with = scale_steps(*on.trace, on.blocks[0], {1, 0});
  const auto without = scale_steps(*off.trace, off.blocks[0], {1, 0});
  for (std::size_t t = 0; t < with.size(); ++t) {
    EXPECT_EQ(with[t].m, without[t].m);
    EXPECT_EQ(number(off, off.blocks[0], "m", static_cast<int>(t), 1, 0), 0.0f);
  }
}

TEST(Stabilizer, IsMissingInCellsWithoutExponentials) {
  ModelSpec sigmoid = small_mlstm();
  sigmoid.mlstm->variant.input_gate = InputGate::sigmoid;
  ModelSpec lstm = small_slstm();
  lstm.slstm->memory = kernels::ScalarMemory::lstm;
  for (const ModelSpec& spec : {sigmoid, lstm}) {
    const Read read = read_by(spec, true, NumberFormat::native);
    const BlockCard& block = read.blocks.front();
    EXPECT_TRUE(why_no_stabilizer(block).starts_with("This cell has no m: ")) << block.kind;
    for (const ScaleStep& step : scale_steps(*read.trace, block, {})) {
      EXPECT_TRUE(std::isnan(step.m));
      EXPECT_EQ(step.winner, ScaleWinner::none);
    }
    EXPECT_TRUE(replayed(read, block, {}, {}).steps.empty());
  }
}

/// Every bit is the same, or neither is a number.
bool same(double replayed, float recorded) {
  const auto narrow = static_cast<float>(replayed);
  return narrow == recorded || (std::isnan(narrow) && std::isnan(recorded));
}

/// The replay gives the model's own h at every step, head and unit, with the stabilizer and without
/// it, bit for bit; in fp64 as soon as the memory is rounded between two tokens as the model's is.
/// Only the sLSTM's pre-activations are known in fp64 to its scan and in float32 to the recording:
/// there h differs by their last digits.
TEST(StabilizerReplay, IsTheModelInThatFormat) {
  for (const auto& [name, spec] : cells()) {
    for (const NumberFormat format : kFormats) {
      for (const bool stabilizer : {true, false}) {
        // Something large, so that formats differ.
        const std::vector<BlockCard> cards = Model(spec).cards();
        std::vector<Clamp> clamps;
        for (const BlockCard& block : cards)
          clamps.push_back(
              held(block, "input_gate_pre", 0, 0, 5,
                   spec.mlstm && spec.mlstm->variant.gate_soft_cap > 0.0 ? 1.9f : 7.5f));
        const Read read = read_by(spec, stabilizer, format, clamps);
        int compared = 0;
        for (const BlockCard& block : read.blocks) {
          for (int head = 0; head < block.heads; ++head) {
            for (int unit = 0; unit < block.value_dim; ++unit) {
              const ScalePlace place{head, unit};
              const CellReplay replay =
                  replayed_between_tensors(read, block, place, {format, stabilizer});
              const CellReplay whole = replayed(read, block, place, {format, stabilizer});
              ASSERT_EQ(static_cast<int>(replay.steps.size()), read.trace->length());
              for (int t = 0; t < read.trace->length(); ++t) {
                SCOPED_TRACE(fmt::format("{} {} {} m {}: t = {}, head {}, unit {}", name,
                                         block.prefix, name_of(format), stabilizer, t, head, unit));
                const ReplayStep& step = replay.steps[static_cast<std::size_t>(t)];
                const auto seen = [&](const char* value) {
                  return number(read, block, value, t, head, unit);
                };
                const bool rounded_inputs =
                    format == NumberFormat::fp64 && block.scan == Scan::slstm;
                const auto compare = [&](double replayed, const char* value) {
                  if (rounded_inputs) {
                    EXPECT_NEAR(replayed, seen(value), 1e-5 * std::abs(replayed) + 1e-7) << value;
                  } else {
                    EXPECT_TRUE(same(replayed, seen(value))) << value << ": " << replayed;
                  }
                };
                compare(step.h, "h");
                compare(step.input_gate, "input_gate");
                compare(step.forget_gate, "forget_gate");
                compare(step.m, "m");
                if (block.scan == Scan::mlstm) {
                  compare(step.overlap, "s");
                } else {
                  compare(step.memory, "c");
                  compare(step.normalizer, "n");
                }
                const double kept = whole.steps[static_cast<std::size_t>(t)].h;
                if (format == NumberFormat::fp64) {
                  EXPECT_NEAR(kept, step.h, 2e-5 * std::abs(step.h) + 2e-6);
                } else {
                  EXPECT_TRUE(kept == step.h || (std::isnan(kept) && std::isnan(step.h)));
                }
                ++compared;
              }
            }
          }
        }
        EXPECT_GT(compared, 200) << name;
      }
    }
  }
}

TEST(StabilizerReplay, GoesOnWhereItEnded) {
  const Read read = read_by(small_mixed(), true, NumberFormat::native);
  for (const BlockCard& block : read.blocks) {
    for (const bool stabilizer : {true, false}) {
      const CellReplay whole = replayed(read, block, {1, 2}, {NumberFormat::bf16, stabilizer});
      CellReplay pieces{.options = whole.options, .place = whole.place};
      for (const std::size_t length : {1u, 2u, 9u, 14u}) {
        Trace part;
        part.steps.assign(read.trace->steps.begin(),
                          read.trace->steps.begin() + static_cast<std::ptrdiff_t>(length));
        extend(pieces, part, block);
        EXPECT_EQ(pieces.steps.size(), length);
        EXPECT_EQ(extend(pieces, *read.trace, block, 0), length < 14u);
      }
      for (std::size_t t = 0; t < whole.steps.size(); ++t) {
        EXPECT_EQ(whole.steps[t].h, pieces.steps[t].h) << block.prefix << " t = " << t;
        EXPECT_EQ(whole.steps[t].memory, pieces.steps[t].memory);
      }
    }
  }
}

/// Where exp(i) overflows: the largest input gate pre-activation that is still a number, found by
/// holding one by hand in the model itself.
TEST(StabilizerReplay, FindsWhereTheExponentialOverflows) {
  struct Fact {
    NumberFormat format;
    float finite, infinite;  ///< neighbours in the format, on either side of log(largest)
  };
  const Fact facts[] = {{NumberFormat::fp64, 709.78f, 709.79f},
                        {NumberFormat::fp32, 88.7228f, 88.7229f},
                        {NumberFormat::bf16, 88.5f, 89.0f},
                        {NumberFormat::fp16, 11.0859375f, 11.09375f}};
  for (const ModelSpec& spec : {small_mlstm(), small_slstm(), small_large()}) {
    ModelSpec free = spec;
    if (free.large) free.large->variant.gate_soft_cap = 0.0;
    const BlockCard first = Model(free).cards().front();
    for (const Fact& fact : facts) {
      for (const float at : {fact.finite, fact.infinite}) {
        const std::vector<Clamp> clamps = {
            held(first, "input_gate_pre", 1,
                 1 % first.numbers(first.values->find("input_gate_pre")->extent), 4, at)};
        const Read read = read_by(free, false, fact.format, clamps);
        const BlockCard& block = read.blocks.front();
        SCOPED_TRACE(fmt::format("{} {} at {}", block.prefix, name_of(fact.format), at));
        const CellReplay plain = replayed(read, block, {1, 1}, {fact.format, false});
        const bool over = at == fact.infinite;
        EXPECT_EQ(std::isinf(plain.steps[4].input_gate), over);
        if (over) {
          ASSERT_TRUE(plain.bad);
          EXPECT_EQ(*plain.bad, (BadNumber{4, CellQuantity::input_gate,
                                           std::numeric_limits<double>::infinity()}));
          EXPECT_FALSE(std::isfinite(number(read, block, "h", 4, 1, 1))) << "in the model too";
        }
        // The model's own fp64 keeps its memory between tokens in float32: exp(709) is beyond it.
        if (fact.format != NumberFormat::fp64) {
          EXPECT_EQ(std::isinf(number(read, block, "input_gate", 4, 1, 1)), over);
        }
        // With the stabilizer nothing happens, until the head's own h mixes into what comes in.
        const CellReplay stabilised = replayed(read, block, {1, 1}, {fact.format, true});
        // (The model's fp64 holds exp(709) within a token, and loses it before the next.)
        const bool dies = over || fact.format == NumberFormat::fp64;
        const bool mixes = dies && block.scan == Scan::slstm;
        EXPECT_EQ(stabilised.bad.has_value(), mixes);
        if (mixes) {
          EXPECT_EQ(stabilised.bad->step, over ? 5 : 6);
          EXPECT_EQ(stabilised.bad->what, CellQuantity::given);
        }
        EXPECT_LE(stabilised.steps[4].input_gate, 1.0);
      }
    }
  }
  // 88.7 and 11.09: the logarithms of the largest numbers, as lessons have them.
  EXPECT_NEAR(std::log(limits_of(NumberFormat::fp32).largest), 88.72, 0.005);
  EXPECT_NEAR(std::log(limits_of(NumberFormat::bf16).largest), 88.72, 0.005);
  EXPECT_NEAR(std::log(limits_of(NumberFormat::fp16).largest), 11.09, 0.005);
  EXPECT_NEAR(std::log(limits_of(NumberFormat::fp64).largest), 709.78, 0.005);
}

/// A cell of one head with one key, value and unit, all of whose inputs are given.
struct ByHand {
  Trace trace;
  BlockCard block;

  ByHand(Scan scan, const std::vector<float>& i, const std::vector<float>& f,
         const std::vector<float>& z) {
    block.scan = scan;
    block.heads = block.key_dim = block.value_dim = 1;
    block.prefix = "b";
    for (std::size_t t = 0; t < i.size(); ++t) {
      auto token = std::make_shared<TokenTrace>();
      const auto put = [&](const char* name, float value) {
        token->values[block.path(name)] = {1, 1, {value}};
      };
      put("input_gate_pre", i[t]);
      put("forget_gate_pre", f[t]);
      put("cell_input_pre", z[t]);
      put("output_gate_pre", 100.0f);
      put("q", 1.0f);
      put("k", 1.0f);
      put("v", z[t]);
      trace.steps.push_back(token);
    }
  }
  CellReplay run(NumberFormat format, bool stabilizer, bool exact = false) const {
    CellReplay replay{.options = {format, stabilizer, exact}, .place = {}};
    extend(replay, trace, block);
    return replay;
  }
};

/// Lesson 4: sums die earlier than single exponentials, and small numbers are wrong before they are
/// none.
TEST(StabilizerReplay, SaysWhatDiedAndWhatWasWrongBefore) {
  const ByHand sums(Scan::slstm, {88.0f, 88.0f, 88.0f}, {50.0f, 50.0f, 50.0f}, {0.5f, 0.5f, 0.5f});
  const CellReplay plain = sums.run(NumberFormat::fp32, false);
  ASSERT_TRUE(plain.bad);
  EXPECT_EQ(plain.bad->step, 2) << "the third write at 88";
  EXPECT_EQ(plain.bad->what, CellQuantity::normalizer) << "c holds half of it, and lives";
  EXPECT_FALSE(sums.run(NumberFormat::fp32, true).bad);
  EXPECT_FALSE(sums.run(NumberFormat::fp64, false).bad);

  // A first write at −104: exp(i) is 0, and 0/0 no number.
  const ByHand tiny(Scan::slstm, {-104.0f, 1.0f}, {0.0f, 0.0f}, {std::atanh(0.5f), 0.5f});
  const CellReplay none = tiny.run(NumberFormat::fp32, false);
  ASSERT_TRUE(none.bad);
  EXPECT_EQ(none.bad->what, CellQuantity::answer);
  EXPECT_TRUE(std::isnan(none.bad->value));
  EXPECT_EQ(none.steps[0].normalizer, 0.0);
  EXPECT_EQ(none.steps[1].input_gate, static_cast<double>(std::exp(1.0f))) << "as recorded";

  // At −100 it is finite and wrong: 0.5185 where the answer is 0.5.
  const ByHand wrong(Scan::slstm, {-100.0f}, {0.0f}, {std::atanh(0.5f)});
  const double off = wrong.run(NumberFormat::fp32, false).steps[0].h;
  const double on = wrong.run(NumberFormat::fp32, true).steps[0].h;
  const double exact = wrong.run(NumberFormat::fp64, true, true).steps[0].h;
  EXPECT_NEAR(exact, 0.5, 1e-6);
  EXPECT_NEAR(on, 0.5, 1e-6);
  EXPECT_NEAR(off, 0.5185, 1e-4);
  EXPECT_EQ(agreement_of(exact, off, on, 0.01), Agreement::wrong);
  EXPECT_EQ(agreement_of(exact, off, on, 0.05), Agreement::same) << "3.7 % off";
}

TEST(StabilizerReplay, TellsTheQuantityThatIsNoNumberFirst) {
  // C overflows by its value while its gate and n do not.
  const ByHand memory(Scan::mlstm, {10.0f}, {0.0f}, {5.0f});
  EXPECT_EQ(memory.run(NumberFormat::fp16, false).bad->what, CellQuantity::memory);
  EXPECT_EQ(memory.run(NumberFormat::fp16, false).bad->step, 0);
  EXPECT_FALSE(memory.run(NumberFormat::fp16, true).bad);
  // n and C of one size: C is computed first.
  const ByHand both(Scan::mlstm, {11.0f, 11.0f}, {50.0f, 50.0f}, {0.5f, 0.5f});
  EXPECT_EQ(both.run(NumberFormat::fp16, false).bad->what, CellQuantity::normalizer);
  // Nothing of the cell's own: what came in was none.
  const ByHand given(Scan::mlstm, {0.0f, kNan}, {0.0f, 0.0f}, {1.0f, 1.0f});
  EXPECT_EQ(given.run(NumberFormat::fp32, false).bad->what, CellQuantity::given);
  EXPECT_EQ(given.run(NumberFormat::fp32, false).bad->step, 1);
  for (int what = 0; what <= static_cast<int>(CellQuantity::answer); ++what) {
    for (const bool stabilizer : {true, false}) {
      EXPECT_FALSE(name_of(static_cast<CellQuantity>(what), memory.block, stabilizer).empty());
      EXPECT_FALSE(equation_of(static_cast<CellQuantity>(what), memory.block, stabilizer).empty());
    }
  }
  EXPECT_EQ(equation_of(CellQuantity::input_gate, memory.block, false), "i'_t = exp(i_t)");
  EXPECT_THROW(memory.run(NumberFormat::native, false), Error);
}

TEST(StabilizerReplay, ErrorsAreToldApartFromTheDigitsOfAFormat) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(relative_error(0.0, 0.0), 0.0);
  EXPECT_DOUBLE_EQ(relative_error(1.5, -1.0), 2.5);
  EXPECT_EQ(relative_error(1.0, 0.0), kInfinity);
  EXPECT_EQ(relative_error(kNan, 1.0), kInfinity);
  EXPECT_TRUE(std::isnan(relative_error(1.0, kInfinity)));
  EXPECT_EQ(agreement_of(1.0, 1.009, 1.0, 0.01), Agreement::same);
  EXPECT_EQ(agreement_of(1.0, 1.02, 1.0, 0.01), Agreement::wrong);
  EXPECT_EQ(agreement_of(1.0, 1.02, 1.011, 0.01), Agreement::format);
  EXPECT_EQ(agreement_of(1.0, kInfinity, 1.0, 0.01), Agreement::bad);
  EXPECT_EQ(agreement_of(kNan, 1.0, 1.0, 0.01), Agreement::unknown);
}

TEST(StabilizerRange, IsWhatThePlainCellComputes) {
  const Read read = read_by(small_mixed(), false, NumberFormat::fp64);
  for (const BlockCard& block : read.blocks) {
    const ScalePlace place{1, 1};
    const auto scale = scale_steps(*read.trace, block, place);
    const CellReplay exact = replayed(read, block, place, {NumberFormat::fp64, true, true});
    const CellReplay plain = replayed(read, block, place, {NumberFormat::fp64, false});
    for (std::size_t t = 1; t < scale.size(); ++t) {
      const PlainNeeds needs = plain_needs(scale[t], exact.steps[t]);
      const ReplayStep& step = plain.steps[t];
      const double numbers[] = {step.input_gate, step.forget_gate, std::abs(step.memory),
                                std::abs(step.normalizer)};
      for (std::size_t j = 0; j < PlainNeeds::kCount; ++j)
        EXPECT_NEAR(needs.log10[j], std::log10(numbers[j]), 1e-9) << block.prefix << " " << j;
      for (const NumberFormat format : kFormats) EXPECT_EQ(fit_of(needs, format), Fit::fits);
    }
  }
  PlainNeeds needs{{5.0, 0.0, 1.0, 1.0}};
  EXPECT_EQ(fit_of(needs, NumberFormat::fp16), Fit::overflows);
  EXPECT_EQ(fit_of(needs, NumberFormat::bf16), Fit::fits);
  needs = {{4.5, 0.0, 1.0, 1.0}};
  EXPECT_EQ(fit_of(needs, NumberFormat::fp16), Fit::fits);
  needs = {{-300.0, 0.0, -5.0, -5.0}};
  EXPECT_EQ(fit_of(needs, NumberFormat::fp16), Fit::loses);
  EXPECT_EQ(fit_of(needs, NumberFormat::fp32), Fit::fits) << "a small weight beside large sums";
}

TEST(StabilizerRange, FormatsHaveTheirLimits) {
  EXPECT_EQ(limits_of(NumberFormat::fp16).largest, 65504.0);
  EXPECT_DOUBLE_EQ(limits_of(NumberFormat::fp16).smallest_normal, 6.103515625e-05);
  EXPECT_NEAR(limits_of(NumberFormat::fp16).smallest, 5.96e-8, 1e-10);
  EXPECT_NEAR(limits_of(NumberFormat::bf16).largest / 3.3895e38, 1.0, 1e-4);
  EXPECT_NEAR(limits_of(NumberFormat::bf16).smallest / 9.18e-41, 1.0, 1e-3);
  EXPECT_EQ(limits_of(NumberFormat::fp32).largest, limits_of(NumberFormat::native).largest);
  EXPECT_NEAR(limits_of(NumberFormat::fp32).smallest / 1.4013e-45, 1.0, 1e-3);
}

TEST(StabilizerFloor, IsUsedWhereTheOverlapIsSmaller) {
  for (const auto& [name, spec] : cells()) {
    const Read read = read_by(spec, true, NumberFormat::native);
    const BlockCard& block = read.blocks.front();
    if (block.scan != Scan::mlstm) continue;
    int used = 0;
    for (int t = 0; t < read.trace->length(); ++t) {
      const auto use = floor_use(*read.trace, block, t, 1);
      ASSERT_TRUE(use);
      const double s = std::abs(number(read, block, "s", t, 1, 0));
      const double m = number(read, block, "m", t, 1, 0);
      const bool one = block.variant.denominator_floor == DenominatorFloor::one;
      const double floor = one ? 1.0 : std::exp(-m);
      EXPECT_EQ(use->overlap, s);
      EXPECT_EQ(use->floor_one, one);
      EXPECT_EQ(use->always, !block.variant.normalizer);
      EXPECT_EQ(use->uses, use->always || floor > s) << name << " t = " << t;
      if (!use->always) {
        EXPECT_NEAR(use->normalizer, std::max(s, floor), 1e-6 * use->normalizer);
      }
      EXPECT_LE(use->uses && !use->always ? use->share() : 0.0, 1.0);
      used += use->uses ? 1 : 0;
    }
    EXPECT_GT(used, 0) << name;
  }
  const Read units = read_by(small_slstm(), true, NumberFormat::native);
  EXPECT_FALSE(floor_use(*units.trace, units.blocks.front(), 0, 0)) << "its n has no floor";
  const Read matrix = read_by(small_mlstm(), true, NumberFormat::native);
  EXPECT_FALSE(floor_use(*matrix.trace, matrix.blocks.front(), 99, 0));
  EXPECT_FALSE(floor_use(*matrix.trace, matrix.blocks.front(), 0, 7));
}

TEST(Stabilizer, SurvivesRecordingsThatAreBroken) {
  for (const Snapshot& scene : {broken_scene(), lstm_scene(), one_token_scene(), tiny_scene()}) {
    for (const BlockCard& block : scene.model->blocks) {
      for (const ScalePlace place : {ScalePlace{0, 0}, ScalePlace{-1, 0}, ScalePlace{0, 999},
                                     ScalePlace{99, 0}, ScalePlace{0, -3}}) {
        EXPECT_EQ(scale_steps(*scene.trace, block, place).size(), scene.trace->steps.size());
        for (const NumberFormat format : kFormats) {
          CellReplay replay{.options = {format, false}, .place = place};
          extend(replay, *scene.trace, block);
          EXPECT_LE(replay.steps.size(), scene.trace->steps.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace xlab::tests
