// One element for each thing drawn.
#include "ui/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/utf8.hpp"

namespace xlab::ui {
namespace {

/// Hundredths of a pixel are finer than any printer.
std::string at(float value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string escaped(std::string_view words) {
  std::string out;
  for (const char c : words) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // Of control characters XML knows only these.
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n') out += c;
    }
  }
  return out;
}

/// ` fill="#rrggbb" fill-opacity="0.5"`.
std::string paint(std::string_view what, ImU32 colour) {
  const auto part = [&](int shift) { return (colour >> shift) & 0xffu; };
  std::string text = fmt::format(" {}=\"#{:02x}{:02x}{:02x}\"", what, part(IM_COL32_R_SHIFT),
                                 part(IM_COL32_G_SHIFT), part(IM_COL32_B_SHIFT));
  if (part(IM_COL32_A_SHIFT) < 255)
    text += fmt::format(" {}-opacity=\"{}\"", what,
                        at(static_cast<float>(part(IM_COL32_A_SHIFT)) / 255.0f));
  return text;
}

std::string base64(std::string_view bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t j) {
      return j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u;
    };
    const unsigned three = (byte(i) << 16) | (byte(i + 1) << 8) | byte(i + 2);
    for (int j = 0; j < 4; ++j)
      out += i + static_cast<std::size_t>(j) > bytes.size()
                 ? '='
                 : kLetters[(three >> (18 - 6 * j)) & 63u];
  }
  return out;
}

std::string box_attributes(const Box& box) {
  return fmt::format(" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", at(box.min.x), at(box.min.y),
                     at(box.width()), at(box.height()));
}

std::string dashes(const Stroke& stroke) {
  const float unit = std::max(stroke.width, 1.0f);
  const auto list = [&](std::initializer_list<float> parts) {
    std::string text;
    for (const float part : parts)
      text += fmt::format("{}{}", text.empty() ? "" : " ", at(unit * part));
    return fmt::format(" stroke-dasharray=\"{}\"", text);
  };
  switch (stroke.dash) {
    case Dash::dashed:
      return list({5, 3});
    case Dash::dotted:
      return list({1.3f, 2.2f});
    case Dash::dash_dot:
      return list({5, 2.5f, 1.3f, 2.5f});
    case Dash::solid:
      break;
  }
  return {};
}

class Writer {
 public:
  Writer(const SvgPage& page, const PngOf& png_of) : page_(page), png_of_(png_of) {}

  std::string write(const DrawLog& drawing) {
    for (const DrawLog::Fill& fill : drawing.fills)
      if (!fill.listed) add(fill.order, fill.clip, fill.box, rectangle(fill));
    for (const DrawLog::Outline& outline : drawing.outlines)
      add(outline.order, outline.clip, outline.box, frame(outline));
    for (const DrawLog::Line& line : drawing.lines) add_line(line);
    for (const DrawLog::Polygon& polygon : drawing.polygons) add_polygon(polygon);
    for (const DrawLog::Circle& circle : drawing.circles) add_circle(circle);
    for (const DrawLog::Hatch& hatch : drawing.hatches) {
      if (hatch.listed) continue;
      hatched_ = true;
      add(hatch.order, hatch.clip, hatch.box,
          fmt::format("<rect{} fill=\"url(#hatch)\"", box_attributes(hatch.box)));
    }
    for (const DrawLog::Heat& heat : drawing.heats) add_heat(heat);
    for (const DrawLog::Text& text : drawing.texts) add_text(text);
    return page();
  }

 private:
  /// `element` is open: what cuts it off is added, and its end.
  void add(int order, const Box& clip, const Box& covered, const std::string& element,
           const std::string& inside = {}, std::string_view name = {}) {
    if (!finite(covered)) return;
    const bool whole = covered.min.x >= clip.min.x - 0.5f && covered.min.y >= clip.min.y - 0.5f &&
                       covered.max.x <= clip.max.x + 0.5f && covered.max.y <= clip.max.y + 0.5f;
    if (clip.empty() && !whole) return;
    const bool turned = element.find("transform") != element.npos;
    const std::string cut =
        whole ? std::string() : fmt::format(" clip-path=\"url(#c{})\"", clip_of(clip));
    std::string text = element + (turned ? std::string() : cut);
    text += inside.empty() ? "/>" : fmt::format(">{}</{}>", inside, name);
    // A turned element would turn what cuts it off too.
    if (turned && !whole) text = fmt::format("<g{}>{}</g>", cut, text);
    elements_.emplace_back(order, std::move(text));
  }

  static bool finite(const Box& box) {
    return std::isfinite(box.min.x) && std::isfinite(box.min.y) && std::isfinite(box.max.x) &&
           std::isfinite(box.max.y);
  }

  std::size_t clip_of(const Box& clip) {
    const std::string key = box_attributes(clip);
    return clips_.emplace(key, clips_.size()).first->second;
  }

  static std::string rectangle(const DrawLog::Fill& fill) {
    const std::string round =
        fill.rounding > 0.0f ? fmt::format(" rx=\"{}\"", at(fill.rounding)) : std::string();
    // Boxes that touch, as in a ramp of colours, show no seams.
    const std::string edges = round.empty() ? " shape-rendering=\"crispEdges\"" : round;
    return fmt::format("<rect{}{}{}", box_attributes(fill.box), edges, paint("fill", fill.colour));
  }

  static std::string frame(const DrawLog::Outline& outline) {
    const std::string round =
        outline.rounding > 0.0f ? fmt::format(" rx=\"{}\"", at(outline.rounding)) : std::string();
    const Box inner = outline.box.inset(0.5f, 0.5f);
    return fmt::format("<rect{}{} fill=\"none\"{} stroke-width=\"{}\"", box_attributes(inner),
                       round, paint("stroke", outline.colour), at(outline.width));
  }

  /// A line that is interrupted where there is no number.
  void add_line(const DrawLog::Line& line) {
    std::vector<ImVec2> run;
    const auto flush = [&] {
      if (run.size() == 1) {
        add_circle({run[0], line.stroke.width, line.stroke.colour, 0.0f, line.clip, line.order});
      } else if (run.size() > 1) {
        Box covered{run[0], run[0]};
        std::string points;
        for (const ImVec2& p : run) {
          points += fmt::format("{}{} {}", points.empty() ? "M" : " L", at(p.x), at(p.y));
          covered.min = {std::min(covered.min.x, p.x), std::min(covered.min.y, p.y)};
          covered.max = {std::max(covered.max.x, p.x), std::max(covered.max.y, p.y)};
        }
        add(line.order, line.clip, covered,
            fmt::format("<path d=\"{}\" fill=\"none\"{} stroke-width=\"{}\"{}", points,
                        paint("stroke", line.stroke.colour), at(line.stroke.width),
                        dashes(line.stroke)));
      }
      run.clear();
    };
    for (const ImVec2& p : line.points) {
      if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
        flush();
        continue;
      }
      if (line.stroke.stepped && !run.empty()) run.push_back({p.x, run.back().y});
      run.push_back(p);
    }
    flush();
  }

  void add_polygon(const DrawLog::Polygon& polygon) {
    for (const ImVec2& p : polygon.points)
      if (!std::isfinite(p.x) || !std::isfinite(p.y)) return;
    std::string points;
    for (const ImVec2& p : polygon.points)
      points += fmt::format("{}{},{}", points.empty() ? "" : " ", at(p.x), at(p.y));
    add(polygon.order, polygon.clip, around(polygon.points),
        fmt::format("<polygon points=\"{}\"{}", points, paint("fill", polygon.colour)));
  }

  static Box around(std::span<const ImVec2> points) {
    Box box{{FLT_MAX, FLT_MAX}, {-FLT_MAX, -FLT_MAX}};
    for (const ImVec2& p : points) {
      box.min = {std::min(box.min.x, p.x), std::min(box.min.y, p.y)};
      box.max = {std::max(box.max.x, p.x), std::max(box.max.y, p.y)};
    }
    return box;
  }

  void add_circle(const DrawLog::Circle& circle) {
    const ImVec2 c = circle.centre;
    const float r = circle.radius;
    const std::string look = circle.width > 0.0f
                                 ? fmt::format(" fill=\"none\"{} stroke-width=\"{}\"",
                                               paint("stroke", circle.colour), at(circle.width))
                                 : paint("fill", circle.colour);
    add(circle.order, circle.clip, {{c.x - r, c.y - r}, {c.x + r, c.y + r}},
        fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}", at(c.x), at(c.y), at(r), look));
  }

  /// Many programs blur what they enlarge, so every cell gets as many pixels as it covers.
  void add_heat(const DrawLog::Heat& heat) {
    const auto times = [](float room, int cells) {
      return std::clamp(static_cast<int>(std::lround(room / static_cast<float>(cells))), 1, 32);
    };
    const int wide = times(heat.box.width(), heat.width),
              high = times(heat.box.height(), heat.height);
    const int width = wide * heat.width, height = high * heat.height;
    std::vector<std::uint32_t> pixels;
    pixels.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        pixels.push_back(heat.pixels[static_cast<std::size_t>(y / high * heat.width + x / wide)]);
    add(heat.order, heat.clip, heat.box,
        fmt::format("<image{} preserveAspectRatio=\"none\" image-rendering=\"optimizeSpeed\" "
                    "style=\"image-rendering:pixelated\" "
                    "xlink:href=\"data:image/png;base64,{}\"",
                    box_attributes(heat.box), base64(png_of_(pixels, width, height))));
  }

  void add_text(const DrawLog::Text& text) {
    if (text.shown.empty()) return;
    const Box& box = text.box;
    const float length = text.upwards ? box.height() : box.width();
    const std::string place =
        text.upwards
            ? fmt::format(" transform=\"translate({} {}) rotate(-90)\"",
                          at(box.min.x + text.ascent), at(box.max.y))
            : fmt::format(" x=\"{}\" y=\"{}\"", at(box.min.x), at(box.min.y + text.ascent));
    const std::string weight = text.weight == Weight::bold ? " font-weight=\"bold\"" : "";
    add(text.order, text.clip, box,
        fmt::format("<text{} textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"{}{}", place,
                    at(length), weight, paint("fill", text.colour)),
        escaped(mended_utf8(text.shown)), "text");
  }

  std::string page() {
    std::stable_sort(elements_.begin(), elements_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
        "width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-size=\"{2}\" "
        "font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\" "
        "xml:space=\"preserve\">\n<title>{3}</title>\n<defs>\n",
        at(page_.size.x), at(page_.size.y), at(page_.text_pixels),
        escaped(mended_utf8(page_.title)));
    for (const auto& [box, id] : clips_)
      out += fmt::format("<clipPath id=\"c{}\"><rect{}/></clipPath>\n", id, box);
    if (hatched_)
      out +=
          "<pattern id=\"hatch\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">"
          "<path d=\"M-1,1 l2,-2 M0,4 l4,-4 M3,5 l2,-2\" stroke=\"#000000\"/></pattern>\n";
    out += fmt::format("</defs>\n<rect width=\"{}\" height=\"{}\"{}/>\n", at(page_.size.x),
                       at(page_.size.y), paint("fill", page_.ground));
    for (const auto& [order, element] : elements_) out += element + "\n";
    return out + "</svg>\n";
  }

  const SvgPage& page_;
  const PngOf& png_of_;
  std::vector<std::pair<int, std::string>> elements_;
  std::map<std::string, std::size_t> clips_;
  bool hatched_ = false;
};

}  // namespace

std::string svg_of(const DrawLog& drawing, const SvgPage& page, const PngOf& png_of) {
  return Writer(page, png_of).write(drawing);
}

}  // namespace xlab::ui
