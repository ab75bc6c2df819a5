// The matrix memory of one block at the cursor, head by head.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ghost.hpp"
#include "ui/ground.hpp"
#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/memory_figure.hpp"
#include "ui/memory_ranges.hpp"
#include "ui/memory_shown.hpp"
#include "ui/memory_step.hpp"
#include "ui/memory_table.hpp"
#include "ui/memory_words.hpp"
#include "ui/number.hpp"
#include "ui/unit_cells.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class MemoryView : public View {
 public:
  std::string name() const override { return "memory"; }
  std::string title() const override { return "Matrix memory"; }
  ImVec2 minimum_size() const override { return {260, 200}; }
  Table table(const Scene& scene) const override { return memory_table(scene); }

  std::string kept() const override {
    return kModes[static_cast<int>(mode_)] + ranges_.kept() + (one_large_ ? kOneLarge : "");
  }
  void restore(const std::string& kept) override {
    for (int mode = 0; mode < kModeCount; ++mode) {
      if (!kept.starts_with(kModes[mode])) continue;
      if (!ranges_.restore(kept.substr(kModes[mode].size()))) continue;
      mode_ = static_cast<MemoryMode>(mode);
      one_large_ = kept.ends_with(kOneLarge);
    }
  }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "memory", size);
    Painter painter(scene);
    hovered_.reset();
    card_.begin(false);
    if (panel.usable()) {
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    }
    hover_.set(scene.focus, hovered_);
    card_.draw(scene);
  }

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    if (!focused_block(scene.snapshot, scene.focus)) {
      say_no_run(painter, rest, "see its memory here");
      return;
    }
    header(scene, painter, rest);
    const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
    const Trace* trace = scene.snapshot.trace.get();
    if (!trace || trace->length() == 0 || scene.snapshot.sequence.cursor < 0) {
      say(painter, rest,
          "The memory is empty: there are no tokens yet. Write a prompt or take a new sample and "
          "step through it.");
      return;
    }
    if (!block.has_matrix) {
      cells_.draw(scene, painter, block, *trace, rest, hovered_, card_);
      return;
    }
    const MemoryImage* image = scene.snapshot.memory.get();
    if (!image || image->block != block_in_focus(scene)) {
      say(painter, rest,
          fmt::format("The memory of block {} is on its way.", block_in_focus(scene)));
      return;
    }
    if (mode_ == MemoryMode::step) {
      step(scene, painter, block, *image, rest);
      return;
    }
    if (mode_ == MemoryMode::difference && !reference_of(scene)) {
      say(painter, rest,
          "No state is pinned. P pins the present one; then this shows what has changed in the "
          "memory since.");
      return;
    }
    prepare(scene, block);
    if (shown_.cells.empty()) {
      say(painter, rest,
          mode_ == MemoryMode::difference
              ? "The keys, values and gates of the pinned state, or its scale, were not recorded."
              : "The keys, values and gates of this step were not recorded.");
      return;
    }
    matrices(scene, painter, block, shown_, rest);
  }

  /// What this step did to the head in focus.
  void step(Scene& scene, Painter& painter, const BlockCard& block, const MemoryImage& image,
            const Box& rest) {
    const int head = focused_head(block, scene.focus);
    const bool same = scene.snapshot.memory == step_image_ && scene.snapshot.trace == step_trace_ &&
                      block.prefix == step_prefix_ && head == step_.head && !step_.empty();
    if (!same) step_ = memory_step(scene.snapshot, block, image, head);
    step_image_ = scene.snapshot.memory;
    step_trace_ = scene.snapshot.trace;
    step_prefix_ = block.prefix;
    if (step_.empty()) {
      say(painter, rest, "The keys, values and gates of this step were not recorded.");
      return;
    }
    draw_memory_step(scene, painter, block, step_, rest, hovered_, card_);
  }

  /// Gathers the numbers, once for each snapshot that brings others.
  void prepare(const Scene& scene, const BlockCard& block) {
    const Snapshot& snapshot = scene.snapshot;
    pinned_.follow(reference_of(scene) ? scene.focus.reference : nullptr, block,
                   block_in_focus(scene));
    const bool same = snapshot.memory == image_ && snapshot.trace == trace_ &&
                      mode_ == shown_mode_ && block.prefix == shown_prefix_ &&
                      scene.focus.reference == shown_reference_;
    if (same) return;
    shown_reference_ = scene.focus.reference;
    image_ = snapshot.memory;
    trace_ = snapshot.trace;
    shown_mode_ = mode_;
    shown_prefix_ = block.prefix;
    shown_ = memory_shown(snapshot, block, *image_, mode_, pinned_);
  }

  /// Chips for the block, the mode and the range. Where there is no room for all of them the range
  /// goes first, then the mode; below that the picture matters more than any chip.
  void header(Scene& scene, Painter& painter, Box& rest) {
    const ModelCard& model = *scene.snapshot.model;
    const float line = painter.line_height(), height = line + painter.px(4);
    if (rest.height() < 6 * line) return;
    const std::vector<std::string> blocks = block_names(model, 2);
    const BlockCard& focused = model.blocks[static_cast<std::size_t>(block_in_focus(scene))];
    const bool matrix = focused.has_matrix;
    modes_ = {"value " + focused.values->memory.state};
    if (!focused.values->memory.write.empty()) {
      modes_.push_back("last write");
      modes_.push_back("decayed");
      modes_.push_back("step");
      modes_.push_back("difference");
    }
    const float apart = painter.px(10);
    const ChooserWidths block_widths = chooser_widths(painter, blocks);
    const ChooserWidths mode_widths = chooser_widths(painter, modes_);
    const ChooserWidths range_widths = chooser_widths(painter, kRanges);
    const float options = mode_widths.all + apart + range_word(painter) + range_widths.all;

    Box row = rest.cut_top(height);
    Box second = row;
    const bool one_row = !matrix || block_widths.all + apart + options <= row.width();
    if (!one_row && rest.height() > 10 * height) {
      rest.cut_top(painter.px(3));
      second = rest.cut_top(height);
      choose(scene, painter, row, blocks);
    } else {
      const float left = row.width() - (matrix ? mode_widths.one + apart : 0.0f);
      choose(scene, painter,
             row.cut_left(block_widths.all <= left ? block_widths.all : block_widths.one), blocks);
      row.cut_left(apart);
      second = row;
    }
    if (matrix) {
      choose_mode(scene, painter, focused, second, mode_widths, apart + range_widths.one, apart);
      choose_large(scene, painter, focused, second, range_word(painter) + range_widths.all + apart);
      if (mode_ != MemoryMode::step && mode_ != MemoryMode::difference)
        choose_range(scene, painter, second, range_widths);
    }
    rest.cut_top(painter.px(5));
  }

  static void choose(Scene& scene, Painter& painter, Box row,
                     const std::vector<std::string>& blocks) {
    hint(scene, choose_block(scene, painter, row, blocks),
         "Which block of the model is shown. " + memories_in_words(*scene.snapshot.model));
  }

  /// `others`: what the chips after this one take at least.
  void choose_mode(const Scene& scene, Painter& painter, const BlockCard& block, Box& row,
                   const ChooserWidths& widths, float others, float apart) {
    if (modes_.size() < 2) mode_ = MemoryMode::value;
    if (row.width() < widths.one) return;
    const bool all = widths.all + others <= row.width() || widths.all <= row.width();
    Box box = row.cut_left(all ? widths.all : widths.one);
    const Box whole = box;
    mode_ =
        static_cast<MemoryMode>(choose_at(painter, "mode", box, modes_, static_cast<int>(mode_)));
    hint(scene, whole,
         modes_.front() + ": what the matrix memory holds after this step." +
             (modes_.size() < 2
                  ? std::string()
                  : " last write: what this step added to it, " + factors_in_words(block) +
                        ". decayed: what the forget gate left of the memory before. step: how the "
                        "memory of the head in focus comes from the one before. "
                        "difference: what has changed since the state that was pinned (P)."));
    row.cut_left(apart);
  }

  void choose_range(const Scene& scene, Painter& painter, Box row, const ChooserWidths& widths) {
    const float word = range_word(painter);
    if (row.width() >= word + widths.all) {
      painter.text_in(row.cut_left(word), painter.palette().muted_text, "range");
    }
    if (row.width() >= widths.one) {
      Box box = row.cut_left(widths.all <= row.width() ? widths.all : widths.one);
      const Box whole = box;
      ranges_.lock(choose_at(painter, "range", box, kRanges, ranges_.locked() ? 1 : 0) == 1);
      hint(scene, whole,
           "What the strongest colour stands for. this step: the largest number now on screen. "
           "locked: the largest number seen so far, so that steps can be compared; it is saved "
           "with the run, goes back with Undo, and is set anew by another run or other equations, "
           "and where other weights make it more than four times too large or another sequence "
           "more than ten times.");
    }
    const std::string again = "lock again";
    const float button = painter.measure(again).x + painter.px(14);
    if (!ranges_.locked() || row.width() < button) return;
    const Box box = row.cut_left(button);
    if (button_at(painter, "again", box, again)) ranges_.lock_again();
    hint(scene, box, "Sets the locked range to what is on screen now.");
  }

  /// At the right of the row, where the others leave room.
  void choose_large(const Scene& scene, Painter& painter, const BlockCard& block, Box& row,
                    float others) {
    const std::string word = "one large";
    const float width = painter.measure(word).x + painter.px(24);
    if (block.heads < 2 || mode_ == MemoryMode::step || row.width() < width + others) return;
    const Box box = row.cut_right(width);
    if (check_at(painter, "large", box, word, one_large_)) one_large_ = !one_large_;
    hint(scene, box,
         "The head in focus large, the others small beside it. A double click on a head does the "
         "same.");
    row.cut_right(painter.px(6));
  }

  static float range_word(const Painter& painter) {
    return painter.measure("range").x + painter.px(5);
  }

  void matrices(Scene& scene, Painter& painter, const BlockCard& block, const MemoryShown& shown,
                Box rest) {
    ranges_.follow(scene.snapshot, block_in_focus(scene));
    // A difference fades and grows by itself; it has no range of before.
    const bool difference = mode_ == MemoryMode::difference;
    const double range = difference ? largest(shown.cells) : ranges_.of_cells(shown, mode_);
    const double n_range = difference ? largest(shown.n) : ranges_.of_n(shown);
    ranges_.taken_up();
    const ColourScale colours(painter.palette(), MapName::signed_values, 0.0, range);
    const ColourScale n_colours(painter.palette(), MapName::signed_values, 0.0, n_range);
    legends(scene, painter, block, shown, colours, n_colours, rest);
    MemoryFrame frame{scene,   block,     shown,    mode_, ranges_.locked() && !difference,
                      colours, n_colours, hovered_, card_, one_large_};
    const int focused = std::min(focused_head(block, scene.focus), shown.heads - 1);
    std::vector<int> heads;
    for (int head = 0; head < shown.heads; ++head) heads.push_back(head);
    if (one_large_ && shown.heads > 1) {
      std::erase(heads, focused);
      const bool beside = rest.width() > rest.height();
      Box others = beside ? rest.cut_right(rest.width() * kOthers)
                          : rest.cut_bottom(rest.height() * kOthers);
      figures(frame, painter, {focused}, rest);
      figures(frame, painter, heads, others);
    } else {
      figures(frame, painter, heads, rest);
    }
  }

  /// Those heads, as large as they can be; only the one in focus where there is no room for all.
  static void figures(MemoryFrame& frame, Painter& painter, const std::vector<int>& heads,
                      const Box& box) {
    MemoryShown few;
    few.heads = static_cast<int>(heads.size());
    few.keys = frame.shown.keys;
    few.values = frame.shown.values;
    MemoryGrid grid = fit_memory_grid(painter, few, box, 0.0f);
    const int drawn = grid.heads;
    const bool all = drawn == few.heads;
    const int focused = std::min(focused_head(frame.block, frame.scene.focus), few.heads - 1);
    // Its title leads to the others only where these are nowhere to be seen.
    grid.heads = all ? frame.shown.heads : 1;
    for (int i = 0; i < drawn; ++i) {
      const int head = heads[static_cast<std::size_t>(all ? i : std::max(focused, 0))];
      const int row = i / grid.columns, column = i % grid.columns;
      const float x = box.min.x + static_cast<float>(column) * grid.cell.x;
      const float y = box.min.y + static_cast<float>(row) * grid.cell.y;
      ImGui::PushID(head);
      draw_memory_figure(frame, painter, head, {{x, y}, {x + grid.cell.x, y + grid.cell.y}}, grid);
      ImGui::PopID();
    }
  }

  /// Legends at the bottom, side by side where there is room. That of the memory stays as long as
  /// there is a picture; that of n needs a row more.
  void legends(const Scene& scene, Painter& painter, const BlockCard& block,
               const MemoryShown& shown, const ColourScale& colours, const ColourScale& n_colours,
               Box& rest) {
    const float line = painter.line_height();
    Legend legend = legend_of(scene, block, shown, colours);
    const std::string& keys = block.values->memory.keys;
    const std::string since = mode_ == MemoryMode::difference ? "change of " : "";
    Legend n_legend{since + in_its_scale(block, keys), "", "", outside(shown.n, n_colours)};
    n_legend.brief = symbol_of(block, keys);
    for (Legend* one : {&legend, &n_legend}) {
      one->number_width = std::max(painter.measure(short_number(-colours.high())).x,
                                   painter.measure(short_number(-n_colours.high())).x);
    }
    if (const ScaleWords scaled = scale_words(block); !scaled.brief.empty()) {
      legend.more += (legend.more.empty() ? "" : " ") + scaled.sentence;
      Legend longer = legend;
      longer.unit += ", " + scaled.brief;
      const float beside =
          shown.n.empty() ? 0.0f : painter.px(18) + legend_width(painter, n_colours, n_legend);
      if (legend_width(painter, colours, longer) + beside <= rest.width()) legend = longer;
    }
    const MemoryGrid grid = fit_memory_grid(painter, shown, rest, 2 * line);
    // Without axes the legend is where rows and columns get their names.
    if (!grid.with_axes) legend.unit += ", key k × value v";
    if (grid.scale < 1.0f) legend.transform = "largest |x| of a pixel";
    if (rest.height() < 2.5f * line) return;
    const float n_width = legend_width(painter, n_colours, n_legend);
    const float both = legend_width(painter, colours, legend) + painter.px(18) + n_width;
    const bool with_n = !shown.n.empty();
    Box row = rest.cut_bottom(line);
    if (with_n && both <= rest.width()) {
      put_legend(scene, painter, row.cut_right(n_width), n_colours, n_legend);
    } else if (with_n && rest.height() > 8 * line) {
      put_legend(scene, painter, row, n_colours, n_legend);
      row = rest.cut_bottom(line);
    }
    put_legend(scene, painter, row, colours, legend);
    rest.cut_bottom(painter.px(std::min(5.0f, rest.height() / 20)));
  }

  /// A click sets the range anew, for where the chip that says so has no room.
  void put_legend(const Scene& scene, Painter& painter, const Box& row, const ColourScale& scale,
                  const Legend& legend) {
    const bool locked = ranges_.locked() && mode_ != MemoryMode::difference;
    if (control(painter, legend.unit.c_str(), row, {.enabled = locked}).pressed && locked)
      ranges_.lock_again();
    draw_legend(painter, row, scale, legend);
    explain_legend(scene, row, scale, legend);
  }

  /// The values that a memory is made from and that stand beside it.
  static std::vector<std::string> makes_memory(const BlockCard& block) {
    const MemoryCard& memory = block.values->memory;
    std::vector<std::string> names;
    if (const ValueCard* state = block.values->find(memory.state)) names = state->inputs;
    names.push_back(memory.keys);
    if (!memory.scale.empty()) names.push_back(memory.scale);
    return names;
  }

  Legend legend_of(const Scene& scene, const BlockCard& block, const MemoryShown& shown,
                   const ColourScale& colours) {
    const bool difference = mode_ == MemoryMode::difference;
    const std::string since = difference ? "change of " : "";
    const bool locked = ranges_.locked() && !difference;
    const MemoryRange& kept = ranges_.of(mode_);
    const RangeWords set = ranges_.words(kept);
    const bool any_number = std::any_of(shown.cells.begin(), shown.cells.end(),
                                        [](float cell) { return std::isfinite(cell); });
    const std::string no_range = any_number ? "all 0" : "no number yet";
    const MemoryCard& memory = block.values->memory;
    Legend legend{mode_ == MemoryMode::write     ? symbol_of(block, memory.write)
                  : mode_ == MemoryMode::decayed ? left_in_words(block)
                                                 : since + in_its_scale(block, memory.state),
                  !locked          ? "all heads, this step"
                  : kept.step >= 0 ? "all heads, " + set.all
                                   : "all heads, " + no_range,
                  "", outside(shown.cells, colours)};
    legend.brief = !locked ? "this step" : kept.step >= 0 ? set.brief : no_range;
    if (difference) {
      legend.more = fmt::format(
          "What is stored now less what was stored in the state that was pinned ({}), both brought "
          "to the larger of their scales: divided by exp of the larger m.",
          ghost_words(scene));
    } else if (locked && kept.step < 0) {
      legend.more = "The range is set by the first finite number other than 0.";
    } else if (locked) {
      legend.more = fmt::format(
          "The range was set at time step {} with the weights of training step {}. Click to set it "
          "to what is on screen now.",
          kept.step, kept.trained);
    }
    if (legend.outside.not_numbers() == 0) return legend;
    if (const int first = first_broken(scene, block); first >= 0) {
      legend.more += fmt::format(
          "{}The first recorded number of this block that is none stands "
          "at t = {}.",
          legend.more.empty() ? "" : " ", first);
    }
    return legend;
  }

  /// The first time step where a recorded value of this block is no number, -1 when there is none.
  int first_broken(const Scene& scene, const BlockCard& block) {
    const Trace* trace = scene.snapshot.trace.get();
    if (scene.snapshot.trace_id == broken_trace_ && block.prefix == broken_prefix_) return broken_;
    broken_trace_ = scene.snapshot.trace_id;
    broken_prefix_ = block.prefix;
    broken_ = -1;
    for (int t = 0; trace && t < trace->length() && broken_ < 0; ++t) {
      for (const std::string& name : makes_memory(block)) {
        const Recorded* r = trace->find(t, block.path(name));
        if (r && !std::all_of(r->values.begin(), r->values.end(),
                              [](float value) { return std::isfinite(value); })) {
          broken_ = t;
          break;
        }
      }
    }
    return broken_;
  }

  static constexpr float kOthers = 0.28f;  ///< of the room, for heads beside a large one
  static constexpr const char* kOneLarge = " one large";
  static constexpr int kModeCount = 5;
  inline static const std::string kModes[kModeCount] = {"value ", "write ", "decayed ", "step ",
                                                        "difference "};  ///< as kept
  inline static const std::string kRanges[] = {"this step", "locked"};

  std::vector<std::string> modes_;  ///< one, or all
  MemoryMode mode_ = MemoryMode::value;
  bool one_large_ = false;  ///< the head in focus, beside the others
  MemoryRanges ranges_;
  MemoryShown shown_;  ///< of these:
  std::shared_ptr<const MemoryImage> image_;
  std::shared_ptr<const Trace> trace_;
  MemoryMode shown_mode_ = MemoryMode::value;
  std::string shown_prefix_;
  std::shared_ptr<const Snapshot> shown_reference_;
  PinnedMemory pinned_;
  MemoryStep step_;  ///< of these:
  std::shared_ptr<const MemoryImage> step_image_;
  std::shared_ptr<const Trace> step_trace_;
  std::string step_prefix_;
  std::uint64_t broken_trace_ = 0;
  std::string broken_prefix_;
  int broken_ = -1;
  UnitCells cells_;
  Hover hover_;

  // Of this frame.
  std::optional<ValueRef> hovered_;
  HoverCard card_;
};

}  // namespace

std::unique_ptr<View> make_memory_view() {
  return std::make_unique<MemoryView>();
}

}  // namespace xlab::ui
