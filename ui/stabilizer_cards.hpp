// What the stabilizer lab says of the step under the mouse, with exact numbers, and which recorded
// value the inspector shows meanwhile.
#pragma once

#include <string>

#include "ui/stabilizer_frame.hpp"

namespace xlab::ui {

/// `pointed` is where the mouse is on the lane's axis: the curve nearest to it is meant.
void describe_scale(StabilizerFrame& frame, int step, double pointed);
void describe_exponents(StabilizerFrame& frame, int step, double pointed);
void describe_winner(StabilizerFrame& frame, int step);
void describe_answers(StabilizerFrame& frame, int step);
void describe_floor(StabilizerFrame& frame, int step);

/// Who sets the scale, as a sentence.
std::string winner_words(const StabilizerFrame& frame, const ScaleStep& step);
/// What the read-out is divided by, as a sentence.
std::string floor_words(const FloorUse& use);
/// How far an answer is off: "off by 3.7 %".
std::string error_words(double h, double exact);

}  // namespace xlab::ui
