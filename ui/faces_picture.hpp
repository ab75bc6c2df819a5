// The other face of an mLSTM: which token's answer is made of which token's write, as a matrix.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/analysis/implied_attention.hpp"
#include "ui/cursor_drag.hpp"
#include "ui/heat.hpp"
#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/time_window.hpp"

namespace xlab::ui {

/// Which of its factors the matrix shows.
enum class FacesFactor : std::uint8_t { weight, overlap, decay, product };
inline constexpr int kFacesFactors = 4;

/// What a factor is called: "q·k".
const char* factor_name(FacesFactor factor);
/// And what it is, in a sentence.
const char* factor_sentence(FacesFactor factor);
double factor_value(const ImpliedAttention& attention, FacesFactor factor, int t, int s);

/// Draws the lower triangle, rows t and columns s, with the sums of the rows and the floor lamp
/// beside it.
class FacesPicture {
 public:
  /// More steps are left out: it shows those around the cursor.
  static constexpr int kMostSteps = 512;

  /// Where the matrix goes in `box`, and which steps it shows. Call before the attention follows.
  void arrange(const Scene& scene, Painter& painter, int length, int most, const Box& box);
  const TimeWindow& window() const { return window_; }

  void draw(Scene& scene, Painter& painter, const BlockCard& block,
            const ImpliedAttention& attention, FacesFactor factor, HoverCard& card,
            std::optional<ValueRef>& hovered);
  /// The write that is looked at, -1: none. A click chooses it.
  int written() const { return written_; }

 private:
  struct Colours {
    MapName map = MapName::signed_values;
    double range = 1.0;
  };
  void prepare(const Scene& scene, const ImpliedAttention& attention, FacesFactor factor);
  void axes(const Scene& scene, Painter& painter) const;
  void sums(Scene& scene, Painter& painter, const BlockCard& block,
            const ImpliedAttention& attention, HoverCard& card, std::optional<ValueRef>& hovered);
  void interact(Scene& scene, Painter& painter, const BlockCard& block,
                const ImpliedAttention& attention, FacesFactor factor, HoverCard& card,
                std::optional<ValueRef>& hovered);
  void lamp_legend(Painter& painter, const ImpliedAttention& attention);
  void cross(const Scene& scene, Painter& painter, const ImpliedAttention& attention) const;
  Box row(int t) const;
  /// The part of the map that there are numbers for.
  Box recorded() const;

  TimeWindow window_;
  Box map_, left_, top_, right_, foot_;
  CursorDrag drag_;
  int written_ = -1;
  // What was prepared, and from what.
  std::vector<float> values_;
  HeatPixels pixels_;
  Colours colours_;
  Outside outside_;
  double largest_sum_ = 0.0;
  const Palette* palette_ = nullptr;
  std::uint64_t trace_id_ = 0, run_ = 0;
  std::string prefix_;
  int head_ = -1, first_ = -1, count_ = -1;
  float side_ = 0.0f;
  FacesFactor factor_ = FacesFactor::weight;
};

}  // namespace xlab::ui
