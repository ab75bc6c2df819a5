// Heat maps as one texture each, and the legend that says how to read their colours.
#include "ui/heat.hpp"

#include <algorithm>
#include <cmath>

#include "core/hash.hpp"
#include "ui/draw_log.hpp"
#include "ui/number.hpp"

namespace xlab::ui {
namespace {

bool wins(float candidate, float best) {
  if (!std::isfinite(best)) return false;
  return !std::isfinite(candidate) || std::abs(candidate) > std::abs(best);
}

// More hatched cells than this are just magenta: they could not be told apart anyway.
constexpr int kMostHatches = 400;

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
          joined({legend.scope, legend.transform})};
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

struct LegendParts {
  std::string low, high, odd;
  std::vector<std::string> words;
};

LegendParts parts_of(const ColourScale& scale, const Legend& legend) {
  return {short_number(scale.low()), short_number(scale.high()), not_numbers(legend.outside),
          words_of(legend)};
}

float number_width(const Painter& painter, const std::string& number, const Legend& legend) {
  return std::max(painter.measure(number).x + 0.5f, legend.number_width);
}

constexpr float kBarWidth = 88.0f, kGap = 5.0f, kTip = 7.0f, kSwatch = 13.0f;

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
    log->heats.push_back({.key = key,
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
                          .order = log->drawn++});
  }
  const float w = box.width() / static_cast<float>(heat.width);
  const float h = box.height() / static_cast<float>(heat.height);
  int hatches = 0;
  for (int y = 0; y < heat.height && hatches < kMostHatches; ++y) {
    for (int x = 0; x < heat.width && hatches < kMostHatches; ++x) {
      const auto i = static_cast<std::size_t>(y) * static_cast<std::size_t>(heat.width) +
                     static_cast<std::size_t>(x);
      if (heat.pixels[i] != kNotANumber) continue;
      const ImVec2 corner{box.min.x + w * static_cast<float>(x),
                          box.min.y + h * static_cast<float>(y)};
      painter.hatch({corner, {corner.x + w, corner.y + h}}, IM_COL32_BLACK);
      ++hatches;
    }
  }
}

float legend_width(const Painter& painter, const ColourScale& scale, const Legend& legend) {
  const LegendParts parts = parts_of(scale, legend);
  const float gap = painter.px(kGap);
  float width = number_width(painter, parts.low, legend) + gap + painter.px(kBarWidth) + gap +
                number_width(painter, parts.high, legend);
  if (!parts.odd.empty()) width += 3 * gap + painter.px(kSwatch) + painter.measure(parts.odd).x;
  if (!parts.words.front().empty()) width += 2 * gap + painter.measure(parts.words.front()).x;
  return std::ceil(width) + 1.0f;
}

void draw_legend(Painter& painter, const Box& box, const ColourScale& scale, const Legend& legend) {
  if (box.empty()) return;
  const Palette& palette = painter.palette();
  LegendParts parts = parts_of(scale, legend);
  const float gap = painter.px(kGap);
  Box rest = box;
  painter.text_in(rest.cut_left(number_width(painter, parts.low, legend)), palette.text, parts.low,
                  Align::right);
  rest.cut_left(gap);
  const float after = gap + painter.measure(parts.high).x;
  Box bar = rest.cut_left(std::clamp(rest.width() - after, 0.0f, painter.px(kBarWidth)));
  const float inset = std::max(0.0f, (bar.height() - painter.line_height()) / 2);
  bar = bar.inset(0, inset + 1);

  // The bar is made of the very colours of the map; arrow tips say that values lie beyond an end.
  const float tip = painter.px(kTip);
  Box ramp = bar;
  ramp.cut_left(tip);
  ramp.cut_right(tip);
  constexpr int kSteps = 44;
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) / kSteps;
    const float a = ramp.min.x + ramp.width() * static_cast<float>(i) / kSteps;
    const float b = ramp.min.x + ramp.width() * static_cast<float>(i + 1) / kSteps;
    painter.fill({{a, ramp.min.y}, {b, ramp.max.y}},
                 scale(scale.low() + (scale.high() - scale.low()) * t));
  }
  if (!ramp.empty()) {
    painter.outline(ramp, palette.muted_text, 1.0f);
    const float mid = ramp.centre().y;
    if (legend.outside.below) {
      painter.list().AddTriangleFilled({bar.min.x, mid}, {ramp.min.x, ramp.min.y},
                                       {ramp.min.x, ramp.max.y}, palette.text);
    }
    if (legend.outside.above) {
      painter.list().AddTriangleFilled({bar.max.x, mid}, {ramp.max.x, ramp.max.y},
                                       {ramp.max.x, ramp.min.y}, palette.text);
    }
    if (scale.map() == MapName::signed_values) {
      painter.text_in(ramp, readable_on(scale(0.0)), "0", Align::centre);
    }
  }
  rest.cut_left(gap);
  painter.text_in(rest.cut_left(number_width(painter, parts.high, legend)), palette.text,
                  parts.high);
  // The words matter more than which kind of no number there is.
  if (!parts.odd.empty() && rest.width() < painter.measure(parts.odd + parts.words.front()).x +
                                               painter.px(kSwatch) + 5 * gap) {
    parts.odd = std::to_string(legend.outside.not_numbers()) + " NaN/Inf";
  }
  if (!parts.odd.empty()) {
    rest.cut_left(2 * gap);
    Box swatch = rest.cut_left(painter.px(kSwatch));
    swatch = swatch.inset(0, std::max(0.0f, (swatch.height() - painter.px(kSwatch)) / 2));
    painter.fill(swatch, kNotANumber);
    painter.hatch(swatch, IM_COL32_BLACK);
    rest.cut_left(gap);
    painter.text_in(rest.cut_left(painter.measure(parts.odd).x + 0.5f), palette.text, parts.odd);
  }
  rest.cut_left(2 * gap);
  painter.text_in(rest, palette.muted_text, painter.fit_first(parts.words, rest.width()));
}

}  // namespace xlab::ui
