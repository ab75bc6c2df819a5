// A pinned state behind the present one: curves, outlines, differences and words, held against both
// snapshots.
#include "ui/ghost.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/analysis/divergence.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// The state of before: no clamps, a shorter sequence, the cursor three tokens earlier.
std::shared_ptr<const Snapshot> before() {
  SceneShape shape;
  shape.length = 13;
  shape.cursor = 12;
  return std::make_shared<const Snapshot>(SceneBuilder(shape).build());
}

class PinnedState : public ::testing::Test {
 protected:
  void draw(View& view, bool pinned = true) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = {760, 620};
    stage->focus.head = 1;
    if (pinned) stage->focus.reference = reference;
    stage->frame(view);
    stage->frame(view);
  }
  bool says(const std::string& words) const {
    return std::any_of(
        stage->log.texts.begin(), stage->log.texts.end(),
        [&](const DrawLog::Text& text) { return text.shown.find(words) != text.shown.npos; });
  }

  Snapshot snapshot = clamped_scene();
  std::shared_ptr<const Snapshot> reference = before();
  std::unique_ptr<Stage> stage;
};

TEST_F(PinnedState, TakesThePlaceOfTheWorldWithoutClamps) {
  draw(*make_gates_view(), false);
  EXPECT_EQ(ghost_trace(stage->scene()), snapshot.unclamped);
  EXPECT_EQ(ghost_words(stage->scene()), "without clamps");
  EXPECT_TRUE(says("grey: without clamps"));
  draw(*make_gates_view());
  EXPECT_EQ(ghost_trace(stage->scene()), reference->trace);
  EXPECT_EQ(ghost_words(stage->scene()), "pinned, t = 12");
  EXPECT_TRUE(says("grey: pinned"));
  EXPECT_EQ(ghost_curve_words(stage->scene()), "pinned");
  const std::string path = "block0/mlstm/forget_gate_pre";
  std::vector<float> then;
  for (int t = 0; t < reference->trace->length(); ++t)
    then.push_back(reference->trace->find(t, path)->at(1, 0));
  const bool drawn = std::any_of(
      stage->log.curves.begin(), stage->log.curves.end(), [&](const DrawLog::Curve& curve) {
        return curve.ys == then && (curve.stroke.colour | (0xffu << 24)) ==
                                       (stage->scene().palette.muted_text | (0xffu << 24));
      });
  EXPECT_TRUE(drawn) << "the curve of the pinned state in grey";
}

TEST_F(PinnedState, OfAnotherModelIsNoState) {
  SceneShape shape;
  shape.heads = 2;
  reference = std::make_shared<const Snapshot>(SceneBuilder(shape).build());
  draw(*make_gates_view());
  EXPECT_EQ(reference_of(stage->scene()), nullptr);
  EXPECT_EQ(ghost_words(stage->scene()), "without clamps");
}

TEST_F(PinnedState, OfOtherTokensOrAnotherRunSaysSo) {
  auto other = std::make_shared<Snapshot>(*reference);
  other->sequence.tokens[3] += 1;
  reference = other;
  draw(*make_gates_view());
  EXPECT_EQ(ghost_words(stage->scene()), "pinned, t = 12, other tokens");
  EXPECT_TRUE(says("grey: pinned, other tokens"));
  other = std::make_shared<Snapshot>(*reference);
  other->run_id = snapshot.run_id + 1;
  reference = other;
  draw(*make_gates_view());
  EXPECT_EQ(ghost_curve_words(stage->scene()), "pinned, another run");
}

TEST_F(PinnedState, IsWhatTheNextTokenIsComparedWith) {
  draw(*make_next_view());
  const auto next = next_beside_ghost(stage->scene());
  EXPECT_EQ(next->unclamped, reference->next->probabilities);
  EXPECT_EQ(next->probabilities, snapshot.next->probabilities);
  double kl = 0.0;
  for (std::size_t i = 0; i < next->probabilities.size(); ++i) {
    const double p = reference->next->probabilities[i], q = snapshot.next->probabilities[i];
    if (p > 0.0) kl += p * std::log(p / q);
  }
  EXPECT_NEAR(next->kl_nats, kl, 1e-9);
  EXPECT_GT(kl, 0.0);
  EXPECT_TRUE(says("KL " + short_number(kl) + " nats"));
  EXPECT_TRUE(says("pinned")) << "what the outlines are";
  const Table table = make_next_view()->table(stage->scene());
  EXPECT_EQ(table.columns[6], "probability pinned, t = 12");
}

TEST_F(PinnedState, IsTakenOffTheMemoryInTheScaleOfNow) {
  const auto view = make_memory_view();
  const std::string kept = view->kept();
  view->restore("difference " + kept.substr(kept.find(' ') + 1));
  EXPECT_TRUE(view->kept().starts_with("difference "));
  draw(*view, false);
  EXPECT_TRUE(says("No state is pinned"));
  draw(*view);
  const MemoryImage &now = *snapshot.memory, &then = *reference->memory;
  ASSERT_EQ(now.block, 0);
  const int size = now.key_dim * now.value_dim;
  int maps = 0;
  for (int head = 0; head < now.heads; ++head) {
    const double m = snapshot.trace->find(now.step, "block0/mlstm/m")->at(head, 0),
                 m_then = reference->trace->find(12, "block0/mlstm/m")->at(head, 0),
                 larger = std::max(m, m_then);
    for (const DrawLog::Heat& heat : stage->log.heats) {
      if (heat.key != "memory/" + std::to_string(head)) continue;
      ++maps;
      for (int i = 0; i < size; ++i) {
        const auto at = static_cast<std::size_t>(head * size + i);
        EXPECT_NEAR(heat.values[static_cast<std::size_t>(i)],
                    now.C[at] * std::exp(m - larger) - then.C[at] * std::exp(m_then - larger),
                    2e-5);
      }
      const double largest =
          std::abs(*std::max_element(heat.values.begin(), heat.values.end(),
                                     [](float a, float b) { return std::abs(a) < std::abs(b); }));
      EXPECT_LE(largest, heat.high + 1e-6);
    }
    for (const DrawLog::Heat& heat : stage->log.heats) {
      if (heat.key != "memory/n" + std::to_string(head)) continue;
      ++maps;
      for (int key = 0; key < now.key_dim; ++key) {
        const double n = snapshot.trace->find(now.step, "block0/mlstm/n")->at(head, key),
                     n_then = reference->trace->find(12, "block0/mlstm/n")->at(head, key);
        EXPECT_NEAR(heat.values[static_cast<std::size_t>(key)],
                    n * std::exp(m - larger) - n_then * std::exp(m_then - larger), 2e-5);
      }
    }
  }
  EXPECT_EQ(maps, 2 * now.heads);
  EXPECT_TRUE(says("change of C"));
  const Table table = view->table(stage->scene());
  EXPECT_EQ(table.columns.back(), "change since pinned, t = 12");
  const double m = snapshot.trace->find(now.step, "block0/mlstm/m")->at(0, 0),
               m_then = reference->trace->find(12, "block0/mlstm/m")->at(0, 0),
               larger = std::max(m, m_then);
  EXPECT_NEAR(std::stod(table.rows[7].back()),
              now.C[7] * std::exp(m - larger) - then.C[7] * std::exp(m_then - larger), 2e-5);
}

TEST_F(PinnedState, WithAScaleFarAboveThatOfNowHasNoInfinities) {
  auto far = std::make_shared<Snapshot>(*reference);
  auto trace = std::make_shared<Trace>(*far->trace);
  auto last = std::make_shared<TokenTrace>(*trace->steps[12]);
  for (float& m : last->values["block0/mlstm/m"].values) m = 1e30f;
  trace->steps[12] = last;
  far->trace = trace;
  reference = far;
  const auto view = make_memory_view();
  const std::string kept = view->kept();
  view->restore("difference " + kept.substr(kept.find(' ') + 1));
  draw(*view);
  int numbers = 0;
  for (const DrawLog::Heat& heat : stage->log.heats)
    for (const float value : heat.values) {
      EXPECT_TRUE(std::isfinite(value));
      ++numbers;
    }
  EXPECT_GT(numbers, 100);
}

TEST(Divergence, IsThatOfTwoExpectations) {
  EXPECT_EQ(kl_nats({0.25f, 0.75f}, {0.25f, 0.75f}), 0.0);
  EXPECT_NEAR(kl_nats({0.25f, 0.75f}, {0.5f, 0.5f}), 0.25 * std::log(0.5) + 0.75 * std::log(1.5),
              1e-7);
  EXPECT_EQ(kl_nats({0.0f, 1.0f}, {0.5f, 0.5f}), std::log(2.0)) << "what is impossible counts not";
  EXPECT_TRUE(std::isinf(kl_nats({0.5f, 0.5f}, {0.0f, 1.0f})));
}

}  // namespace
}  // namespace xlab::tests
