// Runs that are kept although nobody saved them.
#include "core/keeping/kept_runs.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/files/json_text.hpp"
#include "core/files/safetensors.hpp"
#include "core/keeping/kept_files.hpp"
#include "core/run_data.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;

namespace {

using nlohmann::json;

/// Of earlier versions, which kept one run.
constexpr const char* kOnlyRun = "autosave.xlab";

/// What a file says of itself. Throws a sentence, or what the JSON library throws.
KeptRun about_of(const fs::path& path) {
  const InputFile file(path);
  const HeaderOfFile opened = read_safetensors_header(file, path.string());
  const Metadata& metadata = opened.header.metadata;
  KeptRun about{.file = path};
  const int number = kept::run_number(path.filename().string());
  for (const BenchPlace& place : kept::read_bench(path.parent_path()))
    if (place.number == number) about.stood = place;
  const auto described = metadata.find("xlab");
  check(described != metadata.end(), "'{}' holds no run.", printable(path.string(), 512));
  const auto found = metadata.find(kept::kAbout);
  if (found == metadata.end()) {
    // A run of an earlier version, whole in itself.
    const json run = parse_json(described->second, "The run");
    about.title = run.at("title").get<std::string>();
    about.step = run.at("step").get<std::int64_t>();
    if (const auto stamp = stamp_of(path)) about.kept_at = stamp->modified_ns / 1'000'000'000;
    return about;
  }
  const json in = parse_json(found->second, "What a kept run says of itself");
  about.title = in.at("title").get<std::string>();
  about.run_path = in.at("run_path").get<std::string>();
  about.step = in.at("step").get<std::int64_t>();
  about.saved_step = in.at("saved_step").get<std::int64_t>();
  about.kept_at = in.at("at").get<std::int64_t>();
  about.sequence = in.at("sequence").get<std::int64_t>();
  about.replaced = in.at("replaced").get<bool>();
  about.in_bench = in.value("bench", false);
  about.in_file = in.value("in_file", false);
  about.text = in.at("text").get<std::string>();
  check(about.text.find_first_not_of("0123456789abcdef-") == std::string::npos,
        "'{}' names its text '{}', which is no name of a text.", printable(path.string(), 512),
        printable(about.text, 60));
  if (const json& stamp = in.at("stamp"); !stamp.is_null())
    about.stamp = FileStamp{stamp.at(0).get<std::uint64_t>(), stamp.at(1).get<std::uint64_t>(),
                            stamp.at(2).get<std::uint64_t>(), stamp.at(3).get<std::int64_t>()};
  return about;
}

}  // namespace

KeptRuns kept_runs(const fs::path& root) {
  KeptRuns kept;
  const auto folders = kept::session_folders(root);
  for (auto entry = folders.rbegin(); entry != folders.rend(); ++entry) {
    const auto& [number, folder] = *entry;
    const bool living = kept::lives(folder);
    if (living && !kept::own(folder)) continue;
    for (KeptRun& run : kept::runs_in(folder, number, kept.problems)) {
      // Of a session that lives, what is open is not to be reopened; and what its own file still
      // holds is opened from there.
      if (living && !run.replaced) continue;
      if (run.in_file && run.stamp && stamp_of(run.run_path) == run.stamp) continue;
      kept.runs.push_back(std::move(run));
    }
  }
  std::error_code ignored;
  if (fs::exists(root / kOnlyRun, ignored)) {
    if (auto about = kept::about_or_problem(root / kOnlyRun, kept.problems))
      kept.runs.push_back(*std::move(about));
  }
  return kept;
}

KeptRun about_kept_run(const fs::path& file) {
  try {
    return about_of(file);
  } catch (const json::exception&) {
    throw Error(fmt::format("'{}' is damaged.", printable(file.string(), 512)));
  }
}

Reopened load_kept_run(const fs::path& file) {
  const auto load = [](const fs::path& path) {
    KeptRun about = about_kept_run(path);
    SafetensorsFile kept = read_safetensors(path);
    if (!about.text.empty()) {
      const fs::path root = path.parent_path().parent_path().parent_path();
      const SafetensorsFile text = read_safetensors(kept::text_file(root, about.text));
      check(name_of_data(text.tensors()) == about.text,
            "'{}' is damaged: it is not the text that was written there.",
            printable(text.name(), 512));
      kept.add(text);
    }
    return Reopened{load_run(kept), std::move(about), {}};
  };
  try {
    return load(file);
  } catch (const Error& e) {
    const fs::path other = kept::other_generation(file);
    if (other.empty() || !stamp_of(other)) throw;
    Reopened older;
    try {
      older = load(other);
    } catch (const Error&) {
      throw Error(e);
    }
    older.problem = fmt::format("{} What was kept before that is opened: step {} of training.",
                                e.what(), older.about.step);
    return older;
  }
}

}  // namespace xlab
