// Patterns in the syntax of Oniguruma, which tokenizers are written in, for PCRE2.
#include "core/tokenizer/oniguruma.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

/// {n} reads n characters at once, so a step stays a step only for small n.
constexpr int kMostCount = 256;

/// What \w means besides `kWordClass`, alone.
constexpr std::string_view kWordsAlone = R"(\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";

/// Rewrites a pattern of Oniguruma (Ruby syntax) for PCRE2. Only what both read in the same way, or
/// what can be spelled out, gets through.
class Translation {
 public:
  explicit Translation(std::string_view in) : in_(in) {}

  bool knows_lines() const { return knows_lines_; }

  std::string run() {
    check(!in_.empty(), "It is empty.");
    check(in_.size() <= kMostPatternBytes, "It is longer than {} bytes.", kMostPatternBytes);
    check(!find_invalid_utf8(in_), "It is not in UTF-8.");
    check(in_.find('\0') == in_.npos, "It holds a zero byte.");
    if (starts("(?i)")) take(4);
    while (at_ < in_.size()) {
      switch (in_[at_]) {
        case '\\':
          escape(false);
          break;
        case '[':
          char_class();
          break;
        case '(':
          group();
          break;
        case '{':
          count();
          break;
        case '^':
          knows_lines_ = true;
          take(1);
          break;
        default:
          take(1);
      }
    }
    return std::move(out_);
  }

  /// Whether '^' stands in the pattern, outside of brackets.

 private:
  bool starts(std::string_view what) const { return in_.substr(at_).starts_with(what); }
  void take(std::size_t bytes) {
    out_ += in_.substr(at_, bytes);
    at_ += bytes;
  }
  [[noreturn]] void refuse(std::size_t bytes) const {
    throw Error(fmt::format("'{}' at position {} is not supported.",
                            printable(in_.substr(at_, bytes)), at_));
  }

  void group() {
    if (!starts("(?") && !starts("(*")) return take(1);
    for (const std::string_view known :
         {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"})
      if (starts(known)) return take(known.size());
    refuse(3);
  }

  /// {n}, {n,} or {n,m}, greedy or lazy.
  void count() {
    std::size_t end = at_ + 1, digits = 0, commas = 0;
    int number = 0;
    for (; end < in_.size() && in_[end] != '}'; ++end) {
      if (in_[end] >= '0' && in_[end] <= '9') {
        ++digits;
        number = number * 10 + (in_[end] - '0');
        if (number > kMostCount)
          throw Error(fmt::format("'{}' at position {} repeats more than {} times.",
                                  printable(in_.substr(at_, end + 1 - at_), 20), at_, kMostCount));
      } else if (in_[end] == ',' && digits > 0 && commas == 0) {
        ++commas;
        number = 0;
      } else {
        refuse(end + 1 - at_);
      }
    }
    if (end == in_.size() || digits == 0) refuse(end + 1 - at_);
    const std::string_view after = in_.substr(end + 1, 1);
    if (after == "+" || (after == "?" && commas == 0)) refuse(end + 2 - at_);
    take(end + 1 - at_);
  }

  void char_class() {
    take(1);
    if (starts("^")) take(1);
    if (starts("]")) refuse(1);
    while (at_ < in_.size() && in_[at_] != ']') {
      if (in_[at_] == '[' || starts("&&")) refuse(2);
      if (in_[at_] == '\\') {
        escape(true);
      } else {
        take(1);
      }
    }
    check(at_ < in_.size(), "A '[' is not closed.");
    take(1);
  }

  void escape(bool in_class) {
    check(at_ + 1 < in_.size(), "It ends in a backslash.");
    const char c = in_[at_ + 1];
    const auto put = [&](std::string_view text) {
      out_ += text;
      at_ += 2;
    };
    switch (c) {
      case 's':
        return put("\\p{White_Space}");
      case 'S':
        return put("\\P{White_Space}");
      case 'd':
        return put("\\p{Nd}");
      case 'D':
        return put("\\P{Nd}");
      case 'w':
        return in_class ? put(kWordClass) : put(fmt::format("[{}{}]", kWordClass, kWordsAlone));
      case 'W':
        if (in_class) refuse(2);
        return put(fmt::format("[^{}{}]", kWordClass, kWordsAlone));
      case 'v':
        return put("\\x{0B}");
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        return take(2);
      case 'A':
      case 'z':
        if (in_class) refuse(2);
        return take(2);
      case 'p':
      case 'P':
        return property(c == 'P');
      case 'x':
        return starts("\\x{") ? code_point(3, "}") : code_point(2, "");
      case 'u':
        return code_point(2, "");
      default:
        break;
    }
    const bool letter_or_digit =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter_or_digit || static_cast<unsigned char>(c) >= 0x80) refuse(2);
    take(2);
  }

  /// \x{HHHH}, \xHH or \uHHHH.
  void code_point(std::size_t skip, std::string_view close) {
    const std::size_t digits = !close.empty() ? 6 : in_[at_ + 1] == 'u' ? 4 : 2;
    std::size_t end = at_ + skip;
    std::uint32_t value = 0;
    for (; end < in_.size() && end - at_ - skip < digits; ++end) {
      const char c = in_[end];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) break;
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    const std::size_t used = end - at_ - skip;
    const bool complete = close.empty() ? used == digits : used > 0 && end < in_.size();
    if (!complete || !in_.substr(end).starts_with(close)) refuse(end + 1 - at_);
    // Two digits name a byte there, which is a character only in ASCII.
    if (close.empty() && digits == 2 && value >= 0x80) refuse(end - at_);
    out_ += fmt::format("\\x{{{:X}}}", value);
    at_ = end + close.size();
  }

  void property(bool negated) {
    if (!starts("\\p{") && !starts("\\P{")) refuse(3);
    const std::size_t end = in_.find('}', at_);
    if (end == in_.npos) refuse(12);
    std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kLongNames = {
        {{"Letter", "L"},
         {"Uppercase_Letter", "Lu"},
         {"Lowercase_Letter", "Ll"},
         {"Mark", "M"},
         {"Number", "N"},
         {"Decimal_Number", "Nd"},
         {"Punctuation", "P"},
         {"Symbol", "S"}}};
    for (const auto& [full, brief] : kLongNames)
      if (name == full) name = brief;
    static constexpr std::string_view kCategories =
        " L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C "
        "Cc Cf Cs Co Cn Alphabetic White_Space Uppercase Lowercase ";
    const bool category = kCategories.find(fmt::format(" {} ", name)) != kCategories.npos;
    const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
      return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    });
    if (!plain) refuse(end + 1 - at_);
    // Everything else is the name of a script; PCRE2 would take its extensions in.
    out_ += fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', category ? "" : "sc:", name);
    at_ = end + 1;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
  bool knows_lines_ = false;
};

}  // namespace

PcrePattern for_pcre(std::string_view pattern) {
  Translation translation(pattern);
  std::string expression = translation.run();
  return {std::move(expression), translation.knows_lines()};
}

}  // namespace xlab
