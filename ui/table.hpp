// The text twin of a view: the same numbers as rows of strings.
#pragma once

#include <string>
#include <vector>

namespace xlab::ui {

struct Table {
  std::vector<std::string> columns;  ///< names of the columns, for programs
  std::vector<std::vector<std::string>> rows;
  /// What people read above the columns, where that is not the name; empty: the names.
  std::vector<std::string> titles;
  int places = 0;        ///< how many leading columns say where a row stands, not what is there
  int step_column = -1;  ///< the column with the time step; -1 when there is none
  /// What is not listed, and how to see it, as sentences; empty: everything is.
  std::string note;

  /// What people read above a column.
  const std::string& title(std::size_t column) const;
  /// RFC 4180: comma-separated, quoted where needed, one header line. Without the note.
  std::string csv() const;
};

}  // namespace xlab::ui
