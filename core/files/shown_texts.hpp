// Texts that stand beside a model for other programs: chat templates and vocabularies. They are
// shown as they are, and neither followed nor executed.
#pragma once

#include <filesystem>
#include <vector>

#include "core/what_was_read.hpp"

namespace xlab {

/// The chat templates of a folder (chat_template.jinja, and those in chat_template.json and
/// tokenizer_config.json) and the vocabulary files beside its tokenizer. What cannot be read is
/// left out.
std::vector<ShownText> texts_beside(const std::filesystem::path& folder);

}  // namespace xlab
