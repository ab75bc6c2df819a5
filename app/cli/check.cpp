// xlstm check: everything that can be said of a place without running what it holds. The facts are
// those of core/files/inspection.hpp; here they are written, for people and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.hpp"
#include "core/bytes_text.hpp"
#include "core/files/inspection.hpp"
#include "core/files/json_text.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

using nlohmann::json;

/// Of assets/schema/check.schema.json, which says what each member means.
constexpr int kSchemaVersion = 1;

// ---- JSON ---------------------------------------------------------------------------------------

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(mended_utf8(text));
}

json list_of(const std::vector<std::string>& texts) {
  json list = json::array();
  for (const std::string& text : texts) list.push_back(mended_utf8(text));
  return list;
}

json json_of(const std::vector<InspectedWeights>& weights) {
  json list = json::array();
  for (const InspectedWeights& one : weights)
    list.push_back({{"type", one.type},
                    {"tensors", one.tensors},
                    {"numbers", one.numbers},
                    {"bytes", one.bytes}});
  return list;
}

json json_of(const InspectedModel& model, bool opens) {
  json blocks = json::array(), ends = json::array(), tokenizer = nullptr;
  for (const BlockCard& block : model.blocks)
    blocks.push_back({{"cell", block.title},
                      {"heads", block.heads},
                      {"key_dim", block.key_dim},
                      {"value_dim", block.value_dim},
                      {"parameters", block.parameters},
                      {"state_bytes", block.state_numbers() * sizeof(float)}});
  for (const InspectedEnd& end : model.ends)
    ends.push_back(
        {{"token", end.token}, {"text", mended_utf8(end.text)}, {"from", list_of(end.from)}});
  if (model.tokenizer)
    tokenizer = {{"kind", model.tokenizer->kind},
                 {"title", mended_utf8(model.tokenizer->title)},
                 {"tokens", model.tokenizer->tokens},
                 {"beyond_model", model.tokenizer->beyond_model}};
  const bool trainable = opens && model.cannot_train.empty();
  json memory = nullptr;
  if (model.memory)
    memory = {{"as_stored", model.memory->as_stored},
              {"in_8_bits", model.memory->in_8_bits},
              {"in_4_bits", model.memory->in_4_bits}};
  json series = nullptr;
  if (model.series)
    series = {{"patch", model.series->patch},
              {"context", model.series->context},
              {"future", model.series->future},
              {"quantiles", model.series->quantiles}};
  return {{"run", text_or_null(model.run)},
          {"title", model.title},
          {"family", model.family},
          {"blocks", std::move(blocks)},
          {"width", model.width},
          {"vocabulary", model.vocabulary},
          {"context_length", model.context_length},
          {"tied", model.tied},
          {"parameters", model.parameters},
          {"state_bytes", model.state_bytes},
          {"weights", json_of(model.weights)},
          {"memory", std::move(memory)},
          {"series", std::move(series)},
          {"tokenizer", std::move(tokenizer)},
          {"tokenizer_problem", text_or_null(model.tokenizer_problem)},
          {"padded_rows", model.padded_rows},
          {"ends", std::move(ends)},
          {"trainable", trainable},
          {"why_not_trainable", text_or_null(model.cannot_train)},
          {"data", text_or_null(model.data)},
          {"steps", model.steps}};
}

json json_of(const WhatWasRead& reading) {
  json keys = json::array(), texts = json::array();
  for (const ReadKey& key : reading.keys) {
    std::string use = name_of(key.use);
    std::replace(use.begin(), use.end(), ' ', '_');
    keys.push_back({{"key", mended_utf8(key.key)},
                    {"value", mended_utf8(key.value)},
                    {"use", use},
                    {"file", text_or_null(key.file)},
                    {"note", text_or_null(key.note)}});
  }
  for (const ShownText& text : reading.texts)
    texts.push_back({{"file", mended_utf8(text.file)},
                     {"what", text.what},
                     {"bytes", text.bytes},
                     {"text", text.text}});
  return {{"config", text_or_null(reading.config)},
          {"keys", std::move(keys)},
          {"names", list_of(reading.names)},
          {"remarks", list_of(reading.remarks)},
          {"texts", std::move(texts)}};
}

json json_of(const Inspection& found) {
  const bool opens = found.why.empty();
  json files = json::array(), models = json::array(), text = nullptr, reading = nullptr;
  for (const InspectedFile& file : found.files)
    files.push_back({{"name", mended_utf8(file.name)}, {"bytes", file.bytes}, {"read", file.read}});
  for (const InspectedModel& model : found.models) models.push_back(json_of(model, opens));
  if (found.text)
    text = {{"encoding", found.text->utf8 ? "UTF-8" : "bytes"},
            {"characters", found.text->utf8 ? json(found.text->characters) : json(nullptr)}};
  if (found.reading) reading = json_of(*found.reading);
  return {{"schema_version", kSchemaVersion},  {"path", mended_utf8(found.path)},
          {"kind", name_of(found.kind)},       {"opens", opens},
          {"why", text_or_null(found.why)},    {"bytes", found.bytes},
          {"files", std::move(files)},         {"models", std::move(models)},
          {"tensors", json_of(found.tensors)}, {"text", std::move(text)},
          {"reading", std::move(reading)},     {"odd", list_of(found.odd)}};
}

// ---- for people ---------------------------------------------------------------------------------

const char* words_of(PlaceKind kind) {
  switch (kind) {
    case PlaceKind::model_folder:
      return "a model folder";
    case PlaceKind::folder:
      return "a folder without a model";
    case PlaceKind::run:
      return "a run of xLSTM Lab";
    case PlaceKind::bench:
      return "a bench of xLSTM Lab";
    case PlaceKind::tensors:
      return "a file of tensors";
    case PlaceKind::text:
      return "a text to learn";
    case PlaceKind::foreign:
      return "a file of another kind";
    case PlaceKind::missing:
      break;
  }
  return "nothing that can be read";
}

/// "1234567" as "1,234,567".
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

/// "1,234 bytes"
std::string exact_size(std::int64_t bytes) {
  return fmt::format("{} byte{}", grouped(bytes), bytes == 1 ? "" : "s");
}

/// One line, or several under one name.
void line(const char* name, const std::string& text) {
  fmt::print("{:<10}{}\n", name, text);
}
void lines(const char* name, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) line(&text == &texts.front() ? name : "", text);
}

std::string words_of(const BlockCard& block) {
  return block.has_matrix ? fmt::format("{}, {} head{} of {} x {}", block.title, block.heads,
                                        block.heads == 1 ? "" : "s", block.key_dim, block.value_dim)
                          : fmt::format("{}, {} head{} of {} units", block.title, block.heads,
                                        block.heads == 1 ? "" : "s", block.value_dim);
}

/// Neighbours that are alike share a line.
std::vector<std::string> lines_of(const std::vector<BlockCard>& blocks) {
  std::vector<std::string> all;
  for (std::size_t begin = 0, end = 0; begin < blocks.size(); begin = end) {
    const auto same = [&](const BlockCard& block) {
      return words_of(block) == words_of(blocks[begin]) &&
             block.parameters == blocks[begin].parameters;
    };
    for (end = begin + 1; end < blocks.size() && same(blocks[end]);) ++end;
    const std::string numbers =
        end == begin + 1 ? std::to_string(begin) : fmt::format("{} to {}", begin, end - 1);
    all.push_back(fmt::format("{}: {}, {} parameters{}", numbers, words_of(blocks[begin]),
                              grouped(blocks[begin].parameters), end == begin + 1 ? "" : " each"));
  }
  return all;
}

std::string line_of(const std::vector<InspectedWeights>& weights) {
  std::vector<std::string> parts;
  parts.reserve(weights.size());
  for (const InspectedWeights& one : weights)
    parts.push_back(fmt::format("{} {} in {} tensor{}", grouped(one.numbers), one.type, one.tensors,
                                one.tensors == 1 ? "" : "s"));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void print_model(const InspectedModel& model, bool opens) {
  if (!model.run.empty()) line("run", model.run);
  line("model", fmt::format("{}, {} family, {} parameters", model.title, model.family,
                            grouped(model.parameters)));
  if (model.series) {
    line("sizes", fmt::format("width {}, patches of {} numbers", model.width, model.series->patch));
    line("series", fmt::format("looks back on {} numbers and foretells {}, with quantiles {}",
                               grouped(model.series->context), grouped(model.series->future),
                               fmt::join(model.series->quantiles, ", ")));
  } else {
    line("sizes", fmt::format("width {}, vocabulary {}{}{}", model.width, model.vocabulary,
                              model.tied ? " with a tied head" : "",
                              model.context_length > 0
                                  ? fmt::format(", made for {} tokens", model.context_length)
                                  : ""));
  }
  lines("blocks", lines_of(model.blocks));
  line("state", grouped(model.state_bytes) + " bytes a sequence, however long");
  if (!model.weights.empty()) line("weights", line_of(model.weights));
  if (model.memory)
    line("memory", fmt::format("only read, they take {}; with --weights 8bit {}, 4bit {}",
                               bytes_text(static_cast<double>(model.memory->as_stored)),
                               bytes_text(static_cast<double>(model.memory->in_8_bits)),
                               bytes_text(static_cast<double>(model.memory->in_4_bits))));
  if (!model.data.empty())
    line("data", fmt::format("{}, {} step{}", model.data, grouped(model.steps),
                             model.steps == 1 ? "" : "s"));
  if (!model.series)
    line("tokens", !model.tokenizer        ? std::string("plain numbers")
                   : model.padded_rows > 0 ? fmt::format("{}; the vocabulary has {} more rows",
                                                         model.tokenizer->title, model.padded_rows)
                                           : model.tokenizer->title);
  std::vector<std::string> ends;
  for (const InspectedEnd& end : model.ends)
    ends.push_back(fmt::format("{} '{}' ({})", end.token, end.text, fmt::join(end.from, ", ")));
  lines("ends", ends);
  if (opens && model.series)
    line("opens", "with a series: xlstm forecast, or Open model folder in the window");
  if (opens)
    line("training", model.cannot_train.empty() ? "can be trained here" : model.cannot_train);
}

void print_files(const Inspection& found) {
  std::vector<std::string> read, left;
  for (const InspectedFile& file : found.files) {
    (file.read ? read : left).push_back(fmt::format("{} ({})", file.name, exact_size(file.bytes)));
  }
  constexpr std::size_t kMostFiles = 12;
  for (auto* list : {&read, &left}) {
    const std::size_t more = list->size() > kMostFiles ? list->size() - kMostFiles : 0;
    list->resize(list->size() - more);
    if (more > 0) list->push_back(fmt::format("and {} more", more));
  }
  lines("read", read);
  lines("not read", left);
}

void print(const Inspection& found) {
  const bool opens = found.why.empty();
  fmt::print("{}: {}{}\n", found.path, words_of(found.kind),
             found.bytes > 0 ? ", " + exact_size(found.bytes) : "");
  for (const InspectedModel& model : found.models) print_model(model, opens);
  if (!found.tensors.empty()) line("tensors", line_of(found.tensors));
  if (found.text)
    line("text", found.text->utf8
                     ? fmt::format("{} characters in UTF-8", grouped(found.text->characters))
                     : std::string("no UTF-8"));
  print_files(found);
  if (found.reading) {
    std::vector<std::string> counts;
    for (const KeyUse use :
         {KeyUse::followed, KeyUse::replaced, KeyUse::assumed, KeyUse::ignored, KeyUse::not_used})
      if (const std::size_t count = found.reading->count(use); count > 0)
        counts.push_back(fmt::format("{} {}", count, name_of(use)));
    line("keys", fmt::format("{}", fmt::join(counts, ", ")));
    std::vector<std::string> texts;
    for (const ShownText& text : found.reading->texts)
      texts.push_back(fmt::format("{}: {} ({}); not followed, its beginning is in --json",
                                  text.what, text.file,
                                  exact_size(static_cast<std::int64_t>(text.bytes))));
    lines("texts", texts);
  }
  lines("odd", found.odd);
}

struct CheckArguments {
  std::string path;
  bool json = false;
};

int check_place(const CheckArguments& args) {
  const Inspection found = inspect(args.path);
  if (args.json) {
    fmt::print("{}\n", json_text(json_of(found), 2));
  } else {
    print(found);
  }
  if (found.why.empty()) return 0;
  std::fflush(stdout);
  // Refused as opening refuses it.
  throw Error(found.why);
}

}  // namespace

CliCommand check_command(CLI::App& app) {
  const auto args = std::make_shared<CheckArguments>();
  CLI::App& command = *app.add_subcommand(
      "check",
      "Say everything of a place that can be said without running what it holds, and whether it "
      "opens. Exit code 1: it does not, and why is said");
  command.add_option("place", args->path, "File or folder to look into")->required();
  command.add_flag("--json", args->json, "As one JSON object, by assets/schema/check.schema.json");
  return {&command, [args] { return check_place(*args); }};
}

}  // namespace xlab::app
