// What the parts of the timing program share. Every part adds its cases before the program starts.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/model.hpp"
#include "core/tasks/task.hpp"

namespace xlab::bench {

void add_ceilings();
void add_ops();
void add_models();
void add_growth();
void add_recording();
void add_keeping();
/// Everything on the first card; in builds with CUDA.
void add_cuda();

/// A configuration that is compared with other implementations.
struct Size {
  std::string name;
  ModelSpec model;
  int batch, length;
};
/// 71,944 parameters: width 64, one mLSTM and one sLSTM block, 16 sequences of 128 tokens.
Size tiny();
/// 1,806,872 parameters: width 256, three mLSTM blocks and one sLSTM block, 8 sequences of 256.
Size small();

/// A model of the paper's family with the authors' default options.
ModelSpec paper_model(int vocabulary, int width, int blocks, std::vector<int> slstm_at,
                      int context);

/// Training as it is timed everywhere.
TrainSpec train_spec(int batch, int length);

/// Times training steps on random tokens; counts tokens per second.
void time_training(benchmark::State& state, const ModelSpec& model, int batch, int length,
                   int thread_count);

/// Random tokens; each one's target is the next.
Batch random_batch(int vocabulary, int batch, int length, std::uint64_t seed);

}  // namespace xlab::bench
