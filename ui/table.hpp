// The text twin of a view: the same numbers as rows of strings.
#pragma once

#include <string>
#include <vector>

namespace xlab::ui {

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  /// RFC 4180: comma-separated, quoted where needed, one header line.
  std::string csv() const;
};

}  // namespace xlab::ui
