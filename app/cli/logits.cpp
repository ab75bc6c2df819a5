// xlstm logits: what a model expects after each token of a sequence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.hpp"
#include "core/generation/stepper.hpp"
#include "core/selfcheck/verdict.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

struct LogitsArguments {
  RunPlace model;
  std::string prompt, out;
  std::vector<std::string> ids;
  bool step = false;
  WeightsHeld weights;
  Computing computing;
};

int logits(const LogitsArguments& args) {
  if (args.ids.empty() == args.prompt.empty())
    throw UsageError("Give either --ids NUMBERS or --prompt TEXT.");
  if (args.out.empty()) throw UsageError("--out needs the name of a file.");
  const std::vector<int> numbers = token_numbers(args.ids);
  refuse_overwriting(args.out, {args.model.path});
  check_logits_place(args.out);
  const Device device = args.computing.use();
  const std::unique_ptr<Run> run = open_run(args.model, args.weights.use(FolderUse::read));
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
  say("{} of the {} logits written to '{}' are not finite{}.\n", bad, numbers_written,
      printable(args.out, 512), reason.empty() ? "" : ", because " + reason);
  return kNotFinite;
}

}  // namespace

CliCommand logits_command(CLI::App& app) {
  const auto args = std::make_shared<LogitsArguments>();
  CLI::App& command = *app.add_subcommand(
      "logits",
      "Write what a model expects after each token of a sequence. Exit code 3: they are written, "
      "but not all are finite");
  args->model.add(command, "model", "Run (*.xlab) or model folder");
  command.add_option("--ids", args->ids,
                     "Token numbers, separated by commas; - reads them from standard input");
  command.add_option("--prompt", args->prompt, "Text instead of numbers");
  command.add_flag("--step", args->step, "One token at a time instead of all in one pass");
  command
      .add_option("--out", args->out, "safetensors file for \"logits\" (T, vocabulary) and \"ids\"")
      ->required();
  args->weights.add(command);
  args->computing.add_threads(command, "one per core");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return logits(*args); }};
}

}  // namespace xlab::app
