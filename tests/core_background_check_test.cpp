// The check beside everything else, of models that are only read: read once more from their folder.
#include "core/selfcheck/background_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/selfcheck/rounding_cost.hpp"
#include "core/selfcheck/verdict.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;

class BackgroundChecks : public testing::Test {
 protected:
  BackgroundChecks() {
    spec_ = small_large();
    spec_.vocab_size = 70;
    spec_.embedding_dim = 128;
    spec_.large->ffn_round_up_to_multiple_of = 64;
    write(spec_, 5);
    tokens_ = some_tokens(20, spec_.vocab_size);
  }
  void write(const ModelSpec& spec, std::uint64_t seed) const {
    Model model(spec);
    model.params().initialise(seed);
    write_model_folder(model, temporary_.path());
  }
  std::unique_ptr<xlab::Run> open(FolderUse use) const {
    return open_folder_run(temporary_.path(), use);
  }
  /// What is known in the end.
  HealthReport check(const xlab::Run& run, const std::vector<int>& tokens) const {
    BackgroundCheck checks([] {});
    checks.start(*run.model, 0, tokens, run.origin);
    while (checks.report()->running) std::this_thread::yield();
    return *checks.report();
  }

  TemporaryFolder temporary_;
  ModelSpec spec_;
  std::vector<int> tokens_;
};

TEST_F(BackgroundChecks, WhatIsOnlyReadIsReadOnceMore) {
  for (const FolderUse use : {FolderUse::read, FolderUse::read_halves}) {
    const HealthReport report = check(*open(use), tokens_);
    EXPECT_EQ(report.failure, "");
    ASSERT_GE(report.checks.size(), 5u);
    EXPECT_EQ(report.checks[0].name, "Read again = as opened");
    for (const Check& row : report.checks) EXPECT_TRUE(row.passed) << row.name << row.sentence;
    EXPECT_TRUE(report.rounding.empty());
    EXPECT_EQ(report.rounded_to, "");
  }
}

TEST_F(BackgroundChecks, FewerBitsAreComparedWithWhatIsStored) {
  for (const FolderUse use : {FolderUse::read_8bit, FolderUse::read_4bit}) {
    const std::unique_ptr<xlab::Run> run = open(use);
    const HealthReport report = check(*run, tokens_);
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(report.rounded_to, name_of_blocks(use));
    EXPECT_EQ(report.rounding_tokens, 20);
    EXPECT_FALSE(report.tokens_drawn);
    const auto stored = ModelFolder(temporary_.path()).read(FolderUse::read);
    const std::vector<RoundingCost> wanted = round_and_compare(*stored, use, tokens_);
    ASSERT_EQ(report.rounding.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(report.rounding[i].rounded, wanted[i].rounded);
      EXPECT_EQ(report.rounding[i].divergence, wanted[i].divergence);
      EXPECT_GT(report.rounding[i].divergence, 0.0);
    }
    // What is checked afterwards is what is on screen, in its few bits.
    ASSERT_FALSE(report.checks.empty());
    EXPECT_EQ(report.checks[0].name, "Read again = as opened");
    for (const Check& row : report.checks) EXPECT_TRUE(row.passed) << row.name << row.sentence;
  }
}

TEST_F(BackgroundChecks, EquationsAreThoseOnScreen) {
  const std::unique_ptr<xlab::Run> run = open(FolderUse::read_8bit);
  const BlockCard card = run->model->cards().front();
  CellVariant plain = card.variant;
  plain.stabilizer = false;
  run->model->set_variant(card.kind, plain);
  const HealthReport report = check(*run, tokens_);
  EXPECT_EQ(report.failure, "");
  const auto stored = ModelFolder(temporary_.path()).read(FolderUse::read);
  stored->set_variant(card.kind, plain);
  const auto wanted = round_and_compare(*stored, FolderUse::read_8bit, tokens_);
  EXPECT_EQ(report.rounding.back().divergence, wanted.back().divergence);
}

TEST_F(BackgroundChecks, OtherWeightsInTheFolderAreNoticed) {
  const std::unique_ptr<xlab::Run> run = open(FolderUse::read_8bit);
  write(spec_, 6);
  const HealthReport report = check(*run, tokens_);
  EXPECT_EQ(report.failure, "");
  ASSERT_FALSE(report.checks.empty());
  EXPECT_EQ(verdict(report.checks[0]), Verdict::failed);
  EXPECT_THAT(report.checks[0].sentence, HasSubstr("changed: backbone.embeddings.weight"));
}

TEST_F(BackgroundChecks, AnotherModelInTheFolderIsRefused) {
  const std::unique_ptr<xlab::Run> run = open(FolderUse::read);
  ModelSpec other = spec_;
  other.vocab_size = 66;
  write(other, 5);
  EXPECT_THAT(check(*run, tokens_).failure, HasSubstr("holds another model than it did"));
  std::filesystem::remove_all(temporary_.path());
  EXPECT_THAT(check(*run, tokens_).failure, HasSubstr(temporary_.path().string()));
}

TEST_F(BackgroundChecks, WithoutTokensSomeAreDrawn) {
  const HealthReport report = check(*open(FolderUse::read_8bit), {});
  EXPECT_EQ(report.failure, "");
  EXPECT_TRUE(report.tokens_drawn);
  EXPECT_EQ(report.rounding_tokens, 64);
  EXPECT_EQ(report.rounding.size(), static_cast<std::size_t>(spec_.num_blocks) + 2);
}

TEST_F(BackgroundChecks, StoppingIsSafeAtAnyMoment) {
  const std::unique_ptr<xlab::Run> run = open(FolderUse::read_8bit);
  BackgroundCheck checks([] {});
  for (int wait = 0; wait < 12; ++wait) {
    checks.start(*run->model, 0, tokens_, run->origin);
    std::this_thread::sleep_for(std::chrono::microseconds(300 * wait));
    checks.stop();
  }
  checks.start(*run->model, 0, tokens_, run->origin);
  while (checks.report()->running) std::this_thread::yield();
  EXPECT_EQ(checks.report()->failure, "");
  EXPECT_EQ(checks.report()->checks.size(), check(*run, tokens_).checks.size());
}

}  // namespace
}  // namespace xlab::tests
