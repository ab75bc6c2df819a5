// Loss.
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class LossView : public View {
 public:
  std::string name() const override { return "loss"; }
  std::string title() const override { return "Loss"; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "loss", size);
    Painter painter(scene);
    say(painter, panel.content(), "Open a run to see it here.");
  }

  Table table(const Scene&) const override { return {}; }
};

}  // namespace

std::unique_ptr<View> make_loss_view() {
  return std::make_unique<LossView>();
}

}  // namespace xlab::ui
