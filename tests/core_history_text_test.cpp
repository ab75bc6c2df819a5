// What can be undone and redone is saved with a run: after opening its file it is undone as if the
// program had never ended; what is damaged is left out, and that is said.
#include "core/engine/history_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/bench_file.hpp"
#include "tests/engine_stage.hpp"

namespace xlab::tests {
namespace {

using namespace command;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// All that edits change, of the run on screen.
struct Edited {
  std::string undo, redo, name;
  std::vector<int> tokens;
  int prompt_length = 0, run = 0;
  std::vector<Clamp> clamps;
  SamplerSettings sampler;
  double scale = 0.0;
  std::vector<CellVariant> variants;

  explicit Edited(const Snapshot& s)
      : undo(s.undo_label),
        redo(s.redo_label),
        tokens(s.sequence.tokens),
        prompt_length(s.sequence.prompt_length),
        clamps(s.sequence.clamps),
        sampler(s.sequence.sampler),
        scale(s.train.learning_rate_scale) {
    for (std::size_t i = 0; i < s.runs.size(); ++i) {
      if (s.runs[i]->id != s.focused_run) continue;
      name = s.runs[i]->name;
      run = static_cast<int>(i);
    }
    for (const BlockCard& block : s.model->blocks) variants.push_back(block.variant);
  }
  bool operator==(const Edited&) const = default;
};

/// A program that was just started.
class Fresh {
 public:
  template <typename... Commands>
  SnapshotPtr after(Commands... commands) {
    (engine_.send(std::move(commands)), ...);
    engine_.flush();
    return engine_.snapshot();
  }
  /// What is seen on the way back to the first edit, or on to the last one.
  template <typename Step>
  std::vector<Edited> way(Step step) {
    std::vector<Edited> seen = {Edited(*after())};
    const auto more = [&] {
      return !(std::is_same_v<Step, Undo> ? seen.back().undo : seen.back().redo).empty();
    };
    while (more() && seen.size() < 300) seen.emplace_back(*after(step));
    return seen;
  }

 private:
  Engine engine_{{}, "cpu"};
};

class SavedHistory : public testing::Test {
 protected:
  static Clamp clamp(int begin, int end, float value) {
    return {"block0/mlstm/forget_gate_pre", 1, 0, begin, end, value, true};
  }
  static CellVariant other_variant(const Snapshot& s) {
    CellVariant variant = s.model->blocks.front().variant;
    variant.stabilizer = false;
    variant.input_gate = InputGate::sigmoid;
    variant.normalizer = false;
    variant.denominator_floor = DenominatorFloor::one;
    return variant;
  }
  void make_edits(Fresh& program) {
    const auto opened = program.after(NewRun{"recall", quick_spec()}, TrainOneStep{});
    const int run = opened->focused_run;
    program.after(SetPrompt{"a 3 b 7 a"}, SetClamp{clamp(1, 4, -3.0f)}, SetClamp{clamp(0, 2, 0.5f)},
                  SetSampler{{.greedy = false, .temperature = 0.7, .top_k = 3, .seed = 11}},
                  SetLearningRateScale{0.25}, RenameRun{run, "Große Gates"}, SetCursor{2},
                  TakeToken{12}, SetVariant{"mlstm", other_variant(*opened)}, RemoveClamp{0},
                  NewSample{});
  }
  json history_in(const std::string& path) const { return json::parse(load_run(path)->history); }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "run.xlab";
};

TEST_F(SavedHistory, EditsAreUndoneAndRedoneAfterOpening) {
  Fresh first, second;
  make_edits(first);
  const auto saved = first.after(Undo{}, Undo{}, Save{path_});
  ASSERT_EQ(saved->failure.what, "");
  const auto opened = second.after(OpenRun{path_, nullptr});
  ASSERT_EQ(opened->failure.what, "");
  EXPECT_FALSE(opened->unsaved);
  EXPECT_EQ(opened->undo_label, "Undo variant");
  EXPECT_EQ(opened->redo_label, "Redo removing a clamp");
  const std::vector<Edited> back = first.way(Undo{});
  EXPECT_EQ(back.size(), 9u);
  EXPECT_EQ(second.way(Undo{}), back);
  const std::vector<Edited> on = first.way(Redo{});
  EXPECT_EQ(on.size(), 11u);
  EXPECT_EQ(second.way(Redo{}), on);
  // Saved again by the second one, with all of it.
  Fresh third;
  second.after(Save{});
  third.after(OpenRun{path_, nullptr});
  EXPECT_EQ(third.way(Undo{}), first.way(Undo{}));
}

TEST_F(SavedHistory, ARunWithoutEditsSaysNothing) {
  Fresh program;
  program.after(NewRun{"recall", quick_spec()}, TrainOneStep{}, Save{path_});
  EXPECT_EQ(load_run(path_)->history, "");
}

TEST_F(SavedHistory, WhatNeedsWeightsIsLeftOutAndWhatIsBehindIt) {
  Fresh program, other;
  const auto opened = program.after(NewRun{"recall", quick_spec()}, SetPrompt{"a 3 b"});
  program.after(SetVariant{"mlstm", other_variant(*opened)}, TrainOneStep{}, SetPrompt{"c 1"},
                SetLearningRateScale{0.5}, Save{path_});
  other.after(OpenRun{path_, nullptr});
  std::vector<std::string> labels;
  for (const Edited& seen : other.way(Undo{})) labels.push_back(seen.undo);
  EXPECT_THAT(labels, ElementsAre("Undo learning rate", "Undo new prompt", ""));
  // A variant that nothing was trained under keeps the weights when something is.
  program.after(SetVariant{"mlstm", opened->model->blocks.front().variant}, Save{path_});
  Fresh third;
  const auto again = third.after(OpenRun{path_, nullptr}, TrainOneStep{});
  EXPECT_EQ(again->undo_label, "Undo variant (with the weights of step 1)");
}

TEST_F(SavedHistory, VariantsThatWereTrainedUnderElsewhereComeWithoutTheirWeights) {
  Fresh program, other;
  const auto opened = program.after(NewRun{"recall", quick_spec()});
  program.after(SetVariant{"mlstm", other_variant(*opened)}, Save{path_});
  const auto run = load_run(path_);
  run->train_step();
  save_run(*run, path_);
  EXPECT_EQ(other.after(OpenRun{path_, nullptr})->undo_label,
            "Undo variant (with the weights of now)");
}

TEST_F(SavedHistory, ReplacedWorkComesBackFirst) {
  Fresh program;
  make_edits(program);
  program.after(Save{path_}, TrainOneStep{});
  const auto opened = program.after(OpenRun{path_, nullptr});
  EXPECT_EQ(opened->undo_label, "Undo opening a run");
  const auto back = program.after(Undo{});
  EXPECT_EQ(back->train.step, 2);
  // Where no work was replaced the edits of the file are there, and then the run before.
  program.after(Save{path_});
  const auto again = program.after(OpenRun{path_, nullptr});
  EXPECT_EQ(again->undo_label, "Undo new sample");
  std::vector<Edited> way = program.way(Undo{});
  // Those since the variant that was trained under, the opening, and ten of the run before.
  EXPECT_EQ(way.size(), 1u + 2 + 1 + 10);
}

TEST_F(SavedHistory, TheRunsOfABenchAreUndoneInTheOrderOfTheirEdits) {
  Fresh first, second;
  const int one = first.after(NewRun{"recall", quick_spec()})->focused_run;
  const int two = first.after(NewRun{"parity", quick_spec(), false, true})->focused_run;
  first.after(FocusRun{one}, SetPrompt{"a 3 b"}, FocusRun{two}, SetPrompt{"1 1 0"}, FocusRun{one},
              SetLearningRateScale{0.5}, FocusRun{two}, SetClamp{clamp(0, 2, 0.5f)}, FocusRun{one},
              SetPrompt{"d 4"}, Undo{}, FocusRun{two}, SaveBench{path_});
  second.after(OpenRun{path_, nullptr});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Edited(*second.after()).redo, Edited(*first.after()).redo);
    const Edited here(*second.after(Undo{})), there(*first.after(Undo{}));
    EXPECT_EQ(here.tokens, there.tokens);
    EXPECT_EQ(here.run, there.run);
    EXPECT_EQ(here.scale, there.scale);
    EXPECT_EQ(here.clamps, there.clamps);
  }
  EXPECT_EQ(second.after()->undo_label, "");
  for (int i = 0; i < 5; ++i) second.after(Redo{}), first.after(Redo{});
  EXPECT_EQ(second.after()->sequence.tokens, first.after()->sequence.tokens);
  EXPECT_EQ(second.after()->redo_label, "");
}

TEST_F(SavedHistory, ItIsBounded) {
  Fresh first, second;
  first.after(NewRun{"recall", quick_spec()});
  for (int i = 0; i < 130; ++i) {
    first.after(SetPrompt{i % 2 == 0 ? "a 3 b" : "c 1 d 2"});
  }
  first.after(Save{path_});
  EXPECT_EQ(history_in(path_)["past"].size(), kMostSavedEdits);
  second.after(OpenRun{path_, nullptr});
  EXPECT_EQ(second.way(Undo{}).size(), kMostSavedEdits + 1);
  // Long prompts take the place of older edits.
  std::string prompt = "a";
  for (int i = 0; i < 4000; ++i) prompt += " 1";
  for (int i = 0; i < 30; ++i) first.after(SetPrompt{prompt + (i % 2 == 0 ? " b" : " c")});
  first.after(SetLearningRateScale{0.5}, Save{path_});
  const auto run = load_run(path_);
  EXPECT_LE(run->history.size(), kMostHistoryBytes);
  const json past = json::parse(run->history)["past"];
  EXPECT_GE(past.size(), 2u);
  EXPECT_EQ(past.front()["name"], "learning rate") << "the newest stays";
}

TEST_F(SavedHistory, DamagedOnesAreLeftOutInASentence) {
  Fresh program;
  make_edits(program);
  program.after(Undo{}, Save{path_});
  const auto run = load_run(path_);
  const json whole = json::parse(run->history);
  const json flat = whole.flatten();
  const json strange[] = {nullptr, "x", -1, 1e300, 0.5, true, json::array(), json::object()};
  int left_out = 0, taken = 0;
  const auto try_it = [&](const std::string& text) {
    std::string said;
    try {
      (void)edits_in(text, *run, 1);
      ++taken;
    } catch (const Error& e) {
      said = e.what();
      ++left_out;
      EXPECT_THAT(said, testing::EndsWith("."));
    }
    return said;
  };
  for (const auto& [place, value] : flat.items()) {
    for (const json& other : strange) {
      json changed = whole;
      changed[json::json_pointer(place)] = other;
      ASSERT_NO_THROW(try_it(changed.dump())) << place << " = " << other;
    }
  }
  EXPECT_GT(left_out, 300);
  EXPECT_THAT(try_it("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(try_it(std::string(100'000, '[')), HasSubstr("longer than"));
  EXPECT_THAT(try_it(std::string(1000, '[')), HasSubstr("nested"));
  json other = whole;
  other["format"] = 3;
  EXPECT_THAT(try_it(other.dump()), HasSubstr("format 3"));
  other = whole;
  other["past"] = json(std::vector<json>(101, whole["past"][0]));
  EXPECT_THAT(try_it(other.dump()), HasSubstr("at most 100"));
  // A file with one opens all the same.
  other = whole;
  other["past"][0]["name"] = "\x1b[31m";
  run->history = other.dump();
  save_run(*run, path_);
  Fresh second;
  const auto opened = second.after(OpenRun{path_, nullptr});
  EXPECT_EQ(opened->failure.what, "");
  EXPECT_EQ(opened->undo_label, "");
  EXPECT_THAT(opened->notice, HasSubstr("is left out. An edit has no usable name."));
  ASSERT_NE(opened->data, nullptr);
}

}  // namespace
}  // namespace xlab::tests
