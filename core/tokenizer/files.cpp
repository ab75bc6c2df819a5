// The files of a tokenizer beside a model: tokenizer.json and tokenizer_config.json.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>

#include "core/files/disk.hpp"
#include "core/files/folder_save.hpp"
#include "core/files/json_text.hpp"
#include "core/tokenizer/json.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostTokenizerConfigBytes = 4u << 20;
constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
// What is written into kConfigFile.
constexpr const char* kClassKey = "tokenizer_class";
constexpr const char* kClass = "PreTrainedTokenizerFast";
constexpr const char* kCleanUpKey = "clean_up_tokenization_spaces";
constexpr std::array kSpecialKeys = {"bos_token", "eos_token", "unk_token", "pad_token"};

}  // namespace

std::shared_ptr<const Tokenizer> tokenizer_from_folder(const std::filesystem::path& folder) {
  const auto path = folder / kTokenizerFile;
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) return nullptr;
  const std::string config = std::filesystem::exists(folder / kConfigFile, missing)
                                 ? read_text_file(folder / kConfigFile, kMostTokenizerConfigBytes)
                                 : std::string();
  return read_tokenizer(read_text_file(path, kMostTokenizerBytes), path.string(), nullptr, config);
}

std::shared_ptr<const Tokenizer> tokenizer_named(const std::string& name) {
  if (name == "characters") return nullptr;
  if (name == "bytes") return byte_tokenizer();
  const std::filesystem::path path(name);
  std::error_code missing;
  if (std::filesystem::is_directory(path, missing)) {
    auto tokenizer = tokenizer_from_folder(path);
    check(tokenizer != nullptr, "The folder '{}' has no {}.", printable(name, 512), kTokenizerFile);
    return tokenizer;
  }
  check(std::filesystem::exists(path, missing),
        "There is no tokenizer '{}': give characters, bytes, a {} or a folder that holds one.",
        printable(name, 512), kTokenizerFile);
  if (path.filename() == kTokenizerFile)
    return tokenizer_from_folder(path.has_parent_path() ? path.parent_path() : ".");
  return read_tokenizer(read_text_file(path, kMostTokenizerBytes), name, nullptr, "");
}

namespace {

/// Whether a kConfigFile says nothing but what is written below: another program's says more.
bool is_own_config(const std::string& text) {
  const json config = parse_json(text, kConfigFile);
  if (!config.is_object()) return false;
  for (const auto& [key, value] : config.items()) {
    const bool special =
        std::find(kSpecialKeys.begin(), kSpecialKeys.end(), key) != kSpecialKeys.end();
    const bool own = key == kClassKey     ? value == kClass
                     : key == kCleanUpKey ? value == false
                                          : special && value.is_string();
    if (!own) return false;
  }
  return true;
}

/// The sentence about a kConfigFile that is not ours; empty where there is none.
std::string foreign_config(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / kConfigFile, error)) return {};
  try {
    if (is_own_config(read_text_file(folder / kConfigFile, kMostTokenizerConfigBytes))) return {};
  } catch (const Error&) {
    // What cannot be read was not written here.
  }
  return fmt::format("The {} in '{}' was written by another program and stays as it is.",
                     kConfigFile, printable(folder.string(), 512));
}

}  // namespace

std::string write_tokenizer_files(const Tokenizer& tokenizer, FolderSave& folder) {
  const SpecialTokens special = tokenizer.special_tokens();
  const std::array tokens = {special.bos, special.eos, special.unk, special.pad};
  json config = {{kClassKey, kClass}, {kCleanUpKey, false}};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0) continue;
    const std::string_view bytes = tokenizer.bytes(tokens[i]);
    if (!find_invalid_utf8(bytes)) config[kSpecialKeys[i]] = std::string(bytes);
  }
  folder.write(kTokenizerFile, tokenizer.to_json());
  std::string remark = foreign_config(folder.folder());
  if (remark.empty()) folder.write(kConfigFile, json_text(config, 2) + "\n");
  return remark;
}

std::string remove_tokenizer_files(FolderSave& folder) {
  folder.remove(kTokenizerFile);
  std::string remark = foreign_config(folder.folder());
  if (remark.empty()) folder.remove(kConfigFile);
  return remark;
}

void write_tokenizer_files(const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  FolderSave save(folder);
  write_tokenizer_files(tokenizer, save);
  save.finish();
}

}  // namespace xlab
