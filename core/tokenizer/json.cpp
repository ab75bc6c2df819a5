// Reading tokenizer.json files, of BPE and of whole words.
#include "core/tokenizer/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/files/json_text.hpp"
#include "core/tokenizer/bpe.hpp"
#include "core/tokenizer/field.hpp"
#include "core/tokenizer/pieces_json.hpp"
#include "core/tokenizer/words.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

TokenNumbers read_vocabulary(const Field& in, std::vector<std::string>& tokens) {
  in.expect(in.value.is_object(), "an object from tokens to their numbers");
  check(!in.value.empty(), "{} is empty.", in.name());
  check(in.value.size() <= static_cast<std::size_t>(kMostTokens), "{} holds more than {} tokens.",
        in.name(), kMostTokens);
  TokenNumbers numbers;
  numbers.reserve(in.value.size());
  for (const auto& [token, number] : in.value.items()) {
    if (token.empty()) throw Error(fmt::format("{} holds an empty token.", in.name()));
    // There may be a million: a place is put into words only where something is wrong there.
    const auto* plain = number.get_ptr<const json::number_unsigned_t*>();
    const auto id =
        plain && *plain < static_cast<json::number_unsigned_t>(kMostTokens)
            ? static_cast<std::size_t>(*plain)
            : static_cast<std::size_t>(
                  Field{number, fmt::format("{}.{}", in.where, printable(token, 60))}.token());
    if (id >= tokens.size()) tokens.resize(id + 1);
    if (!tokens[id].empty())
      throw Error(fmt::format("{} gives the number {} to two tokens, '{}' and '{}'.", in.name(), id,
                              printable(tokens[id], 60), printable(token, 60)));
    tokens[id] = token;
    numbers.emplace(token, static_cast<int>(id));
  }
  return numbers;
}

void read_merges(const Field& in, const TokenNumbers& numbers, std::vector<BpeMerge>& merges) {
  const std::size_t count = in.length();
  merges.reserve(count);
  const auto number = [&](std::size_t i, const std::string& token) {
    const auto found = numbers.find(token);
    if (found == numbers.end())
      throw Error(fmt::format("{} needs the token '{}', which the vocabulary does not have.",
                              in.item(i).name(), printable(token, 60)));
    return found->second;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const json& entry = in.value[i];
    std::string left, right;
    if (entry.is_string()) {
      const auto& text = entry.get_ref<const std::string&>();
      if (text.starts_with("#version")) continue;
      const std::size_t space = text.find(' ');
      if (space != text.npos && text.find(' ', space + 1) == text.npos) {
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
    } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
               entry[1].is_string()) {
      left = entry[0].get<std::string>();
      right = entry[1].get<std::string>();
    }
    if (left.empty() || right.empty())
      in.item(i).expect(false, "two tokens: \"a b\" with one space, or [\"a\", \"b\"]");
    merges.push_back({number(i, left), number(i, right), number(i, left + right)});
  }
}

/// The token for what the vocabulary lacks; -1 where the model names none.
int read_unknown(const Field& in, const TokenNumbers& numbers) {
  const auto unk = in.find("unk_token");
  if (!unk) return -1;
  const auto found = numbers.find(unk->text());
  check(found != numbers.end(), "{} is '{}', which the vocabulary does not have.", unk->name(),
        printable(unk->text(), 60));
  return found->second;
}

/// The kind of a model, which old files do not write.
std::string family_of(const Field& model) {
  if (model.find("type")) return model.type();
  if (model.find("unk_id")) return "Unigram";
  if (model.find("max_input_chars_per_word")) return "WordPiece";
  return model.find("merges") ? "BPE" : "WordLevel";
}

void read_model(const Field& in, BpeSpec& spec, TokenNumbers& numbers) {
  numbers = read_vocabulary(in.at("vocab"), spec.pieces.tokens);
  read_merges(in.at("merges"), numbers, spec.merges);
  spec.ignore_merges = in.flag("ignore_merges", false);
  spec.fuse_unk = in.flag("fuse_unk", false);
  check(!in.flag("byte_fallback", false),
        "'model.byte_fallback' is true: tokenizers that fall back to bytes are not read here.");
  if (const auto dropout = in.find("dropout"))
    check(dropout->value.is_number() && dropout->value.get<double>() == 0.0,
          "'model.dropout' is set: merges that are left out at random are not done here.");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto affix = in.find(key))
      check(affix->text().empty(), "{} is '{}', and such marks in tokens are not read here.",
            affix->name(), printable(affix->text(), 40));
  spec.unk = spec.pieces.special.unk = read_unknown(in, numbers);
}

std::unique_ptr<BpeSpec> read_bpe(const Field& file, const std::string& text) {
  auto spec = std::make_unique<BpeSpec>();
  TokenNumbers numbers;
  read_model(file.at("model"), *spec, numbers);
  const Cutting cutting = read_pieces(file, text, spec->pieces, numbers);
  spec->byte_level = cutting.byte_level;
  spec->add_prefix_space = cutting.add_prefix_space;
  spec->split_words = cutting.split_words;
  return spec;
}

std::unique_ptr<WordsSpec> read_words(const Field& file, const std::string& text) {
  auto spec = std::make_unique<WordsSpec>();
  const Field model = file.at("model");
  TokenNumbers numbers = read_vocabulary(model.at("vocab"), spec->pieces.tokens);
  // The package writes a name for it even where the vocabulary has no such word.
  if (const auto unk = model.find("unk_token"); unk && numbers.contains(unk->text()))
    spec->unk = spec->pieces.special.unk = numbers.at(unk->text());
  check(!read_pieces(file, text, spec->pieces, numbers).byte_level,
        "'pre_tokenizer' holds ByteLevel, which has no words to look up.");
  return spec;
}

/// The characters of a file that character_tokenizer wrote, or nothing when it is none.
std::shared_ptr<const Tokenizer> read_characters(const json& file) {
  const auto model = file.find("model");
  const auto decoder = file.find("decoder");
  if (model == file.end() || !model->is_object() || decoder == file.end() ||
      *decoder != json{{"type", "Fuse"}})
    return nullptr;
  const auto vocab = model->find("vocab");
  if (vocab == model->end() || !vocab->is_object()) return nullptr;
  std::vector<std::string> characters;
  for (const auto& [token, number] : vocab->items()) characters.push_back(token);
  std::sort(characters.begin(), characters.end());
  for (const std::string& character : characters) {
    const auto known = character.empty() ? std::nullopt : decode_utf8(character, 0);
    if (!known || known->bytes != character.size()) return nullptr;
  }
  auto tokenizer = character_tokenizer(std::move(characters));
  return parse_json(tokenizer->to_json(), "The tokenizer") == file ? tokenizer : nullptr;
}

/// Which token tokenizer_config.json names, by its text or by an object with its text.
int named_token(const json& config, const char* key, const PiecesSpec& spec) {
  const auto found = config.find(key);
  if (found == config.end()) return -1;
  const json& entry =
      found->is_object() && found->contains("content") ? found->at("content") : *found;
  if (!entry.is_string()) return -1;
  const auto& content = entry.get_ref<const std::string&>();
  for (const AddedToken& token : spec.added)
    if (token.content == content) return token.id;
  const auto token = std::find(spec.tokens.begin(), spec.tokens.end(), content);
  return content.empty() || token == spec.tokens.end()
             ? -1
             : static_cast<int>(token - spec.tokens.begin());
}

/// The special tokens: those that are given, or that `config` names, the text of
/// tokenizer_config.json.
void name_special_tokens(PiecesSpec& spec, const SpecialTokens* given, const std::string& config) {
  SpecialTokens& special = spec.special;
  if (!config.empty()) {
    const json names = parse_json(config, "'tokenizer_config.json'");
    special.bos = named_token(names, "bos_token", spec);
    special.eos = named_token(names, "eos_token", spec);
    special.pad = named_token(names, "pad_token", spec);
    if (const int unk = named_token(names, "unk_token", spec); unk >= 0) special.unk = unk;
  }
  if (given) special = *given;
  for (const int token : {special.bos, special.eos, special.unk, special.pad})
    check(token >= -1 && token <= largest_token(spec),
          "the special token {} is outside the vocabulary.", token);
}

}  // namespace

std::shared_ptr<const Tokenizer> read_tokenizer(const std::string& text, const std::string& name,
                                                const SpecialTokens* special,
                                                const std::string& config) {
  const std::string shown = printable(name, 512);
  check(text.size() <= kMostTokenizerBytes, "The tokenizer '{}' is larger than {} MiB.", shown,
        kMostTokenizerBytes >> 20);
  // Before anything is built of it: a list of numbers takes many times its size.
  const std::size_t first =
      text.find_first_not_of(" \t\r\n", text.starts_with("\xef\xbb\xbf") ? 3 : 0);
  check(first == text.npos || text[first] == '{',
        "The tokenizer '{}' cannot be used: the file must be an object, which begins with '{{'.",
        shown);
  const json file = parse_json(text, fmt::format("The tokenizer '{}'", shown));
  try {
    if (file == parse_json(byte_tokenizer()->to_json(), "The tokenizer")) return byte_tokenizer();
    if (auto characters = read_characters(file)) return characters;
    const Field whole{file, ""};
    const Field model = whole.at("model");
    const std::string family = family_of(model);
    std::unique_ptr<BpeSpec> bpe;
    std::unique_ptr<WordsSpec> words;
    if (family == "BPE") {
      bpe = read_bpe(whole, text);
    } else if (family == "WordLevel") {
      words = read_words(whole, text);
    } else {
      throw Error(fmt::format(
          "'model' is of type '{}', which is not read here; known are BPE and WordLevel.",
          printable(family, 60)));
    }
    name_special_tokens(bpe ? bpe->pieces : words->pieces, special, config);
    return bpe ? bpe_tokenizer(std::move(*bpe)) : word_tokenizer(std::move(*words));
  } catch (const Error& e) {
    throw Error(fmt::format("The tokenizer '{}' cannot be used: {}", shown, e.what()));
  }
}

std::shared_ptr<const Tokenizer> tokenizer_from_json(const std::string& json,
                                                     const std::string& name,
                                                     const SpecialTokens& special) {
  return read_tokenizer(json, name, &special, "");
}

}  // namespace xlab
