// The views one by one, for the list and for tests.
#pragma once

#include <memory>

#include "ui/view.hpp"

namespace xlab::ui {

std::unique_ptr<View> make_time_view();
std::unique_ptr<View> make_gates_view();
std::unique_ptr<View> make_memory_view();
std::unique_ptr<View> make_loss_view();
std::unique_ptr<View> make_next_view();
std::unique_ptr<View> make_inspector_view();
std::unique_ptr<View> make_health_view();

}  // namespace xlab::ui
