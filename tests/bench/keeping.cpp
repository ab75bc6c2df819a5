// Times what keeping and saving a run costs its training: the longest steps and waits, with and
// without a copy under way, and how long the engine's thread is away while a large text is saved.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "bench/bench.hpp"
#include "core/engine/engine.hpp"
#include "core/files/disk.hpp"
#include "core/keeping/autosave.hpp"
#include "core/run.hpp"
#include "core/run_data.hpp"
#include "core/tasks/training_text.hpp"
#include "kernels/device/threads.hpp"

namespace xlab::bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double largest(const std::vector<double>& values) {
  return values.empty() ? 0.0 : *std::max_element(values.begin(), values.end());
}

/// A folder beside this program, so that its disk is timed; gone with this object.
class Folder {
 public:
  Folder() : path_(fs::current_path() / "bench_keeping") {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Steps in turn: some alone, then one from whose beginning on the run is copied and written.
void steps(benchmark::State& state, const ModelSpec& model, const TrainSpec& train, int rounds) {
  constexpr int kAlone = 4;
  set_threads(2);
  const Folder folder;
  const auto run = make_run(make_task("recall"), RunSpec{.model = model, .train = train});
  Autosave autosave({folder.path(), std::chrono::milliseconds(0)}, [] {});
  double waited = 0.0;
  int given_up = 0;  // copies that were not there in time
  run->trainer->before_update = [&] {
    const auto start = Clock::now();
    autosave.settle();
    waited = milliseconds(Clock::now() - start);
  };
  const auto step = [&] {
    const auto start = Clock::now();
    run->train_step();
    return milliseconds(Clock::now() - start);
  };
  std::vector<double> alone, beside, waits, handing;
  for (auto _ : state) {
    for (int i = 0; i < 3; ++i) step();  // so that the memory is there
    for (int round = 0; round < rounds; ++round) {
      for (int i = 0; i < kAlone; ++i) alone.push_back(step());
      const auto start = Clock::now();
      autosave.keep(record_of(*run), {.file = {}, .number = 1, .stamp = {}}, false);
      handing.push_back(milliseconds(Clock::now() - start));
      beside.push_back(step());
      waits.push_back(waited);
      autosave.finish();
      if (!autosave.take_news().given_up.empty()) ++given_up;
    }
  }
  state.counters["given_up"] = given_up;
  state.counters["parameters"] = static_cast<double>(run->model->params().elements());
  state.counters["alone_ms"] = median(alone);
  state.counters["alone_worst"] = largest(alone);
  state.counters["copied_ms"] = median(beside);
  state.counters["copied_worst"] = largest(beside);
  state.counters["waited_ms"] = median(waits);
  state.counters["waited_worst"] = largest(waits);
  state.counters["handed_ms"] = median(handing);
  state.counters["handed_worst"] = largest(handing);
}

/// A text of so many megabytes: a run on it is trained, and saved again and again meanwhile.
void save_text(benchmark::State& state, int megabytes) {
  set_threads(2);
  const Folder folder;
  {
    std::string text;
    for (std::uint64_t n = 0; text.size() < static_cast<std::size_t>(megabytes) * 1'000'000; ++n)
      text += "line " + std::to_string(n * 2654435761u % 1000003) + " of a long text\n";
    write_file_atomically(folder.path() / "text.txt", text);
  }
  Engine engine([] {}, "cpu", Keeping{folder.path() / "kept", std::chrono::seconds(20)});
  engine.send(command::OpenText{folder.path() / "text.txt"});
  engine.flush();
  const auto saved = [&](std::uint64_t count) { return engine.snapshot()->saves >= count; };
  const auto answer = [&] {
    // A command whose effect can be seen: how long it takes until it is.
    const int cursor = engine.snapshot()->sequence.cursor == 1 ? 2 : 1;
    const auto start = Clock::now();
    engine.send(command::SetCursor{cursor});
    while (engine.snapshot()->sequence.cursor != cursor)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    return milliseconds(Clock::now() - start);
  };
  std::vector<double> alone, beside, took;
  for (auto _ : state) {
    engine.send(command::Train{});
    for (int i = 0; i < 100; ++i) alone.push_back(answer());
    for (std::uint64_t count = 1; count <= 8; ++count) {
      const auto start = Clock::now();
      engine.send(command::Save{(folder.path() / "run.xlab").string()});
      while (!saved(count)) beside.push_back(answer());
      took.push_back(milliseconds(Clock::now() - start));
    }
  }
  state.counters["answers_ms"] = median(alone);
  state.counters["answers_worst"] = largest(alone);
  state.counters["saving_ms"] = median(beside);
  state.counters["saving_worst"] = largest(beside);
  state.counters["first_save"] = took.at(0);
  took.erase(took.begin());
  state.counters["next_saves"] = median(took);
  state.counters["next_saves_worst"] = largest(took);
}

/// What saving the same run is made of.
void parts_of_saving(benchmark::State& state, int megabytes) {
  const Folder folder;
  std::string text(static_cast<std::size_t>(megabytes) * 1'000'000, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * i % 23);
  const auto run =
      make_run(make_text_task(text_from_bytes(std::as_bytes(std::span(text)), "text", nullptr)));
  const auto timed = [](auto action) {
    const auto start = Clock::now();
    action();
    return milliseconds(Clock::now() - start);
  };
  for (auto _ : state) {
    RunRecord record;
    state.counters["record"] = timed([&] { record = record_of(*run); });
    state.counters["encode_text"] = timed([&] { record.task->tensors(); });
    state.counters["hash_text"] = timed([&] { record.task->name(); });
    RecordFile file;
    state.counters["layout"] = timed([&] { file = file_of(record); });
    state.counters["write_and_sync"] = timed([&] { save_run(record, folder.path() / "run.xlab"); });
  }
}

ModelSpec model_of(int width, int blocks) {
  return paper_model(64, width, blocks, {}, 128);
}

}  // namespace

void add_keeping() {
  const auto add = [](const std::string& name, auto body) {
    benchmark::RegisterBenchmark(("keeping/" + name).c_str(), body)
        ->Iterations(1)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("steps/1e5",
      [](benchmark::State& state) { steps(state, model_of(80, 2), train_spec(4, 64), 100); });
  add("steps/2e6",
      [](benchmark::State& state) { steps(state, model_of(256, 4), train_spec(2, 64), 30); });
  add("steps/2e7",
      [](benchmark::State& state) { steps(state, model_of(768, 5), train_spec(2, 64), 8); });
  add("steps/2e7/few_tokens",
      [](benchmark::State& state) { steps(state, model_of(768, 5), train_spec(1, 16), 8); });
  add("save/100MB", [](benchmark::State& state) { save_text(state, 100); });
  add("save/100MB/parts", [](benchmark::State& state) { parts_of_saving(state, 100); });
}

}  // namespace xlab::bench
