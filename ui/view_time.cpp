// Time.
#include "ui/panel.hpp"
#include "ui/view_list.hpp"

namespace xlab::ui {
namespace {

class TimeView : public View {
 public:
  std::string name() const override { return "time"; }
  std::string title() const override { return "Time"; }

  void draw(Scene& scene, ImVec2 size) override {
    const Panel panel(scene, "time", size);
    Painter painter(scene);
    say(painter, panel.content(), "Open a run to see it here.");
  }

  Table table(const Scene&) const override { return {}; }
};

}  // namespace

std::unique_ptr<View> make_time_view() {
  return std::make_unique<TimeView>();
}

}  // namespace xlab::ui
