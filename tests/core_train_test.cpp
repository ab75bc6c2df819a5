// Training: repeatable, resumable bit for bit, safe from numbers that are not finite, and able to
// learn every task.
#include "core/training/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/run.hpp"
#include "kernels/adamw.hpp"
#include "kernels/device/threads.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;

constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Some sentences with a structure to learn.
std::string small_text() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the cat sat on the mat; the dog sat on the log.\n";
  return text;
}

std::unique_ptr<Task> task_of(const std::string& name) {
  if (name != "text") return make_task(name);
  const std::string text = small_text();
  return make_text_task(text_from_bytes(std::as_bytes(std::span(text)), "cats.txt"));
}

/// A run small enough to train hundreds of steps in a moment, with a schedule that moves.
std::unique_ptr<Run> small_run(const std::string& task, std::uint64_t seed = 1) {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = TrainSpec{.batch_size = 5,
                         .sequence_length = 13,
                         .learning_rate = 1e-2,
                         .min_learning_rate = 1e-4,
                         .warmup_steps = 4,
                         .decay_until_step = 17,
                         .seed = seed};
  return make_run(task_of(task), spec);
}

std::uint64_t signature(const Run& run) {
  return run.model->params().signature();
}

class AllTasks : public testing::TestWithParam<std::string> {};

// ---- determinism --------------------------------------------------------------------------------

class Determinism : public testing::Test {
 protected:
  ~Determinism() override { set_threads(0); }
};

TEST_F(Determinism, ThreadsChangeNoBit) {
  const auto train = [](int threads) {
    set_threads(threads);
    // Large enough that the work is shared.
    const auto run = make_run(make_task("recall"));
    std::vector<double> losses;
    for (int step = 0; step < 6; ++step) losses.push_back(run->train_step().loss);
    return std::pair{signature(*run), losses};
  };
  const auto once = train(1);
  EXPECT_EQ(train(1), once);
  EXPECT_EQ(train(2), once);
  EXPECT_EQ(train(3), once);
  EXPECT_EQ(train(7), once);
}

TEST_P(AllTasks, TrainingRepeats) {
  const auto train = [&](std::uint64_t seed) {
    const auto run = small_run(GetParam(), seed);
    for (int step = 0; step < 10; ++step) run->train_step();
    return signature(*run);
  };
  EXPECT_EQ(train(1), train(1));
  EXPECT_NE(train(1), train(2));
}

TEST_P(AllTasks, WatchingTheSequenceDoesNotDisturbTraining) {
  const auto train = [&](bool watched) {
    const auto run = small_run(GetParam());
    for (int step = 0; step < 10; ++step) {
      run->train_step();
      if (!watched) continue;
      run->sequence->invalidate();
      run->sequence->compute_all();
    }
    return signature(*run);
  };
  EXPECT_EQ(train(true), train(false));
}

TEST_P(AllTasks, ARestartedRunIsAFreshOne) {
  const auto fresh = small_run(GetParam());
  const auto run = small_run(GetParam());
  for (int step = 0; step < 5; ++step) run->train_step();
  const auto again = restart_run(*run, 1);
  EXPECT_EQ(signature(*again), signature(*fresh));
  EXPECT_EQ(again->trainer->steps_done(), 0);
  EXPECT_TRUE(again->losses.empty());
  EXPECT_NE(signature(*restart_run(*run, 2)), signature(*fresh));
  for (int step = 0; step < 5; ++step) again->train_step();
  EXPECT_EQ(signature(*again), signature(*run));
}

TEST_P(AllTasks, ARestartKeepsTheScreenAndTheSettingsAndForgetsTheTraining) {
  const auto run = small_run(GetParam());
  for (int step = 0; step < 5; ++step) run->train_step();
  run->trainer->learning_rate_scale = 3.0;
  run->model->set_variant("mlstm", {.forget_gate = ForgetGate::exponential, .eps = 0.25});
  const Clamp clamp{"block0/mlstm/forget_gate_pre", 1, 0, 1, 3, -2.5f, false};
  run->sequence->set_tokens({1, 0, 1});
  run->sequence->set_clamps({clamp});
  run->prompt_length = 2;
  run->sampler = {.greedy = false, .temperature = 0.25, .top_k = 3, .top_p = 0.5, .seed = 11};

  const auto again = restart_run(*run, 1);
  EXPECT_EQ(again->sequence->tokens(), (std::vector<int>{1, 0, 1}));
  EXPECT_EQ(again->sequence->clamps(), std::vector<Clamp>{clamp});
  EXPECT_EQ(again->prompt_length, 2);
  EXPECT_EQ(again->sampler, run->sampler);
  EXPECT_EQ(again->task->name(), run->task->name());
  EXPECT_EQ(again->task->vocabulary(), run->task->vocabulary());
  EXPECT_EQ(to_json(again->model->spec()), to_json(run->model->spec())) << "the equations too";
  EXPECT_EQ(to_json(again->trainer->spec()), to_json(run->trainer->spec()));
  // And what it was before its first step.
  EXPECT_EQ(signature(*again), signature(*small_run(GetParam())));
  EXPECT_EQ(again->trainer->steps_done(), 0);
  EXPECT_EQ(again->seconds, 0.0);
  EXPECT_TRUE(again->losses.empty());
  EXPECT_EQ(again->trainer->learning_rate_scale, 1.0);
  // Another seed changes the weights and the data to come, and nothing else.
  const auto other = restart_run(*run, 7);
  TrainSpec seeded = run->trainer->spec();
  seeded.seed = 7;
  EXPECT_EQ(to_json(other->trainer->spec()), to_json(seeded));
  EXPECT_EQ(other->sequence->tokens(), again->sequence->tokens());
  EXPECT_NE(signature(*other), signature(*again));
}

// ---- resume -------------------------------------------------------------------------------------

TEST_P(AllTasks, ResumingIsExact) {
  const TemporaryFolder folder;
  const auto uninterrupted = small_run(GetParam());
  std::vector<StepResult> expected;
  for (int step = 0; step < 24; ++step) expected.push_back(uninterrupted->train_step());

  for (const int stop : {0, 1, 3, 12, 23}) {
    auto run = small_run(GetParam());
    for (int step = 0; step < stop; ++step) run->train_step();
    save_run(*run, folder / "run.xlab");
    run = load_run(folder / "run.xlab");
    ASSERT_EQ(run->trainer->steps_done(), stop);
    for (int step = stop; step < 24; ++step) {
      const StepResult result = run->train_step();
      const StepResult& other = expected[static_cast<std::size_t>(step)];
      ASSERT_EQ(result.step, other.step);
      ASSERT_EQ(result.loss, other.loss) << "step " << step << " after a stop at " << stop;
      ASSERT_EQ(result.gradient_norm, other.gradient_norm);
      ASSERT_EQ(result.learning_rate, other.learning_rate);
    }
    EXPECT_EQ(signature(*run), signature(*uninterrupted)) << "stopped at " << stop;
    ASSERT_EQ(run->losses.size(), 24u);
    EXPECT_EQ(run->losses.back().smoothed, uninterrupted->losses.back().smoothed);
  }
}

TEST(Training, TheScheduleAndTheSliderSetTheRate) {
  const auto run = small_run("copy");
  const TrainSpec spec = run->trainer->spec();
  for (int step = 0; step < 20; ++step)
    EXPECT_EQ(run->train_step().learning_rate, learning_rate_at(spec, step));
  run->trainer->learning_rate_scale = 0.0;
  const auto before = signature(*run);
  EXPECT_EQ(run->train_step().learning_rate, 0.0);
  EXPECT_EQ(signature(*run), before) << "rate 0 leaves the weights";
  run->trainer->learning_rate_scale = 2.0;
  EXPECT_EQ(run->train_step().learning_rate, 2.0 * learning_rate_at(spec, 21));
}

TEST(Training, LossesAreKeptSmoothedAndBounded) {
  const auto run = small_run("parity");
  // All losses so far, each weighing 0.9 times what the next one does.
  double sum = 0.0, weight = 0.0;
  for (int step = 0; step < 30; ++step) {
    const StepResult result = run->train_step();
    sum = 0.9 * sum + result.loss;
    weight = 0.9 * weight + 1.0;
    ASSERT_EQ(run->losses.size(), static_cast<std::size_t>(step) + 1);
    EXPECT_EQ(run->losses.back().step, step);
    EXPECT_NEAR(run->losses.back().loss, result.loss, 1e-6);
    EXPECT_NEAR(run->losses.back().smoothed, sum / weight, 1e-5);
  }
  // A long past is thinned out, never the order or the present.
  run->losses.resize(1 << 18, run->losses.back());
  for (std::size_t i = 0; i < run->losses.size(); ++i)
    run->losses[i].step = static_cast<std::int64_t>(i) - (1 << 18);
  run->train_step();
  EXPECT_EQ(run->losses.size(), (1u << 17) + 1);
  EXPECT_EQ(run->losses.back().step, 30);
  EXPECT_TRUE(std::is_sorted(run->losses.begin(), run->losses.end(),
                             [](const auto& a, const auto& b) { return a.step < b.step; }));
}

// ---- numbers that are not finite ----------------------------------------------------------------

std::vector<float> weights(const Run& run) {
  const auto values = run.model->params().values().span<float>();
  return {values.begin(), values.end()};
}

TEST(BadNumbers, InAnyWeightSkipTheStep) {
  for (const float bad : {kNotANumber, kInfinity, -kInfinity}) {
    const auto names = small_run("recall")->model->params().infos();
    for (const ParamInfo& info : names) {
      const auto run = small_run("recall");
      for (int step = 0; step < 6; ++step) run->train_step();
      const Tensor& value = run->model->params()[run->model->params().find(info.name)].value;
      const float good = value.data<float>()[0];
      value.data<float>()[0] = bad;
      const auto before = signature(*run);
      const StepResult result = run->train_step();
      EXPECT_FALSE(result.finite) << info.name << " " << bad;
      EXPECT_EQ(signature(*run), before) << info.name << " " << bad;
      EXPECT_EQ(run->trainer->steps_done(), 7) << "the next batch is another one";
      EXPECT_EQ(run->losses.size(), 6u) << "no such point on the curve";
      value.data<float>()[0] = good;
      EXPECT_TRUE(run->train_step().finite) << info.name << ": training goes on";
      EXPECT_TRUE(kernels::all_finite(run->model->params().values()));
    }
  }
}

TEST(BadNumbers, InTheMomentsSkipTheStepAndStartTheOptimizerAfresh) {
  for (const float bad : {kNotANumber, kInfinity, -kInfinity, -1.0f}) {
    for (const bool first : {true, false}) {
      const auto run = small_run("copy");
      for (int step = 0; step < 6; ++step) run->train_step();
      const Tensor& moment = first ? run->trainer->first_moment() : run->trainer->second_moment();
      moment.data<float>()[3] = bad;
      const auto before = weights(*run);
      const StepResult result = run->train_step();
      if (!result.finite) {
        EXPECT_EQ(weights(*run), before);
      }
      EXPECT_TRUE(kernels::all_finite(run->model->params().values())) << bad << first;
      for (int step = 0; step < 3; ++step) EXPECT_TRUE(run->train_step().finite) << bad << first;
      EXPECT_TRUE(kernels::all_finite(run->model->params().values())) << bad << first;
    }
  }
}

TEST(BadNumbers, NoLearningRateMakesWeightsInfinite) {
  for (const double rate : {1e-4, 1e-2, 1.0, 10.0, 100.0}) {
    for (const double decay : {0.0, 0.1, 100.0}) {
      for (const double clip : {0.0, 1.0}) {
        auto run = small_run("parity");
        RunSpec spec;
        spec.model = run->model->spec();
        spec.train = run->trainer->spec();
        spec.train->learning_rate = spec.train->min_learning_rate = rate;
        spec.train->weight_decay = decay;
        spec.train->gradient_clip = clip;
        run = make_run(make_task("parity"), spec);
        run->trainer->learning_rate_scale = 1000.0;
        for (int step = 0; step < 25; ++step) {
          const auto before = weights(*run);
          const StepResult result = run->train_step();
          if (!result.finite) {
            ASSERT_EQ(weights(*run), before);
          }
          ASSERT_TRUE(kernels::all_finite(run->model->params().values()))
              << "rate " << rate << " decay " << decay << " step " << step;
        }
      }
    }
  }
}

TEST(BadNumbers, HugeGradientsDoNotPoisonTheMoments) {
  RunSpec spec;
  spec.model = small_mlstm();
  spec.model->vocab_size = 0;
  spec.train = TrainSpec{.batch_size = 2,
                         .sequence_length = 8,
                         .warmup_steps = 0,
                         .decay_until_step = 0,
                         .gradient_clip = 0.0};
  const auto run = make_run(make_task("copy"), spec);
  const int head = run->model->params().find("lm_head.weight");
  for (float& x : run->model->params()[head].value.span<float>()) x *= 1e25f;
  for (int step = 0; step < 3; ++step) {
    run->train_step();
    EXPECT_TRUE(kernels::all_finite(run->trainer->first_moment()));
    EXPECT_TRUE(kernels::all_finite(run->trainer->second_moment()));
    EXPECT_TRUE(kernels::all_finite(run->model->params().values()));
  }
  const TemporaryFolder folder;
  save_run(*run, folder / "run.xlab");
  EXPECT_NO_THROW(load_run(folder / "run.xlab"));
}

TEST(BadNumbers, ABatchWithoutAnswersChangesWeightsByDecayAlone) {
  const auto run = small_run("copy");
  // Past the warm-up, and without moments that would still move the weights.
  run->trainer->resume_at(6);
  const auto before = weights(*run);
  Batch batch = make_batch(*run->task, run->trainer->spec(), 0);
  for (std::int32_t& target : batch.targets.span<std::int32_t>()) target = -1;
  const StepResult result = run->trainer->step(batch);
  EXPECT_TRUE(result.finite);
  EXPECT_EQ(result.loss, 0.0);
  EXPECT_EQ(result.accuracy, 0.0);
  EXPECT_EQ(result.gradient_norm, 0.0);
  EXPECT_GT(result.learning_rate, 0.0);
  const double kept = 1.0 - result.learning_rate * run->trainer->spec().weight_decay;
  const auto after = weights(*run);
  int decayed = 0, same = 0;
  for (const ParamInfo& info : run->model->params().infos()) {
    for (std::int64_t j = 0; j < info.shape.elements(); ++j) {
      const auto at = static_cast<std::size_t>(info.offset + j);
      if (info.decays) {
        EXPECT_NEAR(after[at], kept * before[at], 1e-7 * std::abs(before[at])) << info.name;
        decayed += after[at] != before[at];
      } else {
        EXPECT_EQ(after[at], before[at]) << info.name;
        ++same;
      }
    }
  }
  EXPECT_GT(decayed, 100);
  EXPECT_GT(same, 100);
  for (const Tensor& moment : {run->trainer->first_moment(), run->trainer->second_moment()})
    for (const float x : moment.span<float>()) ASSERT_EQ(x, 0.0f);
}

// ---- refusals -----------------------------------------------------------------------------------

TEST(Training, RefusesWhatItCannotDo) {
  ModelSpec model = small_mlstm();
  model.vocab_size = 0;
  model.dropout = 0.1;
  EXPECT_THAT(complaint([&] { make_run(make_task("copy"), {.model = model, .train = {}}); }),
              HasSubstr("dropout"));
  model.dropout = 0.0;
  model.vocab_size = 3;
  EXPECT_THAT(complaint([&] { make_run(make_task("copy"), {.model = model, .train = {}}); }),
              HasSubstr("'vocab_size' is 3"));
  Model small(model);
  const auto task = make_task("copy");
  EXPECT_THAT(complaint([&] { Trainer(small, *task, {}); }), HasSubstr("9 tokens"));
  EXPECT_THAT(complaint([&] {
                make_run(make_task("recall"),
                         {.model = {}, .train = TrainSpec{.sequence_length = 3}});
              }),
              HasSubstr("at least 4 tokens"));
  EXPECT_THAT(complaint([&] { make_task("sorting"); }), HasSubstr("recall, parity, copy"));
}

TEST(Training, ACancelledStepChangesNothing) {
  const auto run = small_run("recall");
  for (int step = 0; step < 3; ++step) run->train_step();
  const auto expected = small_run("recall");
  for (int step = 0; step < 5; ++step) expected->train_step();
  std::atomic<bool> cancel = true;
  run->trainer->cancel = &cancel;
  const auto before = signature(*run);
  EXPECT_THROW(run->train_step(), Cancelled);
  EXPECT_EQ(signature(*run), before);
  EXPECT_EQ(run->trainer->steps_done(), 3);
  EXPECT_EQ(run->losses.size(), 3u);
  cancel = false;
  for (int step = 0; step < 2; ++step) run->train_step();
  EXPECT_EQ(signature(*run), signature(*expected));
}

// ---- tasks --------------------------------------------------------------------------------------

struct Row {
  std::vector<int> inputs, targets;
  bool operator==(const Row&) const = default;
};

Row sample(const Task& task, std::uint64_t seed, std::uint64_t index, int length) {
  Row row{std::vector<int>(static_cast<std::size_t>(length), -7),
          std::vector<int>(static_cast<std::size_t>(length), -7)};
  task.sample(seed, index, row.inputs, row.targets);
  return row;
}

TEST_P(AllTasks, HaveAVocabularyOfDifferentLabels) {
  const auto task = task_of(GetParam());
  const auto& labels = task->vocabulary();
  EXPECT_GE(labels.size(), 2u);
  EXPECT_EQ(std::set<std::string>(labels.begin(), labels.end()).size(), labels.size());
  EXPECT_EQ(task->name(), GetParam());
  EXPECT_FALSE(task->title().empty() || task->description().empty() ||
               task->must_remember().empty());
  for (const int token : task->first_look()) {
    EXPECT_GE(token, 0);
    EXPECT_LT(token, static_cast<int>(labels.size()));
  }
  EXPECT_GE(task->first_look().size(), static_cast<std::size_t>(task->shortest()));
}

TEST_P(AllTasks, EncodeWhatTheyDecode) {
  const auto task = task_of(GetParam());
  std::vector<int> all;
  for (int token = 0; token < static_cast<int>(task->vocabulary().size()); ++token)
    all.push_back(token);
  EXPECT_EQ(task->encode(task->decode(all)), all);
  EXPECT_TRUE(task->encode("").empty());
  EXPECT_THAT(complaint([&] { task->encode("ß"); }), HasSubstr("ß"));
}

TEST_P(AllTasks, AnyLengthGivesTokensOfTheVocabulary) {
  const auto task = task_of(GetParam());
  const int tokens = static_cast<int>(task->vocabulary().size());
  for (int length = task->shortest(); length <= 70; ++length) {
    for (std::uint64_t index = 0; index < 20; ++index) {
      const Row row = sample(*task, 3, index, length);
      int questions = 0;
      for (std::size_t t = 0; t < row.inputs.size(); ++t) {
        ASSERT_GE(row.inputs[t], 0) << length;
        ASSERT_LT(row.inputs[t], tokens);
        ASSERT_GE(row.targets[t], -1);
        ASSERT_LT(row.targets[t], tokens);
        questions += row.targets[t] >= 0;
      }
      ASSERT_GE(questions, 1) << "nothing to learn at length " << length;
    }
  }
}

TEST_P(AllTasks, ARowIsAFunctionOfSeedAndIndex) {
  const auto task = task_of(GetParam()), other = task_of(GetParam());
  std::set<std::vector<int>> different;
  for (std::uint64_t index = 0; index < 20; ++index) {
    const Row row = sample(*task, 5, index, 30);
    EXPECT_EQ(sample(*other, 5, index, 30), row);
    different.insert(row.inputs);
    different.insert(sample(*task, 6, index, 30).inputs);
  }
  EXPECT_GE(different.size(), 20u) << "seeds and indices give different rows";
}

TEST_P(AllTasks, BatchesAreMadeOfRowsThatNoExampleRepeats) {
  const auto task = task_of(GetParam());
  const TrainSpec spec = {.batch_size = 3, .sequence_length = 24, .seed = 9};
  const Batch batch = make_batch(*task, spec, 7);
  for (int b = 0; b < 3; ++b) {
    const Row row = sample(*task, 9, static_cast<std::uint64_t>(7 * 3 + b), 24);
    for (int t = 0; t < 24; ++t) {
      EXPECT_EQ(batch.inputs.data<std::int32_t>()[b * 24 + t],
                row.inputs[static_cast<std::size_t>(t)]);
      EXPECT_EQ(batch.targets.data<std::int32_t>()[b * 24 + t],
                row.targets[static_cast<std::size_t>(t)]);
    }
  }
  const auto examples = example_rows(*task, spec, 4, 24);
  ASSERT_EQ(examples.size(), 4u);
  EXPECT_NE(examples[0].inputs, sample(*task, 9, 0, 24).inputs);
  EXPECT_NE(examples[0].inputs, examples[1].inputs);
  EXPECT_EQ(example_rows(*task, spec, 1, 0).front().inputs.size(),
            static_cast<std::size_t>(task->shortest()))
      << "never shorter than possible";
}

TEST_P(AllTasks, AnswersAreTheTargets) {
  const auto task = task_of(GetParam());
  for (std::uint64_t index = 0; index < 30; ++index) {
    const Row row = sample(*task, 2, index, 31);
    if (task->text()) {
      // Of a text, every next character is the question.
      for (std::size_t t = 0; t + 1 < row.inputs.size(); ++t)
        EXPECT_EQ(row.targets[t], row.inputs[t + 1]);
      EXPECT_EQ(task->answers(row.inputs), std::vector<int>(row.inputs.size(), -1));
    } else {
      EXPECT_EQ(task->answers(row.inputs), row.targets);
    }
  }
  // Whatever a person types is answered without harm.
  const int tokens = static_cast<int>(task->vocabulary().size());
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto typed = some_tokens(static_cast<int>(seed % 13), tokens + 2, seed);
    for (const int answer : task->answers(typed)) {
      EXPECT_GE(answer, -1);
      EXPECT_LT(answer, tokens + 2);
    }
  }
}

TEST(Tasks, AnswersAreThoseOfAPerfectSolver) {
  const auto expect = [](const std::string& name, const std::string& prompt,
                         const std::string& wanted) {
    const auto task = make_task(name);
    std::string said;
    for (const int answer : task->answers(task->encode(prompt)))
      said +=
          (said.empty() ? "" : " ") +
          (answer < 0 ? std::string(".") : task->vocabulary()[static_cast<std::size_t>(answer)]);
    EXPECT_EQ(said, wanted) << name << ": " << prompt;
  };
  expect("recall", "a 3 b 7 a ? 3 b ?", ". . . . . 3 . . 7");
  expect("recall", "a 3 a 5 a ? c ?", ". . . . . 5 . .");
  expect("parity", "1 1 0 1", "odd even even odd");
  expect("parity", "0 even 1 odd 1", "even . odd . even");
  expect("copy", "a b c | a b", ". . . a b c");
  expect("copy", "a b | a b a", ". . a b . .");
  expect("copy", "a b c", ". . .");
}

TEST(Tasks, AShortTextIsReadRoundAndRound) {
  const std::string text = "abc";
  const auto task = make_text_task(text_from_bytes(std::as_bytes(std::span(text)), "abc"));
  for (std::uint64_t index = 0; index < 10; ++index) {
    const Row row = sample(*task, 1, index, 10);
    for (std::size_t t = 0; t < 10; ++t) {
      EXPECT_EQ(row.targets[t], (row.inputs[t] + 1) % 3);
    }
  }
  // Every place of a longer text is used, and nothing beyond it.
  const std::string longer = "0123456789";
  const auto digits = make_text_task(text_from_bytes(std::as_bytes(std::span(longer)), "digits"));
  std::set<int> starts;
  for (std::uint64_t index = 0; index < 200; ++index) {
    const Row row = sample(*digits, 1, index, 4);
    starts.insert(row.inputs.front());
    EXPECT_EQ(row.targets.back(), row.inputs.front() + 4);
  }
  EXPECT_EQ(starts, (std::set<int>{0, 1, 2, 3, 4, 5}));
}

// ---- learning -----------------------------------------------------------------------------------

/// Share of right answers on rows that no training sees.
double accuracy(const Run& run, int rows, int length) {
  int right = 0, asked = 0;
  for (const ExampleRow& row : example_rows(*run.task, run.trainer->spec(), rows, length)) {
    Sequence sequence(*run.model);
    sequence.set_tokens(row.inputs);
    sequence.compute_all();
    for (std::size_t t = 0; t < row.inputs.size(); ++t) {
      if (row.targets[t] < 0) continue;
      ++asked;
      const auto& logits = sequence.steps()[t].logits;
      right += std::max_element(logits.begin(), logits.end()) - logits.begin() == row.targets[t];
    }
  }
  return static_cast<double>(right) / asked;
}

TEST(Learning, RecallBeatsChance) {
  const auto run = make_run(make_task("recall"));
  for (int step = 0; step < 250; ++step) run->train_step();
  EXPECT_GT(accuracy(*run, 40, 32), 0.35) << "chance is 0.1";
}

TEST(Learning, ParityBeatsChance) {
  const auto run = make_run(make_task("parity"));
  for (int step = 0; step < 300; ++step) run->train_step();
  EXPECT_GT(accuracy(*run, 40, 32), 0.62) << "chance is 0.5";
}

TEST(Learning, CopyBeatsChance) {
  const auto run = make_run(make_task("copy"));
  for (int step = 0; step < 250; ++step) run->train_step();
  EXPECT_GT(accuracy(*run, 40, 24), 0.3) << "chance is 0.125";
}

TEST(Learning, ATextIsLearned) {
  const auto run = small_run("text");
  const double first = run->train_step().loss;
  EXPECT_NEAR(first, std::log(static_cast<double>(run->task->vocabulary().size())), 0.5);
  RunSpec spec;
  spec.model = run->model->spec();
  spec.train = TrainSpec{.batch_size = 8,
                         .sequence_length = 32,
                         .learning_rate = 2e-2,
                         .warmup_steps = 10,
                         .decay_until_step = 150};
  const auto learner = make_run(task_of("text"), spec);
  for (int step = 0; step < 150; ++step) learner->train_step();
  EXPECT_LT(learner->losses.back().smoothed, 0.5 * first);
}

INSTANTIATE_TEST_SUITE_P(Tasks, AllTasks, testing::Values("recall", "parity", "copy", "text"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace xlab::tests
