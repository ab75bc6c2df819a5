// Reading what stands around the model in a tokenizer.json.
#include "core/tokenizer/pieces_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/tokenizer/added.hpp"
#include "core/tokenizer/normal.hpp"
#include "core/tokenizer/pattern.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

constexpr std::size_t kMostFrameTokens = 64;

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

void read_added(const Field& in, PiecesSpec& spec, TokenNumbers& numbers) {
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

}  // namespace

int largest_token(const PiecesSpec& spec) {
  int largest = static_cast<int>(spec.tokens.size()) - 1;
  for (const AddedToken& token : spec.added) largest = std::max(largest, token.id);
  return largest;
}

Cutting read_pieces(const Field& file, const std::string& text, PiecesSpec& spec,
                    TokenNumbers& numbers) {
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

}  // namespace xlab
