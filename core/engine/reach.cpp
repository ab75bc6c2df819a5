// How far back the gradient at the time cursor reaches: what is asked, and what becomes of it.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "core/engine/worker.hpp"

namespace xlab {

void Engine::Worker::start_reach(const command::ComputeReach& c) {
  const Run& run = live->run();
  const Sequence& sequence = live->sequence();
  const int cursor = live->cursor;
  check(cursor >= 0 && cursor < sequence.length(),
        "There are no tokens to go back along: write a prompt or take a new sample.");
  const std::vector<int>& tokens = sequence.tokens();
  const auto at = static_cast<std::size_t>(cursor);

  ReachReport asked;
  asked.run_id = draft.run_id;
  asked.train_step = run.trainer->steps_done();
  asked.block = c.block;
  asked.head = c.head;
  asked.step = cursor;
  asked.tokens.assign(tokens.begin(), tokens.begin() + cursor + 1);
  std::ranges::copy_if(sequence.clamps(), std::back_inserter(asked.clamps), &Clamp::enabled);
  for (const BlockCard& card : run.model->cards()) asked.variants.push_back(card.variant);
  const std::vector<int> answers = run.task->answers(tokens);
  if (at < answers.size() && answers[at] >= 0) {
    asked.target = answers[at];
    asked.target_is = ReachTarget::answer;
  } else if (at + 1 < tokens.size()) {
    asked.target = tokens[at + 1];
    asked.target_is = ReachTarget::next;
  }
  reach.start(*run.model, std::move(asked));
  draft.reach_running = reach.running();
  if (!draft.reach_running) draft.reach = reach.report();
}

void Engine::Worker::forget_reach() {
  reach.stop();
  {
    // What has just come is of the model before.
    const std::lock_guard lock(mutex);
    reach_news = false;
  }
  draft.reach = nullptr;
  draft.reach_running = false;
}

}  // namespace xlab
