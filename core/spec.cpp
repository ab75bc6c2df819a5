// Specifications: their limits, and their JSON.
#include "core/spec.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "core/cells/kind.hpp"
#include "core/cells/large_spec.hpp"
#include "core/cells/scalar.hpp"
#include "core/files/json_text.hpp"
#include "core/series/series_spec.hpp"
#include "core/spec_reader.hpp"
#include "kernels/check.hpp"
#include "kernels/device/device.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr double kBig = 1e12;
constexpr double kBytesPerParameter = 16;  // value, gradient and two moments, in float32
constexpr double kMostModelBytes = 16e9;
constexpr double kShareForOneStep = 0.8;             // of the computer's, for one training step
constexpr double kLargestSeed = 9007199254740992.0;  // 2^53: JSON numbers are exact up to here

ModelSpec read_model(const json& object, ReadKeys* keys = nullptr) {
  if (series::describes(object)) return series::read(object, keys);
  if (large::describes(object)) return large::read(object, keys);
  ModelSpec spec;
  SpecReader in(object, "The model specification", keys);
  in.number("vocab_size", spec.vocab_size, 0, 1 << 20);
  in.number("embedding_dim", spec.embedding_dim, 1, 8192);
  in.number("num_blocks", spec.num_blocks, 1, 256);
  in.number("context_length", spec.context_length, 0, 1 << 20);
  in.boolean("tie_weights", spec.tie_weights);
  in.boolean("weight_decay_on_embedding", spec.weight_decay_on_embedding);
  in.boolean("add_post_blocks_norm", spec.add_post_blocks_norm);
  in.boolean("bias", spec.bias);
  in.number("dropout", spec.dropout, 0, 0.99);
  for (const CellKind* kind : cell_kinds())
    if (const json* block = kind->key ? in.find(kind->key) : nullptr)
      kind->read(*block, keys, spec);
  if (const json* at = in.find("slstm_at")) {
    if (at->is_string()) {
      check(at->get<std::string>() == "all",
            "'slstm_at' must be a list of block numbers or \"all\".");
      for (int b = 0; b < spec.num_blocks; ++b) spec.slstm_at.push_back(b);
    } else {
      check(at->is_array(), "'slstm_at' must be a list of block numbers or \"all\".");
      for (const json& b : *at) {
        check(b.is_number_integer() && b.get<std::int64_t>() >= 0 &&
                  b.get<std::int64_t>() < spec.num_blocks,
              "'slstm_at' names block {}, but the blocks are 0 to {}.", printable(json_text(b), 40),
              spec.num_blocks - 1);
        spec.slstm_at.push_back(b.get<int>());
      }
    }
  }
  if (!spec.mlstm && spec.slstm) {
    spec.slstm_at.clear();
    for (int b = 0; b < spec.num_blocks; ++b) spec.slstm_at.push_back(b);
  }
  std::sort(spec.slstm_at.begin(), spec.slstm_at.end());
  spec.slstm_at.erase(std::unique(spec.slstm_at.begin(), spec.slstm_at.end()), spec.slstm_at.end());
  read_common_keys(in);
  // A matter of `dropout`, which training refuses.
  in.ignore({"add_embedding_dropout"});
  in.only("norm_type", {"layernorm"}, "the norms of this family are layer norms");
  in.finish();
  return spec;
}

TrainSpec read_train(const json& object) {
  TrainSpec spec;
  SpecReader in(object, "The training specification");
  in.number("batch_size", spec.batch_size, 1, 65536);
  in.number("sequence_length", spec.sequence_length, 1, 1 << 20);
  in.number("learning_rate", spec.learning_rate, 0, 100);
  in.number("min_learning_rate", spec.min_learning_rate, 0, 100);
  in.number("warmup_steps", spec.warmup_steps, 0, kBig);
  in.number("decay_until_step", spec.decay_until_step, 0, kBig);
  in.number("beta1", spec.beta1, 0, 0.999999);
  in.number("beta2", spec.beta2, 0, 0.999999999);
  // Not zero: parameters without a gradient divide zero by it.
  in.number("adam_eps", spec.adam_eps, 1e-16, 1);
  in.number("weight_decay", spec.weight_decay, 0, 100);
  in.number("gradient_clip", spec.gradient_clip, 0, 1e9);
  in.number("seed", spec.seed, 0, kLargestSeed);
  in.finish();
  return spec;
}

json parse(const std::string& text) {
  return parse_json(text, "The specification");
}

json as_json(const ModelSpec& spec) {
  if (spec.series) return series::as_json(spec);
  if (spec.large) return large::as_json(spec);
  json out = {{"vocab_size", spec.vocab_size},
              {"embedding_dim", spec.embedding_dim},
              {"num_blocks", spec.num_blocks},
              {"context_length", spec.context_length},
              {"slstm_at", spec.slstm_at},
              {"tie_weights", spec.tie_weights},
              {"weight_decay_on_embedding", spec.weight_decay_on_embedding},
              {"add_post_blocks_norm", spec.add_post_blocks_norm},
              {"bias", spec.bias},
              {"dropout", spec.dropout}};
  for (const CellKind* kind : cell_kinds())
    if (kind->key && kind->said(spec)) out[kind->key] = kind->as_json(spec);
  return out;
}

json as_json(const TrainSpec& spec) {
  return {{"batch_size", spec.batch_size},
          {"sequence_length", spec.sequence_length},
          {"learning_rate", spec.learning_rate},
          {"min_learning_rate", spec.min_learning_rate},
          {"warmup_steps", spec.warmup_steps},
          {"decay_until_step", spec.decay_until_step},
          {"beta1", spec.beta1},
          {"beta2", spec.beta2},
          {"adam_eps", spec.adam_eps},
          {"weight_decay", spec.weight_decay},
          {"gradient_clip", spec.gradient_clip},
          {"seed", spec.seed}};
}

}  // namespace

bool ModelSpec::is_slstm(int block) const {
  return std::binary_search(slstm_at.begin(), slstm_at.end(), block);
}

int ModelSpec::tokens() const {
  return series ? series->patches() : vocab_size;
}

ModelSpec model_spec_from_json(const std::string& text) {
  return read_model(parse(text));
}
ModelSpec model_spec_from_config(const std::string& text, ReadKeys& keys, const std::string& what) {
  return read_model(parse_json(text, what), &keys);
}
std::string to_json(const ModelSpec& spec) {
  return json_text(as_json(spec), 2);
}
std::string title_of(const ModelSpec& spec) {
  if (spec.series)
    return fmt::format("{}, {} block{}", spec.series->reads_ahead() ? "TiRex-2" : "TiRex",
                       spec.num_blocks, spec.num_blocks == 1 ? "" : "s");
  if (spec.large)
    return fmt::format("xLSTM-large, {} block{}", spec.num_blocks, spec.num_blocks == 1 ? "" : "s");
  const auto slstm_blocks = static_cast<int>(spec.slstm_at.size());
  std::string title = fmt::format("xLSTM [{}:{}]", spec.num_blocks - slstm_blocks, slstm_blocks);
  if (slstm_blocks > 0 && spec.slstm && spec.slstm->memory != SlstmSpec{}.memory)
    title += fmt::format(", {} for {}", scalar_cell(spec.slstm->memory).title, slstm_cell().title);
  if (!spec.slstm) return title;
  for (const SlstmSpec::Other& other : spec.slstm->others)
    title += fmt::format(", with {} {}", other.blocks.size(), scalar_cell(other.memory).title);
  return title;
}
std::vector<std::string> keys_of_our_own(const ModelSpec& spec) {
  json keys = json::object();
  for (const CellKind* kind : cell_kinds())
    if (kind->said(spec)) kind->write_own_keys(spec, keys);
  std::vector<std::string> names;
  for (const auto& [name, value] : keys.items()) names.push_back(name);
  return names;
}

std::string to_config_json(const ModelSpec& spec, const std::string& torch_dtype) {
  if (spec.large) return json_text(large::as_config(spec, torch_dtype), 2);
  json config = as_json(spec);
  if (spec.series) return json_text(config, 2);
  for (const CellKind* kind : cell_kinds())
    if (kind->write_layout && kind->said(spec)) kind->write_layout(config[kind->key]);
  return json_text(config, 2);
}
TrainSpec train_spec_from_json(const std::string& text) {
  return read_train(parse(text));
}
std::string to_json(const TrainSpec& spec) {
  return json_text(as_json(spec), 2);
}

RunSpec run_spec_from_json(const std::string& text) {
  const json object = parse(text);
  check(object.is_object(), "The specification must be a JSON object.");
  RunSpec spec;
  if (!object.contains("model") && !object.contains("train")) {
    spec.model = read_model(object);
    return spec;
  }
  SpecReader in(object, "The specification");
  if (const json* model = in.find("model")) spec.model = read_model(*model);
  if (const json* train = in.find("train")) spec.train = read_train(*train);
  in.finish();
  return spec;
}

std::int64_t rounded_width(double factor, int dim, bool up, int multiple) {
  const double units = factor * dim / multiple;
  return static_cast<std::int64_t>(up ? std::ceil(units) : std::floor(units)) * multiple;
}

std::int64_t feedforward_width_above(double width, int multiple) {
  const double raised = width + multiple - 1;
  return static_cast<std::int64_t>(raised - std::fmod(raised, multiple));
}

const char* model_family(const ModelSpec& spec) {
  return spec.series ? "forecasting" : spec.large ? "large" : "paper";
}

double parameter_count(const ModelSpec& spec) {
  const double D = spec.embedding_dim, vocabulary = spec.vocab_size;
  double count = vocabulary * D * (spec.tie_weights ? 1 : 2);
  if (spec.series) {
    count = series::parameter_count_around(spec);
  } else if (spec.large) {
    count += large::last_norm(spec);
  } else if (spec.add_post_blocks_norm) {
    count += D;
  }
  for (int b = 0; b < spec.num_blocks; ++b) count += kind_of(spec, b).parameter_count(spec);
  return count;
}

void check_sizes(const ModelSpec& spec) {
  check(spec.vocab_size >= 1, "The model has no vocabulary: 'vocab_size' must be at least 1.");
  for (const CellKind* kind : cell_kinds())
    if (stands_in(*kind, spec)) kind->check_sizes(spec);
}

void validate(const ModelSpec& spec) {
  check_sizes(spec);
  const double parameters = parameter_count(spec), bytes = parameters * kBytesPerParameter;
  check(bytes <= kMostModelBytes,
        "This model would need about {:.0f} GB to train ({:.1f} million parameters); the limit is "
        "{:.0f} GB. Make it narrower or shallower.",
        bytes / 1e9, parameters / 1e6, kMostModelBytes / 1e9);
}

void validate(const TrainSpec& spec) {
  const double tokens = static_cast<double>(spec.batch_size) * spec.sequence_length;
  check(tokens <= 1 << 22,
        "A batch of {} sequences of {} tokens is too large; use at most {} tokens a batch.",
        spec.batch_size, spec.sequence_length, 1 << 22);
  check(spec.min_learning_rate <= spec.learning_rate,
        "'min_learning_rate' {} is larger than 'learning_rate' {}.", spec.min_learning_rate,
        spec.learning_rate);
  check(static_cast<double>(spec.seed) <= kLargestSeed,
        "The seed is {}; it must be at most {:.0f}.", spec.seed, kLargestSeed);
}

void validate(const ModelSpec& model, const TrainSpec& train) {
  // What the tape holds of one token: the outputs of every operation, and the gradients of a block.
  double numbers = 4.0 * model.vocab_size + 4.0 * model.embedding_dim;
  double memory = 0.0;
  for (int b = 0; b < model.num_blocks; ++b) {
    const CellKind& kind = kind_of(model, b);
    numbers += kind.numbers_per_token(model);
    if (kind.memory_kept) memory = std::max(memory, kind.memory_kept(model));
  }
  const double tokens = static_cast<double>(train.batch_size) * train.sequence_length;
  double bytes = parameter_count(model) * kBytesPerParameter + tokens * numbers * sizeof(float);
  // In a number format of choice the memory of every step is kept for the way back, of one head
  // for each part of a batch.
  constexpr double kHeadsAtOnce = 4.0;
  bytes += train.sequence_length * memory * kHeadsAtOnce * sizeof(double);
  const double most = kShareForOneStep * static_cast<double>(devices().front().memory_bytes);
  check(bytes <= most,
        "Training this model on batches of {} sequences of {} tokens would need about {:.1f} GB; "
        "this computer has room for {:.1f} GB. Use smaller batches, shorter sequences or a smaller "
        "model.",
        train.batch_size, train.sequence_length, bytes / 1e9, most / 1e9);
}

double learning_rate_at(const TrainSpec& spec, std::int64_t step) {
  const double top = spec.learning_rate, bottom = spec.min_learning_rate;
  if (step < spec.warmup_steps)
    return top * static_cast<double>(step) / static_cast<double>(spec.warmup_steps);
  if (step >= spec.decay_until_step) return bottom;
  const double progress = static_cast<double>(step - spec.warmup_steps) /
                          static_cast<double>(spec.decay_until_step - spec.warmup_steps);
  return bottom + 0.5 * (1.0 + std::cos(std::numbers::pi * progress)) * (top - bottom);
}

}  // namespace xlab
