// A run that is open.
#include "core/engine/live_run.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "core/generation/mixing_images.hpp"
#include "core/known_token.hpp"

namespace xlab {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

constexpr auto kSlice = milliseconds(8);           // of sequence work between looks at the queue
constexpr auto kRefreshEvery = milliseconds(100);  // live recordings while training
constexpr auto kNotShown = static_cast<std::size_t>(-1);

void compute_for_a_while(ClampedSequence& sequence, const std::atomic<bool>& stop) {
  const auto until = LiveRun::Clock::now() + kSlice;
  while (!stop && LiveRun::Clock::now() < until && sequence.compute_one()) {
  }
}

}  // namespace

std::uint64_t fresh_weights_id() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

std::uint64_t fresh_serial() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

LiveRun::LiveRun(std::unique_ptr<Run> run)
    : cursor(run->sequence->length() > 0 ? std::max(run->cursor, 0) : -1), run_(std::move(run)) {
  saved_step = run_->trainer->steps_done();
  loop.begin(run_->last_step);
}

void LiveRun::wake() {
  std::optional<ClampedSequence> sequence(std::in_place, *run_->sequence);
  auto model = model_card(*run_);
  auto data = data_card(*run_);
  WritableTokens writable = writable_tokens(*run_->task, run_->model->spec());
  std::string cannot_train = why_not_trained(*run_), cannot_save = why_not_saved(*run_),
              cannot_sample = why_no_samples(*run_);

  sequence_ = std::move(sequence);
  model_ = std::move(model);
  data_ = std::move(data);
  writable_ = std::move(writable);
  cannot_train_ = std::move(cannot_train);
  cannot_save_ = std::move(cannot_save);
  cannot_sample_ = std::move(cannot_sample);
  cursor = std::min(cursor, last_position());
  losses_shown_ = kNotShown;
  state = TrainState::idle;
  new_trace();
  urgent = true;
  shows_weights_of_now();
}

void LiveRun::note_place() {
  sequence_->store_into(*run_->sequence);
  run_->cursor = cursor;
}

void LiveRun::rest() {
  if (sequence_) sequence_->store_into(*run_->sequence);
  let_go();
}

void LiveRun::let_go() noexcept {
  refreshed_.reset();
  sequence_.reset();
  mixing_.clear();
  losses_.reset();
  grown_.begin_anew();
  losses_shown_ = kNotShown;
  view_.reset();
  playing = false;
  loop.copy.drop();
  loop.begin(loop.last());
  open_note.reset();
}

void LiveRun::go_on_as(std::unique_ptr<Run> revived) {
  run_ = std::move(revived);
  weights_id = fresh_weights_id();
  sequence_.emplace(*run_->sequence);
  cursor = std::min(cursor, last_position());
  losses_shown_ = kNotShown;
  new_trace();
  shows_weights_of_now();
}

void LiveRun::move_to(Device wanted) {
  if (device() == wanted) return;
  refreshed_.reset();
  loop.copy.take(*run_);
  move_run(*run_, wanted);
  if (wanted == Device::cpu()) loop.copy.drop();
  if (!sequence_) return;
  // Recordings of another device may differ in their last digits.
  sequence_->invalidate();
  new_trace();
  shows_weights_of_now();
}

void LiveRun::file_written(const std::string& written, std::optional<FileStamp> stamp_of_it) {
  if (!is_file(path, written)) return;
  unsaved = true;
  saved_work_.reset();
  saved_step = 0;
  // It was written here, by nobody else: saving this run over it again is no accident.
  stamp = stamp_of_it;
}

void LiveRun::note_change() {
  unsaved = true;
  ++changes;
  unkept.note_change();
}

void LiveRun::note_training() {
  // What was half computed was so with the weights of before.
  refreshed_.reset();
  weights_id = fresh_weights_id();
  unsaved = true;
  ++changes;
  unkept.note_training();
  dirty = true;
}

std::string LiveRun::name() const {
  return run_->name.empty() ? run_->task->title() : run_->name;
}

void LiveRun::weights_changed() {
  describe_anew();
  losses_shown_ = kNotShown;
  refreshed_.reset();
  sequence_->invalidate();
  new_trace();
  shows_weights_of_now();
}

LiveRun::Work LiveRun::work_now() const {
  std::vector<CellVariant> variants;
  for (const BlockCard& card : run_->model->cards()) variants.push_back(card.variant);
  return {.weights_id = weights_id,
          .tokens = sequence().tokens(),
          .prompt_length = run_->prompt_length,
          .clamps = sequence().clamps(),
          .sampler = run_->sampler,
          .learning_rate_scale = run_->trainer->learning_rate_scale,
          .variants = std::move(variants),
          .name = run_->name};
}

void LiveRun::note_in_file(std::shared_ptr<const Work> work) {
  saved_work_ = std::move(work);
}

bool LiveRun::is_as_saved() const {
  return saved_work_ && work_now() == *saved_work_;
}

// ---- the sequence ---------------------------------------------------------------------------

void LiveRun::new_trace() {
  static std::atomic<std::uint64_t> recordings = 0;
  trace_id_ = ++recordings;
  text_end_.clear();
  gave_up_ = refreshes_in_place_ = false;
  dirty = true;
}

void LiveRun::shows_weights_of_now() {
  sequence_step_ = run_->trainer->steps_done();
  try {
    mixing_ = mixing_images(*run_->model, sequence_step_);
  } catch (const std::bad_alloc&) {
    mixing_.clear();
  }
}

void LiveRun::before_edit() {
  refreshed_.reset();
  if (!stale()) return;
  sequence_->invalidate();
  shows_weights_of_now();
}

void LiveRun::compute_slice(const std::atomic<bool>& stop) {
  compute_for_a_while(*sequence_, stop);
  if (sequence_->complete() && std::exchange(refreshes_in_place_, false)) refresh_again_later();
}

void LiveRun::give_up_the_rest() {
  sequence_->truncate(sequence_->computed());
  cursor = std::min(cursor, last_position());
  gave_up_ = true;
}

void LiveRun::refresh_if_due(const std::atomic<bool>& stop) {
  if (!stale() || (training() && Clock::now() < refreshed_at_)) return;
  if (!refreshed_) {
    refresh_started_ = Clock::now();
    if (!sequence_->has_room_beside()) {
      before_edit();
      new_trace();
      refreshes_in_place_ = true;
      return;
    }
    refreshed_ = std::make_unique<ClampedSequence>(sequence_->anew_beside());
  }
  compute_for_a_while(*refreshed_, stop);
  if (!refreshed_->complete()) return;
  show_refreshed();
}

void LiveRun::give_up_refreshing() {
  if (!refreshed_) return;
  refreshed_->truncate(refreshed_->computed());
  show_refreshed();
}

void LiveRun::show_refreshed() {
  sequence_ = std::move(*refreshed_);
  refreshed_.reset();
  sequence_->stand_alone();
  cursor = std::min(cursor, last_position());
  refresh_again_later();
  new_trace();
  shows_weights_of_now();
}

void LiveRun::refresh_again_later() {
  const auto spent = Clock::now() - refresh_started_;
  refreshed_at_ = Clock::now() + std::max<Clock::duration>(kRefreshEvery, 4 * spent);
}

// ---- going on -------------------------------------------------------------------------------

bool LiveRun::must_compute_first() {
  if (cursor < last_position()) return false;
  before_edit();
  // What failed would fail again.
  if (sequence_->complete() && !std::exchange(gave_up_, false)) sequence_->prepare_to_go_on();
  return !sequence_->complete();
}

void LiveRun::generate_one() {
  if (run_->task->series()) throw Error(kEndOfSeries);
  const auto& steps = sequence().steps();
  check(!steps.empty(), "There is nothing to continue: set a prompt first.");
  if (!text_end_.empty()) throw Error(text_end_);
  const DrawnToken next = next_token(steps.back().logits, writable_, run_->sampler,
                                     static_cast<std::uint64_t>(steps.size()));
  if (next.ends) {
    text_end_ = end_of_text(model_->vocabulary[static_cast<std::size_t>(next.token)]) +
                " Take another token, choose another way of drawing or write past the end to go "
                "on.";
    playing = false;
    dirty = true;
    return;
  }
  sequence_->append(next.token);
  sequence_->compute_all();
  cursor = last_position();
  note_change();
  new_trace();
}

void LiveRun::step_forward() {
  if (cursor < last_position()) {
    ++cursor;
  } else {
    generate_one();
  }
}

void LiveRun::play() {
  play_to_end = cursor < last_position();
  playing = true;
  next_play = Clock::now();
}

void LiveRun::play_one(double speed) {
  play_waits = !play_to_end && must_compute_first();
  if (play_waits) return;
  const auto ended = [&] { return play_to_end && cursor >= last_position(); };
  if (!ended()) {
    try {
      step_forward();
    } catch (...) {
      playing = false;
      throw;
    }
  }
  if (ended()) playing = false;
  next_play = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                 duration<double>(1.0 / std::clamp(speed, 0.1, 1000.0)));
  urgent = dirty = true;
}

// ---- edits ----------------------------------------------------------------------------------

TokensBefore LiveRun::tokens_now() const {
  return {sequence().tokens(), run_->prompt_length, cursor, samples_taken_};
}

std::optional<TokensBefore> LiveRun::after_edit(TokensBefore before) {
  new_trace();
  if (before.tokens == sequence().tokens() && before.prompt_length == run_->prompt_length)
    return {};
  note_change();
  return before;
}

std::optional<TokensBefore> LiveRun::show_tokens(std::vector<int> tokens) {
  TokensBefore before = tokens_now();
  before_edit();
  sequence_->set_tokens(std::move(tokens));
  playing = false;
  run_->prompt_length = sequence_->length();
  cursor = last_position();
  return after_edit(std::move(before));
}

std::optional<TokensBefore> LiveRun::take_token(int token) {
  if (run_->task->series()) throw Error(kEndOfSeries);
  check_token(run_->model->spec(), token);
  TokensBefore before = tokens_now();
  before_edit();
  sequence_->truncate(cursor + 1);
  run_->prompt_length = std::min(run_->prompt_length, cursor + 1);
  sequence_->append(token);
  cursor = last_position();
  return after_edit(std::move(before));
}

std::optional<TokensBefore> LiveRun::new_sample() {
  if (!cannot_sample_.empty()) throw Error(cannot_sample_);
  // The examples a person sees, one after the other; of a text, the passage at a new place.
  const int length = std::max(run_->prompt_length, run_->task->shortest());
  auto before = show_tokens(
      example_rows(*run_->task, run_->trainer->spec(), samples_taken_ + 2, length).back().inputs);
  ++samples_taken_;
  cursor = 0;
  return before;
}

void LiveRun::exchange(TokensBefore& before) {
  TokensBefore now = tokens_now();
  before_edit();
  sequence_->put_back(before.tokens);
  playing = false;
  run_->prompt_length = before.prompt_length;
  cursor = std::min(before.cursor, last_position());
  samples_taken_ = before.samples_taken;
  before = std::move(now);
  new_trace();
}

void LiveRun::follow(const LiveRun& leader) {
  if (sequence().tokens() != leader.sequence().tokens()) {
    before_edit();
    sequence_->set_tokens(leader.sequence().tokens());
    note_change();
    new_trace();
  }
  if (std::exchange(run_->prompt_length, leader.run_->prompt_length) != leader.run_->prompt_length)
    note_change();
  if (std::exchange(cursor, leader.cursor) != leader.cursor) dirty = true;
  samples_taken_ = leader.samples_taken_;
  if (this != &leader) playing = false;
}

void LiveRun::set_clamps(std::vector<Clamp> clamps) {
  before_edit();
  sequence_->set_clamps(std::move(clamps));
  note_change();
  new_trace();
}

// ---- snapshots ------------------------------------------------------------------------------

void LiveRun::describe_anew() {
  model_ = model_card(*run_);
}

void LiveRun::describe(Snapshot& snapshot) {
  snapshot.run_path = path;
  snapshot.unsaved = unsaved;
  snapshot.file_holds_bench = in_bench;
  snapshot.replaced_steps = replaced_steps;
  snapshot.model = model_;
  snapshot.data = data_;
  snapshot.trace_id = trace_id_;
  TrainStatus& train = snapshot.train;
  const TrainSpec& spec = run_->trainer->spec();
  train.state = state;
  train.cannot_train = cannot_train_;
  snapshot.cannot_save = cannot_save_;
  train.saved_step = saved_step;
  train.step = run_->trainer->steps_done();
  train.step_limit = loop.last_step;
  train.seconds = run_->seconds;
  train.loss = run_->losses.empty() ? 0.0 : run_->losses.back().loss;
  train.smoothed_loss = run_->losses.empty() ? 0.0 : run_->losses.back().smoothed;
  train.accuracy = loop.last().accuracy;
  train.gradient_norm = loop.last().gradient_norm;
  train.learning_rate_scale = run_->trainer->learning_rate_scale;
  train.learning_rate = learning_rate_at(spec, train.step) * train.learning_rate_scale;
  train.tokens_per_second = loop.tokens_per_second();
  train.batch_size = spec.batch_size;
  train.sequence_length = spec.sequence_length;
  train.seed = spec.seed;
  copy_losses();
  snapshot.losses = losses_;
  SequenceStatus& sequence = snapshot.sequence;
  sequence.cannot_sample = cannot_sample_;
  sequence.playing = playing;
  sequence.prompt_length = run_->prompt_length;
  sequence.sampler = run_->sampler;
  sequence.cursor = cursor;
  sequence_->describe(*run_->task, snapshot);
  if (refreshed_) sequence.kept_bytes += refreshed_->bytes();
  if (sequence.full_reason.empty()) sequence.full_reason = text_end_;
  sequence_->describe_cursor(cursor, focus_block, *run_->model, run_->sampler, snapshot, writable_);
  describe_series(snapshot);
  const bool mixes = focus_block >= 0 && focus_block < static_cast<int>(mixing_.size());
  snapshot.mixing = mixes ? mixing_[static_cast<std::size_t>(focus_block)] : nullptr;
}

void LiveRun::copy_losses() {
  if (losses_shown_ == run_->losses.size()) return;
  if (losses_shown_ == kNotShown) grown_.begin_anew();
  losses_ = grown_.curve_of(run_->losses);
  losses_shown_ = run_->losses.size();
}

std::shared_ptr<const FollowerView> LiveRun::view(const SamplerSettings& sampler) {
  const ViewKey key{trace_id_, sequence_->computed(), cursor, sampler, model_.get()};
  if (view_ && key == view_key_) return view_;
  auto fresh = std::make_shared<FollowerView>();
  fresh->run = id;
  fresh->trace_id = trace_id_;
  fresh->model = model_;
  const bool same_recordings =
      view_ && key.trace_id == view_key_.trace_id && key.computed == view_key_.computed;
  fresh->clamps = sequence().clamps();
  fresh->trace = same_recordings ? view_->trace : sequence().trace();
  fresh->unclamped = same_recordings ? view_->unclamped : sequence_->unclamped_trace();
  fresh->surprise.assign(sequence().tokens().size(), 0.0f);
  for (std::size_t t = 0; t < sequence().steps().size(); ++t)
    fresh->surprise[t] = sequence().steps()[t].surprise;
  constexpr int kNoBlock = -1;
  Snapshot at_cursor;
  sequence_->describe_cursor(cursor, kNoBlock, *run_->model, sampler, at_cursor, writable_);
  fresh->next = at_cursor.next;
  view_key_ = key;
  view_ = std::move(fresh);
  return view_;
}

std::shared_ptr<const RunCard> LiveRun::card(bool shares) {
  copy_losses();
  const LossPoint last = run_->losses.empty() ? LossPoint{} : run_->losses.back();
  RunCard fresh{.id = id,
                .name = name(),
                .task = data_->title,
                .model = model_->name,
                .colour = colour,
                .shown = shown,
                .sequence = shares ? group : 0,
                .state = state,
                .step = run_->trainer->steps_done(),
                .loss = last.loss,
                .smoothed_loss = last.smoothed,
                .tokens_per_second = loop.tokens_per_second(),
                .seed = run_->trainer->spec().seed,
                .path = path,
                .unsaved = unsaved,
                .device = name_of(device()),
                .cannot_train = cannot_train_,
                .failure = failure,
                .losses = losses_};
  if (!card_ || !(*card_ == fresh)) card_ = std::make_shared<const RunCard>(std::move(fresh));
  return card_;
}

}  // namespace xlab
