// xlstm train: trains a run and saves it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/cli/command.hpp"
#include "app/cli/progress_line.hpp"
#include "core/bench_file.hpp"
#include "core/files/folder_run.hpp"
#include "core/keeping/autosave.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "core/training/train_loop.hpp"
#include "core/training/weights.hpp"
#include "core/utf8.hpp"
#include "kernels/device/device.hpp"

namespace xlab::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kFirstSave{2}, kSaveEvery{20};
constexpr std::int64_t kMostSteps = 1'000'000'000'000;

struct TrainArguments {
  std::string spec, task, text, tokenizer, out, log, model;
  RunPlace resume;
  std::int64_t steps = 0;
  double seconds = 0.0;
  std::int64_t seed = -1;
  bool force = false;
  Computing computing;
};

std::string title_of(Device device) {
  for (const DeviceInfo& info : devices()) {
    if (info.device == device) return info.name;
  }
  return name_of(device);
}

std::string minutes(double seconds) {
  constexpr double kYear = 365.0 * 24 * 3600;
  if (!(seconds < kYear)) return "years";
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
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

/// What is no UTF-8 is read as bytes where nothing else was asked for.
std::unique_ptr<Task> text_task(const TrainArguments& args) {
  if (auto tokenizer = tokenizer_for(args))
    return make_text_task(read_text(args.text, std::move(tokenizer)));
  if (!args.tokenizer.empty() || !args.model.empty()) return make_text_task(read_text(args.text));
  OpenedText opened = open_text(args.text);
  tell(opened.notice);
  return make_text_task(std::move(opened.text));
}

std::unique_ptr<Run> start_run(const TrainArguments& args) {
  std::unique_ptr<Task> task;
  if (!args.task.empty()) {
    try {
      task = make_task(args.task);
    } catch (const Error& e) {
      throw UsageError(e.what());
    }
    if (!task->has_data()) throw UsageError(task->why_nothing_to_learn());
  }
  if (args.resume.path.empty()) {
    if (!args.text.empty()) task = text_task(args);
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
  std::unique_ptr<Run> run = load_named_run(read_safetensors(args.resume.path), args.resume.name);
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
        args.resume.path, run->task->title());
  }
  return run;
}

/// Refuses what does not go together, and places that cannot be written or would be overwritten.
void check_arguments(const TrainArguments& args) {
  if (args.resume.path.empty() && args.task.empty() && args.text.empty())
    throw UsageError("Give either --task NAME or --text FILE.");
  if (!args.task.empty() && !args.text.empty())
    throw UsageError("Give either --task NAME or --text FILE, not both.");
  if (!args.resume.path.empty() && (!args.spec.empty() || args.seed >= 0))
    throw UsageError(
        "--resume goes on with the run's own specification and seed: leave --spec and "
        "--seed away.");
  if (!args.resume.path.empty() && !args.model.empty())
    throw UsageError("--resume goes on with the run's own model: leave --model away.");
  if (!args.resume.path.empty() && !args.tokenizer.empty())
    throw UsageError("--resume goes on with the run's own tokenizer: leave --tokenizer away.");
  if (!args.tokenizer.empty() && args.text.empty())
    throw UsageError("--tokenizer is for a text: give one with --text FILE.");
  if (args.resume.path.empty() && !args.resume.name.empty())
    throw UsageError("--run says which run of a file --resume goes on with: give that file.");
  if (args.out.empty()) throw UsageError("--out needs the name of a file.");
  for (const std::string& written : {args.out, args.log})
    refuse_overwriting(written, {args.text, args.spec, args.tokenizer, args.model});
  if (same_file(args.log, args.out) || same_file(args.log, args.resume.path))
    throw UsageError("--log needs a file of its own.");
  check_run_place(args.out, args.resume.path, args.force);
  check_log_place(args.log);
}

/// A training from its first step to the run in its file.
class Training {
 public:
  Training(const TrainArguments& args, std::unique_ptr<Run> run);
  void run(Device device);

 private:
  void set_end();
  void open_log();
  void use_run();
  void one_step();
  void write_log(double tokens_per_second);
  void save_if_due();
  void save_at_end();
  std::string progress() const;
  [[noreturn]] void end_without_good_steps(const std::string& what);

  const TrainArguments& args_;
  std::unique_ptr<Run> run_;
  TrainLoop loop_;
  const std::int64_t first_;
  const WeightsGlance weights_;  // before the first step
  std::ofstream log_;
  Autosave autosave_{{}, [] {}};
  Clock::time_point next_save_{};
  bool saving_ = false, told_of_saving_ = false;
};

Training::Training(const TrainArguments& args, std::unique_ptr<Run> run)
    : args_(args),
      run_(std::move(run)),
      first_(run_->trainer->steps_done()),
      weights_(glance_at(run_->model->params())) {
  check(weights_.not_finite.empty(),
        "The weights of '{}' are not finite before the first step ({}): there is nothing to train "
        "on from. Nothing was written.",
        printable(args.model.empty() ? args.resume.path : args.model, 512), weights_.not_finite);
  set_end();
  open_log();
}

void Training::set_end() {
  const std::int64_t scheduled = run_->trainer->spec().decay_until_step;
  loop_.seconds = args_.seconds;
  if (args_.steps > 0) loop_.last_step = first_ + args_.steps;
  if (args_.steps > 0 || args_.seconds > 0.0) return;
  check(scheduled > first_,
        "The run has finished its schedule of {} steps; say how much further with --steps or "
        "--seconds.",
        scheduled);
  loop_.last_step = scheduled;
}

void Training::open_log() {
  if (args_.log.empty()) return;
  log_.open(args_.log, args_.resume.path.empty() ? std::ios::trunc : std::ios::app);
  check(log_.is_open(), "The log file '{}' cannot be written.", args_.log);
}

void Training::use_run() {
  run_->trainer->before_update = [this] { autosave_.settle(); };
}

void Training::run(Device device) {
  const auto card = model_card(*run_);
  say("{}, {} parameters, on {}; {}\n", card->name, card->parameters,
      printable(run_->task->title()), title_of(device));
  if (device != Device::cpu()) {
    loop_.copy.take(*run_);
    move_run(*run_, device);
  }
  use_run();
  stop_on_signals();
  ProgressLine line;
  loop_.begin();
  next_save_ = Clock::now() + kFirstSave;
  while (!interrupted && !loop_.reached_end(*run_)) {
    try {
      one_step();
    } catch (const DeviceLost& e) {
      say("\n{} Training goes on on the CPU from step {}.\n", e.what(), loop_.copy.step());
      run_ = loop_.revive(*run_);
      use_run();
      continue;
    }
    line.show(progress(), false);
  }
  line.show(progress(), true);
  if (const std::int64_t made = run_->trainer->steps_done() - first_; made > 0 && !loop_.any_good())
    end_without_good_steps(
        made == 1 ? fmt::format("Step {} gave", first_ + 1)
                  : fmt::format("Both steps, {} and {}, gave", first_ + 1, first_ + 2));
  save_at_end();
  const std::int64_t done = run_->trainer->steps_done();
  say("{} after {} step{}; saved to {}\n", interrupted ? "Interrupted" : "Done", done,
      done == 1 ? "" : "s", args_.out);
}

void Training::one_step() {
  const double before = run_->seconds;
  const StepResult& step = loop_.step(*run_);
  if (loop_.too_many_bad()) {
    const std::string what = fmt::format("Training stopped after step {}: {}",
                                         run_->trainer->steps_done(), loop_.bad_steps_text());
    if (!loop_.any_good()) end_without_good_steps(what);
    save_at_end();
    throw Error(
        fmt::format("{}. The weights before them are saved to '{}'; lower the learning rate.", what,
                    printable(args_.out, 512)));
  }
  write_log(static_cast<double>(step.tokens) / std::max(run_->seconds - before, 1e-9));
  save_if_due();
}

void Training::write_log(double tokens_per_second) {
  const StepResult& step = loop_.last();
  if (!log_.is_open() || !step.finite) return;
  log_ << fmt::format(
      "{{\"step\": {}, \"loss\": {}, \"tokens_per_second\": {:.1f}, \"seconds\": {:.3f}}}\n",
      step.step + 1, step.loss, tokens_per_second, loop_.elapsed());
  if (log_.flush()) return;
  save_at_end();
  throw Error(
      fmt::format("Writing the log file '{}' failed: is the disk full? Training stopped after {} "
                  "steps; the run is saved to {}.",
                  args_.log, run_->trainer->steps_done(), args_.out));
}

/// Beside the training, from a copy.
void Training::save_if_due() {
  if (saving_) {
    const auto saved = autosave_.take_saved();
    if (!saved) return;
    saving_ = false;
    // The end of the training tries again, and then another place.
    if (!saved->problem.empty() && !std::exchange(told_of_saving_, true))
      say("\n{} Training goes on.\n", saved->problem);
    if (saved->problem.empty()) told_of_saving_ = false;
  }
  if (!loop_.any_good() || Clock::now() < next_save_) return;
  auto [record, own_numbers] = loop_.record(*run_);
  autosave_.save(std::move(record), args_.out, own_numbers);
  saving_ = true;
  next_save_ = Clock::now() + kSaveEvery;
}

void Training::save_at_end() {
  autosave_.finish();  // or an older state would take the place of this one
  save_run_somewhere(*run_, args_.out);
}

std::string Training::progress() const {
  const std::int64_t step = run_->trainer->steps_done();
  double left = std::numeric_limits<double>::infinity();
  if (loop_.seconds > 0.0) left = loop_.seconds - loop_.elapsed();
  if (loop_.last_step > 0 && step > first_)
    left = std::min(left, loop_.elapsed() / static_cast<double>(step - first_) *
                              static_cast<double>(loop_.last_step - step));
  return fmt::format("step {}  loss {}  {:.0f} tokens/s  {} left", step,
                     run_->losses.empty() ? "not known" : loss_text(run_->losses.back()),
                     loop_.tokens_per_second(), minutes(std::max(left, 0.0)));
}

/// Steps without finite numbers leave the weights as they came in: no file is replaced by those.
void Training::end_without_good_steps(const std::string& what) {
  const std::string because = why_steps_are_bad(*run_);
  const bool kept = std::filesystem::exists(args_.out);
  if (!kept) save_at_end();
  throw Error(fmt::format("{}, {}. The weights are as they came in; {}.", what, because,
                          kept ? fmt::format("'{}' is left as it was", printable(args_.out, 512))
                               : fmt::format("they are saved to '{}'", printable(args_.out, 512))));
}

int train(const TrainArguments& args) {
  // It does not end with who reads its progress.
  std::signal(SIGPIPE, SIG_IGN);
  check_arguments(args);
  const Device device = args.computing.use();
  std::unique_ptr<Run> run = start_run(args);
  tell(run->remark);
  check_run_fits(*run, args.out);
  Training(args, std::move(run)).run(device);
  return 0;
}

}  // namespace

CliCommand train_command(CLI::App& app) {
  const auto args = std::make_shared<TrainArguments>();
  CLI::App& command = *app.add_subcommand("train", "Train a model on a task or on a text file");
  command.add_option("--task", args->task,
                     fmt::format("Built-in task: {}", fmt::join(task_names(), ", ")));
  command.add_option("--text", args->text, "Text file to learn: UTF-8, or any file with bytes");
  command
      .add_option("--tokenizer", args->tokenizer,
                  "What the text is read by: characters, bytes, a tokenizer.json or a folder "
                  "that holds one (default: the model folder's, or characters)")
      ->check(not_empty());
  command.add_option("--out", args->out, "File to save the run to (*.xlab)")->required();
  command.add_flag("--force", args->force, "Replace a run that --out holds already");
  command.add_option("--spec", args->spec, "JSON file with \"model\" and \"train\" specifications");
  command.add_option("--model", args->model,
                     "Model folder (config.json, *.safetensors) to start from");
  command.add_option("--resume", args->resume.path, "Run to go on with; its data comes with it");
  args->resume.add_name(command);
  command
      .add_option("--steps", args->steps,
                  "Steps to train now (default: to the end of the schedule)")
      ->check(whole_number(1, kMostSteps));
  command.add_option("--seconds", args->seconds, "Stop after this time")
      ->check(number_that("a number larger than 0", [](double x) { return x > 0.0; }));
  command.add_option("--seed", args->seed, "Seed of weights and data (default 1)")
      ->check(whole_number(0, kLargestSeed));
  command.add_option("--log", args->log,
                     "File for one JSON object a step: step, loss, tokens_per_second, seconds");
  args->computing.add_threads(command, "one per core");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return train(*args); }};
}

}  // namespace xlab::app
