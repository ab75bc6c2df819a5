// The command line: train, generate, logits, selfcheck, export, signature, info. Links neither Qt
// nor Dear ImGui.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "app/cli_places.hpp"
#include "core/files.hpp"
#include "core/folder_run.hpp"
#include "core/generation.hpp"
#include "core/last_copy.hpp"
#include "core/run.hpp"
#include "core/sampler.hpp"
#include "core/selfcheck.hpp"
#include "core/stepper.hpp"
#include "core/tokenizer.hpp"
#include "core/utf8.hpp"
#include "core/verdict.hpp"
#include "core/weights.hpp"
#include "kernels/config.hpp"
#include "kernels/device.hpp"
#include "kernels/precision.hpp"
#include "kernels/threads.hpp"

namespace xlab::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWrongArguments = 2;
constexpr double kAutosaveSeconds = 60.0;
constexpr std::int64_t kMostSteps = 1'000'000'000'000;
constexpr std::int64_t kLargestSeed = std::int64_t{1} << 53;

std::atomic<bool> interrupted = false;

void on_signal(int) {
  interrupted = true;
}

struct TrainArguments {
  std::string spec, task, text, tokenizer, out, resume, log, model, device = "auto";
  std::int64_t steps = 0;
  double seconds = 0.0;
  std::int64_t seed = -1;
  int threads = 0;
  bool force = false;
};

/// The device of that name. One that is not there is a wrong argument.
Device device_for(const std::string& name) {
  try {
    return device_named(name);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
}

std::string title_of(Device device) {
  for (const DeviceInfo& info : devices()) {
    if (info.device == device) return info.name;
  }
  return name_of(device);
}

/// The loss of the last step, and the mean that lags behind it.
std::string loss_text(const LossPoint& point) {
  return fmt::format("{:.3f} nats/token (mean {:.3f})", point.loss, point.smoothed);
}

std::string minutes(double seconds) {
  constexpr double kYear = 365.0 * 24 * 3600;
  if (!(seconds < kYear)) return "years";
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// One line that is rewritten on a terminal and repeated every few seconds in a file.
class ProgressLine {
 public:
  void show(const std::string& text, bool last) {
    const auto now = Clock::now();
    if (!last &&
        now - shown_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5)))
      return;
    shown_ = now;
    if (text == text_ && !terminal_) return;
    text_ = text;
    if (terminal_) {
      fmt::print(stderr, "\r\033[K{}{}", text, last ? "\n" : "");
    } else {
      fmt::print(stderr, "{}\n", text);
    }
    std::fflush(stderr);
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  Clock::time_point shown_{};
  std::string text_;
};

std::filesystem::path model_folder(const std::string& path) {
  const auto folder = model_folder_of(path);
  check(folder.has_value(), "'{}' is no model folder: give a folder with a config.json.",
        printable(path, 512));
  return *folder;
}

/// Tells what a model folder says in vain.
void tell(const std::string& remark) {
  if (!remark.empty()) fmt::print(stderr, "{}\n", remark);
}

/// The run in a file, or one around the model of a folder.
std::unique_ptr<Run> open_run(const std::string& path, std::optional<FolderUse> use = {}) {
  const auto folder = model_folder_of(path);
  std::unique_ptr<Run> run = folder ? open_folder_run(*folder, use) : load_run(path);
  tell(run->remark);
  return run;
}

/// What --text is read by; null for its own characters.
std::shared_ptr<const Tokenizer> tokenizer_for(const TrainArguments& args) {
  if (!args.tokenizer.empty()) return tokenizer_named(args.tokenizer);
  return args.model.empty() ? nullptr : tokenizer_from_folder(model_folder(args.model));
}

/// Whether two tasks have the same data, whatever its tokens are numbered.
bool same_data(const Task& a, const Task& b) {
  if (a.name() != b.name() || !a.text() != !b.text()) return false;
  return !a.text() || a.decode(a.text()->ids) == b.decode(b.text()->ids);
}

std::unique_ptr<Run> start_run(const TrainArguments& args) {
  std::unique_ptr<Task> task;
  if (!args.task.empty()) {
    try {
      task = make_task(args.task);
    } catch (const Error& e) {
      throw UsageError(e.what());
    }
  }
  if (args.resume.empty()) {
    if (!args.text.empty()) task = make_text_task(read_text(args.text, tokenizer_for(args)));
    RunSpec spec;
    if (!args.spec.empty()) spec = run_spec_from_json(read_text_file(args.spec, 1 << 20));
    if (!spec.train) spec.train = task->default_training();
    if (args.seed >= 0) spec.train->seed = static_cast<std::uint64_t>(args.seed);
    if (!args.model.empty()) {
      if (spec.model)
        throw UsageError("--model brings its own model: --spec may hold \"train\" alone.");
      return train_folder_run(std::move(task), spec.train, model_folder(args.model));
    }
    return make_run(std::move(task), spec);
  }
  std::unique_ptr<Run> run = load_run(args.resume);
  if (!args.text.empty()) {
    const auto known = run->task->tokenizer();
    // The characters of a text are known by the text.
    const bool own = !known || known->kind() == "characters";
    task = make_text_task(read_text(args.text, own ? nullptr : known));
  }
  if (task) {
    check(
        same_data(*task, *run->task),
        "'{}' was trained on other data ({}); leave --task and --text away to go on with its own.",
        args.resume, run->task->title());
  }
  return run;
}

int train(const TrainArguments& args) {
  if (args.resume.empty() && args.task.empty() && args.text.empty())
    throw UsageError("Give either --task NAME or --text FILE.");
  if (!args.task.empty() && !args.text.empty())
    throw UsageError("Give either --task NAME or --text FILE, not both.");
  if (!args.resume.empty() && (!args.spec.empty() || args.seed >= 0))
    throw UsageError(
        "--resume goes on with the run's own specification and seed: leave --spec and "
        "--seed away.");
  if (!args.resume.empty() && !args.model.empty())
    throw UsageError("--resume goes on with the run's own model: leave --model away.");
  if (!args.resume.empty() && !args.tokenizer.empty())
    throw UsageError("--resume goes on with the run's own tokenizer: leave --tokenizer away.");
  if (!args.tokenizer.empty() && args.text.empty())
    throw UsageError("--tokenizer is for a text: give one with --text FILE.");
  if (std::isnan(args.seconds)) throw UsageError("--seconds needs a number larger than 0.");
  if (args.out.empty()) throw UsageError("--out needs the name of a file.");
  for (const std::string& written : {args.out, args.log})
    refuse_overwriting(written, {args.text, args.spec, args.tokenizer, args.model});
  if (same_file(args.log, args.out) || same_file(args.log, args.resume))
    throw UsageError("--log needs a file of its own.");
  check_run_place(args.out, args.resume, args.force);
  check_log_place(args.log);
  set_threads(args.threads);
  const Device device = device_for(args.device);
  std::unique_ptr<Run> run = start_run(args);
  tell(run->remark);
  check_run_fits(*run, args.out);
  const WeightsGlance weights = glance_at(run->model->params());
  check(weights.not_finite.empty(),
        "The weights of '{}' are not finite before the first step ({}): there is nothing to train "
        "on from. Nothing was written.",
        printable(args.model.empty() ? args.resume : args.model, 512), weights.not_finite);

  const std::int64_t first = run->trainer->steps_done();
  std::int64_t last = first + args.steps;
  if (args.steps == 0) {
    last = args.seconds > 0.0 ? std::numeric_limits<std::int64_t>::max()
                              : run->trainer->spec().decay_until_step;
    check(last > first,
          "The run has finished its schedule of {} steps; say how much further with --steps or "
          "--seconds.",
          run->trainer->spec().decay_until_step);
  }
  std::ofstream log;
  if (!args.log.empty()) {
    log.open(args.log, args.resume.empty() ? std::ios::trunc : std::ios::app);
    check(log.is_open(), "The log file '{}' cannot be written.", args.log);
  }
  const auto card = model_card(*run);
  fmt::print(stderr, "{}, {} parameters, on {}; {}\n", card->name, card->parameters,
             printable(run->task->title()), title_of(device));
  LastCopy copy;
  if (device != Device::cpu()) {
    copy.take(*run);
    move_run(*run, device);
  }

  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, on_signal);
  ProgressLine progress;
  const auto start = Clock::now();
  auto saved = start;
  double rate = 0.0;
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const auto line = [&] {
    const double used = elapsed();
    const auto done = static_cast<double>(run->trainer->steps_done() - first);
    double left = std::numeric_limits<double>::infinity();
    if (args.seconds > 0.0) left = args.seconds - used;
    if (last != std::numeric_limits<std::int64_t>::max() && done > 0)
      left = std::min(left, used / done * static_cast<double>(last - run->trainer->steps_done()));
    return fmt::format("step {}  loss {}  {:.0f} tokens/s  {} left", run->trainer->steps_done(),
                       run->losses.empty() ? "not known" : loss_text(run->losses.back()), rate,
                       minutes(std::max(left, 0.0)));
  };
  BadSteps bad_steps;
  bool any_good = false, told_of_saving = false;
  // Steps without finite numbers leave the weights as they came in: no file is replaced by those.
  const auto nothing_learned = [&](const std::string& what) {
    const std::string reason = why_not_finite(model_card(*run)->blocks);
    const std::string because =
        reason.empty()
            ? fmt::format("although the weights are: the largest is {:.3g}", weights.largest)
            : "because " + reason;
    const bool kept = std::filesystem::exists(args.out);
    if (!kept) save_run_somewhere(*run, args.out);
    throw Error(
        fmt::format("{} gave numbers that are not finite, {}. The weights are as they came in; {}.",
                    what, because,
                    kept ? fmt::format("'{}' is left as it was", printable(args.out, 512))
                         : fmt::format("they are saved to '{}'", printable(args.out, 512))));
  };
  while (!interrupted && run->trainer->steps_done() < last &&
         (args.seconds <= 0.0 || elapsed() < args.seconds)) {
    const double before = run->seconds;
    StepResult step;
    try {
      step = run->train_step();
      if (run->model->device() != Device::cpu() && copy.due(*run)) copy.take(*run);
    } catch (const DeviceLost& e) {
      fmt::print(stderr, "\n{} Training goes on on the CPU from step {}.\n", e.what(), copy.step());
      run = copy.revive(*run);
      continue;
    }
    const double now = static_cast<double>(step.tokens) / std::max(run->seconds - before, 1e-9);
    rate = rate == 0.0 ? now : 0.95 * rate + 0.05 * now;
    any_good = any_good || step.finite;
    if (bad_steps.too_many(step)) {
      const std::int64_t done = run->trainer->steps_done();
      const std::string what =
          fmt::format("Training stopped after step {}: three steps in a row, {} to {},", done,
                      done - BadSteps::kInARow + 1, done);
      if (!any_good) nothing_learned(what);
      save_run_somewhere(*run, args.out);
      throw Error(
          fmt::format("{} gave numbers that are not finite. The weights before them are saved to "
                      "'{}'; lower the learning rate.",
                      what, printable(args.out, 512)));
    }
    if (log.is_open() && step.finite) {
      log << fmt::format(
          "{{\"step\": {}, \"loss\": {}, \"tokens_per_second\": {:.1f}, \"seconds\": {:.3f}}}\n",
          step.step + 1, step.loss, now, elapsed());
      if (!log.flush()) {
        save_run_somewhere(*run, args.out);
        throw Error(
            fmt::format("Writing the log file '{}' failed: is the disk full? Training stopped "
                        "after {} steps; the run is saved to {}.",
                        args.log, run->trainer->steps_done(), args.out));
      }
    }
    if (std::chrono::duration<double>(Clock::now() - saved).count() > kAutosaveSeconds) {
      try {
        if (any_good) save_run(*run, args.out);
        told_of_saving = false;
      } catch (const Error& e) {
        // The end of the training tries again, and then another place.
        if (!std::exchange(told_of_saving, true))
          fmt::print(stderr, "\n{} Training goes on.\n", e.what());
      }
      saved = Clock::now();
    }
    progress.show(line(), false);
  }
  progress.show(line(), true);
  if (const std::int64_t made = run->trainer->steps_done() - first; made > 0 && !any_good)
    nothing_learned(made == 1 ? fmt::format("Step {}", first + 1)
                              : fmt::format("Both steps, {} and {},", first + 1, first + 2));
  save_run_somewhere(*run, args.out);
  fmt::print(stderr, "{} after {} steps; saved to {}\n", interrupted ? "Interrupted" : "Done",
             run->trainer->steps_done(), args.out);
  return 0;
}

struct GenerateArguments {
  std::string run, prompt, device = "auto";
  bool bf16 = false;
  std::int64_t tokens = 200;
  SamplerSettings sampler{.greedy = false, .temperature = 0.8};
  int threads = 1;
};

int generate(GenerateArguments args) {
  set_threads(args.threads);
  const Device device = device_for(args.device);
  args.sampler.greedy = args.sampler.temperature == 0.0;
  try {
    validate(args.sampler);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
  const std::unique_ptr<Run> run =
      open_run(args.run, args.bf16 ? FolderUse::read_halves : FolderUse::read);
  if (args.bf16 && !(model_folder_of(args.run) && run->model->spec().large))
    throw UsageError("--bf16 is for model folders of the large family.");
  std::vector<int> tokens = prompt_tokens(*run, args.prompt);
  check(!tokens.empty(), "The prompt is empty: give at least one token with --prompt.");
  move_run(*run, device);
  std::signal(SIGINT, on_signal);
  const auto tokenizer = run->task->tokenizer();
  std::optional<StreamDecoder> stream;
  if (tokenizer) stream.emplace(*tokenizer, true);
  const WritableTokens writable = writable_tokens(*run->task, run->model->spec());
  const auto show = [&](int token, bool first) {
    if (stream) {
      // A model may begin with a token that its tokenizer does not have.
      if (token < tokenizer->vocab_size()) fmt::print("{}", stream->push(token));
    } else {
      fmt::print("{}{}", first ? "" : " ", run->task->decode({&token, 1}));
    }
  };
  for (std::size_t t = 0; t < tokens.size(); ++t) show(tokens[t], t == 0);
  std::fflush(stdout);
  Stepper stepper(*run->model);
  std::vector<float> logits = stepper.feed(tokens);
  for (std::int64_t n = 0; n < args.tokens && !interrupted; ++n) {
    const int token =
        next_token(logits, writable, args.sampler, static_cast<std::uint64_t>(tokens.size()));
    if (token == writable.end) break;
    tokens.push_back(token);
    show(token, false);
    std::fflush(stdout);
    logits = stepper.feed({&token, 1});
  }
  fmt::print("{}\n", stream ? stream->finish() : "");
  return 0;
}

struct SelfcheckArguments {
  std::string run, device = "auto";
  SelfcheckOptions options;
  int threads = 0;
};

/// Exit code where nothing failed, but numbers are not finite: there is nothing to compare, or to
/// go on with.
constexpr int kNotFinite = 3;

/// A relative difference in a column of a table.
std::string difference_text(double x) {
  return std::isnan(x) ? "no number" : x == 0.0 ? "0" : fmt::format("{:.1e}", x);
}

int check_model(SelfcheckArguments& args) {
  set_threads(args.threads);
  // One core still has two threads to compare.
  if (threads() == 1) set_threads(2);
  const Device device = device_for(args.device);
  const std::unique_ptr<Run> run = open_run(args.run);
  move_run(*run, device);
  fmt::print("{:<34} {:>10} {:>10}\n", "check", "largest", "allowed");
  int passed = 0, failed = 0, rows = 0;
  args.options.done = [&](const Check& row) {
    ++rows;
    passed += row.passed ? 1 : 0;
    failed += verdict(row) == Verdict::failed ? 1 : 0;
    fmt::print("{:<34} {:>10} {:>10}  {}\n", row.name, difference_text(row.largest),
               row.limit == 0.0 ? "same bits" : difference_text(row.limit),
               row.passed                        ? "ok"
               : verdict(row) == Verdict::failed ? "FAILED"
                                                 : "no comparison");
    if (!row.passed) fmt::print("  {}\n", row.sentence);
    std::fflush(stdout);
  };
  selfcheck(*run->model, args.options);
  if (passed == rows) {
    fmt::print("All {} checks passed.\n", rows);
    return 0;
  }
  if (failed > 0) {
    fmt::print("The model does not agree with itself: {} of {} checks failed.\n", failed, rows);
    return 1;
  }
  const std::string reason = why_not_finite(run->model->cards());
  fmt::print("The model's numbers are not finite{}: {} of {} checks hold, {} cannot be compared.\n",
             reason.empty() ? "" : " because " + reason, passed, rows, rows - passed);
  return kNotFinite;
}

struct LogitsArguments {
  std::string model, prompt, out, device = "auto";
  std::vector<std::string> ids;
  bool step = false;
};

/// The numbers in a list with commas. Every place in it must hold one: nothing is no token.
std::vector<int> token_numbers(const std::vector<std::string>& lists) {
  std::vector<int> numbers;
  for (const std::string& list : lists) {
    std::size_t begin = 0;
    while (begin <= list.size()) {
      const std::size_t comma = std::min(list.find(',', begin), list.size());
      const char *first = list.data() + begin, *last = list.data() + comma;
      while (first < last && *first == ' ') ++first;
      while (first < last && *(last - 1) == ' ') --last;
      int number = 0;
      const auto [end, error] = std::from_chars(first, last, number);
      if (error != std::errc() || end != last)
        throw UsageError(fmt::format(
            "--ids '{}': {}; give whole numbers with commas between them.", printable(list, 60),
            first == last ? "a number is missing"
                          : fmt::format("'{}' is no token", printable(std::string(first, last)))));
      numbers.push_back(number);
      begin = comma + 1;
    }
  }
  return numbers;
}

int logits(const LogitsArguments& args) {
  if (args.ids.empty() == args.prompt.empty())
    throw UsageError("Give either --ids NUMBERS or --prompt TEXT.");
  if (args.out.empty()) throw UsageError("--out needs the name of a file.");
  const std::vector<int> numbers = token_numbers(args.ids);
  refuse_overwriting(args.out, {args.model});
  check_logits_place(args.out);
  const Device device = device_for(args.device);
  const std::unique_ptr<Run> run = open_run(args.model, FolderUse::read);
  move_run(*run, device);
  const std::vector<int> ids = numbers.empty() ? prompt_tokens(*run, args.prompt) : numbers;
  check(!ids.empty(), "The prompt is empty: give at least one token with --prompt.");
  Stepper stepper(*run->model);
  std::vector<float> rows;
  if (args.step) {
    for (const int id : ids) {
      const std::vector<float> row = stepper.feed({&id, 1});
      rows.insert(rows.end(), row.begin(), row.end());
    }
  } else {
    rows = stepper.feed_for_all(ids);
  }
  const auto count = static_cast<std::int64_t>(ids.size());
  const auto width = static_cast<std::int64_t>(rows.size()) / count;
  const auto bad =
      std::count_if(rows.begin(), rows.end(), [](float x) { return !std::isfinite(x); });
  const auto numbers_written = rows.size();
  write_safetensors(args.out, {stored("logits", {count, width}, std::move(rows)),
                               stored("ids", {count}, std::vector<std::int32_t>(ids))});
  if (bad == 0) return 0;
  const std::string reason = why_not_finite(run->model->cards());
  fmt::print(stderr, "{} of the {} logits written to '{}' are not finite{}.\n", bad,
             numbers_written, printable(args.out, 512),
             reason.empty() ? "" : ", because " + reason);
  return kNotFinite;
}

struct ExportArguments {
  std::string run, folder;
  bool bf16 = false, force = false;
};

int export_folder(const ExportArguments& args) {
  const auto from = model_folder_of(args.run);
  if (same_file(from ? from->string() : args.run, args.folder))
    throw UsageError("The folder to write must be another one than the one that is read.");
  if (args.folder.empty()) throw UsageError("The folder to write needs a name.");
  check_folder_place(args.folder, args.force);
  const std::unique_ptr<Run> run = open_run(args.run);
  export_run(*run, args.folder, {.halves = args.bf16});
  if (const auto own = keys_of_our_own(run->model->spec()); !own.empty())
    fmt::print(stderr,
               "Other programs do not know this model's {}: they will compute other numbers or "
               "refuse it.\n",
               fmt::join(own, ", "));
  fmt::print(stderr, "{} parameters written to {}\n", model_card(*run)->parameters,
             printable(args.folder, 512));
  return 0;
}

int signature(const std::string& path) {
  const std::unique_ptr<Run> run = open_run(path);
  fmt::print("{:016x}\n", run->model->params().signature());
  return 0;
}

void print_blocks(const std::vector<BlockCard>& blocks) {
  for (const BlockCard& block : blocks)
    fmt::print("          {}: {} heads of {} x {}, {} parameters\n", block.prefix, block.heads,
               block.key_dim, block.value_dim, block.parameters);
}

/// Looks at the headers alone.
int folder_info(const std::filesystem::path& path) {
  const ModelFolder folder(path);
  tell(folder.remark());
  const ModelSpec& spec = folder.spec();
  fmt::print("{}: a model folder\n", printable(path.string(), 512));
  fmt::print("model     {} family, {:.0f} parameters, {} blocks, width {}, vocabulary {}\n",
             spec.large ? "large" : "paper", parameter_count(spec), spec.num_blocks,
             spec.embedding_dim, spec.vocab_size);
  print_blocks(Model::cards_of(spec));
  fmt::print("weights   {} {} in {} file{}, {:.3f} GB; {}\n", folder.tensors().entries().size(),
             name_of(folder.main_type()), folder.tensors().files().size(),
             folder.tensors().files().size() == 1 ? "" : "s",
             static_cast<double>(folder.tensors().bytes()) / 1e9,
             folder.trainable() ? "can be trained here" : "too large to be trained here");
  return 0;
}

int info(const std::string& path) {
  if (const auto folder = model_folder_of(path)) return folder_info(*folder);
  const SafetensorsFile file = read_safetensors(path);
  if (!file.metadata().contains("xlab")) {
    std::int64_t elements = 0;
    for (const StoredTensor& tensor : file.tensors()) elements += tensor.elements();
    fmt::print("{}: {} tensors, {} numbers\n", path, file.tensors().size(), elements);
    for (const StoredTensor& tensor : file.tensors())
      fmt::print("  {:<8} ({})  {}\n", name_of(tensor.type), fmt::join(tensor.shape, ", "),
                 printable(tensor.name));
    return 0;
  }
  const std::unique_ptr<Run> run = load_run(file);
  const auto card = model_card(*run);
  const auto data = data_card(*run);
  fmt::print("{}: a run of xLSTM Lab\n", printable(path, 512));
  fmt::print("model     {}, {} parameters, width {}, vocabulary {}\n", card->name, card->parameters,
             card->embedding_dim, card->vocabulary.size());
  print_blocks(card->blocks);
  fmt::print("data      {}{}\n", printable(data->title),
             data->length > 0 ? fmt::format(", {} {}", data->length, data->unit) : "");
  if (const auto tokenizer = run->task->tokenizer())
    fmt::print("tokens    {}\n", tokenizer->title());
  fmt::print("training  {} steps of {} x {} tokens, {:.1f} s, seed {}", run->trainer->steps_done(),
             run->trainer->spec().batch_size, run->trainer->spec().sequence_length, run->seconds,
             run->trainer->spec().seed);
  if (!run->losses.empty()) fmt::print(", loss {}", loss_text(run->losses.back()));
  fmt::print("\nweights   {:016x}\n", run->model->params().signature());
  return 0;
}

/// A number that is refused in words, without the limits of its type.
CLI::Validator number_that(const std::string& wanted, bool (*fits)(double)) {
  return CLI::Validator(
      [=](const std::string& text) {
        double number = 0.0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool whole = error == std::errc() && end == text.data() + text.size();
        return whole && std::isfinite(number) && fits(number)
                   ? std::string()
                   : fmt::format("'{}' is not {}", printable(text, 60), wanted);
      },
      "");
}

int run_command_line(int argc, char** argv) {
  CLI::App app{
      "xLSTM Lab on the command line: train a small xLSTM, let it write, check it, look into "
      "files."};
  app.name("xlstm");
  app.require_subcommand(1);
  app.set_version_flag("--version", kVersion);

  constexpr const char* kDeviceHelp =
      "Where to compute: auto (a graphics card if there is one), cpu, cuda or cuda:N";
  constexpr const char* kPrecisionHelp =
      "What a graphics card multiplies f32 numbers in: exact (default), tf32 or bf16";
  const std::map<std::string, MatrixPrecision> precisions = {{"exact", MatrixPrecision::exact},
                                                             {"tf32", MatrixPrecision::tf32},
                                                             {"bf16", MatrixPrecision::bf16}};
  std::string precision = "exact";
  TrainArguments t;
  CLI::App* train_command =
      app.add_subcommand("train", "Train a model on a task or on a text file");
  train_command->add_option("--task", t.task,
                            fmt::format("Built-in task: {}", fmt::join(task_names(), ", ")));
  train_command->add_option("--text", t.text, "Text file to learn: UTF-8, or any file with bytes");
  train_command->add_option("--tokenizer", t.tokenizer,
                            "What the text is read by: characters, bytes, a tokenizer.json or a "
                            "folder that holds one (default: the model folder's, or characters)");
  train_command->add_option("--out", t.out, "File to save the run to (*.xlab)")->required();
  train_command->add_flag("--force", t.force, "Replace a run that --out holds already");
  train_command->add_option("--spec", t.spec,
                            "JSON file with \"model\" and \"train\" specifications");
  train_command->add_option("--model", t.model,
                            "Model folder (config.json, *.safetensors) to start from");
  train_command->add_option("--resume", t.resume, "Run to go on with; its data comes with it");
  train_command
      ->add_option("--steps", t.steps, "Steps to train now (default: to the end of the schedule)")
      ->check(CLI::Range(std::int64_t{1}, kMostSteps));
  const CLI::Validator not_negative =
      number_that("a number of 0 or more", [](double x) { return x >= 0.0; });
  train_command->add_option("--seconds", t.seconds, "Stop after this time")
      ->check(number_that("a number larger than 0", [](double x) { return x > 0.0; }));
  train_command->add_option("--seed", t.seed, "Seed of weights and data (default 1)")
      ->check(CLI::Range(std::int64_t{0}, kLargestSeed));
  train_command->add_option("--threads", t.threads, "Threads to use (default: one per core)")
      ->check(CLI::Range(0, 256));
  train_command->add_option(
      "--log", t.log, "File for one JSON object a step: step, loss, tokens_per_second, seconds");
  train_command->add_option("--device", t.device, kDeviceHelp);
  train_command->add_option("--precision", precision, kPrecisionHelp)
      ->check(CLI::IsMember({"exact", "tf32", "bf16"}));

  GenerateArguments g;
  CLI::App* generate_command =
      app.add_subcommand("generate", "Continue a prompt with a trained run");
  generate_command->add_option("run", g.run, "Trained run (*.xlab) or model folder")->required();
  generate_command->add_option("--prompt", g.prompt, "Text to continue")->required();
  generate_command->add_flag("--bf16", g.bf16,
                             "Round the weights of a model folder to bf16: half the memory");
  generate_command->add_option("--tokens", g.tokens, "Tokens to write (default 200)")
      ->check(not_negative);
  generate_command->add_option("--temperature", g.sampler.temperature,
                               "Sampling temperature, 0 for always the likeliest (default 0.8)");
  generate_command->add_option("--top-k", g.sampler.top_k,
                               "Draw from the K likeliest only (0: all)");
  generate_command->add_option("--top-p", g.sampler.top_p,
                               "Draw from the likeliest that make up P");
  generate_command->add_option("--seed", g.sampler.seed, "Seed of the draws (default 1)")
      ->check(not_negative);
  generate_command->add_option("--threads", g.threads, "Threads to use (default 1)")
      ->check(CLI::Range(0, 256));
  generate_command->add_option("--device", g.device, kDeviceHelp);
  generate_command->add_option("--precision", precision, kPrecisionHelp)
      ->check(CLI::IsMember({"exact", "tf32", "bf16"}));

  SelfcheckArguments c;
  CLI::App* selfcheck_command = app.add_subcommand(
      "selfcheck",
      "Compare what a model computes in different ways. Exit code 0: all agree; 1: some differ, or "
      "the check itself failed; 3: none differ, but where the model's numbers are not finite "
      "there is nothing to compare");
  selfcheck_command->add_option("run", c.run, "Run (*.xlab) or model folder")->required();
  selfcheck_command->add_option("--seed", c.options.seed, "Seed of the tokens it reads (default 1)")
      ->check(not_negative);
  selfcheck_command->add_option("--threads", c.threads, "Threads to use (default: one per core)")
      ->check(CLI::Range(0, 256));
  selfcheck_command->add_option(
      "--damage", c.options.damage,
      "Put one number of every comparison off by this share, to see the checks fail");
  selfcheck_command->add_option("--device", c.device, kDeviceHelp);

  LogitsArguments l;
  CLI::App* logits_command = app.add_subcommand("logits",
                                                "Write what a model expects after each token of a "
                                                "sequence. Exit code 3: they are written, but "
                                                "not all are finite");
  logits_command->add_option("model", l.model, "Run (*.xlab) or model folder")->required();
  logits_command->add_option("--ids", l.ids, "Token numbers, separated by commas");
  logits_command->add_option("--prompt", l.prompt, "Text instead of numbers");
  logits_command->add_flag("--step", l.step, "One token at a time instead of all in one pass");
  logits_command
      ->add_option("--out", l.out, "safetensors file for \"logits\" (T, vocabulary) and \"ids\"")
      ->required();
  logits_command->add_option("--device", l.device, kDeviceHelp);
  logits_command->add_option("--precision", precision, kPrecisionHelp)
      ->check(CLI::IsMember({"exact", "tf32", "bf16"}));

  ExportArguments e;
  CLI::App* export_command = app.add_subcommand(
      "export", "Write a model as a folder that the authors' programs and Hugging Face read");
  export_command->add_option("run", e.run, "Run (*.xlab) or model folder")->required();
  export_command->add_option("folder", e.folder, "Folder to write")->required();
  export_command->add_flag("--bf16", e.bf16, "Round the weights to bf16 (large family)");
  export_command->add_flag("--force", e.force, "Replace a model that the folder holds already");

  std::string signature_path, info_path;
  CLI::App* signature_command =
      app.add_subcommand("signature", "Print the hash of a run's weights");
  signature_command->add_option("run", signature_path, "Run (*.xlab) or model folder")->required();
  CLI::App* info_command =
      app.add_subcommand("info", "Say what a run, a model folder or a safetensors file holds");
  info_command->add_option("file", info_path, "File or folder to look into")->required();

  // A file that may not grow any more is answered in words, not by an end without any.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);  // help and version
  } catch (const CLI::RequiredError& e) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
    const std::string word = argc > 1 ? argv[1] : "";
    if (!app.get_subcommands().empty()) {
      fmt::print(stderr, "xlstm: {}. Try 'xlstm --help'.\n", e.what());
    } else {
      fmt::print(stderr, "xlstm: {}; the commands are {}. Try 'xlstm --help'.\n",
                 word.empty() || word.starts_with('-')
                     ? "A command is missing"
                     : fmt::format("'{}' is no command", printable(word, 60)),
                 fmt::join(names, ", "));
    }
    return kWrongArguments;
  } catch (const CLI::ParseError& e) {
    const std::string what = e.what();
    fmt::print(stderr, "xlstm: {}{} Try 'xlstm --help'.\n", what, what.ends_with('.') ? "" : ".");
    return kWrongArguments;
  }
  set_matrix_precision(precisions.at(precision));
  const auto chosen = [&] {
    if (*train_command) return train(t);
    if (*generate_command) return generate(g);
    if (*selfcheck_command) return check_model(c);
    if (*logits_command) return logits(l);
    if (*export_command) return export_folder(e);
    if (*signature_command) return signature(signature_path);
    return info(info_path);
  };
  try {
    const int code = chosen();
    check(std::fflush(stdout) == 0 && std::ferror(stdout) == 0,
          "Writing the text failed: is the disk full?");
    return code;
  } catch (const UsageError& e) {
    fmt::print(stderr, "xlstm: {} Try 'xlstm {} --help'.\n", e.what(),
               app.get_subcommands().front()->get_name());
    return kWrongArguments;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "xlstm: There is not enough memory. Use a smaller model, smaller batches or shorter "
               "sequences.\n");
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "xlstm: {}\n", e.what());
    return 1;
  }
}

}  // namespace
}  // namespace xlab::app

int main(int argc, char** argv) {
  return xlab::app::run_command_line(argc, argv);
}
