// The question which series a forecasting model is to read.
#pragma once

#include <optional>
#include <string>

class QWidget;

namespace xlab::app {

struct SeriesChoice {
  std::string file, column;  ///< of a CSV file; the column by name or by number
};

/// Asks for a CSV file, and where that has several columns for one of them. Nothing when it was
/// cancelled; a file that cannot be read is told, and asked for again.
std::optional<SeriesChoice> ask_for_series(const std::string& folder, QWidget* parent);

}  // namespace xlab::app
