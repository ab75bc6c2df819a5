// Model folders and their tokenizers: text goes in and comes out, and both are written again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files/folder_run.hpp"
#include "core/generation/stepper.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kGoldenTokenizers = XLAB_TOKENIZER_GOLDEN_DEFAULT;

class FolderTokens : public testing::Test {
 protected:
  /// A model of so many tokens in the folder, with a tokenizer.
  void write(int vocabulary, const char* tokenizer) {
    ModelSpec spec = small_large();
    spec.vocab_size = vocabulary;
    write_model_folder(filled_model(spec, DType::f32), folder_.path());
    write_tokenizer_files(*tokenizer_named(kGoldenTokenizers / tokenizer), folder_.path());
  }

  TemporaryFolder folder_;
};

TEST_F(FolderTokens, PromptsAreText) {
  write(4100, "neox.json");
  const auto run = open_folder_run(folder_.path());
  const std::string text = "hello wörld 日本";
  EXPECT_EQ(run->task->decode(run->task->encode(text)), text);
  EXPECT_EQ(run->task->tokenizer()->kind(), "bpe");
  const auto card = model_card(*run);
  ASSERT_EQ(card->vocabulary.size(), 4100u);
  EXPECT_EQ(card->vocabulary[0], "<|endoftext|>");
  EXPECT_EQ(card->vocabulary[4099], "<4099>") << "models may know more tokens";
  EXPECT_THAT(data_card(*run)->description, HasSubstr("byte-level BPE, 4023 tokens"));

  save_run(*run, folder_ / "run.xlab");
  const auto saved = load_run(folder_ / "run.xlab");
  EXPECT_EQ(saved->task->encode(text), run->task->encode(text));
  export_run(*saved, folder_ / "copy");
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "model.safetensors"})
    EXPECT_EQ(bytes_of_file(folder_ / "copy" / file), bytes_of_file(folder_ / file)) << file;
}

TEST_F(FolderTokens, TextIsFramedAsTheTokenizerSays) {
  write(3505, "llama3.json");
  const auto run = open_folder_run(folder_.path());
  const std::vector<int> tokens = run->task->encode("a");
  EXPECT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens.front(), 3500) << "<|begin_of_text|>";
}

TEST_F(FolderTokens, AnotherModelsTokenizerIsNoticed) {
  write(300, "neox.json");
  const auto run = open_folder_run(folder_.path());
  EXPECT_EQ(run->task->vocabulary().size(), 300u);
  EXPECT_THAT(complaint([&] { run->task->encode("colorscheme highlight"); }),
              AllOf(HasSubstr("knows only 300 tokens"), HasSubstr("not the model's")));
}

TEST_F(FolderTokens, ATokenizerThatCannotBeReadLeavesTheModelOpen) {
  write(300, "neox.json");
  put_file(folder_ / "tokenizer.json", "{}");
  const auto run = open_folder_run(folder_.path());
  EXPECT_THAT(run->remark, AllOf(HasSubstr("tokenizer.json"), HasSubstr("has no 'model'"),
                                 HasSubstr("The model's tokens are plain numbers here.")));
  EXPECT_EQ(run->task->tokenizer(), nullptr);
  EXPECT_EQ(run->task->encode("5 17 299"), (std::vector{5, 17, 299}));
  EXPECT_THAT(complaint([&] { run->task->encode("to be"); }), HasSubstr("'to' is no token"));
}

TEST_F(FolderTokens, RunsOnTextAreWrittenWithTheirTokenizer) {
  const std::string text = "hello hello";
  const auto data = [&](std::shared_ptr<const Tokenizer> tokenizer) {
    RunSpec spec;
    spec.model = small_mixed();
    spec.model->vocab_size = 0;
    return make_run(make_text_task(text_from_bytes(std::as_bytes(std::span(text)), "t", tokenizer)),
                    spec);
  };
  for (const auto& tokenizer : {std::shared_ptr<const Tokenizer>(), byte_tokenizer()}) {
    const auto run = data(tokenizer);
    export_run(*run, folder_ / "out");
    const auto back = open_folder_run(folder_ / "out");
    EXPECT_EQ(back->task->encode("hello"), run->task->encode("hello"));
    EXPECT_EQ(back->task->tokenizer()->kind(), run->task->tokenizer()->kind());
    EXPECT_EQ(back->task->vocabulary(), run->task->vocabulary());
    save_run(*back, folder_ / "back.xlab");
    EXPECT_EQ(load_run(folder_ / "back.xlab")->task->encode("ole"), run->task->encode("ole"));
  }
  const auto task = make_run(make_task("copy"));
  export_run(*task, folder_ / "plain");
  EXPECT_FALSE(fs::exists(folder_ / "plain" / "tokenizer.json"));
}

TEST_F(FolderTokens, AHeadOfItsOwnCountsMoreThanTheWordTied) {
  ModelSpec spec = small_large();
  spec.tie_weights = true;
  const Model tied = filled_model(spec, DType::f32);
  write_model_folder(tied, folder_.path());
  EXPECT_TRUE(read_safetensors(folder_ / "model.safetensors").contains("lm_head.weight"))
      << "programs that do not tie find it";
  EXPECT_TRUE(ModelFolder(folder_.path()).spec().tie_weights);

  spec.tie_weights = false;
  const Model apart = filled_model(spec, DType::f32);
  write_model_folder(apart, folder_.path());
  json config = json::parse(bytes_of_file(folder_ / "config.json"));
  config["tie_word_embeddings"] = true;
  put_file(folder_ / "config.json", config.dump());
  const ModelFolder folder(folder_.path());
  EXPECT_FALSE(folder.spec().tie_weights);
  const std::vector<int> tokens = {1, 2, 3};
  EXPECT_EQ(Stepper(*folder.read(FolderUse::train)).feed(tokens), Stepper(apart).feed(tokens));
}

TEST(Stepper, LogitsOfAllTokensEndInThoseOfTheLast) {
  const Model model = filled_model(small_mixed(), DType::f32);
  const std::vector<int> tokens = some_tokens(6, model.spec().vocab_size);
  const std::vector<float> all = Stepper(model).feed_for_all(tokens);
  const auto width = static_cast<std::size_t>(model.spec().vocab_size);
  ASSERT_EQ(all.size(), 6 * width);
  const std::vector<float> last = Stepper(model).feed(tokens);
  EXPECT_EQ(std::vector<float>(all.end() - static_cast<std::ptrdiff_t>(width), all.end()), last);
  Stepper stepper(model);
  EXPECT_THAT(complaint([&] { stepper.feed({}); }), HasSubstr("no tokens"));
  for (const int wrong : {-1, model.spec().vocab_size}) {
    EXPECT_THAT(complaint([&] { stepper.feed({&wrong, 1}); }), HasSubstr("outside"));
  }
}

}  // namespace
}  // namespace xlab::tests
