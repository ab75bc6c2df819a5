// The inspector's levels, what its symbols say, and what of a value can be copied.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/equations/latex.hpp"
#include "core/equations/torch_code.hpp"
#include "core/equations/variant_words.hpp"
#include "tests/described.hpp"
#include "tests/legibility.hpp"
#include "tests/scenes.hpp"
#include "tests/ui_stage.hpp"
#include "ui/equation.hpp"
#include "ui/inspected.hpp"
#include "ui/number.hpp"
#include "ui/view_list.hpp"

namespace xlab::tests {
namespace {

using namespace ui;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class InspectedDrawing : public ::testing::Test {
 protected:
  void draw(const Snapshot& snapshot, const ValueRef& pinned, ImVec2 size = {520, 1200}) {
    stage = std::make_unique<Stage>(snapshot);
    stage->size = size;
    stage->focus.pinned = pinned;
    stage->frame(*view);
  }
  /// Everything written but for hover cards, with blanks for ends of lines.
  std::string all() const {
    std::string words;
    for (const DrawLog::Text& text : stage->log.texts)
      if (!text.on_top) words += text.shown + " ";
    return words;
  }
  /// What stands on the hover card.
  std::string on_card() const {
    std::string words;
    for (const DrawLog::Text& text : stage->log.texts)
      if (text.on_top) words += text.shown + " ";
    return words;
  }
  std::optional<Box> written(const std::string& words) const {
    for (const DrawLog::Text& text : stage->log.texts)
      if (text.shown == words) return text.box;
    return std::nullopt;
  }
  void click(const std::string& word) {
    const std::optional<Box> box = written(word);
    ASSERT_TRUE(box.has_value()) << word;
    stage->click(*view, box->centre().x, box->centre().y);
  }

  std::unique_ptr<View> view = make_inspector_view();
  std::unique_ptr<Stage> stage;
};

const ValueRef kForgetPlace{"block0/mlstm/forget_gate", 7, 2, 0};

TEST_F(InspectedDrawing, ALevelShowsItsPartAndAllShowsEverything) {
  const Snapshot s = recall_scene();
  const ValueCard card = *explain(kForgetPlace.path);
  const std::string words = card.words.substr(0, 40), equation = typeset_equation(card.equation),
                    numbers = "f'₇ = exp(";
  struct Wanted {
    const char* level;
    bool words, equation, numbers;
  };
  for (const Wanted& wanted :
       {Wanted{"all", true, true, true}, Wanted{"words", true, false, false},
        Wanted{"equation", false, true, false}, Wanted{"numbers", false, false, true}}) {
    SCOPED_TRACE(wanted.level);
    view->restore(wanted.level);
    EXPECT_EQ(view->kept(), wanted.level);
    draw(s, kForgetPlace, {900, 1200});
    EXPECT_EQ(all().find(words) != std::string::npos, wanted.words) << all();
    EXPECT_EQ(all().find(equation) != std::string::npos, wanted.equation) << all();
    EXPECT_EQ(all().find(numbers) != std::string::npos, wanted.numbers) << all();
    EXPECT_EQ(all().find("computed from (") != std::string::npos, wanted.numbers);
    EXPECT_EQ(all().find("official program") != std::string::npos, wanted.equation);
    // The number itself, its place and the buttons are on every level.
    const float value = s.trace->find(7, kForgetPlace.path)->at(2, 0);
    EXPECT_THAT(all(), HasSubstr("recorded " + short_number(value)));
    EXPECT_THAT(all(), HasSubstr("t = 7, head 2"));
    EXPECT_THAT(all(), HasSubstr("Copy LaTeX"));
    EXPECT_THAT(stumbles(stage->log), IsEmpty());
    // Of the next token's probabilities too.
    draw(s, {kNextProbability, s.sequence.cursor, 0, 3}, {900, 1200});
    EXPECT_EQ(all().find("How likely the model") != std::string::npos, wanted.words);
    EXPECT_EQ(all().find("Σ exp(z') =") != std::string::npos, wanted.equation) << all();
    EXPECT_EQ(all().find("rank") != std::string::npos, wanted.numbers);
    EXPECT_THAT(all(), HasSubstr("recorded"));
  }
  view->restore("words");
  draw(s, kForgetPlace);
  EXPECT_THAT(all(), HasSubstr("Computed from: forget gate, pre-activation; stabilizer, one step"));
  view->restore("equation");
  draw(s, kForgetPlace);
  EXPECT_THAT(all(), HasSubstr("m₋₁ stabilizer, one step before"));
  for (const char* odd : {"", "Words", "3", "all of them"}) view->restore(odd);
  EXPECT_EQ(view->kept(), "equation");
}

TEST_F(InspectedDrawing, ItsTabsChooseALevel) {
  const Snapshot s = recall_scene();
  draw(s, kForgetPlace);
  EXPECT_EQ(view->kept(), "all");
  click("Words");
  EXPECT_EQ(view->kept(), "words");
  click("Numbers");
  EXPECT_EQ(view->kept(), "numbers");
  EXPECT_THAT(all(), HasSubstr("f'₇ = exp("));
  click("All");
  EXPECT_EQ(view->kept(), "all");
}

TEST_F(InspectedDrawing, NamesTheVariantOfTheBlock) {
  Snapshot s = recall_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  CellVariant variant;
  variant.forget_gate = ForgetGate::exponential;
  set_variant(model->blocks[0], variant);
  s.model = model;
  draw(s, {"block0/mlstm/m", 7, 2, 0});
  EXPECT_THAT(all(), HasSubstr("mLSTM, other than in the official program: forget gate exp(f);"));
  std::map<std::string, std::string> rows;
  for (const auto& row : view->table(stage->scene()).rows) rows[row[0]] = row[1];
  EXPECT_EQ(rows["variant"], variant_words(model->blocks[0]));
}

/// Everything that is offered of a value, as it has to be.
void expect_offers(const Snapshot& s, const ValueRef& ref) {
  SCOPED_TRACE(ref.path);
  const BlockCard& block = *s.model->block_at(ref.path);
  const ValueCard& card = *block.value_at(ref.path);
  const LiveEquation live = live_equation(*s.trace, block, ref.path, ref.step, ref.head, ref.unit);
  const Offer value = offer(s, ref, Copied::value);
  EXPECT_EQ(std::strtof(value.request.text.c_str(), nullptr), static_cast<float>(live.value));
  EXPECT_EQ(value.request.kind, Request::Kind::copy);
  EXPECT_EQ(offer(s, ref, Copied::equation).request.text, card.equation + "\n" + live.text);
  EXPECT_EQ(offer(s, ref, Copied::latex).request.text, aligned_latex(card.equation, live.text));
  const Offer code = offer(s, ref, Copied::code);
  const TorchCode program = torch_code(*s.trace, block, {ref.path, ref.step, ref.head, ref.unit});
  EXPECT_EQ(code.request.text, program.text);
  if (code.why_not.empty()) {
    EXPECT_EQ(code.request.kind, Request::Kind::show);
  }
  EXPECT_EQ(code.why_not.empty(), !card.inputs.empty());
  EXPECT_EQ(code.why_not, program.why_not);
}

TEST(Offers, AreWhatIsShownOfEveryValue) {
  for (const Snapshot& s : {recall_scene(), lstm_scene()})
    for (const BlockCard& block : s.model->blocks)
      for (const ValueCard& card : block.values->cards)
        expect_offers(s, {block.path(card.name), 5, 1, card.extent == Extent::head ? 0 : 3});
}

TEST(Offers, SayWhyThereIsNone) {
  const Snapshot s = recall_scene();
  EXPECT_THAT(offer(s, {"block0/mlstm/q", 5, 1, 3}, Copied::code).why_not,
              HasSubstr("is not recorded"));
  EXPECT_THAT(offer(s, {"block0/mlstm/m", 99, 1, 0}, Copied::value).why_not,
              HasSubstr("no number"));
  EXPECT_THAT(offer(s, {"block0/mlstm/m", 99, 1, 0}, Copied::code).why_not,
              HasSubstr("Not everything"));
  EXPECT_EQ(offer(s, {"block0/mlstm/m", 99, 1, 0}, Copied::latex).why_not, "");
  EXPECT_THAT(offer(s, {"no/such/value", 5, 1, 0}, Copied::equation).why_not,
              HasSubstr("no explanation"));
  EXPECT_THAT(offer({}, {"block0/mlstm/m", 5, 1, 0}, Copied::value).why_not, Not(IsEmpty()));
}

TEST_F(InspectedDrawing, ItsButtonsAskForWhatTheySay) {
  const Snapshot s = recall_scene();
  draw(s, kForgetPlace);
  const std::map<std::string, Copied> buttons{{"Copy value", Copied::value},
                                              {"Copy equation", Copied::equation},
                                              {"Copy LaTeX", Copied::latex},
                                              {"Show in code", Copied::code}};
  for (const auto& [word, copied] : buttons) {
    stage->asked.clear();
    click(word);
    ASSERT_EQ(stage->asked.size(), 1u) << word;
    const Request wanted = offer(s, kForgetPlace, copied).request;
    EXPECT_EQ(stage->asked[0].text, wanted.text);
    EXPECT_EQ(stage->asked[0].what, wanted.what);
    EXPECT_EQ(stage->asked[0].kind, wanted.kind);
    EXPECT_THAT(wanted.what, HasSubstr("f', t = 7, head 2"));
  }
  // Where there is no program, the button does nothing and says why.
  draw(s, {"block0/mlstm/q", 7, 2, 3});
  click("Show in code");
  EXPECT_THAT(stage->asked, IsEmpty());
  EXPECT_THAT(on_card(), HasSubstr("is not recorded"));
  // A probability of the next token has all four.
  draw(s, {kNextProbability, s.sequence.cursor, 0, 3});
  for (const auto& [word, copied] : buttons) click(word);
  ASSERT_EQ(stage->asked.size(), 4u);
  EXPECT_THAT(stage->asked[3].text, HasSubstr("torch.softmax(z, dim=0)[3]"));
}

TEST_F(InspectedDrawing, AHeldValueIsNotSaidToBeWrong) {
  Snapshot s = recall_scene();
  auto trace = std::make_shared<Trace>(*s.trace);
  auto step = std::make_shared<TokenTrace>(*trace->steps[7]);
  Recorded& h = step->values["block0/mlstm/h"];
  h.values[static_cast<std::size_t>(h.dim) + 3] = 9.0f;
  trace->steps[7] = step;
  s.trace = trace;
  draw(s, {"block0/mlstm/h", 7, 1, 3});
  EXPECT_THAT(all(), HasSubstr("✗ differs from the recorded one"));
  s.sequence.clamps.push_back(
      {.path = "block0/mlstm/h", .head = 1, .unit = 3, .begin = 6, .end = 8, .value = 9.0f});
  draw(s, {"block0/mlstm/h", 7, 1, 3});
  EXPECT_THAT(all(), HasSubstr("where it is not held"));
  EXPECT_THAT(all(), HasSubstr("held at 9"));
  EXPECT_THAT(all(), Not(HasSubstr("✗")));
}

TEST_F(InspectedDrawing, APictureHasNoTabsAndNoButtons) {
  const Snapshot s = recall_scene();
  draw(s, kForgetPlace);
  stage->exporting = true;
  stage->frame(*view);
  for (const char* word : {"All", "Words", "Copy value", "Show in code", "unpin"})
    EXPECT_FALSE(written(word).has_value()) << word;
  EXPECT_THAT(all(), HasSubstr("f'₇ = exp("));
}

TEST_F(InspectedDrawing, SymbolsOfTheEquationSayWhatTheyMeanAndWhereTheirNumberIs) {
  const Snapshot s = recall_scene();
  view->restore("equation");
  draw(s, kForgetPlace, {900, 900});
  const std::string equation = typeset_equation(explain(kForgetPlace.path)->equation);
  const std::optional<Box> line = written(equation);
  ASSERT_TRUE(line.has_value()) << all();
  std::set<std::string> cards;
  std::set<std::string> places;
  for (float x = line->min.x; x < line->max.x; x += 2) {
    stage->move(*view, x, line->centre().y);
    if (const std::string card = on_card(); !card.empty()) {
      cards.insert(card.substr(0, card.find(':')));
      EXPECT_THAT(card, HasSubstr(". ")) << "a sentence";
    }
    if (stage->focus.hovered)
      places.insert(stage->focus.hovered->path + " " + std::to_string(stage->focus.hovered->step) +
                    " " + std::to_string(stage->focus.hovered->head));
    EXPECT_EQ(stage->focus.inspected, kForgetPlace) << "the card stays";
  }
  EXPECT_THAT(cards, UnorderedElementsAre("f'", "exp", "log", "σ", "f", "m", "m₋₁"));
  EXPECT_THAT(places, UnorderedElementsAre("block0/mlstm/forget_gate_pre 7 2", "block0/mlstm/m 6 2",
                                           "block0/mlstm/m 7 2"));
  // A click keeps what it stands for.
  for (float x = line->max.x; x > line->min.x; x -= 2) {
    stage->move(*view, x, line->centre().y);
    if (stage->focus.hovered) break;
  }
  const ValueRef wanted{"block0/mlstm/m", 7, 2, 0};
  ASSERT_EQ(stage->focus.hovered, wanted) << "the last symbol";
  stage->button(*view, true);
  stage->button(*view, false);
  EXPECT_EQ(stage->focus.pinned, wanted);
  // The mouse leaves: nothing is lit up any more.
  stage->move(*view, 5000, 5000);
  EXPECT_EQ(stage->focus.hovered, std::nullopt);
}

TEST(Symbols, AreFoundWhereTheyStand) {
  const auto list = [](std::string_view text) {
    std::vector<std::string> found;
    for (const SymbolSpan& span : symbols_in(text))
      found.push_back(span.symbol + (span.index.empty() ? "" : "@" + span.index) + "=" +
                      std::string(text.substr(span.begin, span.end - span.begin)));
    return found;
  };
  EXPECT_EQ(list(typeset_equation("f'_t = exp(log σ(f_t) + m_{t−1} − m_12)")),
            (std::vector<std::string>{"f'@t=f'ₜ", "exp=exp", "log=log", "σ=σ", "f@t=fₜ",
                                      "m@t−1=mₜ₋₁", "m@12=m₁₂"}));
  EXPECT_EQ(list("1.23e−7 · 2e5 + nothing to keep yet"), std::vector<std::string>{});
  EXPECT_EQ(list("forget gate: f, σ(f), m₋₁"),
            (std::vector<std::string>{"f=f", "σ=σ", "f=f", "m@−1=m₋₁"}));
  EXPECT_EQ(list("Cₜᵀ qₜ / √K, ⟨q, n⟩"),
            (std::vector<std::string>{"C@t=Cₜ", "ᵀ=ᵀ", "q@t=qₜ", "√=√", "K=K", "⟨=⟨", "q=q", "n=n",
                                      "⟨=⟩"}));
}

/// The symbols that are explained along the line of the first text that begins so.
std::set<std::string> explained_along(View& view, Stage& stage, const std::string& begin) {
  std::optional<Box> line;
  for (const DrawLog::Text& text : stage.log.texts)
    if (!line && text.shown.starts_with(begin)) line = text.box;
  EXPECT_TRUE(line.has_value()) << begin;
  std::set<std::string> cards;
  if (!line) return cards;
  for (float x = line->min.x + 1; x < line->max.x; x += 2) {
    stage.move(view, x, line->centre().y);
    std::string card;
    for (const DrawLog::Text& text : stage.log.texts)
      if (text.on_top) card += text.shown + " ";
    cards.insert(card.substr(0, card.find(':')));
  }
  return cards;
}

TEST(Titles, ExplainTheirSymbols) {
  const Snapshot s = recall_scene();
  std::unique_ptr<View> gates = make_gates_view(), lab = make_stabilizer_view(),
                        memory = make_memory_view();
  const std::string kept = memory->kept();
  memory->restore("step " + kept.substr(kept.find(' ') + 1));
  struct Wanted {
    View* view;
    const char* title;
    std::vector<std::string> symbols;
  };
  for (const Wanted& wanted :
       {Wanted{gates.get(),
               "forget gate: pre-activation f, σ(f) and f' = exp",
               {"f", "σ", "f'", "exp", "log", "m", "m₋₁", "forget gate"}},
        Wanted{lab.get(), "stabilizer m = max(", {"m", "max", "log", "σ", "f", "m₋₁", "i"}},
        Wanted{memory.get(), "kept: f' C₋₁", {"f'", "C₋₁"}}}) {
    Stage stage(s);
    stage.size = {1200, 900};
    stage.frame(*wanted.view);
    const std::set<std::string> cards = explained_along(*wanted.view, stage, wanted.title);
    for (const std::string& symbol : wanted.symbols) EXPECT_THAT(cards, Contains(symbol));
  }
}

}  // namespace
}  // namespace xlab::tests
