// xlstm forecast: what a forecasting model expects after a series of numbers.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.hpp"
#include "core/files/disk.hpp"
#include "core/series/csv_column.hpp"
#include "core/series/forecast.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

struct ForecastArguments {
  std::string model, csv, column, out;
  int steps = 0;  ///< 0: a patch
  Computing computing;
};

/// A line of names, then a line for each step.
std::string as_csv(const Forecast& foretold) {
  std::string text = "step";
  for (const double level : foretold.levels) text += fmt::format(",{}", level);
  text += '\n';
  for (std::size_t t = 0; t < foretold.quantiles.front().size(); ++t) {
    text += fmt::format("{}", t + 1);
    for (const auto& row : foretold.quantiles) text += fmt::format(",{:.7g}", row[t]);
    text += '\n';
  }
  return text;
}

int run_forecast(const ForecastArguments& args) {
  const std::filesystem::path path = model_folder(args.model);
  if (!args.out.empty()) refuse_overwriting(args.out, {args.csv});
  const Device device = args.computing.use();
  const ModelFolder folder(path);
  check(folder.spec().series.has_value(),
        "The model in '{}' reads tokens, not a series of numbers: it foretells no numbers.",
        shown_path(path));
  tell(folder.remark());
  const CsvColumn column = read_csv_column(args.csv, args.column);
  const SeriesSpec& series = *folder.spec().series;
  const int steps = args.steps > 0 ? args.steps : std::min(series.patch, series.future);
  const std::unique_ptr<Model> model = folder.read(FolderUse::read);
  model->move_to(device);
  const Forecast foretold = forecast(*model, column.numbers, steps);
  const auto missing = std::count_if(column.numbers.begin(), column.numbers.end(),
                                     [](double x) { return std::isnan(x); });
  say("{}{} numbers{}{}{}\n", column.name.empty() ? "" : printable(column.name, 60) + ": ",
      column.numbers.size(), missing > 0 ? fmt::format(", {} of them not there", missing) : "",
      column.numbers.size() > static_cast<std::size_t>(series.context)
          ? fmt::format("; the last {} are read", series.context)
          : "",
      foretold.differenced ? "; a trend, so their differences are foretold" : "");
  const std::string text = as_csv(foretold);
  if (args.out.empty()) {
    std::fputs(text.c_str(), stdout);
  } else {
    write_file_atomically(args.out, text);
    say("{} steps written to {}\n", steps, printable(args.out, 512));
  }
  for (const auto& row : foretold.quantiles)
    for (const double x : row)
      if (!std::isfinite(x)) return kNotFinite;
  return 0;
}

}  // namespace

CliCommand forecast_command(CLI::App& app) {
  const auto args = std::make_shared<ForecastArguments>();
  CLI::App& command = *app.add_subcommand(
      "forecast",
      "Foretell a series of numbers, with a model like TiRex-2: quantiles of what comes next, as "
      "CSV. Exit code 3: they are written, but not all are finite");
  command.add_option("model", args->model, "Model folder")->required()->check(not_empty());
  command.add_option("csv", args->csv, "CSV file with the series, oldest number first")
      ->required()
      ->check(not_empty());
  command
      .add_option("--column", args->column,
                  "Which column: its name in the first line, or its number from 1")
      ->check(not_empty());
  command.add_option("--steps", args->steps, "How many numbers to foretell (default: one patch)")
      ->check(whole_number(1, 1 << 20));
  command.add_option("--out", args->out, "CSV file to write, instead of the standard output")
      ->check(not_empty());
  args->computing.add_threads(command, "one per core");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return run_forecast(*args); }};
}

}  // namespace xlab::app
