// The engine's thread: it takes commands, divides its time, and publishes what it has done. What a
// step or a token is, the run knows.
#include "core/engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "core/engine/worker.hpp"
#include "core/training/train_loop.hpp"
#include "core/training/weights.hpp"

namespace xlab {
namespace {

using std::chrono::milliseconds;

constexpr auto kPublishEvery = milliseconds(33);  // while working: about 30 pictures a second
constexpr double kFavour = 2.0;                   // share of the run on screen, against another
constexpr auto kReading = milliseconds(5000);     // for as long a sentence that matters stands

/// The rest of the sentence: why, as far as it is known, and what to do about it.
std::string advice_on_bad_steps(const Run& run) {
  if (!run.losses.empty() && glance_at(run.model->params()).not_finite.empty())
    return ". The weights are those before them; lower the learning rate and start again.";
  return fmt::format(", {}. The weights are as they were.", why_steps_are_bad(run));
}

}  // namespace

Engine::Worker::Worker(std::function<void()> on_publish, std::string first_device, Keeping keeping)
    : on_publish(std::move(on_publish)),
      first_device(std::move(first_device)),
      autosave(std::move(keeping),
               [this] {
                 {
                   const std::lock_guard lock(mutex);
                   keeping_news = true;
                 }
                 wake.notify_all();
               }),
      checks([this] {
        {
          const std::lock_guard lock(mutex);
          check_news = true;
        }
        wake.notify_all();
      }),
      reach([this] {
        {
          const std::lock_guard lock(mutex);
          reach_news = true;
        }
        wake.notify_all();
      }),
      worth([this] {
        {
          const std::lock_guard lock(mutex);
          worth_news = true;
        }
        wake.notify_all();
      }) {
  const DeviceInfo host = host_device();
  draft.device = {name_of(host.device), host.name, host.memory_bytes};
  newest = std::make_shared<const Snapshot>(draft);
  thread = std::thread([this] { work(); });
}

Engine::Worker::~Worker() {
  ask_to_stop(false);
  if (thread.joinable()) thread.join();
}

std::uint64_t Engine::Worker::accept(std::optional<Command> command) {
  std::uint64_t ticket = 0;
  {
    const std::lock_guard lock(mutex);
    queue.push_back(std::move(command));
    ticket = ++accepted;
  }
  wake.notify_all();
  return ticket;
}

void Engine::Worker::ask_to_stop(bool keep) {
  {
    const std::lock_guard lock(mutex);
    keep_at_end = keep_at_end || keep;
    // Last: who sees it without waiting has to know what is to be done at the end.
    stop = true;
  }
  wake.notify_all();
}

// ---- the loop -------------------------------------------------------------------------------

void Engine::Worker::work() {
  // Asking the driver takes a while, so the window does not wait for it.
  list_devices();
  guarded("device", [&] { device = device_named(first_device); });
  while (take_commands()) {
    apply_pending();
    follow_opening();
    work_on_sequence();
    publish_if_due();
    if (settled()) {
      const std::lock_guard lock(mutex);
      done = applied;
      finished.notify_all();
    }
    keep_if_due();
    guarded("autosave", [&] { keep_bench(); });
    // Last, so that nobody waits for a training step to see what a command did.
    if (LiveRun* next = next_to_train(); next && !weights_in_use()) train_one(*next);
  }
  end_work();
  const std::lock_guard lock(mutex);
  ended = true;
  finished.notify_all();
}

void Engine::Worker::end_work() {
  worth.stop();
  cancel_opening();
  if (saving) {
    autosave.finish();
    final_error = finish_save();
  }
  if (keep_at_end) keep_and_end();
  // Last: what it reads may hang.
  end_opening();
}

bool Engine::Worker::take_commands() {
  bool kept = false, asked = false;
  {
    std::unique_lock lock(mutex);
    const auto wanted = [&] {
      return stop || !queue.empty() || check_news || reach_news || worth_news || keeping_news ||
             keeping_asked || (opening_news && !saving);
    };
    if (!busy()) {
      std::optional<Clock::time_point> until = keeping_due();
      const auto no_later_than = [&](Clock::time_point due) {
        until = until ? std::min(*until, due) : due;
      };
      if (live && live->playing) no_later_than(live->next_play);
      if (const auto due = telling_due()) no_later_than(*due);
      if (until) {
        wake.wait_until(lock, *until, wanted);
      } else {
        wake.wait(lock, wanted);
      }
    }
    kept = std::exchange(keeping_news, false);
    asked = std::exchange(keeping_asked, false);
    take_queue();
    if (std::exchange(check_news, false)) {
      draft.health = checks.report();
      urgent = dirty = true;
    }
    if (std::exchange(reach_news, false)) {
      draft.reach = reach.report();
      draft.reach_running = reach.running();
      urgent = dirty = true;
    }
    if (std::exchange(worth_news, false)) {
      draft.worth = worth.report();
      urgent = dirty = true;
    }
  }
  if (kept) follow_autosave();
  if (asked) {
    for (const auto& run : runs)
      if (run->unsaved) run->unkept.overdue = true;
  }
  return !stop;
}

/// What there is no memory for stays in the queue.
void Engine::Worker::take_queue() {
  if (pending.empty()) {
    pending.swap(queue);
    return;
  }
  try {
    for (; !queue.empty(); queue.pop_front()) pending.push_back(std::move(queue.front()));
  } catch (const std::bad_alloc&) {
  }
}

void Engine::Worker::apply_pending() {
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
}

bool Engine::Worker::busy() const {
  return training() || outstanding() || stale() || shows_something_new() ||
         (!pending.empty() && !waits_for_file());
}

bool Engine::Worker::training() const {
  return next_to_train() != nullptr;
}

bool Engine::Worker::shows_something_new() const {
  return dirty || std::any_of(runs.begin(), runs.end(), [](const auto& run) { return run->dirty; });
}

bool Engine::Worker::settled() const {
  return pending.empty() && !saving && !opening && !outstanding() &&
         (training() ? !is_urgent() : !shows_something_new() && !stale());
}

bool Engine::Worker::weights_in_use() const {
  return !live || outstanding() || any_shown([](const LiveRun& run) { return run.refreshing(); }) ||
         (live->playing && live->play_waits) || (!pending.empty() && !waits_for_file());
}

void Engine::Worker::work_on_sequence() {
  if (!live) return;
  if (!outstanding() && live->playing && Clock::now() >= live->next_play) {
    guarded("play", [&] {
      live->play_one(play_speed);
      sync_followers();
    });
  }
  if (live->outstanding()) {
    // What failed would fail again.
    guarded(
        "sequence", [&] { live->compute_slice(stop); },
        [&] {
          live->give_up_the_rest();
          sync_followers();
        });
    dirty = true;
    if (!outstanding()) urgent = true;
    return;
  }
  guarded(
      "refresh", [&] { live->refresh_if_due(stop); },
      [&] {
        live->give_up_refreshing();
        sync_followers();
      });
  work_on_followers();
}

// ---- training -------------------------------------------------------------------------------

LiveRun* Engine::Worker::next_to_train() const {
  LiveRun* next = nullptr;
  for (const auto& run : runs) {
    if (run->training() && (!next || run->spent < next->spent)) next = run.get();
  }
  return next;
}

void Engine::Worker::begin_training(LiveRun& of) {
  need_training(of);
  // Who joins neither makes up for the time before nor waits for it.
  if (const LiveRun* least = next_to_train(); least && !of.training()) of.spent = least->spent;
  of.state = TrainState::running;
  of.failure.clear();
  of.dirty = true;
  if (of.loop.reached_end(of.run())) of.loop.last_step = 0;
}

void Engine::Worker::train_one(LiveRun& of) {
  const auto start = Clock::now();
  guarded("train", [&] {
    try {
      train_one_unguarded(of);
    } catch (const DeviceLost&) {
      throw;
    } catch (const std::exception& e) {
      of.state = TrainState::failed;
      of.failure = e.what();
      of.dirty = true;
      if (&of == live) throw;
      throw Error(fmt::format("{}: {}", of.name(), of.failure));
    }
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  of.spent += &of == live ? seconds / kFavour : seconds;
}

void Engine::Worker::train_one_unguarded(LiveRun& of) {
  keep_numbers(of);
  try {
    of.loop.step(of.run());
  } catch (const Cancelled&) {
    return;  // the engine stops
  }
  of.note_training();
  const TrainLoop& loop = of.loop;
  if (loop.too_many_bad()) {
    throw Error(fmt::format("Training paused after step {}: {}{}", loop.last().step + 1,
                            loop.bad_steps_text(), advice_on_bad_steps(of.run())));
  }
  if (of.training() && loop.reached_end(of.run())) of.state = TrainState::finished;
}

// ---- what is told ---------------------------------------------------------------------------

void Engine::Worker::fail(const std::string& where, const std::string& what) {
  draft.failure = {draft.failure.id + 1, where, what};
  if (where == "autosave") draft.keeping_fails = true;
  urgent = dirty = true;
}

void Engine::Worker::note(const std::string& text) {
  if (Clock::now() - told > kReading) must_know.clear();
  draft.notice = must_know.empty() ? text : must_know + " " + text;
  ++draft.notice_id;
}

void Engine::Worker::tell(const std::string& sentence) {
  if (Clock::now() - told > kReading) must_know.clear();
  if (must_know.find(sentence) == std::string::npos)
    must_know += (must_know.empty() ? "" : " ") + sentence;
  told = Clock::now();
  draft.notice = must_know;
  ++draft.notice_id;
}

void Engine::Worker::publish_if_due() {
  const auto now = Clock::now();
  if (!shows_something_new()) return;
  if (!is_urgent() && (training() || outstanding()) && now - published < kPublishEvery) return;
  std::shared_ptr<const Snapshot> snapshot;
  try {
    bool whole = true;
    guarded("show", [&] {
      try {
        fill_snapshot();
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
  for (const auto& run : runs) run->dirty = run->urgent = false;
  if (on_publish) on_publish();
}

void Engine::Worker::fill_snapshot() {
  ++draft.id;
  if (!live) return;
  draft.runs.clear();
  for (const auto& run : runs) draft.runs.push_back(run->card(another_in_group(*run) != nullptr));
  draft.focused_run = live->id;
  const auto weights_of = [this](int run) { return run_with(run).weights_id; };
  draft.undo_label = history.undo_label(weights_of);
  draft.redo_label = history.redo_label(weights_of);
  if (EditHistory list = history.list(); !draft.history || !(*draft.history == list))
    draft.history = std::make_shared<const EditHistory>(std::move(list));
  draft.sequence.tokens_per_second = play_speed;
  draft.cannot_save_bench = why_bench_not_saved();
  live->describe(draft);
  // A file that holds them all is written as one.
  for (const auto& run : runs)
    if (live->in_bench && run->in_bench)
      draft.replaced_steps = std::max(draft.replaced_steps, run->replaced_steps);
  describe_followers();
}

// ---- the engine -----------------------------------------------------------------------------

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

void Engine::keep_soon() {
  {
    const std::lock_guard lock(worker_->mutex);
    worker_->keeping_asked = true;
  }
  worker_->wake.notify_all();
}

std::string Engine::keep_and_stop(const std::string& screen, bool offered) {
  {
    const std::lock_guard lock(worker_->mutex);
    worker_->final_screen = screen;
    worker_->offered_later = offered;
  }
  worker_->ask_to_stop(true);
  if (worker_->thread.joinable()) worker_->thread.join();
  return worker_->final_error;
}

}  // namespace xlab
