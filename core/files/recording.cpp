// Recordings in files: what they hold, and how they are written token by token.
#include "core/files/recording.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <utility>

#include "core/bytes_text.hpp"
#include "core/files/disk.hpp"
#include "core/files/json_text.hpp"
#include "core/files/safetensors.hpp"
#include "core/model.hpp"
#include "core/run_json.hpp"
#include "core/state.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"
#include "kernels/device/readback.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kFormatKey = "xlab_recording";
constexpr const char* kFormat = "1";
constexpr const char* kIds = "ids";
/// The texts of the first tokens, as many as fit into so many bytes.
constexpr std::size_t kMostTokenTexts = 256 << 10;
/// Tokens are written together, as many as this holds, at most so many.
constexpr std::size_t kPendingBytes = 8u << 20;
constexpr std::size_t kMostPending = 256;
constexpr std::size_t kNamedPaths = 4;

constexpr const char* kAxes =
    "Tensors are (time, heads, dim), a matrix memory is (time, heads, key, value); ids is (time).";
constexpr const char* kResidualWords =
    "Length of the vector that runs through the blocks: before the first block, then after each of "
    "them.";
constexpr const char* kMatrixConvention =
    "A memory C is stored as (key, value), the transpose of the paper's: C_t = f'_t C_{t−1} + i'_t "
    "k_t v_tᵀ, read as C_tᵀ q_t. Of a block, \"scaled\" names what is divided by the "
    "root of key_dim before it meets the memory: with keys, C and n hold the scaled keys and q is "
    "as it was projected; with queries, C and n hold the keys as they were projected and q is "
    "scaled. C and n of two programs can so differ by the root of key_dim where h does not.";
constexpr const char* kScaleConvention =
    "What the range of a value calls \"divided by exp(m)\" is stored at the scale of the "
    "stabilizer "
    "m of the same time step.";

/// A value that there could be.
struct Offer {
  std::string path = {};
  std::string kind_path = {};            ///< the same without its block: "<cell>/<name>"
  std::vector<std::int64_t> shape = {};  ///< without time
  const ValueCard* card = nullptr;       ///< null: the lengths between the blocks
  int block = -1;
  bool memory = false;
};

std::vector<Offer> offers(const ModelCard& model) {
  std::vector<Offer> all;
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const BlockCard& block = model.blocks[b];
    for (const ValueCard& card : block.values->cards) {
      // Not recorded is what the recorded values say, and the memory.
      const bool memory = card.extent == Extent::key_by_value && card.role == Role::state;
      if (!card.recorded && !memory) continue;
      Offer offer{.path = block.path(card.name),
                  .kind_path = block.prefix.substr(block.prefix.find('/') + 1) + "/" + card.name,
                  .shape = {block.heads, block.numbers(card.extent)},
                  .card = &card,
                  .block = static_cast<int>(b),
                  .memory = memory};
      if (memory) offer.shape = {block.heads, block.key_dim, block.value_dim};
      all.push_back(std::move(offer));
    }
  }
  all.push_back({.path = kResidualNorm,
                 .kind_path = kResidualNorm,
                 .shape = {1, static_cast<std::int64_t>(model.blocks.size()) + 1}});
  return all;
}

bool matches(const std::string& pattern, const Offer& offer) {
  return ::fnmatch(pattern.c_str(), offer.path.c_str(), FNM_NOESCAPE) == 0;
}

/// Every pattern has to mean something.
void check_patterns(const std::vector<Offer>& all, const RecordingOptions& options) {
  for (const std::string& pattern : options.values) {
    bool wanted = false, memory = false;
    std::vector<std::string> some;
    for (const Offer& offer : all) {
      const bool there = !offer.memory || options.memory;
      wanted = wanted || (there && matches(pattern, offer));
      memory = memory || (!there && matches(pattern, offer));
      if (there && some.size() < kNamedPaths) some.push_back(offer.path);
    }
    check(wanted || !memory,
          "'{}' names a matrix for every token: with --memory it is among the values.",
          printable(pattern, 60));
    check(wanted, "'{}' names none of this model's {} values, which are {}, ..., {}.",
          printable(pattern, 60), all.size(), fmt::join(some, ", "), all.back().path);
  }
}

bool wants(const RecordingOptions& options, const Offer& offer) {
  if (offer.memory && !options.memory) return false;
  return options.values.empty() ||
         std::any_of(options.values.begin(), options.values.end(),
                     [&](const std::string& pattern) { return matches(pattern, offer); });
}

json described(const Offer& offer) {
  if (!offer.card)
    return {{"title", "residual length"}, {"words", kResidualWords}, {"range", "0 or more"}};
  const ValueCard& card = *offer.card;
  return {{"symbol", card.symbol},
          {"title", card.title},
          {"words", card.words},
          {"equation", card.equation},
          {"range", card.range}};
}

json texts_of(const ModelCard& model, const std::vector<int>& tokens) {
  json texts = json::array();
  std::size_t bytes = 0;
  for (const int token : tokens) {
    // A model may know more tokens than have a label.
    const auto at = static_cast<std::size_t>(token);
    const std::string text = at < model.vocabulary.size() ? mended_utf8(model.vocabulary[at]) : "";
    bytes += text.size() + 4;
    if (bytes > kMostTokenTexts) break;
    texts.push_back(text);
  }
  return texts;
}

json blocks_of(const ModelCard& model) {
  json blocks = json::array();
  for (const BlockCard& block : model.blocks) {
    json one = {{"path", block.prefix},
                {"heads", block.heads},
                {"key_dim", block.key_dim},
                {"value_dim", block.value_dim}};
    if (block.has_matrix) one["scaled"] = name_of(block.variant.scale);
    blocks.push_back(std::move(one));
  }
  return blocks;
}

json clamps_of(const std::vector<Clamp>& clamps) {
  json all = json::array();
  for (const Clamp& clamp : clamps) {
    if (!clamp.enabled) continue;
    json one = json_of(clamp);
    one.erase("enabled");  // all here are
    all.push_back(std::move(one));
  }
  return all;
}

std::string convention_of(const ModelCard& model) {
  std::string text = kAxes;
  bool matrix = false;
  for (const BlockCard& block : model.blocks) matrix = matrix || block.has_matrix;
  if (matrix) text += std::string(" ") + kMatrixConvention;
  return text + " " + kScaleConvention;
}

}  // namespace

RecordingPlan::RecordingPlan(const ModelCard& model, const std::vector<int>& tokens,
                             const std::vector<Clamp>& clamps, const RecordingOptions& options)
    : tokens_(static_cast<std::int64_t>(tokens.size())), ids_(tokens.begin(), tokens.end()) {
  check(!tokens.empty(), "There are no tokens to record.");
  const std::vector<Offer> all = offers(model);
  check_patterns(all, options);
  std::vector<AnnouncedTensor> tensors = {{kIds, StoredType::i64, {tokens_}, 0, 0}};
  json words = json::object();
  std::vector<Offer> wanted;
  for (const Offer& offer : all) {
    if (!wants(options, offer)) continue;
    std::vector<std::int64_t> shape = {tokens_};
    shape.insert(shape.end(), offer.shape.begin(), offer.shape.end());
    tensors.push_back({offer.path, StoredType::f32, std::move(shape), 0, 0});
    if (!words.contains(offer.kind_path)) words[offer.kind_path] = described(offer);
    wanted.push_back(offer);
  }
  Metadata metadata = {{kFormatKey, kFormat},
                       {"program", options.program},
                       {"model", mended_utf8(model.name)},
                       {"tokens", json_text(texts_of(model, tokens))},
                       {"convention", convention_of(model)},
                       {"values", json_text(words)},
                       {"blocks", json_text(blocks_of(model))}};
  if (const json held = clamps_of(clamps); !held.empty()) metadata["clamps"] = json_text(held);
  constexpr const char* kName = "the recording";
  const SafetensorsHeader header = lay_out(kName, std::move(tensors), std::move(metadata));
  header_ = encode_for(kName, header);
  const std::uint64_t first = header_.size();
  for (const AnnouncedTensor& tensor : header.tensors) {
    end_ = first + tensor.end;
    if (tensor.type == StoredType::i64) {
      ids_begin_ = first + tensor.begin;
      continue;
    }
    const auto offer = std::find_if(wanted.begin(), wanted.end(),
                                    [&](const Offer& o) { return o.path == tensor.name; });
    std::int64_t numbers = 1;
    for (const std::int64_t extent : offer->shape) numbers *= extent;
    values_.push_back({.path = tensor.name,
                       .numbers = static_cast<std::size_t>(numbers),
                       .begin = first + tensor.begin,
                       .block = offer->memory ? offer->block : -1,
                       .state = offer->memory ? offer->card->name : std::string()});
  }
}

std::uint64_t RecordingPlan::bytes() const {
  return end_;
}

namespace {

/// A disk that cannot take the file is named with both sizes.
const fs::path& with_room(const fs::path& path, std::uint64_t bytes) {
  std::error_code error;
  fs::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  const fs::space_info space = fs::space(folder, error);
  check(error || space.available >= bytes,
        "Could not save '{}': the recording takes {}, and the disk has room for {}.",
        shown_path(path), bytes_text(static_cast<double>(bytes)),
        bytes_text(static_cast<double>(space.available)));
  return path;
}

}  // namespace

RecordingFile::RecordingFile(const RecordingPlan& plan, const fs::path& path)
    : plan_(plan), save_(with_room(path, plan.bytes())), pending_(plan.values()) {
  save_.reserve(plan.bytes());
  save_.write_at(0, std::as_bytes(std::span(plan.header_)));
  save_.write_at(plan.ids_begin_, std::as_bytes(std::span(plan.ids_)));
  std::size_t numbers = 0;
  for (const RecordingPlan::Value& value : plan.values_) numbers += value.numbers;
  at_a_time_ = static_cast<std::int64_t>(
      std::clamp<std::size_t>(kPendingBytes / (numbers * sizeof(float)), 1, kMostPending));
}

void RecordingFile::add(const TokenTrace& trace, const State* after) {
  check(added_ < plan_.tokens(), "The recording is of {} tokens, and there are more.",
        plan_.tokens());
  for (std::size_t i = 0; i < plan_.values_.size(); ++i) {
    const RecordingPlan::Value& value = plan_.values_[i];
    std::vector<float> from_state;
    const std::vector<float>* numbers = nullptr;
    if (value.state.empty()) {
      if (const Recorded* recorded = trace.find(value.path)) numbers = &recorded->values;
    } else if (after) {
      const Tensor memory = after->cells[static_cast<std::size_t>(value.block)].get(value.state);
      if (memory.defined()) from_state = floats_of(memory);
      numbers = &from_state;
    }
    check(numbers != nullptr && numbers->size() == value.numbers,
          "Of token {} the value '{}' was not recorded.", added_, value.path);
    for (const float x : *numbers) not_finite_ += !std::isfinite(x);
    pending_[i].insert(pending_[i].end(), numbers->begin(), numbers->end());
  }
  ++added_;
  if (added_ - written_ >= at_a_time_) write_pending();
}

void RecordingFile::write_pending() {
  for (std::size_t i = 0; i < plan_.values_.size(); ++i) {
    const RecordingPlan::Value& value = plan_.values_[i];
    const std::uint64_t first = static_cast<std::uint64_t>(written_) * value.numbers;
    save_.write_at(value.begin + first * sizeof(float), std::as_bytes(std::span(pending_[i])));
    pending_[i].clear();
  }
  written_ = added_;
}

void RecordingFile::finish() {
  check(added_ == plan_.tokens(), "The recording is of {} tokens, and only {} came.",
        plan_.tokens(), added_);
  write_pending();
  save_.finish();
}

bool is_recording(const fs::path& path) {
  try {
    const InputFile file(path);
    return read_safetensors_header(file, path.string()).header.metadata.contains(kFormatKey);
  } catch (const Error&) {
    return false;
  }
}

std::uint64_t write_recording(const RecordingPlan& plan, const Trace& trace, const fs::path& path,
                              const std::atomic<bool>& stop) {
  const std::int64_t computed = trace.length();
  check(computed >= plan.tokens(),
        "{} of the {} tokens are computed so far: write the recording when all are.", computed,
        plan.tokens());
  RecordingFile file(plan, path);
  for (std::int64_t t = 0; t < plan.tokens(); ++t) {
    check(!stop, "Writing '{}' was given up.", shown_path(path));
    const auto& step = trace.steps[static_cast<std::size_t>(t)];
    check(step != nullptr, "What was recorded of token {} is not kept any more.", t);
    file.add(*step);
  }
  file.finish();
  return file.not_finite();
}

}  // namespace xlab
