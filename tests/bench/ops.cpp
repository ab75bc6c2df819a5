// Times every operation at the sizes of a small model, forward and backward, on 1 and 2 threads.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/bench.hpp"
#include "case_runs.hpp"
#include "kernels/device/threads.hpp"

namespace xlab::bench {
namespace {

using namespace tests;

void time_forward(benchmark::State& state, const Case& c, int thread_count) {
  set_threads(thread_count);
  const std::vector<Tensor> inputs = make_inputs(c, DType::f32);
  for (auto _ : state) benchmark::DoNotOptimize(c.forward(inputs));
}

void time_backward(benchmark::State& state, const Case& c, int thread_count) {
  set_threads(thread_count);
  const std::vector<Tensor> inputs = make_inputs(c, DType::f32);
  const std::vector<Tensor> upstream = upstream_of(c.forward(inputs));
  for (auto _ : state) benchmark::DoNotOptimize(c.backward(inputs, upstream));
}

void add_case(const Case& c, int thread_count) {
  const std::string name = "/" + c.name + "/threads:" + std::to_string(thread_count);
  benchmark::RegisterBenchmark(("forward" + name).c_str(), [=](benchmark::State& state) {
    time_forward(state, c, thread_count);
  })->UseRealTime();
  benchmark::RegisterBenchmark(("backward" + name).c_str(), [=](benchmark::State& state) {
    time_backward(state, c, thread_count);
  })->UseRealTime();
}

}  // namespace

void add_ops() {
  for (const Case& c : timing_cases()) {
    for (const int thread_count : {1, 2}) add_case(c, thread_count);
  }
}

}  // namespace xlab::bench
