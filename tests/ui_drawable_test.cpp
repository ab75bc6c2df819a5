// Texts of people as the canvases can draw them: scripts from right to left, and what the font
// lacks.
#include "ui/drawable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/utf8.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

/// As the shared font of the tests draws it.
std::string drawn(const std::string& text) {
  return drawable(text, *shared_fonts()->Fonts[0]).value_or(text);
}

std::vector<char32_t> characters(const std::string& text) {
  std::vector<char32_t> all;
  for (std::size_t at = 0; at < text.size();) {
    const auto one = decode_utf8(text, at);
    if (!one) return {};
    all.push_back(one->code_point);
    at += one->bytes;
  }
  return all;
}

bool in_font(const std::string& text) {
  const auto all = characters(text);
  return std::all_of(all.begin(), all.end(), [](char32_t c) {
    return shared_fonts()->Fonts[0]->FindGlyphNoFallback(static_cast<ImWchar>(c)) != nullptr;
  });
}

TEST(Drawable, MostTextsAreDrawnAsTheyAre) {
  const ImFont& font = *shared_fonts()->Fonts[0];
  for (const char* text : {"", "token 3", "Große Gates", "σ(f) ≥ 1.5e−3 → ⟨q, n⟩", "Привет",
                           "Ελληνικά", "Հայ", "ქართ", "�"})
    EXPECT_EQ(drawable(text, font), std::nullopt) << text;
}

TEST(Drawable, WhatTheFontLacksIsNamedByItsCodePoint) {
  EXPECT_EQ(drawn("漢字"), "U+6F22U+5B57");
  EXPECT_EQ(drawn("a😀b"), "aU+1F600b");
  EXPECT_EQ(drawn("x\u200by"), "xU+200By") << "what cannot be seen is seen";
  EXPECT_EQ(drawn("\xff!"), "�!");
  EXPECT_TRUE(in_font(drawn("漢字😀")));
}

TEST(Drawable, HebrewIsReadFromTheRight) {
  EXPECT_EQ(drawn("שלום"), "םולש");
  EXPECT_EQ(drawn("token שלום 12"), "token 12 םולש") << "numbers belong to the Hebrew before them";
  EXPECT_EQ(drawn("ש"), "ש");
  EXPECT_TRUE(in_font(drawn("שלום עולם")));
}

TEST(Drawable, ArabicIsJoinedAndReadFromTheRight) {
  // meem initial, reh final, hah initial, beh medial, alef final: from left to right the other way.
  EXPECT_EQ(characters(drawn("مرحبا")),
            (std::vector<char32_t>{0xfe8e, 0xfe92, 0xfea3, 0xfeae, 0xfee3}));
  // Lam and alef are one sign.
  EXPECT_EQ(characters(drawn("لا")), (std::vector<char32_t>{0xfefb}));
  EXPECT_TRUE(in_font(drawn("مرحبا لا")));
  EXPECT_NE(drawn("\ufeffא"), drawn("א")) << "what cannot be seen is seen here too";
}

TEST(Drawable, TokensOfEveryScriptCanBeToldApart) {
  Snapshot snapshot = text_scene();
  auto model = std::make_shared<ModelCard>(*snapshot.model);
  const std::vector<std::string> labels = {"漢", "字", "ש", "ל", "😀", "😁", "م", "ن"};
  for (std::size_t i = 0; i < labels.size(); ++i) model->vocabulary[i] = labels[i];
  snapshot.model = model;
  for (std::size_t i = 0; i < snapshot.sequence.tokens.size(); ++i)
    snapshot.sequence.tokens[i] = static_cast<int>(i % labels.size());
  Stage stage(snapshot);
  stage.size = {1400, 220};
  for (const auto& view : make_views()) {
    if (view->name() != "time") continue;
    stage.frame(*view);
    stage.frame(*view);
  }
  for (const std::string& label : labels)
    EXPECT_TRUE(std::any_of(stage.log.texts.begin(), stage.log.texts.end(),
                            [&](const DrawLog::Text& text) { return text.shown == drawn(label); }))
        << label;
  for (const DrawLog::Text& text : stage.log.texts)
    EXPECT_EQ(text.shown.find("�"), std::string::npos) << text.shown;
}

}  // namespace
}  // namespace xlab::tests
