// Times whole models: a training step and a generation step.
#include <benchmark/benchmark.h>

#include "bench/bench.hpp"
#include "core/generation/stepper.hpp"
#include "core/training/trainer.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/random.hpp"

namespace xlab::bench {
namespace {

void generate(benchmark::State& state, const Size& size, int thread_count) {
  set_threads(thread_count);
  Model model(size.model);
  model.params().initialise(1);
  Stepper stepper(model);
  int token = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(stepper.feed({&token, 1}));
    token = (token * 7 + 3) % size.model.vocab_size;
  }
  state.counters["tokens/s"] =
      benchmark::Counter(1.0, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

ModelSpec paper_model(int vocabulary, int width, int blocks, std::vector<int> slstm_at,
                      int context) {
  ModelSpec spec;
  spec.vocab_size = vocabulary;
  spec.embedding_dim = width;
  spec.num_blocks = blocks;
  spec.context_length = context;
  spec.slstm_at = std::move(slstm_at);
  spec.mlstm = MlstmSpec{};
  spec.slstm = SlstmSpec{};
  spec.feedforward = FeedforwardSpec{};
  return spec;
}

TrainSpec train_spec(int batch, int length) {
  return {.batch_size = batch,
          .sequence_length = length,
          .learning_rate = 1e-3,
          .min_learning_rate = 1e-3,
          .warmup_steps = 0,
          .gradient_clip = 0.0};
}

void time_training(benchmark::State& state, const ModelSpec& spec, int batch, int length,
                   int thread_count) {
  set_threads(thread_count);
  Model model(spec);
  model.params().initialise(1);
  const std::unique_ptr<Task> task = make_task("recall");
  Trainer trainer(model, *task, train_spec(batch, length));
  const Batch tokens = random_batch(spec.vocab_size, batch, length, 1);
  trainer.step(tokens);  // so that the memory is there
  for (auto _ : state) benchmark::DoNotOptimize(trainer.step(tokens));
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(batch * length),
                                                  benchmark::Counter::kIsIterationInvariantRate);
}

Size tiny() {
  return {"tiny", paper_model(64, 64, 2, {1}, 128), 16, 128};
}

Size small() {
  return {"small", paper_model(256, 256, 4, {3}, 256), 8, 256};
}

Batch random_batch(int vocabulary, int batch, int length, std::uint64_t seed) {
  Random random(seed, 0);
  const auto draw = [&] {
    return static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
  };
  std::vector<std::int32_t> inputs, targets;
  for (int row = 0; row < batch; ++row) {
    std::int32_t token = draw();
    for (int t = 0; t < length; ++t) {
      inputs.push_back(token);
      targets.push_back(token = draw());
    }
  }
  return {Tensor::from<std::int32_t>({batch, length}, inputs),
          Tensor::from<std::int32_t>({batch, length}, targets)};
}

void add_models() {
  for (const Size& size : {tiny(), small()}) {
    for (const int count : {1, 2}) {
      const std::string name = "/" + size.name + "/threads:" + std::to_string(count);
      benchmark::RegisterBenchmark(("train" + name).c_str(),
                                   [=](benchmark::State& state) {
                                     time_training(state, size.model, size.batch, size.length,
                                                   count);
                                   })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
      benchmark::RegisterBenchmark(("step" + name).c_str(),
                                   [=](benchmark::State& state) { generate(state, size, count); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace xlab::bench
