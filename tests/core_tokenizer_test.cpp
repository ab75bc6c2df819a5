// Tokenizers: equal to the Python package `tokenizers` wherever it was asked, exact where it was
// not, and deaf to hostile files.
#include "core/tokenizer/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/hash.hpp"
#include "core/tokenizer/added.hpp"
#include "core/tokenizer/bpe.hpp"
#include "core/tokenizer/normal.hpp"
#include "core/tokenizer/pattern.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"
#include "tests/complaint.hpp"
#include "tests/counted_work.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::string_literals;

using Ids = std::vector<std::int32_t>;

std::filesystem::path golden_folder() {
  const char* other = std::getenv("XLAB_TOKENIZER_GOLDEN");
  return other ? other : XLAB_TOKENIZER_GOLDEN_DEFAULT;
}

const json& golden() {
  static const json known = json::parse(bytes_of_file(golden_folder() / "golden.json"));
  return known;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

const std::vector<std::string>& golden_strings() {
  static const std::vector<std::string> known = [] {
    std::vector<std::string> texts;
    for (const json& text : golden().at("strings"))
      texts.push_back(text.is_string() ? text.get<std::string>()
                                       : from_hex(text.at("hex").get<std::string>()));
    return texts;
  }();
  return known;
}

std::string signature(const Ids& ids) {
  return fmt::format("{:016x}", hash_bytes(std::as_bytes(std::span(ids))));
}

std::string streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder stream(tokenizer, skip_special);
  std::string text;
  for (const std::int32_t id : ids) {
    const std::string part = stream.push(id);
    EXPECT_EQ(find_invalid_utf8(part), std::nullopt) << "half a character was shown";
    text += part;
  }
  return text + stream.finish();
}

// ---- against the package ------------------------------------------------------------------------

TEST(TokenizerGolden, StringsHaveTheSameNumbersAndComeBack) {
  const std::vector<std::string>& texts = golden_strings();
  for (const auto& [file, wanted] : golden().at("tokenizers").items()) {
    const auto tokenizer = tokenizer_named(golden_folder() / file);
    EXPECT_EQ(tokenizer->kind(), file == "words.json" ? "words" : "bpe") << file;
    EXPECT_EQ(tokenizer->vocab_size(), wanted.at("size")) << file;
    const auto exception = [&all = wanted](const char* kind, std::size_t i,
                                           const std::string& otherwise) {
      const auto found = all.at(kind).find(std::to_string(i));
      return found == all.at(kind).end() ? otherwise : found->get<std::string>();
    };
    ASSERT_EQ(wanted.at("ids").size(), texts.size());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Ids ids = tokenizer->encode(texts[i]);
      const bool same = ids == wanted.at("ids")[i].get<Ids>();
      if (!same && ++wrong <= 10)
        ADD_FAILURE() << file << ", string " << i << ": " << testing::PrintToString(texts[i])
                      << "\n has " << testing::PrintToString(ids) << "\n not "
                      << wanted.at("ids")[i].dump();
      if (!same) continue;
      const std::string back = exception("decoded", i, mended_utf8(texts[i]));
      const std::string shown = exception("shown", i, back);
      EXPECT_EQ(tokenizer->decode(ids), back) << file << ", string " << i;
      EXPECT_EQ(tokenizer->decode(ids, true), shown) << file << ", string " << i;
      EXPECT_EQ(streamed(*tokenizer, ids, false), back) << file << ", string " << i;
      EXPECT_EQ(streamed(*tokenizer, ids, true), shown) << file << ", string " << i;
    }
    for (const auto& [i, framed] : wanted.at("framed").items())
      EXPECT_EQ(tokenizer->encode(texts[std::stoul(i)], true), framed.get<Ids>()) << file;
    std::printf("[ tokens   ] %s: %zu strings, %zu of them different\n", file.c_str(), texts.size(),
                wrong);
    EXPECT_EQ(wrong, 0u) << file;
  }
}

TEST(TokenizerGolden, AnyNumbersAreDecodedTheSame) {
  std::size_t compared = 0;
  for (const auto& [file, wanted] : golden().at("tokenizers").items()) {
    const auto tokenizer = tokenizer_named(golden_folder() / file);
    for (const json& row : wanted.at("scattered")) {
      const Ids ids = row[0].get<Ids>();
      EXPECT_EQ(tokenizer->decode(ids), row[1].get<std::string>()) << file << row[0];
      EXPECT_EQ(tokenizer->decode(ids, true), row[2].get<std::string>()) << file << row[0];
      EXPECT_EQ(streamed(*tokenizer, ids, false), row[1].get<std::string>()) << file << row[0];
      ++compared;
    }
  }
  EXPECT_GE(compared, 100u);
}

TEST(TokenizerGolden, StreamsShowWhatTheirsShow) {
  std::size_t compared = 0;
  for (const auto& [file, wanted] : golden().at("tokenizers").items()) {
    const auto tokenizer = tokenizer_named(golden_folder() / file);
    for (const json& row : wanted.at("streams")) {
      StreamDecoder stream(*tokenizer);
      std::string shown;
      for (const std::int32_t id : wanted.at("ids")[row[0].get<std::size_t>()].get<Ids>())
        shown += stream.push(id);
      // Theirs also waits behind a broken character that nothing can complete.
      const auto theirs = row[1].get<std::string>();
      EXPECT_TRUE(shown.starts_with(theirs)) << file << row;
      if (!mended_utf8(shown + stream.finish()).ends_with("�")) {
        EXPECT_EQ(shown, theirs) << file << row;
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 100u);
}

TEST(TokenizerGolden, LongWordsHaveTheSameNumbers) {
  for (const auto& [file, wanted] : golden().at("tokenizers").items()) {
    const auto tokenizer = tokenizer_named(golden_folder() / file);
    for (const json& row : wanted.at("long")) {
      std::string text;
      for (int n = row[1].get<int>(); n > 0; --n) text += row[0].get<std::string>();
      const Ids ids = tokenizer->encode(text);
      EXPECT_EQ(ids.size(), row[2].get<std::size_t>()) << file << row;
      EXPECT_EQ(signature(ids), row[3].get<std::string>()) << file << row;
    }
  }
}

TEST(TokenizerGolden, PatternsCutTheSamePieces) {
  const std::map<std::string, SplitBehavior> behaviors = {
      {"removed", SplitBehavior::removed},
      {"isolated", SplitBehavior::isolated},
      {"merged_with_previous", SplitBehavior::merged_with_previous},
      {"merged_with_next", SplitBehavior::merged_with_next},
      {"contiguous", SplitBehavior::contiguous}};
  for (const json& row : golden().at("splits")) {
    const SplitRule rule{Pattern::regex(row[0].get<std::string>()),
                         behaviors.at(row[1].get<std::string>()), row[2].get<bool>()};
    const std::string text = row[3].get<std::string>();
    std::vector<std::string> pieces;
    PatternSteps steps(text.size());
    rule.each_piece(text, steps, [&](std::string_view piece) { pieces.emplace_back(piece); });
    EXPECT_EQ(pieces, row[4].get<std::vector<std::string>>()) << row;
  }
}

// ---- characters and bytes -----------------------------------------------------------------------

TEST(Tokenizer, CharactersAndBytesAreExact) {
  const auto characters = character_tokenizer({"\n", " ", "a", "b", "é", "日"});
  EXPECT_EQ(characters->kind(), "characters");
  EXPECT_EQ(characters->vocab_size(), 6);
  EXPECT_THAT(characters->encode("ab é\n日"), ElementsAre(2, 3, 1, 4, 0, 5));
  EXPECT_EQ(characters->decode(characters->encode("ab é\n日")), "ab é\n日");
  EXPECT_THAT(complaint([&] { characters->encode("z"); }), HasSubstr("'z' (U+007A)"));
  EXPECT_THAT(complaint([&] { characters->encode("a\xff"); }), HasSubstr("UTF-8"));
  EXPECT_THAT(complaint([&] { character_tokenizer({"b", "a"}); }), HasSubstr("come after"));

  const auto bytes = byte_tokenizer();
  EXPECT_EQ(bytes->vocab_size(), 256);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  const Ids ids = bytes->encode(all);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(ids[static_cast<std::size_t>(i)], i);
  std::string raw;
  for (const std::int32_t id : ids) raw += bytes->bytes(id);
  EXPECT_EQ(raw, all) << "bytes that are no UTF-8 survive";
  for (const std::string& text : golden_strings()) {
    EXPECT_EQ(bytes->decode(bytes->encode(text)), mended_utf8(text));
    EXPECT_EQ(streamed(*bytes, bytes->encode(text), false), mended_utf8(text));
  }
}

TEST(Tokenizer, NumbersOutsideTheVocabularyAreRefused) {
  for (const auto& tokenizer : {character_tokenizer({"a"}), byte_tokenizer(),
                                tokenizer_named(golden_folder() / "neox.json")}) {
    for (const int token : {-1, tokenizer->vocab_size()}) {
      const Ids ids = {token};
      EXPECT_THAT(complaint([&] { tokenizer->decode(ids); }), HasSubstr("no token number"));
      EXPECT_FALSE(tokenizer->is_special(token));
    }
  }
}

TEST(Tokenizer, StreamsHoldBackHalfCharacters) {
  const auto bytes = byte_tokenizer();
  StreamDecoder stream(*bytes);
  EXPECT_EQ(stream.push(0xe6), "");
  EXPECT_EQ(stream.push(0x97), "");
  EXPECT_EQ(stream.push(0xa5), "日");
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.push(0xff), "�");
  EXPECT_EQ(stream.push(0xf0), "");
  EXPECT_EQ(stream.push(0x9f), "");
  EXPECT_EQ(stream.push('b'), "�b") << "what cannot become a character is shown as one broken one";
  EXPECT_EQ(stream.push(0xed), "");
  EXPECT_EQ(stream.push(0xa0), "��") << "half a surrogate is none";
  EXPECT_EQ(stream.push(0xc3), "");
  EXPECT_EQ(stream.finish(), "�");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8, BrokenPlacesAreMended) {
  EXPECT_EQ(mended_utf8("plain é 日 😀"), "plain é 日 😀");
  EXPECT_EQ(mended_utf8("\xff"), "�");
  EXPECT_EQ(mended_utf8("\xc0\x80"), "��") << "overlong";
  EXPECT_EQ(mended_utf8("\xe6\x97"), "�") << "cut off";
  EXPECT_EQ(mended_utf8("\xf0\x9f\x98z\xf4\x90\x80"), "�z���");
  EXPECT_EQ(mended_utf8("\xed\xa0\x80"), "���") << "surrogate";
}

// ---- a tokenizer.json of its own ----------------------------------------------------------------

/// A byte-level tokenizer of a few tokens.
json small_file() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 6, "content": "<end>", "special": true, "normalized": false,
                      "single_word": false, "lstrip": false, "rstrip": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "abab": 5},
              "merges": ["a b", ["Ġ", "ab"], "ab ab"]}})");
}

std::shared_ptr<const Tokenizer> tokenizer_of(const json& file) {
  return tokenizer_from_json(file.dump(), "tokenizer.json");
}

TEST(Tokenizer, MergesGoByRankThenFromTheLeft) {
  const auto tokenizer = tokenizer_of(small_file());
  EXPECT_THAT(tokenizer->encode("ab"), ElementsAre(3));
  EXPECT_THAT(tokenizer->encode("abab ab"), ElementsAre(5, 4));
  EXPECT_THAT(tokenizer->encode("ababab"), ElementsAre(5, 3));
  EXPECT_THAT(tokenizer->encode("a<end>b"), ElementsAre(0, 6, 1));
  EXPECT_THAT(tokenizer->encode("azb"), ElementsAre(3)) << "what has no token is left out";
  EXPECT_THAT(tokenizer->encode(""), IsEmpty());
  EXPECT_EQ(tokenizer->decode(Ids{4, 6, 0}), " ab<end>a");
  EXPECT_EQ(tokenizer->decode(Ids{4, 6, 0}, true), " aba");
  EXPECT_EQ(tokenizer->title(), "byte-level BPE, 7 tokens");
}

TEST(Tokenizer, NumbersMayHaveGaps) {
  json file = small_file();
  file["added_tokens"][0]["id"] = 20;
  const auto tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer->vocab_size(), 21);
  EXPECT_EQ(tokenizer->bytes(12), "");
  EXPECT_EQ(tokenizer->decode(Ids{0, 12, 20}), "a<end>");
  EXPECT_THAT(tokenizer->title(), testing::EndsWith("BPE, 7 tokens with numbers up to 20"));
}

json words_file() {
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
          {"post_processor", nullptr},
          {"decoder", nullptr},
          {"model",
           {{"type", "WordLevel"},
            {"vocab", {{"[UNK]", 0}, {"TIME_DELTA=4", 5}, {"NOTE_ON=60", 6}, {"BAR_START", 7}}},
            {"unk_token", "[UNK]"}}}};
}

TEST(Tokenizer, WholeWordsAreLookedUpAndJoinedBySpaces) {
  json file = words_file();
  const auto words = tokenizer_of(file);
  EXPECT_EQ(words->kind(), "words");
  EXPECT_EQ(words->title(), "words, 4 tokens with numbers up to 7");
  const Ids ids = words->encode(" BAR_START  NOTE_ON=60\tXYZ\nTIME_DELTA=4 ");
  EXPECT_THAT(ids, ElementsAre(7, 6, 0, 5));
  EXPECT_EQ(words->decode(ids), "BAR_START NOTE_ON=60 [UNK] TIME_DELTA=4");
  EXPECT_EQ(streamed(*words, ids, false), "BAR_START NOTE_ON=60 [UNK] TIME_DELTA=4");
  EXPECT_EQ(words->bytes(1), "") << "a number without a word";
  EXPECT_EQ(words->decode(Ids{7, 1, 2, 6}), "BAR_START NOTE_ON=60");
  EXPECT_EQ(streamed(*words, {7, 1, 2, 6}, false), "BAR_START NOTE_ON=60");
  // With a decoder that joins, nothing stands between them.
  file["decoder"] = {{"type", "Fuse"}};
  EXPECT_EQ(tokenizer_of(file)->decode(ids), "BAR_STARTNOTE_ON=60[UNK]TIME_DELTA=4");
  file = words_file();
  file["model"]["unk_token"] = "<none>";
  EXPECT_THAT(tokenizer_of(file)->encode("BAR_START"), ElementsAre(7));
  EXPECT_THAT(complaint([&] { tokenizer_of(file)->encode("BAR_START XYZ"); }),
              AllOf(HasSubstr("'XYZ' is not in the vocabulary"), HasSubstr("unknown words")));
}

TEST(Tokenizer, FoldersSayWhichTokensAreSpecial) {
  const TemporaryFolder folder;
  EXPECT_EQ(tokenizer_from_folder(folder.path()), nullptr);
  EXPECT_THAT(complaint([&] { tokenizer_named(folder.path()); }),
              HasSubstr("has no tokenizer.json"));
  put_file(folder / "tokenizer.json", small_file().dump());
  EXPECT_EQ(tokenizer_from_folder(folder.path())->special_tokens().bos, -1);
  put_file(folder / "tokenizer_config.json",
           R"({"bos_token": {"content": "<end>"}, "eos_token": "<end>", "pad_token": null,
               "unk_token": "<none>"})");
  for (const auto& name : {folder.path(), folder / "tokenizer.json"}) {
    const SpecialTokens special = tokenizer_named(name)->special_tokens();
    EXPECT_EQ(special.bos, 6);
    EXPECT_EQ(special.eos, 6);
    EXPECT_EQ(special.pad, -1);
    EXPECT_EQ(special.unk, -1);
  }
  put_file(folder / "tokenizer_config.json", "{");
  EXPECT_THAT(complaint([&] { tokenizer_named(folder.path()); }),
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("not valid JSON")));
  EXPECT_EQ(tokenizer_named("characters"), nullptr);
  EXPECT_EQ(tokenizer_named("bytes"), byte_tokenizer());
  EXPECT_THAT(complaint([&] { tokenizer_named("words"); }),
              AllOf(HasSubstr("'words'"), HasSubstr("characters, bytes")));
}

TEST(Tokenizer, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const auto written = [&](const std::shared_ptr<const Tokenizer>& tokenizer) {
    write_tokenizer_files(*tokenizer, folder.path());
    const auto back = tokenizer_from_folder(folder.path());
    EXPECT_EQ(back->kind(), tokenizer->kind());
    EXPECT_EQ(back->vocab_size(), tokenizer->vocab_size());
    EXPECT_EQ(back->to_json(), tokenizer->to_json());
    EXPECT_EQ(back->special_tokens().eos, tokenizer->special_tokens().eos);
    return back;
  };
  written(byte_tokenizer());
  written(character_tokenizer({"\n", " ", "\"", "\\", "a", "é", "日", "😀"}));
  written(tokenizer_from_json(small_file().dump(), "t", {.eos = 6}));
  const auto neox = tokenizer_named(golden_folder() / "neox.json");
  const auto back = written(neox);
  EXPECT_EQ(back->encode(golden_strings()[20]), neox->encode(golden_strings()[20]));
}

// ---- hostile files and texts --------------------------------------------------------------------

TEST(Tokenizer, WhatIsNotReadHereIsRefusedByName) {
  const auto refuses = [](const std::function<void(json&)>& change, const std::string& said) {
    json file = small_file();
    change(file);
    EXPECT_THAT(
        complaint([&] { tokenizer_of(file); }),
        AllOf(HasSubstr("The tokenizer 'tokenizer.json' cannot be used: "), HasSubstr(said)));
  };
  const auto set = [&](const std::string& pointer, const json& value, const std::string& said) {
    refuses([&](json& file) { file[json::json_pointer(pointer)] = value; }, said);
  };
  const auto drop = [&](const std::string& parent, const std::string& key,
                        const std::string& said) {
    refuses([&](json& file) { file[json::json_pointer(parent)].erase(key); }, said);
  };
  drop("", "model", "the file has no 'model'");
  drop("", "decoder", "'pre_tokenizer' is of bytes, but 'decoder' is not");
  drop("", "pre_tokenizer", "'decoder' is of bytes, but 'pre_tokenizer' holds no ByteLevel");
  drop("/model", "vocab", "'model' has no 'vocab'");
  drop("/model", "merges", "'model' has no 'merges'");
  // A vocabulary alone is one of words.
  refuses(
      [](json& file) {
        file["model"].erase("type");
        file["model"].erase("merges");
      },
      "'pre_tokenizer' holds ByteLevel, which has no words");
  set("/model", json::array(), "'model' must be an object");
  set("/model/type", "WordPiece", "'model' is of type 'WordPiece'");
  set("/model/type", "WordLevel", "'pre_tokenizer' holds ByteLevel");
  // Old files do not say what they are.
  for (const auto& [key, family] :
       {std::pair{"unk_id", "Unigram"}, std::pair{"max_input_chars_per_word", "WordPiece"}}) {
    refuses(
        [key = key](json& file) {
          file["model"].erase("type");
          file["model"][key] = 100;
        },
        fmt::format("'model' is of type '{}', which is not read here", family));
  }
  set("/model/vocab", json::object(), "'model.vocab' is empty");
  set("/model/vocab", {"a"}, "'model.vocab' must be an object");
  set("/model/vocab/a", -1, "'model.vocab.a' must be the number of a token");
  set("/model/vocab/a", 0.5, "'model.vocab.a' must be");
  set("/model/vocab/a", 2e9, "'model.vocab.a' must be");
  set("/model/vocab/a", 4294967296, "'model.vocab.a' must be");
  set("/model/vocab/a", "0", "'model.vocab.a' must be");
  set("/model/vocab/a", 1, "gives the number 1 to two tokens");
  refuses([](json& file) { file["model"]["vocab"][""] = 9; }, "holds an empty token");
  set("/model/merges", "a b", "'model.merges' must be a list");
  set("/model/merges/0", "ab", "'model.merges[0]' must be two tokens");
  set("/model/merges/0", "a b c", "'model.merges[0]' must be two tokens");
  set("/model/merges/0", {"a"}, "'model.merges[0]' must be two tokens");
  set("/model/merges/0", {"a", 1}, "'model.merges[0]' must be two tokens");
  set("/model/merges/0", "a x", "'model.merges[0]' needs the token 'x'");
  set("/model/merges/0", "b b", "'model.merges[0]' needs the token 'bb'");
  set("/model/byte_fallback", true, "byte_fallback");
  set("/model/dropout", 0.1, "dropout");
  set("/model/unk_token", "<unk>", "'model.unk_token' is '<unk>'");
  set("/model/continuing_subword_prefix", "##", "'model.continuing_subword_prefix' is '##'");
  set("/model/ignore_merges", "yes", "'model.ignore_merges' must be true or false");
  set("/added_tokens/0/id", -3, "'added_tokens[0].id' must be the number of a token");
  set("/added_tokens/0/id", 3, "the number 3 of '<end>' belongs to 'ab'");
  set("/added_tokens/0/content", "ab", "has the number 6 here, but 3 in the vocabulary");
  set("/added_tokens/0/content", "", "has 0 bytes");
  set("/added_tokens/0/content", std::string(600, 'x'), "has 600 bytes");
  set("/added_tokens/0/lstrip", 1, "'added_tokens[0].lstrip' must be true or false");
  refuses([](json& file) { file["added_tokens"].push_back(file["added_tokens"][0]); },
          "'<end>' is listed twice");
  set("/normalizer", {{"type", "Lowercase"}}, "'normalizer' is of type 'Lowercase'");
  set("/normalizer", "NFC", "'normalizer' must be an object");
  set("/normalizer",
      {{"type", "Sequence"}, {"normalizers", std::vector<json>(100'000, {{"type", "NFC"}})}},
      "'normalizer.normalizers[32]': there are more than 32 normalizers");
  set("/pre_tokenizer", {{"type", "Metaspace"}}, "'pre_tokenizer' is of type 'Metaspace'");
  set("/pre_tokenizer", {{"type", "Sequence"}}, "'pre_tokenizer' has no 'pretokenizers'");
  const json byte_level = {{"type", "ByteLevel"}};
  const auto split = [](const json& pattern) {
    return json{{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}};
  };
  const auto sequence = [](const json& list) {
    return json{{"type", "Sequence"}, {"pretokenizers", list}};
  };
  set("/pre_tokenizer", sequence({byte_level, split({{"String", "a"}})}), "must be the last");
  set("/pre_tokenizer", sequence({split({{"String", ""}}), byte_level}), "nothing to split at");
  set("/pre_tokenizer", sequence({split({{"Regex", "(a"}}), byte_level}),
      "'pre_tokenizer.pretokenizers[0].pattern.Regex': The pattern '(a' cannot be used");
  refuses(
      [&](json& file) {
        file["pre_tokenizer"] = sequence({split({{"String", "a"}}), byte_level});
        file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Exploded";
      },
      "is 'Exploded'; it must be Removed");
  set("/post_processor", {{"type", "BertProcessing"}}, "'post_processor' is of type");
  const auto frame = [](const json& single, const json& ids) {
    return json{{"type", "TemplateProcessing"},
                {"single", single},
                {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", ids}}}}}};
  };
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json mark = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  set("/post_processor", frame(json::array({mark}), {0}), "does not hold the text");
  set("/post_processor", frame({text, text}, {0}), "more than once");
  set("/post_processor", frame({mark, text}, {7}), "is 7, outside the vocabulary");
  set("/post_processor", frame({mark, text}, Ids(100, 0)), "more than 64 tokens");
  refuses(
      [&](json& file) {
        file["post_processor"] = frame({mark, text}, {0});
        file["post_processor"]["special_tokens"] = json::object();
      },
      "does not say what '<s>' is");
  set("/decoder", {{"type", "Metaspace"}}, "'decoder' is of type 'Metaspace'");
  set("/decoder", {{"type", "Sequence"}, {"decoders", json::array()}}, "one decoder");

  const auto garbage = [](const std::string& bytes, const std::string& said) {
    EXPECT_THAT(complaint([&] { tokenizer_from_json(bytes, "t.json"); }), HasSubstr(said));
  };
  garbage("", "not valid JSON");
  garbage("{\"model\": \"\xff\"}", "not valid JSON");
  garbage("[]", "must be an object");
  garbage("null", "must be an object");
  garbage(" [0]", "must be an object");
  garbage("{\"a\": " + std::string(100'000, '['), "nested deeper");
  garbage("[0" + std::string(60 << 20, ','), "must be an object");
  EXPECT_THAT(complaint([&] { tokenizer_from_json(small_file().dump(), "t", {.bos = 7}); }),
              HasSubstr("the special token 7 is outside the vocabulary"));
}

TEST(Tokenizer, DamagedFilesNeverCrash) {
  // Every value of the file in turn replaced by every kind of value.
  const json file = small_file();
  const json flat = file.flatten();
  const std::vector<json> values = {
      nullptr, true, -1, 1e300, "", "a", json::array(), json::object(), {{"type", "Sequence"}}};
  std::size_t refused = 0, tried = 0;
  std::set<std::string> places;
  for (const auto& [place, value] : flat.items()) {
    for (std::string at = place; !at.empty(); at = at.substr(0, at.rfind('/'))) places.insert(at);
  }
  for (const std::string& place : places) {
    for (const json& value : values) {
      json damaged = file;
      damaged[json::json_pointer(place)] = value;
      ++tried;
      try {
        tokenizer_of(damaged)->encode("abab <end> c");
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  const std::string text = file.dump();
  for (std::size_t cut = 0; cut < text.size(); ++cut)
    EXPECT_NE(complaint([&] { tokenizer_from_json(text.substr(0, cut), "cut"); }), kFine);
  EXPECT_GT(tried, 200u);
  EXPECT_GT(refused, tried / 2);
}

TEST(Tokenizer, PatternsThatMeanSomethingElseElsewhereAreRefused) {
  for (const char* pattern : {"",
                              "\\h",
                              "\\R",
                              "\\X",
                              "\\K",
                              "\\G",
                              "\\Z",
                              "\\b",
                              "\\B",
                              "\\1",
                              "\\k<a>",
                              "\\Qa\\E",
                              "(?m:a)",
                              "(?x: a)",
                              "(?<name>a)",
                              "(?P<name>a)",
                              "a(?i)b",
                              "(?R)",
                              "(?1)",
                              "(?(1)a|b)",
                              "(*UTF)a",
                              "(*LIMIT_MATCH=1)a",
                              "(?C1)a",
                              "(?#no)a",
                              "a{,3}",
                              "a{2}?",
                              "a{2,3}+",
                              "a{x}",
                              "a{257}",
                              "a{1,99999999999}",
                              "a{",
                              "{",
                              "[a&&b]",
                              "[[:alpha:]]",
                              "[a[b]]",
                              "[]a]",
                              "[a",
                              "[z-a]",
                              "(a",
                              "a)",
                              "*a",
                              "a**",
                              "\\p{Nonsense}",
                              "\\p{L",
                              "\\pL",
                              "\\p{}",
                              "\\p{Any Thing}",
                              "\\x{110000}",
                              "\\x{41",
                              "\\xZZ",
                              "\\xe9",
                              "\\u00",
                              "[\\W]",
                              "[\\b]",
                              "\\",
                              "[\\",
                              "(?<=a*)b",
                              "\xff"})
    EXPECT_THAT(complaint([&] { Pattern::regex(pattern); }), HasSubstr("cannot be used"))
        << pattern;
  EXPECT_THAT(complaint([&] { Pattern::regex(std::string(20'000, 'a')); }),
              HasSubstr("longer than"));
  EXPECT_THAT(complaint([&] { Pattern::regex(std::string(4'000, '(') + std::string(4'000, ')')); }),
              HasSubstr("cannot be used"));
}

TEST(Tokenizer, PatternsThatRunWildAreStopped) {
  const auto stopped = [](const char* pattern, const std::string& text) {
    const Pattern wild = Pattern::regex(pattern);
    EXPECT_THAT(complaint([&] {
                  PatternSteps steps(text.size());
                  wild.each_match(text, steps, [](std::size_t, std::size_t) {});
                }),
                AllOf(HasSubstr("takes too many steps"), HasSubstr(fmt::format("'{}'", pattern))));
  };
  for (const char* pattern : {"(?:a+)+[bc]", "(?:a|a)*[bc]", "(?:aa?)*[bc]", "a*a*a*a*[bc]"})
    stopped(pattern, std::string(3'000, 'a'));
  // Cheap at every place, but only so many places are.
  const auto start = std::chrono::steady_clock::now();
  for (const char* pattern :
       {"\\S(?=[\\s\\S]*)", "\\w(?![\\s\\S]*Q)", "[\\s\\S]*Q|x", "[\\s\\S]*Q", "x(?=.*\\z)",
        "(?:x(?=[\\s\\S]*))*", "x(?=(?:xx)*y?)", "(?=x*)x", "x(?=[^Q]{200}[^Q]*)", "^x|x(?!.*Q)"})
    stopped(pattern, std::string(200'000, 'x'));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Tokenizer, LongMatchesAreWhole) {
  // Longer than what is searched at once, with what decides them far behind.
  const auto matches = [](const char* pattern, const std::string& text) {
    std::vector<std::pair<std::size_t, std::size_t>> found;
    PatternSteps steps(text.size());
    Pattern::regex(pattern).each_match(
        text, steps, [&](std::size_t begin, std::size_t end) { found.emplace_back(begin, end); });
    return found;
  };
  using Found = std::vector<std::pair<std::size_t, std::size_t>>;
  for (const std::size_t n : {100u, 255u, 256u, 257u, 1000u}) {
    const std::string as(n, 'a'), es = [n] {
      std::string text;
      for (std::size_t i = 0; i < n; ++i) text += "é";
      return text;
    }();
    EXPECT_EQ(matches("a+b", as + "b-" + as), (Found{{0, n + 1}})) << n;
    EXPECT_EQ(matches("é+|b", es + "b"), (Found{{0, 2 * n}, {2 * n, 2 * n + 1}})) << n;
    EXPECT_EQ(matches("\\z", as), (Found{{n, n}})) << n;
    EXPECT_EQ(matches("(?<=a)b", as + "b"), (Found{{n, n + 1}})) << n;
    EXPECT_EQ(matches("^b", as + "\nb"), (Found{{n + 1, n + 2}})) << n;
    EXPECT_EQ(matches("a$", as + "\nb"), (Found{{n - 1, n}})) << n;
    EXPECT_EQ(matches("b*?(?!a)", as), (Found{{n, n}})) << n;
    EXPECT_EQ(matches("\\s+(?!\\S)|\\s", std::string(n, ' ') + "a"),
              (Found{{0, n - 1}, {n - 1, n}}))
        << n;
    EXPECT_EQ(matches("a(?=a{200}b)|c", as + "b"), n < 201 ? Found{} : (Found{{n - 201, n - 200}}))
        << n;
  }
}

TEST(Tokenizer, WordCharactersAreThoseOfOniguruma) {
  const auto is = [](const char* pattern, const char* text) {
    bool found = false;
    PatternSteps steps(3);
    Pattern::regex(pattern).each_match(text, steps,
                                       [&](std::size_t, std::size_t) { found = true; });
    return found;
  };
  for (const char* text : {"²", "³", "¹", "¼", "½", "¾"}) {
    EXPECT_TRUE(is("\\w", text)) << text;
    EXPECT_FALSE(is("\\W", text)) << text;
    EXPECT_FALSE(is("[\\w]", text)) << text;
    EXPECT_TRUE(is("[^\\w]", text)) << text;
  }
  for (const char* text : {"a", "é", "日", "٣", "_"}) EXPECT_TRUE(is("\\w", text)) << text;
  for (const char* text : {"º", "ª"}) EXPECT_TRUE(is("[\\w]", text)) << text;
  for (const char* text : {"-", "⁴", "⅓", "»"}) EXPECT_TRUE(is("\\W", text)) << text;
}

TEST(Tokenizer, LongTextsTakeTimeInProportion) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* file : {"neox.json", "gpt2.json", "llama3.json", "odd.json"}) {
    const auto tokenizer = tokenizer_named(golden_folder() / file);
    for (const char* unit : {"a", "ab", " ", "\n", "\xcc\x81\xcc\xa3", "\xff", "the quick ", "'",
                             " <mask>", "\n\n\n", " \xc2\xa0", "\xe6\x97\xa5"}) {
      const std::size_t bytes = unit == std::string("a") ? 1 << 20 : 1 << 18;
      std::string text;
      while (text.size() < bytes) text += unit;
      EXPECT_FALSE(tokenizer->encode(text).empty()) << file;
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(120))
      << "words of 1 MiB and other texts of a quarter";
}

/// The small tokenizer, which knows "-" and line ends too, with added tokens from number 10 on.
std::shared_ptr<const Tokenizer> with_added(const json& tokens) {
  json file = small_file();
  file["model"]["vocab"]["-"] = 7;
  file["model"]["vocab"]["Ċ"] = 8;
  file["model"]["vocab"]["x"] = 9;
  file["pre_tokenizer"]["use_regex"] = false;
  file["normalizer"] = {{"type", "NFC"}};
  int id = 10;
  for (json token : tokens) {
    token["id"] = id++;
    file["added_tokens"].push_back(token);
  }
  return tokenizer_of(file);
}

TEST(Tokenizer, WhiteSpaceIsTakenAlongOnce) {
  const auto numbers = [](bool lstrip, bool rstrip, const std::string& text) {
    return with_added({{{"content", "hello"}, {"rstrip", true}},
                       {{"content", "\n"}, {"lstrip", lstrip}, {"rstrip", rstrip}}})
        ->encode(text);
  };
  EXPECT_THAT(numbers(true, false, "hello \n-"), ElementsAre(10, 7));
  EXPECT_THAT(numbers(true, false, "hello\n-"), ElementsAre(10, 7));
  EXPECT_THAT(numbers(true, false, "hello \n"), ElementsAre(10));
  EXPECT_THAT(numbers(true, false, "hello  \n\n-"), ElementsAre(10, 7));
  EXPECT_THAT(numbers(true, false, "a \n-"), ElementsAre(0, 11, 7));
  EXPECT_THAT(numbers(true, true, "hello  \n\n-"), ElementsAre(10, 7));
  EXPECT_THAT(numbers(true, true, "hello \nhello \n x"), ElementsAre(10, 10, 9));
  EXPECT_THAT(numbers(true, true, "a \n\n\nb"), ElementsAre(0, 11, 1));
  EXPECT_THAT(numbers(false, false, "hello  \n\n-"), ElementsAre(10, 11, 11, 7));
  EXPECT_THAT(numbers(false, false, "hello \n x"), ElementsAre(10, 11, 2, 9));
  EXPECT_THAT(numbers(false, true, "hello \n\n x\n"), ElementsAre(10, 11, 11, 9, 11));
  const auto dash = with_added(
      {{{"content", "hello"}, {"rstrip", true}}, {{"content", "\n-"}, {"lstrip", true}}});
  EXPECT_THAT(dash->encode("hello \n-x"), ElementsAre(10, 11, 9));
  EXPECT_THAT(dash->encode("hello  \n\n-"), ElementsAre(10, 11));
}

TEST(Tokenizer, OfAddedTokensThatLookTheSameTheFirstIsFound) {
  for (const auto& [first, second] : {std::pair{"ṽ", "v\u0303"}, {"v\u0303", "ṽ"}}) {
    const auto tokenizer = with_added(
        {{{"content", first}, {"normalized", true}}, {{"content", second}, {"normalized", true}}});
    EXPECT_THAT(tokenizer->encode("aṽb"), ElementsAre(0, 10, 1));
    EXPECT_THAT(tokenizer->encode("av\u0303b"), ElementsAre(0, 10, 1));
  }
}

TEST(Tokenizer, AddedTokensAreFoundWhereverTheyStand) {
  // Against asking every token at every place, with texts longer than what is looked through once.
  const std::vector<std::string> contents = {"a",    "ab",  "abab",     "ba",     "bab", "bbb",
                                             "xa-x", "-a-", "\xc3\xa9", "aaaaab", "b-",  "--x"};
  std::vector<AddedToken> tokens;
  for (std::size_t i = 0; i < contents.size(); ++i)
    tokens.push_back({.id = static_cast<int>(i), .content = contents[i]});
  const AddedTokenSearch search(tokens, contents);
  std::uint32_t state = 1;
  for (const std::size_t size : {1u, 7u, 500u, 65'535u, 65'536u, 65'537u, 200'000u}) {
    std::string text;
    while (text.size() < size) {
      state = state * 1664525u + 1013904223u;
      text += "ab-x"[state >> 30];
    }
    std::vector<std::pair<std::string, int>> wanted, got;
    std::string between;
    for (std::size_t at = 0; at < text.size();) {
      int best = -1;
      for (const AddedToken& token : tokens)
        if (text.compare(at, token.content.size(), token.content) == 0 &&
            (best < 0 || token.content.size() > contents[static_cast<std::size_t>(best)].size()))
          best = token.id;
      if (best >= 0) {
        if (!between.empty()) wanted.emplace_back(between, -1);
        between.clear();
        wanted.emplace_back(contents[static_cast<std::size_t>(best)], best);
        at += wanted.back().first.size();
      } else {
        between += text[at++];
      }
    }
    if (!between.empty()) wanted.emplace_back(between, -1);
    search.each_part(text, [&](std::string_view part, int id) { got.emplace_back(part, id); });
    EXPECT_TRUE(got == wanted) << size;
  }
}

TEST(Tokenizer, ManyAndLongAddedTokensTakeLittleTime) {
  json many = json::array(), large = json::array();
  for (int i = 0; i < 20'000; ++i) {
    many.push_back({{"content", fmt::format("<|token_{}|>", i)}, {"special", true}});
    large.push_back({{"content", fmt::format("{:05}{}", i, std::string(490, 'a'))}});
  }
  EXPECT_THAT(with_added(many)->encode("a<|token_17|>b<|token_19999|>"),
              ElementsAre(0, 27, 1, 20009));
  EXPECT_THAT(complaint([&] { with_added(large); }), HasSubstr("more than 4 MiB"));
  // Sixteen times as much of anything is some sixteen times the work, and never 256 times.
  const auto growth = [](const std::function<void(std::size_t)>& action, std::size_t most) {
    const auto work = [&](std::size_t size) {
      const double once = processor_seconds([&] { action(size); });
      return std::min(once, processor_seconds([&] { action(size); }));
    };
    return work(most) / work(most / 16);
  };
  const auto first = [](const json& tokens, std::size_t count) {
    json some = tokens;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(count), some.end());
    return some;
  };
  const std::map<std::size_t, json> many_of = {{20'000, many}, {1'250, first(many, 1'250)}},
                                    large_of = {{8'000, first(large, 8'000)},
                                                {500, first(large, 500)}};
  const auto searcher =
      with_added({{{"content", std::string(511, 'a') + "b"}}, {{"content", "aa"}}});
  const double load = growth([&](std::size_t n) { with_added(many_of.at(n)); }, 20'000);
  const double load_large = growth([&](std::size_t n) { with_added(large_of.at(n)); }, 8'000);
  const double find =
      growth([&](std::size_t n) { EXPECT_EQ(searcher->encode(std::string(n, 'a')).size(), n / 2); },
             std::size_t{2} << 20);
  std::printf(
      "[ added    ] sixteen times as many: %.1f times the work, as long: %.1f, searched: %.1f\n",
      load, load_large, find);
  EXPECT_LT(load, 128);
  EXPECT_LT(load_large, 128);
  EXPECT_LT(find, 128);
}

TEST(Tokenizer, AddedTokensOfSpaceAreNoTrap) {
  json file = small_file();
  file["added_tokens"].push_back({{"id", 7},
                                  {"content", " "},
                                  {"lstrip", true},
                                  {"rstrip", true},
                                  {"normalized", false},
                                  {"single_word", true}});
  EXPECT_FALSE(tokenizer_of(file)->encode(std::string(1 << 20, ' ')).empty());
}

TEST(Tokenizer, NormalFormsOfUnicode) {
  const auto nfc = [](std::string_view text) { return normalized(text, {true, false}); };
  EXPECT_EQ(nfc("e\u0301"), "é");
  EXPECT_EQ(nfc("a\u0323\u0307 a\u0307\u0323"), "ạ̇ ạ̇") << "marks are ordered";
  EXPECT_EQ(nfc("\u1112\u1161\u11ab"), "한");
  EXPECT_EQ(nfc("plain"), "plain");
  EXPECT_EQ(nfc("ﬁ"), "ﬁ");
  EXPECT_EQ(normalized("ﬁ² Å", {true, true}), "fi2 Å");
  EXPECT_EQ(normalized("é", {false, false}), "e\u0301");
  EXPECT_EQ(normalized("ﬁé", {false, true}), "fie\u0301");
}

}  // namespace
}  // namespace xlab::tests
