// Forecasting models against a float64 evaluation that shares no code with the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/folder_run.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/stepper.hpp"
#include "core/series/forecast.hpp"
#include "core/series/patches.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path golden_series() {
  return XLAB_GOLDEN_DEFAULT "_series";
}

json read_json(const fs::path& path) {
  return json::parse(std::ifstream(path));
}

std::vector<double> series_named(const std::string& name) {
  static const json all = read_json(golden_series() / "series.json");
  std::vector<double> numbers;
  for (const json& one : all.at(name))
    numbers.push_back(one.is_null() ? std::numeric_limits<double>::quiet_NaN() : one.get<double>());
  return numbers;
}

std::unique_ptr<Model> read_model(const fs::path& folder) {
  return ModelFolder(folder).read(FolderUse::read);
}

/// The largest difference, as a share of the largest number.
double difference(const std::vector<std::vector<double>>& a,
                  const std::vector<std::vector<double>>& b) {
  double largest = 1.0, apart = 0.0;
  for (std::size_t q = 0; q < a.size(); ++q) {
    for (std::size_t t = 0; t < a[q].size(); ++t) {
      largest = std::max(largest, std::abs(b[q][t]));
      apart = std::max(apart, std::abs(a[q][t] - b[q][t]));
    }
  }
  return apart / largest;
}

class GoldenSeries : public testing::TestWithParam<const char*> {};

TEST_P(GoldenSeries, AreForetoldAsByAnIndependentEvaluation) {
  const fs::path folder = golden_series() / GetParam();
  const std::unique_ptr<Model> model = read_model(folder);
  const json expected = read_json(folder / "expected.json");
  EXPECT_GE(expected.size(), 18u);
  for (const auto& [title, values] : expected.items()) {
    SCOPED_TRACE(title);
    const auto space = title.rfind(' ');
    const auto rows = values.get<std::vector<std::vector<double>>>();
    const int steps = std::stoi(title.substr(space + 1));
    const Forecast foretold = forecast(*model, series_named(title.substr(0, space)), steps);
    ASSERT_EQ(foretold.quantiles.size(), rows.size());
    ASSERT_EQ(foretold.quantiles[0].size(), static_cast<std::size_t>(steps));
    // In float32 the worst of all is 8e-7.
    EXPECT_LT(difference(foretold.quantiles, rows), 3e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenSeries,
                         testing::Values("relu", "flipped", "undifferenced", "single", "first",
                                         "first_flat"),
                         [](const auto& name) { return std::string(name.param); });

TEST(Series, WithATrendAreToldFromOthers) {
  for (const char* name : {"rising", "long_falling"})
    EXPECT_TRUE(series::has_trend(series_named(name))) << name;
  for (const char* name : {"wave", "long", "switch", "flat", "three", "nothing"})
    EXPECT_FALSE(series::has_trend(series_named(name))) << name;
  const std::unique_ptr<Model> model = read_model(golden_series() / "relu");
  EXPECT_TRUE(forecast(*model, series_named("rising"), 3).differenced);
  EXPECT_FALSE(forecast(*model, series_named("wave"), 3).differenced);
}

TEST(Series, OfTheirLastNumbersOnlyAreReadAsFarAsTheModelLooksBack) {
  const std::unique_ptr<Model> model = read_model(golden_series() / "undifferenced");
  const std::vector<double> whole = series_named("long");
  const std::vector<double> end(whole.end() - 64, whole.end());
  const auto all = forecast(*model, whole, 24).quantiles;
  EXPECT_EQ(all, forecast(*model, end, 24).quantiles);
  const std::vector<double> one_more(whole.end() - 65, whole.end());
  EXPECT_EQ(all, forecast(*model, one_more, 24).quantiles);
  const std::vector<double> less(whole.end() - 63, whole.end());
  EXPECT_NE(all, forecast(*model, less, 24).quantiles);
}

TEST(Series, AreReadPatchByPatchToo) {
  const std::unique_ptr<Model> model = read_model(golden_series() / "relu");
  const series::Patches patches = series::patches_of(*model->spec().series, series_named("wave"));
  Tensor numbers = Tensor::empty({patches.count, 16}, DType::f32);
  std::copy(patches.numbers.begin(), patches.numbers.end(), numbers.data<float>());
  model->set_patches(numbers);
  std::vector<int> tokens;
  for (int t = 0; t < patches.count; ++t) tokens.push_back(t);
  const std::vector<float> whole = Stepper(*model).feed_for_all(tokens);
  Stepper stepper(*model);
  for (int t = 0; t < patches.count; ++t) {
    const std::vector<float> row = stepper.feed({&tokens[static_cast<std::size_t>(t)], 1});
    for (std::size_t i = 0; i < row.size(); ++i)
      ASSERT_NEAR(row[i], whole[static_cast<std::size_t>(t) * row.size() + i], 1e-5f) << t;
  }
}

TEST(Series, AreRefusedWhereTheyCannotBeForetold) {
  const std::unique_ptr<Model> model = read_model(golden_series() / "relu");
  EXPECT_THROW(forecast(*model, series_named("wave"), 0), Error);
  EXPECT_THROW(forecast(*model, series_named("wave"), 25), Error);
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_THROW(forecast(*model, std::vector<double>{1.0, infinite}, 3), Error);
  EXPECT_THROW(model->set_patches(Tensor::empty({3, 15}, DType::f32)), Error);
  const std::unique_ptr<Model> fresh = read_model(golden_series() / "relu");
  EXPECT_THROW(Stepper(*fresh).feed_for_all(std::vector<int>{0}), Error);
}

TEST(Series, FoldersMakeNoRunOfTokens) {
  EXPECT_THAT([] { open_folder_run(golden_series() / "relu"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("give it one (`xlstm forecast`")));
  EXPECT_THAT(
      ModelFolder(golden_series() / "relu").was_read().names,
      testing::Contains(testing::HasSubstr("for several series at once was left out: "
                                           "'stack.0.time_mixer.combination.weight' and 8 more")));
}

TEST(Series, GoOnPatchAfterPatchWhereNoneAreReadAhead) {
  const std::unique_ptr<Model> model = read_model(golden_series() / "first");
  const std::vector<double> wave = series_named("wave");
  const auto long_one = forecast(*model, wave, 20).quantiles;
  const auto patch = forecast(*model, wave, 8).quantiles;
  for (std::size_t q = 0; q < patch.size(); ++q) {
    ASSERT_EQ(long_one[q].size(), 20u);
    EXPECT_TRUE(std::equal(patch[q].begin(), patch[q].end(), long_one[q].begin()));
  }
  EXPECT_EQ(forecast(*model, wave, 64).quantiles[0].size(), 64u);
  EXPECT_THAT([&] { forecast(*model, wave, 65); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("foretells 1 to 64 numbers")));
  EXPECT_FALSE(forecast(*model, series_named("rising"), 3).differenced);
}

/// The same folder with names that other writers give the same tensors.
void rename_tensors(const fs::path& to,
                    const std::vector<std::pair<std::string, std::string>>& names, bool keep) {
  fs::create_directories(to);
  fs::copy_file(golden_series() / "relu/config.json", to / "config.json");
  const SafetensorsFile file = read_safetensors(golden_series() / "relu/model.safetensors");
  std::vector<StoredTensor> tensors;
  for (const StoredTensor& tensor : file.tensors()) {
    StoredTensor other = tensor;
    for (const auto& [ours, theirs] : names) {
      const auto at = other.name.find(ours);
      if (at != other.name.npos) other.name.replace(at, ours.size(), theirs);
    }
    if (other.name == tensor.name || keep) tensors.push_back(tensor);
    if (other.name != tensor.name) tensors.push_back(std::move(other));
  }
  write_safetensors(to / "model.safetensors", std::move(tensors));
}

TEST(Series, FoldersOfOtherWritersHoldTheSameNumbers) {
  const std::vector<double> wave = series_named("wave");
  const auto expected = forecast(*read_model(golden_series() / "relu"), wave, 24).quantiles;
  const TemporaryFolder folder;
  int next = 0;
  for (const bool keep : {false, true}) {
    for (const auto& names : std::vector<std::vector<std::pair<std::string, std::string>>>{
             {{".fwd_cell.", ".rev_cell."}},
             {{"._recurrent_kernel_", ".recurrent_kernel"}, {"._bias_", ".bias"}},
             {{".fwd_cell._recurrent_kernel_", ".rev_cell.recurrent_kernel"}}}) {
      if (!keep && names[0].second == ".rev_cell.recurrent_kernel") continue;
      const fs::path place = folder.path() / std::to_string(next++);
      rename_tensors(place, names, keep);
      EXPECT_EQ(forecast(*read_model(place), wave, 24).quantiles, expected) << place;
    }
  }
}

}  // namespace
}  // namespace xlab::tests
