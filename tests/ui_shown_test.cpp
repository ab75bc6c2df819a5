// What the time bar, the matrix memory, the loss and the next token show, held against their
// snapshot: every number, mark, colour and curve.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

using Text = DrawLog::Text;

/// The texts of the last frame for which `wanted` holds.
std::vector<Text> texts(const Stage& stage, const std::function<bool(const Text&)>& wanted) {
  std::vector<Text> found;
  for (const Text& text : stage.log.texts) {
    if (wanted(text)) found.push_back(text);
  }
  return found;
}

std::vector<Text> texts(const Stage& stage, const std::string& shown, bool on_top = false) {
  return texts(stage, [&](const Text& t) { return t.shown == shown && t.on_top == on_top; });
}

/// Everything on the hover card, as one line.
std::string card(const Stage& stage) {
  std::string lines;
  for (const Text& text : stage.log.texts) {
    if (text.on_top) lines += (lines.empty() ? "" : " ") + text.shown;
  }
  return lines;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void click(Stage& stage, View& view, const std::string& words) {
  stage.move(view, -FLT_MAX, -FLT_MAX);
  const std::vector<Text> found = texts(stage, words);
  ASSERT_FALSE(found.empty()) << "There is no \"" << words << "\" to click.";
  const ImVec2 at = found.front().box.centre();
  stage.click(view, at.x, at.y);
  stage.move(view, -FLT_MAX, -FLT_MAX);
}

/// Rests the mouse on words and returns the card.
std::string hover(Stage& stage, View& view, const std::string& words) {
  stage.move(view, -FLT_MAX, -FLT_MAX);
  const std::vector<Text> found = texts(stage, words);
  if (found.empty()) {
    ADD_FAILURE() << "There is no \"" << words << "\" to point at.";
    return {};
  }
  const ImVec2 at = found.front().box.centre();
  stage.move(view, at.x, at.y);
  return card(stage);
}

/// The colour that covers a place, as the last thing filled there before `order`.
ImU32 ground(const Stage& stage, ImVec2 at, int order) {
  ImU32 colour = 0;
  for (const DrawLog::Fill& fill : stage.log.fills) {
    if (fill.order < order && fill.box.contains(at)) colour = fill.colour;
  }
  return colour;
}

// -- Time
// ------------------------------------------------------------------------------------------

class TimeShown : public ::testing::Test {
 protected:
  void open(const Snapshot& snapshot, float width = 1400) {
    s_ = snapshot;
    stage_.emplace(s_);
    stage_->size = {width, 300};
    view_ = make_time_view();
    stage_->frame(*view_);
  }
  int length() const { return static_cast<int>(s_.sequence.tokens.size()); }
  /// Where the column of a step is: under its token stands its number.
  Text step_label(int t) const {
    // No token is called 16, so its label gives the height of the row.
    const std::vector<Text> row = texts(*stage_, "16");
    if (row.size() != 1) ADD_FAILURE() << "The row of steps is not where it was.";
    for (const Text& text : stage_->log.texts) {
      if (!row.empty() && text.shown == std::to_string(t) && !text.on_top &&
          std::abs(text.box.min.y - row[0].box.min.y) < 2) {
        return text;
      }
    }
    ADD_FAILURE() << "Step " << t << " has no number.";
    return {};
  }
  float x_of(int t) const {
    if (t < length()) return step_label(t).box.centre().x;
    return 2 * step_label(t - 1).box.centre().x - step_label(t - 2).box.centre().x;
  }
  float column() const { return x_of(1) - x_of(0); }
  /// The text of a row at a step; the rows are counted upwards from the step numbers.
  std::vector<Text> above(int t, float from, float to) const {
    const float y = step_label(16).box.min.y, x = x_of(t);
    return texts(*stage_, [&](const Text& text) {
      return !text.on_top && text.box.centre().y < y - from && text.box.centre().y > y - to &&
             std::abs(text.box.centre().x - x) < column() / 2;
    });
  }
  std::vector<Text> tokens(int t) const { return above(t, 3, 22); }
  std::vector<Text> marks(int t) const { return above(t, 24, 44); }

  Snapshot s_;
  std::optional<Stage> stage_;
  std::unique_ptr<View> view_;
};

TEST_F(TimeShown, EveryTokenStandsAtItsStep) {
  for (const Snapshot& s : {recall_scene(), asking_scene(), clamped_scene()}) {
    open(s);
    for (int t = 0; t < length(); ++t) {
      const std::vector<Text> found = tokens(t);
      ASSERT_EQ(found.size(), 1u) << t;
      EXPECT_EQ(found[0].shown,
                token_label(s.model.get(), s.sequence.tokens[static_cast<std::size_t>(t)]));
    }
  }
}

TEST_F(TimeShown, ATickIsTheModelsOwnRightChoiceACrossItsWrongOne) {
  open(asking_scene());
  const SequenceStatus& sequence = s_.sequence;
  int ticks = 0, crosses = 0;
  for (int t = 0; t < length(); ++t) {
    const auto i = static_cast<std::size_t>(t);
    const std::vector<Text> found = marks(t);
    if (sequence.expected[i] < 0) {
      EXPECT_TRUE(found.empty()) << t << " is not asked for: " << found[0].shown;
      continue;
    }
    ASSERT_EQ(found.size(), 1u) << t;
    const std::string answer = token_label(s_.model.get(), sequence.expected[i]);
    if (sequence.top_choice[i] < 0) {
      EXPECT_EQ(found[0].shown, "?") << t;
      EXPECT_EQ(found[0].colour, std::isfinite(sequence.answer_surprise[i])
                                     ? palette(PaletteName::light).muted_text
                                     : IM_COL32_WHITE);
    } else if (sequence.top_choice[i] == sequence.expected[i]) {
      EXPECT_EQ(found[0].shown, "✓ " + answer) << t;
      EXPECT_EQ(found[0].colour, palette(PaletteName::light).text);
      ++ticks;
    } else {
      EXPECT_EQ(found[0].shown, "✗ " + answer) << t;
      EXPECT_EQ(found[0].colour, palette(PaletteName::light).warning);
      ++crosses;
    }
  }
  EXPECT_GT(ticks, 3);
  EXPECT_GT(crosses, 1);
}

TEST_F(TimeShown, ATokenThatEqualsTheAnswerIsNoTickWhenTheModelWantedAnother) {
  Snapshot s = recall_scene();
  ASSERT_EQ(s.sequence.tokens[16], s.sequence.expected[16]);
  s.sequence.top_choice[16] = 9;
  open(s);
  ASSERT_EQ(marks(16).size(), 1u);
  EXPECT_EQ(marks(16)[0].shown, "✗ 7");
  s.sequence.top_choice[16] = 15;
  s.sequence.tokens[16] = 9;
  open(s);
  ASSERT_EQ(marks(16).size(), 1u);
  EXPECT_EQ(marks(16)[0].shown, "✓ 7") << "the model knew, whatever token stands there";
  s.sequence.tokens[16] = 15;
  open(s);
  ASSERT_EQ(marks(16).size(), 1u);
  EXPECT_EQ(marks(16)[0].shown, "✓");
}

TEST_F(TimeShown, AMarkStandsAboveItsOwnTokenHoweverNarrowTheColumns) {
  Snapshot s = recall_scene();
  s.sequence.top_choice[16] = s.sequence.expected[16];
  s.sequence.tokens[16] = 9;  // so that the answer is written beside the tick
  for (const float width : {1400.0f, 1000.0f, 860.0f, 760.0f, 700.0f}) {
    open(s, width);
    const std::vector<Text> found =
        texts(*stage_, [](const Text& text) { return text.shown == "✓ 7" || text.shown == "✓"; });
    ASSERT_EQ(found.size(), 1u) << width;
    const float away = std::abs(found[0].box.centre().x - x_of(16));
    EXPECT_LT(away, 1.0f + std::max(0.0f, (found[0].box.width() - column()) / 2)) << width;
  }
}

TEST_F(TimeShown, BoxesAndBarsShowTheSurpriseOfTheAnswerAndGreyWhereNothingIsAsked) {
  open(asking_scene());
  const SequenceStatus& sequence = s_.sequence;
  const Palette& colours = palette(PaletteName::light);
  const double uniform = std::log(static_cast<double>(s_.model->vocabulary.size()));
  const ColourScale scale(colours, MapName::log_domain, 0.0, 2.0 * uniform);
  std::vector<double> pixels_per_nat;
  for (int t = 0; t < length(); ++t) {
    const auto i = static_cast<std::size_t>(t);
    const Text token = tokens(t).at(0);
    const float y = token.box.centre().y;
    ImU32 expected = colours.control;
    const bool known = sequence.expected[i] >= 0 &&
                       (sequence.top_choice[i] >= 0 || std::isnan(sequence.answer_surprise[i]));
    if (known) expected = scale(sequence.answer_surprise[i]);
    if (t > sequence.cursor) expected = mix(colours.panel, expected, 0.35f);
    EXPECT_EQ(ground(*stage_, {x_of(t), y}, token.order), expected) << t;
    // The bar below: from the lower edge up, nothing where nothing is known.
    const float below = step_label(16).box.max.y + 4;
    const DrawLog::Fill* bar = nullptr;
    for (const DrawLog::Fill& fill : stage_->log.fills) {
      if (fill.box.min.y > below - 2 && fill.box.contains({x_of(t), fill.box.max.y - 0.5f}) &&
          fill.box.width() > column() / 3 && fill.box.width() < column()) {
        bar = &fill;
      }
    }
    if (!known) {
      EXPECT_EQ(bar, nullptr) << t;
      continue;
    }
    ASSERT_NE(bar, nullptr) << t;
    if (std::isfinite(sequence.answer_surprise[i])) {
      pixels_per_nat.push_back(static_cast<double>(bar->box.height()) /
                               sequence.answer_surprise[i]);
    } else {
      EXPECT_EQ(bar->colour, kNotANumber);
    }
  }
  ASSERT_GT(pixels_per_nat.size(), 8u);
  for (const double each : pixels_per_nat) EXPECT_NEAR(each, pixels_per_nat.front(), 1e-2);
}

TEST_F(TimeShown, ATextIsShadedByTheSurpriseOfItsTokens) {
  open(text_scene());
  const double uniform = std::log(static_cast<double>(s_.model->vocabulary.size()));
  const ColourScale scale(palette(PaletteName::light), MapName::log_domain, 0.0, 2.0 * uniform);
  for (int t = 1; t <= s_.sequence.cursor; ++t) {
    const Text token = tokens(t).at(0);
    EXPECT_EQ(ground(*stage_, {x_of(t), token.box.centre().y}, token.order),
              scale(s_.sequence.surprise[static_cast<std::size_t>(t)]))
        << t;
    EXPECT_TRUE(marks(t).empty() || marks(t)[0].shown == "prompt") << marks(t)[0].shown;
  }
}

TEST_F(TimeShown, WhatIsNotComputedYetHasNoSurprise) {
  Snapshot s = text_scene();
  // Nine of the seventeen tokens are read: the model has chosen what comes at 9, no more.
  auto begun = std::make_shared<Trace>();
  begun->steps.assign(s.trace->steps.begin(), s.trace->steps.begin() + 9);
  s.trace = begun;
  s.sequence.cursor = 8;
  for (std::size_t t = 0; t < s.sequence.top_choice.size(); ++t)
    s.sequence.top_choice[t] = t > 0 && t < 10 ? 3 : -1;
  for (std::size_t t = 9; t < s.sequence.surprise.size(); ++t) s.sequence.surprise[t] = 0.0f;
  open(s);
  const Palette& colours = palette(PaletteName::light);
  const Table table = view_->table(stage_->scene());
  const auto named = std::find(table.columns.begin(), table.columns.end(), "surprise (nats)");
  const auto at = static_cast<std::size_t>(named - table.columns.begin());
  for (int t = 1; t < length(); ++t) {
    EXPECT_EQ(table.rows[static_cast<std::size_t>(t)][at].empty(), t >= 9) << t;
    if (t < 9) continue;
    const Text token = tokens(t).at(0);
    EXPECT_EQ(ground(*stage_, {x_of(t), token.box.centre().y}, token.order),
              mix(colours.panel, colours.control, 0.35f))
        << t;
    for (const DrawLog::Fill& fill : stage_->log.fills) {
      EXPECT_FALSE(fill.box.min.y > step_label(16).box.max.y + 2 &&
                   fill.box.contains({x_of(t), fill.box.centre().y}) &&
                   fill.box.width() > column() / 3 && fill.box.width() < column())
          << "a bar at " << t;
    }
    stage_->move(*view_, x_of(t), token.box.centre().y);
    EXPECT_TRUE(has(card(*stage_), "still to come")) << t << ": " << card(*stage_);
    EXPECT_FALSE(has(card(*stage_), "surprise of this token")) << t;
    stage_->move(*view_, -FLT_MAX, -FLT_MAX);
  }
  s.sequence.cursor = 9;
  open(s);
  EXPECT_EQ(texts(*stage_, [](const Text& t) { return has(t.shown, "not computed yet"); }).size(),
            1u);
  EXPECT_TRUE(texts(*stage_, [](const Text& t) { return has(t.shown, "surprise 0"); }).empty());
}

TEST_F(TimeShown, TheCardSaysWhatWasAskedAndWhatTheModelChose) {
  open(asking_scene());
  const auto card_at = [&](int t) {
    stage_->move(*view_, -FLT_MAX, -FLT_MAX);
    const float x = x_of(t);
    stage_->move(*view_, x, tokens(7).at(0).box.centre().y);
    return card(*stage_);
  };
  const std::string right = card_at(4);
  EXPECT_TRUE(has(right, "asked for here: g")) << right;
  EXPECT_TRUE(has(right, "the model's own choice: g, probability 0.368 (right)")) << right;
  EXPECT_TRUE(has(right, "surprise of the right answer 1 nats, probability 0.368")) << right;
  const std::string wrong = card_at(9);
  EXPECT_TRUE(has(wrong, "asked for here: e")) << wrong;
  EXPECT_TRUE(has(wrong, "the model's own choice: h (wrong)")) << wrong;
  EXPECT_TRUE(has(wrong, "surprise of the right answer 2.25 nats, probability 0.105")) << wrong;
  EXPECT_TRUE(has(card_at(8), "the model gave no numbers here")) << card_at(8);
  EXPECT_TRUE(has(card_at(16), "still to come")) << card_at(16);
  EXPECT_TRUE(has(card_at(1), "nothing is asked for here")) << card_at(1);
  EXPECT_TRUE(has(card_at(17), "the token to come")) << card_at(17);
}

TEST_F(TimeShown, TheLineAboveSaysWhereTheCursorIs) {
  open(asking_scene());
  // Step 15 is the cursor; nothing is known of it yet but 14.
  EXPECT_EQ(texts(*stage_, [](const Text& t) { return has(t.shown, "t = 15 of 0…16"); }).size(),
            1u);
  Snapshot s = asking_scene();
  s.sequence.cursor = 14;
  open(s);
  const auto line = texts(*stage_, [](const Text& t) { return has(t.shown, "t = 14 of 0…16"); });
  ASSERT_EQ(line.size(), 1u);
  EXPECT_EQ(line[0].shown, "t = 14 of 0…16   token b   surprise of the answer 3.50 nats");
  EXPECT_TRUE(has(hover(*stage_, *view_, line[0].shown), "Surprise is −log"));
  s = recall_scene();
  open(s);
  const auto given = texts(*stage_, [](const Text& t) { return has(t.shown, "not guessed"); });
  ASSERT_EQ(given.size(), 1u);
  EXPECT_TRUE(has(hover(*stage_, *view_, given[0].shown), "Given, not guessed"));
}

TEST_F(TimeShown, EveryWordExplainsItself) {
  open(asking_scene());
  for (const char* word : {"answer", "token", "step t", "nats"}) {
    EXPECT_GT(hover(*stage_, *view_, word).size(), 20u) << word;
  }
  const std::vector<Text> legend =
      texts(*stage_, [](const Text& t) { return has(t.shown, "a uniform guess: ln 19 = 2.94"); });
  ASSERT_EQ(legend.size(), 1u);
  EXPECT_TRUE(has(hover(*stage_, *view_, legend[0].shown), "Colours of nats of surprise"));
}

TEST_F(TimeShown, LongSequencesHaveAStripOfAllOfIt) {
  Snapshot s = asking_scene();
  const int many = 400;
  for (int t = length(); static_cast<int>(s.sequence.tokens.size()) < many; ++t) {
    s.sequence.tokens.push_back(t % 19);
    s.sequence.expected.push_back(t % 7 == 0 ? 3 : -1);
    s.sequence.answer_surprise.push_back(t % 7 == 0 ? 0.01f * static_cast<float>(t) : 0.0f);
    s.sequence.top_choice.push_back(t % 7 == 0 ? 3 : -1);
  }
  s_ = s;
  stage_.emplace(s_);
  stage_->size = {1400, 300};
  view_ = make_time_view();
  stage_->frame(*view_);
  ASSERT_EQ(stage_->log.heats.size(), 1u);
  const DrawLog::Heat& strip = stage_->log.heats[0];
  ASSERT_EQ(strip.values.size(), s_.sequence.tokens.size());
  for (std::size_t t = 0; t < strip.values.size(); ++t) {
    if (std::isnan(s_.sequence.answer_surprise[t])) {
      EXPECT_TRUE(std::isnan(strip.values[t]));
    } else {
      EXPECT_EQ(strip.values[t], s_.sequence.answer_surprise[t]) << t;
    }
  }
}

TEST_F(TimeShown, TheTableHasEveryColumn) {
  for (const Snapshot& s : {asking_scene(), recall_scene(), text_scene()}) {
    open(s);
    const Table table = view_->table(stage_->scene());
    const SequenceStatus& sequence = s.sequence;
    const auto column = [&](const std::string& name) {
      const auto at = std::find(table.columns.begin(), table.columns.end(), name);
      if (at == table.columns.end()) ADD_FAILURE() << "There is no column " << name;
      return static_cast<std::size_t>(at - table.columns.begin());
    };
    const std::size_t places =
        sequence.tokens.size() +
        (!sequence.expected.empty() && sequence.expected.back() >= 0 ? 1 : 0);
    ASSERT_EQ(table.rows.size(), places);
    for (std::size_t t = 0; t < places; ++t) {
      const std::vector<std::string>& row = table.rows[t];
      ASSERT_EQ(row.size(), table.columns.size());
      EXPECT_EQ(row[column("step")], std::to_string(t));
      const bool to_come = t == sequence.tokens.size();
      EXPECT_EQ(row[column("token")], to_come ? "" : std::to_string(sequence.tokens[t]));
      EXPECT_EQ(row[column("label")],
                to_come ? "" : token_label(s.model.get(), sequence.tokens[t]));
      if (t > 0 && !to_come) {
        EXPECT_EQ(std::stof(row[column("surprise (nats)")]), sequence.surprise[t]);
      }
      const int expected = t < sequence.expected.size() ? sequence.expected[t] : -1;
      EXPECT_EQ(row[column("asked for")], expected < 0 ? "" : token_label(s.model.get(), expected));
      const int choice = t < sequence.top_choice.size() ? sequence.top_choice[t] : -1;
      EXPECT_EQ(row[column("the model's choice")],
                choice < 0 ? "" : token_label(s.model.get(), choice));
      const std::string& answer = row[column("surprise of what is asked for (nats)")];
      const std::string& right = row[column("the model is right")];
      if (expected >= 0 && std::isnan(sequence.answer_surprise[t])) {
        EXPECT_EQ(answer, "nan");
        EXPECT_EQ(right, "no number");
      } else if (expected >= 0 && choice >= 0) {
        EXPECT_EQ(std::stof(answer), sequence.answer_surprise[t]);
        EXPECT_EQ(right, choice == expected ? "yes" : "no");
      } else {
        EXPECT_EQ(answer, "");
        EXPECT_EQ(right, "");
      }
      EXPECT_EQ(row[column("origin")],
                to_come ? "to come"
                        : (static_cast<int>(t) < sequence.prompt_length ? "prompt" : "generated"));
      EXPECT_EQ(row[column("cursor")], static_cast<int>(t) == sequence.cursor ? "here" : "");
    }
  }
}

// -- Memory
// ----------------------------------------------------------------------------------------

const DrawLog::Heat* heat(const Stage& stage, const std::string& key) {
  for (const DrawLog::Heat& one : stage.log.heats) {
    if (one.key == key) return &one;
  }
  return nullptr;
}

/// The middle of a cell of a map.
ImVec2 cell_at(const DrawLog::Heat& map, int row, int column) {
  return {map.box.min.x + map.box.width() * (static_cast<float>(column) + 0.5f) /
                              static_cast<float>(map.columns),
          map.box.min.y +
              map.box.height() * (static_cast<float>(row) + 0.5f) / static_cast<float>(map.rows)};
}

double most_of(const std::vector<float>& values) {
  double most = 0.0;
  for (const float value : values) {
    if (std::isfinite(value)) most = std::max(most, static_cast<double>(std::abs(value)));
  }
  return most;
}

/// A stage with the memory of a scene that can be changed while it is shown.
struct MemoryStage {
  explicit MemoryStage(Snapshot snapshot) : s(std::move(snapshot)), stage(s) {
    stage.size = {900, 520};
    frame();
  }
  void frame() { stage.frame(*view); }
  /// Multiplies C, as other weights would.
  void scale(float factor) {
    auto memory = std::make_shared<MemoryImage>(*s.memory);
    for (float& value : memory->C) value *= factor;
    s.memory = memory;
  }
  double high() const { return heat(stage, "memory/0")->high; }

  Snapshot s;
  Stage stage;
  std::unique_ptr<View> view = make_memory_view();
};

TEST(MemoryShown, EveryHeadShowsItsOwnNumbersInItsOwnColours) {
  for (const Snapshot& s : {recall_scene(), clamped_scene(), odd_scene()}) {
    MemoryStage m(s);
    const MemoryImage& image = *s.memory;
    const Recorded* n = s.trace->find(image.step, "block0/mlstm/n");
    const Recorded* stabilizer = s.trace->find(image.step, "block0/mlstm/m");
    const ColourScale scale(palette(PaletteName::light), MapName::signed_values, 0,
                            most_of(image.C));
    const ColourScale n_scale(palette(PaletteName::light), MapName::signed_values, 0,
                              most_of(n->values));
    const int size = image.key_dim * image.value_dim;
    for (int head = 0; head < image.heads; ++head) {
      const DrawLog::Heat* map = heat(m.stage, "memory/" + std::to_string(head));
      ASSERT_NE(map, nullptr) << head;
      EXPECT_EQ(map->rows, image.key_dim);
      EXPECT_EQ(map->columns, image.value_dim);
      const std::vector<float> own(image.C.begin() + head * size,
                                   image.C.begin() + (head + 1) * size);
      EXPECT_EQ(map->values, own) << head;
      ASSERT_EQ(map->pixels.size(), own.size());
      for (std::size_t i = 0; i < own.size(); ++i) ASSERT_EQ(map->pixels[i], scale(own[i])) << i;
      const DrawLog::Heat* strip = heat(m.stage, "memory/n" + std::to_string(head));
      ASSERT_NE(strip, nullptr) << head;
      ASSERT_EQ(strip->values.size(), static_cast<std::size_t>(image.key_dim));
      for (int key = 0; key < image.key_dim; ++key) {
        const auto i = static_cast<std::size_t>(key);
        EXPECT_EQ(strip->values[i], n->at(head, key));
        EXPECT_EQ(strip->pixels[i], n_scale(n->at(head, key)));
      }
      // Its name and stabilizer stand right above it.
      const std::string title =
          "head " + std::to_string(head) + "   m = " + short_number(stabilizer->at(head, 0));
      const std::vector<Text> found = texts(m.stage, title);
      ASSERT_EQ(found.size(), 1u) << title;
      EXPECT_GT(found[0].box.max.x, map->box.min.x);
      EXPECT_LT(found[0].box.min.x, map->box.max.x);
      EXPECT_LE(found[0].box.min.y, map->box.min.y);
      EXPECT_GT(found[0].box.max.y, map->box.min.y - 25);
    }
  }
}

TEST(MemoryShown, TheChosenHeadKeepsItsStabilizerWhereOthersHaveTheirs) {
  const Snapshot s = recall_scene();
  int told = 0;
  for (float width = 260.0f; width < 620.0f; width += 3.0f) {
    for (const int chosen : {0, 1}) {
      Stage stage(s);
      stage.size = {width, 260};
      stage.focus.head = chosen;
      const auto view = make_memory_view();
      stage.frame(*view);
      stage.frame(*view);
      const auto title = [&](int head) {
        for (const Text& t : stage.log.texts)
          if (t.shown.starts_with("head " + std::to_string(head))) return t.shown;
        return std::string();
      };
      const auto whole = [&](int head) {
        return "head " + std::to_string(head) + "   m = " +
               short_number(s.trace->find(s.memory->step, "block0/mlstm/m")->at(head, 0));
      };
      const bool has_m = title(chosen).find(" m = ") != std::string::npos;
      told += has_m ? 1 : 0;
      // Bold letters are a bit wider: digits go, not the number.
      if (title(1 - chosen) == whole(1 - chosen)) {
        EXPECT_TRUE(has_m) << "head " << chosen << " at " << width << ": " << title(chosen);
      }
    }
  }
  EXPECT_GT(told, 50);
}

TEST(MemoryShown, TheLastWriteIsGateTimesKeyTimesValue) {
  const Snapshot s = odd_scene();
  MemoryStage m(s);
  click(m.stage, *m.view, "last write");
  const int step = s.memory->step;
  const auto at = [&](const char* name) {
    return s.trace->find(step, std::string("block0/mlstm/") + name);
  };
  for (int head = 0; head < s.memory->heads; ++head) {
    const DrawLog::Heat* map = heat(m.stage, "memory/" + std::to_string(head));
    ASSERT_NE(map, nullptr);
    for (int key = 0; key < s.memory->key_dim; ++key) {
      for (int value = 0; value < s.memory->value_dim; ++value) {
        EXPECT_EQ(
            map->values[static_cast<std::size_t>(key * s.memory->value_dim + value)],
            at("input_gate")->at(head, 0) * at("k")->at(head, key) * at("v")->at(head, value));
      }
    }
  }
}

TEST(MemoryShown, HoverAndPinAddressTheCellUnderTheMouse) {
  const Snapshot s = odd_scene();
  ASSERT_NE(s.memory->key_dim, s.memory->value_dim);
  MemoryStage m(s);
  const int K = s.memory->key_dim, V = s.memory->value_dim;
  for (const int head : {0, 2, 4}) {
    for (const auto& [key, value] :
         {std::pair{0, 0}, {0, V - 1}, {K - 1, 0}, {K - 1, V - 1}, {3, 17}}) {
      m.stage.move(*m.view, -FLT_MAX, -FLT_MAX);
      const DrawLog::Heat map = *heat(m.stage, "memory/" + std::to_string(head));
      const ImVec2 at = cell_at(map, key, value);
      m.stage.move(*m.view, at.x, at.y);
      const ValueRef wanted{"block0/mlstm/C", s.memory->step, head, key * V + value};
      ASSERT_TRUE(m.stage.focus.hovered);
      EXPECT_EQ(*m.stage.focus.hovered, wanted) << key << ", " << value;
      const float number = s.memory->C[static_cast<std::size_t>((head * K + key) * V + value)];
      const std::string first =
          "C[" + std::to_string(key) + ", " + std::to_string(value) + "] = " + short_number(number);
      EXPECT_TRUE(has(card(m.stage), first)) << card(m.stage);
      // The frame around the hovered cell holds its middle and little more.
      bool framed = false;
      for (const DrawLog::Outline& outline : m.stage.log.outlines) {
        framed |= outline.box.contains(at) && outline.box.width() < 2 * map.box.width() / V &&
                  outline.box.height() < 2 * map.box.height() / K;
      }
      EXPECT_TRUE(framed) << key << ", " << value;
      m.stage.click(*m.view, at.x, at.y);
      EXPECT_EQ(m.stage.focus.pinned, wanted);
      EXPECT_EQ(m.stage.focus.head, head);
    }
    m.stage.move(*m.view, -FLT_MAX, -FLT_MAX);
    const DrawLog::Heat strip = *heat(m.stage, "memory/n" + std::to_string(head));
    const ImVec2 at = cell_at(strip, K - 2, 0);
    m.stage.move(*m.view, at.x, at.y);
    EXPECT_EQ(m.stage.focus.hovered, (ValueRef{"block0/mlstm/n", s.memory->step, head, K - 2}));
    EXPECT_TRUE(has(card(m.stage), "n[" + std::to_string(K - 2) + "] = "));
  }
}

TEST(MemoryShown, TheLegendSaysBothEndsAndWhatTheRangeCovers) {
  MemoryStage m(recall_scene());
  const double range = most_of(m.s.memory->C);
  const std::vector<Text> low = texts(m.stage, short_number(-range));
  const std::vector<Text> high = texts(m.stage, short_number(range));
  ASSERT_EQ(low.size(), 1u);
  ASSERT_EQ(high.size(), 1u);
  EXPECT_LT(low[0].box.max.x, high[0].box.min.x);
  EXPECT_NEAR(low[0].box.min.y, high[0].box.min.y, 1.0f);
  // The bar between them begins with the colour of the lowest and ends with that of the highest.
  const ColourScale scale(palette(PaletteName::light), MapName::signed_values, 0, range);
  std::vector<DrawLog::Fill> bar;
  for (const DrawLog::Fill& fill : m.stage.log.fills) {
    if (fill.box.min.x > low[0].box.max.x && fill.box.max.x < high[0].box.min.x &&
        fill.box.contains({fill.box.centre().x, low[0].box.centre().y})) {
      bar.push_back(fill);
    }
  }
  ASSERT_GT(bar.size(), 20u);
  std::sort(bar.begin(), bar.end(), [](const DrawLog::Fill& a, const DrawLog::Fill& b) {
    return a.box.min.x < b.box.min.x;
  });
  const double step = 2 * range / static_cast<double>(bar.size());
  for (std::size_t i = 0; i < bar.size(); ++i) {
    EXPECT_EQ(bar[i].colour, scale(-range + step * (static_cast<double>(i) + 0.5))) << i;
  }
  EXPECT_EQ(
      texts(m.stage, [](const Text& t) { return has(t.shown, "range set at t = 15"); }).size(), 1u);
  const std::string words = hover(m.stage, *m.view, low[0].shown);
  EXPECT_TRUE(has(words, "orange is negative, down to " + short_number(-range))) << words;
  EXPECT_TRUE(has(words, "up to " + short_number(range))) << words;
  EXPECT_TRUE(has(words, "set at time step 15")) << words;
}

TEST(MemoryShown, AFewStrongNumbersDoNotBlankThePictureForEver) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  EXPECT_DOUBLE_EQ(m.high(), usual);
  // Other equations blow it up; the usual ones come back.
  auto blown = std::make_shared<ModelCard>(*m.s.model);
  blown->blocks[0].variant.stabilizer = false;
  const auto plain = m.s.model;
  m.s.model = blown;
  m.scale(1e16f);
  m.frame();
  EXPECT_NEAR(m.high() / usual, 1e16, 1e10);
  m.s.model = plain;
  m.scale(1e-16f);
  m.frame();
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
  // Weights that make everything tiny: the old range would leave nothing to see.
  ++m.s.train.step;
  m.scale(0.01f);
  m.frame();
  EXPECT_NEAR(m.high(), 0.01 * usual, usual * 1e-6);
  // Another sequence with much smaller numbers.
  m.s.sequence.tokens[2] = 17;
  m.scale(0.01f);
  m.frame();
  EXPECT_NEAR(m.high(), 1e-4 * usual, usual * 1e-8);
  // Another run.
  m.s.run_id = 77;
  m.scale(0.5f);
  m.frame();
  EXPECT_NEAR(m.high(), 5e-5 * usual, usual * 1e-8);
}

TEST(MemoryShown, AFarStrongerFirstTokenBlanksNoLaterOne) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  const auto look_at = [&m](int step, float factor) {
    auto memory = std::make_shared<MemoryImage>(*m.s.memory);
    memory->step = step;
    m.s.memory = memory;
    m.s.sequence.cursor = step;
    m.scale(factor);
    m.frame();
  };
  m.s.run_id = 78;
  look_at(0, 300.0f);
  EXPECT_NEAR(m.high(), 300 * usual, usual * 1e-3);
  look_at(3, 1.0f / 300.0f);
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
  EXPECT_EQ(texts(m.stage, [](const Text& t) { return has(t.shown, "range set at t = 3"); }).size(),
            1u);
  // It goes beyond the range of the others from now on, and the legend says so.
  look_at(0, 300.0f);
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
  EXPECT_TRUE(has(hover(m.stage, *m.view, short_number(-m.high())), "beyond that end"));
  look_at(15, 1.0f / 300.0f);
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
  // By hand its own range can be set.
  look_at(0, 300.0f);
  click(m.stage, *m.view, "lock again");
  EXPECT_NEAR(m.high(), 300 * usual, usual * 1e-3);
  // A gate that is held shut lets the memory fade.
  m.s.sequence.clamps = {{"block0/mlstm/input_gate_pre", 0, 0, 1, 16, -9.0f, true}};
  look_at(7, 1.0f / 300.0f);
  EXPECT_NEAR(m.high(), 300 * usual, usual * 1e-3);
}

TEST(MemoryShown, WhereEachStepHasItsOwnRangeTheFirstTokenHasToo) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  m.s.run_id = 82;
  m.frame();
  click(m.stage, *m.view, "this step");
  auto first = std::make_shared<MemoryImage>(*m.s.memory);
  first->step = 0;
  m.s.memory = first;
  m.s.sequence.cursor = 0;
  m.scale(300.0f);
  m.frame();
  EXPECT_NEAR(m.high(), 300 * usual, usual * 1e-3);
}

TEST(MemoryShown, OneNumberThatStandsOutLeavesTheOthersTheirColours) {
  MemoryStage m(recall_scene());
  m.s.run_id = 79;
  auto memory = std::make_shared<MemoryImage>(*m.s.memory);
  ASSERT_GT(memory->C.size(), 500u);
  const double usual = most_of(memory->C);
  memory->C[70] = static_cast<float>(-50.0 * usual);
  m.s.memory = memory;
  m.frame();
  EXPECT_LE(m.high(), usual);
  EXPECT_GT(m.high(), usual / 4);
  EXPECT_TRUE(has(hover(m.stage, *m.view, short_number(-m.high())), "beyond that end"));
  // Whatever the sign of the others.
  auto negative = std::make_shared<MemoryImage>(*memory);
  for (float& x : negative->C) x = -std::abs(x);
  m.s.memory = negative;
  m.s.run_id = 81;
  m.frame();
  EXPECT_LE(m.high(), usual);
  EXPECT_GT(m.high(), usual / 4);
  // One that is only some times larger is the end of the range, as ever.
  auto less = std::make_shared<MemoryImage>(*memory);
  less->C[70] = static_cast<float>(-3.0 * usual);
  m.s.memory = less;
  m.s.run_id = 80;
  m.frame();
  EXPECT_NEAR(m.high(), 3.0 * usual, usual * 1e-5);
}

TEST(MemoryShown, TheLockedRangeStaysWhereStepsAreCompared) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  m.scale(0.001f);  // an early step, or a gate that is held shut: faint is the truth
  m.s.sequence.cursor = 3;
  auto memory = std::make_shared<MemoryImage>(*m.s.memory);
  memory->step = 3;
  m.s.memory = memory;
  m.frame();
  EXPECT_DOUBLE_EQ(m.high(), usual);
  EXPECT_EQ(
      texts(m.stage, [](const Text& t) { return has(t.shown, "range set at t = 15"); }).size(), 1u);
  EXPECT_FALSE(texts(m.stage, [](const Text& t) { return has(t.shown, "|x| ≤ "); }).empty())
      << "the reason stands on the empty picture";
  // Training that changes little moves nothing.
  m.scale(500.0f);
  ++m.s.train.step;
  m.frame();
  EXPECT_DOUBLE_EQ(m.high(), usual);
  EXPECT_TRUE(texts(m.stage, [](const Text& t) { return has(t.shown, "|x| ≤ "); }).empty());
  // By hand it can always be set anew.
  const double now = most_of(m.s.memory->C);
  click(m.stage, *m.view, "lock again");
  EXPECT_DOUBLE_EQ(m.high(), now);
  EXPECT_EQ(texts(m.stage, [](const Text& t) { return has(t.shown, "range set at t = 3"); }).size(),
            1u);
  m.scale(0.5f);
  m.frame();
  EXPECT_DOUBLE_EQ(m.high(), now);
  click(m.stage, *m.view, short_number(-now));  // the legend itself
  m.frame();
  EXPECT_DOUBLE_EQ(m.high(), 0.5 * now);
  m.scale(2.0f);
  click(m.stage, *m.view, "this step");
  m.scale(0.25f);
  m.frame();
  EXPECT_DOUBLE_EQ(m.high(), 0.25 * now);
  EXPECT_TRUE(texts(m.stage, "lock again").empty());
}

TEST(MemoryShown, UndoBringsTheLockedRangeBack) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  const Clamp wide{.path = "block0/mlstm/input_gate_pre", .begin = 2, .end = 5, .value = 6.0f};
  const auto said = [&](const char* words) {
    return texts(m.stage, [&](const Text& t) { return has(t.shown, words); }).size();
  };
  m.s.sequence.clamps = {wide};
  m.scale(5.0f);
  m.frame();
  EXPECT_NEAR(m.high(), 5 * usual, usual * 1e-5);
  EXPECT_EQ(said("range set at t = 15"), 1u);
  // Other numbers that are held leave the range as large as it was, and it says what it is of.
  m.s.sequence.clamps[0].value = 5.0f;
  m.scale(0.5f);
  m.frame();
  EXPECT_NEAR(m.high(), 5 * usual, usual * 1e-5);
  EXPECT_EQ(said("range set under other edits"), 1u);
  m.s.sequence.clamps.clear();
  m.scale(0.4f);
  m.frame();
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
  EXPECT_EQ(said("range set at t = 15"), 1u);
  // The same with tokens.
  const std::vector<int> tokens = m.s.sequence.tokens;
  m.s.sequence.tokens[4] = 9;
  m.scale(3.0f);
  m.frame();
  EXPECT_NEAR(m.high(), 3 * usual, usual * 1e-5);
  m.s.sequence.tokens = tokens;
  m.scale(1.0f / 3.0f);
  m.frame();
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
}

TEST(MemoryShown, AWildStepOfTrainingDoesNotBlankThePicture) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  ++m.s.train.step;
  m.scale(7.0f);
  m.frame();
  EXPECT_NEAR(m.high(), 7 * usual, usual * 1e-5);
  m.s.train.step += 8;
  m.scale(0.5f);
  m.frame();
  EXPECT_NEAR(m.high(), 7 * usual, usual * 1e-5);
  EXPECT_EQ(texts(m.stage,
                  [&](const Text& t) {
                    return has(t.shown,
                               fmt::format("range set at training step {}", m.s.train.step - 8));
                  })
                .size(),
            1u)
      << "no step on the screen has set it";
  m.s.train.step += 8;
  m.scale(2.0f / 7.0f);
  m.frame();
  EXPECT_NEAR(m.high(), usual, usual * 1e-5);
}

TEST(MemoryShown, TheLockedRangeIsSavedWithTheRun) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  const std::string kept = m.view->kept();
  m.scale(0.5f);
  MemoryStage other(m.s);
  EXPECT_NEAR(other.high(), 0.5 * usual, usual * 1e-5);
  other.s.run_id = 99;
  other.view->restore(kept);
  other.frame();
  EXPECT_DOUBLE_EQ(other.high(), usual);
  // What is no such text, as from a stranger, changes nothing.
  for (const char* text : {"", "value 1 2 3", "value 3 0 1 1 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9",
                           "value 2 0 1 1 nan 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
                           "value 2 0 1 1 -5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"}) {
    other.view->restore(text);
    other.frame();
    EXPECT_DOUBLE_EQ(other.high(), usual) << text;
  }
  // Nor is it that of a run that begins again.
  other.s.run_id = 100;
  other.s.train.seed += 1;
  other.view->restore(kept);
  other.frame();
  EXPECT_NEAR(other.high(), 0.5 * usual, usual * 1e-5);
}

TEST(MemoryShown, WhatIsNoNumberSetsNoRangeAndIsSaid) {
  MemoryStage m(recall_scene());
  const double usual = most_of(m.s.memory->C);
  auto memory = std::make_shared<MemoryImage>(*m.s.memory);
  memory->C[5] = std::numeric_limits<float>::infinity();
  memory->C[6] = std::numeric_limits<float>::quiet_NaN();
  m.s.memory = memory;
  m.frame();
  EXPECT_DOUBLE_EQ(m.high(), usual);
  EXPECT_EQ(heat(m.stage, "memory/0")->pixels[5], kNotANumber);
  EXPECT_EQ(heat(m.stage, "memory/0")->pixels[6], kNotANumber);
  EXPECT_EQ(texts(m.stage, "1 NaN, 1 +Inf").size(), 1u);
  MemoryStage broken(broken_scene());
  const std::string words = hover(broken.stage, *broken.view, short_number(-broken.high()));
  EXPECT_TRUE(has(words, "stands at t = 0")) << words;
}

TEST(MemoryShown, ARangeThatNothingHasSetHasNoTime) {
  for (const float value : {std::nanf(""), 0.0f}) {
    Snapshot s = recall_scene();
    auto memory = std::make_shared<MemoryImage>(*s.memory);
    std::fill(memory->C.begin(), memory->C.end(), value);
    s.memory = memory;
    MemoryStage m(s);
    EXPECT_TRUE(texts(m.stage, [](const Text& t) { return has(t.shown, "-1"); }).empty());
    const std::string words = std::isnan(value) ? "all heads, no number yet" : "all heads, all 0";
    const std::vector<Text> legend =
        texts(m.stage, [&](const Text& t) { return has(t.shown, words); });
    ASSERT_EQ(legend.size(), 1u) << words;
    const std::string card = hover(m.stage, *m.view, legend[0].shown);
    EXPECT_TRUE(has(card, "set by the first finite number")) << card;
    EXPECT_FALSE(has(card, "-1")) << card;
    EXPECT_EQ(texts(m.stage, "all NaN").size(), std::isnan(value) ? 3u : 0u) << "on every head";
    EXPECT_EQ(texts(m.stage, "all 0").size(), std::isnan(value) ? 0u : 3u);
  }
}

TEST(MemoryShown, ZerosAmongNumbersThatAreNoneAreNotAll) {
  Snapshot s = recall_scene();
  auto memory = std::make_shared<MemoryImage>(*s.memory);
  // Head 1 is 0 but for one place, head 2 is infinite and NaN.
  const std::size_t head = memory->C.size() / 3;
  for (std::size_t i = 0; i < head; ++i) {
    memory->C[head + i] = i == 7 ? std::nanf("") : 0.0f;
    memory->C[2 * head + i] = i == 7 ? std::nanf("") : std::numeric_limits<float>::infinity();
  }
  s.memory = memory;
  MemoryStage m(s);
  EXPECT_TRUE(texts(m.stage, "all 0").empty());
  EXPECT_TRUE(texts(m.stage, "all NaN").empty());
  EXPECT_EQ(texts(m.stage, "no finite number").size(), 1u);
}

TEST(MemoryShown, ATableTooLongSaysWhatItLeavesOut) {
  MemoryStage m(recall_scene());  // three heads of 12 keys and 20 values
  m.stage.focus.head = 1;
  Scene scene = m.stage.scene();
  EXPECT_EQ(m.view->table(scene).note, "");
  scene.most_rows = 12 * 20;
  const Table head = m.view->table(scene);
  ASSERT_EQ(head.rows.size(), 12u * 20u);
  EXPECT_EQ(head.note,
            "Only head 1 of 3 is listed: all of them would be 720 rows. Choose another head to "
            "list it.");
  scene.most_rows = 5 * 20 + 3;
  const Table keys = m.view->table(scene);
  ASSERT_EQ(keys.rows.size(), 5u * 20u);
  EXPECT_TRUE(has(keys.note, "Keys 0 to 4 of 12 are listed.")) << keys.note;
  for (std::size_t i = 0; i < keys.rows.size(); ++i) {
    EXPECT_EQ(keys.rows[i], head.rows[i]);
    EXPECT_EQ(std::strtof(keys.rows[i][4].c_str(), nullptr), m.s.memory->C[12 * 20 + i]);
  }
}

TEST(MemoryShown, FourHeadsUseTheRoomOfFour) {
  SceneShape shape;
  shape.heads = 4;
  shape.key_dim = shape.value_dim = 12;
  MemoryStage m(SceneBuilder(shape).build());
  for (const ImVec2 size : {ImVec2{420, 480}, ImVec2{420, 700}, ImVec2{700, 800}}) {
    m.stage.size = size;
    m.frame();
    std::vector<Box> boxes;
    for (int head = 0; head < 4; ++head) {
      const DrawLog::Heat* map = heat(m.stage, "memory/" + std::to_string(head));
      ASSERT_NE(map, nullptr);
      boxes.push_back(map->box);
    }
    EXPECT_EQ(boxes[0].min.y, boxes[1].min.y);
    EXPECT_EQ(boxes[0].min.x, boxes[2].min.x);
    EXPECT_GT(boxes[2].min.y, boxes[0].max.y);
    EXPECT_GT(boxes[0].width(), size.x * 0.33f) << size.x << " x " << size.y;
  }
}

TEST(MemoryShown, SmallRoomKeepsThePictureAndItsLegend) {
  for (const Snapshot& s : {recall_scene(), odd_scene(), wide_scene()}) {
    MemoryStage m(s);
    for (const auto& [size, scale] : {std::pair{ImVec2{300, 170}, 1.0f},
                                      {ImVec2{260, 200}, 1.0f},
                                      {ImVec2{420, 260}, 2.5f},
                                      {ImVec2{640, 300}, 2.5f}}) {
      m.stage.size = size;
      m.stage.scale = scale;
      m.frame();
      float largest_side = 0.0f;
      for (const DrawLog::Heat& map : m.stage.log.heats) {
        if (map.columns > 1)
          largest_side = std::max({largest_side, map.box.width(), map.box.height()});
      }
      EXPECT_GT(largest_side, 36.0f) << size.x << " x " << size.y << " at " << scale;
      EXPECT_EQ(texts(m.stage, "0").empty(), false) << "the zero of the legend";
    }
  }
}

TEST(MemoryShown, ChipsExplainThemselves) {
  MemoryStage m(recall_scene());
  for (const char* word : {"block 0 mLSTM", "value C", "last write", "this step", "locked",
                           "lock again", "key k (row)", "value v (column)"}) {
    EXPECT_GT(hover(m.stage, *m.view, word).size(), 20u) << word;
  }
}

TEST(MemoryShown, TheCellsOfAScalarBlockAreTheirRatios) {
  const Snapshot s = recall_scene();
  MemoryStage m(s);
  m.stage.focus.block = 1;
  m.frame();
  const Recorded* c = s.trace->find(15, "block1/slstm/c");
  const Recorded* n = s.trace->find(15, "block1/slstm/n");
  const ColourScale scale(palette(PaletteName::light), MapName::signed_values, -1, 1);
  for (int head = 0; head < c->heads; ++head) {
    const DrawLog::Heat* strip = heat(m.stage, "memory/c" + std::to_string(head));
    ASSERT_NE(strip, nullptr) << head;
    ASSERT_EQ(strip->columns, c->dim);
    for (int unit = 0; unit < c->dim; ++unit) {
      const auto i = static_cast<std::size_t>(unit);
      EXPECT_EQ(strip->values[i], c->at(head, unit) / n->at(head, unit));
      EXPECT_EQ(strip->pixels[i], scale(strip->values[i]));
    }
    EXPECT_EQ(texts(m.stage, "head " + std::to_string(head) + ": units 0…9, t = 15").size(), 1u);
    const ImVec2 at = cell_at(*strip, 0, 7);
    const DrawLog::Heat kept = *strip;
    m.stage.move(*m.view, at.x, at.y);
    EXPECT_EQ(m.stage.focus.hovered, (ValueRef{"block1/slstm/c", 15, head, 7}));
    EXPECT_TRUE(has(card(m.stage), "= " + short_number(kept.values[7]))) << card(m.stage);
    m.stage.move(*m.view, -FLT_MAX, -FLT_MAX);
  }
  const Table table = m.view->table(m.stage.scene());
  ASSERT_EQ(table.rows.size(), c->values.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    EXPECT_EQ(table.rows[i][0], "15");
    EXPECT_EQ(std::stoi(table.rows[i][1]) * c->dim + std::stoi(table.rows[i][2]),
              static_cast<int>(i));
    EXPECT_EQ(std::stof(table.rows[i][3]), c->values[i]);
    EXPECT_EQ(std::stof(table.rows[i][4]), n->values[i]);
    EXPECT_EQ(std::stof(table.rows[i][5]), c->values[i] / n->values[i]);
  }
}

TEST(MemoryShown, TheCellsOfAnLstmAreTheirSquashedNumbers) {
  const Snapshot s = lstm_scene();
  MemoryStage m(s);
  m.stage.focus.block = 1;
  m.frame();
  EXPECT_FALSE(
      texts(m.stage, [](const auto& text) { return text.wanted.starts_with("tanh(c)"); }).empty())
      << "the legend's name";
  const Recorded* c = s.trace->find(15, "block1/lstm/c");
  // Evaluated in double, shown in single precision.
  const auto squashed = [](float cell) {
    return static_cast<float>(std::tanh(static_cast<double>(cell)));
  };
  for (int head = 0; head < c->heads; ++head) {
    const DrawLog::Heat* strip = heat(m.stage, "memory/c" + std::to_string(head));
    ASSERT_NE(strip, nullptr) << head;
    ASSERT_EQ(strip->columns, c->dim);
    for (int unit = 0; unit < c->dim; ++unit)
      EXPECT_EQ(strip->values[static_cast<std::size_t>(unit)], squashed(c->at(head, unit)));
    const ImVec2 at = cell_at(*strip, 0, 7);
    m.stage.move(*m.view, at.x, at.y);
    EXPECT_TRUE(has(card(m.stage), "tanh(c) = tanh(" + short_number(c->at(head, 7)) +
                                       ") = " + short_number(squashed(c->at(head, 7)))))
        << card(m.stage);
    m.stage.move(*m.view, -FLT_MAX, -FLT_MAX);
  }
  const Table table = m.view->table(m.stage.scene());
  EXPECT_EQ(table.columns, (std::vector<std::string>{"step", "head", "unit", "c", "tanh(c)"}));
  ASSERT_EQ(table.rows.size(), c->values.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    EXPECT_EQ(std::stof(table.rows[i][3]), c->values[i]);
    EXPECT_EQ(std::stof(table.rows[i][4]), squashed(c->values[i]));
  }
}

// -- Loss
// ------------------------------------------------------------------------------------------

struct LossStage {
  explicit LossStage(Snapshot snapshot) : s(std::move(snapshot)), stage(s) {
    stage.size = {700, 340};
    stage.frame(*view);
  }
  Snapshot s;
  Stage stage;
  std::unique_ptr<View> view = make_loss_view();
};

Snapshot with_losses(const std::function<float(int)>& loss, int count = 300) {
  Snapshot s = recall_scene();
  auto losses = std::make_shared<std::vector<LossPoint>>();
  for (int i = 0; i < count; ++i) {
    losses->push_back({3 * i + 1, loss(i), 0.5f * loss(i) + 0.3f});
  }
  s.losses = std::make_shared<const LossCurve>(*losses);
  return s;
}

TEST(LossShown, TheLastLossItselfIsTheLargeNumber) {
  LossStage l(with_losses([](int i) { return i == 299 ? 0.0224f : 2.0f - 0.005f * i; }));
  const std::vector<Text> bold =
      texts(l.stage, [](const Text& t) { return t.weight == Weight::bold && !t.on_top; });
  ASSERT_EQ(bold.size(), 1u);
  EXPECT_EQ(bold[0].shown, "0.0224");
  EXPECT_EQ(texts(l.stage, "step 899: loss 0.0224, smoothed 0.311 nats per token").size(), 1u);
}

TEST(LossShown, AStepIsCountedLikeTheStepsThatWereMade) {
  // Two steps were made, and the curve knows them by 0 and 1.
  Snapshot s = recall_scene();
  s.losses =
      std::make_shared<const LossCurve>(std::vector<LossPoint>{{0, 3.25f, 3.25f}, {1, 2.5f, 3.0f}});
  s.train.step = 2;
  LossStage l(s);
  EXPECT_EQ(texts(l.stage, [](const Text& t) { return has(t.shown, "step 2: loss 2.5"); }).size(),
            1u);
  for (const auto& [mark, count] : {std::pair{"0", 0u}, {"1", 1u}, {"2", 1u}}) {
    // Below the plot, where the steps are written.
    const std::vector<Text> marks = texts(l.stage, [&, word = std::string(mark)](const Text& t) {
      return t.shown == word && t.box.min.y > l.stage.log.curves[0].box.max.y;
    });
    EXPECT_EQ(marks.size(), count) << mark;
  }
  const Table table = l.view->table(l.stage.scene());
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0][0], "1");
  EXPECT_EQ(table.rows[1][0], "2");
  EXPECT_TRUE(has(table.csv(), "\n2,2.5,3")) << table.csv();
}

TEST(LossShown, BothCurvesAreTheNumbersAndCanBeTold) {
  LossStage l(with_losses([](int i) { return 2.0f + std::sin(0.3f * static_cast<float>(i)); }));
  ASSERT_EQ(l.stage.log.curves.size(), 2u);
  const DrawLog::Curve& raw = l.stage.log.curves[0];
  const DrawLog::Curve& smoothed = l.stage.log.curves[1];
  ASSERT_EQ(raw.ys.size(), l.s.losses->size());
  for (std::size_t i = 0; i < raw.ys.size(); ++i) {
    EXPECT_EQ(raw.ys[i], (*l.s.losses)[i].loss);
    EXPECT_EQ(smoothed.ys[i], (*l.s.losses)[i].smoothed);
    const double share = static_cast<double>((*l.s.losses)[i].step - 1) / (3.0 * 299);
    EXPECT_NEAR(raw.xs[i], raw.box.min.x + raw.box.width() * share, 0.1);
  }
  EXPECT_NE(raw.stroke.colour, smoothed.stroke.colour);
  EXPECT_EQ(raw.stroke.colour >> 24, 255u) << "no paler than the other";
  for (const char* word : {"each step", "smoothed", "training step"}) {
    EXPECT_EQ(texts(l.stage, word).size(), 1u) << word;
  }
  EXPECT_GT(hover(l.stage, *l.view, "smoothed").size(), 20u);
}

TEST(LossShown, ALogarithmicAxisStopsWhereNumbersAreRounding) {
  LossStage l(with_losses([](int i) {
    if (i == 200) return 5.6e-45f;
    return i == 201 ? 0.0f : 3.0f * std::exp(-0.04f * static_cast<float>(i));
  }));
  click(l.stage, *l.view, "log");
  ASSERT_EQ(l.stage.log.curves.size(), 2u);
  const DrawLog::Curve& raw = l.stage.log.curves[0];
  EXPECT_TRUE(raw.axis.logarithmic);
  EXPECT_GE(raw.axis.low, 1e-9);
  EXPECT_EQ(raw.ys[100], (*l.s.losses)[100].loss);
  for (const std::size_t i : {std::size_t{200}, std::size_t{201}}) {
    EXPECT_FLOAT_EQ(raw.ys[i], static_cast<float>(raw.axis.low)) << "on the lower edge";
  }
  // The labels are whole and say powers of ten.
  int powers = 0;
  for (const Text& text : l.stage.log.texts) {
    EXPECT_EQ(text.shown, text.wanted);
    if (text.box.max.x < raw.box.min.x && text.shown.starts_with("1e−")) ++powers;
  }
  EXPECT_GE(powers, 2);
}

TEST(LossShown, TheUniformGuessIsNotWrittenOverByTheLastLoss) {
  for (const float last : {2.94f, 2.7f, 3.1f, 2.5f, 3.3f}) {
    LossStage l(with_losses([&](int i) { return i == 299 ? last : 5.0f - 0.01f * i; }));
    const std::vector<Text> guess = texts(l.stage, "uniform guess 2.94");
    ASSERT_EQ(guess.size(), 1u) << last;
    const std::vector<Text> number =
        texts(l.stage, [](const Text& t) { return t.weight == Weight::bold && !t.on_top; });
    ASSERT_EQ(number.size(), 1u) << last;
    const Box &a = guess[0].box, &b = number[0].box;
    EXPECT_TRUE(a.max.x <= b.min.x || b.max.x <= a.min.x || a.max.y <= b.min.y ||
                b.max.y <= a.min.y)
        << last;
    // It stands at its line.
    const DrawLog::Curve& raw = l.stage.log.curves[0];
    const float y = raw.axis.y(std::log(19.0), raw.box);
    EXPECT_NEAR(a.centre().y, y, 20.0f);
  }
}

TEST(LossShown, LabelsOfAShortRunStandClearOfItsCurves) {
  LossStage l(young_scene());
  ASSERT_EQ(l.stage.log.curves.size(), 2u);
  const std::vector<Text> guess = texts(l.stage, "uniform guess 2.94");
  const std::vector<Text> number =
      texts(l.stage, [](const Text& t) { return t.weight == Weight::bold && !t.on_top; });
  ASSERT_EQ(guess.size(), 1u);
  ASSERT_EQ(number.size(), 1u);
  for (const DrawLog::Curve& curve : l.stage.log.curves) {
    for (std::size_t i = 1; i < curve.xs.size(); ++i) {
      const ImVec2 a{curve.xs[i - 1], curve.axis.y(curve.ys[i - 1], curve.box)};
      const ImVec2 b{curve.xs[i], curve.axis.y(curve.ys[i], curve.box)};
      EXPECT_FALSE(enters(a, b, guess[0].box)) << "the curve at step " << i;
    }
  }
  const DrawLog::Curve& raw = l.stage.log.curves[0];
  const float y = raw.axis.y(std::log(19.0), raw.box);
  EXPECT_FALSE(y > number[0].box.min.y && y < number[0].box.max.y)
      << "the last loss stands on the line of a uniform guess";
}

TEST(LossShown, TheCardHasTheNumbersOfItsStepInOneFormat) {
  LossStage l(with_losses([](int i) { return 3.2945533e-8f * static_cast<float>(i + 1); }));
  const DrawLog::Curve raw = l.stage.log.curves[0];
  for (const int i : {0, 140, 299}) {
    l.stage.move(
        *l.view,
        std::clamp(raw.xs[static_cast<std::size_t>(i)], raw.box.min.x + 1, raw.box.max.x - 1),
        raw.box.centre().y);
    const LossPoint& point = (*l.s.losses)[static_cast<std::size_t>(i)];
    const std::string words = card(l.stage);
    EXPECT_TRUE(has(words, "training step " + std::to_string(point.step + 1))) << words;
    EXPECT_TRUE(has(words, "loss " + short_number(point.loss) + " nats")) << words;
    EXPECT_TRUE(has(words, "smoothed " + short_number(point.smoothed) + " nats")) << words;
  }
}

TEST(LossShown, TheScalesExplainThemselves) {
  LossStage l(with_losses([](int i) { return 2.0f - 0.005f * static_cast<float>(i); }));
  for (const char* word : {"linear", "log"}) {
    EXPECT_TRUE(has(hover(l.stage, *l.view, word), "equal factors")) << word;
  }
}

TEST(LossShown, SaysWhyThereIsNoCurve) {
  Snapshot s = silent_scene();
  LossStage fresh(s);
  EXPECT_FALSE(
      texts(fresh.stage, [](const Text& t) { return has(t.shown, "not trained yet"); }).empty());
  auto loaded = std::make_shared<ModelCard>(*s.model);
  loaded->came_with_weights = true;
  s.model = loaded;
  LossStage other(s);
  EXPECT_TRUE(
      texts(other.stage, [](const Text& t) { return has(t.shown, "not trained yet"); }).empty());
}

TEST(LossShown, TheTableHasEveryColumn) {
  LossStage l(with_losses([](int i) { return 1.0f / static_cast<float>(i + 1); }));
  const Table table = l.view->table(l.stage.scene());
  ASSERT_EQ(table.columns.size(), 3u);
  ASSERT_EQ(table.rows.size(), l.s.losses->size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const LossPoint& point = (*l.s.losses)[i];
    EXPECT_EQ(table.rows[i][0], std::to_string(point.step + 1));
    EXPECT_EQ(std::stof(table.rows[i][1]), point.loss);
    EXPECT_EQ(std::stof(table.rows[i][2]), point.smoothed);
  }
}

// -- Next
// ------------------------------------------------------------------------------------------

struct NextStage {
  explicit NextStage(Snapshot snapshot) : s(std::move(snapshot)), stage(s) {
    stage.size = {500, 330};
    stage.frame(*view);
  }
  /// Tokens by probability, best first.
  std::vector<int> ranking() const {
    const std::vector<float>& p = s.next->probabilities;
    std::vector<int> order(p.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return p[static_cast<std::size_t>(a)] > p[static_cast<std::size_t>(b)];
    });
    return order;
  }
  /// The row of a token: where its label and its probability stand side by side.
  std::optional<Text> row(int token) const {
    const std::string label = token_label(s.model.get(), token);
    const float p = s.next->probabilities[static_cast<std::size_t>(token)];
    for (const Text& text : texts(stage, label)) {
      for (const Text& number : texts(stage, short_number(p))) {
        if (std::abs(number.box.centre().y - text.box.centre().y) < 2 &&
            number.box.min.x > text.box.max.x) {
          return text;
        }
      }
    }
    return std::nullopt;
  }

  Snapshot s;
  Stage stage;
  std::unique_ptr<View> view = make_next_view();
};

TEST(NextShown, TheSamplerSaysWhatGreedyIsInWholeWords) {
  NextStage n(recall_scene());
  for (const float scale : {1.0f, 1.5f, 2.0f}) {
    n.stage.scale = scale;
    for (const float width : {560.0f, 800.0f, 1400.0f}) {
      n.stage.size = {width * scale, 400 * scale};
      n.stage.frame(*n.view);
      EXPECT_EQ(texts(n.stage, "greedy: always the top choice").size(), 1u)
          << width << " at " << scale;
    }
  }
}

TEST(NextShown, ANumberKeepsItsRoomLongerThanItsBar) {
  NextStage n(recall_scene());
  const int best = n.ranking().front();
  const double p = n.s.next->probabilities[static_cast<std::size_t>(best)];
  for (const float scale : {1.0f, 1.5f, 2.0f}) {
    n.stage.scale = scale;
    for (float width = 170.0f; width <= 330.0f; width += 7.0f) {
      n.stage.size = {width * scale, 220 * scale};
      n.stage.frame(*n.view);
      bool found = false;
      for (const Text& label : texts(n.stage, token_label(n.s.model.get(), best))) {
        for (const DrawLog::Text& text : n.stage.log.texts) {
          if (std::abs(text.box.centre().y - label.box.centre().y) < 2 &&
              text.box.min.x > label.box.max.x)
            found |= std::abs(std::strtod(text.shown.c_str(), nullptr) - p) <= 0.05 * p;
        }
      }
      EXPECT_TRUE(found) << p << " at " << width << " times " << scale;
    }
  }
}

TEST(NextShown, RowsHaveTheirOwnNumbersAndBars) {
  NextStage n(recall_scene());
  const std::vector<int> order = n.ranking();
  float last = 0.0f;
  std::vector<std::pair<float, float>> bars;  // probability, pixels
  for (int rank = 0; rank < 10; ++rank) {
    const int token = order[static_cast<std::size_t>(rank)];
    const std::optional<Text> row = n.row(token);
    ASSERT_TRUE(row) << token_label(n.s.model.get(), token);
    EXPECT_GT(row->box.min.y, last) << "the best on top";
    last = row->box.min.y;
    const float logit = n.s.next->logits[static_cast<std::size_t>(token)];
    bool found = false;
    for (const Text& text : texts(n.stage, short_number(logit))) {
      found |= std::abs(text.box.centre().y - row->box.centre().y) < 2;
    }
    EXPECT_TRUE(found) << "logit of " << row->shown;
    for (const DrawLog::Fill& fill : n.stage.log.fills) {
      if (fill.box.contains({fill.box.min.x + 0.5f, row->box.centre().y}) &&
          fill.box.min.x > row->box.max.x && fill.box.height() > 8) {
        bars.push_back(
            {n.s.next->probabilities[static_cast<std::size_t>(token)], fill.box.width()});
      }
    }
  }
  ASSERT_EQ(bars.size(), 10u);
  const float whole = bars[0].second / bars[0].first;
  for (const auto& [p, width] : bars) EXPECT_NEAR(width, std::max(1.0f, p * whole), 1.0f);
}

TEST(NextShown, TheRightAnswerHasItsTickAndStaysInSight) {
  for (const bool unlikely : {false, true}) {
    Snapshot s = recall_scene();
    NextStage probe(s);
    if (unlikely) s.sequence.expected[16] = probe.ranking().back();
    NextStage n(s);
    const std::optional<Text> row = n.row(s.sequence.expected[16]);
    ASSERT_TRUE(row);
    const auto marks = [&](const char* mark) {
      return texts(n.stage, [&](const Text& t) {
        return t.shown == mark && t.weight == Weight::bold && !t.on_top;
      });
    };
    // A tick is the model's own right choice, here as in the time bar.
    const std::vector<Text> ticks = marks(unlikely ? "→" : "✓");
    EXPECT_TRUE(marks(unlikely ? "✓" : "→").empty());
    int beside = 0;
    for (const Text& tick : ticks) {
      if (std::abs(tick.box.centre().y - row->box.centre().y) < 3) ++beside;
    }
    EXPECT_EQ(beside, 1);
    EXPECT_LE(ticks.size(), 2u) << "one beside its row, one in the key";
  }
}

TEST(NextShown, ClampsShowWhatTheyChangedFromWhichToWhich) {
  NextStage n(clamped_scene());
  const auto best = [](const std::vector<float>& p) {
    return static_cast<int>(std::max_element(p.begin(), p.end()) - p.begin());
  };
  const int now = best(n.s.next->probabilities), before = best(n.s.next->unclamped);
  ASSERT_NE(now, before);
  const std::string move =
      token_label(n.s.model.get(), before) + " → " + token_label(n.s.model.get(), now);
  EXPECT_EQ(texts(n.stage, "top choice changed: " + move).size(), 1u);
  EXPECT_EQ(texts(n.stage, "KL " + short_number(n.s.next->kl_nats) + " nats").size(), 1u);
  const std::string why = hover(n.stage, *n.view, "top choice changed: " + move);
  EXPECT_TRUE(
      has(why, "Without clamps the most probable token is " + token_label(n.s.model.get(), before)))
      << why;
  n.stage.move(*n.view, -FLT_MAX, -FLT_MAX);
  // Ghosts: an outline as long as the probability without clamps.
  const std::optional<Text> row = n.row(now);
  ASSERT_TRUE(row);
  float bar = 0.0f, ghost = 0.0f, left = 0.0f;
  for (const DrawLog::Fill& fill : n.stage.log.fills) {
    if (fill.box.min.x > row->box.max.x &&
        fill.box.contains({fill.box.min.x + 0.5f, row->box.centre().y}) && fill.box.height() > 8) {
      bar = fill.box.width();
      left = fill.box.min.x;
    }
  }
  for (const DrawLog::Outline& outline : n.stage.log.outlines) {
    if (std::abs(outline.box.min.x - left) < 1 &&
        outline.box.contains({left + 0.5f, row->box.centre().y})) {
      ghost = outline.box.width();
    }
  }
  ASSERT_GT(bar, 0.0f);
  const auto i = static_cast<std::size_t>(now);
  const float whole = bar / n.s.next->probabilities[i];
  if (n.s.next->unclamped[i] * whole > 6) {
    EXPECT_NEAR(ghost, n.s.next->unclamped[i] * whole, 1.5f);
  }
  const auto j = static_cast<std::size_t>(before);
  const std::optional<Text> other = n.row(before);
  ASSERT_TRUE(other);
  ghost = 0.0f;
  for (const DrawLog::Outline& outline : n.stage.log.outlines) {
    if (std::abs(outline.box.min.x - left) < 1 &&
        outline.box.contains({left + 0.5f, other->box.centre().y})) {
      ghost = outline.box.width();
    }
  }
  EXPECT_NEAR(ghost, n.s.next->unclamped[j] * whole, 1.5f);
}

TEST(NextShown, TheThinBarIsWhatIsDrawnFrom) {
  Snapshot s = recall_scene();
  auto next = std::make_shared<NextToken>(*s.next);
  next->sampling.assign(next->probabilities.size(), 0.0f);
  next->sampling[15] = 0.75f;
  next->sampling[9] = 0.25f;
  s.next = next;
  NextStage n(s);
  const std::optional<Text> row = n.row(15);
  ASSERT_TRUE(row);
  float thick = 0.0f, thin = 0.0f;
  for (const DrawLog::Fill& fill : n.stage.log.fills) {
    const bool here =
        fill.box.min.x > row->box.max.x && std::abs(fill.box.centre().y - row->box.centre().y) < 14;
    if (!here || fill.box.height() < 2) continue;
    (fill.colour == palette(PaletteName::light).muted_text ? thin : thick) = fill.box.width();
  }
  EXPECT_NEAR(thin / thick, 0.75f / next->probabilities[15], 0.02f);
}

TEST(NextShown, AClickThatDropsTokensAsksFirst) {
  Snapshot s = recall_scene();
  s.sequence.cursor = 3;  // 13 tokens follow
  NextStage n(s);
  const std::vector<int> order = n.ranking();
  const auto place = [&](int token) {
    n.stage.move(*n.view, -FLT_MAX, -FLT_MAX);
    const std::optional<Text> row = n.row(token);
    return row ? row->box.centre() : ImVec2{};
  };
  const ImVec2 first = place(order[1]), second = place(order[2]);
  n.stage.click(*n.view, first.x, first.y);
  EXPECT_TRUE(n.stage.all<command::TakeToken>().empty()) << "the first click only asks";
  const std::string label = token_label(n.s.model.get(), order[1]);
  EXPECT_EQ(texts(n.stage, "take " + label + ": drops 13 later tokens · press again").size(), 1u);
  n.stage.click(*n.view, second.x, second.y);
  EXPECT_TRUE(n.stage.all<command::TakeToken>().empty()) << "another row asks anew";
  n.stage.click(*n.view, second.x, second.y);
  ASSERT_EQ(n.stage.all<command::TakeToken>().size(), 1u);
  EXPECT_EQ(n.stage.all<command::TakeToken>()[0].token, order[2]);
  // Leaving the rows forgets the question.
  n.stage.sent.clear();
  n.stage.click(*n.view, first.x, first.y);
  n.stage.move(*n.view, -FLT_MAX, -FLT_MAX);
  n.stage.click(*n.view, first.x, first.y);
  EXPECT_TRUE(n.stage.all<command::TakeToken>().empty());
  // So does another cursor.
  n.s.sequence.cursor = 4;
  n.stage.click(*n.view, first.x, first.y);
  EXPECT_TRUE(n.stage.all<command::TakeToken>().empty());
  // At the end nothing is lost: one click goes on.
  n.s.sequence.cursor = 16;
  n.stage.move(*n.view, -FLT_MAX, -FLT_MAX);
  n.stage.click(*n.view, first.x, first.y);
  ASSERT_EQ(n.stage.all<command::TakeToken>().size(), 1u);
  EXPECT_EQ(n.stage.all<command::TakeToken>()[0].token, order[1]);
}

TEST(NextShown, TheCardGivesTheEquationWithThisStepsNumbers) {
  NextStage n(recall_scene());
  const std::vector<float>& logits = n.s.next->logits;
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  for (const int rank : {0, 4}) {
    const int token = n.ranking()[static_cast<std::size_t>(rank)];
    const auto i = static_cast<std::size_t>(token);
    n.stage.move(*n.view, -FLT_MAX, -FLT_MAX);
    const ImVec2 at = n.row(token)->box.centre();
    n.stage.move(*n.view, at.x, at.y);
    const std::string words = card(n.stage);
    const std::string equation = "p = exp(logit) / Σ exp(logits) = exp(" + short_number(logits[i]) +
                                 " − " + short_number(std::log(sum)) +
                                 ") = " + short_number(n.s.next->probabilities[i]);
    EXPECT_TRUE(has(words, equation)) << words;
    EXPECT_TRUE(has(words, "(number " + std::to_string(token) + ")")) << words;
    EXPECT_TRUE(has(words, "drops 1 later token")) << words;
  }
}

TEST(NextShown, WordsExplainThemselves) {
  NextStage n(clamped_scene());
  for (const char* word : {"sampling", "logit", "prob.", "right answer", "without clamps"}) {
    EXPECT_GT(hover(n.stage, *n.view, word).size(), 20u) << word;
  }
  n.stage.size = {900, 330};
  n.s.sequence.sampler.greedy = false;
  for (const char* word : {"greedy: always the top choice", "temperature 1.00", "top-k: all",
                           "top-p: all", "seed 1", "probability, 0..1"}) {
    EXPECT_GT(hover(n.stage, *n.view, word).size(), 20u) << word;
  }
  // Where nothing is asked there is no right answer.
  const auto says_right = [&] {
    return std::any_of(n.stage.log.texts.begin(), n.stage.log.texts.end(),
                       [](const DrawLog::Text& text) { return text.shown == "right answer"; });
  };
  EXPECT_TRUE(says_right());
  n.s.sequence.expected.clear();
  n.s.sequence.answer_surprise.clear();
  n.stage.frame(*n.view);
  EXPECT_FALSE(says_right());
}

TEST(NextShown, TheTableHasEveryColumn) {
  for (const Snapshot& s : {recall_scene(), clamped_scene()}) {
    NextStage n(s);
    const Table table = n.view->table(n.stage.scene());
    const std::vector<int> order = n.ranking();
    ASSERT_EQ(table.columns.size(), 8u);
    ASSERT_EQ(table.rows.size(), order.size());
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      const std::vector<std::string>& row = table.rows[rank];
      const auto token = static_cast<std::size_t>(order[rank]);
      EXPECT_EQ(row[0], std::to_string(rank + 1));
      EXPECT_EQ(row[1], std::to_string(token));
      EXPECT_EQ(row[2], token_label(s.model.get(), order[rank]));
      EXPECT_EQ(std::stof(row[3]), s.next->probabilities[token]);
      EXPECT_EQ(std::stof(row[4]), s.next->logits[token]);
      EXPECT_EQ(std::stof(row[5]), s.next->sampling[token]);
      if (s.next->unclamped.empty()) {
        EXPECT_EQ(row[6], "");
      } else {
        EXPECT_EQ(std::stof(row[6]), s.next->unclamped[token]);
      }
      EXPECT_EQ(row[7], order[rank] == s.sequence.expected[16] ? "yes" : "");
    }
  }
}

}  // namespace
}  // namespace xlab::tests
