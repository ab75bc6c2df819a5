// Specifications: their limits, and their JSON.
#include "core/spec.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "core/json_text.hpp"
#include "core/spec_large.hpp"
#include "core/spec_reader.hpp"
#include "kernels/check.hpp"
#include "kernels/device.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr double kBig = 1e12;
constexpr double kBytesPerParameter = 16;  // value, gradient and two moments, in float32
constexpr double kMostModelBytes = 16e9;
constexpr double kShareOfMemory = 0.8;               // of the computer's, for one training step
constexpr double kLargestSeed = 9007199254740992.0;  // 2^53: JSON numbers are exact up to here

/// Where what is not used gets its name; null where all of it is refused.
using NotUsed = std::vector<std::string>*;

MlstmSpec read_mlstm(const json& object, NotUsed not_used) {
  MlstmSpec spec;
  SpecReader in(object, "mlstm_block.mlstm", not_used);
  in.number("num_heads", spec.num_heads, 1, 256);
  in.number("conv1d_kernel_size", spec.conv1d_kernel_size, 2, 64);
  in.number("qkv_proj_blocksize", spec.qkv_proj_blocksize, 1, 8192);
  in.number("proj_factor", spec.proj_factor, 0.01, 64);
  in.boolean("round_proj_up_dim_up", spec.round_proj_up_dim_up);
  in.number("round_proj_up_to_multiple_of", spec.round_proj_up_to_multiple_of, 1, 8192);
  read_mlstm_variant(in, spec.variant);
  in.number("gate_soft_cap", spec.variant.gate_soft_cap, 0, 1e6);
  in.ignore({"bias", "dropout", "embedding_dim", "context_length"});
  in.finish();
  return spec;
}

SlstmSpec read_slstm(const json& object, NotUsed not_used) {
  SlstmSpec spec;
  SpecReader in(object, "slstm_block.slstm", not_used);
  in.number("num_heads", spec.num_heads, 1, 256);
  in.number("conv1d_kernel_size", spec.conv1d_kernel_size, 0, 64);
  in.boolean("group_norm_weight", spec.group_norm_weight);
  in.choice("bias_init", spec.bias_init,
            {"powerlaw_blockdependent", "small_init", "standard", "zeros"});
  in.choice("recurrent_weight_init", spec.recurrent_weight_init, {"zeros", "standard"});
  read_variant(in, spec.variant);
  in.number("gate_soft_cap", spec.variant.gate_soft_cap, 0, 1e6);
  bool cut = false;
  in.boolean("gradient_recurrent_cut", cut);
  check(!cut && !in.find("gradient_recurrent_clipval"),
        "slstm_block.slstm: cutting or clipping the recurrent gradient is not supported; leave "
        "'gradient_recurrent_cut' false and 'gradient_recurrent_clipval' null.");
  // Names and shapes of the weights are the same: only this word tells.
  in.only("function", {"slstm", "lstm"},
          "the functions that are computed here are \"slstm\" and \"lstm\"");
  if (const json* function = in.find("function"); function && *function == "lstm") {
    spec.memory = kernels::ScalarMemory::lstm;
    check(
        spec.variant.forget_gate == "sigmoid" && spec.variant.stabilizer,
        "slstm_block.slstm: the function 'lstm' has sigmoid gates and nothing to stabilise; leave "
        "'forget_gate' and 'stabilizer' out, or use the function 'slstm'.");
    in.only("num_states", {2}, "the LSTM has 2 states, y and c");
  } else {
    in.only("num_states", {4}, "the sLSTM has 4 states, y, c, n and m");
  }
  in.only("num_gates", {4}, "these cells have 4 gates");
  in.only("initial_val", {0.0}, "states begin at 0 here");
  in.only("backend", {"vanilla", "cuda"}, "what that computes is not known here");
  // The official program reads it, but hands its cells another number.
  in.usual("forward_clipval", {});
  in.usual("constants", {json::object()});
  for (const char* key :
       {"dtype", "dtype_b", "dtype_r", "dtype_w", "dtype_g", "dtype_s", "dtype_a"})
    in.number_type(key);
  // How the official program lays out what it computes.
  constexpr std::string_view kLayout = "the official program has no such layout";
  in.only("input_shape", {"BSGNH", "SBGNH"}, kLayout);
  in.only("internal_input_shape", {"SBNGH", "SBGNH", "SBNHG"}, kLayout);
  in.only("output_shape", {"BNSH", "SBH", "BSH", "SBNH"}, kLayout);
  // Taken from the whole model, or of no consequence.
  in.ignore({"dropout", "embedding_dim", "context_length", "hidden_size", "batch_size",
             "enable_automatic_mixed_precision"});
  in.finish();
  return spec;
}

FeedforwardSpec read_feedforward(const json& object, NotUsed not_used) {
  FeedforwardSpec spec;
  SpecReader in(object, "slstm_block.feedforward", not_used);
  in.number("proj_factor", spec.proj_factor, 0.01, 64);
  in.choice("act_fn", spec.act_fn, {"gelu", "relu", "relu^2", "sigmoid", "swish", "selu"});
  in.boolean("bias", spec.bias);
  std::string type = "ffn_gated";
  in.choice("ff_type", type, {"ffn_gated"});
  in.boolean("round_proj_up_dim_up", spec.round_proj_up_dim_up);
  in.number("round_proj_up_to_multiple_of", spec.round_proj_up_to_multiple_of, 1, 8192);
  in.usual("dropout", {0.0});  // its own, not the model's
  in.ignore({"embedding_dim"});
  in.finish();
  return spec;
}

ModelSpec read_model(const json& object, NotUsed not_used = nullptr) {
  if (large::describes(object)) return large::read(object, not_used);
  ModelSpec spec;
  SpecReader in(object, "The model specification", not_used);
  in.number("vocab_size", spec.vocab_size, 0, 1 << 20);
  in.number("embedding_dim", spec.embedding_dim, 1, 8192);
  in.number("num_blocks", spec.num_blocks, 1, 256);
  in.number("context_length", spec.context_length, 0, 1 << 20);
  in.boolean("tie_weights", spec.tie_weights);
  in.boolean("weight_decay_on_embedding", spec.weight_decay_on_embedding);
  in.boolean("add_post_blocks_norm", spec.add_post_blocks_norm);
  in.boolean("bias", spec.bias);
  in.number("dropout", spec.dropout, 0, 0.99);
  if (const json* block = in.find("mlstm_block")) {
    SpecReader inner(*block, "mlstm_block", not_used);
    const json* cell = inner.find("mlstm");
    spec.mlstm = cell ? read_mlstm(*cell, not_used) : MlstmSpec{};
    inner.finish();
  }
  if (const json* block = in.find("slstm_block")) {
    SpecReader inner(*block, "slstm_block", not_used);
    const json* cell = inner.find("slstm");
    spec.slstm = cell ? read_slstm(*cell, not_used) : SlstmSpec{};
    // As in the official code, a missing feed-forward layer is the default one; null means none.
    if (!block->contains("feedforward")) spec.feedforward = FeedforwardSpec{};
    if (const json* ffn = inner.find("feedforward"))
      spec.feedforward = read_feedforward(*ffn, not_used);
    inner.finish();
  }
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

/// Of the mLSTM blocks.
std::int64_t inner_width(const ModelSpec& spec) {
  return rounded_width(spec.mlstm->proj_factor, spec.embedding_dim,
                       spec.mlstm->round_proj_up_dim_up, spec.mlstm->round_proj_up_to_multiple_of);
}

std::int64_t feedforward_width(const ModelSpec& spec) {
  const FeedforwardSpec& f = *spec.feedforward;
  return rounded_width(f.proj_factor, spec.embedding_dim, f.round_proj_up_dim_up,
                       f.round_proj_up_to_multiple_of);
}

json as_json(const ModelSpec& spec) {
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
  if (spec.mlstm) {
    const MlstmSpec& s = *spec.mlstm;
    out["mlstm_block"]["mlstm"] = {
        {"num_heads", s.num_heads},
        {"conv1d_kernel_size", s.conv1d_kernel_size},
        {"qkv_proj_blocksize", s.qkv_proj_blocksize},
        {"proj_factor", s.proj_factor},
        {"round_proj_up_dim_up", s.round_proj_up_dim_up},
        {"round_proj_up_to_multiple_of", s.round_proj_up_to_multiple_of}};
    write_variant(s.variant, {}, out["mlstm_block"]["mlstm"]);
  }
  if (spec.slstm) {
    const SlstmSpec& s = *spec.slstm;
    out["slstm_block"]["slstm"] = {{"num_heads", s.num_heads},
                                   {"conv1d_kernel_size", s.conv1d_kernel_size},
                                   {"group_norm_weight", s.group_norm_weight},
                                   {"bias_init", s.bias_init},
                                   {"recurrent_weight_init", s.recurrent_weight_init}};
    if (s.memory == kernels::ScalarMemory::lstm) {
      out["slstm_block"]["slstm"]["function"] = "lstm";
      out["slstm_block"]["slstm"]["num_states"] = 2;
    }
    write_variant(s.variant, {}, out["slstm_block"]["slstm"]);
    out["slstm_block"]["feedforward"] = nullptr;
    if (spec.feedforward) {
      const FeedforwardSpec& f = *spec.feedforward;
      out["slstm_block"]["feedforward"] = {
          {"proj_factor", f.proj_factor},
          {"act_fn", f.act_fn},
          {"bias", f.bias},
          {"round_proj_up_dim_up", f.round_proj_up_dim_up},
          {"round_proj_up_to_multiple_of", f.round_proj_up_to_multiple_of}};
    }
  }
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

ModelSpec model_spec_from_json(const std::string& text) {
  return read_model(parse(text));
}
ModelSpec model_spec_from_config(const std::string& text, std::vector<std::string>& not_used) {
  return read_model(parse_json(text, "The model's config.json"), &not_used);
}
std::string to_json(const ModelSpec& spec) {
  return json_text(as_json(spec), 2);
}
std::vector<std::string> keys_of_our_own(const ModelSpec& spec) {
  json keys = json::object();
  if (spec.mlstm) write_variant(spec.mlstm->variant, {}, keys);
  if (spec.slstm) write_variant(spec.slstm->variant, {}, keys);
  if (spec.large) {
    CellVariant known = LargeSpec::reference_variant();
    known.gate_soft_cap = spec.large->variant.gate_soft_cap;
    known.eps = spec.large->variant.eps;
    write_variant(spec.large->variant, known, keys);
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : keys.items()) names.push_back(name);
  return names;
}

std::string to_config_json(const ModelSpec& spec, const std::string& torch_dtype) {
  if (spec.large) return json_text(large::as_config(spec, torch_dtype), 2);
  json config = as_json(spec);
  // The layout in which recurrent kernels are stored here.
  if (spec.slstm) config["slstm_block"]["slstm"]["backend"] = "vanilla";
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

double parameter_count(const ModelSpec& spec) {
  if (spec.large) return large::parameter_count(spec);
  const double D = spec.embedding_dim, vocabulary = spec.vocab_size;
  double count = vocabulary * D * (spec.tie_weights ? 1 : 2);
  if (spec.add_post_blocks_norm) count += D;
  for (int b = 0; b < spec.num_blocks; ++b) {
    count += D;  // the norm before the cell
    if (spec.is_slstm(b)) {
      const SlstmSpec& s = *spec.slstm;
      const double unit_pairs = D * D / s.num_heads;
      if (s.conv1d_kernel_size > 0) count += D * (s.conv1d_kernel_size + 1);
      count += 8 * unit_pairs + 4 * D;  // inputs and recurrence of four gates, their biases
      if (s.group_norm_weight) count += D;
      if (spec.feedforward) {
        const auto U = static_cast<double>(feedforward_width(spec));
        count += D + 3 * U * D;
        if (spec.feedforward->bias) count += 2 * U + D;
      }
    } else {
      const MlstmSpec& m = *spec.mlstm;
      const std::int64_t inner = inner_width(spec);
      const auto I = static_cast<double>(inner);
      const auto blocksize = static_cast<double>(inner / (inner / m.qkv_proj_blocksize));
      count += 3 * I * D + 3 * I * blocksize;   // up and down; q, k, v
      count += I * (m.conv1d_kernel_size + 1);  // convolution
      count += 2 * (3 * I + 1) * m.num_heads;   // gates
      count += 2 * I;                           // norm, skip
      if (spec.bias) count += 5 * I + D;
    }
  }
  return count;
}

void check_sizes(const ModelSpec& spec) {
  check(spec.vocab_size >= 1, "The model has no vocabulary: 'vocab_size' must be at least 1.");
  if (spec.large) {
    large::check_sizes(spec);
    return;
  }
  const bool any_slstm = !spec.slstm_at.empty();
  const bool any_mlstm = static_cast<int>(spec.slstm_at.size()) < spec.num_blocks;
  check(!any_mlstm || spec.mlstm.has_value(),
        "The model has mLSTM blocks but no 'mlstm_block'; give one or list every block in "
        "'slstm_at'.");
  check(!any_slstm || spec.slstm.has_value(),
        "'slstm_at' lists blocks but there is no 'slstm_block'.");
  if (any_mlstm) {
    const MlstmSpec& m = *spec.mlstm;
    const std::int64_t inner = inner_width(spec);
    check(inner >= 1, "'proj_factor' {} of width {} rounds to an inner width of 0.", m.proj_factor,
          spec.embedding_dim);
    check(inner % m.num_heads == 0, "The mLSTM's inner width {} cannot be shared by {} heads.",
          inner, m.num_heads);
    const std::int64_t blocks = inner / m.qkv_proj_blocksize;
    check(blocks >= 1 && inner % blocks == 0,
          "The mLSTM's inner width {} cannot be cut into blocks of {} ('qkv_proj_blocksize').",
          inner, m.qkv_proj_blocksize);
  }
  if (any_slstm) {
    check(spec.embedding_dim % spec.slstm->num_heads == 0,
          "The width {} cannot be shared by the sLSTM's {} heads.", spec.embedding_dim,
          spec.slstm->num_heads);
    if (spec.feedforward) {
      check(feedforward_width(spec) >= 1,
            "The feed-forward layer's 'proj_factor' {} rounds to a width of 0.",
            spec.feedforward->proj_factor);
    }
  }
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
  for (int b = 0; b < model.num_blocks; ++b) {
    if (model.large) {
      numbers += large::numbers_per_token(model);
    } else if (model.is_slstm(b)) {
      numbers += 40.0 * model.embedding_dim;
      if (model.feedforward) numbers += 4.0 * static_cast<double>(feedforward_width(model));
    } else {
      numbers += 20.0 * static_cast<double>(inner_width(model)) + 6.0 * model.embedding_dim;
    }
  }
  const double tokens = static_cast<double>(train.batch_size) * train.sequence_length;
  double bytes = parameter_count(model) * kBytesPerParameter + tokens * numbers * sizeof(float);
  // In a number format of choice the memory of every step is kept for the way back, of one head
  // for each part of a batch.
  constexpr double kHeadsAtOnce = 4.0;
  double memory = 0.0;
  if (model.mlstm && model.mlstm->variant.number_format != "native")
    memory = std::pow(static_cast<double>(inner_width(model)) / model.mlstm->num_heads, 2);
  if (model.large && model.large->variant.number_format != "native")
    memory = static_cast<double>(large_key_width(model)) / model.large->num_heads *
             static_cast<double>(large_value_width(model)) / model.large->num_heads;
  bytes += train.sequence_length * memory * kHeadsAtOnce * sizeof(double);
  const double most = kShareOfMemory * static_cast<double>(devices().front().memory_bytes);
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
