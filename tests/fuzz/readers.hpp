// Everything that reads bytes from strangers, as functions of those bytes: for the fuzzer, and for
// the test that what it found stays mended.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace xlab::tests {

/// Reads the bytes, and whatever is good is used a little. An `Error` is an answer; anything else
/// that happens is a finding.
struct Reader {
  std::string name;  ///< also that of the folder with its corpus
  std::function<void(std::span<const std::byte>)> read;
};
const std::vector<Reader>& readers();

/// Runs one of them on the bytes.
void read_as(const std::string& name, std::span<const std::byte> bytes);

}  // namespace xlab::tests
