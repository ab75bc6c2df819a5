// Replaying the writes of a matrix memory.
#include "core/analysis/memory_film.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/analysis/recorded_head.hpp"

namespace xlab {
namespace {

using Steps = std::vector<std::shared_ptr<const TokenTrace>>;

bool begin_alike(const Steps& a, const Steps& b, std::size_t count) {
  const auto end = a.begin() + static_cast<std::ptrdiff_t>(count);
  return std::equal(a.begin(), end, b.begin());
}

}  // namespace

void MemoryFilm::follow(const std::shared_ptr<const Trace>& trace, const BlockCard& block,
                        int head) {
  const bool same_memory = block.prefix == block_.prefix && head == head_ &&
                           block.variant == block_.variant && block.key_dim == keys_ &&
                           block.value_dim == values_;
  if (trace == trace_ && same_memory) return;
  const bool goes_on = same_memory && trace_ && trace && trace->steps.size() >= pictures_.size() &&
                       begin_alike(trace_->steps, trace->steps, pictures_.size());
  if (!goes_on) {
    pictures_.clear();
    largest_.clear();
    largest_of_all_ = 0.0;
    keys_ = block.key_dim;
    values_ = block.value_dim;
    rows_ = std::min(keys_, kMost);
    columns_ = std::min(values_, kMost);
    memory_.assign(static_cast<std::size_t>(keys_) * static_cast<std::size_t>(values_), 0.0f);
  }
  trace_ = trace;
  block_ = block;
  head_ = head;
  ended_ = !trace_ || !block.has_matrix;
}

bool MemoryFilm::advance(double most_products) {
  const double a_step = static_cast<double>(keys_) * values_;
  for (double done = 0.0; !ended_ && done < most_products; done += a_step) {
    if (write_recorded(*trace_, block_, length(), head_, memory_)) {
      keep();
    } else {
      ended_ = true;
    }
  }
  return !ended_;
}

void MemoryFilm::keep() {
  std::vector<float> picture(static_cast<std::size_t>(rows_) * static_cast<std::size_t>(columns_),
                             0.0f);
  const auto first = [](int part, int of, int parts) { return (part * of + parts - 1) / parts; };
  float largest = 0.0f;
  for (int row = 0; row < rows_; ++row) {
    for (int key = first(row, keys_, rows_); key < first(row + 1, keys_, rows_); ++key) {
      const float* cells =
          memory_.data() + static_cast<std::size_t>(key) * static_cast<std::size_t>(values_);
      float* shown =
          picture.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_);
      for (int column = 0; column < columns_; ++column) {
        const int end = first(column + 1, values_, columns_);
        for (int value = first(column, values_, columns_); value < end; ++value) {
          // What is no number stays visible.
          if (!std::isnan(shown[column]) && !(std::abs(cells[value]) <= std::abs(shown[column])))
            shown[column] = cells[value];
        }
      }
    }
  }
  for (const float cell : picture) largest = std::max(largest, std::abs(cell));
  const bool broken =
      std::any_of(picture.begin(), picture.end(), [](float cell) { return !std::isfinite(cell); });
  pictures_.push_back(std::move(picture));
  largest_.push_back(broken ? std::numeric_limits<double>::quiet_NaN()
                            : static_cast<double>(largest));
  if (!broken) largest_of_all_ = std::max(largest_of_all_, largest_.back());
}

std::span<const float> MemoryFilm::picture(int step) const {
  return pictures_[static_cast<std::size_t>(step)];
}

}  // namespace xlab
