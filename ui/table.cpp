// Tables as comma-separated text.
#include "ui/table.hpp"

namespace xlab::ui {
namespace {

void append_row(std::string& out, const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out += ',';
    const std::string& cell = cells[i];
    if (cell.find_first_of(",\"\r\n") == std::string::npos) {
      out += cell;
      continue;
    }
    out += '"';
    for (const char c : cell) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  out += "\r\n";
}

}  // namespace

const std::string& Table::title(std::size_t column) const {
  return column < titles.size() && !titles[column].empty() ? titles[column] : columns.at(column);
}

std::string Table::csv() const {
  std::string out;
  append_row(out, columns);
  for (const auto& row : rows) append_row(out, row);
  return out;
}

}  // namespace xlab::ui
