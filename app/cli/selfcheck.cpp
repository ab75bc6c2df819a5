// xlstm selfcheck: compares what a model computes in different ways.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.hpp"
#include "core/bytes_text.hpp"
#include "core/files/disk.hpp"
#include "core/selfcheck/rounding_cost.hpp"
#include "core/selfcheck/selfcheck.hpp"
#include "core/selfcheck/verdict.hpp"
#include "core/utf8.hpp"
#include "kernels/device/threads.hpp"

namespace xlab::app {
namespace {

/// Of a text, on which is measured what rounding costs.
constexpr std::int64_t kMostMeasured = 4096;
constexpr std::uint64_t kMostMeasuredBytes = 16u << 20;

struct SelfcheckArguments {
  RunPlace run;
  std::string text;
  std::int64_t tokens = 256;
  SelfcheckOptions options;
  WeightsHeld weights;
  Computing computing;
};

/// A relative difference in a column of a table.
std::string difference_text(double x) {
  return std::isnan(x) ? "no number" : x == 0.0 ? "0" : fmt::format("{:.1e}", x);
}

/// Opens the model as it is stored, and tells what it costs to hold its weights in fewer bits on
/// the way there.
std::unique_ptr<Run> open_and_round(const SelfcheckArguments& args, Device device) {
  const FolderUse use = *args.weights.use({});
  const std::string text = read_text_file(args.text, kMostMeasuredBytes);
  std::unique_ptr<Run> run = open_run(args.run, FolderUse::read);
  std::vector<int> tokens = prompt_tokens(*run, std::string(without_byte_order_mark(text)));
  check(!tokens.empty(), "There is no token to measure on: '{}' is empty.",
        printable(args.text, 512));
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(args.tokens)));
  move_run(*run, device);
  fmt::print("What {} cost after each of {} token{}, against the weights as they are stored:\n",
             name_of_blocks(use), tokens.size(), tokens.size() == 1 ? "" : "s");
  fmt::print("{:<20} {:>12} {:>12} {:>12} {:>20}\n", "rounded", "KL in nats", "largest",
             "same first", "bytes");
  round_and_compare(*run->model, use, tokens, [](const RoundingCost& cost) {
    fmt::print("{:<20} {:>12} {:>12} {:>11.1f}% {:>9} -> {:>7}\n", cost.rounded,
               difference_text(cost.divergence), difference_text(cost.largest),
               100.0 * cost.same_first, bytes_text(cost.bytes_before),
               bytes_text(cost.bytes_rounded));
    std::fflush(stdout);
  });
  fmt::print("\n");
  return run;
}

int check_model(SelfcheckArguments& args) {
  const bool measured = !args.text.empty();
  if (measured && (args.weights.in.empty() || args.weights.in == "bf16"))
    throw UsageError("--text measures what --weights 8bit or 4bit costs: add one of them.");
  const Device device = args.computing.use();
  // One core still has two threads to compare.
  if (threads() == 1) set_threads(2);
  const std::unique_ptr<Run> run =
      measured ? open_and_round(args, device) : open_run(args.run, args.weights.use({}));
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

}  // namespace

CliCommand selfcheck_command(CLI::App& app) {
  const auto args = std::make_shared<SelfcheckArguments>();
  CLI::App& command = *app.add_subcommand(
      "selfcheck",
      "Compare what a model computes in different ways. Exit code 0: all agree; 1: some differ, or "
      "the check itself failed; 3: none differ, but where the model's numbers are not finite "
      "there is nothing to compare");
  args->run.add(command, "file", "Run (*.xlab) or model folder");
  command.add_option("--seed", args->options.seed, "Seed of the tokens it reads (default 1)")
      ->check(whole_number(0, kLargestSeed));
  args->weights.add(command);
  command.add_option("--text", args->text,
                     "File with a text: say before what 8 or 4 bits cost on it, the mean KL of "
                     "next-token distributions against the weights as they are stored, rounded "
                     "block by block and as a whole. Needs memory for those");
  command.add_option("--tokens", args->tokens, "Tokens of the text to measure on (default 256)")
      ->check(whole_number(1, kMostMeasured));
  args->computing.add_threads(command, "one per core");
  command.add_option(
      "--damage", args->options.damage,
      "Put one number of every comparison off by this share, to see the checks fail");
  args->computing.add_device(command);
  return {&command, [args] { return check_model(*args); }};
}

}  // namespace xlab::app
