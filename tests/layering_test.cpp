// The house rules that a compiler does not check: who may include and link whom, and what lies
// where.
#include <fnmatch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// Headers of core that drawing may see: standard types and names, no tensors.
const std::set<std::string> kCoreForUi = {"core/snapshot.hpp",
                                          "core/trace.hpp",
                                          "core/command.hpp",
                                          "core/edits.hpp",
                                          "core/explorer.hpp",
                                          "core/value.hpp",
                                          "core/live_equation.hpp",
                                          "core/short_number.hpp",
                                          "core/bytes_text.hpp",
                                          "core/utf8.hpp",
                                          "core/hash.hpp",
                                          "core/variant.hpp",
                                          "core/selfcheck/verdict.hpp",
                                          "core/loss_curve.hpp"};
/// And those of these folders.
const std::vector<std::string> kFoldersForUi = {"core/analysis/", "core/equations/"};
/// Headers of kernels that the levels above core may see: the error type, and for programs
/// the version, the threads, the devices and what these multiply in.
const std::set<std::string> kKernelsForUi = {"kernels/check.hpp"};
const std::set<std::string> kKernelsForApp = {
    "kernels/check.hpp", "kernels/config.hpp", "kernels/device/device.hpp",
    "kernels/product/precision.hpp", "kernels/device/threads.hpp"};
/// Headers that show everything to everyone, and so may know no tensor even through others.
const std::vector<std::string> kPlainHeaders = {"core/snapshot.hpp", "core/trace.hpp",
                                                "core/command.hpp"};
/// What even they reach: the choices in a cell's equations, enums that know nothing else.
const std::string kPlainChoices = "kernels/cell_options.hpp";
const std::set<std::string> kTopLevel = {"app",       "assets",         "core",
                                         "kernels",   "tests",          "ui",
                                         "README.md", "CMakeLists.txt", "CMakePresets.json",
                                         "LICENSE",   "CHANGELOG.md",   "CONTRIBUTING.md"};

std::string first_folder(const std::string& path) {
  return path.substr(0, path.find('/'));
}

bool begins_with_any(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](const std::string& start) { return text.starts_with(start); });
}

bool is_eigen(const std::string& header) {
  return begins_with_any(header, {"Eigen/", "unsupported/Eigen/", "eigen3/"});
}

/// What is wrong with `file` including `header`, or nothing.
std::string complaint(const std::string& file, const std::string& header) {
  const std::string folder = first_folder(file);
  const std::string extension = fs::path(file).extension();
  const std::string target = first_folder(header);
  if (folder == "tests") return "";

  if (target == "tests" || target == "assets") return "the program may not use " + target + "/";
  const bool cuda = header.ends_with(".cuh") ||
                    begins_with_any(header, {"cuda", "cublas", "curand", "cub/", "thrust/", "nvtx",
                                             "cooperative_groups", "mma.h", "nvrtc"});
  if (cuda && extension != ".cu" && extension != ".cuh") {
    return "CUDA headers are for *.cu and *.cuh only";
  }
  const std::map<std::string, int> level = {{"kernels", 0}, {"core", 1}, {"ui", 2}, {"app", 3}};
  if (header.find('/') != header.npos && level.contains(target)) {
    if (level.at(target) > level.at(folder)) return folder + "/ may not look up to " + target + "/";
    if (folder == "ui" && target == "core" && !kCoreForUi.contains(header) &&
        !begins_with_any(header, kFoldersForUi)) {
      return "ui/ may see only a few headers of core/";
    }
    if (folder == "ui" && target == "kernels" && !kKernelsForUi.contains(header)) {
      return "ui/ may not see kernels/";
    }
    if (folder == "app" && target == "kernels" && !kKernelsForApp.contains(header)) {
      return "app/ may not see kernels/";
    }
    return "";
  }

  if (header.starts_with("yaml-cpp/") && file != "core/files/yaml_text.cpp") {
    return "yaml-cpp is for core/files/yaml_text.cpp only";
  }
  static const std::regex qt("Q[A-Z][A-Za-z]*|Qt[A-Za-z]*/.*|qt?[a-z_]+\\.h");
  if (std::regex_match(header, qt) && header != "queue.h" && folder != "app") {
    return "Qt is for app/ only";
  }
  const bool imgui = header.find("imgui") != header.npos || header.find("imstb_") != header.npos;
  if (imgui && folder != "ui" && !file.starts_with("app/canvas")) {
    return "Dear ImGui is for ui/ and app/canvas* only";
  }
  if (is_eigen(header) && (folder != "kernels" || extension == ".cu" || extension == ".cuh")) {
    return "Eigen is for the C++ files of kernels/ only";
  }
  return "";
}

/// Everything that a header of the project includes, directly or through others.
std::set<std::string> reaches(const std::string& header) {
  std::set<std::string> seen;
  std::vector<std::string> open = {header};
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    for (const std::string& found : includes_of(text_of(kSource / next))) {
      if (seen.insert(found).second && fs::exists(kSource / found)) open.push_back(found);
    }
  }
  return seen;
}

/// What each target of the project links to, over all its build files.
std::map<std::string, std::set<std::string>> links() {
  std::map<std::string, std::set<std::string>> links;
  static const std::regex comment("#[^\\n]*");
  static const std::regex call("target_link_libraries\\s*\\(\\s*(\\S+)\\s+([^)]*)\\)");
  for (const std::string& file :
       project_files([](const fs::path& path) { return path.filename() == "CMakeLists.txt"; })) {
    const std::string text = std::regex_replace(text_of(kSource / file), comment, "");
    for (std::sregex_iterator at(text.begin(), text.end(), call), end; at != end; ++at) {
      std::istringstream words((*at)[2]);
      for (std::string word; words >> word;) links[(*at)[1]].insert(word);
    }
  }
  return links;
}

/// The targets and libraries that `target` reaches.
std::set<std::string> linked_by(const std::map<std::string, std::set<std::string>>& links,
                                const std::string& target) {
  std::set<std::string> seen;
  std::vector<std::string> open = {target};
  while (!open.empty()) {
    const auto found = links.find(open.back());
    open.pop_back();
    if (found == links.end()) continue;
    for (const std::string& next : found->second) {
      if (seen.insert(next).second) open.push_back(next);
    }
  }
  return seen;
}

TEST(Layering, TheRulesTellRightFromWrong) {
  const auto fine = [](const std::string& file, const std::string& header) {
    EXPECT_EQ(complaint(file, header), "") << file << " includes " << header;
  };
  const auto wrong = [](const std::string& file, const std::string& header) {
    EXPECT_NE(complaint(file, header), "") << file << " includes " << header;
  };
  fine("kernels/matmul.cpp", "kernels/tensor.hpp");
  fine("kernels/matmul.cpp", "Eigen/Core");
  fine("kernels/matmul.cu", "cuda_runtime.h");
  fine("kernels/mlstm/scan.cu", "kernels/device/cuda.cuh");
  fine("core/tape.cpp", "kernels/tensor.hpp");
  fine("core/tape.hpp", "vector");
  fine("core/tape.cpp", "nlohmann/json.hpp");
  fine("core/files/yaml_text.cpp", "yaml-cpp/yaml.h");
  fine("ui/paint.cpp", "imgui.h");
  fine("ui/view.hpp", "core/snapshot.hpp");
  fine("app/canvas.cpp", "imgui.h");
  fine("app/canvas_gl.cpp", "backends/imgui_impl_opengl3.h");
  fine("app/main.cpp", "QApplication");
  fine("app/main.cpp", "core/engine/engine.hpp");
  fine("app/main.cpp", "kernels/config.hpp");
  fine("tests/kernel_grad_test.cpp", "Eigen/Core");

  wrong("kernels/matmul.cu", "Eigen/Core");
  wrong("kernels/device/device.cpp", "cuda_runtime.h");
  wrong("kernels/device/device.cpp", "kernels/device/cuda.cuh");
  wrong("kernels/tensor.cpp", "core/tape.hpp");
  wrong("core/tape.cpp", "Eigen/Core");
  wrong("core/tape.cpp", "ui/view.hpp");
  wrong("core/tape.cpp", "app/stage.hpp");
  wrong("core/tape.cpp", "imgui.h");
  wrong("core/files/yaml_text.hpp", "yaml-cpp/yaml.h");
  wrong("app/cli/info.cpp", "yaml-cpp/yaml.h");
  wrong("core/tape.cpp", "QString");
  wrong("core/tape.cpp", "QtCore/QString");
  wrong("core/tape.cpp", "tests/cases.hpp");
  wrong("ui/paint.cpp", "kernels/tensor.hpp");
  wrong("ui/paint.cpp", "core/engine/engine.hpp");
  wrong("ui/paint.cpp", "QPainter");
  wrong("ui/paint.cpp", "app/canvas.hpp");
  wrong("app/dock.cpp", "imgui.h");
  wrong("app/dock.cpp", "kernels/tensor.hpp");

  EXPECT_THAT(
      includes_of("#pragma once\n#include <a/b>\n  #  include \"c.hpp\" // d\n// #include <e>"),
      ElementsAre("a/b", "c.hpp"));
}

TEST(Layering, EveryIncludeLooksDown) {
  const auto files = project_files(is_code);
  EXPECT_GT(files.size(), 30u);
  for (const std::string& file : files) {
    for (const std::string& header : includes_of(text_of(kSource / file))) {
      EXPECT_EQ(complaint(file, header), "") << file << " includes " << header;
    }
  }
}

TEST(Layering, NoHeaderCarriesEigenOutOfKernels) {
  // Eigen's alignment depends on the instruction set, so its types stay among the files that are
  // compiled alike; and it is slow to compile.
  for (const std::string& file : project_files(is_code)) {
    const bool cuda = file.ends_with(".cu") || file.ends_with(".cuh");
    if (file.starts_with("tests/") || (file.starts_with("kernels/") && !cuda)) continue;
    for (const std::string& header : reaches(file)) {
      EXPECT_FALSE(is_eigen(header)) << file << " reaches " << header;
    }
  }
}

TEST(Layering, WhatDrawingSeesKnowsNoTensors) {
  std::set<std::string> seen = kCoreForUi;
  for (const std::string& file : project_files(is_code))
    if (begins_with_any(file, kFoldersForUi) && file.ends_with(".hpp")) seen.insert(file);
  for (const std::string& header : seen) {
    if (!fs::exists(kSource / header)) continue;
    const bool plain = std::ranges::find(kPlainHeaders, header) != kPlainHeaders.end();
    for (const std::string& reached : reaches(header)) {
      if (!reached.starts_with("kernels/") || reached == kPlainChoices) continue;
      EXPECT_TRUE(!plain && kKernelsForUi.contains(reached)) << header << " reaches " << reached;
    }
  }
}

TEST(Layering, TheChoicesOfACellKnowNothingElse) {
  EXPECT_THAT(reaches(kPlainChoices), ElementsAre("cstdint"));
}

/// Files of the program whose text has a match.
std::vector<std::string> files_with(const std::regex& words) {
  std::vector<std::string> found;
  for (const std::string& file : project_files(is_code)) {
    const std::string folder = first_folder(file);
    if (folder == "tests" || folder == "kernels") continue;
    const std::string text = text_of(kSource / file);
    if (std::regex_search(text, words)) found.push_back(file);
  }
  return found;
}

/// How many lines a function has that begins in this one; 0 for none, or where it is a list that is
/// returned. Functions begin and end at the same indent, of a namespace or of a class in it.
std::size_t length_of_function(const std::vector<std::string>& lines, std::size_t begin) {
  static const std::regex head("( {0}| {2})[^ ].*\\{");
  static const std::regex other(
      " *(namespace|class|struct|enum|if|for|while|switch|else|do|return)\\b.*");
  const std::string& first = lines[begin];
  if (!std::regex_match(first, head) || std::regex_match(first, other)) return 0;
  const std::string end = first.substr(0, first.find_first_not_of(' ')) + "}";
  std::size_t at = begin + 1;
  if (at < lines.size() && lines[at].find("return {") != std::string::npos) return 0;
  while (at < lines.size() && !lines[at].starts_with(end)) ++at;
  return at - begin + 1;
}

TEST(Sizes, FilesAndFunctionsAreSeenAtAGlance) {
  constexpr std::size_t kFile = 500, kFunction = 100;
  std::size_t functions = 0;
  for (const std::string& file : project_files(is_code)) {
    const std::string folder = first_folder(file);
    if (folder != "core" && folder != "ui" && folder != "app") continue;
    std::vector<std::string> lines;
    std::istringstream text(text_of(kSource / file));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    EXPECT_LE(lines.size(), kFile) << file;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::size_t length = length_of_function(lines, i);
      functions += length > 0 ? 1 : 0;
      EXPECT_LE(length, kFunction) << file << ":" << i + 1 << ": " << lines[i];
    }
  }
  EXPECT_GT(functions, 1000u);
}

TEST(Cells, AreKnownByNameToThemselvesAndToSpecificationsOnly) {
  // A kind as a text, alone or as a part of a path.
  static const std::regex kind("\"/?(mlstm|slstm|lstm|mlstm_large)/?\"");
  static const std::regex own("core/(cells/[a-z_]+|spec[a-z_]*|files/hf_folder)\\.cpp");
  const std::vector<std::string> files = files_with(kind);
  EXPECT_GT(files.size(), 4u);
  for (const std::string& file : files) EXPECT_TRUE(std::regex_match(file, own)) << file;
}

TEST(Cells, AreMadeInTheirRoomAndNamedInTheListOnly) {
  for (const std::string name : {"mlstm", "slstm", "large"}) {
    EXPECT_THAT(files_with(std::regex("\\b(make_" + name + "_cell|" + name + "_kind)\\b")),
                UnorderedElementsAre("core/cells/list.hpp", "core/cells/" + name + ".cpp",
                                     "core/cells/" + name + "_spec.cpp"));
  }
}

TEST(Cells, AnotherMemoryBehindTheGatesOfTheSlstmTouchesThreeFiles) {
  EXPECT_THAT(files_with(std::regex("ScalarMemory::lstm|\\blstm_cell\\b")),
              UnorderedElementsAre("core/ops.cpp", "core/cells/list.hpp", "core/cells/lstm.cpp"));
}

TEST(Tasks, AreKnownToTheirFileAndToTheListOnly) {
  // The one that the first window opens with, and texts, have a place of their own.
  for (const std::string name : {"parity", "copy"}) {
    const std::regex word("each\\(" + name + "\\)|\\b" + name + "_task|return \"" + name +
                          "\"|[=(] ?\"" + name + "\"");
    EXPECT_THAT(files_with(word),
                UnorderedElementsAre("core/tasks/tasks.cpp", "core/tasks/" + name + ".cpp"));
  }
}

TEST(Views, AreKnownToTheirFileToTheListAndToLayoutsOnly) {
  // `health` stands in every layout; one that stands in none is put behind its neighbour.
  const std::regex word("each\\(health\\)|make_health_view|\"health\"");
  EXPECT_THAT(files_with(word),
              UnorderedElementsAre("ui/view_list.hpp", "ui/view_health.cpp", "app/layouts.cpp"));
}

TEST(Layering, EveryTargetLinksDown) {
  const auto all = links();
  const std::map<std::string, std::vector<std::string>> forbidden = {
      {"xlab_kernels", {"xlab_core", "xlab_ui", "xlab_app", "Qt", "PkgConfig::IMGUI", "nlohmann"}},
      {"xlab_core", {"xlab_ui", "xlab_app", "Qt", "PkgConfig::IMGUI"}},
      {"xlab_ui", {"xlab_app", "Qt"}},
      {"xlstm", {"xlab_ui", "xlab_app", "Qt", "PkgConfig::IMGUI"}}};
  for (const auto& [target, starts] : forbidden) {
    EXPECT_TRUE(all.contains(target)) << target;
    for (const std::string& library : linked_by(all, target)) {
      EXPECT_FALSE(begins_with_any(library, starts)) << target << " links " << library;
    }
  }
  for (const auto& [target, libraries] : all) {
    // The tests build the same files once more for an emulated card.
    const bool kernels = target == "xlab_kernels" || target == "xlab_kernels_emulated";
    EXPECT_TRUE(!libraries.contains("Eigen3::Eigen") || kernels) << target;
    // The program starts where there is no CUDA library, so none but the static runtime is linked.
    for (const std::string& library : libraries) {
      EXPECT_FALSE(library.starts_with("CUDA::") && library != "CUDA::cudart_static")
          << target << " links " << library;
    }
  }
}

TEST(Layering, WhatDependsOnCudaInCoreIsCompiledForTheEmulatedCardToo) {
  // tests/emulation takes the other files of core as they are compiled for the program.
  static const std::regex list("set\\(core_with_cuda ([^)]*)\\)");
  const std::string text = text_of(kSource / "core/CMakeLists.txt");
  std::smatch match;
  ASSERT_TRUE(std::regex_search(text, match, list));
  std::set<std::string> listed;
  std::istringstream words(match[1]);
  for (std::string word; words >> word;) listed.insert("core/" + word);
  std::set<std::string> depending;
  for (const std::string& file : project_files(is_code)) {
    if (file.starts_with("core/") && file.ends_with(".cpp") &&
        reaches(file).contains("kernels/config.hpp"))
      depending.insert(file);
  }
  EXPECT_EQ(listed, depending) << "see core_with_cuda in core/CMakeLists.txt";
}

TEST(Layering, TheTopLevelHoldsOnlyWhatBelongsThere) {
  for (const auto& entry : fs::directory_iterator(kSource)) {
    const std::string name = entry.path().filename();
    const bool ours = kTopLevel.contains(name);
    EXPECT_TRUE(ours || name == "build" || name == "out" || name.starts_with(".")) << name;
  }
}

TEST(Layering, EveryFolderSaysWhatItIsFor) {
  std::set<std::string> folders(kFolders.begin(), kFolders.end());
  for (const std::string& file : project_files(is_code)) {
    const fs::path folder = fs::path(file).parent_path();
    if (!file.starts_with("tests/")) folders.insert(folder.generic_string());
  }
  for (const std::string& folder : folders) {
    const std::string text = text_of(kSource / folder / "README.md");
    EXPECT_FALSE(text.empty()) << folder << "/README.md is missing";
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 60) << folder << "/README.md is long";
  }
}

TEST(Layering, EveryFileIsNamedByTheReadmeOfItsFolder) {
  for (const std::string& file : project_files(is_code)) {
    if (!file.starts_with("core/") && !file.starts_with("kernels/")) continue;
    const fs::path path = file;
    std::string readme = text_of(kSource / path.parent_path() / "README.md");
    // `foo*` and `foo.*` stand for whatever begins so.
    static const std::regex name("`([a-z0-9_]+)(\\*?|\\.[a-z*]+)`");
    const std::string stem = path.stem().stem();
    bool named = false;
    for (std::sregex_iterator at(readme.begin(), readme.end(), name), end; at != end; ++at) {
      const std::string word = (*at)[1];
      const bool all = (*at)[2] == "*";
      named |= stem == word || (all && stem.starts_with(word)) || stem == word + "_cuda" ||
               stem == word + "_backward" || stem == word + "_forward";
    }
    EXPECT_TRUE(named) << file;
  }
}

TEST(Layering, WhatAReadmeNamesIsThere) {
  static const std::regex name("`([a-z0-9_/]+)\\.(hpp|cpp|cu|cuh|\\*)`");
  std::set<fs::path> folders;
  const std::vector<std::string> files = project_files(is_code);
  for (const std::string& file : files) folders.insert(fs::path(file).parent_path());
  int looked_at = 0;
  for (const fs::path& folder : folders) {
    const std::string readme = text_of(kSource / folder / "README.md");
    for (std::sregex_iterator at(readme.begin(), readme.end(), name), end; at != end; ++at) {
      const std::string stem = (*at)[1], wanted = (*at)[0].str().substr(1, (*at)[0].length() - 2);
      if (stem.find("foo") != stem.npos) continue;  // what somebody may add
      const std::string here = (folder / wanted).generic_string();
      const bool there = std::ranges::any_of(files, [&](const std::string& file) {
        return fnmatch(here.c_str(), file.c_str(), FNM_PATHNAME) == 0 ||
               fnmatch(wanted.c_str(), file.c_str(), FNM_PATHNAME) == 0;
      });
      EXPECT_TRUE(there) << folder << "/README.md names " << wanted;
      ++looked_at;
    }
  }
  EXPECT_GT(looked_at, 100);
}

TEST(Layering, WhatIsBuiltForARealCardIsThere) {
  // The folders and patterns of tests/gpu name files of the project, which move.
  static const std::regex pattern("(?:kernels|core|app|tests)/[A-Za-z0-9_/*.]*[*][A-Za-z0-9_.]*");
  static const std::regex place("\\bfind ((?:[a-z_/*.]+ )+)");
  const std::string makefile = text_of(kSource / "tests/gpu/Makefile");
  int patterns = 0;
  for (std::sregex_iterator at(makefile.begin(), makefile.end(), pattern), end; at != end; ++at) {
    const fs::path wanted = (*at)[0].str();
    int found = 0;
    for (const std::string& file : project_files(is_code)) {
      found += fnmatch(wanted.c_str(), file.c_str(), FNM_PATHNAME) == 0;
    }
    EXPECT_GT(found, 0) << wanted;
    ++patterns;
  }
  EXPECT_GT(patterns, 5);
  const std::string script = text_of(kSource / "tests/gpu/run");
  std::smatch places;
  ASSERT_TRUE(std::regex_search(script, places, place));
  std::istringstream words(places[1]);
  for (std::string word; words >> word;) {
    EXPECT_TRUE(word.find('*') != word.npos || fs::exists(kSource / word)) << word;
  }
  // Every folder with sources is in one of the patterns.
  for (const std::string& file : project_files(is_code)) {
    const bool source = file.ends_with(".cpp") || file.ends_with(".cu");
    if (!source || (!file.starts_with("kernels/") && !file.starts_with("core/"))) continue;
    bool built = false;
    for (std::sregex_iterator at(makefile.begin(), makefile.end(), pattern), end; at != end; ++at) {
      built |= fnmatch((*at)[0].str().c_str(), file.c_str(), FNM_PATHNAME) == 0;
    }
    EXPECT_TRUE(built) << file;
  }
}

TEST(Layering, EveryFileSaysWhatItIsFor) {
  for (const std::string& file : project_files(is_code)) {
    EXPECT_TRUE(text_of(kSource / file).starts_with("// ")) << file;
  }
}

TEST(Layering, EveryHeaderIsIncludedOnce) {
  for (const std::string& file : project_files(is_code)) {
    const fs::path path = file;
    if (path.extension() != ".hpp" && path.extension() != ".cuh") continue;
    EXPECT_NE(text_of(kSource / file).find("#pragma once"), std::string::npos) << file;
  }
}

}  // namespace
}  // namespace xlab::tests
