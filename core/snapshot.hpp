// Everything the window may know at one moment: an immutable tree of plain values.
// Standard types only; parts that did not change are shared with the snapshot before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clamp.hpp"
#include "core/loss_curve.hpp"
#include "core/reports.hpp"
#include "core/trace.hpp"
#include "core/value.hpp"
#include "core/variant.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

/// Which recurrence of kernels/ stands behind a cell: the self-check can run these in other ways.
enum class Scan : std::uint8_t { other, mlstm, slstm };

/// One residual block as shown to people.
struct BlockCard {
  std::string kind;         ///< names the cell: blocks of one kind have the same equations
  std::string title;        ///< as people write it, e.g. "mLSTM"
  bool has_matrix = false;  ///< each head has a matrix for a memory, else each unit a number
  int heads = 0;
  int key_dim = 0;    ///< K of a matrix, else units per head
  int value_dim = 0;  ///< V of a matrix, else units per head
  int window = 0;     ///< tokens that its convolution keeps, each of heads * value_dim numbers
  std::int64_t parameters = 0;
  /// Inner width of the feed-forward layer that follows its cell, with a norm of its own before it;
  /// 0: there is none.
  int feedforward_width = 0;

  /// First part of the paths of this block's values, e.g. "block0/mlstm".
  std::string prefix;
  CellVariant variant;  ///< which of its equations are not the usual ones
  CellVariant usual;    ///< what the reference of this family has
  Scan scan = Scan::other;
  std::shared_ptr<const CellValues> values = no_values();  ///< what can be seen of it; never null

  /// How many numbers it carries from token to token.
  std::int64_t state_numbers() const {
    std::int64_t count = std::int64_t{heads} * window * value_dim;
    for (const ValueCard& value : values->cards)
      if (value.role == Role::state) count += heads * numbers(value.extent);
    return count;
  }
  /// The path of the value of this name.
  std::string path(std::string_view name) const { return prefix + "/" + std::string(name); }
  /// The value at this path, or null when it is none of this block's.
  const ValueCard* value_at(std::string_view path) const {
    const bool mine =
        path.size() > prefix.size() && path.starts_with(prefix) && path[prefix.size()] == '/';
    return mine ? values->find(path.substr(prefix.size() + 1)) : nullptr;
  }
  /// How many numbers a value has in each head.
  std::int64_t numbers(Extent extent) const {
    switch (extent) {
      case Extent::key:
        return key_dim;
      case Extent::value:
      case Extent::unit:
        return value_dim;
      case Extent::key_by_value:
        return static_cast<std::int64_t>(key_dim) * value_dim;
      case Extent::head:
        break;
    }
    return 1;
  }
};

/// The model: its shape, and how its tokens are written.
struct ModelCard {
  std::string name;
  std::string spec_json;  ///< the complete model specification, readable
  std::int64_t parameters = 0;
  int embedding_dim = 0;
  int context_length = 0;
  std::vector<BlockCard> blocks;
  /// Label of every token: UTF-8, but for tokens of a text that are no whole characters.
  std::vector<std::string> vocabulary;
  /// Whether each token can be written: those that stand for no text are never drawn. Empty: all.
  std::vector<bool> writable;
  std::vector<int> ends;  ///< the tokens that end a text; empty: texts go on
  /// The weights were trained elsewhere before they came here: at step 0 the model is not
  /// untrained.
  bool came_with_weights = false;
  /// What was read of the folder the weights came from; null where there is none, or nobody knows.
  std::shared_ptr<const WhatWasRead> was_read;

  /// The block whose values stand at this path, or null.
  const BlockCard* block_at(std::string_view path) const {
    for (const BlockCard& block : blocks)
      if (path.starts_with(block.prefix) && path.substr(block.prefix.size()).starts_with('/'))
        return &block;
    return nullptr;
  }
  /// The value at a path, or null.
  const ValueCard* value_at(std::string_view path) const {
    const BlockCard* block = block_at(path);
    return block ? block->value_at(path) : nullptr;
  }
};

/// One row of training data: what goes in, and which answers count.
struct ExampleRow {
  std::vector<int> inputs;
  std::vector<int> targets;  ///< -1 where no answer is asked for
};

/// A series of numbers that a forecasting model reads, a patch for a token.
struct SeriesCard {
  std::string name;             ///< of its column; empty: it has none
  std::vector<double> numbers;  ///< the oldest first; NaN where one is not there
  int patch = 0;                ///< numbers of one token
  int begin = 0;   ///< place in the series of the first number of token 0; below 0 there are none
  int future = 0;  ///< how many numbers after the series are foretold
  std::vector<double> quantiles;
  bool differenced = false;  ///< it has a trend: its differences are read, and foretold
  bool flips = false;  ///< the program that published the model adds a second pass, upside down
};

/// What a forecasting model expects after the patch at the time cursor, in units of the series.
/// From the last patch of the series on that is all it foretells, as far as it is computed.
struct Foretold {
  int begin = 0;                               ///< place in the series of the first of the numbers
  std::vector<std::vector<double>> quantiles;  ///< (quantiles, numbers)
  std::vector<std::vector<double>> unclamped;  ///< the same without clamps; empty: there are none
};

/// The task: what the model is trained on.
struct DataCard {
  std::string task;           ///< "recall", "parity", "copy" or "text"
  std::string title;          ///< e.g. the file's name
  std::string description;    ///< what is asked, in a sentence
  std::string must_remember;  ///< what a perfect solver has to remember, in a sentence
  std::int64_t length = 0;    ///< tokens of the text, 0 for tasks that make their own data
  std::string unit;           ///< what these are: "characters", "bytes" or "tokens"
  /// Tokens are pieces of a text, written one after the other; else they are words with blanks
  /// between them.
  bool tokens_are_text = false;
  /// What reads the text: "characters", "bytes", or the name of another tokenizer and its size.
  std::string tokenizer;
  std::vector<ExampleRow> examples;
  std::shared_ptr<const SeriesCard> series;  ///< what is read instead of tokens; null: tokens are
};

enum class TrainState { idle, running, finished, failed };

struct TrainStatus {
  TrainState state = TrainState::idle;
  std::int64_t step = 0;
  std::int64_t step_limit = 0;  ///< training pauses by itself here; 0 means never
  /// The training step that the run's file holds, or that the run had when it was opened or begun:
  /// step - saved_step training steps are lost when it is not saved (none where that is negative).
  std::int64_t saved_step = 0;
  /// Why there can be no training, as a sentence: the run has no data, or its model is only read.
  /// Empty when there can. Train and TrainOneStep are refused with this sentence and change
  /// nothing.
  std::string cannot_train;
  double loss = 0.0;           ///< last step, nats per token
  double smoothed_loss = 0.0;  ///< as in LossPoint
  double accuracy = 0.0;  ///< share of the last batch's counted targets that were the top choice
  double learning_rate = 0.0;
  double learning_rate_scale = 1.0;  ///< what the slider multiplies the schedule with
  double gradient_norm = 0.0;
  double tokens_per_second = 0.0;
  double seconds = 0.0;  ///< spent training, all in all
  int batch_size = 0;
  int sequence_length = 0;
  std::uint64_t seed = 0;
};

/// How the next token is chosen.
struct SamplerSettings {
  bool greedy = true;
  double temperature = 1.0;
  int top_k = 0;       ///< 0: all
  double top_p = 1.0;  ///< 1: all
  std::uint64_t seed = 1;
  bool past_end = false;  ///< the token that ends a text is written like any other

  bool operator==(const SamplerSettings&) const = default;
};

/// The model's view of what comes next, at the time cursor.
struct NextToken {
  std::vector<float> logits;         ///< per token
  std::vector<float> probabilities;  ///< softmax(logits)
  /// After temperature, top-k and top-p: what is drawn from. 0 for tokens that cannot be written.
  std::vector<float> sampling;
  /// Probabilities of the same place without clamps; empty when there are none.
  std::vector<float> unclamped;
  double kl_nats = 0.0;  ///< KL(unclamped || probabilities), 0 without clamps
};

/// The sequence under the time cursor.
struct SequenceStatus {
  std::vector<int> tokens;
  std::vector<float> surprise;  ///< -log p(token | tokens before) in nats; 0 for the first
  /// The right token at each place where the task asks for one, else -1. One longer than `tokens`:
  /// its last entry is the token to come. Empty when the task has no questions.
  std::vector<int> expected;
  /// -log p(right token | tokens before) in nats at each place where one is asked for, also where
  /// another token stands; NaN where the model gave no numbers. 0 where nothing is asked
  /// (expected[t] < 0) and where it is not computed yet (top_choice[t] < 0). As long as `expected`.
  std::vector<float> answer_surprise;
  /// What the model itself would have put at each place: the token with the largest logit after the
  /// tokens before, the first one in a tie. -1 for the first token, where it is not computed yet,
  /// and where the logits are not all finite. One longer than `tokens`, like `expected`. The model
  /// knew an answer when top_choice[t] == expected[t] >= 0, whatever token stands there.
  std::vector<int> top_choice;
  int prompt_length = 0;  ///< tokens given; the rest was generated
  int cursor = -1;        ///< time step shown everywhere; -1 when there are no tokens
  bool playing = false;
  double tokens_per_second = 4.0;  ///< speed of playing
  SamplerSettings sampler;
  std::vector<Clamp> clamps;
  /// Why no more tokens can be generated, as a sentence: there is no room for more, or the model
  /// ended the text itself. Empty when they can.
  std::string full_reason;
  /// Why there are no samples to take, as a sentence: the run has no data. Empty when there are.
  std::string cannot_sample;
  int most_tokens = 0;  ///< for so many there is memory
  /// What is kept for going back takes this much memory, and may take that much.
  std::size_t kept_bytes = 0, most_kept_bytes = 0;
};

/// A model that is being read.
struct OpeningStatus {
  std::string path;
  std::uint64_t bytes = 0, total = 0;  ///< read so far, and to be read; 0: not known yet
  double seconds_left = -1.0;          ///< negative: not known yet
};

/// Matrix memory of one block at the cursor.
struct MemoryImage {
  int block = -1;
  int step = -1;
  int heads = 0, key_dim = 0, value_dim = 0;
  std::vector<float> C;  ///< (heads, key_dim, value_dim)
  std::vector<float>
      previous;  ///< C one step earlier, in its own stabilised units; zeros at step 0
};

/// What mixes the units of the heads of one block, of the weights that its recordings were made
/// with.
struct MixingImage {
  int block = -1;
  std::int64_t step = 0;  ///< training step of these weights
  int gates = 0, heads = 0, units = 0;
  std::vector<float> R;  ///< (gates, heads, units (to), units (from)); gates as in MixingCard
  std::vector<float> b;  ///< (gates, heads, units)
  std::string left_out;  ///< why R and b are not here, as a sentence; empty where they are

  float weight(int gate, int head, int to, int from) const {
    return R[at(gate, head, to) * static_cast<std::size_t>(units) + static_cast<std::size_t>(from)];
  }
  float bias(int gate, int head, int unit) const { return b[at(gate, head, unit)]; }
  std::size_t at(int gate, int head, int unit) const {
    return (static_cast<std::size_t>(gate) * static_cast<std::size_t>(heads) +
            static_cast<std::size_t>(head)) *
               static_cast<std::size_t>(units) +
           static_cast<std::size_t>(unit);
  }
};

/// A command or a step that failed; the engine goes on.
struct Failure {
  std::uint64_t id = 0;  ///< counts up, so that a repeated message is seen as new
  /// "open", "save", "autosave", "file", "export", "sequence", "train", "play", "refresh", "show",
  /// "device", and "command" for every other command.
  std::string where;
  std::string what;
};

/// Something that can compute.
struct DeviceCard {
  std::string id;    ///< "cpu", "cuda:0"
  std::string name;  ///< e.g. "NVIDIA H100 80GB HBM3"
  std::size_t memory_bytes = 0;
};

/// One of the runs of the bench, as their list and their curves show it. The same object as long as
/// nothing in it has changed.
struct RunCard {
  static constexpr int kColours = 8;
  int id = 0;  ///< its place keeps it when another run is opened there
  std::string name;
  std::string task;   ///< title of the data
  std::string model;  ///< name of the model
  int colour = 0;     ///< index into the palette, below kColours; runs beside each other differ
  bool shown = true;  ///< among the curves
  /// Runs with the same number here read one sequence: the same tokens, one cursor. 0: it has its
  /// own.
  int sequence = 0;
  TrainState state = TrainState::idle;
  std::int64_t step = 0;
  double loss = 0.0;  ///< as in TrainStatus
  double smoothed_loss = 0.0;
  double tokens_per_second = 0.0;
  std::uint64_t seed = 0;
  std::string path;  ///< of its file, which may hold other runs too; empty when it has none
  bool unsaved = false;
  std::string device;        ///< where it computes: DeviceCard::id
  std::string cannot_train;  ///< as in TrainStatus
  std::string failure;       ///< why its training failed; empty when it did not
  std::shared_ptr<const LossCurve> losses;

  bool operator==(const RunCard&) const = default;
};

/// The edits that can be taken back or made again, of all runs.
struct EditHistory {
  struct Entry {
    std::string name;   ///< what was done: "clamp"
    std::string about;  ///< to what, in a few words: "forget gate, head 1"; may be empty
    int run = 0;        ///< RunCard::id; 0: of the bench

    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> past;    ///< the oldest first
  std::vector<Entry> future;  ///< taken back; the next one to be made again first

  bool operator==(const EditHistory&) const = default;
};

/// What another run makes of the sequence on screen, which it follows. The same object as long as
/// nothing in it has changed.
struct FollowerView {
  int run = 0;                 ///< RunCard::id
  std::uint64_t trace_id = 0;  ///< changes when the recordings change
  std::shared_ptr<const ModelCard> model;
  std::vector<Clamp> clamps;    ///< its own
  std::vector<float> surprise;  ///< as in SequenceStatus
  std::shared_ptr<const Trace> trace;
  std::shared_ptr<const Trace> unclamped;  ///< null without clamps
  /// At the cursor, drawn from as by the run on screen; null where it is not computed yet.
  std::shared_ptr<const NextToken> next;
};

/// All but `runs` and what is said of the program is about the run on screen.
struct Snapshot {
  std::uint64_t id = 0;      ///< counts up; use it as a cache key
  std::uint64_t run_id = 0;  ///< changes when another run comes on the screen
  std::vector<std::shared_ptr<const RunCard>> runs;
  int focused_run = 0;         ///< RunCard::id of the one on screen; 0: there is none
  std::string run_path;        ///< file of the run; empty when it has none
  bool unsaved = false;        ///< training or edits since the last save
  std::uint64_t saves = 0;     ///< counts the saves that were asked for and are complete
  std::uint64_t saved = 0;     ///< command::Save::ticket of the last of them
  std::uint64_t reopened = 0;  ///< command::ReopenRuns::ticket of the last one that was tried
  /// Why the run cannot be saved, as a sentence: its model is only read. Empty when it can. Save is
  /// refused with this sentence, and nothing of the run is kept.
  std::string cannot_save;
  /// The file of the run holds the whole bench: Save without a path writes all runs there.
  bool file_holds_bench = false;
  /// Training steps in its file of a run that was restarted since: saving there without a path puts
  /// the training of now in their place. 0: there is nothing like that.
  std::int64_t replaced_steps = 0;
  /// Why the bench cannot be saved as a file, as a sentence; empty when it can.
  std::string cannot_save_bench;
  /// What is not saved could not be kept (a failure with "autosave" says why), and nothing has been
  /// kept since.
  bool keeping_fails = false;
  /// What Undo and Redo would do, in words: "Undo new prompt", "Redo clamp". Empty when nothing.
  std::string undo_label, redo_label;
  /// The same object as long as nothing in it has changed; null at first.
  std::shared_ptr<const EditHistory> history;
  /// How the window showed the run when it was saved: what it said itself then. Null for a run that
  /// comes without, which is no reason to show anything else.
  std::shared_ptr<const std::string> screen;
  /// The run did not come from a file but back, by Undo or Redo, or began again: of `screen` only
  /// what was selected counts, and the window stays as it is.
  bool only_selected = false;
  DeviceCard device;                                       ///< where the run computes
  std::shared_ptr<const std::vector<DeviceCard>> devices;  ///< where it could; null at first
  std::string no_cuda;  ///< why no graphics card is among them, as a sentence; empty when one is
  std::shared_ptr<const ModelCard> model;
  std::shared_ptr<const DataCard> data;
  TrainStatus train;
  std::shared_ptr<const LossCurve> losses;
  SequenceStatus sequence;
  std::uint64_t trace_id = 0;  ///< changes when the recordings change
  std::shared_ptr<const Trace> trace;
  std::shared_ptr<const Trace> unclamped;  ///< the same tokens without clamps; null without clamps
  std::shared_ptr<const NextToken> next;
  std::shared_ptr<const Foretold> foretold;   ///< instead of `next`, of a series
  std::shared_ptr<const MemoryImage> memory;  ///< of the focused block; null for blocks without one
  /// Of the focused block; null for blocks whose units are not mixed. The same object while the
  /// recordings are of the same weights.
  std::shared_ptr<const MixingImage> mixing;
  /// The other runs that read the sequence on screen, in their order; empty when none does.
  std::vector<std::shared_ptr<const FollowerView>> followers;
  std::shared_ptr<const HealthReport> health;    ///< null before the first check
  std::shared_ptr<const ReachReport> reach;      ///< the last one; null before the first
  bool reach_running = false;                    ///< another one is being computed
  std::shared_ptr<const AblationReport> worth;   ///< null before heads were measured
  std::shared_ptr<const OpeningStatus> opening;  ///< null: none is being read
  Failure failure;                               ///< the last one; id 0 when there was none
  std::string notice;  ///< last completed action worth telling, e.g. the file just saved
  std::uint64_t notice_id = 0;
};

}  // namespace xlab
