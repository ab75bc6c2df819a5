// A run that is open: its sequence on screen, where one is in it, how it trains, and its file.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files/disk.hpp"
#include "core/generation/clamped_sequence.hpp"
#include "core/generation/generation.hpp"
#include "core/keeping/autosave.hpp"
#include "core/keeping/open_notes.hpp"
#include "core/loss_curve.hpp"
#include "core/run.hpp"
#include "core/snapshot.hpp"
#include "core/training/train_loop.hpp"

namespace xlab {

/// The tokens of the sequence, and where one was in them.
struct TokensBefore {
  std::vector<int> tokens;
  int prompt_length = 0;
  int cursor = -1;
  int samples_taken = 0;
};

/// A number for weights that are like no others: never used twice while the program runs.
std::uint64_t fresh_weights_id();
/// The same for runs; 0 is none's.
std::uint64_t fresh_serial();

/// Why a series has no more tokens.
inline constexpr const char* kEndOfSeries =
    "The series ends here: what the model expects after it stands in its forecast.";

/// Belongs to one thread. At rest a run is whole, on the CPU, and shows nothing; awake it has a
/// sequence. What is said of the sequence holds for a run that is awake.
class LiveRun {
 public:
  using Clock = std::chrono::steady_clock;

  /// At rest, with the cursor where it was in the run's file.
  explicit LiveRun(std::unique_ptr<Run> run);

  /// Makes the sequence and what is told of the run. Throws when there is no memory for that; then
  /// the run is at rest as before.
  void wake();
  bool awake() const { return sequence_.has_value(); }
  /// Puts tokens, clamps and cursor into the run, from where they are saved.
  void note_place();
  /// Lets go of the sequence. The run must be on the CPU.
  void rest();
  /// The same after `note_place`, with nothing in it that can fail.
  void let_go() noexcept;
  /// Puts another run, the same at an earlier step, in the place of one whose card was lost.
  void go_on_as(std::unique_ptr<Run> revived);

  // Its place among the others.
  int id = 0;  ///< of its place; see RunCard
  /// Of the run itself, whichever place it has: never given twice while the program runs.
  const std::uint64_t serial = fresh_serial();
  int colour = 0;     ///< see RunCard
  bool shown = true;  ///< among the curves
  std::string name() const;

  Run& run() const { return *run_; }
  Device device() const { return run_->model->device(); }
  /// Brings run and sequence to a device, whole or not at all.
  void move_to(Device wanted);

  // Its file.
  std::string path;       ///< empty: it has none
  bool in_bench = false;  ///< the file holds the whole bench, this run among others
  /// On the file; runs of one file share it.
  std::shared_ptr<const OpenNote> open_note;
  std::optional<FileStamp> stamp;  ///< of the file when it was read or written last
  bool unsaved = false;
  bool stored_in_bench = false;  ///< it stands in the file of a bench at `path`
  std::int64_t saved_step = 0;
  std::int64_t replaced_steps = 0;  ///< see Snapshot
  std::uint64_t changes = 0;        ///< by hand and by training
  Unkept unkept;
  /// A file was written without this run: was it in there, it is not any more.
  void file_written(const std::string& written, std::optional<FileStamp> stamp_of_it);
  /// What saving writes and a person or training has made.
  struct Work {
    std::uint64_t weights_id = 0;
    std::vector<int> tokens;
    int prompt_length = 0;
    std::vector<Clamp> clamps;
    SamplerSettings sampler;
    double learning_rate_scale = 1.0;
    std::vector<CellVariant> variants;  ///< of each block
    std::string name;
    bool operator==(const Work&) const = default;
  };
  Work work_now() const;
  void note_in_file(std::shared_ptr<const Work> work);
  /// Whether it is again what its file holds, or what it was when it was opened.
  bool is_as_saved() const;
  /// By hand, or by training.
  void note_change();
  void note_training();

  // Its training.
  TrainLoop loop;
  TrainState state = TrainState::idle;
  bool training() const { return state == TrainState::running; }
  /// Time that its steps took, in seconds, weighed; who has the least is next.
  double spent = 0.0;
  std::string failure;  ///< why its training failed
  /// Other weights have another number.
  std::uint64_t weights_id = fresh_weights_id();
  /// The model computes other numbers than before, by hand: all that was computed is made again.
  void weights_changed();

  // Its sequence.
  int cursor = -1;
  int focus_block = 0;
  const Sequence& sequence() const { return sequence_->edited(); }
  int last_position() const { return sequence_->length() - 1; }
  int first_position() const { return sequence_->length() > 0 ? 0 : -1; }
  bool outstanding() const { return sequence_ && !sequence_->complete(); }
  /// Whether the sequence shows older weights than those of now.
  bool stale() const { return sequence_step_ != run_->trainer->steps_done(); }
  /// Whether it is being computed again with the weights of now, which so must stay.
  bool refreshing() const { return refreshed_ != nullptr; }
  void stop_refreshing() { refreshed_.reset(); }
  /// Computes tokens for a while, or until `stop`.
  void compute_slice(const std::atomic<bool>& stop);
  /// What could not be computed is given up.
  void give_up_the_rest();
  /// Computes what is on screen again with the weights of now: at once when training stands, else
  /// at most a fifth of the time and ten times a second. Meanwhile what was there is shown, unless
  /// there is memory for one of the two only: then the sequence is outstanding.
  void refresh_if_due(const std::atomic<bool>& stop);
  void give_up_refreshing();
  /// When it may be computed again while training goes on.
  Clock::time_point refresh_due() const { return refreshed_at_; }

  // Going on in it.
  bool playing = false;
  bool play_to_end = false;  ///< of what is there; nothing is generated
  bool play_waits = false;   ///< for the sequence to be computed
  Clock::time_point next_play{};
  void play();
  /// One step of playing; `speed` in tokens a second. What it throws has stopped it.
  void play_one(double speed);
  /// Moves the cursor, or generates a token at the end.
  void step_forward();
  /// Whether stepping forward would generate a token from a sequence that is not computed yet, or
  /// whose last state has to be brought back; that is outstanding then, until it is given up.
  bool must_compute_first();

  // Edits. Those that return something say what it was before; nothing when nothing has changed.
  TokensBefore tokens_now() const;
  std::optional<TokensBefore> show_tokens(std::vector<int> tokens);
  /// In the place of what follows the cursor.
  std::optional<TokensBefore> take_token(int token);
  std::optional<TokensBefore> new_sample();
  /// Puts tokens back, and into `before` those of now.
  void exchange(TokensBefore& before);
  void set_clamps(std::vector<Clamp> clamps);
  /// Runs with the same number, other than 0, share one sequence.
  int group = 0;
  /// Takes over tokens, prompt and cursor of another run's sequence. Throws when they do not fit;
  /// then it keeps its own.
  void follow(const LiveRun& leader);
  /// What is shown of it beside the run on screen, which draws with `sampler`; the same object
  /// while that is the same.
  std::shared_ptr<const FollowerView> view(const SamplerSettings& sampler);
  const ModelCard& model() const { return *model_; }
  /// Another way of drawing is a reason to go on after the end of the text.
  void forget_end() { text_end_.clear(); }

  /// Whether a snapshot would show something new, and whether that is to be seen at once.
  bool dirty = true, urgent = true;
  /// Fills all that a snapshot says of the run.
  void describe(Snapshot& snapshot);
  /// The cards are made anew, as after other equations.
  void describe_anew();
  /// Why it cannot be saved, as a sentence; empty when it can.
  const std::string& cannot_save() const { return cannot_save_; }
  /// What the list of runs shows of it; the same object while that is the same. `shares`: whether
  /// another run has its sequence.
  std::shared_ptr<const RunCard> card(bool shares);

 private:
  void new_trace();
  void copy_losses();
  void describe_series(Snapshot& snapshot) const;
  /// The sequence is computed with the weights as they are now.
  void shows_weights_of_now();
  /// Before the sequence changes: nothing half-refreshed stays, and stale recordings are made
  /// again.
  void before_edit();
  void show_refreshed();
  void refresh_again_later();
  void generate_one();
  /// What was there, when there is something else now.
  std::optional<TokensBefore> after_edit(TokensBefore before);

  std::unique_ptr<Run> run_;
  std::shared_ptr<const Work> saved_work_;  // null: not known
  std::optional<ClampedSequence> sequence_;
  std::unique_ptr<ClampedSequence> refreshed_;  // with newer weights, shown when complete
  Clock::time_point refreshed_at_{}, refresh_started_{};
  bool refreshes_in_place_ = false;  // the sequence itself, where two of it have no room
  std::int64_t sequence_step_ = 0;   // training step whose weights the sequence shows
  std::vector<std::shared_ptr<const MixingImage>> mixing_;  // of these weights, one a block
  std::uint64_t trace_id_ = 0;  // other recordings, of whichever run, have another one
  int samples_taken_ = 0;
  WritableTokens writable_;
  bool gave_up_ = false;  // what was outstanding could not be computed
  std::string text_end_;  // why the model's text ends here; empty: it goes on

  std::shared_ptr<const ModelCard> model_;
  std::shared_ptr<const DataCard> data_;
  std::string cannot_train_, cannot_save_, cannot_sample_;
  std::shared_ptr<const RunCard> card_;
  /// What `view_` was made of.
  struct ViewKey {
    std::uint64_t trace_id = 0;
    int computed = -1, cursor = -1;
    SamplerSettings sampler;
    const ModelCard* model = nullptr;
    bool operator==(const ViewKey&) const = default;
  };
  ViewKey view_key_;
  std::shared_ptr<const FollowerView> view_;
  GrowingLosses grown_;
  std::shared_ptr<const LossCurve> losses_;
  std::size_t losses_shown_ = 0;
};

}  // namespace xlab
