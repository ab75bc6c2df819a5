// The rows above the stabilizer lab: which block, head and unit; the switches of the model itself;
// and the format in which the cell is computed once more.
#pragma once

#include "ui/hint.hpp"
#include "ui/paint.hpp"
#include "ui/stabilizer_shown.hpp"

namespace xlab::ui {

/// Thresholds that can be chosen.
inline constexpr double kThresholds[] = {0.001, 0.01, 0.1};
/// Formats that can be chosen for the replay.
inline constexpr NumberFormat kReplayFormats[] = {NumberFormat::fp64, NumberFormat::fp32,
                                                  NumberFormat::bf16, NumberFormat::fp16};

/// Block and head, and where the cell has an m the unit.
void draw_stabilizer_places(Scene& scene, Painter& painter, Box row, StabilizerChoice& choice,
                            HoverCard& card);
/// Stabilizer and number format of the model: sends other equations for all blocks of this kind.
void draw_model_switches(Scene& scene, Painter& painter, Box row, const BlockCard& block,
                         HoverCard& card);
/// Number format and threshold of the replay.
void draw_replay_switches(Painter& painter, Box row, StabilizerChoice& choice, HoverCard& card);

}  // namespace xlab::ui
