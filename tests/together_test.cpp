// A first build compiles several files of a library, or of a program of tests, as one, whichever
// happen to stand side by side:
// their unnamed namespaces are one then, and no name may stand in two of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/project_sources.hpp"

namespace xlab::tests {
namespace {

const std::set<std::string> kCompiledAsOne{"core",       "ui",       "app",       "app/cli",
                                           "tests/core", "tests/ui", "tests/app", "tests/cuda"};

/// Names of types, constants and functions in the unnamed namespaces of a file, after the namespace
/// around them. A function stands with its parameters, since others may have its name. An alias may
/// be said twice.
std::set<std::string> private_names(const std::string& text) {
  static const std::regex type("^(?:struct|class|enum class|enum) (\\w+)[^;]*\\{.*");
  static const std::regex constant("^(?:constexpr|const) [^(]*?(\\w+)(?:\\[\\])?(?: =|\\{).*");
  static const std::regex function("^[A-Za-z][\\w:<>,&*\\[\\] ]* [*&]?(\\w+\\(.*)");
  static const std::regex parameter_name("\\b\\w+(?=[,)])");
  std::set<std::string> names;
  std::istringstream lines(text);
  bool inside = false;
  std::string around;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("namespace xlab")) around = line.substr(10, line.find(" {") - 10) + " ";
    if (line == "namespace {") inside = true;
    if (line == "}  // namespace") inside = false;
    if (!inside) continue;
    if (std::regex_match(line, match, type) || std::regex_match(line, match, constant)) {
      names.insert(around + match[1].str());
    } else if (std::regex_match(line, match, function)) {
      names.insert(around + std::regex_replace(match[1].str(), parameter_name, ""));
    }
  }
  return names;
}

/// Names that the headers of a library declare in its namespaces, without parameters.
std::set<std::string> public_names(const std::string& text) {
  static const std::regex declared(
      "^(?:inline )?(?:(?:struct|class|enum class|enum) (\\w+).*|(?:constexpr|const) [^(]*?(\\w+)"
      "(?:\\[\\])?(?: =|\\{).*|[A-Za-z][\\w:<>,&*\\[\\] ]* [*&]?(\\w+)\\(.*)");
  std::set<std::string> names;
  std::istringstream lines(text);
  bool inner = false;  // what stands in a namespace of its own hides nothing
  std::string around;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("namespace xlab")) around = line.substr(10, line.find(" {") - 10) + " ";
    if (line.starts_with("namespace ") && !line.starts_with("namespace xlab")) inner = true;
    if (line.starts_with("}  // namespace ")) inner = false;
    if (inner) continue;
    if (!std::regex_match(line, match, declared)) continue;
    for (const std::size_t group : {1u, 2u, 3u})
      if (match[group].matched) names.insert(around + match[group].str());
  }
  return names;
}

TEST(Together, PrivateNamesAreFound) {
  const std::string text =
      "int outside(int a) {\n}\nnamespace xlab::here {\nnamespace {\n\nconstexpr int kMost = "
      "3;\nstruct Part {\n  int "
      "x;\n};\n"
      "using Bytes = int;\nstd::string name_of(const Part& part, int n) {\n}\n\n}  // namespace\n"
      "constexpr int kOutside = 3;\n";
  EXPECT_THAT(private_names(text),
              testing::ElementsAre("xlab::here Part", "xlab::here kMost",
                                   "xlab::here name_of(const Part& , int ) {"));
}

TEST(Together, FilesThatMayBeCompiledAsOneShareNoPrivateName) {
  std::map<std::string, std::map<std::string, std::vector<std::string>>> libraries;
  for (const std::string& file : project_files(is_code)) {
    const std::filesystem::path path = file;
    const std::string name_of_file = path.filename();
    const std::string library = file.starts_with("app/cli/") ? "app/cli"
                                : file.starts_with("tests/") && name_of_file.ends_with("_test.cpp")
                                    ? "tests/" + name_of_file.substr(0, name_of_file.find('_'))
                                    : path.begin()->string();
    if (path.extension() != ".cpp" || !kCompiledAsOne.contains(library)) continue;
    for (const std::string& name : private_names(text_of(kSource / file)))
      libraries[library][name].push_back(file);
  }
  EXPECT_EQ(libraries.size(), kCompiledAsOne.size());
  for (const auto& [library, names] : libraries) {
    EXPECT_GT(names.size(), 10u) << library;
    for (const auto& [name, files] : names)
      EXPECT_EQ(files.size(), 1u) << name << " in " << testing::PrintToString(files);
  }
}

/// A private name hides that of a header from the files that are compiled after it.
TEST(Together, NoPrivateNameIsThatOfAHeader) {
  std::map<std::string, std::map<std::string, std::string>> headers;
  const auto library_of = [](const std::string& file) {
    return file.starts_with("app/cli/") ? "app/cli" : file.substr(0, file.find('/'));
  };
  for (const std::string& file : project_files(is_code)) {
    if (!file.ends_with(".hpp") || file.starts_with("tests/")) continue;
    for (const std::string& name : public_names(text_of(kSource / file)))
      headers[library_of(file)][name] = file;
  }
  EXPECT_GT(headers["core"].size(), 300u);
  for (const std::string& file : project_files(is_code)) {
    const std::string library = library_of(file);
    if (!file.ends_with(".cpp") || !kCompiledAsOne.contains(library)) continue;
    for (const std::string& name : private_names(text_of(kSource / file))) {
      const auto same = headers[library].find(name.substr(0, name.find('(')));
      EXPECT_TRUE(same == headers[library].end())
          << name << " of " << file << " is also in " << same->second;
    }
  }
}

}  // namespace
}  // namespace xlab::tests
