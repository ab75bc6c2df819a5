// Text of any script becomes numbers and comes back; what is no text is refused with a sentence.
#include "core/tasks/training_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/tasks/task.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"
#include "tests/complaint.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_literals;

TextData text_of(const std::string& text) {
  return text_from_bytes(std::as_bytes(std::span(text)), "notes.txt");
}

TEST(Tasks, WriteTokensThatOnlyTheModelKnowsByTheirNumbers) {
  const auto task = make_task("parity");
  const auto known = static_cast<int>(task->vocabulary().size());
  const std::vector<int> tokens = {0, known, known + 7};
  const std::string text = task->decode(tokens);
  EXPECT_NE(text.find(task->vocabulary()[0]), std::string::npos) << text;
  for (const int token : {known, known + 7})
    EXPECT_NE(text.find("<" + std::to_string(token) + ">"), std::string::npos) << text;
}

TEST(Text, CharactersAreNumberedByCodePoint) {
  const TextData data = text_of("banana é");
  EXPECT_EQ(data.name, "notes.txt");
  EXPECT_THAT(data.vocabulary, ElementsAre(" ", "a", "b", "n", "é"));
  EXPECT_THAT(data.ids, ElementsAre(2, 1, 3, 1, 3, 1, 0, 4));
  EXPECT_EQ(decode_text(data.vocabulary, data.ids), "banana é");
}

TEST(Text, EveryScriptComesBack) {
  const std::vector<std::string> texts = {
      "The quick brown fox\n",
      "Line one\r\nline two\rline three\n\n",
      "Zażółć gęślą jaźń — „cytat”",
      "Ελληνικά Русский עברית العربية",
      "हिन्दी ไทย 한국어 日本語 中文",
      "👩‍👩‍👧‍👦 🇩🇪 é é 😀",
      "\t\x01\x7f controls",
      "𝛁𝑥 ∈ ℝ",
      "\xf4\x8f\xbf\xbf last and \xef\xbf\xbf no characters",
      "aa",
  };
  for (const std::string& text : texts) {
    const TextData data = text_of(text);
    EXPECT_EQ(decode_text(data.vocabulary, data.ids), text);
    EXPECT_EQ(encode_text(data.vocabulary, text), data.ids);
    EXPECT_NO_THROW(check_vocabulary(data.vocabulary));
  }
}

TEST(Text, EveryCharacterThereIs) {
  std::string text;
  for (char32_t code_point = 1; code_point < 0x110000; ++code_point) {
    if (code_point < 0xd800 || code_point > 0xdfff) text += encode_utf8(code_point);
  }
  const TextData data = text_of(text);
  ASSERT_EQ(data.vocabulary.size(), 0x110000u - 0x800u - 1u);
  ASSERT_EQ(data.ids.size(), data.vocabulary.size());
  for (std::size_t i = 0; i < data.ids.size(); ++i) {
    ASSERT_EQ(data.ids[i], static_cast<std::int32_t>(i));
  }
  EXPECT_EQ(encode_text(data.vocabulary, text), data.ids);
  EXPECT_NO_THROW(check_vocabulary(data.vocabulary));
}

TEST(Text, TheByteOrderMarkIsDropped) {
  const TextData data = text_of("\xef\xbb\xbfhi");
  EXPECT_THAT(data.vocabulary, ElementsAre("h", "i"));
  EXPECT_EQ(text_of("h\xef\xbb\xbfi").ids.size(), 3u) << "only at the start";
}

TEST(Text, WhatIsNoTextIsRefused) {
  const auto refuses = [](const std::string& bytes, const std::string& why) {
    EXPECT_THAT(complaint([&] { text_of(bytes); }), AllOf(HasSubstr("'notes.txt'"), HasSubstr(why)))
        << testing::PrintToString(bytes);
  };
  refuses("", "is empty");
  refuses("\xef\xbb\xbf", "has 0 characters, too few to learn from: at least two are needed");
  refuses("a", "has 1 character, too few");
  refuses("😀", "has 1 character, too few");
  refuses("abc\0def"s, "zero byte at position 3");
  refuses("ab\x80", "the byte at position 2 (0x80) fits nowhere");
  refuses("caf\xe9 au lait", "position 3 (0xE9)");  // Latin-1
  refuses("\xff\xfeh\0i\0"s, "position 0 (0xFF)");  // UTF-16
  refuses("\x89PNG\r\n\x1a\n", "position 0 (0x89)");
  refuses("PK\x03\x04\x14\0\0\0"s, "zero byte at position 5");
  refuses("a\xc0\xaf", "position 1 (0xC0)");  // overlong
  refuses("a\xc1\xbf", "position 1 (0xC1)");
  refuses("a\xe0\x9f\xbf", "position 1 (0xE0)");
  refuses("a\xf0\x8f\xbf\xbf", "position 1 (0xF0)");
  refuses("a\xed\xa0\x80", "position 1 (0xED)");  // surrogate
  refuses("a\xed\xbf\xbf", "position 1 (0xED)");
  refuses("a\xf4\x90\x80\x80", "position 1 (0xF4)");  // above U+10FFFF
  refuses("a\xf8\x88\x80\x80\x80", "position 1 (0xF8)");
  refuses("ab\xe2\x82", "position 2 (0xE2)");  // cut off
  refuses("ab\xf0\x9f\x98", "position 2 (0xF0)");
  refuses("ab\xc3", "position 2 (0xC3)");
  refuses("ab\xc3z", "position 2 (0xC3)");
}

TEST(Text, FilesAreRead) {
  const TemporaryFolder folder;
  const auto path = folder / "my story é.txt";
  put_file(path, "once\r\nupon\r\n");
  const TextData data = read_text(path);
  EXPECT_EQ(data.name, "my story é.txt");
  EXPECT_EQ(decode_text(data.vocabulary, data.ids), "once\r\nupon\r\n");

  const auto refuses = [](const std::filesystem::path& file, const std::string& why) {
    EXPECT_THAT(complaint([&] { read_text(file); }), HasSubstr(why)) << file;
  };
  refuses(folder / "missing.txt", "No such file or directory");
  refuses(folder.path(), "it is a folder, not a file");
  refuses("/dev/zero", "it is a device, not a file");
  put_file(path, "");
  refuses(path, "is empty");
  std::filesystem::resize_file(path, kMostTextBytes + 1);
  refuses(path, "it is larger than 256 MiB");
}

TEST(Text, AnotherTokenizerMayReadIt) {
  const std::string binary = "\xef\xbb\xbf\0\xff"s;
  const TextData bytes =
      text_from_bytes(std::as_bytes(std::span(binary)), "data.bin", byte_tokenizer());
  EXPECT_THAT(bytes.ids, ElementsAre(0xef, 0xbb, 0xbf, 0, 0xff)) << "every byte of any file";
  EXPECT_EQ(bytes.vocabulary.size(), 256u);
  EXPECT_EQ(bytes.vocabulary['a'], "a");

  const auto bpe =
      tokenizer_named(std::filesystem::path(XLAB_TOKENIZER_GOLDEN_DEFAULT) / "neox.json");
  const std::string story = "\xef\xbb\xbfOnce upon a time — 日本\n";
  const TextData tokens = text_from_bytes(std::as_bytes(std::span(story)), "story.txt", bpe);
  EXPECT_EQ(bpe->decode(tokens.ids), story.substr(3)) << "without the byte order mark";
  EXPECT_EQ(tokens.vocabulary[static_cast<std::size_t>(tokens.ids[0])], bpe->bytes(tokens.ids[0]));
  const auto refuses = [&](const std::string& text, const std::string& why) {
    EXPECT_THAT(
        complaint([&] { text_from_bytes(std::as_bytes(std::span(text)), "notes.txt", bpe); }),
        AllOf(HasSubstr("'notes.txt'"), HasSubstr(why)));
  };
  // Words alone do not give the text back: it has to be opened again.
  const auto words =
      tokenizer_named(std::filesystem::path(XLAB_TOKENIZER_GOLDEN_DEFAULT) / "words.json");
  const std::string line = "the  words of\na text";
  TextData known = text_from_bytes(std::as_bytes(std::span(line)), "words.txt", words);
  EXPECT_EQ(bytes_of(known), words->decode(known.ids));
  EXPECT_THAT(complaint([&] { read_again(known, nullptr); }),
              AllOf(HasSubstr("'words.txt'"), HasSubstr("open the file again")));
  refuses("caf\xe9 au lait", "position 3 (0xE9)");
  refuses("abc\0def"s, "zero byte at position 3");
  refuses("", "has 0 tokens, too few");
  refuses("a", "has 1 token, too few");
}

TEST(Text, UnknownCharactersAreNamed) {
  const TextData data = text_of("hello");
  const auto encode = [&](const std::string& text) {
    return complaint([&] { encode_text(data.vocabulary, text); });
  };
  EXPECT_TRUE(encode_text(data.vocabulary, "").empty());
  EXPECT_EQ(encode("he€l"), "The model never saw the character '€' (U+20AC).");
  EXPECT_EQ(encode("😀"), "The model never saw the character '😀' (U+1F600).");
  EXPECT_EQ(encode("a"), "The model never saw the character 'a' (U+0061).");
  EXPECT_EQ(encode("z"), "The model never saw the character 'z' (U+007A).");
  EXPECT_EQ(encode("\n"), "The model never saw the character U+000A.");
  EXPECT_THAT(encode("he\xff"), HasSubstr("the byte at position 2"));

  const std::vector<std::int32_t> outside = {0, 4};
  EXPECT_THAT(complaint([&] { decode_text(data.vocabulary, outside); }),
              HasSubstr("no character number 4: the vocabulary has 4"));
  EXPECT_THAT(complaint([&] { decode_text(data.vocabulary, std::vector<std::int32_t>{-1}); }),
              HasSubstr("-1"));
}

TEST(Text, VocabulariesFromFilesAreChecked) {
  const auto refuses = [](const std::vector<std::string>& vocabulary, const std::string& why) {
    EXPECT_THAT(complaint([&] { check_vocabulary(vocabulary); }), HasSubstr(why));
  };
  EXPECT_NO_THROW(check_vocabulary(std::vector<std::string>{"a", "é", "😀"}));
  refuses({"a", ""}, "Entry 1 of the vocabulary, '', is not one character");
  refuses({"ab"}, "is not one character");
  refuses({"\xff"}, "is not one character");
  refuses({"b", "a"}, "does not come after");
  refuses({"a", "a"}, "does not come after");
}

TEST(Utf8, ForeignTextIsMadeFitForASentence) {
  EXPECT_EQ(printable("plain é"), "plain é");
  EXPECT_EQ(printable("a\nb\0c\x7f\xc2\x85\xff"s), "a?b?c???");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
  EXPECT_EQ(printable("ééé", 3), "é…") << "no half characters";
  EXPECT_EQ(find_invalid_utf8("abc"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\xc3"), 2u);
  EXPECT_EQ(code_point_text(U'é'), "U+00E9");
}

}  // namespace
}  // namespace xlab::tests
