// Bytes from strangers that were read wrongly once, and such as fuzzers begin with: each is read,
// or refused in a sentence.
#include <gtest/gtest.h>

#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "tests/fuzz/readers.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;

TEST(Corpus, IsReadOrRefusedInASentence) {
  for (const Reader& reader : readers()) {
    int files = 0;
    for (const auto& entry : fs::directory_iterator(fs::path(XLAB_CORPUS) / reader.name)) {
      SCOPED_TRACE(entry.path().string());
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      EXPECT_NO_THROW(read_as(reader.name, std::as_bytes(std::span(bytes))));
      ++files;
    }
    EXPECT_GT(files, 0) << reader.name;
  }
}

TEST(Corpus, EveryReaderReadsSomethingWhole) {
  // A corpus of which all is refused would say nothing about what comes after.
  for (const Reader& reader : readers()) {
    int read = 0;
    for (const auto& entry : fs::directory_iterator(fs::path(XLAB_CORPUS) / reader.name)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      try {
        reader.read(std::as_bytes(std::span(bytes)));
        ++read;
      } catch (const std::exception&) {
      }
    }
    EXPECT_GT(read, 0) << reader.name;
  }
}

}  // namespace
}  // namespace xlab::tests
