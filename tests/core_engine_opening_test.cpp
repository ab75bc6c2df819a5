// Large model folders are read beside everything else: what is told meanwhile, and giving it up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>
#include <vector>

#include "core/files/folder_run.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using testing::HasSubstr;

class LargeFolders : public EngineStage {
 protected:
  /// About 90 MB.
  static ModelSpec large_spec() {
    ModelSpec spec = small_large();
    spec.vocab_size = 300;
    spec.embedding_dim = 1024;
    return spec;
  }

  LargeFolders() : path_((folder_ / "large")) {
    Model model(large_spec());
    model.params().initialise(3);
    write_model_folder(model, path_);
    signature_ = model.params().signature();
  }

  std::string path_;
  std::uint64_t signature_ = 0;
};

TEST_F(LargeFolders, AreReadBesideEverythingElse) {
  std::vector<OpeningStatus> told;
  const auto before = open_quick();
  engine_.send(OpenFolder{path_});
  engine_.send(StepForward{});
  wait_until([&](const Snapshot& now) {
    if (now.opening) told.push_back(*now.opening);
    return now.sequence.cursor > before->sequence.cursor || now.run_id != before->run_id;
  });
  EXPECT_EQ(engine_.snapshot()->run_id, before->run_id) << "commands are answered meanwhile";
  wait_until([&](const Snapshot& now) {
    if (now.opening) told.push_back(*now.opening);
    return now.run_id != before->run_id;
  });
  const auto opened = after();
  EXPECT_EQ(opened->failure.what, "");
  EXPECT_EQ(opened->opening, nullptr);
  EXPECT_THAT(opened->notice, HasSubstr("Opened the model in " + path_));
  EXPECT_EQ(opened->model->embedding_dim, 1024);
  EXPECT_EQ(opened->runs.size(), 1u);
  ASSERT_FALSE(told.empty());
  for (const OpeningStatus& status : told) {
    EXPECT_EQ(status.path, path_);
    EXPECT_LE(status.bytes, status.total);
  }
  EXPECT_EQ(signature(), signature_);
  // It can be taken back, like any opening.
  EXPECT_EQ(after(Undo{})->model->embedding_dim, before->model->embedding_dim);
}

TEST_F(LargeFolders, AreWaitedForByWhoWaitsForAllThatWasSent) {
  open_quick();
  EXPECT_EQ(after(OpenFolder{path_, true})->runs.size(), 2u);
  EXPECT_EQ(engine_.snapshot()->model->embedding_dim, 1024);
}

TEST_F(LargeFolders, ACancelledOneLeavesEverythingAsItWas) {
  const auto before = open_quick();
  const auto after_that = after(OpenFolder{path_}, CancelOpening{});
  EXPECT_EQ(after_that->run_id, before->run_id);
  EXPECT_EQ(after_that->opening, nullptr);
  EXPECT_EQ(after_that->failure.what, "");
  EXPECT_THAT(after_that->notice, HasSubstr("was cancelled"));
  EXPECT_EQ(after_that->undo_label, before->undo_label);
  // With nothing to cancel nothing happens, and it can be opened after all.
  EXPECT_EQ(after(CancelOpening{})->failure.what, "");
  EXPECT_EQ(after(OpenFolder{path_})->model->embedding_dim, 1024);
}

TEST_F(LargeFolders, WhatWasWorkedOutMeanwhileIsNotReplaced) {
  open_quick();
  const auto both = after(OpenFolder{path_}, TrainOneStep{});
  ASSERT_EQ(both->runs.size(), 2u);
  EXPECT_EQ(both->model->embedding_dim, 1024);
  EXPECT_EQ(both->runs[0]->step, 1);
  EXPECT_THAT(both->notice, HasSubstr("beside the run that was worked on"));
  // What was there before, and nobody touched, gives its place as it was asked for.
  after(FocusRun{both->runs[0]->id});
  const auto replaced = after(OpenFolder{path_});
  EXPECT_EQ(replaced->runs.size(), 2u);
  EXPECT_EQ(replaced->runs[0]->step, 0);
}

TEST_F(LargeFolders, OneIsReadAtATime) {
  open_quick();
  const auto both = after(OpenFolder{path_}, OpenFolder{path_, true});
  EXPECT_EQ(both->failure.where, "open");
  EXPECT_THAT(both->failure.what, HasSubstr("is still being read"));
  EXPECT_EQ(both->runs.size(), 1u);
  EXPECT_EQ(both->model->embedding_dim, 1024);
}

TEST_F(LargeFolders, WhatCannotBeReadIsRefusedAsEver) {
  const auto before = open_quick();
  const auto weights = std::filesystem::path(path_) / "model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 8);
  const auto refused = after(OpenFolder{path_});
  EXPECT_EQ(refused->run_id, before->run_id);
  EXPECT_EQ(refused->opening, nullptr);
  EXPECT_EQ(refused->failure.where, "open");
  EXPECT_THAT(refused->failure.what, HasSubstr("model.safetensors"));
}

TEST_F(LargeFolders, TheEngineMayEndMeanwhile) {
  open_quick();
  engine_.send(OpenFolder{path_});
  wait_until([](const Snapshot& now) { return now.opening != nullptr; });
}

TEST_F(LargeFolders, ReadingIsCountedAndGivenUpWhereItStands) {
  Reading reading;
  const auto run = open_folder_run(path_, FolderUse::read, &reading);
  EXPECT_GT(reading.total, 64u << 20);
  EXPECT_EQ(reading.bytes, reading.total);
  Reading cancelled;
  cancelled.cancelled = true;
  EXPECT_THROW(open_folder_run(path_, FolderUse::read, &cancelled), ReadingCancelled);
  EXPECT_EQ(cancelled.bytes, 0u);
}

}  // namespace
}  // namespace xlab::tests
