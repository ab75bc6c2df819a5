// What the engine does for each command.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/worker.hpp"
#include "core/explorer.hpp"
#include "core/files/folder_run.hpp"
#include "core/generation/sampler.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

/// What a command is about, for `Failure::where`.
const char* place_of(const Command& command) {
  using namespace command;
  if (is_one_of<OpenRun, ReopenRuns, OpenText, OpenFolder, NewRun>(command)) return "open";
  if (is_one_of<Save, SaveBench>(command)) return "save";
  if (is_one_of<ExportFolder>(command)) return "export";
  if (is_one_of<SetPrompt, NewSample, TakeToken, StepForward, FollowSequence>(command))
    return "sequence";
  if (is_one_of<UseDevice>(command)) return "device";
  return "command";
}

bool needs_run(const Command& command) {
  using namespace command;
  return !is_one_of<OpenRun, OpenText, OpenFolder, CancelOpening, NewRun, ReopenRuns, SetScreen,
                    UseDevice, SetPlaySpeed>(command);
}

std::string label_of(const ModelCard& model, int token) {
  const auto at = static_cast<std::size_t>(token);
  return token >= 0 && at < model.vocabulary.size() ? printable(model.vocabulary[at], 40)
                                                    : std::string();
}

/// What is held by hand in a run goes on in a new one, as far as its blocks have it; so do tokens
/// and equations.
void hold_again(const Run& before, const Sequence& held, Run& fresh) {
  const std::vector<BlockCard> blocks = before.model->cards();
  for (const BlockCard& block : blocks)
    if (block.variant != block.usual) fresh.model->set_variant(block.kind, block.variant);
  fresh.sequence->set_tokens(held.tokens());
  fresh.prompt_length = before.prompt_length;
  fresh.sequence->set_clamps(explorer::held_again(held.clamps(), blocks, fresh.model->cards()));
}

}  // namespace

bool Engine::Worker::must_wait(const std::optional<Command>& command) {
  if (!command) return false;
  if (waits_for_file()) return true;
  if (is_one_of<command::StepForward>(*command)) return live && live->must_compute_first();
  return is_one_of<command::TrainOneStep>(*command) && outstanding();
}

bool Engine::Worker::waits_for_file() const {
  using namespace command;
  if (!saving || pending.empty() || !pending.front()) return false;
  const Command& next = *pending.front();
  return is_one_of<OpenRun, OpenText, OpenFolder, NewRun, ReopenRuns, RestartRun, NewSeed, Save,
                   SaveBench, RemoveRun>(next) ||
         (is_one_of<Undo>(next) && history.undo_shows_run(live->id)) ||
         (is_one_of<Redo>(next) && history.redo_shows_run(live->id));
}

void Engine::Worker::need_run() const {
  check(live != nullptr, "There is no run: open a file or a task first.");
}

void Engine::Worker::need_training(const LiveRun& of) const {
  if (const std::string reason = why_not_trained(of.run()); !reason.empty()) throw Error(reason);
}

void Engine::Worker::apply(Command command) {
  using namespace command;
  guarded(place_of(command), [&] {
    if (needs_run(command)) need_run();
    std::visit(
        Overloaded{
            [&](const OpenRun& c) { open_run(c); },
            [&](const OpenFolder& c) { open_folder(c); },
            [&](const CancelOpening&) { cancel_opening(); },
            [&](const ExportFolder& c) { export_folder(c); },
            [&](const OpenText& c) { open_text(c); },
            [&](const NewRun& c) { new_run(c); },
            [&](const UseDevice& c) { use_device(c.id); },
            [&](const ReopenRuns& c) {
              draft.reopened = c.ticket;
              reopen(c.kept, c.beside);
            },
            [&](const Save& c) { save_to(c.path, c.ticket); },
            [&](const SaveBench& c) { save_bench_to(c.path, true, c.ticket); },
            [&](const SetScreen& c) { set_screen(c); },
            [&](const Train&) { begin_training(*live); },
            [&](const Pause&) { live->state = TrainState::idle; },
            [&](const TrainOneStep&) { train_one_step(); },
            [&](const SetLearningRateScale& c) { set_learning_rate_scale(c.scale); },
            [&](const SetStepLimit& c) {
              live->loop.last_step = std::max<std::int64_t>(c.steps, 0);
            },
            [&](const RestartRun&) { restart(live->run().trainer->spec().seed, "restart"); },
            [&](const NewSeed&) { restart(live->run().trainer->spec().seed + 1, "new seed"); },
            [&](const SetPrompt& c) { set_prompt(c.text); },
            [&](const NewSample&) { remember("new sample", live->new_sample()); },
            [&](const SetCursor& c) {
              live->cursor = std::clamp(c.step, live->first_position(), live->last_position());
            },
            [&](const StepForward&) {
              live->playing = false;
              live->step_forward();
            },
            [&](const StepBack&) {
              live->playing = false;
              live->cursor = std::max(live->cursor - 1, live->first_position());
            },
            [&](const Play&) { live->play(); },
            [&](const StopPlaying&) { live->playing = false; },
            [&](const SetPlaySpeed& c) {
              check(std::isfinite(c.tokens_per_second) && c.tokens_per_second > 0.0,
                    "The playing speed must be larger than 0.");
              play_speed = c.tokens_per_second;
            },
            [&](const Rewind&) {
              live->playing = false;
              live->cursor = live->first_position();
            },
            [&](const TakeToken& c) { take_token(c.token); },
            [&](const SetSampler& c) { set_sampler(c.settings); },
            [&](const SetVariant& c) { set_variant(c); },
            [&](const Selfcheck&) { start_check(); },
            [&](const ComputeReach& c) { start_reach(c); },
            [&](const Ablate& c) { ablate(c.on); },
            [&](const Focus& c) { live->focus_block = c.block; },
            [&](const SetClamp& c) { set_clamp(c.clamp); },
            [&](const ReplaceClamp& c) { replace_clamp(c.index, c.clamp); },
            [&](const RemoveClamp& c) { remove_clamp(c.index); },
            [&](const AddClamps& c) { add_clamps(c); },
            [&](const MoveClamp& c) { move_clamp(c.index, c.to); },
            [&](const EnableClamp& c) { enable_clamp(c.index, c.enabled); },
            [&](const ClearClamps&) { edit_clamps({}, "clearing clamps"); },
            [&](const HoldAll& c) { hold_all(c); },
            [&](const Undo&) { go_back(false); },
            [&](const Redo&) { go_back(true); },
            [&](const FocusRun& c) { focus(run_with(c.run)); },
            [&](const DuplicateRun& c) { duplicate_run(c); },
            [&](const RenameRun& c) { rename_run(c); },
            [&](const RemoveRun& c) { remove_run(c); },
            [&](const TrainRun& c) { train_run(run_with(c.run), c.on); },
            [&](const TrainAll& c) { train_all(c.on); },
            [&](const FollowSequence& c) { follow_sequence(c); },
            [&](const ShowCurve& c) { run_with(c.run).shown = c.shown; },
        },
        command);
  });
  guarded("sequence", [&] { sync_followers(); });
}

// ---- runs -----------------------------------------------------------------------------------

void Engine::Worker::open_run(const command::OpenRun& c) {
  if (c.bytes) {
    open_tensors(parse_safetensors(*c.bytes, c.path),
                 {.name = "opening a run", .beside = c.beside});
  } else {
    open_file(c.path, c.beside);
  }
}

void Engine::Worker::export_folder(const command::ExportFolder& c) {
  const std::string remark = export_run(live->run(), c.path);
  note(fmt::format("Exported the model to {}{}{}", c.path, remark.empty() ? "" : ". ", remark));
}

void Engine::Worker::set_screen(const command::SetScreen& c) {
  check(c.text.size() <= Run::kMostScreenBytes && !find_invalid_utf8(c.text),
        "What the window says of itself is not saved: it is no text, or too long.");
  if (live) live->run().screen = c.text;
}

void Engine::Worker::new_run(const command::NewRun& c) {
  RunSpec spec;
  if (!c.spec_json.empty()) spec = run_spec_from_json(c.spec_json);
  std::unique_ptr<Task> task = make_task(c.task);
  if (!c.from_model) {
    if (live && live->run().task->name() == c.task && !task->has_data()) {
      std::unique_ptr<Run> fresh = make_run(std::move(task), spec);
      hold_again(live->run(), live->sequence(), *fresh);
      fresh->cursor = live->cursor;
      open(std::move(fresh), {.name = "new run", .beside = c.beside});
      return;
    }
    open(make_run(std::move(task), spec), {.name = "new run", .beside = c.beside});
    return;
  }
  need_run();
  check(!spec.model, "A new run with the present model has that model: give \"train\" alone.");
  open(make_run_from(live->run(), std::move(task), spec.train),
       {.name = "new run", .beside = c.beside, .unsaved = true});
}

void Engine::Worker::open_text(const command::OpenText& c) {
  if (c.from_model) need_run();
  OpenedText opened = text_of(c);
  auto task = make_text_task(std::move(opened.text));
  open(c.from_model ? make_run_from(live->run(), std::move(task)) : make_run(std::move(task)),
       {.name = "opening a text", .beside = c.beside, .unsaved = c.from_model});
  if (!opened.notice.empty()) note(opened.notice);
}

OpenedText Engine::Worker::text_of(const command::OpenText& c) const {
  const Task* task = live ? live->run().task.get() : nullptr;
  const TextData* shown = task ? task->text() : nullptr;
  check(!c.path.empty() || shown, "There is no text to read again: open one first.");
  std::shared_ptr<const Tokenizer> tokenizer = c.from_model ? task->tokenizer() : nullptr;
  const bool models_own = tokenizer != nullptr;
  if (!models_own && c.tokenizer == "characters" && !c.path.empty()) return xlab::open_text(c.path);
  if (!models_own) tokenizer = tokenizer_named(c.tokenizer);
  OpenedText opened;
  opened.text = c.path.empty() ? read_again(*shown, std::move(tokenizer))
                               : read_text(c.path, std::move(tokenizer));
  opened.text.tokenizer_name = !models_own ? c.tokenizer
                               : shown     ? shown->tokenizer_name
                                           : std::string();
  return opened;
}

void Engine::Worker::restart(std::uint64_t seed, const char* name) {
  live->note_place();
  const std::int64_t in_file =
      live->path.empty() ? 0 : std::max(live->saved_step, live->replaced_steps);
  open(restart_run(live->run(), seed), {.name = name,
                                        .path = live->path,
                                        .in_bench = live->in_bench,
                                        .unsaved = true,
                                        .stamp = live->stamp});
  live->replaced_steps = in_file;
  draft.only_selected = true;
  show_saved_screen();
}

// ---- training -------------------------------------------------------------------------------

void Engine::Worker::train_one_step() {
  need_training(*live);
  live->state = TrainState::idle;
  live->stop_refreshing();
  train_one(*live);
}

void Engine::Worker::train_run(LiveRun& of, bool on) {
  if (on) {
    begin_training(of);
  } else {
    of.state = TrainState::idle;
  }
}

void Engine::Worker::train_all(bool on) {
  for (const auto& of : runs) {
    if (!on) {
      of->state = TrainState::idle;
    } else if (why_not_trained(of->run()).empty()) {
      begin_training(*of);
    }
  }
}

// ---- edits ----------------------------------------------------------------------------------

void Engine::Worker::set_learning_rate_scale(double scale) {
  check(std::isfinite(scale) && scale >= 0.0 && scale <= 1000.0,
        "The learning rate factor is {}; it must lie between 0 and 1000.", scale);
  const double before = std::exchange(live->run().trainer->learning_rate_scale, scale);
  if (before == scale) return;
  remember("learning rate", before, "learning rate");
  live->note_change();
}

void Engine::Worker::set_prompt(const std::string& text) {
  std::vector<int> tokens = prompt_tokens(live->run(), text);
  check(!tokens.empty(), "The prompt is empty: type at least one token.");
  remember("new prompt", live->show_tokens(std::move(tokens)), printable(text, 40));
}

void Engine::Worker::take_token(int token) {
  const bool at_end = live->cursor == live->last_position();
  remember(at_end ? "taking a token" : "taking another token", live->take_token(token),
           label_of(live->model(), token));
}

void Engine::Worker::set_sampler(const SamplerSettings& settings) {
  validate(settings);
  const SamplerSettings before = std::exchange(live->run().sampler, settings);
  if (before == settings) return;
  remember("sampler", before, "sampler");
  live->forget_end();
  live->note_change();
}

void Engine::Worker::set_variant(const command::SetVariant& c) {
  VariantBefore before{.kind = c.kind, .variant = variant_of(c.kind), .numbers = {}};
  live->run().model->set_variant(c.kind, c.variant);
  if (before.variant == variant_of(c.kind)) return;
  remember("variant", std::move(before));
  other_equations();
  live->note_change();
}

void Engine::Worker::start_check() {
  const Run& run = live->run();
  if (run.task->series()) {
    forget_check();
    auto none = std::make_shared<HealthReport>();
    none->failure = "The proof compares ways to read tokens; this model reads a series of numbers.";
    draft.health = std::move(none);
    return;
  }
  checks.start(*run.model, run.trainer->steps_done(), live->sequence().tokens(), run.origin);
}

void Engine::Worker::forget_check() {
  checks.stop();
  {
    // A report that has just come is that of the model before.
    const std::lock_guard lock(mutex);
    check_news = false;
  }
  draft.health = nullptr;
}

void Engine::Worker::check_again() {
  // Nobody asked: a model that has to be read once more is left unchecked.
  if (live->run().origin || live->run().task->series()) {
    forget_check();
  } else {
    start_check();
  }
}

void Engine::Worker::ablate(bool on) {
  if (!on) {
    worth.stop();
    draft.worth = worth.report();
    return;
  }
  const Run& run = live->run();
  forget_worth();
  worth.start(*run.model, run.trainer->steps_done(), *run.task, live->sequence().tokens());
}

void Engine::Worker::forget_worth() {
  worth.forget();
  {
    const std::lock_guard lock(mutex);
    worth_news = false;
  }
  draft.worth = nullptr;
}

}  // namespace xlab
