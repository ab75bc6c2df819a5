// Rows by libcsv; which column is meant, and its numbers.
#include "core/series/csv_column.hpp"

#include <csv.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "core/files/disk.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

constexpr std::uint64_t kMostBytes = 256 << 20;
constexpr std::size_t kMostColumns = 100'000, kMostNamed = 12;
constexpr std::size_t kParsedAtATime = 1 << 16;  // bytes, before a failure is looked for
constexpr std::size_t kMostOfNames = 1 << 20;    // bytes that a line of names may have
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

using Row = std::vector<std::string>;

/// A semicolon or a tab in the first line stands between fields; else a comma does, which may be
/// a decimal comma otherwise. What is between quotation marks says nothing.
char separator_of(std::string_view text) {
  bool quoted = false, tab = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ';') return ';';
    if (c == '\n') break;
    tab = tab || c == '\t';
  }
  return tab ? '\t' : ',';
}

std::string trimmed(const std::string& field) {
  const auto first = field.find_first_not_of(" \t"), last = field.find_last_not_of(" \t");
  return first == field.npos ? std::string() : field.substr(first, last - first + 1);
}

/// A number, or NaN for one that is not there; nothing for another text.
std::optional<double> field_number(const std::string& text, bool decimal_comma) {
  std::string field = trimmed(text);
  static constexpr std::array<std::string_view, 16> kNone = {
      "",     "NA",   "N/A",  "n/a",  "#N/A", "<NA>", "NaN", "nan",
      "null", "NULL", "None", "none", "-",    "--",   ".",   "?"};
  if (std::find(kNone.begin(), kNone.end(), field) != kNone.end()) return kNothing;
  if (decimal_comma) std::replace(field.begin(), field.end(), ',', '.');
  const char* begin = field.data() + (field.starts_with('+') ? 1 : 0);
  double number = 0.0;
  const auto [end, error] = std::from_chars(begin, field.data() + field.size(), number);
  const bool whole = error == std::errc() && end == field.data() + field.size();
  return whole && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

/// Line by line: names or numbers first, then the numbers of one column.
class Reader {
 public:
  Reader(const std::string& column, char separator, const std::string& shown)
      : column_(column), separator_(separator), shown_(shown) {}

  /// From libcsv, which is C: what goes wrong is kept.
  static void field(void* bytes, std::size_t size, void* reader) {
    static_cast<Reader*>(reader)->guarded([&](Reader& r) {
      r.take_field({static_cast<const char*>(bytes), size});
    });
  }
  static void row(int, void* reader) {
    static_cast<Reader*>(reader)->guarded([](Reader& r) { r.end_row(); });
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }
  std::size_t line() const { return line_; }
  bool only_first = false;  ///< nothing but the first line is wanted

  Row first;
  CsvColumn out;
  bool named = false, done = false;

 private:
  template <typename Step>
  void guarded(Step step) noexcept {
    if (failure_ || done) return;
    try {
      step(*this);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void take_field(std::string_view text) {
    if (line_ == 0) {
      check(first.size() < kMostColumns, "'{}' has more than {} columns.", shown_, kMostColumns);
      first.emplace_back(text);
    } else if (fields_ == at_) {
      field_.assign(text);
    }
    ++fields_;
  }

  void end_row() {
    const std::size_t fields = std::exchange(fields_, 0);
    if (line_ == 0) {
      if (fields == 0) return;  // empty lines before everything
      begin();
    } else {
      take_number(fields);
    }
    ++line_;
  }

  void begin() {
    const bool comma = separator_ == ';';
    named = std::any_of(first.begin(), first.end(), [&](const std::string& field) {
      return !field_number(field, comma).has_value();
    });
    if (only_first) {
      done = true;
      return;
    }
    at_ = column_meant();
    if (named) {
      out.name = first[at_];
      return;
    }
    field_ = first[at_];
    take_number(first.size());
  }

  std::size_t column_meant() {
    const auto found = std::find(first.begin(), first.end(), column_);
    std::size_t number = 0;
    const auto [end, error] =
        std::from_chars(column_.data(), column_.data() + column_.size(), number);
    const bool is_number = !column_.empty() && error == std::errc() &&
                           end == column_.data() + column_.size() && number >= 1 &&
                           number <= first.size();
    // Years, say, as names.
    if (!named && !column_.empty() && !is_number && found != first.end()) named = true;
    std::vector<std::string> known;
    for (std::size_t i = 0; i < first.size() && i < kMostNamed; ++i)
      known.push_back(named ? fmt::format("'{}'", printable(first[i], 40))
                            : fmt::format("{}", i + 1));
    const std::string list =
        fmt::format("{}{}", fmt::join(known, ", "), first.size() > kMostNamed ? " and more" : "");
    if (column_.empty()) {
      check(first.size() == 1, "'{}' has {} columns: say with --column which one, of {}.", shown_,
            first.size(), list);
      return 0;
    }
    if (named && found != first.end()) {
      check(std::count(first.begin(), first.end(), column_) == 1,
            "'{}' has several columns '{}': name one by its number.", shown_,
            printable(column_, 40));
      return static_cast<std::size_t>(found - first.begin());
    }
    check(is_number, "'{}' has no column '{}'; it has {}.", shown_, printable(column_, 40), list);
    check(!named || !field_number(first[number - 1], separator_ == ';').has_value() ||
              trimmed(first[number - 1]).empty(),
          "The first line of '{}' begins its column {} with the number '{}', but not all of that "
          "line are numbers. Give the file a line of names, so that it is plain where the numbers "
          "begin.",
          shown_, number, printable(first[number - 1], 40));
    return number - 1;
  }

  void take_number(std::size_t fields) {
    if (fields == 0) {
      out.numbers.push_back(kNothing);
      return;
    }
    check(fields == first.size(), "Line {} of '{}' has {} field{}, but the first one has {}.{}",
          line_ + 1, shown_, fields, fields == 1 ? "" : "s", first.size(),
          separator_ == ',' ? " Numbers with a decimal comma are read between semicolons." : "");
    const auto number = field_number(field_, separator_ == ';');
    check(number.has_value(), "Line {} of '{}': '{}' is no number.", line_ + 1, shown_,
          printable(field_, 40));
    if (separator_ == ';') note_mark(trimmed(field_), *number);
    out.numbers.push_back(*number);
  }

  /// Between semicolons a comma and a point may each be a decimal mark, or stand for thousands.
  void note_mark(const std::string& field, double number) {
    const auto mark = field.find_first_of(",.");
    if (std::isnan(number)) return;
    if (mark == field.npos) {
      whole_ = true;
    } else {
      check(mark_ == 0 || mark_ == field[mark],
            "Line {} of '{}': '{}' has another decimal mark than the numbers before it. Write all "
            "with the same, and thousands without one.",
            line_ + 1, shown_, printable(field, 40));
      mark_ = field[mark];
      const std::string_view before = std::string_view(field).substr(0, mark);
      const auto digits = before.substr(std::min(before.find_first_not_of("+-"), before.size()));
      const bool like_thousands = field.size() - mark == 4 && !digits.empty() &&
                                  digits.size() <= 3 && digits.front() != '0';
      if (!like_thousands) only_threes_ = false;
      if (example_.empty()) example_ = field;
    }
  }

 public:
  void end() const {
    check(mark_ == 0 || !whole_ || !only_threes_,
          "'{}' does not say whether '{}' is a thousand and more, or a decimal number: write "
          "thousands without a mark, or decimals with another number of digits.",
          shown_, printable(example_, 40));
    check(std::any_of(out.numbers.begin(), out.numbers.end(),
                      [](double x) { return !std::isnan(x); }),
          "'{}' holds no numbers{}.", shown_,
          named ? fmt::format(" in its column '{}'", printable(out.name, 40)) : "");
  }

 private:
  const std::string& column_;
  const char separator_;
  const std::string& shown_;
  std::size_t line_ = 0, fields_ = 0, at_ = 0;
  std::string field_, example_;
  char mark_ = 0;
  bool whole_ = false, only_threes_ = true;
  std::exception_ptr failure_;
};

void normalise(std::string& text, CsvColumn& out) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  // Every program's line ends.
  std::string::size_type to = 0;
  for (std::string::size_type from = 0; from < text.size(); ++from) {
    const bool pair = text[from] == '\r' && from + 1 < text.size() && text[from + 1] == '\n';
    if (!pair) text[to++] = text[from] == '\r' ? '\n' : text[from];
  }
  text.resize(to);
  const auto last = text.find_last_not_of("\n ");
  const std::string_view tail = std::string_view(text).substr(last == text.npos ? 0 : last + 1);
  out.empty_at_end = std::max(0, static_cast<int>(std::count(tail.begin(), tail.end(), '\n')) - 1);
  text.resize(text.size() - tail.size());
}

void parse(std::string& text, Reader& reader, char separator, const std::string& shown) {
  csv_parser parser{};
  // Every line end is a row, also behind an empty line: a number that is not there.
  check(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) == 0,
        "There is not enough memory to read '{}'.", shown);
  csv_set_delim(&parser, static_cast<unsigned char>(separator));
  bool sound = true;
  for (std::size_t at = 0; sound && !reader.done && at < text.size(); at += kParsedAtATime) {
    const std::size_t size = std::min(kParsedAtATime, text.size() - at);
    sound = csv_parse(&parser, text.data() + at, size, Reader::field, Reader::row, &reader) == size;
  }
  if (sound && !reader.done) sound = csv_fini(&parser, Reader::field, Reader::row, &reader) == 0;
  csv_free(&parser);
  reader.rethrow();
  check(sound,
        "Line {} of '{}' has a quotation mark that is not closed, or that stands inside a field.",
        reader.line() + 1, shown);
  check(!reader.first.empty(), "'{}' holds no columns of numbers.", shown);
}

}  // namespace

CsvColumn read_csv_column(const std::filesystem::path& path, const std::string& column) {
  return csv_column_of(read_text_file(path, kMostBytes), column, shown_path(path));
}

std::vector<std::string> csv_columns(const std::filesystem::path& path) {
  const std::string shown = shown_path(path), none;
  // Somebody waits for the answer: of a large file its beginning is enough.
  InputFile file(path);
  std::string text(std::min<std::uint64_t>(file.size(), kMostOfNames), '\0');
  text.resize(file.read(std::as_writable_bytes(std::span(text))));
  CsvColumn ignored;
  normalise(text, ignored);
  const char separator = separator_of(text);
  Reader reader(none, separator, shown);
  reader.only_first = true;
  parse(text, reader, separator, shown);
  std::vector<std::string> names = std::move(reader.first);
  if (!reader.named)
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::to_string(i + 1);
  return names;
}

CsvColumn csv_column_of(std::string text, const std::string& column, const std::string& shown) {
  CsvColumn out;
  normalise(text, out);
  const char separator = separator_of(text);
  Reader reader(column, separator, shown);
  parse(text, reader, separator, shown);
  reader.end();
  out.name = std::move(reader.out.name);
  out.numbers = std::move(reader.out.numbers);
  return out;
}

}  // namespace xlab
