// xlstm trace: writes every described value of every token of a sequence.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.hpp"
#include "core/bytes_text.hpp"
#include "core/files/disk.hpp"
#include "core/files/recording.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/known_token.hpp"
#include "core/selfcheck/verdict.hpp"
#include "core/utf8.hpp"
#include "kernels/config.hpp"

namespace xlab::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMostTextBytes = 64u << 20;
constexpr auto kTellEvery = std::chrono::seconds(10);

struct TraceArguments {
  RunPlace model;
  std::string prompt, text, series, column, out;
  std::vector<std::string> ids, values;
  bool memory = false;
  double most_gb = 20.0;
  WeightsHeld weights;
  Computing computing;
};

std::vector<int> tokens_of(const TraceArguments& args, const Run& run,
                           const std::vector<int>& numbers) {
  if (run.task->series()) return run.sequence->tokens();
  std::vector<int> tokens = numbers;
  if (!args.text.empty()) {
    // As when a text is learned, a byte order mark is part of it only where bytes are the tokens.
    const std::string text = read_text_file(args.text, kMostTextBytes);
    const auto tokenizer = run.task->tokenizer();
    const bool bytes = tokenizer && tokenizer->kind() == "bytes";
    tokens = prompt_tokens(run, bytes ? text : std::string(without_byte_order_mark(text)));
  } else if (!args.prompt.empty()) {
    tokens = prompt_tokens(run, args.prompt);
  }
  check(!tokens.empty(), "There is no token to trace: {} is empty.",
        args.text.empty() ? "the prompt" : fmt::format("'{}'", printable(args.text, 512)));
  // Before there is a file.
  for (const int token : tokens) check_token(run.model->spec(), token);
  return tokens;
}

/// Token by token, so that the numbers are those of the window.
void record(const Model& model, const std::vector<int>& tokens, bool memory, RecordingFile& file) {
  const auto start = Clock::now();
  auto told = start;
  State state;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    TokenTrace trace;
    State after;
    try {
      recorded_step(model, tokens[t], static_cast<int>(t), {}, state, after, trace, &interrupted);
    } catch (const Cancelled&) {
      throw Error(
          fmt::format("Stopped after {} of {} tokens; nothing is written.", t, tokens.size()));
    }
    state = std::move(after);
    file.add(trace, memory ? &state : nullptr);
    const auto now = Clock::now();
    if (now - told < kTellEvery) continue;
    told = now;
    const double seconds = std::chrono::duration<double>(now - start).count();
    const double done = static_cast<double>(t + 1);
    say("{} of {} tokens, about {:.0f} s left\n", t + 1, tokens.size(),
        seconds / done * (static_cast<double>(tokens.size()) - done));
  }
  check(!interrupted, "Stopped at the last token; nothing is written.");
  file.finish();
}

int trace(const TraceArguments& args) {
  const int ways = (args.ids.empty() ? 0 : 1) + (args.prompt.empty() ? 0 : 1) +
                   (args.text.empty() ? 0 : 1) + (args.series.empty() ? 0 : 1);
  if (ways != 1)
    throw UsageError("Give one of --prompt TEXT, --ids NUMBERS, --text FILE and --series FILE.");
  if (!args.column.empty() && args.series.empty()) throw UsageError("--column needs --series.");
  if (args.out.empty()) throw UsageError("--out needs the name of a file.");
  const std::vector<int> numbers = token_numbers(args.ids);
  refuse_overwriting(args.out, {args.model.path, args.text, args.series});
  check_recording_place(args.out);
  const Device device = args.computing.use();
  // As the window opens it, so that it computes the same numbers.
  const std::unique_ptr<Run> run =
      args.series.empty()
          ? open_run(args.model, args.weights.use({}))
          : open_series_run(model_folder(args.model.path), args.series, args.column);
  const std::vector<int> tokens = tokens_of(args, *run, numbers);
  const RecordingPlan plan(*model_card(*run), tokens, {},
                           {.values = args.values,
                            .memory = args.memory,
                            .program = fmt::format("xLSTM Lab {}", kVersion)});
  const double bytes = static_cast<double>(plan.bytes());
  say("{} token{} of {} value{}: {}\n", plan.tokens(), plan.tokens() == 1 ? "" : "s", plan.values(),
      plan.values() == 1 ? "" : "s", bytes_text(bytes));
  check(bytes <= args.most_gb * 1e9,
        "That is more than {}: name fewer --values, or allow it with --most GB.",
        bytes_text(args.most_gb * 1e9));
  move_run(*run, device);
  stop_on_signals();
  RecordingFile file(plan, args.out);
  record(*run->model, tokens, args.memory, file);
  say("Written to {}\n", printable(args.out, 512));
  if (file.not_finite() == 0) return 0;
  const std::string reason = why_not_finite(run->model->cards());
  say("{} of the numbers written are not finite{}.\n", file.not_finite(),
      reason.empty() ? "" : ", because " + reason);
  return kNotFinite;
}

}  // namespace

CliCommand trace_command(CLI::App& app) {
  const auto args = std::make_shared<TraceArguments>();
  CLI::App& command = *app.add_subcommand(
      "trace",
      "Write every gate, state and other described value of every token to a safetensors file. "
      "Exit code 3: they are written, but not all are finite");
  args->model.add(command, "model", "Run (*.xlab) or model folder");
  command.add_option("--prompt", args->prompt, "Text to read");
  command.add_option(
      "--ids", args->ids,
      "Token numbers instead, separated by commas; - reads them from standard input");
  command.add_option("--text", args->text, "File with the text instead");
  command.add_option("--series", args->series,
                     "CSV file with the series that a forecasting model reads, patch by patch");
  command.add_option("--column", args->column, "Its column: the name or the number");
  command
      .add_option("--out", args->out,
                  "safetensors file for one tensor (time, heads, dim) a value, and \"ids\"")
      ->required();
  command
      .add_option("--values", args->values,
                  "Only values whose path fits, e.g. 'block0/*,*/m' (* and ? as in a shell)")
      ->delimiter(',');
  command.add_flag("--memory", args->memory,
                   "The matrix memories too: (time, heads, key, value) each");
  command
      .add_option("--most", args->most_gb, "Size in GB above which nothing is written (default 20)")
      ->check(number_that("a number larger than 0", [](double x) { return x > 0.0; }));
  args->weights.add(command);
  args->computing.add_threads(command, "one per core");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return trace(*args); }};
}

}  // namespace xlab::app
