// Runs around the model of a folder.
#include "core/files/folder_run.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "core/files/disk.hpp"
#include "core/files/folder_save.hpp"
#include "core/series/csv_column.hpp"
#include "core/series/forecast.hpp"
#include "core/series/read_series.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "core/training/weights.hpp"
#include "kernels/check.hpp"

namespace xlab {

std::string padding_remark(int padded_rows, int vocabulary) {
  if (padded_rows <= 0) return {};
  return fmt::format(
      "The vocabulary is padded: {} of its {} rows stand for no token of the tokenizer, and are "
      "never written.",
      padded_rows, vocabulary);
}

std::string export_run(const Run& run, const std::filesystem::path& folder,
                       const FolderOptions& options) {
  check(!run.model->spec().series,
        "A forecasting model is not exported: it is what its folder holds already.");
  FolderSave save(folder);
  std::string remark;
  if (const auto tokenizer = run.task->tokenizer()) {
    remark = write_tokenizer_files(*tokenizer, save);
  } else {
    // One that an earlier model left there would read this one's numbers wrongly.
    remark = remove_tokenizer_files(save);
  }
  write_model_files(*run.model, save, options);
  save.finish();
  if (const std::string odd = glance_at(run.model->params()).not_finite; !odd.empty()) {
    remark +=
        fmt::format("{}'{}' holds numbers that are not finite, and they are in the folder too.",
                    remark.empty() ? "" : " ", odd);
  }
  return remark;
}

namespace {

/// The folder's tokenizer. One that cannot be read is no reason to leave the model closed: its
/// tokens are plain numbers then, and `remark` says why.
std::shared_ptr<const Tokenizer> tokenizer_or_numbers(const std::filesystem::path& folder,
                                                      std::string& remark) {
  try {
    return tokenizer_from_folder(folder);
  } catch (const Error& e) {
    remark = fmt::format("{} The model's tokens are plain numbers here.", e.what());
    return nullptr;
  }
}

}  // namespace

void require_tokens(const ModelFolder& folder, const std::filesystem::path& path) {
  check(!folder.spec().series,
        "'{}' holds a model that foretells a series of numbers: give it one (`xlstm forecast`, "
        "or *Open model folder* in the window).",
        shown_path(path));
}

std::unique_ptr<Run> open_folder_run(const std::filesystem::path& path,
                                     std::optional<FolderUse> use, Reading* reading) {
  ModelFolder folder(path, reading);
  require_tokens(folder, path);
  folder.begin_counting();
  if (!use) use = folder.trainable() ? FolderUse::train : FolderUse::read;
  std::string remark = folder.remark(), of_tokenizer;
  std::shared_ptr<const Tokenizer> tokenizer = tokenizer_or_numbers(path, of_tokenizer);
  WhatWasRead was_read = folder.was_read();
  if (!of_tokenizer.empty()) {
    remark += (remark.empty() ? "" : " ") + of_tokenizer;
    was_read.remarks.push_back(std::move(of_tokenizer));
  }
  if (tokenizer) {
    const std::string padded = padding_remark(folder.spec().vocab_size - tokenizer->vocab_size(),
                                              folder.spec().vocab_size);
    if (!padded.empty()) {
      remark += (remark.empty() ? "" : " ") + padded;
      was_read.remarks.push_back(padded);
    }
  }
  if (const std::string blocks = name_of_blocks(*use); !blocks.empty()) {
    const std::string held = fmt::format(
        "The weights are held in {} and take {:.2f} GB, instead of {:.2f} GB.", blocks,
        folder.bytes_in_memory(*use) / 1e9, folder.bytes_in_memory(FolderUse::read) / 1e9);
    remark += (remark.empty() ? "" : " ") + held;
    was_read.remarks.push_back(held);
  }
  if (reading) reading->look();
  std::unique_ptr<Model> model = folder.read(*use);
  // Making what trains it takes a while, too.
  if (reading) reading->look();
  std::unique_ptr<Run> run =
      make_run(make_tokens_task(folder.spec().vocab_size, std::move(tokenizer)), std::move(model),
               TrainSpec{});
  run->came_with_weights = true;
  run->remark = std::move(remark);
  run->was_read = std::make_shared<const WhatWasRead>(std::move(was_read));
  if (*use != FolderUse::train) run->origin = FolderOrigin{std::filesystem::absolute(path), *use};
  return run;
}

std::unique_ptr<Run> open_series_run(const std::filesystem::path& path,
                                     const std::filesystem::path& csv, const std::string& column) {
  const ModelFolder folder(path);
  check(folder.spec().series.has_value(),
        "The model in '{}' reads tokens, not a series of numbers: it foretells no numbers.",
        shown_path(path));
  CsvColumn read = read_csv_column(csv, column);
  ReadSeries series =
      read_series(*folder.spec().series, std::move(read.name), std::move(read.numbers));
  std::unique_ptr<Model> model = folder.read(FolderUse::read);
  set_patches(*model, series.patches);
  const int last = series.last;
  std::unique_ptr<Run> run =
      make_run(make_series_task(std::move(series)), std::move(model), TrainSpec{});
  run->came_with_weights = true;
  run->cursor = last;
  run->remark = folder.remark();
  run->was_read = std::make_shared<const WhatWasRead>(folder.was_read());
  return run;
}

std::unique_ptr<Run> train_folder_run(std::unique_ptr<Task> task,
                                      const std::optional<TrainSpec>& train,
                                      const std::filesystem::path& path) {
  const ModelFolder folder(path);
  require_tokens(folder, path);
  ModelSpec spec = folder.spec();
  // Other data, other tokens.
  if (spec.large) spec.large->force_bos_token_insert = false;
  std::unique_ptr<Run> run = make_run(std::move(task), RunSpec{.model = spec, .train = train});
  folder.load_into(*run->model);
  run->came_with_weights = true;
  run->remark = folder.remark();
  run->was_read = std::make_shared<const WhatWasRead>(folder.was_read());
  return run;
}

}  // namespace xlab
