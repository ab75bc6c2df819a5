// Whole models against the numbers of the official implementation: what is compared, and how near
// it has to be. Every folder of XLAB_GOLDEN that holds a paper model (config.json,
// model.safetensors, golden.safetensors) or a training run (train.json too) is taken.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files/disk.hpp"
#include "core/files/load_parameters.hpp"
#include "core/generation/stepper.hpp"
#include "core/run.hpp"
#include "kernels/loss.hpp"
#include "tests/golden.hpp"
#include "tests/golden_compare.hpp"

namespace xlab::tests::paper_family {

namespace fs = std::filesystem;
using nlohmann::json;

struct Limits {
  double logits, loss, gradients, states, step_loss, gradient_norm, weights;
};

/// For float64 the reference is stored in float32, and another form of the mLSTM with a constant
/// stabilizer differs from it at the level of eps.
inline Limits limits(DType dtype) {
  return dtype == DType::f32 ? Limits{3e-5, 5e-6, 5e-4, 1e-5, 1e-5, 3e-4, 3e-5}
                             : Limits{2e-6, 1e-6, 2e-4, 2e-6, 1e-6, 1e-4, 1e-5};
}

inline std::vector<fs::path> folders(bool with_training, const fs::path& place = golden_folder()) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(place)) {
    if (!entry.is_directory() || !fs::exists(entry.path() / "config.json")) continue;
    const json config = read_json(entry.path() / "config.json");
    const bool paper = config.contains("mlstm_block") || config.contains("slstm_block");
    if (!paper || config.contains("model_type")) continue;  // another family
    if (fs::exists(entry.path() / "train.json") == with_training) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline Model load_model(const fs::path& folder, const std::string& weights, DType dtype,
                        Device device = Device::cpu()) {
  Model model(model_spec_from_json(read_text_file(folder / "config.json", 1 << 20)), dtype);
  load_parameters(model, read_safetensors(folder / weights), "");
  model.move_to(device);
  return model;
}

inline void check_forward_and_gradients(const fs::path& folder, DType dtype,
                                        Device device = Device::cpu()) {
  const Limits limit = limits(dtype);
  const SafetensorsFile golden = read_safetensors(folder / "golden.safetensors");
  Model model = load_model(folder, "model.safetensors", dtype, device);
  Tape tape(Tape::Mode::gradient);
  State after;
  const Var logits = model.forward(tape, ids_of(golden, "input_ids"), {}, after);
  const double logits_error =
      error(to_doubles(tape.value(logits)), golden.values_as<double>("logits"));
  EXPECT_LE(logits_error, limit.logits);

  Tensor dlogits = Tensor::empty(tape.value(logits).shape(), dtype, device);
  const double loss =
      kernels::cross_entropy(tape.value(logits), ids_of(golden, "targets").to(device), dlogits, {})
          .loss;
  const double loss_error = std::abs(loss - golden.values_as<double>("loss_f64").front());
  EXPECT_LE(loss_error, limit.loss);

  model.params().grads().fill_zero();
  tape.backward(logits, dlogits);
  const double worst = gradient_error(model.params(), golden, limit.gradients);
  std::printf("%-20s %s  logits %.1e  loss %.1e  %zu gradients %.1e", folder.filename().c_str(),
              name_of(dtype), logits_error, loss_error, model.params().infos().size(), worst);
}

/// The states after the prompt, where the file has them.
inline double state_error(const SafetensorsFile& golden, const std::vector<State>& rows,
                          int block) {
  const std::string prefix = "state.block_" + std::to_string(block) + ".";
  const auto gather = [&](const std::string& name) {
    std::vector<double> all;
    for (const State& row : rows) {
      const auto part = to_doubles(row.cells[static_cast<std::size_t>(block)].get(name));
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  double worst = 0.0;
  for (const char* name : {"C", "n", "m"}) {
    const std::string full = prefix + "mlstm." + name;
    if (golden.contains(full))
      worst = std::max(worst, error(gather(name), golden.values_as<double>(full)));
  }
  if (golden.contains(prefix + "conv"))
    worst = std::max(worst, error(gather("conv"), golden.values_as<double>(prefix + "conv")));
  if (golden.contains(prefix + "slstm")) {
    std::vector<double> all;
    for (const char* name : {"y", "c", "n", "m"}) {
      // The LSTM has neither n nor m.
      if (!rows.front().cells[static_cast<std::size_t>(block)].get(name).defined()) continue;
      const auto part = gather(name);
      all.insert(all.end(), part.begin(), part.end());
    }
    worst = std::max(worst, error(all, golden.values_as<double>(prefix + "slstm")));
  }
  return worst;
}

inline void check_generation(const fs::path& folder, DType dtype, Device device = Device::cpu()) {
  const Limits limit = limits(dtype);
  const SafetensorsFile golden = read_safetensors(folder / "golden.safetensors");
  const Model model = load_model(folder, "model.safetensors", dtype, device);
  const Tensor prompts = ids_of(golden, "gen_prompt"), wanted = ids_of(golden, "gen_tokens");
  const std::int64_t rows = prompts.extent(0), prompt = prompts.extent(1),
                     length = wanted.extent(1);
  const auto reference = golden.values_as<double>("gen_step_logits");
  std::vector<double> produced;
  std::vector<State> states;
  for (std::int64_t b = 0; b < rows; ++b) {
    Stepper stepper(model);
    std::vector<float> logits;
    const auto feed = [&](int token) {
      logits = stepper.feed({&token, 1});
      produced.insert(produced.end(), logits.begin(), logits.end());
    };
    for (std::int64_t t = 0; t < prompt; ++t) feed(prompts.data<std::int32_t>()[b * prompt + t]);
    states.push_back(stepper.state());
    for (std::int64_t t = 0; t < length; ++t) {
      const auto best =
          static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      ASSERT_EQ(best, wanted.data<std::int32_t>()[b * length + t]) << "greedy token " << t;
      if (t + 1 < length) feed(best);
    }
  }
  const double logits_error = error(produced, reference);
  EXPECT_LE(logits_error, limit.logits);
  double worst_state = 0.0;
  for (int block = 0; block < model.spec().num_blocks; ++block)
    worst_state = std::max(worst_state, state_error(golden, states, block));
  EXPECT_LE(worst_state, limit.states);
  std::printf("  step logits %.1e  states %.1e  greedy equal\n", logits_error, worst_state);
}

/// The fixed batch of a golden training run; only its vocabulary matters to the trainer.
class FixedTask : public Task {
 public:
  explicit FixedTask(int vocabulary) : labels_(static_cast<std::size_t>(vocabulary), "x") {}
  std::string name() const override { return "fixed"; }
  std::string title() const override { return "fixed"; }
  std::string description() const override { return ""; }
  std::string must_remember() const override { return ""; }
  const std::vector<std::string>& vocabulary() const override { return labels_; }
  void sample(std::uint64_t, std::uint64_t, std::span<int>, std::span<int>) const override {}
  int shortest() const override { return 1; }
  ModelSpec default_model() const override { return {}; }
  TrainSpec default_training() const override { return {}; }

 private:
  std::vector<std::string> labels_;
};

inline TrainSpec train_spec_of(const json& train, const Tensor& ids) {
  TrainSpec spec;
  spec.batch_size = static_cast<int>(ids.extent(0));
  spec.sequence_length = static_cast<int>(ids.extent(1));
  spec.learning_rate = spec.min_learning_rate = train.at("lr");
  spec.warmup_steps = spec.decay_until_step = 0;
  if (train.contains("schedule")) {
    spec.warmup_steps = train["schedule"].at("warmup_steps");
    spec.decay_until_step = train["schedule"].at("decay_until_step");
    spec.min_learning_rate = train["schedule"].at("min_lr");
  }
  spec.beta1 = train.at("betas").at(0);
  spec.beta2 = train.at("betas").at(1);
  spec.adam_eps = train.at("adam_eps");
  spec.weight_decay = train.at("weight_decay");
  spec.gradient_clip = train.value("grad_clip", 0.0);
  return spec;
}

/// The losses, norms of gradients and weights of a training run.
inline void check_training(const fs::path& folder, DType dtype, Device device = Device::cpu()) {
  const Limits limit = limits(dtype);
  const SafetensorsFile golden = read_safetensors(folder / "golden.safetensors");
  Model model = load_model(folder, "model.safetensors", dtype, device);
  const Batch batch{ids_of(golden, "input_ids"), ids_of(golden, "targets")};
  const FixedTask task(model.spec().vocab_size);
  Trainer trainer(model, task, train_spec_of(read_json(folder / "train.json"), batch.inputs));
  const auto losses = golden.values_as<double>("loss_f64");
  const auto norms = golden.values_as<double>("grad_norm_f64");
  const auto rates = golden.values_as<double>("lr_f64");
  double worst_loss = 0.0, worst_norm = 0.0;
  for (std::size_t step = 0; step < rates.size(); ++step) {
    const StepResult result = trainer.step(batch);
    EXPECT_NEAR(result.learning_rate, rates[step], 1e-12);
    worst_loss = std::max(worst_loss, std::abs(result.loss - losses[step]));
    worst_norm = std::max(worst_norm, std::abs(result.gradient_norm - norms[step]) / norms[step]);
  }
  Tape tape(Tape::Mode::inference);
  State after;
  const Var logits = model.forward(tape, batch.inputs, {}, after);
  const double last =
      kernels::cross_entropy(tape.value(logits), batch.targets.to(device), {}, {}).loss;
  worst_loss = std::max(worst_loss, std::abs(last - losses.back()));

  double worst_weight = 0.0;
  for (std::size_t p = 0; p < model.params().infos().size(); ++p) {
    const std::string& name = model.params().infos()[p].name;
    const auto ours = to_doubles(model.params()[static_cast<int>(p)].value);
    const auto theirs = golden.values_as<double>("final." + name);
    ASSERT_EQ(ours.size(), theirs.size()) << name;
    // The sLSTM's input-gate bias has no gradient in theory; Adam turns rounding noise into
    // steps.
    const std::size_t begin = name.ends_with("_bias_") ? ours.size() / 4 : 0;
    for (std::size_t i = begin; i < ours.size(); ++i)
      worst_weight = std::max(worst_weight, std::abs(ours[i] - theirs[i]));
  }
  EXPECT_LE(worst_loss, limit.step_loss);
  EXPECT_LE(worst_norm, limit.gradient_norm);
  EXPECT_LE(worst_weight, limit.weights);
  std::printf("%-20s %s  %zu steps  loss %.1e  gradient norm %.1e  weights %.1e\n",
              folder.filename().c_str(), name_of(dtype), rates.size(), worst_loss, worst_norm,
              worst_weight);
}

/// Runs a check over every folder of one kind; a chosen place may hold none.
template <typename Check>
void check_folders(bool with_training, Check&& check_folder,
                   const fs::path& place = golden_folder()) {
  const auto found = folders(with_training, place);
  if (found.empty() && golden_folder_is_chosen()) GTEST_SKIP() << "none in " << place;
  ASSERT_FALSE(found.empty()) << "none in " << place;
  for (const fs::path& folder : found) {
    SCOPED_TRACE(folder.string());
    check_folder(folder);
  }
}

}  // namespace xlab::tests::paper_family
