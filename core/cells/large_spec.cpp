// The large family's specification: its keys, its limits and its sizes.
#include "core/cells/large_spec.hpp"

#include <cmath>
#include <optional>
#include <string>

#include "core/cells/kind.hpp"
#include "core/spec_reader.hpp"

namespace xlab {
namespace {

std::int64_t share_of_width(const ModelSpec& spec, double factor) {
  return static_cast<std::int64_t>(spec.embedding_dim * factor);
}

}  // namespace

std::int64_t large_key_width(const ModelSpec& spec) {
  return share_of_width(spec, spec.large->qk_dim_factor);
}

std::int64_t large_value_width(const ModelSpec& spec) {
  return share_of_width(spec, spec.large->v_dim_factor);
}

std::int64_t large_feedforward_width(const ModelSpec& spec) {
  return feedforward_width_above(spec.embedding_dim * spec.large->ffn_proj_factor,
                                 spec.large->ffn_round_up_to_multiple_of);
}

void set_large_feedforward_width(ModelSpec& spec, std::int64_t width) {
  if (large_feedforward_width(spec) == width) return;
  // A quarter more, so that rounding never ends one below.
  spec.large->ffn_proj_factor = (static_cast<double>(width) + 0.25) / spec.embedding_dim;
  spec.large->ffn_round_up_to_multiple_of = 1;
}

}  // namespace xlab

namespace xlab::large {
namespace {

using nlohmann::json;

constexpr int kOfficialWidth = 4096, kOfficialBlocks = 32, kOfficialVocabulary = 50304;

/// A size that has two names. Both may stand there when they agree.
void read_size(SpecReader& in, const char* name, const char* other, int& out, int most) {
  int first = 0, second = 0;
  if (in.find(name)) in.number(name, first, 1, most);
  if (in.find(other)) in.number(other, second, 1, most);
  check(first == 0 || second == 0 || first == second,
        "The model specification: '{}' is {}, but '{}' is {}; they are the same thing.", name,
        first, other, second);
  if (first != 0 || second != 0) {
    out = std::max(first, second);
  } else {
    in.assume(name, out);
  }
}

/// null means none.
void read_cap(SpecReader& in, const json& object, const char* key, double& out) {
  const bool none = object.contains(key) && !in.find(key);
  if (none) {
    out = 0.0;
  } else {
    in.number(key, out, 0, 1e6);
  }
}

json cap_json(double cap) {
  return cap > 0.0 ? json(cap) : json(nullptr);
}

json ends_json(const std::vector<int>& ends) {
  return ends.empty() ? json(nullptr) : ends.size() == 1 ? json(ends[0]) : json(ends);
}

/// One number or a list; null means none.
void read_ends(SpecReader& in, const json& object, std::vector<int>& out) {
  constexpr const char* kKey = "eos_token_id";
  constexpr int kMostToken = 1 << 20;
  const json* value = in.find(kKey);
  if (!value && !object.contains(kKey)) return in.assume(kKey, ends_json(out));
  std::vector<int> ends;
  if (value) {
    for (const json& one : value->is_array() ? *value : json::array({*value})) {
      check(one.is_number_integer() && one >= 0 && one <= kMostToken,
            "The model specification: '{}' is {}; it must be a whole number between 0 and {}, or a "
            "list of such numbers.",
            kKey, printable(value->dump(), 60), kMostToken);
      ends.push_back(one.get<int>());
    }
  }
  out = std::move(ends);
}

constexpr std::string_view kUnknownKernel =
    "what that kernel computes is not known here; if it is the mLSTM of the published models, "
    "write "
    "the name of one of theirs";

/// Other names of what is read elsewhere, and what this family has no choice of.
void read_same_things(SpecReader& in, const ModelSpec& spec) {
  const LargeSpec& s = *spec.large;
  const std::int64_t head = large_value_width(spec) / s.num_heads;
  in.ignore({"model_type", "igate_bias_init_range", "add_embedding_dropout"});
  in.only("head_dim", {head},
          fmt::format("the other sizes make values of {} heads of {}", s.num_heads, head));
  in.only("add_post_blocks_norm", {s.add_out_norm},
          fmt::format("'add_out_norm' says {}, and they are the same norm", s.add_out_norm));
  in.only("cell_norm_eps", {s.norm_eps},
          fmt::format("'norm_eps' is {}, and all norms have that one here", s.norm_eps));
  in.only("logits_soft_cap", {s.output_logit_soft_cap},
          fmt::format("'output_logit_soft_cap' is {}, and they are the same thing",
                      s.output_logit_soft_cap));
  in.only("hidden_act", {"silu", "swish"}, "the feed-forward layers of this family have SiLU");
  in.only("norm_type", {"rmsnorm"}, "the norms of this family are RMS norms");
  in.only("cell_norm_type", {"layernorm"}, "the norm of the heads is a layer norm in this family");
  in.only("slstm_at", {json::array()}, "this family has no sLSTM blocks");
  in.only("input_gate_activation", {"exp", "exponential"},
          "a sigmoid is chosen by 'input_gate' here, or by the name of a kernel that has one");
  in.only("forget_gate_activation", {"sigmoid", "logsigmoid"},
          "what is meant is chosen by 'forget_gate' here, sigmoid or exponential");
  in.only("output_gate_activation", {"sigmoid"}, "the output gate of this family is a sigmoid");
  in.usual("dropout", {0.0});
  // Stands in the published models and does nothing: widths are taken as the factors make them.
  in.usual("mlstm_round_up_to_multiple_of", {64});
}

constexpr const char* kKernelOfSigmoids = "chunkwise--triton_xl_chunk_siging";

/// The input gate of the named kernel, unless something else was said of it before.
void read_input_gate(SpecReader& in, const char* key, std::optional<InputGate>& said) {
  const json* word = in.find(key);
  if (!word) return;
  const std::string kernel = word->get<std::string>();
  const bool sigmoid = kernel.ends_with("_siging") || kernel.ends_with("_siging_autograd") ||
                       kernel.ends_with("_siging_custbw");
  const InputGate gate = sigmoid ? InputGate::sigmoid : InputGate::exponential;
  check(
      !said || *said == gate,
      "The model specification: '{}' is \"{}\", a kernel whose input gate is {}; another key says "
      "{}.",
      key, printable(kernel, 60), name_of(gate), said ? name_of(*said) : "");
  said = gate;
}

/// Which of the official kernels computes, and how. They differ in speed and rounding, except those
/// with a sigmoid as input gate.
void read_kernels(SpecReader& in, CellVariant& variant) {
  std::optional<InputGate> gate;
  if (in.find("input_gate")) gate = variant.input_gate;
  for (const char* key : {"chunkwise_kernel", "forward_backend_name"}) {
    in.only(
        key,
        {"chunkwise--native_autograd", "chunkwise--native_custbw", "chunkwise--triton_limit_chunk",
         "chunkwise--triton_xl_chunk", kKernelOfSigmoids, "parallel--native_autograd",
         "parallel--native_custbw", "parallel--native_stablef_autograd",
         "parallel--native_stablef_custbw", "parallel--native_siging_autograd",
         "parallel--native_siging_custbw", "parallel--triton_limit_headdim"},
        kUnknownKernel);
    read_input_gate(in, key, gate);
  }
  if (gate) variant.input_gate = *gate;
  // Other kernels take no notice of it.
  if (variant.input_gate == InputGate::sigmoid) {
    const bool own = variant.normalizer, said = in.find("normalizer") != nullptr;
    in.boolean("normalize_siging", variant.normalizer);
    check(!said || own == variant.normalizer,
          "The model specification: 'normalize_siging' is {}, but 'normalizer' is {}; they are the "
          "same thing.",
          variant.normalizer, own);
  }
  in.only("sequence_kernel",
          {"native_sequence__native", "native_sequence__triton",
           "native_sequence__triton_alternate", "native_sequence__triton_step_fused"},
          kUnknownKernel);
  for (const char* key : {"step_kernel", "step_backend_name"})
    in.only(key, {"native", "triton", "triton_alternate", "triton_fused"}, kUnknownKernel);
  in.only("weight_mode", {"single", "fused"}, "weights are not stored so by any known program");
  in.only("mode", {"train", "train_with_padding", "inference"},
          "the official programs have no such mode");
  in.number_type("autocast_kernel_dtype");
  in.number_type("inference_state_dtype");
  in.ignore({"norm_reduction_force_float32", "chunk_size", "return_last_states",
             "max_inference_chunksize", "normalize_siging", "add_forward_backend_padding"});
}

/// Which token every prompt begins with has to be known where one is put there.
void check_first_token(const json& object, const ModelSpec& spec) {
  if (!spec.large->force_bos_token_insert) return;
  const auto first = object.find("bos_token_id");
  check(
      first == object.end() || !first->is_null(),
      "The model specification: 'force_bos_token_insert' is true, but 'bos_token_id' is null. Name "
      "the token that every prompt begins with, or say false.");
  check(spec.vocab_size == 0 || spec.large->bos_token_id < spec.vocab_size,
        "The model specification: 'force_bos_token_insert' is true, but 'bos_token_id' is {}, and "
        "there are only {} tokens.",
        spec.large->bos_token_id, spec.vocab_size);
}

}  // namespace

bool describes(const json& object) {
  if (!object.is_object()) return false;
  if (const auto type = object.find("model_type"); type != object.end() && !type->is_null()) {
    check(type->is_string() && type->get<std::string>() == "xlstm",
          "The model specification: 'model_type' is {}; this program reads models of type "
          "\"xlstm\" only.",
          printable(type->dump(), 60));
    return true;
  }
  return object.contains("qk_dim_factor") || object.contains("gate_soft_cap");
}

ModelSpec read(const json& object, ReadKeys* keys) {
  ModelSpec spec;
  spec.embedding_dim = kOfficialWidth;
  spec.num_blocks = kOfficialBlocks;
  spec.vocab_size = keys ? kOfficialVocabulary : 0;
  LargeSpec& s = spec.large.emplace();
  SpecReader in(object, "The model specification", keys);
  in.number("vocab_size", spec.vocab_size, 0, 1 << 20);
  read_size(in, "embedding_dim", "hidden_size", spec.embedding_dim, 16384);
  read_size(in, "num_blocks", "num_hidden_layers", spec.num_blocks, 256);
  in.number("context_length", spec.context_length, 0, 1 << 20);
  in.boolean("tie_word_embeddings", spec.tie_weights);
  in.number("num_heads", s.num_heads, 1, 256);
  in.boolean("use_bias", s.use_bias);
  in.number("norm_eps", s.norm_eps, 0, 1);
  in.boolean("add_out_norm", s.add_out_norm);
  in.our_own([&] {
    in.boolean("out_norm_bias", s.out_norm_bias);
    in.boolean("weight_decay_on_embedding", spec.weight_decay_on_embedding);
  });
  in.number("qk_dim_factor", s.qk_dim_factor, 1e-3, 64);
  in.number("v_dim_factor", s.v_dim_factor, 1e-3, 64);
  in.number("ffn_proj_factor", s.ffn_proj_factor, 1e-3, 64);
  in.number("ffn_round_up_to_multiple_of", s.ffn_round_up_to_multiple_of, 1, 8192);
  read_cap(in, object, "gate_soft_cap", s.variant.gate_soft_cap);
  read_cap(in, object, "output_logit_soft_cap", s.output_logit_soft_cap);
  read_mlstm_variant(in, s.variant);
  in.number("pad_token_id", s.pad_token_id, 0, 1 << 20);
  in.number("bos_token_id", s.bos_token_id, 0, 1 << 20);
  read_ends(in, object, s.eos_token_ids);
  in.boolean("force_bos_token_insert", s.force_bos_token_insert);
  check_first_token(object, spec);
  read_common_keys(in);
  read_same_things(in, spec);
  read_kernels(in, s.variant);
  in.finish();
  return spec;
}

json as_json(const ModelSpec& spec) {
  const LargeSpec& s = *spec.large;
  json out = {{"model_type", "xlstm"},
              {"vocab_size", spec.vocab_size},
              {"embedding_dim", spec.embedding_dim},
              {"num_blocks", spec.num_blocks},
              {"context_length", spec.context_length},
              {"tie_word_embeddings", spec.tie_weights},
              {"weight_decay_on_embedding", spec.weight_decay_on_embedding},
              {"num_heads", s.num_heads},
              {"use_bias", s.use_bias},
              {"norm_eps", s.norm_eps},
              {"add_out_norm", s.add_out_norm},
              {"out_norm_bias", s.out_norm_bias},
              {"qk_dim_factor", s.qk_dim_factor},
              {"v_dim_factor", s.v_dim_factor},
              {"ffn_proj_factor", s.ffn_proj_factor},
              {"ffn_round_up_to_multiple_of", s.ffn_round_up_to_multiple_of},
              {"gate_soft_cap", cap_json(s.variant.gate_soft_cap)},
              {"output_logit_soft_cap", cap_json(s.output_logit_soft_cap)},
              {"eps", s.variant.eps},
              {"pad_token_id", s.pad_token_id},
              {"bos_token_id", s.bos_token_id},
              {"eos_token_id", ends_json(s.eos_token_ids)},
              {"force_bos_token_insert", s.force_bos_token_insert}};
  // Cap and eps stand there already.
  CellVariant usual = LargeSpec::reference_variant();
  usual.gate_soft_cap = s.variant.gate_soft_cap;
  usual.eps = s.variant.eps;
  write_variant(s.variant, usual, out);
  return out;
}

json as_config(const ModelSpec& spec, const std::string& torch_dtype) {
  json config = as_json(spec);
  const bool of_sigmoids = spec.large->variant.input_gate == InputGate::sigmoid;
  if (of_sigmoids) config["normalize_siging"] = spec.large->variant.normalizer;
  config.update(
      {{"architectures", {"xLSTMForCausalLM"}},
       {"torch_dtype", torch_dtype},
       {"hidden_size", spec.embedding_dim},
       {"num_hidden_layers", spec.num_blocks},
       {"weight_mode", "single"},
       {"norm_reduction_force_float32", true},
       // The plain kernels, which run everywhere.
       {"chunkwise_kernel", of_sigmoids ? kKernelOfSigmoids : "chunkwise--native_autograd"},
       {"sequence_kernel", "native_sequence__native"},
       {"step_kernel", "native"},
       {"mode", "inference"},
       {"chunk_size", 64},
       {"return_last_states", true},
       {"autocast_kernel_dtype", "float32"},
       {"inference_state_dtype", "float32"},
       // That cache rounds the widths of keys and values up to multiples of 64.
       {"use_cache", large_key_width(spec) % 64 == 0 && large_value_width(spec) % 64 == 0}});
  return config;
}

double last_norm(const ModelSpec& spec) {
  if (!spec.large->add_out_norm) return 0.0;
  return spec.embedding_dim * (spec.large->out_norm_bias ? 2.0 : 1.0);
}

namespace {

double parameters_of_block(const ModelSpec& spec) {
  const LargeSpec& s = *spec.large;
  const double D = spec.embedding_dim, H = s.num_heads;
  const auto K = static_cast<double>(large_key_width(spec));
  const auto V = static_cast<double>(large_value_width(spec));
  const auto U = static_cast<double>(large_feedforward_width(spec));
  double block = 2 * D + (2 * K + 3 * V + 3 * U + 2 * H) * D + V + 2 * H;
  if (s.use_bias) block += 2 * K + 3 * V + 2 * U + 4 * D;
  return block;
}

void check_widths(const ModelSpec& spec) {
  const LargeSpec& s = *spec.large;
  for (const auto& [key, width] : {std::pair{"qk_dim_factor", large_key_width(spec)},
                                   std::pair{"v_dim_factor", large_value_width(spec)}}) {
    check(width >= 1 && width % s.num_heads == 0,
          "'{}' makes {} of width {}, which cannot be shared by {} heads.", key, width,
          spec.embedding_dim, s.num_heads);
  }
  check(large_feedforward_width(spec) >= 1, "'ffn_proj_factor' {} of width {} rounds to 0.",
        s.ffn_proj_factor, spec.embedding_dim);
}

double numbers_per_token(const ModelSpec& spec) {
  return 8.0 * spec.embedding_dim + 4.0 * static_cast<double>(large_key_width(spec)) +
         8.0 * static_cast<double>(large_value_width(spec)) +
         6.0 * static_cast<double>(large_feedforward_width(spec));
}

double memory_kept(const ModelSpec& spec) {
  if (spec.large->variant.number_format == NumberFormat::native) return 0.0;
  const int heads = spec.large->num_heads;
  return static_cast<double>(large_key_width(spec)) / heads *
         static_cast<double>(large_value_width(spec)) / heads;
}

}  // namespace
}  // namespace xlab::large

namespace xlab {

const CellKind& large_kind() {
  static const CellKind kind{
      .takes = [](const ModelSpec& spec, int) { return spec.large.has_value(); },
      .said = [](const ModelSpec& spec) { return spec.large.has_value(); },
      .write_own_keys =
          [](const ModelSpec& spec, nlohmann::json& keys) {
            CellVariant known = LargeSpec::reference_variant();
            known.gate_soft_cap = spec.large->variant.gate_soft_cap;
            known.eps = spec.large->variant.eps;
            write_variant(spec.large->variant, known, keys);
          },
      .check_sizes = large::check_widths,
      .parameter_count = large::parameters_of_block,
      .numbers_per_token = large::numbers_per_token,
      .memory_kept = large::memory_kept,
      .make = make_large_cell};
  return kind;
}

}  // namespace xlab
