// The list of views.
#include "ui/view_list.hpp"

namespace xlab::ui {

std::vector<std::unique_ptr<View>> make_views() {
  std::vector<std::unique_ptr<View>> views;
  views.push_back(make_time_view());
  views.push_back(make_gates_view());
  views.push_back(make_memory_view());
  views.push_back(make_loss_view());
  views.push_back(make_next_view());
  views.push_back(make_inspector_view());
  views.push_back(make_health_view());
  return views;
}

}  // namespace xlab::ui
