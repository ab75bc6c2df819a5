// The engine's thread: it only schedules. What a step or a token is, the run knows.
#include "core/engine.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/autosave.hpp"
#include "core/background_check.hpp"
#include "core/folder_run.hpp"
#include "core/generation.hpp"
#include "core/history.hpp"
#include "core/kept_runs.hpp"
#include "core/open_notes.hpp"
#include "core/run.hpp"
#include "core/sampler.hpp"
#include "core/sequence.hpp"
#include "core/train_loop.hpp"
#include "core/utf8.hpp"
#include "core/weights.hpp"
#include "kernels/device.hpp"

namespace xlab {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::milliseconds;

constexpr auto kPublishEvery = milliseconds(33);   // while working: about 30 pictures a second
constexpr auto kLossesEvery = milliseconds(100);   // the loss curve is copied at most this often
constexpr auto kRefreshEvery = milliseconds(100);  // live recordings while training
constexpr auto kSlice = milliseconds(8);           // of sequence work between looks at the queue
constexpr auto kReading = milliseconds(5000);      // for as long a sentence that matters stands

/// Calls handlers for the alternatives of a variant.
template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;  // clang 14 does not find this by itself

}  // namespace

/// Threads: `mutex` guards what is shared; `stop` is also read without it, to give up a training
/// step. Everything else belongs to the engine's thread.
struct Engine::Worker {
  Worker(std::function<void()> on_publish, std::string first_device, Keeping keeping)
      : on_publish(std::move(on_publish)),
        first_device(std::move(first_device)),
        autosave(std::move(keeping), [this] {
          {
            const std::lock_guard lock(mutex);
            keeping_news = true;
          }
          wake.notify_all();
        }) {
    draft.device = card_of(host_device());
    newest = std::make_shared<const Snapshot>(draft);
    thread = std::thread([this] { work(); });
  }
  ~Worker() {
    ask_to_stop({}, false);
    if (thread.joinable()) thread.join();
  }

  /// Returns the number of the command, counted from 1.
  std::uint64_t accept(std::optional<Command> command) {
    std::uint64_t ticket = 0;
    {
      const std::lock_guard lock(mutex);
      queue.push_back(std::move(command));
      ticket = ++accepted;
    }
    wake.notify_all();
    return ticket;
  }

  void ask_to_stop(const std::string& save_path, bool keep) {
    {
      const std::lock_guard lock(mutex);
      stop = true;
      if (!save_path.empty()) final_path = save_path;
      keep_at_end = keep_at_end || keep;
    }
    wake.notify_all();
  }

  // Shared with other threads.
  std::function<void()> on_publish;
  mutable std::mutex mutex;
  std::condition_variable wake, finished;
  /// Nothing instead of a command: somebody waits for what was sent before.
  std::deque<std::optional<Command>> queue;
  std::atomic<bool> stop = false;
  std::string final_path;
  bool keep_at_end = false;
  std::string final_screen;
  std::string final_error;
  std::shared_ptr<const Snapshot> newest;
  bool check_news = false;               // the self-check has found something out
  bool keeping_news = false;             // a run was kept or could not be
  std::uint64_t accepted = 0, done = 0;  // commands sent; commands whose effect was published
  bool ended = false;

  // The engine's own.
  const std::string first_device;
  Device device = Device::cpu();  // where runs are put
  Autosave autosave;
  OpenNote open_note;                  // on the run's file
  std::optional<FileStamp> run_stamp;  // of the run's file when it was read or written last
  std::unique_ptr<Run> run;
  std::unique_ptr<Sequence> sequence;
  WritableTokens writable;              // of the run
  std::string text_end;                 // why the model's text ends here; empty: it goes on
  std::unique_ptr<Sequence> refreshed;  // being computed with newer weights, shown when complete
  std::deque<std::optional<Command>> pending;
  std::uint64_t applied = 0;
  Clock::time_point refreshed_at{}, refresh_started{};
  std::int64_t sequence_step = 0;  // training step whose weights the sequence shows
  bool training = false;
  TrainLoop loop;
  bool playing = false;
  bool play_to_end = false;
  bool play_waits = false;  // for the sequence to be computed
  double play_speed = 4.0;
  Clock::time_point next_play{};
  int cursor = -1;
  int focus_block = 0;
  History history;
  std::uint64_t weights_id = 0, last_weights_id = 0;  // other weights have another number
  BackgroundCheck checks{[this] {
    {
      const std::lock_guard lock(mutex);
      check_news = true;
    }
    wake.notify_all();
  }};
  /// The run on its way into its file.
  struct Saving {
    std::string path;
    std::int64_t step = 0;
    std::uint64_t changes = 0;  // of the run until then
  };
  std::optional<Saving> saving;
  std::uint64_t changes = 0;  // of the runs so far, by hand or by training
  std::string must_know;      // see `tell`
  Clock::time_point told{};
  Snapshot draft;  // what the next snapshot starts from
  bool dirty = true, urgent = true;
  Clock::time_point published{}, losses_published{};
  std::size_t losses_shown = 0;
  std::thread thread;

  // ---- the loop
  // -----------------------------------------------------------------------------------

  void work() {
    // Asking the driver takes a while, so the window does not wait for it.
    list_devices();
    guarded("device", [&] { device = device_named(first_device); });
    while (take_commands()) {
      while (!pending.empty() && !must_wait(pending.front())) {
        std::optional<Command> command = std::move(pending.front());
        pending.pop_front();
        ++applied;
        if (!command) continue;
        // What the window says of itself changes nothing that it shows.
        const bool shows = !std::holds_alternative<command::SetScreen>(*command);
        apply(std::move(*command));
        if (shows) urgent = dirty = true;
      }
      work_on_sequence();
      publish_if_due();
      if (settled()) {
        const std::lock_guard lock(mutex);
        done = applied;
        finished.notify_all();
      }
      keep_if_due();
      // Last, so that nobody waits for a training step to see what a command did.
      if (training && !weights_in_use()) train_one();
    }
    if (saving) {
      autosave.finish();
      final_error = finish_save();
    }
    if (!final_path.empty() && run && draft.unsaved) {
      final_error.clear();
      try {
        store(final_path);
      } catch (const std::exception& e) {
        final_error = e.what();
      }
    }
    if (keep_at_end) keep_and_end();
    const std::lock_guard lock(mutex);
    ended = true;
    finished.notify_all();
  }

  /// Moves what was sent to `pending`; waits for it when there is nothing to do. False: stop.
  bool take_commands() {
    bool kept = false;
    {
      std::unique_lock lock(mutex);
      const auto wanted = [&] { return stop || !queue.empty() || check_news || keeping_news; };
      if (!busy()) {
        std::optional<Clock::time_point> until = autosave.due();
        if (playing) until = until ? std::min(*until, next_play) : next_play;
        if (until) {
          wake.wait_until(lock, *until, wanted);
        } else {
          wake.wait(lock, wanted);
        }
      }
      kept = std::exchange(keeping_news, false);
      take_queue();
      if (std::exchange(check_news, false)) {
        draft.health = checks.report();
        urgent = dirty = true;
      }
    }
    if (kept) follow_autosave();
    return !stop;
  }

  /// What there is no memory for stays in the queue.
  void take_queue() {
    if (pending.empty()) {
      pending.swap(queue);
      return;
    }
    try {
      for (; !queue.empty(); queue.pop_front()) pending.push_back(std::move(queue.front()));
    } catch (const std::bad_alloc&) {
    }
  }

  void follow_autosave() {
    if (const std::string problem = autosave.take_news(); !problem.empty())
      fail("autosave", problem);
    guarded("save", [&] { finish_save(); });
  }

  /// Whether there is work that nobody has to ask for again.
  bool busy() const {
    return training || sequence_outstanding() || stale() || dirty ||
           (!pending.empty() && !waits_for_file());
  }
  /// Whether everything asked for so far can be seen. Training never ends by itself and is no
  /// reason to wait.
  bool settled() const {
    return pending.empty() && !saving && !sequence_outstanding() &&
           (training ? !urgent : !dirty && !stale());
  }
  bool sequence_outstanding() const { return sequence && !sequence->complete(); }
  /// Whether the sequence shows older weights than those of now.
  bool stale() const { return run && sequence_step != run->trainer->steps_done(); }

  /// A sequence is computed with one set of weights: while one is being computed or waits to be
  /// gone on with, training waits.
  bool weights_in_use() const {
    return sequence_outstanding() || refreshed || (playing && play_waits) ||
           (!pending.empty() && !waits_for_file());
  }

  void work_on_sequence() {
    if (!run) return;
    if (!sequence_outstanding() && playing && Clock::now() >= next_play) {
      guarded("play", [&] { play_one(); });
    }
    if (sequence_outstanding()) {
      compute_slice();
    } else {
      refresh_if_due();
    }
  }

  void compute_slice() {
    const auto until = Clock::now() + kSlice;
    guarded(
        "sequence",
        [&] {
          while (!stop && Clock::now() < until && sequence->compute_one()) {
          }
        },
        // What failed would fail again: the rest is given up.
        [&] {
          sequence->truncate(sequence->computed());
          cursor = std::min(cursor, last_position());
        });
    dirty = true;
    if (sequence->complete()) urgent = true;
  }

  void train_one() {
    guarded(
        "train", [&] { train_one_unguarded(); }, [&] { end_training(TrainState::failed); });
  }

  void end_training(TrainState state) {
    training = false;
    draft.train.state = state;
  }

  void train_one_unguarded() {
    keep_numbers();
    try {
      loop.step(*run);
    } catch (const Cancelled&) {
      return;  // the engine stops
    }
    weights_id = ++last_weights_id;
    dirty = true;
    draft.unsaved = true;
    ++changes;
    autosave.trained();
    if (loop.too_many_bad()) {
      throw Error(fmt::format("Training paused after step {}: {}{}", loop.last().step + 1,
                              loop.bad_steps_text(), advice_on_bad_steps()));
    }
    if (training && loop.reached_end(*run)) end_training(TrainState::finished);
  }

  /// The rest of the sentence: why, as far as it is known, and what to do about it.
  std::string advice_on_bad_steps() const {
    if (!run->losses.empty() && glance_at(run->model->params()).not_finite.empty())
      return ". The weights are those before them; lower the learning rate and start again.";
    return fmt::format(", {}. The weights are as they were.", why_steps_are_bad(*run));
  }

  /// Before the first step after an edit that brings the weights of now back when it is undone.
  void keep_numbers() {
    if (!history.wants_numbers()) return;
    if (!history.has_room_for_numbers(bytes_of_trained_numbers(*run))) {
      history.go_without_numbers();
      tell(
          "The weights from before the change of the equations are too large to be kept: Undo "
          "brings "
          "the equations back, but not these weights.");
      return;
    }
    try {
      const std::vector<std::string> forgotten =
          history.take_numbers(trained_numbers(*run, weights_id));
      if (forgotten.empty()) return;
      const std::string which =
          forgotten.size() == 1
              ? fmt::format("'{}' before that", forgotten.front())
              : fmt::format("the {} edits before that, from '{}' back to '{}',", forgotten.size(),
                            forgotten.front(), forgotten.back());
      tell(fmt::format(
          "The weights from before the change of the equations are kept for Undo. There "
          "was no memory left for what is older: {} can no longer be undone.",
          which));
    } catch (const DeviceLost&) {
      throw;
    } catch (const std::exception&) {
      history.go_without_numbers();
      tell(
          "There is no memory for the weights from before the change of the equations: Undo brings "
          "the equations back, but not these weights.");
    }
  }

  /// Computes what is on screen again with the weights of now: at once when training stands, else
  /// at most a fifth of the time and ten times a second.
  void refresh_if_due() {
    if (!stale() || (training && Clock::now() < refreshed_at)) return;
    if (!refreshed) {
      refreshed = std::make_unique<Sequence>(*sequence);
      refreshed->invalidate();
      refresh_started = Clock::now();
    }
    const auto until = Clock::now() + kSlice;
    guarded(
        "refresh",
        [&] {
          while (!stop && Clock::now() < until && refreshed->compute_one()) {
          }
        },
        [&] { refreshed->truncate(refreshed->computed()); });
    if (!refreshed || !refreshed->complete()) return;  // none is left when a card was lost
    sequence = std::move(refreshed);
    cursor = std::min(cursor, last_position());
    sequence_step = run->trainer->steps_done();
    guarded("refresh", [&] { sequence->prepare_cursor(cursor); });
    const auto spent = Clock::now() - refresh_started;
    refreshed_at = Clock::now() + std::max<Clock::duration>(kRefreshEvery, 4 * spent);
    new_trace();
  }

  // ---- the sequence
  // -------------------------------------------------------------------------------

  void new_trace() {
    ++draft.trace_id;
    text_end.clear();
    dirty = true;
  }

  /// Before the sequence changes: nothing half-refreshed stays, and stale recordings are made
  /// again.
  void before_edit() {
    refreshed.reset();
    if (sequence_step != run->trainer->steps_done()) {
      sequence->invalidate();
      sequence_step = run->trainer->steps_done();
    }
  }

  int last_position() const { return sequence->length() - 1; }

  /// Whether stepping forward would generate a token from a sequence that is not computed yet.
  bool must_compute_first() {
    if (!run || cursor < last_position()) return false;
    before_edit();
    return !sequence->complete();
  }

  /// Whether the next command has to wait until the run is in its file: it takes another run, or
  /// needs a file.
  bool waits_for_file() const {
    using namespace command;
    if (!saving || pending.empty() || !pending.front()) return false;
    const Command& next = *pending.front();
    const auto is_one_of = [&]<typename... Kinds>(Kinds...) {
      return (std::holds_alternative<Kinds>(next) || ...);
    };
    return is_one_of(OpenRun{}, OpenText{}, OpenFolder{}, NewRun{}, ReopenRun{}, RestartRun{},
                     NewSeed{}, Save{}) ||
           (is_one_of(Undo{}) && history.undo_shows_run()) ||
           (is_one_of(Redo{}) && history.redo_shows_run());
  }

  bool must_wait(const std::optional<Command>& command) {
    if (!command) return false;
    if (waits_for_file()) return true;
    if (std::holds_alternative<command::StepForward>(*command)) return must_compute_first();
    return std::holds_alternative<command::TrainOneStep>(*command) && sequence_outstanding();
  }

  void generate_one() {
    const auto& steps = sequence->edited().steps();
    check(!steps.empty(), "There is nothing to continue: set a prompt first.");
    if (!text_end.empty()) throw Error(text_end);
    const auto token = next_token(steps.back().logits, writable, run->sampler,
                                  static_cast<std::uint64_t>(steps.size()));
    if (!token) {
      text_end = end_of_text(draft.model->vocabulary[static_cast<std::size_t>(writable.end)]) +
                 " Take another token, choose another way of drawing or write past the end to go "
                 "on.";
      playing = false;
      dirty = true;
      return;
    }
    sequence->append(*token);
    sequence->compute_all();
    cursor = last_position();
    changed();
    new_trace();
  }

  void step_forward() {
    if (cursor < last_position()) {
      ++cursor;
    } else {
      generate_one();
    }
  }

  void play_one() {
    play_waits = !play_to_end && must_compute_first();
    if (play_waits) return;
    if (play_to_end && cursor >= last_position()) {
      playing = false;
    } else {
      try {
        step_forward();
      } catch (...) {
        playing = false;
        throw;
      }
      if (play_to_end && cursor >= last_position()) playing = false;
    }
    next_play = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                   duration<double>(1.0 / std::clamp(play_speed, 0.1, 1000.0)));
    urgent = dirty = true;
  }

  void set_clamps(std::vector<Clamp> clamps) {
    before_edit();
    sequence->set_clamps(std::move(clamps));
    changed();
    new_trace();
  }

  /// The same by a person. `place`: where a drag goes on, see History::add.
  void edit_clamps(std::vector<Clamp> clamps, const char* name, const std::string& place = {}) {
    std::vector<Clamp> before = sequence->edited().clamps();
    if (before == clamps) return;
    set_clamps(std::move(clamps));
    remember(name, std::move(before), place);
  }

  // ---- commands
  // -----------------------------------------------------------------------------------

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

  void leave_device_guarded(const std::string& reason) {
    try {
      leave_lost_device(reason);
    } catch (const std::exception& e) {
      // There is no memory for the run on the CPU either: what the file holds is what is left.
      end_training(TrainState::failed);
      fail("device", fmt::format("{} The run could not go on on the CPU: {}", reason, e.what()));
    }
  }

  void fail(const std::string& where, const std::string& what) {
    draft.failure = {draft.failure.id + 1, where, what};
    urgent = dirty = true;
  }

  /// Tells what was done.
  void note(const std::string& text) {
    if (Clock::now() - told > kReading) must_know.clear();
    draft.notice = must_know.empty() ? text : must_know + " " + text;
    ++draft.notice_id;
  }

  /// Tells what somebody must know: notes that come soon after do not take its place but stand
  /// behind it.
  void tell(const std::string& sentence) {
    if (Clock::now() - told > kReading) must_know.clear();
    if (must_know.find(sentence) == std::string::npos)
      must_know += (must_know.empty() ? "" : " ") + sentence;
    told = Clock::now();
    draft.notice = must_know;
    ++draft.notice_id;
  }

  /// Something is different now from what the run's file holds.
  void changed() {
    draft.unsaved = true;
    ++changes;
    autosave.changed();
  }

  /// Shows a run that was just made or read. The one before is kept, `name` says what was done.
  void open(std::unique_ptr<Run> fresh, const std::string& path, const char* name,
            bool unsaved = false, std::optional<FileStamp> stamp = {}) {
    const bool replaces = run != nullptr;
    ShownRun shown;
    shown.saved_step = fresh->trainer->steps_done();
    shown.cursor = fresh->session->length() > 0 ? std::max(fresh->cursor, 0) : -1;
    shown.weights_id = ++last_weights_id;
    shown.path = path;
    shown.stamp = stamp;
    shown.unsaved = unsaved;
    shown.run = std::move(fresh);
    Scene scene = scene_of(shown);
    Edit edit{.name = name, .before = {}};
    std::optional<ShownRun> before = set_aside();
    show(std::move(shown), std::move(scene));
    const bool kept = !replaces || (before && add_to_history(std::move(edit), std::move(*before)));
    if (!kept) history.clear();  // what it holds is of a run that is gone
    go_to_device();
    if (!kept) tell("The run before could not be kept: there is no way back to it with Undo.");
    limit_kept_runs();
  }

  bool add_to_history(Edit edit, ShownRun before) {
    edit.before = std::move(before);
    try {
      return history.add(std::move(edit), Clock::now());
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  /// Who opens one run after the other does not fill the disk with all of them.
  void limit_kept_runs() {
    std::vector<int> needed = history.kept_runs();
    needed.push_back(run->kept_as);
    autosave.limit_replaced(2 * History::kMostRuns, std::move(needed));
  }

  /// Takes the run off the screen and off its device, whole. Nothing when there is none, or when it
  /// cannot be kept. When it throws, the run stays.
  std::optional<ShownRun> set_aside() {
    if (!run) return {};
    if (draft.unsaved) guarded("autosave", [&] { keep_run(true); });
    if (memory_of(*run) > History::kMostBytes) return {};
    sequence->store_into(*run->session);
    ShownRun aside;
    aside.path = draft.run_path;
    training = playing = false;
    refreshed.reset();
    checks.stop();
    guarded("device", [&] {
      run->trainer->rest();
      move_run(*run, Device::cpu());
    });
    if (run->model->device() != Device::cpu()) return {};
    aside.stamp = run_stamp;
    aside.unsaved = draft.unsaved;
    aside.saved_step = draft.train.saved_step;
    aside.cursor = cursor;
    aside.focus_block = focus_block;
    aside.samples_taken = samples_taken;
    aside.step_limit = loop.last_step;
    aside.last_step = loop.last();
    aside.weights_id = weights_id;
    aside.run = std::move(run);
    return aside;
  }

  /// The run could not be set aside, so it stays: what was kept of it is not that of a replaced
  /// one.
  void go_on_after_all() {
    if (!training && draft.train.state == TrainState::running) end_training(TrainState::idle);
    if (draft.unsaved) autosave.changed();
  }

  /// What is shown of a run besides its numbers: complete before the run before it is given up.
  struct Scene {
    std::unique_ptr<Sequence> sequence;
    std::shared_ptr<const ModelCard> model;
    std::shared_ptr<const DataCard> data;
    WritableTokens writable;
    std::string path, cannot_train, cannot_sample;
    std::optional<OpenNote> note;  // where the file is another one than now
  };
  Scene scene_of(const ShownRun& shown) const {
    const Run& of = *shown.run;
    Scene scene;
    scene.sequence = std::make_unique<Sequence>(*of.session);
    scene.model = model_card(of);
    scene.data = data_card(of);
    scene.writable = writable_tokens(*of.task, of.model->spec());
    scene.path = shown.path;
    scene.cannot_train = why_not_trained(of);
    scene.cannot_sample = why_no_samples(of);
    scene.note = note_on(shown.path);
    return scene;
  }

  /// Shows a run on the CPU in the place of the one of now; nothing in here can fail.
  void show(ShownRun shown, Scene scene) noexcept {
    run = std::move(shown.run);
    use_trainer();
    training = playing = false;
    loop.begin(shown.last_step);
    loop.copy.drop();
    loop.last_step = shown.step_limit;
    samples_taken = shown.samples_taken;
    weights_id = shown.weights_id;
    refreshed.reset();
    sequence = std::move(scene.sequence);
    sequence_step = run->trainer->steps_done();
    cursor = std::min(shown.cursor, last_position());
    focus_block = shown.focus_block;
    set_file(std::move(scene.path), shown.stamp, std::move(scene.note));
    draft.screen = nullptr;
    draft.unsaved = shown.unsaved;
    ++changes;
    autosave.saved();
    // What was kept of it says that another run took its place.
    if (shown.unsaved) autosave.changed();
    ++draft.run_id;
    checks.stop();
    draft.health = nullptr;
    draft.model = std::move(scene.model);
    draft.data = std::move(scene.data);
    writable = std::move(scene.writable);
    draft.train = {};
    draft.train.saved_step = shown.saved_step;
    draft.train.cannot_train = std::move(scene.cannot_train);
    draft.session.cannot_sample = std::move(scene.cannot_sample);
    losses_shown = static_cast<std::size_t>(-1);
    new_trace();
  }

  /// Brings a run that was just shown to where runs are put.
  void go_to_device() {
    guarded("device", [&] {
      move_to(device);
      if (run->model->device() != Device::cpu() && loop.copy.empty()) loop.copy.take(*run);
    });
    draft.device = card_of(run->model->device());
  }

  // ---- devices
  // -----------------------------------------------------------------------------------

  static DeviceCard card_of(const DeviceInfo& info) {
    return {name_of(info.device), info.name, info.memory_bytes};
  }

  DeviceCard card_of(Device wanted) const {
    for (const DeviceCard& card : *draft.devices) {
      if (card.id == name_of(wanted)) return card;
    }
    return {name_of(wanted), name_of(wanted), 0};
  }

  void list_devices() {
    std::vector<DeviceCard> cards;
    for (const DeviceInfo& info : devices()) cards.push_back(card_of(info));
    draft.no_cuda = cards.size() > 1 ? "" : why_no_cuda();
    draft.devices = std::make_shared<const std::vector<DeviceCard>>(std::move(cards));
  }

  /// Moves the run; when that fails it stays where it was.
  void move_to(Device wanted) {
    if (run->model->device() == wanted) return;
    refreshed.reset();
    loop.copy.take(*run);
    move_run(*run, wanted);
    if (wanted == Device::cpu()) loop.copy.drop();
    // Recordings of another device may differ in their last digits.
    sequence->invalidate();
    sequence_step = run->trainer->steps_done();
    new_trace();
  }

  void use_device(const std::string& name) {
    const Device wanted = device_named(name);
    if (run) move_to(wanted);
    device = wanted;
    draft.device = card_of(wanted);
    note(fmt::format("Computing on: {}", draft.device.name));
  }

  /// Goes on on the CPU with what was copied last.
  void leave_lost_device(const std::string& reason) {
    device = Device::cpu();
    list_devices();
    draft.device = card_of(device);
    if (!run || run->model->device() == Device::cpu()) {
      fail("device", reason);
      return;
    }
    const std::int64_t reached = run->trainer->steps_done();
    refreshed.reset();
    sequence->store_into(*run->session);
    run = loop.revive(*run);
    use_trainer();
    weights_id = ++last_weights_id;
    sequence = std::make_unique<Sequence>(*run->session);
    sequence_step = run->trainer->steps_done();
    cursor = std::min(cursor, last_position());
    losses_shown = static_cast<std::size_t>(-1);
    new_trace();
    const std::int64_t steps = reached - run->trainer->steps_done();
    fail("device",
         fmt::format("{} The run goes on on the CPU{}", reason,
                     steps == 0 ? "; nothing is lost."
                                : fmt::format(" from step {}: {} step{} of training "
                                              "{} lost.",
                                              run->trainer->steps_done(), steps,
                                              steps == 1 ? "" : "s", steps == 1 ? "is" : "are")));
  }

  void need_run() const { check(run != nullptr, "There is no run: open a file or a task first."); }

  static bool in_one_place(const Clamp& a, const Clamp& b) {
    return a.path == b.path && a.head == b.head && a.unit == b.unit && a.begin == b.begin &&
           a.end == b.end;
  }

  /// The clamps of now, of which there is one with this number.
  std::vector<Clamp> clamps_with(int index) const {
    const std::vector<Clamp>& clamps = sequence->edited().clamps();
    check(index >= 0 && index < static_cast<int>(clamps.size()), "There is no clamp number {}.",
          index);
    return clamps;
  }

  void replace_clamp(int index, const Clamp& clamp) {
    check(std::isfinite(clamp.value), "A clamp needs a finite number.");
    check(clamp.begin < clamp.end, "A clamp from step {} to step {} holds nothing.", clamp.begin,
          clamp.end - 1);
    std::vector<Clamp> clamps = clamps_with(index);
    // Another one on the same place stays: who drags an end over it takes nothing away with that.
    clamps[static_cast<std::size_t>(index)] = clamp;
    edit_clamps(std::move(clamps), "changing a clamp", fmt::format("clamp {}", index));
  }

  void set_clamp(const Clamp& clamp) {
    check(std::isfinite(clamp.value), "A clamp needs a finite number.");
    std::vector<Clamp> clamps = sequence->edited().clamps();
    // The last one is the one that counts.
    const auto same = std::find_if(clamps.rbegin(), clamps.rend(),
                                   [&](const Clamp& c) { return in_one_place(c, clamp); });
    if (same != clamps.rend()) {
      *same = clamp;
    } else {
      clamps.push_back(clamp);
    }
    edit_clamps(
        std::move(clamps), "clamp",
        fmt::format("{} {} {} {} {}", clamp.path, clamp.head, clamp.unit, clamp.begin, clamp.end));
  }

  // ---- files
  // -----------------------------------------------------------------------------------

  void use_trainer() {
    run->trainer->cancel = &stop;
    run->trainer->before_update = [this] { autosave.settle(); };
  }

  void note_place() {
    sequence->store_into(*run->session);
    run->cursor = cursor;
  }

  void store(const std::string& path) {
    note_place();
    try {
      save_run(*run, path);
    } catch (const DeviceLost& e) {
      leave_lost_device(e.what());
      save_run(*run, path);
    }
  }

  /// A note on this file, unless it is the run's already.
  std::optional<OpenNote> note_on(const std::string& path) const {
    if (path.empty()) return OpenNote();
    if (path == draft.run_path) return {};
    return OpenNote(autosave.root(), path);
  }

  /// From now on this is the run's file. `note`: see note_on.
  void set_file(std::string path, std::optional<FileStamp> stamp,
                std::optional<OpenNote> note) noexcept {
    if (note) open_note = std::move(*note);
    draft.run_path = std::move(path);
    run_stamp = stamp;
  }

  void tell_of_others(const char* what) {
    if (!open_note.others()) return;
    fail("file", fmt::format("'{}' is open in another window too. {}", draft.run_path, what));
  }

  void save_to(const std::string& path) {
    const std::string target = path.empty() ? draft.run_path : path;
    check(!target.empty(), "The run has no file yet: choose a name to save it under.");
    const auto stands = stamp_of(target);
    check(!path.empty() || !stands || !run_stamp || stands == run_stamp,
          "'{}' was changed by another program since this run was opened or saved here, and is not "
          "overwritten. Save this run under another name with Save as.",
          target);
    Saving begun{.path = target, .step = run->trainer->steps_done(), .changes = changes};
    const auto write = [&] {
      auto [record, own_numbers] = record_now();
      autosave.save(std::move(record), target, own_numbers);
    };
    try {
      write();
    } catch (const DeviceLost& e) {
      leave_lost_device(e.what());
      begun.step = run->trainer->steps_done();
      write();
    }
    saving = std::move(begun);
    autosave.saved();
  }

  /// When the run is in its file, or could not be written; otherwise nothing. Returns what went
  /// wrong.
  std::string finish_save() {
    const std::optional<Autosave::Saved> saved = saving ? autosave.take_saved() : std::nullopt;
    if (!saved) return {};
    const Saving done = *std::exchange(saving, {});
    urgent = dirty = true;
    if (!saved->problem.empty()) {
      if (draft.unsaved) autosave.changed();
      fail("save", saved->problem);
      return saved->problem;
    }
    set_file(done.path, saved->stamp, note_on(done.path));
    draft.train.saved_step = done.step;
    history.file_written(done.path, run_stamp);
    ++draft.saves;
    if (changes == done.changes) {
      draft.unsaved = false;
      autosave.saved();
      autosave.drop(run->kept_as);
    }
    note(fmt::format("Saved to {}", done.path));
    tell_of_others("It has what was saved here only when it opens the file again.");
    return {};
  }

  void show_saved_screen() {
    if (!run->screen.empty()) draft.screen = std::make_shared<const std::string>(run->screen);
  }

  void open_file(const std::string& path) {
    const auto stamp = stamp_of(path);
    open(load_run(path), path, "opening a run", false, stamp);
    show_saved_screen();
    tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
  }

  void reopen(const std::string& kept) {
    Reopened lost = load_kept_run(kept);
    lost.run->kept_as = autosave.next_number();
    open(std::move(lost.run), lost.about.run_path, "reopening a run", true, lost.about.stamp);
    draft.train.saved_step = lost.about.saved_step;
    show_saved_screen();
    guarded("autosave", [&] { autosave.adopt(lost.about, run->kept_as); });
    if (!lost.problem.empty()) fail("file", lost.problem);
    tell_of_others("What is saved here is not seen there: to keep both, use Save as.");
  }

  /// The run as it is now, and whether its numbers are already copies.
  std::pair<RunRecord, bool> record_now() {
    note_place();
    return loop.record(*run);
  }

  /// Hands the run as it is now to the thread that keeps it.
  void keep_run(bool replaced) {
    if (!autosave.keeps() || !run->model->params().trainable()) {
      autosave.saved();
      return;
    }
    auto [record, own_numbers] = record_now();
    if (run->kept_as == 0) run->kept_as = autosave.next_number();
    autosave.keep(std::move(record),
                  {.file = {},
                   .number = run->kept_as,
                   .title = run->task->title(),
                   .run_path = draft.run_path,
                   .step = run->trainer->steps_done(),
                   .saved_step = draft.train.saved_step,
                   .replaced = replaced,
                   .stamp = run_stamp,
                   .text = {}},
                  own_numbers);
  }

  void keep_if_due() {
    const auto due = autosave.due();
    if (!due || Clock::now() < *due) return;
    if (!draft.unsaved) {
      autosave.saved();
      return;
    }
    guarded(
        "autosave", [&] { keep_run(false); },
        [&] {
          // Not at once again, but later.
          autosave.saved();
          autosave.trained();
        });
  }

  void keep_and_end() {
    if (run && !final_screen.empty()) run->screen = final_screen;
    if (run && draft.unsaved) guarded("autosave", [&] { keep_run(false); });
    autosave.end();
    final_error = autosave.take_news();
  }

  /// What a command is about, for `Failure::where`.
  static const char* place_of(const Command& command) {
    using namespace command;
    const auto is_one_of = [&]<typename... Kinds>(Kinds...) {
      return (std::holds_alternative<Kinds>(command) || ...);
    };
    if (is_one_of(OpenRun{}, ReopenRun{}, OpenText{}, OpenFolder{}, NewRun{})) return "open";
    if (is_one_of(Save{})) return "save";
    if (is_one_of(ExportFolder{})) return "export";
    if (is_one_of(SetPrompt{}, NewSample{}, TakeToken{}, StepForward{})) return "sequence";
    if (is_one_of(UseDevice{})) return "device";
    return "command";
  }

  void apply(Command command) {
    using namespace command;
    const bool needs_run =
        !std::holds_alternative<OpenRun>(command) && !std::holds_alternative<OpenText>(command) &&
        !std::holds_alternative<OpenFolder>(command) && !std::holds_alternative<NewRun>(command) &&
        !std::holds_alternative<ReopenRun>(command) &&
        !std::holds_alternative<SetScreen>(command) &&
        !std::holds_alternative<UseDevice>(command) &&
        !std::holds_alternative<SetPlaySpeed>(command);
    guarded(place_of(command), [&] {
      if (needs_run) need_run();
      std::visit(
          Overloaded{
              [&](const OpenRun& c) {
                if (c.bytes) {
                  open(load_run(parse_safetensors(*c.bytes, c.path)), "", "opening a run");
                  show_saved_screen();
                } else {
                  open_file(c.path);
                }
              },
              [&](const OpenFolder& c) {
                const auto folder = model_folder_of(c.path);
                check(folder.has_value(),
                      "'{}' is no model folder: it has no config.json and no weights.", c.path);
                open(open_folder_run(*folder), "", "opening a model");
                note(fmt::format("Opened the model in {}{}{}", c.path,
                                 run->remark.empty() ? "" : ". ", run->remark));
              },
              [&](const ExportFolder& c) {
                export_run(*run, c.path);
                note(fmt::format("Exported the model to {}", c.path));
              },
              [&](const OpenText& c) { open_text(c); },
              [&](const NewRun& c) { new_run(c); },
              [&](const UseDevice& c) { use_device(c.id); },
              [&](const ReopenRun& c) { reopen(c.kept); },
              [&](const Save& c) { save_to(c.path); },
              [&](const SetScreen& c) {
                check(c.text.size() <= Run::kMostScreenBytes && !find_invalid_utf8(c.text),
                      "What the window says of itself is not saved: it is no text, or too long.");
                if (run) run->screen = c.text;
              },
              [&](const Train&) {
                need_training();
                training = true;
                draft.train.state = TrainState::running;
                if (loop.reached_end(*run)) loop.last_step = 0;
              },
              [&](const Pause&) { end_training(TrainState::idle); },
              [&](const TrainOneStep&) {
                need_training();
                end_training(TrainState::idle);
                refreshed.reset();
                train_one();
              },
              [&](const SetLearningRateScale& c) {
                check(std::isfinite(c.scale) && c.scale >= 0.0 && c.scale <= 1000.0,
                      "The learning rate factor is {}; it must lie between 0 and 1000.", c.scale);
                const double before = std::exchange(run->trainer->learning_rate_scale, c.scale);
                if (before == c.scale) return;
                remember("learning rate", before, "learning rate");
                changed();
              },
              [&](const SetStepLimit& c) { loop.last_step = std::max<std::int64_t>(c.steps, 0); },
              [&](const RestartRun&) { restart(run->trainer->spec().seed, "restart"); },
              [&](const NewSeed&) { restart(run->trainer->spec().seed + 1, "new seed"); },
              [&](const SetPrompt& c) {
                std::vector<int> tokens = prompt_tokens(*run, c.text);
                check(!tokens.empty(), "The prompt is empty: type at least one token.");
                show_tokens(std::move(tokens), "new prompt");
              },
              [&](const NewSample&) { new_sample(); },
              [&](const SetCursor& c) {
                cursor = std::clamp(c.step, sequence->length() > 0 ? 0 : -1, last_position());
              },
              [&](const StepForward&) {
                playing = false;
                step_forward();
              },
              [&](const StepBack&) {
                playing = false;
                cursor = std::max(cursor - 1, sequence->length() > 0 ? 0 : -1);
              },
              [&](const Play&) {
                play_to_end = cursor < last_position();
                playing = true;
                next_play = Clock::now();
              },
              [&](const StopPlaying&) { playing = false; },
              [&](const SetPlaySpeed& c) {
                check(std::isfinite(c.tokens_per_second) && c.tokens_per_second > 0.0,
                      "The playing speed must be larger than 0.");
                play_speed = c.tokens_per_second;
              },
              [&](const Rewind&) {
                playing = false;
                cursor = sequence->length() > 0 ? 0 : -1;
              },
              [&](const TakeToken& c) { take_token(c.token); },
              [&](const SetSampler& c) {
                validate(c.settings);
                const SamplerSettings before = std::exchange(run->sampler, c.settings);
                if (before == c.settings) return;
                remember("sampler", before, "sampler");
                text_end.clear();
                changed();
              },
              [&](const SetVariant& c) {
                VariantBefore before{.kind = c.kind, .variant = variant_of(c.kind), .numbers = {}};
                run->model->set_variant(c.kind, c.variant);
                if (before.variant == variant_of(c.kind)) return;
                remember("variant", std::move(before));
                weights_changed();
              },
              [&](const Selfcheck&) { start_check(); },
              [&](const Focus& c) { focus_block = c.block; },
              [&](const SetClamp& c) { set_clamp(c.clamp); },
              [&](const ReplaceClamp& c) { replace_clamp(c.index, c.clamp); },
              [&](const RemoveClamp& c) {
                std::vector<Clamp> clamps = clamps_with(c.index);
                clamps.erase(clamps.begin() + c.index);
                edit_clamps(std::move(clamps), "removing a clamp");
              },
              [&](const EnableClamp& c) {
                std::vector<Clamp> clamps = clamps_with(c.index);
                clamps[static_cast<std::size_t>(c.index)].enabled = c.enabled;
                edit_clamps(std::move(clamps), "switching a clamp");
              },
              [&](const ClearClamps&) { edit_clamps({}, "clearing clamps"); },
              [&](const Undo&) { go_back(false); },
              [&](const Redo&) { go_back(true); },
          },
          command);
    });
  }

  void need_training() const {
    if (const std::string reason = why_not_trained(*run); !reason.empty()) throw Error(reason);
  }

  void new_run(const command::NewRun& c) {
    RunSpec spec;
    if (!c.spec_json.empty()) spec = run_spec_from_json(c.spec_json);
    std::unique_ptr<Task> task = make_task(c.task);
    if (!c.from_model) {
      open(make_run(std::move(task), spec), "", "new run");
      return;
    }
    need_run();
    check(!spec.model, "A new run with the present model has that model: give \"train\" alone.");
    open(make_run_from(*run, std::move(task), spec.train), "", "new run", true);
  }

  void open_text(const command::OpenText& c) {
    if (c.from_model) need_run();
    OpenedText opened = text_of(c);
    auto task = make_text_task(std::move(opened.text));
    open(c.from_model ? make_run_from(*run, std::move(task)) : make_run(std::move(task)), "",
         "opening a text", c.from_model);
    if (!opened.notice.empty()) note(opened.notice);
  }

  OpenedText text_of(const command::OpenText& c) const {
    const TextData* shown = run ? run->task->text() : nullptr;
    check(!c.path.empty() || shown, "There is no text to read again: open one first.");
    std::shared_ptr<const Tokenizer> tokenizer = c.from_model ? run->task->tokenizer() : nullptr;
    const bool models_own = tokenizer != nullptr;
    if (!models_own && c.tokenizer == "characters" && !c.path.empty())
      return xlab::open_text(c.path);
    if (!models_own) tokenizer = tokenizer_named(c.tokenizer);
    OpenedText opened;
    opened.text = c.path.empty() ? read_again(*shown, std::move(tokenizer))
                                 : read_text(c.path, std::move(tokenizer));
    opened.text.tokenizer_name = !models_own ? c.tokenizer
                                 : shown     ? shown->tokenizer_name
                                             : std::string();
    return opened;
  }

  void restart(std::uint64_t seed, const char* name) {
    sequence->store_into(*run->session);
    open(restart_run(*run, seed), draft.run_path, name, true, run_stamp);
  }

  // ---- going back
  // ----------------------------------------------------------------------------------

  template <typename Before>
  void remember(const char* name, Before before, const std::string& place = {}) {
    history.add({name, std::move(before)}, Clock::now(), place);
  }

  TokensBefore tokens_now() const {
    return {sequence->edited().tokens(), run->prompt_length, cursor, samples_taken};
  }

  CellVariant variant_of(const std::string& kind) const {
    for (const BlockCard& card : run->model->cards())
      if (card.kind == kind) return card.variant;
    return {};  // there is no such block, as the model will say
  }

  /// The model computes other numbers than before.
  void weights_changed() {
    draft.model = model_card(*run);
    losses_shown = static_cast<std::size_t>(-1);
    refreshed.reset();
    sequence->invalidate();
    sequence_step = run->trainer->steps_done();
    changed();
    new_trace();
    start_check();
  }

  void go_back(bool redo) {
    const std::string label =
        redo ? history.redo_label(weights_id) : history.undo_label(weights_id);
    const std::uint64_t shown = draft.run_id;
    const auto put_back = [&](Edit& edit) { exchange(edit); };
    if (redo) {
      history.redo(put_back);
    } else {
      history.undo(put_back);
    }
    if (draft.run_id != shown) go_to_device();
    note(fmt::format("{}: done", label));
  }

  /// Puts back what an edit replaced, and into the edit what that puts away. A run that comes back
  /// is on the CPU then.
  void exchange(Edit& edit) {
    std::visit(
        Overloaded{[&](TokensBefore& before) {
                     TokensBefore now = tokens_now();
                     before_edit();
                     sequence->set_tokens(before.tokens);
                     playing = false;
                     run->prompt_length = before.prompt_length;
                     cursor = std::min(before.cursor, last_position());
                     samples_taken = before.samples_taken;
                     before = std::move(now);
                     new_trace();
                   },
                   [&](std::vector<Clamp>& before) {
                     std::vector<Clamp> now = sequence->edited().clamps();
                     set_clamps(before);
                     before = std::move(now);
                   },
                   [&](SamplerSettings& before) {
                     std::swap(run->sampler, before);
                     text_end.clear();
                   },
                   [&](double& before) { std::swap(run->trainer->learning_rate_scale, before); },
                   [&](VariantBefore& before) { exchange(before); },
                   [&](ShownRun& before) {
                     Scene scene = scene_of(before);
                     std::optional<ShownRun> now = set_aside();
                     if (!now) go_on_after_all();
                     check(now.has_value(),
                           "The run of now is too large to be kept, so it is not replaced. Open "
                           "or begin the other one to go on there.");
                     show(std::exchange(before, std::move(*now)), std::move(scene));
                   }},
        edit.before);
    if (!std::holds_alternative<ShownRun>(edit.before)) changed();
  }

  void exchange(VariantBefore& before) {
    VariantBefore now{.kind = before.kind,
                      .variant = variant_of(before.kind),
                      .numbers = {},
                      .without_numbers = before.without_numbers};
    if (before.numbers && before.numbers->weights_id != weights_id) {
      now.numbers = trained_numbers(*run, weights_id);
      autosave.settle();
      put_back(*before.numbers, *run);
      weights_id = before.numbers->weights_id;
      // What was said of the last step was said of other weights, and a file that was written later
      // holds steps that these weights never made.
      loop.begin();
      draft.train.saved_step = std::min(draft.train.saved_step, run->trainer->steps_done());
      if (run->model->device() != Device::cpu()) loop.copy.take(*run);
    }
    run->model->set_variant(before.kind, before.variant);
    before = std::move(now);
    weights_changed();
  }

  void start_check() {
    checks.start(*run->model, run->trainer->steps_done(), sequence->edited().tokens());
  }

  void show_tokens(std::vector<int> tokens, const char* name) {
    TokensBefore before = tokens_now();
    before_edit();
    sequence->set_tokens(std::move(tokens));
    playing = false;
    run->prompt_length = sequence->length();
    cursor = last_position();
    new_trace();
    if (before.tokens == sequence->edited().tokens() && before.prompt_length == run->prompt_length)
      return;
    changed();
    remember(name, std::move(before));
  }

  void take_token(int token) {
    check(token >= 0 && token < run->model->spec().vocab_size, "Token {} is not in the vocabulary.",
          token);
    TokensBefore before = tokens_now();
    const bool at_end = cursor == last_position();
    before_edit();
    sequence->truncate(cursor + 1);
    run->prompt_length = std::min(run->prompt_length, cursor + 1);
    sequence->append(token);
    cursor = last_position();
    new_trace();
    if (before.tokens == sequence->edited().tokens() && before.prompt_length == run->prompt_length)
      return;
    changed();
    remember(at_end ? "taking a token" : "taking another token", std::move(before));
  }

  void new_sample() {
    if (const std::string reason = why_no_samples(*run); !reason.empty()) throw Error(reason);
    // The examples a person sees, one after the other; of a text, the passage at a new place.
    const int length = std::max(run->prompt_length, run->task->shortest());
    show_tokens(
        example_rows(*run->task, run->trainer->spec(), samples_taken + 2, length).back().inputs,
        "new sample");
    ++samples_taken;
    cursor = 0;
  }
  int samples_taken = 0;

  // ---- snapshots
  // ----------------------------------------------------------------------------------

  void publish_if_due() {
    const auto now = Clock::now();
    if (!dirty) return;
    if (!urgent && (training || sequence_outstanding()) && now - published < kPublishEvery) return;
    std::shared_ptr<const Snapshot> snapshot;
    try {
      bool whole = true;
      guarded("show", [&] {
        try {
          fill_snapshot(now);
        } catch (const std::bad_alloc&) {
          whole = false;
        }
      });
      if (whole) snapshot = std::make_shared<const Snapshot>(draft);
    } catch (const std::bad_alloc&) {
      // What is half of one run and half of another is not shown.
    }
    if (!snapshot) return;  // it is tried again
    {
      const std::lock_guard lock(mutex);
      newest = std::move(snapshot);
    }
    published = now;
    dirty = urgent = false;
    if (on_publish) on_publish();
  }

  void fill_snapshot(Clock::time_point now) {
    ++draft.id;
    if (!run) return;
    TrainStatus& train = draft.train;
    const TrainSpec& spec = run->trainer->spec();
    train.step = run->trainer->steps_done();
    train.step_limit = loop.last_step;
    train.seconds = run->seconds;
    train.loss = run->losses.empty() ? 0.0 : run->losses.back().loss;
    train.smoothed_loss = run->losses.empty() ? 0.0 : run->losses.back().smoothed;
    train.accuracy = loop.last().accuracy;
    train.gradient_norm = loop.last().gradient_norm;
    train.learning_rate_scale = run->trainer->learning_rate_scale;
    train.learning_rate = learning_rate_at(spec, train.step) * train.learning_rate_scale;
    train.tokens_per_second = loop.tokens_per_second();
    train.batch_size = spec.batch_size;
    train.sequence_length = spec.sequence_length;
    train.seed = spec.seed;
    draft.undo_label = history.undo_label(weights_id);
    draft.redo_label = history.redo_label(weights_id);
    if (losses_shown != run->losses.size() &&
        (!training || now - losses_published >= kLossesEvery)) {
      draft.losses = std::make_shared<const std::vector<LossPoint>>(run->losses);
      losses_shown = run->losses.size();
      losses_published = now;
    }
    SessionStatus& session = draft.session;
    session.playing = playing;
    session.tokens_per_second = play_speed;
    session.prompt_length = run->prompt_length;
    session.sampler = run->sampler;
    session.cursor = cursor;
    sequence->describe(*run->task, draft);
    if (session.full_reason.empty()) session.full_reason = text_end;
    sequence->describe_cursor(cursor, focus_block, *run->model, run->sampler, draft, writable,
                              stale());
  }
};

Engine::Engine(std::function<void()> on_publish, std::string device, Keeping keeping)
    : worker_(
          std::make_unique<Worker>(std::move(on_publish), std::move(device), std::move(keeping))) {}

Engine::~Engine() = default;

void Engine::send(Command command) {
  worker_->accept(std::move(command));
}

std::shared_ptr<const Snapshot> Engine::snapshot() const {
  const std::lock_guard lock(worker_->mutex);
  return worker_->newest;
}

void Engine::flush() {
  const std::uint64_t ticket = worker_->accept({});
  std::unique_lock lock(worker_->mutex);
  worker_->finished.wait(lock, [&] { return worker_->done >= ticket || worker_->ended; });
}

std::string Engine::save_and_stop(const std::string& path) {
  worker_->ask_to_stop(path, false);
  if (worker_->thread.joinable()) worker_->thread.join();
  return worker_->final_error;
}

std::string Engine::keep_and_stop(const std::string& screen) {
  {
    const std::lock_guard lock(worker_->mutex);
    worker_->final_screen = screen;
  }
  worker_->ask_to_stop({}, true);
  if (worker_->thread.joinable()) worker_->thread.join();
  return worker_->final_error;
}

}  // namespace xlab
