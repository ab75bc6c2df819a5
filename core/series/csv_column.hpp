// One column of numbers of a CSV file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace xlab {

struct CsvColumn {
  std::string name;             ///< in the first line; empty where that holds numbers
  std::vector<double> numbers;  ///< from top to bottom; NaN where there is none
};

/// Reads a column, by its name or its number from 1; the only one of a file with one needs neither.
/// Fields lie between commas, semicolons or tabs, whichever the first line has most of; between
/// semicolons a number may have a decimal comma. An empty field, NA, NaN, null and "-" are no
/// number. Throws a sentence, with the line, for any other text, for lines of another length, and
/// where the column is not plain.
CsvColumn read_csv_column(const std::filesystem::path& path, const std::string& column);
/// The same of a text; `name` names it in sentences.
CsvColumn csv_column_of(const std::string& text, const std::string& column,
                        const std::string& name);

}  // namespace xlab
