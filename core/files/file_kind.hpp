// What a file that is not one of ours seems to be, judged by its first bytes.
#pragma once

#include <optional>
#include <string_view>

namespace xlab {

struct ForeignFile {
  std::string_view what;  ///< and what to do about it, as the middle of a sentence: "it is ..."
  bool is_text = false;   ///< it is no model, but can be learned from
};

/// For a file that begins with `head` and is no safetensors file: what it seems to be. Nothing when
/// it is not known.
std::optional<ForeignFile> recognise_foreign_file(std::string_view head);

}  // namespace xlab
