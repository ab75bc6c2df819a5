// The views one by one, for the list and for tests.
#pragma once

#include <memory>

#include "ui/view.hpp"

namespace xlab::ui {

/// The list of views, in the order of the Window menu: a new one is a file with `make_foo_view` and
/// a word here.
#define XLAB_VIEWS(each)                                                                          \
  each(time) each(gates) each(memory) each(loss) each(next) each(inspector) each(health)          \
      each(faces) each(stabilizer) each(budget) each(map) each(mixing) each(reach) each(findings) \
          each(fill) each(read) each(explorer)

#define XLAB_DECLARE_VIEW(name) std::unique_ptr<View> make_##name##_view();
XLAB_VIEWS(XLAB_DECLARE_VIEW)
#undef XLAB_DECLARE_VIEW

}  // namespace xlab::ui
