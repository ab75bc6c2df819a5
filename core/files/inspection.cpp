// Looking at a place: the readers themselves are asked, and what they refuse with is kept.
#include "core/files/inspection.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <utility>

#include "core/bench_file.hpp"
#include "core/files/disk.hpp"
#include "core/files/file_kind.hpp"
#include "core/files/folder_run.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/json_text.hpp"
#include "core/files/openable.hpp"
#include "core/files/safetensors.hpp"
#include "core/generation/generation.hpp"
#include "core/tasks/task.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostOddKeys = 20;
constexpr std::size_t kMostTold = 200;  // of a folder; what is read of it is listed always

/// Counts tensors by their types, the most numbers first.
template <typename Tensors>
std::vector<InspectedWeights> by_type(const Tensors& tensors, std::string_view prefix = {}) {
  std::map<StoredType, InspectedWeights> types;
  for (const auto& tensor : tensors) {
    if (!std::string_view(tensor.name).starts_with(prefix)) continue;
    InspectedWeights& of = types[tensor.type];
    std::int64_t numbers = 1;
    for (const std::int64_t extent : tensor.shape) numbers *= extent;
    ++of.tensors;
    of.numbers += numbers;
    of.bytes += numbers * static_cast<std::int64_t>(size_of(tensor.type));
  }
  std::vector<InspectedWeights> list;
  for (auto& [type, of] : types) {
    of.type = name_of(type);
    list.push_back(std::move(of));
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.numbers > b.numbers; });
  return list;
}

InspectedModel model_of(const ModelSpec& spec, std::vector<BlockCard> blocks) {
  InspectedModel model;
  model.title = title_of(spec);
  model.family = model_family(spec);
  if (spec.series)
    model.series = {spec.series->patch, spec.series->context, spec.series->most_steps(),
                    spec.series->quantiles};
  model.width = spec.embedding_dim;
  model.vocabulary = spec.vocab_size;
  model.context_length = spec.context_length;
  model.tied = spec.tie_weights;
  model.parameters = std::llround(parameter_count(spec));
  model.blocks = std::move(blocks);
  for (const BlockCard& block : model.blocks)
    model.state_bytes += block.state_numbers() * static_cast<std::int64_t>(sizeof(float));
  return model;
}

/// Adds what the tokens of a model are. `sources` says who names a token as an end of texts beside
/// its tokenizer.
void add_tokens(InspectedModel& model, const Task& task, const ModelSpec& spec,
                const std::string& tokenizer_file, const std::string& source) {
  const auto tokenizer = task.tokenizer();
  const auto known = static_cast<int>(task.vocabulary().size());
  model.padded_rows = std::max(0, spec.vocab_size - known);
  if (!tokenizer) return;
  model.tokenizer =
      InspectedTokenizer{tokenizer->kind(), tokenizer->title(), tokenizer->vocab_size(),
                         std::max(0, tokenizer->vocab_size() - spec.vocab_size)};
  for (const int token : writable_tokens(task, spec).ends) {
    InspectedEnd end{.token = token, .text = {}, .from = {}};
    if (token < tokenizer->vocab_size()) end.text = printable(tokenizer->bytes(token), 40);
    if (tokenizer->special_tokens().eos == token) end.from.push_back(tokenizer_file);
    if (spec.large && std::ranges::count(spec.large->eos_token_ids, token) > 0)
      end.from.push_back(source);
    model.ends.push_back(std::move(end));
  }
}

/// Ends of texts that a configuration names and nobody follows.
void note_other_ends(const ModelSpec& spec, const Task& task, std::vector<std::string>& odd) {
  const auto tokenizer = task.tokenizer();
  if (!spec.large || !tokenizer) return;
  const WritableTokens tokens = writable_tokens(task, spec);
  for (const int end : spec.large->eos_token_ids) {
    if (tokens.ends_text(end)) continue;
    odd.push_back(
        end < tokenizer->vocab_size()
            ? fmt::format("{} {} ends no text: to the tokenizer it is '{}', a token like "
                          "others.",
                          kEnds, end, printable(tokenizer->bytes(end), 40))
            : fmt::format("{} {} ends no text: the tokenizer has no such token.", kEnds, end));
  }
}

void note_tokens(const InspectedModel& model, std::vector<std::string>& odd) {
  if (!model.tokenizer_problem.empty()) odd.push_back(model.tokenizer_problem);
  if (!model.tokenizer) return;
  if (std::string padded = padding_remark(model.padded_rows, model.vocabulary); !padded.empty())
    odd.push_back(std::move(padded));
  if (const int beyond = model.tokenizer->beyond_model; beyond > 0)
    odd.push_back(
        fmt::format("The tokenizer has {} more tokens than the model: is it another "
                    "model's?",
                    beyond));
}

void note_reading(const WhatWasRead& reading, std::vector<std::string>& odd) {
  odd.insert(odd.end(), reading.remarks.begin(), reading.remarks.end());
  odd.insert(odd.end(), reading.names.begin(), reading.names.end());
  std::size_t named = 0;
  for (const ReadKey& key : reading.keys) {
    if (key.use == KeyUse::replaced)
      odd.push_back(fmt::format("{} was replaced: {}.", text_of(key), key.note));
    if (key.use == KeyUse::not_used && ++named <= kMostOddKeys)
      odd.push_back(fmt::format("Not used: {}.", text_of(key)));
  }
  if (named > kMostOddKeys)
    odd.push_back(fmt::format("{} more keys are not used.", named - kMostOddKeys));
  for (const std::string& name : reading.left)
    if (name.ends_with(".safetensors")) odd.push_back(fmt::format("'{}' was not read.", name));
}

// ---- folders ------------------------------------------------------------------------------------

void list_files(const fs::path& folder, const WhatWasRead* reading, Inspection& found) {
  for (const std::string& name : files_of_folder(folder)) {
    std::error_code error;
    const auto bytes = static_cast<std::int64_t>(fs::file_size(folder / name, error));
    InspectedFile file{.name = printable(name), .bytes = error ? 0 : bytes};
    file.read = reading && std::ranges::count(reading->files, file.name) > 0;
    if (file.read) found.bytes += file.bytes;
    if (file.read || found.files.size() < kMostTold) found.files.push_back(std::move(file));
  }
}

/// Who names the ends of texts: the configuration, or the file for generation beside it.
std::string source_of_ends(const WhatWasRead& reading) {
  for (const ReadKey& key : reading.keys)
    if (key.key == kEnds && key.use != KeyUse::not_used)
      return key.use == KeyUse::assumed ? "assumed" : key.file.empty() ? reading.config : key.file;
  return reading.config;
}

void add_tokenizer(const fs::path& folder, const ModelSpec& spec, const WhatWasRead& reading,
                   InspectedModel& model, std::vector<std::string>& odd) {
  std::shared_ptr<const Tokenizer> tokenizer;
  try {
    tokenizer = tokenizer_from_folder(folder);
  } catch (const Error& e) {
    model.tokenizer_problem =
        fmt::format("{} The model's tokens are plain numbers here.", e.what());
  }
  const auto task = make_tokens_task(spec.vocab_size, std::move(tokenizer));
  add_tokens(model, *task, spec, "tokenizer_config.json", source_of_ends(reading));
  note_tokens(model, odd);
  if (source_of_ends(reading) != "assumed") note_other_ends(spec, *task, odd);
}

/// What can be said of a folder that does not open.
void describe_refused(const fs::path& path, Inspection& found) {
  WhatWasRead reading;
  try {
    const ModelSpec spec = spec_from_config_of(path, reading);
    check_sizes(spec);
    found.models.push_back(model_of(spec, Model::cards_of(spec)));
    add_tokenizer(path, spec, reading, found.models.back(), found.odd);
  } catch (const Error&) {
    found.models.clear();
    found.odd.clear();
  }
  try {
    const FolderTensors tensors(path);
    if (!found.models.empty()) found.models.back().weights = by_type(tensors.entries());
    reading.names = tensors.renamings();
    reading.remarks.insert(reading.remarks.end(), tensors.choices().begin(),
                           tensors.choices().end());
    reading.files = tensors.files();
  } catch (const Error&) {
    reading.files.clear();
  }
  if (!reading.config.empty()) reading.files.push_back(reading.config);
  reading.folder = shown_path(path);
  note_reading(reading, found.odd);
  list_files(path, &reading, found);
  if (!reading.keys.empty())
    found.reading = std::make_shared<const WhatWasRead>(std::move(reading));
}

void inspect_folder(const fs::path& path, Inspection& found) {
  found.kind = holds_model_files(path) ? PlaceKind::model_folder : PlaceKind::folder;
  try {
    const ModelFolder folder(path);
    InspectedModel model = model_of(folder.spec(), Model::cards_of(folder.spec()));
    model.weights = by_type(folder.tensors().entries());
    model.cannot_train = folder.why_not_trainable();
    if (folder.spec().large) {
      const auto bytes = [&](FolderUse use) {
        return static_cast<std::int64_t>(folder.bytes_in_memory(use));
      };
      model.memory = {bytes(FolderUse::read), bytes(FolderUse::read_8bit),
                      bytes(FolderUse::read_4bit)};
    }
    note_reading(folder.was_read(), found.odd);
    if (!folder.spec().series)
      add_tokenizer(path, folder.spec(), folder.was_read(), model, found.odd);
    list_files(path, &folder.was_read(), found);
    found.reading = std::make_shared<const WhatWasRead>(folder.was_read());
    found.models.push_back(std::move(model));
    try {
      folder.check_room(folder.trainable() ? FolderUse::train : FolderUse::read);
    } catch (const Error& e) {
      found.why = e.what();
    }
  } catch (const Error& e) {
    found.why = e.what();
    found.odd.clear();
    describe_refused(path, found);
  }
}

// ---- files --------------------------------------------------------------------------------------

InspectedModel run_of(const Run& run, const SafetensorsFile& file, const std::string& prefix) {
  const ModelSpec& spec = run.model->spec();
  InspectedModel model = model_of(spec, run.model->cards());
  model.run = printable(run.name.empty() ? run.task->title() : run.name, 200);
  model.weights = by_type(file.tensors(), prefix + "p/");
  add_tokens(model, *run.task, spec, "tokenizer", "specification");
  model.cannot_train = why_not_trained(run);
  model.data = printable(run.task->title(), 200);
  model.steps = run.trainer->steps_done();
  return model;
}

/// What the description of a run that does not open says of its model.
void describe_refused_run(const std::string& description, Inspection& found) {
  try {
    const nlohmann::json meta = parse_json(description, "The description of a run");
    const ModelSpec spec = model_spec_from_json(json_text(meta.at("model")));
    check_sizes(spec);
    found.models.push_back(model_of(spec, Model::cards_of(spec)));
  } catch (const std::exception&) {
    // Nothing of it can be said.
  }
}

void inspect_runs(const fs::path& path, const Metadata& metadata, Inspection& found) {
  found.kind = PlaceKind::run;
  try {
    const bool bench = holds_bench(metadata, path.string());
    if (bench) found.kind = PlaceKind::bench;
    const SafetensorsFile file = read_safetensors(path);
    if (bench) {
      const OpenedBench opened = load_bench(file);
      for (std::size_t i = 0; i < opened.runs.size(); ++i)
        found.models.push_back(run_of(*opened.runs[i].run, file, fmt::format("run{}/", i + 1)));
    } else {
      found.models.push_back(run_of(*load_run(file), file, ""));
    }
    for (const InspectedModel& model : found.models) note_tokens(model, found.odd);
  } catch (const Error& e) {
    found.why = e.what();
    found.models.clear();
    for (const auto& [key, text] : metadata)
      if (key == "xlab" || key.ends_with("/xlab")) describe_refused_run(text, found);
  }
}

void inspect_tensors(const fs::path& path, const SafetensorsHeader& header, Inspection& found) {
  found.kind = PlaceKind::tensors;
  found.tensors = by_type(header.tensors);
  try {
    (void)look_at_run(path);
  } catch (const Error& e) {
    found.why = e.what();
  }
  const fs::path folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  WhatWasRead reading;
  try {
    check_sizes(spec_from_config_of(folder, reading));
    found.odd.push_back(
        fmt::format("It lies in the model folder '{}': open that.", shown_path(folder)));
  } catch (const Error&) {
    // It stands alone.
  }
}

void inspect_text(const fs::path& path, Inspection& found) {
  look_at_text(path);
  const std::string text = read_text_file(path, kMostTextBytes);
  InspectedText& facts = found.text.emplace();
  facts.utf8 = !find_invalid_utf8(text).has_value();
  if (facts.utf8)
    facts.characters = std::ranges::count_if(without_byte_order_mark(text), [](char byte) {
      return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
    });
  if (!facts.utf8) found.odd.push_back("It is no UTF-8: it is read as bytes.");
}

void inspect_file(const fs::path& path, Inspection& found) {
  try {
    const InputFile file(path);
    found.kind = PlaceKind::foreign;
    found.bytes = static_cast<std::int64_t>(file.size());
    std::string head(4096, '\0');
    head.resize(file.read_at(0, std::as_writable_bytes(std::span(head))));
    std::string no_tensors;
    try {
      const HeaderOfFile opened = read_safetensors_header(file, path.string());
      if (opened.header.metadata.contains("xlab")) {
        inspect_runs(path, opened.header.metadata, found);
      } else {
        inspect_tensors(path, opened.header, found);
      }
      return;
    } catch (const Error& e) {
      no_tensors = e.what();
    }
    const auto seems = recognise_foreign_file(head);
    const bool reads_as_text = seems && seems->is_text;
    found.why = no_tensors;
    if (seems && !reads_as_text) return;
    try {
      if (reads_as_text) found.kind = PlaceKind::text;
      inspect_text(path, found);
      found.kind = PlaceKind::text;
      found.why.clear();
    } catch (const Error& e) {
      if (reads_as_text) found.why = e.what();
    }
  } catch (const Error& e) {
    found.why = e.what();
  }
}

}  // namespace

const char* name_of(PlaceKind kind) {
  constexpr std::array<const char*, 8> kNames = {"model_folder", "folder", "run",     "bench",
                                                 "tensors",      "text",   "foreign", "missing"};
  return kNames.at(static_cast<std::size_t>(kind));
}

Inspection inspect(const fs::path& path) {
  Inspection found;
  found.path = shown_path(path);
  if (const auto folder = model_folder_of(path)) {
    inspect_folder(*folder, found);
  } else {
    inspect_file(path, found);
  }
  return found;
}

}  // namespace xlab
