// What was read of a model folder: which files, which keys of its configuration and how these were
// taken, which names of tensors were understood as others. Standard types only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xlab {

/// What became of a key of a configuration.
enum class KeyUse : std::uint8_t {
  followed,  ///< it says what is computed, or agrees with it
  replaced,  ///< it would, but the tensors say otherwise, and they know
  assumed,   ///< it is missing: what usually stands there is taken
  ignored,   ///< known, and of no consequence here
  not_used   ///< unknown, or asks for what nothing here follows
};

/// "followed", "replaced", ...
inline const char* name_of(KeyUse use) {
  constexpr const char* kNames[] = {"followed", "replaced", "assumed", "ignored", "not used"};
  return kNames[static_cast<std::size_t>(use)];
}

/// One key, with its value as it stands in the file (long ones are cut).
struct ReadKey {
  std::string key;    ///< with the objects around it: "slstm_block.slstm.num_heads"
  std::string value;  ///< JSON
  KeyUse use = KeyUse::followed;
  std::string file = {};  ///< where it stands when that is not the configuration itself
  std::string note = {};  ///< of what was replaced: by what
};
using ReadKeys = std::vector<ReadKey>;

/// "key = value", and the file where that is another one.
inline std::string text_of(const ReadKey& key) {
  return key.key + " = " + key.value + (key.file.empty() ? "" : " of " + key.file);
}

/// A text beside a model that other programs use. Here it is shown, and neither followed nor
/// executed.
struct ShownText {
  std::string file;         ///< and the key, where it stands in a configuration
  std::string what;         ///< "chat template" or "vocabulary"
  std::uint64_t bytes = 0;  ///< of all of it
  std::string text;         ///< its beginning, with its lines
};

/// A folder as it was read. All texts are fit to be shown.
struct WhatWasRead {
  std::string folder;
  std::string config;              ///< name of the file with the configuration
  std::vector<std::string> files;  ///< what was read, by name
  /// What was not, by name; hidden files aside, and of a large folder only the first.
  std::vector<std::string> left;
  ReadKeys keys;
  std::vector<std::string> names;    ///< sentences: names and forms of tensors taken as others
  std::vector<std::string> remarks;  ///< sentences: what else was chosen
  std::vector<ShownText> texts;

  std::size_t count(KeyUse use) const {
    std::size_t number = 0;
    for (const ReadKey& key : keys) number += key.use == use ? 1 : 0;
    return number;
  }
};

}  // namespace xlab
