// Unicode normal forms, which tokenizers may bring a text into before they cut it up.
#pragma once

#include <string>
#include <string_view>

namespace xlab {

/// One of the four forms of Unicode: composed or not, and with compatibility characters ("ﬁ", "²")
/// replaced by plain ones or not.
struct NormalForm {
  bool composed = true;
  bool compatible = false;
};

/// The text, which must be UTF-8, in a normal form. Takes n log n steps at most, whatever the text.
std::string normalized(std::string_view text, NormalForm form);

}  // namespace xlab
