// Times the kernels and whole models; the figures people compare are in RESULTS.md.
#include <benchmark/benchmark.h>

#include "bench/bench.hpp"
#include "kernels/config.hpp"

int main(int argc, char** argv) {
  xlab::bench::add_ceilings();
  xlab::bench::add_models();
  xlab::bench::add_recording();
  xlab::bench::add_keeping();
  xlab::bench::add_growth();
  xlab::bench::add_ops();
  if constexpr (xlab::kHasCuda) xlab::bench::add_cuda();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
