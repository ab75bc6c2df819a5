// Times the kernels on the first card. A figure is the median of batches of calls, each batch with
// one wait at its end; beside it stands what the card could do at best, measured in the same run:
// its memory's speed, and NVIDIA's own matrix product.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "bench/bench.hpp"
#include "bench/cublas.hpp"
#include "cell_calls.hpp"
#include "kernels/device.hpp"
#include "kernels/linear.hpp"
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

/// How many calls make a batch. The first ones get the memory and load the kernels.
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
  const Tensor numbers = Tensor::empty(shape, DType::f32);
  kernels::fill_uniform(numbers, low, high, 5, stream);
  return numbers.to(kCard);
}

/// Bytes a second, read and written ones counted, of a copy from the card's memory into itself.
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
  /// Numbers that have to be read and written once: inputs and outputs, the gates and what the way
  /// back needs of every step among them.
  std::int64_t forward_numbers() const { return B * T * H * (2 * K + 2 * V + 5); }
  /// On the way back two scans read q, k, v and dh, and write the gradients between them.
  std::int64_t backward_numbers() const {
    return B * T * H * (2 * (2 * K + 2 * V) + 2 * K + V + 7);
  }
};

/// The scan with chunk 0, or chunks of that many steps.
void mlstm(benchmark::State& state, const MlstmShape& shape, std::int64_t chunk, bool back) {
  const auto [B, H, T, K, V] = shape;
  const kernels::MlstmOptions options{.query_scale = 1.0 / std::sqrt(static_cast<double>(K))};
  const kernels::MlstmForward forward =
      mlstm_call(random_on_card({B, T, H, K}, 1), random_on_card({B, T, H, K}, 2),
                 random_on_card({B, T, H, V}, 3), random_on_card({B, T, H}, 4, -3.0, 3.0),
                 random_on_card({B, T, H}, 5, 2.0, 6.0));
  kernels::MlstmBackward way_back;
  if (back) way_back = mlstm_way_back(forward, random_on_card({B, T, H, V}, 6));
  const double seconds = time_on_card(state, [&] {
    run_mlstm(options, forward, chunk);
    if (back) run_mlstm_back(options, way_back, chunk);
  });
  const std::int64_t numbers = shape.forward_numbers() + (back ? shape.backward_numbers() : 0);
  const double floor = static_cast<double>(numbers) * sizeof(float) / copy_speed();
  state.counters["memory_floor_us"] = floor * 1e6;
  state.counters["x_memory_floor"] = seconds / floor;
}

/// What one step of the sLSTM's recurrence takes when nothing but its chain of dependent operations
/// counts: shared memory, products, exponentials and one barrier.
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

void count_products(benchmark::State& state, double seconds, double operations,
                    double cublas_seconds) {
  state.counters["TFLOP/s"] = operations / seconds * 1e-12;
  if (cublas_seconds <= 0.0) return;
  state.counters["cublas_us"] = cublas_seconds * 1e6;
  state.counters["x_cublas"] = seconds / cublas_seconds;
}

struct LinearShape {
  int rows, out, in;

  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(out) + "x" + std::to_string(in);
  }
  double operations() const { return 2.0 * rows * out * in; }
};

void linear_forward(benchmark::State& state, const LinearShape& s) {
  const Tensor x = random_on_card({s.rows, s.in}, 1), w = random_on_card({s.out, s.in}, 2),
               y = Tensor::zeros({s.rows, s.out}, DType::f32, kCard);
  // Row by row is column by column of the transpose.
  const auto theirs = [&] {
    return cublas_product(s.out, s.rows, s.in, {w.data<float>(), s.in, true},
                          {x.data<float>(), s.in}, {y.data<float>(), s.out}, false);
  };
  const double cublas = theirs() ? median_seconds(theirs) : 0.0;
  const double seconds = time_on_card(state, [&] { kernels::linear_forward(x, w, Tensor(), y); });
  count_products(state, seconds, s.operations(), cublas);
}

void linear_backward(benchmark::State& state, const LinearShape& s) {
  const Tensor x = random_on_card({s.rows, s.in}, 1), w = random_on_card({s.out, s.in}, 2),
               dy = random_on_card({s.rows, s.out}, 3), dx = zeros_like(x), dw = zeros_like(w);
  const auto theirs = [&] {
    const Columns ws{w.data<float>(), s.in}, xs{x.data<float>(), s.in};
    const Columns dys{dy.data<float>(), s.out}, dys_transposed{dy.data<float>(), s.out, true};
    return cublas_product(s.in, s.rows, s.out, ws, dys, {dx.data<float>(), s.in}, true) &&
           cublas_product(s.in, s.out, s.rows, xs, dys_transposed, {dw.data<float>(), s.in}, true);
  };
  const double cublas = theirs() ? median_seconds(theirs) : 0.0;
  const double seconds =
      time_on_card(state, [&] { kernels::linear_backward(x, w, dy, dx, dw, Tensor()); });
  count_products(state, seconds, 2.0 * s.operations(), cublas);
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
  for (const MlstmShape& shape :
       {MlstmShape{8, 8, 2048, 128, 256}, {8, 8, 2048, 256, 256}, {32, 16, 2048, 128, 256}}) {
    for (const std::int64_t chunk : {64, 128, 0}) {
      const std::string form = chunk == 0 ? "scan" : "chunk:" + std::to_string(chunk);
      for (const bool back : {false, true}) {
        add("mlstm/" + shape.text() + "/" + form + (back ? "/forward+backward" : "/forward"),
            [=](benchmark::State& state) { mlstm(state, shape, chunk, back); });
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
  // The tiny and the small model's widest products, those of a 7B's layer, and one token's.
  for (const LinearShape& shape : {LinearShape{2048, 256, 64},
                                   {2048, 64, 128},
                                   {2048, 1024, 256},
                                   {2048, 256, 512},
                                   {8192, 4096, 4096},
                                   {1, 4096, 4096}}) {
    add("linear/" + shape.text() + "/forward",
        [=](benchmark::State& state) { linear_forward(state, shape); });
    add("linear/" + shape.text() + "/backward",
        [=](benchmark::State& state) { linear_backward(state, shape); });
  }
}

}  // namespace xlab::bench
