// The words beside the lanes of the stabilizer lab.
#include "ui/stabilizer_side.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "ui/equation.hpp"
#include "ui/ground.hpp"
#include "ui/number.hpp"
#include "ui/stabilizer_cards.hpp"
#include "ui/stabilizer_keys.hpp"

namespace xlab::ui {
namespace {

struct Said {
  std::string text;
  Weight weight = Weight::regular;
  bool muted = false;
};

/// What is said of the floor at the cursor; nothing for cells without one.
std::vector<Said> lamp_words(const StabilizerFrame& frame) {
  const auto& floors = frame.shown.floors();
  const int step = frame.cursor();
  if (floors.empty()) return {};
  if (step < 0 || step >= static_cast<int>(floors.size())) {
    const bool coming = step >= 0 && step < frame.snapshot().trace->length();
    return {{"floor lamp", Weight::bold},
            {coming ? "Not computed yet." : "The time cursor is at no token."}};
  }
  const auto& use = floors[static_cast<std::size_t>(step)];
  const bool on = use && use->uses;
  const auto all =
      std::count_if(floors.begin(), floors.end(), [](const auto& one) { return one && one->uses; });
  return {{fmt::format("floor lamp {} at t = {}", on ? "on" : "off", step), Weight::bold},
          {use ? floor_words(*use) : std::string("N is not recorded there, or no number.")},
          {fmt::format("On at {} of {} steps.", all, floors.size()), Weight::regular, true}};
}

/// What is said where the model itself, with the equations it has now, gives no numbers.
std::vector<Said> model_words(const StabilizerFrame& frame) {
  const int from = frame.shown.broken_from(), steps = frame.shown.broken_steps();
  if (from < 0) return {};
  return {{fmt::format("the model itself has no number at {} of {} steps, first at t = {}", steps,
                       frame.shown.length(), from),
           Weight::bold},
          {"The lanes and the words below are of this head computed once more from what came in; "
           "what is said of all steps leaves out those where nothing came in that is a number."}};
}

/// What is said of the first bad number, or that there is none.
std::vector<Said> first_bad_words(const StabilizerFrame& frame) {
  const CellReplay& plain = frame.shown.plain();
  const char* const format = xlab::name_of(frame.choice.format);
  if (frame.shown.length() == 0) return {};
  const int last = frame.shown.length() - 1;
  if (!plain.bad)
    return {{fmt::format("no bad number in {} up to t = {}", format, last), Weight::bold}};
  const BadNumber& bad = *plain.bad;
  std::vector<Said> said = {{fmt::format("first bad number in {}", format), Weight::bold},
                            {frame.where(bad.step)}};
  if (bad.what == CellQuantity::given) {
    said.push_back({"What comes in is no number there: it began before this cell."});
  } else {
    said.push_back({fmt::format("{} is {}:", xlab::name_of(bad.what, frame.block, false),
                                not_a_number(bad.value))});
    said.push_back({typeset_equation(equation_of(bad.what, frame.block, false))});
  }
  return said;
}

/// Where the plain cell is finite and not right, and what else is worth knowing.
std::vector<Said> agreement_words(const StabilizerFrame& frame) {
  const StabilizerShown& shown = frame.shown;
  if (shown.length() == 0) return {};
  const std::string beyond = percent(frame.choice.threshold);
  std::vector<Said> said;
  if (const int wrong = shown.count(Agreement::wrong); wrong > 0) {
    const int first = shown.first(Agreement::wrong);
    const auto t = static_cast<std::size_t>(first);
    said.push_back(
        {fmt::format("quietly wrong at {} step{}", wrong, wrong == 1 ? "" : "s"), Weight::bold});
    said.push_back({fmt::format("First at t = {}: {}.", first,
                                error_words(shown.plain().steps[t].h, shown.exact().steps[t].h))});
  } else {
    const char* const before = shown.plain().bad.has_value() ? "before that " : "";
    said.push_back(
        {fmt::format("{}nowhere quietly wrong by more than {}", before, beyond), Weight::bold});
  }
  if (const int digits = shown.count(Agreement::format); digits > 0)
    said.push_back({fmt::format("At {} step{} {} has too few digits, with m too.", digits,
                                digits == 1 ? "" : "s", xlab::name_of(frame.choice.format)),
                    Weight::regular, true});
  if (const int steps = shown.changed_by_equation(); steps > 0)
    said.push_back({fmt::format("With m, this cell's own ε or floor changes its answer by more "
                                "than {} at {} step{}: there on and off are two equations.",
                                beyond, steps, steps == 1 ? "" : "s"),
                    Weight::regular, true});
  return said;
}

float said_height(Painter& painter, const std::vector<Said>& said, float width) {
  float height = said.empty() ? 0.0f : painter.px(8);
  for (const Said& one : said)
    height += painter.paragraph({0, 0}, width, 0, one.text, one.weight, false);
  return height;
}

void draw_said(Painter& painter, Box& box, const std::vector<Said>& said, float indent) {
  const Palette& palette = painter.palette();
  for (const Said& one : said) {
    const float height =
        painter.paragraph({box.min.x + indent, box.min.y}, box.width() - indent,
                          one.muted ? palette.muted_text : palette.text, one.text, one.weight);
    box.cut_top(height);
  }
}

constexpr float kLampRoom = 20.0f;

void draw_lamp(const StabilizerFrame& frame, Painter& painter, Box& box) {
  const std::vector<Said> said = lamp_words(frame);
  if (said.empty()) return;
  const auto& floors = frame.shown.floors();
  const int step = frame.cursor();
  const bool on = step >= 0 && step < static_cast<int>(floors.size()) &&
                  floors[static_cast<std::size_t>(step)] &&
                  floors[static_cast<std::size_t>(step)]->uses;
  const ImVec2 centre{box.min.x + painter.px(8), box.min.y + painter.line_height() / 2};
  const float r = painter.px(5.5f);
  const Box lamp{{centre.x - r, centre.y - r}, {centre.x + r, centre.y + r}};
  // A filled lamp or an empty ring.
  if (on) painter.fill(lamp, stabilizer_styles(painter).floor, r);
  painter.outline(lamp, painter.palette().text, 1.5f, r);
  frame.card.explain({box.min, {box.max.x, box.min.y + painter.line_height()}},
                     {{"The floor of the normalizer", true},
                      {"N = max(|q·n|, floor). While the floor decides, the read-out is divided by "
                       "more than what the query reaches: right direction, too short."}});
  draw_said(painter, box, said, painter.px(kLampRoom));
  box.cut_top(painter.px(8));
}

bool offers_jump(const StabilizerFrame& frame, const Painter& painter) {
  return frame.shown.plain().bad.has_value() && !painter.exporting();
}

float jump_height(const Painter& painter) {
  return painter.line_height() + painter.px(6);
}

}  // namespace

float stabilizer_side_height(const StabilizerFrame& frame, Painter& painter, float width) {
  float height = said_height(painter, lamp_words(frame), width - painter.px(kLampRoom)) +
                 said_height(painter, model_words(frame), width) +
                 said_height(painter, first_bad_words(frame), width) +
                 said_height(painter, agreement_words(frame), width);
  if (offers_jump(frame, painter)) height += jump_height(painter) + painter.px(4);
  return height;
}

void draw_stabilizer_side(StabilizerFrame& frame, Painter& painter, Box box) {
  const std::vector<Said> model = model_words(frame);
  draw_said(painter, box, model, 0.0f);
  if (!model.empty()) box.cut_top(painter.px(8));
  const std::vector<Said> bad = first_bad_words(frame);
  draw_said(painter, box, bad, 0.0f);
  if (offers_jump(frame, painter)) {
    const int step = frame.shown.plain().bad->step;
    box.cut_top(painter.px(2));
    Box row = box.cut_top(jump_height(painter));
    const Box button =
        row.cut_left(std::min(row.width(), painter.measure("jump there").x + painter.px(18)));
    if (button_at(painter, "jump", button, "jump there", step != frame.cursor()))
      frame.scene.send(command::SetCursor{step});
    frame.card.explain(button, {{fmt::format("Moves the time cursor to t = {}.", step)}});
    box.cut_top(painter.px(2));
  }
  if (!bad.empty()) box.cut_top(painter.px(8));
  const std::vector<Said> agreement = agreement_words(frame);
  draw_said(painter, box, agreement, 0.0f);
  if (!agreement.empty()) box.cut_top(painter.px(8));
  draw_lamp(frame, painter, box);
}

}  // namespace xlab::ui
