// Cells that no file of the program knows are drawn from their description alone: a GRU, which
// remembers one number a unit, and a delta rule, which remembers a matrix.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cells/right_side.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/gate_rows.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

constexpr int kSteps = 9, kUnits = 6, kGruHeads = 3, kHeads = 2, kKeys = 5, kValues = 7;

/// u = σ(u_pre), x = tanh(x_pre), h = (1 − u) h₋₁ + u x
CellValues gru_values() {
  const auto pre = [](const char* name, const char* symbol) {
    return ValueCard{.name = name,
                     .symbol = symbol,
                     .title = std::string(symbol) + ", before squashing",
                     .words = "What the token asks.",
                     .equation = std::string(symbol) + "_t = W x_t + R h_{t−1}",
                     .range = "any number",
                     .extent = Extent::unit,
                     .role = Role::pre_activation,
                     .span = Span::pre_activation,
                     .clampable = true};
  };
  const ValueCard update{
      .name = "update",
      .symbol = "σ(u)",
      .title = "update gate",
      .words = "The share of the state that is new.",
      .equation = "σ(u_t)",
      .range = "0..1",
      .inputs = {"update_pre"},
      .extent = Extent::unit,
      .role = Role::gate,
      .span = Span::share,
      .side = [](Place& p) -> std::optional<Side> { return sigmoid_side(p, "update_pre"); }};
  const ValueCard candidate{
      .name = "candidate",
      .symbol = "tanh(x)",
      .title = "candidate",
      .words = "What would be new.",
      .equation = "tanh(x_t)",
      .range = "−1..1",
      .inputs = {"candidate_pre"},
      .extent = Extent::unit,
      .role = Role::gate,
      .span = Span::signed_share,
      .side = [](Place& p) -> std::optional<Side> { return tanh_side(p, "candidate_pre"); }};
  const ValueCard state{.name = "h",
                        .symbol = "h",
                        .title = "state",
                        .words = "What is remembered.",
                        .equation = "h_t = (1 − σ(u_t)) h_{t−1} + σ(u_t) tanh(x_t)",
                        .range = "−1..1",
                        .inputs = {"update", "h@-1", "candidate"},
                        .extent = Extent::unit,
                        .role = Role::state,
                        .span = Span::signed_share,
                        .side = [](Place& p) -> std::optional<Side> {
                          const double u = p.now("update");
                          return mixed(1.0 - u, p.before("h"), u, p.now("candidate"));
                        }};
  return {.cards = {pre("update_pre", "u"), pre("candidate_pre", "x"), update, candidate, state},
          .rows = {{.letter = 'u',
                    .titles = {"update gate: σ(u) of all units, u and σ(u) of one", "update gate"},
                    .words = "How much is new.",
                    .lanes = {{Picture::strip, "update"},
                              {Picture::curve, "update_pre"},
                              {Picture::curve, "update"}}},
                   {.letter = 'x',
                    .titles = {"candidate"},
                    .words = "What would be new.",
                    .lanes = {{Picture::curve, "candidate", "candidate_pre"}}},
                   {.letter = 'h',
                    .titles = {"state"},
                    .words = "What is remembered.",
                    .lanes = {{Picture::strip, "h"}, {Picture::curve, "h"}}}},
          .memory = {.state = "h",
                     .answer = "h",
                     .write = {},
                     .keys = {},
                     .scale = {},
                     .words = "A GRU keeps one number per unit."},
          .formula = {"update", "h"},
          .choices = {}};
}

/// S = S₋₁ + β k vᵀ; only the write β k vᵀ and the read-out Sᵀ q are recorded in parts.
CellValues delta_values() {
  return {
      .cards = {{.name = "beta_pre",
                 .symbol = "b",
                 .title = "rate, before squashing",
                 .words = "How fast it learns.",
                 .equation = "b_t = w · x_t",
                 .range = "any number",
                 .extent = Extent::head,
                 .role = Role::pre_activation,
                 .span = Span::pre_activation,
                 .clampable = true},
                {.name = "beta",
                 .symbol = "β",
                 .title = "rate",
                 .words = "How much is written.",
                 .equation = "β_t = σ(b_t)",
                 .range = "0..1",
                 .inputs = {"beta_pre"},
                 .extent = Extent::head,
                 .role = Role::gate,
                 .span = Span::share,
                 .side = [](Place& p) -> std::optional<Side> {
                   return sigmoid_side(p, "beta_pre");
                 }},
                {.name = "k",
                 .symbol = "k",
                 .title = "key",
                 .words = "Where it is written.",
                 .equation = "k_t = W x_t",
                 .range = "any number",
                 .extent = Extent::key,
                 .role = Role::projection},
                {.name = "v",
                 .symbol = "v",
                 .title = "value",
                 .words = "What is written.",
                 .equation = "v_t = W x_t",
                 .range = "any number",
                 .extent = Extent::value,
                 .role = Role::projection},
                {.name = "S",
                 .symbol = "S",
                 .title = "fast weights",
                 .words = "One cell of the memory.",
                 .equation = "S_t = S_{t−1} + β_t k_t v_tᵀ",
                 .range = "any number",
                 .inputs = {"S@-1", "beta", "k", "v"},
                 .extent = Extent::key_by_value,
                 .role = Role::state,
                 .recorded = false},
                {.name = "step",
                 .symbol = "β k vᵀ",
                 .title = "last write",
                 .words = "What is added to one cell.",
                 .equation = "β_t k_t v_tᵀ",
                 .range = "any number",
                 .inputs = {"beta", "k", "v"},
                 .extent = Extent::key_by_value,
                 .role = Role::writing,
                 .recorded = false,
                 .side = [](Place& p) -> std::optional<Side> {
                   const auto cell = matrix_cell(p);
                   if (!cell) return std::nullopt;
                   const double beta = p.at("beta", p.step(), 0);
                   const double k = p.at("k", p.step(), cell->first);
                   const double v = p.at("v", p.step(), cell->second);
                   return Side{number(beta) + " · " + term(k) + " · " + term(v), beta * k * v};
                 }}},
      .rows = {{.letter = 'b',
                .titles = {"rate: b and β", "rate"},
                .words = "How fast it learns.",
                .lanes = {{Picture::curve, "beta_pre"}, {Picture::curve, "beta"}}},
               {.letter = 'k',
                .titles = {"key of all places", "key"},
                .words = "Where it is written.",
                .lanes = {{Picture::strip, "k"}}}},
      .memory = {.state = "S", .answer = {}, .write = "step", .keys = {}, .scale = {}, .words = {}},
      .formula = {"beta", "S"},
      .choices = {}};
}

Snapshot scene_of_new_cells() {
  Snapshot s = recall_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  model->blocks = {{.kind = "delta",
                    .title = "DeltaNet",
                    .has_matrix = true,
                    .heads = kHeads,
                    .key_dim = kKeys,
                    .value_dim = kValues,
                    .prefix = "block0/delta",
                    .values = std::make_shared<const CellValues>(delta_values())},
                   {.kind = "gru",
                    .title = "GRU",
                    .heads = kGruHeads,
                    .key_dim = kUnits,
                    .value_dim = kUnits,
                    .prefix = "block1/gru",
                    .values = std::make_shared<const CellValues>(gru_values())}};
  s.model = model;
  Noise noise(11);
  auto trace = std::make_shared<Trace>();
  auto memory = std::make_shared<MemoryImage>();
  *memory = {
      .block = 0, .step = kSteps - 1, .heads = kHeads, .key_dim = kKeys, .value_dim = kValues};
  memory->C.assign(static_cast<std::size_t>(kHeads * kKeys * kValues), 0.0f);
  memory->previous = memory->C;
  std::vector<float> h(kGruHeads * kUnits, 0.0f);
  for (int t = 0; t < kSteps; ++t) {
    auto token = std::make_shared<TokenTrace>();
    const auto made = [&](const std::string& path, int heads, int dim) -> Recorded& {
      Recorded& r = token->values[path];
      r = {heads, dim, {}};
      for (int i = 0; i < heads * dim; ++i)
        r.values.push_back(static_cast<float>(2.0 * noise.next()));
      return r;
    };
    const Recorded& b = made("block0/delta/beta_pre", kHeads, 1);
    const Recorded& k = made("block0/delta/k", kHeads, kKeys);
    const Recorded& v = made("block0/delta/v", kHeads, kValues);
    Recorded& beta = made("block0/delta/beta", kHeads, 1);
    for (int head = 0; head < kHeads; ++head) {
      const auto i = static_cast<std::size_t>(head);
      beta.values[i] = static_cast<float>(sigmoid(b.values[i]));
      for (int key = 0; key < kKeys; ++key)
        for (int value = 0; value < kValues; ++value)
          memory->C[static_cast<std::size_t>((head * kKeys + key) * kValues + value)] +=
              beta.values[i] * k.at(head, key) * v.at(head, value);
    }
    const Recorded& u_pre = made("block1/gru/update_pre", kGruHeads, kUnits);
    const Recorded& x_pre = made("block1/gru/candidate_pre", kGruHeads, kUnits);
    Recorded& u = made("block1/gru/update", kGruHeads, kUnits);
    Recorded& x = made("block1/gru/candidate", kGruHeads, kUnits);
    Recorded& out = made("block1/gru/h", kGruHeads, kUnits);
    for (std::size_t i = 0; i < h.size(); ++i) {
      u.values[i] = static_cast<float>(sigmoid(u_pre.values[i]));
      x.values[i] = std::tanh(x_pre.values[i]);
      h[i] = (1.0f - u.values[i]) * h[i] + u.values[i] * x.values[i];
      out.values[i] = h[i];
    }
    trace->steps.push_back(token);
  }
  s.trace = trace;
  s.memory = memory;
  s.sequence.tokens.resize(kSteps);
  s.sequence.cursor = kSteps - 1;
  return s;
}

class NewCell : public testing::Test {
 protected:
  std::unique_ptr<View> show(const std::string& name, int block, ImVec2 size = {760, 900}) {
    stage = std::make_unique<Stage>(scene);
    stage->size = size;
    stage->focus.block = block;
    for (auto& view : make_views()) {
      if (view->name() != name) continue;
      stage->frame(*view);
      return std::move(view);
    }
    return nullptr;
  }
  bool says(const std::string& words) const {
    return std::any_of(
        stage->log.texts.begin(), stage->log.texts.end(),
        [&](const DrawLog::Text& text) { return text.shown.find(words) != std::string::npos; });
  }
  std::vector<float> recorded(const std::string& path, int head, int unit) const {
    std::vector<float> values;
    for (int t = 0; t < scene.trace->length(); ++t)
      values.push_back(scene.trace->find(t, path)->at(head, unit));
    return values;
  }
  const Recorded& last(const std::string& path) const {
    return *scene.trace->find(kSteps - 1, path);
  }

  Snapshot scene = scene_of_new_cells();
  std::unique_ptr<Stage> stage;
};

TEST_F(NewCell, HasItsRowsAndCurvesAmongTheGates) {
  for (const int number : {0, 1}) {
    const auto view = show("gates", number);
    const BlockCard& block = scene.model->blocks[static_cast<std::size_t>(number)];
    EXPECT_TRUE(says(block.title));
    std::size_t strips = 0;
    for (const GateRow& row : gate_rows(block)) {
      EXPECT_TRUE(says(row.titles.front())) << row.titles.front();
      EXPECT_TRUE(says(std::string(1, row.gate))) << "its letter";
      for (const Lane& lane : row.lanes) {
        const std::string path = block.path(lane.curves.front().value);
        if (lane.kind == LaneKind::strip) {
          ++strips;
          continue;
        }
        const auto wanted = recorded(path, 0, 0);
        EXPECT_TRUE(std::any_of(stage->log.curves.begin(), stage->log.curves.end(),
                                [&](const DrawLog::Curve& curve) { return curve.ys == wanted; }))
            << path;
      }
    }
    EXPECT_EQ(stage->log.heats.size(), strips);
    EXPECT_EQ(says("faint: other heads"), number == 0) << "there is one number a head";
  }
}

TEST_F(NewCell, IsHeldByHandWhereItSaysItCanBe) {
  for (const auto& [block, path] :
       {std::pair{0, "block0/delta/beta_pre"}, {1, "block1/gru/update_pre"}}) {
    const auto view = show("gates", block);
    const auto place = stage->find(*view, [wanted = std::string_view(path)](const ValueRef& ref) {
      return ref.path == wanted;
    });
    ASSERT_TRUE(place) << path;
    stage->move(*view, place->x, place->y);
    stage->button(*view, true);
    stage->move(*view, place->x, place->y + 12);
    stage->button(*view, false);
    const auto sets = stage->all<command::SetClamp>();
    ASSERT_FALSE(sets.empty()) << path;
    EXPECT_EQ(sets.back().clamp.path, path);
  }
}

TEST_F(NewCell, HasATableOfWhatItsRowsShow) {
  const auto view = show("gates", 1);
  const Table table = view->table(stage->scene());
  EXPECT_EQ(table.columns,
            (std::vector<std::string>{"step", "token", "head", "unit", "update", "update_pre",
                                      "candidate", "candidate_pre", "h"}));
  EXPECT_EQ(table.title(4), "update gate (σ(u))");
  EXPECT_EQ(table.rows.size(), static_cast<std::size_t>(kSteps * kGruHeads * kUnits));
}

TEST_F(NewCell, ShowsTheMatrixItRemembersWith) {
  const auto view = show("memory", 0);
  EXPECT_TRUE(says("value S"));
  ASSERT_EQ(stage->log.heats.size(), static_cast<std::size_t>(kHeads)) << "and no vector beside it";
  const Table table = view->table(stage->scene());
  EXPECT_EQ(table.columns[4], "S");
  ASSERT_EQ(table.rows.size(), scene.memory->C.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::vector<std::string>& row = table.rows[i];
    const int head = std::atoi(row[1].c_str()), key = std::atoi(row[2].c_str()),
              value = std::atoi(row[3].c_str());
    EXPECT_EQ(std::strtof(row[4].c_str(), nullptr), scene.memory->C[i]);
    EXPECT_EQ(std::strtof(row[5].c_str(), nullptr), last("block0/delta/beta").at(head, 0) *
                                                        last("block0/delta/k").at(head, key) *
                                                        last("block0/delta/v").at(head, value));
  }
  const auto place =
      stage->find(*view, [](const ValueRef& ref) { return ref.path == "block0/delta/S"; });
  ASSERT_TRUE(place);
  EXPECT_TRUE(says("last write β k v = ")) << "what the token added, in its own symbols";
}

TEST_F(NewCell, ShowsTheNumbersItRemembersWith) {
  const auto view = show("memory", 1);
  EXPECT_TRUE(says("A GRU keeps one number per unit."));
  ASSERT_EQ(stage->log.heats.size(), static_cast<std::size_t>(kGruHeads));
  EXPECT_EQ(stage->log.heats[1].values,
            std::vector<float>(last("block1/gru/h").values.begin() + kUnits,
                               last("block1/gru/h").values.begin() + 2 * kUnits));
  const Table table = view->table(stage->scene());
  EXPECT_EQ(table.columns, (std::vector<std::string>{"step", "head", "unit", "h"}));
  EXPECT_EQ(table.rows.size(), static_cast<std::size_t>(kGruHeads * kUnits));
  const auto place =
      stage->find(*view, [](const ValueRef& ref) { return ref.path == "block1/gru/h"; });
  ASSERT_TRUE(place);
  const ValueRef under = *stage->focus.hovered;
  EXPECT_TRUE(says("h = " + short_number(last("block1/gru/h").at(under.head, under.unit))));
}

TEST_F(NewCell, IsExplainedWithItsNumbers) {
  auto view = show("inspector", 1);
  const auto words = [&](const ValueRef& ref) {
    stage->focus.pinned = ref;
    stage->frame(*view);
  };
  words({"block1/gru/h", 4, 2, 5});
  EXPECT_TRUE(says("What is remembered."));
  EXPECT_TRUE(says("✓ agrees"));
  EXPECT_TRUE(says(short_number(scene.trace->find(4, "block1/gru/h")->at(2, 5))));
  words({"block0/delta/step", kSteps - 1, 1, 2 * kValues + 3});
  EXPECT_TRUE(says("key 2, value 3"));
  EXPECT_TRUE(
      says(short_number(last("block0/delta/beta").at(1, 0) * last("block0/delta/k").at(1, 2) *
                        last("block0/delta/v").at(1, 3))));
  // The matrix at the cursor is in the snapshot, whether its equation can be replayed or not.
  words({"block0/delta/S", kSteps - 1, 0, kValues + 4});
  EXPECT_TRUE(says(short_number(scene.memory->C[kValues + 4])));
}

TEST_F(NewCell, IsDrawnAtEverySize) {
  for (const char* name :
       {"time", "gates", "memory", "faces", "stabilizer", "inspector", "health", "budget", "map",
        "mixing", "reach", "findings", "fill", "read", "explorer"}) {
    for (const int block : {0, 1}) {
      for (const ImVec2 size : {ImVec2{20, 20}, {60, 300}, {300, 60}, {420, 200}, {900, 500}}) {
        show(name, block, size);
        EXPECT_TRUE(stage->finite()) << name << ", " << size.x << " x " << size.y;
      }
    }
  }
}

}  // namespace
}  // namespace xlab::tests
