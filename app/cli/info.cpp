// xlstm info and signature: what files hold.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.hpp"
#include "core/bench_file.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/safetensors.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

int signature(const RunPlace& place) {
  const std::unique_ptr<Run> run = open_run(place);
  fmt::print("{:016x}\n", run->model->params().signature());
  return 0;
}

void print_blocks(const std::vector<BlockCard>& blocks) {
  for (const BlockCard& block : blocks)
    fmt::print("          {}: {} heads of {} x {}, {} parameters\n", block.prefix, block.heads,
               block.key_dim, block.value_dim, block.parameters);
}

/// Looks at the headers alone.
int folder_info(const std::filesystem::path& path) {
  const ModelFolder folder(path);
  tell(folder.remark());
  const ModelSpec& spec = folder.spec();
  fmt::print("{}: a model folder\n", printable(path.string(), 512));
  fmt::print("model     {} family, {:.0f} parameters, {} blocks, width {}, {}\n",
             model_family(spec), parameter_count(spec), spec.num_blocks, spec.embedding_dim,
             spec.series ? fmt::format("patches of {} numbers", spec.series->patch)
                         : fmt::format("vocabulary {}", spec.vocab_size));
  print_blocks(Model::cards_of(spec));
  fmt::print("weights   {} {} in {} file{}, {:.3f} GB; {}\n", folder.tensors().entries().size(),
             name_of(folder.main_type()), folder.tensors().files().size(),
             folder.tensors().files().size() == 1 ? "" : "s",
             static_cast<double>(folder.tensors().bytes()) / 1e9,
             folder.trainable() ? "can be trained here"
             : spec.series      ? "foretells series; xlstm forecast reads it"
                                : "too large to be trained here");
  return 0;
}

/// What all is in a file that holds no run.
int tensors_info(const SafetensorsFile& file) {
  std::int64_t elements = 0;
  for (const StoredTensor& tensor : file.tensors()) elements += tensor.elements();
  fmt::print("{}: {} tensors, {} numbers\n", file.name(), file.tensors().size(), elements);
  for (const StoredTensor& tensor : file.tensors())
    fmt::print("  {:<8} ({})  {}\n", name_of(tensor.type), fmt::join(tensor.shape, ", "),
               printable(tensor.name));
  return 0;
}

/// One line a run.
int bench_info(const SafetensorsFile& file) {
  const std::vector<std::string> names = names_of_runs(file);
  const OpenedBench bench = load_bench(file);
  fmt::print("{}: a bench of {} run{} of xLSTM Lab\n", printable(file.name(), 512), names.size(),
             names.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Run& run = *bench.runs[i].run;
    const auto card = model_card(run);
    fmt::print("{:>4}  {}: {}, {} parameters, {}, {} steps{}{}\n", i + 1, printable(names[i], 80),
               card->name, card->parameters, printable(run.task->title(), 80),
               run.trainer->steps_done(),
               run.losses.empty() ? "" : ", loss " + loss_text(run.losses.back()),
               static_cast<int>(i) == bench.focus ? "; on screen" : "");
  }
  fmt::print("More of one with --run NAME or --run NUMBER.\n");
  return 0;
}

int info(const RunPlace& place) {
  if (const auto folder = model_folder_of(place.path); folder && place.name.empty())
    return folder_info(*folder);
  const SafetensorsFile file = read_safetensors(place.path);
  if (!file.metadata().contains("xlab") && place.name.empty()) return tensors_info(file);
  if (place.name.empty() && holds_bench(file.metadata(), file.name())) return bench_info(file);
  const std::unique_ptr<Run> run = load_named_run(file, place.name);
  const auto card = model_card(*run);
  const auto data = data_card(*run);
  fmt::print("{}: a run of xLSTM Lab{}\n", printable(place.path, 512),
             run->name.empty() ? "" : fmt::format(", '{}'", printable(run->name, 80)));
  fmt::print("model     {}, {} parameters, width {}, vocabulary {}\n", card->name, card->parameters,
             card->embedding_dim, card->vocabulary.size());
  print_blocks(card->blocks);
  fmt::print("data      {}{}\n", printable(data->title),
             data->length > 0 ? fmt::format(", {} {}", data->length, data->unit) : "");
  if (const auto tokenizer = run->task->tokenizer())
    fmt::print("tokens    {}\n", tokenizer->title());
  fmt::print("training  {} steps of {} x {} tokens, {:.1f} s, seed {}", run->trainer->steps_done(),
             run->trainer->spec().batch_size, run->trainer->spec().sequence_length, run->seconds,
             run->trainer->spec().seed);
  if (!run->losses.empty()) fmt::print(", loss {}", loss_text(run->losses.back()));
  fmt::print("\nweights   {:016x}\n", run->model->params().signature());
  return 0;
}

/// A command that looks into one place.
CliCommand looking(CLI::App& app, const char* name, const char* words, const char* place,
                   const char* place_words, int (*look)(const RunPlace&)) {
  const auto asked = std::make_shared<RunPlace>();
  CLI::App& command = *app.add_subcommand(name, words);
  asked->add(command, place, place_words);
  return {&command, [asked, look] { return look(*asked); }};
}

}  // namespace

CliCommand signature_command(CLI::App& app) {
  return looking(app, "signature", "Print the hash of a run's weights", "file",
                 "Run (*.xlab) or model folder", signature);
}

CliCommand info_command(CLI::App& app) {
  return looking(app, "info",
                 "Say what a run, several runs, a model folder or a safetensors file hold", "file",
                 "File or folder to look into", info);
}

}  // namespace xlab::app
