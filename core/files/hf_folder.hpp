// Models as folders, in the form the authors' programs and Hugging Face's read and write:
// config.json (or the config.yaml of other programs), and model.safetensors or several such files
// with an index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files/folder_tensors.hpp"
#include "core/files/folder_use.hpp"
#include "core/model.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

class FolderSave;

/// The key of a configuration that says which tokens end a text.
inline constexpr const char* kEnds = "eos_token_id";

/// What a parameter is rounded to then; nothing where it stays as it is.
std::optional<DType> rounded_type(const ParamInfo& info, FolderUse use);

/// Names of the files of a folder, sorted; hidden ones aside.
std::vector<std::string> files_of_folder(const std::filesystem::path& folder);
/// Whether one of them is a configuration, or holds tensors.
bool holds_model_files(const std::filesystem::path& folder);

/// The folder that a path means: a folder, or its config.json, or the config.yaml or model.yaml of
/// one that holds weights. Nothing when it is none of these.
std::optional<std::filesystem::path> model_folder_of(const std::filesystem::path& path);

/// A folder that has been looked into: what its model is, and where the numbers are. Holds the
/// files open.
class ModelFolder {
 public:
  /// Reads the configuration (config.json, else config.yaml, else model.yaml) and the headers.
  /// Sizes that the configuration leaves open are taken from the tensors. Throws a sentence, with
  /// the first ten mismatches where the tensors do not fit. `reading` can have it given up, see
  /// FolderTensors.
  explicit ModelFolder(const std::filesystem::path& folder, Reading* reading = nullptr);

  const ModelSpec& spec() const { return spec_; }
  const FolderTensors& tensors() const { return tensors_; }
  /// Sentences that tell which files were chosen, which names of tensors were changed, and what
  /// the configuration says that nothing here follows; empty when there is no such thing.
  std::string remark() const;
  /// Everything that was read, and how it was taken.
  const WhatWasRead& was_read() const { return was_read_; }
  /// Why the model cannot be trained on this computer, by its size; empty when it can.
  std::string why_not_trainable() const;
  bool trainable() const { return why_not_trainable().empty(); }
  /// Throws what `read` throws for a model that is too large.
  void check_room(FolderUse use) const;
  /// How many bytes the weights of a model that is only read take in memory.
  double bytes_in_memory(FolderUse use) const;
  /// The type most of the numbers are stored in.
  StoredType main_type() const;

  /// What is read from now on is counted, see FolderTensors::begin_counting.
  void begin_counting() { tensors_.begin_counting(); }
  /// Reads the model. Every number is read straight into its place: the folder may take up most of
  /// the memory. Models of the paper's family are always read for training.
  std::unique_ptr<Model> read(FolderUse use) const;
  /// Reads the numbers into a model of the same specification.
  void load_into(Model& model) const;

 private:
  /// The type that each parameter gets in memory; none for a model with gradients, where all get
  /// the same.
  std::vector<DType> types_in_memory(FolderUse use) const;
  /// Throws when this computer has no room for them, or none of them gets what was asked for.
  void check_types(const std::vector<DType>& types, FolderUse use) const;
  void list_files();

  std::filesystem::path folder_;
  FolderTensors tensors_;
  WhatWasRead was_read_;
  ModelSpec spec_;
};

/// Why weights of so many bytes cannot be read into a computer's memory, as the rest of a sentence;
/// empty when they can. `available`: what of the memory is free.
std::string why_no_room(double bytes, double memory, double available);

/// How many bytes of weights this computer can take up now.
double room_for_weights();

/// What the configuration of a folder says of the model, whatever else the folder holds; sizes that
/// it leaves open are the usual ones. `reading` gets its keys. Throws a sentence.
ModelSpec spec_from_config_of(const std::filesystem::path& folder, WhatWasRead& reading);

/// The most bytes of one file; larger models are written as several with an index.
inline constexpr std::uint64_t kShardBytes = 5'000'000'000;

struct FolderOptions {
  bool halves = false;  ///< matrices are rounded to bf16 (large family)
  std::uint64_t shard_bytes = kShardBytes;
};

/// The files of a model, among others that are saved with them.
void write_model_files(const Model& model, FolderSave& folder, const FolderOptions& options = {});
/// Writes a model as a folder, which is made where it does not exist: all its files, or none. What
/// an earlier model left there under the same names is replaced.
void write_model_folder(const Model& model, const std::filesystem::path& folder,
                        const FolderOptions& options = {});

}  // namespace xlab
