// xlstm export: writes a model as a folder that other programs read.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "app/cli/command.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

struct ExportArguments {
  RunPlace run;
  std::string folder;
  bool bf16 = false, force = false;
};

int export_folder(const ExportArguments& args) {
  const auto from = model_folder_of(args.run.path);
  if (same_file(from ? from->string() : args.run.path, args.folder))
    throw UsageError("The folder to write must be another one than the one that is read.");
  if (args.folder.empty()) throw UsageError("The folder to write needs a name.");
  check_folder_place(args.folder, args.force);
  const std::unique_ptr<Run> run = open_run(args.run);
  tell(export_run(*run, args.folder, {.halves = args.bf16}));
  if (const auto own = keys_of_our_own(run->model->spec()); !own.empty())
    say("Other programs do not know this model's {}: they will compute other numbers or "
        "refuse it.\n",
        fmt::join(own, ", "));
  say("{} parameters written to {}\n", model_card(*run)->parameters, printable(args.folder, 512));
  return 0;
}

}  // namespace

CliCommand export_command(CLI::App& app) {
  const auto args = std::make_shared<ExportArguments>();
  CLI::App& command = *app.add_subcommand(
      "export", "Write a model as a folder that the authors' programs and Hugging Face read");
  args->run.add(command, "file", "Run (*.xlab) or model folder");
  command.add_option("folder", args->folder, "Folder to write")->required();
  command.add_flag("--bf16", args->bf16, "Round the weights to bf16 (large family)");
  command.add_flag("--force", args->force, "Replace a model that the folder holds already");
  return {&command, [args] { return export_folder(*args); }};
}

}  // namespace xlab::app
