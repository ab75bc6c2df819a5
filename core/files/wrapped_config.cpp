// Finding the paper's configuration among other things.
#include "core/files/wrapped_config.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/files/json_text.hpp"
#include "core/spec_reader.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr int kDeepest = 2;

bool has_blocks(const json& object) {
  const auto is_object = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_object();
  };
  return object.is_object() && (is_object("mlstm_block") || is_object("slstm_block"));
}

/// Objects inside this one that read as a configuration of the paper's family, and where.
void find_configs(const json& object, const std::string& where, int depth,
                  std::vector<std::pair<std::string, const json*>>& found) {
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) continue;
    const std::string name = where.empty() ? key : where + "." + key;
    if (has_blocks(value) && value.contains("embedding_dim") && value.contains("num_blocks")) {
      found.emplace_back(name, &value);
    } else if (depth < kDeepest) {
      find_configs(value, name, depth + 1, found);
    }
  }
}

const json* member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

UnwrappedConfig unwrapped_config(const std::string& text, ReadKeys& keys, const std::string& what) {
  const json outer = parse_json(text, what);
  if (!outer.is_object()) return {text};
  if (has_blocks(outer)) {
    // Some wrappers file it under the type of the other family, and leave it as it is otherwise.
    json config = outer;
    config.erase("model_type");
    return {json_text(config)};
  }
  std::vector<std::pair<std::string, const json*>> found;
  find_configs(outer, "", 1, found);
  if (found.empty()) return {text};
  check(found.size() == 1,
        "{} holds several models, in '{}' and in '{}': which one is meant is not said.", what,
        printable(found[0].first, 60), printable(found.back().first, 60));
  const auto& [where, inner] = found.front();
  json config = *inner;
  config.erase("model_type");
  UnwrappedConfig unwrapped;
  unwrapped.where = where;
  SpecReader in(outer, what, &keys);
  constexpr std::pair<const char*, const char*> kSame[] = {
      {"vocab_size", "vocab_size"},        {"embedding_dim", "embedding_dim"},
      {"hidden_size", "embedding_dim"},    {"num_blocks", "num_blocks"},
      {"num_hidden_layers", "num_blocks"}, {"context_length", "context_length"}};
  for (const auto& [theirs, ours] : kSame) {
    const json* said = in.find(theirs);
    if (!said) continue;
    const json* here = member(config, ours);
    check(!here || *here == *said, "{} contradicts itself: '{}' is {}, but '{}.{}' is {}.", what,
          theirs, printable(said->dump(), 40), printable(where, 60), ours,
          printable(here ? here->dump() : std::string(), 40));
    if (!here) unwrapped.outside.insert(ours);
    config[ours] = *said;
  }
  const json* tied = in.find("tie_word_embeddings");
  if (!member(config, "tie_weights")) {
    unwrapped.tying_assumed = tied == nullptr;
    if (tied) unwrapped.outside.insert("tie_weights");
    config["tie_weights"] = tied ? *tied : json(true);
  }
  read_common_keys(in);
  in.ignore({"model_type", "pad_token_id", "bos_token_id", "eos_token_id"});
  // The object on the way to it is read, as far as it is that.
  (void)in.find(where.substr(0, where.find('.')).c_str());
  in.finish();
  unwrapped.text = json_text(config);
  return unwrapped;
}

}  // namespace xlab
