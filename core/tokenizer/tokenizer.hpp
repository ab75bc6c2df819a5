// Tokenizers: text becomes the numbers a model reads, and numbers become text again.
//
// Four kinds: the characters of one text, the 256 bytes, and, as a Hugging Face tokenizer.json
// describes them, BPE and whole words. All of them give every token the bytes that it stands for,
// so decoding is joining bytes, for some with a space between them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xlab {

class FolderSave;

/// Tokens with a meaning of their own; -1 where the tokenizer has none.
struct SpecialTokens {
  int bos = -1;  ///< begins a text
  int eos = -1;  ///< ends a text
  int unk = -1;  ///< stands for what the vocabulary lacks
  int pad = -1;  ///< fills a batch up
};

/// Text to token numbers and back. Immutable, so any thread may use it.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// "characters", "bytes", "bpe" or "words": what a file says of it.
  virtual std::string kind() const = 0;
  /// The same for people: "byte-level BPE, 50277 tokens".
  virtual std::string title() const = 0;
  /// One more than the largest token number.
  virtual int vocab_size() const = 0;
  /// The tokens of a text. With `framed`, with what the tokenizer puts around every text (its
  /// beginning-of-text token, say). Bytes that are no UTF-8 are read as U+FFFD by BPE, as they are
  /// by bytes, and refused by characters. Throws `Error` for what cannot be encoded.
  virtual std::vector<std::int32_t> encode(std::string_view text, bool framed = false) const = 0;
  /// The bytes that a token stands for: not always whole characters, empty for a number without a
  /// token. Throws `Error` for a number outside the vocabulary.
  virtual std::string_view bytes(int token) const = 0;
  /// What stands between the texts of two tokens.
  virtual std::string_view between() const { return {}; }
  /// Whether a token marks something instead of being text.
  virtual bool is_special(int token) const;
  virtual SpecialTokens special_tokens() const { return {}; }
  /// The tokenizer as the text of a Hugging Face tokenizer.json.
  virtual std::string to_json() const = 0;

  /// The text of tokens; what is no UTF-8 becomes U+FFFD, and special tokens may be left out.
  std::string decode(std::span<const std::int32_t> tokens, bool skip_special = false) const;

 protected:
  /// Throws `Error` for a number outside the vocabulary.
  void check_token(int token) const;
};

/// Text that arrives token by token, shown as far as its characters are complete: half a character
/// is held back until the rest comes. All that is returned, joined, is what Tokenizer::decode says
/// of all tokens.
class StreamDecoder {
 public:
  /// The tokenizer must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  /// What can be shown after one more token.
  std::string push(int token);
  /// The end: what was held back, mended.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_, first_ = true;
  std::string held_;
};

/// Every character of a text is a token. `vocabulary` as in TextData.
std::shared_ptr<const Tokenizer> character_tokenizer(std::vector<std::string> vocabulary);
/// Every byte is a token: 256 of them, fit for any data.
std::shared_ptr<const Tokenizer> byte_tokenizer();

/// The largest tokenizer.json that is read, in bytes, and the most tokens it may hold.
inline constexpr std::uint64_t kMostTokenizerBytes = std::uint64_t{64} << 20;
inline constexpr int kMostTokens = 1 << 20;

/// Reads the text of a tokenizer.json: BPE of bytes or characters, WordLevel, or what `to_json` of
/// any kind writes. `name` is for messages. Throws `Error` naming the field and the reason where it
/// is damaged or asks for something that is not done here.
std::shared_ptr<const Tokenizer> tokenizer_from_json(const std::string& json,
                                                     const std::string& name,
                                                     const SpecialTokens& special = {});

/// The tokenizer of a model's folder: tokenizer.json, with the special tokens that
/// tokenizer_config.json beside it names. Null when the folder has no tokenizer.json.
std::shared_ptr<const Tokenizer> tokenizer_from_folder(const std::filesystem::path& folder);

/// What --tokenizer names: "bytes", a folder with a tokenizer.json, or such a file. Null for
/// "characters", whose vocabulary comes from the text.
std::shared_ptr<const Tokenizer> tokenizer_named(const std::string& name);

/// Writes tokenizer.json and tokenizer_config.json, as the Hugging Face libraries read them, among
/// files that are saved together. A tokenizer_config.json that another program wrote stays as it
/// is: a sentence then says so.
std::string write_tokenizer_files(const Tokenizer& tokenizer, FolderSave& folder);
/// Takes both away, as above.
std::string remove_tokenizer_files(FolderSave& folder);
/// The two files alone.
void write_tokenizer_files(const Tokenizer& tokenizer, const std::filesystem::path& folder);

}  // namespace xlab
