// Models of the large family against the numbers of the official implementation: what is compared,
// and how near it has to be. Every folder of XLAB_GOLDEN whose config.json names a "model_type" is
// taken.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>

#include "core/files/hf_folder.hpp"
#include "kernels/loss.hpp"
#include "tests/golden.hpp"
#include "tests/golden_compare.hpp"

namespace xlab::tests::large_family {

namespace fs = std::filesystem;

struct Limits {
  double logits, loss, gradients, states;
};

/// The reference is stored in float32. The stabilizer is a constant in our backward pass and a
/// variable in the reference's: that shows at the level of eps.
inline Limits limits(DType dtype) {
  return dtype == DType::f32 ? Limits{1e-5, 5e-6, 1e-4, 1e-5} : Limits{1e-7, 1e-7, 5e-6, 1e-7};
}

inline std::vector<fs::path> folders() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(golden_folder())) {
    if (!entry.is_directory() || !fs::exists(entry.path() / "config.json")) continue;
    if (read_json(entry.path() / "config.json").contains("model_type"))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline Model load_model(const fs::path& path, DType dtype, Device device) {
  const ModelFolder folder(path);
  Model model(folder.spec(), dtype);
  folder.load_into(model);
  model.move_to(device);
  return model;
}

/// Every token answers with the one after it.
inline Tensor next_tokens(const Tensor& ids) {
  const Tensor targets = Tensor::empty(ids.shape(), DType::i32);
  const std::int64_t T = ids.extent(1);
  for (std::int64_t n = 0; n < ids.elements(); ++n)
    targets.data<std::int32_t>()[n] = n % T == T - 1 ? -1 : ids.data<std::int32_t>()[n + 1];
  return targets;
}

inline void check_forward_and_gradients(const fs::path& folder, DType dtype,
                                        Device device = Device::cpu()) {
  const Limits limit = limits(dtype);
  const SafetensorsFile golden = read_safetensors(folder / "golden.safetensors");
  Model model = load_model(folder, dtype, device);
  const Tensor ids = ids_of(golden, "input_ids");
  Tape tape(Tape::Mode::gradient);
  State after;
  const Var logits = model.forward(tape, ids, {}, after);
  const double logits_error =
      error(to_doubles(tape.value(logits)), golden.values_as<double>("logits"));
  EXPECT_LE(logits_error, limit.logits);

  const Tensor dlogits = Tensor::empty(tape.value(logits).shape(), dtype, device);
  const double loss =
      kernels::cross_entropy(tape.value(logits), next_tokens(ids).to(device), dlogits, {}).loss;
  const double loss_error = std::abs(loss - golden.values_as<double>("loss_f64").front());
  EXPECT_LE(loss_error, limit.loss);

  model.params().grads().fill_zero();
  tape.backward(logits, dlogits);
  const double worst = gradient_error(model.params(), golden, limit.gradients);
  std::printf("%-20s %s  logits %.1e  loss %.1e  %zu gradients %.1e", folder.filename().c_str(),
              name_of(dtype), logits_error, loss_error, model.params().infos().size(), worst);
}

inline void check_generation(const fs::path& folder, DType dtype, Device device = Device::cpu()) {
  const Limits limit = limits(dtype);
  const SafetensorsFile golden = read_safetensors(folder / "golden.safetensors");
  const Model model = load_model(folder, dtype, device);
  State state;
  const auto feed = [&](const Tensor& ids) {
    Tape tape(Tape::Mode::inference);
    State after;
    const Tensor logits = tape.value(model.forward(tape, ids, state, after));
    state = std::move(after);
    return to_doubles(logits);
  };
  const Tensor prompt = ids_of(golden, "prefill_ids"), wanted = ids_of(golden, "gen_tokens");
  const std::int64_t rows = prompt.extent(0), length = wanted.extent(1);
  std::vector<double> logits = feed(prompt);
  const double prefill_error = error(logits, golden.values_as<double>("prefill_logits"));
  EXPECT_LE(prefill_error, limit.logits);

  double worst_state = 0.0;
  for (int layer = 0; layer < model.spec().num_blocks; ++layer) {
    for (const char* name : {"C", "n", "m"}) {
      const double e = error(to_doubles(state.cells[static_cast<std::size_t>(layer)].get(name)),
                             golden.values_as<double>(fmt::format("state.{}.{}", layer, name)));
      EXPECT_LE(e, limit.states) << layer << name;
      worst_state = std::max(worst_state, e);
    }
  }

  const auto vocabulary = static_cast<std::size_t>(model.spec().vocab_size);
  const auto reference = golden.values_as<double>("gen_logits");
  double step_error = 0.0;
  for (std::int64_t t = 0; t < length; ++t) {
    const Tensor next = Tensor::empty({rows, 1}, DType::i32);
    const std::size_t steps = logits.size() / static_cast<std::size_t>(rows) / vocabulary;
    for (std::int64_t b = 0; b < rows; ++b) {
      const auto row = static_cast<std::size_t>(b);
      const auto last =
          logits.begin() + static_cast<std::ptrdiff_t>(((row + 1) * steps - 1) * vocabulary);
      const std::vector<double> ours(last, last + static_cast<std::ptrdiff_t>(vocabulary));
      const auto theirs = reference.begin() + (b * length + t) * model.spec().vocab_size;
      step_error = std::max(
          step_error, error(ours, {theirs, theirs + static_cast<std::ptrdiff_t>(vocabulary)}));
      const auto best =
          static_cast<std::int32_t>(std::max_element(ours.begin(), ours.end()) - ours.begin());
      ASSERT_EQ(best, wanted.data<std::int32_t>()[b * length + t]) << "greedy token " << t;
      next.data<std::int32_t>()[b] = best;
    }
    if (t + 1 < length) logits = feed(next);
  }
  EXPECT_LE(step_error, limit.logits);
  std::printf("  prefill %.1e  states %.1e  step logits %.1e  greedy equal\n", prefill_error,
              worst_state, step_error);
}

/// Runs a check over every folder; a chosen place may hold none.
template <typename Check>
void check_folders(Check&& check_folder) {
  const auto found = folders();
  if (found.empty() && golden_folder_is_chosen()) GTEST_SKIP() << "none in " << golden_folder();
  ASSERT_FALSE(found.empty()) << "none in " << golden_folder();
  for (const fs::path& folder : found) {
    SCOPED_TRACE(folder.string());
    check_folder(folder);
  }
}

}  // namespace xlab::tests::large_family
