// Palettes, colour maps and the fixed looks of the gates.
#include "ui/colour.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "kernels/check.hpp"

namespace xlab::ui {
namespace {

constexpr ImU32 rgb(unsigned hex) {
  return IM_COL32((hex >> 16) & 0xff, (hex >> 8) & 0xff, hex & 0xff, 255);
}

constexpr ImU32 kPositive = rgb(0x0877BD), kNegative = rgb(0xF59322);

const Palette kLight{PaletteName::light, rgb(0xF2F4F5), rgb(0xFFFFFF), rgb(0x1A1E22), rgb(0x56606A),
                     rgb(0xDCE0E4),      rgb(0x6231C4), rgb(0x6231C4), rgb(0xB00020), rgb(0xE9ECEF),
                     rgb(0xD7DCE1),      rgb(0xE8EAEB), 1.5f};
const Palette kDark{PaletteName::dark, rgb(0x121518), rgb(0x1B1F24), rgb(0xE8EBEE), rgb(0xA3ADB8),
                    rgb(0x343B43),     rgb(0xB79CFF), rgb(0xB79CFF), rgb(0xFF8A80), rgb(0x2B3138),
                    rgb(0x3A424B),     rgb(0x1B1F24), 1.5f};
const Palette kProjector{
    PaletteName::projector, rgb(0xFFFFFF), rgb(0xFFFFFF), rgb(0x000000), rgb(0x33383D),
    rgb(0xB4BAC0),          rgb(0x4A18A8), rgb(0x4A18A8), rgb(0x9C0014), rgb(0xE2E6EA),
    rgb(0xC8CED4),          rgb(0xE8EAEB), 2.5f};

// Ten evenly spaced colours of the published cividis map; between them it is close to linear.
constexpr std::array<ImU32, 10> kCividis{rgb(0x00204D), rgb(0x00336F), rgb(0x39486B), rgb(0x575C6D),
                                         rgb(0x707173), rgb(0x8A8779), rgb(0xA69D75), rgb(0xC4B56C),
                                         rgb(0xE4CF5B), rgb(0xFFEA46)};

// Low is close to the panel, so that a quiet sequence looks quiet.
constexpr std::array<ImU32, 4> kLogOnLight{rgb(0xF1F6F4), rgb(0xA5D8C6), rgb(0x2E9C86),
                                           rgb(0x003F3B)};
constexpr std::array<ImU32, 4> kLogOnDark{rgb(0x20282B), rgb(0x0F5C57), rgb(0x2FB497),
                                          rgb(0xDDFBEA)};

// Of eight runs: on a light and on a dark ground. Each stands out from it by three to one.
constexpr std::array<ImU32, 8> kRunsOnLight{rgb(0x0072B2), rgb(0xD0480A), rgb(0x006B4F),
                                            rgb(0xC2639A), rgb(0x1F1F1F), rgb(0x769A1E),
                                            rgb(0x4593DA), rgb(0x6A2A9C)};
constexpr std::array<ImU32, 8> kRunsOnDark{rgb(0x4EA3E0), rgb(0xE07030), rgb(0x19C98A),
                                           rgb(0xE3A3D0), rgb(0xFFFFFF), rgb(0xF2D64B),
                                           rgb(0x8A78FF), rgb(0xB05A4A)};
constexpr std::array<Dash, 8> kRunDashes{Dash::solid, Dash::dashed, Dash::dotted, Dash::dash_dot,
                                         Dash::solid, Dash::dotted, Dash::dashed, Dash::dash_dot};

// Of parts that lie side by side: dark and light in turn, and none of the colours of signed values.
constexpr std::array<ImU32, 6> kParts{rgb(0x2F7F79), rgb(0xDCCB97), rgb(0x7B63A8),
                                      rgb(0xA5D6C0), rgb(0x97546A), rgb(0xCBBEE6)};

ImU32 along(std::span<const ImU32> stops, double t) {
  const double place = std::clamp(t, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto left = std::min(static_cast<std::size_t>(place), stops.size() - 2);
  return mix(stops[left], stops[left + 1], static_cast<float>(place - static_cast<double>(left)));
}

double luminance(ImU32 colour) {
  const auto linear = [&](int shift) {
    const double c = ((colour >> shift) & 0xff) / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(IM_COL32_R_SHIFT) + 0.7152 * linear(IM_COL32_G_SHIFT) +
         0.0722 * linear(IM_COL32_B_SHIFT);
}

}  // namespace

const Palette& palette(PaletteName name) {
  if (name == PaletteName::dark) return kDark;
  if (name == PaletteName::projector) return kProjector;
  return kLight;
}

PaletteName palette_name(const std::string& text) {
  if (text == "light") return PaletteName::light;
  if (text == "dark") return PaletteName::dark;
  check(text == "projector", "There is no palette \"{}\": use light, dark or projector.", text);
  return PaletteName::projector;
}

ImU32 with_alpha(ImU32 colour, float alpha) {
  const float old = static_cast<float>(colour >> IM_COL32_A_SHIFT);
  const auto a = static_cast<ImU32>(std::clamp(old * alpha, 0.0f, 255.0f) + 0.5f);
  return (colour & ~IM_COL32_A_MASK) | (a << IM_COL32_A_SHIFT);
}

ImU32 mix(ImU32 a, ImU32 b, float t) {
  t = std::clamp(t, 0.0f, 1.0f);
  ImU32 result = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    const float x = static_cast<float>((a >> shift) & 0xff);
    const float y = static_cast<float>((b >> shift) & 0xff);
    result |= static_cast<ImU32>(x + (y - x) * t + 0.5f) << shift;
  }
  return result;
}

ImU32 readable_on(ImU32 colour) {
  const double l = luminance(colour);
  return (l + 0.05) * (l + 0.05) > 1.05 * 0.05 ? IM_COL32_BLACK : IM_COL32_WHITE;
}

ColourScale::ColourScale(const Palette& palette, MapName map, double low, double high)
    : map_(map), low_(low), high_(high) {
  if (!std::isfinite(high_)) high_ = 1.0;
  if (!std::isfinite(low_)) low_ = 0.0;
  if (map_ == MapName::signed_values) {
    high_ = std::abs(high_) > 0.0 ? std::abs(high_) : 1.0;
    low_ = -high_;
  } else if (!(high_ > low_)) {
    high_ = low_ + 1.0;
  }
  const bool dark = palette.name == PaletteName::dark;
  const int last = static_cast<int>(table_.size()) - 1;
  for (int i = 0; i <= last; ++i) {
    const double t = static_cast<double>(i) / last;
    ImU32& colour = table_[static_cast<std::size_t>(i)];
    if (map_ == MapName::unit) {
      colour = along(kCividis, t);
    } else if (map_ == MapName::log_domain) {
      colour = along(dark ? kLogOnDark : kLogOnLight, t);
    } else {
      colour = mix(palette.zero, i * 2 < last ? kNegative : kPositive,
                   static_cast<float>(std::abs(2.0 * t - 1.0)));
    }
  }
}

ImU32 ColourScale::operator()(double value) const {
  if (!std::isfinite(value)) return kNotANumber;
  const double last = static_cast<double>(table_.size() - 1);
  const double t = std::clamp((value - low_) / (high_ - low_), 0.0, 1.0);
  return table_[static_cast<std::size_t>(t * last + 0.5)];
}

ImU32 part_colour(int token) {
  return kParts[static_cast<std::size_t>(std::max(token, 0)) % kParts.size()];
}

RunStyle run_style(const Palette& palette, int index) {
  const auto& colours = palette.name == PaletteName::dark ? kRunsOnDark : kRunsOnLight;
  const std::size_t i = static_cast<std::size_t>(std::max(index, 0)) % colours.size();
  return {colours[i], kRunDashes[i]};
}

GateStyle gate_style(const Palette& palette, char letter) {
  switch (letter) {
    case 'i':
      return {"i", rgb(0xD55E00), Dash::solid};
    case 'f':
      return {"f", rgb(0x0072B2), Dash::dashed};
    case 'o':
      return {"o", rgb(0x009E73), Dash::dotted};
    case 'z':
      return {"z", rgb(0xCC79A7), Dash::dash_dot};
    case 'c':
      return {"c", rgb(0x56B4E9), Dash::solid, 1.8f};
    case 'C':
      return {"C", rgb(0x56B4E9), Dash::solid, 1.8f};
    case 'n':
      return {"n", rgb(0xE69F00), Dash::solid, 0.7f};
    case 'm':
      return {"m", palette.name == PaletteName::dark ? IM_COL32_WHITE : IM_COL32_BLACK, Dash::solid,
              1.0f, true};
    default:
      return {letter == ' ' ? std::string() : std::string(1, letter), palette.text, Dash::solid};
  }
}

}  // namespace xlab::ui
