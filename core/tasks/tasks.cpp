// The list of tasks, and what they share: batches, examples, labels.
#include <algorithm>
#include <sstream>

#include "core/explorer.hpp"
#include "core/tasks/task.hpp"
#include "core/utf8.hpp"

namespace xlab {

/// The list of tasks: a new one is a file with `make_foo_task` and a word here.
#define XLAB_TASKS(each) each(recall) each(parity) each(copy)

#define XLAB_DECLARE(name) std::unique_ptr<Task> make_##name##_task();
XLAB_TASKS(XLAB_DECLARE)

namespace {

/// Training rows are counted from 0, rows for people from here: no training ever gets this far.
constexpr std::uint64_t kExamples = std::uint64_t{1} << 62;

}  // namespace

std::vector<std::string> task_names() {
#define XLAB_NAME(name) #name,
  return {XLAB_TASKS(XLAB_NAME)};
}

std::unique_ptr<Task> make_task(const std::string& wanted) {
#define XLAB_MAKE(name) \
  if (wanted == #name) return make_##name##_task();
  XLAB_TASKS(XLAB_MAKE)
  if (wanted == explorer::kTask) return make_explorer_task();
  throw Error(fmt::format("There is no task called '{}'; choose one of {}.", printable(wanted, 60),
                          fmt::join(task_names(), ", ")));
}

std::vector<int> Task::encode(const std::string& prompt) const {
  std::vector<int> tokens;
  std::istringstream words(prompt);
  for (std::string word; words >> word;) {
    const auto& labels = vocabulary();
    const auto found = std::find(labels.begin(), labels.end(), word);
    check(found != labels.end(),
          "The task has no token '{}'. Its tokens, separated by spaces, are: {}.", word,
          fmt::join(labels, " "));
    tokens.push_back(static_cast<int>(found - labels.begin()));
  }
  return tokens;
}

std::string Task::decode(std::span<const int> tokens) const {
  std::string out;
  for (const int token : tokens) {
    if (!out.empty()) out += ' ';
    // A model may know more tokens than its task.
    const auto index = static_cast<std::size_t>(token);
    out += index < vocabulary().size() ? vocabulary()[index] : fmt::format("<{}>", token);
  }
  return out;
}

std::string Task::why_nothing_to_learn() const {
  return "This model came with its weights and without data: there is nothing to learn from. "
         "Train it on a task or on a text.";
}

std::vector<int> Task::first_look() const {
  constexpr std::size_t kTokens = 16;
  std::vector<int> inputs(kTokens), targets(kTokens);
  sample(default_training().seed, kExamples, inputs, targets);
  return inputs;
}

Batch make_batch(const Task& task, const TrainSpec& spec, std::int64_t step) {
  const std::int64_t B = spec.batch_size, T = spec.sequence_length;
  check(T >= task.shortest(), "The task '{}' needs sequences of at least {} tokens, not {}.",
        task.name(), task.shortest(), T);
  Batch batch{Tensor::empty({B, T}, DType::i32), Tensor::empty({B, T}, DType::i32)};
  for (std::int64_t b = 0; b < B; ++b) {
    const auto row = [&](const Tensor& t) {
      return t.span<std::int32_t>().subspan(static_cast<std::size_t>(b * T),
                                            static_cast<std::size_t>(T));
    };
    task.sample(spec.seed, static_cast<std::uint64_t>(step * B + b), row(batch.inputs),
                row(batch.targets));
  }
  return batch;
}

std::vector<ExampleRow> example_rows(const Task& task, const TrainSpec& spec, int count,
                                     int length) {
  std::vector<ExampleRow> rows;
  length = std::max(length, task.shortest());
  for (int i = 0; i < count; ++i) {
    ExampleRow row;
    row.inputs.resize(static_cast<std::size_t>(length));
    row.targets.resize(static_cast<std::size_t>(length));
    task.sample(spec.seed, kExamples + static_cast<std::uint64_t>(i), row.inputs, row.targets);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace xlab
