// Follows the engine's snapshots through opening, playing and hinting.
#include "app/first_run.hpp"

#include <QFile>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace xlab::app {
namespace {

constexpr double kTokensPerSecond = 4.0;

std::shared_ptr<const std::vector<std::byte>> preset() {
  QFile file(":/presets/recall.xlab");
  if (!file.open(QIODevice::ReadOnly)) return nullptr;
  const QByteArray content = file.readAll();
  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(content.size()));
  std::memcpy(bytes->data(), content.data(), bytes->size());
  return bytes;
}

/// The head that reads most from its memory at a step: there forgetting shows. The read-out is
/// divided by max(|s|, exp(-m)), so a head reads in earnest where |s| exp(m) is large.
int busiest_head(const Trace* trace, const BlockCard& block, int step) {
  const Recorded* s = trace ? trace->find(step, block.prefix + "/s") : nullptr;
  const Recorded* m = trace ? trace->find(step, block.prefix + "/m") : nullptr;
  int best = 0;
  float most = -1.0f;
  for (int head = 0; s && m && head < block.heads; ++head) {
    const float reads = std::abs(s->at(head, 0)) * std::exp(m->at(head, 0));
    if (reads > most) {
      most = reads;
      best = head;
    }
  }
  return best;
}

}  // namespace

FirstRun::FirstRun(Stage& stage, QObject* parent) : QObject(parent), stage_(stage) {
  // After the stage has chosen the focus of a new run.
  connect(&stage.engine(), &EngineLink::changed, this, &FirstRun::follow_snapshot,
          Qt::QueuedConnection);
  connect(&stage.engine(), &EngineLink::failed, this, [this] {
    if (state_ == State::opening && preset_asked_) open_new();
  });
}

void FirstRun::begin() {
  run_before_ = stage_.snapshot().run_id;
  state_ = State::opening;
  preset_asked_ = false;
  if (auto bytes = preset()) {
    preset_asked_ = true;
    stage_.send(command::OpenRun{.path = {}, .bytes = std::move(bytes)});
    play();
  } else {
    open_new();
  }
}

/// Without a preset, or with one that cannot be read.
void FirstRun::open_new() {
  preset_asked_ = false;
  stage_.send(command::NewRun{.task = "recall", .spec_json = {}});
  play();
}

void FirstRun::play() {
  stage_.send(command::Rewind{});
  stage_.send(command::SetPlaySpeed{kTokensPerSecond});
  stage_.send(command::Play{});
}

void FirstRun::skip() {
  const int last = static_cast<int>(stage_.snapshot().sequence.tokens.size()) - 1;
  if (state_ != State::playing) return;
  stage_.send(command::StopPlaying{});
  stage_.send(command::SetCursor{last});
}

void FirstRun::follow_snapshot() {
  const Snapshot& now = stage_.snapshot();
  const SequenceStatus& sequence = now.sequence;
  if (state_ == State::opening && now.run_id != run_before_ && now.model) {
    state_ = State::playing;
    run_ = now.run_id;
  }
  if (state_ != State::playing && state_ != State::hinting) return;
  if (now.run_id != run_ || (state_ == State::hinting && !sequence.clamps.empty())) {
    end();
    return;
  }
  const int last = static_cast<int>(sequence.tokens.size()) - 1;
  if (state_ == State::playing && last >= 0 && sequence.cursor >= last) {
    stage_.send(command::StopPlaying{});
    const auto& blocks = now.model->blocks;
    const auto first =
        std::find_if(blocks.begin(), blocks.end(), [](const BlockCard& b) { return b.has_matrix; });
    if (first == blocks.end() || !sequence.clamps.empty()) {
      end();
      return;
    }
    state_ = State::hinting;
    ui::Focus focus = stage_.focus();
    focus.hint_target = first->prefix + "/forget_gate_pre";
    focus.hint = tr("Drag the forget gate down: make it forget.").toStdString();
    focus.block = static_cast<int>(first - blocks.begin());
    focus.head = busiest_head(now.trace.get(), *first, sequence.cursor);
    // The inspector explains the gate that is about to be dragged.
    focus.pinned = ui::ValueRef{
        .path = first->prefix + "/forget_gate", .step = sequence.cursor, .head = focus.head};
    stage_.set_focus(focus);
  }
}

void FirstRun::end() {
  state_ = State::done;
  ui::Focus focus = stage_.focus();
  focus.hint_target.clear();
  focus.hint.clear();
  stage_.set_focus(focus);
}

}  // namespace xlab::app
