// The engine from outside: commands in, snapshots out, from any thread, whatever it is doing.
#include "core/engine/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <limits>
#include <mutex>
#include <thread>

#include "core/files/hf_folder.hpp"
#include "core/generation/stepper.hpp"
#include "core/keeping/kept_runs.hpp"
#include "core/run.hpp"
#include "kernels/random.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/used_run.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using SnapshotPtr = std::shared_ptr<const Snapshot>;

constexpr auto kPatience = std::chrono::seconds(120);  // for what happens in a moment or never

/// A small run's specification: a training step takes less than a millisecond.
std::string small_spec(const std::function<void(RunSpec&)>& change = {}) {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = TrainSpec{.batch_size = 2, .sequence_length = 8, .warmup_steps = 2};
  if (change) change(spec);
  return "{\"model\": " + to_json(*spec.model) + ", \"train\": " + to_json(*spec.train) + "}";
}

/// The run that a session which ended has left; null for none.
std::unique_ptr<Run> kept_in(const std::filesystem::path& root) {
  const KeptRuns kept = kept_runs(root);
  EXPECT_TRUE(kept.problems.empty());
  EXPECT_LE(kept.runs.size(), 1u);
  return kept.runs.empty() ? nullptr : load_kept_run(kept.runs.front().file).run;
}

class Engines : public testing::Test {
 protected:
  Engines()
      : engine_(
            [this] {
              const std::lock_guard lock(mutex_);
              ++published_;
              changed_.notify_all();
            },
            "cpu", {.root = folder_ / "kept"}) {}

  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_.send(std::move(commands)), ...);
    engine_.flush();
    return engine_.snapshot();
  }
  SnapshotPtr open_small(const std::string& task = "recall",
                         const std::function<void(RunSpec&)>& change = {}) {
    const auto snapshot = after(NewRun{task, small_spec(change)});
    EXPECT_EQ(snapshot->failure.what, "");
    return snapshot;
  }
  /// Waits for a snapshot of which `wanted` is true.
  SnapshotPtr wait_for(const std::function<bool(const Snapshot&)>& wanted) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const std::uint64_t seen = published_;
      lock.unlock();
      const SnapshotPtr snapshot = engine_.snapshot();
      if (wanted(*snapshot)) return snapshot;
      lock.lock();
      if (!changed_.wait_for(lock, kPatience, [&] { return published_ != seen; })) {
        ADD_FAILURE() << "nothing was published any more";
        return snapshot;
      }
    }
  }
  /// The work that was kept when the engine ended.
  std::unique_ptr<xlab::Run> kept() const { return kept_in(folder_ / "kept"); }
  /// What the snapshot shows is what its run gives when it is computed afresh.
  void expect_exact(const SnapshotPtr& shown) {
    const auto path = folder_ / "exact.xlab";
    const auto saved = after(Save{path});
    ASSERT_EQ(saved->failure.id, shown->failure.id) << saved->failure.what;
    const auto run = load_run(path);
    EXPECT_EQ(run->trainer->steps_done(), shown->train.step);
    ASSERT_EQ(run->sequence->tokens(), shown->sequence.tokens);
    run->sequence->compute_all();
    ASSERT_EQ(shown->trace->length(), run->sequence->length());
    for (int step = 0; step < run->sequence->length(); ++step) {
      const auto& mine = *shown->trace->steps[static_cast<std::size_t>(step)];
      const auto& theirs = *run->sequence->steps()[static_cast<std::size_t>(step)].trace;
      for (const auto& [name, value] : theirs.values)
        ASSERT_EQ(mine.find(name)->values, value.values) << name << " at step " << step;
    }
    const auto cursor = static_cast<std::size_t>(shown->sequence.cursor);
    EXPECT_EQ(shown->next->logits, run->sequence->steps()[cursor].logits);
  }

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t published_ = 0;
  Engine engine_;
};

// ---- opening ------------------------------------------------------------------------------------

TEST_F(Engines, BeginWithNothing) {
  const auto snapshot = engine_.snapshot();
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(snapshot->model, nullptr);
  EXPECT_EQ(snapshot->sequence.cursor, -1);
  engine_.flush();
  EXPECT_EQ(engine_.snapshot()->failure.id, 0u);
}

TEST_F(Engines, WithoutARunCommandsAreAnsweredWithASentence) {
  std::uint64_t failures = 0;
  for (const Command& command : std::vector<Command>{Save{},
                                                     Train{},
                                                     Pause{},
                                                     TrainOneStep{},
                                                     SetLearningRateScale{1.0},
                                                     SetStepLimit{5},
                                                     RestartRun{},
                                                     NewSeed{},
                                                     SetPrompt{"a"},
                                                     NewSample{},
                                                     SetCursor{1},
                                                     StepForward{},
                                                     StepBack{},
                                                     Play{},
                                                     StopPlaying{},
                                                     Rewind{},
                                                     TakeToken{0},
                                                     SetSampler{},
                                                     Focus{0},
                                                     SetClamp{},
                                                     ReplaceClamp{},
                                                     RemoveClamp{0},
                                                     EnableClamp{0, true},
                                                     ClearClamps{}}) {
    const auto snapshot = after(command);
    EXPECT_EQ(snapshot->failure.id, ++failures);
    EXPECT_THAT(snapshot->failure.what, HasSubstr("There is no run"));
  }
}

TEST_F(Engines, OpenTasks) {
  for (const std::string& name : task_names()) {
    const auto snapshot = after(NewRun{name, ""});
    ASSERT_EQ(snapshot->failure.id, 0u) << snapshot->failure.what;
    EXPECT_EQ(snapshot->data->task, name);
    EXPECT_FALSE(snapshot->data->examples.empty());
    EXPECT_GT(snapshot->model->parameters, 1000);
    EXPECT_EQ(snapshot->model->blocks.size(), 2u);
    EXPECT_EQ(snapshot->run_path, "");
    EXPECT_FALSE(snapshot->unsaved);
    EXPECT_EQ(snapshot->train.state, TrainState::idle);
    EXPECT_EQ(snapshot->train.step, 0);
    EXPECT_EQ(snapshot->sequence.cursor, 0);
    EXPECT_EQ(snapshot->trace->length(), static_cast<int>(snapshot->sequence.tokens.size()));
    EXPECT_NE(snapshot->next, nullptr);
    EXPECT_EQ(snapshot->sequence.expected.size(), snapshot->sequence.tokens.size() + 1);
  }
  EXPECT_EQ(engine_.snapshot()->run_id, 3u);
}

TEST_F(Engines, OpenATextAFileAndBytes) {
  put_file(folder_ / "text.txt", "to be or not to be, that is the question");
  const auto text = after(OpenText{folder_ / "text.txt"});
  EXPECT_EQ(text->data->title, "text.txt");
  EXPECT_EQ(text->data->length, 40);
  EXPECT_EQ(text->sequence.tokens.size(), 40u);
  EXPECT_TRUE(text->sequence.expected.empty());

  const auto saved = after(SetPrompt{"to be"}, Save{folder_ / "run.xlab"});
  EXPECT_EQ(saved->run_path, folder_ / "run.xlab");
  EXPECT_FALSE(saved->unsaved);
  EXPECT_THAT(saved->notice, HasSubstr("run.xlab"));

  const auto opened = after(NewRun{"copy", ""}, OpenRun{folder_ / "run.xlab", nullptr});
  EXPECT_EQ(opened->run_path, folder_ / "run.xlab");
  EXPECT_EQ(opened->sequence.tokens, saved->sequence.tokens);
  EXPECT_EQ(opened->run_id, 3u);

  const std::string bytes = bytes_of_file(folder_ / "run.xlab");
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  const auto preset = after(
      OpenRun{"preset", std::make_shared<const std::vector<std::byte>>(data, data + bytes.size())});
  EXPECT_EQ(preset->failure.what, "");
  EXPECT_EQ(preset->run_path, "");
  EXPECT_EQ(preset->sequence.tokens, saved->sequence.tokens);
  const auto nameless = after(Save{});
  EXPECT_THAT(nameless->failure.what, HasSubstr("no file yet"));
}

TEST_F(Engines, ATextIsOpenedAndReadAgainByAnyTokenizer) {
  put_file(folder_ / "text.txt", "to be or not to be, that is the quéstion");
  const std::string neox = kTokenizers / "neox.json";
  const auto bytes = after(OpenText{folder_ / "text.txt", "bytes"});
  EXPECT_EQ(bytes->failure.what, "");
  EXPECT_EQ(bytes->data->tokenizer, "bytes");
  EXPECT_EQ(bytes->data->length, 41);
  EXPECT_EQ(bytes->model->vocabulary.size(), 256u);

  const auto tokens = after(TrainOneStep{}, OpenText{"", neox});
  EXPECT_EQ(tokens->failure.what, "");
  EXPECT_EQ(tokens->run_id, bytes->run_id + 1);
  EXPECT_EQ(tokens->data->title, "text.txt");
  EXPECT_EQ(tokens->data->tokenizer,
            fmt::format("neox.json, {} tokens", tokens->model->vocabulary.size()));
  EXPECT_EQ(tokens->data->unit, "tokens");
  EXPECT_LT(tokens->data->length, 40);
  EXPECT_EQ(tokens->train.step, 0);
  EXPECT_EQ(after(RestartRun{})->data->tokenizer, tokens->data->tokenizer);
  expect_exact(engine_.snapshot());

  // A run's file holds the text, but not where it and its tokenizer came from.
  const auto opened = after(Save{folder_ / "run.xlab"}, OpenRun{folder_ / "run.xlab", nullptr});
  EXPECT_THAT(opened->data->tokenizer, HasSubstr("byte-level BPE"));
  const auto characters = after(OpenText{"", "characters"});
  EXPECT_EQ(characters->failure.what, "");
  EXPECT_EQ(characters->data->tokenizer, "characters");
  EXPECT_EQ(characters->data->title, "text.txt");
  EXPECT_EQ(characters->data->length, 40);
  EXPECT_EQ(characters->run_path, "") << "the file keeps the run it has";
}

TEST_F(Engines, ATokenizersFolderNamesIt) {
  put_file(folder_ / "text.txt", "to be or not to be");
  std::filesystem::create_directory(folder_ / "fox");
  write_tokenizer_files(*tokenizer_named(kTokenizers / "gpt2.json"), folder_ / "fox");
  for (const char* name : {"fox", "fox/", "fox/tokenizer.json"}) {
    const auto snapshot = after(OpenText{folder_ / "text.txt", folder_ / name});
    EXPECT_EQ(snapshot->failure.what, "");
    EXPECT_THAT(snapshot->data->tokenizer, StartsWith("fox, "));
  }
}

TEST_F(Engines, ABadTokenizerIsRefusedAndTheRunStays) {
  EXPECT_THAT(after(OpenText{"", "bytes"})->failure.what, HasSubstr("no text"));
  const auto small = after(NewRun{"recall", small_spec()}, OpenText{"", "bytes"});
  EXPECT_EQ(small->failure.id, 2u) << "recall has no text either";
  put_file(folder_ / "text.txt", "to be or not to be");
  put_file(folder_ / "binary.bin", std::string("a\0b\xff", 4));
  put_file(folder_ / "tokenizer.json", "{}");
  after(OpenText{folder_ / "binary.bin", "bytes"});
  EXPECT_THAT(after(OpenText{"", "characters"})->failure.what, HasSubstr("binary.bin"));
  const auto before = after(OpenText{folder_ / "text.txt"}, TrainOneStep{});
  for (const std::string& name :
       {std::string(), std::string("letters"), std::string(folder_ / "tokenizer.json"),
        std::string(folder_ / "text.txt"), std::string(kTokenizers / "..")}) {
    const auto snapshot = after(OpenText{"", name});
    EXPECT_THAT(snapshot->failure.what, HasSubstr("okenizer")) << name;
    EXPECT_GT(snapshot->failure.id, before->failure.id);
    EXPECT_EQ(snapshot->run_id, before->run_id);
    EXPECT_EQ(snapshot->data, before->data);
    EXPECT_EQ(snapshot->train.step, 1);
  }
  std::filesystem::remove(folder_ / "text.txt");
  EXPECT_THAT(after(OpenText{"", "bytes"})->failure.what, HasSubstr("text.txt"));
  EXPECT_EQ(engine_.snapshot()->run_id, before->run_id);
  expect_exact(engine_.snapshot());
}

TEST_F(Engines, AFailedOpeningLeavesTheRunUntouched) {
  open_small();
  const auto before = after(TrainOneStep{}, SetPrompt{"a 3 b 4"});
  put_file(folder_ / "noise.xlab", "this is no run, and long enough to be looked at");
  put_file(folder_ / "binary.txt", std::string("a\0b", 3));
  const std::vector<Command> wrong = {
      OpenRun{folder_ / "noise.xlab", nullptr},
      OpenRun{folder_ / "missing.xlab", nullptr},
      OpenRun{"bytes", std::make_shared<std::vector<std::byte>>()},
      OpenText{folder_ / "binary.txt"},
      OpenText{folder_ / "missing.txt"},
      NewRun{"sorting", ""},
      NewRun{"recall", "{"},
      NewRun{"recall", "{\"model\": {\"embedding_dim\": 1e9}}"},
      NewRun{"recall", small_spec([](RunSpec& spec) { spec.train->sequence_length = 2; })}};
  std::uint64_t failures = before->failure.id;
  for (const Command& command : wrong) {
    const auto snapshot = after(command);
    EXPECT_EQ(snapshot->failure.id, ++failures);
    EXPECT_NE(snapshot->failure.what, "");
    EXPECT_EQ(snapshot->run_id, before->run_id);
    EXPECT_EQ(snapshot->sequence.tokens, before->sequence.tokens);
    EXPECT_EQ(snapshot->train.step, 1);
    EXPECT_EQ(snapshot->next->logits, before->next->logits);
  }
  expect_exact(engine_.snapshot());
}

// ---- training -----------------------------------------------------------------------------------

TEST_F(Engines, TrainAndPause) {
  open_small();
  engine_.send(Train{});
  const auto running = wait_for([](const Snapshot& s) { return s.train.step >= 20; });
  EXPECT_EQ(running->train.state, TrainState::running);
  EXPECT_TRUE(running->unsaved);
  const auto paused = after(Pause{});
  EXPECT_EQ(paused->train.state, TrainState::idle);
  EXPECT_GE(paused->train.step, 20);
  EXPECT_EQ(paused->losses->size(), static_cast<std::size_t>(paused->train.step));
  EXPECT_EQ(paused->losses->back().step, paused->train.step - 1);
  EXPECT_EQ(paused->train.loss, paused->losses->back().loss);
  EXPECT_GT(paused->train.tokens_per_second, 0.0);
  EXPECT_GT(paused->train.seconds, 0.0);
  EXPECT_EQ(after()->train.step, paused->train.step) << "it stands";
  expect_exact(paused);
}

TEST_F(Engines, TheCurveEndsAtTheStepThatIsShown) {
  open_small();
  engine_.send(Train{});
  for (int n = 1; n <= 20; ++n) {
    const auto now = wait_for([&](const Snapshot& s) { return s.train.step >= 10 * n; });
    ASSERT_TRUE(now->losses);
    EXPECT_EQ(now->losses->size(), static_cast<std::size_t>(now->train.step));
    EXPECT_EQ(now->losses->back().loss, static_cast<float>(now->train.loss));
    EXPECT_EQ(now->runs[0]->losses->size(), static_cast<std::size_t>(now->runs[0]->step));
  }
}

TEST_F(Engines, TrainingIsThatOfTheRunAlone) {
  open_small();
  engine_.send(Train{});
  wait_for([](const Snapshot& s) { return s.train.step >= 10; });
  // What a person does meanwhile does not matter.
  after(StepForward{}, SetClamp{{"block0/mlstm/v", 0, 0, 0, 5, 1.0f, true}}, NewSample{});
  const auto paused = after(Pause{}, Save{folder_ / "run.xlab"});
  const auto run = make_run(make_task("recall"), run_spec_from_json(small_spec()));
  while (run->trainer->steps_done() < paused->train.step) run->train_step();
  EXPECT_EQ(load_run(folder_ / "run.xlab")->model->params().signature(),
            run->model->params().signature());
}

TEST_F(Engines, TrainOneStepTrainsOneStep) {
  open_small();
  for (int step = 1; step <= 3; ++step) {
    const auto snapshot = after(TrainOneStep{});
    EXPECT_EQ(snapshot->train.step, step);
    EXPECT_EQ(snapshot->train.state, TrainState::idle);
    expect_exact(snapshot);
  }
}

TEST_F(Engines, TheStepLimitFinishesTraining) {
  open_small();
  after(SetStepLimit{7}, Train{});
  const auto finished =
      wait_for([](const Snapshot& s) { return s.train.state != TrainState::running; });
  EXPECT_EQ(finished->train.state, TrainState::finished);
  EXPECT_EQ(finished->train.step, 7);
  EXPECT_EQ(finished->train.step_limit, 7);
  expect_exact(after());
  // Training on goes past the old limit.
  after(Train{});
  wait_for([](const Snapshot& s) { return s.train.step >= 12; });
  EXPECT_EQ(after(Pause{})->train.step_limit, 0);
  // A limit that lies behind ends training at once.
  after(Train{}, SetStepLimit{3});
  const auto ended =
      wait_for([](const Snapshot& s) { return s.train.state != TrainState::running; });
  EXPECT_EQ(ended->train.state, TrainState::finished);
}

TEST_F(Engines, TheLearningRateSliderWorksLive) {
  open_small();
  const auto half = after(SetLearningRateScale{0.5}, TrainOneStep{}, TrainOneStep{});
  EXPECT_EQ(half->train.learning_rate_scale, 0.5);
  EXPECT_DOUBLE_EQ(half->train.learning_rate, 0.5 * 3e-3);
  EXPECT_TRUE(half->unsaved);
  std::uint64_t failures = 0;
  for (const double wrong : {-1.0, 1e9, std::nan(""), HUGE_VAL}) {
    const auto snapshot = after(SetLearningRateScale{wrong});
    EXPECT_EQ(snapshot->failure.id, ++failures);
    EXPECT_EQ(snapshot->train.learning_rate_scale, 0.5);
  }
}

TEST_F(Engines, RestartingRepeatsAndANewSeedDoesNot) {
  const auto fresh = after(NewRun{"recall", small_spec()}, SetPrompt{"a 3 a ?"});
  const auto trained = after(TrainOneStep{}, TrainOneStep{}, TrainOneStep{});
  EXPECT_NE(trained->next->logits, fresh->next->logits);
  const auto restarted = after(RestartRun{}, SetCursor{3});
  EXPECT_EQ(restarted->train.step, 0);
  EXPECT_EQ(restarted->sequence.tokens, fresh->sequence.tokens);
  EXPECT_EQ(restarted->next->logits, fresh->next->logits);
  EXPECT_TRUE(restarted->losses->empty());
  EXPECT_TRUE(restarted->unsaved);
  EXPECT_NE(restarted->run_id, fresh->run_id);
  const auto other = after(NewSeed{}, SetCursor{3});
  EXPECT_EQ(other->train.seed, 2u);
  EXPECT_NE(other->next->logits, fresh->next->logits);
}

TEST_F(Engines, NumbersThatAreNotFinitePauseTraining) {
  const auto path = folder_ / "bad.xlab";
  const auto run = make_run(make_task("recall"), run_spec_from_json(small_spec()));
  run->train_step();
  run->model->params().values().data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  save_run(*run, path);
  const auto opened = after(OpenRun{path, nullptr});
  EXPECT_EQ(opened->failure.id, 0u) << "it opens and draws: " << opened->failure.what;
  EXPECT_NE(opened->next, nullptr);
  engine_.send(Train{});
  const auto failed =
      wait_for([](const Snapshot& s) { return s.train.state == TrainState::failed; });
  EXPECT_EQ(failed->failure.where, "train");
  EXPECT_THAT(
      failed->failure.what,
      AllOf(
          HasSubstr("paused after step 4: three steps in a row, 2 to 4, gave numbers that are not"),
          HasSubstr("because the weights are not (token_embedding.weight)"),
          Not(HasSubstr("learning rate"))));
  EXPECT_EQ(failed->train.step, 4) << "three steps were tried";
  EXPECT_EQ(failed->losses->size(), 1u);
  after(Save{folder_ / "after.xlab"});
  EXPECT_EQ(load_run(folder_ / "after.xlab")->model->params().signature(),
            run->model->params().signature())
      << "the weights are as they were";
  EXPECT_EQ(after(NewRun{"copy", small_spec()})->train.state, TrainState::idle);
}

TEST_F(Engines, AStepThatCannotBeDoneIsReportedOnce) {
  const auto path = folder_ / "large.xlab";
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.model->embedding_dim = 256;
  const auto run = make_run(make_task("recall"), spec);
  save_run(*run, path);
  // The same run, but with batches that fit into no memory.
  const SafetensorsFile file = read_safetensors(path);
  Metadata metadata = file.metadata();
  std::string& text = metadata["xlab"];
  const std::string key = "\"batch_size\":32";
  text.replace(text.find(key), key.size(), "\"batch_size\":20000");
  write_safetensors(path, file.tensors(), metadata);
  after(OpenRun{path, nullptr}, Train{});
  const auto failed = wait_for([](const Snapshot& s) { return s.failure.id > 0; });
  EXPECT_THAT(failed->failure.what, HasSubstr("GB"));
  EXPECT_EQ(failed->train.state, TrainState::failed);
  EXPECT_EQ(after(StepBack{})->failure.id, 1u);
}

TEST_F(Engines, RecordingsAreRefreshedWhileTraining) {
  const auto before = open_small();
  engine_.send(Train{});
  const auto first = wait_for([&](const Snapshot& s) { return s.trace_id > before->trace_id + 1; });
  const auto second = wait_for([&](const Snapshot& s) { return s.trace_id > first->trace_id + 1; });
  EXPECT_EQ(second->train.state, TrainState::running);
  EXPECT_GT(second->train.step, first->train.step);
  EXPECT_EQ(second->trace->length(), before->trace->length()) << "never half a sequence";
  EXPECT_NE(second->next->logits, first->next->logits);
  EXPECT_NE(first->next->logits, before->next->logits);
  expect_exact(after(Pause{}));
}

TEST_F(Engines, ALongSequenceIsShownWithOneSetOfWeights) {
  // Longer than what is computed in one go.
  put_file(folder_ / "text.txt", "abcdefghijklmnopqrstuvwxyz");
  after(OpenText{folder_ / "text.txt"});
  std::string prompt;
  for (int i = 0; i < 300; ++i) prompt += static_cast<char>('a' + i * 7 % 26);
  const auto shown = after(Train{}, SetPrompt{prompt});
  EXPECT_EQ(shown->trace->length(), 300) << "flush waits for the sequence";
  wait_for([&](const Snapshot& s) { return s.trace_id > shown->trace_id + 1; });
  const auto paused = after(Pause{});
  EXPECT_EQ(paused->trace->length(), 300);
  expect_exact(paused);
  expect_exact(after(TrainOneStep{}));
}

// ---- the sequence -------------------------------------------------------------------------------

TEST_F(Engines, TheCursorMovesWithinTheSequence) {
  open_small();
  const auto prompted = after(SetPrompt{"a 3 b 7 a ?"});
  EXPECT_EQ(prompted->sequence.cursor, 5);
  EXPECT_EQ(prompted->sequence.prompt_length, 6);
  EXPECT_TRUE(prompted->unsaved);
  const auto at = [&](auto command) { return after(command)->sequence.cursor; };
  EXPECT_EQ(at(SetCursor{2}), 2);
  EXPECT_EQ(at(StepBack{}), 1);
  EXPECT_EQ(at(Rewind{}), 0);
  EXPECT_EQ(at(StepBack{}), 0);
  EXPECT_EQ(at(StepForward{}), 1);
  EXPECT_EQ(at(SetCursor{-100}), 0);
  EXPECT_EQ(at(SetCursor{100}), 5);
  EXPECT_EQ(engine_.snapshot()->sequence.tokens, prompted->sequence.tokens);
  EXPECT_EQ(engine_.snapshot()->trace_id, prompted->trace_id) << "nothing was computed again";
  // The next token belongs to the cursor.
  const auto third = after(SetCursor{2});
  EXPECT_NE(third->next->logits, prompted->next->logits);
  EXPECT_EQ(after(SetCursor{5})->next->logits, prompted->next->logits);
}

TEST_F(Engines, StepForwardAtTheEndGenerates) {
  open_small();
  const auto prompted = after(SetPrompt{"a 3 b 7 a ?"});
  const auto best = std::max_element(prompted->next->logits.begin(), prompted->next->logits.end()) -
                    prompted->next->logits.begin();
  const auto grown = after(StepForward{});
  ASSERT_EQ(grown->sequence.tokens.size(), 7u);
  EXPECT_EQ(grown->sequence.tokens.back(), best) << "greedy";
  EXPECT_EQ(grown->sequence.cursor, 6);
  EXPECT_EQ(grown->sequence.prompt_length, 6);
  EXPECT_EQ(grown->trace->length(), 7);
  // Going back changes nothing, and the same way forward is only looked at.
  const auto back = after(StepBack{}, StepBack{}, StepForward{}, StepForward{});
  EXPECT_EQ(back->sequence.tokens, grown->sequence.tokens);
  expect_exact(back);
}

TEST_F(Engines, GenerationIsThatOfTheBareModel) {
  open_small();
  after(TrainOneStep{}, SetPrompt{"a 3 b 7"});
  for (int n = 0; n < 10; ++n) engine_.send(StepForward{});
  const auto grown = after();
  ASSERT_EQ(grown->sequence.tokens.size(), 14u);
  after(Save{folder_ / "run.xlab"});
  const auto run = load_run(folder_ / "run.xlab");
  Stepper stepper(*run->model);
  std::vector<float> logits;
  for (std::size_t t = 0; t < 14; ++t) {
    if (t >= 4) {
      EXPECT_EQ(std::max_element(logits.begin(), logits.end()) - logits.begin(),
                grown->sequence.tokens[t]);
    }
    logits = stepper.feed({&grown->sequence.tokens[t], 1});
  }
  EXPECT_EQ(grown->next->logits, logits);
}

TEST_F(Engines, GeneratingWhileTrainingUsesOneSetOfWeightsPerToken) {
  open_small();
  after(SetPrompt{"a 3 b 7"}, Train{});
  std::size_t tokens = 4;
  for (int n = 0; n < 20; ++n) {
    const auto grown = after(StepForward{});
    EXPECT_EQ(grown->sequence.tokens.size(), ++tokens);
    EXPECT_EQ(grown->train.state, TrainState::running);
    EXPECT_EQ(grown->trace->length(), static_cast<int>(tokens));
  }
  expect_exact(after(Pause{}));
}

TEST_F(Engines, SamplingDependsOnTheSeedAlone) {
  open_small();
  const auto generate = [&](std::uint64_t seed) {
    after(
        SetPrompt{"a 3"},
        SetSampler{{.greedy = false, .temperature = 3.0, .top_k = 0, .top_p = 1.0, .seed = seed}});
    for (int n = 0; n < 15; ++n) engine_.send(StepForward{});
    return after()->sequence.tokens;
  };
  const auto first = generate(1);
  EXPECT_NE(generate(2), first);
  EXPECT_EQ(generate(1), first);
  // Back in the middle, another branch, and the same again.
  const auto branched = after(SetCursor{5}, TakeToken{first[6] == 0 ? 1 : 0});
  EXPECT_EQ(branched->sequence.tokens.size(), 7u);
  EXPECT_EQ(generate(1), first);
  const auto wrong = after(SetSampler{{.temperature = -1.0}});
  EXPECT_THAT(wrong->failure.what, HasSubstr("temperature"));
  EXPECT_EQ(wrong->sequence.sampler.temperature, 3.0);
}

TEST_F(Engines, TakeTokenBranches) {
  open_small();
  const auto prompted = after(SetPrompt{"a 3 b 7 a ?"});
  const auto branched = after(SetCursor{2}, TakeToken{11});
  EXPECT_EQ(branched->sequence.tokens.size(), 4u);
  EXPECT_EQ(branched->sequence.tokens.back(), 11);
  EXPECT_EQ(branched->sequence.cursor, 3);
  EXPECT_EQ(branched->sequence.prompt_length, 3);
  for (int step = 0; step < 3; ++step)
    EXPECT_EQ(branched->trace->steps[static_cast<std::size_t>(step)],
              prompted->trace->steps[static_cast<std::size_t>(step)])
        << "what they share is shared";
  expect_exact(branched);
  for (const int token : {-1, 21, 1 << 30}) {
    const auto refused = after(TakeToken{token});
    EXPECT_THAT(refused->failure.what, HasSubstr("outside the model's vocabulary"));
    EXPECT_EQ(refused->sequence.tokens, branched->sequence.tokens);
  }
}

TEST_F(Engines, PlayingToTheEndStopsThere) {
  open_small();
  after(SetPrompt{"a 3 b 7 a ?"}, Rewind{}, SetPlaySpeed{1000.0});
  engine_.send(Play{});
  const auto played =
      wait_for([](const Snapshot& s) { return !s.sequence.playing && s.sequence.cursor == 5; });
  EXPECT_EQ(played->sequence.tokens.size(), 6u) << "nothing was generated";
}

TEST_F(Engines, PlayingFromTheEndGeneratesUntilStopped) {
  open_small();
  after(SetPrompt{"a 3"}, SetPlaySpeed{1000.0}, Train{});
  engine_.send(Play{});
  wait_for([](const Snapshot& s) { return s.sequence.tokens.size() >= 12; });
  const auto stopped = after(StopPlaying{});
  EXPECT_FALSE(stopped->sequence.playing);
  EXPECT_EQ(after()->sequence.tokens.size(), stopped->sequence.tokens.size());
  EXPECT_EQ(stopped->train.state, TrainState::running);
  expect_exact(after(Pause{}));
  std::uint64_t failures = 0;
  for (const double speed : {0.0, -1.0, std::nan(""), HUGE_VAL})
    EXPECT_EQ(after(SetPlaySpeed{speed})->failure.id, ++failures);
}

TEST_F(Engines, NewSamplesDiffer) {
  open_small();
  const auto first = after(NewSample{});
  const auto second = after(NewSample{});
  EXPECT_NE(first->sequence.tokens, second->sequence.tokens);
  EXPECT_EQ(second->sequence.cursor, 0);
  EXPECT_EQ(second->sequence.prompt_length, static_cast<int>(second->sequence.tokens.size()));
}

TEST_F(Engines, WrongPromptsAreRefused) {
  const auto before = open_small();
  EXPECT_THAT(after(SetPrompt{"a 3 zebra"})->failure.what, HasSubstr("'zebra'"));
  EXPECT_THAT(after(SetPrompt{""})->failure.what, HasSubstr("empty"));
  EXPECT_THAT(after(SetPrompt{" \n "})->failure.what, HasSubstr("empty"));
  EXPECT_EQ(engine_.snapshot()->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(engine_.snapshot()->sequence.prompt_length, before->sequence.prompt_length);
}

TEST_F(Engines, TooLongAPromptIsRefused) {
  open_small();
  after(SetPrompt{"a 3"});
  std::string prompt;
  for (int i = 0; i < 1'000'000; ++i) prompt += "a 3 ";
  const auto refused = after(SetPrompt{prompt});
  EXPECT_THAT(refused->failure.what, HasSubstr("2000000 tokens"));
  EXPECT_EQ(refused->sequence.tokens.size(), 2u);
  EXPECT_EQ(refused->sequence.prompt_length, 2);
}

TEST_F(Engines, TheMemoryBelongsToTheFocusedBlock) {
  open_small();
  EXPECT_EQ(after(Focus{0})->memory->block, 0);
  EXPECT_EQ(after(Focus{1})->memory, nullptr) << "an sLSTM block has no matrix";
  EXPECT_EQ(after(Focus{2})->memory->block, 2);
  EXPECT_EQ(after(Focus{99})->memory, nullptr);
  EXPECT_EQ(after(Focus{-1})->memory, nullptr);
}

// ---- clamps -------------------------------------------------------------------------------------

TEST_F(Engines, ClampsShowTheWorldWithoutThem) {
  open_small();
  const auto plain = after(TrainOneStep{}, SetPrompt{"a 3 b 7 a ?"});
  const Clamp clamp{"block0/mlstm/input_gate_pre", 0, 0, 1, 4, 8.0f, true};
  const auto held = after(SetClamp{clamp});
  ASSERT_EQ(held->sequence.clamps.size(), 1u);
  EXPECT_EQ(held->next->unclamped, plain->next->probabilities);
  EXPECT_NE(held->next->probabilities, plain->next->probabilities);
  EXPECT_GT(held->next->kl_nats, 0.0);
  ASSERT_NE(held->unclamped, nullptr);
  EXPECT_EQ(held->trace->find(2, clamp.path)->at(0, 0), 8.0f);
  EXPECT_NE(held->unclamped->find(2, clamp.path)->at(0, 0), 8.0f);
  EXPECT_EQ(held->trace->steps[0], plain->trace->steps[0]) << "before the clamp nothing changed";
  expect_exact(held);

  Clamp stronger = clamp;
  stronger.value = 12.0f;
  EXPECT_EQ(after(SetClamp{stronger})->sequence.clamps, std::vector<Clamp>{stronger}) << "replaced";
  Clamp elsewhere = clamp;
  elsewhere.head = 1;
  EXPECT_EQ(after(SetClamp{elsewhere})->sequence.clamps.size(), 2u);

  const auto grown = after(StepForward{});
  EXPECT_EQ(grown->unclamped->length(), 7) << "both worlds go on with the same tokens";

  after(EnableClamp{0, false});
  const auto off = after(EnableClamp{1, false}, SetCursor{5});
  EXPECT_EQ(off->sequence.clamps.size(), 2u);
  EXPECT_EQ(off->unclamped, nullptr);
  EXPECT_EQ(off->next->probabilities, plain->next->probabilities);
  EXPECT_EQ(off->next->kl_nats, 0.0);

  after(EnableClamp{1, true}, RemoveClamp{1});
  const auto removed = after(RemoveClamp{0});
  EXPECT_TRUE(removed->sequence.clamps.empty());
  EXPECT_EQ(removed->next->probabilities, plain->next->probabilities) << "bit for bit";
  EXPECT_TRUE(removed->next->unclamped.empty());

  after(SetClamp{clamp}, SetClamp{elsewhere});
  const auto cleared = after(ClearClamps{});
  EXPECT_TRUE(cleared->sequence.clamps.empty());
  EXPECT_EQ(cleared->next->logits, plain->next->logits);
}

TEST_F(Engines, AClampThatMovesKeepsItsPlaceInTheList) {
  open_small();
  after(SetPrompt{"a 3 b 7 a ?"});
  const auto clamp = [](int head, int begin, int end, float value) {
    return Clamp{"block0/mlstm/input_gate_pre", head, 0, begin, end, value, true};
  };
  after(SetClamp{clamp(0, 1, 4, 8.0f)}, SetClamp{clamp(1, 1, 4, 7.0f)},
        SetClamp{clamp(0, 5, 6, 6.0f)});
  const auto moved = after(ReplaceClamp{0, clamp(0, 2, 3, -3.5f)});
  EXPECT_EQ(moved->sequence.clamps, (std::vector<Clamp>{clamp(0, 2, 3, -3.5f), clamp(1, 1, 4, 7.0f),
                                                        clamp(0, 5, 6, 6.0f)}));
  const auto held = [&](const std::shared_ptr<const Snapshot>& s, int step) {
    return s->trace->find(step, "block0/mlstm/input_gate_pre")->at(0, 0) !=
           s->unclamped->find(step, "block0/mlstm/input_gate_pre")->at(0, 0);
  };
  EXPECT_FALSE(held(moved, 1)) << "no longer held there";
  EXPECT_EQ(moved->trace->find(2, "block0/mlstm/input_gate_pre")->at(0, 0), -3.5f);
  expect_exact(moved);

  std::uint64_t failures = moved->failure.id;
  for (const Command& command : std::vector<Command>{
           ReplaceClamp{3, clamp(0, 1, 2, 1.0f)}, ReplaceClamp{-1, clamp(0, 1, 2, 1.0f)},
           ReplaceClamp{0, clamp(0, 3, 3, 1.0f)}, ReplaceClamp{0, clamp(0, 3, 2, 1.0f)},
           ReplaceClamp{0, clamp(0, 1, 2, std::nanf(""))}})
    EXPECT_EQ(after(command)->failure.id, ++failures);
  EXPECT_EQ(after()->sequence.clamps, moved->sequence.clamps);
}

TEST_F(Engines, AClampThatIsDraggedOverAnotherTakesNothingAway) {
  open_small();
  const auto clamp = [](int begin, int end, float value) {
    return Clamp{"block0/mlstm/input_gate_pre", 0, 0, begin, end, value, true};
  };
  const auto held = [](const SnapshotPtr& s, int step) {
    return s->trace->find(step, "block0/mlstm/input_gate_pre")->at(0, 0);
  };
  after(SetPrompt{"a 3 b 7 a ?"}, SetClamp{clamp(1, 4, 8.0f)}, SetClamp{clamp(1, 2, 7.0f)});
  const auto before = after(SetClamp{clamp(3, 5, -6.0f)});
  // The end of the second one passes over the very range of the first.
  const auto over = after(ReplaceClamp{1, clamp(1, 3, 7.0f)}, ReplaceClamp{1, clamp(1, 4, 7.0f)});
  EXPECT_EQ(over->sequence.clamps,
            (std::vector<Clamp>{clamp(1, 4, 8.0f), clamp(1, 4, 7.0f), clamp(3, 5, -6.0f)}));
  EXPECT_EQ(held(over, 2), 7.0f) << "the last one in the list counts";
  const auto past = after(ReplaceClamp{1, clamp(1, 5, 7.0f)});
  EXPECT_EQ(past->sequence.clamps,
            (std::vector<Clamp>{clamp(1, 4, 8.0f), clamp(1, 5, 7.0f), clamp(3, 5, -6.0f)}));
  EXPECT_EQ(past->failure.id, before->failure.id);
  EXPECT_EQ(after(Undo{})->sequence.clamps, before->sequence.clamps) << "a drag is one edit";
  // A value that is held anew on that place goes to the one that counts.
  const auto anew = after(ReplaceClamp{1, clamp(1, 4, 7.0f)}, SetClamp{clamp(1, 4, 1.5f)});
  EXPECT_EQ(anew->sequence.clamps[0], clamp(1, 4, 8.0f));
  EXPECT_EQ(held(anew, 2), 1.5f);
}

TEST_F(Engines, SeveralClampsAreOneEdit) {
  open_small();
  const auto clamp = [](int head, Change change) {
    return Clamp{.path = "block0/mlstm/input_gate_pre",
                 .head = head,
                 .begin = 1,
                 .end = 2,
                 .value = 2.0f,
                 .change = change};
  };
  after(SetPrompt{"a 3 b 7 a ?"}, SetClamp{clamp(0, Change::set)});
  Clamp other = clamp(0, Change::set);
  other.value = -1.0f;
  const auto both =
      after(AddClamps{{other, clamp(0, Change::scale), clamp(1, Change::set)}, "three"});
  EXPECT_EQ(both->sequence.clamps,
            (std::vector<Clamp>{other, clamp(0, Change::scale), clamp(1, Change::set)}))
      << "one on the same place that does the same is replaced";
  EXPECT_EQ(both->trace->find(1, other.path)->at(0, 0), -2.0f);
  EXPECT_EQ(both->undo_label, "Undo three");
  const auto moved = after(MoveClamp{0, 2});
  EXPECT_EQ(moved->sequence.clamps,
            (std::vector<Clamp>{clamp(0, Change::scale), clamp(1, Change::set), other}));
  EXPECT_EQ(moved->trace->find(1, other.path)->at(0, 0), -1.0f);
  after(Undo{});
  EXPECT_EQ(after(Undo{})->sequence.clamps, std::vector<Clamp>{clamp(0, Change::set)});
}

TEST_F(Engines, TheHistoryIsAListInWords) {
  open_small();
  const auto start = after();
  ASSERT_NE(start->history, nullptr);
  EXPECT_TRUE(start->history->past.empty());
  const Clamp clamp{.path = "block0/mlstm/input_gate_pre", .head = 1, .begin = 1, .end = 4};
  after(SetPrompt{"a 3 b 7 a ?"}, SetClamp{clamp});
  const auto done = after(EnableClamp{0, false});
  using Entry = EditHistory::Entry;
  const int run = done->focused_run;
  const std::vector<Entry> all = {
      {"new prompt", "a 3 b 7 a ?", run},
      {"clamp", "input gate, head 1, steps 1 to 3", run},
      {"switching a clamp", "input gate, head 1, steps 1 to 3, off", run}};
  EXPECT_EQ(done->history->past, all);
  EXPECT_EQ(after(SetCursor{1})->history, done->history) << "the same object";
  const auto back = after(Undo{}, Undo{});
  EXPECT_EQ(back->history->past, std::vector<Entry>{all[0]});
  EXPECT_EQ(back->history->future, (std::vector<Entry>{all[1], all[2]}));
  EXPECT_EQ(after(Redo{})->history->past, (std::vector<Entry>{all[0], all[1]}));
}

TEST_F(Engines, ACurveThatIsDrawnIsOneEdit) {
  open_small();
  Clamp curve{
      .path = "block0/mlstm/input_gate_pre", .begin = 1, .end = 2, .value = 2.0f, .curve = {2.0f}};
  after(SetPrompt{"a 3 b 7 a ?"}, SetClamp{curve});
  curve.end = 4;
  curve.curve = {2.0f, 1.0f, -3.0f};
  const auto drawn = after(ReplaceClamp{0, curve});
  EXPECT_EQ(drawn->trace->find(3, curve.path)->at(0, 0), -3.0f);
  EXPECT_TRUE(after(Undo{})->sequence.clamps.empty());
  EXPECT_EQ(after(Redo{})->sequence.clamps, std::vector<Clamp>{curve});
}

TEST_F(Engines, WrongClampsAreRefused) {
  open_small();
  after(SetPrompt{"a 3 b 7"});
  std::uint64_t failures = 0;
  for (const Command& command : std::vector<Command>{
           SetClamp{{"block0/mlstm/v", 0, 0, 0, 4, std::nanf(""), true}},
           SetClamp{{"block0/mlstm/v", 0, 0, 0, 4, HUGE_VALF, true}},
           ReplaceClamp{0, {"block0/mlstm/v", 0, 0, 0, 4, 1.0f, true}}, RemoveClamp{0},
           RemoveClamp{-1}, EnableClamp{0, true}, EnableClamp{-1, true}, MoveClamp{0, 1},
           SetClamp{{"block0/mlstm/v", 0, 0, 4, 4, 1.0f, true}},
           SetClamp{{.path = "block0/mlstm/v", .begin = 0, .end = 3, .curve = {1.0f, 2.0f}}},
           SetClamp{{.path = "block0/mlstm/v", .begin = 0, .end = 1, .curve = {HUGE_VALF}}},
           AddClamps{{{.path = "block0/mlstm/v", .begin = 0, .end = 1},
                      {.path = "block0/mlstm/v", .begin = 1, .end = 1}},
                     "both or none"}})
    EXPECT_EQ(after(command)->failure.id, ++failures);
  EXPECT_TRUE(engine_.snapshot()->sequence.clamps.empty());
}

TEST_F(Engines, ClampsLiveThroughTraining) {
  open_small();
  after(SetPrompt{"a 3 b 7"}, SetClamp{{"block1/slstm/forget_gate_pre", 0, 0, 0, 4, 5.0f, true}});
  engine_.send(Train{});
  wait_for([](const Snapshot& s) { return s.train.step >= 30; });
  const auto paused = after(Pause{});
  EXPECT_EQ(paused->trace->find(3, "block1/slstm/forget_gate_pre")->at(0, 0), 5.0f);
  EXPECT_EQ(paused->unclamped->length(), 4);
  expect_exact(paused);
}

// ---- saving -------------------------------------------------------------------------------------

TEST_F(Engines, WhatIsSavedIsWhatIsShown) {
  open_small();
  const auto path = folder_ / "run.xlab";
  const SamplerSettings sampler{.greedy = false, .temperature = 0.7, .top_k = 3, .seed = 5};
  const auto before = after(TrainOneStep{}, SetLearningRateScale{0.25}, SetPrompt{"a 3 b 7 a ?"},
                            SetSampler{sampler}, StepForward{},
                            SetClamp{{"block0/mlstm/v", 0, 0, 1, 4, 8.0f, true}});
  const auto saved = after(Save{path});
  EXPECT_TRUE(before->unsaved);
  EXPECT_FALSE(saved->unsaved);
  EXPECT_EQ(saved->notice_id, before->notice_id + 1);
  const auto opened = after(OpenRun{path, nullptr}, SetCursor{before->sequence.cursor});
  EXPECT_EQ(opened->sequence.tokens, before->sequence.tokens);
  EXPECT_EQ(opened->sequence.clamps, before->sequence.clamps);
  EXPECT_EQ(opened->sequence.sampler, sampler);
  EXPECT_EQ(opened->sequence.prompt_length, 6);
  EXPECT_EQ(opened->train.step, 1);
  EXPECT_EQ(opened->train.learning_rate_scale, 0.25);
  EXPECT_EQ(opened->next->logits, before->next->logits);
  EXPECT_EQ(opened->next->unclamped, before->next->unclamped);
  EXPECT_FALSE(opened->unsaved);
  // Saving again goes to the same file; elsewhere it may fail, and then nothing is lost.
  after(TrainOneStep{});
  EXPECT_FALSE(after(Save{})->unsaved);
  EXPECT_EQ(load_run(path)->trainer->steps_done(), 2);
  after(TrainOneStep{});
  const auto failed = after(Save{folder_ / "no" / "such" / "folder.xlab"});
  EXPECT_THAT(failed->failure.what, HasSubstr("folder.xlab"));
  EXPECT_TRUE(failed->unsaved);
  EXPECT_EQ(failed->run_path, path);
}

TEST_F(Engines, WhatSavingWouldReplaceAfterARestartIsKnown) {
  open_small();
  const auto path = folder_ / "run.xlab";
  EXPECT_EQ(after(TrainOneStep{}, TrainOneStep{}, RestartRun{})->replaced_steps, 0) << "no file";
  EXPECT_EQ(after(Undo{}, Save{path})->replaced_steps, 0);
  EXPECT_EQ(after(RestartRun{})->replaced_steps, 2);
  EXPECT_EQ(after(TrainOneStep{}, NewSeed{})->replaced_steps, 2) << "the file is still the same";
  EXPECT_EQ(after(Undo{}, Undo{})->replaced_steps, 0) << "it is the run of the file again";
  EXPECT_EQ(after(Redo{})->replaced_steps, 2);
  const auto saved = after(Save{});
  EXPECT_EQ(saved->replaced_steps, 0);
  EXPECT_FALSE(saved->unsaved);
  // In a file of several runs it may be any of them.
  after(DuplicateRun{saved->focused_run}, TrainOneStep{}, SaveBench{folder_ / "bench.xlab"});
  const auto two = after(RestartRun{});
  EXPECT_EQ(two->replaced_steps, 1 + saved->train.step);
  const auto shown = after(FocusRun{saved->focused_run});
  EXPECT_EQ(shown->replaced_steps, two->replaced_steps);
  EXPECT_EQ(after(Save{})->replaced_steps, 0);
}

TEST_F(Engines, WhatIsDoneWhileARunIsWrittenIsNotTakenForSaved) {
  open_small();
  const auto path = folder_ / "run.xlab";
  const auto saved = after(SetPrompt{"a 3 b 7 a ?"}, Save{path}, TrainOneStep{}, SetPrompt{"b 4"});
  EXPECT_EQ(saved->saves, 1u);
  EXPECT_EQ(saved->run_path, path);
  EXPECT_TRUE(saved->unsaved);
  EXPECT_EQ(saved->train.saved_step, 0);
  const auto written = load_run(path);
  EXPECT_EQ(written->trainer->steps_done(), 0);
  EXPECT_EQ(written->sequence->length(), 6);
  // What needs the file comes after it.
  const auto opened = after(Save{}, OpenRun{path, nullptr}, SetCursor{1});
  EXPECT_EQ(opened->train.step, 1);
  EXPECT_EQ(opened->sequence.tokens.size(), 2u);
  EXPECT_EQ(opened->sequence.cursor, 1);
  EXPECT_FALSE(opened->unsaved);
  // Files that were asked for one after the other are written one after the other.
  const auto twice = after(TrainOneStep{}, Save{}, TrainOneStep{}, Save{folder_ / "other.xlab"});
  EXPECT_EQ(twice->saves, 4u);
  EXPECT_FALSE(twice->unsaved);
  EXPECT_EQ(load_run(path)->trainer->steps_done(), 2);
  EXPECT_EQ(load_run(folder_ / "other.xlab")->trainer->steps_done(), 3);
}

TEST_F(Engines, ARunThatCannotBeWrittenStaysUnsaved) {
  open_small();
  const auto failed = after(TrainOneStep{}, Save{folder_ / "no" / "folder.xlab"});
  EXPECT_EQ(failed->failure.where, "save");
  EXPECT_EQ(failed->saves, 0u);
  EXPECT_TRUE(failed->unsaved);
  EXPECT_EQ(failed->run_path, "");
  EXPECT_FALSE(after(Save{folder_ / "run.xlab"})->unsaved);
}

TEST_F(Engines, SavingWhileTrainingGoesOn) {
  open_small();
  engine_.send(Train{});
  for (int n = 0; n < 5; ++n) {
    const auto saved = after(Save{folder_ / "run.xlab"});
    EXPECT_EQ(saved->failure.id, 0u) << saved->failure.what;
    EXPECT_EQ(saved->train.state, TrainState::running);
    EXPECT_LE(load_run(folder_ / "run.xlab")->trainer->steps_done(), saved->train.step);
  }
}

// ---- the end ------------------------------------------------------------------------------------

TEST_F(Engines, ClosingWhileTrainingKeepsInTime) {
  open_small();
  after(SetPrompt{"a 3 b 7 a ?"}, SetClamp{{"block0/mlstm/v", 0, 0, 1, 4, 8.0f, true}}, Train{});
  wait_for([](const Snapshot& s) { return s.train.step >= 5; });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(engine_.keep_and_stop(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  const auto run = kept();
  ASSERT_TRUE(run);
  EXPECT_GE(run->trainer->steps_done(), 5);
  EXPECT_EQ(run->sequence->length(), 6) << "the sequence on screen is kept too";
  EXPECT_EQ(run->sequence->clamps().size(), 1u);
  // Afterwards nothing hangs and nothing happens.
  const auto last = engine_.snapshot();
  engine_.send(Train{});
  engine_.flush();
  EXPECT_EQ(engine_.snapshot(), last);
}

TEST_F(Engines, ClosingDoesNotWaitForALongStep) {
  // One step takes ten seconds and more, so that none can end before the closing is asked for,
  // however busy the machine is: sixteen thousand tokens one after the other, in a wide model.
  open_small("parity", [](RunSpec& spec) {
    spec.model->embedding_dim = 256;
    spec.model->num_blocks = 6;
    spec.model->slstm_at = {0, 1, 2, 3, 4, 5};
    spec.model->slstm->num_heads = 1;
    spec.train->batch_size = 2;
    spec.train->sequence_length = 1 << 14;
  });
  after(SetPrompt{"1 0 1"}, Train{});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(engine_.keep_and_stop(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  ASSERT_TRUE(kept());
  EXPECT_EQ(kept()->trainer->steps_done(), 0);
}

TEST_F(Engines, ClosingDoesNotWaitForALongSequence) {
  put_file(folder_ / "text.txt", "abcdefghijklmnopqrstuvwxyz");
  after(OpenText{folder_ / "text.txt"});
  engine_.send(SetPrompt{[] {
    std::string prompt;
    for (int i = 0; i < 8000; ++i) prompt += static_cast<char>('a' + i * 7 % 26);
    return prompt;
  }()});
  engine_.send(StepForward{});
  engine_.send(TakeToken{3});
  engine_.send(TrainOneStep{});
  wait_for([](const Snapshot& s) { return s.sequence.tokens.size() >= 8000; });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(engine_.keep_and_stop(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  ASSERT_TRUE(kept());
  EXPECT_GE(kept()->sequence->length(), 8000);
}

TEST_F(Engines, ClosingWithNothingToSaveKeepsNothing) {
  open_small();
  EXPECT_EQ(engine_.keep_and_stop(), "");
  EXPECT_FALSE(kept());
}

TEST_F(Engines, ClosingSaysWhatWentWrong) {
  open_small();
  after(TrainOneStep{});
  std::filesystem::remove_all(folder_ / "kept");
  put_file(folder_ / "kept", "something in the way");
  EXPECT_THAT(engine_.keep_and_stop(), HasSubstr((folder_ / "kept").string()));
}

TEST(EngineLife, MayEndAtAnyMoment) {
  for (int n = 0; n < 30; ++n) {
    std::atomic<int> published = 0;
    Engine engine([&] { ++published; }, "cpu");
    if (n % 3 != 0) engine.send(NewRun{"recall", small_spec()});
    if (n % 3 == 2) engine.send(Train{});
    for (int m = 0; m < n % 7; ++m) engine.send(StepForward{});
    if (n % 5 == 0) engine.flush();
  }
}

TEST(EngineLife, ClosingAtAnyMomentKeepsInTime) {
  const TemporaryFolder folder;
  Random random(5);
  const auto below = [&](int n) {
    return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
  };
  for (int n = 0; n < 40; ++n) {
    const auto root = folder / ("kept" + std::to_string(n));
    const auto saved = folder / ("saved" + std::to_string(n) + ".xlab");
    Engine engine([] {}, "cpu", {.root = root});
    engine.send(NewRun{"recall", below(2) ? "" : small_spec()});
    engine.send(SetPrompt{"a 3 b 7 a ?"});
    if (below(2)) engine.send(Train{});
    if (below(2)) engine.send(SetClamp{{"block0/mlstm/v", 0, 0, 0, 9, 1.0f, true}});
    if (below(2)) engine.send(SetPlaySpeed{1000.0});
    if (below(2)) engine.send(Play{});
    if (below(3) == 0) engine.send(Save{saved});
    for (int m = below(6); m > 0; --m) engine.send(StepForward{});
    // The moment is counted in snapshots seen.
    for (int seen = below(200); seen > 0; --seen) engine.snapshot();
    if (below(2)) engine.flush();
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(engine.keep_and_stop(), "");
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    const auto kept = kept_in(root);
    // A save under way is waited for; no snapshot tells of it any more.
    if (engine.snapshot()->unsaved) {
      EXPECT_TRUE(kept || std::filesystem::exists(saved));
    }
    if (kept) {
      EXPECT_GE(kept->sequence->length(), 6);
    }
  }
}

// ---- snapshots and threads ----------------------------------------------------------------------

/// Every plain value of a snapshot that a later step could have changed under a reader's eyes.
std::size_t digest(const Snapshot& s) {
  std::size_t sum = 0;
  const auto mix = [&](auto value) {
    sum = sum * 1099511628211u + std::hash<decltype(value)>{}(value);
  };
  mix(s.id);
  mix(s.train.step);
  mix(s.train.loss);
  for (const int token : s.sequence.tokens) mix(token);
  for (const float x : s.sequence.surprise) mix(x);
  if (s.losses) {
    for (const LossPoint& point : *s.losses) mix(point.loss);
  }
  if (s.next) {
    for (const float x : s.next->logits) mix(x);
  }
  if (s.memory) {
    for (const float x : s.memory->C) mix(x);
  }
  if (s.trace) {
    for (const auto& step : s.trace->steps) {
      for (const auto& [path, value] : step->values) {
        for (const float x : value.values) mix(x);
      }
    }
  }
  return sum;
}

TEST_F(Engines, SnapshotsNeverChange) {
  open_small();
  after(SetPrompt{"a 3 b 7"}, SetPlaySpeed{500.0}, Play{}, Train{});
  std::vector<std::pair<SnapshotPtr, std::size_t>> kept;
  std::uint64_t seen = 0;
  for (int n = 0; n < 20; ++n) {
    const auto snapshot = wait_for([&](const Snapshot& s) { return s.id > seen; });
    seen = snapshot->id;
    kept.emplace_back(snapshot, digest(*snapshot));
  }
  after(Pause{}, StopPlaying{}, ClearClamps{}, Rewind{}, TakeToken{3},
        NewRun{"copy", small_spec()});
  for (const auto& [snapshot, before] : kept) EXPECT_EQ(digest(*snapshot), before);
}

TEST_F(Engines, StandWhateverManyThreadsSend) {
  open_small();
  constexpr int kThreads = 4, kCommands = 120;
  std::atomic<bool> reading = true;
  std::thread reader([&] {
    std::uint64_t last = 0;
    std::size_t sum = 0;
    while (reading) {
      const auto snapshot = engine_.snapshot();
      EXPECT_GE(snapshot->id, last) << "time does not run backwards";
      last = snapshot->id;
      sum += digest(*snapshot);
      if (snapshot->model) {
        EXPECT_EQ(snapshot->sequence.surprise.size(), snapshot->sequence.tokens.size());
        EXPECT_LT(snapshot->sequence.cursor, static_cast<int>(snapshot->sequence.tokens.size()));
      }
      std::this_thread::yield();
    }
    EXPECT_NE(sum, 0u);
  });
  const auto send_all = [&](std::uint64_t seed) {
    Random random(seed);
    const auto below = [&](int n) {
      return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
    };
    for (int n = 0; n < kCommands; ++n) {
      switch (below(22)) {
        case 0:
          engine_.send(Train{});
          break;
        case 1:
          engine_.send(Pause{});
          break;
        case 2:
          engine_.send(TrainOneStep{});
          break;
        case 3:
          engine_.send(SetStepLimit{below(50)});
          break;
        case 4:
          engine_.send(SetPrompt{below(2) ? "a 3 b 4 a ?" : "nonsense"});
          break;
        case 5:
          engine_.send(NewSample{});
          break;
        case 6:
          engine_.send(SetCursor{below(30) - 5});
          break;
        case 7:
          engine_.send(StepForward{});
          break;
        case 8:
          engine_.send(StepBack{});
          break;
        case 9:
          engine_.send(Play{});
          break;
        case 10:
          engine_.send(StopPlaying{});
          break;
        case 11:
          engine_.send(SetPlaySpeed{below(1000) + 1.0});
          break;
        case 12:
          engine_.send(Rewind{});
          break;
        case 13:
          engine_.send(TakeToken{below(23) - 1});
          break;
        case 14:
          engine_.send(SetSampler{{.greedy = false, .temperature = 0.5 * below(5)}});
          break;
        case 15:
          engine_.send(Focus{below(5) - 1});
          break;
        case 16:
          engine_.send(SetClamp{{below(2) ? "block0/mlstm/v" : "block1/slstm/cell_input_pre",
                                 below(3), below(9), below(8), below(12), 2.0f, below(3) > 0}});
          break;
        case 17:
          engine_.send(RemoveClamp{below(3)});
          break;
        case 18:
          engine_.send(EnableClamp{below(3), below(2) == 0});
          break;
        case 19:
          engine_.send(ClearClamps{});
          break;
        case 20:
          if (below(6) == 0) engine_.send(NewRun{"recall", small_spec()});
          if (below(6) == 0) engine_.send(RestartRun{});
          if (below(6) == 0) engine_.send(Save{folder_ / "hammered.xlab"});
          break;
        default:
          engine_.flush();
      }
    }
  };
  std::vector<std::thread> senders;
  for (std::uint64_t seed = 1; seed <= kThreads; ++seed) senders.emplace_back(send_all, seed);
  for (std::thread& sender : senders) sender.join();
  const auto end = after(Pause{}, StopPlaying{});
  reading = false;
  reader.join();
  EXPECT_EQ(end->train.state, TrainState::idle);
  EXPECT_FALSE(end->sequence.playing);
  expect_exact(end);
}

TEST_F(Engines, FlushReturnsWhileTrainingAndPlayingGoOn) {
  open_small();
  after(SetPrompt{"a 3 b 7"}, SetPlaySpeed{1000.0}, Train{}, Play{});
  for (int n = 0; n < 50; ++n) {
    const auto snapshot = after(Focus{n % 3});
    EXPECT_EQ(snapshot->train.state, TrainState::running);
    EXPECT_TRUE(snapshot->sequence.playing);
    EXPECT_EQ(snapshot->memory ? snapshot->memory->block : 1, n % 3);
    EXPECT_EQ(snapshot->trace->length(), static_cast<int>(snapshot->sequence.tokens.size()));
  }
}

// ---- other equations, and the self-check --------------------------------------------------------

TEST_F(Engines, OtherEquationsKeepTheWeights) {
  const auto before = open_small();
  const auto hash = [&](const std::string& name) {
    after(Save{folder_ / name});
    return load_run(folder_ / name)->model->params().signature();
  };
  const std::uint64_t weights = hash("before.xlab");
  CellVariant variant;
  variant.forget_gate = ForgetGate::exponential;
  variant.stabilizer = false;
  const auto changed = after(SetVariant{"mlstm", variant});
  EXPECT_EQ(changed->failure.what, "");
  EXPECT_TRUE(changed->model->blocks[0].variant == variant);
  EXPECT_TRUE(changed->model->blocks[1].variant == CellVariant{});
  EXPECT_TRUE(changed->unsaved);
  EXPECT_NE(changed->trace_id, before->trace_id);
  EXPECT_EQ(changed->sequence.tokens, before->sequence.tokens);
  EXPECT_NE(changed->next->logits, before->next->logits);
  EXPECT_EQ(hash("changed.xlab"), weights);
  EXPECT_TRUE(load_run(folder_ / "changed.xlab")->model->spec().mlstm->variant == variant);
  expect_exact(engine_.snapshot());

  const auto back = after(SetVariant{"mlstm", {}});
  EXPECT_EQ(back->next->logits, before->next->logits);

  CellVariant wrong;
  wrong.eps = 7.0;
  EXPECT_THAT(after(SetVariant{"mlstm", wrong})->failure.what, HasSubstr("eps"));
  EXPECT_THAT(after(SetVariant{"lstm", {}})->failure.what, HasSubstr("lstm"));
  EXPECT_EQ(engine_.snapshot()->next->logits, before->next->logits);
}

TEST_F(Engines, OtherEquationsCanBeTrained) {
  open_small();
  CellVariant variant;
  variant.denominator_floor = DenominatorFloor::one;
  variant.gate_soft_cap = 5.0;
  const auto snapshot = after(SetVariant{"mlstm", variant}, TrainOneStep{}, TrainOneStep{});
  EXPECT_EQ(snapshot->failure.what, "");
  EXPECT_EQ(snapshot->train.step, 2);
}

TEST_F(Engines, TheSelfcheckRunsBesideEverythingElse) {
  EXPECT_EQ(open_small()->health, nullptr);
  after(Selfcheck{});
  const auto checked =
      wait_for([](const Snapshot& s) { return s.health != nullptr && !s.health->running; });
  EXPECT_EQ(checked->health->failure, "");
  EXPECT_EQ(checked->health->checks.size(), 8U);
  for (const Check& row : checked->health->checks) EXPECT_TRUE(row.passed) << row.sentence;

  // While training, of the weights of that moment; another run has a report of its own.
  after(Train{}, Selfcheck{});
  wait_for([](const Snapshot& s) { return !s.health->running && s.train.step > 3; });
  EXPECT_EQ(open_small()->health, nullptr);
  after(Selfcheck{}, Selfcheck{}, NewRun{"recall", small_spec()});
}

TEST_F(Engines, AModelThatIsOnlyReadIsReadOnceMoreWhenSomebodyAsks) {
  const TemporaryFolder folder;
  ModelSpec spec = small_large();
  spec.vocab_size = 70;
  spec.embedding_dim = 128;
  spec.large->ffn_round_up_to_multiple_of = 64;
  write_model_folder(filled_model(spec, DType::f32), folder.path());
  after(OpenFolder{.path = folder.path().string(), .bits = 4}, SetPrompt{"3 1 4 1 5"});
  const auto asked = [&] {
    after(Selfcheck{});
    return wait_for([](const Snapshot& s) { return s.health != nullptr && !s.health->running; })
        ->health;
  };
  const auto first = asked();
  EXPECT_EQ(first->failure, "");
  EXPECT_EQ(first->rounded_to, "4 bits");
  EXPECT_EQ(first->rounding_tokens, 5);
  EXPECT_EQ(first->rounding.size(), static_cast<std::size_t>(spec.num_blocks) + 2);
  for (const Check& row : first->checks) EXPECT_TRUE(row.passed) << row.sentence;

  // Of other equations nothing is said until somebody asks again, and then of those.
  CellVariant plain = engine_.snapshot()->model->blocks[0].variant;
  plain.stabilizer = false;
  const std::string kind = engine_.snapshot()->model->blocks[0].kind;
  EXPECT_EQ(after(SetVariant{kind, plain})->health, nullptr);
  const auto second = asked();
  EXPECT_EQ(second->failure, "");
  EXPECT_EQ(after(Undo{})->health, nullptr);
  // Nothing stays of one that was running.
  after(Selfcheck{}, SetVariant{kind, plain});
  EXPECT_EQ(engine_.snapshot()->health, nullptr);
}

}  // namespace
}  // namespace xlab::tests
