// The file of a bench: several runs in one *.xlab file.
//
// It is a safetensors file like that of one run (core/run.hpp), with everything once for each run:
// tensors and description have "run1/", "run2/" and so on before their names. Data that several
// runs share is stored with the first of them. The file's own "xlab" is JSON: "format" is 2,
// "focus" the number of the run on screen, "runs" lists in their order the "colour" of each,
// whether it is "shown" among the curves, in "data" the number of the run whose data it shares, and
// in "sequence" that of the first of the runs that share one sequence; without these it has its
// own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/files/safetensors.hpp"
#include "core/run.hpp"

namespace xlab {

/// More runs are neither open at once nor in one file.
inline constexpr std::size_t kMostRuns = 32;

/// What the file of a bench holds, taken at one moment.
struct BenchRecord {
  struct Part {
    RunRecord run;
    int colour = 0;     ///< see RunCard
    bool shown = true;  ///< among the curves
    int sequence = 0;   ///< runs with the same number share one; 0: its own
  };
  std::vector<Part> runs;
  int focus = 0;  ///< index of the one on screen
};

/// Atomic, as `save_run`.
void save_bench(const BenchRecord& record, const std::filesystem::path& path);

/// A bench that was read. Runs that share their data share the task too.
struct OpenedBench {
  struct Part {
    std::unique_ptr<Run> run;
    int colour = 0;
    bool shown = true;
    int sequence = 0;
  };
  std::vector<Part> runs;
  int focus = 0;
};

/// Whether a file says that it holds a bench. Throws a sentence when what it says is no JSON.
bool holds_bench(const Metadata& metadata, const std::string& name);
/// Throws as `load_bench`, as far as lists and descriptions tell: no tensors are needed.
void look_at_bench(const Metadata& metadata, const std::string& name);
/// Throws a sentence when the file holds no bench, or when anything in it is damaged: it is read
/// whole or not at all.
OpenedBench load_bench(const SafetensorsFile& file);

/// The names of a bench's runs, in their order; empty for one whose description cannot be read.
/// Throws where there is no bench.
std::vector<std::string> names_of_runs(const SafetensorsFile& file);
/// One run: of a bench the one that `which` names or whose number, counted from 1, it is; the only
/// one when it is empty. Throws a sentence that names the runs when there is no such one.
std::unique_ptr<Run> load_named_run(const SafetensorsFile& file, const std::string& which);

}  // namespace xlab
