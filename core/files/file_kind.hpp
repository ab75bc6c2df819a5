// What a file that is not one of ours seems to be, judged by its first bytes.
#pragma once

#include <optional>
#include <string_view>

namespace xlab {

/// For a file that begins with `head` and is no safetensors file: what it seems to be and what to
/// do about it, as the middle of a sentence ("it is ..."). Nothing when it is not known.
std::optional<std::string_view> recognise_foreign_file(std::string_view head);

}  // namespace xlab
