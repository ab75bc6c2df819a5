// The patterns by which tokenizers cut text into words, on PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/tokenizer/pattern.hpp"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "core/tokenizer/oniguruma.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab {

/// Gives back what PCRE2 made.
template <auto Free>
struct FreePcre {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

namespace {

/// Every match is first tried in this many bytes and steps: ordinary patterns need no more for
/// ordinary words. What needs more is done again with its steps counted.
constexpr std::size_t kWindowBytes = 256;
constexpr std::uint32_t kWindowSteps = 64;
/// Counted steps that all matches in one text may take together. Reading on by one byte is a step.
constexpr std::size_t kFreeSteps = 4'000'000, kStepsPerByte = 64;
constexpr std::uint32_t kMostHeapKibibytes = 1u << 20;
std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

using Code = std::unique_ptr<pcre2_code, FreePcre<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, FreePcre<pcre2_match_data_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, FreePcre<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, FreePcre<pcre2_match_context_free>>;

Code compile(const std::string& expression, std::uint32_t options = 0) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  check(context != nullptr, "There is not enough memory for a pattern.");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE where = 0;
  // Without PCRE2_NO_DOTSTAR_ANCHOR, some patterns that begin with .* match only where lines begin.
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_AUTO_CAPTURE |
                              PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_DOTSTAR_ANCHOR | options,
                          &error, &where, context.get()));
  check(code != nullptr, "PCRE2 does not read it: {}.", pcre_message(error));
  return code;
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

/// Where the last character of a text that is not empty begins.
std::size_t last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return at;
}

std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto character = decode_utf8(text, at);
  return character ? character->bytes : 1;
}

}  // namespace

PatternSteps::PatternSteps(std::size_t text_bytes)
    : left_(kFreeSteps + kStepsPerByte * text_bytes) {}

bool PatternSteps::take(std::size_t steps) {
  const bool enough = steps <= left_;
  left_ -= std::min(steps, left_);
  return enough;
}

struct Pattern::Compiled {
  Code code;
  Code counted;  ///< the same, calling `Counter::count` before every item
  std::string expression;
  bool windows = true;  ///< whether parts of a text can be searched
};

namespace {

/// Counts what PCRE2 does: every item that it tries, and every byte it goes on or back between
/// them.
struct Counter {
  PatternSteps* steps;
  std::size_t at = 0;

  static int count(pcre2_callout_block* now, void* self) {
    auto& counter = *static_cast<Counter*>(self);
    const std::size_t at = now->current_position;
    const std::size_t taken = 1 + (at > counter.at ? at - counter.at : counter.at - at);
    counter.at = at;
    return counter.steps->take(taken) ? 0 : PCRE2_ERROR_MATCHLIMIT;
  }
};

/// The first end of a character at or after `at`.
std::size_t character_end(std::string_view text, std::size_t at) {
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  return std::min(at, text.size());
}

}  // namespace

Pattern Pattern::regex(const std::string& expression) {
  try {
    auto compiled = std::make_shared<Compiled>();
    const PcrePattern rewritten = for_pcre(expression);
    compiled->code = compile(rewritten.expression);
    compiled->counted = compile(rewritten.expression, PCRE2_AUTO_CALLOUT | PCRE2_NO_START_OPTIMIZE);
    compiled->expression = expression;
    // PCRE2 sees no beginning of a line where a text ends, so it must see where this one does.
    compiled->windows = !rewritten.knows_lines;
    Pattern pattern;
    pattern.compiled_ = std::move(compiled);
    return pattern;
  } catch (const Error& e) {
    throw Error(
        fmt::format("The pattern '{}' cannot be used: {}", printable(expression, 200), e.what()));
  }
}

Pattern Pattern::literal(std::string text) {
  check(!text.empty(), "The text to split at is empty.");
  check(text.size() <= kMostPatternBytes, "The text to split at is longer than {} bytes.",
        kMostPatternBytes);
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

void Pattern::each_match(std::string_view text, PatternSteps& steps,
                         const std::function<void(std::size_t, std::size_t)>& found) const {
  if (!compiled_) {
    for (std::size_t at = text.find(literal_); at != text.npos;
         at = text.find(literal_, at + literal_.size()))
      found(at, at + literal_.size());
    return;
  }
  const MatchData match(pcre2_match_data_create(1, nullptr));
  const MatchContext context(pcre2_match_context_create(nullptr));
  check(match && context, "There is not enough memory for cutting up a text.");
  Counter counter{&steps};
  pcre2_set_callout(context.get(), &Counter::count, &counter);
  pcre2_set_heap_limit(context.get(), kMostHeapKibibytes);
  const auto search = [&](const Code& code, std::size_t from, std::size_t end,
                          std::uint32_t options, std::size_t limit) {
    pcre2_set_match_limit(context.get(),
                          static_cast<std::uint32_t>(std::min<std::size_t>(limit, UINT32_MAX)));
    return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.empty() ? "" : text.data()),
                       end, from, PCRE2_NO_UTF_CHECK | options, match.get(), context.get());
  };

  std::size_t from = 0;
  std::optional<std::size_t> last_end;
  while (from <= text.size()) {
    // A partial match is one that asks for what lies behind the window. Without one, what was found
    // in the window, or not found, holds for the whole text.
    const std::size_t window = compiled_->windows && text.size() - from > kWindowBytes
                                   ? character_end(text, from + kWindowBytes)
                                   : text.size();
    const bool whole = window == text.size();
    int result = PCRE2_ERROR_MATCHLIMIT;
    if (window - from < kWindowBytes + 4)
      result = search(compiled_->code, from, window, whole ? 0 : PCRE2_PARTIAL_HARD, kWindowSteps);
    if (result == PCRE2_ERROR_NOMATCH && !whole) {
      from = window;
      continue;
    }
    if (result == PCRE2_ERROR_PARTIAL || result == PCRE2_ERROR_MATCHLIMIT) {
      if (result == PCRE2_ERROR_PARTIAL) from = pcre2_get_ovector_pointer(match.get())[0];
      counter.at = from;
      result = search(compiled_->counted, from, text.size(), 0, steps.left());
    }
    if (result == PCRE2_ERROR_NOMATCH) return;
    if (result < 0)
      throw Error(fmt::format(
          "The tokenizer's pattern '{}' takes too many steps at byte {} of the text ({}): it reads "
          "far ahead, or tries the same place in many ways. Use a tokenizer whose pattern looks at "
          "one word at a time.",
          printable(compiled_->expression, 200), from, pcre_message(result)));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    const std::size_t begin = range[0], end = range[1];
    check(begin <= end, "The tokenizer's pattern ends before it begins.");
    if (begin == end && last_end == end) {
      // An empty match right after the last one is none.
      from += from < text.size() ? character_bytes(text, from) : 1;
      continue;
    }
    last_end = end;
    from = end;
    found(begin, end);
  }
}

void SplitRule::each_piece(std::string_view text, PatternSteps& steps,
                           const std::function<void(std::string_view)>& piece) const {
  struct Segment {
    std::size_t begin = 0, end = 0;
  };
  std::optional<Segment> held;  // not given out yet: it may still grow
  bool before = false;          // whether the segment before was a match
  const auto flush = [&] {
    if (held && held->begin < held->end) piece(text.substr(held->begin, held->end - held->begin));
    held.reset();
  };
  const auto segment = [&](std::size_t begin, std::size_t end, bool match) {
    if (invert) match = !match;
    bool joins = false;
    switch (behavior) {
      case SplitBehavior::removed:
        if (match) return;
        break;
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::merged_with_previous:
        joins = match && !before;
        break;
      case SplitBehavior::merged_with_next:
        joins = !match && before;
        break;
      case SplitBehavior::contiguous:
        joins = match == before;
        break;
    }
    before = match;
    if (joins && held) {
      held->end = end;
      return;
    }
    flush();
    held = Segment{begin, end};
  };
  std::size_t done = 0;
  pattern.each_match(text, steps, [&](std::size_t begin, std::size_t end) {
    if (done != begin) segment(done, begin, false);
    segment(begin, end, true);
    done = end;
  });
  if (done != text.size()) segment(done, text.size(), false);
  flush();
}

bool starts_with_word(std::string_view text) {
  static const Code code = compile(fmt::format("[{}\\x{{200C}}\\x{{200D}}]", kWordClass));
  if (text.empty()) return false;
  const MatchData match(pcre2_match_data_create(1, nullptr));
  check(match != nullptr, "There is not enough memory for cutting up a text.");
  return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                     character_bytes(text, 0), 0, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, match.get(),
                     nullptr) >= 0;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && starts_with_word(text.substr(last_character(text)));
}

std::size_t trailing_space(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0) {
    const std::size_t at = last_character(text.substr(0, begin));
    const auto character = decode_utf8(text, at);
    if (!character || !is_white_space(character->code_point)) break;
    begin = at;
  }
  return begin;
}

std::size_t leading_space(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size()) {
    const auto character = decode_utf8(text, end);
    if (!character || !is_white_space(character->code_point)) break;
    end += character->bytes;
  }
  return end;
}

}  // namespace xlab
