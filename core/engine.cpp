// The engine's thread: it only schedules. What a step or a token is, the run knows.
#include "core/engine.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

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

/// Threads: `mutex` guards `queue`, `stop`, `newest`, `accepted`, `done`. Everything else belongs
/// to the engine's thread.
struct Engine::Worker {
  explicit Worker(std::function<void()> on_publish) : on_publish(std::move(on_publish)) {
    draft.device = devices().front().name;
    newest = std::make_shared<const Snapshot>(draft);
    thread = std::thread([this] { work(); });
  }
  ~Worker() {
    ask_to_stop({});
    if (thread.joinable()) thread.join();
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
  std::deque<Command> queue;
  bool stop = false;
  std::string final_path;
  std::string final_error;
  std::shared_ptr<const Snapshot> newest;
  std::uint64_t accepted = 0, done = 0;

  // The engine's own.
  std::unique_ptr<Run> run;
  std::unique_ptr<Sequence> sequence;
  std::unique_ptr<Sequence> refreshed;  // being computed with newer weights, shown when complete
  Clock::time_point refreshed_at{}, refresh_started{};
  std::int64_t sequence_step = 0;  // training step whose weights the sequence shows
  bool training = false;
  std::int64_t step_limit = 0;
  int bad_steps = 0;
  StepResult last_step;
  double tokens_per_second = 0.0;
  bool playing = false;
  bool play_to_end = false;
  double play_speed = 4.0;
  Clock::time_point next_play{};
  int cursor = -1;
  int focus_block = 0;
  Snapshot draft;  // what the next snapshot starts from
  bool dirty = true, urgent = true;
  Clock::time_point published{}, losses_published{};
  std::size_t losses_shown = 0;
  std::thread thread;

  // ---- the loop
  // -----------------------------------------------------------------------------------

  void work() {
    for (;;) {
      std::deque<Command> commands;
      std::uint64_t ticket = 0;
      {
        std::unique_lock lock(mutex);
        if (!stop && queue.empty() && !busy()) {
          const auto wanted = [&] { return stop || !queue.empty(); };
          if (playing) {
            wake.wait_until(lock, next_play, wanted);
          } else if (done == accepted) {
            wake.wait(lock, wanted);
          }
        }
        if (stop) break;
        commands.swap(queue);
        ticket = accepted;
      }
      for (Command& command : commands) apply(std::move(command));
      if (!commands.empty()) urgent = dirty = true;
      guarded("step", [&] { work_a_little(); });
      publish_if_due();
      if (!busy()) {
        const std::lock_guard lock(mutex);
        done = ticket;
        finished.notify_all();
      }
    }
    if (!final_path.empty() && run && draft.unsaved) {
      try {
        save_run(*run, final_path);
      } catch (const std::exception& e) {
        final_error = e.what();
      }
    }
    const std::lock_guard lock(mutex);
    done = accepted;
    finished.notify_all();
  }

  /// Whether there is work that nobody has to ask for again. Training alone does not hold up
  /// `flush`.
  bool busy() const { return training || sequence_outstanding() || dirty; }
  bool sequence_outstanding() const { return sequence && !sequence->complete(); }

  void work_a_little() {
    if (!run) return;
    const auto until = Clock::now() + kSlice;
    if (sequence_outstanding()) {
      while (Clock::now() < until && sequence->compute_one()) {
      }
      dirty = true;
      if (sequence->complete()) urgent = true;
    }
    if (playing && Clock::now() >= next_play) play_one();
    if (training) train_one();
  }

  void train_one() {
    const StepResult result = run->train_step();
    const double seconds = std::max(run->seconds - draft.train.seconds, 1e-9);
    draft.train.seconds = run->seconds;
    const double rate = static_cast<double>(result.tokens) / seconds;
    tokens_per_second = tokens_per_second == 0.0 ? rate : 0.9 * tokens_per_second + 0.1 * rate;
    last_step = result;
    dirty = true;
    draft.unsaved = true;
    if (!result.finite) {
      if (++bad_steps >= kBadStepsAllowed) {
        training = false;
        draft.train.state = TrainState::failed;
        fail("train",
             fmt::format("Training paused at step {}: {} steps in a row gave numbers that are "
                         "not finite. The weights are those before them; lower the learning "
                         "rate and start again.",
                         result.step, bad_steps));
        bad_steps = 0;
      }
    } else {
      bad_steps = 0;
    }
    if (training && step_limit > 0 && run->trainer->steps_done() >= step_limit) {
      training = false;
      draft.train.state = TrainState::finished;
    }
    refresh_sequence();
  }

  /// Recomputes what is on screen with the weights of now, a slice at a time, at most a fifth of
  /// the time and ten times a second.
  void refresh_sequence() {
    if (sequence_outstanding()) return;
    const auto now = Clock::now();
    if (!refreshed) {
      if (now < refreshed_at && training) return;
      refreshed = std::make_unique<Sequence>(*sequence);
      refreshed->invalidate();
      refresh_started = now;
    }
    const auto until = now + (training ? kSlice : milliseconds(1000));
    while (Clock::now() < until && refreshed->compute_one()) {
    }
    if (!refreshed->complete()) return;
    sequence = std::move(refreshed);
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

  void generate_one() {
    before_edit();
    sequence->compute_all();
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

  template <typename Body>
  void guarded(const char* where, Body&& body) {
    try {
      body();
    } catch (const std::exception& e) {
      fail(where, e.what());
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
    draft.model = model_card(*run);
    draft.data = data_card(*run);
    draft.train = {};
    draft.train.seconds = run->seconds;
    losses_shown = static_cast<std::size_t>(-1);
    new_trace();
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

  void save_to(const std::string& path) {
    const std::string target = path.empty() ? draft.run_path : path;
    check(!target.empty(), "The run has no file yet: choose a name to save it under.");
    sequence->store_into(*run->session);
    save_run(*run, target);
    draft.run_path = target;
    draft.unsaved = false;
    note(fmt::format("Saved to {}", target));
  }

  void apply(Command command) {
    using namespace command;
    const bool needs_run =
        !std::holds_alternative<OpenRun>(command) && !std::holds_alternative<OpenText>(command) &&
        !std::holds_alternative<NewRun>(command) && !std::holds_alternative<SetPlaySpeed>(command);
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
              [&](const OpenText& c) { open(make_run(make_text_task(read_text(c.path))), ""); },
              [&](const NewRun& c) {
                RunSpec spec;
                if (!c.spec_json.empty()) spec = run_spec_from_json(c.spec_json);
                open(make_run(make_task(c.task), spec), "");
              },
              [&](const Save& c) { save_to(c.path); },
              [&](const Train&) {
                training = true;
                draft.train.state = TrainState::running;
                if (step_limit > 0 && run->trainer->steps_done() >= step_limit) step_limit = 0;
              },
              [&](const Pause&) {
                training = false;
                draft.train.state = TrainState::idle;
                refresh_sequence();
              },
              [&](const TrainOneStep&) {
                training = false;
                draft.train.state = TrainState::idle;
                refreshed.reset();
                train_one();
              },
              [&](const SetLearningRateScale& c) {
                check(std::isfinite(c.scale) && c.scale >= 0.0 && c.scale <= 1000.0,
                      "The learning rate factor is {}; it must lie between 0 and 1000.", c.scale);
                run->trainer->learning_rate_scale = c.scale;
              },
              [&](const SetStepLimit& c) { step_limit = std::max<std::int64_t>(c.steps, 0); },
              [&](const RestartRun&) { restart(run->trainer->spec().seed); },
              [&](const NewSeed&) { restart(run->trainer->spec().seed + 1); },
              [&](const SetPrompt& c) {
                std::vector<int> tokens = run->task->encode(c.text);
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
                sequence->compute_all();
                cursor = last_position();
                draft.unsaved = true;
                new_trace();
              },
              [&](const SetSampler& c) {
                validate(c.settings);
                run->sampler = c.settings;
              },
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

  void restart(std::uint64_t seed) {
    sequence->store_into(*run->session);
    const std::string path = draft.run_path;
    open(restart_run(*run, seed), path);
    draft.unsaved = true;
  }

  void show_tokens(std::vector<int> tokens) {
    before_edit();
    playing = false;
    run->prompt_length = static_cast<int>(tokens.size());
    sequence->set_tokens(std::move(tokens));
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
    fill_snapshot(now);
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

Engine::Engine(std::function<void()> on_publish)
    : worker_(std::make_unique<Worker>(std::move(on_publish))) {}

Engine::~Engine() = default;

void Engine::send(Command command) {
  {
    const std::lock_guard lock(worker_->mutex);
    worker_->queue.push_back(std::move(command));
    ++worker_->accepted;
  }
  worker_->wake.notify_all();
}

std::shared_ptr<const Snapshot> Engine::snapshot() const {
  const std::lock_guard lock(worker_->mutex);
  return worker_->newest;
}

void Engine::flush() {
  std::unique_lock lock(worker_->mutex);
  const std::uint64_t ticket = worker_->accepted;
  worker_->finished.wait(lock, [&] { return worker_->done >= ticket; });
}

std::string Engine::save_and_stop(const std::string& path) {
  worker_->ask_to_stop(path);
  if (worker_->thread.joinable()) worker_->thread.join();
  return worker_->final_error;
}

}  // namespace xlab
