// Recordings in files: every described value of every token of a sequence, as a safetensors file.
//
// One tensor a value under its path, F32, (time, heads, dim); a matrix memory is (time, heads, key,
// value). "ids" is I64 (time). The metadata says what all of it is, in words and JSON: see
// core/files/README.md.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files/file_save.hpp"
#include "core/files/safetensors_header.hpp"
#include "core/snapshot.hpp"
#include "core/trace.hpp"

namespace xlab {

struct State;

/// What of it is wanted.
struct RecordingOptions {
  /// Patterns of paths as shells have them, where * and ? stand for any characters, / among them;
  /// empty: all values.
  std::vector<std::string> values = {};
  bool memory = false;       ///< the matrix memories are values, too
  std::string program = {};  ///< name and version of what writes the file
};

/// What a recording holds, as it is known before the first number.
class RecordingPlan {
 public:
  /// Of these tokens under these clamps. Throws a sentence that names some paths when a pattern is
  /// none of any value.
  RecordingPlan(const ModelCard& model, const std::vector<int>& tokens,
                const std::vector<Clamp>& clamps, const RecordingOptions& options);

  std::int64_t tokens() const { return tokens_; }
  std::size_t values() const { return values_.size(); }
  /// Of the whole file.
  std::uint64_t bytes() const;

 private:
  friend class RecordingFile;
  struct Value {
    std::string path = {};
    std::size_t numbers = 0;  ///< of one token
    std::uint64_t begin = 0;  ///< of its first number in the file
    int block = -1;           ///< whose state holds it, ...
    std::string state = {};   ///< ... under this name; empty: it is in the trace
  };

  std::int64_t tokens_ = 0;
  std::vector<std::int64_t> ids_;
  std::vector<Value> values_;
  std::string header_;
  std::uint64_t ids_begin_ = 0, end_ = 0;
};

/// A recording on its way into a file, in little memory however long it is. The file stands there,
/// complete, after `finish`; until then, and when it is given up, what was there before stays.
class RecordingFile {
 public:
  /// Refuses what cannot be replaced, and a disk without the room for all of it. `plan` must
  /// outlive it.
  RecordingFile(const RecordingPlan& plan, const std::filesystem::path& path);

  /// The next token: what was recorded of it and, where memories are wanted, the state after it.
  /// Throws when something is missing there.
  void add(const TokenTrace& trace, const State* after = nullptr);
  /// When all tokens have been added.
  void finish();
  /// How many of the numbers so far are infinite or none.
  std::uint64_t not_finite() const { return not_finite_; }

 private:
  void write_pending();

  const RecordingPlan& plan_;
  FileSave save_;
  std::int64_t added_ = 0, written_ = 0, at_a_time_ = 1;  // tokens
  std::vector<std::vector<float>> pending_;               // of each value
  std::uint64_t not_finite_ = 0;
};

/// Whether a file is a recording, by its metadata.
bool is_recording(const std::filesystem::path& path);

/// Writes what was recorded of all tokens of the plan. Throws when some of them are not computed
/// yet, and once `stop` has become true; then there is no new file. Returns how many of the numbers
/// are not finite.
std::uint64_t write_recording(const RecordingPlan& plan, const Trace& trace,
                              const std::filesystem::path& path, const std::atomic<bool>& stop);

}  // namespace xlab
