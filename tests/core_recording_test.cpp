// Recordings in files: the numbers are those of the sequence to the bit, what is said of them is
// so, and a recording that cannot be finished leaves nothing.
#include "core/files/recording.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes_text.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/generation/sequence.hpp"
#include "tests/complaint.hpp"
#include "tests/engine_stage.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ModelCard card_of(const Model& model) {
  ModelCard card;
  card.name = "a model";
  card.blocks = model.cards();
  for (int i = 0; i < model.spec().vocab_size; ++i)
    card.vocabulary.push_back("t" + std::to_string(i));
  return card;
}

/// Token by token into a file, as the command line does it.
void record(const Model& model, const std::vector<int>& tokens, const fs::path& path,
            const RecordingOptions& options = {}) {
  const RecordingPlan plan(card_of(model), tokens, {}, options);
  RecordingFile file(plan, path);
  State state;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    TokenTrace trace;
    State after;
    recorded_step(model, tokens[t], static_cast<int>(t), {}, state, after, trace);
    state = after;
    file.add(trace, options.memory ? &state : nullptr);
  }
  file.finish();
  EXPECT_EQ(fs::file_size(path), plan.bytes());
}

std::size_t count_files(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

bool same_bits(const float* a, const std::vector<float>& b) {
  return std::memcmp(a, b.data(), b.size() * sizeof(float)) == 0;
}

/// One number of a value in a file.
class Numbers {
 public:
  Numbers(const SafetensorsFile& file, const std::string& path)
      : shape_(file.at(path).shape), numbers_(file.values_as<double>(path)) {}
  const std::vector<std::int64_t>& shape() const { return shape_; }
  double operator()(std::int64_t t, std::int64_t head, std::int64_t a, std::int64_t b = 0) const {
    std::int64_t at = (t * shape_[1] + head) * shape_[2] + a;
    if (shape_.size() == 4) at = at * shape_[3] + b;
    return numbers_[static_cast<std::size_t>(at)];
  }

 private:
  std::vector<std::int64_t> shape_;
  std::vector<double> numbers_;
};

class Recordings : public testing::TestWithParam<std::size_t> {
 protected:
  static ModelSpec spec() { return small_models()[GetParam()].second; }
};

TEST_P(Recordings, HoldEveryNumberOfEveryTokenToTheBit) {
  const TemporaryFolder folder;
  const Model model = filled_model(spec(), DType::f32);
  // More tokens than are written together, by a number that does not divide.
  const std::vector<int> tokens = some_tokens(300, spec().vocab_size, 4);
  record(model, tokens, folder / "t.safetensors", {.memory = true, .program = "a program"});
  Sequence sequence(model);
  sequence.set_tokens(tokens);
  sequence.compute_all();
  const auto trace = sequence.trace();

  const SafetensorsFile file = read_safetensors(folder / "t.safetensors");
  EXPECT_EQ(file.at("ids").type, StoredType::i64);
  EXPECT_EQ(file.values_as<std::int32_t>("ids"), tokens);
  std::set<std::string> described = {"ids", kResidualNorm};
  const auto compare = [&](const std::string& path, const std::vector<std::int64_t>& shape,
                           const auto& numbers_at) {
    described.insert(path);
    SCOPED_TRACE(path);
    std::vector<std::int64_t> whole = {300};
    whole.insert(whole.end(), shape.begin(), shape.end());
    ASSERT_EQ(file.at(path).shape, whole);
    EXPECT_EQ(file.at(path).type, StoredType::f32);
    const std::vector<float> all = file.values_as<float>(path);
    for (int t = 0; t < 300; ++t) {
      const std::vector<float> here = numbers_at(t);
      ASSERT_TRUE(same_bits(all.data() + static_cast<std::size_t>(t) * here.size(), here)) << t;
    }
  };
  const std::vector<BlockCard> blocks = model.cards();
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (const ValueCard& value : blocks[b].values->cards) {
      const std::string path = blocks[b].path(value.name);
      if (value.recorded) {
        compare(path, {blocks[b].heads, blocks[b].numbers(value.extent)},
                [&](int t) { return trace->find(t, path)->values; });
      } else if (value.role == Role::state) {
        compare(path, {blocks[b].heads, blocks[b].key_dim, blocks[b].value_dim}, [&](int t) {
          return floats_of(sequence.state_after(t)->cells[b].get(value.name));
        });
      }
    }
  }
  compare(kResidualNorm, {1, static_cast<std::int64_t>(blocks.size()) + 1},
          [&](int t) { return trace->find(t, kResidualNorm)->values; });
  std::set<std::string> stored;
  for (const StoredTensor& tensor : file.tensors()) stored.insert(tensor.name);
  EXPECT_EQ(stored, described);
  EXPECT_EQ(file.metadata().at("program"), "a program");
  EXPECT_EQ(file.metadata().at("model"), "a model");
  EXPECT_FALSE(file.metadata().contains("clamps"));
  // All that is stored is said what it is.
  const json words = json::parse(file.metadata().at("values"));
  for (const std::string& path : stored) {
    if (path == "ids") continue;
    const std::string kind = path == kResidualNorm ? path : path.substr(path.find('/') + 1);
    EXPECT_FALSE(words.at(kind).at("words").get<std::string>().empty()) << path;
  }
}

/// Of what is in the file alone, by the equations that it names.
TEST_P(Recordings, OfMatricesFollowTheConventionTheyName) {
  const TemporaryFolder folder;
  const Model model = filled_model(spec(), DType::f32);
  record(model, some_tokens(9, spec().vocab_size, 4), folder / "t", {.memory = true});
  const SafetensorsFile file = read_safetensors(folder / "t");
  int matrices = 0;
  for (const json& block : json::parse(file.metadata().at("blocks"))) {
    const std::string path = block.at("path");
    if (!block.contains("scaled")) continue;
    ++matrices;
    SCOPED_TRACE(path);
    const Numbers C(file, path + "/C"), n(file, path + "/n"), k(file, path + "/k"),
        v(file, path + "/v"), q(file, path + "/q"), s(file, path + "/s"),
        forget(file, path + "/forget_gate"), input(file, path + "/input_gate");
    const std::int64_t heads = block.at("heads"), K = block.at("key_dim"),
                       V = block.at("value_dim");
    ASSERT_THAT(C.shape(), ElementsAre(9, heads, K, V));
    const auto near = [](double a, double b) {
      EXPECT_NEAR(a, b, 1e-5 * std::max({1.0, std::abs(a), std::abs(b)}));
    };
    for (std::int64_t t = 0; t < 9; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        double overlap = 0.0;
        for (std::int64_t i = 0; i < K; ++i) {
          const double kept = t == 0 ? 0.0 : forget(t, h, 0);
          near(n(t, h, i), (t == 0 ? 0.0 : kept * n(t - 1, h, i)) + input(t, h, 0) * k(t, h, i));
          overlap += q(t, h, i) * n(t, h, i);
          for (std::int64_t j = 0; j < V; ++j)
            near(C(t, h, i, j), (t == 0 ? 0.0 : kept * C(t - 1, h, i, j)) +
                                    input(t, h, 0) * k(t, h, i) * v(t, h, j));
        }
        near(s(t, h, 0), overlap);
      }
    }
    const bool keys = model.cards()[0].variant.scale == Scaled::keys;
    EXPECT_EQ(block.at("scaled"), keys ? "keys" : "queries");
    EXPECT_THAT(file.metadata().at("convention"), HasSubstr("transpose of the paper's"));
  }
  EXPECT_EQ(matrices > 0, file.metadata().at("convention").find("paper's") != std::string::npos);
}

TEST(RecordingConventions, DifferByTheRootOfTheWidthAndInNothingThatIsRead) {
  const TemporaryFolder folder;
  Model model = filled_model(small_mlstm(), DType::f32);
  const std::vector<int> tokens = some_tokens(6, 7);
  const auto recorded = [&](Scaled scaled) {
    CellVariant variant = model.cards()[0].variant;
    variant.scale = scaled;
    model.set_variant(model.cards()[0].kind, variant);
    const fs::path path = folder / name_of(scaled);
    record(model, tokens, path, {.memory = true});
    return read_safetensors(path);
  };
  const SafetensorsFile keys = recorded(Scaled::keys), queries = recorded(Scaled::queries);
  const double root = std::sqrt(model.cards()[0].key_dim);
  ASSERT_GT(root, 1.5);
  for (const char* value : {"C", "n", "k", "q", "h"}) {
    const std::string path = model.cards()[0].path(value);
    const auto a = keys.values_as<double>(path), b = queries.values_as<double>(path);
    const double factor = value[0] == 'h' ? 1.0 : value[0] == 'q' ? 1.0 / root : root;
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i] * factor, b[i], 1e-5) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Small, Recordings, testing::Range(std::size_t{0}, small_models().size()),
                         [](const auto& info) { return small_models()[info.param].first; });

TEST(ResidualNorms, AreTheLengthsOfWhatRunsThroughTheBlocks) {
  // Blocks whose last matrix is zero add nothing: the length stays that of the embedding.
  for (ModelSpec spec : {small_mixed(), small_large()}) {
    Model model = filled_model(spec, DType::f32);
    for (const ParamInfo& info : model.params().infos()) {
      const bool last = info.name.find("proj_down") != info.name.npos ||
                        info.name.find("out_proj") != info.name.npos ||
                        info.name.find("group_norm") != info.name.npos;
      if (last) model.params()[model.params().find(info.name)].value.fill_zero();
    }
    const int embedding = std::max(model.params().find("token_embedding.weight"),
                                   model.params().find("backbone.embeddings.weight"));
    const std::vector<float> row = floats_of(model.params()[embedding].value.slice(3, 4));
    double sum = 0.0;
    for (const float x : row) sum += static_cast<double>(x) * static_cast<double>(x);
    TokenTrace trace;
    State after;
    recorded_step(model, 3, 0, {}, {}, after, trace);
    const Recorded* norms = trace.find(kResidualNorm);
    ASSERT_NE(norms, nullptr);
    EXPECT_EQ(norms->heads, 1);
    ASSERT_EQ(norms->values.size(), static_cast<std::size_t>(spec.num_blocks) + 1);
    EXPECT_EQ(norms->values.front(), static_cast<float>(std::sqrt(sum)));
    if (!spec.large) continue;  // a group norm without a scale still adds
    for (const float norm : norms->values) EXPECT_EQ(norm, norms->values.front());
  }
  // In general every block changes it.
  const Model model = filled_model(small_large(), DType::f32);
  TokenTrace trace;
  State after;
  recorded_step(model, 3, 0, {}, {}, after, trace);
  const std::vector<float>& norms = trace.find(kResidualNorm)->values;
  EXPECT_EQ(std::set<float>(norms.begin(), norms.end()).size(), norms.size());
}

class RecordingFiles : public testing::Test {
 protected:
  const Model model_ = filled_model(small_mixed(), DType::f32);
  const ModelCard card_ = card_of(model_);
  const std::vector<int> tokens_ = some_tokens(12, 7);
  TemporaryFolder folder_;

  std::set<std::string> stored(const RecordingOptions& options) const {
    record(model_, tokens_, folder_ / "t", options);
    std::set<std::string> names;
    const SafetensorsFile file = read_safetensors(folder_ / "t");
    for (const StoredTensor& tensor : file.tensors()) names.insert(tensor.name);
    names.erase("ids");
    return names;
  }
};

TEST_F(RecordingFiles, HoldWhatPatternsName) {
  using Names = std::set<std::string>;
  EXPECT_EQ(stored({.values = {"block?/mlstm/m"}}), (Names{"block0/mlstm/m", "block2/mlstm/m"}));
  EXPECT_EQ(stored({.values = {"*/n", "residual/*"}}),
            (Names{"block0/mlstm/n", "block1/slstm/n", "block2/mlstm/n", "residual/norm"}));
  const Names second = stored({.values = {"block1/*"}});
  const std::vector<ValueCard>& cards = card_.blocks[1].values->cards;
  const auto recorded = std::count_if(cards.begin(), cards.end(),
                                      [](const ValueCard& card) { return card.recorded; });
  EXPECT_EQ(static_cast<std::ptrdiff_t>(second.size()), recorded);
  EXPECT_TRUE(second.contains("block1/slstm/forget_gate_pre"));
  EXPECT_EQ(stored({.values = {"block0/mlstm/C"}, .memory = true}), Names{"block0/mlstm/C"});
  EXPECT_FALSE(stored({}).contains("block0/mlstm/C"));
  EXPECT_FALSE(stored({.memory = true}).contains("block0/mlstm/write")) << "it follows from others";
  const auto refused = [&](const char* pattern) {
    return complaint([&] { RecordingPlan(card_, tokens_, {}, {.values = {"*/n", pattern}}); });
  };
  EXPECT_THAT(refused("block3/*"),
              AllOf(HasSubstr("'block3/*' names none of this model's"),
                    HasSubstr("block0/mlstm/input_gate_pre"), HasSubstr("residual/norm")));
  EXPECT_THAT(refused("m"), HasSubstr("names none"));
  EXPECT_THAT(refused(""), HasSubstr("names none"));
  EXPECT_THAT(refused("BLOCK0/*"), HasSubstr("names none"));
  EXPECT_THAT(refused("*/C"), HasSubstr("with --memory"));
  EXPECT_THAT(complaint([&] { RecordingPlan(card_, {}, {}, {}); }), HasSubstr("no tokens"));
}

TEST_F(RecordingFiles, SayTheTextsOfTheirTokensWithinBounds) {
  ModelCard card = card_;
  card.vocabulary[1] = "\xff half";
  card.vocabulary[2] = "\"quoted\"\n";
  const auto texts = [&](const std::vector<int>& tokens) {
    const RecordingPlan plan(card, tokens, {}, {.values = {"residual/norm"}});
    RecordingFile file(plan, folder_ / "texts");
    TokenTrace trace;
    trace.values[kResidualNorm] = {.heads = 1, .dim = 4, .values = {1, 2, 3, 4}};
    for (std::size_t t = 0; t < tokens.size(); ++t) file.add(trace);
    file.finish();
    return json::parse(read_safetensors(folder_ / "texts").metadata().at("tokens"));
  };
  EXPECT_EQ(texts({0, 1, 2}), (json{"t0", "\xef\xbf\xbd half", "\"quoted\"\n"}));
  card.vocabulary[3] = std::string(100'000, 'x');
  EXPECT_EQ(texts({0, 3, 3, 3, 3}).size(), 3u) << "the first ones";
  EXPECT_EQ(texts(std::vector<int>(50'000, 0)).size(), (256u << 10) / 6);
}

TEST_F(RecordingFiles, ThatTheDiskHasNoRoomForAreRefusedBeforeAnythingIsComputed) {
  ModelSpec wide = small_mlstm();
  wide.embedding_dim = 512;
  wide.mlstm->num_heads = 1;
  ModelCard card;
  card.blocks = Model::cards_of(wide);
  card.vocabulary = {"a"};
  const std::uint64_t room = fs::space(folder_.path()).available;
  const std::vector<int> tokens(static_cast<std::size_t>(room / (8u << 20)) + 1, 0);
  const RecordingPlan plan(card, tokens, {}, {.memory = true});
  ASSERT_GT(plan.bytes(), room);
  EXPECT_THAT(complaint([&] { RecordingFile(plan, folder_ / "t"); }),
              AllOf(HasSubstr("Could not save"),
                    HasSubstr("takes " + bytes_text(static_cast<double>(plan.bytes()))),
                    HasSubstr("the disk has room for")));
  EXPECT_EQ(count_files(folder_.path()), 0u);
}

TEST_F(RecordingFiles, ThatMayNotBecomeSoLargeAreRefusedBeforeAnythingIsComputed) {
  const RecordingPlan plan(card_, std::vector<int>(1000, 1), {}, {});
  constexpr rlim_t kMost = 64 << 10;  // more than all that is written before the first token
  ASSERT_GT(plan.bytes(), 2 * kMost);
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  rlimit little = usual;
  little.rlim_cur = kMost;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  const std::string said = complaint([&] { RecordingFile(plan, folder_ / "t"); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(said, HasSubstr("Could not save"));
  EXPECT_EQ(count_files(folder_.path()), 0u);
}

TEST_F(RecordingFiles, ThatAreGivenUpLeaveWhatWasThere) {
  put_file(folder_ / "t", "old");
  const RecordingPlan plan(card_, tokens_, {}, {});
  Sequence sequence(model_);
  sequence.set_tokens(tokens_);
  sequence.compute_all();
  std::atomic<bool> stop = false;
  {
    RecordingFile file(plan, folder_ / "t");
    file.add(*sequence.steps()[0].trace);
    EXPECT_THAT(complaint([&] { file.finish(); }), HasSubstr("only 1 came"));
    EXPECT_THAT(complaint([&] { file.add(TokenTrace{}); }), HasSubstr("was not recorded"));
  }
  stop = true;
  EXPECT_THAT(complaint([&] { write_recording(plan, *sequence.trace(), folder_ / "t", stop); }),
              HasSubstr("given up"));
  stop = false;
  Trace half = *sequence.trace();
  half.steps.resize(5);
  EXPECT_THAT(complaint([&] { write_recording(plan, half, folder_ / "t", stop); }),
              HasSubstr("5 of the 12 tokens"));
  half = *sequence.trace();
  half.steps[4] = nullptr;
  EXPECT_THAT(complaint([&] { write_recording(plan, half, folder_ / "t", stop); }),
              HasSubstr("token 4 is not kept"));
  EXPECT_EQ(bytes_of_file(folder_ / "t"), "old");
  EXPECT_EQ(count_files(folder_.path()), 1u);
  EXPECT_FALSE(is_recording(folder_ / "t"));
  write_recording(plan, *sequence.trace(), folder_ / "t", stop);
  EXPECT_TRUE(is_recording(folder_ / "t"));
  EXPECT_EQ(count_files(folder_.path()), 1u);
  RecordingFile more(plan, folder_ / "more");
  for (int t = 0; t < 12; ++t) more.add(*sequence.steps()[0].trace);
  EXPECT_THAT(complaint([&] { more.add(*sequence.steps()[0].trace); }),
              HasSubstr("there are more"));
}

TEST_F(RecordingFiles, CountWhatIsNotFinite) {
  const RecordingPlan plan(card_, {1, 2}, {}, {.values = {"residual/norm"}});
  RecordingFile file(plan, folder_ / "t");
  TokenTrace trace;
  trace.values[kResidualNorm] = {.heads = 1, .dim = 4, .values = {1, INFINITY, NAN, -INFINITY}};
  file.add(trace);
  trace.values[kResidualNorm].values = {1, 2, 3, 4};
  file.add(trace);
  EXPECT_EQ(file.not_finite(), 3u);
  file.finish();
  const std::vector<float> back = read_safetensors(folder_ / "t").values_as<float>(kResidualNorm);
  EXPECT_TRUE(std::isnan(back[2]));
  EXPECT_EQ(back[4], 1.0f);
}

/// What an engine shows.
class RecordingsOfTheScreen : public EngineStage {
 protected:
  void write(const Snapshot& snapshot, const fs::path& path) const {
    const std::atomic<bool> stop = false;
    const RecordingPlan plan(*snapshot.model, snapshot.sequence.tokens, snapshot.sequence.clamps,
                             {.program = "here"});
    write_recording(plan, *snapshot.trace, path, stop);
  }
  /// The same run from its file, stepped anew.
  void write_stepped(const fs::path& run_path, const std::vector<int>& tokens,
                     const fs::path& path) const {
    const auto run = load_run(run_path);
    const RecordingPlan plan(*model_card(*run), tokens, {}, {.program = "here"});
    RecordingFile file(plan, path);
    State state;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      TokenTrace trace;
      State after;
      recorded_step(*run->model, tokens[t], static_cast<int>(t), {}, state, after, trace);
      state = after;
      file.add(trace);
    }
    file.finish();
  }
};

TEST_F(RecordingsOfTheScreen, AreTheNumbersOfItsSnapshotClampsIncluded) {
  open_quick();
  train(3);
  const auto plain =
      after(command::SetPrompt{"a 3 b 7 a 5 b"}, command::Save{folder_ / "run.xlab"});
  write(*plain, folder_ / "plain");
  write_stepped(folder_ / "run.xlab", plain->sequence.tokens, folder_ / "stepped");
  EXPECT_TRUE(bytes_of_file(folder_ / "plain") == bytes_of_file(folder_ / "stepped"));

  const Clamp clamp{
      .path = "block0/mlstm/forget_gate_pre", .head = 1, .begin = 2, .end = 4, .value = -2.5f};
  Clamp off = clamp;
  off.head = 0;
  off.enabled = false;
  const auto held = after(command::SetClamp{clamp}, command::SetClamp{off});
  write(*held, folder_ / "held");
  const SafetensorsFile file = read_safetensors(folder_ / "held");
  for (const auto& [path, value] : held->trace->steps[3]->values) {
    const std::vector<float> all = file.values_as<float>(path);
    for (int t = 0; t < held->trace->length(); ++t) {
      const std::vector<float>& here = held->trace->find(t, path)->values;
      ASSERT_TRUE(same_bits(all.data() + static_cast<std::size_t>(t) * here.size(), here))
          << path << " at " << t;
    }
  }
  const Numbers f(file, clamp.path);
  EXPECT_EQ(f(2, 1, 0), -2.5);
  EXPECT_EQ(f(3, 1, 0), -2.5);
  EXPECT_NE(f(4, 1, 0), -2.5);
  EXPECT_FALSE(bytes_of_file(folder_ / "held") == bytes_of_file(folder_ / "plain"));
  const json clamps = json::parse(file.metadata().at("clamps"));
  ASSERT_EQ(clamps.size(), 1u) << "the one that is switched on";
  EXPECT_EQ(clamps[0].at("path"), clamp.path);
  EXPECT_EQ(clamps[0].at("head"), 1);
  EXPECT_EQ(clamps[0].at("begin"), 2);
  EXPECT_EQ(clamps[0].at("value"), -2.5);
}

TEST(Sizes, AreWrittenAsPeopleReadThem) {
  const std::vector<std::pair<double, std::string>> sizes = {
      {0, "0 bytes"},           {1, "1 byte"},      {812, "812 bytes"},  {999.6, "1.00 kB"},
      {3404, "3.40 kB"},        {99'960, "100 kB"}, {9'996, "10.0 kB"},  {45'300'000, "45.3 MB"},
      {999'600'000, "1.00 GB"}, {126e9, "126 GB"},  {2.5e13, "25.0 TB"}, {1e16, "10000 TB"}};
  for (const auto& [bytes, text] : sizes) EXPECT_EQ(bytes_text(bytes), text);
}

}  // namespace
}  // namespace xlab::tests
