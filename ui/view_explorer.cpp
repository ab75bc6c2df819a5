// The gate explorer: every gate of one unit or head of each cell is drawn by hand, and what the
// cells make of it stands side by side.
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/explorer.hpp"
#include "ui/explorer_frame.hpp"
#include "ui/explorer_table.hpp"
#include "ui/ground.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

constexpr const char* kWhatItIs =
    "Draw the gates of one sLSTM unit, one mLSTM head and one LSTM unit by hand, and see what each "
    "remembers. It is a run of its own: the present one stays beside it.";
constexpr std::array<int, 7> kWidths = {2, 3, 4, 6, 8, 12, 16};
constexpr std::array<int, 5> kStepCounts = {8, 16, explorer::kSteps, 32, explorer::kMostSteps};

bool is_open(const Snapshot& snapshot) {
  return snapshot.model && snapshot.data && snapshot.data->task == explorer::kTask &&
         !snapshot.model->blocks.empty();
}

class ExplorerView : public View {
 public:
  std::string name() const override { return "explorer"; }
  std::string title() const override { return "Gate explorer"; }
  std::string neighbour() const override { return "gates"; }
  ImVec2 minimum_size() const override { return {360, 260}; }
  Table table(const Scene& scene) const override { return explorer_table(scene); }
  std::string kept() const override {
    return std::string(choice_.together ? "together" : "alone") + " " +
           std::to_string(choice_.content) + " " + std::to_string(choice_.unit);
  }
  void restore(const std::string& kept) override;

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "explorer", size);
    Painter painter(scene);
    hovered_.reset();
    card_.begin(drag_.has_value());
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) drag_.reset();
    hover_.set(scene.focus, hovered_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest);
  static void offer_to_open(Scene& scene, Painter& painter, Box rest);
  void controls(ExplorerFrame& frame, Painter& painter, Box row);
  static int choose_number(Painter& painter, const char* id, const std::string& label, Box& row,
                           std::span<const int> all, int now);

  ExplorerChoice choice_;
  ExplorerCourses courses_;
  std::optional<CurveDrag> drag_;
  std::vector<ExplorerTime> times_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> hovered_;
};

void ExplorerView::restore(const std::string& kept) {
  const std::size_t first = kept.find(' '), second = kept.find(' ', first + 1);
  if (first == kept.npos || second == kept.npos) return;
  const std::string together = kept.substr(0, first);
  const std::string content = kept.substr(first + 1, second - first - 1),
                    unit = kept.substr(second + 1);
  const auto number = [](const std::string& text) {
    const bool digits = !text.empty() && text.size() <= 2 &&
                        std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    return digits ? std::stoi(text) : -1;
  };
  if ((together != "together" && together != "alone") || number(content) < 0 || number(unit) < 0)
    return;
  choice_ = {together == "together", number(content), number(unit)};
}

void ExplorerView::offer_to_open(Scene& scene, Painter& painter, Box rest) {
  const std::string word = "Open the gate explorer";
  const float wide = painter.measure(word).x + painter.px(24);
  const float high = painter.line_height() + painter.px(8), gap = painter.px(10);
  const float words =
      painter.paragraph({0, 0}, std::min(rest.width() - painter.px(16), painter.px(420)), 0,
                        kWhatItIs, Weight::regular, false);
  if (painter.exporting() || rest.height() < words + gap + high || rest.width() < wide) {
    say(painter, rest, kWhatItIs);
    return;
  }
  // The sentence and the button under it, in the middle.
  rest.cut_top((rest.height() - words - gap - high) / 2);
  say(painter, rest.cut_top(words), kWhatItIs);
  rest.cut_top(gap);
  Box button = rest.cut_top(high);
  button.min.x = button.centre().x - wide / 2;
  button.max.x = button.min.x + wide;
  if (button_at(painter, "open", button, word))
    scene.send(command::NewRun{
        .task = explorer::kTask, .spec_json = {}, .beside = scene.snapshot.model != nullptr});
}

/// One of some numbers, the present one among them: the one that is wanted instead of it, 0 for
/// none.
int ExplorerView::choose_number(Painter& painter, const char* id, const std::string& label,
                                Box& row, std::span<const int> all, int now) {
  std::vector<std::string> names;
  int chosen = -1;
  for (const int one : all) {
    names.push_back(std::to_string(one));
    if (one == now) chosen = static_cast<int>(names.size()) - 1;
  }
  if (chosen < 0) {
    names.push_back(std::to_string(now));
    chosen = static_cast<int>(names.size()) - 1;
  }
  const float words = painter.measure(label).x + painter.px(6);
  if (row.width() < words + chooser_width(painter, names)) return 0;
  painter.text_in(row.cut_left(words), painter.palette().muted_text, label);
  const int wanted = choose_at(painter, id, row, names, chosen);
  row.cut_left(painter.px(8));
  return wanted == chosen ? 0 : std::stoi(names[static_cast<std::size_t>(wanted)]);
}

/// Whether gates are drawn together, how wide the head is, and over how many steps.
void ExplorerView::controls(ExplorerFrame& frame, Painter& painter, Box row) {
  if (painter.exporting()) return;
  const std::string words[] = {"same gates for all cells", "same gates"};
  const std::string word = painter.fit_first(words, row.width() * 0.5f);
  const Box tick = row.cut_left(painter.measure(word).x + painter.px(24));
  if (check_at(painter, "together", tick, word, choice_.together))
    choice_.together = !choice_.together;
  card_.explain(tick, {{"What is drawn for a gate is drawn for it in every cell that has it."},
                       {"Else it is drawn for the chosen cell alone."}});
  row.cut_left(painter.px(12));
  Box before = row;
  const int width = choose_number(painter, "width", "width of the head", row, kWidths,
                                  explorer::width_of(frame.blocks));
  if (width > 0)
    frame.scene.send(
        command::NewRun{.task = explorer::kTask, .spec_json = explorer::spec_of_width(width)});
  card_.explain({before.min, {row.min.x, before.max.y}},
                {{"How many numbers the keys, queries and values of the matrix memory have."},
                 {"Another width is another model; what is drawn goes on in it."}});
  before = row;
  const int steps = choose_number(painter, "steps", "steps", row, kStepCounts, frame.steps());
  if (steps > 0) frame.scene.send(explorer::over_all(frame.scene.snapshot.sequence.clamps, steps));
  card_.explain({before.min, {row.min.x, before.max.y}},
                {{"Over how many steps. Longer curves go on with their last value."},
                 {"A story has its own number of steps."}});
}

void ExplorerView::contents(Scene& scene, Painter& painter, Box rest) {
  if (!is_open(scene.snapshot)) {
    offer_to_open(scene, painter, rest);
    return;
  }
  const std::vector<BlockCard>& blocks = scene.snapshot.model->blocks;
  times_.resize(kExplorerLanes + blocks.size());
  courses_.use(scene.snapshot);
  ExplorerFrame frame{scene, blocks, courses_, choice_, drag_, times_, hovered_, card_};
  const float line = painter.line_height(), gap = painter.px(6);
  const bool roomy = rest.height() > 34 * line;
  const float stories = story_rows(scene, painter, rest.width(), roomy);
  if (rest.height() > stories + 14 * line) {
    draw_stories(frame, painter, rest.cut_top(stories));
    rest.cut_top(gap);
  }
  if (rest.height() > 12 * line) {
    controls(frame, painter, rest.cut_top(line + painter.px(4)));
    rest.cut_top(gap);
  }
  if (scene.snapshot.sequence.tokens.empty()) {
    say(painter, rest, "There are no steps to draw in. Tell a story, or write a prompt: 0 1 2 3.");
    return;
  }
  if (rest.width() < painter.px(200) || rest.height() < 6 * line) {
    say(painter, rest, "The gates are drawn where there is more room.");
    return;
  }
  const bool narrow = rest.width() < painter.px(620);
  draw_held_lanes(frame, painter, rest.cut_top(rest.height() * (narrow ? 0.5f : 0.34f)));
  rest.cut_top(gap);
  draw_cells(frame, painter, rest);
}

}  // namespace

std::unique_ptr<View> make_explorer_view() {
  return std::make_unique<ExplorerView>();
}

}  // namespace xlab::ui
