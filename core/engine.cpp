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
#include <optional>
#include <thread>
#include <utility>

#include "core/background_check.hpp"
#include "core/folder_run.hpp"
#include "core/last_copy.hpp"
#include "core/run.hpp"
#include "core/sampler.hpp"
#include "core/sequence.hpp"
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
constexpr int kBadStepsAllowed = 3;

/// Calls handlers for the alternatives of a variant.
template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

/// Threads: `mutex` guards what is shared; `stop` is also read without it, to give up a training
/// step. Everything else belongs to the engine's thread.
struct Engine::Worker {
  Worker(std::function<void()> on_publish, std::string first_device)
      : on_publish(std::move(on_publish)), first_device(std::move(first_device)) {
    draft.device = card_of(host_device());
    newest = std::make_shared<const Snapshot>(draft);
    thread = std::thread([this] { work(); });
  }
  ~Worker() {
    ask_to_stop({});
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

  void ask_to_stop(const std::string& save_path) {
    {
      const std::lock_guard lock(mutex);
      stop = true;
      if (!save_path.empty()) final_path = save_path;
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
  std::string final_error;
  std::shared_ptr<const Snapshot> newest;
  bool check_news = false;               // the self-check has found something out
  std::uint64_t accepted = 0, done = 0;  // commands sent; commands whose effect was published
  bool ended = false;

  // The engine's own.
  const std::string first_device;
  Device device = Device::cpu();  // where runs are put
  LastCopy copy;                  // of a run on a card
  std::unique_ptr<Run> run;
  std::unique_ptr<Sequence> sequence;
  std::unique_ptr<Sequence> refreshed;  // being computed with newer weights, shown when complete
  std::deque<std::optional<Command>> pending;
  std::uint64_t applied = 0;
  Clock::time_point refreshed_at{}, refresh_started{};
  std::int64_t sequence_step = 0;  // training step whose weights the sequence shows
  bool training = false;
  std::int64_t step_limit = 0;
  int bad_steps = 0;
  StepResult last_step;
  double tokens_per_second = 0.0;
  bool playing = false;
  bool play_to_end = false;
  bool play_waits = false;  // for the sequence to be computed
  double play_speed = 4.0;
  Clock::time_point next_play{};
  int cursor = -1;
  int focus_block = 0;
  BackgroundCheck checks{[this] {
    {
      const std::lock_guard lock(mutex);
      check_news = true;
    }
    wake.notify_all();
  }};
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
        apply(std::move(*command));
        urgent = dirty = true;
      }
      work_on_sequence();
      publish_if_due();
      if (settled()) {
        const std::lock_guard lock(mutex);
        done = applied;
        finished.notify_all();
      }
      // Last, so that nobody waits for a training step to see what a command did.
      if (training && !weights_in_use()) train_one();
    }
    if (!final_path.empty() && run && draft.unsaved) {
      try {
        store(final_path);
      } catch (const std::exception& e) {
        final_error = e.what();
      }
    }
    const std::lock_guard lock(mutex);
    ended = true;
    finished.notify_all();
  }

  /// Moves what was sent to `pending`; waits for it when there is nothing to do. False: stop.
  bool take_commands() {
    std::unique_lock lock(mutex);
    const auto wanted = [&] { return stop || !queue.empty() || check_news; };
    if (!busy()) {
      if (playing) {
        wake.wait_until(lock, next_play, wanted);
      } else {
        wake.wait(lock, wanted);
      }
    }
    std::move(queue.begin(), queue.end(), std::back_inserter(pending));
    queue.clear();
    if (std::exchange(check_news, false)) {
      draft.health = checks.report();
      urgent = dirty = true;
    }
    return !stop;
  }

  /// Whether there is work that nobody has to ask for again.
  bool busy() const {
    return training || sequence_outstanding() || stale() || dirty || !pending.empty();
  }
  /// Whether everything asked for so far can be seen. Training never ends by itself and is no
  /// reason to wait.
  bool settled() const {
    return pending.empty() && !sequence_outstanding() && (training ? !urgent : !dirty && !stale());
  }
  bool sequence_outstanding() const { return sequence && !sequence->complete(); }
  /// Whether the sequence shows older weights than those of now.
  bool stale() const { return run && sequence_step != run->trainer->steps_done(); }

  /// A sequence is computed with one set of weights: while one is being computed or waits to be
  /// gone on with, training waits.
  bool weights_in_use() const {
    return sequence_outstanding() || refreshed || (playing && play_waits) || !pending.empty();
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
    StepResult result;
    try {
      result = run->train_step();
    } catch (const Cancelled&) {
      return;  // the engine stops
    }
    const double seconds = std::max(run->seconds - draft.train.seconds, 1e-9);
    draft.train.seconds = run->seconds;
    const double rate = static_cast<double>(result.tokens) / seconds;
    tokens_per_second = tokens_per_second == 0.0 ? rate : 0.9 * tokens_per_second + 0.1 * rate;
    last_step = result;
    dirty = true;
    draft.unsaved = true;
    if (run->model->device() != Device::cpu() && copy.due(*run)) copy.take(*run);
    bad_steps = result.finite ? 0 : bad_steps + 1;
    if (bad_steps >= kBadStepsAllowed) {
      const int bad = std::exchange(bad_steps, 0);
      throw Error(
          fmt::format("Training paused at step {}: {} steps in a row gave numbers that are not "
                      "finite. The weights are those before them; lower the learning rate and "
                      "start again.",
                      result.step, bad));
    }
    if (training && step_limit > 0 && run->trainer->steps_done() >= step_limit)
      end_training(TrainState::finished);
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
    const auto spent = Clock::now() - refresh_started;
    refreshed_at = Clock::now() + std::max<Clock::duration>(kRefreshEvery, 4 * spent);
    new_trace();
  }

  // ---- the sequence
  // -------------------------------------------------------------------------------

  void new_trace() {
    ++draft.trace_id;
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

  bool must_wait(const std::optional<Command>& command) {
    if (!command) return false;
    if (std::holds_alternative<command::StepForward>(*command)) return must_compute_first();
    return std::holds_alternative<command::TrainOneStep>(*command) && sequence_outstanding();
  }

  void generate_one() {
    const auto& steps = sequence->edited().steps();
    check(!steps.empty(), "There is nothing to continue: set a prompt first.");
    const std::vector<float> distribution =
        sampling_distribution(steps.back().logits, run->sampler);
    sequence->append(
        draw(distribution, run->sampler.seed, static_cast<std::uint64_t>(steps.size())));
    sequence->compute_all();
    cursor = last_position();
    draft.unsaved = true;
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
    draft.unsaved = true;
    new_trace();
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

  void note(std::string text) {
    draft.notice = std::move(text);
    ++draft.notice_id;
  }

  void open(std::unique_ptr<Run> fresh, const std::string& path) {
    run = std::move(fresh);
    run->trainer->cancel = &stop;
    copy.drop();
    training = playing = false;
    bad_steps = 0;
    tokens_per_second = 0.0;
    last_step = {};
    step_limit = 0;
    refreshed.reset();
    sequence = std::make_unique<Sequence>(*run->session);
    sequence_step = run->trainer->steps_done();
    cursor = sequence->length() > 0 ? 0 : -1;
    focus_block = 0;
    draft.run_path = path;
    draft.unsaved = false;
    ++draft.run_id;
    checks.stop();
    draft.health = nullptr;
    draft.model = model_card(*run);
    draft.data = data_card(*run);
    draft.train = {};
    draft.train.seconds = run->seconds;
    losses_shown = static_cast<std::size_t>(-1);
    new_trace();
    guarded("device", [&] {
      move_to(device);
      if (run->model->device() != Device::cpu() && copy.empty()) copy.take(*run);
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
    copy.take(*run);
    move_run(*run, wanted);
    if (wanted == Device::cpu()) copy.drop();
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
    run = copy.revive(*run);
    run->trainer->cancel = &stop;
    copy.drop();
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

  void replace_clamp(const Clamp& clamp) {
    check(std::isfinite(clamp.value), "A clamp needs a finite number.");
    std::vector<Clamp> clamps = sequence->edited().clamps();
    const auto same = std::find_if(clamps.begin(), clamps.end(), [&](const Clamp& c) {
      return c.path == clamp.path && c.head == clamp.head && c.unit == clamp.unit &&
             c.begin == clamp.begin && c.end == clamp.end;
    });
    if (same != clamps.end()) {
      *same = clamp;
    } else {
      clamps.push_back(clamp);
    }
    set_clamps(std::move(clamps));
  }

  void store(const std::string& path) {
    sequence->store_into(*run->session);
    try {
      save_run(*run, path);
    } catch (const DeviceLost& e) {
      leave_lost_device(e.what());
      save_run(*run, path);
    }
  }

  void save_to(const std::string& path) {
    const std::string target = path.empty() ? draft.run_path : path;
    check(!target.empty(), "The run has no file yet: choose a name to save it under.");
    store(target);
    draft.run_path = target;
    draft.unsaved = false;
    note(fmt::format("Saved to {}", target));
  }

  void apply(Command command) {
    using namespace command;
    const bool needs_run =
        !std::holds_alternative<OpenRun>(command) && !std::holds_alternative<OpenText>(command) &&
        !std::holds_alternative<OpenFolder>(command) && !std::holds_alternative<NewRun>(command) &&
        !std::holds_alternative<UseDevice>(command) &&
        !std::holds_alternative<SetPlaySpeed>(command);
    guarded("command", [&] {
      if (needs_run) need_run();
      std::visit(
          Overloaded{
              [&](const OpenRun& c) {
                if (c.bytes) {
                  open(load_run(parse_safetensors(*c.bytes, c.path)), "");
                } else {
                  open(load_run(c.path), c.path);
                }
              },
              [&](const OpenFolder& c) {
                const auto folder = model_folder_of(c.path);
                check(folder.has_value(),
                      "'{}' is no model folder: it has no config.json and no weights.", c.path);
                open(open_folder_run(*folder), "");
                note(fmt::format("Opened the model in {}", c.path));
              },
              [&](const ExportFolder& c) {
                export_run(*run, c.path);
                note(fmt::format("Exported the model to {}", c.path));
              },
              [&](const OpenText& c) { open(make_run(make_text_task(text_of(c))), ""); },
              [&](const NewRun& c) {
                RunSpec spec;
                if (!c.spec_json.empty()) spec = run_spec_from_json(c.spec_json);
                open(make_run(make_task(c.task), spec), "");
              },
              [&](const UseDevice& c) { use_device(c.id); },
              [&](const Save& c) { save_to(c.path); },
              [&](const Train&) {
                training = true;
                draft.train.state = TrainState::running;
                if (step_limit > 0 && run->trainer->steps_done() >= step_limit) step_limit = 0;
              },
              [&](const Pause&) { end_training(TrainState::idle); },
              [&](const TrainOneStep&) {
                end_training(TrainState::idle);
                refreshed.reset();
                train_one();
              },
              [&](const SetLearningRateScale& c) {
                check(std::isfinite(c.scale) && c.scale >= 0.0 && c.scale <= 1000.0,
                      "The learning rate factor is {}; it must lie between 0 and 1000.", c.scale);
                run->trainer->learning_rate_scale = c.scale;
                draft.unsaved = true;
              },
              [&](const SetStepLimit& c) { step_limit = std::max<std::int64_t>(c.steps, 0); },
              [&](const RestartRun&) { restart(run->trainer->spec().seed); },
              [&](const NewSeed&) { restart(run->trainer->spec().seed + 1); },
              [&](const SetPrompt& c) {
                std::vector<int> tokens = prompt_tokens(*run, c.text);
                check(!tokens.empty(), "The prompt is empty: type at least one token.");
                show_tokens(std::move(tokens));
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
              [&](const TakeToken& c) {
                before_edit();
                check(c.token >= 0 && c.token < run->model->spec().vocab_size,
                      "Token {} is not in the vocabulary.", c.token);
                sequence->truncate(cursor + 1);
                run->prompt_length = std::min(run->prompt_length, cursor + 1);
                sequence->append(c.token);
                cursor = last_position();
                draft.unsaved = true;
                new_trace();
              },
              [&](const SetSampler& c) {
                validate(c.settings);
                run->sampler = c.settings;
                draft.unsaved = true;
              },
              [&](const SetVariant& c) {
                run->model->set_variant(c.kind, c.variant);
                draft.model = model_card(*run);
                refreshed.reset();
                sequence->invalidate();
                sequence_step = run->trainer->steps_done();
                draft.unsaved = true;
                new_trace();
                start_check();
              },
              [&](const Selfcheck&) { start_check(); },
              [&](const Focus& c) { focus_block = c.block; },
              [&](const SetClamp& c) { replace_clamp(c.clamp); },
              [&](const RemoveClamp& c) {
                std::vector<Clamp> clamps = sequence->edited().clamps();
                check(c.index >= 0 && c.index < static_cast<int>(clamps.size()),
                      "There is no clamp number {}.", c.index);
                clamps.erase(clamps.begin() + c.index);
                set_clamps(std::move(clamps));
              },
              [&](const EnableClamp& c) {
                std::vector<Clamp> clamps = sequence->edited().clamps();
                check(c.index >= 0 && c.index < static_cast<int>(clamps.size()),
                      "There is no clamp number {}.", c.index);
                clamps[static_cast<std::size_t>(c.index)].enabled = c.enabled;
                set_clamps(std::move(clamps));
              },
              [&](const ClearClamps&) { set_clamps({}); },
          },
          command);
    });
  }

  TextData text_of(const command::OpenText& c) const {
    const TextData* shown = run ? run->task->text() : nullptr;
    check(!c.path.empty() || shown, "There is no text to read again: open one first.");
    auto tokenizer = tokenizer_named(c.tokenizer);
    TextData text = c.path.empty() ? read_again(*shown, std::move(tokenizer))
                                   : read_text(c.path, std::move(tokenizer));
    text.tokenizer_name = c.tokenizer;
    return text;
  }

  void restart(std::uint64_t seed) {
    sequence->store_into(*run->session);
    const std::string path = draft.run_path;
    open(restart_run(*run, seed), path);
    draft.unsaved = true;
  }

  void start_check() {
    checks.start(*run->model, run->trainer->steps_done(), sequence->edited().tokens());
  }

  void show_tokens(std::vector<int> tokens) {
    before_edit();
    sequence->set_tokens(std::move(tokens));
    playing = false;
    run->prompt_length = sequence->length();
    cursor = last_position();
    draft.unsaved = true;
    new_trace();
  }

  void new_sample() {
    // The examples a person sees, one after the other; of a text, the passage at a new place.
    const int length = std::max(run->prompt_length, run->task->shortest());
    ++samples_taken;
    show_tokens(
        example_rows(*run->task, run->trainer->spec(), samples_taken + 1, length).back().inputs);
    cursor = 0;
  }
  int samples_taken = 0;

  // ---- snapshots
  // ----------------------------------------------------------------------------------

  void publish_if_due() {
    const auto now = Clock::now();
    if (!dirty) return;
    if (!urgent && (training || sequence_outstanding()) && now - published < kPublishEvery) return;
    guarded("show", [&] { fill_snapshot(now); });
    auto snapshot = std::make_shared<const Snapshot>(draft);
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
    train.step_limit = step_limit;
    train.loss = run->losses.empty() ? 0.0 : run->losses.back().loss;
    train.smoothed_loss = run->losses.empty() ? 0.0 : run->losses.back().smoothed;
    train.accuracy = last_step.accuracy;
    train.gradient_norm = last_step.gradient_norm;
    train.learning_rate_scale = run->trainer->learning_rate_scale;
    train.learning_rate = learning_rate_at(spec, train.step) * train.learning_rate_scale;
    train.tokens_per_second = tokens_per_second;
    train.batch_size = spec.batch_size;
    train.sequence_length = spec.sequence_length;
    train.seed = spec.seed;
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
    sequence->describe_cursor(cursor, focus_block, *run->model, run->sampler, draft);
  }
};

Engine::Engine(std::function<void()> on_publish, std::string device)
    : worker_(std::make_unique<Worker>(std::move(on_publish), std::move(device))) {}

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
  worker_->ask_to_stop(path);
  if (worker_->thread.joinable()) worker_->thread.join();
  return worker_->final_error;
}

}  // namespace xlab
