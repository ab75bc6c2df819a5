// The rows of the model map: which blocks stand in which row, and their numbers.
#include "ui/map_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "ui/number.hpp"

namespace xlab::ui {
namespace {

/// Blocks in groups of `group`, that of the focused one opened.
std::vector<MapRow> grouped(int blocks, int focused, int group) {
  std::vector<MapRow> rows;
  for (int first = 0; first < blocks; first += group) {
    const int last = std::min(first + group, blocks) - 1;
    if (group > 1 && (focused < first || focused > last)) {
      rows.push_back({first, last});
      continue;
    }
    for (int b = first; b <= last; ++b) rows.push_back({b, b});
  }
  return rows;
}

int boxes_of(const ModelCard& model, const std::vector<MapRow>& rows, bool parts) {
  std::size_t boxes = 2;  // embedding and head
  for (const MapRow& row : rows) {
    boxes += 1;
    if (row.one() && parts)
      boxes += block_parts(model.blocks[static_cast<std::size_t>(row.first)]).size();
  }
  return static_cast<int>(boxes);
}

}  // namespace

std::vector<std::string> block_parts(const BlockCard& block) {
  std::vector<std::string> parts = {"norm"};
  if (block.window > 0) parts.push_back(fmt::format("conv {}", block.window));
  if (std::any_of(block.values->cards.begin(), block.values->cards.end(),
                  [](const ValueCard& v) { return v.role == Role::gate; }))
    parts.emplace_back("gates");
  parts.emplace_back("cell");
  if (block.feedforward_width > 0) {
    parts.emplace_back("norm");
    parts.push_back(fmt::format("feed-forward {}", block.feedforward_width));
  }
  return parts;
}

std::string block_letter(const BlockCard& block) {
  // Labels come from the program itself, but a cell may be called by any character.
  std::size_t bytes = block.title.empty() ? 0 : 1;
  while (bytes < block.title.size() &&
         (static_cast<unsigned char>(block.title[bytes]) & 0xc0) == 0x80)
    ++bytes;
  return bytes == 0 ? "?" : block.title.substr(0, bytes);
}

std::string kinds_in(const ModelCard& model, const MapRow& row) {
  std::vector<std::pair<std::string, int>> counts;
  for (int b = row.first; b <= row.last; ++b) {
    const std::string& title = model.blocks[static_cast<std::size_t>(b)].title;
    const auto found = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& one) { return one.first == title; });
    if (found == counts.end()) {
      counts.emplace_back(title, 1);
    } else {
      ++found->second;
    }
  }
  std::string words;
  for (const auto& [title, count] : counts)
    words.append(words.empty() ? "" : ", ").append(fmt::format("{} {}", count, title));
  return words;
}

std::string letters_in(const ModelCard& model, const MapRow& row) {
  std::string letters;
  for (int b = row.first; b <= row.last; ++b)
    letters += block_letter(model.blocks[static_cast<std::size_t>(b)]);
  return letters;
}

MapPlan map_plan(const ModelCard& model, int focused, int most_rows, bool parts) {
  const auto blocks = static_cast<int>(model.blocks.size());
  MapPlan best;
  for (int group = 1; group <= std::max(blocks, 1); group *= 2) {
    MapPlan plan{grouped(blocks, focused, group), group, 0};
    plan.boxes = boxes_of(model, plan.rows, parts);
    const bool fits = static_cast<int>(plan.rows.size()) <= most_rows && plan.boxes <= kMostBoxes;
    if (fits) return plan;
    // Where nothing fits, the fewest rows; they scroll.
    if (best.rows.empty() || (plan.boxes <= kMostBoxes && plan.rows.size() < best.rows.size()) ||
        best.boxes > kMostBoxes)
      best = std::move(plan);
  }
  return best;
}

void MapShown::use(const Snapshot& snapshot) {
  const int last = snapshot.trace ? snapshot.trace->length() - 1 : -1;
  const int step = std::min(snapshot.sequence.cursor, last);
  if (trace_ == snapshot.trace && model_ == snapshot.model && step_ == step) return;
  trace_ = snapshot.trace;
  model_ = snapshot.model;
  step_ = step;
  blocks_.clear();
  lives_.clear();
  longest_ = longest_life_ = 0.0;
  embedding_ = std::numeric_limits<double>::quiet_NaN();
  if (!model_) return;
  static const Trace kNothing;
  const Trace& trace = trace_ ? *trace_ : kNothing;
  const auto widen = [](double& most, double x) {
    if (std::isfinite(x)) most = std::max(most, x);
  };
  for (std::size_t b = 0; b < model_->blocks.size(); ++b) {
    const BlockCard& block = model_->blocks[b];
    lives_.push_back(half_lives(trace, block, step));
    blocks_.push_back({block_activity(trace, *model_, static_cast<int>(b), step),
                       spread_of(lives_.back()), block.parameters, block.state_numbers()});
    widen(longest_, blocks_.back().activity.before);
    widen(longest_, blocks_.back().activity.after);
    for (const double life : lives_.back()) widen(longest_life_, life);
  }
  if (!blocks_.empty()) embedding_ = blocks_.front().activity.before;
}

MapNumbers MapShown::of(const MapRow& row) const {
  MapNumbers all = of(row.first);
  if (row.one()) return all;
  std::vector<double> lives = lives_[static_cast<std::size_t>(row.first)];
  for (int b = row.first + 1; b <= row.last; ++b) {
    const MapNumbers& one = of(b);
    all.activity.after = one.activity.after;
    if (!(one.activity.read_out <= all.activity.read_out))
      all.activity.read_out = one.activity.read_out;
    all.parameters += one.parameters;
    all.state += one.state;
    const std::vector<double>& more = lives_[static_cast<std::size_t>(b)];
    lives.insert(lives.end(), more.begin(), more.end());
  }
  all.lives = spread_of(lives);
  return all;
}

std::string count_words(std::int64_t count) {
  const auto size = static_cast<double>(count);
  if (size >= 1e9) return short_number(size / 1e9) + " G";
  if (size >= 1e6) return short_number(size / 1e6) + " M";
  std::string digits = std::to_string(count);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  return digits;
}

}  // namespace xlab::ui
