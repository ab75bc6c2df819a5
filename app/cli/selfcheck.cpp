// xlstm selfcheck: compares what a model computes in different ways.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

#include "app/cli/command.hpp"
#include "core/selfcheck/selfcheck.hpp"
#include "core/selfcheck/verdict.hpp"
#include "kernels/device/threads.hpp"

namespace xlab::app {
namespace {

struct SelfcheckArguments {
  RunPlace run;
  SelfcheckOptions options;
  WeightsHeld weights;
  Computing computing;
};

/// A relative difference in a column of a table.
std::string difference_text(double x) {
  return std::isnan(x) ? "no number" : x == 0.0 ? "0" : fmt::format("{:.1e}", x);
}

int check_model(SelfcheckArguments& args) {
  const Device device = args.computing.use();
  // One core still has two threads to compare.
  if (threads() == 1) set_threads(2);
  const std::unique_ptr<Run> run = open_run(args.run, args.weights.use({}));
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
  args->computing.add_threads(command, "one per core");
  command.add_option(
      "--damage", args->options.damage,
      "Put one number of every comparison off by this share, to see the checks fail");
  args->computing.add_device(command);
  return {&command, [args] { return check_model(*args); }};
}

}  // namespace xlab::app
