// Runs for tests of their files: trained and edited, on data of every kind.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "core/run.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {

inline const std::filesystem::path kTokenizers = XLAB_TOKENIZER_GOLDEN_DEFAULT;

inline std::unique_ptr<Task> task_of(const std::string& name,
                                     const std::string& text = "hello world") {
  std::shared_ptr<const Tokenizer> tokenizer;  // of a text: none for its own characters
  if (name == "bytes") tokenizer = byte_tokenizer();
  if (name == "bpe") tokenizer = tokenizer_named(kTokenizers / "neox.json");
  if (name == "characters")
    tokenizer = character_tokenizer({" ", "d", "e", "h", "l", "o", "r", "w", "z"});
  if (name != "text" && !tokenizer) return make_task(name);
  return make_text_task(
      text_from_bytes(std::as_bytes(std::span(text)), "some text.txt", tokenizer));
}

/// A small run that has been trained and edited, so that nothing in it is as it is by default.
inline std::unique_ptr<Run> used_run(const std::string& task) {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.model->bias = true;
  spec.train = TrainSpec{.batch_size = 3, .sequence_length = 9, .warmup_steps = 2, .seed = 42};
  auto run = make_run(task_of(task), spec);
  for (int step = 0; step < 4; ++step) run->train_step();
  run->trainer->learning_rate_scale = 0.75;
  run->sequence->set_tokens({0, 1, 2, 3, 1});
  run->prompt_length = 3;
  Clamp off{"block1/slstm/forget_gate_pre", 1, 2, 3, 5, 0.1f, false};
  off.change = Change::add;
  off.curve = {0.25f, -0.5f};
  run->sequence->set_clamps({{"block0/mlstm/v", 0, 5, 1, 3, -1.5f, true}, off});
  run->sampler = {.greedy = false, .temperature = 0.3, .top_k = 4, .top_p = 0.9, .seed = ~0ull};
  return run;
}

inline void expect_same(const Run& a, const Run& b) {
  EXPECT_EQ(a.model->params().signature(), b.model->params().signature());
  EXPECT_EQ(to_json(a.model->spec()), to_json(b.model->spec()));
  EXPECT_EQ(to_json(a.trainer->spec()), to_json(b.trainer->spec()));
  for (const auto& [x, y] : {std::pair{a.trainer->first_moment(), b.trainer->first_moment()},
                             std::pair{a.trainer->second_moment(), b.trainer->second_moment()}})
    EXPECT_EQ(std::memcmp(x.raw(), y.raw(), x.bytes()), 0);
  EXPECT_EQ(a.trainer->steps_done(), b.trainer->steps_done());
  EXPECT_EQ(a.trainer->learning_rate_scale, b.trainer->learning_rate_scale);
  EXPECT_EQ(a.task->name(), b.task->name());
  EXPECT_EQ(a.task->title(), b.task->title());
  EXPECT_EQ(a.task->vocabulary(), b.task->vocabulary());
  ASSERT_EQ(a.task->text() != nullptr, b.task->text() != nullptr);
  if (a.task->text()) {
    EXPECT_EQ(a.task->text()->ids, b.task->text()->ids);
    EXPECT_EQ(a.task->tokenizer()->to_json(), b.task->tokenizer()->to_json());
  }
  EXPECT_EQ(a.sequence->tokens(), b.sequence->tokens());
  EXPECT_EQ(a.sequence->clamps(), b.sequence->clamps());
  EXPECT_EQ(a.prompt_length, b.prompt_length);
  EXPECT_EQ(a.sampler, b.sampler);
  EXPECT_EQ(a.seconds, b.seconds);
  ASSERT_EQ(a.losses.size(), b.losses.size());
  for (std::size_t i = 0; i < a.losses.size(); ++i) {
    EXPECT_EQ(a.losses[i].step, b.losses[i].step);
    EXPECT_EQ(a.losses[i].loss, b.losses[i].loss);
    EXPECT_EQ(a.losses[i].smoothed, b.losses[i].smoothed);
  }
}

}  // namespace xlab::tests
