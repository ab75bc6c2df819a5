// Where the command line writes.
#include "app/cli/places.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "app/cli/command.hpp"
#include "core/bench_file.hpp"
#include "core/files/disk.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/openable.hpp"
#include "core/files/recording.hpp"
#include "core/files/safetensors.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFirstLine = 4096;  // no line of a log is longer

std::string shown(const fs::path& path) {
  return printable(path.string(), 512);
}

/// Whether there is a file with something in it.
bool holds_something(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && fs::file_size(path, error) > 0 && !error;
}

bool is_run(const std::string& path) {
  try {
    look_at_run(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Of a file that holds runs.
bool is_bench(const std::string& path) {
  const InputFile file(path);
  return holds_bench(read_safetensors_header(file, path).header.metadata, path);
}

bool is_logits(const std::string& path) {
  try {
    const InputFile file(path);
    std::set<std::string> names;
    for (const auto& tensor : read_safetensors_header(file, path).header.tensors)
      names.insert(tensor.name);
    return names == std::set<std::string>{"ids", "logits"};
  } catch (const Error&) {
    return false;
  }
}

bool is_log(const std::string& path) {
  InputFile file(path);
  std::string line(kFirstLine, '\0');
  line.resize(file.read(std::as_writable_bytes(std::span(line))));
  line.resize(std::min(line.find('\n'), line.size()));
  const auto object = nlohmann::json::parse(line, nullptr, false);
  return object.is_object() && object.contains("step") && object.contains("loss");
}

/// Bytes that the numbers of a run will take in its file.
std::uint64_t bytes_of(const Run& run) {
  const Params& params = run.model->params();
  const std::uint64_t weights = static_cast<std::uint64_t>(params.values().bytes());
  return weights * 3;  // with the optimizer's two moments
}

}  // namespace

bool same_file(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code missing;
  return fs::equivalent(a, b, missing) || a == b;
}

void refuse_overwriting(const std::string& written, const std::vector<std::string>& all_read) {
  if (written.empty()) return;
  const std::string beside = fs::absolute(written).parent_path().string();
  for (const std::string& read : all_read) {
    if (read.empty()) continue;
    const auto folder = model_folder_of(read);
    const bool like_its_files = written.ends_with(".json") || written.ends_with(".safetensors");
    if (same_file(written, read) ||
        (folder && like_its_files && same_file(beside, folder->string())))
      throw UsageError(fmt::format("'{}' would be overwritten: choose another place for '{}'.",
                                   printable(read, 512), printable(written, 512)));
  }
}

void check_run_place(const std::string& out, const std::string& own, bool force) {
  const fs::path folder = fs::absolute(out).parent_path();
  std::error_code error;
  check(fs::is_directory(folder, error) && access(folder.c_str(), W_OK) == 0,
        "The folder '{}' for --out does not exist or cannot be written to.", shown(folder));
  check_can_write_file(out, 0);
  if (!holds_something(out)) return;
  check(is_run(out),
        "'{}' exists and is no run of xLSTM Lab: choose another name for --out, or remove that "
        "file first.",
        shown(out));
  check(force || !is_bench(out),
        "'{}' exists and holds several runs, all of which would be lost for one: choose another "
        "name for --out, or add --force to replace them.",
        shown(out));
  if (is_bench(out))
    tell(fmt::format("'{}' holds several runs; this one will take the place of all of them.",
                     shown(out)));
  if (same_file(out, own)) return;
  check(force,
        "'{}' exists and holds another run: choose another name for --out, or add --force to "
        "replace it.",
        shown(out));
}

void check_run_fits(const Run& run, const std::string& out) {
  check_can_write_file(out, bytes_of(run));
}

void check_logits_place(const std::string& out) {
  check(!holds_something(out) || is_logits(out),
        "'{}' exists and is no file of logits: choose another name for --out, or remove that file "
        "first.",
        shown(out));
  check_can_write_file(out, 0);
}

void check_forecast_place(const std::string& out) {
  constexpr std::string_view kBegins = "step,";
  const auto is_forecast = [&] {
    InputFile file(out);
    std::array<std::byte, kBegins.size()> begin{};
    return file.read(begin) == begin.size() &&
           std::memcmp(begin.data(), kBegins.data(), begin.size()) == 0;
  };
  check(!holds_something(out) || is_forecast(),
        "'{}' exists and is no forecast: choose another name for --out, or remove that file first.",
        shown(out));
  check_can_write_file(out, 0);
}

void check_recording_place(const std::string& out) {
  check(!holds_something(out) || is_recording(out),
        "'{}' exists and is no recording: choose another name for --out, or remove that file "
        "first.",
        shown(out));
  check_can_write_file(out, 0);
}

void check_log_place(const std::string& log) {
  check(!holds_something(log) || is_log(log),
        "'{}' exists and is no log of a training: choose another name for --log, or remove that "
        "file first.",
        shown(log));
}

void check_folder_place(const std::string& folder, bool force) {
  if (force) return;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    check(path.filename() != "config.json" && path.extension() != ".safetensors",
          "The folder '{}' holds a model already ({}): choose another one, or add --force to "
          "replace it.",
          shown(folder), shown(path.filename()));
  }
}

void save_run_somewhere(const Run& run, const std::string& out) {
  std::string why;
  try {
    save_run(run, out);
    return;
  } catch (const Error& e) {
    why = e.what();
  }
  std::error_code error;
  const std::string name = fmt::format("{}-{}.xlab", fs::path(out).stem().string(), getpid());
  for (const fs::path& folder : {fs::temp_directory_path(error), fs::current_path(error)}) {
    const fs::path place = folder / name;
    if (folder.empty() || fs::exists(place, error)) continue;
    try {
      save_run(run, place);
    } catch (const Error& e) {
      why += fmt::format(" {}", e.what());
      continue;
    }
    throw Error(fmt::format("{} The run, {} steps, is saved to '{}' instead.", why,
                            run.trainer->steps_done(), shown(place)));
  }
  throw Error(why + " The run is saved nowhere.");
}

}  // namespace xlab::app
