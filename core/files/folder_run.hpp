// Runs around the model of a folder: to look at it and let it write, or to train it on.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/files/hf_folder.hpp"
#include "core/run.hpp"

namespace xlab {

/// Writes the run's model as a folder, and its tokenizer where it has one: all files, or none.
/// Returns a sentence about what was there and stays; empty when there is nothing to tell.
std::string export_run(const Run& run, const std::filesystem::path& folder,
                       const FolderOptions& options = {});

/// That rows of the vocabulary stand for no token, as a sentence; empty where all do.
std::string padding_remark(int padded_rows, int vocabulary);

/// Throws a sentence where the folder holds a model that reads no tokens, which no run is made of.
void require_tokens(const ModelFolder& folder, const std::filesystem::path& path);

/// A run to look at a model and let it write. Left to itself it is held for training where it is
/// small enough, so that it can be saved, and else only read, as it is stored. Weights that are
/// rounded to fewer bits are named in the remark. `reading` tells how
/// far that is, and can have it given up.
std::unique_ptr<Run> open_folder_run(const std::filesystem::path& path,
                                     std::optional<FolderUse> use = {}, Reading* reading = nullptr);

/// A forecasting model and the series that it reads: a column of a CSV file (see csv_column.hpp).
/// The cursor stands at the last patch of the series. Throws a sentence for a model of tokens.
std::unique_ptr<Run> open_series_run(const std::filesystem::path& path,
                                     const std::filesystem::path& csv, const std::string& column);

/// A run that trains the folder's model on the task's data. Throws when the task has more tokens
/// than the model, or the model is too large to be trained.
std::unique_ptr<Run> train_folder_run(std::unique_ptr<Task> task,
                                      const std::optional<TrainSpec>& train,
                                      const std::filesystem::path& path);

}  // namespace xlab
