// Computes between frames.
#include "ui/fill_shown.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "core/analysis/findings.hpp"

namespace xlab::ui {

void FillShown::use(const Snapshot& snapshot, int block, int head, double products) {
  const BlockCard& card = snapshot.model->blocks[static_cast<std::size_t>(block)];
  has_ = card.has_matrix && snapshot.trace && snapshot.trace->length() > 0;
  has_now_ = false;
  if (!has_) return;
  most_ = std::min(card.key_dim, card.value_dim);
  const auto size =
      static_cast<std::size_t>(card.key_dim) * static_cast<std::size_t>(card.value_dim);
  const std::shared_ptr<const MemoryImage>& image = snapshot.memory;
  const auto first = size * static_cast<std::size_t>(head);
  has_now_ = image && image->block == block && image->key_dim == card.key_dim &&
             image->value_dim == card.value_dim && image->C.size() >= first + size && size > 0 &&
             image->step >= 0 && image->step < snapshot.trace->length();
  if (has_now_) {
    const auto begin = image->C.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<float> memory(begin, begin + static_cast<std::ptrdiff_t>(size));
    if (image != image_ || block != block_ || head != head_) {
      const bool finite =
          std::all_of(memory.begin(), memory.end(), [](float x) { return std::isfinite(x); });
      rank_now_ = finite ? effective_rank(memory, card.key_dim, card.value_dim)
                         : std::numeric_limits<double>::quiet_NaN();
    }
    step_ = image->step;
    test_.follow(snapshot.trace, card, head, step_, memory);
    // A key costs a memory's size.
    const double before = static_cast<double>(test_.answers().size());
    test_.advance(products);
    products -= (static_cast<double>(test_.answers().size()) - before) * static_cast<double>(size);
  }
  image_ = image;
  block_ = block;
  head_ = head;
  fill_.follow(snapshot.trace, card, head);
  fill_.advance(products);
}

std::optional<double> FillShown::rank(int step) const {
  const std::vector<double>* singular = fill_.at(step);
  if (!singular) return std::nullopt;
  return participation_ratio(*singular);
}

std::vector<float> FillShown::relative(int first, int count) const {
  const auto columns = static_cast<std::size_t>(std::max(count, 0));
  std::vector<float> shown(columns * static_cast<std::size_t>(most_), kBelow);
  for (std::size_t column = 0; column < columns; ++column) {
    const std::vector<double>* singular = fill_.at(first + static_cast<int>(column));
    for (std::size_t j = 0; j < static_cast<std::size_t>(most_); ++j) {
      float& cell = shown[j * columns + column];
      if (!singular || singular->size() <= j) {
        cell = std::numeric_limits<float>::quiet_NaN();
      } else if ((*singular)[j] > 0.0) {
        cell = static_cast<float>(std::log10((*singular)[j] / singular->front()));
      }
    }
  }
  return shown;
}

}  // namespace xlab::ui
