// What a model, its training and its task are, as plain values and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cells/list.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

/// A language model: embedding, residual blocks, norm, head. Of the paper's family, or, with
/// `large`, of the large one; then `slstm_at`, `add_post_blocks_norm`, `bias`, `mlstm`, `slstm` and
/// `feedforward` mean nothing.
struct ModelSpec : CellSpecs {
  int vocab_size = 0;
  int embedding_dim = 128;
  int num_blocks = 1;
  int context_length = 0;     ///< longest training sequence; stepping has no limit
  std::vector<int> slstm_at;  ///< indices of the sLSTM blocks; the others are mLSTM
  bool tie_weights = false;
  bool weight_decay_on_embedding = false;
  bool add_post_blocks_norm = true;
  bool bias = false;  ///< biases in the mLSTM blocks' projections
  double dropout = 0.0;

  bool is_slstm(int block) const;
};

/// How a model is trained.
struct TrainSpec {
  int batch_size = 16;
  int sequence_length = 128;
  double learning_rate = 3e-3;
  double min_learning_rate = 3e-4;
  std::int64_t warmup_steps = 50;
  std::int64_t decay_until_step = 2000;
  double beta1 = 0.9, beta2 = 0.99;
  double adam_eps = 1e-8;
  double weight_decay = 0.1;
  double gradient_clip = 1.0;  ///< on the global norm; 0: none
  std::uint64_t seed = 1;
};

/// Reads the paper's configuration keys or, where "model_type" is "xlstm", those of the large
/// family. Throws a sentence naming the key that is unknown, has the wrong type, lies outside its
/// limits, or stands for equations that are not computed here. `vocab_size` may be missing (0) and
/// is set by the task.
ModelSpec model_spec_from_json(const std::string& json);
/// Reads the configuration of a model folder: as above, but what became of every key is added to
/// `keys`, those that are unknown included; and of the large family missing keys have the official
/// defaults. `what` names it in sentences.
ModelSpec model_spec_from_config(const std::string& json, ReadKeys& keys,
                                 const std::string& what = "The model's config.json");
/// The config.json of a model folder, as the authors' programs read it.
std::string to_config_json(const ModelSpec& spec, const std::string& torch_dtype);
/// Keys in it that those programs do not know: without them they compute other numbers.
std::vector<std::string> keys_of_our_own(const ModelSpec& spec);
std::string to_json(const ModelSpec& spec);
/// What people call it: "xLSTM [7:1]", "xLSTM-large, 32 blocks".
std::string title_of(const ModelSpec& spec);
TrainSpec train_spec_from_json(const std::string& json);
std::string to_json(const TrainSpec& spec);

/// A file for `--spec`: {"model": {...}, "train": {...}}, each optional, or the model's keys alone.
struct RunSpec {
  std::optional<ModelSpec> model;
  std::optional<TrainSpec> train;
};
RunSpec run_spec_from_json(const std::string& json);

/// Throws a sentence unless the sizes are possible. Allocates nothing.
void check_sizes(const ModelSpec& spec);
/// The same, and that values, gradients and moments fit into 16 GB.
void validate(const ModelSpec& spec);
void validate(const TrainSpec& spec);
/// Throws a sentence unless a training step of this model would fit into this computer's memory.
void validate(const ModelSpec& model, const TrainSpec& train);

/// Numbers in all parameters of a valid specification; a double, because it may be beyond integers.
double parameter_count(const ModelSpec& spec);

/// ceil(factor * dim / multiple) * multiple (floor when not `up`), in double as the official code
/// does.
std::int64_t rounded_width(double factor, int dim, bool up, int multiple);

/// Widths of the large family: of all heads' queries and keys, of their values, and of the
/// feed-forward layer (its formula rounds up for whole widths only).
std::int64_t large_key_width(const ModelSpec& spec);
std::int64_t large_value_width(const ModelSpec& spec);
std::int64_t large_feedforward_width(const ModelSpec& spec);
/// Chooses factor and multiple so that the feed-forward layer has this width.
void set_large_feedforward_width(ModelSpec& spec, std::int64_t width);

/// Learning rate of update number `step` = 0, 1, ...: linear warm-up (the first update has rate 0
/// when there is one), then cosine decay to the minimum at `decay_until_step`, then constant.
double learning_rate_at(const TrainSpec& spec, std::int64_t step);

}  // namespace xlab
