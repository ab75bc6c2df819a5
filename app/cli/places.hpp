// Where the command line writes: what it refuses to replace, found out before anything is computed,
// and where a trained run goes when its own place fails.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/run.hpp"
#include "kernels/check.hpp"

namespace xlab::app {

/// A wrong argument that only the command itself can see.
struct UsageError : Error {
  using Error::Error;
};

/// Whether two names lead to one file. An empty name leads nowhere.
bool same_file(const std::string& a, const std::string& b);

/// Refuses to write a file over one that is read, those of a model folder included.
void refuse_overwriting(const std::string& written, const std::vector<std::string>& all_read);

/// Refuses an `--out` that a run cannot be saved to: an empty name, a folder that is missing, what
/// is no run, a run other than `own` unless `force`.
void check_run_place(const std::string& out, const std::string& own, bool force);
/// Refuses an `--out` for which the disk has no room, or that cannot be replaced at all.
void check_run_fits(const Run& run, const std::string& out);
/// Refuses to replace what is no file of logits.
void check_logits_place(const std::string& out);
/// Refuses to replace what is no forecast.
void check_forecast_place(const std::string& out);
/// Refuses to replace what is no recording.
void check_recording_place(const std::string& out);
/// Refuses to write a training log into what is none. Devices and pipes take one.
void check_log_place(const std::string& log);
/// Refuses to write a model into a folder that holds one, unless `force`.
void check_folder_place(const std::string& folder, bool force);

/// Saves the run to `out` or, where that fails, into the temporary folder or the current one, and
/// then throws a sentence that says why and where the run is now.
void save_run_somewhere(const Run& run, const std::string& out);

}  // namespace xlab::app
