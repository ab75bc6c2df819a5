// One column of numbers of a CSV file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace xlab {

struct CsvColumn {
  std::string name;             ///< in the first line; empty where that holds numbers
  std::vector<double> numbers;  ///< from top to bottom; NaN where there is none
  int empty_at_end = 0;         ///< empty lines behind the last number, which are no numbers
};

/// Reads a column, by its name or its number from 1; the only one of a file with one needs neither.
/// Fields lie between semicolons or tabs where the first line has one, else between commas; between
/// semicolons a number may have a decimal comma. An empty field, an empty line and NA, NaN, null, -
/// and the like are numbers that are not there. Throws a sentence, with the line, for any other
/// text, for lines of another length, where the column is not plain, and where it holds no number.
/// Thousands have no mark; where a mark could be one, that is refused.
CsvColumn read_csv_column(const std::filesystem::path& path, const std::string& column);
/// What the columns of such a file are called: by their names, or where the first line holds
/// numbers already by their numbers from 1. Throws as above.
std::vector<std::string> csv_columns(const std::filesystem::path& path);
/// A column of a text; `shown` names it in sentences.
CsvColumn csv_column_of(std::string text, const std::string& column, const std::string& shown);

}  // namespace xlab
