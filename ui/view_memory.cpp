// Matrix memory.
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class MemoryView : public View {
 public:
  std::string name() const override { return "memory"; }
  std::string title() const override { return "Matrix memory"; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "memory", size);
    Painter painter(scene);
    say(painter, panel.content(), "Open a run to see it here.");
  }

  Table table(const Scene&) const override { return {}; }
};

}  // namespace

std::unique_ptr<View> make_memory_view() {
  return std::make_unique<MemoryView>();
}

}  // namespace xlab::ui
