// What the findings draw, held against what is measured: sentences, ways to the evidence, bars.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/findings.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;
using testing::HasSubstr;
using testing::Not;

std::vector<Finding> findings_in(const Snapshot& scene) {
  return findings(*scene.model, scene.trace, scene.sequence.tokens, last_asked(scene.sequence));
}

/// The recall scene with 0.5 nats as they are, and without each head what is given.
Snapshot measured_scene(const std::vector<double>& losses) {
  Snapshot scene = recall_scene();
  AblationReport report;
  report.step = scene.train.step;
  report.tokens = scene.sequence.tokens;
  report.answers = 4;
  report.total = 9;
  report.loss = 0.5;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const int block = i < 4 ? 0 : 1;
    report.without.push_back({block, static_cast<int>(i) - (block == 0 ? 1 : 5), losses[i]});
  }
  report.running = report.without.size() < 9;
  scene.worth = std::make_shared<const AblationReport>(report);
  return scene;
}

const std::vector<double> kLosses = {1.5, 0.625, 0.75, 0.375, 2.5, 0.5, 1.0, 0.5625, 0.53125};

class FindingsDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, ImVec2 size = {1000, 1100}, int block = 0) {
    view = make_findings_view();
    scene = snapshot;
    stage = std::make_unique<Stage>(scene);
    stage->size = size;
    stage->focus.block = block;
    stage->frame(*view);
    stage->frame(*view);
  }
  const DrawLog& log() const { return stage->log; }
  const Palette& colours() const { return stage->scene().palette; }
  const DrawLog::Text* text(const std::string& beginning) const {
    for (const DrawLog::Text& t : log().texts)
      if (t.shown.starts_with(beginning) && !t.on_top) return &t;
    return nullptr;
  }
  std::string all(bool on_top = false) const {
    std::string words;
    for (const DrawLog::Text& t : log().texts) {
      if (t.on_top != on_top || t.shown.empty()) continue;
      words += t.shown;
      if (t.shown.back() != ' ') words += ' ';
    }
    return words;
  }
  void point_at(const std::string& beginning) {
    const DrawLog::Text* at = text(beginning);
    ASSERT_NE(at, nullptr) << beginning;
    stage->move(*view, at->box.centre().x, at->box.centre().y);
  }
  void click_at(const std::string& beginning) {
    const DrawLog::Text* at = text(beginning);
    ASSERT_NE(at, nullptr) << beginning;
    stage->click(*view, at->box.centre().x, at->box.centre().y);
  }
  /// The beginning of a sentence that is on its first line, whatever the width.
  static std::string first_words(const Finding& finding) { return finding.sentence.substr(0, 24); }
  const Finding* about(const std::vector<Finding>& all, const std::string& what, int block) const {
    for (const Finding& finding : all)
      if (finding.about == what && finding.block == block) return &finding;
    return nullptr;
  }
  struct Bar {
    float begin = 0.0f, end = 0.0f;
    ImU32 colour = 0;
    std::string number;
    bool hatched = false;
  };
  /// The bar in the row of this name, the n-th of it.
  Bar bar(const std::string& name, int n = 0) const {
    for (const DrawLog::Text& t : log().texts) {
      if (t.shown != name || t.on_top || n-- > 0) continue;
      const float y = t.box.centre().y;
      const auto inside = [y](const Box& box) { return box.min.y < y && box.max.y > y; };
      Bar found;
      for (const DrawLog::Fill& f : log().fills)
        if (inside(f.box) && f.box.min.x > t.box.max.x - 1 && !f.on_top)
          found = {f.box.min.x, f.box.max.x, f.colour, "", false};
      for (const DrawLog::Text& other : log().texts)
        if (inside(other.box) && other.box.min.x > t.box.max.x && !other.on_top)
          found.number = other.shown;
      for (const DrawLog::Hatch& h : log().hatches) found.hatched |= inside(h.box);
      return found;
    }
    ADD_FAILURE() << "There is no row " << name;
    return {};
  }

  Snapshot scene;
  std::unique_ptr<View> view;
  std::unique_ptr<Stage> stage;
};

TEST_F(FindingsDrawing, SentencesAreThoseThatAreMeasured) {
  for (const ImVec2 size : {ImVec2{1000, 1100}, {330, 2200}}) {
    draw(recall_scene(), size);
    const std::vector<Finding> found = findings_in(scene);
    ASSERT_GE(found.size(), 8u);
    for (const Finding& finding : found) EXPECT_THAT(all(), HasSubstr(finding.sentence));
    EXPECT_THAT(all(), HasSubstr("n 17 tokens How"));
    EXPECT_FALSE(view->animating(stage->scene()));
    for (const DrawLog::Text& t : log().texts) EXPECT_EQ(t.shown, t.wanted);
  }
}

TEST_F(FindingsDrawing, AClickGoesToTheEvidence) {
  draw(recall_scene());
  const std::vector<Finding> found = findings_in(scene);
  int ways = 0;
  for (const Finding& finding : found) {
    // Two rows of one block may begin alike.
    const auto same = std::count_if(found.begin(), found.end(), [&](const Finding& other) {
      return first_words(other) == first_words(finding);
    });
    if (same > 1 || !finding.evidence) continue;
    stage->focus = {};
    stage->focus.block = 1 - finding.block;
    stage->sent.clear();
    click_at(first_words(finding));
    EXPECT_EQ(stage->focus.block, finding.block) << finding.sentence;
    EXPECT_EQ(stage->focus.head, finding.evidence->head) << finding.sentence;
    const ValueRef evidence{finding.evidence->path, finding.evidence->step, finding.evidence->head,
                            finding.evidence->unit};
    EXPECT_EQ(stage->focus.pinned, evidence) << finding.sentence;
    const auto cursors = stage->all<command::SetCursor>();
    ASSERT_EQ(cursors.size(), 1u) << finding.sentence;
    EXPECT_EQ(cursors[0].step, finding.evidence->step);
    EXPECT_EQ(stage->focus.hovered, evidence) << "the mouse is still there";
    ++ways;
  }
  EXPECT_GE(ways, 4);
}

TEST_F(FindingsDrawing, WithoutEvidenceAClickShowsTheBlock) {
  Snapshot open = recall_scene();
  auto trace = std::make_shared<Trace>(*open.trace);
  for (auto& step : trace->steps) {
    auto copy = std::make_shared<TokenTrace>(*step);
    for (float& gate : copy->values.at("block1/slstm/output_gate").values) gate = 0.5f;
    step = copy;
  }
  open.trace = trace;
  draw(open);
  click_at("Block 1 (sLSTM): the output gates of all 40 units");
  EXPECT_EQ(stage->focus.block, 1);
  EXPECT_FALSE(stage->focus.pinned);
  EXPECT_TRUE(stage->sent.empty());
}

TEST_F(FindingsDrawing, TheCardHasTheNumbersInFullAndTheThreshold) {
  draw(recall_scene());
  const std::vector<Finding> found = findings_in(scene);
  const Finding* lives = about(found, "half-life", 0);
  ASSERT_NE(lives, nullptr);
  point_at(first_words(*lives));
  for (const auto& [name, value] : lives->numbers)
    EXPECT_THAT(all(true), HasSubstr(name + ": " + full_number(value)));
  EXPECT_THAT(all(true), HasSubstr("click: forget_gate_pre at t = 16, head"));
  point_at("Where the read-out hits its floor");
  EXPECT_THAT(all(true), HasSubstr("from 50 % of its answers on"));
  point_at("Units that stay shut");
  EXPECT_THAT(all(true), HasSubstr("below 0.01 at every step"));
}

TEST_F(FindingsDrawing, RowsOfTheFocusedBlockAreMarked) {
  for (const int block : {0, 1}) {
    draw(recall_scene(), {1000, 1100}, block);
    int marked = 0, rows = 0;
    for (const DrawLog::Text& t : log().texts) {
      if (t.shown != "0" && t.shown != "1") continue;
      ++rows;
      const bool bold = t.weight == Weight::bold;
      EXPECT_EQ(bold, t.shown == std::to_string(block));
      for (const DrawLog::Fill& f : log().fills)
        marked += covers(f.box, t.box) && f.colour == colours().accent ? 1 : 0;
    }
    EXPECT_EQ(static_cast<std::size_t>(rows), findings_in(scene).size());
    const std::vector<Finding> found = findings_in(scene);
    EXPECT_EQ(marked, std::count_if(found.begin(), found.end(),
                                    [&](const Finding& f) { return f.block == block; }));
  }
}

TEST_F(FindingsDrawing, BarsAreWhatHeadsCost) {
  for (const ImVec2 size : {ImVec2{1000, 1100}, {420, 2200}}) {
    draw(measured_scene(kLosses), size);
    EXPECT_THAT(all(),
                HasSubstr("Loss as it is: 0.500 nats an answer, over 4 answers that the task"));
    EXPECT_THAT(all(), HasSubstr("to switch a head off: −0.125 to 2 nats."));
    EXPECT_THAT(all(), Not(HasSubstr("Measuring")));
    // In the order of the model; −0.125 to 2 nats share the track.
    const Bar dear = bar("block 1, all heads"), cheap = bar("head 1", 0), gain = bar("head 2", 0);
    EXPECT_EQ(dear.number, "+2");
    EXPECT_EQ(cheap.number, "+0.250");
    EXPECT_EQ(gain.number, "−0.125");
    EXPECT_EQ(bar("block 0, all heads").number, "+1");
    const float nat = (dear.end - dear.begin) / 2.0f;
    EXPECT_GT(nat, 20.0f);
    EXPECT_NEAR(cheap.end - cheap.begin, 0.25f * nat, 0.5f);
    EXPECT_NEAR(gain.end - gain.begin, 0.125f * nat, 0.5f);
    EXPECT_NEAR(gain.end, cheap.begin, 0.5f) << "from the loss as it is to the left";
    EXPECT_NE(gain.colour, cheap.colour);
    EXPECT_EQ(bar("head 0", 1).number, "0") << "this one costs nothing";
    EXPECT_EQ(bar("head 1", 1).number, "+0.500");
    // The line of the loss as it is goes through all rows.
    bool through = false;
    for (const DrawLog::Line& line : log().lines)
      through |= line.points.size() == 2 && std::abs(line.points[0].x - cheap.begin) < 1.0f &&
                 line.points[1].y - line.points[0].y > 100.0f;
    EXPECT_TRUE(through);
    for (const char* label : {"0", "+2"}) EXPECT_NE(text(label), nullptr) << label;
    EXPECT_THAT(all(), HasSubstr("costs, in nats"));
  }
}

TEST_F(FindingsDrawing, WhatIsNoNumberIsHatched) {
  std::vector<double> losses = kLosses;
  losses[1] = std::nan("");
  losses[2] = std::numeric_limits<double>::infinity();
  draw(measured_scene(losses));
  const Bar none = bar("head 0"), endless = bar("head 1");
  EXPECT_EQ(none.number, "NaN");
  EXPECT_EQ(endless.number, "∞");
  for (const Bar& odd : {none, endless}) {
    EXPECT_TRUE(odd.hatched);
    EXPECT_EQ(odd.colour, kNotANumber);
  }
  EXPECT_FALSE(bar("head 2").hatched);
  EXPECT_EQ(bar("head 2").number, "−0.125");
  Snapshot broken = measured_scene(kLosses);
  auto report = std::make_shared<AblationReport>(*broken.worth);
  report->loss = std::nan("");
  broken.worth = report;
  draw(broken);
  EXPECT_TRUE(bar("head 2").hatched) << "what it costs is not known";
  EXPECT_THAT(all(), HasSubstr("The loss as it is is no number"));
  draw(measured_scene({1e300, -1e300, 1e308, 0.5}));
  EXPECT_TRUE(stage->finite());
}

TEST_F(FindingsDrawing, ABarLeadsToItsHead) {
  draw(measured_scene(kLosses));
  const auto bars_click = [&](const std::string& name) {
    stage->sent.clear();
    stage->focus = {};
    click_at(name);
  };
  bars_click("head 2");
  EXPECT_EQ(stage->focus.block, 0);
  EXPECT_EQ(stage->focus.head, 2);
  EXPECT_EQ(stage->focus.pinned, (ValueRef{"block0/mlstm/output_gate_pre", 15, 2, 0}));
  EXPECT_TRUE(stage->sent.empty()) << "a loss has no step";
  EXPECT_THAT(all(true), HasSubstr("Without head 2 of block 0 (mLSTM) the loss is 0.375 nats"));
  EXPECT_THAT(all(true), HasSubstr("costs: -0.125"));
  bars_click("block 1, all heads");
  EXPECT_EQ(stage->focus.block, 1);
  EXPECT_FALSE(stage->focus.pinned);
}

TEST_F(FindingsDrawing, HeadsAreMeasuredAndGivenUpByTheButton) {
  draw(recall_scene());
  EXPECT_EQ(text("What heads are worth"), nullptr);
  click_at("Measure what heads are worth");
  ASSERT_EQ(stage->all<command::Ablate>().size(), 1u);
  EXPECT_TRUE(stage->all<command::Ablate>()[0].on);
  draw(measured_scene({1.5, 0.625, 0.75, 0.375, 2.5, 0.5, 1.0}));
  EXPECT_THAT(all(), HasSubstr("Measuring: 7 of 9"));
  click_at("Stop measuring");
  ASSERT_EQ(stage->all<command::Ablate>().size(), 1u);
  EXPECT_FALSE(stage->all<command::Ablate>()[0].on);
  Snapshot given_up = scene;
  auto report = std::make_shared<AblationReport>(*scene.worth);
  report->running = false;
  given_up.worth = report;
  draw(given_up);
  EXPECT_THAT(all(), HasSubstr("7 of 9 were measured."));
  click_at("Measure heads again");
  EXPECT_TRUE(stage->all<command::Ablate>()[0].on);
  report = std::make_shared<AblationReport>();
  report->failure = "This model is too large to be copied beside itself.";
  given_up.worth = report;
  draw(given_up);
  EXPECT_THAT(all(), HasSubstr(report->failure));
  EXPECT_THAT(all(), Not(HasSubstr("were measured")));
}

TEST_F(FindingsDrawing, WhatIsMeasuredOfSomethingElseSaysSo) {
  const auto said = [&](const auto& change) {
    Snapshot other = measured_scene(kLosses);
    auto report = std::make_shared<AblationReport>(*other.worth);
    change(other, *report);
    other.worth = report;
    draw(other);
    return all();
  };
  const std::string same = said([](Snapshot&, AblationReport&) {});
  for (const char* words : {"training step", "another sequence", "On the first", "held by hand"})
    EXPECT_THAT(same, Not(HasSubstr(words)));
  EXPECT_THAT(said([](Snapshot&, AblationReport& r) { r.step -= 1; }),
              HasSubstr("With the weights of 1 training step ago."));
  EXPECT_THAT(said([](Snapshot&, AblationReport& r) { r.step += 5; }),
              HasSubstr("With other weights than those of now."));
  EXPECT_THAT(said([](Snapshot&, AblationReport& r) { r.tokens[3] += 1; }),
              HasSubstr("On another sequence than the one on screen."));
  EXPECT_THAT(said([](Snapshot&, AblationReport& r) { r.tokens.push_back(1); }),
              HasSubstr("On another sequence"));
  EXPECT_THAT(said([](Snapshot&, AblationReport& r) { r.tokens.resize(12); }),
              HasSubstr("On the first 12 of 17 tokens."));
  EXPECT_THAT(said([](Snapshot& s, AblationReport&) { s.sequence.clamps = {Clamp{}}; }),
              HasSubstr("Without what is held by hand."));
  EXPECT_THAT(said([](Snapshot& s, AblationReport&) {
                s.sequence.clamps = {Clamp{}};
                s.sequence.clamps[0].enabled = false;
              }),
              Not(HasSubstr("held by hand")));
  EXPECT_THAT(said([](Snapshot&, AblationReport& r) { r.every_token = true; }),
              HasSubstr("nats a token, over 4 next tokens"));
}

TEST_F(FindingsDrawing, MuchIsMeasuredALittleInEveryFrame) {
  const SceneShape large{.heads = 8, .key_dim = 64, .value_dim = 64, .length = 400, .cursor = 90};
  Snapshot first = SceneBuilder(large).build();
  view = make_findings_view();
  scene = first;
  stage = std::make_unique<Stage>(scene);
  stage->size = {1000, 1100};
  stage->frame(*view);
  EXPECT_TRUE(view->animating(stage->scene()));
  EXPECT_THAT(all(), HasSubstr("measuring those of now: "));
  EXPECT_THAT(all(), HasSubstr(" %"));
  const auto finish = [&] {
    int frames = 0;
    for (; view->animating(stage->scene()) && frames < 1000; ++frames) stage->frame(*view);
    stage->frame(*view);
    return frames;
  };
  EXPECT_GT(finish(), 2);
  for (const Finding& finding : findings_in(scene)) EXPECT_THAT(all(), HasSubstr(finding.sentence));
  const std::string before = all();
  EXPECT_THAT(before, HasSubstr("easured on 400 tokens"));
  // Fewer tokens: those of before stay until these are measured, and say so.
  auto shorter = std::make_shared<Trace>(*first.trace);
  shorter->steps.resize(380);
  scene.trace = shorter;
  stage->frame(*view);
  stage->frame(*view);
  EXPECT_THAT(all(), HasSubstr("easured on 400 tokens"));
  EXPECT_THAT(all(), HasSubstr("measuring those of now: "));
  // More of them meanwhile: what was begun is finished first.
  scene.trace = first.trace;
  int frames = 0;
  while (all().find("easured on 380 tokens") == std::string::npos && ++frames < 1000)
    stage->frame(*view);
  EXPECT_LT(frames, 1000);
  finish();
  EXPECT_THAT(all(), HasSubstr("easured on 400 tokens"));
  // The same recordings in another snapshot are not measured again.
  scene.trace = std::make_shared<Trace>(*first.trace);
  ++scene.id;
  stage->frame(*view);
  EXPECT_FALSE(view->animating(stage->scene()));
  // Another run begins anew.
  ++scene.run_id;
  stage->frame(*view);
  EXPECT_TRUE(view->animating(stage->scene()));
}

TEST_F(FindingsDrawing, APictureToKeepIsWholeAtOnceAndHasNoButton) {
  const SceneShape large{.heads = 8, .key_dim = 64, .value_dim = 64, .length = 400, .cursor = 90};
  scene = SceneBuilder(large).build();
  view = make_findings_view();
  stage = std::make_unique<Stage>(scene);
  ImGui::GetIO().DisplaySize = {1000, 1100};
  ImGui::NewFrame();
  ImGui::SetNextWindowSize({1000, 1100});
  ImGui::Begin("picture");
  Scene picture = stage->scene();
  picture.exporting = true;
  view->draw(picture, {1000, 1100});
  ImGui::End();
  ImGui::Render();
  for (const Finding& finding : findings_in(scene)) EXPECT_THAT(all(), HasSubstr(finding.sentence));
  EXPECT_THAT(all(), Not(HasSubstr("Measure what")));
  EXPECT_FALSE(view->animating(picture));
}

TEST_F(FindingsDrawing, TheTableAndTheTextAreTheSame) {
  draw(measured_scene(kLosses));
  const Table table = view->table(stage->scene());
  const std::vector<Finding> found = findings_in(scene);
  ASSERT_EQ(table.rows.size(), found.size() + kLosses.size());
  std::string sentences;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Finding finding =
        i < found.size() ? found[i]
                         : finding_of(*scene.model, scene.worth->without[i - found.size()], 0.5);
    const std::vector<std::string>& row = table.rows[i];
    EXPECT_EQ(row[0], finding.about);
    EXPECT_EQ(row[1], std::to_string(finding.block));
    EXPECT_EQ(row[2], finding.sentence);
    for (const auto& [name, value] : finding.numbers)
      EXPECT_THAT(row[3], HasSubstr(name + " = " + full_number(value)));
    if (finding.evidence) {
      EXPECT_EQ(row[4], finding.evidence->path);
      EXPECT_EQ(row[5], std::to_string(finding.evidence->step));
      EXPECT_EQ(row[6], std::to_string(finding.evidence->head));
      EXPECT_EQ(row[7], std::to_string(finding.evidence->unit));
    } else {
      EXPECT_EQ(row[4], "");
    }
    sentences += finding.sentence + "\n";
  }
  EXPECT_TRUE(view->has_sentences());
  EXPECT_EQ(view->sentences(stage->scene()), sentences);
}

TEST_F(FindingsDrawing, NothingIsSaidOfNothing) {
  draw({});
  EXPECT_THAT(all(), HasSubstr("No run is open."));
  Snapshot empty = recall_scene();
  empty.trace = nullptr;
  empty.sequence.tokens.clear();
  draw(empty);
  EXPECT_THAT(all(), HasSubstr("There are no tokens yet"));
  empty = recall_scene();
  auto trace = std::make_shared<Trace>();
  trace->steps.assign(17, std::make_shared<TokenTrace>());
  empty.trace = trace;
  draw(empty);
  EXPECT_THAT(all(), HasSubstr("Nothing is recorded"));
}

TEST_F(FindingsDrawing, TheKeyboardGoesThroughRowsAndBars) {
  draw(measured_scene(kLosses));
  const Finding first = findings_in(scene).front();
  ASSERT_TRUE(stage->stops.go(true));  // the button
  ASSERT_TRUE(stage->stops.go(true));  // the first sentence
  stage->frame(*view);
  stage->stops.press();
  stage->frame(*view);
  stage->frame(*view);
  const auto cursors = stage->all<command::SetCursor>();
  ASSERT_EQ(cursors.size(), 1u);
  EXPECT_EQ(cursors[0].step, first.evidence->step);
  EXPECT_EQ(stage->focus.pinned->path, first.evidence->path);
  ASSERT_TRUE(stage->stops.go(true));  // the first bar
  stage->frame(*view);
  stage->focus.block = 1;
  stage->stops.press();
  stage->frame(*view);
  stage->frame(*view);
  EXPECT_EQ(stage->focus.block, 0);
}

TEST_F(FindingsDrawing, BarsCanBeReadAtEverySize) {
  for (const ImVec2 size : {ImVec2{160, 120}, {240, 400}, {430, 700}, {900, 520}, {1500, 900}}) {
    for (const float scale : {1.0f, 2.0f}) {
      for (const std::size_t known : {0u, 3u, 9u}) {
        view = make_findings_view();
        scene = measured_scene({kLosses.begin(), kLosses.begin() + static_cast<long>(known)});
        stage = std::make_unique<Stage>(scene);
        stage->size = size;
        stage->scale = scale;
        stage->frame(*view);
        for (int page = 0; page < 3; ++page) {
          stage->move(*view, size.x / 2, size.y / 2);
          stage->wheel(*view, page == 0 ? 0.0f : -20.0f);
          stage->move(*view, -FLT_MAX, -FLT_MAX);
          for (const std::string& found : stumbles(log()))
            ADD_FAILURE() << size.x << " x " << size.y << " at " << scale << ": " << found;
          for (const std::string& found : struck_through(log(), colours().grid))
            ADD_FAILURE() << size.x << " x " << size.y << " at " << scale << ": " << found;
        }
      }
    }
  }
}

}  // namespace
}  // namespace xlab::tests
