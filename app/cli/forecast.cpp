// xlstm forecast: what a forecasting model expects after a series of numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

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

/// A line of names, then a line for each step; digits enough to read the same number back.
std::string as_csv(const Forecast& foretold) {
  std::string text = "step";
  for (const double level : foretold.levels) text += fmt::format(",{}", level);
  text += '\n';
  for (std::size_t t = 0; t < foretold.quantiles.front().size(); ++t) {
    text += fmt::format("{}", t + 1);
    for (const auto& row : foretold.quantiles)
      text += std::isnan(row[t]) ? ",nan" : fmt::format(",{}", row[t]);
    text += '\n';
  }
  return text;
}

CsvColumn series_of(const ForecastArguments& args) {
  if (args.csv != "-") return read_csv_column(args.csv, args.column);
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  return csv_column_of(std::move(text), args.column, "the standard input");
}

void tell_of(const CsvColumn& column, const SeriesSpec& series, bool differenced) {
  const auto numbers = [](std::size_t count) {
    return fmt::format("{} number{}", count, count == 1 ? "" : "s");
  };
  const auto missing = std::count_if(column.numbers.begin(), column.numbers.end(),
                                     [](double x) { return std::isnan(x); });
  std::string words =
      fmt::format("{}: {}", column.name.empty() ? "no line of names" : printable(column.name, 60),
                  numbers(column.numbers.size()));
  if (missing > 0) words += fmt::format(", {} of them missing", missing);
  if (column.empty_at_end > 0)
    words +=
        fmt::format("; {} empty line{} at the end {} none", column.empty_at_end,
                    column.empty_at_end == 1 ? "" : "s", column.empty_at_end == 1 ? "is" : "are");
  const auto context = static_cast<std::size_t>(series.context);
  if (column.numbers.size() > context) words += fmt::format("; the last {} count", context);
  if (differenced) words += "; a trend, so differences are foretold and added up";
  say("{}\n", words);
}

int run_forecast(const ForecastArguments& args) {
  const std::filesystem::path path = model_folder(args.model);
  if (!args.out.empty()) {
    refuse_overwriting(args.out, {args.csv, args.model});
    check_forecast_place(args.out);
  }
  const Device device = args.computing.use();
  const ModelFolder folder(path);
  check(folder.spec().series.has_value(),
        "The model in '{}' reads tokens, not a series of numbers: it foretells no numbers.",
        shown_path(path));
  tell(folder.remark());
  const CsvColumn column = series_of(args);
  const SeriesSpec& series = *folder.spec().series;
  const int steps = args.steps > 0 ? args.steps : std::min(series.patch, series.future);
  const std::unique_ptr<Model> model = folder.read(FolderUse::read);
  model->move_to(device);
  const Forecast foretold = forecast(*model, column.numbers, steps);
  tell_of(column, series, foretold.differenced);
  const std::string text = as_csv(foretold);
  if (args.out.empty()) {
    std::fputs(text.c_str(), stdout);
  } else {
    write_file_atomically(args.out, text);
    say("{} step{} written to {}\n", steps, steps == 1 ? "" : "s", printable(args.out, 512));
  }
  for (const auto& row : foretold.quantiles) {
    if (std::all_of(row.begin(), row.end(), [](double x) { return std::isfinite(x); })) continue;
    say("Not all of these numbers are finite: those of the series are too large, or the weights of "
        "the model are not finite themselves.\n");
    return kNotFinite;
  }
  return 0;
}

}  // namespace

CliCommand forecast_command(CLI::App& app) {
  const auto args = std::make_shared<ForecastArguments>();
  CLI::App& command = *app.add_subcommand(
      "forecast",
      "Foretell a series of numbers, with a model like TiRex or TiRex-2: quantiles of what comes next, as "
      "CSV. Exit code 3: they are written, but not all are finite");
  command.add_option("model", args->model, "Model folder")->required()->check(not_empty());
  command
      .add_option(
          "csv", args->csv,
          "CSV file with the series, oldest number first; - reads the standard input. Fields "
          "stand between commas, semicolons or tabs; decimals have a point, between "
          "semicolons also a comma; an empty field, NA or NaN is a missing number")
      ->required()
      ->check(not_empty());
  command
      .add_option("--column", args->column,
                  "Which column: its name in the first line, or its number from 1")
      ->check(not_empty());
  command
      .add_option(
          "--steps", args->steps,
          "How many numbers to foretell (default: one patch; xlstm check says how many a model "
          "foretells at most)")
      ->check(whole_number(1, 1 << 20));
  command.add_option("--out", args->out, "CSV file to write, instead of the standard output")
      ->check(not_empty());
  args->computing.add_threads(command, "one per core");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return run_forecast(*args); }};
}

}  // namespace xlab::app
