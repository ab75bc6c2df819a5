// What the commands of the command line have in common.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/places.hpp"
#include "core/files/folder_run.hpp"
#include "core/run.hpp"
#include "kernels/device/device.hpp"

namespace xlab::app {

/// A command: how it is asked for, and what it does then. `run` returns the exit code.
struct CliCommand {
  CLI::App* asked;
  std::function<int()> run;
};

// One file each.
CliCommand train_command(CLI::App& app);
CliCommand generate_command(CLI::App& app);
CliCommand selfcheck_command(CLI::App& app);
CliCommand logits_command(CLI::App& app);
CliCommand trace_command(CLI::App& app);
CliCommand export_command(CLI::App& app);
CliCommand signature_command(CLI::App& app);
CliCommand info_command(CLI::App& app);
CliCommand check_command(CLI::App& app);
CliCommand forecast_command(CLI::App& app);
CliCommand findings_command(CLI::App& app);

/// Exit code where nothing failed, but numbers are not finite: there is nothing to compare, or to
/// go on with.
inline constexpr int kNotFinite = 3;

/// True once the user has asked to stop. Signals set it from `stop_on_signals` on.
extern std::atomic<bool> interrupted;
void stop_on_signals();

/// Options that several commands share: where and with what is computed.
struct Computing {
  std::string device = "auto", precision = "exact";
  int threads = 0;  ///< 0: one per core

  void add_device(CLI::App& command);
  void add_precision(CLI::App& command);
  void add_threads(CLI::App& command, const std::string& usually);
  /// Sets threads and precision. Returns the device; one that is not there is a wrong argument.
  Device use() const;
};

/// Refuse a number in words, without the limits of its type.
CLI::Validator number_that(const std::string& wanted, bool (*fits)(double));
CLI::Validator whole_number(std::int64_t from, std::int64_t to);
/// Refuses an empty text, which may be a variable that a script forgot to set.
CLI::Validator not_empty();
/// JSON keeps whole numbers exactly up to here.
inline constexpr std::int64_t kLargestSeed = std::int64_t{1} << 53;

/// The folder, which must hold a model.
std::filesystem::path model_folder(const std::string& path);

/// Which run: a file or a folder and, of a file that holds several, the one meant.
struct RunPlace {
  std::string path, name;

  /// Adds the place, as `place`, and --run.
  void add(CLI::App& command, const std::string& place, const std::string& words);
  /// Adds --run alone.
  void add_name(CLI::App& command);
};
/// The option that says what a model folder's weights are held in.
struct WeightsHeld {
  std::string in;  ///< empty: as they are stored

  void add(CLI::App& command);
  /// What was asked for; `otherwise` where nothing was.
  std::optional<FolderUse> use(std::optional<FolderUse> otherwise) const;
};
/// The run in a file, or one around the model of a folder, read for `use`. To hold weights in fewer
/// bits is asked for of model folders only.
std::unique_ptr<Run> open_run(const RunPlace& place, std::optional<FolderUse> use = {});
/// Tells what a model folder says in vain; nothing for an empty remark.
void tell(const std::string& remark);
/// The numbers that --ids lists, with commas between them; "-" stands for those on the standard
/// input. Throws UsageError where one is missing or is no number.
std::vector<int> token_numbers(const std::vector<std::string>& lists);
/// Writes to the standard error stream. One that is full or closed stops nothing.
template <typename... Values>
void say(fmt::format_string<Values...> text, Values&&... values) {
  std::fputs(fmt::format(text, std::forward<Values>(values)...).c_str(), stderr);
}

/// The loss of the last step, and the mean that lags behind it.
std::string loss_text(const LossPoint& point);

}  // namespace xlab::app
