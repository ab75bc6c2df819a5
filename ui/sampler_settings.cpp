// How the next token is drawn: greedy, temperature, top-k, top-p and the seed.
#include "ui/sampler_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <span>
#include <string>

#include "ui/ground.hpp"
#include "ui/hint.hpp"

namespace xlab::ui {
namespace {

const std::string kGreedy[] = {"greedy: always the top choice", "greedy: the top choice", "greedy"};

/// What a box to tick takes besides its words.
float box_width(const Painter& painter) {
  return painter.px(14 + 7 + 2);
}

}  // namespace

float sampler_settings_width(const Painter& painter) {
  return painter.measure(kGreedy[0]).x + box_width(painter);
}

void draw_sampler_settings(Scene& scene, Painter& painter, Box rest) {
  const Palette& palette = painter.palette();
  SamplerSettings next = scene.snapshot.sequence.sampler;
  const float height = painter.line_height() + painter.px(4);
  const float gap = painter.px(4);
  const float widest = std::max(painter.px(260), sampler_settings_width(painter));
  if (rest.width() > widest) rest.max.x = rest.min.x + widest;
  if (rest.height() > 7 * (height + gap)) {
    painter.text_in(rest.cut_top(height), palette.muted_text, "how the next token is drawn");
  }
  bool changed = false;
  // What does not fit as a whole is left out.
  const auto row = [&] {
    if (rest.height() < height) return Box{};
    const Box box = rest.cut_top(height);
    rest.cut_top(gap);
    return box;
  };
  const Box greedy = row();
  const std::string word =
      painter.fit_first(kGreedy, greedy.width() - box_width(painter) + painter.px(1));
  if (check_at(painter, "greedy", greedy, word, next.greedy)) {
    next.greedy = !next.greedy;
    changed = true;
  }
  hint(scene, greedy,
       "Greedy takes the most probable token each time and looks at none of the settings below. "
       "Without it the token is drawn at random from the thin bars.");
  const auto slider = [&](const char* id, double& value, double low, double high, bool log,
                          std::initializer_list<std::string> texts, const char* meaning,
                          double least = 0.0) {
    const Box box = row();
    if (box.empty()) return;
    hint(scene, box, meaning);
    const std::span<const std::string> list(texts.begin(), texts.size());
    std::string text = painter.fit_first(list, box.width() - painter.px(8));
    if (text.ends_with("…")) text.clear();
    if (next.greedy) {
      // Greedy choice looks at none of these.
      painter.outline(box, palette.grid, 1.0f, painter.px(3));
      painter.text_in(box.inset(painter.px(4), 0), with_alpha(palette.muted_text, 0.7f), text,
                      Align::centre);
    } else if (slider_at(painter, id, box, value, low, high, log, text, least)) {
      changed = true;
    }
  };
  double temperature = next.temperature;
  slider("temperature", temperature, 0.1, 3.0, true,
         {fmt::format("temperature {:.2f}", next.temperature),
          fmt::format("T {:.2f}", next.temperature), fmt::format("{:.2f}", next.temperature)},
         "Temperature divides the logits: below 1 the likely tokens win more often, above 1 less "
         "often.");
  next.temperature = std::round(temperature * 100.0) / 100.0;
  const int vocabulary = std::max(1, static_cast<int>(scene.snapshot.model->vocabulary.size()));
  double top_k = next.top_k;
  slider("top_k", top_k, 0.0, static_cast<double>(std::min(vocabulary, 100)), false,
         {next.top_k == 0 ? std::string("top-k: all") : fmt::format("top-k: {}", next.top_k),
          next.top_k == 0 ? std::string("all") : std::to_string(next.top_k)},
         "Top-k: only the k most probable tokens are drawn from.", 1.0);
  next.top_k = static_cast<int>(std::lround(top_k));
  double top_p = next.top_p;
  slider("top_p", top_p, 0.05, 1.0, false,
         {next.top_p >= 1.0 ? std::string("top-p: all") : fmt::format("top-p: {:.2f}", next.top_p),
          next.top_p >= 1.0 ? std::string("all") : fmt::format("{:.2f}", next.top_p)},
         "Top-p: only the most probable tokens that together reach this probability are drawn "
         "from.");
  next.top_p = std::round(top_p * 100.0) / 100.0;
  Box seed = row();
  hint(scene, seed, "The seed of the draws: the same seed gives the same tokens again.");
  const float side = std::min(height, seed.width() / 4);
  if (button_at(painter, "seed-", seed.cut_left(side), "−", !next.greedy && next.seed > 0)) {
    --next.seed;
    changed = true;
  }
  if (button_at(painter, "seed+", seed.cut_right(side), "+", !next.greedy)) {
    ++next.seed;
    changed = true;
  }
  const std::string seeds[] = {fmt::format("seed {}", next.seed), std::to_string(next.seed)};
  painter.first_in(seed, next.greedy ? with_alpha(palette.muted_text, 0.7f) : palette.text, seeds,
                   Align::centre);
  if (changed && !(next == scene.snapshot.sequence.sampler)) {
    scene.send(command::SetSampler{next});
  }
}

}  // namespace xlab::ui
