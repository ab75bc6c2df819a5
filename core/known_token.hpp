// The refusal of tokens that a model does not know.
#pragma once

#include "core/spec.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// Throws a sentence for a token that the model does not read.
inline void check_token(const ModelSpec& model, int token) {
  check(token >= 0 && token < model.tokens(), "Token {} is outside the model's {} of {}.", token,
        model.series ? "patches" : "vocabulary", model.tokens());
}

}  // namespace xlab
