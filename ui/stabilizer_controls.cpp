// The switches of the stabilizer lab.
#include "ui/stabilizer_controls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "ui/block_chooser.hpp"
#include "ui/ground.hpp"
#include "ui/stabilizer_keys.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

constexpr NumberFormat kModelFormats[] = {NumberFormat::native, NumberFormat::fp64,
                                          NumberFormat::fp32, NumberFormat::bf16,
                                          NumberFormat::fp16};

/// Words before a chooser where the row has room for them and for the chooser; muted.
void caption(Painter& painter, Box& row, std::span<const std::string> texts, float needed) {
  for (const std::string& text : texts) {
    const float width = painter.measure(text).x + painter.px(6);
    if (width + needed > row.width()) continue;
    painter.text_in(row.cut_left(width), painter.palette().muted_text, text);
    return;
  }
}

std::vector<std::string> names_of(std::span<const NumberFormat> formats) {
  std::vector<std::string> names;
  for (const NumberFormat format : formats) names.emplace_back(xlab::name_of(format));
  return names;
}

int index_of(std::span<const NumberFormat> formats, NumberFormat format) {
  return static_cast<int>(std::find(formats.begin(), formats.end(), format) - formats.begin());
}

/// A chooser with its caption; returns what is chosen.
int captioned(Painter& painter, Box& row, const char* id, std::span<const std::string> captions,
              std::span<const std::string> labels, int chosen, float reserved) {
  const float needed = chooser_width(painter, labels) + reserved;
  const float all = chooser_widths(painter, labels).all + reserved;
  caption(painter, row, captions, all <= row.width() ? all : needed);
  // What follows keeps its room.
  Box part = row;
  part.max.x = std::max(part.min.x, row.max.x - reserved);
  const int result = choose_at(painter, id, part, labels, chosen);
  row.min.x = std::min(part.min.x + painter.px(6), row.max.x);
  return result;
}

}  // namespace

void draw_stabilizer_places(Scene& scene, Painter& painter, Box row, StabilizerChoice& choice,
                            HoverCard& card) {
  const BlockCard& block = *focused_block(scene.snapshot, scene.focus);
  const int units = std::max(1, block.value_dim);
  if (why_no_stabilizer(block).empty() && units > 1) {
    const char* const word = block.scan == Scan::mlstm ? "channel" : "unit";
    const std::string texts[] = {fmt::format("{} {} of {}", word, choice.unit, units),
                                 fmt::format("{} {}", word, choice.unit),
                                 std::to_string(choice.unit)};
    const float room = std::clamp(row.width() * 0.28f, 0.0f, painter.px(160));
    const Box slider = row.cut_right(room);
    row.cut_right(painter.px(8));
    const std::string text = painter.fit_first(texts, slider.width() - painter.px(8));
    double unit = choice.unit;
    if (painter.exporting()) {
      painter.text_in(slider, painter.palette().text, text, Align::right);
    } else if (slider_at(painter, "unit", slider, unit, 0.0, units - 1.0, false, text, 1.0)) {
      choice.unit = std::clamp(static_cast<int>(std::lround(unit)), 0, units - 1);
    }
    if (block.scan == Scan::mlstm) {
      card.explain(slider, {{"Which number of the answer is drawn"},
                            {"m belongs to the head; each value channel has its own column of C "
                             "and its own number in h."}});
    } else {
      card.explain(slider, {{"Which unit is drawn"}, {"Each unit has an m of its own."}});
    }
  }
  choose_block_and_head(scene, painter, row, "Which head of the block is shown.", card);
}

void draw_model_switches(Scene& scene, Painter& painter, Box row, const BlockCard& block,
                         HoverCard& card) {
  const CellValues& values = *block.values;
  const std::string switches[] = {"on", "off"};
  const std::vector<std::string> formats = names_of(kModelFormats);
  const bool has_format = values.has(Choice::number_format);
  const auto send = [&](const CellVariant& variant) {
    scene.send(command::SetVariant{block.kind, variant});
  };
  if (values.has(Choice::stabilizer) && !values.is_idle(Choice::stabilizer)) {
    const std::string captions[] = {"the model itself: stabilizer", "model: stabilizer", "m"};
    const Box whole = row;
    const int now = block.variant.stabilizer ? 0 : 1;
    const float reserved =
        has_format ? chooser_width(painter, formats) + painter.px(10) : painter.px(2);
    const int wanted = captioned(painter, row, "stabilizer", captions, switches, now,
                                 std::min(reserved, row.width() * 0.55f));
    if (wanted != now) {
      CellVariant variant = block.variant;
      variant.stabilizer = wanted == 0;
      send(variant);
    }
    card.explain({whole.min, {row.min.x, whole.max.y}},
                 {{fmt::format("Stabilizer of all {} blocks", block.title), true},
                  {"On: everything is stored divided by exp(m). Off: raw exponentials, which may "
                   "overflow. The model is computed again; Undo takes it back."}});
  }
  if (!has_format) return;
  const std::string captions[] = {"its numbers in", "in"};
  const int now = index_of(kModelFormats, block.variant.number_format);
  const Box whole = row;
  const int wanted = captioned(painter, row, "numbers", captions, formats, now, 0.0f);
  if (wanted != now) {
    CellVariant variant = block.variant;
    variant.number_format = kModelFormats[wanted];
    send(variant);
  }
  card.explain({whole.min, {row.min.x, whole.max.y}},
               {{fmt::format("Arithmetic of all {} blocks", block.title), true},
                {"Every operation of the cell rounds to this format; native is the model's own. "
                 "Between two tokens the memory lies in the model's numbers, whatever is chosen "
                 "here."}});
}

void draw_replay_switches(Painter& painter, Box row, StabilizerChoice& choice, HoverCard& card) {
  const std::vector<std::string> formats = names_of(kReplayFormats);
  std::vector<std::string> thresholds;
  for (const double threshold : kThresholds) thresholds.push_back(percent(threshold));
  const Box whole = row;
  const float reserved =
      std::min(chooser_width(painter, thresholds) + painter.px(10), row.width() * 0.45f);
  const std::string captions[] = {"this head once more, with and without m, in",
                                  "once more with and without m, in", "once more in", "in"};
  const int format = captioned(painter, row, "replay", captions, formats,
                               index_of(kReplayFormats, choice.format), reserved);
  choice.format = kReplayFormats[std::clamp(format, 0, 3)];
  card.explain({whole.min, {row.min.x, whole.max.y}},
               {{"Number format of the two answers below", true},
                {"Both are computed here from the recorded pre-activations, queries, keys and "
                 "values; the model stays as it is."}});
  const auto at = std::find(std::begin(kThresholds), std::end(kThresholds), choice.threshold);
  const int now = static_cast<int>(at == std::end(kThresholds) ? 1 : at - std::begin(kThresholds));
  const std::string beyond[] = {"wrong means off by more than", "wrong beyond", "beyond"};
  const Box rest = row;
  const int wanted = captioned(painter, row, "threshold", beyond, thresholds, now, 0.0f);
  choice.threshold = kThresholds[wanted];
  card.explain({rest.min, {row.min.x, rest.max.y}},
               {{"From where on an answer counts as wrong", true},
                {"Its distance from the answer in fp64 with the stabilizer, as a share of that."}});
}

}  // namespace xlab::ui
