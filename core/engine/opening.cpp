// Model folders. Large ones are read beside everything else, by a thread of their own: commands are
// answered and runs train meanwhile, and reading can be given up.
#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/engine/worker.hpp"
#include "core/files/folder_run.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

using std::chrono::milliseconds;

constexpr std::uintmax_t kReadBeside = 64u << 20;  // smaller folders take a moment
constexpr auto kTellEvery = milliseconds(200);
constexpr double kKnowAfter = 1.0;             // seconds, before the speed of reading is known
constexpr auto kGivingUp = milliseconds(200);  // for reading to end when it is not wanted any more

std::uintmax_t bytes_of_weights(const std::filesystem::path& folder) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".safetensors") continue;
    if (const auto size = entry.file_size(error); !error) bytes += size;
  }
  return bytes;
}

/// What the run is called: as its folder, where a run may have that name.
std::string name_of_folder(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path folder = fs::absolute(model_folder_of(path).value_or(path), error).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  std::string name = folder.filename().string();
  const bool fits = name.size() <= Run::kMostNameBytes && !find_invalid_utf8(name);
  return fits ? name : std::string();
}

/// What the folder is read for, where that is not left to itself.
std::optional<FolderUse> use_of(int bits) {
  check(bits == 0 || bits == 4 || bits == 8, "Weights are held in 8 or in 4 bits, not in {}.",
        bits);
  if (bits == 0) return {};
  return bits == 8 ? FolderUse::read_8bit : FolderUse::read_4bit;
}

}  // namespace

void Engine::Worker::open_folder(const command::OpenFolder& c) {
  const auto folder = model_folder_of(c.path);
  check(folder.has_value(),
        "'{}' is no model folder: it has no config.json, and no config.yaml beside weights.",
        c.path);
  check(!opening, "'{}' is still being read: cancel that first, or wait for it.",
        opening ? opening->path : "");
  if (!c.series.empty()) {
    show_opened_folder(open_series_run(*folder, c.series, c.column), c.path, c.beside);
    return;
  }
  const std::optional<FolderUse> use = use_of(c.bits);
  if (bytes_of_weights(*folder) < kReadBeside) {
    show_opened_folder(open_folder_run(*folder, use), c.path, c.beside);
    return;
  }
  const auto begun = std::make_shared<Opening>();
  begun->path = c.path;
  begun->beside = c.beside;
  if (live) {
    begun->instead_of = live->serial;
    begun->changes = live->changes;
  }
  begun->worker = this;
  std::thread([now = begun, place = *folder, use] {
    try {
      now->run = open_folder_run(place, use, &now->reading);
    } catch (...) {
      now->failure = std::current_exception();
    }
    const std::lock_guard lock(now->mutex);
    now->finished = true;
    now->done.notify_all();
    Worker* worker = now->worker;
    if (!worker) return;
    {
      const std::lock_guard telling(worker->mutex);
      worker->opening_news = true;
    }
    worker->wake.notify_all();
  }).detach();
  opening = begun;
}

void Engine::Worker::cancel_opening() {
  if (opening) opening->reading.cancelled = true;
}

void Engine::Worker::show_opened_folder(std::unique_ptr<Run> run, const std::string& path,
                                        bool beside) {
  run->name = name_of_folder(path);
  open(std::move(run), {.name = "opening a model", .beside = beside});
  const std::string& remark = live->run().remark;
  note(fmt::format("Opened the model in {}{}{}", path, remark.empty() ? "" : ". ", remark));
}

std::optional<Engine::Worker::Clock::time_point> Engine::Worker::telling_due() const {
  if (!opening) return std::nullopt;
  return opening->told + kTellEvery;
}

void Engine::Worker::follow_opening() {
  if (!opening) return;
  // What is on its way into a file is that of a run that is still to be there then.
  bool finished = false;
  if (!saving) {
    const std::lock_guard lock(mutex);
    finished = std::exchange(opening_news, false);
  }
  if (!finished) {
    const auto now = Clock::now();
    if (now - opening->told < kTellEvery) return;
    opening->told = now;
    OpeningStatus status{
        .path = opening->path, .bytes = opening->reading.bytes, .total = opening->reading.total};
    const double seconds = std::chrono::duration<double>(now - opening->begun).count();
    if (status.bytes > 0 && status.total >= status.bytes && seconds > kKnowAfter) {
      status.seconds_left = seconds * static_cast<double>(status.total - status.bytes) /
                            static_cast<double>(status.bytes);
    }
    draft.opening = std::make_shared<const OpeningStatus>(std::move(status));
    urgent = dirty = true;
    return;
  }
  const std::shared_ptr<Opening> ended = std::move(opening);
  draft.opening.reset();
  urgent = dirty = true;
  guarded("open", [&] {
    try {
      if (ended->failure) std::rethrow_exception(ended->failure);
      // Asked for just as the last number came.
      if (ended->reading.cancelled) throw ReadingCancelled();
    } catch (const ReadingCancelled&) {
      note(fmt::format("Opening '{}' was cancelled. Everything is as it was.", ended->path));
      return;
    }
    // Nobody was asked about any other run, or about what was worked out meanwhile: both stay.
    const bool asked_for = ended->beside || may_take_place(*ended);
    const bool same = live && live->serial == ended->instead_of;
    show_opened_folder(std::move(ended->run), ended->path, ended->beside || !asked_for);
    if (!asked_for)
      tell(same ? "It stands beside the run that was worked on while it was read."
                : "It stands beside the run that came meanwhile, which it was not to replace.");
  });
}

bool Engine::Worker::may_take_place(const Opening& of) const {
  if (!live) return of.instead_of == 0;
  return live->serial == of.instead_of && live->changes == of.changes;
}

void Engine::Worker::end_opening() {
  if (!opening) return;
  {
    std::unique_lock lock(opening->mutex);
    opening->worker = nullptr;
    opening->done.wait_for(lock, kGivingUp, [this] { return opening->finished; });
  }
  opening.reset();
}

}  // namespace xlab
