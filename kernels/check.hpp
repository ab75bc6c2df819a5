// The one error type of the project, and the check that throws it.
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace xlab {

/// A failure that a person can act on. The message is a sentence: what is wrong, where, what to do.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message,
                 std::source_location where = std::source_location::current())
      : std::runtime_error(message), where_(where) {}
  /// Where in the program the check stands (for logs, never for the sentence itself).
  const std::source_location& where() const { return where_; }

 private:
  std::source_location where_;
};

/// A compile-time checked format string that remembers the line it was written on.
template <typename... Args>
struct CheckFormat {
  fmt::format_string<Args...> text;
  std::source_location where;

  template <typename S>
  consteval CheckFormat(const S& s, std::source_location location = std::source_location::current())
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
