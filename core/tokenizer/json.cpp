// Reading tokenizer.json files, of BPE and of whole words, and the folders that hold them.
#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "core/files/disk.hpp"
#include "core/files/folder_save.hpp"
#include "core/files/json_text.hpp"
#include "core/tokenizer/bpe.hpp"
#include "core/tokenizer/words.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostTokenizerConfigBytes = 4u << 20;
constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr std::size_t kMostFrameTokens = 64;
// What is written into kConfigFile.
constexpr const char* kClassKey = "tokenizer_class";
constexpr const char* kClass = "PreTrainedTokenizerFast";
constexpr const char* kCleanUpKey = "clean_up_tokenization_spaces";
constexpr std::array kSpecialKeys = {"bos_token", "eos_token", "unk_token", "pad_token"};

/// A value of the file and where it stands, for sentences about it.
struct Field {
  const json& value;
  std::string where;  ///< "model.vocab"; empty for the whole file

  std::string name() const {
    return where.empty() ? "the file" : fmt::format("'{}'", printable(where, 200));
  }
  void expect(bool good, const char* wanted) const {
    check(good, "{} must be {}.", name(), wanted);
  }
  /// A member of an object, or nothing where it is missing or null.
  std::optional<Field> find(const char* key) const {
    expect(value.is_object(), "an object");
    const auto found = value.find(key);
    if (found == value.end() || found->is_null()) return std::nullopt;
    return Field{*found, where.empty() ? key : where + "." + key};
  }
  Field at(const char* key) const {
    const auto found = find(key);
    check(found.has_value(), "{} has no '{}'.", name(), key);
    return *found;
  }
  Field item(std::size_t i) const { return {value[i], fmt::format("{}[{}]", where, i)}; }
  std::size_t length() const {
    expect(value.is_array(), "a list");
    return value.size();
  }
  const std::string& text() const {
    expect(value.is_string(), "a text");
    return value.get_ref<const std::string&>();
  }
  bool flag() const {
    expect(value.is_boolean(), "true or false");
    return value.get<bool>();
  }
  /// The number of a token.
  int token() const {
    check(
        value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < kMostTokens,
        "{} must be the number of a token, from 0 to {}.", name(), kMostTokens - 1);
    return value.get<int>();
  }
  bool flag(const char* key, bool otherwise) const {
    const auto found = find(key);
    return found ? found->flag() : otherwise;
  }
  std::string type() const { return at("type").text(); }
  [[noreturn]] void refuse_type(const char* known) const {
    throw Error(fmt::format("{} is of type '{}', which is not read here; known are {}.", name(),
                            printable(type(), 60), known));
  }
};

void read_normalizer(const Field& in, std::vector<NormalForm>& forms) {
  constexpr std::size_t kMostNormalizers = 32;
  const std::string type = in.type();
  const auto add = [&](NormalForm form) {
    check(forms.size() < kMostNormalizers, "{}: there are more than {} normalizers.", in.name(),
          kMostNormalizers);
    forms.push_back(form);
  };
  if (type == "Sequence") {
    const Field list = in.at("normalizers");
    for (std::size_t i = 0; i < list.length(); ++i) read_normalizer(list.item(i), forms);
  } else if (type == "NFC") {
    add({.composed = true, .compatible = false});
  } else if (type == "NFD") {
    add({.composed = false, .compatible = false});
  } else if (type == "NFKC") {
    add({.composed = true, .compatible = true});
  } else if (type == "NFKD") {
    add({.composed = false, .compatible = true});
  } else {
    in.refuse_type("NFC, NFD, NFKC, NFKD and Sequence");
  }
}

Pattern read_pattern(const Field& in) {
  if (const auto regex = in.find("Regex")) {
    try {
      return Pattern::regex(regex->text());
    } catch (const Error& e) {
      throw Error(fmt::format("{}: {}", regex->name(), e.what()));
    }
  }
  const Field literal = in.at("String");
  check(!literal.text().empty(), "{} is empty: there is nothing to split at.", literal.name());
  return Pattern::literal(literal.text());
}

SplitBehavior read_behavior(const Field& in) {
  const std::string& name = in.text();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw Error(
      fmt::format("{} is '{}'; it must be Removed, Isolated, MergedWithPrevious, "
                  "MergedWithNext or Contiguous.",
                  in.name(), printable(name, 60)));
}

/// What a word is to the pre-tokenizer Whitespace, whose patterns are those of another engine.
constexpr const char* kWordCharacters =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9})"
    R"(\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

/// What the pre-tokenizers of a file come to.
struct Cutting {
  std::vector<SplitRule> splits;
  /// The byte level, which must come last: after it the text is no longer text.
  bool byte_level = false, add_prefix_space = false, split_words = true;
};

/// Adds the rules of a pre-tokenizer.
void read_pre_tokenizer(const Field& in, Cutting& out) {
  constexpr std::size_t kMostRules = 32;
  const std::string type = in.type();
  if (type == "Sequence") {
    const Field list = in.at("pretokenizers");
    for (std::size_t i = 0; i < list.length(); ++i) read_pre_tokenizer(list.item(i), out);
    return;
  }
  check(!out.byte_level, "{} comes after the ByteLevel pre-tokenizer, which must be the last.",
        in.name());
  check(out.splits.size() < kMostRules, "{}: there are more than {} rules for splitting.",
        in.name(), kMostRules);
  if (type == "ByteLevel") {
    out.byte_level = true;
    out.add_prefix_space = in.flag("add_prefix_space", true);
    out.split_words = in.flag("use_regex", true);
  } else if (type == "Split") {
    out.splits.push_back({read_pattern(in.at("pattern")), read_behavior(in.at("behavior")),
                          in.flag("invert", false)});
  } else if (type == "Digits") {
    out.splits.push_back({Pattern::regex("\\p{N}"), in.flag("individual_digits", false)
                                                        ? SplitBehavior::isolated
                                                        : SplitBehavior::contiguous});
  } else if (type == "WhitespaceSplit") {
    out.splits.push_back({Pattern::regex("\\s+"), SplitBehavior::removed});
  } else if (type == "Whitespace") {
    const std::string words = kWordCharacters;
    out.splits.push_back(
        {Pattern::regex("[" + words + "]+|[^" + words + "\\s]+"), SplitBehavior::removed, true});
  } else {
    in.refuse_type("ByteLevel, Split, Digits, Whitespace, WhitespaceSplit and Sequence");
  }
}

using Numbers = std::unordered_map<std::string, int>;

Numbers read_vocabulary(const Field& in, std::vector<std::string>& tokens) {
  in.expect(in.value.is_object(), "an object from tokens to their numbers");
  check(!in.value.empty(), "{} is empty.", in.name());
  check(in.value.size() <= static_cast<std::size_t>(kMostTokens), "{} holds more than {} tokens.",
        in.name(), kMostTokens);
  Numbers numbers;
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

void read_merges(const Field& in, const Numbers& numbers, std::vector<BpeMerge>& merges) {
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
int read_unknown(const Field& in, const Numbers& numbers) {
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

void read_model(const Field& in, BpeSpec& spec, Numbers& numbers) {
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

void read_added(const Field& in, PiecesSpec& spec, Numbers& numbers) {
  const std::size_t count = in.length();
  check(count <= static_cast<std::size_t>(kMostTokens), "{} holds more than {} tokens.", in.name(),
        kMostTokens);
  std::unordered_map<int, std::string> names;
  std::unordered_set<std::string> seen;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Field entry = in.item(i);
    AddedToken token;
    token.id = entry.at("id").token();
    token.content = entry.at("content").text();
    token.special = entry.flag("special", false);
    token.single_word = entry.flag("single_word", false);
    token.lstrip = entry.flag("lstrip", false);
    token.rstrip = entry.flag("rstrip", false);
    token.normalized = entry.flag("normalized", !token.special);
    check(!token.content.empty() && token.content.size() <= kMostAddedTokenBytes,
          "{} has {} bytes; it must have from 1 to {}.", entry.at("content").name(),
          token.content.size(), kMostAddedTokenBytes);
    bytes += token.content.size();
    check(bytes <= kMostAddedBytes, "{} holds more than {} MiB of text.", in.name(),
          kMostAddedBytes >> 20);
    check(seen.insert(token.content).second, "{}: the token '{}' is listed twice.", entry.name(),
          printable(token.content, 60));
    const auto known = numbers.try_emplace(token.content, token.id).first;
    check(known->second == token.id,
          "{}: the token '{}' has the number {} here, but {} in the "
          "vocabulary.",
          entry.name(), printable(token.content, 60), token.id, known->second);
    const auto id = static_cast<std::size_t>(token.id);
    const std::string owner = id < spec.tokens.size() ? spec.tokens[id] : std::string();
    const std::string& first = names.try_emplace(token.id, token.content).first->second;
    check((owner.empty() || owner == token.content) && first == token.content,
          "{}: the number {} of '{}' belongs to '{}'.", entry.name(), token.id,
          printable(token.content, 60), printable(owner.empty() ? first : owner, 60));
    spec.added.push_back(std::move(token));
  }
}

int largest_token(const PiecesSpec& spec) {
  int largest = static_cast<int>(spec.tokens.size()) - 1;
  for (const AddedToken& token : spec.added) largest = std::max(largest, token.id);
  return largest;
}

void read_template(const Field& in, PiecesSpec& spec) {
  std::vector<int> parts[2];  // before and after the text
  int side = 0;
  const Field single = in.at("single");
  for (std::size_t i = 0; i < single.length(); ++i) {
    const Field piece = single.item(i);
    if (piece.find("Sequence")) {
      check(++side == 1, "{} holds the text more than once.", single.name());
      continue;
    }
    const std::string& name = piece.at("SpecialToken").at("id").text();
    const Field known = in.at("special_tokens");
    known.expect(known.value.is_object(), "an object");
    const auto found = known.value.find(name);
    check(found != known.value.end(), "{} does not say what '{}' is.", known.name(),
          printable(name, 60));
    const Field ids = Field{*found, known.where + "." + printable(name, 60)}.at("ids");
    for (std::size_t k = 0; k < ids.length(); ++k) {
      const Field id = ids.item(k);
      check(id.token() <= largest_token(spec), "{} is {}, outside the vocabulary.", id.name(),
            id.token());
      parts[side].push_back(id.token());
    }
  }
  check(side == 1, "{} does not hold the text.", single.name());
  spec.frame_begin.insert(spec.frame_begin.begin(), parts[0].begin(), parts[0].end());
  spec.frame_end.insert(spec.frame_end.end(), parts[1].begin(), parts[1].end());
  check(spec.frame_begin.size() + spec.frame_end.size() <= kMostFrameTokens,
        "{} puts more than {} tokens around a text.", in.name(), kMostFrameTokens);
}

void read_post_processor(const Field& in, PiecesSpec& spec) {
  const std::string type = in.type();
  if (type == "Sequence") {
    const Field list = in.at("processors");
    for (std::size_t i = 0; i < list.length(); ++i) read_post_processor(list.item(i), spec);
  } else if (type == "TemplateProcessing") {
    read_template(in, spec);
  } else if (type != "ByteLevel") {  // which only moves the positions of tokens
    in.refuse_type("TemplateProcessing, ByteLevel and Sequence");
  }
}

/// What puts the texts of tokens together again.
enum class Joining { byte_level, spaces, nothing };

Joining read_decoder(const std::optional<Field>& in) {
  if (!in) return Joining::spaces;
  const std::string type = in->type();
  if (type == "ByteLevel") return Joining::byte_level;
  if (type == "Fuse") return Joining::nothing;
  if (type != "Sequence") in->refuse_type("ByteLevel and Fuse");
  const Field list = in->at("decoders");
  check(list.length() == 1, "{} must hold one decoder.", list.name());
  return read_decoder(list.item(0));
}

/// What all kinds have around their models; those must have been read.
Cutting read_pieces(const Field& file, const std::string& text, PiecesSpec& spec,
                    Numbers& numbers) {
  spec.json = text;
  if (const auto added = file.find("added_tokens")) read_added(*added, spec, numbers);
  if (const auto normalizer = file.find("normalizer"))
    read_normalizer(*normalizer, spec.normal_forms);
  Cutting cutting;
  if (const auto pre_tokenizer = file.find("pre_tokenizer"))
    read_pre_tokenizer(*pre_tokenizer, cutting);
  spec.splits = cutting.splits;
  if (const auto post_processor = file.find("post_processor"))
    read_post_processor(*post_processor, spec);
  const Joining joining = read_decoder(file.find("decoder"));
  if (joining == Joining::spaces) spec.between = " ";
  check(!cutting.byte_level || joining == Joining::byte_level,
        "'pre_tokenizer' is of bytes, but 'decoder' is not: it must be ByteLevel.");
  check(cutting.byte_level || joining != Joining::byte_level,
        "'decoder' is of bytes, but 'pre_tokenizer' holds no ByteLevel.");
  return cutting;
}

std::unique_ptr<BpeSpec> read_bpe(const Field& file, const std::string& text) {
  auto spec = std::make_unique<BpeSpec>();
  Numbers numbers;
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
  Numbers numbers = read_vocabulary(model.at("vocab"), spec->pieces.tokens);
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
    const json names = parse_json(config, fmt::format("'{}'", kConfigFile));
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

/// Reads a file; `config` is the text of tokenizer_config.json, or empty.
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

}  // namespace

std::shared_ptr<const Tokenizer> tokenizer_from_json(const std::string& json,
                                                     const std::string& name,
                                                     const SpecialTokens& special) {
  return read_tokenizer(json, name, &special, "");
}

std::shared_ptr<const Tokenizer> tokenizer_from_folder(const std::filesystem::path& folder) {
  const auto path = folder / kTokenizerFile;
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) return nullptr;
  const std::string config = std::filesystem::exists(folder / kConfigFile, missing)
                                 ? read_text_file(folder / kConfigFile, kMostTokenizerConfigBytes)
                                 : std::string();
  return read_tokenizer(read_text_file(path, kMostTokenizerBytes), path.string(), nullptr, config);
}

std::shared_ptr<const Tokenizer> tokenizer_named(const std::string& name) {
  if (name == "characters") return nullptr;
  if (name == "bytes") return byte_tokenizer();
  const std::filesystem::path path(name);
  std::error_code missing;
  if (std::filesystem::is_directory(path, missing)) {
    auto tokenizer = tokenizer_from_folder(path);
    check(tokenizer != nullptr, "The folder '{}' has no {}.", printable(name, 512), kTokenizerFile);
    return tokenizer;
  }
  check(std::filesystem::exists(path, missing),
        "There is no tokenizer '{}': give characters, bytes, a {} or a folder that holds one.",
        printable(name, 512), kTokenizerFile);
  if (path.filename() == kTokenizerFile)
    return tokenizer_from_folder(path.has_parent_path() ? path.parent_path() : ".");
  return read_tokenizer(read_text_file(path, kMostTokenizerBytes), name, nullptr, "");
}

namespace {

/// Whether a kConfigFile says nothing but what is written below: another program's says more.
bool is_own_config(const std::string& text) {
  const json config = parse_json(text, kConfigFile);
  if (!config.is_object()) return false;
  for (const auto& [key, value] : config.items()) {
    const bool special =
        std::find(kSpecialKeys.begin(), kSpecialKeys.end(), key) != kSpecialKeys.end();
    const bool own = key == kClassKey     ? value == kClass
                     : key == kCleanUpKey ? value == false
                                          : special && value.is_string();
    if (!own) return false;
  }
  return true;
}

/// The sentence about a kConfigFile that is not ours; empty where there is none.
std::string foreign_config(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / kConfigFile, error)) return {};
  try {
    if (is_own_config(read_text_file(folder / kConfigFile, kMostTokenizerConfigBytes))) return {};
  } catch (const Error&) {
    // What cannot be read was not written here.
  }
  return fmt::format("The {} in '{}' was written by another program and stays as it is.",
                     kConfigFile, printable(folder.string(), 512));
}

}  // namespace

std::string write_tokenizer_files(const Tokenizer& tokenizer, FolderSave& folder) {
  const SpecialTokens special = tokenizer.special_tokens();
  const std::array tokens = {special.bos, special.eos, special.unk, special.pad};
  json config = {{kClassKey, kClass}, {kCleanUpKey, false}};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0) continue;
    const std::string_view bytes = tokenizer.bytes(tokens[i]);
    if (!find_invalid_utf8(bytes)) config[kSpecialKeys[i]] = std::string(bytes);
  }
  folder.write(kTokenizerFile, tokenizer.to_json());
  std::string remark = foreign_config(folder.folder());
  if (remark.empty()) folder.write(kConfigFile, json_text(config, 2) + "\n");
  return remark;
}

std::string remove_tokenizer_files(FolderSave& folder) {
  folder.remove(kTokenizerFile);
  std::string remark = foreign_config(folder.folder());
  if (remark.empty()) folder.remove(kConfigFile);
  return remark;
}

void write_tokenizer_files(const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  FolderSave save(folder);
  write_tokenizer_files(tokenizer, save);
  save.finish();
}

}  // namespace xlab
