// What a run writes.
#include "core/generation/generation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/generation/sampler.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

std::vector<int> ends_of_text(const Tokenizer& tokenizer, const ModelSpec& model) {
  std::vector<int> ends;
  if (const int own = tokenizer.special_tokens().eos; own >= 0) ends.push_back(own);
  if (!model.large) return ends;
  for (const int end : model.large->eos_token_ids)
    if (end < tokenizer.vocab_size() &&
        (tokenizer.is_special(end) || tokenizer.bytes(end).empty()) &&
        std::find(ends.begin(), ends.end(), end) == ends.end())
      ends.push_back(end);
  return ends;
}

}  // namespace

bool WritableTokens::ends_text(int token) const {
  return std::find(ends.begin(), ends.end(), token) != ends.end();
}

WritableTokens writable_tokens(const Task& task, const ModelSpec& model) {
  WritableTokens out;
  const auto count = static_cast<std::size_t>(std::max(model.vocab_size, 0));
  const auto tokenizer = task.tokenizer();
  if (tokenizer) out.ends = ends_of_text(*tokenizer, model);
  out.writable.assign(count, false);
  const std::size_t known = std::min(count, task.vocabulary().size());
  for (std::size_t token = 0; token < known; ++token) {
    const int id = static_cast<int>(token);
    out.writable[token] = !tokenizer || !tokenizer->bytes(id).empty() || out.ends_text(id);
  }
  if (std::find(out.writable.begin(), out.writable.end(), false) == out.writable.end())
    out.writable.clear();
  return out;
}

std::vector<float> drawing_distribution(std::span<const float> logits, const WritableTokens& tokens,
                                        const SamplerSettings& settings) {
  if (tokens.all()) return sampling_distribution(logits, settings);
  std::vector<float> writable(logits.begin(), logits.end());
  for (std::size_t token = 0; token < writable.size(); ++token) {
    if (token >= tokens.writable.size() || !tokens.writable[token])
      writable[token] = -std::numeric_limits<float>::infinity();
  }
  return sampling_distribution(writable, settings);
}

DrawnToken next_token(std::span<const float> logits, const WritableTokens& tokens,
                      const SamplerSettings& settings, std::uint64_t position) {
  const int token = draw(drawing_distribution(logits, tokens, settings), settings.seed, position);
  return {token, tokens.ends_text(token) && !settings.past_end};
}

std::string end_of_text(const std::string& end) {
  return fmt::format("The model ended its text: '{}' came next, which is not written.",
                     printable(end, 40));
}

}  // namespace xlab
