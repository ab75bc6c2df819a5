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

// Runs and files.
struct OpenRun {  ///< a run from bytes (a preset) or, when `bytes` is null, from the file at `path`
  std::string path;
  std::shared_ptr<const std::vector<std::byte>> bytes;
};
/// A new run: a model of this text file or, when `path` is empty, of the text that is open.
struct OpenText {
  std::string path;
  std::string tokenizer = "characters";  ///< "bytes", a tokenizer.json or a folder with one
};
struct OpenFolder {  ///< the model in this folder, or beside this config.json
  std::string path;
};
struct ExportFolder {  ///< writes the model as a folder for other programs
  std::string path;
};
struct NewRun {  ///< a new run on a built-in task; `spec_json` empty: the task's default model
  std::string task;
  std::string spec_json;
};
/// Moves the run, with its optimizer and its sequence, to another device; runs opened later go there
/// too.
struct UseDevice {
  std::string id;  ///< "cpu", "cuda:0", or "auto": the first graphics card there is
};
struct Save {  ///< empty path: the file the run came from
  std::string path;
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
  std::string kind;  ///< "mlstm" or "slstm"
  CellVariant variant;
};
struct Selfcheck {};  ///< compares what the model computes in different ways
struct Focus {        ///< which block the matrix memory is shown of
  int block = 0;
};

// Edits.
struct SetClamp {  ///< replaces a clamp on the same path, head, unit and range
  Clamp clamp;
};
struct RemoveClamp {
  int index = 0;
};
struct EnableClamp {
  int index = 0;
  bool enabled = true;
};
struct ClearClamps {};

}  // namespace xlab::command

namespace xlab {

using Command =
    std::variant<command::OpenRun, command::OpenText, command::OpenFolder, command::ExportFolder,
                 command::NewRun, command::UseDevice, command::Save, command::Train, command::Pause,
                 command::TrainOneStep, command::SetLearningRateScale, command::SetStepLimit,
                 command::RestartRun, command::NewSeed, command::SetPrompt, command::NewSample,
                 command::SetCursor, command::StepForward, command::StepBack, command::Play,
                 command::StopPlaying, command::SetPlaySpeed, command::Rewind, command::TakeToken,
                 command::SetSampler, command::SetVariant, command::Selfcheck, command::Focus,
                 command::SetClamp, command::RemoveClamp, command::EnableClamp,
                 command::ClearClamps>;

}  // namespace xlab
