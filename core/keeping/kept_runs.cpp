// Runs that are kept although nobody saved them.
#include "core/keeping/kept_runs.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/files/json_text.hpp"
#include "core/files/safetensors.hpp"
#include "core/run_data.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kAbout = "kept";  // in the metadata of a kept run
constexpr const char* kLock = "lock";
constexpr const char* kClaim = "claim";
constexpr const char* kEnded = "ended";
constexpr const char* kAnswered = "answered";
constexpr int kMostNumber = 1'000'000'000;
/// Of earlier versions, which kept one run.
constexpr const char* kOnlyRun = "autosave.xlab";

fs::path sessions_of(const fs::path& root) {
  return root / "sessions";
}
fs::path answered(const fs::path& folder, int number) {
  return folder / fmt::format("{}-{}", kAnswered, number);
}

fs::path text_file(const fs::path& root, const std::string& name) {
  return root / "texts" / (name + ".safetensors");
}

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A whole number and nothing else, or nothing.
std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

/// Number of the run whose file has this name, or 0.
int run_number(const std::string& name) {
  constexpr std::string_view kBefore = "run-";
  if (!name.starts_with(kBefore) || (!name.ends_with("-a.xlab") && !name.ends_with("-b.xlab")))
    return 0;
  const auto number =
      number_in(std::string_view(name).substr(kBefore.size(), name.size() - kBefore.size() - 7));
  return number && *number > 0 && *number < kMostNumber ? static_cast<int>(*number) : 0;
}

/// The file of the generation before or after, or nothing for what has no generations.
fs::path other_generation(const fs::path& file) {
  std::string name = file.filename().string();
  if (run_number(name) == 0) return {};
  char& letter = name[name.size() - std::string_view("a.xlab").size()];
  letter = letter == 'a' ? 'b' : 'a';
  return file.parent_path() / name;
}

/// Folders of sessions by number, in ascending order.
std::map<int, fs::path> session_folders(const fs::path& root) {
  std::map<int, fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator entry(sessions_of(root), error), end; !error && entry != end;
       entry.increment(error)) {
    const auto number = number_in(entry->path().filename().string());
    std::error_code ignored;
    if (number && *number > 0 && *number < kMostNumber && entry->is_directory(ignored))
      folders[static_cast<int>(*number)] = entry->path();
  }
  return folders;
}

/// Whether a session lives, this process's own ones included.
bool lives(const fs::path& folder) {
  // Without its lock a session has just been made, or something took the file away: to be on the
  // safe side it lives, until somebody who may lock it finds out.
  return !FileLock(folder / kLock, FileLock::Wait::no, FileLock::Kind::shared).held();
}

/// Whether it is this process that lives there.
bool own(const fs::path& folder) {
  try {
    return number_in(read_text_file(folder / kLock, 64)) == ::getpid();
  } catch (const Error&) {
    return false;
  }
}

void mark(const fs::path& file) {
  write_file_atomically(file, std::to_string(seconds_now()));
}

/// When a mark was made, or nothing when there is none. One that cannot be read is as old as can
/// be.
std::optional<std::int64_t> marked_at(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  try {
    return number_in(read_text_file(file, 64)).value_or(0);
  } catch (const Error&) {
    return 0;
  }
}

json stamp_json(const FileStamp& stamp) {
  return {stamp.device, stamp.inode, stamp.size, stamp.modified_ns};
}

/// What a file says of itself. Throws a sentence, or what the JSON library throws.
KeptRun about_of(const fs::path& path) {
  const InputFile file(path);
  const HeaderOfFile opened = read_safetensors_header(file, path.string());
  const Metadata& metadata = opened.header.metadata;
  KeptRun about{.file = path};
  const auto described = metadata.find("xlab");
  check(described != metadata.end(), "'{}' holds no run.", printable(path.string(), 512));
  const auto found = metadata.find(kAbout);
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
  about.text = in.at("text").get<std::string>();
  check(about.text.find_first_not_of("0123456789abcdef-") == std::string::npos,
        "'{}' names its text '{}', which is no name of a text.", printable(path.string(), 512),
        printable(about.text, 60));
  if (const json& stamp = in.at("stamp"); !stamp.is_null())
    about.stamp = FileStamp{stamp.at(0).get<std::uint64_t>(), stamp.at(1).get<std::uint64_t>(),
                            stamp.at(2).get<std::uint64_t>(), stamp.at(3).get<std::int64_t>()};
  return about;
}

/// The same, with a sentence for whatever is wrong.
std::optional<KeptRun> about_or_problem(const fs::path& path, std::vector<std::string>& problems) {
  std::string why;
  try {
    return about_of(path);
  } catch (const Error& e) {
    why = e.what();
  } catch (const json::exception&) {
    why = fmt::format("'{}' is damaged.", printable(path.string(), 512));
  }
  problems.push_back(fmt::format("A run that was kept cannot be read and is left out. {}", why));
  return {};
}

/// The runs of a session, the newest readable generation of each; the one that was open first, then
/// those that were replaced, newest first.
std::vector<KeptRun> runs_in(const fs::path& folder, int session,
                             std::vector<std::string>& problems) {
  std::map<int, KeptRun> newest;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const int number = run_number(entry->path().filename().string());
    if (number == 0) continue;
    std::optional<KeptRun> about = about_or_problem(entry->path(), problems);
    if (!about) continue;
    about->session = session;
    about->number = number;
    const auto [place, fresh] = newest.try_emplace(number, *about);
    if (!fresh && place->second.sequence < about->sequence) place->second = *std::move(about);
  }
  std::vector<KeptRun> runs;
  for (auto& [number, about] : newest) runs.push_back(std::move(about));
  std::sort(runs.begin(), runs.end(), [](const KeptRun& a, const KeptRun& b) {
    return std::pair(!a.replaced, a.sequence) > std::pair(!b.replaced, b.sequence);
  });
  return runs;
}

/// Whether the run's own file was written after the run was kept, with as much training in it: as
/// when the program ended between saving and forgetting.
bool saved_since(const KeptRun& run) {
  // Which of a bench's runs it was is not known: better offered once too often.
  if (run.in_bench) return false;
  const auto now = run.run_path.empty() ? std::nullopt : stamp_of(run.run_path);
  const auto kept = stamp_of(run.file);
  if (!now || !kept || now == run.stamp || now->modified_ns < kept->modified_ns) return false;
  try {
    return about_of(run.run_path).step >= run.step;
  } catch (const std::exception&) {
    return false;
  }
}

void remove_old_sessions(const fs::path& root) {
  const std::map<int, fs::path> folders = session_folders(root);
  const std::int64_t oldest = seconds_now() - std::int64_t{kKeptDays} * 24 * 60 * 60;
  std::size_t newer = folders.size();
  for (const auto& [number, folder] : folders) {
    --newer;
    const auto at = std::max(marked_at(folder / kEnded), marked_at(folder / kAnswered));
    std::error_code ignored;
    std::vector<std::string> problems;
    const bool empty = runs_in(folder, number, problems).empty() && problems.empty();
    const bool old = at && *at < oldest && newer >= kLeastSessions;
    if ((empty || old) && !lives(folder)) fs::remove_all(folder, ignored);
  }
}

void remove_unused_texts(const fs::path& root) {
  std::error_code ignored;
  if (!fs::exists(root / "texts", ignored)) return;
  const FileLock removing(root / "texts" / kLock);
  if (!removing.held()) return;  // somebody writes one: next time, then
  std::set<fs::path> used;
  for (const auto& [number, folder] : session_folders(root)) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (run_number(entry->path().filename().string()) == 0) continue;
      std::vector<std::string> problems;
      const auto about = about_or_problem(entry->path(), problems);
      // What cannot be read may need any text.
      if (!about) return;
      if (!about->text.empty()) used.insert(text_file(root, about->text));
    }
  }
  remove_save_leftovers(root / "texts");
  std::vector<fs::path> unused;
  std::error_code error;
  for (fs::directory_iterator entry(root / "texts", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".safetensors" && !used.contains(entry->path()))
      unused.push_back(entry->path());
  }
  for (const fs::path& text : unused) fs::remove(text, error);
}

}  // namespace

KeptRuns kept_runs(const fs::path& root) {
  KeptRuns kept;
  const auto folders = session_folders(root);
  for (auto entry = folders.rbegin(); entry != folders.rend(); ++entry) {
    const auto& [number, folder] = *entry;
    const bool living = lives(folder);
    if (living && !own(folder)) continue;
    for (KeptRun& run : runs_in(folder, number, kept.problems)) {
      // Of a session that lives, what is open is not to be reopened.
      if (!living || run.replaced) kept.runs.push_back(std::move(run));
    }
  }
  std::error_code ignored;
  if (fs::exists(root / kOnlyRun, ignored)) {
    if (auto about = about_or_problem(root / kOnlyRun, kept.problems))
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
      const SafetensorsFile text = read_safetensors(text_file(root, about.text));
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
    const fs::path other = other_generation(file);
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

fs::path SessionFolder::place(int number, bool second) const {
  return folder_ / fmt::format("run-{}-{}.xlab", number, second ? 'b' : 'a');
}

void SessionFolder::make() {
  if (!folder_.empty()) return;
  std::error_code error;
  fs::create_directories(sessions_of(root_), error);
  check(!error, "Cannot make the folder '{}': {}.", printable(sessions_of(root_).string(), 512),
        error.message());
  // Nobody takes a session that has no lock yet for one that has ended.
  const FileLock making(sessions_of(root_) / kLock, FileLock::Wait::yes);
  // The lock file holds the last number, so that none is given twice.
  const auto folders = session_folders(root_);
  int last = folders.empty() ? 0 : folders.rbegin()->first;
  try {
    const auto given = number_in(read_text_file(sessions_of(root_) / kLock, 64));
    if (given && *given < kMostNumber) last = std::max(last, static_cast<int>(*given));
  } catch (const Error&) {
    // Nobody has been given one yet.
  }
  for (int number = last + 1;; ++number) {
    const fs::path folder = sessions_of(root_) / fmt::format("{:06}", number);
    if (fs::create_directory(folder, error)) {
      making.write(std::to_string(number));
      lock_ = FileLock(folder / kLock, FileLock::Wait::yes);
      lock_.write(std::to_string(::getpid()));
      folder_ = folder;
      return;
    }
    check(!error, "Cannot make the folder '{}': {}.", printable(folder.string(), 512),
          error.message());
  }
}

void SessionFolder::write(const RunRecord& record, KeptRun about) {
  fs::path target;
  std::int64_t sequence = 0;
  {
    const std::lock_guard lock(mutex_);
    make();
    const auto newest = newest_.find(about.number);
    target = place(about.number, newest != newest_.end() && !newest->second.second);
    sequence = ++sequence_;
  }
  about.text = record.task->name();
  FileLock keeping;
  if (!about.text.empty()) {
    const fs::path text = text_file(root_, about.text);
    fs::create_directories(text.parent_path());
    // Nobody removes the text before a run that needs it is there.
    keeping = FileLock(text.parent_path() / kLock, FileLock::Wait::yes, FileLock::Kind::shared);
    std::uint64_t bytes = 0;
    for (const StoredTensor& tensor : record.task->tensors()) bytes += tensor.bytes.size();
    const auto there = stamp_of(text);
    if (!there || there->size < bytes) write_safetensors(text, record.task->tensors());
  }
  const json words = {{"title", about.title},
                      {"run_path", about.run_path},
                      {"step", about.step},
                      {"saved_step", about.saved_step},
                      {"at", seconds_now()},
                      {"sequence", sequence},
                      {"replaced", about.replaced},
                      {"bench", about.in_bench},
                      {"text", about.text},
                      {"stamp", about.stamp ? stamp_json(*about.stamp) : json(nullptr)}};
  RecordFile contents = file_of(record);
  // Names in other encodings than UTF-8 do not keep a run from being kept.
  write_safetensors(target, std::move(contents.tensors),
                    {{"format", "pt"},
                     {"xlab", contents.description},
                     {kAbout, words.dump(-1, ' ', false, json::error_handler_t::replace)}});
  const std::lock_guard lock(mutex_);
  newest_[about.number] = {target == place(about.number, true), sequence, about.replaced};
}

void SessionFolder::remove(int number) {
  const std::lock_guard lock(mutex_);
  newest_.erase(number);
  if (folder_.empty()) return;
  std::error_code ignored;
  for (const bool second : {false, true}) fs::remove(place(number, second), ignored);
}

void SessionFolder::limit_replaced(std::size_t most, const std::vector<int>& needed) {
  std::vector<std::pair<std::int64_t, int>> replaced;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, newest] : newest_)
      if (newest.replaced) replaced.emplace_back(newest.sequence, number);
  }
  std::sort(replaced.begin(), replaced.end());
  std::size_t left = replaced.size();
  for (const auto& [sequence, number] : replaced) {
    if (left <= most) return;
    if (std::find(needed.begin(), needed.end(), number) != needed.end()) continue;
    remove(number);
    --left;
  }
}

void SessionFolder::adopt(const KeptRun& run, int number) {
  const std::lock_guard lock(mutex_);
  make();
  // The generation before it has served, and goes first: left behind by a crash it would be offered
  // as another run. What cannot be read is left to those who can.
  std::error_code error;
  std::vector<std::string> problems;
  if (const fs::path other = other_generation(run.file); !other.empty() && stamp_of(other)) {
    const auto before = about_or_problem(other, problems);
    if (before && before->sequence < run.sequence) fs::remove(other, error);
  }
  fs::rename(run.file, place(number, false), error);
  if (error) return;  // it stays where it is, and is written here when there is more to keep
  sequence_ = std::max(sequence_, run.sequence);
  newest_[number] = {false, run.sequence, false};
  // It may have been one of this session, which goes on under another number.
  if (run.file.parent_path() == folder_) newest_.erase(run_number(run.file.filename().string()));
}

void SessionFolder::end() {
  const std::lock_guard lock(mutex_);
  if (folder_.empty()) return;
  std::vector<std::string> problems;
  std::error_code ignored;
  if (runs_in(folder_, 0, problems).empty() && problems.empty()) {
    fs::remove_all(folder_, ignored);
  } else {
    mark(folder_ / kEnded);
  }
  folder_.clear();
  lock_ = FileLock();
}

void LostRun::answer() {
  if (!session_) return;
  const fs::path& folder = session_->folder;
  const bool last = --session_->unanswered <= 0;
  std::error_code ignored;
  std::vector<std::string> problems;
  if (last && runs_in(folder, 0, problems).empty() && problems.empty()) {
    fs::remove_all(folder, ignored);
  } else {
    try {
      mark(last ? folder / kAnswered : answered(folder, about_.number));
    } catch (const Error&) {
      // Then it is offered once more.
    }
  }
  session_.reset();
}

LostRuns claim_lost_runs(const fs::path& root) {
  LostRuns lost;
  std::error_code ignored;
  if (!fs::exists(sessions_of(root), ignored)) return lost;
  const FileLock claiming(sessions_of(root) / kLock, FileLock::Wait::yes);
  // Where nothing can be locked nobody can tell the living from the dead.
  if (!claiming.held()) return lost;
  const auto folders = session_folders(root);
  for (auto entry = folders.rbegin(); entry != folders.rend(); ++entry) {
    const auto& [number, folder] = *entry;
    if (marked_at(folder / kEnded) || marked_at(folder / kAnswered) || lives(folder)) continue;
    remove_save_leftovers(folder);
    FileLock claim(folder / kClaim);
    if (!claim.held()) continue;
    const std::size_t before = lost.problems.size();
    std::vector<KeptRun> runs = runs_in(folder, number, lost.problems);
    const bool holds_something = !runs.empty() || lost.problems.size() > before;
    std::erase_if(runs, [&](const KeptRun& run) {
      return run.replaced || saved_since(run) || marked_at(answered(folder, run.number));
    });
    auto session = std::make_shared<LostRun::Session>(
        LostRun::Session{folder, std::move(claim), static_cast<int>(runs.size())});
    for (KeptRun& run : runs) lost.runs.emplace_back(std::move(run), session);
    // Nothing to offer, but it can be reopened from the menu.
    if (runs.empty() && holds_something) LostRun({}, std::move(session)).answer();
  }
  remove_old_sessions(root);
  remove_unused_texts(root);
  return lost;
}

}  // namespace xlab
