// Rows by libcsv; which of them is meant, and its numbers.
#include "core/series/csv_column.hpp"

#include <csv.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "core/files/disk.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

constexpr std::uint64_t kMostBytes = 256 << 20;
constexpr std::size_t kMostNamed = 12;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

using Row = std::vector<std::string>;

struct Rows {
  std::vector<Row> rows;
  Row row;
};

char separator_of(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  constexpr std::array<char, 3> kSeparators = {',', ';', '\t'};
  return *std::max_element(kSeparators.begin(), kSeparators.end(), [&](char a, char b) {
    return std::count(line.begin(), line.end(), a) < std::count(line.begin(), line.end(), b);
  });
}

std::vector<Row> rows_of(std::string text, char separator, const std::string& shown) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  // Every line end is a row, also behind an empty line: a number that is not there.
  std::erase(text, '\r');
  while (text.ends_with('\n')) text.pop_back();
  csv_parser parser{};
  check(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) == 0,
        "There is not enough memory to read '{}'.", shown);
  csv_set_delim(&parser, static_cast<unsigned char>(separator));
  Rows read;
  const auto field = [](void* bytes, std::size_t size, void* into) {
    static_cast<Rows*>(into)->row.emplace_back(static_cast<const char*>(bytes), size);
  };
  const auto row = [](int, void* into) {
    auto& rows = *static_cast<Rows*>(into);
    rows.rows.push_back(std::move(rows.row));
    rows.row.clear();
  };
  const std::size_t done = csv_parse(&parser, text.data(), text.size(), field, row, &read);
  const bool sound = done == text.size() && csv_fini(&parser, field, row, &read) == 0;
  csv_free(&parser);
  check(sound,
        "Line {} of '{}' has a quotation mark that is not closed, or that stands inside a "
        "field.",
        read.rows.size() + 1, shown);
  return read.rows;
}

/// A number, or NaN for one that is not there; nothing for another text.
std::optional<double> field_number(std::string field, bool decimal_comma) {
  const auto first = field.find_first_not_of(" \t"), last = field.find_last_not_of(" \t");
  field = first == field.npos ? std::string() : field.substr(first, last - first + 1);
  static constexpr std::array<std::string_view, 9> kNone = {"",     "NA",   "N/A",  "NaN", "nan",
                                                            "null", "NULL", "None", "-"};
  if (std::find(kNone.begin(), kNone.end(), field) != kNone.end()) return kNothing;
  if (decimal_comma) std::replace(field.begin(), field.end(), ',', '.');
  const char* begin = field.data() + (field.starts_with('+') ? 1 : 0);
  double number = 0.0;
  const auto [end, error] = std::from_chars(begin, field.data() + field.size(), number);
  const bool whole = error == std::errc() && end == field.data() + field.size();
  return whole && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::size_t column_named(const Row& names, bool named, const std::string& column,
                         const std::string& shown) {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < names.size() && i < kMostNamed; ++i)
    known.push_back(named ? fmt::format("'{}'", printable(names[i], 40))
                          : fmt::format("{}", i + 1));
  const std::string list =
      fmt::format("{}{}", fmt::join(known, ", "), names.size() > kMostNamed ? " and more" : "");
  if (column.empty()) {
    check(names.size() == 1, "'{}' has {} columns: say with --column which one, of {}.", shown,
          names.size(), list);
    return 0;
  }
  const auto found = std::find(names.begin(), names.end(), column);
  if (named && found != names.end()) {
    check(std::count(names.begin(), names.end(), column) == 1,
          "'{}' has several columns '{}': name one by its number.", shown, printable(column, 40));
    return static_cast<std::size_t>(found - names.begin());
  }
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(column.data(), column.data() + column.size(), number);
  check(error == std::errc() && end == column.data() + column.size() && number >= 1 &&
            number <= names.size(),
        "'{}' has no column '{}'; it has {}.", shown, printable(column, 40), list);
  return number - 1;
}

}  // namespace

CsvColumn read_csv_column(const std::filesystem::path& path, const std::string& column) {
  return csv_column_of(read_text_file(path, kMostBytes), column, shown_path(path));
}

CsvColumn csv_column_of(const std::string& text, const std::string& column,
                        const std::string& shown) {
  const char separator = separator_of(text);
  const std::vector<Row> rows = rows_of(text, separator, shown);
  check(!rows.empty() && !rows.front().empty(), "'{}' holds no columns of numbers.", shown);
  const Row& first = rows.front();
  const bool comma = separator == ';';
  // Numbers, or nothing, in every field: no line of names.
  const bool named = std::any_of(first.begin(), first.end(), [&](const std::string& field) {
    return !field_number(field, comma).has_value();
  });
  const std::size_t at = column_named(first, named, column, shown);
  CsvColumn out;
  if (named) out.name = first[at];
  for (std::size_t r = named ? 1 : 0; r < rows.size(); ++r) {
    const Row& row = rows[r];
    check(row.size() == first.size() || row.empty(),
          "Line {} of '{}' has {} fields, but the first one has {}.", r + 1, shown, row.size(),
          first.size());
    const auto number = row.empty() ? std::optional(kNothing) : field_number(row[at], comma);
    check(number.has_value(), "Line {} of '{}': '{}' is no number.", r + 1, shown,
          printable(row.empty() ? std::string() : row[at], 40));
    out.numbers.push_back(*number);
  }
  check(!out.numbers.empty(), "'{}' holds no numbers.", shown);
  return out;
}

}  // namespace xlab
