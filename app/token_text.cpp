// Takes whole characters off the front of the bytes that were joined so far.
#include "app/token_text.hpp"

#include <algorithm>
#include <utility>

#include "core/utf8.hpp"

namespace xlab::app {
namespace {

QString escaped(unsigned char byte) {
  return QString("\\x%1").arg(static_cast<uint>(byte), 2, 16, QChar('0'));
}

bool is_written(unsigned char byte) {
  return byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7f);
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
  QString text;
  std::size_t at = 0;
  while (at < kept_.size()) {
    const auto byte = static_cast<unsigned char>(kept_[at]);
    const auto character = decode_utf8(kept_, at);
    if (character && (character->bytes > 1 || is_written(byte))) {
      text += QString::fromUtf8(kept_.data() + at, static_cast<qsizetype>(character->bytes));
      at += character->bytes;
    } else if (!character && broken_utf8(kept_, at).cut_off) {
      break;
    } else {
      text += escaped(byte);
      ++at;
    }
  }
  kept_.erase(0, at);
  return text;
}

QString TokenText::rest() const {
  QString text;
  for (const char c : kept_) text += escaped(static_cast<unsigned char>(c));
  return text;
}

QString text_of_tokens(const Snapshot& snapshot, std::size_t count) {
  TokenText writer(snapshot.model, snapshot.data && snapshot.data->tokens_are_text);
  QString text;
  const auto& tokens = snapshot.session.tokens;
  for (std::size_t i = 0; i < std::min(count, tokens.size()); ++i) text += writer.add(tokens[i]);
  return text + writer.rest();
}

}  // namespace xlab::app
