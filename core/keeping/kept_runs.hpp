// Runs that are kept although nobody saved them: what a crash, a replaced run or a quick end
// leaves.
//
// They lie in a folder of the person's own (`root` everywhere here):
//   sessions/000012/run-1-a.xlab   a run of session 12, and -b the generation before or after it
//   sessions/000012/lock           locked while session 12 lives
//   sessions/000012/ended          the session ended in order, and when
//   sessions/000012/answered       what a crash left of it was offered and answered, and when;
//                                  answered-1: of run 1, while there are others
//   sessions/lock                  locked, for a moment, by whoever makes, claims or removes
//   sessions/000012/bench.json     in which order its runs stood, and how: kept_bench.hpp
//   texts/NAME.safetensors         a run's text or tokenizer, written once
//   texts/lock                     locked by whoever writes runs with texts, or removes texts
// Sessions are counted, so that their order needs no clock. A kept run is a *.xlab file without its
// text, and with a few words about itself under "kept" in its metadata.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files/disk.hpp"
#include "core/keeping/kept_bench.hpp"
#include "core/run.hpp"

namespace xlab {

/// What is known of a kept run without opening it.
struct KeptRun {
  std::filesystem::path file;
  int session = 0;
  int number = 0;               ///< within its session
  std::string title;            ///< of its data, e.g. "Recall" or the name of a text
  std::string run_path;         ///< the file that the run was opened from or saved to; may be empty
  std::int64_t step = 0;        ///< of training
  std::int64_t saved_step = 0;  ///< the step that is in its own file
  std::int64_t kept_at = 0;     ///< seconds since 1970, by the clock of then
  std::int64_t sequence = 0;    ///< counts up with every writing in a session
  bool replaced = false;        ///< another run took its place, so it is not what was lost last
  bool in_bench = false;        ///< `run_path` holds other runs too
  bool in_file = false;         ///< all of it stood in `run_path` when it was kept
  /// What stood at `run_path` when it was read or written last.
  std::optional<FileStamp> stamp;
  std::string text;  ///< name of its text; empty where it has none
  /// How it stood among the runs of its session, where that is known.
  std::optional<BenchPlace> stood;
};

/// Kept runs, and sentences about those that cannot be read and are left out.
struct KeptRuns {
  std::vector<KeptRun> runs;
  std::vector<std::string> problems;
};

/// What can be reopened, the newest session first, in it the run that was open first. Runs of other
/// sessions that live are left out. Reads headers only.
KeptRuns kept_runs(const std::filesystem::path& root);

/// What a kept run's file says of itself. Throws a sentence when it is damaged.
KeptRun about_kept_run(const std::filesystem::path& file);

struct Reopened {
  std::unique_ptr<Run> run;
  KeptRun about;        ///< of the file that was opened
  std::string problem;  ///< why that is an older one than asked for; empty when it is not
};
/// Opens a kept run with its text. A newer generation that cannot be read is no reason to give up:
/// then the older one is opened. Throws a sentence when that is not possible either.
Reopened load_kept_run(const std::filesystem::path& file);

}  // namespace xlab
