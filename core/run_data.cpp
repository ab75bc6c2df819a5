// How the data of a run stands in its file.
#include "core/run_data.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "core/files/json_text.hpp"
#include "core/hash.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

StoredTensor stored_bytes(const char* name, std::string bytes) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return {name,
          StoredType::u8,
          {static_cast<std::int64_t>(owner->size())},
          std::as_bytes(std::span(*owner)),
          owner};
}

std::string stored_text(const SafetensorsFile& file, const char* name) {
  const std::vector<std::uint8_t> bytes = file.values_as<std::uint8_t>(name);
  return {bytes.begin(), bytes.end()};
}

/// Whether reading the text again gives these tokens again.
bool text_tells_tokens(const TextData& text) {
  if (text.tokenizer->kind() != "characters") return text.tokenizer->kind() == "bytes";
  // The vocabulary is that of the text when all of it occurs.
  std::vector<bool> occurs(text.vocabulary.size(), false);
  for (const std::int32_t id : text.ids) occurs[static_cast<std::size_t>(id)] = true;
  return std::find(occurs.begin(), occurs.end(), false) == occurs.end();
}

json tokenizer_description(const Tokenizer& tokenizer) {
  const SpecialTokens special = tokenizer.special_tokens();
  return {{"kind", tokenizer.kind()},
          {"bos", special.bos},
          {"eos", special.eos},
          {"unk", special.unk},
          {"pad", special.pad}};
}

std::shared_ptr<const Tokenizer> stored_tokenizer(const json& in, const SafetensorsFile& file) {
  const auto token = [&](const char* key) {
    const json& value = in.at(key);
    check(
        value.is_number_integer() && value.get<double>() >= -1 && value.get<double>() < kMostTokens,
        "The run description's '{}' of the tokenizer is {}, which is no token.", key,
        printable(json_text(value), 40));
    return value.get<int>();
  };
  return tokenizer_from_json(stored_text(file, "d/tokenizer"), file.name(),
                             {token("bos"), token("eos"), token("unk"), token("pad")});
}

}  // namespace

void StoredTask::describe(json& description) const {
  description["task"] = task_->name();
  description["title"] = task_->title();
  if (const auto tokenizer = task_->tokenizer())
    description["tokenizer"] = tokenizer_description(*tokenizer);
}

const std::vector<StoredTensor>& StoredTask::tensors() const {
  std::call_once(made_, [this] {
    const auto tokenizer = task_->tokenizer();
    if (!tokenizer) return;
    const TextData* text = task_->text();
    if (text && text_tells_tokens(*text)) {
      std::string bytes = bytes_of(*text);
      // Reading characters drops one byte order mark; this one belongs to the text.
      if (tokenizer->kind() == "characters" && bytes.starts_with(kByteOrderMark))
        bytes.insert(0, kByteOrderMark);
      tensors_.push_back(stored_bytes("d/text", std::move(bytes)));
      return;
    }
    tensors_.push_back(stored_bytes("d/tokenizer", tokenizer->to_json()));
    if (text)
      tensors_.push_back(
          stored("d/tokens", {static_cast<std::int64_t>(text->ids.size())}, text->ids));
  });
  return tensors_;
}

const std::string& StoredTask::name() const {
  std::call_once(named_, [this] { name_ = name_of_data(tensors()); });
  return name_;
}

std::string name_of_data(const std::vector<StoredTensor>& tensors) {
  if (tensors.empty()) return {};
  std::uint64_t hash = kHashSeed;
  std::size_t bytes = 0;
  // In files tensors stand in another order.
  std::map<std::string_view, const StoredTensor*> by_name;
  for (const StoredTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  for (const auto& [name, tensor] : by_name) {
    hash = hash_bytes(std::as_bytes(std::span(name)), hash);
    hash = hash_bytes(tensor->bytes, hash);
    bytes += tensor->bytes.size();
  }
  return fmt::format("{:016x}-{}", hash, bytes);
}

std::unique_ptr<Task> stored_task(const json& description, const SafetensorsFile& file,
                                  int vocabulary) {
  const std::string name = description.at("task").get<std::string>();
  const json known = description.value("tokenizer", json(nullptr));
  if (name == "tokens")
    return make_tokens_task(vocabulary, known.is_null() ? nullptr : stored_tokenizer(known, file));
  if (name != "text") return make_task(name);

  const std::string title = description.at("title").get<std::string>();
  // Runs that say nothing of a tokenizer have characters.
  const json in = known.is_null() ? json{{"kind", "characters"}} : known;
  const std::string kind = in.at("kind").get<std::string>();
  if (kind == "bpe" || file.contains("d/tokenizer"))
    return make_text_task(text_from_tokens(file.values_as<std::int32_t>("d/tokens"), title,
                                           stored_tokenizer(in, file)));
  check(kind == "characters" || kind == "bytes",
        "'{}' has a tokenizer of the kind '{}', which this version does not know.", file.name(),
        printable(kind, 40));
  const std::string text = stored_text(file, "d/text");
  return make_text_task(text_from_bytes(std::as_bytes(std::span(text)), title,
                                        kind == "bytes" ? byte_tokenizer() : nullptr));
}

}  // namespace xlab
