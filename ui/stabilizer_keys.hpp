// How to read the lanes of the stabilizer lab: their titles with what each line and mark is, and
// the marks themselves.
#pragma once

#include <string>
#include <vector>

#include "ui/stabilizer_frame.hpp"

namespace xlab::ui {

void draw_scale_keys(const StabilizerFrame& frame, Painter& painter, Box row);
void draw_exponent_keys(const StabilizerFrame& frame, Painter& painter, Box row);
void draw_answer_keys(const StabilizerFrame& frame, Painter& painter, Box row);

/// Which argument won: full height, the lower third, or hollow; form and colour together.
void draw_winner(Painter& painter, const Box& bar, ScaleWinner winner,
                 const StabilizerStyles& look);
/// Steps at which the plain answer is off: a tint, and an edge on top whose form tells the reason.
void draw_zone(Painter& painter, const Box& zone, Agreement agreement,
               const StabilizerStyles& look);

/// What stands in a zone, long to short.
std::vector<std::string> zone_words(Agreement agreement, NumberFormat format);
/// What the first bad number was, long to short.
std::vector<std::string> bad_words(const StabilizerFrame& frame, const BadNumber& bad);
/// "inf", "−inf" or "NaN".
std::string not_a_number(double value);
/// "1 %".
std::string percent(double share);

}  // namespace xlab::ui
