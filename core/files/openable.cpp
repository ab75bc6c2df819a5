// Reads headers and checks encodings; the sentences are those of the readers themselves.
#include "core/files/openable.hpp"

#include <optional>
#include <system_error>

#include "core/bench_file.hpp"
#include "core/files/disk.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/json_text.hpp"
#include "core/files/safetensors.hpp"
#include "core/tasks/training_text.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "kernels/check.hpp"
#include "kernels/device/device.hpp"

namespace xlab {

bool look_at_run(const std::filesystem::path& path) {
  const InputFile file(path);
  const HeaderOfFile opened = read_safetensors_header(file, path.string());
  const auto found = opened.header.metadata.find("xlab");
  check(found != opened.header.metadata.end(),
        "'{}' holds tensors but no run: it was not saved by xLSTM Lab.", path.string());
  (void)parse_json(found->second, fmt::format("The run in '{}'", path.string()));
  const bool bench = holds_bench(opened.header.metadata, path.string());
  if (bench) look_at_bench(opened.header.metadata, path.string());
  return bench;
}

void look_at_text(const std::filesystem::path& path, const std::string& tokenizer) {
  const std::shared_ptr<const Tokenizer> reader = tokenizer_named(tokenizer);
  check_text_file(path, reader.get());
}

void look_at_folder(const std::filesystem::path& path) {
  const std::optional<std::filesystem::path> folder = model_folder_of(path);
  check(folder.has_value(),
        "'{}' is no model folder: it has no config.json, and no config.yaml beside weights.",
        path.string());
  (void)ModelFolder(*folder);
}

std::optional<WeightsToHold> look_at_weights(const std::filesystem::path& path) {
  const std::optional<std::filesystem::path> found = model_folder_of(path);
  if (!found) return {};
  const ModelFolder folder(*found);
  if (folder.trainable() || !folder.spec().large) return {};
  const WeightsToHold weights{.as_stored = folder.bytes_in_memory(FolderUse::read),
                              .in_8_bits = folder.bytes_in_memory(FolderUse::read_8bit),
                              .in_4_bits = folder.bytes_in_memory(FolderUse::read_4bit),
                              .room = room_for_weights()};
  if (weights.in_8_bits >= weights.as_stored) return {};
  return weights;
}

bool reads_series(const std::filesystem::path& path) {
  const std::optional<std::filesystem::path> folder = model_folder_of(path);
  if (!folder) return false;
  try {
    WhatWasRead reading;
    return spec_from_config_of(*folder, reading).series.has_value();
  } catch (const Error&) {
    return false;  // opening it says what is wrong
  }
}

bool may_be_large(const std::filesystem::path& path) {
  // A number takes two bytes at least where it lies, and twenty where it is trained.
  constexpr double kTrainedPerStored = 10.0, kShare = 0.5;
  double bytes = 0.0;
  std::error_code error;
  const auto folder = model_folder_of(path);
  if (!folder) return false;
  for (std::filesystem::directory_iterator entry(*folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;
    const auto size = entry->path().extension() == ".safetensors" ? entry->file_size(unknown) : 0;
    if (!unknown) bytes += static_cast<double>(size);
  }
  return bytes * kTrainedPerStored > kShare * static_cast<double>(devices().front().memory_bytes);
}

void look_at_tokenizer(const std::string& tokenizer) {
  (void)tokenizer_named(tokenizer);
}

}  // namespace xlab
