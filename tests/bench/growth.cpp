// Times how the cost of a training step grows with the length of the sequence, the width of the
// model and the number of heads, for a block of each kind.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/bench.hpp"

namespace xlab::bench {
namespace {

constexpr int kVocabulary = 64;

void add(const std::string& name, bool slstm, int width, int heads, int batch, int length) {
  ModelSpec spec =
      paper_model(kVocabulary, width, 1, slstm ? std::vector<int>{0} : std::vector<int>{}, length);
  spec.mlstm->num_heads = spec.slstm->num_heads = heads;
  benchmark::RegisterBenchmark(
      ("growth/" + std::string(slstm ? "slstm" : "mlstm") + "/" + name).c_str(),
      [=](benchmark::State& state) { time_training(state, spec, batch, length, 1); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

void add_growth() {
  for (const bool slstm : {false, true}) {
    // Equal tokens: a cost linear in the length is a constant time here.
    for (int length = 128; length <= 8192; length *= 2)
      add("length:" + std::to_string(length), slstm, 128, 4, 8192 / length, length);
    for (int width = 64; width <= 512; width *= 2)
      add("width:" + std::to_string(width), slstm, width, 4, 4, 128);
    for (int heads = 1; heads <= 8; heads *= 2)
      add("heads:" + std::to_string(heads), slstm, 128, heads, 4, 128);
  }
}

}  // namespace xlab::bench
