// Times the kernels and two models on the first card. A figure is the median of
// batches of calls, each batch with one wait at its end; beside it stands what
// the card could do at best, measured in the same run: its memory's speed, and
// cuBLAS.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.hpp"
#include "cell_calls.hpp"
#include "core/generation/stepper.hpp"
#include "core/training/trainer.hpp"
#include "kernels/device/device.hpp"
#include "kernels/product/cublas.hpp"
#include "kernels/product/linear.hpp"
#include "kernels/product/precision.hpp"
#include "kernels/random.hpp"

namespace xlab::bench {
namespace {

using namespace tests;
using Clock = std::chrono::steady_clock;

constexpr Device kCard = Device::cuda();
constexpr int kBatches = 9;
constexpr double kBatchSeconds = 0.02;

/// Seconds that `calls` calls and a wait take, for one call.
template <typename Body>
double seconds_of(int calls, Body& body) {
  const auto begin = Clock::now();
  for (int j = 0; j < calls; ++j) body();
  synchronise(kCard);
  return std::chrono::duration<double>(Clock::now() - begin).count() / calls;
}

/// How many calls make a batch. The first ones get the memory and load the
/// kernels.
template <typename Body>
int calls_in_a_batch(Body& body) {
  seconds_of(2, body);
  return static_cast<int>(std::clamp(kBatchSeconds / seconds_of(1, body), 1.0, 1000.0));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename Body>
double median_seconds(Body&& body) {
  const int calls = calls_in_a_batch(body);
  std::vector<double> batches;
  for (int j = 0; j < kBatches; ++j) batches.push_back(seconds_of(calls, body));
  return median(batches);
}

/// The same as the rows of a benchmark; the median is what counts.
template <typename Body>
double time_on_card(benchmark::State& state, Body&& body) {
  const int calls = calls_in_a_batch(body);
  std::vector<double> batches;
  for (auto _ : state) {
    batches.push_back(seconds_of(calls, body));
    state.SetIterationTime(batches.back());
  }
  const double seconds = median(batches);
  state.counters["median_us"] = seconds * 1e6;
  return seconds;
}

Tensor random_on_card(const Shape& shape, std::uint64_t stream, double low = -1.0,
                      double high = 1.0) {
  const Tensor numbers = Tensor::empty(shape, DType::f32, kCard);
  kernels::fill_uniform(numbers, low, high, 5, stream);
  return numbers;
}

/// Bytes a second, read and written ones counted, of a copy from the card's
/// memory into itself.
double copy_speed() {
  static const double speed = [] {
    const Shape shape{std::int64_t{1} << 27};
    const Tensor from = Tensor::zeros(shape, DType::f32, kCard),
                 to = Tensor::empty(shape, DType::f32, kCard);
    return 2.0 * static_cast<double>(from.bytes()) / median_seconds([&] { to.copy_from(from); });
  }();
  return speed;
}

void copy(benchmark::State& state) {
  const Shape shape{std::int64_t{1} << 27};
  const Tensor from = Tensor::zeros(shape, DType::f32, kCard),
               to = Tensor::empty(shape, DType::f32, kCard);
  const double seconds = time_on_card(state, [&] { to.copy_from(from); });
  state.counters["GB/s"] = 2.0 * static_cast<double>(from.bytes()) / seconds * 1e-9;
}

struct MlstmShape {
  std::int64_t B, H, T, K, V;

  std::string text() const {
    return std::to_string(B) + "x" + std::to_string(H) + "x" + std::to_string(T) + "x" +
           std::to_string(K) + "x" + std::to_string(V);
  }
  /// Numbers that have to be read and written once: inputs and outputs, the
  /// gates and what the way back needs of every step among them.
  std::int64_t forward_numbers() const { return B * T * H * (2 * K + 2 * V + 5); }
  /// On the way back two scans read q, k, v and dh, and write the gradients
  /// between them.
  std::int64_t backward_numbers() const {
    return B * T * H * (2 * (2 * K + 2 * V) + 2 * K + V + 7);
  }
};

/// A way to compute the mLSTM: the scan with chunk 0, or chunks of that many
/// steps.
struct MlstmForm {
  std::string name;
  std::int64_t chunk;
  MatrixPrecision precision;
};

/// Holds as long as it lives.
class Precision {
 public:
  explicit Precision(MatrixPrecision precision) { set_matrix_precision(precision); }
  ~Precision() { set_matrix_precision(MatrixPrecision::exact); }
};

void mlstm(benchmark::State& state, const MlstmShape& shape, const MlstmForm& form, bool back) {
  const Precision precision(form.precision);
  const auto [B, H, T, K, V] = shape;
  const kernels::MlstmOptions options{.query_scale = 1.0 / std::sqrt(static_cast<double>(K))};
  const kernels::MlstmForward forward =
      mlstm_call(random_on_card({B, T, H, K}, 1), random_on_card({B, T, H, K}, 2),
                 random_on_card({B, T, H, V}, 3), random_on_card({B, T, H}, 4, -3.0, 3.0),
                 random_on_card({B, T, H}, 5, 2.0, 6.0));
  kernels::MlstmBackward way_back;
  if (back) way_back = mlstm_way_back(forward, random_on_card({B, T, H, V}, 6));
  const double seconds = time_on_card(state, [&] {
    run_mlstm(options, forward, form.chunk);
    if (back) run_mlstm_back(options, way_back, form.chunk);
  });
  const std::int64_t numbers = shape.forward_numbers() + (back ? shape.backward_numbers() : 0);
  const double floor = static_cast<double>(numbers) * sizeof(float) / copy_speed();
  state.counters["memory_floor_us"] = floor * 1e6;
  state.counters["x_memory_floor"] = seconds / floor;
}

/// What one step of the sLSTM's recurrence takes when nothing but its chain of
/// dependent operations counts: shared memory, products, exponentials and one
/// barrier.
constexpr double kStepFloor = 0.25e-6;

void slstm(benchmark::State& state, std::int64_t B, std::int64_t T, std::int64_t H, std::int64_t D,
           bool back) {
  const kernels::SlstmForward forward =
      slstm_call(random_on_card({B, T, 4, H * D}, 1), random_on_card({H, 4 * D, D}, 2, -0.1, 0.1),
                 random_on_card({4 * H * D}, 3));
  const kernels::SlstmBackward way_back = slstm_way_back(forward, random_on_card({B, T, H, D}, 4));
  const double seconds = time_on_card(state, [&] {
    kernels::slstm_forward({}, forward);
    if (back) kernels::slstm_backward({}, way_back);
  });
  const double step = seconds / static_cast<double>(T);
  state.counters["us_per_step"] = step * 1e6;
  state.counters["x_step_floor"] = step / kStepFloor;
}

struct LinearShape {
  std::int64_t rows, out, in;

  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(out) + "x" + std::to_string(in);
  }
};

/// cuBLAS alone, in seconds; 0 where it is not there or leaves the product to
/// us.
double cublas_seconds(const std::vector<kernels::Product<float>>& products) {
  const auto body = [&] {
    return std::all_of(products.begin(), products.end(),
                       [](const kernels::Product<float>& p) { return cuda::cublas_gemm(p, {}); });
  };
  return body() ? median_seconds(body) : 0.0;
}

/// With our own tiles alone, or as they are used: by cuBLAS where it is.
void linear(benchmark::State& state, const LinearShape& s, bool back, bool own) {
  const Tensor x = random_on_card({s.rows, s.in}, 1), w = random_on_card({s.out, s.in}, 2),
               y = random_on_card({s.rows, s.out}, 3), dx = zeros_like(x), dw = zeros_like(w);
  const float *const xs = x.data<float>(), *const ws = w.data<float>(), *const ys = y.data<float>();
  std::vector<kernels::Product<float>> products;
  if (back) {
    products.push_back({.m = s.rows,
                        .n = s.in,
                        .k = s.out,
                        .a = {ys, s.out},
                        .b = {ws, s.in},
                        .c = dx.data<float>(),
                        .c_stride = s.in,
                        .accumulate = true});
    products.push_back({.m = s.out,
                        .n = s.in,
                        .k = s.rows,
                        .a = {ys, s.out, true},
                        .b = {xs, s.in},
                        .c = dw.data<float>(),
                        .c_stride = s.in,
                        .accumulate = true});
  } else {
    products.push_back({.m = s.rows,
                        .n = s.out,
                        .k = s.in,
                        .a = {xs, s.in},
                        .b = {ws, s.in, true},
                        .c = y.data<float>(),
                        .c_stride = s.out});
  }
  const double cublas = cublas_seconds(products);
  cuda::allow_cublas(!own);
  const double seconds = time_on_card(state, [&] {
    if (back) {
      kernels::linear_backward(x, w, y, dx, dw, Tensor());
    } else {
      kernels::linear_forward(x, w, Tensor(), y);
    }
  });
  cuda::allow_cublas(true);
  const auto work = static_cast<double>(s.rows * s.out * s.in) * (back ? 4.0 : 2.0);
  state.counters["TFLOP/s"] = work / seconds * 1e-12;
  if (cublas <= 0.0) return;
  state.counters["cublas_us"] = cublas * 1e6;
  state.counters["x_cublas"] = seconds / cublas;
}

/// A step is over when its loss is known.
void train(benchmark::State& state, const Size& size) {
  Model model(size.model);
  model.params().initialise(1);
  model.move_to(kCard);
  const std::unique_ptr<Task> task = make_task("recall");
  Trainer trainer(model, *task, train_spec(size.batch, size.length));
  const Batch tokens = random_batch(size.model.vocab_size, size.batch, size.length, 1);
  const double seconds =
      time_on_card(state, [&] { benchmark::DoNotOptimize(trainer.step(tokens)); });
  state.counters["tokens/s"] = size.batch * size.length / seconds;
}

/// A step is over when the next token's logits are there.
void generate(benchmark::State& state, const Size& size) {
  Model model(size.model);
  model.params().initialise(1);
  model.move_to(kCard);
  Stepper stepper(model);
  int token = 0;
  const double seconds = time_on_card(state, [&] {
    benchmark::DoNotOptimize(stepper.feed({&token, 1}));
    token = (token * 7 + 3) % size.model.vocab_size;
  });
  state.counters["tokens/s"] = 1.0 / seconds;
}

/// Adds a row; what it lacks, memory for instance, it says in its place.
template <typename Body>
void add(const std::string& name, Body body) {
  benchmark::RegisterBenchmark(("cuda/" + name).c_str(),
                               [=](benchmark::State& state) {
                                 try {
                                   body(state);
                                 } catch (const Error& error) {
                                   state.SkipWithError(error.what());
                                 }
                                 release_cached_memory();
                               })
      ->Iterations(kBatches)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

void add_cuda() {
  if (devices().size() < 2) {
    add("none", [](benchmark::State& state) { state.SkipWithError(why_no_cuda().c_str()); });
    return;
  }
  add("copy", copy);
  for (const Size& size : {tiny(), small()}) {
    add("train/" + size.name, [=](benchmark::State& state) { train(state, size); });
    add("step/" + size.name, [=](benchmark::State& state) { generate(state, size); });
  }
  for (const MlstmShape& shape :
       {MlstmShape{8, 8, 2048, 128, 256}, {8, 8, 2048, 256, 256}, {32, 16, 2048, 128, 256}}) {
    for (const MlstmForm& form : {MlstmForm{"chunk:64", 64, MatrixPrecision::exact},
                                  {"chunk:64-tf32", 64, MatrixPrecision::tf32},
                                  {"chunk:64-bf16", 64, MatrixPrecision::bf16},
                                  {"scan", 0, MatrixPrecision::exact}}) {
      for (const bool back : {false, true}) {
        add("mlstm/" + shape.text() + "/" + form.name + (back ? "/forward+backward" : "/forward"),
            [=](benchmark::State& state) { mlstm(state, shape, form, back); });
      }
    }
  }
  struct SlstmShape {
    std::int64_t B, T, H, D;
  };
  for (const auto& [B, T, H, D] :
       {SlstmShape{8, 2048, 8, 64}, {16, 1024, 4, 128}, {16, 1024, 12, 64}}) {
    for (const bool back : {false, true}) {
      add("slstm/" + std::to_string(B) + "x" + std::to_string(T) + "x" + std::to_string(H) + "x" +
              std::to_string(D) + (back ? "/forward+backward" : "/forward"),
          [=, B = B, T = T, H = H, D = D](benchmark::State& state) {
            slstm(state, B, T, H, D, back);
          });
    }
  }
  // The tiny and the small model's widest products, those of a 7B's layer, and
  // one token's.
  for (const LinearShape& shape : {LinearShape{2048, 256, 64},
                                   {2048, 64, 128},
                                   {2048, 1024, 256},
                                   {2048, 256, 512},
                                   {8192, 4096, 4096},
                                   {1, 4096, 4096}}) {
    for (const bool own : {false, true}) {
      for (const bool back : {false, true}) {
        add("linear/" + shape.text() + (own ? "/own" : "/any") + (back ? "/backward" : "/forward"),
            [=](benchmark::State& state) { linear(state, shape, back, own); });
      }
    }
  }
}

}  // namespace xlab::bench
