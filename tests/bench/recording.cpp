// Times what watching costs: a token through the model unwatched, and with every tapped value kept.
#include <benchmark/benchmark.h>

#include "bench/bench.hpp"
#include "core/tape.hpp"
#include "kernels/device/threads.hpp"

namespace xlab::bench {
namespace {

void step(benchmark::State& state, const Size& size, bool watched) {
  set_threads(1);
  Model model(size.model);
  model.params().initialise(1);
  State before;
  int token = 0;
  double bytes = 0.0;
  for (auto _ : state) {
    TokenTrace trace;
    const Observer observer{.trace = &trace, .clamps = {}, .step = 0};
    Tape tape(Tape::Mode::inference, watched ? &observer : nullptr);
    State after;
    const Tensor ids = Tensor::from<std::int32_t>({1, 1}, std::vector<std::int32_t>{token});
    Tensor logits = tape.value(model.forward(tape, ids, before, after));
    benchmark::DoNotOptimize(logits);
    before = std::move(after);
    token = (token * 7 + 3) % size.model.vocab_size;
    bytes = 0.0;
    for (const auto& [name, recorded] : trace.values)
      bytes += static_cast<double>(recorded.values.size() * sizeof(float));
  }
  if (watched) state.counters["bytes/token"] = bytes;
}

}  // namespace

void add_recording() {
  for (const Size& size : {tiny(), small()}) {
    for (const bool watched : {false, true}) {
      benchmark::RegisterBenchmark(("recording/" + size.name + (watched ? "/on" : "/off")).c_str(),
                                   [=](benchmark::State& state) { step(state, size, watched); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace xlab::bench
