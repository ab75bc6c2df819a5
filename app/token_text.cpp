// Takes whole characters off the front of the bytes that were joined so far.
#include "app/token_text.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "core/utf8.hpp"

namespace xlab::app {
namespace {

QString escaped(unsigned char byte) {
  return QString("\\x%1").arg(static_cast<uint>(byte), 2, 16, QChar('0'));
}

bool is_written(unsigned char byte) {
  return byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

/// Whether \x and two digits stand here, as `escaped` writes them.
bool is_escape(std::string_view bytes, std::size_t at) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return at + 4 <= bytes.size() && bytes[at] == '\\' && bytes[at + 1] == 'x' &&
         digit(bytes[at + 2]) && digit(bytes[at + 3]);
}

/// The bytes from the front as text, up to what the next ones may still complete. `typed`: letters
/// that would be read as an escape are escaped themselves.
QString take_text(std::string& bytes, bool typed) {
  QString text;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    const auto character = decode_utf8(bytes, at);
    const bool written = character && (character->bytes > 1 || is_written(byte));
    if (written && !(typed && is_escape(bytes, at))) {
      text += QString::fromUtf8(bytes.data() + at, static_cast<qsizetype>(character->bytes));
      at += character->bytes;
    } else if (!character && broken_utf8(bytes, at).cut_off) {
      break;
    } else {
      text += escaped(byte);
      ++at;
    }
  }
  bytes.erase(0, at);
  return text;
}

}  // namespace

TokenText::TokenText(std::shared_ptr<const ModelCard> model, bool as_text, bool begins)
    : model_(std::move(model)), as_text_(as_text), begins_(begins) {}

QString TokenText::add(int token) {
  const auto index = static_cast<std::size_t>(token);
  const bool known = model_ && token >= 0 && index < model_->vocabulary.size();
  if (!as_text_) {
    const QString word =
        known ? QString::fromStdString(model_->vocabulary[index]) : QString("#%1").arg(token);
    return std::exchange(begins_, false) ? word : ' ' + word;
  }
  if (known) {
    kept_ += model_->vocabulary[index];
  } else {
    kept_ += '#';
    kept_ += std::to_string(token);
  }
  return take_text(kept_, false);
}

QString TokenText::rest() const {
  QString text;
  for (const char c : kept_) text += escaped(static_cast<unsigned char>(c));
  return text;
}

QString text_of_tokens(const Snapshot& snapshot, std::size_t count) {
  const auto& tokens = snapshot.sequence.tokens;
  count = std::min(count, tokens.size());
  const bool as_text = snapshot.data && snapshot.data->tokens_are_text;
  QString text;
  if (!as_text || !snapshot.model) {
    TokenText writer(snapshot.model, as_text);
    for (std::size_t i = 0; i < count; ++i) text += writer.add(tokens[i]);
    return text;
  }
  const std::vector<std::string>& words = snapshot.model->vocabulary;
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto token = static_cast<std::size_t>(tokens[i]);
    bytes += token < words.size() ? words[token] : "#" + std::to_string(tokens[i]);
  }
  text = take_text(bytes, true);
  for (const char c : bytes) text += escaped(static_cast<unsigned char>(c));
  return text;
}

std::string typed_prompt(const Snapshot& snapshot, const QString& text) {
  std::string typed = text.toStdString();
  if (!snapshot.data || !snapshot.data->tokens_are_text) return typed;
  std::string bytes;
  for (std::size_t at = 0; at < typed.size();) {
    if (is_escape(typed, at)) {
      int byte = 0;
      std::from_chars(typed.data() + at + 2, typed.data() + at + 4, byte, 16);
      bytes += static_cast<char>(byte);
      at += 4;
    } else {
      bytes += typed[at++];
    }
  }
  return bytes;
}

}  // namespace xlab::app
