// What the gates view draws, held against the snapshot it draws: curves, heads, ghosts, colours,
// numbers, tokens, ranges of clamps and every column of its table.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/gate_lanes.hpp"
#include "ui/gate_rows.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

constexpr const char* kForget = "block0/mlstm/forget_gate_pre";

/// What was recorded of one head and unit, one number a step.
std::vector<float> recorded(const Trace& trace, const std::string& path, int head, int unit) {
  std::vector<float> values;
  for (int t = 0; t < trace.length(); ++t) {
    const Recorded* r = trace.find(t, path);
    values.push_back(r->at(head, r->dim == 1 ? 0 : unit));
  }
  return values;
}

std::vector<const DrawLog::Curve*> curves_with(const DrawLog& log,
                                               const std::vector<float>& values) {
  std::vector<const DrawLog::Curve*> found;
  for (const DrawLog::Curve& curve : log.curves) {
    if (curve.ys == values) found.push_back(&curve);
  }
  return found;
}

bool same_box(const Box& a, const Box& b) {
  return a.min.x == b.min.x && a.min.y == b.min.y && a.max.x == b.max.x && a.max.y == b.max.y;
}

bool says(const DrawLog& log, const std::string& words) {
  return std::any_of(log.texts.begin(), log.texts.end(),
                     [&](const DrawLog::Text& text) { return text.shown == words; });
}

bool says_part(const DrawLog& log, const std::string& words) {
  return std::any_of(log.texts.begin(), log.texts.end(), [&](const DrawLog::Text& text) {
    return text.shown.find(words) != std::string::npos;
  });
}

class GatesDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, int block, int head) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = {760, 1500};
    stage->focus.block = block;
    stage->focus.head = head;
    stage->frame(*view);
    stage->frame(*view);
  }
  const DrawLog& log() const { return stage->log; }

  std::unique_ptr<View> view = make_gates_view();
  std::unique_ptr<Stage> stage;
};

TEST_F(GatesDrawing, EveryCurveIsThatOfItsHeadInTheLookOfItsGate) {
  for (const auto& [s, block] :
       {std::pair{recall_scene(), 0}, {recall_scene(), 1}, {lstm_scene(), 1}}) {
    const BlockCard& card = s.model->blocks[static_cast<std::size_t>(block)];
    for (int focused = 0; focused < card.heads; ++focused) {
      draw(s, block, focused);
      int checked = 0;
      for (const GateRow& row : gate_rows(card)) {
        for (const Lane& lane : row.lanes) {
          if (lane.kind != LaneKind::curves) continue;
          for (const LaneCurve& curve : lane.curves) {
            const std::string path = card.prefix + "/" + curve.value;
            for (int head = 0; head < card.heads; ++head) {
              SCOPED_TRACE(path + ", head " + std::to_string(head));
              const auto found = curves_with(log(), recorded(*s.trace, path, head, 0));
              // Of values with one number a unit, and of dotted ones, only the head in focus.
              const bool shown = head == focused || !(lane.per_unit || curve.secondary);
              ASSERT_EQ(found.size(), shown ? 1u : 0u);
              if (!shown) continue;
              ++checked;
              const GateStyle style = gate_style(stage->scene().palette, curve.gate);
              const ImU32 opaque = 0xffu << 24;
              const DrawLog::Curve& drawn = *found.front();
              EXPECT_EQ(drawn.xs.size(), drawn.ys.size());
              if (curve.secondary) {
                EXPECT_EQ(drawn.stroke.dash, Dash::dotted);
                continue;
              }
              EXPECT_EQ(drawn.stroke.colour | opaque, style.colour | opaque);
              EXPECT_EQ(drawn.stroke.dash, style.dash);
              EXPECT_EQ(drawn.stroke.colour >> 24 == 255, head == focused) << "others are faint";
            }
          }
        }
      }
      EXPECT_GT(checked, 8);
    }
  }
}

TEST_F(GatesDrawing, AGhostIsTheCurveWithoutClamps) {
  const Snapshot s = clamped_scene();
  draw(s, 0, 0);
  const Palette& palette = stage->scene().palette;
  int apart = 0;
  for (const char* name : {"forget_gate_pre", "forget_gate", "m", "input_gate"}) {
    const std::string path = std::string("block0/mlstm/") + name;
    const std::vector<float> held = recorded(*s.trace, path, 0, 0);
    const std::vector<float> free = recorded(*s.unclamped, path, 0, 0);
    const auto held_curves = curves_with(log(), held), free_curves = curves_with(log(), free);
    ASSERT_FALSE(free_curves.empty()) << name;
    ASSERT_FALSE(held_curves.empty()) << name;
    EXPECT_TRUE(same_box(free_curves.front()->box, held_curves.back()->box)) << name;
    const ImU32 grey = free_curves.front()->stroke.colour | (0xffu << 24);
    EXPECT_EQ(grey, palette.muted_text | (0xffu << 24)) << name;
    EXPECT_LT(free_curves.front()->order, held_curves.back()->order) << "the ghost lies behind";
    apart += held != free ? 1 : 0;
  }
  EXPECT_GE(apart, 2) << "a clamp that changes nothing shows nothing";
  // Only the head that is held is another one without the clamp.
  draw(recall_scene(), 0, 0);
  for (const DrawLog::Curve& curve : log().curves) {
    if (curve.stroke.dash == Dash::dotted) continue;
    EXPECT_NE(curve.stroke.colour | (0xffu << 24),
              stage->scene().palette.muted_text | (0xffu << 24))
        << "no ghosts without clamps";
  }
}

TEST_F(GatesDrawing, StripsAreTheUnitsOfTheHeadInFocusInTheirColours) {
  for (const auto& [s, block] :
       {std::pair{recall_scene(), 0}, {recall_scene(), 1}, {lstm_scene(), 1}}) {
    const BlockCard& card = s.model->blocks[static_cast<std::size_t>(block)];
    for (const int head : {0, card.heads - 1}) {
      draw(s, block, head);
      ASSERT_GE(log().heats.size(), 2u);
      for (const DrawLog::Heat& heat : log().heats) {
        SCOPED_TRACE(heat.key);
        const std::string path = heat.key.substr(std::string("gates/").size());
        const Recorded* first = s.trace->find(0, path);
        ASSERT_NE(first, nullptr);
        ASSERT_EQ(heat.rows, first->dim);
        ASSERT_EQ(heat.columns, s.trace->length());
        double largest = 0.0;
        for (int unit = 0; unit < heat.rows; ++unit) {
          for (int t = 0; t < heat.columns; ++t) {
            const float value = s.trace->find(t, path)->at(head, unit);
            ASSERT_EQ(heat.values[static_cast<std::size_t>(unit * heat.columns + t)], value);
            largest = std::max(largest, static_cast<double>(std::abs(value)));
          }
        }
        const ColourScale scale(stage->scene().palette, heat.map, heat.low, heat.high);
        ASSERT_EQ(heat.width * heat.height, heat.rows * heat.columns) << "one pixel a value here";
        for (std::size_t i = 0; i < heat.values.size(); ++i) {
          ASSERT_EQ(heat.pixels[i], scale(heat.values[i]));
        }
        if (value_name(path) == "n" || value_name(path) == "c") {
          EXPECT_DOUBLE_EQ(heat.high, largest);
          EXPECT_TRUE(says(log(), short_number(largest))) << "the end of the legend";
        }
      }
    }
  }
}

TEST_F(GatesDrawing, NumbersOfAnAxisStandAtTheirHeight) {
  for (const Snapshot& s : {recall_scene(), clamped_scene(), long_scene()}) {
    draw(s, 0, 1);
    int checked = 0;
    for (const DrawLog::Text& text : log().texts) {
      const bool minus = text.shown.starts_with("−");
      const std::string plain = minus ? text.shown.substr(3) : text.shown;
      char* end = nullptr;
      const double value = std::strtod(plain.c_str(), &end) * (minus ? -1.0 : 1.0);
      if (plain.empty() || *end != '\0') continue;
      for (const DrawLog::Curve& curve : log().curves) {
        if (text.box.max.x > curve.box.min.x || text.box.centre().y < curve.box.min.y ||
            text.box.centre().y > curve.box.max.y) {
          continue;
        }
        EXPECT_NEAR(curve.axis.y(value, curve.box), text.box.centre().y, 10.0f) << text.shown;
        EXPECT_EQ(text.shown, text.wanted);
        ++checked;
        break;
      }
    }
    EXPECT_GT(checked, 12);
  }
}

TEST_F(GatesDrawing, ANumberThatNeverChangesStandsOnAPlainAxis) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>();
  for (const auto& step : s.trace->steps) {
    auto copy = std::make_shared<TokenTrace>(*step);
    for (float& m : copy->values["block0/mlstm/m"].values) m = 0.0f;
    trace->steps.push_back(copy);
  }
  s.trace = trace;
  draw(s, 0, 0);
  const auto found = curves_with(log(), std::vector<float>(17, 0.0f));
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front()->axis.low, -1.0);
  EXPECT_EQ(found.front()->axis.high, 1.0);
}

TEST_F(GatesDrawing, EveryLetterStandsUnderItsColumn) {
  for (const Snapshot& s : {recall_scene(), text_scene()}) {
    for (const float scale : {1.0f, 2.0f}) {
      stage = std::make_unique<Stage>(s);
      stage->size = {760 * scale, 600};
      stage->scale = scale;
      stage->frame(*view);
      ASSERT_FALSE(log().curves.empty());
      const std::vector<float>& xs = log().curves.front().xs;
      ASSERT_EQ(xs.size(), s.sequence.tokens.size());
      for (std::size_t t = 0; t < xs.size(); ++t) {
        const std::string label = token_label(s.model.get(), s.sequence.tokens[t]);
        const bool there =
            std::any_of(log().texts.begin(), log().texts.end(), [&](const DrawLog::Text& text) {
              return (text.shown == label || text.shown == "…") &&
                     text.box.min.y > stage->size.y - 60 * scale &&
                     std::abs(text.box.centre().x - xs[t]) < 2.0f;
            });
        EXPECT_TRUE(there) << label << " at " << t;
      }
    }
  }
}

TEST_F(GatesDrawing, LettersAreAllThereOrNotAtAll) {
  // Letters of very different widths, as many as fit and far more.
  Snapshot s = long_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  model->vocabulary = {"i", "m", "W", "l", "—", "w", ".", "n", "t", "o",
                       "r", "M", "ü", "a", "s", "e", "h", "d", "x"};
  s.model = model;
  stage = std::make_unique<Stage>(s);
  stage->size = {760, 600};
  stage->frame(*view);
  const auto letters = [&] {
    int count = 0;
    for (const DrawLog::Text& text : log().texts) {
      count += text.box.min.y > stage->size.y - 45 && text.box.min.x > 120 &&
                       std::find(model->vocabulary.begin(), model->vocabulary.end(), text.shown) !=
                           model->vocabulary.end()
                   ? 1
                   : 0;
    }
    return count;
  };
  const int columns = static_cast<int>(log().curves.front().xs.size());
  EXPECT_GT(columns, 30);
  EXPECT_EQ(letters(), columns);
  stage->move(*view, 400, 590);
  for (int i = 0; i < 6; ++i) stage->wheel(*view, -1.0f);
  stage->move(*view, -1000, -1000);
  EXPECT_GT(static_cast<int>(log().curves.front().xs.size()), 2 * columns);
  EXPECT_LE(letters(), 1) << "the one at the cursor";
  EXPECT_TRUE(says_part(log(), "read the tokens"));
}

TEST_F(GatesDrawing, EveryColumnOfTheTableIsThatOfTheSnapshot) {
  const Snapshot s = clamped_scene();
  for (const int block : {0, 1}) {
    draw(s, block, 1);
    const Table table = view->table(stage->scene());
    const BlockCard& card = s.model->blocks[static_cast<std::size_t>(block)];
    const int units = std::max(card.key_dim, card.value_dim);
    ASSERT_EQ(table.rows.size(), s.sequence.tokens.size() * static_cast<std::size_t>(card.heads) *
                                     static_cast<std::size_t>(units));
    ASSERT_EQ(table.columns[0], "step");
    std::map<std::string, std::size_t> numbers;
    std::set<std::string> places;
    for (const auto& row : table.rows) {
      ASSERT_EQ(row.size(), table.columns.size());
      const int step = std::atoi(row[0].c_str()), head = std::atoi(row[2].c_str());
      const int unit = std::atoi(row[3].c_str());
      places.insert(row[0] + " " + row[2] + " " + row[3]);
      EXPECT_EQ(row[1],
                token_label(s.model.get(), s.sequence.tokens[static_cast<std::size_t>(step)]));
      for (std::size_t i = 4; i < row.size(); ++i) {
        const Recorded* r = s.trace->find(step, card.prefix + "/" + table.columns[i]);
        ASSERT_NE(r, nullptr) << table.columns[i];
        if (r->dim > 1 && unit >= r->dim) {
          EXPECT_EQ(row[i], "") << "there is no such unit";
          continue;
        }
        ASSERT_FALSE(row[i].empty()) << table.columns[i];
        ++numbers[table.columns[i]];
        EXPECT_EQ(std::strtof(row[i].c_str(), nullptr), r->at(head, r->dim == 1 ? 0 : unit));
      }
    }
    EXPECT_EQ(places.size(), table.rows.size()) << "no place twice";
    // Every value drawn is in the table, for all heads and units.
    for (const GateRow& row : gate_rows(card)) {
      for (const Lane& lane : row.lanes) {
        for (const LaneCurve& curve : lane.curves) {
          const int dim = s.trace->find(0, card.prefix + "/" + curve.value)->dim;
          EXPECT_EQ(numbers[curve.value], 17u * static_cast<std::size_t>(card.heads) *
                                              static_cast<std::size_t>(dim == 1 ? units : dim))
              << curve.value;
        }
      }
    }
  }
}

TEST_F(GatesDrawing, ATableTooLongSaysWhatItLeavesOut) {
  SceneShape shape;
  shape.heads = 8;
  shape.key_dim = 128;
  shape.value_dim = 200;
  shape.length = 320;
  const Snapshot s = SceneBuilder(shape).build();
  draw(s, 0, 0);
  const Table table = view->table(stage->scene());
  ASSERT_EQ(table.rows.size(), 320u * 8u);
  EXPECT_EQ(table.note.rfind("Only unit 0 of 200 is listed: all of them would be 512000", 0), 0u)
      << table.note;
  EXPECT_EQ(table.rows[0][0], "0") << "no words among the numbers";
  EXPECT_EQ(table.csv().find("listed"), std::string::npos);
}

TEST_F(GatesDrawing, ATableToLookAtHasTheStepsAroundTheCursor) {
  SceneShape shape;
  shape.heads = 5;
  shape.key_dim = 7;
  shape.value_dim = 11;
  shape.length = 40;
  const std::size_t of_a_step = 5u * 11u;
  for (const int cursor : {0, 3, 20, 38, 39}) {
    shape.cursor = cursor;
    const Snapshot s = SceneBuilder(shape).build();
    draw(s, 0, 0);
    Scene scene = stage->scene();
    scene.most_rows = 12 * of_a_step + 1;
    const Table table = view->table(scene);
    ASSERT_EQ(table.rows.size(), 12 * of_a_step);
    const int first = std::atoi(table.rows.front()[0].c_str());
    EXPECT_LE(first, cursor);
    EXPECT_EQ(std::atoi(table.rows.back()[0].c_str()), first + 11);
    EXPECT_GE(first + 11, cursor);
    EXPECT_EQ(table.note, "Time steps " + std::to_string(first) + " to " +
                              std::to_string(first + 11) +
                              " of 0 to 39 are listed, those around the time cursor.");
    scene.most_rows = 40 * of_a_step;
    EXPECT_EQ(view->table(scene).note, "") << "all of them";
    scene.most_rows = 3;
    EXPECT_EQ(view->table(scene).rows.size(), of_a_step) << "one step whole";
  }
}

// -- Clamps -------------------------------------------------------------------------------------

TEST_F(GatesDrawing, TheEndsOfAClampMoveItsRange) {
  const Clamp clamp{kForget, 1, 0, 4, 9, -2.5f};
  const Snapshot s = SceneBuilder({}).build({forgetting(2), clamp});
  draw(s, 0, 1);
  stage->size = {760, 600};
  stage->frame(*view);
  const auto found = curves_with(log(), recorded(*s.trace, kForget, 1, 0));
  ASSERT_EQ(found.size(), 1u);
  const DrawLog::Curve lane = *found.front();
  const float column = lane.xs[1] - lane.xs[0], y = lane.axis.y(-2.5, lane.box);
  const auto drag = [&](float from, float to) {
    stage->sent.clear();
    stage->move(*view, from, y);
    stage->button(*view, true);
    stage->move(*view, to, y);
    const auto sent = stage->all<command::ReplaceClamp>();
    const bool told = says_part(log(), "held at −2.50 at step");
    stage->button(*view, false);
    EXPECT_TRUE(stage->all<command::SetClamp>().empty());
    EXPECT_TRUE(told);
    return sent;
  };
  const float left = lane.xs[4] - column / 2 - 3, right = lane.xs[8] + column / 2 + 3;
  for (const int step : {0, 2, 6, 8}) {
    const auto sent = drag(left, lane.xs[static_cast<std::size_t>(step)]);
    ASSERT_FALSE(sent.empty()) << step;
    Clamp expected = clamp;
    expected.begin = step;
    EXPECT_EQ(sent.back().clamp, expected) << step;
    EXPECT_EQ(sent.back().index, 1);
  }
  for (const int step : {4, 6, 12, 16}) {
    const auto sent = drag(right, lane.xs[static_cast<std::size_t>(step)]);
    ASSERT_FALSE(sent.empty()) << step;
    Clamp expected = clamp;
    expected.end = step + 1;
    EXPECT_EQ(sent.back().clamp, expected) << step;
  }
  // An end does not pass the other one.
  EXPECT_EQ(drag(left, lane.xs[14]).back().clamp.begin, 8);
  EXPECT_EQ(drag(right, lane.xs[1]).back().clamp.end, 5);
  // The handle says the range, and the time axis points it out.
  stage->move(*view, right, y);
  EXPECT_TRUE(says(log(), "held at −2.50 at steps 4…8 (5 steps)"));
  for (const int step : {4, 8}) {
    const bool there =
        std::any_of(log().texts.begin(), log().texts.end(), [&](const DrawLog::Text& text) {
          return text.shown == std::to_string(step) && text.box.min.y > stage->size.y - 40 &&
                 std::abs(text.box.centre().x - lane.xs[static_cast<std::size_t>(step)]) < 2.0f;
        });
    EXPECT_TRUE(there) << step;
  }
}

TEST_F(GatesDrawing, ADragSaysWhereAndAtWhatItHoldsAndWhereItEnds) {
  const Snapshot s = recall_scene();
  draw(s, 0, 2);
  stage->size = {760, 600};
  stage->frame(*view);
  const auto found = curves_with(log(), recorded(*s.trace, kForget, 2, 0));
  ASSERT_EQ(found.size(), 1u);
  const DrawLog::Curve lane = *found.front();
  const float x = lane.xs[5], y = lane.axis.y(lane.ys[5], lane.box);
  stage->move(*view, x, y);
  stage->button(*view, true);
  stage->move(*view, x, lane.box.min.y + 4);
  auto sets = stage->all<command::SetClamp>();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.back().clamp.head, 2);
  EXPECT_TRUE(says(log(), "held at " + short_number(sets.back().clamp.value) + " at step 5"));
  EXPECT_FALSE(says_part(log(), "as far as dragging goes"));
  stage->move(*view, x, lane.box.min.y - 4000);
  EXPECT_EQ(stage->all<command::SetClamp>().back().clamp.value, 60.0f);
  EXPECT_TRUE(says(log(), "±60 is as far as dragging goes")) << "never a silent limit";
  stage->button(*view, false);
}

TEST_F(GatesDrawing, WithAltACurveIsDrawnAlongTheMouse) {
  Snapshot s = recall_scene();
  draw(s, 0, 2);
  stage->size = {760, 600};
  stage->frame(*view);
  const auto found = curves_with(log(), recorded(*s.trace, kForget, 2, 0));
  ASSERT_EQ(found.size(), 1u);
  const DrawLog::Curve lane = *found.front();
  const auto y = [&](double value) { return lane.axis.y(value, lane.box); };
  const double high = lane.axis.low + 0.8 * (lane.axis.high - lane.axis.low),
               low = lane.axis.low + 0.3 * (lane.axis.high - lane.axis.low);
  // The mouse stands on whole pixels.
  const double pixel =
      (lane.axis.high - lane.axis.low) / static_cast<double>(lane.box.height()) + 0.006;
  stage->alt(true);
  stage->move(*view, lane.xs[4], y(lane.ys[4]));
  stage->button(*view, true);
  stage->move(*view, lane.xs[4], y(high));
  const auto made = stage->all<command::SetClamp>();
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].clamp.begin, 4);
  EXPECT_EQ(made[0].clamp.end, 5);
  EXPECT_EQ(made[0].clamp.head, 2);
  ASSERT_EQ(made[0].clamp.curve.size(), 1u);
  EXPECT_NEAR(made[0].clamp.curve[0], high, pixel);
  EXPECT_TRUE(stage->all<command::ReplaceClamp>().empty()) << "it is not there yet";
  s.sequence.clamps = {made[0].clamp};
  stage->move(*view, lane.xs[8], y(low));
  const auto drawn = stage->all<command::ReplaceClamp>();
  ASSERT_FALSE(drawn.empty());
  const Clamp& curve = drawn.back().clamp;
  EXPECT_EQ(drawn.back().index, 0);
  EXPECT_EQ(curve.begin, 4);
  EXPECT_EQ(curve.end, 9);
  ASSERT_EQ(curve.curve.size(), 5u);
  for (int i = 0; i < 5; ++i)
    EXPECT_NEAR(curve.curve[static_cast<std::size_t>(i)], high + (low - high) * i / 4, pixel) << i;
  EXPECT_TRUE(says_part(log(), "held along a curve at steps 4…8 (5 steps)"));
  // Back to the left, beyond where it began.
  s.sequence.clamps = {curve};
  stage->move(*view, lane.xs[2], y(high));
  const Clamp longer = stage->all<command::ReplaceClamp>().back().clamp;
  EXPECT_EQ(longer.begin, 2);
  EXPECT_EQ(longer.end, 9);
  EXPECT_NEAR(longer.curve.front(), high, pixel);
  EXPECT_NEAR(longer.curve.back(), low, pixel) << "it ends where it was drawn last";
  EXPECT_EQ(stage->all<command::SetClamp>().size(), 1u);
  stage->button(*view, false);
  stage->alt(false);
}

TEST_F(GatesDrawing, AGateThatIsHeldShutLeavesTheOthersTheirRoom) {
  const Clamp shut{.path = kForget, .head = 1, .begin = 4, .end = 5, .value = -60.0f};
  const Snapshot s = SceneBuilder({}).build({shut});
  draw(s, 0, 1);
  stage->size = {760, 600};
  stage->frame(*view);
  const std::vector<float> numbers = recorded(*s.trace, kForget, 1, 0);
  ASSERT_EQ(numbers[4], -60.0f);
  const auto found = curves_with(log(), numbers);
  ASSERT_FALSE(found.empty());
  const DrawLog::Curve lane = *found.front();
  EXPECT_GT(lane.axis.low, -30.0) << "the curve leaves the lane there";
  // No point of it is drawn among those of the lanes below.
  int inside = 0;
  for (const DrawLog::Circle& circle : log().circles) {
    if (circle.width > 0.0f || std::abs(circle.radius - 2.6f) > 0.01f) continue;
    const bool in_a_lane =
        std::any_of(log().curves.begin(), log().curves.end(), [&](const DrawLog::Curve& curve) {
          return circle.centre.y >= curve.box.min.y - 0.01f &&
                 circle.centre.y <= curve.box.max.y + 0.01f;
        });
    EXPECT_TRUE(in_a_lane) << circle.centre.x << " " << circle.centre.y;
    const bool here = std::abs(circle.centre.x - lane.xs[4]) < 0.5f &&
                      circle.centre.y > lane.box.max.y &&
                      circle.centre.y < lane.box.max.y + lane.box.height();
    EXPECT_FALSE(here) << "the point at -60";
    ++inside;
  }
  EXPECT_GT(inside, 10);
  // Many of them are what the lane is about.
  Clamp most = shut;
  most.begin = 0;
  most.end = 12;
  const Snapshot closed = SceneBuilder({}).build({most});
  draw(closed, 0, 1);
  stage->size = {760, 600};
  stage->frame(*view);
  const auto wide = curves_with(log(), recorded(*closed.trace, kForget, 1, 0));
  ASSERT_FALSE(wide.empty());
  EXPECT_LT(wide.front()->axis.low, -59.0);
}

TEST_F(GatesDrawing, EditsThatAddOrScaleStandWhereTheNumberComesTo) {
  Clamp plus{.path = kForget, .head = Clamp::kAll, .begin = 4, .end = 7, .value = 1.5f};
  plus.change = Change::add;
  const Snapshot s = SceneBuilder({}).build({plus});
  draw(s, 0, 1);
  stage->size = {760, 600};
  stage->frame(*view);
  const std::vector<float> numbers = recorded(*s.trace, kForget, 1, 0);
  const auto found = curves_with(log(), numbers);
  ASSERT_FALSE(found.empty());
  const DrawLog::Curve lane = *found.front();
  for (const int step : {4, 5, 6}) {
    const auto at = static_cast<std::size_t>(step);
    const float x = lane.xs[at], y = lane.axis.y(static_cast<double>(numbers[at]), lane.box);
    const bool handle = std::any_of(log().fills.begin(), log().fills.end(), [&](const auto& fill) {
      return std::abs(fill.box.centre().x - x) < 0.6f && std::abs(fill.box.centre().y - y) < 0.6f &&
             std::abs(fill.box.width() - 8.0f) < 0.1f;
    });
    EXPECT_TRUE(handle) << step;
  }
}

// -- Rest ---------------------------------------------------------------------------------------

TEST_F(GatesDrawing, TheHintMovesForAMinute) {
  const Snapshot s = recall_scene();
  draw(s, 0, 0);
  ImGui::GetIO().DeltaTime = 1.0f;
  stage->focus.hint_target = kForget;
  stage->focus.hint = "Drag the forget gate";
  for (int second = 0; second < 59; ++second) {
    stage->frame(*view);
    ASSERT_TRUE(view->animating(stage->scene())) << second;
  }
  for (int second = 0; second < 3; ++second) stage->frame(*view);
  EXPECT_FALSE(view->animating(stage->scene()));
  EXPECT_TRUE(says(log(), "Drag the forget gate")) << "still there";
  // Another hint moves again.
  stage->focus.hint_target = "block0/mlstm/input_gate_pre";
  EXPECT_TRUE(view->animating(stage->scene()));
  stage->frame(*view);
  EXPECT_TRUE(view->animating(stage->scene()));
}

TEST_F(GatesDrawing, TheHintIsReadWholeAtLargeText) {
  const Snapshot s = recall_scene();
  draw(s, 0, 0);
  stage->scale = 2.5f;
  stage->focus.hint_target = kForget;
  stage->focus.hint = "Drag the forget gate down and see what is forgotten";
  for (const ImVec2 size : {ImVec2{1280, 800}, ImVec2{640, 480}, ImVec2{480, 700}}) {
    stage->size = size;
    for (int i = 0; i < 3; ++i) stage->frame(*view);
    std::string read;
    for (const DrawLog::Text& text : log().texts) {
      if (text.weight == Weight::bold && text.colour == readable_on(stage->scene().palette.accent))
        read += (read.empty() ? "" : " ") + text.shown;
    }
    EXPECT_EQ(read, stage->focus.hint) << size.x;
  }
}

TEST_F(GatesDrawing, NothingIsDrawnOverTheHint) {
  const Snapshot s = recall_scene();
  draw(s, 0, 0);
  stage->focus.hint_target = kForget;
  stage->focus.hint = "Drag the forget gate down: make it forget.";
  const ImU32 ink = readable_on(stage->scene().palette.accent);
  // Of a window at 640 x 480, and of one at 1280 x 800 whose text is 250 % large.
  for (const auto& [size, scale] : {std::pair{ImVec2{278, 190}, 1.0f},
                                    {ImVec2{560, 520}, 2.5f},
                                    {ImVec2{560, 420}, 2.5f},
                                    {ImVec2{900, 500}, 2.0f}}) {
    SCOPED_TRACE(size.x);
    stage->size = size;
    stage->scale = scale;
    for (int i = 0; i < 3; ++i) stage->frame(*view);
    Box sentence{{1e9f, 1e9f}, {-1e9f, -1e9f}}, clip;
    std::string read;
    int last = 0;
    for (const DrawLog::Text& text : log().texts) {
      if (text.weight != Weight::bold || text.colour != ink) continue;
      if (text.shown.size() < 3) continue;  // a chip
      read += (read.empty() ? "" : " ") + text.shown;
      sentence.min = {std::min(sentence.min.x, text.box.min.x),
                      std::min(sentence.min.y, text.box.min.y)};
      sentence.max = {std::max(sentence.max.x, text.box.max.x),
                      std::max(sentence.max.y, text.box.max.y)};
      clip = text.clip;
      last = text.order;
    }
    ASSERT_EQ(read, stage->focus.hint);
    EXPECT_TRUE(covers(clip, sentence)) << "it is cut off";
    for (const DrawLog::Curve& curve : log().curves)
      EXPECT_FALSE(curve.order > last && !overlap(curve.box, sentence).empty());
    for (const DrawLog::Line& line : log().lines) {
      for (const ImVec2 point : line.points)
        EXPECT_FALSE(line.order > last && sentence.contains(point));
    }
    for (const DrawLog::Outline& outline : log().outlines)
      EXPECT_FALSE(outline.order > last && !overlap(outline.box, sentence).empty());
    for (const DrawLog::Heat& heat : log().heats)
      EXPECT_FALSE(heat.order > last && !overlap(heat.box, sentence).empty());
  }
}

TEST_F(GatesDrawing, TheHintLeavesItsGateToBeSeen) {
  const Snapshot s = recall_scene();
  draw(s, 0, 0);
  stage->focus.hint_target = kForget;
  stage->focus.hint = "Drag the forget gate down: make it forget.";
  const ImU32 ink = readable_on(stage->scene().palette.accent);
  // Of a window at 640 x 480 with text at 150 %.
  stage->size = {278, 270};
  stage->scale = 1.5f;
  for (int i = 0; i < 3; ++i) stage->frame(*view);
  int rows = 0;
  for (const DrawLog::Text& text : log().texts)
    rows += text.weight == Weight::bold && text.colour == ink && text.shown.size() >= 3;
  EXPECT_GE(rows, 1);
  EXPECT_LE(rows, 2) << "as a tower of words it covers every lane";
}

TEST(GateLanes, NothingIsPreparedWhileNothingChanges) {
  Snapshot s = long_scene();
  const BlockCard& block = s.model->blocks[1];
  GateLanes lanes;
  const auto all = [&](const LanePlace& place, const Palette& palette) {
    lanes.use(s.trace, s.unclamped);
    for (const GateRow& row : gate_rows(block)) {
      for (const Lane& lane : row.lanes) {
        if (lane.kind == LaneKind::strip) {
          lanes.strip(block, lane, place, palette, {700, 34});
        } else {
          lanes.curves(block, lane, place);
        }
      }
    }
  };
  const Palette& light = palette(PaletteName::light);
  const LanePlace place{2, 3, 0, 5000};
  all(place, light);
  const int once = lanes.prepared();
  EXPECT_GT(once, 10);
  // Training goes on: a new snapshot, the same sequence.
  for (int frame = 0; frame < 50; ++frame) {
    ++s.id;
    all(place, light);
  }
  EXPECT_EQ(lanes.prepared(), once);
  // Each of these is something else to show.
  LanePlace other = place;
  other.head = 1;
  all(other, light);
  EXPECT_EQ(lanes.prepared(), 2 * once);
  other.first = 100;
  all(other, light);
  EXPECT_EQ(lanes.prepared(), 3 * once);
  s.trace = std::make_shared<Trace>(*s.trace);
  all(other, light);
  EXPECT_EQ(lanes.prepared(), 4 * once);
  int strips = 0;
  for (const GateRow& row : gate_rows(block)) {
    for (const Lane& lane : row.lanes) strips += lane.kind == LaneKind::strip ? 1 : 0;
  }
  all(other, palette(PaletteName::dark));
  EXPECT_EQ(lanes.prepared(), 4 * once + strips) << "only strips have colours of a palette";
}

}  // namespace
}  // namespace xlab::tests
