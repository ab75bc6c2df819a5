// The engine's thread: what it shares, what is its own, and what it does. For the files of this
// folder alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/bench_file.hpp"
#include "core/engine/engine.hpp"
#include "core/engine/history.hpp"
#include "core/engine/live_run.hpp"
#include "core/files/reading.hpp"
#include "core/generation/background_ablation.hpp"
#include "core/keeping/autosave.hpp"
#include "core/keeping/open_notes.hpp"
#include "core/run.hpp"
#include "core/selfcheck/background_check.hpp"
#include "core/tasks/training_text.hpp"
#include "core/training/background_reach.hpp"
#include "kernels/device/device.hpp"

namespace xlab {

/// Threads: `mutex` guards what is shared; `stop` is also read without it, to give up a training
/// step. Everything else belongs to the engine's thread.
struct Engine::Worker {
  using Clock = std::chrono::steady_clock;

  Worker(std::function<void()> on_publish, std::string first_device, Keeping keeping);
  ~Worker();

  /// Returns the number of the command, counted from 1.
  std::uint64_t accept(std::optional<Command> command);
  void ask_to_stop(bool keep);

  // Shared with other threads.
  std::function<void()> on_publish;
  mutable std::mutex mutex;
  std::condition_variable wake, finished;
  /// Nothing instead of a command: somebody waits for what was sent before.
  std::deque<std::optional<Command>> queue;
  std::atomic<bool> stop = false;
  bool keep_at_end = false;
  std::string final_screen;
  bool offered_later = false;  // what is kept at the end
  std::string final_error;
  std::shared_ptr<const Snapshot> newest;
  bool check_news = false;               // the self-check has found something out
  bool reach_news = false;               // how far back a gradient reaches is known
  bool worth_news = false;               // the same of what heads are worth
  bool keeping_news = false;             // a run was kept or could not be
  bool keeping_asked = false;            // somebody wants to know whether it can be
  bool opening_news = false;             // reading a large model has come to its end
  std::uint64_t accepted = 0, done = 0;  // commands sent; commands whose effect was published
  bool ended = false;

  // The engine's own.
  const std::string first_device;
  Device device = Device::cpu();  // where runs are put
  Autosave autosave;
  std::vector<std::unique_ptr<LiveRun>> runs;  // the bench; all are awake
  LiveRun* live = nullptr;                     // the one on screen
  int last_run = 0;                            // LiveRun::id given last
  int last_group = 0;                          // LiveRun::group given last
  Clock::time_point followers_due{};           // when those that train may be computed again
  std::deque<std::optional<Command>> pending;
  std::uint64_t applied = 0;
  double play_speed = 4.0;
  History history;
  BackgroundCheck checks;
  BackgroundReach reach;
  BackgroundAblation worth;
  KeptBench bench_kept;  ///< how the runs stood when that was kept last
  /// What is on its way into a file.
  struct Saving {
    struct Part {
      int run = 0;
      std::int64_t step = 0;
      std::uint64_t changes = 0;  // of the run until then
      std::shared_ptr<const LiveRun::Work> work;
    };
    std::string path;
    std::vector<Part> runs;
    bool bench = false;  // all runs there are
    bool named = false;  // the file is that of all of them from then on, whatever they had
    std::uint64_t ticket = 0;
  };
  std::optional<Saving> saving;
  /// A large model that is being read. The thread that reads shares this and nothing else: a disk
  /// that hangs keeps neither the engine nor the program from ending.
  struct Opening {
    std::string path;
    bool beside = false;
    /// LiveRun::serial of the run whose place it is to take, 0 for none, and its changes until
    /// then.
    std::uint64_t instead_of = 0, changes = 0;
    Reading reading;
    Clock::time_point begun = Clock::now(), told{};
    // The engine's once it is finished.
    std::unique_ptr<Run> run;
    std::exception_ptr failure;
    std::mutex mutex;
    std::condition_variable done;
    bool finished = false;     // guarded by mutex
    Worker* worker = nullptr;  // until it goes; guarded by mutex
  };
  std::shared_ptr<Opening> opening;
  /// Run::kept_as of the bench that another one took the place of last, where Undo has no room.
  std::vector<int> dropped;
  std::string must_know;  // see `tell`
  Clock::time_point told{};
  Snapshot draft;  // what the next snapshot starts from
  bool dirty = true, urgent = true;
  Clock::time_point published{};
  std::thread thread;

  // The loop: engine.cpp.
  void work();
  void end_work();
  /// Moves what was sent to `pending`; waits for it when there is nothing to do. False: stop.
  bool take_commands();
  void take_queue();
  void apply_pending();
  /// Whether there is work that nobody has to ask for again.
  bool busy() const;
  /// Whether everything asked for so far can be seen. Training never ends by itself and is no
  /// reason to wait.
  bool settled() const;
  bool training() const;
  /// Whether something holds for the run on screen or for one that follows its sequence.
  template <typename Is>
  bool any_shown(Is is) const {
    return live && std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
             return (run.get() == live || (live->group != 0 && run->group == live->group)) &&
                    is(*run);
           });
  }
  bool outstanding() const {
    return any_shown([](const LiveRun& run) { return run.outstanding(); });
  }
  bool stale() const {
    return any_shown([](const LiveRun& run) { return run.stale(); });
  }
  bool shows_something_new() const;
  bool is_urgent() const { return urgent || (live && live->urgent); }
  /// A sequence is computed with one set of weights: while one is being computed or waits to be
  /// gone on with, training waits.
  bool weights_in_use() const;
  void work_on_sequence();
  /// The run that is to train next: time is divided evenly, whatever a step of each takes, but the
  /// one on screen gets twice as much. Null when none trains.
  LiveRun* next_to_train() const;
  void train_one(LiveRun& of);
  void train_one_unguarded(LiveRun& of);
  void train_one_step();
  void train_run(LiveRun& of, bool on);
  void train_all(bool on);
  void begin_training(LiveRun& of);
  void publish_if_due();
  void fill_snapshot();
  /// When the run that has to be kept first is due, and which one that is.
  std::optional<Clock::time_point> keeping_due(LiveRun** which = nullptr) const;

  // What is told: engine.cpp.
  void fail(const std::string& where, const std::string& what);
  /// Tells what was done.
  void note(const std::string& text);
  /// Tells what somebody must know: notes that come soon after do not take its place but stand
  /// behind it.
  void tell(const std::string& sentence);
  /// Runs `body`; when it throws, runs `clean_up` and reports the failure.
  template <typename Body, typename CleanUp>
  void guarded(const char* where, Body&& body, CleanUp&& clean_up) {
    try {
      body();
    } catch (const DeviceLost& e) {
      leave_device_guarded(e.what());
    } catch (const std::exception& e) {
      clean_up();
      fail(where, e.what());
    }
  }
  template <typename Body>
  void guarded(const char* where, Body&& body) {
    guarded(where, body, [] {});
  }

  // Commands: commands.cpp.
  bool must_wait(const std::optional<Command>& command);
  /// Whether the next command has to wait until the run is in its file: it takes another run, or
  /// needs a file.
  bool waits_for_file() const;
  void apply(Command command);
  void need_run() const;
  void need_training(const LiveRun& of) const;
  void open_run(const command::OpenRun& c);
  void export_folder(const command::ExportFolder& c);
  void set_screen(const command::SetScreen& c);
  void new_run(const command::NewRun& c);
  void open_text(const command::OpenText& c);
  OpenedText text_of(const command::OpenText& c) const;
  void restart(std::uint64_t seed, const char* name);
  /// The clamps of now, of which there is one with this number.
  std::vector<Clamp> clamps_with(int index) const;
  void set_clamp(const Clamp& clamp);
  void set_learning_rate_scale(double scale);
  void set_prompt(const std::string& text);
  void take_token(int token);
  void set_sampler(const SamplerSettings& settings);
  void remove_clamp(int index);
  void enable_clamp(int index, bool enabled);
  void move_clamp(int index, int to);
  void replace_clamp(int index, const Clamp& clamp);
  void add_clamps(const command::AddClamps& c);
  void hold_all(const command::HoldAll& c);
  /// `place`: where a drag goes on, see History::add.
  void edit_clamps(std::vector<Clamp> clamps, const char* name, const std::string& place = {},
                   const std::string& about = {});
  void set_variant(const command::SetVariant& c);
  void start_check();
  /// After other equations: what was said of the model is said of those, or not at all.
  void check_again();
  void forget_check();
  // Gradients: reach.cpp.
  void start_reach(const command::ComputeReach& c);
  void forget_reach();
  void ablate(bool on);
  /// What was measured of heads is said of them no more.
  void forget_worth();

  /// How a run that was just made or read is shown.
  struct Opened {
    const char* name;  ///< what was done
    bool beside = false;
    std::string path = {};
    bool in_bench = false;
    bool unsaved = false;
    std::optional<FileStamp> stamp = {};
  };

  // The bench: bench.cpp.
  /// Throws a sentence when there is none.
  LiveRun& run_with(int id) const;
  std::size_t place_of_run(const LiveRun& of) const;
  /// Brings a run on the screen.
  void focus(LiveRun& on);
  /// Gives runs that are awake places of their own behind the one on screen or, if `behind` is one
  /// of them, behind that, and shows the one at `focus`. All or none are added.
  void add_beside(std::vector<std::unique_ptr<LiveRun>> added, const char* name,
                  const LiveRun& behind, std::size_t focus = 0);
  /// Shows a bench in the place of the one of now, which is kept, or beside it.
  /// Returns their numbers.
  std::vector<int> open_bench(OpenedBench bench, const Opened& as);
  void replace_bench(std::vector<std::unique_ptr<LiveRun>> fresh, const char* name,
                     std::size_t focus);
  void duplicate_run(const command::DuplicateRun& c);
  void rename_run(const command::RenameRun& c);
  void remove_run(const command::RemoveRun& c);
  int free_colour() const;

  // A sequence that several runs share: follow.cpp.
  void follow_sequence(const command::FollowSequence& c);
  /// One of the others that share the sequence of a run; null when none does.
  LiveRun* another_in_group(const LiveRun& of) const;
  /// Has a run the tokens and the cursor of another one; if it cannot, it leaves, and that is told.
  void follow_or_leave(LiveRun& of, const LiveRun& leader);
  void leave_group(LiveRun& of, const std::string& why);
  /// Those that follow the run on screen go where it has gone.
  void sync_followers();
  void follow_as_now(const std::vector<int>& came);
  void note_other_file(const std::set<std::string>& files, const std::vector<int>& came);
  void work_on_followers();
  void describe_followers();
  /// The runs of a file share their sequences as it says: by number, 0 for one's own.
  void join_as_in_file(const std::vector<std::unique_ptr<LiveRun>>& fresh,
                       const std::vector<int>& in_file);
  void exchange(FollowBefore& before);

  // Going back: undo.cpp.
  template <typename Before>
  void remember(const char* name, Before before, const std::string& place = {},
                const std::string& about = {}) {
    history.add({.name = name, .before = std::move(before), .run = live->id, .about = about},
                Clock::now(), place);
  }
  template <typename Before>
  void remember(const char* name, std::optional<Before> before, const std::string& about = {}) {
    if (before) remember(name, std::move(*before), {}, about);
  }
  bool add_to_history(Edit edit);
  void go_back(bool redo);
  /// Puts back what an edit replaced, and into the edit what that puts away. A run that comes back
  /// is on the CPU then.
  void exchange(Edit& edit);
  void exchange(VariantBefore& before);
  void exchange(HeldBefore& before);
  /// After the equations of the run on screen have changed.
  void other_equations();
  void exchange(std::unique_ptr<LiveRun>& before);
  void exchange(BenchBefore& before);
  CellVariant variant_of(const std::string& kind) const;
  /// Runs that were just opened bring with them what could be undone when they were saved. Not
  /// where work was replaced by them: then the next thing to undo is that.
  void restore_history(const std::vector<int>& opened, bool work_was_replaced);
  /// Before the first step after an edit that brings the weights of now back when it is undone.
  void keep_numbers(const LiveRun& of);

  // Runs and files: files.cpp, saving.cpp.
  /// Shows it. The one whose place it takes is kept.
  void open(std::unique_ptr<Run> fresh, const Opened& as);
  /// Keeps a run that goes away, and takes it off its device, whole. False when Undo cannot keep
  /// it.
  bool ready_to_leave(LiveRun& of);
  /// The same, and leaves its place empty. Null when it cannot be kept. When it throws, the run
  /// stays.
  std::unique_ptr<LiveRun> set_aside(LiveRun& of);
  /// Shows a run that is awake on the CPU in the place of the one of now, if any; nothing in here
  /// can fail.
  void show(std::size_t place, std::unique_ptr<LiveRun> shown) noexcept;
  /// All that changes when another run comes on the screen.
  void look_at(LiveRun& on) noexcept;
  void limit_kept_runs();
  void use_trainer(LiveRun& of);
  std::shared_ptr<const OpenNote> note_on(const std::string& path) const;
  void open_file(const std::string& path, bool beside);
  void reopen(const std::vector<std::string>& kept, bool beside);
  void reopen_one(Reopened lost, bool beside);
  void reopen_all(std::vector<Reopened> lost, bool beside);
  /// Where it is another one than was kept last, how the runs stand is kept too.
  void keep_bench();
  void show_saved_screen();
  void tell_of_others(const char* what);
  /// What these runs say of their files.
  void tell_of_remarks(const std::vector<int>& opened);
  void open_tensors(const SafetensorsFile& file, const Opened& as);
  void save_to(const std::string& path, std::uint64_t ticket);
  /// All runs, into one file.
  void save_bench_to(const std::string& path, bool named, std::uint64_t ticket);
  /// Hands runs over to be written: the one on screen, or all of them.
  void begin_saving(Saving begun);
  /// Refuses a file in which another open run has its work, and nowhere else.
  void check_nobody_is_in(const std::string& path) const;
  /// Whether this is the file of the run on screen, and holds others too.
  bool is_bench_of_live(const std::string& path) const;
  BenchRecord bench_record(std::vector<bool>& own_numbers);
  std::string why_bench_not_saved() const;
  /// When the run is in its file, or could not be written; otherwise nothing. Returns what went
  /// wrong.
  std::string finish_save();
  void follow_autosave();
  /// A run as it is now, and whether its numbers are already copies.
  std::pair<RunRecord, bool> record_now(LiveRun& of);
  /// Hands a run as it is now to the thread that keeps it.
  void keep_run(LiveRun& of, bool replaced);
  void keep_if_due();
  void keep_and_end();

  // Model folders: opening.cpp.
  void open_folder(const command::OpenFolder& c);
  void cancel_opening();
  void show_opened_folder(std::unique_ptr<Run> run, const std::string& path, bool beside);
  /// When it is to be told again how far reading is.
  std::optional<Clock::time_point> telling_due() const;
  void follow_opening();
  /// Whether the run is still there, on screen and unchanged, whose place a large model is to take.
  bool may_take_place(const Opening& of) const;
  /// Reading is given up, and left to itself where it does not hear of that.
  void end_opening();

  // Devices: devices.cpp.
  DeviceCard card_of(Device wanted) const;
  void list_devices();
  void use_device(const std::string& name);
  /// Brings a run that has just come to where runs are put.
  void go_to_device(LiveRun& of);
  /// All runs of a card go on on the CPU with what was copied last.
  void leave_lost_device(const std::string& reason);
  void leave_device_guarded(const std::string& reason);
};

/// Calls handlers for the alternatives of a variant.
template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;  // clang 14 does not find this by itself

/// Whether a command is of one of these kinds.
template <typename... Kinds>
bool is_one_of(const Command& command) {
  return (std::holds_alternative<Kinds>(command) || ...);
}

}  // namespace xlab
