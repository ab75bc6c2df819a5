// What may stand in a specification beside what is read from it.
#include "core/spec_reader.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace xlab {
namespace {

using nlohmann::json;

bool among(const json& value, const SpecReader::Values& values) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

std::string shown(const json& value) {
  return printable(value.dump(), 60);
}

/// How many characters of one word have to be put in, left out or changed to make the other.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row.back();
}

/// "${dataset.length}", as programs of experiments write it.
bool is_reference(const json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  const auto begin = text.find("${");
  return begin != text.npos && text.find('}', begin) != text.npos;
}

/// Whether a key of this value asks for nothing, whatever it is.
bool says_nothing(const json& value) {
  return value.is_null() || value == json(false) || value == json("") ||
         (value.is_structured() && value.empty());
}

}  // namespace

SpecReader::SpecReader(const json& object, std::string where, ReadKeys* keys)
    : object_(object), where_(std::move(where)), keys_(keys) {
  check(object.is_object(), "{} must be a JSON object.", where_);
}

void SpecReader::note(const std::string& key, const json& value, KeyUse use) const {
  if (!keys_) return;
  const std::string inside = where_.find(' ') == std::string::npos ? where_ + "." : "";
  keys_->push_back({inside + printable(key, 60), shown(value), use});
}

void SpecReader::assume(const char* key, const json& usual) {
  if (!notes_missing_) return;
  note(key, usual, KeyUse::assumed);
  named_.insert(key);
}

void SpecReader::refuse_reference(const char* key, const json& value) const {
  check(!is_reference(value),
        "{}: '{}' is {}, which refers to another place of an experiment's files: write what it "
        "stands for there.",
        where_, key, shown(value));
}

void SpecReader::usual(const char* key, const Values& values) {
  const json* value = look_up(key);
  if (!value || among(*value, values)) return;
  check(keys_ != nullptr, "{}: '{}' is {}, but nothing here would follow it; leave it away.",
        where_, key, shown(*value));
  note(key, *value, KeyUse::not_used);
  named_.insert(key);
}

void SpecReader::only(const char* key, const Values& values, std::string_view otherwise) {
  const json* value = look_up(key);
  if (value && !among(*value, values))
    throw Error(fmt::format("{}: '{}' is {}: {}.", where_, key, shown(*value), otherwise));
  agrees_.insert(key);
}

void SpecReader::number_type(const char* key) {
  only(key,
       {"float32", "float", "bfloat16", "float16", "half", "float64", "double", "auto",
        "torch.float32", "torch.bfloat16", "torch.float16", "torch.float64"},
       "numbers of that type are not computed with here");
  agrees_.erase(key);
}

void SpecReader::refuse_unknown(const std::string& key) const {
  std::vector<std::string> near;
  for (const std::string& known : read_) {
    if (known.starts_with(key) || key.starts_with(known) || distance(known, key) <= 2)
      near.push_back("'" + known + "'");
  }
  throw Error(
      fmt::format("{}: the key '{}' is unknown{} Known keys: {}.", where_, printable(key, 60),
                  near.empty() ? "." : fmt::format(": is {} meant?", fmt::join(near, " or ")),
                  fmt::join(read_, ", ")));
}

void SpecReader::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (named_.count(key) != 0) continue;
    if (known_.count(key) == 0 && !key.starts_with("_")) {
      if (!keys_) refuse_unknown(key);
      note(key, value, says_nothing(value) ? KeyUse::ignored : KeyUse::not_used);
      continue;
    }
    const bool followed = read_.count(key) != 0;
    // Of an object that was read the members were noted.
    if (followed && value.is_object()) continue;
    if (is_reference(value)) {
      check(keys_ != nullptr, "{}: '{}' is {}, which stands for nothing here; leave it away.",
            where_, key, shown(value));
      note(key, value, KeyUse::not_used);
      continue;
    }
    note(key, value, followed || agrees_.count(key) != 0 ? KeyUse::followed : KeyUse::ignored);
  }
}

void read_common_keys(SpecReader& in) {
  constexpr std::string_view kStored = "weights that are stored like that are not read here";
  for (const char* key : {"quantization_config", "quantization", "compression_config"})
    in.only(key, {}, kStored);
  in.only("add_qk_norm", {false},
          "queries and keys would go through norms, which are not computed here yet");
  in.only("add_post_norm", {false},
          "what each layer adds would go through a norm, which is not computed here yet");
  in.number_type("torch_dtype");
  in.number_type("dtype");
  // How other programs file a model, train it and draw from it.
  in.ignore({"architectures", "auto_map", "name_or_path", "transformers_version", "tokenizer_class",
             "finetuning_task", "task_specific_params", "problem_type", "id2label", "label2id",
             "initializer_range", "max_position_embeddings", "model_max_length", "use_cache"});
  in.ignore({"return_dict", "return_dict_in_generate", "output_attentions", "output_hidden_states",
             "output_scores", "torchscript", "use_bfloat16", "tf_legacy_loss", "is_decoder",
             "chunk_size_feed_forward", "tie_encoder_decoder", "cross_attention_hidden_size"});
  in.ignore({"max_length", "min_length", "do_sample", "early_stopping", "num_beams",
             "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
             "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
             "encoder_no_repeat_ngram_size", "num_return_sequences", "remove_invalid_values"});
}

}  // namespace xlab
