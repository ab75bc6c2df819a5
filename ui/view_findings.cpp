// What the model does, in measured sentences, each with a way to its evidence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/findings_shown.hpp"
#include "ui/ground.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"
#include "ui/worth_bars.hpp"

namespace xlab::ui {
namespace {

/// Findings of one kind stand below each other.
struct Topic {
  std::string_view about, title;
  std::string meaning;  ///< how it is measured, with its threshold
};

const std::vector<Topic>& topics() {
  static const std::vector<Topic> list = {
      {"half-life", "How long memories last",
       "The half-life that repeated forgetting came to: of a gate that keeps, token after token, "
       "the geometric mean of what this one kept."},
      {"input gate", "What is written",
       "The mean pre-activation of a block's input gates, over its heads and units, at each "
       "occurrence of a token."},
      {"answer", "What the last answer hangs on",
       "The largest weight of a past write in the answer, |A| of the attention that a matrix "
       "memory stands for. The last answer is the last that the task asks for, else that after the "
       "last token."},
      {"floor", "Where the read-out hits its floor",
       fmt::format("How many answers are divided by the floor of the normalizer, not by |⟨q, n⟩|: "
                   "they are shrunk. A head is named from {} % of its answers on.",
                   100 * kMostlyFloor)},
      {"saturation", "Units that stay shut",
       fmt::format("A unit is shut where its output gate is below {} at every step: nobody reads "
                   "what it remembers.",
                   kNearlyShut)},
      {"fill", "How full the memories are",
       "The participation ratio (Σ σ²)² / Σ σ⁴ of the singular values of C after the last token: "
       "about how many directions are in use, of at most min(K, V)."},
  };
  return list;
}

class FindingsView : public View {
 public:
  std::string name() const override { return "findings"; }
  std::string title() const override { return "Findings"; }
  ImVec2 minimum_size() const override { return {240, 150}; }
  Table table(const Scene& scene) const override;
  bool has_sentences() const override { return true; }
  std::string sentences(const Scene& scene) const override;
  bool animating(const Scene&) const override { return shown_.busy(); }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "findings", size, true);
    Painter painter(scene);
    value_.reset();
    card_.begin(false);
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(10), painter.px(6)));
    hover_.set(scene.focus, value_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    const Snapshot& snapshot = scene.snapshot;
    if (!snapshot.model) {
      say_no_run(painter, rest, "read here what it does");
      return;
    }
    shown_.use(snapshot, scene.exporting);
    const float bottom = rest.max.y;
    rest.max.y = std::numeric_limits<float>::max() / 4;  // it scrolls: there is always room
    header(scene, painter, rest);
    rest.cut_top(painter.px(4));
    const bool beside = snapshot.worth && rest.width() >= painter.px(640);
    Box bars = rest;
    if (beside) {
      bars = rest.cut_right(rest.width() * 0.42f);
      rest.cut_right(painter.px(20));
    }
    if (shown_.found().empty() && !shown_.busy()) {
      const char* const none = snapshot.sequence.tokens.empty()
                                   ? "There are no tokens yet: give the model something to read."
                                   : "Nothing is recorded that something could be said of.";
      const float width = std::min(rest.width(), painter.px(420));
      rest.cut_top(painter.paragraph(rest.min, width, painter.palette().muted_text, none) +
                   painter.px(8));
    }
    for (const Topic& topic : topics()) tell(scene, painter, rest, topic);
    if (snapshot.worth) {
      if (!beside) bars.min.y = rest.min.y;
      worth(scene, painter, bars);
      rest.min.y = std::max(rest.min.y, bars.min.y);
    }
    rest.max.y = std::max(bottom, rest.min.y);
    ImGui::SetCursorScreenPos(rest.min);
    ImGui::Dummy({1.0f, 1.0f});
  }

  /// Of what the sentences are, and the button that measures heads.
  void header(Scene& scene, Painter& painter, Box& rest) {
    const Palette& palette = painter.palette();
    const AblationReport* report = scene.snapshot.worth.get();
    const bool running = report && report->running;
    const std::string words[] = {running  ? "Stop measuring"
                                 : report ? "Measure heads again"
                                          : "Measure what heads are worth",
                                 running  ? "Stop"
                                 : report ? "Heads again"
                                          : "Measure heads",
                                 running ? "Stop" : "Heads"};
    const int count = shown_.tokens();
    const auto& clamps = scene.snapshot.sequence.clamps;
    const auto edits = std::ranges::count_if(clamps, &Clamp::enabled);
    const std::string by_hand =
        edits == 0 ? "" : fmt::format(", with {} edit{} by hand", edits, edits == 1 ? "" : "s");
    const std::string full[] = {
        count == 0 ? "Findings"
                   : fmt::format("Measured on {} token{}{}", count, count == 1 ? "" : "s", by_hand),
        count == 0 ? "Findings" : fmt::format("On {} token{}", count, count == 1 ? "" : "s")};
    const float pad = painter.px(18), height = painter.line_height() + painter.px(6);
    Box row = rest.cut_top(height);
    if (!scene.exporting) {
      const float title = painter.measure(full[1], Weight::bold).x + painter.px(10);
      const std::string word = painter.fit_first(words, std::max(row.width() - title - pad, 0.0f));
      float width = painter.measure(word).x + pad;
      const bool fits = !word.empty() && title + width <= row.width() &&
                        std::find(std::begin(words), std::end(words), word) != std::end(words);
      // Where there is no room side by side, the button stands under the title.
      Box under = fits ? Box{} : rest.cut_top(height);
      const std::string low = fits ? word : painter.fit_first(words, under.width() - pad);
      if (!fits) width = std::min(painter.measure(low).x + pad, under.width());
      const Box button = fits ? row.cut_right(width) : under.cut_left(width);
      row.cut_right(fits ? painter.px(8) : 0.0f);
      if (button_at(painter, "measure", button, low)) {
        scene.send(command::Ablate{.on = !running});
        to_worth_ = !running;
      }
      card_.explain(button,
                    {{running ? "Give up; what is measured stays."
                              : "Switches off each head in turn, and all heads of each block, and "
                                "takes the loss on this sequence: a pass over it for each, on a "
                                "copy of the model. Training and the sequence go on."}});
    }
    const std::string title = painter.fit_first(full, row.width(), Weight::bold);
    painter.text_in(row, palette.text, title, Align::left, Weight::bold);
    row.cut_left(painter.measure(title, Weight::bold).x + painter.px(10));
    if (!shown_.busy()) return;
    const std::string percent = fmt::format("{:.0f} %", 100.0 * shown_.share());
    const std::string going[] = {"measuring those of now: " + percent, percent};
    painter.first_in(row, palette.muted_text, going);
  }

  void tell(Scene& scene, Painter& painter, Box& rest, const Topic& topic) {
    bool titled = false;
    const std::vector<Finding>& found = shown_.found();
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i].about != topic.about) continue;
      if (!titled) {
        const Box title = headline(painter, rest, topic.title);
        card_.explain(title, {{std::string(topic.title), true}, {topic.meaning}});
        titled = true;
      }
      sentence(scene, painter, rest, found[i], static_cast<int>(i));
    }
    if (titled) rest.cut_top(painter.px(8));
  }

  static Box headline(Painter& painter, Box& rest, std::string_view words) {
    const float height =
        painter.paragraph(rest.min, rest.width(), painter.palette().muted_text, words);
    return rest.cut_top(height + painter.px(2));
  }

  /// A mark with the number of the block, and the sentence; as high as it has to be.
  void sentence(Scene& scene, Painter& painter, Box& rest, const Finding& finding, int number) {
    const Palette& palette = painter.palette();
    const float pad = painter.px(3), mark = painter.measure("00").x + painter.px(6);
    const float gap = mark + painter.px(7);
    const float width = std::max(rest.width() - gap - painter.px(4), painter.px(20));
    const float height =
        painter.paragraph({0, 0}, width, 0, finding.sentence, Weight::regular, false) + 2 * pad;
    const Box row = rest.cut_top(height);
    ImGui::PushID(number);
    const Touch mouse = control(painter, "finding", row, {.arrows = Arrows::column, .group = 1});
    ImGui::PopID();
    if (mouse.pressed) go_to(scene, finding);
    if (mouse.hovered) describe(scene, finding);
    if (!ImGui::IsRectVisible(row.min, row.max)) return;
    if (mouse.hovered) painter.fill(row, with_alpha(palette.control_hovered, 0.5f), painter.px(3));
    const bool focused = finding.block == block_in_focus(scene);
    const Box badge{{row.min.x + painter.px(2), row.min.y + pad},
                    {row.min.x + painter.px(2) + mark, row.min.y + pad + painter.line_height()}};
    painter.fill(badge, focused ? palette.accent : palette.control, painter.px(3));
    painter.text_in(badge, focused ? readable_on(palette.accent) : palette.muted_text,
                    std::to_string(finding.block), Align::centre,
                    focused ? Weight::bold : Weight::regular);
    painter.paragraph({row.min.x + gap, row.min.y + pad}, width, palette.text, finding.sentence);
  }

  /// Focus and cursor go to what proves it.
  static void go_to(Scene& scene, const Finding& finding) {
    scene.focus.block = finding.block;
    if (!finding.evidence) return;
    const Evidence& evidence = *finding.evidence;
    scene.focus.head = evidence.head;
    scene.focus.pinned = ValueRef{evidence.path, evidence.step, evidence.head, evidence.unit};
    scene.send(command::SetCursor{evidence.step});
  }

  void describe(const Scene& scene, const Finding& finding) {
    card_.add(fmt::format("Block {}", finding.block), true);
    for (const auto& [name, value] : finding.numbers)
      card_.add(fmt::format("{}: {}", name, full_number(value)));
    const auto topic = std::find_if(topics().begin(), topics().end(),
                                    [&](const Topic& one) { return one.about == finding.about; });
    if (topic != topics().end()) card_.add(topic->meaning);
    if (finding.evidence) {
      const Evidence& evidence = *finding.evidence;
      const ValueRef ref{evidence.path, evidence.step, evidence.head, evidence.unit};
      if (number_at(scene.snapshot.trace.get(), ref)) value_ = ref;
      card_.add(fmt::format("click: {} at t = {}, head {}", value_name(evidence.path),
                            evidence.step, evidence.head));
    } else {
      card_.add("click: show this block in every view");
    }
  }

  void worth(Scene& scene, Painter& painter, Box& rest) {
    const Palette& palette = painter.palette();
    const AblationReport& report = *scene.snapshot.worth;
    const Box title = headline(painter, rest, "What heads are worth");
    if (to_worth_) {
      ImGui::SetCursorScreenPos(title.min);
      ImGui::SetScrollHereY(0.0f);
      to_worth_ = false;
    }
    card_.explain(title,
                  {{"What heads are worth", true},
                   {"The loss on this sequence with the output gates of a head closed at every "
                    "step, or of all heads of a block, minus the loss as it is."}});
    const auto say_so = [&](const std::string& words, ImU32 colour) {
      if (words.empty()) return;
      rest.cut_top(painter.paragraph(rest.min, rest.width(), colour, words) + painter.px(2));
    };
    say_so(worth_words(scene.snapshot), palette.text);
    say_so(report.failure, palette.warning);
    say_so(worth_apart(scene.snapshot), palette.muted_text);
    if (report.running || static_cast<int>(report.without.size()) < report.total) {
      const std::string of =
          report.total > 0 ? fmt::format("{} of {}", report.without.size(), report.total) : "…";
      say_so(report.running ? fmt::format("Measuring: {}", of) : of + " were measured.",
             palette.muted_text);
    }
    rest.cut_top(painter.px(4));
    draw_worth_bars(scene, painter, rest, [&](const WorthBar& bar) {
      const Ablation& one = report.without[bar.index];
      const Finding finding = finding_of(*scene.snapshot.model, one, report.loss);
      const ValueRef ref{finding.evidence->path, scene.snapshot.sequence.cursor,
                         finding.evidence->head, finding.evidence->unit};
      const bool one_head = one.head >= 0;
      if (bar.pressed) {
        scene.focus.block = one.block;
        if (one_head) {
          scene.focus.head = one.head;
          scene.focus.pinned = ref;
        }
      }
      if (!bar.hovered) return;
      card_.add(finding.sentence);
      for (const auto& [name, value] : finding.numbers)
        card_.add(fmt::format("{}: {}", name, full_number(value)));
      if (one_head && number_at(scene.snapshot.trace.get(), ref)) value_ = ref;
      card_.add(one_head ? "click: show this head in every view"
                         : "click: show this block in every view");
    });
  }

  FindingsShown shown_;
  Hover hover_;
  HoverCard card_;
  std::optional<ValueRef> value_;
  bool to_worth_ = false;  // what was just asked for is to be seen
};

/// All that is found, to the end, and what heads are worth.
std::vector<Finding> all_findings(const Snapshot& snapshot) {
  if (!snapshot.model) return {};
  std::vector<Finding> all = findings(*snapshot.model, snapshot.trace, snapshot.sequence.tokens,
                                      last_asked(snapshot.sequence));
  if (!snapshot.worth) return all;
  for (const Ablation& one : snapshot.worth->without)
    all.push_back(finding_of(*snapshot.model, one, snapshot.worth->loss));
  return all;
}

/// Too much to be measured at once while somebody waits.
bool takes_long(const Snapshot& snapshot) {
  constexpr double kMost = 3e7;  // numbers; about a tenth of a second
  double numbers = 0.0;
  if (snapshot.model)
    for (const BlockCard& block : snapshot.model->blocks)
      numbers += static_cast<double>(block.state_numbers());
  return numbers * static_cast<double>(snapshot.sequence.tokens.size()) > kMost;
}

Table FindingsView::table(const Scene& scene) const {
  Table table;
  // To look at, what is measured already has to do.
  const bool in_part = scene.most_rows > 0 && takes_long(scene.snapshot);
  if (in_part)
    table.note =
        shown_.tokens() > 0
            ? fmt::format("Of the first {} tokens, as the view has measured them.", shown_.tokens())
            : "Nothing is measured yet: show the view, which measures a little at a time.";
  table.columns = {"about", "block", "sentence", "numbers", "path", "step", "head", "unit"};
  table.places = 2;
  for (const Finding& finding : in_part ? shown_.found() : all_findings(scene.snapshot)) {
    std::string numbers;
    for (const auto& [name, value] : finding.numbers)
      numbers += fmt::format("{}{} = {}", numbers.empty() ? "" : ", ", name, full_number(value));
    std::vector<std::string> row = {finding.about, std::to_string(finding.block), finding.sentence,
                                    numbers};
    if (finding.evidence) {
      const Evidence& evidence = *finding.evidence;
      row.insert(row.end(), {evidence.path, std::to_string(evidence.step),
                             std::to_string(evidence.head), std::to_string(evidence.unit)});
    }
    row.resize(table.columns.size());
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string FindingsView::sentences(const Scene& scene) const {
  std::string text;
  for (const Finding& finding : all_findings(scene.snapshot)) text += finding.sentence + "\n";
  return text;
}

}  // namespace

std::unique_ptr<View> make_findings_view() {
  return std::make_unique<FindingsView>();
}

}  // namespace xlab::ui
