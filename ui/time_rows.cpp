// Which rows of the time view there is room for.
#include "ui/time_rows.hpp"

#include <algorithm>

namespace xlab::ui {

TimeRows fit_time_rows(const Painter& painter, const Box& box, const TimeWants& wants) {
  const float line = painter.line_height();
  const float tight = line + painter.px(2), roomy = line + painter.px(9);
  const bool marks = wants.answers || wants.prompt;
  const float needed = tight + line + (marks ? line : 0.0f);
  TimeRows rows;
  Box rest = box;
  const bool legend = rest.height() >= needed + line + painter.px(3);
  if (legend) {
    rows.legend = rest.cut_bottom(line);
    rest.cut_bottom(painter.px(3));
  }
  const float room = rest.height() - needed - painter.px(4);
  const bool overview = wants.overview && room >= 0.6f * line;
  if (overview) {
    rows.overview = rest.cut_bottom(std::min(line, room));
    rest.cut_bottom(painter.px(4));
  }
  rows.sequence = rest;
  const bool marked = marks && rest.height() >= needed;
  if (marked) rows.marks = rest.cut_top(line);
  const bool numbered = rest.height() >= tight + line;
  const float taken = numbered ? line : 0.0f;
  rows.tokens = rest.cut_top(std::min(rest.height() - taken, roomy));
  if (numbered) rows.steps = rest.cut_top(line);
  rest.cut_top(painter.px(3));
  if (numbered && rest.height() > 2.2f * line) rows.bars = rest;

  if (!numbered) rows.left_out.push_back("step numbers");
  if (wants.answers && !marked) rows.left_out.push_back("answers");
  if (wants.prompt && !marked) rows.left_out.push_back("the end of the prompt");
  if (wants.overview && !overview) rows.left_out.push_back("the whole sequence");
  if (!legend) rows.left_out.push_back("the legend");
  return rows;
}

}  // namespace xlab::ui
