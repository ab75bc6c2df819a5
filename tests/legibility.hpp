// Whether what a view wrote can be read: no number cut, nothing cut off, nothing written over.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
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

}  // namespace xlab::tests
