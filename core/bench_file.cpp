// The file of a bench.
#include "core/bench_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "core/files/json_text.hpp"
#include "core/run_data.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

using nlohmann::json;

std::string prefix_of(std::size_t index) {
  return fmt::format("run{}/", index + 1);
}

/// What a task says of itself in the description of its run.
json words_of_task(const StoredTask& task) {
  json words = json::object();
  task.describe(words);
  return words;
}
json words_of_task(const json& description) {
  json words = json::object();
  for (const char* key : {"task", "title", "tokenizer"})
    if (description.contains(key)) words[key] = description.at(key);
  return words;
}

bool same_data(const StoredTask& a, const StoredTask& b) {
  if (&a == &b) return true;
  if (a.name() != b.name() || words_of_task(a) != words_of_task(b)) return false;
  // A name is a hash: what is stored once has to be the same.
  return std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(), b.tensors().end(),
                    [](const StoredTensor& x, const StoredTensor& y) {
                      return x.name == y.name && std::ranges::equal(x.bytes, y.bytes);
                    });
}

/// One entry of the file's list of runs.
struct RunEntry {
  int colour = 0;
  bool shown = true;
  std::optional<std::size_t> data;  // index of the run whose data it shares
  int sequence = 0;                 // runs with the same number share one; 0: its own
};
struct Contents {
  std::vector<RunEntry> runs;
  int focus = 0;
};

/// A whole number from `low` to `high`.
int whole_number(const json& value, const char* what, int low, int high) {
  check(value.is_number_integer() && value.get<double>() >= low && value.get<double>() <= high,
        "its '{}' must be a whole number from {} to {}", what, low, high);
  return value.get<int>();
}

RunEntry entry_of(const json& in, std::size_t index) {
  RunEntry entry;
  entry.colour = whole_number(in.at("colour"), "colour", 0, RunCard::kColours - 1);
  entry.shown = in.at("shown").get<bool>();
  if (in.contains("sequence"))
    entry.sequence = whole_number(in.at("sequence"), "sequence", 1, static_cast<int>(index) + 1);
  if (!in.contains("data")) return entry;
  check(index > 0, "the first run cannot share the data of one before it");
  entry.data =
      static_cast<std::size_t>(whole_number(in.at("data"), "data", 1, static_cast<int>(index))) - 1;
  return entry;
}

/// Throws a sentence about the file.
template <typename Body>
auto reading(const std::string& file, const std::string& what, Body&& body) {
  try {
    return body();
  } catch (const json::exception& e) {
    // The library's words after its own "[json.exception...] ".
    const std::string_view why = e.what();
    throw Error(fmt::format("'{}': {} cannot be read: {}.", printable(file, 512), what,
                            printable(why.substr(why.find("] ") + 2), 200)));
  } catch (const Error& e) {
    std::string why = e.what();
    if (!why.ends_with('.')) why += '.';
    throw Error(fmt::format("'{}': {} cannot be read: {}", printable(file, 512), what, why));
  }
}

std::string nth_run(std::size_t index) {
  return fmt::format("run {} of the bench", index + 1);
}

/// The description of one of the runs.
json description_of(const Metadata& metadata, std::size_t index) {
  const auto found = metadata.find(prefix_of(index) + "xlab");
  check(found != metadata.end(), "its description is missing.");
  return parse_json(found->second, "Its description");
}

Contents contents_of(const Metadata& metadata, const std::string& file) {
  check(holds_bench(metadata, file), "'{}' holds no bench of runs.", printable(file, 512));
  return reading(file, "the list of its runs", [&] {
    const json in = parse_json(metadata.at("xlab"), "It");
    check(in.value("format", json()) == json(kBenchFormat),
          "it has format {}, but this version reads format {}",
          printable(in.value("format", json()).dump(), 20), kBenchFormat);
    const json& runs = in.at("runs");
    check(runs.is_array() && !runs.empty() && runs.size() <= kMostRuns, "it must name 1 to {} runs",
          kMostRuns);
    Contents contents;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      contents.runs.push_back(entry_of(runs[i], i));
      const std::size_t owner = contents.runs.back().data.value_or(i);
      check(owner == i || !contents.runs[owner].data,
            "run {} shares the data of run {}, which has none of its own", i + 1, owner + 1);
    }
    contents.focus = whole_number(in.at("focus"), "focus", 1, static_cast<int>(runs.size())) - 1;
    return contents;
  });
}

/// Reads runs of a bench, in ascending order of those that own data.
class BenchReader {
 public:
  explicit BenchReader(const SafetensorsFile& file)
      : file_(file),
        contents_(contents_of(file.metadata(), file.name())),
        data_(contents_.runs.size()) {}

  const Contents& contents() const { return contents_; }

  std::unique_ptr<Run> load(std::size_t index) {
    return reading(file_.name(), nth_run(index), [&] {
      const std::size_t owner = contents_.runs[index].data.value_or(index);
      const SafetensorsFile own = file_.under(prefix_of(index));
      check(own.metadata().contains("xlab"), "its description is missing");
      if (owner == index) {
        std::unique_ptr<Run> run = load_run(own);
        remember(index, *run);
        return run;
      }
      const json words = words_of_task(description_of(file_.metadata(), index));
      check(words == words_of_task(description_of(file_.metadata(), owner)),
            "it shares the data of run {}, but says something else about it", owner + 1);
      const SafetensorsFile theirs = file_.under(prefix_of(owner));
      // How many tokens there are beside those of a tokenizer is said by the model.
      const bool any_model = words.at("task") != "tokens";
      std::unique_ptr<Run> run =
          load_run(own, {.file = &theirs, .task = any_model ? data_[owner].task : nullptr});
      if (run->task == data_[owner].task) run->stored_task = data_[owner].stored;
      if (!data_[owner].task) remember(owner, *run);
      return run;
    });
  }

 private:
  struct Data {
    std::shared_ptr<const Task> task;
    std::shared_ptr<const StoredTask> stored;
  };
  void remember(std::size_t owner, Run& run) {
    if (!run.stored_task) run.stored_task = std::make_shared<const StoredTask>(run.task);
    data_[owner] = {run.task, run.stored_task};
  }

  const SafetensorsFile& file_;
  Contents contents_;
  std::vector<Data> data_;
};

/// A number from 1 to `most` that is the whole text.
std::optional<std::size_t> index_in(const std::string& text, std::size_t most) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > most)
    return {};
  return number;
}

std::string listed(const std::vector<std::string>& names) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < names.size(); ++i)
    words.push_back(names[i].empty() ? fmt::format("{} (cannot be read)", i + 1)
                                     : fmt::format("{} '{}'", i + 1, printable(names[i], 60)));
  return fmt::format("{}", fmt::join(words, ", "));
}

/// Index of the run that is meant.
std::size_t chosen(const std::vector<std::string>& names, const std::string& which,
                   const std::string& file) {
  if (which.empty() && names.size() == 1) return 0;
  check(!which.empty(), "'{}' holds {} runs: {}. Say with --run which one is meant.",
        printable(file, 512), names.size(), listed(names));
  if (const auto number = index_in(which, names.size())) return *number - 1;
  const auto found = std::find(names.begin(), names.end(), which);
  check(found != names.end(), "'{}' holds no run '{}', but these: {}.", printable(file, 512),
        printable(which, 60), listed(names));
  check(std::find(found + 1, names.end(), which) == names.end(),
        "'{}' holds several runs '{}' among these: {}. Say which one is meant by its number.",
        printable(file, 512), printable(which, 60), listed(names));
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

void save_bench(const BenchRecord& record, const std::filesystem::path& path) {
  check(!record.runs.empty() && record.runs.size() <= kMostRuns,
        "A file holds 1 to {} runs, not {}.", kMostRuns, record.runs.size());
  std::vector<StoredTensor> tensors;
  Metadata metadata = {{"format", "pt"}};
  json runs = json::array();
  std::vector<std::size_t> owners;       // of data
  std::map<int, std::size_t> sequences;  // number of the first run that has each
  const auto add = [&](std::size_t index, std::vector<StoredTensor> more) {
    for (StoredTensor& tensor : more) {
      tensor.name.insert(0, prefix_of(index));
      tensors.push_back(std::move(tensor));
    }
  };
  for (std::size_t i = 0; i < record.runs.size(); ++i) {
    const BenchRecord::Part& part = record.runs[i];
    RecordFile file = file_of(part.run);
    add(i, std::move(file.tensors));
    metadata[prefix_of(i) + "xlab"] = std::move(file.description);
    json entry = {{"colour", part.colour}, {"shown", part.shown}};
    if (part.sequence != 0)
      entry["sequence"] = sequences.try_emplace(part.sequence, i + 1).first->second;
    if (const StoredTask& task = *part.run.task; !task.tensors().empty()) {
      const auto owner = std::find_if(owners.begin(), owners.end(), [&](std::size_t other) {
        return same_data(*record.runs[other].run.task, task);
      });
      if (owner != owners.end()) {
        entry["data"] = *owner + 1;
      } else {
        owners.push_back(i);
        add(i, task.tensors());
      }
    }
    runs.push_back(std::move(entry));
  }
  metadata["xlab"] =
      json_text({{"format", kBenchFormat}, {"focus", record.focus + 1}, {"runs", std::move(runs)}});
  write_safetensors(path, std::move(tensors), metadata);
}

bool holds_bench(const Metadata& metadata, const std::string& name) {
  const auto found = metadata.find("xlab");
  if (found == metadata.end()) return false;
  const json in = parse_json(found->second, fmt::format("The run in '{}'", name));
  // Of every version: what is newer is refused as a bench.
  return in.is_object() && in.contains("runs");
}

void look_at_bench(const Metadata& metadata, const std::string& name) {
  const std::size_t count = contents_of(metadata, name).runs.size();
  for (std::size_t i = 0; i < count; ++i)
    reading(name, nth_run(i), [&] { (void)description_of(metadata, i).at("title"); });
}

OpenedBench load_bench(const SafetensorsFile& file) {
  BenchReader reader(file);
  const Contents& contents = reader.contents();
  for (const StoredTensor& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    const std::size_t slash = name.find('/');
    check(name.starts_with("run") && slash != name.npos &&
              index_in(std::string(name.substr(3, slash - 3)), contents.runs.size()),
          "'{}' is a bench of {} runs, but its tensor '{}' belongs to none of them.",
          printable(file.name(), 512), contents.runs.size(), printable(name));
  }
  OpenedBench opened;
  opened.focus = contents.focus;
  for (std::size_t i = 0; i < contents.runs.size(); ++i) {
    const RunEntry& entry = contents.runs[i];
    opened.runs.push_back({reader.load(i), entry.colour, entry.shown, entry.sequence});
  }
  return opened;
}

std::vector<std::string> names_of_runs(const SafetensorsFile& file) {
  std::vector<std::string> names;
  const std::size_t count = contents_of(file.metadata(), file.name()).runs.size();
  for (std::size_t i = 0; i < count; ++i) {
    try {
      names.push_back(reading(file.name(), nth_run(i), [&] {
        const json words = description_of(file.metadata(), i);
        const std::string name = words.value("name", std::string());
        return name.empty() ? words.at("title").get<std::string>() : name;
      }));
    } catch (const Error&) {
      // It says so itself when it is asked for; the others can be read.
      names.emplace_back();
    }
  }
  return names;
}

std::unique_ptr<Run> load_named_run(const SafetensorsFile& file, const std::string& which) {
  if (holds_bench(file.metadata(), file.name()))
    return BenchReader(file).load(chosen(names_of_runs(file), which, file.name()));
  check(which.empty(), "'{}' holds one run alone: leave --run away.", printable(file.name(), 512));
  return load_run(file);
}

}  // namespace xlab
