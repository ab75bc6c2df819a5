// Tasks: data as a pure function of (seed, index), so that reset repeats and any batch can be made
// alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "core/spec.hpp"
#include "core/tasks/training_text.hpp"
#include "kernels/tensor.hpp"

namespace xlab {

struct ReadSeries;

/// What a model is trained on.
class Task {
 public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;
  /// Title, one sentence on what is asked, one on what a perfect solver must remember.
  virtual std::string title() const = 0;
  virtual std::string description() const = 0;
  virtual std::string must_remember() const = 0;
  /// Label of every token. Tokens of a text are labelled by their bytes, which need not be whole
  /// characters.
  virtual const std::vector<std::string>& vocabulary() const = 0;
  /// Fills one sequence: `targets[t]` is the token that should follow inputs[0..t], or -1 where no
  /// answer is asked for. Both have one length, at least `shortest()`.
  virtual void sample(std::uint64_t seed, std::uint64_t index, std::span<int> inputs,
                      std::span<int> targets) const = 0;
  /// What a perfect solver would answer after each of these tokens, -1 where nothing is asked.
  virtual std::vector<int> answers(std::span<const int> inputs) const {
    return std::vector<int>(inputs.size(), -1);
  }
  /// Whether there is anything to learn from.
  virtual bool has_data() const { return true; }
  virtual int shortest() const = 0;
  /// The sequence on screen when a run is new: short, and telling what the task is about.
  virtual std::vector<int> first_look() const;
  /// What a new run holds by hand, in a model with these blocks.
  virtual std::vector<Clamp> first_edits(const std::vector<BlockCard>& /*blocks*/) const {
    return {};
  }
  /// Why there is nothing to learn, as a sentence, for tasks without data.
  virtual std::string why_nothing_to_learn() const;
  /// A model and a training that learn the task in seconds to minutes on two cores.
  virtual ModelSpec default_model() const = 0;
  virtual TrainSpec default_training() const = 0;
  /// Tokens of a prompt; throws a sentence naming what the vocabulary lacks.
  virtual std::vector<int> encode(const std::string& prompt) const;
  /// Tokens as text; task tokens are separated by spaces, those of a text are not.
  virtual std::string decode(std::span<const int> tokens) const;
  /// How text becomes tokens, for tasks whose tokens are text.
  virtual std::shared_ptr<const Tokenizer> tokenizer() const { return nullptr; }
  /// The text itself, for the task that has one.
  virtual const TextData* text() const { return nullptr; }
  /// The series whose patches the tokens are, for the task that has one.
  virtual const ReadSeries* series() const { return nullptr; }
};

/// Names of the tasks that make their own data: recall, parity, copy.
std::vector<std::string> task_names();
/// The three cells under a person's hands, see core/explorer.hpp: no data, and none of the above.
std::unique_ptr<Task> make_explorer_task();
/// One of the above. Throws a sentence listing the names when there is no such task.
std::unique_ptr<Task> make_task(const std::string& name);
/// Next-token prediction on a text.
std::unique_ptr<Task> make_text_task(TextData text);
/// No data: the tokens of a model that came with its weights, as its tokenizer writes them or,
/// where there is none, "0", "1", ...
std::unique_ptr<Task> make_tokens_task(int vocabulary,
                                       std::shared_ptr<const Tokenizer> tokenizer = nullptr);

/// No data: a series that a forecasting model reads; the tokens are the numbers of its patches.
std::unique_ptr<Task> make_series_task(ReadSeries series);

/// One batch: inputs and targets, i32 (B, T).
struct Batch {
  Tensor inputs, targets;
};
/// Batch number `step`: a function of the task, the specification's seed and the step alone.
Batch make_batch(const Task& task, const TrainSpec& spec, std::int64_t step);

/// Some rows for people to look at, different from every training row.
std::vector<ExampleRow> example_rows(const Task& task, const TrainSpec& spec, int count,
                                     int length);

}  // namespace xlab
