// What the two faces draw, held against the recordings: the matrix, its sums, lamps and pictures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/analysis/implied_attention.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/memory_reel.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

class FacesDrawing : public ::testing::Test {
 protected:
  void draw(ImVec2 size = {900, 520}, int head = 1) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->focus.head = head;
    stage->frame(*view);
    stage->frame(*view);
    attention.follow(snapshot.trace, snapshot.model->blocks[0], head, 0, snapshot.trace->length());
  }
  const DrawLog::Heat* heat(const std::string& key) const {
    for (const DrawLog::Heat& heat : stage->log.heats)
      if (heat.key == key) return &heat;
    return nullptr;
  }
  std::string all(bool on_top = false) const {
    std::string words;
    for (const DrawLog::Text& t : stage->log.texts)
      if (t.on_top == on_top) words += t.shown + "\n";
    return words;
  }
  bool says(const std::string& words, bool on_top = false) const {
    return all(on_top).find(words) != std::string::npos;
  }
  ImVec2 cell(int t, int s) const {
    const Box& map = heat("faces/matrix")->box;
    const float size = map.width() / static_cast<float>(attention.count());
    return {map.min.x + (static_cast<float>(s) + 0.5f) * size,
            map.min.y + (static_cast<float>(t) + 0.5f) * size};
  }

  Snapshot snapshot = recall_scene();
  std::unique_ptr<View> view = make_faces_view();
  std::unique_ptr<Stage> stage;
  ImpliedAttention attention;
};

TEST_F(FacesDrawing, TheMatrixIsTheWeightsOfTheHead) {
  for (const int head : {0, 2}) {
    draw({900, 520}, head);
    const DrawLog::Heat* matrix = heat("faces/matrix");
    ASSERT_TRUE(matrix);
    const int n = snapshot.trace->length();
    ASSERT_EQ(matrix->rows, n);
    ASSERT_EQ(matrix->columns, n);
    double most = 0.0;
    for (int t = 0; t < n; ++t) {
      for (int s = 0; s < n; ++s) {
        const double weight = s <= t ? attention.weight(t, s) : 0.0;
        EXPECT_FLOAT_EQ(matrix->values[static_cast<std::size_t>(t * n + s)],
                        static_cast<float>(weight));
        most = std::max(most, std::abs(weight));
      }
    }
    EXPECT_DOUBLE_EQ(matrix->high, most);
    EXPECT_EQ(matrix->map, MapName::signed_values);
  }
}

TEST_F(FacesDrawing, TheFactorsAreWhatTheyAreCalled) {
  const auto values_of = [&](const char* kept) {
    view->restore(kept);
    EXPECT_EQ(view->kept(), kept);
    draw();
    return *heat("faces/matrix");
  };
  const auto at = [&](const DrawLog::Heat& matrix, int t, int s) {
    return matrix.values[static_cast<std::size_t>(t * matrix.columns + s)];
  };
  const DrawLog::Heat overlap = values_of("q·k"), decay = values_of("D"),
                      product = values_of("q·k D");
  for (int t = 0; t < attention.count(); ++t) {
    for (int s = 0; s <= t; ++s) {
      EXPECT_FLOAT_EQ(at(overlap, t, s), static_cast<float>(attention.overlap(t, s)));
      EXPECT_FLOAT_EQ(at(decay, t, s), static_cast<float>(attention.decay(t, s)));
      EXPECT_FLOAT_EQ(at(product, t, s), static_cast<float>(attention.product(t, s)));
    }
  }
  EXPECT_EQ(decay.map, MapName::unit);
  EXPECT_EQ(decay.high, 1.0);
  view->restore("nothing of the kind");
  EXPECT_EQ(view->kept(), "q·k D");
}

TEST_F(FacesDrawing, RowsHaveTheirSumsAndLampsWhereTheFloorIsInUse) {
  draw({900, 620});
  const ImU32 warning = stage->scene().palette.warning;
  int lit = 0;
  for (int t = 0; t < attention.count(); ++t) {
    const float y = cell(t, 0).y;
    const bool lamp = std::any_of(
        stage->log.fills.begin(), stage->log.fills.end(), [&](const DrawLog::Fill& fill) {
          return fill.colour == warning && fill.box.min.y < y && fill.box.max.y > y &&
                 fill.box.min.x > heat("faces/matrix")->box.max.x;
        });
    EXPECT_EQ(lamp, attention.row(t).floor) << t;
    lit += attention.row(t).floor ? 1 : 0;
    const std::string number = short_number(attention.row(t).sum);
    const bool written = std::any_of(
        stage->log.texts.begin(), stage->log.texts.end(), [&](const DrawLog::Text& text) {
          return text.wanted == number && text.box.min.y < y && text.box.max.y > y &&
                 text.box.min.x > heat("faces/matrix")->box.max.x;
        });
    EXPECT_TRUE(written) << t << " " << number;
  }
  // The scene has both kinds, else this shows nothing.
  ASSERT_GT(lit, 0);
  ASSERT_LT(lit, attention.count());
  EXPECT_TRUE(says("floor in use"));
}

TEST_F(FacesDrawing, WhereRowsAreNarrowTheirSumsAreBars) {
  draw({900, 210});
  const Box map = heat("faces/matrix")->box;
  const auto bar = [&](int t) {
    const float y = cell(t, 0).y;
    for (const DrawLog::Fill& fill : stage->log.fills)
      if (fill.box.min.x > map.max.x && fill.box.min.y <= y && fill.box.max.y >= y &&
          fill.colour != stage->scene().palette.warning)
        return fill.box.width();
    return 0.0f;
  };
  int widest = 0;
  for (int t = 0; t < attention.count(); ++t)
    if (std::abs(attention.row(t).sum) > std::abs(attention.row(widest).sum)) widest = t;
  ASSERT_GT(bar(widest), 5.0f);
  for (int t = 0; t < attention.count(); ++t)
    EXPECT_NEAR(bar(t) / bar(widest), std::abs(attention.row(t).sum / attention.row(widest).sum),
                0.05)
        << t;
}

TEST_F(FacesDrawing, SaysHowWellBothAgree) {
  draw();
  EXPECT_TRUE(says(short_number(attention.disagreement()))) << all();
  EXPECT_TRUE(says("ot a probability"));
  // An answer that is no longer what the memory gives.
  auto trace = std::make_shared<Trace>(*snapshot.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[6]);
  for (float& h : step->values["block0/mlstm/h"].values) h += 2.0f;
  trace->steps[6] = step;
  snapshot.trace = trace;
  snapshot.trace_id += 1;
  draw();
  EXPECT_TRUE(says("The faces do not agree")) << all();
  snapshot.sequence.clamps = {
      {.path = "block0/mlstm/h", .head = 1, .unit = 0, .begin = 900, .end = 901, .value = 1.0f}};
  draw();
  EXPECT_FALSE(says("held by hand")) << all();
  snapshot.sequence.clamps[0].begin = 6;
  snapshot.sequence.clamps[0].end = 7;
  draw();
  EXPECT_TRUE(says("held by hand")) << all();
}

TEST_F(FacesDrawing, ACellSaysWhatItIsMadeOfAndAClickLooksAtIt) {
  draw();
  const ImVec2 at = cell(9, 3);
  stage->move(*view, at.x, at.y);
  EXPECT_TRUE(says("A = " + short_number(attention.weight(9, 3)), true)) << all(true);
  EXPECT_TRUE(says(short_number(attention.overlap(9, 3)) + " · " +
                       short_number(attention.decay(9, 3)) + " / " +
                       short_number(attention.row(9).denominator),
                   true))
      << all(true);
  ASSERT_TRUE(stage->focus.hovered);
  EXPECT_EQ(*stage->focus.hovered, (ValueRef{"block0/mlstm/input_gate", 3, 1, 0}));
  stage->click(*view, at.x, at.y);
  ASSERT_EQ(stage->sent.size(), 1u);
  EXPECT_EQ(std::get<command::SetCursor>(stage->sent[0]).step, 9);
  // The picture of what was written is pointed out from now on.
  const ImU32 written = gate_style(stage->scene().palette, 'i').colour;
  const Box& picture = heat("faces/3")->box;
  EXPECT_TRUE(std::any_of(
      stage->log.outlines.begin(), stage->log.outlines.end(), [&](const DrawLog::Outline& outline) {
        return outline.colour == written && std::abs(outline.box.min.x - picture.min.x) < 2.0f &&
               std::abs(outline.box.min.y - picture.min.y) < 2.0f;
      }));
  const ImVec2 later = cell(3, 9);
  stage->move(*view, later.x, later.y);
  EXPECT_TRUE(says("What comes later has no part", true));
}

TEST_F(FacesDrawing, PicturesAreThoseOfTheMemoryAndMoveTheCursor) {
  draw();
  MemoryFilm film;
  film.follow(snapshot.trace, snapshot.model->blocks[0], 1);
  while (film.advance(1e9)) {
  }
  double most = 0.0;
  for (int t = 0; t < film.length(); ++t) most = std::max(most, film.largest(t));
  for (int t = 0; t < film.length(); ++t) {
    const DrawLog::Heat* picture = heat("faces/" + std::to_string(t));
    ASSERT_TRUE(picture) << t;
    EXPECT_TRUE(std::ranges::equal(picture->values, film.picture(t))) << t;
    EXPECT_DOUBLE_EQ(picture->high, most);
  }
  const Box box = heat("faces/4")->box;
  stage->click(*view, box.centre().x, box.centre().y);
  ASSERT_EQ(stage->sent.size(), 1u);
  EXPECT_EQ(std::get<command::SetCursor>(stage->sent[0]).step, 4);
}

TEST_F(FacesDrawing, TheTableListsTheAnswerAtTheCursorAndWhenItIsSavedAll) {
  draw();
  Scene scene = stage->scene();
  const Table everything = view->table(scene);
  const auto n = static_cast<std::size_t>(snapshot.trace->length());
  EXPECT_EQ(everything.rows.size(), n * (n + 1) / 2);
  EXPECT_EQ(everything.rows[1 + 2 + 1][7], full_number(attention.weight(2, 1)));
  scene.most_rows = 100;
  const Table short_one = view->table(scene);
  EXPECT_EQ(short_one.rows.size(), static_cast<std::size_t>(snapshot.sequence.cursor) + 1);
  EXPECT_FALSE(short_one.note.empty());
}

TEST_F(FacesDrawing, OtherCellsSayWhyTheyHaveNone) {
  stage = std::make_unique<Stage>(snapshot);
  stage->size = {700, 400};
  stage->focus.block = 1;
  stage->frame(*view);
  stage->frame(*view);
  EXPECT_TRUE(says("it cannot be written as attention")) << all();
}

TEST_F(FacesDrawing, LongSequencesShowTheStepsAroundTheCursor) {
  snapshot = long_scene();
  draw({900, 520}, 0);
  const DrawLog::Heat* matrix = heat("faces/matrix");
  ASSERT_TRUE(matrix);
  EXPECT_LE(matrix->rows, 512);
  EXPECT_GT(matrix->rows, 100);
  EXPECT_TRUE(says("left out")) << all();
}

TEST_F(FacesDrawing, HoweverFarOneZoomsOutThereAreNotTooManySteps) {
  snapshot = long_scene();
  draw({900, 520}, 0);
  const Box map = heat("faces/matrix")->box;
  for (int i = 0; i < 12; ++i) {
    stage->move(*view, map.centre().x, map.centre().y);
    stage->wheel(*view, -1.0f);
  }
  stage->frame(*view);
  EXPECT_LE(heat("faces/matrix")->rows, 512);
}

TEST_F(FacesDrawing, WhereSomethingWasNotRecordedTheRowsStayWithTheirSteps) {
  draw();
  const Box whole = heat("faces/matrix")->box;
  const int n = snapshot.trace->length();
  auto trace = std::make_shared<Trace>(*snapshot.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[7]);
  step->values.erase("block0/mlstm/k");
  trace->steps[7] = step;
  snapshot.trace = trace;
  snapshot.trace_id += 1;
  draw();
  ASSERT_EQ(heat("faces/matrix")->rows, 7);
  EXPECT_NEAR(heat("faces/matrix")->box.width(), whole.width() * 7.0f / static_cast<float>(n),
              0.5f);
  EXPECT_TRUE(says("From step 7 on something was not recorded")) << all();
}

TEST_F(FacesDrawing, ACellThatRoundsDiffersByWhatItRounds) {
  auto model = std::make_shared<ModelCard>(*snapshot.model);
  model->blocks[0].variant.number_format = NumberFormat::bf16;
  snapshot.model = model;
  auto trace = std::make_shared<Trace>(*snapshot.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[6]);
  for (float& h : step->values["block0/mlstm/h"].values) h += 0.02f;
  trace->steps[6] = step;
  snapshot.trace = trace;
  draw();
  EXPECT_TRUE(says("rounds to bf16")) << all();
  EXPECT_FALSE(says("do not agree"));
}

TEST(SpreadSteps, HoldTheEndsAndWhatIsWanted) {
  EXPECT_EQ(spread_steps(4, 9, {2}), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(spread_steps(100, 5, {}), (std::vector<int>{0, 25, 50, 74, 99}));
  EXPECT_EQ(spread_steps(100, 5, {30, -1, 200}), (std::vector<int>{0, 30, 50, 74, 99}));
  EXPECT_EQ(spread_steps(100, 5, {99, 30, 31}), (std::vector<int>{0, 30, 31, 74, 99}));
  EXPECT_EQ(spread_steps(100, 1, {30}), (std::vector<int>{30}));
  EXPECT_TRUE(spread_steps(0, 5, {0}).empty());
}

}  // namespace
}  // namespace xlab::tests
