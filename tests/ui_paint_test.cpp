// Numbers, colours, tables, decimation and plots, without any view.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "kernels/check.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/decimate.hpp"
#include "ui/equation.hpp"
#include "ui/heat.hpp"
#include "ui/number.hpp"
#include "ui/plot.hpp"
#include "ui/time_window.hpp"
#include "ui/values.hpp"

namespace xlab::tests {
namespace {

using namespace ui;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Number, ShowsThreeSignificantDigits) {
  const std::pair<double, const char*> cases[] = {{0.0, "0"},
                                                  {1.0, "1"},
                                                  {0.5, "0.500"},
                                                  {-12.345, "−12.3"},
                                                  {123.456, "123"},
                                                  {12345.6, "12346"},
                                                  {0.00123456, "0.00123"},
                                                  {9.996, "10.0"},
                                                  {99.96, "100"},
                                                  {0.09996, "0.100"},
                                                  {1.23e-7, "1.23e−7"},
                                                  {1.5e12, "1.50e12"},
                                                  {-2.5e-10, "−2.50e−10"},
                                                  {65536, "65536"},
                                                  {kNan, "NaN"},
                                                  {kInf, "+Inf"},
                                                  {-kInf, "−Inf"},
                                                  {123456, "1.23e5"},
                                                  {0.0001, "0.000100"},
                                                  {99999.7, "1.00e5"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(short_number(value), text) << value;
}

TEST(Number, GivesUpDigitsBeforeItIsCut) {
  using Forms = std::vector<std::string>;
  EXPECT_EQ(number_forms(-0.03125), (Forms{"−0.0312", "−0.031", "−0.03"}));
  EXPECT_EQ(number_forms(1.5), (Forms{"1.50", "1.5", "2"}));
  EXPECT_EQ(number_forms(0.00012345), (Forms{"0.000123", "1.23e−4", "1.2e−4", "1e−4"}));
  EXPECT_EQ(number_forms(1.9419446e-9), (Forms{"1.94e−9", "1.9e−9", "2e−9"}));
  EXPECT_EQ(number_forms(2000.0), (Forms{"2000", "2e3"}));
  EXPECT_EQ(number_forms(12345.0), (Forms{"12345", "1e4"}));
  EXPECT_EQ(number_forms(123.4), (Forms{"123"}));
  EXPECT_EQ(number_forms(7.0), (Forms{"7"}));
  EXPECT_EQ(number_forms(0.0), (Forms{"0"}));
  EXPECT_EQ(number_forms(std::nan("")), (Forms{"NaN"}));
  EXPECT_EQ(number_forms(-kInf), (Forms{"−Inf"}));
  // Every form reads back as the number to as many digits as it shows.
  for (const double value : {3.14159, -27.1828, 0.000456789, 9.99e7, -1.0e-12, 99.96, 0.9996}) {
    for (std::string form : number_forms(value)) {
      for (std::size_t at; (at = form.find("−")) != std::string::npos;)
        form = form.substr(0, at) + "-" + form.substr(at + 3);
      EXPECT_NEAR(std::stod(form), value, std::abs(value) * 0.51) << form;
    }
  }
}

TEST(Number, WritesLogarithmsWithWhatTheyStandFor) {
  EXPECT_EQ(log_number(3.2), "e^3.2 (24.5)");
  EXPECT_EQ(log_number(-0.05), "e^−0.05 (0.951)");
  EXPECT_EQ(log_number(900.0), "e^900.0 (> 1e308)");
  EXPECT_EQ(log_number(-900.0), "e^−900.0 (< 1e−307)");
  EXPECT_EQ(log_number(kNan), "NaN");
  EXPECT_EQ(log_number(-kInf), "e^−Inf (0)");
}

TEST(Number, CopiesWithoutLoss) {
  for (const float value : {0.1f, 1.0f / 3.0f, -3e-42f, 1e38f, 0.0f, 16777217.0f, kInf, -kInf}) {
    EXPECT_EQ(std::strtof(full_number(value).c_str(), nullptr), value);
  }
  for (const double value : {0.1, 1.0 / 3.0, -5e-324, 1e308}) {
    EXPECT_EQ(std::strtod(full_number(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(full_number(kNan), "nan");
  EXPECT_EQ(full_number(-kNan), "nan");
}

TEST(Number, LabelsTicksWithNoMoreDigitsThanNeeded) {
  EXPECT_EQ(tick_number(0.5, 0.5), "0.5");
  EXPECT_EQ(tick_number(2.0, 0.5), "2.0");
  EXPECT_EQ(tick_number(-5.0, 5.0), "−5");
  EXPECT_EQ(tick_number(1e-18, 0.5), "0");
  EXPECT_EQ(tick_number(0.25, 0.25), "0.2") << "a quarter is no tick of ours";
  EXPECT_EQ(tick_number(3e6, 1e6), "3e6");
}

TEST(Equation, PutsSubscriptsWhereThereAreSome) {
  EXPECT_EQ(typeset_equation("m_{t−1} = f'_12 x_t"), "mₜ₋₁ = f'₁₂ xₜ");
  EXPECT_EQ(typeset_equation("W_q x_ _{t"), "W_q x_ _{t");
  EXPECT_EQ(typeset_equation("trailing_"), "trailing_");
}

TEST(Colour, ZeroIsExactlyTheNeutralColour) {
  for (const PaletteName name : {PaletteName::light, PaletteName::dark, PaletteName::projector}) {
    const Palette& p = palette(name);
    for (const double range : {1e-9, 0.3, 7.0, 1e9}) {
      const ColourScale scale(p, MapName::signed_values, 0.0, range);
      EXPECT_EQ(scale(0.0), p.zero);
      EXPECT_EQ(scale(range), IM_COL32(0x08, 0x77, 0xBD, 255));
      EXPECT_EQ(scale(-range), IM_COL32(0xF5, 0x93, 0x22, 255));
      EXPECT_EQ(scale(5 * range), scale(range)) << "beyond the range: the end's colour";
      EXPECT_EQ(scale.low(), -range);
    }
  }
  EXPECT_EQ(palette(PaletteName::light).zero, IM_COL32(0xE8, 0xEA, 0xEB, 255));
  EXPECT_EQ(palette(PaletteName::dark).zero, palette(PaletteName::dark).panel);
}

TEST(Colour, WhatIsNoNumberIsMagentaOnEveryMap) {
  for (const MapName map : {MapName::signed_values, MapName::unit, MapName::log_domain}) {
    const ColourScale scale(palette(PaletteName::light), map, 0.0, 1.0);
    for (const float odd : {kNan, kInf, -kInf}) EXPECT_EQ(scale(odd), kNotANumber);
    EXPECT_NE(scale(0.5), kNotANumber);
  }
}

TEST(Colour, RangesOfNothingStillMakeAMap) {
  for (const double odd : {0.0, static_cast<double>(kNan), static_cast<double>(kInf)}) {
    for (const MapName map : {MapName::signed_values, MapName::unit, MapName::log_domain}) {
      const ColourScale scale(palette(PaletteName::dark), map, odd, odd);
      EXPECT_GT(scale.high(), scale.low());
      EXPECT_NE(scale(0.0), kNotANumber);
    }
  }
}

TEST(Colour, PalettesAreFoundByName) {
  EXPECT_EQ(palette_name("dark"), PaletteName::dark);
  EXPECT_EQ(palette(palette_name("projector")).name, PaletteName::projector);
  EXPECT_THROW(palette_name("pink"), Error);
  EXPECT_EQ(readable_on(IM_COL32_WHITE), IM_COL32_BLACK);
  EXPECT_EQ(readable_on(IM_COL32(0, 0, 60, 255)), IM_COL32_WHITE);
  EXPECT_EQ(with_alpha(IM_COL32_WHITE, 0.5f) >> IM_COL32_A_SHIFT, 128u);
}

TEST(Colour, GatesDifferInMoreThanColour) {
  const Palette& p = palette(PaletteName::light);
  EXPECT_EQ(gate_style(p, 'i').colour, IM_COL32(0xD5, 0x5E, 0x00, 255));
  EXPECT_EQ(gate_style(p, 'f').dash, Dash::dashed);
  EXPECT_EQ(gate_style(p, 'o').dash, Dash::dotted);
  EXPECT_EQ(gate_style(p, 'z').dash, Dash::dash_dot);
  EXPECT_TRUE(gate_style(p, 'm').stepped);
  EXPECT_GT(gate_style(p, 'c').width, gate_style(p, 'n').width);
  EXPECT_EQ(gate_style(palette(PaletteName::dark), 'm').colour, IM_COL32_WHITE);
}

TEST(Decimate, KeepsTheExtremesOfEveryColumn) {
  std::vector<float> values(10000);
  Noise noise(7);
  for (float& value : values) value = static_cast<float>(noise.next());
  values[1234] = 50.0f;
  values[4321] = -50.0f;
  values[7777] = kNan;
  const std::vector<int> kept = decimate(values, 100);
  EXPECT_LE(kept.size(), 201u);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end());
  for (const int index : {1234, 4321, 7777}) {
    EXPECT_NE(std::find(kept.begin(), kept.end(), index), kept.end()) << index;
  }
  for (int column = 0; column < 100; ++column) {
    float low = 2.0f, high = -2.0f, kept_low = 2.0f, kept_high = -2.0f;
    for (int i = column * 100; i < column * 100 + 100; ++i) {
      const float value = values[static_cast<std::size_t>(i)];
      if (std::isnan(value)) continue;
      low = std::min(low, value), high = std::max(high, value);
      if (std::binary_search(kept.begin(), kept.end(), i)) {
        kept_low = std::min(kept_low, value), kept_high = std::max(kept_high, value);
      }
    }
    EXPECT_EQ(low, kept_low);
    EXPECT_EQ(high, kept_high);
  }
}

TEST(Decimate, LeavesShortCurvesAlone) {
  const float values[] = {1.0f, kNan, 3.0f};
  EXPECT_EQ(decimate(values, 2), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(decimate({}, 10), std::vector<int>{});
  EXPECT_EQ(decimate(values, 0).size(), 3u);
}

TEST(Heat, SharedPixelsShowTheValueFurthestFromZero) {
  const ColourScale scale(palette(PaletteName::light), MapName::signed_values, 0.0, 2.0);
  const float values[] = {0.1f, -2.0f, 0.3f, 0.4f,  //
                          0.5f, 0.6f,  0.7f, kNan};
  const HeatPixels whole = heat_pixels(values, 2, 4, 100, 100, scale);
  EXPECT_EQ(whole.width, 4);
  EXPECT_EQ(whole.height, 2);
  EXPECT_FALSE(whole.reduced);
  EXPECT_EQ(whole.pixels[1], scale(-2.0));
  const HeatPixels half = heat_pixels(values, 2, 4, 1, 2, scale);
  EXPECT_TRUE(half.reduced);
  ASSERT_EQ(half.pixels.size(), 2u);
  EXPECT_EQ(half.pixels[0], scale(-2.0));
  EXPECT_EQ(half.pixels[1], kNotANumber);
  EXPECT_TRUE(heat_pixels(values, 3, 4, 9, 9, scale).pixels.empty()) << "too few values";
  EXPECT_TRUE(heat_pixels({}, 0, 0, 9, 9, scale).pixels.empty());
}

TEST(Heat, CountsWhatTheColoursCannotShow) {
  const ColourScale scale(palette(PaletteName::light), MapName::unit, 0.0, 1.0);
  const float values[] = {0.0f, 1.0f, 1.5f, kNan, kInf, kInf, -kInf};
  const Outside o = outside(values, scale);
  EXPECT_TRUE(o.above);
  EXPECT_FALSE(o.below);
  EXPECT_EQ(o.nan, 1);
  EXPECT_EQ(o.plus_inf, 2);
  EXPECT_EQ(o.minus_inf, 1);
  EXPECT_EQ(largest(values), 1.5);
  const float third = 1.0f / 3.0f;
  const ColourScale own(palette(PaletteName::light), MapName::signed_values, 0.0,
                        largest({&third, 1}));
  EXPECT_FALSE(outside({&third, 1}, own).above);
}

TEST(Table, QuotesWhatNeedsIt) {
  Table table;
  table.columns = {"label", "value, nats"};
  table.rows = {{"a", "1.5"}, {"\"", ""}, {"line\nbreak", "x"}, {",", "ü"}};
  EXPECT_EQ(table.csv(),
            "label,\"value, nats\"\r\na,1.5\r\n\"\"\"\",\r\n\"line\nbreak\",x\r\n\",\",ü\r\n");
}

TEST(Plot, TicksAreRoundNumbersInsideTheRange) {
  EXPECT_EQ(ticks({-6.7, 6.7}, 3), (std::vector<double>{-5.0, 0.0, 5.0}));
  EXPECT_EQ(ticks({0.0, 1.0}, 3), (std::vector<double>{0.0, 0.5, 1.0}));
  EXPECT_EQ(ticks({0.1, 100.0, true}, 4), (std::vector<double>{0.1, 1.0, 10.0, 100.0}));
  EXPECT_GE(ticks({0.15, 0.3, true}, 5).size(), 2u) << "less than a decade still has ticks";
  EXPECT_TRUE(ticks({1.0, 1.0}, 5).empty());
  for (const double span : {1e-9, 0.037, 1.0, 42.0, 9e8}) {
    for (int most = 2; most < 12; ++most) {
      const auto marks = ticks({-span / 3, span}, most);
      EXPECT_LE(static_cast<int>(marks.size()), most + 1);
      EXPECT_GE(marks.size(), 1u);
    }
  }
}

TEST(Plot, AxesGoBothWays) {
  const Box box{{10, 20}, {110, 220}};
  for (const Axis& axis : {Axis{-2.0, 6.0}, Axis{0.01, 10.0, true}}) {
    EXPECT_FLOAT_EQ(axis.y(axis.low, box), 220.0f);
    EXPECT_FLOAT_EQ(axis.y(axis.high, box), 20.0f);
    for (const double value : {0.02, 0.5, 5.0}) {
      EXPECT_NEAR(axis.value(axis.y(value, box), box), value, 1e-4 * value);
    }
  }
  const Axis flat = padded(3.0, 3.0);
  EXPECT_DOUBLE_EQ(flat.low, 1.5);
  EXPECT_DOUBLE_EQ(flat.high, 4.5);
  const Axis zero = padded(0.0, 0.0);
  EXPECT_DOUBLE_EQ(zero.low, -1.0);
  EXPECT_DOUBLE_EQ(zero.high, 1.0);
  EXPECT_LT(padded(kInf, -kInf).low, padded(kInf, -kInf).high)
      << "nothing to show still has an axis";
}

TEST(TimeWindow, KeepsTheCursorInSight) {
  const Box box{{0, 0}, {200, 50}};
  TimeWindow window;
  for (const int cursor : {0, 1, 40, 19, 4999, 2500, 0}) {
    window.update(5000, cursor, box, 10, 50);
    EXPECT_TRUE(window.shows(cursor)) << cursor;
    EXPECT_EQ(window.count(), 20);
    EXPECT_EQ(window.step_at(window.x(cursor)), cursor);
  }
  window.scroll(300);
  window.update(5000, 0, box, 10, 50);
  EXPECT_FALSE(window.shows(0)) << "scrolling away is allowed as long as the cursor rests";
  window.update(5000, 1, box, 10, 50);
  EXPECT_TRUE(window.shows(1));
  window.update(3, 1, box, 10, 50);
  EXPECT_TRUE(window.all_visible());
  EXPECT_FLOAT_EQ(window.column_width(), 50.0f);
  window.update(0, -1, box, 10, 50);
  EXPECT_EQ(window.first(), 0);
}

TEST(TimeWindow, FollowsACursorThatIsComputedOnlyAfterwards) {
  const Box box{{0, 0}, {200, 50}};
  TimeWindow window;
  window.update(12, 3, box, 10, 50);
  for (const int known : {12, 40, 140, 200}) {
    window.update(known, 199, box, 10, 50);
    EXPECT_EQ(window.shows(199), known == 200) << known;
  }
  window.scroll(-100);
  window.update(200, 199, box, 10, 50);
  EXPECT_FALSE(window.shows(199)) << "once it is reached, scrolling away is allowed";
}

TEST(TimeWindow, NeverLeavesTheSequenceNotEvenForAFrame) {
  TimeWindow window;
  window.update(100, 0, {{0, 0}, {400, 20}}, 20.0f, 40.0f);
  ASSERT_EQ(window.count(), 20);
  window.scroll(-3);
  EXPECT_EQ(window.first(), 0);
  window.scroll(1000);
  EXPECT_EQ(window.first(), 80);
  window.zoom(2.0f, 99);
  EXPECT_GE(window.first(), 0);
  EXPECT_LE(window.first() + window.count(), 100);
}

TEST(TimeWindow, NumbersStepsInRoundStrides) {
  TimeWindow window;
  window.update(5000, 0, {{0, 0}, {200, 50}}, 10, 50);
  EXPECT_EQ(window.label_stride(9), 1);
  EXPECT_EQ(window.label_stride(18), 2);
  EXPECT_EQ(window.label_stride(31), 5);
  EXPECT_EQ(window.label_stride(120), 20);
  EXPECT_EQ(window.label_stride(4000), 500);
}

TEST(TimeWindow, ZoomsAroundTheMouse) {
  const Box box{{0, 0}, {200, 50}};
  TimeWindow window;
  window.update(5000, 100, box, 10, 50);
  const int before = window.count();
  const float x = window.x(100);
  window.zoom(2.0f, 100);
  window.update(5000, 100, box, 10, 50);
  EXPECT_GT(window.count(), before);
  EXPECT_NEAR(window.x(100), x, 10.0f);
  for (int i = 0; i < 40; ++i) {
    window.zoom(2.0f, 100);
    window.update(5000, 100, box, 10, 50);
  }
  EXPECT_TRUE(window.all_visible());
  for (int i = 0; i < 80; ++i) {
    window.zoom(0.5f, 100);
    window.update(5000, 100, box, 10, 50);
  }
  EXPECT_EQ(window.count(), 8);
}

TEST(Values, TokensShowTheirWhitespace) {
  ModelCard model;
  model.vocabulary = {"a", " ", "\n", "\t", "\x01", "", "a b", "ü\xff"};
  EXPECT_EQ(token_label(&model, 0), "a");
  EXPECT_EQ(token_label(&model, 1), "·");
  EXPECT_EQ(token_label(&model, 2), "↵");
  EXPECT_EQ(token_label(&model, 3), "→");
  EXPECT_EQ(token_label(&model, 4), "\\x01");
  EXPECT_EQ(token_label(&model, 5), "#5");
  EXPECT_EQ(token_label(&model, 6), "a·b");
  EXPECT_EQ(token_label(&model, 7), "ü\\xff");
  EXPECT_EQ(token_label(&model, 8), "#8");
  EXPECT_EQ(token_label(nullptr, -1), "#-1");
}

TEST(Values, AnIndexFollowsItsTrace) {
  const std::string path = "block0/mlstm/m";
  const auto token = [&](float value) {
    auto made = std::make_shared<TokenTrace>();
    made->values[path] = {1, 1, {value}};
    return made;
  };
  auto first = std::make_shared<Trace>();
  first->steps = {token(0), token(1), token(2)};
  TraceIndex index;
  EXPECT_TRUE(index.of(path).empty()) << "no trace yet";
  index.use(first);
  EXPECT_EQ(series(index.of(path), 0, 0, 0, 10).values, (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(series(index.of("block9/mlstm/m"), 0, 0, 0, 10).values.size(), 0u);
  // Another end on a shared beginning, with a hole in it.
  auto second = std::make_shared<Trace>();
  second->steps = {first->steps[0], token(10), nullptr, token(12), token(13)};
  first.reset();
  index.use(second);
  const Series now = series(index.of(path), 0, 0, 1, 3);
  EXPECT_EQ(now.values, (std::vector<float>{10, 12}));
  EXPECT_EQ(now.steps, (std::vector<int>{1, 3}));
  EXPECT_EQ(strip(index.of(path), 0, 0, 5).values, (std::vector<float>{0, 10, 0, 12, 13}));
  auto third = std::make_shared<Trace>();
  third->steps = {second->steps[0]};
  index.use(third);
  EXPECT_EQ(index.of(path).size(), 1u);
  index.use(nullptr);
  EXPECT_TRUE(index.of(path).empty());
  index.use(second);
  EXPECT_EQ(series(index.of(path), 0, 0, 0, 10).values.size(), 4u);
}

TEST(Values, AViewTakesBackOnlyItsOwnHover) {
  Focus focus;
  Hover first, second;
  const ValueRef a{"block0/mlstm/m", 1, 0, 0}, b{"block0/mlstm/m", 2, 0, 0};
  first.set(focus, a);
  EXPECT_EQ(focus.hovered, a);
  second.set(focus, b);
  first.set(focus, std::nullopt);
  EXPECT_EQ(focus.hovered, b) << "the other view's hover stays";
  second.set(focus, std::nullopt);
  EXPECT_FALSE(focus.hovered);
}

TEST(Paint, TextIsShortenedToItsRoom) {
  const Snapshot snapshot;
  Stage stage(snapshot);
  ImGui::GetIO().DisplaySize = stage.size;
  ImGui::NewFrame();
  const Painter painter(stage.scene());
  const std::string text = "ünïcödé wörds that go on";
  EXPECT_EQ(painter.fit(text, 1000), text);
  for (float width = 0; width < 200; width += 3) {
    const std::string shown = painter.fit(text, width);
    EXPECT_LE(painter.measure(shown).x, width + 0.01f);
    // Never cut inside a character.
    EXPECT_TRUE(shown.empty() || shown == text || shown.ends_with("…"));
  }
  const std::string options[] = {"a long title of many words", "short"};
  EXPECT_EQ(painter.fit_first(options, 1000), options[0]);
  EXPECT_EQ(painter.fit_first(options, 50), "short");
  // Paragraphs break at spaces only, and end for words wider than the line as well.
  Painter drawing(stage.scene());
  const float line = drawing.line_height();
  const float room = drawing.measure("f = 0.0002976 ").x;
  EXPECT_EQ(drawing.paragraph({0, 0}, room, 0, "f = 0.0002976 = 1", Weight::regular, false),
            2 * line);
  EXPECT_EQ(drawing.paragraph({0, 0}, 1.0f, 0, "ünï", Weight::regular, false), 3 * line);
  EXPECT_EQ(drawing.paragraph({0, 0}, 500, 0, "one\ntwo", Weight::regular, false), 2 * line);
  EXPECT_EQ(drawing.paragraph({0, 0}, 500, 0, "", Weight::regular, false), 0.0f);
  EXPECT_GE(text_pixels(0.5f), 12.0f) << "never below 9 pt";
  EXPECT_EQ(text_pixels(1.0f), 13.0f);
  EXPECT_EQ(text_pixels(2.0f), 26.0f);
  ImGui::EndFrame();
}

TEST(Paint, LegendsAlwaysFitAndShowTips) {
  const Snapshot snapshot;
  Stage stage(snapshot);
  ImGui::GetIO().DisplaySize = stage.size;
  ImGui::NewFrame();
  Painter painter(stage.scene());
  const ColourScale scale(palette(PaletteName::light), MapName::signed_values, 0.0, 1.25);
  Legend legend{"nats", "all heads, this step", "", {}};
  const auto drawn = [&](const Legend& l, float width) {
    const int before = painter.list().VtxBuffer.Size;
    draw_legend(painter, {{10, 10}, {10 + width, 30}}, scale, l);
    float right = 0.0f;
    for (int i = before; i < painter.list().VtxBuffer.Size; ++i) {
      right = std::max(right, painter.list().VtxBuffer[i].pos.x);
    }
    EXPECT_LE(right, 10 + width + 1.5f) << width;
    return painter.list().VtxBuffer.Size - before;
  };
  const float full = legend_width(painter, scale, legend);
  const int plain = drawn(legend, full);
  EXPECT_GT(plain, 100);
  legend.outside.above = true;
  const int tip = drawn(legend, full) - plain;
  EXPECT_GT(tip, 0);
  legend.outside.below = true;
  EXPECT_EQ(drawn(legend, full), plain + 2 * tip);
  legend.transform = "largest |x| of a pixel";
  EXPECT_GT(legend_width(painter, scale, legend), full);
  legend.outside.nan = 3;
  for (const float width : {20.0f, 60.0f, 120.0f, 200.0f, 400.0f, 900.0f}) drawn(legend, width);
  ImGui::EndFrame();
}

TEST(Paint, BoxesCanBeCutBeyondTheirSize) {
  Box box{{0, 0}, {10, 10}};
  EXPECT_FLOAT_EQ(box.cut_left(30).width(), 10.0f);
  EXPECT_FLOAT_EQ(box.width(), 0.0f);
  EXPECT_TRUE(box.empty());
  EXPECT_FLOAT_EQ(box.cut_top(3).height(), 3.0f);
  EXPECT_FLOAT_EQ(box.cut_bottom(30).height(), 7.0f);
  const Box small = Box{{0, 0}, {4, 4}}.inset(10, 1);
  EXPECT_FLOAT_EQ(small.width(), 0.0f);
  EXPECT_FLOAT_EQ(small.height(), 2.0f);
}

}  // namespace
}  // namespace xlab::tests
