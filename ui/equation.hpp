// Equations as they are read on screen.
#pragma once

#include <string>
#include <string_view>

namespace xlab::ui {

/// Plain equations with real subscripts: "m_{t−1}" becomes "mₜ₋₁", "f'_7" becomes "f'₇". What has
/// no subscript character stays as it is.
std::string typeset_equation(std::string_view plain);

}  // namespace xlab::ui
