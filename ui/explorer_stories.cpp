// The stories of the gate explorer, one click each, and the sentence of the one that is told.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "core/explorer.hpp"
#include "ui/explorer_frame.hpp"
#include "ui/ground.hpp"

namespace xlab::ui {
namespace {

constexpr const char* kNoStory =
    "Drawn by hand. A story puts its own curves in the place of these, and Undo brings them back.";

float button_width(const Painter& painter, const std::string& title) {
  return painter.measure(title).x + painter.px(16);
}

float row_height(const Painter& painter) {
  return painter.line_height() + painter.px(5);
}

/// How many rows of buttons fit all stories into a width.
int rows_of(const Painter& painter, float width) {
  int rows = 1;
  float used = 0.0f;
  for (const explorer::Story& story : explorer::stories()) {
    const float needed = button_width(painter, story.title) + painter.px(4);
    if (used > 0.0f && used + needed > width) {
      ++rows;
      used = 0.0f;
    }
    used += needed;
  }
  return rows;
}

const explorer::Story* told(const Snapshot& snapshot) {
  return explorer::told_by(snapshot.sequence.clamps, snapshot.model->blocks);
}

std::string sentence_of(const explorer::Story* story) {
  return story ? story->look : kNoStory;
}

}  // namespace

float story_rows(const Scene& scene, const Painter& painter, float width, bool longest) {
  Painter measuring = painter;
  const auto height_of = [&](const std::string& words) {
    return measuring.paragraph({0, 0}, width, 0, words, Weight::regular, false);
  };
  float sentence = height_of(sentence_of(told(scene.snapshot)));
  if (longest)
    for (const explorer::Story& story : explorer::stories())
      sentence = std::max(sentence, height_of(story.look));
  const float buttons = scene.exporting ? painter.line_height()
                                        : static_cast<float>(rows_of(painter, width)) *
                                              (row_height(painter) + painter.px(4));
  return buttons + sentence + painter.px(2);
}

void draw_stories(ExplorerFrame& frame, Painter& painter, Box box) {
  const Palette& palette = painter.palette();
  const explorer::Story* now = told(frame.scene.snapshot);
  if (painter.exporting()) {
    const std::string title = now ? "Story: " + now->title : "Drawn by hand";
    painter.text_in(box.cut_top(painter.line_height()), palette.text, title, Align::left,
                    Weight::bold);
  } else {
    ImGui::PushID("stories");
    const ImGuiID group = ImGui::GetID("row");
    Box row = box.cut_top(row_height(painter));
    int index = 0;
    for (const explorer::Story& story : explorer::stories()) {
      const float width = button_width(painter, story.title);
      if (width > row.width() && row.min.x > box.min.x) {
        box.cut_top(painter.px(4));
        row = box.cut_top(row_height(painter));
      }
      const Box button = row.cut_left(std::min(width, row.width()));
      row.cut_left(painter.px(4));
      ImGui::PushID(index++);
      const Touch mouse =
          control(painter, "story", button, {.arrows = Arrows::row, .group = group});
      ImGui::PopID();
      if (mouse.pressed && &story != now) frame.scene.send(explorer::tell(story, frame.blocks));
      painter.fill(button, mouse.hovered ? palette.control_hovered : palette.control,
                   painter.px(3));
      if (&story == now) {
        const float wide = painter.px(1.5f);
        painter.outline(button.inset(wide / 2, wide / 2), palette.accent, wide, painter.px(3));
      }
      painter.text_in(button, &story == now ? palette.text : palette.muted_text, story.title,
                      Align::centre);
      frame.card.explain(button, {{story.title, true}, {story.look}});
    }
    ImGui::PopID();
  }
  box.cut_top(painter.px(4));
  painter.paragraph(box.min, box.width(), now ? palette.text : palette.muted_text,
                    sentence_of(now));
}

}  // namespace xlab::ui
