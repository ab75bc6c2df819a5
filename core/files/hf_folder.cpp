// Models as folders: reading and writing.
#include "core/files/hf_folder.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/available_memory.hpp"
#include "core/cells/large_spec.hpp"
#include "core/files/folder_save.hpp"
#include "core/files/json_text.hpp"
#include "core/files/load_parameters.hpp"
#include "core/files/wrapped_config.hpp"
#include "core/utf8.hpp"
#include "kernels/device/device.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kConfig = "config.json";
constexpr std::uint64_t kMostConfigBytes = 1 << 20;
constexpr std::size_t kMostNamedKeys = 8;
// Of this computer's, for weights that are read, and for values, gradients and moments.
constexpr double kShareOfMemory = 0.9, kShareForTraining = 0.5;
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

/// A configuration of the large family that names no end of a text has the one that stands beside
/// it for generation. What cannot be used there is named in `not_used`: the model computes the same
/// without it.
std::string with_end_of_text(const std::string& text, const fs::path& folder,
                             std::vector<std::string>& not_used) {
  constexpr const char* kKey = "eos_token_id";
  constexpr const char* kGeneration = "generation_config.json";
  std::error_code error;
  json config = parse_json(text, "The model specification");
  if (!large::describes(config) || (config.contains(kKey) && !config[kKey].is_null()) ||
      !fs::is_regular_file(folder / kGeneration, error))
    return text;
  json beside;
  try {
    beside = parse_json(read_text_file(folder / kGeneration, kMostConfigBytes), kGeneration);
  } catch (const Error&) {
    not_used.push_back(fmt::format("{}, which cannot be read", kGeneration));
    return text;
  }
  if (!beside.is_object() || !beside.contains(kKey) || beside[kKey].is_null()) return text;
  if (!is_end_of_text(beside[kKey])) {
    not_used.push_back(
        fmt::format("{} = {} of {}", kKey, printable(beside[kKey].dump(), 60), kGeneration));
    return text;
  }
  config[kKey] = beside[kKey];
  return json_text(config);
}

ModelSpec spec_of(const fs::path& folder, const TensorSource& tensors,
                  std::vector<std::string>& not_used) {
  ModelSpec spec;
  bool tying_assumed = false;
  try {
    const UnwrappedConfig config =
        unwrapped_config(read_text_file(folder / kConfig, kMostConfigBytes), not_used);
    tying_assumed = config.tying_assumed;
    spec = model_spec_from_config(with_end_of_text(config.text, folder, not_used), not_used);
  } catch (const Error& e) {
    throw Error(fmt::format("The folder '{}' cannot be opened: {}", shown_path(folder), e.what()));
  }
  if (!spec.large) {
    const TensorSource::Entry* embeddings = tensors.find("token_embedding.weight");
    const TensorSource::Entry* head = tensors.find(kHead);
    if (tying_assumed && embeddings && head && !same_numbers(tensors, *embeddings, *head))
      spec.tie_weights = false;
    check(
        !spec.tie_weights || !embeddings || !head || same_numbers(tensors, *embeddings, *head),
        "The folder '{}' cannot be opened: its '{}' and its '{}' differ, although its config.json "
        "says \"tie_weights\": true. Say false there to read both.",
        shown_path(folder), "token_embedding.weight", kHead);
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
  if (width > 0 && width <= kMostFactor * spec.embedding_dim)
    set_large_feedforward_width(spec, width);
  // transformers keeps a head of its own for this family, whatever the configuration says of tying.
  const TensorSource::Entry* embeddings = tensors.find(kEmbeddings);
  const TensorSource::Entry* head = tensors.find(kHead);
  if (spec.tie_weights && embeddings && head && !same_numbers(tensors, *embeddings, *head))
    spec.tie_weights = false;
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

std::optional<fs::path> model_folder_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return path;
  if (path.filename() == kConfig && fs::is_regular_file(path, error)) {
    const fs::path folder = path.parent_path();
    return folder.empty() ? fs::path(".") : folder;
  }
  return std::nullopt;
}

ModelFolder::ModelFolder(const fs::path& folder)
    : folder_(folder), tensors_(folder), spec_(spec_of(folder, tensors_, not_used_)) {
  find_parameters(Model::parameters_of(spec_), tensors_, "");
}

std::string ModelFolder::remark() const {
  const std::string read = fmt::format("{}", fmt::join(tensors_.remarks(), " "));
  if (not_used_.empty()) return read;
  const std::size_t named = std::min(not_used_.size(), kMostNamedKeys);
  const auto end = not_used_.begin() + static_cast<std::ptrdiff_t>(named);
  return fmt::format(
      "{}{}Of {}, not used: {}{}.", read, read.empty() ? "" : " ", kConfig,
      fmt::join(not_used_.begin(), end, ", "),
      named < not_used_.size() ? fmt::format(" and {} more", not_used_.size() - named) : "");
}

bool ModelFolder::trainable() const {
  try {
    validate(spec_);
    return parameter_count(spec_) * kBytesPerTrainedParameter <=
           kShareForTraining * static_cast<double>(devices().front().memory_bytes);
  } catch (const Error&) {
    return false;
  }
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

std::string why_no_room(double bytes, double memory, double available) {
  const double most = kShareOfMemory * memory;
  if (bytes > most) return fmt::format("this computer has room for {:.1f} GB.", most / 1e9);
  if (bytes > available)
    return fmt::format("{:.1f} GB of this computer's memory are free: close other programs first.",
                       available / 1e9);
  return {};
}

std::unique_ptr<Model> ModelFolder::read(FolderUse use) const {
  std::unique_ptr<Model> model;
  if (use == FolderUse::train || !spec_.large) {
    model = std::make_unique<Model>(spec_);
  } else {
    const std::vector<ParamInfo> infos = Model::parameters_of(spec_);
    const std::vector<ParameterPlace> places = find_parameters(infos, tensors_, "");
    std::vector<DType> types;
    double bytes = 0.0;
    for (std::size_t p = 0; p < infos.size(); ++p) {
      const bool halves = is_matrix(infos[p]) && (use == FolderUse::read_halves ||
                                                  places[p].entry->type == StoredType::bf16);
      types.push_back(halves ? DType::bf16 : DType::f32);
      bytes += static_cast<double>(infos[p].shape.elements()) *
               static_cast<double>(size_of(types.back()));
    }
    const std::string no_room =
        why_no_room(bytes, static_cast<double>(devices().front().memory_bytes),
                    static_cast<double>(available_memory()));
    check(no_room.empty(), "The weights in '{}' would take {:.1f} GB; {}{}", shown_path(folder_),
          bytes / 1e9, no_room, use == FolderUse::read ? " Rounded to bf16 they take less." : "");
    model = std::make_unique<Model>(spec_, types);
  }
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
