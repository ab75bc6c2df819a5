// What can be taken back: edits in order, each with what it replaced.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/engine/live_run.hpp"
#include "core/files/disk.hpp"
#include "core/run.hpp"

namespace xlab {

/// What training changes in a run, copied to host memory at one moment.
struct TrainedNumbers {
  std::uint64_t weights_id = 0;  ///< see LiveRun
  std::int64_t step = 0;
  Tensor values, first_moment, second_moment;
  std::vector<LossPoint> losses;
  double seconds = 0.0;
};
std::shared_ptr<const TrainedNumbers> trained_numbers(const Run& run, std::uint64_t weights_id);
/// The memory that they take.
std::size_t bytes_of_trained_numbers(const Run& run);
/// Puts them back into the run they are of, wherever it computes now.
void put_back(const TrainedNumbers& numbers, Run& run);

/// Equations that were changed. Training goes on with the same weights under the new ones, so these
/// are kept as they were before the first step of it.
struct VariantBefore {
  std::string kind;
  CellVariant variant;
  std::shared_ptr<const TrainedNumbers> numbers;  ///< null while nothing was trained since
  /// There was no room for the weights of before, so only the equations come back.
  bool without_numbers = false;
};

/// Clamps, equations and tokens that were changed in one step, of a run that is not trained.
struct HeldBefore {
  std::vector<Clamp> clamps;
  std::vector<VariantBefore> variants;
  std::optional<TokensBefore> tokens;
};

/// About the memory that a run takes: its numbers, its text, its loss curve.
std::size_t memory_of(const Run& run);

/// Which runs the bench has after the edit is exchanged: some come back, which are at rest until
/// then, and some go.
struct BenchBefore {
  struct Coming {
    std::size_t place = 0;
    std::unique_ptr<LiveRun> run;
  };
  std::vector<Coming> come;  ///< places in ascending order, as they are when all have come
  std::vector<int> go;       ///< LiveRun::id
  int shown = 0;             ///< LiveRun::id of the one that is on screen then; 0: does not matter
};

/// Who shares a sequence with whom, of the runs that this concerns, and the tokens of one of them.
struct FollowBefore {
  int run = 0;                              ///< LiveRun::id of the one that follows or leaves
  std::vector<std::pair<int, int>> groups;  ///< LiveRun::id and LiveRun::group
  TokensBefore tokens;                      ///< of that run
};

/// An edit and what it replaced. Exchanged with the present it is the same edit the other way
/// round.
struct Edit {
  std::string name;  ///< what was done: "new prompt"
  /// A number alone is the factor of the learning rate, a word the name of the run. A run alone is
  /// one whose place another one took, at rest.
  std::variant<TokensBefore, std::vector<Clamp>, SamplerSettings, double, VariantBefore,
               std::unique_ptr<LiveRun>, BenchBefore, FollowBefore, std::string, HeldBefore>
      before;
  int run = 0;             ///< whose edit it is: LiveRun::id; 0: of the bench
  std::uint64_t at = 0;    ///< counts up with every edit that is made
  std::string about = {};  ///< to what, in a few words; may be empty
};

class History {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMostEdits = 200, kMostRuns = 4;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  /// Changes of one place that follow each other this closely are one edit.
  static constexpr std::chrono::milliseconds kDragPause{700};

  /// Remembers an edit that was just made; what was undone before can no longer be redone. With
  /// `place`, a drag: it joins the edit before when that was at the same place a moment ago. The
  /// oldest edits are forgotten when there are too many or they need too much memory; false when
  /// that was this one too.
  bool add(Edit edit, Time now, const std::string& place = {});
  /// `exchange` puts back what the edit replaced and leaves in it what is put away by that. When it
  /// throws, the edit stays where it was. Throw when there is nothing.
  void undo(const std::function<void(Edit&)>& exchange);
  void redo(const std::function<void(Edit&)>& exchange);
  /// "Undo new prompt"; empty when there is nothing. `weights_of` a run: LiveRun::weights_id.
  using WeightsOf = std::function<std::uint64_t(int run)>;
  std::string undo_label(const WeightsOf& weights_of) const;
  std::string redo_label(const WeightsOf& weights_of) const;
  /// All of them as they are told.
  EditHistory list() const;
  /// Whether the next of them brings another run on the screen, than run `shown`.
  bool undo_shows_run(int shown) const;
  bool redo_shows_run(int shown) const;

  /// Whether the next training step of a run is the first one after an edit that brings back the
  /// weights of before it; then they have to be handed over before that step.
  bool wants_numbers(int run) const;
  /// Whether so many bytes of numbers can be kept at all, if need be in the place of everything
  /// that is older than the edit.
  bool has_room_for_numbers(int run, std::size_t bytes) const;
  /// Returns the names of the edits that were forgotten for them, the newest first.
  std::vector<std::string> take_numbers(int run,
                                        const std::shared_ptr<const TrainedNumbers>& numbers);
  /// There is no room for them: the edits that want them stay, without.
  void go_without_numbers(int run);
  /// `Run::kept_as` of all runs that can be brought back, as far as they have one.
  std::vector<int> kept_runs() const;
  /// A file was written, and has this stamp now: runs that were in it before are not any more.
  void file_written(const std::string& path, std::optional<FileStamp> stamp);
  void clear();
  /// What can be undone and redone in one run, as far as its file can hold it: see
  /// core/engine/history_text.hpp. `step`: training step of the run.
  std::string text(int run, std::int64_t step) const;
  /// Edits of runs that were just opened, in order: the back of each is the next to be undone, or
  /// redone. Nothing that was undone before can be redone any more.
  void restore(std::deque<Edit> past, std::deque<Edit> future);

 private:
  std::vector<std::string> forget_oldest();
  /// Edits of a run, since it took its place, that change equations and have no numbers yet.
  std::vector<VariantBefore*> wanting(int run);

  std::deque<Edit> past_, future_;  ///< the back is the next to be undone, or redone
  std::string place_;
  Time changed_{};
  std::uint64_t last_ = 0;  // Edit::at given last
};

}  // namespace xlab
