// What a view asks of the window: it has no clipboard and no dialogs of its own.
#pragma once

#include <cstdint>
#include <string>

namespace xlab::ui {

struct Request {
  enum class Kind : std::uint8_t {
    copy,  ///< put the text on the clipboard, and say so
    show,  ///< show the text in a window of its own
  };
  Kind kind = Kind::copy;
  std::string what;  ///< what it is, e.g. "the equation of m"
  std::string text;
};

}  // namespace xlab::ui
