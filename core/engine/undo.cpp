// What the engine takes back.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <new>
#include <utility>

#include "core/engine/history_text.hpp"
#include "core/engine/worker.hpp"
#include "core/utf8.hpp"

namespace xlab {

bool Engine::Worker::add_to_history(Edit edit) {
  try {
    return history.add(std::move(edit), Clock::now());
  } catch (const std::bad_alloc&) {
    return false;
  }
}

CellVariant Engine::Worker::variant_of(const std::string& kind) const {
  for (const BlockCard& card : live->run().model->cards())
    if (card.kind == kind) return card.variant;
  return {};  // there is no such block, as the model will say
}

void Engine::Worker::keep_numbers(const LiveRun& of) {
  if (!history.wants_numbers(of.id)) return;
  const Run& run = of.run();
  if (!history.has_room_for_numbers(of.id, bytes_of_trained_numbers(run))) {
    history.go_without_numbers(of.id);
    tell(
        "The weights from before the change of the equations are too large to be kept: Undo brings "
        "the equations back, but not these weights.");
    return;
  }
  try {
    const std::vector<std::string> forgotten =
        history.take_numbers(of.id, trained_numbers(run, of.weights_id));
    if (forgotten.empty()) return;
    const std::string which =
        forgotten.size() == 1 ? fmt::format("'{}' before that", forgotten.front())
                              : fmt::format("the {} edits before that, from '{}' back to '{}',",
                                            forgotten.size(), forgotten.front(), forgotten.back());
    tell(
        fmt::format("The weights from before the change of the equations are kept for Undo. There "
                    "was no memory left for what is older: {} can no longer be undone.",
                    which));
  } catch (const DeviceLost&) {
    throw;
  } catch (const std::exception&) {
    history.go_without_numbers(of.id);
    tell(
        "There is no memory for the weights from before the change of the equations: Undo brings "
        "the equations back, but not these weights.");
  }
}

void Engine::Worker::restore_history(const std::vector<int>& opened, bool work_was_replaced) {
  Edits all;
  for (const int id : opened) {
    LiveRun& of = run_with(id);
    const std::string text = std::exchange(of.run().history, {});
    if (text.empty() || work_was_replaced) continue;
    try {
      Edits edits = edits_in(text, of.run(), id);
      std::move(edits.past.begin(), edits.past.end(), std::back_inserter(all.past));
      std::move(edits.future.begin(), edits.future.end(), std::back_inserter(all.future));
    } catch (const Error& e) {
      tell(fmt::format("What could be undone in '{}' cannot be read and is left out. {}",
                       printable(of.name(), 80), e.what()));
    }
  }
  // Among those of other runs each has the place that it had.
  std::ranges::stable_sort(all.past, {}, &Edit::at);
  std::ranges::stable_sort(all.future, std::greater(), &Edit::at);
  while (all.past.size() > kMostSavedEdits) all.past.pop_front();
  while (all.future.size() > kMostSavedEdits) all.future.pop_front();
  if (!all.past.empty() || !all.future.empty())
    history.restore(std::move(all.past), std::move(all.future));
}

void Engine::Worker::go_back(bool redo) {
  const auto weights_of = [this](int run) { return run_with(run).weights_id; };
  const std::string label = redo ? history.redo_label(weights_of) : history.undo_label(weights_of);
  std::vector<int> came_back;    // runs, which are on the CPU
  came_back.reserve(kMostRuns);  // or what has been exchanged would not be remembered
  const auto put_back = [&](Edit& edit) {
    exchange(edit);
    if (std::holds_alternative<std::unique_ptr<LiveRun>>(edit.before)) came_back = {live->id};
    if (const auto* bench = std::get_if<BenchBefore>(&edit.before)) came_back = bench->go;
  };
  if (redo) {
    history.redo(put_back);
  } else {
    history.undo(put_back);
  }
  for (const int run : came_back) go_to_device(run_with(run));
  // The file of a bench holds more than this run.
  if (came_back.empty() && !live->in_bench && live->is_as_saved()) {
    live->unsaved = false;
    live->unkept.clear();
    autosave.drop(live->run().kept_as);
  }
  note(fmt::format("{}: done", label));
}

void Engine::Worker::exchange(Edit& edit) {
  if (auto* bench = std::get_if<BenchBefore>(&edit.before)) {
    exchange(*bench);
    return;
  }
  if (auto* follow = std::get_if<FollowBefore>(&edit.before)) {
    exchange(*follow);
    return;
  }
  // What is taken back is seen.
  focus(run_with(edit.run));
  std::visit(
      Overloaded{
          [&](TokensBefore& before) { live->exchange(before); },
          [&](std::vector<Clamp>& before) {
            std::vector<Clamp> now = live->sequence().clamps();
            live->set_clamps(before);
            before = std::move(now);
          },
          [&](SamplerSettings& before) {
            std::swap(live->run().sampler, before);
            live->forget_end();
          },
          [&](double& before) { std::swap(live->run().trainer->learning_rate_scale, before); },
          [&](VariantBefore& before) { exchange(before); },
          [&](HeldBefore& before) { exchange(before); },
          [&](std::unique_ptr<LiveRun>& before) { exchange(before); }, [](BenchBefore&) {},
          [](FollowBefore&) {}, [&](std::string& before) { std::swap(live->run().name, before); }},
      edit.before);
  if (!std::holds_alternative<std::unique_ptr<LiveRun>>(edit.before)) live->note_change();
}

void Engine::Worker::exchange(std::unique_ptr<LiveRun>& before) {
  before->wake();
  if (const LiveRun* other = another_in_group(*before)) follow_or_leave(*before, *other);
  std::unique_ptr<LiveRun> now;
  try {
    before->open_note = std::make_shared<const OpenNote>(autosave.root(), before->path);
    const std::size_t place = place_of_run(*live);
    const std::string bench = live->stored_in_bench ? live->path : "";
    now = set_aside(*live);
    check(now != nullptr,
          "The run of now is too large to be kept, so it is not replaced. Open or begin the other "
          "one to go on there.");
    show(place, std::exchange(before, std::move(now)));
    if (!bench.empty()) note_other_file({bench}, {live->id});
    draft.only_selected = true;
    show_saved_screen();
  } catch (...) {
    before->rest();
    throw;
  }
}

void Engine::Worker::exchange(HeldBefore& before) {
  HeldBefore now{.clamps = live->sequence().clamps(), .variants = {}, .tokens = {}};
  for (const VariantBefore& other : before.variants) {
    now.variants.push_back(
        {.kind = other.kind, .variant = variant_of(other.kind), .without_numbers = true});
    live->run().model->set_variant(other.kind, other.variant);
  }
  live->set_clamps(std::move(before.clamps));
  if (before.tokens) {
    live->exchange(*before.tokens);
    now.tokens = std::move(before.tokens);
  }
  if (!before.variants.empty()) other_equations();
  before = std::move(now);
}

void Engine::Worker::other_equations() {
  live->weights_changed();
  check_again();
  forget_worth();
}

void Engine::Worker::exchange(VariantBefore& before) {
  VariantBefore now{.kind = before.kind,
                    .variant = variant_of(before.kind),
                    .numbers = {},
                    .without_numbers = before.without_numbers};
  if (before.numbers && before.numbers->weights_id != live->weights_id) {
    Run& run = live->run();
    now.numbers = trained_numbers(run, live->weights_id);
    autosave.settle();
    put_back(*before.numbers, run);
    live->weights_id = before.numbers->weights_id;
    // What was said of the last step was said of other weights, and a file that was written later
    // holds steps that these weights never made.
    run.last_step = {};
    live->loop.begin();
    live->saved_step = std::min(live->saved_step, run.trainer->steps_done());
    if (live->device() != Device::cpu()) live->loop.copy.take(run);
  }
  live->run().model->set_variant(before.kind, before.variant);
  before = std::move(now);
  other_equations();
}

}  // namespace xlab
