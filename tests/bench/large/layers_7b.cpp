// Layers of the 7B's sizes, fewer of them: writes a folder of such a model, opens it, and steps
// through tokens. Prints the memory it took against the size of the files, and the bytes read for a
// token against what this memory gives, for weights in bf16, in 8 and in 4 bits in turns, or those
// that are named. With the first of them also what a token costs with everything recorded, a
// prompt of some tokens against what the processor can do, and how long the window waits for a
// place among so many tokens (--scrub).
//
//   xlab_bench_7b FOLDER [bf16] [8bit] [4bit] [--blocks N] [--tokens N] [--prompt N] [--scrub N]
//                 [--tiny]
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/files/hf_folder.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/generation/stepper.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/random.hpp"
#include "tests/bench/multiply_adds.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Options {
  fs::path folder;
  int blocks = 4, tokens = 30, prompt = 0, scrub = 0;
  bool tiny = false;
  /// What the weights are held in, compared in turns.
  std::vector<std::pair<std::string, FolderUse>> uses;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

ModelSpec sizes(const Options& options) {
  ReadKeys keys;
  ModelSpec spec = model_spec_from_config(R"({"model_type": "xlstm"})", keys);
  spec.num_blocks = options.blocks;
  if (options.tiny) {
    spec.embedding_dim = 128;
    spec.vocab_size = 500;
  }
  return spec;
}

/// Weights of a sensible size; what they are does not matter.
void make_folder(const Options& options) {
  const ModelSpec spec = sizes(options);
  std::vector<DType> types;
  for (const ParamInfo& info : Model::parameters_of(spec))
    types.push_back(info.shape.rank() == 2 ? DType::bf16 : DType::f32);
  const Model model(spec, types);
  std::uint64_t stream = 0;
  for (std::size_t p = 0; p < types.size(); ++p) {
    const Tensor& value = model.params()[static_cast<int>(p)].value;
    const Tensor numbers = Tensor::empty(value.shape(), DType::f32);
    kernels::fill_uniform(numbers, -0.02, 0.02, 1, ++stream);
    value.copy_from(numbers.to(value.dtype()));
  }
  write_model_folder(model, options.folder);
}

/// The most memory this process ever had, in bytes.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) * 1024;
  return 0.0;
}

/// A buffer that is read from end to end, to see what this memory gives.
class Reading {
 public:
  explicit Reading(std::int64_t bytes) : buffer_(Tensor::zeros({bytes / 4}, DType::i32)) {}

  /// Seconds that all threads together take to read it.
  double seconds() {
    const auto* words = static_cast<const std::uint64_t*>(buffer_.raw());
    const auto count = static_cast<std::int64_t>(buffer_.bytes() / sizeof(std::uint64_t));
    constexpr std::int64_t kGrain = 1 << 15;
    std::vector<std::uint64_t> sums(static_cast<std::size_t>((count + kGrain - 1) / kGrain));
    const auto start = Clock::now();
    parallel_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::uint64_t sum = 0;
      for (std::int64_t j = begin; j < end; ++j) sum += words[j];
      sums[static_cast<std::size_t>(begin / kGrain)] = sum;
    });
    const double time = seconds_since(start);
    for (const std::uint64_t sum : sums) check(sum == 0, "The memory was not read.");
    return time;
  }
  double bytes() const { return static_cast<double>(buffer_.bytes()); }

 private:
  Tensor buffer_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A model that steps through tokens, in turns with others.
struct Stepped {
  std::unique_ptr<Model> model;
  Stepper stepper;
  int token = 1;
  std::vector<double> seconds;

  explicit Stepped(std::unique_ptr<Model> read) : model(std::move(read)), stepper(*model) {}

  double step() {
    const auto before = Clock::now();
    const std::vector<float> logits = stepper.feed({&token, 1});
    const double time = seconds_since(before);
    token = static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    return time;
  }
  /// Every weight but the embedding's other rows once, and the state there and back.
  double bytes() const {
    double bytes = 2.0 * static_cast<double>(stepper.state().bytes());
    for (std::size_t p = 0; p < model->params().infos().size(); ++p)
      if (model->params().infos()[p].name != "backbone.embeddings.weight")
        bytes += static_cast<double>(model->params()[static_cast<int>(p)].value.bytes());
    return bytes;
  }
};

/// A token with everything recorded, as the window has it, against one without, in turns.
void measure_watching(const Model& model, int tokens) {
  Stepper stepper(model);
  State before;
  std::vector<double> plain, watched;
  for (int t = 0; t < tokens + 2; ++t) {
    const int token = 1 + t;
    const auto start = Clock::now();
    (void)stepper.feed({&token, 1});
    const auto between = Clock::now();
    State after;
    TokenTrace trace;
    (void)recorded_step(model, token, t, {}, before, after, trace);
    const double time = seconds_since(between);
    before = std::move(after);
    if (t < 2) continue;
    plain.push_back(std::chrono::duration<double>(between - start).count());
    watched.push_back(time);
  }
  fmt::print("a token with everything recorded takes {:.1f} ms, without {:.1f} ms: {:+.1f} %\n",
             median(watched) * 1e3, median(plain) * 1e3,
             100.0 * (median(watched) / median(plain) - 1.0));
}

/// Products of weights and of the cells' own sizes; norms and the like are not counted.
double operations_of_prompt(const Model& model, int tokens) {
  double weights = 0.0;
  const std::vector<ParamInfo>& infos = model.params().infos();
  for (const ParamInfo& info : infos) {
    // The embedding is looked up.
    if (info.shape.rank() == 2 && info.name.find("embeddings") == std::string::npos)
      weights += static_cast<double>(info.shape.elements());
  }
  return 2.0 * weights * tokens;
}

void measure_prompt(const Model& model, int tokens) {
  std::vector<int> prompt(static_cast<std::size_t>(tokens));
  for (int t = 0; t < tokens; ++t)
    prompt[static_cast<std::size_t>(t)] = 1 + t % (model.spec().vocab_size - 1);
  std::vector<double> times, peaks;
  for (int turn = 0; turn < 4; ++turn) {
    constexpr std::int64_t kRounds = 4'000'000;
    auto start = Clock::now();
    const float sum = bench::multiply_adds(kRounds);
    peaks.push_back(bench::operations_of(kRounds) / seconds_since(start));
    check(sum > 0.0F, "Nothing was computed.");
    start = Clock::now();
    (void)Stepper(model).feed(prompt);
    if (turn > 0) times.push_back(seconds_since(start));
  }
  const double speed = operations_of_prompt(model, tokens) / median(times), peak = median(peaks);
  fmt::print(
      "a prompt of {} tokens takes {:.2f} s, {:.1f} tokens/s: its products are {:.1f} GFLOP/s of "
      "{:.1f}: {:.0f} %\n",
      tokens, median(times), tokens / median(times), speed / 1e9, peak / 1e9, 100 * speed / peak);
}

/// How long the window waits for a place in the sequence that it asks for, its matrix memory
/// included: back and forth through tokens that were computed before.
void measure_scrubbing(const Options& options) {
  Engine engine([] {}, "cpu");
  const int bits = options.uses.front().second == FolderUse::read_8bit   ? 8
                   : options.uses.front().second == FolderUse::read_4bit ? 4
                                                                         : 0;
  engine.send(command::OpenFolder{.path = options.folder.string(), .bits = bits});
  engine.flush();
  std::string prompt;
  for (int t = 0; t < options.scrub; ++t) prompt += std::to_string(1 + t) + " ";
  engine.send(command::SetPrompt{prompt});
  engine.flush();
  check(engine.snapshot()->failure.what.empty(), "{}", engine.snapshot()->failure.what);
  std::vector<double> times;
  for (int t = 0; t < 4 * options.scrub; ++t) {
    // Far jumps too.
    const int step = t % 3 == 0 ? (7 * t) % options.scrub : t % options.scrub;
    const auto start = Clock::now();
    engine.send(command::SetCursor{step});
    engine.flush();
    const auto now = engine.snapshot();
    check(now->sequence.cursor == step && now->memory && now->memory->step == step,
          "The memory of step {} is not there.", step);
    times.push_back(seconds_since(start));
  }
  fmt::print("a place among {} tokens, with its memory: {:.1f} ms, {:.1f} ms at worst\n",
             options.scrub, median(times) * 1e3,
             *std::max_element(times.begin(), times.end()) * 1e3);
}

int measure(const Options& options) {
  const auto start = Clock::now();
  const ModelFolder folder(options.folder);
  std::vector<std::unique_ptr<Stepped>> models;
  models.push_back(std::make_unique<Stepped>(folder.read(options.uses.front().second)));
  const double loading = seconds_since(start), peak = peak_memory();
  const auto stored = static_cast<double>(folder.tensors().bytes());
  fmt::print("loaded {:.3f} GB in {:.1f} s; most memory {:.3f} GB, {:.3f} of the files\n",
             stored / 1e9, loading, peak / 1e9, peak / stored);
  for (std::size_t m = 1; m < options.uses.size(); ++m)
    models.push_back(std::make_unique<Stepped>(folder.read(options.uses[m].second)));

  // In turns, so that all see the same machine.
  Reading reading(options.tiny ? 1 << 24 : 1 << 30);
  std::vector<double> readings;
  for (int t = 0; t < options.tokens + 2; ++t) {
    for (const auto& one : models) {
      const double time = one->step();
      if (t >= 2) one->seconds.push_back(time);  // the first ones find cold memory
    }
    readings.push_back(reading.seconds());
  }
  const double bandwidth = reading.bytes() / median(readings);
  const double first = median(models.front()->seconds);
  for (std::size_t m = 0; m < models.size(); ++m) {
    const double time = median(models[m]->seconds), speed = models[m]->bytes() / time;
    fmt::print(
        "{}: a token reads {:.3f} GB in {:.1f} ms (median of {}): {:.1f} GB/s; {} threads read "
        "{:.1f} GB/s: {:.0f} %; {:.2f} times the tokens of {}\n",
        options.uses[m].first, models[m]->bytes() / 1e9, time * 1e3, models[m]->seconds.size(),
        speed / 1e9, threads(), bandwidth / 1e9, 100 * speed / bandwidth, first / time,
        options.uses.front().first);
  }
  measure_watching(*models.front()->model, options.tokens);
  if (options.prompt > 0) measure_prompt(*models.front()->model, options.prompt);
  models.clear();
  if (options.scrub > 0) measure_scrubbing(options);
  return 0;
}

int run(int argc, char** argv) {
  Options options;
  for (int a = 1; a < argc; ++a) {
    const std::string word = argv[a];
    if (word == "--tiny") {
      options.tiny = true;
    } else if (word == "bf16") {
      options.uses.emplace_back(word, FolderUse::read);
    } else if (word == "8bit") {
      options.uses.emplace_back(word, FolderUse::read_8bit);
    } else if (word == "4bit") {
      options.uses.emplace_back(word, FolderUse::read_4bit);
    } else if ((word == "--blocks" || word == "--tokens" || word == "--prompt" ||
                word == "--scrub") &&
               a + 1 < argc) {
      (word == "--blocks"   ? options.blocks
       : word == "--tokens" ? options.tokens
       : word == "--prompt" ? options.prompt
                            : options.scrub) = std::atoi(argv[++a]);
    } else {
      options.folder = word;
    }
  }
  if (options.uses.empty())
    options.uses = {
        {"bf16", FolderUse::read}, {"8bit", FolderUse::read_8bit}, {"4bit", FolderUse::read_4bit}};
  if (options.folder.empty() || options.blocks < 1 || options.tokens < 1) {
    fmt::print(stderr,
               "xlab_bench_7b FOLDER [bf16] [8bit] [4bit] [--blocks N] [--tokens N] [--prompt N] "
               "[--scrub N] [--tiny]\n");
    return 2;
  }
  if (!fs::exists(options.folder / "config.json")) {
    // Elsewhere, so that this process's memory is that of loading alone.
    const pid_t child = ::fork();
    if (child == 0) {
      make_folder(options);
      std::_Exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    check(status == 0, "The model could not be written to '{}'.", options.folder.string());
  }
  return measure(options);
}

}  // namespace
}  // namespace xlab::tests

int main(int argc, char** argv) {
  try {
    return xlab::tests::run(argc, argv);
  } catch (const std::exception& e) {
    fmt::print(stderr, "xlab_bench_7b: {}\n", e.what());
    return 1;
  }
}
