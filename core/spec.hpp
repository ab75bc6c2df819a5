// What a model, its training and its task are, as plain values and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cells/list.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

/// The programs whose forecasting models are read. They differ in the names of their tensors, in
/// how a series is scaled, and in how more than a patch is foretold: TiRex-2 reads the numbers that
/// it foretells as missing ones behind the series, and TiRex reads none; for more than a patch it
/// reads the series again, with a patch of missing numbers more each time.
enum class SeriesProgram { tirex, tirex2 };

/// What a forecasting model reads and puts out: patches of a series instead of tokens, and a patch
/// for each of the quantiles instead of a distribution.
struct SeriesSpec {
  SeriesProgram program = SeriesProgram::tirex2;
  int patch = 32;                      ///< numbers in one
  int context = 2048, future = 320;    ///< how many numbers it looks back on, and foretells at once
  std::vector<double> quantiles;       ///< rising, each in (0, 1)
  int input_width = 0;                 ///< inside the layer that embeds a patch
  int output_width = 0;                ///< inside the layer that puts one out
  std::string act_fn = "relu";         ///< in both: see FeedforwardSpec
  double least_scale = 1e-8;           ///< a series is divided by this at least
  bool arcsinh = false;                ///< squashed after it was scaled
  bool leaves_binary = false;          ///< a series of 0 and 1 is not scaled
  double norm_eps = 1e-6;              ///< of the norms in the blocks
  std::optional<double> out_norm_eps;  ///< absent: no norm after the last block
  bool flips = false;                  ///< foretells the series upside down too, and takes the mean
  bool differences = true;             ///< a series with a trend is foretold by its differences

  bool reads_ahead() const { return program == SeriesProgram::tirex2; }
  /// How many patches it reads behind the series, and in all.
  int patches_ahead() const { return reads_ahead() ? future / patch : 0; }
  int patches() const { return (context + patch - 1 + patches_ahead() * patch) / patch; }
  /// How many numbers can be foretold, one pass after another.
  int most_steps() const { return reads_ahead() ? future : context; }
};

/// A language model: embedding, residual blocks, norm, head. Of the paper's family; or, with
/// `series`, a forecasting model, whose blocks are sLSTMs (`slstm`, `feedforward`) behind RMS norms
/// and whose `vocab_size` counts the numbers it puts out after a patch; or, with `large`, of the
/// large family; then `slstm_at`, `add_post_blocks_norm`, `bias`, `mlstm`, `slstm` and
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

  std::optional<SeriesSpec> series;

  bool is_slstm(int block) const;
  /// How many tokens there are to read: those of the vocabulary, or the patches of a series.
  int tokens() const;
};
/// "paper", "large" or "forecasting".
const char* model_family(const ModelSpec& spec);

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

/// The large family's formula, in real numbers: whole multiples of (width + multiple - 1).
std::int64_t feedforward_width_above(double width, int multiple);

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
