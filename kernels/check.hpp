// The one error type of the project, and the check that throws it.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace xlab {

/// A place in the sources. clang 14 cannot use std::source_location of libstdc++.
struct SourceLine {
  const char* file = "";
  int line = 0;

  static constexpr SourceLine here(const char* file = __builtin_FILE(),
                                   int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// A failure that a person can act on. The message is a sentence: what is wrong, where, what to do.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, SourceLine where = SourceLine::here())
      : std::runtime_error(message), where_(where) {}
  /// Where in the program the check stands (for logs, never for the sentence itself).
  const SourceLine& where() const { return where_; }

 private:
  SourceLine where_;
};

/// A compile-time checked format string that remembers the line it was written on.
template <typename... Args>
struct CheckFormat {
  fmt::format_string<Args...> text;
  SourceLine where;

  template <typename S>
  consteval CheckFormat(const S& s, SourceLine location = SourceLine::here())
      : text(s), where(location) {}
};

/// Throws `Error` with the formatted sentence unless `condition` holds.
template <typename... Args>
void check(bool condition, CheckFormat<std::type_identity_t<Args>...> format, Args&&... args) {
  if (!condition) [[unlikely]] {
    throw Error(fmt::format(format.text, std::forward<Args>(args)...), format.where);
  }
}

}  // namespace xlab
