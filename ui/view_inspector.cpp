// Inspector.
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class InspectorView : public View {
 public:
  std::string name() const override { return "inspector"; }
  std::string title() const override { return "Inspector"; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "inspector", size);
    Painter painter(scene);
    say(painter, panel.content(), "Open a run to see it here.");
  }

  Table table(const Scene&) const override { return {}; }
};

}  // namespace

std::unique_ptr<View> make_inspector_view() {
  return std::make_unique<InspectorView>();
}

}  // namespace xlab::ui
