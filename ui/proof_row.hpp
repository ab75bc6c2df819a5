// What the rows of the proof have in common: their columns, and the log scale of their tracks.
#pragma once

#include <span>
#include <string_view>

#include "ui/paint.hpp"

namespace xlab::ui {

/// The mark and the name come first, then the track, then the number.
struct ProofColumns {
  Box mark, name, track, number;
};
/// `widest`: the longest of the names, which have that room where a track is left beside them.
ProofColumns proof_columns(const Painter& painter, Box row, std::string_view widest);

/// From `low`, where nothing can be told from 0, to `high`.
struct LogScale {
  double low, high;

  /// Place of a number, 0..1; what is smaller than the scale lies at its beginning, NaN at its end.
  float place(double number) const;
  /// Writes powers of ten under a track; those named first where there is no room for all, and the
  /// lowest as 0.
  void label(Painter& painter, const Box& row, std::span<const int> powers) const;
};

}  // namespace xlab::ui
