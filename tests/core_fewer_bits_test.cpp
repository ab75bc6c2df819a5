// Models whose weights are held in 8 or 4 bits: what becomes of every matrix when a folder is read,
// what is computed with it, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/files/folder_run.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/inspection.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/stepper.hpp"
#include "core/run.hpp"
#include "core/selfcheck/selfcheck.hpp"
#include "core/training/last_copy.hpp"
#include "core/training/weights.hpp"
#include "tests/complaint.hpp"
#include "tests/small_models.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// Two blocks of width 128, large enough for blocks everywhere but in the gates.
ModelSpec wide_large() {
  ModelSpec spec = small_large();
  spec.vocab_size = 70;
  spec.embedding_dim = 128;
  spec.large->ffn_round_up_to_multiple_of = 64;
  return spec;
}

class FewerBits : public testing::TestWithParam<FolderUse> {
 protected:
  FewerBits() { write(wide_large()); }

  void write(const ModelSpec& spec, const FolderOptions& options = {}) {
    spec_ = spec;
    write_model_folder(filled_model(spec, DType::f32), folder(), options);
  }
  fs::path folder() const { return temporary_ / "model"; }

  /// Takes every tensor of the file, changes the list and writes it again.
  void change_tensors(const std::function<void(std::map<std::string, Tensor>&)>& change) const {
    std::map<std::string, Tensor> tensors;
    const fs::path file = folder() / kSingleWeights;
    {
      const SafetensorsFile all = read_safetensors(file);
      for (const StoredTensor& tensor : all.tensors())
        tensors[tensor.name] = all.tensor(tensor.name, DType::f32);
    }
    change(tensors);
    std::vector<StoredTensor> list;
    for (const auto& [name, tensor] : tensors) list.push_back(stored(name, tensor));
    write_safetensors(file, std::move(list), {{"format", "pt"}});
  }

  std::unique_ptr<Model> read() const { return ModelFolder(folder()).read(GetParam()); }
  /// The same weights in f32.
  std::unique_ptr<Model> widened(const Model& model) const {
    auto wide = std::make_unique<Model>(spec_, DType::f32);
    for (std::size_t p = 0; p < model.params().infos().size(); ++p) {
      const int index = static_cast<int>(p);
      wide->params()[index].value.copy_from(model.params()[index].value.to(DType::f32));
    }
    return wide;
  }
  std::string complaint_of_reading() const {
    return complaint([&] { read(); });
  }
  std::string blocks() const { return name_of_blocks(GetParam()); }

  TemporaryFolder temporary_;
  ModelSpec spec_;
};

bool same_numbers(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

TEST_P(FewerBits, EveryMatrixOfWholeBlocksIsHeldInThem) {
  const Model original = filled_model(wide_large(), DType::f32);
  for (const bool halves : {false, true}) {
    write(wide_large(), {.halves = halves});
    const ModelFolder folder(this->folder());
    const auto model = folder.read(GetParam());
    double bytes = 0.0;
    int in_blocks = 0;
    for (std::size_t p = 0; p < model->params().infos().size(); ++p) {
      const ParamInfo& info = model->params().infos()[p];
      SCOPED_TRACE(info.name);
      const Tensor& value = model->params()[static_cast<int>(p)].value;
      const bool gate =
          info.name.find("igate") != info.name.npos || info.name.find("fgate") != info.name.npos;
      const bool ends = info.name == "backbone.embeddings.weight" || info.name == "lm_head.weight";
      const DType wanted = info.shape.rank() != 2 ? DType::f32
                           : gate                 ? (halves ? DType::bf16 : DType::f32)
                           : GetParam() == FolderUse::read_8bit || ends ? DType::block8
                                                                        : DType::block4;
      EXPECT_EQ(value.dtype(), wanted);
      const Tensor stored = original.params()[static_cast<int>(p)].value.to(
          halves && info.shape.rank() == 2 ? DType::bf16 : DType::f32);
      EXPECT_TRUE(same_numbers(value, stored.to(wanted)));
      bytes += static_cast<double>(value.bytes());
      in_blocks += block_of(wanted) > 1 ? 1 : 0;
    }
    EXPECT_EQ(in_blocks, 2 + 2 * (4 + 1 + 3));
    EXPECT_EQ(folder.bytes_in_memory(GetParam()), bytes);
    EXPECT_LT(bytes, folder.bytes_in_memory(FolderUse::read) * (halves ? 0.57 : 0.3));
  }
}

TEST_P(FewerBits, LargeMatricesAreRoundedPieceByPiece) {
  ModelSpec spec = wide_large();
  spec.vocab_size = 9000;  // more numbers than are read at a time
  spec.num_blocks = 1;
  write(spec);
  const Model original = filled_model(spec, DType::f32);
  const auto model = read();
  for (const char* name : {"backbone.embeddings.weight", "lm_head.weight"}) {
    const Tensor wanted = original.params()[original.params().find(name)].value;
    EXPECT_TRUE(
        same_numbers(model->params()[model->params().find(name)].value, wanted.to(DType::block8)))
        << name;
  }
}

TEST_P(FewerBits, RowsOfJoinedMatricesAreFound) {
  const auto apart = read();
  change_tensors([](std::map<std::string, Tensor>& tensors) {
    for (const std::string block : {"backbone.blocks.0.", "backbone.blocks.1."}) {
      std::vector<float> rows;
      std::int64_t count = 0;
      for (const char* part : {"q", "k", "v", "ogate_preact"}) {
        const std::string name = block + "mlstm_layer." + part + ".weight";
        const Tensor one = tensors.at(name);
        count += one.extent(0);
        rows.insert(rows.end(), one.span<float>().begin(), one.span<float>().end());
        tensors.erase(name);
      }
      tensors[block + "mlstm_layer.qkv_opreact.weight"] = Tensor::from<float>({count, 128}, rows);
    }
  });
  EXPECT_EQ(read()->params().signature(), apart->params().signature());
}

TEST_P(FewerBits, ComputesWithTheRoundedWeights) {
  for (const bool tied : {false, true}) {
    ModelSpec spec = wide_large();
    spec.tie_weights = tied;
    write(spec);
    const auto model = read();
    const auto wide = widened(*model);
    const std::vector<int> tokens = some_tokens(25, spec.vocab_size);
    const std::vector<float> wanted = Stepper(*wide).feed_for_all(tokens),
                             whole = Stepper(*model).feed_for_all(tokens);
    std::vector<float> stepped;
    Stepper steps(*model);
    for (const int token : tokens) {
      const std::vector<float> row = steps.feed({&token, 1});
      stepped.insert(stepped.end(), row.begin(), row.end());
    }
    ASSERT_EQ(whole.size(), wanted.size());
    for (std::size_t j = 0; j < wanted.size(); ++j) {
      ASSERT_NEAR(whole[j], wanted[j], 2e-4) << tied << ", " << j;
      ASSERT_NEAR(stepped[j], wanted[j], 2e-4) << tied << ", " << j;
    }
  }
}

TEST_P(FewerBits, AgreesWithItselfByEveryWay) {
  const auto model = read();
  const std::vector<Check> checks = selfcheck(*model);
  EXPECT_TRUE(std::any_of(checks.begin(), checks.end(), [](const Check& row) {
    return row.name == "Weights saved and read back";
  }));
  for (const Check& row : checks) EXPECT_TRUE(row.passed) << row.name << ": " << row.sentence;
}

TEST_P(FewerBits, WhatItTakesIsToldBeforeItIsRead) {
  write(wide_large(), {.halves = true});
  const auto bytes = [&](FolderUse use) {
    const auto model = ModelFolder(folder()).read(use);
    std::int64_t sum = 0;
    for (std::size_t p = 0; p < model->params().infos().size(); ++p)
      sum += static_cast<std::int64_t>(model->params()[static_cast<int>(p)].value.bytes());
    return sum;
  };
  const Inspection found = inspect(folder());
  ASSERT_EQ(found.models.size(), 1u);
  ASSERT_TRUE(found.models[0].memory.has_value());
  EXPECT_EQ(found.models[0].memory->as_stored, bytes(FolderUse::read));
  EXPECT_EQ(GetParam() == FolderUse::read_8bit ? found.models[0].memory->in_8_bits
                                               : found.models[0].memory->in_4_bits,
            bytes(GetParam()));
}

TEST_P(FewerBits, IsARunToLookAtAndCanBeCopied) {
  const auto run = open_folder_run(folder(), GetParam());
  EXPECT_THAT(run->remark, HasSubstr("The weights are held in " + blocks()));
  EXPECT_EQ(run->was_read->remarks.back(), run->remark);
  run->sequence->compute_all();
  EXPECT_EQ(run->sequence->computed(), run->sequence->length());
  EXPECT_EQ(duplicate(*run)->model->params().signature(), run->model->params().signature());
  const WeightsGlance glance = glance_at(run->model->params()),
                      wide = glance_at(widened(*run->model)->params());
  EXPECT_EQ(glance.largest, wide.largest);
  EXPECT_EQ(glance.not_finite, "");
  EXPECT_EQ(open_folder_run(folder())->remark, "");
}

TEST_P(FewerBits, TheEngineOpensItSo) {
  Engine engine([] {}, "cpu");
  const auto opened = [&](int bits) {
    engine.send(command::OpenFolder{.path = folder().string(), .bits = bits});
    engine.flush();
    return engine.snapshot();
  };
  const int bits = GetParam() == FolderUse::read_8bit ? 8 : 4;
  EXPECT_THAT(opened(bits)->notice, HasSubstr("held in " + blocks()));
  EXPECT_THAT(engine.snapshot()->train.cannot_train, HasSubstr("fewer bits"));
  engine.send(command::ExportFolder{(temporary_ / "out").string()});
  engine.flush();
  EXPECT_THAT(engine.snapshot()->failure.what, HasSubstr("weights as they are stored"));
  const auto run = engine.snapshot()->run_id;
  EXPECT_THAT(opened(3)->failure.what, HasSubstr("not in 3"));
  EXPECT_EQ(engine.snapshot()->run_id, run);
  EXPECT_EQ(opened(0)->train.cannot_train.find("fewer bits"), std::string::npos);
}

TEST_P(FewerBits, IsNeitherTrainedNorSavedNorExported) {
  const auto run = open_folder_run(folder(), GetParam());
  EXPECT_THAT(why_not_trained(*run), HasSubstr("fewer bits than training needs"));
  const Batch batch{Tensor::zeros({1, 4}, DType::i32), Tensor::zeros({1, 4}, DType::i32)};
  EXPECT_THAT(complaint([&] { run->trainer->step(batch); }), HasSubstr("read only"));
  EXPECT_THAT(complaint([&] { save_run(*run, temporary_ / "run.xlab"); }),
              AllOf(HasSubstr("fewer bits"), HasSubstr("only read")));
  EXPECT_THAT(complaint([&] { export_run(*run, temporary_ / "out"); }),
              HasSubstr("open it with its weights as they are stored"));
  EXPECT_FALSE(fs::exists(temporary_ / "run.xlab"));
  EXPECT_FALSE(fs::exists(temporary_ / "out" / "config.json"));
}

TEST_P(FewerBits, NumbersThatAreNotFiniteAreRefusedByName) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    write(wide_large());
    const std::string name = "backbone.blocks.1.ffn.proj_up.weight";
    change_tensors([&](auto& tensors) { tensors.at(name).template data<float>()[1000] = bad; });
    EXPECT_THAT(complaint_of_reading(),
                AllOf(HasSubstr("'" + name + "'"), HasSubstr(blocks()), HasSubstr("infinite")));
  }
  // Where no block has it, it is what it is.
  write(wide_large());
  change_tensors([&](auto& tensors) {
    tensors.at("backbone.blocks.1.mlstm_layer.igate_preact.weight").template data<float>()[9] =
        std::numeric_limits<float>::quiet_NaN();
  });
  EXPECT_EQ(glance_at(read()->params()).not_finite,
            "backbone.blocks.1.mlstm_layer.igate_preact.weight");
}

TEST_P(FewerBits, ModelsThatHaveNothingForThemAreRefused) {
  write(small_large());
  EXPECT_THAT(complaint_of_reading(),
              AllOf(HasSubstr("No matrix"), HasSubstr(blocks()), HasSubstr("multiple of 64")));
  write(small_mixed());
  EXPECT_THAT(complaint_of_reading(), HasSubstr("the paper's family"));
  EXPECT_THAT(complaint([&] { ModelFolder(folder()).read(FolderUse::read_halves); }),
              HasSubstr("the paper's family"));
}

TEST_P(FewerBits, MatricesOfOtherRowsStayAsTheyAre) {
  ModelSpec spec = wide_large();
  spec.large->ffn_round_up_to_multiple_of = 8;
  spec.large->ffn_proj_factor = 1.3;
  write(spec, {.halves = true});
  const auto model = read();
  const Params& params = model->params();
  const auto type = [&](const char* name) { return params[params.find(name)].value.dtype(); };
  EXPECT_NE(params[params.find("backbone.blocks.0.ffn.proj_down.weight")].value.extent(1) % 64, 0);
  EXPECT_EQ(type("backbone.blocks.0.ffn.proj_down.weight"), DType::bf16);
  EXPECT_GT(block_of(type("backbone.blocks.0.ffn.proj_up.weight")), 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FewerBits,
                         testing::Values(FolderUse::read_8bit, FolderUse::read_4bit),
                         [](const auto& info) {
                           return std::string(info.param == FolderUse::read_8bit ? "EightBits"
                                                                                 : "FourBits");
                         });

}  // namespace
}  // namespace xlab::tests
