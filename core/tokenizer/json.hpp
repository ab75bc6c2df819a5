// Reading the text of a tokenizer.json.
#pragma once

#include <memory>
#include <string>

#include "core/tokenizer/tokenizer.hpp"

namespace xlab {

/// The tokenizer in a text. `name` is for sentences. `special`: its special tokens; null: those
/// that `config` names, the text of a tokenizer_config.json, or empty. Throws naming the field and
/// the reason where it is damaged or asks for something that is not done here.
std::shared_ptr<const Tokenizer> read_tokenizer(const std::string& text, const std::string& name,
                                                const SpecialTokens* special,
                                                const std::string& config);

}  // namespace xlab
