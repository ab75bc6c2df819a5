// Two faces of one mLSTM: the memory as it fills, and the attention that it stands for.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/analysis/implied_attention.hpp"
#include "core/analysis/memory_film.hpp"
#include "ui/block_chooser.hpp"
#include "ui/faces_picture.hpp"
#include "ui/ground.hpp"
#include "ui/memory_reel.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

/// Products a frame may take for replaying a memory, some milliseconds.
constexpr double kProductsAFrame = 7e5;
/// Above this an agreement is none, in float32.
constexpr double kFacesAgree = 1e-4;

class FacesView : public View {
 public:
  std::string name() const override { return "faces"; }
  std::string title() const override { return "Two faces"; }
  std::string neighbour() const override { return "memory"; }
  ImVec2 minimum_size() const override { return {300, 220}; }

  std::string kept() const override { return factor_name(factor_); }
  void restore(const std::string& kept) override {
    for (int f = 0; f < kFacesFactors; ++f)
      if (kept == factor_name(static_cast<FacesFactor>(f))) factor_ = static_cast<FacesFactor>(f);
  }

  bool animating(const Scene&) const override { return replaying_; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "faces", size);
    Painter painter(scene);
    hovered_.reset();
    card_.begin(false);
    replaying_ = false;
    if (panel.usable())
      contents(scene, painter, panel.content().inset(painter.px(8), painter.px(6)));
    hover_.set(scene.focus, hovered_);
    card_.draw(scene);
  }

  Table table(const Scene& scene) const override;

 private:
  void contents(Scene& scene, Painter& painter, Box rest) {
    const BlockCard* block = focused_block(scene.snapshot, scene.focus);
    if (!block) {
      say_no_run(painter, rest, "see its memory and the attention it stands for here");
      return;
    }
    header(scene, painter, *block, rest);
    if (!block->has_matrix) {
      say(painter, rest,
          fmt::format("{} has one number per unit for a memory, and mixes what it answers back in: "
                      "it cannot be written as attention. Choose a block with a matrix memory.",
                      block->title));
      return;
    }
    const Trace* trace = scene.snapshot.trace.get();
    if (!trace || trace->length() == 0) {
      say(painter, rest, "There are no tokens yet. Write a prompt or take a new sample.");
      return;
    }
    const int head = focused_head(*block, scene.focus);
    film_.follow(scene.snapshot.trace, *block, head);
    // A picture to keep is not drawn again when there is more.
    replaying_ = film_.advance(scene.exporting ? 1e18 : kProductsAFrame);
    const bool beside = rest.width() > painter.px(430);
    Box reel = beside ? rest.cut_left(std::min(rest.width() * 0.36f, painter.px(360))) : Box{};
    if (beside) rest.cut_left(painter.px(16));
    agreement_row_ =
        rest.height() > 10 * painter.line_height() ? rest.cut_bottom(painter.line_height()) : Box{};
    picture_.arrange(scene, painter, trace->length(), most_steps(*block), rest);
    attention_.follow(scene.snapshot.trace, *block, head, picture_.window().first(),
                      picture_.window().count());
    if (attention_.count() == 0) {
      say(painter, rest, "The keys, queries and gates of these steps were not recorded.");
      return;
    }
    if (beside)
      reel_.draw(scene, painter, *block, film_,
                 {scene.snapshot.sequence.cursor, picture_.written()}, reel, card_);
    picture_.draw(scene, painter, *block, attention_, factor_, card_, hovered_);
    agreement(scene, painter, *block);
  }

  /// Rows and columns that are computed at most: wide heads take longer.
  static int most_steps(const BlockCard& block) {
    return block.key_dim + block.value_dim > 256 ? FacesPicture::kMostSteps / 4
                                                 : FacesPicture::kMostSteps;
  }

  void header(Scene& scene, Painter& painter, const BlockCard& block, Box& rest) {
    const float height = painter.line_height() + painter.px(4);
    if (rest.height() < 8 * height) return;
    const std::vector<std::string> blocks = block_names(*scene.snapshot.model, 2);
    const bool matrix = block.has_matrix;
    std::vector<std::string> heads;
    for (int h = 0; h < block.heads; ++h) heads.push_back(std::to_string(h));
    const float apart = painter.px(10);
    Box row = rest.cut_top(height);
    const float word = painter.measure("head").x + painter.px(5);
    const float all = chooser_widths(painter, blocks).all + apart + word +
                      chooser_widths(painter, heads).all + apart +
                      chooser_widths(painter, kFactors).all;
    const bool one_row = !matrix || all <= row.width();
    choose_block(scene, painter, row, blocks);
    if (matrix) {
      if (!one_row) {
        rest.cut_top(painter.px(3));
        row = rest.cut_top(height);
      } else {
        row.cut_left(apart);
      }
      const ChooserWidths factors = chooser_widths(painter, kFactors);
      const ChooserWidths head_widths = chooser_widths(painter, heads);
      if (word + head_widths.one + apart + factors.one <= row.width()) {
        painter.text_in(row.cut_left(word), painter.palette().muted_text, "head");
        const float left = row.width() - apart - factors.one;
        Box box = row.cut_left(head_widths.all <= left ? head_widths.all : head_widths.one);
        const int chosen = focused_head(block, scene.focus);
        const int now = choose_at(painter, "heads", box, heads, chosen);
        if (now != chosen) scene.focus.head = now;
        row.cut_left(apart);
      }
      Box box = row.cut_left(factors.all <= row.width() ? factors.all : factors.one);
      const Box whole = box;
      factor_ = static_cast<FacesFactor>(
          choose_at(painter, "factor", box, kFactors, static_cast<int>(factor_)));
      hint(scene, whole, factor_sentence(factor_));
    }
    rest.cut_top(painter.px(5));
  }

  /// How well both say the same.
  void agreement(const Scene& scene, Painter& painter, const BlockCard& block) {
    if (agreement_row_.empty()) return;
    const Palette& palette = painter.palette();
    const double apart = attention_.disagreement();
    std::vector<std::string> texts;
    bool good = true;
    if (attention_.count() < picture_.window().count()) {
      texts = {fmt::format("From step {} on something was not recorded.",
                           attention_.first() + attention_.count()),
               "not all recorded"};
    } else if (attention_.first() > 0) {
      texts = {fmt::format("Steps before {} are left out: here no row is a whole answer.",
                           attention_.first()),
               fmt::format("from step {} on", attention_.first())};
    } else if (!std::isfinite(apart)) {
      good = false;
      texts = {"Some numbers are none: there is nothing to compare.", "not comparable"};
    } else if (answer_is_held(scene, block)) {
      texts = {"The answer h is held by hand here: it is not what the memory gives.",
               "h is held by hand"};
    } else {
      const NumberFormat format = block.variant.number_format;
      const bool rounds = format == NumberFormat::bf16 || format == NumberFormat::fp16;
      good = rounds || apart <= kFacesAgree;
      const std::string number = short_number(apart);
      texts = {
          fmt::format("Both faces give the same answer: Σ A v − h is at most {} of the largest "
                      "|h|. Signed, not a probability.",
                      number),
          fmt::format("Σ A v − h: at most {} of the largest |h|. Not a probability.", number),
          fmt::format("Σ A v = h up to {}", number), fmt::format("≤ {}", number)};
      if (rounds) {
        const std::string rounded = fmt::format(
            "The cell rounds to {} at every step: Σ A v − h is up to {} of the largest "
            "|h|.",
            xlab::name_of(format), number);
        texts = {rounded + " Signed, not a probability.", rounded,
                 fmt::format("rounds to {}: Σ A v = h up to {}", xlab::name_of(format), number)};
      }
      if (!good)
        texts[0] = fmt::format("The faces do not agree: Σ A v − h is up to {} of the largest |h|.",
                               number);
    }
    painter.first_in(agreement_row_, good ? palette.muted_text : palette.warning, texts);
    hint(scene, agreement_row_,
         "The sum of all values with the weights A is computed here from recorded queries, keys, "
         "values and gates, and compared with the answer h that the cell read from its memory.");
  }

  bool answer_is_held(const Scene& scene, const BlockCard& block) const {
    const std::vector<Clamp>& clamps = scene.snapshot.sequence.clamps;
    return std::any_of(clamps.begin(), clamps.end(), [&](const Clamp& clamp) {
      return clamp.enabled && clamp.path == block.path("h") &&
             clamp.is_on_head(focused_head(block, scene.focus)) && clamp.end > attention_.first() &&
             clamp.begin < attention_.first() + attention_.count();
    });
  }

  inline static const std::vector<std::string> kFactors = {
      std::string("weight ") + factor_name(FacesFactor::weight), factor_name(FacesFactor::overlap),
      std::string("decay ") + factor_name(FacesFactor::decay), factor_name(FacesFactor::product)};

  FacesFactor factor_ = FacesFactor::weight;
  FacesPicture picture_;
  MemoryReel reel_;
  MemoryFilm film_;
  ImpliedAttention attention_;
  bool replaying_ = false;
  Hover hover_;

  // Of this frame.
  Box agreement_row_;
  std::optional<ValueRef> hovered_;
  HoverCard card_;
};

Table FacesView::table(const Scene& scene) const {
  Table table;
  table.columns = {"t", "token", "s", "written token", "q·k", "D", "q·k D", "A"};
  table.titles = {"answer t",    "token",   "write s", "written token",
                  "overlap q·k", "decay D", "q·k D",   "weight A"};
  table.places = 4;
  table.step_column = 0;
  const BlockCard* block = focused_block(scene.snapshot, scene.focus);
  const Trace* trace = scene.snapshot.trace.get();
  if (!block || !block->has_matrix || !trace || trace->length() == 0) return table;
  const int length = trace->length();
  const int cursor = std::clamp(scene.snapshot.sequence.cursor, 0, length - 1);
  const int count = std::min(length, most_steps(*block));
  const int first = std::clamp(cursor - count + 1, 0, length - count);
  ImpliedAttention attention;
  const bool all = scene.most_rows == 0;
  attention.follow(scene.snapshot.trace, *block, focused_head(*block, scene.focus), first, count);
  for (int t = first; t < first + attention.count(); ++t) {
    if (!all && t != cursor) continue;
    for (int s = first; s <= t; ++s) {
      const auto token = [&](int step) {
        const std::vector<int>& tokens = scene.snapshot.sequence.tokens;
        return step < static_cast<int>(tokens.size())
                   ? token_label(scene.snapshot.model.get(), tokens[static_cast<std::size_t>(step)])
                   : std::string();
      };
      table.rows.push_back(
          {std::to_string(t), token(t), std::to_string(s), token(s),
           full_number(attention.overlap(t, s)), full_number(attention.decay(t, s)),
           full_number(attention.product(t, s)), full_number(attention.weight(t, s))});
    }
  }
  if (!all)
    table.note = "Only the answer at the time cursor is listed; saving the table lists all.";
  if (first > 0)
    table.note +=
        fmt::format("{}Steps before {} are left out.", table.note.empty() ? "" : " ", first);
  return table;
}

}  // namespace

std::unique_ptr<View> make_faces_view() {
  return std::make_unique<FacesView>();
}

}  // namespace xlab::ui
