// What a run can be asked for: training, samples, tokens that can be written, and where a text
// ends; and what of it counts as unsaved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/generation/sequence.hpp"
#include "core/generation/stepper.hpp"
#include "kernels/device/device.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::AllOf;
using testing::HasSubstr;

/// "{"train": ...}" of `quick_spec`, without its model.
std::string quick_training() {
  return "{\"train\": " + to_json(*run_spec_from_json(quick_spec()).train) + "}";
}

class WhatARunCanDo : public EngineStage {
 protected:
  /// The folder of a small model that was trained on a task.
  std::string trained_folder(const std::string& task) {
    open_quick(task);
    train(3);
    const auto path = folder_ / (task + "_model");
    EXPECT_EQ(after(ExportFolder{path})->failure.what, "");
    return path;
  }
  /// What can be seen of the run is that of before, but for the sentence.
  void expect_refused(const Command& command, const std::string& words) {
    const auto before = after();
    const auto refused = after(command);
    EXPECT_EQ(refused->failure.id, before->failure.id + 1);
    EXPECT_THAT(refused->failure.what, HasSubstr(words));
    EXPECT_EQ(refused->train.state, TrainState::idle);
    EXPECT_EQ(refused->train.step, before->train.step);
    EXPECT_EQ(refused->sequence.tokens, before->sequence.tokens);
    EXPECT_EQ(refused->run_id, before->run_id);
    EXPECT_EQ(refused->unsaved, before->unsaved);
  }
};

// ---- runs without data, and going on from them --------------------------------------------------

TEST_F(WhatARunCanDo, WithoutDataThereIsNoTraining) {
  const std::string folder = trained_folder("recall");
  EXPECT_FALSE(after()->model->came_with_weights);
  EXPECT_EQ(after()->train.cannot_train, "");
  EXPECT_EQ(after()->sequence.cannot_sample, "");
  const auto opened = after(OpenFolder{folder});
  EXPECT_TRUE(opened->model->came_with_weights);
  EXPECT_THAT(opened->train.cannot_train, HasSubstr("without data"));
  EXPECT_THAT(opened->sequence.cannot_sample, HasSubstr("without data"));
  expect_refused(Train{}, "nothing to learn from");
  expect_refused(TrainOneStep{}, "nothing to learn from");
  expect_refused(NewSample{}, "no samples");
  expect_refused(RestartRun{}, "open again what they came from");
  // It stays so in a file.
  const auto again = after(Save{folder_ / "run.xlab"}, OpenRun{folder_ / "run.xlab", nullptr});
  EXPECT_TRUE(again->model->came_with_weights);
  EXPECT_NE(again->train.cannot_train, "");
}

TEST_F(WhatARunCanDo, AModelGoesOnLearningATask) {
  const std::string folder = trained_folder("recall");
  const std::uint64_t weights = signature();
  after(OpenFolder{folder});
  const auto tuned = after(NewRun{"recall", quick_training(), true});
  ASSERT_EQ(tuned->failure.what, "");
  EXPECT_EQ(tuned->data->task, "recall");
  EXPECT_TRUE(tuned->model->came_with_weights);
  EXPECT_EQ(tuned->train.cannot_train, "");
  EXPECT_EQ(tuned->train.step, 0);
  EXPECT_EQ(signature(), weights);
  EXPECT_EQ(train(2)->train.step, 2);
  expect_refused(RestartRun{}, "open again what they came from");
  EXPECT_TRUE(after(Save{folder_ / "run.xlab"}, OpenRun{folder_ / "run.xlab", nullptr})
                  ->model->came_with_weights);
  // The folder's model comes back with Undo.
  EXPECT_EQ(after(Undo{}, Undo{})->data->task, "tokens");

  // As `xlstm train --model` does it.
  const auto run =
      train_folder_run(make_task("recall"), run_spec_from_json(quick_training()).train, folder);
  const auto loss = run->train_step().loss;
  after(NewRun{"recall", quick_training(), true});
  EXPECT_EQ(static_cast<float>(train(1)->train.loss), static_cast<float>(loss));
}

TEST_F(WhatARunCanDo, AModelWithoutTheTokensIsRefused) {
  after(OpenFolder{trained_folder("copy")});
  expect_refused(NewRun{"recall", quick_training(), true}, "21 different tokens");
  expect_refused(NewRun{"copy", quick_spec(), true}, "\"train\" alone");
  put_file(folder_ / "text.txt", "the quick brown fox jumps over the lazy dog");
  expect_refused(OpenText{folder_ / "text.txt", "characters", true}, "different tokens");
  expect_refused(OpenText{folder_ / "missing.txt", "characters", true}, "missing.txt");
}

TEST_F(WhatARunCanDo, WithoutAModelThereIsNothingToGoOnFrom) {
  EXPECT_THAT(after(NewRun{"copy", "", true})->failure.what, HasSubstr("There is no run"));
  put_file(folder_ / "text.txt", "to be or not to be");
  EXPECT_THAT(after(OpenText{folder_ / "text.txt", "characters", true})->failure.what,
              HasSubstr("There is no run"));
}

TEST_F(WhatARunCanDo, ATextIsReadByTheModelsOwnTokenizer) {
  put_file(folder_ / "first.txt", "to be or not to be, that is the question");
  put_file(folder_ / "second.txt", "that is not the question: to be is to be");
  put_file(folder_ / "third.txt", "Zebras");
  const auto first = after(OpenText{folder_ / "first.txt"}, TrainOneStep{});
  const std::uint64_t weights = signature();
  const std::string model = folder_ / "model";
  after(ExportFolder{model}, NewRun{"copy", ""}, OpenFolder{model});
  // What the window sends says "characters", which here would be others.
  expect_refused(OpenText{folder_ / "second.txt", "characters", true},
                 "never saw the character ':'");
  put_file(folder_ / "second.txt", "that is not the question, to be is to be");
  const auto second = after(OpenText{folder_ / "second.txt", "bytes", true});
  ASSERT_EQ(second->data->title, "second.txt") << second->failure.what;
  EXPECT_EQ(second->model->vocabulary, first->model->vocabulary);
  EXPECT_EQ(second->data->length, 40);
  EXPECT_EQ(signature(), weights);
  EXPECT_EQ(train(1)->train.step, 1);
  expect_refused(OpenText{folder_ / "third.txt", "characters", true}, "'Z'");
}

// ---- texts --------------------------------------------------------------------------------------

TEST_F(WhatARunCanDo, ATextInAnotherEncodingIsReadAsBytes) {
  put_file(folder_ / "latin1.txt", "Vor dem Gesetz steht ein T\xfcrh\xfcter");
  const auto opened = after(OpenText{folder_ / "latin1.txt"});
  EXPECT_EQ(opened->failure.what, "");
  EXPECT_EQ(opened->data->tokenizer, "bytes");
  EXPECT_EQ(opened->data->length, 33);
  EXPECT_EQ(opened->model->vocabulary.size(), 256u);
  EXPECT_THAT(opened->notice, AllOf(HasSubstr("latin1.txt"), HasSubstr("not in UTF-8"),
                                    HasSubstr("position 26 (0xFC)"), HasSubstr("as bytes")));
  EXPECT_EQ(opened->sequence.tokens[26], 0xfc);

  put_file(folder_ / "utf16.txt", std::string("\xff\xfeT\0o\0 \0b\0e\0", 12));
  const auto wide = after(OpenText{folder_ / "utf16.txt"});
  EXPECT_EQ(wide->failure.what, "");
  EXPECT_EQ(wide->data->length, 12);
  EXPECT_THAT(wide->notice, HasSubstr("UTF-16"));

  put_file(folder_ / "utf8.txt", "Vor dem Gesetz steht ein Türhüter");
  const auto characters = after(OpenText{folder_ / "utf8.txt"});
  EXPECT_EQ(characters->data->tokenizer, "characters");
  EXPECT_EQ(characters->data->length, 33);
  EXPECT_EQ(characters->notice_id, wide->notice_id) << "nothing is unusual about it";
}

TEST_F(WhatARunCanDo, WhatIsNoTextIsRefused) {
  open_quick();
  put_file(folder_ / "empty.txt", "");
  put_file(folder_ / "one.txt", "\xfc");
  put_file(folder_ / "picture.png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16));
  expect_refused(OpenText{folder_ / "empty.txt"}, "is empty");
  expect_refused(OpenText{folder_ / "one.txt"}, "too few");
  expect_refused(OpenText{folder_ / "picture.png"}, "binary data");
  // Whoever asks for bytes gets them.
  EXPECT_EQ(after(OpenText{folder_ / "picture.png", "bytes"})->data->length, 16);
}

// ---- tokens that can be written, and the end of a text
// -------------------------------------------

/// A folder with a model whose tokenizer has seven tokens, of which the numbers 7 to 11 are none,
/// 12 ends a text, and the model's 13 to 15 are unknown to it.
class Writing : public WhatARunCanDo {
 protected:
  static constexpr int kEnd = 12, kVocabulary = 16;
  const std::vector<int> prompt_ = {0, 1, 3};

  Writing() : model_(spec(), DType::f32) {
    model_.params().initialise(3);
    std::filesystem::create_directories((folder_ / "model").c_str());
    put_file(folder_ / "model" / "tokenizer.json", R"({
      "version": "1.0", "truncation": null, "padding": null,
      "added_tokens": [{"id": 12, "content": "<end>", "special": true, "normalized": false,
                        "single_word": false, "lstrip": false, "rstrip": false}],
      "normalizer": null,
      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
      "post_processor": null,
      "decoder": {"type": "ByteLevel"},
      "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "abab": 5,
                                         "ba": 6},
                "merges": ["a b", ["Ġ", "ab"], "ab ab", "b a"]}})");
    put_file(folder_ / "model" / "tokenizer_config.json", R"({"eos_token": "<end>"})");
  }
  static ModelSpec spec() {
    ModelSpec spec = small_mixed();
    spec.vocab_size = kVocabulary;
    return spec;
  }
  /// After the prompt the model wants these tokens most, in this order.
  void prefer(const std::vector<int>& tokens) {
    const Tensor head = model_.params()[model_.params().find("lm_head.weight")].value;
    const auto width = static_cast<std::size_t>(head.shape()[1]);
    const auto row = [&](int token) {
      return head.data<float>() + static_cast<std::size_t>(token) * width;
    };
    // What the last layer sees, one number at a time.
    std::vector<float> seen(width);
    for (std::size_t i = 0; i < width; ++i) {
      head.fill_zero();
      row(0)[i] = 1.0f;
      seen[i] = Stepper(model_).feed(prompt_)[0];
    }
    head.fill_zero();
    for (std::size_t rank = 0; rank < tokens.size(); ++rank)
      for (std::size_t i = 0; i < width; ++i)
        row(tokens[rank])[i] = seen[i] * static_cast<float>(tokens.size() - rank);
    write_model_folder(model_, folder_ / "model");
  }
  Model model_;
};

TEST_F(Writing, WhatCannotBeWrittenIsNotDrawn) {
  prefer({15, 8, 4});
  const auto prompted =
      after(OpenFolder{folder_ / "model"}, SetPrompt{"a"}, TakeToken{1}, TakeToken{3});
  ASSERT_EQ(prompted->sequence.tokens, prompt_) << prompted->failure.what;
  ASSERT_EQ(prompted->model->writable.size(), 16u);
  for (int token = 0; token < kVocabulary; ++token)
    EXPECT_EQ(prompted->model->writable[static_cast<std::size_t>(token)],
              token < 7 || token == kEnd)
        << token;
  const NextToken& next = *prompted->next;
  EXPECT_EQ(std::max_element(next.logits.begin(), next.logits.end()) - next.logits.begin(), 15)
      << "the logits say what the model would say";
  EXPECT_EQ(next.sampling[15], 0.0f);
  EXPECT_EQ(next.sampling[8], 0.0f);
  EXPECT_EQ(next.sampling[4], 1.0f);
  EXPECT_EQ(after(StepForward{})->sequence.tokens.back(), 4);
  after(StepBack{}, SetSampler{{.greedy = false, .temperature = 1.0, .seed = 5}});
  EXPECT_EQ(after()->next->sampling[15], 0.0f);
  float sum = 0.0f;
  for (const float p : after()->next->sampling) sum += p;
  EXPECT_NEAR(sum, 1.0f, 1e-5);
}

TEST_F(Writing, TheTextEndsAtTheModelsEndToken) {
  prefer({kEnd, 4});
  const auto prompted =
      after(OpenFolder{folder_ / "model"}, SetPrompt{"a"}, TakeToken{1}, TakeToken{3});
  ASSERT_EQ(prompted->sequence.tokens, prompt_) << prompted->failure.what;
  EXPECT_EQ(prompted->sequence.full_reason, "");
  const auto ended = after(StepForward{});
  EXPECT_EQ(ended->sequence.tokens, prompt_) << "the end is not written";
  EXPECT_THAT(ended->sequence.full_reason, AllOf(HasSubstr("ended its text"), HasSubstr("<end>")));
  EXPECT_EQ(ended->failure.id, prompted->failure.id) << "that is no failure";
  // Playing stops there by itself.
  after(Play{});
  wait_until([](const Snapshot& s) { return !s.sequence.playing; });
  EXPECT_EQ(after()->sequence.tokens, prompt_);
  // Another token is the way on; what comes after it is written again.
  const auto on = after(TakeToken{kEnd});
  EXPECT_EQ(on->sequence.tokens.size(), 4u);
  EXPECT_EQ(on->sequence.full_reason, "");
  // So is another way to draw.
  after(Undo{}, StepForward{});
  EXPECT_NE(after()->sequence.full_reason, "");
  EXPECT_EQ(
      after(SetSampler{{.greedy = false, .temperature = 9.0, .seed = 4}})->sequence.full_reason,
      "");
  // And writing past the end, which writes the end itself.
  const auto past = after(SetSampler{{.past_end = true}}, StepForward{});
  EXPECT_EQ(past->sequence.tokens.size(), prompt_.size() + 1);
  EXPECT_EQ(past->sequence.tokens.back(), kEnd);
  EXPECT_EQ(past->sequence.full_reason, "");
  after(Save{folder_ / "past.xlab"});
  EXPECT_TRUE(load_run(folder_ / "past.xlab")->sampler.past_end);
}

// ---- what counts as unsaved
// ----------------------------------------------------------------------

TEST_F(WhatARunCanDo, WhatCountsAsUnsaved) {
  const auto opened = open_quick();
  const auto path = folder_ / "run.xlab";
  const CellVariant usual = opened->model->blocks.front().variant;
  CellVariant other = usual;
  other.stabilizer = false;
  const Clamp clamp{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, 0.5f, true};
  const std::vector<std::pair<const char*, Command>> changes = {
      {"a training step", TrainOneStep{}},
      {"a prompt", SetPrompt{"a 3 b 4"}},
      {"a sample", NewSample{}},
      {"a token taken", TakeToken{3}},
      {"a token written", StepForward{}},
      {"a sampler", SetSampler{{.greedy = false}}},
      {"a learning rate", SetLearningRateScale{0.5}},
      {"a variant", SetVariant{"mlstm", other}},
      {"a clamp", SetClamp{clamp}},
      {"a clamp switched", EnableClamp{0, false}},
      {"a clamp removed", RemoveClamp{0}},
      {"going back", Undo{}},
      {"going forward", Redo{}},
      {"a restart", RestartRun{}}};
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(after(SetCursor{1 << 20}, Save{path})->unsaved);
    const auto changed = after(change);
    EXPECT_EQ(changed->failure.what, "");
    EXPECT_TRUE(changed->unsaved);
  }
  after(SetPrompt{"a 3 b 4"}, Save{path});
  for (const Command& look : std::vector<Command>{
           SetCursor{2}, StepForward{}, StepBack{}, Rewind{}, SetPlaySpeed{9.0}, Focus{1},
           Selfcheck{}, Play{}, StopPlaying{}, Pause{}, SetStepLimit{50}, SetPrompt{"zebra"},
           UseDevice{"cpu"}, ExportFolder{folder_ / "model"}, SetPrompt{"a 3 b 4"}}) {
    EXPECT_FALSE(after(look)->unsaved) << look.index();
  }
  for (const Command& fresh :
       std::vector<Command>{NewRun{"copy", quick_spec()}, OpenRun{path, nullptr}}) {
    after(TrainOneStep{});
    EXPECT_FALSE(after(fresh)->unsaved);
  }
}

TEST_F(WhatARunCanDo, WhatIsLeftOutOfASavedSequenceIsSaid) {
  constexpr int kLength = 300'000;  // more than 300 GB
  RunSpec spec;
  spec.model = small_mlstm();
  spec.model->vocab_size = kLength;
  auto run = make_run(make_task("parity"), spec);
  const double needed = 2.0 * kLength * kept_bytes(*run->model).token;
  if (static_cast<double>(host_device().memory_bytes) > needed / 2.0)
    GTEST_SKIP() << "this computer has memory for them";
  run->sequence = std::make_unique<Sequence>(*run->model, static_cast<std::size_t>(needed));
  run->sequence->set_tokens(std::vector<int>(kLength, 1));
  const std::string path = folder_ / "long.xlab";
  save_run(*run, path);
  run.reset();
  engine_.send(OpenRun{path, nullptr});
  wait_until([](const Snapshot& now) {
    return now.notice.find("The saved sequence has 300000 tokens") != std::string::npos;
  });
}

TEST_F(WhatARunCanDo, TheStepThatIsSaved) {
  const auto path = folder_ / "run.xlab";
  open_quick();
  EXPECT_EQ(train(5)->train.saved_step, 0);
  EXPECT_EQ(after(Save{path})->train.saved_step, 5);
  const auto on = train(1);
  EXPECT_EQ(on->train.step - on->train.saved_step, 1) << "one step is not saved";
  EXPECT_EQ(
      after(SetClamp{{"block0/mlstm/forget_gate_pre", 0, 0, 0, 4, 0.5f, true}})->train.saved_step,
      5);
  EXPECT_EQ(after(OpenRun{path, nullptr})->train.saved_step, 5);
  EXPECT_EQ(train(2)->train.saved_step, 5);
  EXPECT_EQ(after(RestartRun{})->train.saved_step, 0);
  EXPECT_EQ(after(Undo{})->train.saved_step, 5);
  EXPECT_EQ(after(Save{folder_ / "missing" / "run.xlab"})->train.saved_step, 5)
      << "a save that failed saves nothing";
}

// ---- numbers that are not finite, in a row -----------------------------------------------------

TEST_F(WhatARunCanDo, GoodStepsBetweenBadOnesLetTrainingGoOn) {
  // A letter that the model cannot compute with, seldom enough.
  std::string text;
  for (int i = 0; i < 400; ++i) text += i % 50 == 25 ? 'z' : static_cast<char>('a' + i % 3);
  const auto task = [&] {
    return make_text_task(text_from_bytes(std::as_bytes(std::span(text)), "text"));
  };
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 4;
  spec.train = TrainSpec{.batch_size = 1, .sequence_length = 4, .warmup_steps = 2};
  constexpr int kSteps = 60;
  const auto poisoned = [&](std::uint64_t seed) {
    spec.train->seed = seed;
    auto run = make_run(task(), spec);
    const Params& params = run->model->params();
    const Tensor embedding = params[params.find("token_embedding.weight")].value;
    const auto width = static_cast<std::size_t>(embedding.shape()[1]);
    for (std::size_t i = 0; i < width; ++i) embedding.data<float>()[3 * width + i] = 3e38f;
    return run;
  };
  std::uint64_t seed = 0;
  int bad = 0, longest = 9;
  while (bad < 5 || longest > 2) {
    const auto run = poisoned(++seed);
    bad = longest = 0;
    for (int step = 0, in_a_row = 0; step < kSteps; ++step) {
      in_a_row = run->train_step().finite ? 0 : in_a_row + 1;
      bad += in_a_row > 0 ? 1 : 0;
      longest = std::max(longest, in_a_row);
    }
    ASSERT_LT(seed, 100u);
  }
  const auto path = folder_ / "run.xlab";
  save_run(*poisoned(seed), path);
  const auto opened = after(OpenRun{path, nullptr}, SetStepLimit{kSteps});
  engine_.send(Train{});
  wait_until([](const Snapshot& s) {
    return s.train.state == TrainState::finished || s.train.state == TrainState::failed;
  });
  const auto trained = after();
  EXPECT_EQ(trained->train.state, TrainState::finished) << trained->failure.what;
  EXPECT_EQ(trained->train.step, kSteps);
  EXPECT_EQ(trained->failure.id, opened->failure.id);
  EXPECT_EQ(trained->losses->size(), static_cast<std::size_t>(kSteps - bad));
}

}  // namespace
}  // namespace xlab::tests
