// Models as folders: reading and writing.
#include "core/files/hf_folder.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/cells/large_spec.hpp"
#include "core/files/folder_save.hpp"
#include "core/files/json_text.hpp"
#include "core/files/load_parameters.hpp"
#include "core/files/shown_texts.hpp"
#include "core/files/wrapped_config.hpp"
#include "core/files/yaml_text.hpp"
#include "core/utf8.hpp"
#include "kernels/device/device.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kConfig = "config.json";
/// In the order in which they are looked for.
constexpr std::array<const char*, 3> kConfigs = {kConfig, "config.yaml", "model.yaml"};
constexpr const char* kGeneration = "generation_config.json";
/// More files of a folder are not listed.
constexpr std::size_t kMostLeft = 200;  // names of files that are not read
constexpr std::uint64_t kMostConfigBytes = 1 << 20;
constexpr std::size_t kMostNamedKeys = 8;
// Of this computer's memory, for values, gradients and moments.
constexpr double kShareForTraining = 0.5;
constexpr double kBytesPerTrainedParameter = 20;

constexpr const char* kEmbeddings = "backbone.embeddings.weight";
constexpr const char* kHead = "lm_head.weight";

/// Whether two stored tensors hold the same numbers.
bool same_numbers(const TensorSource& tensors, const TensorSource::Entry& a,
                  const TensorSource::Entry& b) {
  constexpr std::int64_t kAtATime = 1 << 20;
  const bool floats = a.type == StoredType::f64 || a.type == StoredType::f32 ||
                      a.type == StoredType::f16 || a.type == StoredType::bf16;
  if (!floats || a.type != b.type || a.shape != b.shape) return false;
  std::int64_t count = 1;
  for (const std::int64_t extent : a.shape) count *= extent;
  for (std::int64_t first = 0; first < count; first += kAtATime) {
    const Shape part{std::min(kAtATime, count - first)};
    const Tensor x = Tensor::empty(part, DType::f32), y = Tensor::empty(part, DType::f32);
    tensors.read(a, first, x);
    tensors.read(b, first, y);
    if (std::memcmp(x.raw(), y.raw(), x.bytes()) != 0) return false;
  }
  return true;
}

bool is_end_of_text(const json& value) {
  if (value.is_array()) return std::all_of(value.begin(), value.end(), is_end_of_text);
  return value.is_number_unsigned() && value <= 1 << 20;
}

/// The text of a configuration, as JSON, and the file that it stands in.
struct ConfigText {
  std::string file, text;
};

std::string in_sentences(const std::string& config) {
  return fmt::format("The model's {}", config);
}

/// config.json or, where there is none, the first of the others.
ConfigText config_text(const fs::path& folder, WhatWasRead& reading) {
  std::error_code error;
  std::vector<std::string> there;
  for (const char* name : kConfigs)
    if (fs::exists(folder / name, error)) there.emplace_back(name);
  reading.config = there.empty() ? kConfig : there.front();
  if (there.size() > 1)
    reading.remarks.push_back(fmt::format("'{}' was read; '{}' beside it {} not.", there.front(),
                                          fmt::join(there.begin() + 1, there.end(), "' and '"),
                                          there.size() > 2 ? "were" : "was"));
  std::string text = read_text_file(folder / reading.config, kMostConfigBytes);
  if (reading.config != kConfig) text = json_of_yaml(text, in_sentences(reading.config));
  return {reading.config, std::move(text)};
}

/// A configuration of the large family that names no end of a text has the one that stands beside
/// it for generation; then `taken` is true. What cannot be used there is noted: the model computes
/// the same without it.
std::string with_end_of_text(const std::string& text, const fs::path& folder, WhatWasRead& reading,
                             bool& taken) {
  std::error_code error;
  json config = parse_json(text, "The model specification");
  if (!large::describes(config) || (config.contains(kEnds) && !config[kEnds].is_null()) ||
      !fs::is_regular_file(folder / kGeneration, error))
    return text;
  json beside;
  try {
    beside = parse_json(read_text_file(folder / kGeneration, kMostConfigBytes), kGeneration);
  } catch (const Error&) {
    reading.remarks.push_back(
        fmt::format("{}, which cannot be read, was left alone.", kGeneration));
    return text;
  }
  if (!beside.is_object() || !beside.contains(kEnds) || beside[kEnds].is_null()) return text;
  if (!is_end_of_text(beside[kEnds])) {
    reading.keys.push_back(
        {kEnds, printable(beside[kEnds].dump(), 60), KeyUse::not_used, kGeneration});
    return text;
  }
  taken = true;
  config[kEnds] = beside[kEnds];
  return json_text(config);
}

/// What the configuration alone says.
struct ReadConfig {
  ModelSpec spec;
  bool tying_assumed = false;
};

ReadConfig read_config(const fs::path& folder, WhatWasRead& reading) {
  const ConfigText config = config_text(folder, reading);
  const std::string what = in_sentences(config.file);
  const UnwrappedConfig unwrapped = unwrapped_config(config.text, reading.keys, what);
  bool generation = false;
  const std::string text = with_end_of_text(unwrapped.text, folder, reading, generation);
  ReadKeys keys;
  ReadConfig read{model_spec_from_config(text, keys, what), unwrapped.tying_assumed};
  for (ReadKey& key : keys) {
    if (unwrapped.outside.contains(key.key)) continue;
    if (generation && key.key == kEnds) key.file = kGeneration;
    if (read.tying_assumed && key.key == "tie_weights") key.use = KeyUse::assumed;
    if (!unwrapped.where.empty()) key.key = printable(unwrapped.where, 60) + "." + key.key;
    reading.keys.push_back(std::move(key));
  }
  return read;
}

/// Notes that the tensors know better than a key, or than what usually stands there.
void replace_key(ReadKeys& keys, std::string_view name, const std::string& note) {
  for (ReadKey& key : keys) {
    const bool meant = key.key == name || (key.key.ends_with(name) &&
                                           key.key[key.key.size() - name.size() - 1] == '.');
    if (!meant) continue;
    key.use = KeyUse::replaced;
    key.note = note;
  }
}

ModelSpec spec_of(const fs::path& folder, const TensorSource& tensors, WhatWasRead& reading) {
  ReadConfig config = read_config(folder, reading);
  ModelSpec& spec = config.spec;
  constexpr const char* kOwnHead = "the tensors hold a head of their own";
  if (!spec.large) {
    const TensorSource::Entry* embeddings = tensors.find("token_embedding.weight");
    const TensorSource::Entry* head = tensors.find(kHead);
    if (config.tying_assumed && embeddings && head && !same_numbers(tensors, *embeddings, *head)) {
      spec.tie_weights = false;
      replace_key(reading.keys, "tie_weights", kOwnHead);
    }
    check(!spec.tie_weights || !embeddings || !head || same_numbers(tensors, *embeddings, *head),
          "The folder '{}' cannot be opened: its '{}' and its '{}' differ, although its {} "
          "says \"tie_weights\": true. Say false there to read both.",
          shown_path(folder), "token_embedding.weight", kHead, reading.config);
    return spec;
  }
  // Programs round the feed-forward layer's width in different ways: the tensors know it.
  const std::string layer = "backbone.blocks.0.ffn.";
  const auto rows = [&](const std::string& name) {
    const TensorSource::Entry* found = tensors.find(layer + name + ".weight");
    return found && found->shape.size() == 2 ? found->shape[0] : 0;
  };
  std::int64_t width = rows("proj_up");
  if (width == 0) width = rows("proj_up_gate_z") / 2;
  // Wider than any factor makes it is no width: then the tensors will not fit.
  constexpr std::int64_t kMostFactor = 63;
  if (width > 0 && width <= kMostFactor * spec.embedding_dim &&
      width != large_feedforward_width(spec)) {
    for (const char* key : {"ffn_proj_factor", "ffn_round_up_to_multiple_of"})
      replace_key(reading.keys, key, fmt::format("the tensors have a width of {}", width));
    set_large_feedforward_width(spec, width);
  }
  // transformers keeps a head of its own for this family, whatever the configuration says of tying.
  const TensorSource::Entry* embeddings = tensors.find(kEmbeddings);
  const TensorSource::Entry* head = tensors.find(kHead);
  if (spec.tie_weights && embeddings && head && !same_numbers(tensors, *embeddings, *head)) {
    spec.tie_weights = false;
    replace_key(reading.keys, "tie_word_embeddings", kOwnHead);
  }
  spec.large->out_norm_bias = tensors.find("backbone.out_norm.bias") != nullptr;
  return spec;
}

bool is_matrix(const ParamInfo& info) {
  return info.shape.rank() == 2;
}

std::string numbered(std::size_t index, std::size_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

}  // namespace

std::vector<std::string> files_of_folder(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    const std::string name = entry->path().filename().string();
    if (!name.starts_with('.') && entry->is_regular_file(ignored)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool holds_model_files(const fs::path& folder) {
  const std::vector<std::string> names = files_of_folder(folder);
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with(".safetensors") ||
           std::find(kConfigs.begin(), kConfigs.end(), name) != kConfigs.end();
  });
}

std::optional<fs::path> model_folder_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return path;
  const auto named = std::find(kConfigs.begin(), kConfigs.end(), path.filename());
  if (named == kConfigs.end() || !fs::is_regular_file(path, error)) return std::nullopt;
  const fs::path folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  // A YAML of that name may be anybody's.
  const std::vector<std::string> files = files_of_folder(folder);
  const bool weights = std::any_of(files.begin(), files.end(), [](const std::string& name) {
    return name.ends_with(".safetensors");
  });
  if (named != kConfigs.begin() && !weights) return std::nullopt;
  return folder;
}

ModelFolder::ModelFolder(const fs::path& folder, Reading* reading) try
    : folder_(folder), tensors_(folder, reading), spec_(spec_of(folder, tensors_, was_read_)) {
  const std::vector<ParamInfo> infos = Model::parameters_of(spec_);
  was_read_.names = tensors_.renamings();
  for (std::string& words : taken_otherwise(infos, find_parameters(infos, tensors_, "")))
    was_read_.names.push_back(std::move(words));
  for (std::string& words : left_out(infos, tensors_)) was_read_.names.push_back(std::move(words));
  was_read_.remarks.insert(was_read_.remarks.end(), tensors_.choices().begin(),
                           tensors_.choices().end());
  list_files();
} catch (const ReadingCancelled&) {
  throw;
} catch (const Error& e) {
  // Every sentence says which folder it is about.
  const std::string shown = shown_path(folder), what = e.what();
  if (what.find(shown) != what.npos) throw;
  throw Error(fmt::format("The folder '{}' cannot be opened: {}", shown, what));
}

void ModelFolder::list_files() {
  was_read_.folder = shown_path(folder_);
  std::vector<std::string> read = {was_read_.config};
  read.insert(read.end(), tensors_.files().begin(), tensors_.files().end());
  if (tensors_.indexed()) read.emplace_back(kWeightsIndex);
  std::error_code error;
  // Beside the model itself these are read where they are there.
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    if (!fs::exists(folder_ / name, error)) break;
    read.emplace_back(name);
  }
  if (std::any_of(was_read_.keys.begin(), was_read_.keys.end(),
                  [](const ReadKey& key) { return key.file == kGeneration; }))
    read.emplace_back(kGeneration);
  for (const std::string& name : files_of_folder(folder_)) {
    if (was_read_.left.size() == kMostLeft) break;
    if (std::find(read.begin(), read.end(), name) == read.end())
      was_read_.left.push_back(printable(name));
  }
  for (const std::string& name : read) was_read_.files.push_back(printable(name));
  was_read_.texts = texts_beside(folder_);
}

std::string ModelFolder::remark() const {
  const std::vector<std::string>&chosen = tensors_.choices(), &renamed = tensors_.renamings();
  std::vector<std::string> sentences = chosen;
  sentences.insert(sentences.end(), renamed.begin(), renamed.end());
  // Among the others those of the tensors come last.
  const auto others = static_cast<std::ptrdiff_t>(was_read_.remarks.size() - chosen.size());
  sentences.insert(sentences.end(), was_read_.remarks.begin(), was_read_.remarks.begin() + others);
  std::vector<std::string> not_used;
  for (const ReadKey& key : was_read_.keys)
    if (key.use == KeyUse::not_used) not_used.push_back(text_of(key));
  for (const ReadKey& key : was_read_.keys) {
    if (key.use == KeyUse::replaced)
      sentences.push_back(
          fmt::format("Of {}, {} was replaced: {}.", was_read_.config, text_of(key), key.note));
  }
  if (!not_used.empty()) {
    const std::size_t named = std::min(not_used.size(), kMostNamedKeys);
    const auto end = not_used.begin() + static_cast<std::ptrdiff_t>(named);
    sentences.push_back(fmt::format(
        "Of {}, not used: {}{}.", was_read_.config, fmt::join(not_used.begin(), end, ", "),
        named < not_used.size() ? fmt::format(" and {} more", not_used.size() - named) : ""));
  }
  return fmt::format("{}", fmt::join(sentences, " "));
}

std::string ModelFolder::why_not_trainable() const {
  if (spec_.series) return "Models that foretell series are not trained here.";
  try {
    validate(spec_);
  } catch (const Error& e) {
    return e.what();
  }
  const double bytes = parameter_count(spec_) * kBytesPerTrainedParameter;
  const double most = kShareForTraining * static_cast<double>(devices().front().memory_bytes);
  if (bytes <= most) return {};
  return fmt::format(
      "Training this model would take about {:.1f} GB; this computer has {:.1f} GB for it.",
      bytes / 1e9, most / 1e9);
}

ModelSpec spec_from_config_of(const fs::path& folder, WhatWasRead& reading) {
  return read_config(folder, reading).spec;
}

StoredType ModelFolder::main_type() const {
  std::map<StoredType, std::int64_t> numbers;
  for (const TensorSource::Entry& entry : tensors_.entries()) {
    std::int64_t count = 1;
    for (const std::int64_t extent : entry.shape) count *= extent;
    numbers[entry.type] += count;
  }
  return std::max_element(numbers.begin(), numbers.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::unique_ptr<Model> ModelFolder::read(FolderUse use) const {
  const std::vector<DType> types = types_in_memory(use);
  check_types(types, use);
  auto model =
      types.empty() ? std::make_unique<Model>(spec_) : std::make_unique<Model>(spec_, types);
  load_into(*model);
  return model;
}

void ModelFolder::load_into(Model& model) const {
  load_parameters(model, tensors_, "");
}

void write_model_folder(const Model& model, const fs::path& folder, const FolderOptions& options) {
  FolderSave save(folder);
  write_model_files(model, save, options);
  save.finish();
}

void write_model_files(const Model& model, FolderSave& folder, const FolderOptions& options) {
  check(!options.halves || model.spec().large,
        "Only models of the large family are written with bf16 weights.");
  check(!held_in_blocks(model.params()),
        "This model's weights are held in fewer bits than a model folder stores: open it with its "
        "weights as they are stored, and export that.");
  std::vector<std::vector<StoredTensor>> shards(1);
  std::uint64_t filled = 0, total = 0;
  bool halves = false;
  const Params& params = model.params();
  for (std::size_t p = 0; p < params.infos().size(); ++p) {
    const ParamInfo& info = params.infos()[p];
    const Tensor& value = params[static_cast<int>(p)].value;
    const bool round = options.halves && is_matrix(info) && value.dtype() != DType::bf16;
    StoredTensor tensor = stored(info.name, round ? value.to(DType::bf16) : value);
    halves = halves || tensor.type == StoredType::bf16;
    const std::uint64_t bytes = tensor.bytes.size();
    if (filled > 0 && filled + bytes > options.shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    total += bytes;
    shards.back().push_back(std::move(tensor));
    if (model.spec().large && model.spec().tie_weights && info.name == kEmbeddings) {
      // Once more as the head: transformers does not tie this family's.
      StoredTensor head = shards.back().back();
      head.name = kHead;
      filled += bytes;
      total += bytes;
      shards.back().push_back(std::move(head));
    }
  }

  const Metadata metadata = {{"format", "pt"}};
  if (shards.size() == 1) {
    write_safetensors(folder, kSingleWeights, std::move(shards.front()), metadata);
    folder.remove(kWeightsIndex);
  } else {
    json map = json::object();
    for (std::size_t s = 0; s < shards.size(); ++s) {
      const std::string name = numbered(s, shards.size());
      for (const StoredTensor& tensor : shards[s]) map[tensor.name] = name;
      write_safetensors(folder, name, std::move(shards[s]), metadata);
    }
    const json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
    folder.write(kWeightsIndex, json_text(index, 2) + "\n");
    // A single file would be taken instead of the index.
    folder.remove(kSingleWeights);
  }
  const std::string config = to_config_json(model.spec(), halves ? "bfloat16" : "float32");
  // Last: without it there is no model.
  folder.write(kConfig, config + "\n");
}

}  // namespace xlab
