// Heat maps as one texture each, and the legend that says how to read their colours.
#include "ui/heat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/hash.hpp"
#include "ui/draw_log.hpp"
#include "ui/hint.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

bool wins(float candidate, float best) {
  if (!std::isfinite(best)) return false;
  return !std::isfinite(candidate) || std::abs(candidate) > std::abs(best);
}

// Diagonal lines over all cells that are no number: each line of the whole map is followed from
// cell to cell and drawn where it passes such cells, so that areas are hatched as one and a map
// full of them costs no more lines than its outline is long.
void hatch_cells(Painter& painter, const Box& box, const HeatPixels& heat) {
  if (std::find(heat.pixels.begin(), heat.pixels.end(), kNotANumber) == heat.pixels.end()) return;
  const float w = box.width() / static_cast<float>(heat.width);
  const float h = box.height() / static_cast<float>(heat.height);
  const auto odd = [&](float x, float y) {
    const int column = std::clamp(static_cast<int>((x - box.min.x) / w), 0, heat.width - 1);
    const int row = std::clamp(static_cast<int>((y - box.min.y) / h), 0, heat.height - 1);
    return heat.pixels[static_cast<std::size_t>(row) * static_cast<std::size_t>(heat.width) +
                       static_cast<std::size_t>(column)] == kNotANumber;
  };
  // Close enough that one goes through every cell that is large enough to show it.
  const float gap = std::max(3.0f, std::min(painter.px(4.0f), w + h));
  const float width = std::max(1.0f, painter.px(1.0f));
  DrawLog* log = painter.log();
  const ImVec2 low = painter.list().GetClipRectMin(), high = painter.list().GetClipRectMax();
  const Box seen{{std::max(box.min.x, low.x), std::max(box.min.y, low.y)},
                 {std::min(box.max.x, high.x), std::min(box.max.y, high.y)}};
  const auto draw = [&](float sum, float from, float to) {
    const ImVec2 a{from, sum - from}, b{to, sum - to};
    painter.list().AddLine(a, b, IM_COL32_BLACK, width);
    if (!log) return;
    log->lines.push_back({{a, b}, {IM_COL32_BLACK, width}, seen, log->drawn++});
    log->hatches.push_back({{{a.x, b.y}, {b.x, a.y}}, log->drawn++, true});
  };
  // Along a line x + y stays the same.
  const float first = box.min.x + box.min.y, last = box.max.x + box.max.y;
  const float start = std::ceil(first / gap) * gap;
  const int lines = static_cast<int>(std::floor((last - start) / gap)) + 1;
  for (int i = 0; i < lines; ++i) {
    const float sum = start + static_cast<float>(i) * gap;
    float x = std::max(box.min.x, sum - box.max.y);
    const float end = std::min(box.max.x, sum - box.min.y);
    float begin = -1.0f;  // of the part that passes cells that are no number
    bool inside = false;
    while (x < end) {
      const float y = sum - x;
      const float across = box.min.x + w * (std::floor((x - box.min.x) / w + 1e-3f) + 1.0f);
      const float up = sum - (box.min.y + h * (std::ceil((y - box.min.y) / h - 1e-3f) - 1.0f));
      const float next = std::clamp(std::min(across, up), x + 0.01f, std::max(end, x + 0.01f));
      const float middle = (x + next) / 2;
      const bool now = odd(middle, sum - middle);
      if (now && !inside) begin = x;
      if (!now && inside) draw(sum, begin, x);
      inside = now;
      x = next;
    }
    if (inside) draw(sum, begin, end);
  }
}

/// The words, complete first and then shorter.
std::vector<std::string> words_of(const Legend& legend) {
  const auto joined = [](std::initializer_list<std::string> parts) {
    std::string words;
    for (const std::string& part : parts) {
      if (part.empty()) continue;
      if (!words.empty()) words += " · ";
      words += part;
    }
    return words;
  };
  return {joined({legend.unit, legend.scope, legend.transform}),
          joined({legend.scope, legend.transform}),
          joined({legend.brief, legend.transform}),
          legend.scope,
          legend.brief,
          legend.transform.empty() ? legend.unit : legend.transform};
}

/// The longest of the words that fit; empty when none do.
std::string fitting(const Painter& painter, std::span<const std::string> texts, float width) {
  for (const std::string& text : texts) {
    if (!text.empty() && painter.measure(text).x <= width) return text;
  }
  return {};
}

std::string not_numbers(const Outside& outside) {
  std::string words;
  const auto add = [&](int count, const char* name) {
    if (count == 0) return;
    if (!words.empty()) words += ", ";
    words += std::to_string(count) + " " + name;
  };
  add(outside.nan, "NaN");
  add(outside.plus_inf, "+Inf");
  add(outside.minus_inf, "−Inf");
  return words;
}

constexpr float kBarWidth = 88.0f, kShortest = 40.0f, kGap = 5.0f, kTip = 7.0f, kSwatch = 13.0f;

}  // namespace

Outside outside(std::span<const float> values, const ColourScale& scale) {
  Outside result;
  for (const float value : values) {
    if (std::isnan(value)) {
      ++result.nan;
    } else if (std::isinf(value)) {
      ++(value > 0 ? result.plus_inf : result.minus_inf);
    } else {
      // A range made from these very values in float must not count as exceeded by its own end.
      const double slack = 1e-6 * (scale.high() - scale.low());
      result.below |= value < scale.low() - slack;
      result.above |= value > scale.high() + slack;
    }
  }
  return result;
}

double largest(std::span<const float> values) {
  float result = 0.0f;
  for (const float value : values) {
    if (std::isfinite(value)) result = std::max(result, std::abs(value));
  }
  return result;
}

HeatPixels heat_pixels(std::span<const float> values, int rows, int columns, int max_height,
                       int max_width, const ColourScale& scale) {
  HeatPixels heat;
  if (rows < 1 || columns < 1 ||
      values.size() < static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns)) {
    return heat;
  }
  heat.height = std::clamp(max_height, 1, rows);
  heat.width = std::clamp(max_width, 1, columns);
  heat.reduced = heat.height < rows || heat.width < columns;
  heat.pixels.reserve(static_cast<std::size_t>(heat.height) * static_cast<std::size_t>(heat.width));
  const auto at = [&](int row, int column) {
    return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                  static_cast<std::size_t>(column)];
  };
  const auto part = [](int i, int count, int of) {
    return static_cast<int>(static_cast<std::int64_t>(i) * count / of);
  };
  for (int y = 0; y < heat.height; ++y) {
    const int top = part(y, rows, heat.height), bottom = part(y + 1, rows, heat.height);
    for (int x = 0; x < heat.width; ++x) {
      const int left = part(x, columns, heat.width), right = part(x + 1, columns, heat.width);
      float best = at(top, left);
      for (int row = top; row < bottom; ++row) {
        for (int column = left; column < right; ++column) {
          if (wins(at(row, column), best)) best = at(row, column);
        }
      }
      heat.pixels.push_back(scale(best));
    }
  }
  // A texture has to be uploaded again when its pixels differ, so their digest is its version.
  heat.digest = hash_bytes(std::as_bytes(std::span(heat.pixels)));
  return heat;
}

bool draw_heat(Painter& painter, Images& images, const std::string& key, const Box& box,
               std::span<const float> values, int rows, int columns, const ColourScale& scale) {
  if (box.empty()) return false;
  const HeatPixels heat = heat_pixels(values, rows, columns, static_cast<int>(box.height()),
                                      static_cast<int>(box.width()), scale);
  draw_heat(painter, images, key, box, values, rows, columns, scale, heat);
  return heat.reduced;
}

void draw_heat(Painter& painter, Images& images, const std::string& key, const Box& box,
               std::span<const float> values, int rows, int columns, const ColourScale& scale,
               const HeatPixels& heat) {
  if (box.empty() || heat.pixels.empty()) return;
  const ImTextureID texture =
      images.texture(key, heat.digest, heat.width, heat.height, heat.pixels);
  painter.list().AddImage(texture, box.min, box.max);
  if (DrawLog* log = painter.log()) {
    log->heats.push_back(
        {.key = key,
         .box = box,
         .values = {values.begin(), values.end()},
         .rows = rows,
         .columns = columns,
         .map = scale.map(),
         .low = scale.low(),
         .high = scale.high(),
         .width = heat.width,
         .height = heat.height,
         .pixels = heat.pixels,
         .order = log->drawn++,
         .clip = {painter.list().GetClipRectMin(), painter.list().GetClipRectMax()}});
  }
  hatch_cells(painter, box, heat);
}

float legend_width(const Painter& painter, const ColourScale& scale, const Legend& legend) {
  const float gap = painter.px(kGap);
  float width = 2 * gap + painter.px(kBarWidth);
  for (const double end : {scale.low(), scale.high()}) {
    width += std::max(painter.measure(short_number(end)).x + 0.5f, legend.number_width);
  }
  const std::string odd = not_numbers(legend.outside), words = words_of(legend).front();
  if (!odd.empty()) width += 3 * gap + painter.px(kSwatch) + painter.measure(odd).x;
  if (!words.empty()) width += 2 * gap + painter.measure(words).x;
  return std::ceil(width) + 1.0f;
}

namespace {

/// The bar, made of the very colours of the map; arrow tips say that values lie beyond an end.
void draw_ramp(Painter& painter, const Box& bar, const ColourScale& scale, const Outside& beyond) {
  const Palette& palette = painter.palette();
  Box ramp = bar;
  const float tip = std::min(painter.px(kTip), bar.width() / 6);
  ramp.cut_left(tip);
  ramp.cut_right(tip);
  if (ramp.empty()) return;
  constexpr int kSteps = 44;
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) / kSteps;
    const float a = ramp.min.x + ramp.width() * static_cast<float>(i) / kSteps;
    const float b = ramp.min.x + ramp.width() * static_cast<float>(i + 1) / kSteps;
    painter.fill({{a, ramp.min.y}, {b, ramp.max.y}},
                 scale(scale.low() + (scale.high() - scale.low()) * t));
  }
  painter.outline(ramp, palette.muted_text, 1.0f);
  const float mid = ramp.centre().y;
  if (beyond.below) {
    const ImVec2 tip_left[] = {{bar.min.x, mid}, ramp.min, {ramp.min.x, ramp.max.y}};
    painter.polygon(tip_left, palette.text);
  }
  if (beyond.above) {
    const ImVec2 tip_right[] = {{bar.max.x, mid}, ramp.max, {ramp.max.x, ramp.min.y}};
    painter.polygon(tip_right, palette.text);
  }
  if (scale.map() == MapName::signed_values) {
    painter.text_in(ramp, readable_on(scale(0.0)), "0", Align::centre);
  }
}

}  // namespace

void draw_legend(Painter& painter, const Box& box, const ColourScale& scale, const Legend& legend) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  const float gap = painter.px(kGap);
  Box rest = box;
  // The ends first: without them a colour says nothing. Both get the same room.
  const float each = (rest.width() - painter.px(kShortest) - 2 * gap) / 2;
  const std::string low = painter.fit_number(scale.low(), each);
  const std::string high = painter.fit_number(scale.high(), each);
  if (!low.empty() && !high.empty()) {
    const auto room = [&](const std::string& number) {
      const float wanted = std::max(painter.measure(number).x + 0.5f, legend.number_width);
      return wanted <= each ? wanted : painter.measure(number).x + 0.5f;
    };
    painter.text_in(rest.cut_left(room(low)), palette.text, low, Align::right);
    rest.cut_left(gap);
    const float after = gap + room(high);
    const Box bar = rest.cut_left(std::clamp(rest.width() - after, 0.0f, painter.px(kBarWidth)));
    draw_ramp(painter, bar.inset(0, std::max(0.0f, (bar.height() - painter.line_height()) / 2) + 1),
              scale, legend.outside);
    rest.cut_left(gap);
    painter.text_in(rest.cut_left(room(high)), palette.text, high);
  } else {
    const Box bar = rest.cut_left(painter.px(kBarWidth));
    draw_ramp(painter, bar.inset(0, 1), scale, legend.outside);
  }
  // The words matter more than which kind of no number there is, their number more than the words.
  const std::vector<std::string> words = words_of(legend);
  if (const int odd = legend.outside.not_numbers(); odd > 0) {
    const std::string kinds[] = {not_numbers(legend.outside), std::to_string(odd) + " NaN/Inf"};
    const float left = rest.width() - 3 * gap - painter.px(kSwatch);
    const float with_words = left - 2 * gap - painter.measure(words.front()).x;
    std::string count = fitting(painter, kinds, with_words);
    if (count.empty()) count = fitting(painter, {kinds + 1, 1}, left);
    if (left + gap >= 0.0f) {
      rest.cut_left(2 * gap);
      Box swatch = rest.cut_left(painter.px(kSwatch));
      swatch = swatch.inset(0, std::max(0.0f, (swatch.height() - painter.px(kSwatch)) / 2));
      painter.fill(swatch, kNotANumber);
      painter.hatch(swatch, IM_COL32_BLACK);
      rest.cut_left(gap);
      painter.text_in(rest.cut_left(painter.measure(count).x + 0.5f), palette.text, count);
    }
  }
  rest.cut_left(2 * gap);
  painter.text_in(rest, palette.muted_text, fitting(painter, words, rest.width()));
}

void explain_legend(const Scene& scene, const Box& box, const ColourScale& scale,
                    const Legend& legend) {
  if (!box.contains(ImGui::GetIO().MousePos)) return;
  const std::string low = short_number(scale.low()), high = short_number(scale.high());
  std::string words = legend.unit.empty() ? "Colours" : "Colours of " + legend.unit;
  if (scale.map() == MapName::signed_values) {
    words += fmt::format(
        ": orange is negative, down to {}; zero has the colour of the ground; blue "
        "is positive, up to {}.",
        low, high);
  } else {
    words += fmt::format(": from {} at the left end of the bar to {} at its right end.", low, high);
  }
  if (!legend.scope.empty()) words += "\nRange: " + legend.scope + ".";
  if (!legend.more.empty()) words += "\n" + legend.more;
  if (!legend.transform.empty()) words += "\nBefore colouring: " + legend.transform + ".";
  if (legend.outside.below || legend.outside.above) {
    words += "\nThe black tip: values lie beyond that end.";
  }
  const std::string odd = not_numbers(legend.outside);
  if (!odd.empty()) words += "\nHatched magenta: what is no number (" + odd + ").";
  hint(scene, box, words);
}

}  // namespace xlab::ui
