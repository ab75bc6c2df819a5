// What can be taken back.
#include "core/engine/history.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/engine/history_text.hpp"

namespace xlab {
namespace {

std::size_t bytes_in(const Tensor& tensor) {
  return tensor.defined() ? tensor.bytes() : 0;
}

std::size_t bytes_in(const TrainedNumbers& numbers) {
  return bytes_in(numbers.values) + bytes_in(numbers.first_moment) +
         bytes_in(numbers.second_moment) + numbers.losses.size() * sizeof(LossPoint);
}

/// The runs that an edit keeps.
std::vector<LiveRun*> runs_of(const Edit& edit) {
  std::vector<LiveRun*> runs;
  if (const auto* run = std::get_if<std::unique_ptr<LiveRun>>(&edit.before)) {
    if (*run) runs.push_back(run->get());
  } else if (const auto* bench = std::get_if<BenchBefore>(&edit.before)) {
    for (const BenchBefore::Coming& coming : bench->come) runs.push_back(coming.run.get());
  }
  return runs;
}

bool keeps_run(const Edit& edit) {
  return !runs_of(edit).empty();
}

/// Whether a run stands where none or another one stood before.
bool begins_run(const Edit& edit) {
  return std::holds_alternative<std::unique_ptr<LiveRun>>(edit.before) ||
         std::holds_alternative<BenchBefore>(edit.before);
}

/// Whether undoing an edit brings another run on the screen than the one of now.
bool shows_run(const Edit& edit, int shown) {
  return begins_run(edit) || edit.run != shown;
}

std::size_t bytes_in(const std::vector<Clamp>& clamps) {
  std::size_t bytes = clamps.size() * sizeof(Clamp);
  for (const Clamp& clamp : clamps) bytes += clamp.path.size() + clamp.curve.size() * sizeof(float);
  return bytes;
}

/// Memory that edits hold; numbers that several share are counted once.
template <typename Iterator>
std::size_t bytes_in(Iterator begin, Iterator end) {
  std::size_t bytes = 0;
  std::set<const TrainedNumbers*> shared;
  for (; begin != end; ++begin) {
    const Edit& edit = *begin;
    if (const auto* tokens = std::get_if<TokensBefore>(&edit.before)) {
      bytes += tokens->tokens.size() * sizeof(int);
    } else if (const auto* follow = std::get_if<FollowBefore>(&edit.before)) {
      bytes += follow->tokens.tokens.size() * sizeof(int);
    } else if (const auto* clamps = std::get_if<std::vector<Clamp>>(&edit.before)) {
      bytes += bytes_in(*clamps);
    } else if (const auto* held = std::get_if<HeldBefore>(&edit.before)) {
      bytes += bytes_in(held->clamps);
      if (held->tokens) bytes += held->tokens->tokens.size() * sizeof(int);
    } else if (const auto* variant = std::get_if<VariantBefore>(&edit.before)) {
      if (variant->numbers && shared.insert(variant->numbers.get()).second)
        bytes += bytes_in(*variant->numbers);
    } else {
      for (const LiveRun* run : runs_of(edit)) bytes += memory_of(run->run());
    }
  }
  return bytes;
}

std::size_t bytes_in(const std::deque<Edit>& edits) {
  return bytes_in(edits.begin(), edits.end());
}

bool wants_numbers_of_before(const Edit& edit) {
  const auto* variant = std::get_if<VariantBefore>(&edit.before);
  return variant && !variant->numbers && !variant->without_numbers;
}

std::string label(const char* what, const std::deque<Edit>& edits,
                  const History::WeightsOf& weights_of) {
  if (edits.empty()) return {};
  const Edit& edit = edits.back();
  const auto* variant = std::get_if<VariantBefore>(&edit.before);
  if (variant && variant->without_numbers)
    return fmt::format("{} {} (with the weights of now)", what, edit.name);
  if (!variant || !variant->numbers || variant->numbers->weights_id == weights_of(edit.run))
    return fmt::format("{} {}", what, edit.name);
  return fmt::format("{} {} (with the weights of step {})", what, edit.name,
                     variant->numbers->step);
}

void move_back(std::deque<Edit>& from, std::deque<Edit>& to,
               const std::function<void(Edit&)>& exchange) {
  // Room first: what was exchanged must find it.
  to.emplace_back();
  try {
    exchange(from.back());
  } catch (...) {
    to.pop_back();
    throw;
  }
  to.back() = std::move(from.back());
  from.pop_back();
}

}  // namespace

std::size_t memory_of(const Run& run) {
  const Params& params = run.model->params();
  std::size_t bytes = run.losses.size() * sizeof(LossPoint);
  if (params.trainable()) {
    // Weights, gradients, and the weights before a step.
    bytes += 3 * bytes_in(params.values()) + bytes_in(run.trainer->first_moment()) +
             bytes_in(run.trainer->second_moment());
  } else {
    for (std::size_t p = 0; p < params.infos().size(); ++p)
      bytes += bytes_in(params[static_cast<int>(p)].value);
  }
  if (const TextData* text = run.task->text()) bytes += text->ids.size() * sizeof(std::int32_t);
  return bytes;
}

std::size_t bytes_of_trained_numbers(const Run& run) {
  return bytes_in(run.model->params().values()) + bytes_in(run.trainer->first_moment()) +
         bytes_in(run.trainer->second_moment()) + run.losses.size() * sizeof(LossPoint);
}

std::shared_ptr<const TrainedNumbers> trained_numbers(const Run& run, std::uint64_t weights_id) {
  const auto copy = [](const Tensor& numbers) {
    if (!numbers.defined()) return Tensor();
    return numbers.device() == Device::cpu() ? numbers.clone() : numbers.to(Device::cpu());
  };
  auto out = std::make_shared<TrainedNumbers>();
  out->weights_id = weights_id;
  out->step = run.trainer->steps_done();
  out->values = copy(run.model->params().values());
  out->first_moment = copy(run.trainer->first_moment());
  out->second_moment = copy(run.trainer->second_moment());
  out->losses = run.losses;
  out->seconds = run.seconds;
  return out;
}

void put_back(const TrainedNumbers& numbers, Run& run) {
  const auto put = [](const Tensor& from, const Tensor& to) {
    if (!to.defined()) return;
    to.copy_from(to.device() == Device::cpu() ? from : from.to(to.device()));
  };
  put(numbers.values, run.model->params().values());
  put(numbers.first_moment, run.trainer->first_moment());
  put(numbers.second_moment, run.trainer->second_moment());
  run.trainer->resume_at(numbers.step);
  run.losses = numbers.losses;
  run.seconds = numbers.seconds;
}

bool History::add(Edit edit, Time now, const std::string& place) {
  future_.clear();
  const bool joins = !place.empty() && place == place_ && !past_.empty() &&
                     past_.back().run == edit.run && now - changed_ < kDragPause;
  place_ = place;
  changed_ = now;
  if (joins) {
    past_.back().about = std::move(edit.about);
    return true;
  }
  edit.at = ++last_;
  past_.push_back(std::move(edit));
  forget_oldest();
  return !past_.empty();
}

std::vector<std::string> History::forget_oldest() {
  const auto runs = [&] {
    return static_cast<std::size_t>(std::count_if(past_.begin(), past_.end(), keeps_run));
  };
  std::vector<std::string> forgotten;
  // Edits of a run that is forgotten are older than its end, so they go with it.
  while (!past_.empty() && (past_.size() > kMostEdits || runs() > kMostRuns ||
                            bytes_in(past_) + bytes_in(future_) > kMostBytes)) {
    forgotten.insert(forgotten.begin(), std::move(past_.front().name));
    past_.pop_front();
  }
  return forgotten;
}

void History::undo(const std::function<void(Edit&)>& exchange) {
  check(!past_.empty(), "There is nothing to undo.");
  place_.clear();
  move_back(past_, future_, exchange);
}

void History::redo(const std::function<void(Edit&)>& exchange) {
  check(!future_.empty(), "There is nothing to redo.");
  place_.clear();
  move_back(future_, past_, exchange);
}

std::string History::undo_label(const WeightsOf& weights_of) const {
  return label("Undo", past_, weights_of);
}

std::string History::redo_label(const WeightsOf& weights_of) const {
  return label("Redo", future_, weights_of);
}

EditHistory History::list() const {
  const auto entry = [](const Edit& edit) {
    return EditHistory::Entry{edit.name, edit.about, edit.run};
  };
  EditHistory list;
  std::ranges::transform(past_, std::back_inserter(list.past), entry);
  std::transform(future_.rbegin(), future_.rend(), std::back_inserter(list.future), entry);
  return list;
}

bool History::undo_shows_run(int shown) const {
  return !past_.empty() && shows_run(past_.back(), shown);
}

bool History::redo_shows_run(int shown) const {
  return !future_.empty() && shows_run(future_.back(), shown);
}

std::vector<VariantBefore*> History::wanting(int run) {
  std::vector<VariantBefore*> found;
  for (auto edit = past_.rbegin(); edit != past_.rend(); ++edit) {
    if (edit->run != run) continue;
    if (begins_run(*edit)) break;
    // The oldest is the last one.
    if (wants_numbers_of_before(*edit)) found.push_back(&std::get<VariantBefore>(edit->before));
  }
  return found;
}

bool History::wants_numbers(int run) const {
  for (auto edit = past_.rbegin(); edit != past_.rend(); ++edit) {
    if (edit->run != run) continue;
    if (begins_run(*edit)) return false;
    if (wants_numbers_of_before(*edit)) return true;
  }
  return false;
}

bool History::has_room_for_numbers(int run, std::size_t bytes) const {
  auto oldest = past_.end();
  for (auto edit = past_.end(); edit != past_.begin();) {
    --edit;
    if (edit->run != run) continue;
    if (begins_run(*edit)) break;
    if (wants_numbers_of_before(*edit)) oldest = edit;
  }
  return bytes + bytes_in(oldest, past_.end()) + bytes_in(future_) <= kMostBytes;
}

std::vector<std::string> History::take_numbers(
    int run, const std::shared_ptr<const TrainedNumbers>& numbers) {
  for (VariantBefore* variant : wanting(run)) variant->numbers = numbers;
  return forget_oldest();
}

void History::go_without_numbers(int run) {
  for (VariantBefore* variant : wanting(run)) variant->without_numbers = true;
}

std::vector<int> History::kept_runs() const {
  std::vector<int> numbers;
  for (const std::deque<Edit>* edits : {&past_, &future_}) {
    for (const Edit& edit : *edits) {
      for (const LiveRun* run : runs_of(edit))
        if (run->run().kept_as != 0) numbers.push_back(run->run().kept_as);
    }
  }
  return numbers;
}

void History::file_written(const std::string& path, std::optional<FileStamp> stamp) {
  for (std::deque<Edit>* edits : {&past_, &future_}) {
    for (Edit& edit : *edits) {
      for (LiveRun* run : runs_of(edit)) run->file_written(path, stamp);
    }
  }
}

std::string History::text(int run, std::int64_t step) const {
  return history_text(past_, future_, run, step);
}

void History::restore(std::deque<Edit> past, std::deque<Edit> future) {
  place_.clear();
  future_.clear();
  for (Edit& edit : past) {
    edit.at = ++last_;
    past_.push_back(std::move(edit));
  }
  for (auto edit = future.rbegin(); edit != future.rend(); ++edit) {
    edit->at = ++last_;
    future_.push_front(std::move(*edit));
  }
  forget_oldest();
}

void History::clear() {
  past_.clear();
  future_.clear();
  place_.clear();
}

}  // namespace xlab
