// What cells say of their values is so: every value that is recorded is described, with the size it
// really has, and nothing else is; what is kept of a token is the sum of what is described.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/generation/sequence.hpp"
#include "tests/small_models.hpp"

namespace xlab::tests {
namespace {

class Values : public testing::TestWithParam<std::size_t> {
 protected:
  static ModelSpec spec() { return small_models()[GetParam()].second; }
};

Sequence computed(const Model& model, const std::vector<int>& tokens,
                  std::vector<Clamp> clamps = {}) {
  Sequence sequence(model);
  sequence.set_tokens(tokens);
  sequence.set_clamps(std::move(clamps));
  sequence.compute_all();
  return sequence;
}

TEST_P(Values, AreRecordedAsTheyAreDescribedAndNothingElseIs) {
  const Model model = filled_model(spec(), DType::f32);
  const auto trace = computed(model, some_tokens(3, spec().vocab_size)).trace();
  std::set<std::string> described;
  for (const BlockCard& block : model.cards()) {
    ASSERT_FALSE(block.values->cards.empty()) << block.prefix;
    std::set<std::string> names;
    for (const ValueCard& value : block.values->cards) {
      SCOPED_TRACE(block.path(value.name));
      EXPECT_TRUE(names.insert(value.name).second) << "twice";
      const Recorded* recorded = trace->find(2, block.path(value.name));
      ASSERT_EQ(recorded != nullptr, value.recorded);
      if (!recorded) continue;
      described.insert(block.path(value.name));
      EXPECT_EQ(recorded->heads, block.heads);
      EXPECT_EQ(recorded->dim, block.numbers(value.extent));
      EXPECT_EQ(recorded->values.size(),
                static_cast<std::size_t>(block.heads * block.numbers(value.extent)));
    }
  }
  described.insert(kResidualNorm);
  std::set<std::string> recorded;
  for (const auto& [path, value] : trace->steps.front()->values) recorded.insert(path);
  EXPECT_EQ(recorded, described);
}

TEST_P(Values, WithTheRoleOfAStateAreWhatIsCarried) {
  const Model model = filled_model(spec(), DType::f32);
  const Sequence sequence = computed(model, some_tokens(3, spec().vocab_size));
  const std::vector<BlockCard> blocks = model.cards();
  const State& state = *sequence.steps().back().after;
  ASSERT_EQ(state.cells.size(), blocks.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const BlockCard& block = blocks[b];
    std::map<std::string, std::int64_t> carried, described;
    // The scalar cells' output goes by the name of their papers in a state.
    for (const auto& [name, tensor] : state.cells[b].tensors())
      carried[name == "y" ? "h" : name] = tensor.elements();
    for (const ValueCard& value : block.values->cards)
      if (value.role == Role::state)
        described[value.name] = block.heads * block.numbers(value.extent);
    if (block.window > 0)
      described["conv"] = static_cast<std::int64_t>(block.heads) * block.window * block.value_dim;
    EXPECT_EQ(carried, described) << block.prefix;
  }
}

TEST_P(Values, AddUpToWhatATokenLeavesBehind) {
  const Model model = filled_model(spec(), DType::f32);
  const Sequence sequence = computed(model, some_tokens(3, spec().vocab_size));
  const SequenceStep& step = sequence.steps().back();
  double recorded = 0.0, recordings = 0.0;
  for (const auto& [path, value] : step.trace->values) {
    recorded += static_cast<double>(value.values.size());
    recordings += 1.0;
  }
  const KeptNumbers kept = kept_numbers(model);
  EXPECT_EQ(kept.state * sizeof(float), static_cast<double>(step.after->bytes()));
  EXPECT_EQ(kept.recorded, recorded);
  EXPECT_EQ(kept.recordings, recordings);
  const double numbers = static_cast<double>(step.after->bytes()) +
                         (recorded + static_cast<double>(step.logits.size())) * sizeof(float);
  double matrices = 0.0;
  for (const CellState& cell : step.after->cells)
    if (const Tensor C = cell.get("C"); C.defined()) matrices += static_cast<double>(C.bytes());
  EXPECT_EQ(kept_bytes(model).matrices, matrices);
  EXPECT_GT(kept_bytes(model).token, numbers - matrices) << "with room for the names";
  EXPECT_LT(kept_bytes(model).token, numbers - matrices + 300.0 * recordings);
}

TEST_P(Values, AreReplacedByAClampWhereTheySaySo) {
  const Model model = filled_model(spec(), DType::f32);
  const std::vector<int> tokens = some_tokens(4, spec().vocab_size);
  const auto plain = computed(model, tokens).trace();
  for (const BlockCard& block : model.cards()) {
    for (const ValueCard& value : block.values->cards) {
      if (!value.recorded) continue;
      const std::string path = block.path(value.name);
      Clamp clamp{.path = path, .head = block.heads - 1, .begin = 2, .end = 3};
      clamp.unit = static_cast<int>(block.numbers(value.extent)) - 1;
      const float free = plain->find(2, path)->at(clamp.head, clamp.unit);
      clamp.value = free + 0.5f;
      const auto held = computed(model, tokens, {clamp}).trace();
      EXPECT_EQ(held->find(2, path)->at(clamp.head, clamp.unit),
                value.clampable ? clamp.value : free)
          << path;
    }
  }
}

TEST_P(Values, TheInputGatesRowIsNamedByItsEquation) {
  for (const BlockCard& block : Model::cards_of(spec())) {
    SCOPED_TRACE(block.prefix);
    const ValueCard* gate = block.values->find("input_gate");
    ASSERT_NE(gate, nullptr);
    // As a title writes it: a gate's left side may say all, and this token's time is not said.
    const std::size_t equals = gate->equation.find(" = ");
    std::string side = gate->equation.substr(0, equals);
    if (side.find('(') == side.npos) side = gate->equation.substr(equals + 3);
    for (std::size_t at = 0; (at = side.find("_t")) != side.npos;) side.erase(at, 2);
    int rows = 0;
    for (const ValueRow& row : block.values->rows) {
      if (row.letter != 'i') continue;
      ++rows;
      EXPECT_NE(row.titles.front().find(side), std::string::npos)
          << row.titles.front() << " without " << side;
    }
    EXPECT_EQ(rows, 1);
  }
}

TEST_P(Values, AreNamedWhereverADescriptionNamesOne) {
  for (const BlockCard& block : Model::cards_of(spec())) {
    const CellValues& values = *block.values;
    SCOPED_TRACE(block.prefix);
    const auto known = [&](std::string name, bool recorded) {
      if (name.ends_with("@-1")) name.resize(name.size() - 3);
      const ValueCard* card = values.find(name);
      ASSERT_NE(card, nullptr) << name;
      EXPECT_TRUE(card->recorded || !recorded) << name;
    };
    for (const ValueCard& value : values.cards) {
      EXPECT_FALSE(value.symbol.empty() || value.title.empty() || value.words.empty() ||
                   value.equation.empty() || value.range.empty())
          << value.name;
      EXPECT_EQ(value.words.back(), '.') << value.name;
      EXPECT_EQ(value.side == nullptr, value.inputs.empty()) << value.name;
      for (const std::string& input : value.inputs) known(input, false);
    }
    EXPECT_FALSE(values.rows.empty());
    for (const ValueRow& row : values.rows) {
      EXPECT_FALSE(row.titles.empty() || row.words.empty() || row.lanes.empty()) << row.letter;
      for (const ValueLane& lane : row.lanes) {
        known(lane.value, true);
        if (!lane.beside.empty()) known(lane.beside, true);
      }
    }
    const MemoryCard& memory = values.memory;
    known(memory.state, false);
    const Extent extent = values.find(memory.state)->extent;
    EXPECT_EQ(extent == Extent::key_by_value, block.has_matrix);
    for (const std::string& name : {memory.answer, memory.write, memory.keys, memory.scale})
      if (!name.empty()) known(name, false);
    EXPECT_EQ(memory.answer.empty(), block.has_matrix) << "numbers say what they answer";
    EXPECT_FALSE(values.formula.empty());
    for (const std::string& name : values.formula) known(name, false);
  }
}

TEST_P(Values, FollowTheChoicesOfTheCellAndOnlyTheseAreItsOwn) {
  const std::vector<std::pair<Choice, std::function<void(CellVariant&)>>> changes = {
      {Choice::forget_gate, [](CellVariant& v) { v.forget_gate = ForgetGate::exponential; }},
      {Choice::stabilizer, [](CellVariant& v) { v.stabilizer = false; }},
      {Choice::input_gate, [](CellVariant& v) { v.input_gate = InputGate::sigmoid; }},
      {Choice::normalizer, [](CellVariant& v) { v.normalizer = false; }},
      {Choice::denominator_floor,
       [](CellVariant& v) { v.denominator_floor = DenominatorFloor::one; }},
      {Choice::scale,
       [](CellVariant& v) { v.scale = v.scale == Scaled::keys ? Scaled::queries : Scaled::keys; }},
      {Choice::eps, [](CellVariant& v) { v.eps = 0.25; }},
      {Choice::gate_soft_cap, [](CellVariant& v) { v.gate_soft_cap = 7.0; }},
      {Choice::number_format, [](CellVariant& v) { v.number_format = NumberFormat::fp32; }}};
  for (const BlockCard& block : Model::cards_of(spec())) {
    for (const auto& [choice, change] : changes) {
      Model model(spec());
      CellVariant variant = block.usual;
      change(variant);
      std::string refusal;
      try {
        model.set_variant(block.kind, variant);
      } catch (const Error& error) {
        refusal = error.what();
      }
      EXPECT_EQ(refusal.empty(), block.values->has(choice))
          << block.prefix << ", choice " << static_cast<int>(choice) << ": " << refusal;
      if (!refusal.empty()) continue;
      for (const BlockCard& now : model.cards()) {
        if (now.kind != block.kind) continue;
        EXPECT_TRUE(now.variant == variant);
        // The description is that of the new equations.
        if (choice == Choice::input_gate) {
          EXPECT_EQ(now.values->find("input_gate")->equation, "i'_t = σ(i_t)");
        }
        if (choice == Choice::normalizer && !now.variant.stabilised()) {
          EXPECT_EQ(now.values->find("normalizer")->equation, "N_t = 1");
        }
        if (choice != Choice::forget_gate || !now.values->find("forget_gate_sigmoid")) continue;
        EXPECT_EQ(now.values->find("forget_gate_sigmoid")->symbol, "exp(f)");
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Small, Values, testing::Range(std::size_t{0}, small_models().size()),
                         [](const auto& info) { return small_models()[info.param].first; });

TEST(BlockValues, AreFoundByTheirPathsOnly) {
  const std::vector<BlockCard> blocks = Model::cards_of(small_mixed());
  ModelCard model;
  model.blocks = blocks;
  EXPECT_EQ(model.value_at("block1/slstm/c"), blocks[1].values->find("c"));
  EXPECT_EQ(model.block_at("block1/slstm/c"), &model.blocks[1]);
  for (const char* path : {"", "c", "block1/slstm", "block1/slstm/", "block1/slstmc",
                           "block11/slstm/c", "block1/mlstm/c", "block1/slstm/C"})
    EXPECT_EQ(model.value_at(path), nullptr) << path;
}

}  // namespace
}  // namespace xlab::tests
