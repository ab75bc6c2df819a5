// The specification of forecasting models: the layout of TiRex-2, and what is of both layouts.
#include "core/series/series_spec.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/series/series_keys.hpp"
#include "core/series/tirex_spec.hpp"
#include "core/spec_reader.hpp"

namespace xlab::series {
namespace {

using nlohmann::json;

/// What one template of a block says of its cells.
struct Mixer {
  int heads = 0;
  CellVariant variant;
  bool operator==(const Mixer&) const = default;
};

Mixer read_template(const json& object, const std::string& where, int width, ReadKeys* keys) {
  SpecReader in(object, where, keys);
  SpecReader time(needed(in, where, "time_mixer"), where + ".time_mixer", keys);
  const json& type = needed(time, where + ".time_mixer", "model_type");
  check(type == "bi-slstm",
        "{}.time_mixer: 'model_type' is {}; of forecasting models those with sLSTM blocks, "
        "\"bi-slstm\", are computed here.",
        where, printable(type.dump(), 40));
  Mixer mixer{.heads = 4, .variant = {}};
  time.only("embedding_dim", {width}, fmt::format("the model's 'embedding_dim' is {}", width));
  time.number("num_heads", mixer.heads, 1, 256);
  time.our_own([&] { time.number("num_slstm_heads", mixer.heads, 1, 256); });
  read_variant(time, mixer.variant);
  read_own_cap(time, mixer.variant);
  // Where it is computed, and a function that sLSTM blocks have no use for.
  time.ignore({"device", "rnn_backend", "act_fn"});
  time.finish();
  // Of several series at once.
  in.ignore({"variate_mixer", "dropout", "eps", "block_order"});
  in.finish();
  return mixer;
}

void read_stack(const json& object, ReadKeys* keys, ModelSpec& spec) {
  const std::string where = "stack_config";
  SpecReader in(object, where, keys);
  const json& templates = needed(in, where, "templates");
  const json& recipe = needed(in, where, "recipe");
  check(templates.is_object() && recipe.is_array(),
        "{}: 'templates' must be an object, and 'recipe' a list of their names.", where);
  check(recipe.size() == static_cast<std::size_t>(spec.num_blocks),
        "{}: 'recipe' lists {} blocks, but 'num_blocks' is {}.", where, recipe.size(),
        spec.num_blocks);
  std::optional<Mixer> of_all;
  std::set<std::string> seen;
  for (const json& name : recipe) {
    check(name.is_string() && templates.contains(name.get<std::string>()),
          "{}: 'recipe' names {}, which is none of the templates.", where,
          printable(name.dump(), 40));
    if (!seen.insert(name.get<std::string>()).second) continue;
    const Mixer mixer =
        read_template(templates.at(name.get<std::string>()),
                      fmt::format("{}.templates.{}", where, printable(name.get<std::string>(), 40)),
                      spec.embedding_dim, keys);
    check(!of_all || *of_all == mixer,
          "{}: its blocks have sLSTM cells of different heads or equations; all alike are computed "
          "here.",
          where);
    of_all = mixer;
  }
  in.finish();
  spec.slstm = SlstmSpec{.num_heads = of_all->heads,
                         .conv1d_kernel_size = 0,
                         .recurrent_weight_init = "zeros",
                         .variant = of_all->variant};
}

/// "torch.nn.SiLU" and "SiLU" are the same.
std::string read_activation(const json& value) {
  static const std::vector<std::pair<std::string, std::string>> kNames = {{"ReLU", "relu"},
                                                                          {"SiLU", "swish"},
                                                                          {"GELU", "gelu"},
                                                                          {"SELU", "selu"},
                                                                          {"Sigmoid", "sigmoid"}};
  const std::string word = value.is_string() ? value.get<std::string>() : std::string();
  for (const auto& [theirs, ours] : kNames)
    if (word == theirs || word == "torch.nn." + theirs ||
        word == "torch.nn.modules.activation." + theirs)
      return ours;
  throw Error(
      fmt::format("{}: 'act_func' is {}; use ReLU, SiLU, GELU, SELU or Sigmoid of torch.nn.",
                  kWhere, printable(value.dump(), 60)));
}

std::string activation_name(const std::string& ours) {
  return ours == "relu"    ? "ReLU"
         : ours == "gelu"  ? "GELU"
         : ours == "selu"  ? "SELU"
         : ours == "swish" ? "SiLU"
                           : "Sigmoid";
}

void read_scaler(const json& object, ReadKeys* keys, SeriesSpec& s) {
  SpecReader in(object, "scaler_cfg", keys);
  in.number("eps", s.least_scale, 0, 1);
  in.boolean("use_arcsinh", s.arcsinh);
  in.boolean("binaryaware", s.leaves_binary);
  in.finish();
}

void read_patches(const json& object, ReadKeys* keys, int patch) {
  SpecReader in(object, "tokenizer_cfg", keys);
  const std::string same =
      fmt::format("patches of {} one behind the other are computed here", patch);
  for (const char* key : {"input_patch_size", "output_patch_size", "input_patch_stride"})
    in.only(key, {patch}, same);
  in.finish();
}

void read_out_norm(const json& object, ReadKeys* keys, SeriesSpec& s) {
  SpecReader in(object, "stack_out_norm_config", keys);
  double eps = 1e-7;
  in.number("eps", eps, 0, 1);
  s.out_norm_eps = eps;
  // Its "layer norm" takes no mean away: both are the same.
  in.ignore({"use_rmsnorm"});
  in.finish();
}

/// What is foretold of the series upside down is turned over, quantile by quantile.
void check_symmetric(const std::vector<double>& quantiles) {
  constexpr double kTolerance = 1e-6;
  for (std::size_t q = 0; q < quantiles.size(); ++q) {
    const double other = quantiles[quantiles.size() - 1 - q];
    check(std::abs(quantiles[q] + other - 1.0) <= kTolerance,
          "{}: 'tta_sign_flip' needs quantiles that lie symmetrically around 0.5, but {} has no "
          "counterpart.",
          kWhere, quantiles[q]);
  }
}

}  // namespace

bool describes(const json& object) {
  return tirex::describes(object) ||
         (object.is_object() && object.contains("stack_config") && object.contains("quantiles"));
}

ModelSpec read(const json& object, ReadKeys* keys) {
  if (tirex::describes(object)) return tirex::read(object, keys);
  ModelSpec spec;
  SeriesSpec& s = spec.series.emplace();
  SpecReader in(object, kWhere, keys);
  needed(in, kWhere, "num_blocks");
  in.number("num_blocks", spec.num_blocks, 1, 256);
  needed(in, kWhere, "embedding_dim");
  in.number("embedding_dim", spec.embedding_dim, 1, 8192);
  needed(in, kWhere, "input_patch_size");
  in.number("input_patch_size", s.patch, 1, 4096);
  in.only("output_patch_size", {s.patch},
          "patches that go in and come out have the same size here");
  s.quantiles = read_quantiles(needed(in, kWhere, "quantiles"));
  needed(in, kWhere, "context_len");
  in.number("context_len", s.context, 1, 1 << 20);
  needed(in, kWhere, "future_len");
  in.number("future_len", s.future, 1, 1 << 20);
  check(s.future % s.patch == 0, "{}: 'future_len' {} is no multiple of the patch size {}.", kWhere,
        s.future, s.patch);
  needed(in, kWhere, "input_ff_dim");
  in.number("input_ff_dim", s.input_width, 1, 1 << 16);
  double expansion = 1.0;
  needed(in, kWhere, "h_expand");
  in.number("h_expand", expansion, 1e-3, 64);
  s.output_width = static_cast<int>(spec.embedding_dim * expansion);
  check(s.output_width >= 1, "{}: 'h_expand' {} of width {} rounds to 0.", kWhere, expansion,
        spec.embedding_dim);
  s.act_fn = read_activation(needed(in, kWhere, "act_func"));
  read_patches(needed(in, kWhere, "tokenizer_cfg"), keys, s.patch);
  read_scaler(needed(in, kWhere, "scaler_cfg"), keys, s);
  if (const json* norm = in.find("stack_out_norm_config")) read_out_norm(*norm, keys, s);
  in.boolean("tta_sign_flip", s.flips);
  in.boolean("tta_diff", s.differences);
  if (s.flips) check_symmetric(s.quantiles);
  read_stack(needed(in, kWhere, "stack_config"), keys, spec);
  in.ignore({"dropout", "use_qk_norm", "device", "matmul_precision", "postprocessor_cfg"});
  read_common_keys(in);
  in.finish();
  spec.vocab_size = static_cast<int>(s.quantiles.size()) * s.patch;
  check_put_out(spec);
  for (int b = 0; b < spec.num_blocks; ++b) spec.slstm_at.push_back(b);
  constexpr double kFactor = 2.667;
  constexpr int kMultiple = 64;
  spec.feedforward = feedforward_of(spec.embedding_dim, kFactor, kMultiple);
  return spec;
}

json as_json(const ModelSpec& spec) {
  const SeriesSpec& s = *spec.series;
  if (s.program == SeriesProgram::tirex) return tirex::as_json(spec);
  json mixer = {{"model_type", "bi-slstm"},
                {"embedding_dim", spec.embedding_dim},
                {"num_heads", spec.slstm->num_heads}};
  write_variant(spec.slstm->variant, {}, mixer);
  json out = {
      {"stack_config",
       {{"templates", {{"block", {{"time_mixer", mixer}}}}},
        {"recipe", std::vector<std::string>(static_cast<std::size_t>(spec.num_blocks), "block")}}},
      {"num_blocks", spec.num_blocks},
      {"embedding_dim", spec.embedding_dim},
      {"input_patch_size", s.patch},
      {"output_patch_size", s.patch},
      {"quantiles", s.quantiles},
      {"context_len", s.context},
      {"future_len", s.future},
      {"input_ff_dim", s.input_width},
      {"h_expand", factor_of(s.output_width, spec.embedding_dim)},
      {"act_func", activation_name(s.act_fn)},
      {"tokenizer_cfg",
       {{"input_patch_size", s.patch},
        {"output_patch_size", s.patch},
        {"input_patch_stride", s.patch}}},
      {"scaler_cfg",
       {{"eps", s.least_scale}, {"use_arcsinh", s.arcsinh}, {"binaryaware", s.leaves_binary}}},
      {"stack_out_norm_config", nullptr},
      {"tta_sign_flip", s.flips},
      {"tta_diff", s.differences}};
  if (s.out_norm_eps) out["stack_out_norm_config"] = {{"eps", *s.out_norm_eps}};
  return out;
}

double parameter_count_around(const ModelSpec& spec) {
  const SeriesSpec& s = *spec.series;
  const auto residual = [](double in, double inner, double out) {
    return inner * (in + 1) + out * (inner + 1) + out * (in + 1);
  };
  return residual(2.0 * s.patch, s.input_width, spec.embedding_dim) +
         residual(spec.embedding_dim, s.output_width, spec.vocab_size) +
         (s.out_norm_eps ? spec.embedding_dim : 0.0);
}

}  // namespace xlab::series
