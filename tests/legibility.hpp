// Whether what a view wrote can be read: no number cut, nothing cut off, nothing written over.
#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ui/draw_log.hpp"

namespace xlab::tests {

/// Whether shortening cut through a number or took the number away from the words before it:
/// "m = −0.03…" and "m = …" say less than nothing, "input ga…" does not.
inline bool cuts_a_number(std::string_view shown, std::string_view wanted) {
  if (shown == wanted) return false;
  constexpr std::string_view kEllipsis = "…";
  if (!shown.ends_with(kEllipsis)) return true;  // other words than were asked for
  std::string_view kept = shown.substr(0, shown.size() - kEllipsis.size());
  std::string_view lost = wanted.substr(std::min(kept.size(), wanted.size()));
  while (lost.starts_with(' ')) lost.remove_prefix(1);
  for (const std::string_view sign : {"−", "-", "+", "±"}) {
    if (lost.starts_with(sign)) lost.remove_prefix(sign.size());
  }
  while (kept.ends_with(' ')) kept.remove_suffix(1);
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  const bool in_exponent = kept.size() > 1 && kept.back() == 'e' && digit(kept[kept.size() - 2]);
  const bool after_sign =
      kept.ends_with("−") || kept.ends_with('=') || kept.ends_with("±") || in_exponent;
  const bool numeric_end = !kept.empty() && (digit(kept.back()) || kept.ends_with('.'));
  const bool numeric_rest = !lost.empty() && (digit(lost.front()) || lost.front() == '.' ||
                                              (numeric_end && lost.front() == 'e'));
  return numeric_rest && (numeric_end || after_sign || kept.empty());
}

inline ui::Box overlap(const ui::Box& a, const ui::Box& b) {
  return {{std::max(a.min.x, b.min.x), std::max(a.min.y, b.min.y)},
          {std::min(a.max.x, b.max.x), std::min(a.max.y, b.max.y)}};
}

inline bool covers(const ui::Box& outer, const ui::Box& inner) {
  return outer.min.x <= inner.min.x && outer.min.y <= inner.min.y && outer.max.x >= inner.max.x &&
         outer.max.y >= inner.max.y;
}

/// Everything in a drawing that a reader would stumble over, as sentences; empty when it is fine.
/// A text may be covered by something opaque that was drawn on purpose between it and the next one,
/// and by hover cards. Lines of a list that scrolls may be cut above and below.
inline std::vector<std::string> stumbles(const ui::DrawLog& log) {
  constexpr float kSlack = 1.5f;  // pixels that letters may share: boxes are wider than ink
  std::vector<std::string> found;
  const auto quoted = [](const ui::DrawLog::Text& text) { return "\"" + text.wanted + "\""; };
  std::vector<const ui::DrawLog::Text*> seen;
  for (const ui::DrawLog::Text& text : log.texts) {
    const ui::Box visible = overlap(text.box, text.clip);
    if (visible.empty() || text.shown.find_first_not_of(' ') == std::string::npos) continue;
    seen.push_back(&text);
    if (cuts_a_number(text.shown, text.wanted)) {
      found.push_back(quoted(text) + " is cut to \"" + text.shown + "\"");
    }
    const float beyond =
        std::max(text.clip.min.x - text.box.min.x, text.box.max.x - text.clip.max.x);
    if (beyond > kSlack) found.push_back(quoted(text) + " runs out of its panel");
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const ui::DrawLog::Text& a = *seen[i];
    const ui::Box a_visible = overlap(a.box, a.clip);
    for (std::size_t j = i + 1; j < seen.size(); ++j) {
      const ui::DrawLog::Text& b = *seen[j];
      if (a.on_top != b.on_top) continue;
      const ui::Box both = overlap(a_visible, overlap(b.box, b.clip));
      if (both.width() < kSlack || both.height() < a.box.height() * 0.2f) continue;
      const bool hidden =
          std::any_of(log.fills.begin(), log.fills.end(), [&](const ui::DrawLog::Fill& fill) {
            return fill.order > a.order && fill.order < b.order && (fill.colour >> 24) == 255 &&
                   covers(overlap(fill.box, fill.clip), both);
          });
      if (!hidden)
        found.push_back(quoted(a) + " and " + quoted(b) + " are written over each other");
    }
  }
  return found;
}

/// Whether the straight line from `a` to `b` enters a box.
inline bool enters(ImVec2 a, ImVec2 b, const ui::Box& box) {
  if (a.x > b.x) std::swap(a, b);
  if (b.x < box.min.x || a.x > box.max.x) return false;
  const float run = std::max(b.x - a.x, 1e-6f);
  const auto y_at = [&](float x) { return a.y + (b.y - a.y) * (x - a.x) / run; };
  const bool steep = b.x - a.x < 0.5f;
  const float first = steep ? a.y : y_at(std::max(a.x, box.min.x));
  const float last = steep ? b.y : y_at(std::min(b.x, box.max.x));
  return std::min(first, last) <= box.max.y && std::max(first, last) >= box.min.y;
}

/// Every text that a line or a curve goes through, as sentences; empty when there is none. A line
/// below an opaque ground of the text does no harm, nor do lines in the colour `faint`, which is
/// that of grids.
inline std::vector<std::string> struck_through(const ui::DrawLog& log, ImU32 faint) {
  std::vector<std::string> found;
  struct Path {
    std::vector<ImVec2> points;
    ui::Box clip;
    int order;
  };
  std::vector<Path> paths;
  for (const ui::DrawLog::Line& line : log.lines) {
    if (line.stroke.colour != faint) paths.push_back({line.points, line.clip, line.order});
  }
  for (const ui::DrawLog::Curve& curve : log.curves) {
    Path path{{}, overlap(curve.box, curve.clip), curve.order};
    for (std::size_t i = 0; i < curve.xs.size(); ++i) {
      path.points.push_back({curve.xs[i], curve.axis.y(curve.ys[i], curve.box)});
    }
    paths.push_back(std::move(path));
  }
  for (const ui::DrawLog::Text& text : log.texts) {
    const ui::Box visible = overlap(text.box, text.clip);
    if (visible.empty() || text.shown.find_first_not_of(' ') == std::string::npos) continue;
    // Lines may touch the edge of a text; its letters stand in the middle.
    const ui::Box letters = visible.inset(1.0f, visible.height() * 0.25f);
    for (const Path& path : paths) {
      const ui::Box reached = overlap(letters, path.clip);
      if (reached.empty()) continue;
      bool through = false;
      for (std::size_t i = 1; i < path.points.size() && !through; ++i) {
        const ImVec2 a = path.points[i - 1], b = path.points[i];
        through = std::isfinite(a.y) && std::isfinite(b.y) && enters(a, b, reached);
      }
      if (!through) continue;
      const bool hidden =
          std::any_of(log.fills.begin(), log.fills.end(), [&](const ui::DrawLog::Fill& fill) {
            return fill.order > path.order && fill.order < text.order &&
                   (fill.colour >> 24) == 255 && covers(overlap(fill.box, fill.clip), letters);
          });
      if (!hidden) {
        found.push_back("a line goes through \"" + text.wanted + "\"");
        break;
      }
    }
  }
  return found;
}

}  // namespace xlab::tests
