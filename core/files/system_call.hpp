// Calls of the system: tried again where a signal came between, and their failures in words.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

namespace xlab {

/// The kernel moves at most about 2 GiB in one call.
inline constexpr std::size_t kMostBytesPerCall = std::size_t{1} << 30;

/// What an `errno` says, for the end of a sentence.
inline std::string cause(int error) {
  return std::error_code(error, std::generic_category()).message();
}

/// What a file that is not a regular one is, in words.
inline const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

/// The result of a call that a signal did not interrupt.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace xlab
