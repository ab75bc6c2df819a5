// How far something is, on the error stream.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "app/cli/command.hpp"

namespace xlab::app {

/// One line that is rewritten on a terminal and repeated every few seconds in a file.
class ProgressLine {
 public:
  void show(const std::string& text, bool last) {
    const auto now = std::chrono::steady_clock::now();
    if (!last &&
        now - shown_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5)))
      return;
    shown_ = now;
    if (text == text_ && !terminal_) return;
    text_ = text;
    if (terminal_) {
      say("\r\033[K{}{}", text, last ? "\n" : "");
    } else {
      say("{}\n", text);
    }
    std::fflush(stderr);
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point shown_{};
  std::string text_;
};

}  // namespace xlab::app
