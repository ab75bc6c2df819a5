// The keys of TiRex.
#include "core/series/tirex_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/series/series_keys.hpp"
#include "core/spec_reader.hpp"

namespace xlab::series::tirex {
namespace {

using nlohmann::json;

constexpr const char* kBlocks = "block_kwargs";
constexpr const char* kOwn = "slstm_variant";

bool has_blocks(const json& object) {
  return object.is_object() && object.contains("quantiles") && object.contains(kBlocks) &&
         object.at(kBlocks).is_object();
}

/// Every block has to be an sLSTM: "all_slstm" says so, or the list of them does.
void read_kinds(SpecReader& in, int blocks) {
  bool all = true;
  in.boolean("all_slstm", all);
  const json* at = in.find("slstm_at");
  for (int b = 0; b < blocks && !all; ++b)
    check(at && at->is_array() && std::find(at->begin(), at->end(), json(b)) != at->end(),
          "{}: block {} is no sLSTM, by 'all_slstm' and 'slstm_at'; of forecasting models those "
          "with sLSTM blocks alone are computed here.",
          kBlocks, b);
}

void read_blocks(const json& object, ReadKeys* keys, ModelSpec& spec) {
  SpecReader in(object, kBlocks, keys);
  SeriesSpec& s = *spec.series;
  (void)needed(in, kBlocks, "embedding_dim");
  in.number("embedding_dim", spec.embedding_dim, 1, 8192);
  (void)needed(in, kBlocks, "num_blocks");
  in.number("num_blocks", spec.num_blocks, 1, 256);
  int heads = 0;
  (void)needed(in, kBlocks, "num_heads");
  in.number("num_heads", heads, 1, 256);
  read_kinds(in, spec.num_blocks);
  in.only("use_bias", {false}, "the norms and feed-forward layers of these models have no biases");
  in.number("norm_eps", s.norm_eps, 0, 1);
  bool out_norm = true;
  in.boolean("add_out_norm", out_norm);
  if (out_norm) s.out_norm_eps = s.norm_eps;
  double factor = 2.6667;
  int multiple = 64;
  in.number("ffn_proj_factor", factor, 1e-3, 64);
  in.number("ffn_round_up_to_multiple_of", multiple, 1, 8192);
  in.only("num_gates", {4}, "an sLSTM has 4 gates");
  in.only("num_states", {4}, "an sLSTM has 4 states");
  in.only("weight_mode", {"single", "fused"}, "weights are not stored so by any known program");
  // Of mLSTM blocks, of a vocabulary, and of where and how it is computed.
  in.ignore({"qk_dim_factor", "v_dim_factor", "gate_soft_cap", "output_logit_soft_cap",
             "vocab_size", "chunkwise_kernel", "sequence_kernel", "step_kernel", "mode",
             "chunk_size", "return_last_states", "autocast_kernel_dtype", "eps",
             "inference_state_dtype", "norm_reduction_force_float32", "backend", "dropout"});
  in.finish();
  spec.slstm = SlstmSpec{
      .num_heads = heads, .conv1d_kernel_size = 0, .recurrent_weight_init = "zeros", .variant = {}};
  for (int b = 0; b < spec.num_blocks; ++b) spec.slstm_at.push_back(b);
  spec.feedforward = feedforward_of(spec.embedding_dim, factor, multiple);
}

void read_own(const json& object, ReadKeys* keys, ModelSpec& spec) {
  SpecReader in(object, kOwn, keys);
  read_variant(in, spec.slstm->variant);
  read_own_cap(in, spec.slstm->variant);
  in.finish();
}

/// The keys of "model_config".
void read_model(SpecReader& in, ReadKeys* keys, ModelSpec& spec) {
  SeriesSpec& s = *spec.series;
  (void)needed(in, kWhere, "input_patch_size");
  in.number("input_patch_size", s.patch, 1, 4096);
  (void)needed(in, kWhere, "output_patch_size");
  in.only("output_patch_size", {s.patch},
          "patches that go in and come out have the same size here");
  s.future = s.patch;
  s.quantiles = read_quantiles(needed(in, kWhere, "quantiles"));
  (void)needed(in, kWhere, "input_ff_dim");
  in.number("input_ff_dim", s.input_width, 1, 1 << 16);
  s.output_width = s.input_width;
  in.only("nan_mask_value", {0}, "a number that is missing is read as 0 here");
  read_blocks(needed(in, kWhere, kBlocks), keys, spec);
  if (const json* own = in.find(kOwn)) read_own(*own, keys, spec);
  spec.vocab_size = static_cast<int>(s.quantiles.size()) * s.patch;
}

void read_context(SpecReader& in, ModelSpec& spec) {
  (void)needed(in, kWhere, "train_ctx_len");
  in.number("train_ctx_len", spec.series->context, 1, 1 << 20);
  read_common_keys(in);
}

}  // namespace

bool describes(const json& object) {
  if (!object.is_object()) return false;
  const auto inner = object.find("model_config");
  return has_blocks(object) || (inner != object.end() && has_blocks(*inner));
}

ModelSpec read(const json& object, ReadKeys* keys) {
  ModelSpec spec;
  spec.series = {.program = SeriesProgram::tirex, .act_fn = "relu", .differences = false};
  SpecReader in(object, kWhere, keys);
  if (has_blocks(object)) {
    read_model(in, keys, spec);
  } else {
    SpecReader model(needed(in, kWhere, "model_config"), "model_config", keys);
    read_model(model, keys, spec);
    model.finish();
  }
  read_context(in, spec);
  in.finish();
  check_put_out(spec);
  return spec;
}

json as_json(const ModelSpec& spec) {
  const SeriesSpec& s = *spec.series;
  json model = {{"input_patch_size", s.patch},
                {"output_patch_size", s.patch},
                {"quantiles", s.quantiles},
                {"input_ff_dim", s.input_width},
                {kBlocks,
                 {{"embedding_dim", spec.embedding_dim},
                  {"num_heads", spec.slstm->num_heads},
                  {"num_blocks", spec.num_blocks},
                  {"norm_eps", s.norm_eps},
                  {"add_out_norm", s.out_norm_eps.has_value()},
                  {"ffn_proj_factor", factor_of(feedforward_width(spec), spec.embedding_dim)},
                  {"ffn_round_up_to_multiple_of", 1}}}};
  json own = json::object();
  write_variant(spec.slstm->variant, {}, own);
  if (!own.empty()) model[kOwn] = own;
  return {{"model_config", model}, {"train_ctx_len", s.context}};
}

}  // namespace xlab::series::tirex
