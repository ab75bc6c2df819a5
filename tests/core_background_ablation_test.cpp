// What heads are worth, measured beside everything else: the numbers, giving up, other runs.
#include "core/generation/background_ablation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/tasks/task.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;
using namespace command;

/// What is known in the end.
AblationReport measured(const Model& model, const Task& task, const std::vector<int>& tokens) {
  BackgroundAblation worth([] {});
  worth.start(model, 7, task, tokens);
  while (worth.report()->running) std::this_thread::yield();
  return *worth.report();
}

/// The same, by hand and in one go.
void expect_ablations_of(const Model& model, const Probe& probe, const AblationReport& report) {
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.loss, probe_loss(model, probe));
  const std::vector<Ablation> wanted = ablations(model, probe, {});
  EXPECT_EQ(report.total, static_cast<int>(wanted.size()));
  ASSERT_EQ(report.without.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(report.without[i].block, wanted[i].block);
    EXPECT_EQ(report.without[i].head, wanted[i].head);
    EXPECT_EQ(report.without[i].loss, wanted[i].loss) << i;
  }
}

TEST(BackgroundAblations, AreThoseOfTheModelOnTheseTokens) {
  const std::unique_ptr<Task> task = make_task("recall");
  ModelSpec spec = small_mixed();
  spec.vocab_size = static_cast<int>(task->vocabulary().size());
  const Model model = filled_model(spec, DType::f32);
  std::vector<int> inputs(24), targets(24);
  task->sample(1, 0, inputs, targets);
  const AblationReport report = measured(model, *task, inputs);
  EXPECT_EQ(report.step, 7);
  EXPECT_EQ(report.tokens, inputs);
  EXPECT_FALSE(report.every_token);
  const Probe probe = probe_of_tokens(*task, inputs);
  EXPECT_EQ(probe.targets, task->answers(inputs));
  int asked = 0;
  for (const int answer : task->answers(inputs)) asked += answer >= 0 ? 1 : 0;
  EXPECT_EQ(report.answers, asked);
  expect_ablations_of(model, probe, report);

  // Where nothing is asked, every next token is.
  const std::vector<int> silent(3, inputs[0]);
  const AblationReport every = measured(model, *task, silent);
  EXPECT_TRUE(every.every_token);
  EXPECT_EQ(every.answers, 2);
  expect_ablations_of(model, probe_of_text(silent), every);
}

TEST(BackgroundAblations, OfALongSequenceTheBeginningIsRead) {
  const std::unique_ptr<Task> task = make_task("parity");
  ModelSpec spec = small_slstm();
  spec.vocab_size = static_cast<int>(task->vocabulary().size());
  const Model model = filled_model(spec, DType::f32);
  std::vector<int> inputs(300), targets(300);
  task->sample(1, 0, inputs, targets);
  const AblationReport report = measured(model, *task, inputs);
  ASSERT_EQ(report.tokens.size(), 256u);
  EXPECT_TRUE(std::equal(report.tokens.begin(), report.tokens.end(), inputs.begin()));
}

TEST(BackgroundAblations, OtherEquationsAreMeasuredAsTheyAre) {
  const std::unique_ptr<Task> task = make_task("recall");
  ModelSpec spec = small_mlstm();
  spec.vocab_size = static_cast<int>(task->vocabulary().size());
  Model model = filled_model(spec, DType::f32);
  std::vector<int> inputs(16), targets(16);
  task->sample(1, 0, inputs, targets);
  const double usual = measured(model, *task, inputs).loss;
  CellVariant variant = model.cards().front().variant;
  variant.normalizer = false;
  model.set_variant(model.cards().front().kind, variant);
  const AblationReport report = measured(model, *task, inputs);
  EXPECT_NE(report.loss, usual);
  expect_ablations_of(model, probe_of_tokens(*task, inputs), report);
}

TEST(BackgroundAblations, WeightsThatAreOnlyReadAreShared) {
  const TemporaryFolder folder;
  ModelSpec spec = small_large();
  spec.vocab_size = 70;
  spec.embedding_dim = 128;
  spec.large->ffn_round_up_to_multiple_of = 64;
  write_model_folder(filled_model(spec, DType::f32), folder.path());
  for (const FolderUse use : {FolderUse::read, FolderUse::read_halves, FolderUse::read_4bit}) {
    const std::unique_ptr<xlab::Run> run = open_folder_run(folder.path(), use);
    ASSERT_FALSE(run->model->params().trainable());
    const std::vector<int> tokens = some_tokens(6, spec.vocab_size);
    expect_ablations_of(*run->model, probe_of_text(tokens),
                        measured(*run->model, *run->task, tokens));
    const Model second = Model::sharing(*run->model);
    EXPECT_EQ(second.params()[0].value.raw(), run->model->params()[0].value.raw());
  }
  EXPECT_THROW(Model::sharing(filled_model(small_mlstm(), DType::f32)), Error);
}

TEST(BackgroundAblations, WhatCannotBeMeasuredIsSaid) {
  const std::unique_ptr<Task> task = make_task("recall");
  const Model model = filled_model(small_mlstm(), DType::f32);
  for (const std::vector<int>& few : {std::vector<int>{}, {1}}) {
    const AblationReport report = measured(model, *task, few);
    EXPECT_THAT(report.failure, HasSubstr("At least two tokens"));
    EXPECT_TRUE(report.without.empty());
  }
  // What the pass itself refuses ends up there too.
  const AblationReport odd = measured(model, *task, {1, 900});
  EXPECT_THAT(odd.failure, HasSubstr("900"));
  EXPECT_FALSE(odd.running);
}

TEST(BackgroundAblations, GivingUpIsSafeAtAnyMomentAndKeepsWhatIsKnown) {
  const std::unique_ptr<Task> task = make_task("recall");
  ModelSpec spec = small_mixed();
  spec.vocab_size = static_cast<int>(task->vocabulary().size());
  const Model model = filled_model(spec, DType::f32);
  std::vector<int> inputs(64), targets(64);
  task->sample(1, 0, inputs, targets);
  int news = 0;
  BackgroundAblation worth([&] { ++news; });
  for (int wait = 0; wait < 12; ++wait) {
    worth.start(model, 0, *task, inputs);
    std::this_thread::sleep_for(std::chrono::microseconds(700 * wait));
    worth.stop();
    EXPECT_FALSE(worth.report()->running);
    EXPECT_EQ(worth.report()->failure, "");
  }
  EXPECT_GE(news, 12);
  // A text so long that it cannot be through: what is known by then stays.
  worth.start(model, 0, *task, inputs);
  while (worth.report()->without.empty()) std::this_thread::yield();
  worth.stop();
  const std::size_t known = worth.report()->without.size();
  EXPECT_GE(known, 1u);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(worth.report()->without.size(), known) << "nothing goes on";
  worth.forget();
  EXPECT_EQ(worth.report(), nullptr);
}

using Ablating = EngineStage;

SnapshotPtr now(const Engine& engine) {
  return engine.snapshot();
}

TEST_F(Ablating, TheReportIsOfTheSequenceOnScreen) {
  const auto opened = open_quick();
  EXPECT_EQ(opened->worth, nullptr);
  after(Ablate{});
  wait_until([](const Snapshot& s) { return s.worth && !s.worth->running; });
  const auto worth = now(engine_)->worth;
  EXPECT_EQ(worth->failure, "");
  EXPECT_EQ(worth->tokens, opened->sequence.tokens);
  EXPECT_EQ(worth->total, 9);
  EXPECT_EQ(worth->step, 0);
  const auto path = folder_ / "run.xlab";
  after(Save{path});
  const std::unique_ptr<xlab::Run> run = load_run(path);
  expect_ablations_of(*run->model, probe_of_tokens(*run->task, opened->sequence.tokens), *worth);
  // Clamps are on screen, and not in the numbers.
  const std::string gate = opened->model->blocks[0].path("output_gate_pre");
  after(SetClamp{{.path = gate, .head = 0, .unit = 0, .begin = 0, .end = 9, .value = -30.0f}},
        Ablate{});
  wait_until([&](const Snapshot& s) { return s.worth && s.worth != worth && !s.worth->running; });
  EXPECT_EQ(now(engine_)->worth->loss, worth->loss);
}

TEST_F(Ablating, TrainingGoesOnAndTheReportSaysOfWhichWeightsItIs) {
  open_quick();
  train(3);
  after(Ablate{}, Train{});
  wait_until([](const Snapshot& s) { return s.worth && !s.worth->running && s.train.step > 5; });
  EXPECT_EQ(now(engine_)->worth->step, 3);
  EXPECT_EQ(now(engine_)->worth->total, 9);
  EXPECT_EQ(now(engine_)->worth->without.size(), 9u);
}

TEST_F(Ablating, WhatWasMeasuredGoesWithTheRunAndWithItsEquations) {
  open_quick();
  const auto measure = [&] {
    after(Ablate{});
    wait_until([](const Snapshot& s) { return s.worth && !s.worth->running; });
  };
  measure();
  EXPECT_EQ(open_quick("parity")->worth, nullptr) << "another run is on screen";
  measure();
  const CellVariant usual = now(engine_)->model->blocks[0].variant;
  CellVariant plain = usual;
  plain.normalizer = false;
  const std::string kind = now(engine_)->model->blocks[0].kind;
  EXPECT_EQ(after(SetVariant{kind, plain})->worth, nullptr);
  measure();
  EXPECT_EQ(after(Undo{})->worth, nullptr);
  // Nothing stays of one that was running.
  after(Ablate{}, SetVariant{kind, plain});
  EXPECT_EQ(now(engine_)->worth, nullptr);
  after(Ablate{}, NewRun{"recall", quick_spec()});
  EXPECT_EQ(now(engine_)->worth, nullptr);
  // Tokens that change leave it, and it says which it read.
  measure();
  const auto tokens = now(engine_)->worth->tokens;
  EXPECT_NE(after(NewSample{})->sequence.tokens, tokens);
  EXPECT_EQ(now(engine_)->worth->tokens, tokens);
}

TEST_F(Ablating, CanBeGivenUpAndEndsWithTheEngine) {
  open_quick();
  EXPECT_EQ(after(Ablate{.on = false})->worth, nullptr);
  const auto given_up = after(Ablate{}, Ablate{.on = false});
  ASSERT_NE(given_up->worth, nullptr);
  EXPECT_FALSE(given_up->worth->running);
  EXPECT_EQ(given_up->worth->failure, "");
  after(Ablate{});
  engine_.keep_and_stop();
  const auto last = now(engine_);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(now(engine_), last) << "nothing is told after the end";
}

}  // namespace
}  // namespace xlab::tests
