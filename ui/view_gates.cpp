// Gates.
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class GatesView : public View {
 public:
  std::string name() const override { return "gates"; }
  std::string title() const override { return "Gates"; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "gates", size);
    Painter painter(scene);
    say(painter, panel.content(), "Open a run to see it here.");
  }

  Table table(const Scene&) const override { return {}; }
};

}  // namespace

std::unique_ptr<View> make_gates_view() {
  return std::make_unique<GatesView>();
}

}  // namespace xlab::ui
