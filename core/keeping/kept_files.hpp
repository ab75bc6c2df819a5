// The files of kept runs: their names, marks and locks, and what a file says of itself. For this
// room alone; the layout of the folders is told in kept_runs.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/keeping/kept_runs.hpp"

namespace xlab::kept {

inline constexpr const char* kAbout = "kept";  ///< in the metadata of a kept run
inline constexpr const char* kLock = "lock";
inline constexpr const char* kClaim = "claim";
inline constexpr const char* kEnded = "ended";
inline constexpr const char* kAnswered = "answered";
inline constexpr int kMostNumber = 1'000'000'000;

std::filesystem::path sessions_of(const std::filesystem::path& root);
std::filesystem::path text_file(const std::filesystem::path& root, const std::string& name);
/// Folders of sessions by number, in ascending order.
std::map<int, std::filesystem::path> session_folders(const std::filesystem::path& root);

/// A whole number and nothing else, or nothing.
std::optional<std::int64_t> number_in(std::string_view text);
/// Number of the run whose file has this name, or 0.
int run_number(const std::string& name);
/// The file of the generation before or after, or nothing for what has no generations.
std::filesystem::path other_generation(const std::filesystem::path& file);

/// Whether a session lives, this process's own ones included.
bool lives(const std::filesystem::path& folder);
/// Whether it is this process that lives there.
bool own(const std::filesystem::path& folder);

/// By the clock of this computer, since 1970.
std::int64_t seconds_now();
/// Writes the time into a file. Throws a sentence when it cannot be written.
void mark(const std::filesystem::path& file);
/// When a mark was made, or nothing when there is none. One that cannot be read is as old as can
/// be.
std::optional<std::int64_t> marked_at(const std::filesystem::path& file);
/// The mark that one run of a session was offered and answered.
std::filesystem::path answered(const std::filesystem::path& folder, int number);

/// What a file says of itself; where it does not, a sentence joins `problems`.
std::optional<KeptRun> about_or_problem(const std::filesystem::path& path,
                                        std::vector<std::string>& problems);
/// The runs of a session, the newest readable generation of each; the one that was open first, then
/// those that were replaced, newest first.
std::vector<KeptRun> runs_in(const std::filesystem::path& folder, int session,
                             std::vector<std::string>& problems);

}  // namespace xlab::kept
