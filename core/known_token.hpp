// The refusal of tokens that a model does not know.
#pragma once

#include "core/spec.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// Throws a sentence for a token outside the model's vocabulary.
inline void check_token(const ModelSpec& model, int token) {
  check(token >= 0 && token < model.vocab_size, "Token {} is outside the model's vocabulary of {}.",
        token, model.vocab_size);
}

}  // namespace xlab
