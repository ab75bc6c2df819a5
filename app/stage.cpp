// Keeps the shared focus within the model that is open.
#include "app/stage.hpp"

#include <algorithm>

namespace xlab::app {
namespace {

// Painting on the CPU shares its cores with training, so it gets half the pictures.
constexpr int kGlIntervalMs = 16;
constexpr int kSoftwareIntervalMs = 33;

}  // namespace

Stage::Stage(CanvasKind kind, const std::string& device, const Keeping& keeping, QObject* parent)
    : QObject(parent),
      kind_(kind),
      engine_(kind == CanvasKind::gl ? kGlIntervalMs : kSoftwareIntervalMs, device, keeping) {
  connect(&engine_, &EngineLink::run_changed, this, &Stage::start_run);
}

void Stage::set_focus(const ui::Focus& focus) {
  if (focus == focus_) return;
  const bool other_block = focus.block != focus_.block;
  focus_ = focus;
  if (other_block) send(command::Focus{focus.block});
  emit focus_changed();
}

void Stage::set_block(int block) {
  if (!snapshot().model || snapshot().model->blocks.empty()) return;
  ui::Focus focus = focus_;
  focus.block = std::clamp(block, 0, static_cast<int>(snapshot().model->blocks.size()) - 1);
  const int heads = snapshot().model->blocks[static_cast<std::size_t>(focus.block)].heads;
  focus.head = std::clamp(focus.head, 0, std::max(0, heads - 1));
  set_focus(focus);
}

void Stage::set_head(int head) {
  ui::Focus focus = focus_;
  focus.head = std::clamp(head, 0, std::max(0, heads() - 1));
  set_focus(focus);
}

int Stage::heads() const {
  if (!snapshot().model) return 0;
  const auto& blocks = snapshot().model->blocks;
  const auto block = static_cast<std::size_t>(std::max(0, focus_.block));
  return block < blocks.size() ? blocks[block].heads : 0;
}

void Stage::set_look(const CanvasLook& look) {
  look_ = look;
  emit look_changed();
}

/// Another model: what was selected in the last one means nothing here.
void Stage::start_run() {
  ui::Focus focus;
  if (snapshot().model) {
    const auto& blocks = snapshot().model->blocks;
    const auto first =
        std::find_if(blocks.begin(), blocks.end(), [](const BlockCard& b) { return b.has_matrix; });
    if (first != blocks.end()) focus.block = static_cast<int>(first - blocks.begin());
  }
  // A pinned state is there to be compared with.
  focus.reference = focus_.reference;
  focus_ = focus;
  send(command::Focus{focus.block});
  emit focus_changed();
}

}  // namespace xlab::app
