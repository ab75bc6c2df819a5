// Finding the paper's configuration among other things.
#include "core/files/wrapped_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files/json_text.hpp"
#include "core/series/series_spec.hpp"
#include "core/spec_reader.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepest = 2;

bool has_blocks(const json& object) {
  const auto is_object = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_object();
  };
  return object.is_object() && (is_object("mlstm_block") || is_object("slstm_block"));
}

using Names = std::vector<std::string>;

/// Where objects inside this one read as a configuration of the paper's family.
void find_configs(const json& object, Names& here, std::vector<Names>& found) {
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) continue;
    here.push_back(key);
    if (has_blocks(value) && value.contains("embedding_dim") && value.contains("num_blocks")) {
      found.push_back(here);
    } else if (here.size() < kDeepest) {
      find_configs(value, here, found);
    }
    here.pop_back();
  }
}

std::string joined(const Names& names) {
  return fmt::format("{}", fmt::join(names, "."));
}

const json* member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// Takes what one of the objects around the configuration says of the model. `place` is empty, or
/// ends in a dot.
void take_sizes(SpecReader& in, const std::string& place, const std::string& what,
                UnwrappedConfig& unwrapped, json& config) {
  constexpr std::pair<const char*, const char*> kSame[] = {
      {"vocab_size", "vocab_size"},          {"embedding_dim", "embedding_dim"},
      {"hidden_size", "embedding_dim"},      {"num_blocks", "num_blocks"},
      {"num_hidden_layers", "num_blocks"},   {"context_length", "context_length"},
      {"tie_word_embeddings", "tie_weights"}};
  for (const auto& [theirs, ours] : kSame) {
    const bool tying = std::string_view(ours) == "tie_weights";
    const bool own = member(config, ours) != nullptr && unwrapped.outside.count(ours) == 0;
    const json* said = in.find(theirs);
    // Of tied embeddings the paper's word is about this model, the other about all.
    if (!said || (tying && own)) continue;
    const json* here = member(config, ours);
    check(!here || *here == *said, "{} contradicts itself: '{}{}' is {}, but {} is {}.", what,
          printable(place, 60), theirs, printable(said->dump(), 40),
          own ? fmt::format("'{}.{}'", printable(unwrapped.where, 60), ours)
              : "another place says that it",
          printable(here ? here->dump() : std::string(), 40));
    if (!own) unwrapped.outside.insert(ours);
    config[ours] = *said;
  }
}

/// Some wrappers file a model of the paper under the type of the other family, and leave it as it
/// is otherwise. Any other type is told.
void take_away_type(json& config, const std::string& place, ReadKeys& keys) {
  if (const json* type = member(config, "model_type")) {
    keys.push_back({place + "model_type", printable(type->dump(), 60),
                    *type == "xlstm" ? KeyUse::ignored : KeyUse::not_used});
  }
  config.erase("model_type");
}

/// Forecasting models of other layouts are told by name.
void refuse_other_forecasting(const json& config, const std::string& what) {
  check(
      !(config.contains("quantiles") && config.contains("input_patch_size")),
      "{} is that of a forecasting model like TiRex: it reads a series of numbers in patches and "
      "answers with quantiles. Of these the layouts of TiRex-2, which has a 'stack_config', and of "
      "TiRex, which has 'block_kwargs', are read here.",
      what);
}

}  // namespace

UnwrappedConfig unwrapped_config(const std::string& text, ReadKeys& keys, const std::string& what) {
  const json outer = parse_json(text, what);
  if (!outer.is_object()) return {text};
  if (series::describes(outer)) return {text};
  refuse_other_forecasting(outer, what);
  if (has_blocks(outer)) {
    json config = outer;
    take_away_type(config, "", keys);
    return {json_text(config)};
  }
  Names here;
  std::vector<Names> found;
  find_configs(outer, here, found);
  if (found.empty()) return {text};
  check(found.size() == 1,
        "{} holds several models, in '{}' and in '{}': which one is meant is not said.", what,
        printable(joined(found[0]), 60), printable(joined(found.back()), 60));
  const Names& names = found.front();
  UnwrappedConfig unwrapped;
  unwrapped.where = joined(names);
  json config = outer;
  for (const std::string& name : names) config = json(config.at(name));
  take_away_type(config, printable(unwrapped.where, 60) + ".", keys);
  const json* around = &outer;
  for (std::size_t depth = 0; depth < names.size(); ++depth) {
    const std::string place =
        joined(Names(names.begin(), names.begin() + static_cast<long>(depth)));
    SpecReader in(*around, depth == 0 ? what : place, &keys);
    take_sizes(in, depth == 0 ? "" : place + ".", what, unwrapped, config);
    read_common_keys(in);
    in.usual("model_type", {"xlstm"});
    in.ignore({"pad_token_id", "bos_token_id", "eos_token_id"});
    // The object on the way to the configuration is read, as far as it is that.
    (void)in.find(names[depth].c_str());
    in.finish();
    around = &around->at(names[depth]);
  }
  if (!member(config, "tie_weights")) {
    unwrapped.tying_assumed = true;
    config["tie_weights"] = true;
  }
  unwrapped.text = json_text(config);
  return unwrapped;
}

}  // namespace xlab
