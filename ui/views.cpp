// All views.
#include "ui/view_list.hpp"

namespace xlab::ui {

std::vector<std::unique_ptr<View>> make_views() {
  std::vector<std::unique_ptr<View>> views;
#define XLAB_MAKE(name) views.push_back(make_##name##_view());
  XLAB_VIEWS(XLAB_MAKE)
  return views;
}

}  // namespace xlab::ui
