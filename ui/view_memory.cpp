// The matrix memory of one block at the cursor, head by head.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/heat.hpp"
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
    if (block->kind == "slstm") {
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

  void header(Scene& scene, Painter& painter, Box& rest) {
    const ModelCard& model = *scene.snapshot.model;
    const float height = painter.line_height() + painter.px(4);
    std::vector<std::string> blocks;
    for (std::size_t b = 0; b < model.blocks.size(); ++b) {
      blocks.push_back(
          fmt::format("block {} {}", b, model.blocks[b].kind == "slstm" ? "sLSTM" : "mLSTM"));
    }
    const int block = block_index(scene);
    const bool matrix = model.blocks[static_cast<std::size_t>(block)].kind != "slstm";
    const std::string modes[] = {"value C", "last write"};
    const std::string ranges[] = {"this step", "locked"};
    const std::string words = "range";
    float options = painter.measure(words).x + painter.px(20);
    for (const std::string* list : {modes, ranges}) {
      for (int i = 0; i < 2; ++i) options += painter.measure(list[i]).x + painter.px(18);
    }
    float blocks_width = 0.0f;
    for (const std::string& label : blocks)
      blocks_width += painter.measure(label).x + painter.px(18);

    Box row = rest.cut_top(height);
    const bool one_row = blocks_width + options <= row.width();
    Box second = row;
    if (matrix && !one_row && rest.height() > 5 * height) {
      rest.cut_top(painter.px(3));
      second = rest.cut_top(height);
    } else if (matrix) {
      second = row.cut_right(std::min(options, row.width() * 0.65f));
    }
    const int chosen = choose_at(painter, "block", row, blocks, block);
    if (chosen != block) {
      scene.focus.block = chosen;
      scene.send(command::Focus{chosen});
    }
    if (matrix) {
      mode_ = choose_at(painter, "mode", second, modes, mode_ == Mode::write ? 1 : 0) == 1
                  ? Mode::write
                  : Mode::value;
      second.cut_left(painter.px(10));
      painter.text_in(second.cut_left(painter.measure(words).x + painter.px(5)),
                      painter.palette().muted_text, words);
      locked_ = choose_at(painter, "range", second, ranges, locked_ ? 1 : 0) == 1;
    }
    rest.cut_top(painter.px(5));
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

  /// The range of the colours: of this step, or of everything seen since the run was opened.
  double range_of(const Scene& scene, double now, double& seen) {
    const std::uint64_t run = scene.snapshot.run_id;
    const int block = block_index(scene);
    if (run != seen_run_ || block != seen_block_) {
      seen_values_ = seen_writes_ = seen_n_ = 0.0;
      seen_run_ = run;
      seen_block_ = block;
    }
    seen = std::max(seen, now);
    return locked_ ? seen : now;
  }

  void matrices(Scene& scene, Painter& painter, const BlockCard& block, const Shown& shown,
                Box rest) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const double range =
        range_of(scene, largest(shown.cells), mode_ == Mode::value ? seen_values_ : seen_writes_);
    const double n_range = range_of(scene, largest(shown.n), seen_n_);
    const ColourScale colours(palette, MapName::signed_values, 0.0, range);
    const ColourScale n_colours(palette, MapName::signed_values, 0.0, n_range);

    // Legends at the bottom, side by side where there is room.
    const std::string scope = locked_ ? "all heads, locked" : "all heads, this step";
    Legend legend{mode_ == Mode::value ? "C / exp(m)" : "i' k vᵀ", scope, "",
                  outside(shown.cells, colours)};
    Legend n_legend{"n / exp(m)", "", "", outside(shown.n, n_colours)};
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
    const bool side_by_side = !with_n || both <= rest.width();
    if (rest.height() > 5 * line) {
      Box row = rest.cut_bottom(line);
      if (with_n && side_by_side) {
        draw_legend(painter, row.cut_right(legend_width(painter, n_colours, n_legend)), n_colours,
                    n_legend);
        draw_legend(painter, row, colours, legend);
      } else {
        if (with_n) {
          draw_legend(painter, row, n_colours, n_legend);
          row = rest.cut_bottom(line);
        }
        draw_legend(painter, row, colours, legend);
      }
      rest.cut_bottom(painter.px(5));
    }
    grid = fit_grid(painter, shown, rest, 0.0f);
    for (int head = 0; head < shown.heads; ++head) {
      const float x = rest.min.x + static_cast<float>(head % grid.columns) * grid.cell.x;
      const float y = rest.min.y + static_cast<float>(head / grid.columns) * grid.cell.y;
      const Box cell{{x, y}, {x + grid.cell.x, y + grid.cell.y}};
      ImGui::PushID(head);
      figure(scene, painter, block, shown, head, cell, grid, colours, n_colours);
      ImGui::PopID();
    }
  }

  /// Figures in columns and rows such that cells are as large as they can be.
  struct Grid {
    int columns = 1;
    ImVec2 cell{0, 0};
    float scale = 0.0f;      ///< pixels of one cell of the memory
    bool with_axes = false;  ///< room for the names of the axes
  };

  static constexpr float kStrip = 11.0f, kGap = 4.0f, kApart = 14.0f;

  static Grid fit_grid(const Painter& painter, const Shown& shown, const Box& box, float taken) {
    Grid best;
    const float line = painter.line_height();
    for (const bool axes : {true, false}) {
      for (int columns = 1; columns <= shown.heads; ++columns) {
        const int rows = (shown.heads + columns - 1) / columns;
        Grid grid;
        grid.columns = columns;
        grid.with_axes = axes;
        grid.cell = {box.width() / static_cast<float>(columns),
                     std::max(box.height() - taken, 1.0f) / static_cast<float>(rows)};
        const float across =
            grid.cell.x - painter.px(kStrip + kGap + kApart) - (axes ? line : 0.0f);
        const float down = grid.cell.y - line - painter.px(kGap) - (axes ? line : 0.0f);
        grid.scale = std::min(across / static_cast<float>(std::max(shown.values, 1)),
                              down / static_cast<float>(std::max(shown.keys, 1)));
        if (grid.scale > best.scale) best = grid;
      }
      // Axis names cost room that small maps do not have.
      const float side = best.scale * static_cast<float>(std::max(shown.keys, shown.values));
      if (axes && side >= painter.px(72)) return best;
      if (axes) best = Grid{};
    }
    return best;
  }

  void figure(Scene& scene, Painter& painter, const BlockCard& block, const Shown& shown, int head,
              Box cell, const Grid& grid, const ColourScale& colours,
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
    const Box title{{x + left, cell.min.y}, {x + whole, cell.min.y + line}};
    const float top = title.max.y;
    const Box axis{{x, top}, {x + left, top + size.y}};
    const Box strip{{x + left, top}, {x + left + painter.px(kStrip), top + size.y}};
    const Box map{{strip.max.x + painter.px(kGap), top},
                  {strip.max.x + painter.px(kGap) + size.x, top + size.y}};

    const bool chosen = head == focused_head(block, scene.focus) && shown.heads > 1;
    const Trace* trace = scene.snapshot.trace.get();
    const Recorded* m = trace ? trace->find(shown.step, block.prefix + "/m") : nullptr;
    std::vector<std::string> titles;
    if (m && head < m->heads) {
      titles.push_back(fmt::format("head {}   m = {}", head, short_number(m->at(head, 0))));
    }
    titles.push_back(fmt::format("head {}", head));
    titles.push_back(std::to_string(head));
    painter.text_in(title, chosen ? palette.text : palette.muted_text,
                    painter.fit_first(titles, title.width()), Align::left,
                    chosen ? Weight::bold : Weight::regular);
    if (touch("title", title).pressed) scene.focus.head = head;

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
      const std::string key_names[] = {"key k (row)", "key k", "k", ""};
      const std::string value_names[] = {"value v (column)", "value v", "v", ""};
      // Numbers stand at both ends; the name gets what they leave.
      const float apart = painter.px(16);
      const float key_room = axis.height() - 2 * painter.measure(last_key).x - apart;
      const float value_room = map.width() - 2 * painter.measure(last_value).x - apart;
      painter.text_up(axis, palette.muted_text, painter.fit_first(key_names, key_room));
      painter.text_up(axis, palette.muted_text, "0", Align::right);
      painter.text_up(axis, palette.muted_text, last_key, Align::left);
      const Box under{{map.min.x, map.max.y + 1}, {map.max.x, map.max.y + 1 + line}};
      painter.text_in(under, palette.muted_text, painter.fit_first(value_names, value_room),
                      Align::centre);
      painter.text_in(under, palette.muted_text, "0", Align::left);
      painter.text_in(under, palette.muted_text, last_value, Align::right);
      const Box n_name{{strip.min.x - painter.px(2), under.min.y}, {map.min.x, under.max.y}};
      if (!shown.n.empty()) painter.text_in(n_name, palette.muted_text, "n", Align::left);
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

  // -- sLSTM --------------------------------------------------------------------------------------

  /// c / n of every unit, one strip a head.
  void cells(Scene& scene, Painter& painter, const BlockCard& block, const Trace& trace, Box rest) {
    const Palette& palette = painter.palette();
    const float line = painter.line_height();
    const int step = std::min(scene.snapshot.session.cursor, trace.length() - 1);
    const Recorded* c = trace.find(step, block.prefix + "/c");
    const Recorded* n = trace.find(step, block.prefix + "/n");
    if (!c || !n || c->heads != n->heads || c->dim != n->dim || c->dim < 1) {
      say(painter, rest, "The cells of this block were not recorded.");
      return;
    }
    const std::string sentence =
        "An sLSTM keeps one number per unit, not a matrix: c / n, the weighted mean of what was "
        "written.";
    const float words =
        painter.paragraph(rest.min, rest.width(), 0, sentence, Weight::regular, false);
    if (words + 4 * line < rest.height()) {
      painter.paragraph(rest.cut_top(words).min, rest.width(), palette.muted_text, sentence);
      rest.cut_top(painter.px(6));
    }
    std::vector<float> ratio(c->values.size());
    for (std::size_t i = 0; i < ratio.size(); ++i) ratio[i] = c->values[i] / n->values[i];
    const ColourScale colours(palette, MapName::signed_values, -1.0, 1.0);
    Legend legend{"c / n", "fixed range, all heads", "", outside(ratio, colours)};
    const Box legend_row = rest.height() > 3 * line ? rest.cut_bottom(line) : Box{};
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
        painter.text_in(title, chosen ? palette.text : palette.muted_text,
                        fmt::format("head {}: units 0…{}, t = {}", head, c->dim - 1, step),
                        Align::left, chosen ? Weight::bold : Weight::regular);
        if (touch("title", title).pressed) scene.focus.head = head;
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
        const float cell = c->at(head, unit), weight = n->at(head, unit);
        card_.push_back({fmt::format("c / n = {} / {} = {}", short_number(cell),
                                     short_number(weight), short_number(cell / weight)),
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
  }

  Mode mode_ = Mode::value;
  bool locked_ = true;
  double seen_values_ = 0.0, seen_writes_ = 0.0, seen_n_ = 0.0;
  std::uint64_t seen_run_ = 0;
  int seen_block_ = -1;
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
  if (block && block->kind == "slstm") {
    table.columns = {"step", "head", "unit", "c", "n", "c / n"};
    table.places = 3;
    table.step_column = 0;
    table.titles = column_titles(table.columns, *block);
    const int step = trace ? std::min(scene.snapshot.session.cursor, trace->length() - 1) : -1;
    const Recorded* c = trace ? trace->find(step, block->prefix + "/c") : nullptr;
    const Recorded* n = trace ? trace->find(step, block->prefix + "/n") : nullptr;
    if (!c || !n || c->heads != n->heads || c->dim != n->dim) return table;
    for (int head = 0; head < c->heads; ++head) {
      for (int unit = 0; unit < c->dim; ++unit) {
        const float cell = c->at(head, unit), weight = n->at(head, unit);
        table.rows.push_back({std::to_string(step), std::to_string(head), std::to_string(unit),
                              full_number(cell), full_number(weight), full_number(cell / weight)});
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
  // Beyond this many rows a table is no longer read: then only the head in focus is listed.
  constexpr std::size_t kMostRows = 100000;
  const bool all = shown.cells.size() <= kMostRows;
  const int focused = focused_head(*block, scene.focus);
  std::size_t i = 0;
  for (int head = 0; head < shown.heads; ++head) {
    if (!all && head != focused) {
      i += static_cast<std::size_t>(shown.keys) * static_cast<std::size_t>(shown.values);
      continue;
    }
    for (int key = 0; key < shown.keys; ++key) {
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
