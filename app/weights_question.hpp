// What the weights of a large model are to be held in.
#pragma once

#include <optional>
#include <string>

#include "core/files/openable.hpp"

class QWidget;

namespace xlab::app {

/// Asks a person: 0 for as they are stored, 8 or 4 bits, or nothing when the model is not to be
/// opened. What there is no room for cannot be chosen.
std::optional<int> ask_for_bits(const std::string& path, const WeightsToHold& weights,
                                QWidget* parent);

}  // namespace xlab::app
