// What all tokenizers share, and the two simple ones: characters and bytes.
#include "core/tokenizer/tokenizer.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/files/json_text.hpp"
#include "core/tasks/training_text.hpp"
#include "core/tokenizer/bpe.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

using nlohmann::json;

/// A tokenizer.json around a vocabulary without merges.
std::string plain_json(const json& vocabulary, const json& pre_tokenizer, const json& decoder) {
  const json file = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", json::array()},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", pre_tokenizer},
                     {"post_processor", nullptr},
                     {"decoder", decoder},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false},
                       {"vocab", vocabulary},
                       {"merges", json::array()}}}};
  return json_text(file, 2) + "\n";
}

class CharacterTokenizer : public Tokenizer {
 public:
  explicit CharacterTokenizer(std::vector<std::string> vocabulary)
      : vocabulary_(std::move(vocabulary)) {
    check_vocabulary(vocabulary_);
  }

  std::string kind() const override { return "characters"; }
  std::string title() const override { return fmt::format("{} characters", vocabulary_.size()); }
  int vocab_size() const override { return static_cast<int>(vocabulary_.size()); }
  std::vector<std::int32_t> encode(std::string_view text, bool) const override {
    return encode_text(vocabulary_, text);
  }
  std::string_view bytes(int token) const override {
    check_token(token);
    return vocabulary_[static_cast<std::size_t>(token)];
  }
  std::string to_json() const override {
    json vocabulary = json::object();
    for (std::size_t i = 0; i < vocabulary_.size(); ++i) vocabulary[vocabulary_[i]] = i;
    return plain_json(vocabulary, nullptr, {{"type", "Fuse"}});
  }

 private:
  std::vector<std::string> vocabulary_;
};

class ByteTokenizer : public Tokenizer {
 public:
  ByteTokenizer() {
    for (int byte = 0; byte < kBytes; ++byte) all_ += static_cast<char>(byte);
  }

  std::string kind() const override { return "bytes"; }
  std::string title() const override { return "256 bytes"; }
  int vocab_size() const override { return kBytes; }
  std::vector<std::int32_t> encode(std::string_view text, bool) const override {
    std::vector<std::int32_t> tokens;
    tokens.reserve(text.size());
    for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
    return tokens;
  }
  std::string_view bytes(int token) const override {
    check_token(token);
    return std::string_view(all_).substr(static_cast<std::size_t>(token), 1);
  }
  std::string to_json() const override {
    json vocabulary = json::object();
    for (int byte = 0; byte < kBytes; ++byte)
      vocabulary[byte_level_character(static_cast<unsigned char>(byte))] = byte;
    const json byte_level = {{"type", "ByteLevel"},
                             {"add_prefix_space", false},
                             {"trim_offsets", true},
                             {"use_regex", false}};
    return plain_json(vocabulary, byte_level, byte_level);
  }

 private:
  static constexpr int kBytes = 256;
  std::string all_;
};

}  // namespace

bool Tokenizer::is_special(int) const {
  return false;
}

std::string Tokenizer::decode(std::span<const std::int32_t> tokens, bool skip_special) const {
  std::string joined;
  bool first = true;
  for (const std::int32_t token : tokens) {
    const std::string_view part = bytes(token);
    if (part.empty() || (skip_special && is_special(token))) continue;
    if (!std::exchange(first, false)) joined += between();
    joined += part;
  }
  return mended_utf8(joined);
}

void Tokenizer::check_token(int token) const {
  check(token >= 0 && token < vocab_size(), "There is no token number {}: the vocabulary has {}.",
        token, vocab_size());
}

std::string StreamDecoder::push(int token) {
  const std::string_view part = tokenizer_->bytes(token);
  if (part.empty() || (skip_special_ && tokenizer_->is_special(token))) return {};
  if (!std::exchange(first_, false)) held_ += tokenizer_->between();
  held_ += part;
  // Only what the last bytes begin can still be completed.
  std::size_t complete = 0;
  while (complete < held_.size()) {
    if (const auto character = decode_utf8(held_, complete)) {
      complete += character->bytes;
      continue;
    }
    const BrokenUtf8 broken = broken_utf8(held_, complete);
    if (broken.cut_off) break;
    complete += broken.bytes;
  }
  std::string shown = mended_utf8(std::string_view(held_).substr(0, complete));
  held_.erase(0, complete);
  return shown;
}

std::string StreamDecoder::finish() {
  std::string rest = mended_utf8(held_);
  held_.clear();
  return rest;
}

std::shared_ptr<const Tokenizer> character_tokenizer(std::vector<std::string> vocabulary) {
  return std::make_shared<CharacterTokenizer>(std::move(vocabulary));
}

std::shared_ptr<const Tokenizer> byte_tokenizer() {
  static const auto bytes = std::make_shared<const ByteTokenizer>();
  return bytes;
}

}  // namespace xlab
