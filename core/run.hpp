// A run: model, optimizer, data, seed and the sequence on screen, saved as one file.
//
// A *.xlab file is a safetensors file: p/NAME parameters, m/NAME and v/NAME moments, d/text the
// text, c/step, c/loss and c/smoothed the loss curve; its metadata holds the rest as versioned JSON
// under "xlab".
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files/folder_use.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/sequence.hpp"
#include "core/model.hpp"
#include "core/params.hpp"
#include "core/tasks/task.hpp"
#include "core/training/trainer.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

class StoredTask;

struct Run {
  std::shared_ptr<const Task> task;
  std::unique_ptr<Model> model;
  std::unique_ptr<Trainer> trainer;
  std::unique_ptr<Sequence> sequence;
  int prompt_length = 0;
  SamplerSettings sampler;
  std::vector<LossPoint> losses;
  double seconds = 0.0;  ///< spent training
  /// What the last step that changed the weights was like; its gradient norm is 0 where that is not
  /// known. Accuracy and gradient norm are saved.
  StepResult last_step;
  bool came_with_weights = false;  ///< trained elsewhere before its first step here
  std::string name;                ///< given by a person, UTF-8; empty: that of its data
  static constexpr std::size_t kMostNameBytes = 200;
  std::string remark;  ///< a sentence on what its folder or file says in vain; not saved
  /// What was read of the folder its weights came from; null where there is none. Not saved.
  std::shared_ptr<const WhatWasRead> was_read;
  /// Where the model can be read once more, when it is only read. Not saved.
  std::optional<FolderOrigin> origin;

  // What was on screen.
  int cursor = -1;  ///< time step; -1: nobody has looked at it yet
  /// How the window showed the run: its own JSON, kept with the run and not read here. At most
  /// `kMostScreenBytes` of UTF-8, empty where there is none.
  std::string screen;
  static constexpr std::size_t kMostScreenBytes = 64 << 10;
  /// What could be undone and redone in it when it was saved: core/engine/history_text.hpp. Not
  /// read here, empty where there is nothing.
  std::string history;

  /// Which of the runs that a session keeps this one is; 0: none yet.
  int kept_as = 0;
  /// The task as it stands in files, once it was needed.
  mutable std::shared_ptr<const StoredTask> stored_task;

  /// Trains one step and extends the loss curve.
  StepResult train_step();
};

/// A new, untrained run. Model and training default to the task's own.
std::unique_ptr<Run> make_run(std::shared_ptr<const Task> task, const RunSpec& spec = {});
/// A new run around a model that has its weights.
std::unique_ptr<Run> make_run(std::shared_ptr<const Task> task, std::unique_ptr<Model> model,
                              const TrainSpec& train);
/// A new run that goes on with the weights of another run's model, on the CPU: training is the
/// task's own unless given. Throws a sentence when the model is only read, or has fewer tokens than
/// the task.
std::unique_ptr<Run> make_run_from(const Run& run, std::shared_ptr<const Task> task,
                                   const std::optional<TrainSpec>& train = {});
/// The same run before its first step, with this seed, on the same device.
std::unique_ptr<Run> restart_run(const Run& run, std::uint64_t seed);

/// Brings a run to a device: parameters, gradients, the optimizer's moments and the states of the
/// session's tokens. Throws when there is no room for all of it there; then the run is what and
/// where it was. From then on everything is computed on that device; every number stays the same to
/// the bit.
void move_run(Run& run, Device device);

/// What the file of a run holds, taken at one moment. The numbers of the model and of the optimizer
/// are shared with the run, everything else is a copy.
struct RunRecord {
  std::shared_ptr<const StoredTask> task;
  std::vector<ParamInfo> parameters;
  Tensor values, first_moment, second_moment;  ///< the moments are absent before the first step
  std::vector<LossPoint> losses;
  std::string description;  ///< JSON: all the rest but the task
};
/// Throws for a model that is only read, which is no run.
RunRecord record_of(const Run& run);

/// How a record becomes a file.
struct RecordFile {
  std::vector<StoredTensor> tensors;  ///< without those of the task
  std::string description;            ///< with the task
};
RecordFile file_of(const RunRecord& record);

/// Atomic: the file holds the old or the new run, whole. Refuses a model that is only read.
void save_run(const Run& run, const std::filesystem::path& path);
void save_run(const RunRecord& record, const std::filesystem::path& path);
/// Throws a sentence when the file is no run or is damaged; nothing is half-loaded.
std::unique_ptr<Run> load_run(const std::filesystem::path& path);
/// Data that was read before, of a run that shares it with another one: where it lies, and the task
/// made of it, null where that has to be made for each.
struct SharedData {
  const SafetensorsFile* file = nullptr;
  std::shared_ptr<const Task> task;
};
std::unique_ptr<Run> load_run(const SafetensorsFile& file, const SharedData& data = {});
/// Versions of the description in a file: of one run, and of several (core/bench_file.hpp).
/// A run with edits that programs which know format 1 alone would take for others has another one.
inline constexpr int kRunFormat = 1, kBenchFormat = 2, kEditsFormat = 3;

/// Why a run cannot be trained, or saved, or has no samples to show, as a sentence; empty when it
/// can.
std::string why_not_trained(const Run& run);
std::string why_not_saved(const Run& run);
std::string why_no_samples(const Run& run);

/// The tokens of a prompt, after the one that the model wants every prompt to begin with.
std::vector<int> prompt_tokens(const Run& run, const std::string& text);

/// What people are told about the parts of a run.
std::shared_ptr<const ModelCard> model_card(const Run& run);
std::shared_ptr<const DataCard> data_card(const Run& run);

}  // namespace xlab
