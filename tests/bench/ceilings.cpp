// Measures what this machine can do at most: multiply-adds in registers, and numbers read from each
// level of memory. Other figures are read against these, from the same run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "bench/bench.hpp"
#include "bench/multiply_adds.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/lanes.hpp"

namespace xlab::bench {
namespace {

void at_most(benchmark::State& state, int thread_count) {
  set_threads(thread_count);
  constexpr std::int64_t rounds = 200'000;
  for (auto _ : state) benchmark::DoNotOptimize(multiply_adds(rounds));
  state.counters["FLOP/s"] =
      benchmark::Counter(operations_of(rounds), benchmark::Counter::kIsIterationInvariantRate);
}

void read(benchmark::State& state, std::int64_t bytes, int thread_count) {
  set_threads(thread_count);
  const std::int64_t each = bytes / static_cast<std::int64_t>(sizeof(float));
  const std::int64_t repeats = std::max<std::int64_t>(1, (std::int64_t{64} << 20) / bytes);
  const std::vector<float> numbers(static_cast<std::size_t>(each * thread_count), 1.0F);
  std::vector<float> sums(static_cast<std::size_t>(thread_count));
  for (auto _ : state) {
    parallel_for(thread_count, [&](std::int64_t thread) {
      constexpr std::int64_t W = kLanes<float>;
      const float* from = numbers.data() + thread * each;
      Lanes<float> sum4[4] = {};
      for (std::int64_t r = 0; r < repeats; ++r) {
        for (std::int64_t j = 0; j + 4 * W <= each; j += 4 * W) {
#pragma GCC unroll 4
          for (int c = 0; c < 4; ++c) sum4[c] += load<W>(from + j + c * W);
        }
        benchmark::ClobberMemory();
      }
      sums[static_cast<std::size_t>(thread)] =
          sum<float, W>((sum4[0] + sum4[1]) + (sum4[2] + sum4[3]));
    });
    benchmark::DoNotOptimize(sums.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * repeats * bytes *
                          thread_count);
}

}  // namespace

void add_ceilings() {
  for (const int count : {1, 2}) {
    const std::string threads = "/threads:" + std::to_string(count);
    benchmark::RegisterBenchmark(("ceiling/multiply-adds" + threads).c_str(),
                                 [=](benchmark::State& state) { at_most(state, count); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
    for (const std::int64_t kib : {16, 512, 8192, 262144}) {
      benchmark::RegisterBenchmark(("ceiling/read/KiB:" + std::to_string(kib) + threads).c_str(),
                                   [=](benchmark::State& state) { read(state, kib << 10, count); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace xlab::bench
