// Whole models on a card: what they compute, learn, record and save there is what they do on the
// CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/files/hf_folder.hpp"
#include "core/generation/clamped_sequence.hpp"
#include "core/generation/mixing_images.hpp"
#include "core/generation/stepper.hpp"
#include "core/run.hpp"
#include "core/selfcheck/background_check.hpp"
#include "core/selfcheck/selfcheck.hpp"
#include "core/series/forecast.hpp"
#include "cuda_device.hpp"
#include "kernels/device/graph.hpp"
#include "kernels/device/readback.hpp"
#include "small_models.hpp"
#include "temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;

constexpr int kVocabulary = 7;

/// The largest difference, relative to the largest number wanted.
double apart(std::span<const float> seen, std::span<const float> wanted) {
  EXPECT_EQ(seen.size(), wanted.size());
  double largest = 1e-30, error = 0.0;
  for (std::size_t j = 0; j < std::min(seen.size(), wanted.size()); ++j) {
    if (!std::isfinite(seen[j])) return INFINITY;
    largest = std::max<double>(largest, std::abs(wanted[j]));
    error = std::max<double>(error, std::abs(seen[j] - wanted[j]));
  }
  return error / largest;
}

double apart(const Tensor& seen_there, const Tensor& wanted_there) {
  const Tensor seen = seen_there.to(Device::cpu()).to(DType::f64),
               wanted = wanted_there.to(Device::cpu()).to(DType::f64);
  EXPECT_EQ(seen.elements(), wanted.elements());
  double largest = 1e-300, error = 0.0;
  for (std::size_t j = 0; j < static_cast<std::size_t>(wanted.elements()); ++j) {
    if (!std::isfinite(seen.span<double>()[j])) return INFINITY;
    largest = std::max(largest, std::abs(wanted.span<double>()[j]));
    error = std::max(error, std::abs(seen.span<double>()[j] - wanted.span<double>()[j]));
  }
  return error / largest;
}

bool same_bits(const Tensor& a_there, const Tensor& b_there) {
  const Tensor a = a_there.to(Device::cpu()), b = b_there.to(Device::cpu());
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

Model on_card(const ModelSpec& spec, DType dtype) {
  Model model = filled_model(spec, dtype);
  model.move_to(Device::cuda());
  return model;
}

Tensor logits_of(const Model& model, const std::vector<int>& tokens) {
  const Tensor ids =
      Tensor::from<std::int32_t>({1, static_cast<std::int64_t>(tokens.size())}, tokens);
  Tape tape(Tape::Mode::inference);
  State after;
  return tape.value(model.forward(tape, ids, {}, after));
}

Batch some_batch(std::int64_t sequences, std::int64_t length, int vocabulary, std::uint64_t seed) {
  const auto tensor = [&](std::uint64_t stream) {
    return Tensor::from<std::int32_t>(
        {sequences, length}, some_tokens(static_cast<int>(sequences * length), vocabulary, stream));
  };
  Batch batch{tensor(2 * seed), tensor(2 * seed + 1)};
  batch.targets.span<std::int32_t>()[1] = -1;
  return batch;
}

TrainSpec short_training() {
  return {.batch_size = 2,
          .sequence_length = 5,
          .learning_rate = 1e-2,
          .min_learning_rate = 1e-4,
          .warmup_steps = 1,
          .decay_until_step = 17};
}

/// A model and its trainer on a device.
struct Training {
  std::unique_ptr<Task> task;
  Model model;
  Trainer trainer;

  Training(const ModelSpec& spec, DType dtype, Device device,
           const TrainSpec& train = short_training())
      : task(make_tokens_task(spec.vocab_size)),
        model(filled_model(spec, dtype)),
        trainer(model, *task, train) {
    trainer.move_to(device);
  }
  StepResult step(std::uint64_t number, std::int64_t sequences = 2, std::int64_t length = 5) {
    return trainer.step(some_batch(sequences, length, model.spec().vocab_size, number));
  }
};

std::unique_ptr<Run> small_run(Device device, std::uint64_t seed = 1) {
  RunSpec spec;
  spec.model = small_mixed();
  spec.model->vocab_size = 0;
  spec.train = short_training();
  spec.train->sequence_length = 9;
  spec.train->seed = seed;
  auto run = make_run(make_task("recall"), spec);
  move_run(*run, device);
  return run;
}

class CudaModels : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
  static const ModelSpec& spec() { return models()[GetParam()].second; }
  static const std::vector<std::pair<std::string, ModelSpec>>& models() {
    static const auto list = small_models();
    return list;
  }
};

class CudaCore : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_CUDA(); }
};

TEST_P(CudaModels, LogitsAreTheCpus) {
  const auto tokens = some_tokens(6, spec().vocab_size);
  const Tensor wanted = logits_of(filled_model(spec(), DType::f64), tokens);
  const Tensor seen = logits_of(on_card(spec(), DType::f64), tokens);
  EXPECT_EQ(seen.device(), Device::cuda());
  EXPECT_LE(apart(seen, wanted), 1e-9);
  EXPECT_LE(apart(logits_of(on_card(spec(), DType::f32), tokens),
                  logits_of(filled_model(spec(), DType::f32), tokens)),
            1e-4);
}

TEST_P(CudaModels, TrainingFollowsTheCpus) {
  Training cpu(spec(), DType::f64, Device::cpu()), card(spec(), DType::f64, Device::cuda());
  for (std::uint64_t step = 0; step < 5; ++step) {
    const StepResult wanted = cpu.step(step, 2, 4), seen = card.step(step, 2, 4);
    EXPECT_EQ(seen.step, wanted.step);
    EXPECT_EQ(seen.tokens, wanted.tokens);
    EXPECT_EQ(seen.learning_rate, wanted.learning_rate);
    EXPECT_EQ(seen.finite, wanted.finite);
    EXPECT_EQ(seen.accuracy, wanted.accuracy);
    EXPECT_NEAR(seen.loss, wanted.loss, 1e-8 * wanted.loss);
    EXPECT_NEAR(seen.gradient_norm, wanted.gradient_norm, 1e-8 * wanted.gradient_norm);
  }
  EXPECT_LE(apart(card.model.params().values(), cpu.model.params().values()), 1e-8);
  EXPECT_LE(apart(card.trainer.first_moment(), cpu.trainer.first_moment()), 1e-8);
  EXPECT_LE(apart(card.trainer.second_moment(), cpu.trainer.second_moment()), 1e-8);
}

TEST_P(CudaModels, WhatIsRecordedTokenByTokenIsTheCpus) {
  const Model there = on_card(spec(), DType::f32), here = filled_model(spec(), DType::f32);
  Sequence seen(there), wanted(here);
  const auto tokens = some_tokens(4, spec().vocab_size);
  for (Sequence* sequence : {&seen, &wanted}) {
    sequence->set_tokens(tokens);
    sequence->compute_all();
  }
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const SequenceStep &a = seen.steps()[t], &b = wanted.steps()[t];
    EXPECT_LE(apart(a.logits, b.logits), 1e-4) << t;
    EXPECT_NEAR(a.surprise, b.surprise, 1e-4) << t;
    ASSERT_EQ(a.trace->values.size(), b.trace->values.size());
    for (const auto& [path, value] : b.trace->values) {
      const Recorded* found = a.trace->find(path);
      ASSERT_NE(found, nullptr) << path;
      EXPECT_EQ(found->heads, value.heads) << path;
      EXPECT_EQ(found->dim, value.dim) << path;
      EXPECT_LE(apart(found->values, value.values), 2e-4) << path << " at " << t;
    }
  }
}

TEST_P(CudaModels, ClampsHold) {
  const Model there = on_card(spec(), DType::f64), here = filled_model(spec(), DType::f64);
  const BlockCard block = there.cards().front();
  const std::string path = block.prefix + (block.has_matrix ? "/v" : "/cell_input_pre");
  const std::vector<Clamp> clamps = {{path, 0, 1, 1, 9, 1.5f, true}};
  Sequence seen(there), wanted(here), free(there);
  for (Sequence* sequence : {&seen, &wanted, &free}) {
    if (sequence != &free) sequence->set_clamps(clamps);
    sequence->set_tokens(some_tokens(3, spec().vocab_size));
    sequence->compute_all();
  }
  EXPECT_EQ(seen.trace()->find(2, path)->at(0, 1), 1.5f);
  EXPECT_EQ(seen.steps()[0].logits, free.steps()[0].logits);
  EXPECT_NE(seen.steps()[2].logits, free.steps()[2].logits);
  EXPECT_LE(apart(seen.steps()[2].logits, wanted.steps()[2].logits), 1e-6);
}

TEST_P(CudaModels, AgreeWithThemselves) {
  const Model model = on_card(spec(), DType::f32);
  const std::vector<Check> checks = selfcheck(model, {.tokens = some_tokens(9, spec().vocab_size)});
  bool compared = false;
  for (const Check& row : checks) {
    EXPECT_TRUE(row.passed) << row.name << ", " << row.largest << " of " << row.limit << ". "
                            << row.sentence;
    compared = compared || row.name == "CPU = CUDA";
  }
  EXPECT_TRUE(compared);
}

TEST_F(CudaCore, StatesFollowTheModel) {
  Model model = filled_model(small_mixed(), DType::f64);
  const auto tokens = some_tokens(6, kVocabulary);
  Stepper wanted(model);
  wanted.feed(std::span(tokens).first(3));
  const std::vector<float> rest = wanted.feed(std::span(tokens).subspan(3));

  Stepper moved(model);
  moved.feed(std::span(tokens).first(3));
  model.move_to(Device::cuda());
  EXPECT_LE(apart(moved.feed(std::span(tokens).subspan(3)), rest), 1e-6);
  EXPECT_LE(apart(Stepper(model).feed_for_all(tokens),
                  floats_of(logits_of(filled_model(small_mixed(), DType::f64), tokens))),
            1e-6);
}

TEST_F(CudaCore, SeriesAreForetoldThereToo) {
  const auto model = ModelFolder(XLAB_GOLDEN_DEFAULT "_series/flipped").read(FolderUse::read);
  std::vector<double> series;
  for (int t = 0; t < 50; ++t)
    series.push_back(t % 7 == 3 ? NAN : std::cos(t / 3.0) * 20.0 + t % 5);
  const Forecast wanted = forecast(*model, series, 24);
  model->move_to(Device::cuda());
  const Forecast seen = forecast(*model, series, 24);
  for (std::size_t q = 0; q < wanted.quantiles.size(); ++q)
    for (std::size_t t = 0; t < 24; ++t)
      EXPECT_NEAR(seen.quantiles[q][t], wanted.quantiles[q][t],
                  1e-4 * (1.0 + std::abs(wanted.quantiles[q][t])));
}

TEST_F(CudaCore, ThereAndBackKeepsEveryBit) {
  const auto run = small_run(Device::cuda());
  for (int step = 0; step < 2; ++step) EXPECT_TRUE(run->train_step().finite);
  run->sequence->truncate(4);
  run->sequence->compute_all();
  ClampedSequence sequence(*run->sequence);
  sequence.set_clamps({{"block0/mlstm/v", 0, 1, 1, 9, 1.5f, true}});
  sequence.compute_all();
  EXPECT_EQ(run->model->device(), Device::cuda());
  const std::uint64_t weights = run->model->params().signature();
  const Tensor first = run->trainer->first_moment(), second = run->trainer->second_moment();
  EXPECT_EQ(first.device(), Device::cuda());
  const std::shared_ptr<const State> state = run->sequence->steps().back().after;
  for (const Device device : {Device::cpu(), Device::cuda()}) {
    move_run(*run, device);
    sequence.move_to(device);
    EXPECT_EQ(run->model->device(), device);
    EXPECT_EQ(run->model->params().signature(), weights);
    EXPECT_EQ(run->trainer->first_moment().device(), device);
    EXPECT_TRUE(same_bits(run->trainer->first_moment(), first));
    EXPECT_TRUE(same_bits(run->trainer->second_moment(), second));
    for (const Sequence* sequence :
         std::initializer_list<const Sequence*>{run->sequence.get(), &sequence.edited()}) {
      for (const CellState& cell : sequence->steps().back().after->cells) {
        for (const auto& [name, tensor] : cell.tensors())
          EXPECT_EQ(tensor.device(), device) << name;
      }
    }
    const State& now = *run->sequence->steps().back().after;
    for (std::size_t cell = 0; cell < now.cells.size(); ++cell) {
      for (const auto& [name, tensor] : now.cells[cell].tensors())
        EXPECT_TRUE(same_bits(tensor, state->cells[cell].get(name))) << name;
    }
  }
  EXPECT_TRUE(run->train_step().finite);
}

TEST_F(CudaCore, TheMatrixMemoryOnScreenIsTheCpus) {
  const auto there = small_run(Device::cuda()), here = small_run(Device::cpu());
  Snapshot seen, wanted;
  for (const auto& [run, snapshot] :
       {std::pair{there.get(), &seen}, std::pair{here.get(), &wanted}}) {
    ClampedSequence sequence(*run->sequence);
    sequence.compute_all();
    sequence.describe_cursor(3, 0, *run->model, {}, *snapshot);
  }
  ASSERT_NE(seen.memory, nullptr);
  EXPECT_LE(apart(seen.memory->C, wanted.memory->C), 1e-4);
  EXPECT_LE(apart(seen.memory->previous, wanted.memory->previous), 1e-4);
}

TEST_F(CudaCore, RecurrentMatricesOnACardAreThoseOfTheCpu) {
  const auto here = mixing_images(filled_model(small_mixed(), DType::f32), 5);
  const auto there = mixing_images(on_card(small_mixed(), DType::f32), 5);
  ASSERT_EQ(here.size(), there.size());
  for (std::size_t b = 0; b < here.size(); ++b) {
    ASSERT_EQ(here[b] != nullptr, there[b] != nullptr);
    if (!here[b]) continue;
    EXPECT_FALSE(here[b]->R.empty());
    EXPECT_EQ(here[b]->R, there[b]->R);
    EXPECT_EQ(here[b]->b, there[b]->b);
  }
}

TEST_F(CudaCore, ANormalizerIsNoneWhereItsOverlapIsNone) {
  ModelSpec spec = small_mlstm();
  spec.mlstm->variant.stabilizer = false;
  Model model = filled_model(spec, DType::f32);
  model.move_to(Device::cuda());
  Sequence sequence(model);
  sequence.set_tokens(some_tokens(9, spec.vocab_size));
  sequence.set_clamps(
      {{.path = "block0/mlstm/input_gate_pre", .head = 1, .begin = 3, .end = 5, .value = 100.0f}});
  sequence.compute_all();
  int seen = 0;
  for (int t = 0; t < 9; ++t) {
    const float s = sequence.trace()->find(t, "block0/mlstm/s")->at(1, 0);
    const float N = sequence.trace()->find(t, "block0/mlstm/normalizer")->at(1, 0);
    EXPECT_EQ(std::isnan(N), std::isnan(s)) << t;
    seen += std::isnan(s) ? 1 : 0;
  }
  EXPECT_GT(seen, 3);
}

TEST_F(CudaCore, GraphsGiveTheBitsOfPlainSteps) {
  // Moving away and back throws what was recorded away.
  Training graphs(small_mixed(), DType::f32, Device::cuda()),
      plain(small_mixed(), DType::f32, Device::cuda());
  for (std::uint64_t step = 0; step < 5; ++step) {
    const StepResult a = graphs.step(step), b = plain.step(step);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.gradient_norm, b.gradient_norm);
    EXPECT_EQ(a.accuracy, b.accuracy);
    EXPECT_TRUE(a.finite && b.finite);
    plain.trainer.move_to(Device::cpu());
    plain.trainer.move_to(Device::cuda());
  }
  EXPECT_EQ(graphs.model.params().signature(), plain.model.params().signature());
  EXPECT_TRUE(same_bits(graphs.trainer.second_moment(), plain.trainer.second_moment()));
}

TEST_F(CudaCore, OtherBatchesAndEquationsAreRecordedAnew) {
  Training cpu(small_mixed(), DType::f64, Device::cpu()),
      card(small_mixed(), DType::f64, Device::cuda());
  const auto both = [&](std::uint64_t step, std::int64_t sequences, std::int64_t length) {
    const StepResult wanted = cpu.step(step, sequences, length),
                     seen = card.step(step, sequences, length);
    EXPECT_NEAR(seen.loss, wanted.loss, 1e-8 * wanted.loss) << step;
  };
  both(0, 2, 5);
  both(1, 2, 5);
  both(2, 3, 4);
  both(3, 3, 4);
  // What else computes meanwhile may not get in the way of what was recorded.
  Stepper(card.model).feed(some_tokens(5, kVocabulary));
  both(4, 3, 4);
  CellVariant variant = card.model.spec().mlstm->variant;
  variant.forget_gate = ForgetGate::exponential;
  for (Training* training : {&cpu, &card}) training->model.set_variant("mlstm", variant);
  both(5, 3, 4);
  both(6, 3, 4);
  EXPECT_LE(apart(card.model.params().values(), cpu.model.params().values()), 1e-8);
}

TEST_F(CudaCore, StepsThatAreNotFiniteLeaveTheWeights) {
  for (const bool recorded : {false, true}) {
    Training card(small_mlstm(), DType::f32, Device::cuda());
    if (recorded) {
      card.step(0);
      card.step(1);
    }
    const Tensor& values = card.model.params().values();
    const Tensor kept = values.to(Device::cpu());
    const Tensor broken = kept.clone();
    broken.span<float>()[0] = NAN;  // the embedding of the token 0
    values.copy_from(broken);
    const StepResult result = card.step(2);
    EXPECT_FALSE(result.finite);
    EXPECT_EQ(result.gradient_norm, 0.0);
    EXPECT_FALSE(std::isfinite(result.loss));
    EXPECT_TRUE(same_bits(values, broken));
    values.copy_from(kept);
    EXPECT_TRUE(card.step(3).finite);
  }
}

TEST_F(CudaCore, TokensOutsideTheVocabularyAreRefused) {
  Training card(small_mlstm(), DType::f32, Device::cuda());
  Batch batch = some_batch(2, 5, kVocabulary, 1);
  batch.inputs.span<std::int32_t>()[3] = kVocabulary;
  EXPECT_THROW(card.trainer.step(batch), Error);
  batch = some_batch(2, 5, kVocabulary, 1);
  batch.targets.span<std::int32_t>()[3] = kVocabulary;
  EXPECT_THROW(card.trainer.step(batch), Error);
  EXPECT_TRUE(card.step(0).finite);
}

TEST_F(CudaCore, CancelledStepsChangeNothing) {
  Training card(small_mlstm(), DType::f32, Device::cuda()),
      calm(small_mlstm(), DType::f32, Device::cuda());
  std::atomic<bool> cancel = false;
  card.trainer.cancel = &cancel;
  for (std::uint64_t step = 0; step < 4; ++step) {
    cancel = true;
    EXPECT_THROW(card.step(step), Cancelled);
    EXPECT_EQ(card.model.params().signature(), calm.model.params().signature());
    cancel = false;
    EXPECT_EQ(card.step(step).loss, calm.step(step).loss);
  }
  EXPECT_EQ(card.model.params().signature(), calm.model.params().signature());
}

TEST_F(CudaCore, ACheckBesideTrainingDisturbsNothing) {
  const ModelSpec spec = small_mlstm();
  Training card(spec, DType::f32, Device::cuda()), calm(spec, DType::f32, Device::cuda());
  BackgroundCheck checks([] {});
  checks.start(card.model, 0, some_tokens(4, kVocabulary));
  std::uint64_t steps = 0;
  do {
    card.step(steps++);
  } while (checks.report()->running || steps < 4);
  for (std::uint64_t step = 0; step < steps; ++step) calm.step(step);
  EXPECT_EQ(card.model.params().signature(), calm.model.params().signature());
  EXPECT_EQ(checks.report()->failure, "");
  for (const Check& row : checks.report()->checks) EXPECT_TRUE(row.passed) << row.sentence;
}

TEST_F(CudaCore, SavedThereIsLoadedHere) {
  const TemporaryFolder folder;
  const auto run = small_run(Device::cuda());
  for (int step = 0; step < 2; ++step) run->train_step();
  save_run(*run, folder / "there.xlab");
  const auto loaded = load_run(folder / "there.xlab");
  EXPECT_EQ(loaded->model->device(), Device::cpu());
  EXPECT_EQ(loaded->model->params().signature(), run->model->params().signature());
  EXPECT_TRUE(same_bits(loaded->trainer->first_moment(), run->trainer->first_moment()));
  EXPECT_TRUE(same_bits(loaded->trainer->second_moment(), run->trainer->second_moment()));
}

TEST_F(CudaCore, GoingOnFromAFileGivesTheSameBits) {
  const TemporaryFolder folder;
  const auto whole = small_run(Device::cuda());
  for (int step = 0; step < 4; ++step) whole->train_step();
  auto half = small_run(Device::cuda());
  for (int step = 0; step < 2; ++step) half->train_step();
  save_run(*half, folder / "half.xlab");
  half = load_run(folder / "half.xlab");
  move_run(*half, Device::cuda());
  for (int step = 0; step < 2; ++step) half->train_step();
  EXPECT_EQ(half->model->params().signature(), whole->model->params().signature());
  EXPECT_TRUE(same_bits(half->trainer->second_moment(), whole->trainer->second_moment()));
  const auto again = restart_run(*half, 1);
  EXPECT_EQ(again->model->device(), Device::cuda());
  for (int step = 0; step < 4; ++step) again->train_step();
  EXPECT_EQ(again->model->params().signature(), whole->model->params().signature());
}

TEST_F(CudaCore, ReadingManyTensorsKeepsTheirOrder) {
  const std::vector<double> many(5000, 0.25), few = {1.0, -2.0, 3.5};
  Readback readback;
  readback.add(Tensor::from<double>({3}, few));
  readback.add(Tensor::from<double>({5000}, many).to(Device::cuda()));
  readback.add(Tensor::from<double>({3}, few, DType::f32).to(Device::cuda()).slice(1, 3));
  const auto seen = readback.fetch();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0], (std::vector<float>{1.0f, -2.0f, 3.5f}));
  EXPECT_EQ(seen[1], std::vector<float>(5000, 0.25f));
  EXPECT_EQ(seen[2], (std::vector<float>{-2.0f, 3.5f}));
  EXPECT_TRUE(readback.fetch().empty());
}

TEST_F(CudaCore, AGraphKeepsItsMemory) {
  const Tensor sum = Tensor::zeros({300}, DType::f64, Device::cuda());
  const Tensor one = Tensor::from<double>({300}, std::vector<double>(300, 1.0)).to(Device::cuda());
  const DeviceGraph graph(Device::cuda(), [&] {
    const Tensor two = Tensor::empty({300}, DType::f64, Device::cuda());
    kernels::scale(one, 2.0, two);
    kernels::accumulate(sum, two);
  });
  EXPECT_EQ(floats_of(sum)[7], 0.0f);
  graph.launch();
  const Tensor other = one.clone();  // does not get the graph's memory
  graph.launch();
  EXPECT_EQ(floats_of(sum)[7], 4.0f);
  EXPECT_EQ(floats_of(other)[7], 1.0f);
  // Waiting cannot be recorded, and is possible again afterwards.
  EXPECT_THROW(DeviceGraph(Device::cuda(), [&] { floats_of(sum); }), Error);
  EXPECT_EQ(floats_of(sum)[7], 4.0f);
}

#ifdef XLAB_EMULATION

/// How often the host waits for the card, and how many copies come back.
struct Counted {
  long waits = emulation::synchronisations(), copies = emulation::copies_to_host();
  void expect_one() const {
    EXPECT_EQ(emulation::synchronisations() - waits, 1);
    EXPECT_EQ(emulation::copies_to_host() - copies, 1);
  }
};

TEST_F(CudaCore, AStepIsWaitedForOnce) {
  Training card(small_mixed(), DType::f32, Device::cuda());
  for (std::uint64_t step = 0; step < 4; ++step) {
    const Counted counted;
    const long launches = emulation::launches();
    card.step(step);
    counted.expect_one();
    // What was recorded with the second step is repeated without asking for a single kernel.
    if (step >= 2) {
      EXPECT_EQ(emulation::launches(), launches);
    } else {
      EXPECT_GT(emulation::launches(), launches);
    }
  }
}

TEST_F(CudaCore, ATokenIsWaitedForOnce) {
  const Model model = on_card(small_mixed(), DType::f32);
  Sequence sequence(model);
  sequence.set_tokens({1, 2, 3});
  for (int t = 0; t < 3; ++t) {
    const Counted counted;
    sequence.compute_one();
    counted.expect_one();
  }
}

/// Leaves so much memory free on the card as long as it lives.
class LittleMemory {
 public:
  explicit LittleMemory(std::size_t bytes) {
    release_cached_memory();
    emulation::set_memory_bytes(emulation::allocated_bytes() + bytes);
  }
  ~LittleMemory() { emulation::set_memory_bytes(std::size_t{2} << 30); }
};

TEST_F(CudaCore, WhatDoesNotFitStaysOnTheCpu) {
  const auto run = small_run(Device::cpu());
  run->sequence->compute_all();
  const std::uint64_t weights = run->model->params().signature();
  const std::size_t size = run->model->params().values().bytes();
  for (const std::size_t room : {size / 2, 2 * size, 4 * size + size / 2}) {
    const LittleMemory little(room);
    try {
      move_run(*run, Device::cuda());
      ADD_FAILURE() << "it fits into " << room;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("MiB"));
    }
    EXPECT_EQ(run->model->device(), Device::cpu());
    EXPECT_EQ(run->trainer->first_moment().device(), Device::cpu());
    EXPECT_EQ(run->model->params().signature(), weights);
  }
  EXPECT_TRUE(run->train_step().finite);
  move_run(*run, Device::cuda());
  EXPECT_TRUE(run->train_step().finite);
}

TEST_F(CudaCore, AStepThatDoesNotFitChangesNothing) {
  Training card(small_mixed(), DType::f32, Device::cuda()),
      calm(small_mixed(), DType::f32, Device::cuda());
  calm.step(0);
  {
    const LittleMemory little(6000);
    EXPECT_THROW(card.step(0), Error);
  }
  EXPECT_EQ(card.step(0).finite, true);
  EXPECT_EQ(card.model.params().signature(), calm.model.params().signature());
}

TEST_F(CudaCore, ALostCardIsSaid) {
  Training card(small_mlstm(), DType::f32, Device::cuda());
  card.step(0);
  emulation::fail_call(5, 719);
  EXPECT_THROW(card.step(1), DeviceLost);
  emulation::restore();
}

#endif

INSTANTIATE_TEST_SUITE_P(Small, CudaModels, testing::Range(std::size_t{0}, small_models().size()),
                         [](const auto& info) { return small_models()[info.param].first; });

TEST(CudaFewerBits, AModelInBlocksExpectsOnACardWhatItDoesOnTheCpu) {
  SKIP_WITHOUT_CUDA();
  ModelSpec spec = small_large();
  spec.vocab_size = 70;
  spec.embedding_dim = 128;
  spec.num_blocks = 1;
  spec.large->ffn_round_up_to_multiple_of = 64;
  const TemporaryFolder temporary;
  write_model_folder(filled_model(spec, DType::f32), temporary.path());
  const std::vector<int> tokens = some_tokens(12, spec.vocab_size);
  for (const FolderUse use : {FolderUse::read_8bit, FolderUse::read_4bit}) {
    const auto model = ModelFolder(temporary.path()).read(use);
    const std::vector<float> wanted = Stepper(*model).feed_for_all(tokens);
    const std::uint64_t weights = model->params().signature();
    model->move_to(Device::cuda());
    EXPECT_LT(apart(Stepper(*model).feed_for_all(tokens), wanted), 1e-4) << name_of_blocks(use);
    Stepper steps(*model);
    std::vector<float> last;
    for (const int token : tokens) last = steps.feed({&token, 1});
    EXPECT_LT(apart(last, std::span(wanted).last(last.size())), 1e-4) << name_of_blocks(use);
    EXPECT_EQ(model->params().signature(), weights);
  }
}

}  // namespace
}  // namespace xlab::tests
