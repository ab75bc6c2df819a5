// A series of numbers: the tokens are its patches, from the first to those that are foretold.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/series/read_series.hpp"
#include "core/tasks/task.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

class SeriesTask : public Task {
 public:
  explicit SeriesTask(ReadSeries series) : series_(std::move(series)) {
    const SeriesCard& card = *series_.card;
    for (int t = 0; t < series_.patches.count; ++t) {
      const int first = card.begin + t * card.patch;
      labels_.push_back(first + card.patch <= 0 ? std::string("·")
                                                : fmt::format("{}", std::max(first, 0)));
    }
  }
  std::string name() const override { return "series"; }
  std::string title() const override {
    return series_.card->name.empty() ? "Series" : printable(series_.card->name, 80);
  }
  std::string description() const override {
    return fmt::format("A series of {} numbers, read in patches of {}.",
                       series_.card->numbers.size(), series_.card->patch);
  }
  std::string must_remember() const override {
    return "What of the series so far says how it goes on.";
  }
  const std::vector<std::string>& vocabulary() const override { return labels_; }
  bool has_data() const override { return false; }
  int shortest() const override { return 1; }
  void sample(std::uint64_t, std::uint64_t, std::span<int>, std::span<int>) const override {
    throw Error("A series that is foretold is nothing to learn from here.");
  }
  std::vector<int> first_look() const override {
    std::vector<int> tokens(labels_.size());
    std::iota(tokens.begin(), tokens.end(), 0);
    return tokens;
  }
  std::vector<int> encode(const std::string&) const override {
    throw Error(
        "This model reads the patches of a series, one after the other: there is no prompt "
        "to write.");
  }
  const ReadSeries* series() const override { return &series_; }

  ModelSpec default_model() const override { return {}; }
  TrainSpec default_training() const override { return {}; }

 private:
  ReadSeries series_;
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<Task> make_series_task(ReadSeries series) {
  return std::make_unique<SeriesTask>(std::move(series));
}

}  // namespace xlab
