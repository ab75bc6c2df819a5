// The matrix memory of one block at the cursor, head by head.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"
#include "ui/panel.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// The memory's numbers at one step, as they are shown.
struct Shown {
  int step = 0, heads = 0, keys = 0, values = 0;
  std::vector<float> cells;  ///< (heads, keys, values): C, or the last write
  std::vector<float> n;      ///< (heads, keys); empty when it was not recorded
};

std::span<const float> part(const std::vector<float>& all, int index, int size) {
  const auto n = static_cast<std::size_t>(size);
  return {all.data() + static_cast<std::size_t>(index) * n, n};
}

class MemoryView : public View {
 public:
  std::string name() const override { return "memory"; }
  std::string title() const override { return "Matrix memory"; }
  ImVec2 minimum_size() const override { return {260, 200}; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "memory", size);
    Painter painter(scene);
    hovered_.reset();
    card_.clear();
    if (panel.usable()) {
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    }
    hover_.set(scene.focus, hovered_);
    if (!card_.empty()) hover_card(scene, card_);
  }

  Table table(const Scene& scene) const override;

 private:
  enum class Mode { value, write };

  void contents(Scene& scene, Painter& painter, Box rest) {
    const BlockCard* block = focused_block(scene.snapshot, scene.focus);
    if (!block) {
      say(painter, rest, "No run is open. Open or make one to see its memory here.");
      return;
    }
    header(scene, painter, rest);
    block = focused_block(scene.snapshot, scene.focus);
    const Trace* trace = scene.snapshot.trace.get();
    const int cursor = scene.snapshot.session.cursor;
    if (!trace || trace->length() == 0 || cursor < 0) {
      say(painter, rest,
          "The memory is empty: there are no tokens yet. Write a prompt or take a new sample and "
          "step through it.");
      return;
    }
    if (!block->has_matrix) {
      cells(scene, painter, *block, *trace, rest);
      return;
    }
    const MemoryImage* image = scene.snapshot.memory.get();
    const int wanted = block_index(scene);
    if (!image || image->block != wanted) {
      if (asked_ != wanted) scene.send(command::Focus{wanted});
      asked_ = wanted;
      say(painter, rest, fmt::format("The memory of block {} is on its way.", wanted));
      return;
    }
    asked_ = -1;
    const Shown shown = gather(scene, *block, *image, mode_);
    if (shown.cells.empty()) {
      say(painter, rest, "The keys, values and gates of this step were not recorded.");
      return;
    }
    matrices(scene, painter, *block, shown, rest);
  }

  static int block_index(const Scene& scene) {
    const int last = static_cast<int>(scene.snapshot.model->blocks.size()) - 1;
    return std::clamp(scene.focus.block, 0, last);
  }

  /// Chips for the block, the mode and the range. Where there is no room for all of them the range
  /// goes first, then the mode; below that the picture matters more than any chip.
  void header(Scene& scene, Painter& painter, Box& rest) {
    const ModelCard& model = *scene.snapshot.model;
    const float line = painter.line_height(), height = line + painter.px(4);
    if (rest.height() < 6 * line) return;
    std::vector<std::string> blocks;
    for (std::size_t b = 0; b < model.blocks.size(); ++b) {
      blocks.push_back(fmt::format("block {} {}", b, model.blocks[b].title));
    }
    const int block = block_index(scene);
    const bool matrix = model.blocks[static_cast<std::size_t>(block)].has_matrix;
    const std::string modes[] = {"value C", "last write"};
    const std::string ranges[] = {"this step", "locked"};
    const std::string again = "lock again";
    const float apart = painter.px(10);
    const Widths block_widths = chooser_widths(painter, blocks);
    const Widths mode_widths = chooser_widths(painter, modes);
    const Widths range_widths = chooser_widths(painter, ranges);
    const float word = painter.measure("range").x + painter.px(5);
    const float button = painter.measure(again).x + painter.px(14);
    const float options = mode_widths.all + apart + word + range_widths.all;

    Box row = rest.cut_top(height);
    Box second = row;
    const bool one_row = !matrix || block_widths.all + apart + options <= row.width();
    if (!one_row && rest.height() > 10 * height) {
      rest.cut_top(painter.px(3));
      second = rest.cut_top(height);
      choose_block(scene, painter, row, blocks, block);
    } else {
      const float left = row.width() - (matrix ? mode_widths.one + apart : 0.0f);
      Box first = row.cut_left(block_widths.all <= left ? block_widths.all : block_widths.one);
      choose_block(scene, painter, first, blocks, block);
      row.cut_left(apart);
      second = row;
    }
    if (matrix) {
      if (second.width() >= mode_widths.one) {
        Box box = second.cut_left(mode_widths.all + apart + range_widths.one <= second.width() ||
                                          mode_widths.all <= second.width()
                                      ? mode_widths.all
                                      : mode_widths.one);
        const Box whole = box;
        mode_ = choose_at(painter, "mode", box, modes, mode_ == Mode::write ? 1 : 0) == 1
                    ? Mode::write
                    : Mode::value;
        hint(scene, whole,
             "value C: what the matrix memory holds after this step. last write: what this step "
             "added to it, the input gate times key times value.");
        second.cut_left(apart);
      }
      if (second.width() >= word + range_widths.all) {
        painter.text_in(second.cut_left(word), painter.palette().muted_text, "range");
      }
      if (second.width() >= range_widths.one) {
        Box box = second.cut_left(range_widths.all <= second.width() ? range_widths.all
                                                                     : range_widths.one);
        const Box whole = box;
        locked_ = choose_at(painter, "range", box, ranges, locked_ ? 1 : 0) == 1;
        hint(scene, whole,
             "What the strongest colour stands for. this step: the largest number now on screen. "
             "locked: the largest number seen so far, so that steps can be compared; it is set "
             "anew when another run, other equations, other weights or another sequence make it "
             "more than ten times too large.");
      }
      if (locked_ && second.width() >= button) {
        const Box box = second.cut_left(button);
        relock_ |= button_at(painter, "again", box, again);
        hint(scene, box, "Sets the locked range to what is on screen now.");
      }
    }
    rest.cut_top(painter.px(5));
  }

  /// What a chooser takes: with all of its tabs, and as the chosen one between two arrows.
  struct Widths {
    float all = 0.0f, one = 0.0f;
  };
  static Widths chooser_widths(const Painter& painter, std::span<const std::string> labels) {
    Widths widths;
    for (const std::string& label : labels) {
      const float width = painter.measure(label).x + painter.px(14);
      widths.all += width + painter.px(4);
      widths.one = std::max(widths.one, width);
    }
    widths.one += painter.px(44);
    widths.all += 1.0f;
    return widths;
  }

  static void choose_block(Scene& scene, Painter& painter, Box row,
                           std::span<const std::string> blocks, int block) {
    const Box whole = row;
    const int chosen = choose_at(painter, "block", row, blocks, block);
    hint(scene, {whole.min, {std::max(row.min.x, whole.min.x), whole.max.y}},
         "Which block of the model is shown. mLSTM blocks have a matrix memory, sLSTM blocks one "
         "number per unit.");
    if (chosen == block) return;
    scene.focus.block = chosen;
    scene.send(command::Focus{chosen});
  }

  /// The numbers to draw; `cells` stays empty when something they need was not recorded.
  static Shown gather(const Scene& scene, const BlockCard& block, const MemoryImage& image,
                      Mode mode) {
    Shown shown{image.step, image.heads, image.key_dim, image.value_dim, {}, {}};
    const auto size = static_cast<std::size_t>(shown.heads) * static_cast<std::size_t>(shown.keys) *
                      static_cast<std::size_t>(shown.values);
    const Trace* trace = scene.snapshot.trace.get();
    const auto find = [&](const char* name, int dim) -> const Recorded* {
      const Recorded* r = trace ? trace->find(image.step, block.prefix + "/" + name) : nullptr;
      return r && r->heads == image.heads && r->dim == dim ? r : nullptr;
    };
    if (const Recorded* n = find("n", shown.keys)) shown.n = n->values;
    if (mode == Mode::value) {
      if (image.C.size() == size) shown.cells = image.C;
      return shown;
    }
    const Recorded* gate = find("input_gate", 1);
    const Recorded* k = find("k", shown.keys);
    const Recorded* v = find("v", shown.values);
    if (!gate || !k || !v) return shown;
    shown.cells.reserve(size);
    for (int head = 0; head < shown.heads; ++head) {
      for (int key = 0; key < shown.keys; ++key) {
        for (int value = 0; value < shown.values; ++value) {
          shown.cells.push_back(gate->at(head, 0) * k->at(head, key) * v->at(head, value));
        }
      }
    }
    return shown;
  }

  /// A range of colours that stays while steps go by.
  struct Range {
    double largest = 0.0;       ///< what the strongest colour stands for; 0: nothing seen yet
    double since_change = 0.0;  ///< largest seen since the run, its weights or the tokens changed
    int step = -1;              ///< time step that set it
    std::int64_t trained = 0;   ///< training step of the weights that set it

    void set(double now, int at, std::int64_t training_step) {
      largest = since_change = now;
      step = at;
      trained = training_step;
    }
  };

  /// What the numbers depend on, other than what is held by hand: a gate held shut must let the
  /// picture fade, so it never sets a range.
  struct Source {
    std::uint64_t run = 0;
    int block = -1;
    CellVariant variant;
    std::int64_t trained = -1;
    std::vector<int> tokens;
  };

  /// Follows what is shown: another run, block or other equations begin a new range; other weights
  /// or tokens do where the old one turns out to be more than ten times too large.
  void follow(const Scene& scene, const BlockCard& block) {
    const Snapshot& snapshot = scene.snapshot;
    const int index = block_index(scene);
    if (snapshot.run_id != source_.run || index != source_.block ||
        !(block.variant == source_.variant)) {
      for (Range* range : {&values_, &writes_, &n_}) *range = {};
    }
    // A sequence that goes on is the same sequence.
    const std::size_t common = std::min(source_.tokens.size(), snapshot.session.tokens.size());
    const bool other_tokens = !std::equal(
        source_.tokens.begin(), source_.tokens.begin() + static_cast<std::ptrdiff_t>(common),
        snapshot.session.tokens.begin());
    if (snapshot.train.step != source_.trained || other_tokens) {
      for (Range* range : {&values_, &writes_, &n_}) range->since_change = 0.0;
    }
    source_ = {snapshot.run_id, index, block.variant, snapshot.train.step, snapshot.session.tokens};
  }

  /// The end of the colours: of this step, or the locked one, which grows with what is seen.
  double range_of(const Scene& scene, std::span<const float> numbers, int step, Range& range) {
    const double now = largest(numbers);
    const std::int64_t trained = scene.snapshot.train.step;
    range.since_change = std::max(range.since_change, now);
    const bool stale = range.since_change > 0.0 && range.largest > 10.0 * range.since_change;
    if (now > range.largest || stale || (relock_ && now > 0.0)) {
      range.set(now, step, trained);
    }
    return locked_ && range.largest > 0.0 ? range.largest : now;
  }

  void matrices(Scene& scene, Painter& painter, const BlockCard& block, const Shown& shown,
                Box rest) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    follow(scene, block);
    Range& kept = mode_ == Mode::value ? values_ : writes_;
    const double range = range_of(scene, shown.cells, shown.step, kept);
    const double n_range = range_of(scene, shown.n, shown.step, n_);
    relock_ = false;  // taken up; a click on the legend below counts from the next frame on
    const ColourScale colours(palette, MapName::signed_values, 0.0, range);
    const ColourScale n_colours(palette, MapName::signed_values, 0.0, n_range);

    // Legends at the bottom, side by side where there is room.
    const bool any_number = std::any_of(shown.cells.begin(), shown.cells.end(),
                                        [](float cell) { return std::isfinite(cell); });
    const std::string no_range = any_number ? "all 0" : "no number yet";
    Legend legend{mode_ == Mode::value ? "C / exp(m)" : "i' k vᵀ",
                  !locked_         ? "all heads, this step"
                  : kept.step >= 0 ? fmt::format("all heads, range set at t = {}", kept.step)
                                   : "all heads, " + no_range,
                  "", outside(shown.cells, colours)};
    legend.brief = !locked_         ? "this step"
                   : kept.step >= 0 ? fmt::format("locked at t = {}", kept.step)
                                    : no_range;
    if (locked_ && kept.step < 0) {
      legend.more = "The range is set by the first finite number other than 0.";
    } else if (locked_) {
      legend.more = fmt::format(
          "The range was set at time step {} with the weights of training step {}. Click to set it "
          "to what is on screen now.",
          kept.step, kept.trained);
    }
    if (legend.outside.not_numbers() > 0) {
      const int first = first_broken(scene, block);
      if (first >= 0) {
        legend.more += fmt::format(
            "{}The first recorded number of this block that is none stands "
            "at t = {}.",
            legend.more.empty() ? "" : " ", first);
      }
    }
    Legend n_legend{"n / exp(m)", "", "", outside(shown.n, n_colours)};
    n_legend.brief = "n";
    for (Legend* one : {&legend, &n_legend}) {
      one->number_width = std::max(painter.measure(short_number(-range)).x,
                                   painter.measure(short_number(-n_range)).x);
    }
    Grid grid = fit_grid(painter, shown, rest, 2 * line);
    // Without axes the legend is where rows and columns get their names.
    if (!grid.with_axes) legend.unit += ", key k × value v";
    if (grid.scale < 1.0f) legend.transform = "largest |x| of a pixel";
    const float both = legend_width(painter, colours, legend) + painter.px(18) +
                       legend_width(painter, n_colours, n_legend);
    const bool with_n = !shown.n.empty();
    const bool side_by_side = with_n && both <= rest.width();
    const auto put = [&](const Box& row, const ColourScale& scale, const Legend& one) {
      // A click sets the range anew, for where the chip that says so has no room.
      if (touch(one.unit.c_str(), row).pressed && locked_) relock_ = true;
      draw_legend(painter, row, scale, one);
      explain_legend(scene, row, scale, one);
    };
    // The legend stays as long as there is a picture; that of n needs a row more.
    if (rest.height() >= 2.5f * line) {
      Box row = rest.cut_bottom(line);
      if (side_by_side) {
        put(row.cut_right(legend_width(painter, n_colours, n_legend)), n_colours, n_legend);
      } else if (with_n && rest.height() > 8 * line) {
        put(row, n_colours, n_legend);
        row = rest.cut_bottom(line);
      }
      put(row, colours, legend);
      rest.cut_bottom(painter.px(std::min(5.0f, rest.height() / 20)));
    }
    grid = fit_grid(painter, shown, rest, 0.0f);
    for (int i = 0; i < grid.heads; ++i) {
      const int head = grid.heads == shown.heads ? i : focused_head(block, scene.focus);
      const float x = rest.min.x + static_cast<float>(i % grid.columns) * grid.cell.x;
      const float y = rest.min.y + static_cast<float>(i / grid.columns) * grid.cell.y;
      const Box cell{{x, y}, {x + grid.cell.x, y + grid.cell.y}};
      ImGui::PushID(head);
      figure(scene, painter, block, shown, std::min(head, shown.heads - 1), cell, grid, colours,
             n_colours);
      ImGui::PopID();
    }
  }

  /// The first time step where a recorded value of this block is no number, -1 when there is none.
  int first_broken(const Scene& scene, const BlockCard& block) {
    const Trace* trace = scene.snapshot.trace.get();
    if (scene.snapshot.trace_id == broken_trace_ && block.prefix == broken_prefix_) return broken_;
    broken_trace_ = scene.snapshot.trace_id;
    broken_prefix_ = block.prefix;
    broken_ = -1;
    for (int t = 0; trace && t < trace->length() && broken_ < 0; ++t) {
      for (const char* name : {"m", "input_gate", "forget_gate", "k", "v", "n"}) {
        const Recorded* r = trace->find(t, block.prefix + "/" + name);
        if (r && !std::all_of(r->values.begin(), r->values.end(),
                              [](float value) { return std::isfinite(value); })) {
          broken_ = t;
          break;
        }
      }
    }
    return broken_;
  }

  /// Figures in columns and rows such that cells are as large as they can be.
  struct Grid {
    int columns = 1;
    int heads = 1;  ///< drawn: all of them, or the one in focus where there is no room for all
    ImVec2 cell{0, 0};
    float scale = 0.0f;       ///< pixels of one cell of the memory
    bool with_axes = false;   ///< room for the names of the axes
    bool with_title = false;  ///< room for the head's name above
  };

  static constexpr float kStrip = 11.0f, kGap = 4.0f, kApart = 14.0f;

  /// The largest maps that fit. Where they would be too small to read, the axes go first, then the
  /// titles, then all heads but one.
  static Grid fit_grid(const Painter& painter, const Shown& shown, const Box& box, float taken) {
    struct Detail {
      bool axes, title;
      float least;  ///< pixels of the longer side that make it worth it
    };
    const float line = painter.line_height();
    const Detail details[] = {{true, true, painter.px(72)},
                              {false, true, std::max(40.0f, 1.2f * line)},
                              {false, false, std::min(painter.px(30), 40.0f)}};
    Grid best;
    for (const int heads : {shown.heads, 1}) {
      for (const Detail& detail : details) {
        best = Grid{};
        for (int columns = 1; columns <= heads; ++columns) {
          const int rows = (heads + columns - 1) / columns;
          Grid grid;
          grid.columns = columns;
          grid.heads = heads;
          grid.with_axes = detail.axes;
          grid.with_title = detail.title;
          grid.cell = {box.width() / static_cast<float>(columns),
                       std::max(box.height() - taken, 1.0f) / static_cast<float>(rows)};
          const float across =
              grid.cell.x - painter.px(kStrip + kGap + kApart) - (detail.axes ? line : 0.0f);
          const float down = grid.cell.y - (detail.title ? line : 0.0f) - painter.px(kGap) -
                             (detail.axes ? line : 0.0f);
          grid.scale = std::min(across / static_cast<float>(std::max(shown.values, 1)),
                                down / static_cast<float>(std::max(shown.keys, 1)));
          if (columns == 1 || grid.scale > best.scale) best = grid;
        }
        const float side = best.scale * static_cast<float>(std::max(shown.keys, shown.values));
        if (side >= detail.least) return best;
      }
    }
    return best;
  }

  void figure(Scene& scene, Painter& painter, const BlockCard& block, const Shown& shown, int head,
              const Box& cell, const Grid& grid, const ColourScale& colours,
              const ColourScale& n_colours) {
    if (grid.scale <= 0.0f) return;
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const float left = grid.with_axes ? line : 0.0f;
    const ImVec2 size{std::max(1.0f, std::floor(grid.scale * static_cast<float>(shown.values))),
                      std::max(1.0f, std::floor(grid.scale * static_cast<float>(shown.keys)))};
    const float whole = left + painter.px(kStrip + kGap) + size.x;
    // The figure stands in the middle of its cell, so that several look like one row.
    const float x = std::floor(cell.min.x + std::max(0.0f, (cell.width() - whole) / 2));
    const Box title{{x + left, cell.min.y},
                    {std::max(x + whole, cell.max.x - painter.px(kApart / 2)),
                     cell.min.y + (grid.with_title ? line : 0.0f)}};
    const float top = title.max.y + (grid.with_title ? 0.0f : painter.px(1));
    const Box axis{{x, top}, {x + left, top + size.y}};
    const Box strip{{x + left, top}, {x + left + painter.px(kStrip), top + size.y}};
    const Box map{{strip.max.x + painter.px(kGap), top},
                  {strip.max.x + painter.px(kGap) + size.x, top + size.y}};

    const bool chosen = head == focused_head(block, scene.focus) && shown.heads > 1;
    const Trace* trace = scene.snapshot.trace.get();
    const Recorded* m = trace ? trace->find(shown.step, block.prefix + "/m") : nullptr;
    const bool alone = grid.heads < shown.heads;
    const std::string name =
        alone ? fmt::format("head {} of {}", head, shown.heads) : fmt::format("head {}", head);
    std::vector<std::string> titles;
    if (m && head < m->heads) {
      titles.push_back(painter.fit_number(m->at(head, 0), title.width(), name + "   m = "));
    }
    titles.push_back(name);
    titles.push_back(std::to_string(head));
    painter.first_in(title, chosen ? palette.text : palette.muted_text, titles, Align::left,
                     chosen ? Weight::bold : Weight::regular);
    // Where only one head has room, its name leads to the next one.
    if (touch("title", title).pressed) scene.focus.head = alone ? (head + 1) % shown.heads : head;
    hint(scene, title,
         fmt::format("Head {} of {}.{} {}", head, shown.heads,
                     m && head < m->heads
                         ? fmt::format(" m = {}: its memory is stored divided by exp(m).",
                                       short_number(m->at(head, 0)))
                         : std::string(),
                     alone ? "There is no room for all heads: click for the next one."
                           : "Click to put it in focus."));

    draw_heat(painter, scene.images, fmt::format("memory/{}", head), map,
              part(shown.cells, head, shown.keys * shown.values), shown.keys, shown.values,
              colours);
    painter.outline({{map.min.x - 1, map.min.y - 1}, {map.max.x + 1, map.max.y + 1}},
                    chosen ? palette.accent : palette.grid, chosen ? painter.line_width() : 1.0f);
    if (!shown.n.empty()) {
      draw_heat(painter, scene.images, fmt::format("memory/n{}", head), strip,
                part(shown.n, head, shown.keys), shown.keys, 1, n_colours);
      painter.outline({{strip.min.x - 1, strip.min.y - 1}, {strip.max.x + 1, strip.max.y + 1}},
                      palette.grid);
    }
    if (grid.with_axes) {
      const std::string last_key = std::to_string(shown.keys - 1);
      const std::string last_value = std::to_string(shown.values - 1);
      const std::string key_names[] = {"key k (row)", "key k", "k"};
      const std::string value_names[] = {"value v (column)", "value v", "v"};
      // Numbers stand at both ends; the name gets what they leave.
      const float apart = painter.px(8), digit = painter.measure("0").x;
      const float key_ends = painter.measure(last_key).x + digit + apart;
      const float value_ends = painter.measure(last_value).x + digit + apart;
      if (key_ends <= axis.height()) {
        painter.text_up(axis, palette.muted_text, "0", Align::right);
        if (shown.keys > 1) painter.text_up(axis, palette.muted_text, last_key, Align::left);
      }
      const float key_room = axis.height() - 2 * (painter.measure(last_key).x + apart);
      for (const std::string& word : key_names) {
        if (painter.measure(word).x > key_room) continue;
        painter.text_up(axis, palette.muted_text, word);
        break;
      }
      const Box under{{map.min.x, map.max.y + 1}, {map.max.x, map.max.y + 1 + line}};
      if (value_ends <= under.width()) {
        painter.text_in(under, palette.muted_text, "0", Align::left);
        if (shown.values > 1) {
          painter.text_in(under, palette.muted_text, last_value, Align::right);
        }
      }
      Box middle = under.inset(painter.measure(last_value).x + apart, 0);
      painter.first_in(middle, palette.muted_text, value_names, Align::centre);
      const Box n_name{{strip.min.x, under.min.y}, {map.min.x, under.max.y}};
      const std::string n[] = {"n"};
      if (!shown.n.empty()) painter.first_in(n_name, palette.muted_text, n);
      hint(scene, axis, "Rows of the memory: the components of the key, from 0 on top.");
      hint(scene, {{map.min.x, under.min.y}, under.max},
           "Columns of the memory: the components of the value, from 0 at the left.");
      hint(scene, n_name, "The strip beside the memory is the normalizer n, one number per key.");
    }
    const std::span<const float> cells = part(shown.cells, head, shown.keys * shown.values);
    const Outside broken = outside(cells, colours);
    if (const double most = largest(cells);
        broken.not_numbers() == static_cast<int>(cells.size()) && !cells.empty()) {
      const std::string texts[] = {
          broken.nan == broken.not_numbers() ? "all NaN" : "no finite number", "NaN"};
      say_on(painter, map, texts);
    } else if (locked_ && most < kFaint * colours.high() &&
               (most > 0.0 || broken.not_numbers() == 0)) {
      faint(painter, map, most, colours.high());
    }

    const float h = size.y / static_cast<float>(shown.keys);
    const float w = size.x / static_cast<float>(shown.values);
    const auto key_at = [&](float y) {
      return std::clamp(static_cast<int>((y - map.min.y) / h), 0, shown.keys - 1);
    };
    const Touch on_map = touch("map", map);
    const Touch on_strip = shown.n.empty() ? Touch{} : touch("n", strip);
    const std::string path = block.prefix + (mode_ == Mode::value ? "/C" : "/write");
    if (on_map.hovered || on_map.held) {
      const int key = key_at(on_map.mouse.y);
      const int value =
          std::clamp(static_cast<int>((on_map.mouse.x - map.min.x) / w), 0, shown.values - 1);
      hovered_ = ValueRef{path, shown.step, head, key * shown.values + value};
      describe(scene, block, shown, head, key, value);
    } else if (on_strip.hovered || on_strip.held) {
      const int key = key_at(on_strip.mouse.y);
      hovered_ = ValueRef{block.prefix + "/n", shown.step, head, key};
      card_.push_back({fmt::format("n[{}] = {}", key,
                                   short_number(part(shown.n, head,
                                                     shown.keys)[static_cast<std::size_t>(key)])),
                       true});
      card_.push_back({fmt::format("normalizer vector, head {}, t = {}", head, shown.step)});
    }
    if ((on_map.pressed || on_strip.pressed) && hovered_) {
      scene.focus.pinned = hovered_;
      scene.focus.head = head;
    }
    const auto frame = [&](const std::optional<ValueRef>& ref, float width) {
      if (!ref || ref->head != head || ref->unit < 0) return;
      const bool matrix = ref->path == block.prefix + "/C" || ref->path == block.prefix + "/write";
      const bool vector = ref->path == block.prefix + "/n" || ref->path == block.prefix + "/k";
      if (!matrix && !vector) return;
      const int key = matrix ? ref->unit / shown.values : ref->unit;
      if (key >= shown.keys) return;
      const float y = map.min.y + h * static_cast<float>(key);
      const float grow = std::max(0.0f, (painter.px(5) - std::min(w, h)) / 2);
      Box cell_box{{strip.min.x, y - grow}, {strip.max.x, y + h + grow}};
      if (matrix) {
        const float at = map.min.x + w * static_cast<float>(ref->unit % shown.values);
        cell_box = {{at - grow, y - grow}, {at + w + grow, y + h + grow}};
      }
      painter.outline(cell_box, palette.text, width);
    };
    frame(scene.focus.pinned, painter.px(1.5f));
    frame(scene.focus.hovered, painter.px(2.0f));
  }

  /// Below this share of the range a map looks empty.
  static constexpr double kFaint = 0.03;

  /// Says on a map without visible colours why it has none.
  static void faint(Painter& painter, const Box& map, double most, double range) {
    const std::string texts[] = {
        most > 0.0 ? fmt::format("|x| ≤ {} of ±{}", short_number(most), short_number(range))
                   : std::string("all 0"),
        most > 0.0 ? fmt::format("≤ {}", short_number(most)) : std::string("0")};
    say_on(painter, map, texts);
  }

  /// Writes the first of the texts that fits over a map.
  static void say_on(Painter& painter, const Box& map, std::span<const std::string> texts) {
    for (const std::string& text : texts) {
      const ImVec2 size = painter.measure(text);
      if (size.x + painter.px(8) > map.width() || size.y > map.height()) continue;
      const ImVec2 c = map.centre();
      const Box plate{{c.x - size.x / 2 - painter.px(4), c.y - size.y / 2},
                      {c.x + size.x / 2 + painter.px(4), c.y + size.y / 2}};
      painter.fill(plate, with_alpha(painter.palette().panel, 0.8f), painter.px(3));
      painter.text_in(plate, painter.palette().muted_text, text, Align::centre);
      return;
    }
  }

  void describe(const Scene& scene, const BlockCard& block, const Shown& shown, int head, int key,
                int value) {
    const int size = shown.keys * shown.values;
    const float number =
        part(shown.cells, head, size)[static_cast<std::size_t>(key * shown.values + value)];
    card_.push_back({fmt::format("{}[{}, {}] = {}", mode_ == Mode::value ? "C" : "write", key,
                                 value, short_number(number)),
                     true});
    card_.push_back(
        {fmt::format("head {}, key {}, value {}, t = {}", head, key, value, shown.step)});
    const Trace* trace = scene.snapshot.trace.get();
    const auto find = [&](const char* name) {
      return trace ? trace->find(shown.step, block.prefix + "/" + name) : nullptr;
    };
    const Recorded* gate = find("input_gate");
    const Recorded* k = find("k");
    const Recorded* v = find("v");
    if (gate && k && v && head < std::min({gate->heads, k->heads, v->heads}) && key < k->dim &&
        value < v->dim) {
      const double i = gate->at(head, 0), a = k->at(head, key), b = v->at(head, value);
      card_.push_back({fmt::format("last write i' k v = {} · {} · {} = {}", short_number(i),
                                   short_number(a), short_number(b), short_number(i * a * b))});
    }
    const Recorded* m = find("m");
    if (m && head < m->heads && mode_ == Mode::value) {
      card_.push_back(
          {fmt::format("stored divided by exp(m), m = {}", short_number(m->at(head, 0)))});
    }
    card_.push_back({"click: pin"});
  }

  // -- One number a unit --------------------------------------------------------------------------

  /// What a unit's memory answers before the output gate: c / n, or tanh(c) where there is no n.
  static float answer_of(const BlockCard& block, float c, float n) {
    return block.has_normalizer ? c / n : std::tanh(c);
  }
  static const char* answer_name(const BlockCard& block) {
    return block.has_normalizer ? "c / n" : "tanh(c)";
  }
  /// The cells of a step and what normalises them: n is null where there is none.
  struct Cells {
    const Recorded *c = nullptr, *n = nullptr;
    bool complete = false;
    float n_at(int head, int unit) const { return n ? n->at(head, unit) : 0.0f; }
  };
  static Cells cells_of(const BlockCard& block, const Trace* trace, int step) {
    Cells cells;
    if (!trace) return cells;
    cells.c = trace->find(step, block.prefix + "/c");
    cells.n = block.has_normalizer ? trace->find(step, block.prefix + "/n") : nullptr;
    cells.complete = cells.c && cells.c->dim >= 1 &&
                     (!block.has_normalizer || (cells.n && cells.c->heads == cells.n->heads &&
                                                cells.c->dim == cells.n->dim));
    return cells;
  }

  /// The answers of all units, one strip a head.
  void cells(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace, Box rest) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const int step = std::min(scene.snapshot.session.cursor, trace.length() - 1);
    const Cells cells = cells_of(block, &trace, step);
    const Recorded* const c = cells.c;
    if (!cells.complete) {
      say(painter, rest, "The cells of this block were not recorded.");
      return;
    }
    const std::string name = answer_name(block);
    const std::string sentence =
        fmt::format("An {} keeps one number per unit, not a matrix: {}, {}.", block.title, name,
                    block.has_normalizer ? "the weighted mean of what was written"
                                         : "what has been written and kept, squashed");
    const float words =
        painter.paragraph(rest.min, rest.width(), 0, sentence, Weight::regular, false);
    if (words + 6 * line < rest.height()) {
      painter.paragraph(rest.cut_top(words).min, rest.width(), palette.muted_text, sentence);
      rest.cut_top(painter.px(6));
    }
    std::vector<float> ratio(c->values.size());
    for (std::size_t i = 0; i < ratio.size(); ++i)
      ratio[i] = answer_of(block, c->values[i], cells.n ? cells.n->values[i] : 0.0f);
    const ColourScale colours(palette, MapName::signed_values, -1.0, 1.0);
    Legend legend{name, "fixed range, all heads", "", outside(ratio, colours)};
    legend.brief = name;
    const Box legend_row = rest.height() >= 2.5f * line ? rest.cut_bottom(line) : Box{};
    rest.cut_bottom(painter.px(4));
    const float each =
        std::min(rest.height() / static_cast<float>(c->heads), 2 * line + painter.px(56));
    bool shared = false;
    for (int head = 0; head < c->heads; ++head) {
      Box row = rest.cut_top(each);
      row.cut_bottom(painter.px(5));
      const bool titled = row.height() > 2.2f * line;
      const bool chosen = head == focused_head(block, scene.focus) && c->heads > 1;
      ImGui::PushID(head);
      if (titled) {
        const Box title = row.cut_top(line);
        const std::string titles[] = {
            fmt::format("head {}: units 0…{}, t = {}", head, c->dim - 1, step),
            fmt::format("head {}, t = {}", head, step), fmt::format("head {}", head),
            std::to_string(head)};
        painter.first_in(title, chosen ? palette.text : palette.muted_text, titles, Align::left,
                         chosen ? Weight::bold : Weight::regular);
        if (touch("title", title).pressed) scene.focus.head = head;
        hint(scene, title,
             fmt::format("Head {} of {}: one cell per unit. Click to put it in focus.", head,
                         c->heads));
      }
      shared |= draw_heat(painter, scene.images, fmt::format("memory/c{}", head), row,
                          part(ratio, head, c->dim), 1, c->dim, colours);
      painter.outline(row, chosen ? palette.accent : palette.grid,
                      chosen ? painter.line_width() : 1.0f);
      const float w = row.width() / static_cast<float>(c->dim);
      const Touch mouse = touch("strip", row);
      if ((mouse.hovered || mouse.held) && w > 0.0f) {
        const int unit =
            std::clamp(static_cast<int>((mouse.mouse.x - row.min.x) / w), 0, c->dim - 1);
        hovered_ = ValueRef{block.prefix + "/c", step, head, unit};
        if (mouse.pressed) {
          scene.focus.pinned = hovered_;
          scene.focus.head = head;
        }
        const float cell = c->at(head, unit), weight = cells.n_at(head, unit);
        const std::string answer = short_number(answer_of(block, cell, weight));
        card_.push_back({cells.n
                             ? fmt::format("c / n = {} / {} = {}", short_number(cell),
                                           short_number(weight), answer)
                             : fmt::format("tanh(c) = tanh({}) = {}", short_number(cell), answer),
                         true});
        card_.push_back({fmt::format("head {}, unit {}, t = {}", head, unit, step)});
        card_.push_back({"click: pin"});
      }
      for (const auto& ref : {scene.focus.pinned, scene.focus.hovered}) {
        if (!ref || ref->head != head || ref->unit < 0 || ref->unit >= c->dim) continue;
        if (value_prefix(ref->path) != block.prefix) continue;
        const float x = row.min.x + w * static_cast<float>(ref->unit);
        const float grow = std::max(0.0f, (painter.px(5) - w) / 2);
        painter.outline({{x - grow, row.min.y - 1}, {x + w + grow, row.max.y + 1}}, palette.text,
                        painter.px(1.5f));
      }
      ImGui::PopID();
    }
    if (shared) legend.transform = "largest |x| of a pixel";
    draw_legend(painter, legend_row, colours, legend);
    explain_legend(scene, legend_row, colours, legend);
  }

  Mode mode_ = Mode::value;
  bool locked_ = true;
  bool relock_ = false;  ///< asked for in this frame
  Source source_;
  Range values_, writes_, n_;
  std::uint64_t broken_trace_ = 0;
  std::string broken_prefix_;
  int broken_ = -1;
  int asked_ = -1;  ///< block whose memory was asked for
  Hover hover_;

  // Of this frame.
  std::optional<ValueRef> hovered_;
  std::vector<CardLine> card_;
};

Table MemoryView::table(const Scene& scene) const {
  Table table;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  const Trace* trace = scene.snapshot.trace.get();
  if (block && !block->has_matrix) {
    table.columns = {"step", "head", "unit", "c"};
    if (block->has_normalizer) table.columns.push_back("n");
    table.columns.push_back(answer_name(*block));
    table.places = 3;
    table.step_column = 0;
    table.titles = column_titles(table.columns, *block);
    const int step = trace ? std::min(scene.snapshot.session.cursor, trace->length() - 1) : -1;
    const Cells cells = cells_of(*block, trace, step);
    if (!cells.complete) return table;
    for (int head = 0; head < cells.c->heads; ++head) {
      for (int unit = 0; unit < cells.c->dim; ++unit) {
        const float cell = cells.c->at(head, unit), weight = cells.n_at(head, unit);
        std::vector<std::string> row = {std::to_string(step), std::to_string(head),
                                        std::to_string(unit), full_number(cell)};
        if (cells.n) row.push_back(full_number(weight));
        row.push_back(full_number(answer_of(*block, cell, weight)));
        table.rows.push_back(std::move(row));
      }
    }
    return table;
  }
  table.columns = {"step", "head", "key", "value", "C", "last write", "n of the key"};
  table.places = 4;
  table.step_column = 0;
  const MemoryImage* image = scene.snapshot.memory.get();
  if (!block || !image || image->block != block_index(scene)) return table;
  const Shown shown = gather(scene, *block, *image, Mode::value);
  const Shown write = gather(scene, *block, *image, Mode::write);
  if (shown.cells.empty()) return table;
  // Beyond this many rows only the head in focus is listed, and to look at its first keys.
  constexpr std::size_t kMostRows = 100000;
  const std::size_t most = scene.most_rows > 0 ? scene.most_rows : kMostRows;
  const bool all = shown.cells.size() <= most;
  const int focused = focused_head(*block, scene.focus);
  int keys = shown.keys;
  if (!all) {
    if (scene.most_rows > 0)
      keys = std::clamp(static_cast<int>(most) / std::max(1, shown.values), 1, shown.keys);
    if (shown.heads > 1) {
      table.note = fmt::format(
          "Only head {} of {} is listed: all of them would be {} rows. Choose another head to list "
          "it.",
          focused, shown.heads, shown.cells.size());
    }
    if (keys < shown.keys) {
      table.note += fmt::format("{}Keys 0 to {} of {} are listed.", table.note.empty() ? "" : " ",
                                keys - 1, shown.keys);
    }
  }
  std::size_t i = 0;
  for (int head = 0; head < shown.heads; ++head) {
    if (!all && head != focused) {
      i += static_cast<std::size_t>(shown.keys) * static_cast<std::size_t>(shown.values);
      continue;
    }
    for (int key = 0; key < keys; ++key) {
      for (int value = 0; value < shown.values; ++value, ++i) {
        const auto n = static_cast<std::size_t>(head) * static_cast<std::size_t>(shown.keys) +
                       static_cast<std::size_t>(key);
        table.rows.push_back({std::to_string(shown.step), std::to_string(head), std::to_string(key),
                              std::to_string(value), full_number(shown.cells[i]),
                              write.cells.empty() ? "" : full_number(write.cells[i]),
                              shown.n.empty() ? "" : full_number(shown.n[n])});
      }
    }
  }
  return table;
}

}  // namespace

std::unique_ptr<View> make_memory_view() {
  return std::make_unique<MemoryView>();
}

}  // namespace xlab::ui
