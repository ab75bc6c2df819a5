// What can be taken back.
#include "core/history.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace xlab {
namespace {

std::size_t bytes_of(const Tensor& tensor) {
  return tensor.defined() ? tensor.bytes() : 0;
}

std::size_t bytes_of(const TrainedNumbers& numbers) {
  return bytes_of(numbers.values) + bytes_of(numbers.first_moment) +
         bytes_of(numbers.second_moment) + numbers.losses.size() * sizeof(LossPoint);
}

bool is_run(const Edit& edit) {
  return std::holds_alternative<std::unique_ptr<LiveRun>>(edit.before);
}

/// Memory that edits hold; numbers that several share are counted once.
template <typename Iterator>
std::size_t bytes_of(Iterator begin, Iterator end) {
  std::size_t bytes = 0;
  std::set<const TrainedNumbers*> shared;
  for (; begin != end; ++begin) {
    const Edit& edit = *begin;
    if (const auto* tokens = std::get_if<TokensBefore>(&edit.before)) {
      bytes += tokens->tokens.size() * sizeof(int);
    } else if (const auto* clamps = std::get_if<std::vector<Clamp>>(&edit.before)) {
      bytes += clamps->size() * sizeof(Clamp);
    } else if (const auto* variant = std::get_if<VariantBefore>(&edit.before)) {
      if (variant->numbers && shared.insert(variant->numbers.get()).second)
        bytes += bytes_of(*variant->numbers);
    } else if (const auto* shown = std::get_if<std::unique_ptr<LiveRun>>(&edit.before)) {
      bytes += memory_of((*shown)->run());
    }
  }
  return bytes;
}

std::size_t bytes_of(const std::deque<Edit>& edits) {
  return bytes_of(edits.begin(), edits.end());
}

bool wants_numbers_of_before(const Edit& edit) {
  const auto* variant = std::get_if<VariantBefore>(&edit.before);
  return variant && !variant->numbers && !variant->without_numbers;
}

std::string label(const char* what, const std::deque<Edit>& edits, std::uint64_t weights_id) {
  if (edits.empty()) return {};
  const Edit& edit = edits.back();
  const auto* variant = std::get_if<VariantBefore>(&edit.before);
  if (variant && variant->without_numbers)
    return fmt::format("{} {} (with the weights of now)", what, edit.name);
  if (!variant || !variant->numbers || variant->numbers->weights_id == weights_id)
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
    bytes += 3 * bytes_of(params.values()) + bytes_of(run.trainer->first_moment()) +
             bytes_of(run.trainer->second_moment());
  } else {
    for (std::size_t p = 0; p < params.infos().size(); ++p)
      bytes += bytes_of(params[static_cast<int>(p)].value);
  }
  if (const TextData* text = run.task->text()) bytes += text->ids.size() * sizeof(std::int32_t);
  return bytes;
}

std::size_t bytes_of_trained_numbers(const Run& run) {
  return bytes_of(run.model->params().values()) + bytes_of(run.trainer->first_moment()) +
         bytes_of(run.trainer->second_moment()) + run.losses.size() * sizeof(LossPoint);
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
  const bool joins =
      !place.empty() && place == place_ && !past_.empty() && now - changed_ < kDragPause;
  place_ = place;
  changed_ = now;
  if (joins) return true;
  past_.push_back(std::move(edit));
  forget_oldest();
  return !past_.empty();
}

std::vector<std::string> History::forget_oldest() {
  const auto runs = [&] {
    return static_cast<std::size_t>(std::count_if(past_.begin(), past_.end(), is_run));
  };
  std::vector<std::string> forgotten;
  // Edits of a run that is forgotten are older than its end, so they go with it.
  while (!past_.empty() && (past_.size() > kMostEdits || runs() > kMostRuns ||
                            bytes_of(past_) + bytes_of(future_) > kMostBytes)) {
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

std::string History::undo_label(std::uint64_t weights_id) const {
  return label("Undo", past_, weights_id);
}

std::string History::redo_label(std::uint64_t weights_id) const {
  return label("Redo", future_, weights_id);
}

bool History::undo_shows_run() const {
  return !past_.empty() && is_run(past_.back());
}

bool History::redo_shows_run() const {
  return !future_.empty() && is_run(future_.back());
}

std::vector<VariantBefore*> History::wanting() {
  std::vector<VariantBefore*> found;
  for (auto edit = past_.rbegin(); edit != past_.rend() && !is_run(*edit); ++edit) {
    if (wants_numbers_of_before(*edit)) found.push_back(&std::get<VariantBefore>(edit->before));
  }
  return found;
}

bool History::wants_numbers() const {
  const auto run = std::find_if(past_.rbegin(), past_.rend(), is_run);
  return std::any_of(past_.rbegin(), run, wants_numbers_of_before);
}

bool History::has_room_for_numbers(std::size_t bytes) const {
  const auto run = std::find_if(past_.rbegin(), past_.rend(), is_run);
  const auto oldest = std::find_if(run.base(), past_.end(), wants_numbers_of_before);
  return bytes + bytes_of(oldest, past_.end()) + bytes_of(future_) <= kMostBytes;
}

std::vector<std::string> History::take_numbers(std::shared_ptr<const TrainedNumbers> numbers) {
  for (VariantBefore* variant : wanting()) variant->numbers = numbers;
  return forget_oldest();
}

void History::go_without_numbers() {
  for (VariantBefore* variant : wanting()) variant->without_numbers = true;
}

std::vector<int> History::kept_runs() const {
  std::vector<int> numbers;
  for (const std::deque<Edit>* edits : {&past_, &future_}) {
    for (const Edit& edit : *edits) {
      const auto* shown = std::get_if<std::unique_ptr<LiveRun>>(&edit.before);
      if (shown && *shown && (*shown)->run().kept_as != 0)
        numbers.push_back((*shown)->run().kept_as);
    }
  }
  return numbers;
}

void History::file_written(const std::string& path, std::optional<FileStamp> stamp) {
  for (std::deque<Edit>* edits : {&past_, &future_}) {
    for (Edit& edit : *edits) {
      auto* shown = std::get_if<std::unique_ptr<LiveRun>>(&edit.before);
      if (!shown || (*shown)->path.empty() || (*shown)->path != path) continue;
      (*shown)->unsaved = true;
      (*shown)->saved_step = 0;
      // It was written here, by nobody else: saving this run over it again is no accident.
      (*shown)->stamp = stamp;
    }
  }
}

void History::clear() {
  past_.clear();
  future_.clear();
  place_.clear();
}

}  // namespace xlab
