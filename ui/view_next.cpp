// Next token.
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class NextView : public View {
 public:
  std::string name() const override { return "next"; }
  std::string title() const override { return "Next token"; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "next", size);
    Painter painter(scene);
    say(painter, panel.content(), "Open a run to see it here.");
  }

  Table table(const Scene&) const override { return {}; }
};

}  // namespace

std::unique_ptr<View> make_next_view() {
  return std::make_unique<NextView>();
}

}  // namespace xlab::ui
