// What the window can ask of the engine. Standard types only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/snapshot.hpp"

namespace xlab::command {

// Runs and files. `beside`: the run gets a place of its own among the others; otherwise it takes
// the place of the one on screen.
/// A run from bytes (a preset) or, when `bytes` is null, from the file at `path`. A file of a bench
/// takes the place of all runs; `beside`, its runs are added, as many as there is room for or none,
/// and without a file: that one stays as it is.
struct OpenRun {
  std::string path;
  std::shared_ptr<const std::vector<std::byte>> bytes;
  bool beside = false;
};
/// A new run: a model of this text file or, when `path` is empty, of the text that is open. A file
/// that is no UTF-8 is read as bytes, and the notice says so.
struct OpenText {
  std::string path;
  std::string tokenizer = "characters";  ///< "bytes", a tokenizer.json or a folder with one
  /// The new run goes on with the weights of the present model instead of fresh ones. The text is
  /// read by that model's own tokenizer where it has one, whatever `tokenizer` says. Refused with a
  /// sentence when the model cannot be trained or lacks tokens that the text needs.
  bool from_model = false;
  bool beside = false;
};
struct OpenFolder {  ///< the model in this folder, or beside this config.json
  std::string path;
  bool beside = false;
  int bits = 0;  ///< 8 or 4: weights are held in so many, and only read; 0: as they are stored
  /// Of a forecasting model: the CSV file with the series that it is to read, and its column.
  std::string series = {}, column = {};
};
struct CancelOpening {};  ///< of a folder that is being read: everything stays as it is
struct ExportFolder {     ///< writes the model as a folder for other programs
  std::string path;
};
struct NewRun {  ///< a new run on a built-in task; `spec_json` empty: the task's default model
  std::string task;
  std::string spec_json;
  /// The new run goes on with the weights of the present model instead of fresh ones; `spec_json`
  /// may then hold "train" alone. Refused with a sentence when the model cannot be trained or has
  /// fewer tokens than the task.
  bool from_model = false;
  bool beside = false;
};
/// Moves the run, with its optimizer and its sequence, to another device; runs opened later go
/// there too.
struct UseDevice {
  std::string id;  ///< "cpu", "cuda:0", or "auto": the first graphics card there is
};
/// Opens runs that were kept without being saved (core/keeping/kept_runs.hpp). They go on being
/// kept in this session, and have the files that they had. Several come back as they stood side by
/// side, in the place of all runs or beside them; the files are given in that order.
struct ReopenRuns {
  std::vector<std::string> kept;  ///< paths of their files
  bool beside = false;
  std::uint64_t ticket = 0;  ///< Snapshot::reopened says that they are open or cannot be opened
};
/// Empty path: the file the run came from; refused when that has changed since, by whomever. The
/// file gets the run as it is when the command's turn comes, and is written beside everything else:
/// commands that take another run or save again wait for it.
struct Save {
  std::string path;
  std::uint64_t ticket = 0;  ///< Snapshot::saved says that this one is complete
};
/// All runs into one file (core/bench_file.hpp), which is the file of each from then on. `Save`
/// without a path, for a run that has such a file, writes all runs there too: runs with a file of
/// their own keep that, those without one have this one then. Refused when a run cannot be saved.
struct SaveBench {
  std::string path;
  std::uint64_t ticket = 0;  ///< as in Save
};
struct SetScreen {  ///< how the window shows the run: its own JSON, saved with the run
  std::string text;
};

// Training.
struct Train {};
struct Pause {};
struct TrainOneStep {};
struct SetLearningRateScale {  ///< multiplies the schedule, live
  double scale = 1.0;
};
struct SetStepLimit {
  std::int64_t steps = 0;
};
struct RestartRun {};  ///< same seed, untrained
struct NewSeed {};     ///< another seed, untrained

// The sequence.
struct SetPrompt {  ///< text of a text model, space-separated labels of a task
  std::string text;
};
struct NewSample {};  ///< another example of the task as the sequence
struct SetCursor {
  int step = 0;
};
struct StepForward {};  ///< cursor one to the right; at the end, generate one token
struct StepBack {};     ///< cursor one to the left; changes nothing else
struct Play {};         ///< StepForward at the playing speed until paused
struct StopPlaying {};
struct SetPlaySpeed {
  double tokens_per_second = 4.0;
};
struct Rewind {};   ///< cursor to the first token
struct TakeToken {  ///< branch: drop what follows the cursor and go on with this token
  int token = 0;
};
struct SetSampler {
  SamplerSettings settings;
};
struct SetVariant {  ///< other equations for all blocks of one kind; the weights stay as they are
  std::string kind;  ///< of the blocks, see BlockCard
  CellVariant variant;
};
struct Selfcheck {};  ///< compares what the model computes in different ways
/// How far back the gradient at the time cursor reaches in a block, and in one of its heads: see
/// ReachReport. One that is being computed is given up.
struct ComputeReach {
  int block = 0;
  int head = 0;
};
/// Measures what heads are worth: the loss on the sequence on screen without each of them, beside
/// everything else, see Snapshot::worth. Begun anew where it is running; not `on`: given up, and
/// what is known stays.
struct Ablate {
  bool on = true;
};
struct Focus {  ///< which block the matrix memory is shown of
  int block = 0;
};

// Edits.
/// Replaces the last clamp on the same path, head, unit and range that changes it the same way.
struct SetClamp {
  Clamp clamp;
};
/// Several at once, each as `SetClamp` sets one: one edit, called `name` ("never written"). One
/// that follows at once on the same paths, heads, units and ranges is a drag, and joins it.
struct AddClamps {
  std::vector<Clamp> clamps;
  std::string name;
};
/// Another range, head, value or switch for a clamp that keeps its place in the list. One that is
/// on the new path, head, unit and range already stays: of several clamps that hold the same value,
/// the last one in the list counts.
struct ReplaceClamp {
  int index = 0;
  Clamp clamp;
};
struct RemoveClamp {
  int index = 0;
};
struct MoveClamp {  ///< to another place in the list
  int index = 0;
  int to = 0;  ///< its index afterwards
};
struct EnableClamp {
  int index = 0;
  bool enabled = true;
};
struct ClearClamps {};
/// Clamps in the place of all there are, other equations for some kinds of blocks and, where there
/// are some, other tokens: one edit. Refused for a run that can be trained, whose weights would
/// have to come back with the equations.
struct HoldAll {
  std::vector<Clamp> clamps;
  std::vector<SetVariant> variants;  ///< kinds that are not here keep theirs
  std::vector<int> tokens;           ///< empty: those there are
  std::string name;                  ///< of the edit: "story"
  std::string about;                 ///< "Remember"
};
/// Takes back the last edit: a clamp, prompt, sample, token taken, sampler, learning rate factor,
/// variant, another run in the place of the one before, beside it, removed or renamed, or a
/// sequence shared or left. What was edited in a run that is not on screen is brought there first.
/// Training, generation and the cursor are no edits and stay, but for a variant that was trained
/// with: then the weights of before it come back. Refused when there is nothing to take back. See
/// Snapshot::undo_label.
struct Undo {};
struct Redo {};  ///< makes the edit again that was taken back last

// The bench: several runs at once, of which one is on screen. `run` is RunCard::id.
struct FocusRun {  ///< brings a run on the screen
  int run = 0;
};
/// A run of its own with the same numbers beside this one, or the same before its first step with
/// the next seed that no run has. It is shown.
struct DuplicateRun {
  int run = 0;
  bool other_seed = false;
};
struct RenameRun {
  int run = 0;
  std::string name;  ///< empty: that of its data
};
struct RemoveRun {  ///< the last one is not removed
  int run = 0;
};
struct TrainRun {  ///< trains a run, or lets it rest; whatever is on screen
  int run = 0;
  bool on = true;
};
struct TrainAll {
  bool on = true;
};
/// A run reads the sequence of the run on screen from now on, or leaves the one it shares, which
/// it keeps the tokens of. Runs that share a sequence have the same tokens, prompt and cursor; each
/// has its own weights, clamps and sampler. What is done to the sequence of the one on screen is
/// done for all: tokens are written by that one, and read by the others. Refused where their
/// vocabularies differ.
struct FollowSequence {
  int run = 0;
  bool on = true;
};
struct ShowCurve {  ///< whether the loss of a run is drawn beside that of the others
  int run = 0;
  bool shown = true;
};

}  // namespace xlab::command

namespace xlab {

using Command = std::variant<
    command::OpenRun, command::OpenText, command::OpenFolder, command::CancelOpening,
    command::ExportFolder, command::NewRun, command::UseDevice, command::ReopenRuns, command::Save,
    command::SaveBench, command::SetScreen, command::Train, command::Pause, command::TrainOneStep,
    command::SetLearningRateScale, command::SetStepLimit, command::RestartRun, command::NewSeed,
    command::SetPrompt, command::NewSample, command::SetCursor, command::StepForward,
    command::StepBack, command::Play, command::StopPlaying, command::SetPlaySpeed, command::Rewind,
    command::TakeToken, command::SetSampler, command::SetVariant, command::Selfcheck,
    command::ComputeReach, command::Ablate, command::Focus, command::SetClamp, command::AddClamps,
    command::ReplaceClamp, command::RemoveClamp, command::MoveClamp, command::EnableClamp,
    command::ClearClamps, command::HoldAll, command::Undo, command::Redo, command::FocusRun,
    command::DuplicateRun, command::RenameRun, command::RemoveRun, command::TrainRun,
    command::TrainAll, command::FollowSequence, command::ShowCurve>;

}  // namespace xlab
