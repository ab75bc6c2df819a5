// The list of slips keeps to the sources: every line that a slip changes is there, exactly once.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = XLAB_SOURCE_DIR;

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(trimmed(line));
  return lines;
}

using Slip = std::map<std::string, std::string>;

std::vector<Slip> slips_in(const fs::path& list) {
  std::vector<Slip> slips(1);
  for (const std::string& line : lines_of(list)) {
    if (line.starts_with("#")) continue;
    if (line.empty()) {
      if (!slips.back().empty()) slips.emplace_back();
      continue;
    }
    const std::size_t colon = line.find(':');
    EXPECT_NE(colon, std::string::npos) << list << ": " << line;
    if (colon == std::string::npos) continue;
    slips.back()[line.substr(0, colon)] = trimmed(line.substr(colon + 1));
  }
  if (slips.back().empty()) slips.pop_back();
  return slips;
}

TEST(Slips, EveryLineIsThereExactlyOnce) {
  std::map<std::string, int> slips_of;
  std::set<std::string> stories;
  for (const auto& entry : fs::directory_iterator(kRoot / "tests" / "slips")) {
    if (entry.path().extension() != ".txt") continue;
    for (Slip& slip : slips_in(entry.path())) {
      SCOPED_TRACE(entry.path().filename().string() + ": " + slip["file"] + ": " + slip["why"]);
      for (const char* key : {"file", "was", "now", "test", "why"})
        EXPECT_FALSE(slip[key].empty()) << key;
      EXPECT_EQ(slip.size(), 5u);
      EXPECT_NE(slip["was"], slip["now"]);
      EXPECT_TRUE(stories.insert(slip["file"] + slip["why"]).second) << "listed twice";
      const std::vector<std::string> lines = lines_of(kRoot / slip["file"]);
      EXPECT_EQ(std::count(lines.begin(), lines.end(), slip["was"]), 1) << slip["was"];
      EXPECT_TRUE(slip["test"].starts_with("xlab_")) << slip["test"];
      EXPECT_NE(slip["test"].find(' '), std::string::npos) << "a program and its filter";
      ++slips_of[entry.path().stem()];
    }
  }
  EXPECT_GE(slips_of["kernels"], 15);
  EXPECT_GE(slips_of["core"], 15);
  EXPECT_GE(slips_of["ui"], 15);
}

}  // namespace
}  // namespace xlab::tests
