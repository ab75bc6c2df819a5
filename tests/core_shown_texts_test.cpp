// Chat templates and vocabularies beside a model: found, cut, made fit to be shown, never followed.
#include "core/files/shown_texts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/hf_folder.hpp"
#include "core/generation/stepper.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

class ShownTexts : public testing::Test {
 protected:
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const ShownText& text : texts_beside(folder_.path())) names.push_back(text.file);
    return names;
  }
  void put(const char* name, const std::string& text) const { put_file(folder_ / name, text); }
  ShownText only() const {
    const auto texts = texts_beside(folder_.path());
    EXPECT_EQ(texts.size(), 1u);
    return texts.empty() ? ShownText{} : texts.front();
  }
  TemporaryFolder folder_;
};

TEST_F(ShownTexts, AreThoseOfOtherPrograms) {
  EXPECT_THAT(files(), IsEmpty());
  put("chat_template.jinja", "{% for m in messages %}\n{{ m }}\r\n{% endfor %}");
  put("vocab.json", R"({"a": 0})");
  put("merges.txt", "#version: 0.2\na b\n");
  put("README.md", "not shown");
  put("tokenizer_config.json",
      json{{"chat_template", json::array({{{"name", "default"}, {"template", "{{ bos }}"}},
                                          {{"name", "tools"}, {"template", "{{ tools }}"}},
                                          {{"name", "empty"}},
                                          17})}}
          .dump());
  EXPECT_THAT(files(), ElementsAre("chat_template.jinja", "default of tokenizer_config.json",
                                   "tools of tokenizer_config.json", "vocab.json", "merges.txt"));
  const auto texts = texts_beside(folder_.path());
  EXPECT_EQ(texts[0].what, "chat template");
  EXPECT_EQ(texts[0].text, "{% for m in messages %}\n{{ m }}\n{% endfor %}");
  EXPECT_EQ(texts[0].bytes, 45u);
  EXPECT_EQ(texts[2].text, "{{ tools }}");
  EXPECT_EQ(texts[2].bytes, 11u);
  EXPECT_EQ(texts[3].what, "vocabulary");
  EXPECT_EQ(texts[4].text, "#version: 0.2\na b\n");
}

TEST_F(ShownTexts, OneTemplateIsAText) {
  put("tokenizer_config.json", R"({"chat_template": "{{ eos }}", "eos_token": "<end>"})");
  EXPECT_EQ(only().file, "chat_template of tokenizer_config.json");
  EXPECT_EQ(only().text, "{{ eos }}");
}

TEST_F(ShownTexts, LongOnesAreCutBetweenCharacters) {
  std::string text(8191, 'x');
  put("vocab.txt", text + "ü" + text);
  EXPECT_EQ(only().bytes, 2 * 8191u + 2);
  EXPECT_EQ(only().text, text + "…");
  put("vocab.txt", text + "y");
  EXPECT_EQ(only().text, text + "y") << "of the longest that is shown nothing is missing";
}

TEST_F(ShownTexts, StrangeBytesAreMadeFitToBeShown) {
  put("chat_template.jinja", std::string("a\x1b[31m\0\xff\tb\x7f", 11));
  EXPECT_EQ(only().text, "a?[31m?\xef\xbf\xbd\tb?");
  put("chat_template.jinja", "x\u009b31m\u202ey\u2069é");
  EXPECT_EQ(only().text, "x?31m?y?é");
}

TEST_F(ShownTexts, WhatCannotBeReadIsLeftOut) {
  put("tokenizer_config.json", "{\"chat_template\": ");
  EXPECT_THAT(files(), IsEmpty());
  put("tokenizer_config.json", "[1, 2]");
  EXPECT_THAT(files(), IsEmpty());
  put("tokenizer_config.json", R"({"chat_template": {"a": 1}})");
  EXPECT_THAT(files(), IsEmpty());
  std::filesystem::create_directory(folder_ / "vocab.json");
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(ShownTexts, ChangeNoBitOfTheModel) {
  write_model_folder(filled_model(small_large(), DType::f32), folder_.path());
  const std::vector<int> tokens = {3, 1, 4};
  const auto logits = [&] {
    return Stepper(*ModelFolder(folder_.path()).read(FolderUse::read)).feed(tokens);
  };
  const auto before = logits();
  put("chat_template.jinja", "{{ raise_exception('no') }}");
  const ModelFolder folder(folder_.path());
  ASSERT_EQ(folder.was_read().texts.size(), 1u);
  EXPECT_EQ(folder.was_read().texts[0].text, "{{ raise_exception('no') }}");
  EXPECT_EQ(logits(), before);
}

}  // namespace
}  // namespace xlab::tests
