// A fuzzer for one reader: XLAB_READER is its name.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xlab::tests::read_as(XLAB_READER, std::as_bytes(std::span(data, size)));
  return 0;
}
