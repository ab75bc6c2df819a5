// The project's own files as text, for the tests that read them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace xlab::tests {

inline const std::filesystem::path kSource = XLAB_SOURCE_DIR;
inline const std::vector<std::string> kFolders = {"app",     "assets", "core",
                                                  "kernels", "tests",  "ui"};

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What a text includes, in its order.
inline std::vector<std::string> includes_of(const std::string& text) {
  static const std::regex include("^[ \\t]*#[ \\t]*include[ \\t]*[<\"]([^>\"]+)[>\"]");
  std::vector<std::string> found;
  std::istringstream lines(text);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("include") == line.npos) continue;
    if (std::regex_search(line, match, include)) found.push_back(match[1]);
  }
  return found;
}

/// Paths, relative to the project, of the files in its folders that pass `wanted`.
inline std::vector<std::string> project_files(
    const std::function<bool(const std::filesystem::path&)>& wanted) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& folder : kFolders) {
    if (!fs::exists(kSource / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kSource / folder)) {
      if (entry.is_regular_file() && wanted(entry.path())) {
        files.push_back(fs::relative(entry.path(), kSource).generic_string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline bool is_code(const std::filesystem::path& path) {
  static const std::set<std::string> extensions = {".hpp", ".cpp", ".cu", ".cuh", ".h", ".in"};
  return extensions.contains(path.extension());
}

}  // namespace xlab::tests
