// The command line: the list of its commands, and how their failures are told. Links neither Qt nor
// Dear ImGui.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/cli/command.hpp"
#include "core/utf8.hpp"
#include "kernels/config.hpp"

namespace xlab::app {
namespace {

constexpr int kWrongArguments = 2;

/// What is missing: a command, or something that the command named needs.
std::string what_is_missing(const CLI::App& app, const CLI::RequiredError& error,
                            const std::string& word) {
  if (!app.get_subcommands().empty()) return error.what();
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return fmt::format("{}; the commands are {}",
                     word.empty() || word.starts_with('-')
                         ? "A command is missing"
                         : fmt::format("'{}' is no command", printable(word, 60)),
                     fmt::join(names, ", "));
}

int wrong_arguments(std::string what, const std::string& command = {}) {
  if (!what.ends_with('.')) what += '.';
  say("xlstm: {} Try 'xlstm {}{}--help'.\n", what, command, command.empty() ? "" : " ");
  return kWrongArguments;
}

/// Runs a command; its exit code, or that of its failure, which was told.
int run_and_tell(const CliCommand& command) {
  try {
    const int code = command.run();
    check(std::fflush(stdout) == 0 && std::ferror(stdout) == 0,
          "Writing the text failed: is the disk full?");
    return code;
  } catch (const UsageError& e) {
    return wrong_arguments(e.what(), command.asked->get_name());
  } catch (const std::bad_alloc&) {
    say("xlstm: There is not enough memory. Use a smaller model, smaller batches or shorter "
        "sequences.\n");
  } catch (const std::exception& e) {
    say("xlstm: {}\n", e.what());
  }
  return 1;
}

int run_command_line(int argc, char** argv) {
  CLI::App app{
      "xLSTM Lab on the command line: train a small xLSTM, let it write, check it, look into "
      "files."};
  app.name("xlstm");
  app.require_subcommand(1);
  app.set_version_flag("--version", kVersion);
  const std::vector<CliCommand> commands = {
      train_command(app), generate_command(app), selfcheck_command(app), logits_command(app),
      trace_command(app), export_command(app),   signature_command(app), info_command(app),
      check_command(app), forecast_command(app), findings_command(app)};

  // A file that may not grow any more is answered in words, not by an end without any.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);  // help and version
  } catch (const CLI::RequiredError& e) {
    return wrong_arguments(what_is_missing(app, e, argc > 1 ? argv[1] : ""));
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extra = app.remaining(true);
    return wrong_arguments(fmt::format(
        "{} not expected: {}", extra.size() == 1 ? "This argument was" : "These arguments were",
        printable(fmt::format("{}", fmt::join(extra, " ")), 200)));
  } catch (const CLI::ParseError& e) {
    return wrong_arguments(e.what());
  }
  for (const CliCommand& command : commands)
    if (*command.asked) return run_and_tell(command);
  return kWrongArguments;
}

}  // namespace
}  // namespace xlab::app

int main(int argc, char** argv) try {
  return xlab::app::run_command_line(argc, argv);
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
